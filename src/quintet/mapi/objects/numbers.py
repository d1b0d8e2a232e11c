"""Numbers of objects and changes as clients see them (MS-OXCDATA 2.2).

An account is one replica: its GUID with the 48-bit number of a folder or an entry names that object for ever,
and with a value of its change counter names a change.  Within a logon the replica goes by the number 1.
"""

from __future__ import annotations

import functools
import struct
import uuid
from collections.abc import Iterable

from quintet.mapi import ids
from quintet.mapi.buffer import bad
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import Counter, ShortId

OWN_REPLICA = 1  # the account's own, in every logon


def on_wire(counter: Counter, replica: int = OWN_REPLICA) -> int:
    """FID, MID or CN as PtypInteger64: the replica's number, then the counter big-endian (2.2.1.1)."""
    return _WIRE.unpack(replica.to_bytes(2, "little") + counter.to_bytes(6, "big"))[0]  # type: ignore[no-any-return]  # "q" is an int


def from_wire(value: int) -> tuple[int, Counter]:
    """Replica and counter of a PtypInteger64."""
    raw = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
    return int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:], "big")


def short(number: int) -> ShortId:
    """A folder or message as operations name it; 0 is none."""
    return ShortId(OWN_REPLICA, number) if number else ShortId(0, 0)


def counter(one: ShortId) -> int:
    """The number of an object of this store.  Raises MapiError(NOT_FOUND): of another replica, or none."""
    if one.replica != OWN_REPLICA or not one.counter:
        raise MapiError(Code.NOT_FOUND)
    return one.counter


def key(replica: uuid.UUID, counter: Counter) -> bytes:
    """A GID: PidTagSourceKey of an object, PidTagChangeKey of a change; 22 bytes (2.2.1.3)."""
    return replica.bytes_le + counter.to_bytes(6, "big")


def of_key(raw: bytes) -> tuple[uuid.UUID, Counter]:
    """The inverse of `key`.  Raises BadSyntax: not 22 bytes."""
    if len(raw) != 22:
        raise bad("a key of another length")
    return uuid.UUID(bytes_le=raw[:16]), int.from_bytes(raw[16:], "big")


_WIRE = struct.Struct("<q")


def folder_entry(provider: uuid.UUID, replica: uuid.UUID, counter: Counter, *, public: bool) -> bytes:
    """PidTagEntryId of a folder (MS-OXCDATA 2.2.4.1)."""
    kind = ids.PUBLIC_FOLDER if public else ids.PRIVATE_FOLDER
    return ids.write(ids.FolderEntry(provider, kind, ids.LongId(replica, counter)))


def message_entry(
    provider: uuid.UUID, replica: uuid.UUID, folder: Counter, message: Counter, *, public: bool
) -> bytes:
    """PidTagEntryId of a message (MS-OXCDATA 2.2.4.2)."""
    return _message_head(provider, replica, folder, public) + message.to_bytes(6, "big") + b"\0\0"


@functools.lru_cache(maxsize=1024)
def _message_head(provider: uuid.UUID, replica: uuid.UUID, folder: Counter, public: bool) -> bytes:
    """All but the counter and its padding: a table of a folder writes it for each row."""
    kind = ids.PUBLIC_MESSAGE if public else ids.PRIVATE_MESSAGE
    whole = ids.write(ids.MessageEntry(provider, kind, ids.LongId(replica, folder), ids.LongId(replica, 0)))
    return whole[:-8]


def counters(values: Iterable[int]) -> list[Counter]:
    """The counters of some FIDs or MIDs of our own replica; others are left out."""
    pairs = [from_wire(value) for value in values]
    return [counter for replica, counter in pairs if replica == OWN_REPLICA]
