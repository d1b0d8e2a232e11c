"""The commands that search and then do more: SORT, THREAD, ESEARCH, CANCELUPDATE, as values.

SEARCH and all keys are in `commands`.
"""

from __future__ import annotations

from quintet.imap.commands import Command, Key, Searching
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Criterion:
    """One key of SORT (RFC 5256 3, RFC 5957, RFC 6203 6)."""

    name: bytes  # ARRIVAL CC DATE FROM SIZE SUBJECT TO DISPLAYFROM DISPLAYTO RELEVANCY MODSEQ UID ANNOTATION
    reverse: bool = False
    entry: str = ""  # of ANNOTATION (RFC 5257 4.9)
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Sort(Searching):
    """SORT and UID SORT (RFC 5256 3), with RETURN of RFC 5267 3."""

    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread(Command):
    """THREAD and UID THREAD (RFC 5256 3)."""

    uid: bool
    algorithm: bytes  # ORDEREDSUBJECT REFERENCES REFS
    key: Key
    charset: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Where ESEARCH looks (RFC 7377 2.2, RFC 5465 6)."""

    kind: bytes  # SELECTED INBOXES PERSONAL SUBSCRIBED SUBTREE SUBTREE-ONE MAILBOXES
    names: tuple[bytes, ...] = ()  # as written; of the last three


@dataclass(frozen=True, slots=True)
class MultiSearch(Searching):
    """ESEARCH (RFC 7377 2); without ``sources`` in the selected mailbox."""

    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelUpdate(Command):
    """RFC 5267 4.3.5."""

    tags: tuple[bytes, ...]
