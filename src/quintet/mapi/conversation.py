"""Threads of messages: the conversation index and what is derived of it (MS-OXOMSG 2.2.1.2, 2.2.1.3).

An index is a head of 22 bytes, when the thread began and its GUID, and five bytes for each answer.  Its head
exists in two forms, which differ in how much of the time they keep; the newer one is written.
"""

from __future__ import annotations

import hashlib
import uuid

from quintet.mapi.buffer import bad
from quintet.values import dataclass

HEAD = 22  # bytes
LEVEL = 5  # bytes of an answer
MAX_LEVELS = 1000  # of a thread that we read; beyond MAX_DEPTH an answer begins at the head again
MAX_DEPTH = 200  # answers to answers that we write
_RESERVED = 0x01
_CODE = 1 << 31


@dataclass(frozen=True, slots=True)
class Index:
    """``time``: a FILETIME, its low 24 or 16 bits lost.  ``levels``: delays in 100 ns, and random bytes."""

    time: int
    guid: uuid.UUID
    levels: tuple[tuple[int, int], ...] = ()


def begin(time: int, guid: uuid.UUID) -> bytes:
    """The index of the first message of a thread; ``time`` is a FILETIME."""
    # the time is cut to 40 bits, so it is told in steps of 1.7 s
    return bytes((_RESERVED,)) + (time >> 24 & (1 << 40) - 1).to_bytes(5, "big") + guid.bytes


def answer(index: bytes, time: int, chance: int) -> bytes:
    """The index of an answer to, or a forward of, a message with ``index``; ``chance`` is a random byte.

    An index that is none begins no thread here: it gets its answer behind whatever its head is.
    Raises BadSyntax: shorter than a head.
    """
    if len(index) < HEAD:
        raise bad("a conversation index without a head")
    whole = index[: HEAD + (len(index) - HEAD) // LEVEL * LEVEL]
    if len(whole) >= HEAD + MAX_DEPTH * LEVEL:
        whole = whole[:HEAD]
    delay = max(time - _time(index), 0)
    # below 1.7 years the lowest 18 bits are left out, above it the lowest 23
    late = delay >> 32 & 0x00FE0000
    level = (_CODE | delay >> 23 & _CODE - 1) if late else delay >> 18 & _CODE - 1
    return whole + level.to_bytes(4, "big") + bytes((chance & 0xFF,))


def read(raw: bytes) -> Index:
    """Raises BadSyntax: no index, or of more than `MAX_LEVELS` answers."""
    if len(raw) < HEAD or raw[0] != _RESERVED or (len(raw) - HEAD) % LEVEL:
        raise bad("not a conversation index")
    if len(raw) > HEAD + MAX_LEVELS * LEVEL:
        raise bad("a conversation index that is too long")
    levels = []
    for at in range(HEAD, len(raw), LEVEL):
        level = int.from_bytes(raw[at : at + 4], "big")
        delay = (level & _CODE - 1) << 23 if level & _CODE else level << 18
        levels.append((delay, raw[at + 4]))
    return Index(_time(raw), uuid.UUID(bytes=raw[6:HEAD]), tuple(levels))


def _time(raw: bytes) -> int:
    """The newer form has the time's first byte, which is 1 until 2057, behind the reserved one."""
    if raw[1] == _RESERVED:
        return int.from_bytes(raw[1:6], "big") << 24
    return int.from_bytes(raw[:6], "big") << 16


def parent(index: bytes) -> bytes:
    """The index of the message that this one answers; of the first one, b""."""
    return index[:-LEVEL] if len(index) >= HEAD + LEVEL else b""


def identity(index: bytes, topic: str, *, tracked: bool) -> bytes:
    """PidTagConversationId, 16 bytes: the index's GUID where it is ``tracked``, else made of the topic."""
    if tracked and len(index) >= HEAD and index[0] == _RESERVED:
        return index[6:HEAD]
    text = topic.upper().encode("utf-16-le", "surrogatepass")
    return hashlib.md5(text, usedforsecurity=False).digest()
