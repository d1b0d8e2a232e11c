"""The milter protocol, version 6: packets, what filters may answer, and what they may change.

Pure; who asks is `delivery.milters`.  There is no standard: this is what libmilter, Postfix and the filters
agree on (sendmail's libmilter/docs, "mfdef.h").
"""

from __future__ import annotations

import re
import struct
from typing import Final

from quintet.errors import BadSyntax
from quintet.values import dataclass

VERSION: Final = 6
MAX_PACKET: Final = 1024 * 1024  # octets of an answer; a replaced body comes in pieces of 64 KiB
CHUNK: Final = 65535  # octets of the body in one packet
MAX_TEXT: Final = 400  # characters that a client is told

ADD_FIELDS, CHANGE_BODY, ADD_RCPT, DROP_RCPT, CHANGE_FIELDS, QUARANTINE, CHANGE_SENDER = (
    1,
    2,
    4,
    8,
    16,
    32,
    64,
)
ACTIONS: Final = ADD_FIELDS | CHANGE_BODY | ADD_RCPT | DROP_RCPT | CHANGE_FIELDS | QUARANTINE | CHANGE_SENDER


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a filter is told; with bits of the negotiation it says that it does not care."""

    command: bytes
    unwanted: int = 0
    no_reply: int = 0


CONNECT: Final = Step(b"C", 0x1, 0x1000)
HELO: Final = Step(b"H", 0x2, 0x2000)
MAIL: Final = Step(b"M", 0x4, 0x4000)
RCPT: Final = Step(b"R", 0x8, 0x8000)
DATA: Final = Step(b"T", 0x200, 0x10000)
FIELD: Final = Step(b"L", 0x20, 0x80)
END_OF_HEADER: Final = Step(b"N", 0x40, 0x40000)
BODY: Final = Step(b"B", 0x10, 0x80000)
END: Final = Step(b"E")
MAY_SKIP: Final = 0x400  # of a body: the filter has seen enough
UNKNOWN: Final = 0x100  # commands that are none: nobody is told of them
_STEPS: Final = (CONNECT, HELO, MAIL, RCPT, DATA, FIELD, END_OF_HEADER, BODY)
LEADING: Final = 0x100000  # a field's value begins behind the colon, not behind the space after it
PROTOCOL: Final = MAY_SKIP | UNKNOWN | LEADING | sum(step.unwanted | step.no_reply for step in _STEPS)

_REPLY = re.compile(  # the enhanced code as RFC 3463 2 has it
    r"([45]\d\d)(?:[ -]([45]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2}))\b)?[ -]?(.*)",
    re.ASCII,
)
_NAME = re.compile(rb"[!-9;-~]{1,76}")  # RFC 5322 3.6.8
_FIELDS = re.compile(rb"(?<=\r\n)(?![ \t])")


def packet(command: bytes, data: bytes = b"") -> bytes:
    return struct.pack("!I", len(data) + 1) + command + data


def words(*parts: str | bytes) -> bytes:
    """Strings as C has them."""
    raw = [part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part for part in parts]
    return b"".join([part.replace(b"\0", b"") + b"\0" for part in raw])


def negotiation() -> bytes:
    return packet(b"O", struct.pack("!III", VERSION, ACTIONS, PROTOCOL))


def agreed(data: bytes) -> int:
    """The bits of the protocol that a filter wants.  Raises BadSyntax: it speaks another one."""
    if len(data) < 12:
        raise BadSyntax("answer to the negotiation is too short")
    version, actions, protocol = struct.unpack_from("!III", data)
    if not 2 <= version <= VERSION or actions & ~ACTIONS or protocol & ~PROTOCOL:
        raise BadSyntax(f"version {version}, actions {actions:#x}, protocol {protocol:#x} are not ours")
    return int(protocol)


def macros(step: Step, **values: str) -> bytes:
    """What a filter may ask for by name before a step; ``_name`` is written {name}."""
    said = [
        word
        for name, value in values.items()
        if value
        for word in (f"{{{name[1:]}}}" if name.startswith("_") else name, value)
    ]
    return packet(b"D", step.command + words(*said)) if said else b""


def connection(name: str, address: str, port: int) -> bytes:
    """The client, for `CONNECT`."""
    if ":" in address:
        return words(name) + b"6" + struct.pack("!H", port) + words(f"IPv6:{address}")
    if address[:1].isdigit():
        return words(name) + b"4" + struct.pack("!H", port) + words(address)
    return words(name) + b"U"


def refusal(data: bytes) -> tuple[int, str, str]:
    """The reply of a filter's own words: code, enhanced code, text on one line.  Raises BadSyntax."""
    said = data.rstrip(b"\0").decode("utf-8", "replace")
    found = [_REPLY.fullmatch(each) for each in said.splitlines()]
    if not found or found[0] is None:
        raise BadSyntax(f"not a reply: {said[:80]!r}")
    code, enhanced = int(found[0][1]), found[0][2]
    text = " ".join(each[3] for each in found if each is not None)
    text = re.sub(r"[^ -~]+", " ", text).strip()[:MAX_TEXT]
    if code == 421:
        code = 451  # the connection goes on: RFC 5321 3.8
    if not enhanced or enhanced[0] != str(code)[0]:
        enhanced = f"{code // 100}.7.1"
    return code, enhanced, text or "Refused by policy"


