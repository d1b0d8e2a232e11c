"""Predecessor change lists: the newest change of each replica that a version has in it (MS-OXCFXICS 2.2.2.3).

Pure.  A version has seen another if its list includes that one's; two that have not seen each other are in
conflict (3.1.5.6.2.1).
"""

from __future__ import annotations

import uuid

from quintet.mapi.buffer import Reader, Writer, bad

MAX_CHANGES = 1000  # replicas in a list; a mailbox meets some tens of clients in its life

Changes = dict[uuid.UUID, bytes]
"""The newest change of each replica that an object has in it: the local part of an XID, 1 to 8 bytes."""


def read(raw: bytes) -> Changes:
    """A PredecessorChangeList: sized XIDs one after the other (MS-OXCFXICS 2.2.2.3).

    Raises BadSyntax: malformed, or longer than `MAX_CHANGES`.
    """
    reader = Reader(raw)
    found: Changes = {}
    while len(reader):
        size = reader.u8()
        if not 17 <= size <= 24 or len(found) >= MAX_CHANGES:
            raise bad("a change of no possible size, or too many of them")
        replica = uuid.UUID(bytes_le=reader.take(16))
        found = joined(found, {replica: reader.take(size - 16)})
    return found


def write(changes: Changes) -> bytes:
    """The same as bytes, in the order of the replicas' GUIDs as that section asks."""
    writer = Writer()
    for replica in sorted(changes, key=lambda one: one.bytes_le):
        local = changes[replica]
        writer.u8(16 + len(local))
        writer.put(replica.bytes_le + local)
    return writer.done()


def joined(one: Changes, other: Changes) -> Changes:
    """The newest of both."""
    found = dict(one)
    for replica, local in other.items():
        if replica not in found or _age(local) > _age(found[replica]):
            found[replica] = local
    return found


def includes(one: Changes, other: Changes) -> bool:
    """Whether whoever has ``one`` has seen all of ``other`` (MS-OXCFXICS 3.1.5.6.2.1)."""
    return all(_age(one.get(replica, b"")) >= _age(local) for replica, local in other.items())


def _age(local: bytes) -> int:
    return int.from_bytes(local, "big")


def change(replica: uuid.UUID, counter: int) -> Changes:
    """A single change of ours."""
    return {replica: counter.to_bytes(6, "big")}
