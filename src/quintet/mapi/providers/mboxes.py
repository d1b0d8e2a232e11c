"""MBOX: folders that are files of messages one after the other, below one root.

An mbox has no names for its messages, so a message's key is a hash of its content, with a number where
another is the same.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, TypeVar

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, mailboxes, trees
from quintet.mapi.providers.base import Service
from quintet.mapi.providers.mailboxes import Head, Marks, Place
from quintet.values import dataclass

_STATUS = {  # letters of Status and X-Status
    mailboxes.READ: "R",
    mailboxes.ANSWERED: "A",
    mailboxes.FLAGGED: "F",
    mailboxes.DRAFT: "T",
}
_KNOWN = frozenset("".join(_STATUS.values()) + "O")
_LINE = 1024 * 1024  # bytes that are read of a line at once
_IN_MEMORY = 1024 * 1024  # bytes of a letter; a longer one is copied to a temporary file
_TRIES = 5
T = TypeVar("T")
_BELOW = ".sbd"
_NO_MAILBOX = re.compile(r"\.(new|lock(\.\d+\..+\.\d+)?)\Z")  # what lockers, and `mailbox`, make beside it
_STATUS_FIELD = re.compile(rb"(?i)(?:x-)?status:")
_QUOTED = re.compile(rb"^>+From ", re.MULTILINE)
_FROM = re.compile(rb"^From ", re.MULTILINE)
_OWN_FIELDS = (b"status:", b"x-status:")


@dataclass(frozen=True, slots=True)
class _Listed:
    """One message of an mbox that was read."""

    at: int  # where its "From " line begins in the file
    start: int  # where it begins itself
    body: int  # where the blank line behind its header is
    size: int  # from ``start`` on
    end: int  # where the next one's "From " line begins
    received_ms: int
    letters: str  # of Status and X-Status
    quoted: bool  # some lines have a ">" before "From "

    @property
    def marks(self) -> Marks:
        return frozenset([mark for mark, letter in _STATUS.items() if letter in self.letters])


def _of(listed: Mapping[str, _Listed], key: str) -> _Listed | None:
    """A message by its key; one of several alike also by that it had before another of them went."""
    digest, dash, number = key.partition("-")
    if key in listed or not dash or not number.isdecimal():
        return listed.get(key)
    for before in range(min(int(number), len(listed) + 1) - 1, 1, -1):
        if (one := listed.get(f"{digest}-{before}")) is not None:
            return one
    return listed.get(digest)


class Mbox(trees.Tree):
    """Files of messages one after the other, each behind a line that begins with "From ".

    What lies below a folder with messages is in a directory beside it, "Archive.sbd", as Mozilla has it.
    """

    exact = False  # such a file has fields of its own, and other line ends

    def __init__(self, root: Path, inbox: str) -> None:
        super().__init__(root, inbox)
        self._read: dict[str, tuple[tuple[int, int, int], dict[str, _Listed]]] = {}

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
                if one.is_file() and not one.name.startswith(".") and not _NO_MAILBOX.search(one.name)
            ]
        return mailboxes.with_parents(found)

    def _listed(self, path: str, file: IO[bytes]) -> dict[str, _Listed]:
        stamp = _stamp(file)
        kept = self._read.get(path)
        if kept is None or kept[0] != stamp:
            kept = stamp, dict(_scanned(file))
            self._read[path] = kept
        return kept[1]

    def _reading(self, path: str, work: Callable[[IO[bytes], Mapping[str, _Listed]], T]) -> T:
        """Does something with the file as it is; once more where it was changed meanwhile.

        Raises MapiError(NOT_FOUND, SERVER_BUSY).
        """
        for _ in range(_TRIES):
            try:
                file = self._at(path).open("rb")
            except FileNotFoundError:
                raise MapiError(Code.NOT_FOUND) from None
            except IsADirectoryError:
                return work(io.BytesIO(), {})
            with file:
                before = _stamp(file)
                found = work(file, self._listed(path, file))
                if _stamp(file) == before:
                    return found
        raise MapiError(Code.SERVER_BUSY, "another program writes in the mailbox all the time")

    def keys(self, path: str) -> Sequence[str]:
        return self._reading(path, lambda file, listed: list(listed))

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        def read(file: IO[bytes], listed: Mapping[str, _Listed]) -> dict[str, Head]:
            return {key: _head(file, one) for key in keys if (one := _of(listed, key)) is not None}

        return self._reading(path, read)

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        def read(file: IO[bytes], listed: Mapping[str, _Listed]) -> dict[str, Marks]:
            return {key: one.marks for key in keys if (one := _of(listed, key)) is not None}

        return self._reading(path, read)

    def message(self, path: str, key: str) -> bytes | Data:
        """A copy: the next that changes a mark writes the file anew."""

        def read(file: IO[bytes], listed: Mapping[str, _Listed]) -> bytes | Data | None:
            one = _of(listed, key)
            if one is None:
                return None
            if one.quoted or one.size <= _IN_MEMORY:
                return _unquoted(_raw(file, one, one.size), one)
            return files.kept(_pieces(file, one.start, one.start + one.size))

        found = self._reading(path, read)
        if found is None:
            raise MapiError(Code.NOT_FOUND)
        return found

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        # mboxrd: each line that begins so gets one more
        content = _QUOTED.sub(rb">\g<0>", b"".join(pieces).replace(b"\r\n", b"\n"))
        content = _FROM.sub(b">From ", content)
        head, _, body = (
            content.partition(b"\n\n") if not content.startswith(b"\n") else (b"", b"", content[1:])
        )
        lines = [
            f"From MAILER-DAEMON {time.asctime(time.gmtime(received_ms / 1000))}".encode(),
            *[line for line in head.split(b"\n") if line and not _STATUS_FIELD.match(line)],
            *_status(_letters(marks)),
        ]
        new = b"\n".join([*lines, b"", body.removesuffix(b"\n"), b"", b""])
        with self._locked(path) as file:
            listed = self._listed(path, file)
            size = file.seek(0, os.SEEK_END)
            blank = _missing(file, size)
            try:
                file.write(blank + new)
                file.flush()
                os.fsync(file.fileno())
            except OSError:  # no half of a letter
                file.truncate(size)
                raise
            if blank:  # the one before ends elsewhere now
                listed = dict(_scanned(file))
            else:
                listed.update(dict(_scanned(file, size, listed)))
            self._read[path] = _stamp(file), listed
        return next(reversed(listed))

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        def changed(one: _Listed) -> str:
            others = [letter for letter in one.letters if letter not in _KNOWN]
            return "".join(dict.fromkeys([*_letters((one.marks | add) - remove), *others]))

        self._rewrite(path, keys, changed)

    def _rewrite(self, path: str, keys: Collection[str], change: Callable[[_Listed], str | None]) -> int:
        """Gives some messages other letters of Status, or None: leaves them out; how many those were."""
        with self._locked(path) as file:
            listed = self._listed(path, file)
            meant = {one.at: one for key in keys if (one := _of(listed, key)) is not None}
            changed = {one.at: letters for one in meant.values() if (letters := change(one)) != one.letters}
            if changed:
                where = self._at(path)
                handle, scratch = tempfile.mkstemp(dir=where.parent, prefix=".mbox")
                try:
                    with os.fdopen(handle, "wb") as new:
                        at = 0
                        for one in sorted([meant[at] for at in changed], key=lambda one: one.at):
                            _copy(file, at, one.at, new)
                            letters = changed[one.at]
                            if letters is not None:
                                new.write(_header(file, one, letters))
                                _copy(file, one.body, one.end, new)
                            at = one.end
                        _copy(file, at, os.fstat(file.fileno()).st_size, new)
                        os.fchmod(new.fileno(), os.fstat(file.fileno()).st_mode & 0o7777)
                        new.flush()
                        os.fsync(new.fileno())
                    os.replace(scratch, where)
                except BaseException:
                    os.unlink(scratch)
                    raise
                files.sync(where.parent)
            return len(meant)

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        def read(key: str) -> tuple[bytes, _Listed] | None:
            return self._reading(
                path,
                lambda file, listed: (
                    None
                    if (one := _of(listed, key)) is None
                    else (_unquoted(_raw(file, one, one.size), one), one)
                ),
            )

        made = []
        for key in keys:
            found = read(key)
            made.append(
                "" if found is None else self.add(target, [found[0]], found[1].marks, found[1].received_ms)
            )
        if not keep:
            self.remove(path, [key for key, new in zip(keys, made, strict=True) if new])
        return made

    def remove(self, path: str, keys: Collection[str]) -> int:
        return self._rewrite(path, keys, lambda one: None)

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


def _letters(marks: Marks) -> str:
    return "".join(sorted([letter for mark, letter in _STATUS.items() if mark in marks])) + "O"


def _status(letters: str) -> list[bytes]:
    """Both fields: what "R" and "O" say, and what the others do."""
    seen = "".join([letter for letter in "RO" if letter in letters])
    others = "".join(sorted(set(letters) - set("RO")))
    return [f"Status: {seen}".encode(), f"X-Status: {others}".encode()]


def _stamp(file: IO[bytes]) -> tuple[int, int, int]:
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_mtime_ns, status.st_size


def _missing(file: IO[bytes], size: int) -> bytes:
    """What the end of a file lacks to be a blank line."""
    file.seek(max(size - 64, 0))
    tail = file.read(64)
    lines = tail.replace(b"\r", b"")
    if not tail or lines.endswith(b"\n\n"):
        return b"\n" if tail.endswith(b"\r") else b""
    return b"\n" if lines.endswith(b"\n") else b"\n\n"


def _raw(file: IO[bytes], one: _Listed, most: int) -> bytes:
    file.seek(one.start)
    return file.read(min(one.size, most))


def _head(file: IO[bytes], one: _Listed) -> Head:
    if one.size <= files.WHOLE:
        return Head(_unquoted(_raw(file, one, one.size), one), True, one.size, one.received_ms)
    return files.cut(_raw(file, one, files.HEADER), one.size, one.received_ms)


def _pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (piece := file.read(min(files.PIECE, end - start))):
        start += len(piece)
        yield piece


def _copy(file: IO[bytes], start: int, end: int, new: IO[bytes]) -> None:
    for piece in _pieces(file, start, end):
        new.write(piece)


def _header(file: IO[bytes], one: _Listed, letters: str) -> bytes:
    """The "From " line and the header, with other letters."""
    file.seek(one.at)
    lines = list(io.BytesIO(file.read(one.body - one.at)))  # at LF alone
    end = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    kept = [lines[0], *[line for line in lines[1:] if not _STATUS_FIELD.match(line)]]
    if not kept[-1].endswith(b"\n"):
        kept.append(end)
    return b"".join([*kept, *[line + end for line in _status(letters)]])


def _scanned(
    file: IO[bytes], at: int = 0, before: Mapping[str, _Listed] = MappingProxyType({})
) -> Iterator[tuple[str, _Listed]]:
    """Each message's key, and where it lies; line by line, so a large file costs no memory.

    ``before``: those before ``at``, where it begins.
    """
    seen = Counter([key.partition("-")[0] for key in before])
    file.seek(at)
    found: _Scan | None = None
    blank = True
    while line := file.readline(_LINE):
        if blank and line.startswith(b"From "):
            if found is not None:
                yield found.listed(at, seen)
            found = _Scan(at, line)
        elif found is not None:
            found.feed(line)
        blank = not line.strip(b"\r\n")
        at += len(line)
    if found is not None:
        yield found.listed(at, seen)


class _Scan:
    """One message while its lines go by."""

    def __init__(self, at: int, first: bytes) -> None:
        self._at = at
        self._next = self._start = self._body = at + len(first)
        self._received_ms = _time_of(first)
        self._hash = hashlib.blake2b(digest_size=10)
        self._letters = ""
        self._in_header = True
        self._quoted = False
        self._last = 0  # bytes of a blank line that may be the last

    def feed(self, line: bytes) -> None:
        if self._last:
            self._hash.update(b"\n")
        self._last = 0 if line.strip(b"\r\n") else len(line)
        self._next += len(line)
        if self._in_header:
            if self._last:
                self._in_header = False
            else:
                self._body = self._next
            lower = line[:10].lower()
            if lower.startswith(_OWN_FIELDS):
                self._letters += line.partition(b":")[2].decode("ascii", "replace").strip()
                return
        if line.startswith(b">") and _QUOTED.match(line):
            self._quoted = True
        if not self._last:
            self._hash.update(line.rstrip(b"\r\n") + b"\n")

    def listed(self, end: int, seen: Counter[str]) -> tuple[str, _Listed]:
        digest = self._hash.hexdigest()
        seen[digest] += 1
        key = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        # the blank line before the next message belongs to the file, not to the message
        size = max(end - self._start - self._last, 0)
        return key, _Listed(
            self._at, self._start, self._body, size, end, self._received_ms, self._letters, self._quoted
        )


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


MBOX = Service(
    name="MBOX",
    title="Folders in mbox files",
    open=lambda options: trees.opened("mbox", Mbox, options),
    options=trees.OPTIONS,
    resources=frozenset(("store",)),
)
