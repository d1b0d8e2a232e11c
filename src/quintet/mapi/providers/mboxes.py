"""MBOX and MH: folders that Python's `mailbox` reads and writes, files or directories below one root.

An mbox has no names for its messages, so a message's key is a hash of its content, with a number where
another is the same.
"""

from __future__ import annotations

import calendar
import hashlib
import mailbox
import os
import re
import shutil
import time
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, identity, mailboxes
from quintet.mapi.providers.base import Can, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore

_STATUS = {  # letters of Status and X-Status
    mailboxes.READ: "R",
    mailboxes.ANSWERED: "A",
    mailboxes.FLAGGED: "F",
    mailboxes.DRAFT: "T",
}
_SEQUENCES = {mailboxes.ANSWERED: "replied", mailboxes.FLAGGED: "flagged", mailboxes.DRAFT: "draft"}
_BELOW = ".sbd"
_STATUS_FIELD = re.compile(rb"(?i)(?:x-)?status:")
_QUOTED = re.compile(rb"^>+From ", re.MULTILINE)
_OWN_FIELDS = (b"status:", b"x-status:")


class Tree(Mailboxes):
    """Folders below a directory.  ``inbox``: the path of the Inbox there."""

    can = Can.SAVE | Can.FOLDERS | Can.READ_MARKS

    def __init__(self, root: Path, inbox: str) -> None:
        self._root, self._inbox = root, inbox

    def _at(self, path: str) -> Path:
        if any(part in ("", ".", "..") or part.startswith(".") for part in path.split("/")):
            raise MapiError(Code.INVALID_PARAMETER, "a name that a file cannot have")
        return self._root / path

    def _place(self, path: Path) -> Place:
        name = path.relative_to(self._root).as_posix()
        return Place(name, Special.INBOX if name == self._inbox else mailboxes.special_of(name))

    @contextmanager
    def _opened(self, path: str, *, write: bool = False) -> Iterator[Any]:  # Any: a mailbox of some kind
        """Raises MapiError(NOT_FOUND, SERVER_BUSY): another program holds its lock."""
        where = self._at(path)
        if not where.exists():
            raise MapiError(Code.NOT_FOUND)
        box = self._box(where)
        try:
            if write:
                _lock(box)
            yield box
            if write:
                box.flush()
        finally:
            if write:
                box.unlock()
            box.close()

    @abstractmethod
    def _box(self, where: Path) -> mailbox.Mailbox[Any]: ...

    def rename(self, path: str, new: str) -> None:
        if path == self._inbox:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox keeps its name")
        self._at(new).parent.mkdir(parents=True, exist_ok=True)
        self._at(path).rename(self._at(new))


