"""Little-endian buffers: the one reader and the one writer below every structure of MAPI.

Pure.  A count that a peer names is believed only as far as bytes are there, so that a hostile buffer costs no
more than its own size.  ``wide`` tells the two widths of COUNT apart: 16 bits in ROPs, 32 bits in the address
book, in extended rules and in MAPI/HTTP's own bodies (MS-OXCDATA 2.11.1.1), the trap that each reader meets.
``book``: values are those of the address book over HTTP, which may be absent (MS-OXCMAPIHTTP 2.2.1.1).
"""

from __future__ import annotations

import struct

from quintet.errors import BadSyntax, Reason

MAX_DEPTH = 64  # levels of structures inside structures (restrictions, actions); Exchange refuses 256
MAX_TEXT = 1024 * 1024  # bytes of one string; longer ones travel in streams

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def bad(text: str) -> BadSyntax:
    """What every malformed structure raises; its words are ours, and hold nothing of the peer's."""
    return BadSyntax(text, Reason.BAD_CONTENT)


class Reader:
    """Takes values off the front of a buffer; each method raises BadSyntax when too little is there."""

    __slots__ = ("_at", "_data", "book", "depth", "wide")

    def __init__(self, data: bytes, *, wide: bool = False, book: bool = False) -> None:
        self._data = data
        self._at = 0
        self.wide = wide
        self.book = book
        self.depth = 0  # of the structure that is being read

    def __len__(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    @property
    def at(self) -> int:
        """Bytes that were taken."""
        return self._at

    def take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise bad("the buffer ends too early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def rest(self) -> bytes:
        return self.take(len(self))

    def unpack(self, form: struct.Struct) -> tuple[int | float, ...]:
        end = self._at + form.size
        if end > len(self._data):
            raise bad("the buffer ends too early")
        values = form.unpack_from(self._data, self._at)
        self._at = end
        return values

    def u8(self) -> int:
        if self._at >= len(self._data):
            raise bad("the buffer ends too early")
        self._at += 1
        return self._data[self._at - 1]

    def u16(self) -> int:
        return int(self.unpack(_U16)[0])

    def u32(self) -> int:
        return int(self.unpack(_U32)[0])

    def u64(self) -> int:
        return int(self.unpack(_U64)[0])

    def flag(self) -> bool:
        """A Boolean: one byte; anything but 0 and 1 is none (MS-OXCDATA 2.11.1)."""
        value = self.u8()
        if value > 1:
            raise bad("a Boolean that is neither 0 nor 1")
        return value == 1

    def count(self, least: int = 1) -> int:
        """A COUNT of things of at least ``least`` bytes each."""
        return self.counted(self.u32() if self.wide else self.u16(), least)

    def counted(self, number: int, least: int = 1) -> int:
        """``number``, if that many things of at least ``least`` bytes can be left."""
        if number * least > len(self):
            raise bad("a count beyond the buffer's end")
        return number

    def text8(self) -> bytes:
        """A string of a code page that only the connection knows, without its NUL."""
        end = self._data.find(b"\0", self._at)
        if end < 0 or end - self._at > MAX_TEXT:
            raise bad("a string without an end")
        piece = self._data[self._at : end]
        self._at = end + 1
        return piece

    def text(self) -> str:
        """A UTF-16LE string, without its NUL.  Halves of surrogate pairs are kept, as Exchange does."""
        end = self._at
        while True:
            end = self._data.find(b"\0\0", end)
            if end < 0 or end - self._at > MAX_TEXT:
                raise bad("a string without an end")
            if (end - self._at) % 2 == 0:
                break
            end += 1
        piece = self._data[self._at : end]
        self._at = end + 2
        return piece.decode("utf-16-le", "surrogatepass")

    def deeper(self) -> None:
        """Call before a structure inside another one, and `shallower` after it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise bad("structures nested too deeply")

    def shallower(self) -> None:
        self.depth -= 1


class Writer:
    """Puts values at the end of a buffer."""

    __slots__ = ("_parts", "book", "wide")

    def __init__(self, *, wide: bool = False, book: bool = False) -> None:
        self._parts: list[bytes] = []
        self.wide = wide
        self.book = book

    def put(self, data: bytes) -> None:
        self._parts.append(data)

    def pack(self, form: struct.Struct, *values: int | float) -> None:
        try:
            self._parts.append(form.pack(*values))
        except (struct.error, OverflowError) as error:
            raise bad("a number that its field cannot hold") from error

    def u8(self, value: int) -> None:
        if not 0 <= value <= 0xFF:
            raise bad("a number that its field cannot hold")
        self._parts.append(bytes((value,)))

    def u16(self, value: int) -> None:
        self.pack(_U16, value)

    def u32(self, value: int) -> None:
        self.pack(_U32, value)

    def u64(self, value: int) -> None:
        self.pack(_U64, value)

    def count(self, number: int) -> None:
        """A COUNT.  Raises BadSyntax: more than its width tells."""
        self.pack(_U32 if self.wide else _U16, number)

    def text8(self, value: bytes) -> None:
        if b"\0" in value:
            raise bad("a NUL within a string")
        self._parts.append(value + b"\0")

    def text(self, value: str) -> None:
        if "\0" in value:
            raise bad("a NUL within a string")
        self._parts.append(value.encode("utf-16-le", "surrogatepass") + b"\0\0")

    def done(self) -> bytes:
        return b"".join(self._parts)
