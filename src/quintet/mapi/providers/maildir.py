"""MAILDIR: a Maildir with its folders as Dovecot and Courier lay them out (Maildir++), or as directories.

A message's key is the unique part of its file's name; its marks are the letters behind ":2,".
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from imapclient import imap_utf7

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, identity, mailboxes
from quintet.mapi.providers.base import Can, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore

INBOX = "INBOX"
_TRIES = 5
T = TypeVar("T")
_LETTERS = {
    mailboxes.DRAFT: "D",
    mailboxes.FLAGGED: "F",
    mailboxes.ANSWERED: "R",
    mailboxes.READ: "S",
}
_MARKS = {letter: mark for mark, letter in _LETTERS.items()}
_PARTS = ("cur", "new", "tmp")


class Maildir(Mailboxes):
    """``plus``: folders are ".Archive.2025" in the root (Maildir++); else they are directories."""

    can = Can.SAVE | Can.FOLDERS | Can.READ_MARKS

    def __init__(self, root: Path, *, plus: bool) -> None:
        self._root = root
        self._plus = plus
        self._host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
        self._count = itertools.count()
        self._listed: dict[str, tuple[tuple[int, int], dict[str, str]]] = {}
        self._odd: dict[str, str] = {}  # folders of other programs: a directory that we would name otherwise

    # --- folders

    def _dir(self, path: str) -> Path:
        if path == INBOX:
            return self._root
        if path in self._odd:
            return self._root / self._odd[path]
        names = [_encoded(name) for name in path.split("/")]
        if any(name in (".", "..") or (self._plus and "." in name) for name in names):
            raise MapiError(Code.INVALID_PARAMETER, "a name that this layout cannot write")
        return self._root / f".{'.'.join(names)}" if self._plus else self._root.joinpath(*names)

    def places(self) -> list[Place]:
        if self._plus:
            found = [
                self._path_of(one.name, one.name[1:].split("."))
                for one in os.scandir(self._root)
                if one.name.startswith(".") and one.name.strip(".") and _is_maildir(Path(one.path))
            ]
        else:
            found = [
                self._path_of(where.as_posix(), where.parts)
                for one in files.directories(self._root, skip=_PARTS)
                if _is_maildir(one)
                for where in [one.relative_to(self._root)]
            ]
        places = [Place(path, mailboxes.special_of(path)) for path in found if path != INBOX]
        return mailboxes.with_parents([Place(INBOX, Special.INBOX), *places])

    def _path_of(self, name: str, parts: Sequence[str]) -> str:
        read = [_decoded(part) for part in parts]
        path = "/".join(read)
        if [_encoded(part) for part in read] != list(parts):
            self._odd[path] = name
        return path

    def make(self, path: str) -> None:
        where = self._dir(path)
        for part in _PARTS:
            (where / part).mkdir(parents=True, exist_ok=True)
        if self._plus:
            (where / "maildirfolder").touch()

    def rename(self, path: str, new: str) -> None:
        if path == INBOX:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox keeps its name")
        if not self._plus:
            self._dir(new).parent.mkdir(parents=True, exist_ok=True)
            self._dir(path).rename(self._dir(new))
        else:
            for place in self.places():
                if place.holds and f"{place.path}/".startswith(f"{path}/"):
                    self._dir(place.path).rename(self._dir(new + place.path[len(path) :]))
        self._listed.clear()

    def drop(self, path: str) -> None:
        if path == INBOX:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox stays")
        for place in reversed(self.places()):
            if place.holds and f"{place.path}/".startswith(f"{path}/"):
                shutil.rmtree(self._dir(place.path))
        self._listed.clear()

    # --- messages

    def _files(self, path: str) -> dict[str, str]:
        """Keys and file names below the folder's directory, oldest first."""
        where = self._dir(path)
        try:
            stamp = (os.stat(where / "cur").st_mtime_ns, os.stat(where / "new").st_mtime_ns)
        except FileNotFoundError:
            raise MapiError(Code.NOT_FOUND) from None
        kept = self._listed.get(path)
        if kept is not None and kept[0] == stamp and time.time_ns() - max(stamp) > _SETTLED_NS:
            return kept[1]
        found = {
            one.name.partition(":")[0]: f"{part}/{one.name}"
            for part in ("cur", "new")
            for one in os.scandir(where / part)
            if one.is_file() and not one.name.startswith(".")
        }
        listed = {key: found[key] for key in sorted(found, key=_age)}
        self._listed[path] = stamp, listed
        return listed

    def _file(self, path: str, key: str) -> Path | None:
        name = self._files(path).get(key)
        return None if name is None else self._dir(path) / name

    def keys(self, path: str) -> Sequence[str]:
        return list(self._files(path))

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        root, listed, found = self._dir(path), self._files(path), {}
        for key in keys:
            head = files.head(root / listed[key]) if key in listed else None
            if head is None and key in listed:  # another program renamed it
                where = self._file_anew(path, key)
                head = None if where is None else files.head(where)
            if head is not None:
                found[key] = head
        return found

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        listed = self._files(path)
        return {key: _marks_of(listed[key]) for key in keys if key in listed}

    def message(self, path: str, key: str) -> bytes | Data:
        where = self._file(path, key)
        if where is None:
            raise MapiError(Code.NOT_FOUND)
        return files.FileData(where, lambda: self._file_anew(path, key))

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        where = self._dir(path)
        now = time.time_ns()
        key = f"{now // 10**9}.M{now // 1000 % 10**6:06}P{os.getpid()}Q{next(self._count)}.{self._host}"
        files.write(where / "tmp" / key, pieces, received_ms)
        (where / "tmp" / key).rename(where / _name(key, marks))
        files.sync(where / ("cur" if marks else "new"))
        self._listed.pop(path, None)
        return key

    def _file_anew(self, path: str, key: str) -> Path | None:
        self._listed.pop(path, None)
        return self._file(path, key)

    def _each(self, path: str, keys: Iterable[str], work: Callable[[Path], T]) -> list[T | None]:
        """What becomes of messages' files, also if another program renames them; None: one is gone."""
        root, listed = self._dir(path), self._files(path)
        done: list[T | None] = []
        for key in keys:
            where = root / listed[key] if key in listed else None
            made: T | None = None
            for _ in range(_TRIES if where is not None else 0):
                try:
                    made = None if where is None else work(where)
                    break
                except FileNotFoundError:
                    where = self._file_anew(path, key)
            done.append(made)
        self._listed.pop(path, None)
        return done

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        def mark(where: Path) -> None:
            key, old = where.name.partition(":")[0], f"{where.parent.name}/{where.name}"
            name = _name(key, (_marks_of(old) | add) - remove, old, seen=True)
            if name != old:
                where.rename(where.parent.parent / name)

        self._each(path, keys, mark)

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        there = self._dir(target)

        def copy(source: Path) -> str:
            received = os.stat(source).st_mtime_ns // 1_000_000
            data = files.FileData(source, lambda: self._file_anew(path, source.name.partition(":")[0]))
            return self.add(target, data.pieces(), _marks_of(source.name), received)

        def move(source: Path) -> str:
            source.rename(there / source.parent.name / source.name)
            return source.name.partition(":")[0]

        made = self._each(path, keys, copy if keep else move)
        self._listed.pop(target, None)
        return [key or "" for key in made]

    def remove(self, path: str, keys: Collection[str]) -> int:
        def unlink(where: Path) -> int:
            where.unlink()
            return 1

        return sum([one or 0 for one in self._each(path, keys, unlink)])

    def refresh(self) -> None:
        self._listed.clear()


