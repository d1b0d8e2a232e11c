"""The PROXY protocol header, versions 1 and 2: who the client behind a proxy is.  Pure.

Whether to expect one is the listener's decision: only from networks that the administrator named.
Standard: HAProxy's "The PROXY protocol", versions 1 and 2 (proxy-protocol.txt, 2020).
"""

from __future__ import annotations

import ipaddress

from quintet.errors import BadSyntax
from quintet.values import dataclass

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # of version 2
MAX_V1 = 107  # bytes with CRLF (section 2.1)
MAX_V2 = 4096  # bytes of addresses and TLVs; section 2.2 allows 65535, nobody sends so much


@dataclass(frozen=True, slots=True)
class Header:
    """What a header said; an empty ``address`` means the connection is the proxy's own (LOCAL, UNKNOWN)."""

    size: int  # bytes of the header
    address: str = ""
    port: int = 0
    local_address: str = ""
    local_port: int = 0


def parse(data: bytes) -> Header | None:
    """The header at the beginning of ``data``; None while it is not whole.  Raises BadSyntax."""
    if data.startswith(SIGNATURE[: len(data)]):
        return _version_2(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _version_1(data)
    raise BadSyntax("no PROXY header")


def _version_1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, MAX_V1)
    if end < 0:
        if len(data) >= MAX_V1:
            raise BadSyntax("PROXY header too long")
        return None
    words = data[:end].split(b" ")
    if len(words) > 1 and words[1] == b"UNKNOWN":
        return Header(end + 2)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise BadSyntax("PROXY header malformed")
    version = 4 if words[1] == b"TCP4" else 6
    try:
        source, target = (_address(word.decode("ascii"), version) for word in words[2:4])
        ports = [_port(word) for word in words[4:6]]
    except ValueError:  # UnicodeDecodeError is one
        raise BadSyntax("PROXY header malformed") from None
    return Header(end + 2, source, ports[0], target, ports[1])


def _address(text: str, version: int) -> str:
    address = ipaddress.ip_address(text)
    if address.version != version or "%" in text:
        raise ValueError(text)
    return str(address)


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65535 or (len(word) > 1 and word.startswith(b"0")):
        raise ValueError(word)
    return int(word)


def _version_2(data: bytes) -> Header | None:
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 15
    family, length = data[13], int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise BadSyntax("PROXY header of an unknown version")
    if length > MAX_V2:
        raise BadSyntax("PROXY header too long")
    if len(data) < 16 + length:
        return None
    if command == 0 or family not in (0x11, 0x21):  # LOCAL, or neither TCP over IPv4 nor IPv6
        return Header(16 + length)
    width = 4 if family == 0x11 else 16
    if length < 2 * width + 4:
        raise BadSyntax("PROXY header too short")
    at = 16
    source = ipaddress.ip_address(data[at : at + width])
    target = ipaddress.ip_address(data[at + width : at + 2 * width])
    at += 2 * width
    return Header(
        16 + length,
        str(source),
        int.from_bytes(data[at : at + 2], "big"),
        str(target),
        int.from_bytes(data[at + 2 : at + 4], "big"),
    )