def reason(data: bytes) -> str:
    """Why a message is to be quarantined, on one line; never empty."""
    said = data.partition(b"\0")[0].decode("utf-8", "replace")
    return " ".join(re.sub(r"[^ -~]+", " ", said).split())[:MAX_TEXT] or "by a filter"


def named(data: bytes) -> tuple[bytes, bytes]:
    """Name and value of a field.  Raises BadSyntax."""
    name, end, rest = data.partition(b"\0")
    if not end or not _NAME.fullmatch(name):
        raise BadSyntax("not a header field")
    return name, rest.partition(b"\0")[0]


def numbered(data: bytes) -> tuple[int, bytes, bytes]:
    """The same behind a number.  Raises BadSyntax."""
    if len(data) < 5:
        raise BadSyntax("not a header field with its number")
    return (int.from_bytes(data[:4]), *named(data[4:]))


def line(name: bytes, value: bytes) -> bytes:
    """A whole field: whatever a value holds, it stays one field (no header is injected)."""
    pieces = [piece for piece in re.split(rb"[\r\n\0]+", value) if piece.strip(b" \t")]
    folded = b"\r\n".join([piece if piece[:1] in b" \t" else b"\t" + piece for piece in pieces[1:]])
    first = pieces[0].lstrip(b" \t") if pieces else b""
    return name + b": " + first + (b"\r\n" + folded if folded else b"") + b"\r\n"


class Header:
    """The fields of a message while filters change them."""

    def __init__(self, block: bytes) -> None:
        """``block``: whole lines, without the blank one."""
        self._fields = [each for each in _FIELDS.split(block) if each]
        self.changed = False

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Names, and all that stands behind the colons, but for LF at the ends of lines."""
        pairs = [each.partition(b":") for each in self._fields]
        return [
            (name.rstrip(b" \t"), value[:-2].replace(b"\r\n", b"\n")) for name, colon, value in pairs if colon
        ]

    def change(self, number: int, name: bytes, value: bytes) -> None:
        """The field of that name, counted from 1, gets another value; without one it goes."""
        wanted = name.lower()
        places = [
            at
            for at, each in enumerate(self._fields)
            if each.partition(b":")[0].rstrip(b" \t").lower() == wanted
        ]
        self.changed = True
        if len(places) < max(number, 1):
            if value:
                self._fields.append(line(name, value))
            return
        at = places[max(number, 1) - 1]
        self._fields[at : at + 1] = [line(name, value)] if value else []

    def __bytes__(self) -> bytes:
        return b"".join(self._fields)
