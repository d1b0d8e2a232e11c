"""PidTagReportTag: by what a report finds the message that it speaks of (MS-OXOMSG 2.2.2.22)."""

from __future__ import annotations

from dataclasses import astuple

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

_COOKIE = b"PCDFEB09\0"
_PLAIN, _WITH_SEARCH_FOLDER = 0x00010001, 0x00020001


@dataclass(frozen=True, slots=True)
class ReportTag:
    """Entry ids of the original message, of where it is, and what else is known of it; b"" for nothing."""

    store: bytes = b""
    folder: bytes = b""
    message: bytes = b""
    search_folder: bytes = b""
    search_key: bytes = b""
    text: bytes = b""  # the subject, in a code page that nobody tells


def read(raw: bytes) -> ReportTag:
    """Raises BadSyntax: malformed."""
    reader = Reader(raw)
    if reader.take(len(_COOKIE)) != _COOKIE or reader.u32() not in (_PLAIN, _WITH_SEARCH_FOLDER):
        raise bad("not a report's tag")
    return ReportTag(*(reader.take(reader.u32()) for _ in range(6)))


def write(tag: ReportTag) -> bytes:
    writer = Writer()
    writer.put(_COOKIE)
    writer.u32(_WITH_SEARCH_FOLDER if tag.search_folder else _PLAIN)
    for part in astuple(tag):
        writer.u32(len(part))
        writer.put(part)
    return writer.done()
