"""MESSAGELIMIT: a command that means too many messages does a part of them, and says so (RFC 9738 3.1).

Only where the configuration sets a hard limit; what clients are told (`capabilities`) may be lower, because
those that do not know of it would miss messages (RFC 9738 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.errors import Reason
from quintet.imap import answers, sets

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session

Ranges = list[tuple[int, int]]


def most(session: Session) -> int:
    """Messages that one command may be about; 0: any number."""
    return session.house.config.message_limit_hard


def saved(session: Session) -> int:
    """Messages that one COPY or APPEND may bring."""
    return min(session.house.config.save_limit, most(session) or sets.MAX_NUMBER)


def cut(session: Session, here: Selected, ranges: Ranges) -> tuple[Ranges, bytes]:
    """Of the messages in UID ``ranges`` the highest ones that may be, and the code that says so; b"" for all.

    Deviates: RFC 9738 3.1 has them done from the highest to the lowest; we do the highest in ascending order.
    """
    limit = most(session)
    if not limit or here.view.count(ranges) <= limit:
        return ranges, b""
    ranges = here.view.cut(sets.join(ranges), -1, -limit)
    return ranges, code(limit, ranges[0][0])


def code(limit: int, lowest: int) -> bytes:
    return b"MESSAGELIMIT %d %d" % (limit, lowest)


def check(session: Session, here: Selected, ranges: Ranges) -> None:
    """For what PARTIAL asks: nothing is done.  Raises Coded."""
    limit = most(session)
    if limit and here.view.count(ranges) > limit:
        raise answers.Coded(b"MESSAGELIMIT %d" % limit, Reason.TOO_MANY, "too many messages at once")


def done(tag: bytes, told: bytes, short: bytes, said: bytes = b"Done") -> bytes:
    """The tagged OK with its code ``told`` (``[X] `` or b""); MESSAGELIMIT stands back for another one."""
    if told or not short:
        return b"%b%b OK %b%b\r\n" % (untagged(short), tag, told, said)
    return b"%b OK [%b] Not all messages\r\n" % (tag, short)


def untagged(short: bytes) -> bytes:
    """RFC 9738 3.1: where the tagged answer has another code."""
    return b"* NO [%b] Not all messages\r\n" % short if short else b""
