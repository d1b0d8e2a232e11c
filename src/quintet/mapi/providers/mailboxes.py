"""What a system that keeps MIME messages in folders has to do to be a message store (`mailstore`).

Folders have paths with "/" between levels, whatever the system writes; a message has a key, a short text
that stays its name in its folder while it is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Can, Special
from quintet.values import dataclass

READ, ANSWERED, FLAGGED, DRAFT = "\\read", "\\answered", "\\flagged", "\\draft"
"""Marks of a message; any other word is a keyword of the user's."""

Marks = frozenset[str]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder."""

    path: str  # "Archive/2025"; "" is the root that all are in
    special: Special | None = None
    holds: bool = True  # messages; else it is only there for those below


@dataclass(frozen=True, slots=True)
class Head:
    """As much of a message as a listing needs."""

    raw: bytes  # the header with the blank line, or the whole message
    whole: bool  # `raw` is the whole message
    size: int  # bytes of the whole message
    received_ms: int
    attached: bool = False  # where not `whole`: it has attachments


class Mailboxes(ABC):
    """The folders of one account.  Called under one lock; what is not there is passed over."""

    can: Can = Can.NOTHING
    exact = True  # what is kept are the bytes that came

    @abstractmethod
    def places(self) -> list[Place]:
        """Every folder, parents before children, without the root; none twice."""

    @abstractmethod
    def keys(self, path: str) -> Sequence[str]:
        """Raises MapiError(NOT_FOUND)."""

    @abstractmethod
    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        """Of those that are there."""

    @abstractmethod
    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        """Of those that are there."""

    @abstractmethod
    def message(self, path: str, key: str) -> bytes | Data:
        """Whole, by reference where it is large.  Raises MapiError(NOT_FOUND)."""

    def count(self, path: str) -> int:
        """How many messages there are, or nearly."""
        return len(self.keys(path))

    def unread(self, path: str) -> int:
        return sum([READ not in one for one in self.marks(path, self.keys(path)).values()])

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        """Keeps a message, flushed; gives its key."""
        raise MapiError(Code.NOT_SUPPORTED)

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        raise MapiError(Code.NOT_SUPPORTED)

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        """Moves, or with ``keep`` copies; the keys in ``target``, "" for one that was not there."""
        raise MapiError(Code.NOT_SUPPORTED)

    def remove(self, path: str, keys: Collection[str]) -> int:
        """How many there were."""
        raise MapiError(Code.NOT_SUPPORTED)

    def make(self, path: str) -> None:
        """The parent is there and the folder is not."""
        raise MapiError(Code.NOT_SUPPORTED)

    def rename(self, path: str, new: str) -> None:
        """With all below it; ``new`` is not there."""
        raise MapiError(Code.NOT_SUPPORTED)

    def drop(self, path: str) -> None:
        """With all in it and below it."""
        raise MapiError(Code.NOT_SUPPORTED)

    def refresh(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Forgets what may be out of date."""

    def close(self) -> None:  # noqa: B027 (nothing is a right answer)
        """Lets go of connections and files."""


def with_parents(places: Iterable[Place]) -> list[Place]:
    """Every level of each path, parents first; a level that is no folder itself holds nothing."""
    found: dict[str, Place] = {}
    for place in places:
        levels = place.path.split("/")
        for depth in range(1, len(levels)):
            above = "/".join(levels[:depth])
            found.setdefault(above, Place(above, holds=False))
        found[place.path] = place
    return sorted(found.values(), key=lambda place: place.path.split("/"))


_BY_NAME = {
    Special.INBOX: ("INBOX",),
    Special.OUTBOX: ("Outbox",),
    Special.SENT: ("Sent", "Sent Items", "Sent Messages"),
    Special.DELETED: ("Trash", "Deleted Items", "Deleted Messages"),
    Special.DRAFTS: ("Drafts",),
    Special.JUNK: ("Junk", "Junk E-mail", "Spam"),
    Special.CALENDAR: ("Calendar",),
    Special.CONTACTS: ("Contacts",),
    Special.TASKS: ("Tasks",),
    Special.NOTES: ("Notes",),
    Special.JOURNAL: ("Journal",),
}
_SPECIAL = {name.casefold(): special for special, names in _BY_NAME.items() for name in names}


def special_of(path: str) -> Special | None:
    """What a folder is for where only its name tells."""
    return _SPECIAL.get(path.casefold())
