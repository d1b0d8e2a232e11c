"""What commands ask of annotations of messages, as values (RFC 5257 3.2, 4.3, 4.8).

Pure.  An entry's name is a path, ``/comment`` or ``/1.2/comment`` for a part; its value is shared, or private
to a reader.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from quintet.imap import names
from quintet.values import dataclass

_PART = re.compile(r"/([0-9][^/]*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """ANNOTATION of FETCH: entries, with wildcards or not, and what of each is told."""

    entries: tuple[str, ...]
    attributes: tuple[tuple[str, bool], ...]  # "value" or "size", and whether it is the shared one


def part_of(entry: str) -> tuple[int, ...]:
    """The part that an entry is about; () for the whole message (RFC 5257 3.2.1)."""
    found = _PART.match(entry)
    return tuple(map(int, found[1].split("."))) if found else ()


def is_pattern(entry: str) -> bool:
    return "*" in entry or "%" in entry


@functools.lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether an entry's name matches: ``*`` is any text, ``%`` any without a slash (RFC 5257 4.3).

    Deviates: RFC 5257 4.3 has a wildcard match one character at least, RFC 9051 6.3.9 none at least; the
    only name that tells them apart is one that ends before its wildcard, and telling more does no harm.

    Raises:
        BadSyntax(TOO_MANY): too many wildcards.
    """
    return names.matcher(pattern)
