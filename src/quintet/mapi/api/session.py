"""Sessions: where a program begins.

with quintet.mapi.open("work") as session: ...                     # a profile
with quintet.mapi.connect("IMAP", host=..., user=...) as session:  # one service, without a profile
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from quintet.mapi import consts
from quintet.mapi.api.contacts import Contact, Group
from quintet.mapi.api.people import Person, people
from quintet.mapi.api.store import Store
from quintet.mapi.api.whom import Given
from quintet.mapi.core import session as core
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.profile import Profile, Used
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook, Special

C = TypeVar("C", Contact, Group)


class Session:
    """Services at work: stores, address books and ways to send.  ``session.mapi`` is the IMAPISession."""

    def __init__(self, mapi: core.IMAPISession) -> None:
        self.mapi = mapi
        self._stores: list[Store] | None = None

    @property
    def stores(self) -> list[Store]:
        """The default one first."""
        if self._stores is None:
            self._stores = [Store(self, source) for _, source in self.mapi.sources()]
        return list(self._stores)

    @property
    def store(self) -> Store:
        """The default store.  Raises MapiError(NOT_FOUND): the services have none."""
        if not self.stores:
            raise MapiError(Code.NOT_FOUND, "no service of this session has a message store")
        return self.stores[0]

    def mailbox(self, whom: Person | str) -> Store:
        """Somebody's mailbox: one's own, or another's as far as it is shared with us.

        Raises MapiError(NOT_SUPPORTED): the system has no mailboxes of others; NOT_FOUND, LOGON_FAILED,
        ACCESS_DENIED.
        """
        (person,) = self.people(whom)
        if person == self.me:
            return self.store
        with self.errors():
            entry = self.mapi.mailbox_entry(self.store.source, person.address)
            return Store(self, self.mapi.OpenMsgStore(0, entry, None, consts.MDB_WRITE).source)

    @property
    def me(self) -> Person:
        """Whose session it is."""
        return Person.read(self.mapi.identity())

    # --- people

    @property
    def books(self) -> list[AddressBook]:
        return [one.book for one in self.mapi._services.values() if one.book is not None]

    def find(self, text: str) -> list[Person]:
        """Whom a name, the beginning of one, or an address may mean, in all address books.

        Lists without an address are not told: nothing can be sent to them, only to their members (`people`).
        """
        found: dict[Person, None] = {}
        for book in self.books:
            for entry in book.resolve(text):
                found.setdefault(Person.read(book.load(entry)))
        return [one for one in found if one.address]

    def resolve(self, text: str) -> Person:
        """The one person that a text means: an address, somebody in an address book, an own contact.

        Raises MapiError(NOT_FOUND): nobody; MapiError(AMBIGUOUS_RECIPIENT): several, whose names are told.
        """
        written = Person.parse(text)
        return self._only(text, [written] if written is not None else self._named(text))

    def people(self, given: Given) -> list[Person]:
        """Everybody who is meant (`people.people`); the own groups stand for their members.

        Raises as `resolve`.
        """
        return people(given, self._meant)

    def _meant(self, text: str) -> list[Person]:
        """Whom a name means, or the members of the own group of that name."""
        found = self._named(text)
        members = [] if found else [one for group in self._own(text, Group) for one in group.people()]
        return members or [self._only(text, found)]

    def _named(self, text: str) -> list[Person]:
        return self.find(text) or [one for each in self._own(text, Contact) for one in each.people()]

    def _own(self, text: str, kind: type[C]) -> list[C]:
        """Own contacts or groups of a name; the address books know the others."""
        contacts = self.store.special(Special.CONTACTS) if self.stores else None
        if contacts is None:
            return []
        return list(self.store.folder_of(contacts).items(kind, where=kind.name.matches(text)))

    def _only(self, text: str, found: list[Person]) -> Person:
        if not found:
            raise MapiError(Code.NOT_FOUND, f"nobody is called {text!r}")
        if len(found) > 1:
            some = ", ".join(map(str, found[:5]))
            raise MapiError(Code.AMBIGUOUS_RECIPIENT, f"{text!r} may be {some}")
        return found[0]

    # --- the rest

    def __repr__(self) -> str:
        return f"<Session of {self.me.address or 'nobody'}>"

    def flush(self) -> int:
        """Tries again to send what waits in the outbox; how many left."""
        with self.errors():
            return self.mapi.FlushQueues()

    def close(self) -> None:
        self.mapi.Logoff()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of Extended MAPI as those of this layer."""
        try:
            yield
        except MAPIError as error:
            raise told(error) from error


def told(error: MAPIError) -> MapiError:
    """What Extended MAPI raised, as this layer raises it."""
    try:
        return MapiError(Code(error.hr & 0xFFFFFFFF), error.text)
    except ValueError:
        return MapiError(Code.GENERAL_FAILURE, str(error))


def open_profile(
    name: str | None = None, *, password: str | None = None, path: Path | None = None
) -> Session:
    """Opens a profile, or the default one (`quintet mapi profile`).

    Raises MapiError(LOGON_FAILED, NETWORK_ERROR, ...).
    """
    try:
        return Session(core.MAPILogonEx(0, name, password, consts.MAPI_NEW_SESSION, path=path))
    except MAPIError as error:
        raise told(error) from error


def connect(service: str, **settings: str | int | bool | Path) -> Session:
    """Opens one service with its settings, without a profile: ``connect("MAILDIR", path="~/Maildir")``.

    True and False are "yes" and "no".

    Raises MapiError(NOT_FOUND): no such service; INVALID_PARAMETER, LOGON_FAILED, NETWORK_ERROR.
    """
    offer = registry.get(service)
    words = {True: "yes", False: "no"}
    texts = {name: words[one] if isinstance(one, bool) else str(one) for name, one in settings.items()}
    profile = Profile(
        services=[Used(uid=uuid.uuid4().bytes, service=offer.name, title=offer.title, settings=texts)]
    )
    try:
        return Session(core.opened(profile))
    except MAPIError as error:
        raise told(error) from error