class Mh(Tree):
    """Directories with a file a message, and ".mh_sequences" for the marks."""

    def _box(self, where: Path) -> mailbox.MH:
        return mailbox.MH(where, create=False)

    def places(self) -> list[Place]:
        return mailboxes.with_parents([self._place(one) for one in files.directories(self._root)])

    def keys(self, path: str) -> Sequence[str]:
        where = self._at(path)
        if not where.is_dir():
            raise MapiError(Code.NOT_FOUND)
        return [
            str(number) for number in sorted([int(name) for name in os.listdir(where) if name.isdecimal()])
        ]

    def _file(self, path: str, key: str) -> Path | None:
        where = self._at(path) / key
        return where if key.isdecimal() and where.is_file() else None

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        found = {key: files.head(where) for key in keys if (where := self._file(path, key))}
        return {key: head for key, head in found.items() if head is not None}

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        if not self._at(path).is_dir():
            return {}
        with self._opened(path) as box:
            sequences = {name: set(numbers) for name, numbers in box.get_sequences().items()}
        unseen = sequences.get("unseen", set())
        found = {}
        for key in keys:
            if self._file(path, key):
                words = {mark for mark, name in _SEQUENCES.items() if int(key) in sequences.get(name, ())}
                found[key] = frozenset(words if int(key) in unseen else {*words, mailboxes.READ})
        return found

    def message(self, path: str, key: str) -> bytes | Data:
        where = self._file(path, key)
        if where is None:
            raise MapiError(Code.NOT_FOUND)
        return files.FileData(where)

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        where = self._at(path)
        number = max([int(key) for key in self.keys(path)], default=0) + 1
        scratch = where / f",new{os.getpid()}"  # a comma before: deleted, says MH
        scratch.unlink(missing_ok=True)
        files.write(scratch, pieces, received_ms)
        while True:
            try:
                os.link(scratch, where / str(number))
                break
            except FileExistsError:  # another program was quicker
                number += 1
        scratch.unlink()
        files.sync(where)
        self.mark(path, [str(number)], marks, frozenset((mailboxes.READ,)) - marks)
        return str(number)

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        numbers = {int(key) for key in keys if self._file(path, key)}
        with self._opened(path, write=True) as box:
            sequences = {name: set(held) for name, held in box.get_sequences().items()}
            for mark in {*add, *remove}:
                name = "unseen" if mark == mailboxes.READ else _SEQUENCES.get(mark)
                if name is not None:
                    held = sequences.setdefault(name, set())
                    inside = (mark in add) != (mark == mailboxes.READ)
                    sequences[name] = held | numbers if inside else held - numbers
            box.set_sequences({name: sorted(held) for name, held in sequences.items() if held})

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        made = []
        marks = self.marks(path, keys)
        heads = self.heads(path, keys)
        for key in keys:
            where = self._file(path, key)
            if where is None:
                made.append("")
                continue
            pieces = files.FileData(where).pieces()
            made.append(self.add(target, pieces, marks[key], heads[key].received_ms))
        if not keep:
            self.remove(path, keys)
        return made

    def remove(self, path: str, keys: Collection[str]) -> int:
        gone = [where for key in keys if (where := self._file(path, key))]
        self.mark(path, keys, frozenset((mailboxes.READ,)), frozenset(_SEQUENCES))
        for where in gone:
            where.unlink()
        return len(gone)

    def make(self, path: str) -> None:
        self._at(path).mkdir(parents=True)
        (self._at(path) / ".mh_sequences").touch()

    def drop(self, path: str) -> None:
        if path == self._inbox:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox stays")
        shutil.rmtree(self._at(path))


@dataclass(frozen=True, slots=True)
class _Listed:
    """One message of an mbox that was read."""

    start: int  # where it lies in the file, "From " line excluded
    size: int
    received_ms: int
    marks: Marks
    number: int  # in the file, from 0
    quoted: bool  # some lines have a ">" before "From "


def _of(listed: Mapping[str, _Listed], key: str) -> _Listed | None:
    """A message by its key; one of several alike also by that it had before another of them went."""
    digest, dash, number = key.partition("-")
    if key in listed or not dash or not number.isdecimal():
        return listed.get(key)
    for before in range(min(int(number), len(listed) + 1) - 1, 1, -1):
        if (one := listed.get(f"{digest}-{before}")) is not None:
            return one
    return listed.get(digest)


