"""What compress(1) wrote, taken apart as it comes: ``.Z`` data, which old news batches are made of.

LZW with codes of 9 to 16 bits; codes come in groups of eight, and the rest of a group is skipped when the
width changes.  Only the table is kept: at most 65536 texts and `MAX_TEXT` octets.
"""

from __future__ import annotations

MAGIC = b"\x1f\x9d"
CLEAR = 256
MAX_TEXT = 16 * 1024 * 1024  # octets; 256 an entry, where texts of people have 5: more is a bomb


class BadLzw(ValueError):
    """It was not written by compress(1), or is damaged."""


class Decompressor:
    """A push decoder: `decompress` what came; it may be cut anywhere."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._max_bits = 0  # 0: the header has not come
        self._block = False
        self._width = 9
        self._table: list[bytes] = []
        self._last = b""
        self._text = 0  # octets in the table
        self.eof = False  # it has no end of its own

    def decompress(self, data: bytes) -> bytes:
        """Raises BadLzw."""
        self._held += data
        if not self._max_bits and not self._header():
            return b""
        out: list[bytes] = []
        while len(self._held) >= self._width:
            self._group(self._width, out)
        return b"".join(out)

    def finish(self) -> bytes:
        """The codes of the last, shorter group.  Raises BadLzw."""
        out: list[bytes] = []
        if self._max_bits and self._held:
            self._group(len(self._held), out)
        return b"".join(out)

    def _header(self) -> bool:
        if len(self._held) < 3:
            return False
        flags = self._held[2]
        self._max_bits, self._block = flags & 0x1F, bool(flags & 0x80)
        if self._held[:2] != MAGIC or not 9 <= self._max_bits <= 16:
            raise BadLzw("not compressed by compress(1)")
        del self._held[:3]
        self._clear()
        return True

    def _clear(self) -> None:
        self._table = [bytes((number,)) for number in range(256)]
        if self._block:
            self._table.append(b"")
        self._last = b""
        self._text = 0
        self._width = 9

    def _group(self, size: int, out: list[bytes]) -> None:
        """Eight codes of one width, or fewer when the width changes among them: the rest is padding."""
        width = self._width
        bits = int.from_bytes(self._held[:size], "little")
        del self._held[:size]
        mask = (1 << width) - 1
        for _ in range(size * 8 // width):
            code = bits & mask
            bits >>= width
            if code == CLEAR and self._block:
                self._clear()
                return
            out.append(self._entry(code))
            if len(self._table) > mask and width < self._max_bits:
                self._width = width + 1
                return

    def _entry(self, code: int) -> bytes:
        table, last = self._table, self._last
        if code < len(table):
            found = table[code]
        elif code == len(table) and last:
            found = last + last[:1]
        else:
            raise BadLzw("damaged compressed data")
        if not found:
            raise BadLzw("damaged compressed data")
        if last and len(table) < 1 << self._max_bits:
            table.append(last + found[:1])
            self._text += len(last) + 1
            if self._text > MAX_TEXT:
                raise BadLzw("it would grow too much")
        self._last = found
        return found
