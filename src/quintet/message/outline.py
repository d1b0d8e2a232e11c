"""What can be said of a message without a scan: its header, and whether all of it is seven bits.

That is all a host on the way has to know of most; a `Digest` says it as well.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from quintet.message import entity
from quintet.message.digest import Fields, all_of, first_of


class Headed(Protocol):
    """A `Digest` or an `Outline`."""

    @property
    def headers(self) -> Fields: ...

    @property
    def eight_bit(self) -> bool: ...

    def header(self, name: bytes | str) -> bytes | None: ...

    def all(self, name: bytes | str) -> list[bytes]: ...


class Outline(msgspec.Struct, frozen=True):
    """See the module; each member is what `Digest` has under that name."""

    headers: Fields
    eight_bit: bool

    def header(self, name: bytes | str) -> bytes | None:
        return first_of(self.headers, name)

    def all(self, name: bytes | str) -> list[bytes]:
        return all_of(self.headers, name)


def outline(data: bytes) -> Outline:
    """Of a message whose lines all end with CRLF (`store.content.skimmed`)."""
    end = data.find(b"\r\n\r\n")
    return Outline(tuple(entity.fields(data[:end] if end >= 0 else data)), not data.isascii())
