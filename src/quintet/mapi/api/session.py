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

from quintet.mapi import consts
from quintet.mapi.api.people import Person, people
from quintet.mapi.api.store import Store
from quintet.mapi.core import session as core
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.profile import Profile, Used
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook


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

    @property
    def me(self) -> Person:
        """Whose session it is."""
        return Person.read(self.mapi.identity())

    # --- people

    @property
    def books(self) -> list[AddressBook]:
        return [one.book for one in self.mapi._services.values() if one.book is not None]

    def find(self, text: str) -> list[Person]:
        """Whom a name, the beginning of one, or an address may mean, in all address books."""
        found: dict[Person, None] = {}
        for book in self.books:
            for entry in book.resolve(text):
                found.setdefault(Person.read(book.load(entry)))
        return list(found)

    def resolve(self, text: str) -> Person:
        """The one person that a text means.

        Raises MapiError(NOT_FOUND): nobody; MapiError(AMBIGUOUS_RECIPIENT): several, whose names are told.
        """
        written = Person.parse(text)
        if written is not None:
            return written
        found = self.find(text)
        if not found:
            raise MapiError(Code.NOT_FOUND, f"nobody is called {text!r}")
        if len(found) > 1:
            some = ", ".join(map(str, found[:5]))
            raise MapiError(Code.AMBIGUOUS_RECIPIENT, f"{text!r} may be {some}")
        return found[0]

    def people(self, given: Person | str | list[Person | str]) -> list[Person]:
        """See `people.people`."""
        return people(given, self.resolve)

    # --- the rest

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


def connect(service: str, **settings: str) -> Session:
    """Opens one service with its settings, without a profile: ``connect("MAILDIR", path="~/Maildir")``.

    Raises MapiError(NOT_FOUND): no such service; INVALID_PARAMETER, LOGON_FAILED, NETWORK_ERROR.
    """
    offer = registry.get(service)
    profile = Profile(
        services=[Used(uid=uuid.uuid4().bytes, service=offer.name, title=offer.title, settings=settings)]
    )
    try:
        return Session(core.opened(profile))
    except MAPIError as error:
        raise told(error) from error