_SETTLED_NS = 2 * 10**9  # a directory changed so lately may change again in the same tick of its clock


def _is_maildir(where: Path) -> bool:
    return (where / "cur").is_dir() and (where / "new").is_dir()


def _age(key: str) -> tuple[int, str]:
    digits = key.partition(".")[0]
    return (int(digits) if digits.isdecimal() else 0), key


def _encoded(name: str) -> str:
    try:
        return str(imap_utf7.encode(name), "ascii")
    except UnicodeError:
        return name


def _decoded(name: str) -> str:
    """A name that is none of modified UTF-7 as it is."""
    try:
        found = str(imap_utf7.decode(os.fsencode(name)))
    except UnicodeError:
        return name
    return name if not name.isascii() or "/" in found or "\0" in found else found


def _marks_of(name: str) -> Marks:
    info = name.rpartition(":2,")
    return frozenset([_MARKS[letter] for letter in info[2] if letter in _MARKS]) if info[1] else frozenset()


def _name(key: str, marks: Marks, old: str = "", *, seen: bool = False) -> str:
    """Where a message with these marks lies; letters that we do not know stay."""
    others = [letter for letter in old.rpartition(":2,")[2] if letter not in _MARKS] if ":2," in old else []
    letters = "".join(sorted({*others, *[_LETTERS[mark] for mark in marks if mark in _LETTERS]}))
    return f"cur/{key}:2,{letters}" if letters or seen else f"new/{key}"


def _open(options: Mapping[str, str]) -> Opened:
    root = Path(options["path"]).expanduser()
    boxes = Maildir(root, plus=options["layout"] != "fs")
    if not _is_maildir(root):
        if options["create"] != "yes":
            raise MapiError(Code.NOT_FOUND, f"no Maildir at {root}: create=yes makes one")
        boxes.make(INBOX)
    store = MailStore(options["name"] or root.name, f"maildir:{root.resolve()}", boxes)
    return Opened(store=store, identity=identity.of(options["address"], options["name"]))


SERVICE = Service(
    name="MAILDIR",
    title="A Maildir",
    open=_open,
    options=(
        Option("path", "the directory that has cur, new and tmp"),
        Option("layout", "how folders lie in it: ++ (.Archive.2025) or fs (directories)", "++"),
        Option("create", "yes: make it where there is none", "no"),
        Option("address", "whose mail it is", ""),
        Option("name", "how the store is called; empty: as the directory", ""),
    ),
    resources=frozenset(("store",)),
)
