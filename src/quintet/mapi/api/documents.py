"""Documents in folders: with versions, and checked out by one person at a time.

Each version is an attachment of the item with its number, author, time and comment as properties, so it goes
wherever the item goes.  Of two who check out at once one fails: the store sees that somebody saved meanwhile.
"""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path

from quintet.mapi import pr, types
from quintet.mapi.api import fields
from quintet.mapi.api.fields import Field, Text
from quintet.mapi.api.item import Item
from quintet.mapi.api.parts import Attachment
from quintet.mapi.bag import NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.guids import PS_PUBLIC_STRINGS
from quintet.values import dataclass

# of each version's attachment
SET = uuid.UUID("5b1f0c4e-0a3e-4d0b-9c5b-2f6d1f0d7c11")
NUMBER = NamedTag(SET, "VersionNumber", types.INTEGER32)
AUTHOR = NamedTag(SET, "VersionAuthor", types.STRING)
COMMENT = NamedTag(SET, "VersionComment", types.STRING)
TIME = NamedTag(SET, "VersionTime", types.TIME)
# of the document
LATEST = NamedTag(SET, "LatestVersion", types.INTEGER32)
HOLDER = NamedTag(SET, "CheckedOutBy", types.STRING)
HELD_SINCE = NamedTag(SET, "CheckedOutAt", types.TIME)
TITLE = NamedTag(PS_PUBLIC_STRINGS, "Title", types.STRING)  # MS-OXODOC 2.2.1.1


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a document."""

    number: int  # from 1
    author: str
    at: datetime.datetime
    comment: str
    part: Attachment

    @property
    def data(self) -> bytes:
        return self.part.data


class Document(Item):
    """A file in a folder.  ``folder.create(Document, name="plan.txt", content=b"...")`` makes version 1."""

    __slots__ = ()

    message_class = "IPM.Document"
    late = ("content",)

    title = Text(TITLE)
    checked_out_by = Text(HOLDER, fixed=True, doc="an address; None: nobody has it")
    checked_out_at = fields.Moment(HELD_SINCE, fixed=True)
    latest = Field[int](LATEST, fixed=True, doc="the number of the newest version")

    @property
    def name(self) -> str:
        """The file's name."""
        return self.subject or ""

    @name.setter
    def name(self, name: str) -> None:
        self.subject = name
        if self.title is None:
            self.title = Path(name).stem

    @property
    def content(self) -> bytes:
        """Of the newest version.  Raises MapiError(NOT_FOUND): there is none."""
        versions = self.versions
        if not versions:
            raise MapiError(Code.NOT_FOUND, "the document has no content")
        return versions[-1].data

    @content.setter
    def content(self, data: bytes) -> None:
        """A new version, of a document that nobody else has checked out."""
        self.add_version(data)

    @property
    def versions(self) -> list[Version]:
        """The oldest first."""
        found = []
        for part in self.attachments:
            bag = part.props
            if NUMBER in bag:
                at = fields.moment(bag.get(TIME) or 0)
                found.append(Version(bag[NUMBER], bag.get(AUTHOR) or "", at, bag.get(COMMENT) or "", part))
        return sorted(found, key=lambda one: one.number)

    def add_version(self, data: bytes | Path, comment: str = "") -> Version:
        """Another content, kept by `save`.  Raises MapiError(ACCESS_DENIED): somebody else has it."""
        self._must_be_ours()
        me = self.store.session.me
        number = (self.latest or 0) + 1
        part = self.attachments.add(data, self.name or "document")
        at = datetime.datetime.now(datetime.UTC)
        part.props.update({
            NUMBER: number,
            AUTHOR: str(me.address or me.name),
            COMMENT: comment,
            TIME: fields.filetime(at),
            pr.DISPLAY_NAME: self.name,
        })  # fmt: skip
        self.take({LATEST: number})
        return Version(number, me.address, at, comment, part)

    def restore(self, number: int, comment: str = "") -> Version:
        """Makes an old version the newest one, as a new version.  Raises MapiError(NOT_FOUND)."""
        for one in self.versions:
            if one.number == number:
                return self.add_version(one.data, comment or f"version {number} again")
        raise MapiError(Code.NOT_FOUND, f"no version {number}")

    # --- one at a time

    def _must_be_ours(self) -> None:
        holder = self.checked_out_by
        if holder and holder != self.store.session.me.address:
            raise MapiError(Code.ACCESS_DENIED, f"{holder} has checked it out")

    def check_out(self) -> bytes:
        """Nobody else changes it until `check_in`; gives the content.

        Raises MapiError(ACCESS_DENIED): somebody has it; OBJECT_CHANGED: somebody was quicker.
        """
        self.refresh()
        self._must_be_ours()
        now = fields.filetime(datetime.datetime.now(datetime.UTC))
        self.take({HOLDER: self.store.session.me.address, HELD_SINCE: now})
        self.mapi._changed = True  # so that the store compares: two cannot both have it
        self.save()
        return self.content

    def check_in(self, data: bytes | Path, comment: str = "") -> Version:
        """A new version, and everybody may change it again."""
        if not self.checked_out_by:
            raise MapiError(Code.ACCESS_DENIED, "it is not checked out")
        version = self.add_version(data, comment)
        self.take({}, (HOLDER, HELD_SINCE))
        self.save()
        return version

    def undo_check_out(self) -> None:
        """As if nothing had been."""
        self._must_be_ours()
        self.take({}, (HOLDER, HELD_SINCE))
        self.save()
