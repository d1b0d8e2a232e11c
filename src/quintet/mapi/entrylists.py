"""Lists of entry ids (MS-OXCDATA 2.3), as replies, tasks and search folders keep them.

An entry id is bytes here: what it says is the business of `ids`.
"""

from __future__ import annotations

from collections.abc import Sequence

from quintet.mapi.buffer import Reader, Writer, bad

MAX_ENTRIES = 10_000  # of a list; Exchange holds no longer ones in a property
_STEP = 4  # bytes that an entry of a FlatEntryList is padded to


def get_list(reader: Reader) -> list[bytes]:
    """An EntryList: all lengths, then all ids (2.3.1)."""
    number = _number(reader, 8)
    reader.u32()  # padding, of any value
    lengths = []
    for _ in range(number):
        lengths.append(reader.u32())
        reader.u32()
    return [reader.take(length) for length in lengths]


def put_list(writer: Writer, entries: Sequence[bytes]) -> None:
    writer.u32(len(entries))
    writer.u32(0)
    for entry in entries:
        writer.u32(len(entry))
        writer.u32(0)
    for entry in entries:
        writer.put(entry)


def get_flat(reader: Reader) -> bytes:
    """A FlatEntry (2.3.2)."""
    return reader.take(reader.u32())


def put_flat(writer: Writer, entry: bytes) -> None:
    writer.u32(len(entry))
    writer.put(entry)


def read_flat_list(raw: bytes) -> list[bytes]:
    """A FlatEntryList, the value of PidTagReplyRecipientEntries (2.3.3).

    Raises BadSyntax: malformed, or more than `MAX_ENTRIES`.
    """
    reader = Reader(raw)
    number, size = reader.u32(), reader.u32()
    inner = Reader(reader.take(size))
    found = []
    for _ in range(_counted(inner, number, 4)):
        found.append(get_flat(inner))
        # the last one goes without, in what some clients write
        inner.take(min(-len(found[-1]) % _STEP, len(inner)))
    return found


def write_flat_list(entries: Sequence[bytes]) -> bytes:
    inner = Writer()
    for entry in entries:
        put_flat(inner, entry)
        inner.put(bytes(-len(entry) % _STEP))
    body = inner.done()
    writer = Writer()
    writer.u32(len(entries))
    writer.u32(len(body))
    writer.put(body)
    return writer.done()


def _number(reader: Reader, least: int) -> int:
    return _counted(reader, reader.u32(), least)


def _counted(reader: Reader, number: int, least: int) -> int:
    if number > MAX_ENTRIES:
        raise bad("too many entry ids")
    return reader.counted(number, least)
