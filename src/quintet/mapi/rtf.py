"""Compressed RTF: the form in which PidTagRtfCompressed keeps a body (MS-OXRTFCP).

A ring of 4,096 bytes that begins with the words every RTF has; runs of eight tokens, each a literal byte or a
reference of two bytes into the ring.
"""

from __future__ import annotations

import zlib

from quintet.mapi.buffer import bad

MAX_RAW = 64 * 1024 * 1024  # bytes of a body that we unpack
RING = 4096
MAX_RUN = 17  # bytes of a reference: 4 bits and the least of 2
MAX_CHAIN = 16  # earlier places that are compared

_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_START = (  # 2.1.2.1: what the ring holds before the first byte
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n"
    b"\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def decompress(raw: bytes) -> bytes:
    """The RTF.  Raises BadSyntax: malformed, damaged, or larger than `MAX_RAW`."""
    if len(raw) < 16:
        raise bad("compressed RTF without a header")
    size, actual, kind, crc = (raw[at : at + 4] for at in (0, 4, 8, 12))
    end = int.from_bytes(size, "little") + 4
    expected = int.from_bytes(actual, "little")
    if end > len(raw) or end < 16 or expected > MAX_RAW:
        raise bad("compressed RTF of another size")
    if kind == _PLAIN:
        return raw[16 : 16 + expected]
    if kind != _COMPRESSED:
        raise bad("no such kind of compressed RTF")
    body = raw[16:end]
    if checksum(body) != int.from_bytes(crc, "little"):  # 2.1.3.1.3
        raise bad("compressed RTF is damaged")
    return _unpack(body, expected)


def _unpack(body: bytes, expected: int) -> bytes:
    out = bytearray(_START)  # the ring, unrolled: position n of the ring is the last byte n modulo 4096
    base = len(_START)
    most = base + expected
    at, end = 0, len(body)
    while at < end:
        control = body[at]
        at += 1
        for bit in range(8):
            if at >= end:
                break
            if not control >> bit & 1:
                out.append(body[at])
                at += 1
            else:
                if at + 2 > end:
                    break
                offset, length = body[at] << 4 | body[at + 1] >> 4, (body[at + 1] & 0xF) + 2
                at += 2
                if offset == len(out) % RING:  # 2.2.2.1: the end
                    return bytes(out[base:most])
                _copy(out, offset, length)
            if len(out) > most + MAX_RUN:
                raise bad("compressed RTF of another size")
    return bytes(out[base:most])


def _copy(out: bytearray, offset: int, length: int) -> None:
    back = (len(out) - offset) % RING or RING
    for _ in range(length):
        start = len(out) - back
        out.append(out[start] if start >= 0 else 0x20)  # what the ring did not hold yet reads as blank


def wrap(rtf: bytes) -> bytes:
    """The form that is not compressed (2.1.3.1.1): compressing takes a second for each megabyte."""
    size = len(rtf)
    head = (size + 12).to_bytes(4, "little") + size.to_bytes(4, "little") + _PLAIN + bytes(4)
    return head + rtf


def compress(rtf: bytes) -> bytes:
    """The compressed form, with its header (2.1.3.1.1)."""
    data = _START + rtf
    base = len(_START)
    seen: dict[bytes, list[int]] = {}
    for place in range(base - 1):
        seen.setdefault(data[place : place + 2], []).append(place)
    out = bytearray()
    at, end = base, len(data)
    done = False
    while not done:
        control, tokens = 0, bytearray()
        for bit in range(8):
            if at >= end:
                control |= 1 << bit
                tokens += (end % RING << 4).to_bytes(2, "big")
                done = True
                break
            length, place = _run(data, at, seen)
            if length:
                control |= 1 << bit
                tokens += (place % RING << 4 | length - 2).to_bytes(2, "big")
            else:
                length = 1
                tokens.append(data[at])
            for each in range(at, min(at + length, end - 1)):
                seen.setdefault(data[each : each + 2], []).append(each)
            at += length
        out.append(control)
        out += tokens
    head = (len(out) + 12).to_bytes(4, "little") + len(rtf).to_bytes(4, "little")
    return head + _COMPRESSED + checksum(bytes(out)).to_bytes(4, "little") + bytes(out)


def _run(data: bytes, at: int, seen: dict[bytes, list[int]]) -> tuple[int, int]:
    """The longest run in the ring that goes on here; (0, 0) for none of two bytes."""
    best, found = 0, 0
    most = min(MAX_RUN, len(data) - at)
    for place in reversed(seen.get(data[at : at + 2], ())[-MAX_CHAIN:]):
        if at - place >= RING:  # a distance of the whole ring would mean the end
            break
        length = 2
        while length < most and data[place + length] == data[at + length]:
            length += 1
        if length > best:
            best, found = length, place
    return (best, found) if best >= 2 else (0, 0)


def checksum(data: bytes) -> int:
    """CRC-32 without the inversions that zlib does (2.1.3.1.3)."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
