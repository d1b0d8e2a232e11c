"""What can be said of a message without a scan: its header, and whether all of it is seven bits.

That is all a host on the way has to know of most; a `Digest` says it as well.
"""

from __future__ import annotations

from typing import Protocol

from quintet.message import entity
from quintet.message.digest import Fields, all_of, first_of, key


class Headed(Protocol):
    """A `Digest` or an `Outline`."""

    @property
    def headers(self) -> Fields: ...

    @property
    def eight_bit(self) -> bool: ...

    def header(self, name: bytes | str) -> bytes | None: ...

    def all(self, name: bytes | str) -> list[bytes]: ...


class Outline:
    """See the module; each member is what `Digest` has under that name.  Fields are cut when need be."""

    __slots__ = ("_block", "_headers", "_lowered", "eight_bit")

    def __init__(self, block: bytes, eight_bit: bool) -> None:
        self._block, self._lowered, self.eight_bit = block, entity.lowered(block), eight_bit
        self._headers: Fields | None = None

    @property
    def headers(self) -> Fields:
        if self._headers is None:
            self._headers = tuple(entity.fields(self._block))
        return self._headers

    def header(self, name: bytes | str) -> bytes | None:
        if self._lowered is None:
            return first_of(self.headers, name)
        wanted = key(name)
        return entity.picked(self._block, self._lowered, (wanted,)).get(wanted)

    def all(self, name: bytes | str) -> list[bytes]:
        if self._lowered is not None and b"\n%b:" % key(name) not in self._lowered:
            return []
        return all_of(self.headers, name)


def outline(data: bytes) -> Outline:
    """Of a message whose lines all end with CRLF (`store.content.skimmed`)."""
    end = -2 if data.startswith(b"\r\n") else data.find(b"\r\n\r\n")
    return Outline(data if end == -1 else data[: end + 2], not data.isascii())
