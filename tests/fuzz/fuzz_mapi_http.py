"""Fuzz target: what strangers send to MAPI over HTTP: NTLM, heads, cookies, Autodiscover, bodies."""

from __future__ import annotations

import base64
import struct

from quintet.auth import ntlm
from quintet.errors import BadSyntax
from quintet.mapi.http import autodiscover, channel, heads
from quintet.mapi.http.endpoint import Wrong

_FIRST = b"NTLMSSP\0\1\0\0\0" + struct.pack("<I", 0xA2088207) + bytes(16)
_LAST = b"NTLMSSP\0\3\0\0\0" + bytes(52)
_ASK = (
    b'<Autodiscover xmlns="x"><Request><EMailAddress>a@example.org</EMailAddress>'
    b"<AcceptableResponseSchema>y</AcceptableResponseSchema></Request></Autodiscover>"
)
SEEDS: list[bytes] = [
    b"\0" + _FIRST,
    b"\1" + _LAST,
    b"\1" + base64.b64decode("oRIwEKADCgEBoQkGBysGAQUFAg=="),
    b"\2" + _ASK,
    b"\2<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
    b"\2<?xml version='1.0' encoding='hex'?><x/>",
    b"\3MapiContext=0.AAAAAAAAAAAAAAAAAAAAAA; MapiSequence=1-abc",
    b"\4PROCESSING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: 1\r\n\r\nbody",
]


def target(data: bytes) -> None:
    """The first byte says what the rest is to be."""
    kind, raw = data[:1], data[1:]
    try:
        if kind == b"\0":
            ntlm.Server("00" * 8, "mail.example.org").step(raw)
        elif kind == b"\1":
            server = ntlm.Server("00" * 8, "mail.example.org")
            server.step(_FIRST)
            proof = server.step(raw)
            if isinstance(proof, ntlm.Proof):
                assert not proof.proves("00" * 16)
                assert isinstance(proof.login, str)
        elif kind == b"\2":
            asked = autodiscover.parse(raw)
            assert len(asked.address) <= autodiscover.MAX_TEXT
        elif kind == b"\3":
            text = raw.decode("latin-1")
            heads.cookies(text)
            heads.read("POST", {"X-RequestType": text, "X-RequestId": text, "Content-Type": heads.BINARY})
        else:
            channel.Channel(lambda headers, body: (200, [("X-ResponseCode", "0")], raw)).ask("PING")
    except (BadSyntax, Wrong, channel.ChannelError):
        return
