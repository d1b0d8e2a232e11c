"""libfreebusy: when people are not free.

What is taken stands in their calendars, so nothing is published apart from them: a program reads, and what
would publish has nothing to do or is refused.
"""

from __future__ import annotations

import datetime
from typing import Any

from quintet.mapi.api.people import Person
from quintet.mapi.api.planning import calendars_of, free_busy
from quintet.mapi.api.session import Session
from quintet.mapi.compat.own import FreeBusyBlock
from quintet.mapi.core.errors import fail
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.values import FileTime

fbFree, fbTentative, fbBusy, fbOutOfOffice = range(4)
MINUTE = 600_000_000  # of a FILETIME
BEFORE, AFTER = datetime.timedelta(days=31), datetime.timedelta(days=366)  # of now: a series may have no end


def _minutes(time: datetime.datetime) -> int:
    """Since 1601, as published free/busy times are told."""
    return int((time - datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)).total_seconds() // 60)


class IEnumFBBlock:
    """Blocks, one after the other."""

    def __init__(self, blocks: list[FreeBusyBlock]) -> None:
        self._blocks, self._at = blocks, 0

    def Next(self, count: int) -> list[FreeBusyBlock]:
        """Up to ``count`` more; none at the end."""
        found = self._blocks[self._at : self._at + count]
        self._at += len(found)
        return found

    def Skip(self, count: int) -> None:
        self._at = min(self._at + count, len(self._blocks))

    def Reset(self) -> None:
        self._at = 0

    def Clone(self) -> IEnumFBBlock:
        """Another one, at the same place."""
        twin = IEnumFBBlock(self._blocks)
        twin._at = self._at
        return twin

    def Restrict(self, start: FileTime, end: FileTime) -> None:
        """Only what is in that time, from its beginning."""
        first, last = start.filetime // MINUTE, end.filetime // MINUTE
        self._blocks, self._at = [one for one in self._blocks if one.start < last and one.end > first], 0


class IFreeBusyData:
    """What of one person's calendar is taken."""

    def __init__(self, calendar: Any) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self._range = now - BEFORE, now + AFTER
        self._calendar = calendar

    def GetFBPublishRange(self) -> tuple[int, int]:
        """Minutes since 1601: what EnumBlocks can tell."""
        return _minutes(self._range[0]), _minutes(self._range[1])

    def EnumBlocks(self, start: FileTime, end: FileTime) -> IEnumFBBlock:
        """The times that are not free, in order."""
        blocks = [
            FreeBusyBlock(_minutes(one.start), _minutes(one.end), min(int(one.busy), fbOutOfOffice))
            for one in free_busy(self._calendar, *self._range)
        ]
        found = IEnumFBBlock(blocks)
        found.Restrict(start, end)
        return found

    def Reload(self, *rest: object) -> None:
        """EnumBlocks always looks anew."""


class IFreeBusyUpdate:
    """There is nothing to publish: see the module."""

    def PublishFreeBusy(self, blocks: list[FreeBusyBlock]) -> None:
        """Raises MAPIErrorNoSupport."""
        raise fail("MAPI_E_NO_SUPPORT", "what is taken stands in the calendar: make an appointment")

    def ResetPublishedFreeBusy(self) -> None:
        """Raises MAPIErrorNoSupport."""
        raise fail("MAPI_E_NO_SUPPORT", "what is taken stands in the calendar")

    def SaveChanges(self, start: FileTime, end: FileTime) -> None:
        """Nothing was changed."""


class IFreeBusySupport:
    """Open, then LoadFreeBusyData."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def Open(self, session: IMAPISession, store: object, is_store: bool) -> None:
        self._session = Session(session)

    def Close(self) -> None:
        self._session = None

    def _opened(self) -> Session:
        if self._session is None:
            raise fail("MAPI_E_NOT_INITIALIZED", "Open was not called")
        return self._session

    def _calendar(self, entry: bytes) -> Any:
        session = self._opened()
        person = Person.read(session.mapi.OpenAddressBook().load(entry))
        return calendars_of(session, person).get(person)

    def LoadFreeBusyData(self, users: list[bytes], data: object = None) -> tuple[IFreeBusyData, int] | int:
        """Of the first of these people, by their entry ids, and 1; only 0: no calendar that we may read."""
        for entry in users[:1]:
            calendar = self._calendar(entry)
            if calendar is not None:
                return IFreeBusyData(calendar), 1
        return 0

    def LoadFreeBusyUpdate(self, users: list[bytes], data: object = None) -> tuple[IFreeBusyUpdate, int]:
        self._opened()
        return IFreeBusyUpdate(), 1


def HrPublishDefaultCalendar(session: object, store: object, start: int, months: int) -> None:
    """Nothing to do: others read the calendar itself."""


def libfreebusy() -> dict[str, Any]:
    """What the module of that name exports."""
    kinds = (IFreeBusySupport, IFreeBusyData, IFreeBusyUpdate, IEnumFBBlock, HrPublishDefaultCalendar)
    return {each.__name__: each for each in kinds} | {
        "fbFree": fbFree, "fbTentative": fbTentative, "fbBusy": fbBusy, "fbOutOfOffice": fbOutOfOffice,
    }  # fmt: skip