class Mbox(Tree):
    """Files of messages one after the other, each behind a line that begins with "From ".

    What lies below a folder with messages is in a directory beside it, "Archive.sbd", as Mozilla has it.
    """

    exact = False  # such a file has fields of its own, and other line ends

    def __init__(self, root: Path, inbox: str) -> None:
        super().__init__(root, inbox)
        self._read: dict[str, tuple[tuple[int, int], dict[str, _Listed]]] = {}

    def _box(self, where: Path) -> mailbox.mbox:
        return mailbox.mbox(where, create=False)

    def _at(self, path: str) -> Path:
        where = super()._at(path)
        *above, name = where.relative_to(self._root).parts
        found = self._root
        for part in above:
            found = found / part if (found / part).is_dir() else found / (part + _BELOW)
        return found / name

    def _place(self, path: Path) -> Place:
        return super()._place(
            self._root.joinpath(*[part.removesuffix(_BELOW) for part in path.relative_to(self._root).parts])
        )

    def places(self) -> list[Place]:
        found = []
        for folder in (self._root, *files.directories(self._root)):
            found += [
                self._place(Path(one.path))
                for one in os.scandir(folder)
                if one.is_file() and not one.name.startswith(".") and not one.name.endswith((".lock", ".new"))
            ]
        return mailboxes.with_parents(found)

    def _listed(self, path: str) -> dict[str, _Listed]:
        where = self._at(path)
        try:
            status = os.stat(where)
        except FileNotFoundError:
            raise MapiError(Code.NOT_FOUND) from None
        if not where.is_file():
            return {}
        stamp = status.st_mtime_ns, status.st_size
        kept = self._read.get(path)
        if kept is None or kept[0] != stamp:
            kept = stamp, dict(_scanned(where))
            self._read[path] = kept
        return kept[1]

    def keys(self, path: str) -> Sequence[str]:
        return list(self._listed(path))

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        listed = self._listed(path)
        found = {}
        for key in keys:
            one = _of(listed, key)
            if one is not None:
                data = files.FileData(self._at(path), one.start, one.size)
                if one.size <= files.WHOLE:
                    raw = _unquoted(data.read(0, one.size), one)
                    found[key] = Head(raw, True, one.size, one.received_ms)
                else:
                    found[key] = files.cut(data.read(0, files.HEADER), one.size, one.received_ms)
        return found

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        listed = self._listed(path)
        return {key: one.marks for key in keys if (one := _of(listed, key)) is not None}

    def message(self, path: str, key: str) -> bytes | Data:
        one = _of(self._listed(path), key)
        if one is None:
            raise MapiError(Code.NOT_FOUND)
        data = files.FileData(self._at(path), one.start, one.size)
        return _unquoted(data.read(0, one.size), one) if one.quoted else data

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        # mboxrd: each line that begins so gets one more; `mailbox` does it for those without any
        content = _QUOTED.sub(rb">\g<0>", b"".join(pieces).replace(b"\r\n", b"\n"))
        head, _, body = (
            content.partition(b"\n\n") if not content.startswith(b"\n") else (b"", b"", content[1:])
        )
        flags = mailbox.mboxMessage()
        flags.set_flags(_letters(marks))
        lines = [
            f"From MAILER-DAEMON {time.asctime(time.gmtime(received_ms / 1000))}".encode(),
            *[line for line in head.split(b"\n") if line and not _STATUS_FIELD.match(line)],
            *[f"{name}: {flags[name]}".encode() for name in ("Status", "X-Status")],
        ]
        before = set(self._listed(path))
        with self._opened(path, write=True) as box:  # as bytes: the library would write its header anew
            box.add(b"\n".join([*lines, b"", body]))
        (key,) = [one for one in self._listed(path) if one not in before]
        return key

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        listed = self._listed(path)
        with self._opened(path, write=True) as box:
            for key in keys:
                one = _of(listed, key)
                if one is not None:
                    message = box[one.number]
                    message.set_flags(_letters((one.marks | add) - remove))
                    box[one.number] = message

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        listed = self._listed(path)
        made = []
        for key in keys:
            one = _of(listed, key)
            if one is None:
                made.append("")
            else:
                data = files.FileData(self._at(path), one.start, one.size)
                whole = _unquoted(data.read(0, one.size), one)
                made.append(self.add(target, [whole], one.marks, one.received_ms))
        if not keep:
            self.remove(path, keys)
        return made

    def remove(self, path: str, keys: Collection[str]) -> int:
        listed = self._listed(path)
        gone = {one.number for key in keys if (one := _of(listed, key)) is not None}
        with self._opened(path, write=True) as box:
            for number in gone:
                box.remove(number)
        return len(gone)

    def rename(self, path: str, new: str) -> None:
        below = self._below(path)
        super().rename(path, new)
        if below.is_dir():
            below.rename(self._below(new))

    def _below(self, path: str) -> Path:
        where = self._at(path)
        return where.with_name(where.name + _BELOW)

    def make(self, path: str) -> None:
        where = self._at(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.touch(exist_ok=False)

    def drop(self, path: str) -> None:
        if path == self._inbox:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox stays")
        for where in (self._below(path), self._at(path)):
            if where.is_dir():
                shutil.rmtree(where)
            else:
                where.unlink(missing_ok=True)

    def refresh(self) -> None:
        self._read.clear()


def _lock(box: mailbox.Mailbox[Any]) -> None:
    for wait_s in (0.05, 0.2, 0.5, 1.0, 0):
        try:
            box.lock()
            return
        except mailbox.ExternalClashError:
            time.sleep(wait_s)
    raise MapiError(Code.SERVER_BUSY, "another program holds the mailbox's lock")


def _letters(marks: Marks) -> str:
    return "".join(sorted([letter for mark, letter in _STATUS.items() if mark in marks])) + "O"


def _scanned(where: Path) -> Iterator[tuple[str, _Listed]]:
    """Each message's key, and where it lies; line by line, so a large file costs no memory."""
    seen: dict[str, int] = {}
    with where.open("rb") as file:
        at = 0
        found: _Scan | None = None
        number = 0
        blank = True
        for line in file:
            if blank and line.startswith(b"From "):
                if found is not None:
                    yield found.listed(at, number, seen)
                    number += 1
                found = _Scan(at + len(line), line)
            elif found is not None:
                found.feed(line)
            blank = line in (b"\n", b"\r\n")
            at += len(line)
        if found is not None:
            yield found.listed(at, number, seen)


class _Scan:
    """One message while its lines go by."""

    def __init__(self, start: int, first: bytes) -> None:
        self._start = start
        self._received_ms = _time_of(first)
        self._hash = hashlib.blake2b(digest_size=10)
        self._flags = ""
        self._in_header = True
        self._quoted = False
        self._last = 0  # bytes of a blank line that may be the last

    def feed(self, line: bytes) -> None:
        self._last = len(line) if line in (b"\n", b"\r\n") else 0
        if self._in_header:
            if self._last:
                self._in_header = False
            lower = line[:10].lower()
            if lower.startswith(_OWN_FIELDS):
                self._flags += line.partition(b":")[2].decode("ascii", "replace").strip()
                return
        if line.startswith(b">") and _QUOTED.match(line):
            self._quoted = True
        self._hash.update(line.rstrip(b"\r\n") + b"\n")

    def listed(self, end: int, number: int, seen: dict[str, int]) -> tuple[str, _Listed]:
        digest = self._hash.hexdigest()
        seen[digest] = seen.get(digest, 0) + 1
        key = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        marks = frozenset([mark for mark, letter in _STATUS.items() if letter in self._flags])
        # the blank line before the next message belongs to the file, not to the message
        size = max(end - self._start - self._last, 0)
        return key, _Listed(self._start, size, self._received_ms, marks, number, self._quoted)


def _unquoted(raw: bytes, one: _Listed) -> bytes:
    return _QUOTED.sub(lambda found: found[0][1:], raw) if one.quoted else raw


def _time_of(line: bytes) -> int:
    """The time in a line like ``From ann@example.com Sat Nov 29 10:00:00 2025``; 0: it tells none."""
    words = line.decode("latin-1").split()[-5:]
    try:
        found = time.strptime(" ".join(words), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return 0
    return calendar.timegm(found) * 1000


def _opened(kind: str, options: Mapping[str, str]) -> Opened:
    root = Path(options["path"]).expanduser()
    inbox = options["inbox"]
    boxes: Tree = Mh(root, inbox) if kind == "mh" else Mbox(root, inbox)
    if not (root / inbox).exists():
        if options["create"] != "yes":
            raise MapiError(Code.NOT_FOUND, f"no {inbox} in {root}: create=yes makes one")
        root.mkdir(parents=True, exist_ok=True)
        boxes.make(inbox)
    store = MailStore(options["name"] or root.name, f"{kind}:{root.resolve()}", boxes)
    return Opened(store=store, identity=identity.of(options["address"], options["name"]))


_OPTIONS = (
    Option("path", "the directory that holds the folders"),
    Option("inbox", "which of them is the Inbox", "inbox"),
    Option("create", "yes: make it where there is none", "no"),
    Option("address", "whose mail it is", ""),
    Option("name", "how the store is called; empty: as the directory", ""),
)
MBOX = Service(
    name="MBOX",
    title="Folders in mbox files",
    open=lambda options: _opened("mbox", options),
    options=_OPTIONS,
    resources=frozenset(("store",)),
)
MH = Service(
    name="MH",
    title="MH folders",
    open=lambda options: _opened("mh", options),
    options=_OPTIONS,
    resources=frozenset(("store",)),
)
