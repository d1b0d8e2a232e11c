"""IECServiceAdmin, as far as it only looks: people and groups of the address book.

Users, quotas, stores and companies are administered by the command line; a program that tries hears
MAPI_E_NO_SUPPORT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quintet.mapi import consts, pr
from quintet.mapi.compat import book, own
from quintet.mapi.core.addrbook import IABContainer
from quintet.mapi.core.errors import fail
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import SRestriction

PEOPLE, GROUPS = "people", "groups"


class IECServiceAdmin:
    """What a store gives for IID_IECServiceAdmin."""

    def __init__(self, store: IMsgStore) -> None:
        self._store = store

    def QueryInterface(self, iid: bytes | None) -> Any:
        """What the store gives for it."""
        return self._store.QueryInterface(iid)

    # --- people

    def GetUserList(self, company: bytes | None = None, flags: int = 0) -> list[own.ECUSER]:
        return [self._user(row, flags) for row in self._rows(book.PEOPLE)]

    def GetUser(self, entry: bytes, flags: int = 0) -> own.ECUSER:
        """Raises MAPIErrorNotFound."""
        return self._user(self._load(entry, consts.MAPI_MAILUSER), flags)

    def ResolveUserName(self, name: str | bytes, flags: int = 0) -> bytes:
        """The entry id.  Raises MAPIErrorNotFound."""
        return self._named(book.PEOPLE, name)

    # --- groups

    def GetGroupList(self, company: bytes | None = None, flags: int = 0) -> list[own.ECGROUP]:
        return [self._group(row, flags) for row in self._rows(book.GROUPS)]

    def GetGroup(self, entry: bytes, flags: int = 0) -> own.ECGROUP:
        """Raises MAPIErrorNotFound."""
        return self._group(self._load(entry, consts.MAPI_DISTLIST), flags)

    def ResolveGroupName(self, name: str | bytes, flags: int = 0) -> bytes:
        """The entry id.  Raises MAPIErrorNotFound."""
        return self._named(book.GROUPS, name)

    def GetUserListOfGroup(self, entry: bytes, flags: int = 0) -> list[own.ECUSER]:
        """Its members that are people."""
        books = self._book()
        found = [books.load(one) for one in books.source_of(entry).members(entry)]
        return [self._user(bag, flags) for bag in found if bag.get(pr.OBJECT_TYPE) == consts.MAPI_MAILUSER]

    def GetGroupListOfUser(self, entry: bytes, flags: int = 0) -> list[own.ECGROUP]:
        source = self._book().source_of
        return [
            self._group(row, flags)
            for row in self._rows(book.GROUPS)
            if entry in source(row[pr.ENTRYID]).members(row[pr.ENTRYID])
        ]

    def GetCompanyList(self, flags: int = 0) -> list[own.ECCOMPANY]:
        """There are none."""
        return []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The methods that administer: raise MAPIErrorNoSupport."""
        if not name[:1].isupper():
            raise AttributeError(name)

        def refuse(*args: object, **keywords: object) -> None:
            raise fail("MAPI_E_NO_SUPPORT", f"{name}: users and stores are administered by the command line")

        return refuse

    # ---

    def _book(self) -> Any:
        assert self._store.session is not None
        return self._store.session.OpenAddressBook(0, None, 0)

    def _rows(self, kind: SRestriction) -> list[dict[int, Any]]:
        return book.rows(self._container(), _TAGS, kind)

    def _container(self) -> IABContainer:
        assert self._store.session is not None
        return book.GetGab(self._store.session)

    def _load(self, entry: bytes, kind: int) -> dict[int, Any]:
        bag: dict[int, Any] = self._book().load(entry)
        if bag.get(pr.OBJECT_TYPE) != kind:
            raise fail("MAPI_E_NOT_FOUND")
        return bag

    def _named(self, kind: SRestriction, name: str | bytes) -> bytes:
        text = name.decode("utf-8") if isinstance(name, bytes) else name
        for row in self._rows(kind):
            if text.casefold() in {str(row.get(tag) or "").casefold() for tag in _NAMES}:
                entry: bytes = row[pr.ENTRYID]
                return entry
        raise fail("MAPI_E_NOT_FOUND", f"nobody is called {text}")

    def _user(self, bag: dict[int, Any], flags: int) -> own.ECUSER:
        address, name, entry = (
            _shown(bag, tag, flags) for tag in (pr.SMTP_ADDRESS, pr.DISPLAY_NAME, pr.ENTRYID)
        )
        return own.ECUSER(address, None, address, name, UserID=entry)  # type: ignore[arg-type]

    def _group(self, bag: dict[int, Any], flags: int) -> own.ECGROUP:
        address, name, entry = (
            _shown(bag, tag, flags) for tag in (pr.SMTP_ADDRESS, pr.DISPLAY_NAME, pr.ENTRYID)
        )
        return own.ECGROUP(name, name, address, GroupID=entry)


_NAMES = (pr.SMTP_ADDRESS, pr.EMAIL_ADDRESS, pr.ACCOUNT, pr.DISPLAY_NAME)
_TAGS = (pr.ENTRYID, pr.OBJECT_TYPE, *_NAMES)


def _shown(bag: dict[int, Any], tag: int, flags: int) -> Any:
    value = bag.get(tag)
    if value is None and tag == pr.SMTP_ADDRESS:
        value = bag.get(pr.EMAIL_ADDRESS)
    return value.encode("utf-8") if isinstance(value, str) and not flags & consts.MAPI_UNICODE else value
