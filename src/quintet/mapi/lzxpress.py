"""LZ77 with DIRECT2 encoding: how payloads are compressed on the wire (MS-OXCRPC 3.1.4.1.1.2).

Python's speed is what it is, so both directions work on whole runs: a literal run or a match is one slice.
"""

from __future__ import annotations

from quintet.mapi.buffer import bad

WINDOW = 8192  # bytes back that 13 bits can tell (MS-OXCRPC_R1252)
MIN_MATCH = 3  # R876
MAX_MATCH = 65535 + MIN_MATCH  # R934
MAX_CHAIN = 16  # earlier places with the same three bytes that are compared; more cost more than they save


def decompress(data: bytes, size: int) -> bytes:
    """The ``size`` bytes that were compressed.  Raises BadSyntax: malformed, or another size.

    The end mark (R1873) is not asked for: what counts is the size that the header told.
    """
    out = bytearray()
    at, mask, bits = 0, 0, 0
    shared = -1  # where the byte lies whose high nibble the next long length uses (R916)
    end = len(data)
    while len(out) < size:
        if not bits:
            if at + 4 > end:
                raise bad("compressed data ends too early")
            mask, bits, at = int.from_bytes(data[at : at + 4], "little"), 32, at + 4
        bits -= 1
        if not mask >> bits & 1:
            if at >= end:
                raise bad("compressed data ends too early")
            out.append(data[at])
            at += 1
            continue
        if at + 2 > end:
            raise bad("compressed data ends too early")
        meta = data[at] | data[at + 1] << 8
        at += 2
        offset, length = (meta >> 3) + 1, meta & 7
        if length == 7:
            length, at, shared = _long_length(data, at, shared)
        length += MIN_MATCH
        if offset > len(out) or len(out) + length > size:
            raise bad("compressed data leads nowhere")
        start = len(out) - offset
        if offset >= length:
            out += out[start : start + length]
        else:  # it overlaps what it makes: a pattern that repeats
            pattern = bytes(out[start:])
            out += (pattern * (length // offset + 1))[:length]
    return bytes(out)


def _long_length(data: bytes, at: int, shared: int) -> tuple[int, int, int]:
    """A length of 10 or more, less `MIN_MATCH` (R906 to R934)."""
    try:
        if shared < 0:
            shared, extra, at = at, data[at] & 0xF, at + 1
        else:
            extra, shared = data[shared] >> 4, -1
        if extra < 15:
            return 7 + extra, at, shared
        more, at = data[at], at + 1
        if more < 255:
            return 7 + 15 + more, at, shared
        length = data[at] | data[at + 1] << 8
        if length < 7 + 15:
            raise bad("a length told in more bytes than it needs")
        return length, at + 2, shared
    except IndexError:
        raise bad("compressed data ends too early") from None


def compress(data: bytes) -> bytes:
    """What `decompress` reads; may be longer than ``data``, and then nobody sends it."""
    out = bytearray(4)
    mask, bits, mask_at = 0, 32, 0
    shared = -1
    seen: dict[bytes, list[int]] = {}
    at, end = 0, len(data)
    while at < end:
        length, offset = _match(data, at, seen)
        if length:
            mask |= 1 << (bits - 1)
            shared = _put_match(out, offset, length, shared)
        else:
            length = 1
            out.append(data[at])
        for place in range(at, min(at + length, end - MIN_MATCH + 1)):
            seen.setdefault(data[place : place + MIN_MATCH], []).append(place)
        at += length
        bits -= 1
        if not bits:
            out[mask_at : mask_at + 4] = mask.to_bytes(4, "little")
            mask, bits, mask_at = 0, 32, len(out)
            out += bytes(4)
    mask |= (1 << bits) - 1  # the end (R1873, R1877), and what nobody reads
    out[mask_at : mask_at + 4] = mask.to_bytes(4, "little")
    return bytes(out)


def _match(data: bytes, at: int, seen: dict[bytes, list[int]]) -> tuple[int, int]:
    """The longest earlier run that goes on here: length and distance; (0, 0) for none."""
    places = seen.get(data[at : at + MIN_MATCH])
    if not places:
        return 0, 0
    best, distance = 0, 0
    most = min(len(data) - at, MAX_MATCH)
    for place in reversed(places[-MAX_CHAIN:]):
        if at - place > WINDOW:
            break
        length = _common(data, place, at, most)
        if length > best:
            best, distance = length, at - place
            if best == most:
                break
    return (best, distance) if best >= MIN_MATCH else (0, 0)


def _common(data: bytes, one: int, two: int, most: int) -> int:
    """How many bytes are the same from two places on; by halves, since slices compare fast."""
    low, step = 0, 16
    while low < most:
        size = min(step, most - low)
        if data[one + low : one + low + size] == data[two + low : two + low + size]:
            low += size
            step *= 2
        elif size == 1:
            break
        else:
            step = size // 2
    return low


def _put_match(out: bytearray, offset: int, length: int, shared: int) -> int:
    rest = length - MIN_MATCH
    out += ((offset - 1) << 3 | min(rest, 7)).to_bytes(2, "little")
    if rest < 7:
        return shared
    nibble = min(rest - 7, 15)
    if shared < 0:
        shared = len(out)
        out.append(nibble)
    else:
        out[shared] |= nibble << 4
        shared = -1
    if nibble == 15:
        if rest - 22 < 255:
            out.append(rest - 22)
        else:
            out.append(255)
            out += rest.to_bytes(2, "little")
    return shared
