"""LZ77 with DIRECT2 encoding: how payloads are compressed on the wire (MS-OXCRPC 3.1.4.1.1.2).

Python's speed is what it is, so both directions work on whole runs: a literal run or a match is one slice.
"""

from __future__ import annotations

from quintet.mapi.buffer import bad

WINDOW = 8192  # bytes back that 13 bits can tell (MS-OXCRPC_R1252)
MIN_MATCH = 3  # R876
MAX_MATCH = 65535 + MIN_MATCH  # R934
SAME = 4  # bytes by which an earlier place is found; three find more, and mostly what is no shorter
PATIENCE = 32  # places without a match, after which one more is left out each time


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


class _Output:
    """Elements behind their bitmasks (3.1.4.1.1.2.2.1)."""

    __slots__ = ("at", "bits", "mask", "out", "shared")

    def __init__(self) -> None:
        self.out = bytearray(4)
        self.at = 0  # where the mask of the elements now written stands
        self.mask, self.bits = 0, 32
        self.shared = -1  # as in `decompress`

    def _used(self, count: int) -> None:
        self.bits -= count
        if not self.bits:
            self._keep()
            self.mask, self.bits, self.at = 0, 32, len(self.out)
            self.out += bytes(4)

    def _keep(self) -> None:
        self.out[self.at : self.at + 4] = self.mask.to_bytes(4, "little")

    def literals(self, data: bytes, start: int, end: int) -> None:
        while start < end:
            count = min(end - start, self.bits)
            self.out += data[start : start + count]
            start += count
            self._used(count)

    def match(self, offset: int, length: int) -> None:
        self.mask |= 1 << (self.bits - 1)
        rest = length - MIN_MATCH
        self.out += ((offset - 1) << 3 | min(rest, 7)).to_bytes(2, "little")
        if rest >= 7:
            self._long(rest)
        self._used(1)

    def _long(self, rest: int) -> None:
        nibble = min(rest - 7, 15)
        if self.shared < 0:
            self.shared = len(self.out)
            self.out.append(nibble)
        else:
            self.out[self.shared] |= nibble << 4
            self.shared = -1
        if nibble == 15:
            if rest - 22 < 255:
                self.out.append(rest - 22)
            else:
                self.out.append(255)
                self.out += rest.to_bytes(2, "little")

    def done(self) -> bytes:
        self.mask |= (1 << self.bits) - 1  # the end (R1873, R1877), and what nobody reads
        self._keep()
        return bytes(self.out)


def compress(data: bytes) -> bytes:
    """What `decompress` reads; may be longer than ``data``, and then nobody sends it.

    Only the latest place of each four bytes is looked at, and where nothing repeats itself for long ever
    fewer places are: a tenth of the time for a tenth more bytes.
    """
    made, seen = _Output(), dict[bytes, int]()
    at = start = missed = 0  # ``start``: of what is not written yet
    end = len(data)
    while at <= end - SAME:
        key = data[at : at + SAME]
        place = seen.get(key, -1)
        seen[key] = at
        if place < 0 or at - place > WINDOW:
            missed += 1
            at += 1 + missed // PATIENCE
            continue
        missed = 0
        while at > start and place and data[at - 1] == data[place - 1]:
            at, place = at - 1, place - 1
        length = _common(data, place, at, min(end - at, MAX_MATCH))
        made.literals(data, start, at)
        made.match(at - place, length)
        at = start = at + length
        seen[data[at - 2 : at - 2 + SAME]] = at - 2
    made.literals(data, start, end)
    return made.done()


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
