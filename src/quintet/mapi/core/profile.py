"""Profiles: which message services a person uses, and how (IProfAdmin, IMsgServiceAdmin, IProviderAdmin).

They are kept in one file, readable by its owner only, replaced as a whole.  A profile is an ordered list of
services; the first with a store is the default one unless another was chosen.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from quintet.mapi.bag import Bag
from quintet.mapi.core.errors import fail
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Service
from quintet.mapi.types import BINARY, BOOLEAN, MULTIPLE, STRING, Value

MAX_NAME = 64  # characters of a profile's name (cchProfileNameMax)
ENVIRONMENT = "QUINTET_MAPI_PROFILES"  # names another file


class Used(msgspec.Struct):
    """A service as a profile has it."""

    uid: bytes
    service: str
    title: str
    settings: dict[str, str] = {}
    sections: dict[str, dict[str, str]] = {}  # IProfSect: by uid, then tag, both in hexadecimal: see `packed`

    @property
    def offer(self) -> Service:
        return registry.get(self.service)


class Profile(msgspec.Struct):
    services: list[Used] = []
    store: bytes = b""  # uid of the service whose store is the default one; empty: the first
    identity: bytes = b""  # uid of the service that says who the person is; empty: as `store`


class Book(msgspec.Struct):
    """All that the file holds."""

    profiles: dict[str, Profile] = {}
    default: str = ""


def default_path() -> Path:
    """The file that is used unless a program says another."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "quintet" / "mapi-profiles.json"


class Profiles:
    """The file; each change is read, made and written while no other thread or process changes it."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self._lock = threading.Lock()

    def read(self) -> Book:
        """Raises MAPIErrorCorruptData: somebody damaged the file."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Book)
        except FileNotFoundError:
            return Book()
        except (msgspec.DecodeError, RecursionError) as error:
            raise fail("MAPI_E_CORRUPT_DATA", f"{self.path}: {error}") from error

    @contextmanager
    def change(self) -> Iterator[Book]:
        """The book, kept when the block ends without an error.  A block in a block would wait for ever."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # not the file itself: that is replaced, and a lock stays with what it was
        with self._lock, self.path.with_name(self.path.name + ".lock").open("ab") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX)
            book = self.read()
            yield book
            self._write(book)

    def _write(self, book: Book) -> None:
        if not book.profiles and not self.path.exists():
            return
        raw = msgspec.json.format(msgspec.json.encode(book), indent=2)
        number, name = tempfile.mkstemp(dir=self.path.parent, prefix=".mapi-profiles")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(raw + b"\n")
            Path(name).replace(self.path)  # mkstemp made it for its owner only
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def get(self, name: str) -> Profile:
        """Raises MAPIErrorNotFound."""
        found = self.read().profiles.get(name)
        if found is None:
            raise fail("MAPI_E_NOT_FOUND", f"no profile is called {name}")
        return found


def named(book: Book, name: str) -> Profile:
    """Raises MAPIErrorNotFound."""
    if name not in book.profiles:
        raise fail("MAPI_E_NOT_FOUND", f"no profile is called {name}")
    return book.profiles[name]


def check_name(name: str) -> str:
    """Raises MAPIErrorInvalidParameter: empty, too long, or with spaces at an end."""
    if not name or len(name) > MAX_NAME or name != name.strip():
        raise fail("MAPI_E_INVALID_PARAMETER", "a profile's name has 1 to 64 characters")
    return name


def used(service: str, title: str | None = None, settings: dict[str, str] | None = None) -> Used:
    """A service for a profile.  Raises MAPIErrorNotFound: nobody offers it."""
    offer = registry.get(service)
    return Used(uuid.uuid4().bytes, offer.name, title or offer.title, dict(settings or {}))


def find(profile: Profile, uid: bytes) -> Used:
    """Raises MAPIErrorNotFound."""
    for one in profile.services:
        if one.uid == uid:
            return one
    raise fail("MAPI_E_NOT_FOUND", "no such service in the profile")


# --- settings as properties ----------------------------------------------------------------------------

# MAPI gives settings as properties, whose ids a service chooses.  Ours: where, who, secret, as Kopano's
# service has them, then each option by its place; not from 0x6700 on, where that service has others.
WHERE, WHO, SECRET, FIRST = 0x6700, 0x6701, 0x6702, 0x6610
_WHERE = ("data", "world", "url", "server", "host", "path", "folder")
_WHO = ("account", "user", "username", "address")


def options_by_id(service: Service) -> dict[int, str]:
    """Which option an id of a property means."""
    names = [option.name for option in service.options]
    found = {FIRST + at: name for at, name in enumerate(names)}
    for number, wanted in ((WHERE, _WHERE), (WHO, _WHO)):
        name = next((name for name in wanted if name in names), None)
        if name is not None:
            found[number] = name
    secret = next((option.name for option in service.options if option.secret), None)
    if secret is not None:
        found[SECRET] = secret
    return found


def packed(tag: int, value: object) -> str:
    """A value as the file keeps it.  Raises MAPIErrorNoSupport: no text, number, bytes or truth."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str | int) and tag & MULTIPLE == 0:
        return value if isinstance(value, str) else str(int(value))
    raise fail("MAPI_E_NO_SUPPORT", "a profile keeps texts, numbers and bytes")


def section(one: Used, uid: bytes) -> Bag:
    """What a program keeps in a section, by tag.  Raises MAPIErrorCorruptData: somebody damaged it."""
    found = one.sections.get(uid.hex(), {})
    try:
        return {int(tag, 16): unpacked(int(tag, 16), text) for tag, text in found.items()}
    except ValueError as error:
        raise fail("MAPI_E_CORRUPT_DATA", f"a section of {one.title}: {error}") from error


def unpacked(tag: int, text: str) -> Value:
    """The same the other way."""
    kind = tag & 0xFFFF
    if kind == BINARY:
        return bytes.fromhex(text)
    if kind == STRING:
        return text
    return bool(int(text)) if kind == BOOLEAN else int(text)
