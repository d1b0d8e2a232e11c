"""MH: directories with a file a message, and ".mh_sequences" for the marks."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import files, mailboxes, trees
from quintet.mapi.providers.base import Service
from quintet.mapi.providers.mailboxes import Head, Marks, Place
from quintet.store.ranges import RangeSet

_SEQUENCES = {mailboxes.ANSWERED: b"replied", mailboxes.FLAGGED: b"flagged", mailboxes.DRAFT: b"draft"}
_ALL: Marks = frozenset(_SEQUENCES)
_MARKS = ".mh_sequences"
_DIGITS = 9  # of a message's number


class Mh(trees.Tree):
    """A number that is free is given again, so a message's key has the time and size of its file too."""

    def _locked(self, path: str) -> AbstractContextManager[IO[bytes]]:
        where = self._at(path)
        if not where.is_dir():
            raise MapiError(Code.NOT_FOUND)
        (where / _MARKS).touch()
        return trees.locked(where / _MARKS)

    def places(self) -> list[Place]:
        return mailboxes.with_parents([self._place(one) for one in files.directories(self._root)])

    def keys(self, path: str) -> Sequence[str]:
        found = []
        try:
            with os.scandir(self._at(path)) as entries:
                for one in entries:
                    number = _number(one.name)
                    if number is not None and one.is_file():
                        with suppress(FileNotFoundError):  # it just went
                            found.append((number, _key(one.name, one.stat())))
        except (FileNotFoundError, NotADirectoryError):
            raise MapiError(Code.NOT_FOUND) from None
        return [key for _, key in sorted(found)]

    def _file(self, path: str, key: str) -> Path | None:
        number = key.partition("-")[0]
        where = self._at(path) / number
        try:
            same = _number(number) is not None and _key(number, os.stat(where)) == key
        except (FileNotFoundError, NotADirectoryError):
            return None
        return where if same else None

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        found = {key: files.head(where) for key in keys if (where := self._file(path, key))}
        return {key: head for key, head in found.items() if head is not None}

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        try:
            sequences, _ = _sequences((self._at(path) / _MARKS).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            sequences = {}
        nobody = RangeSet()
        unseen = sequences.get(b"unseen", nobody)
        held = {mark: sequences.get(name, nobody) for mark, name in _SEQUENCES.items()}
        found = {}
        for key in keys:
            where = self._file(path, key)
            if where is not None:
                words = {mark for mark, numbers in held.items() if int(where.name) in numbers}
                found[key] = frozenset(words if int(where.name) in unseen else {*words, mailboxes.READ})
        return found

    def message(self, path: str, key: str) -> bytes | Data:
        where = self._file(path, key)
        if where is None:
            raise MapiError(Code.NOT_FOUND)
        return files.FileData(where)

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        where = self._at(path)
        number = max([_number(name) or 0 for name in os.listdir(where)], default=0) + 1
        scratch = where / f",new{os.getpid()}-{threading.get_ident()}"  # a comma before: deleted, says MH
        scratch.unlink(missing_ok=True)
        try:
            files.write(scratch, pieces, received_ms)
            while True:
                try:
                    os.link(scratch, where / str(number))
                    break
                except FileExistsError:  # another program was quicker
                    number += 1
        finally:
            scratch.unlink(missing_ok=True)
        files.sync(where)
        self._marked(path, {number}, marks, frozenset((mailboxes.READ, *_SEQUENCES)) - marks)
        return _key(str(number), os.stat(where / str(number)))

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        self._marked(path, {int(where.name) for key in keys if (where := self._file(path, key))}, add, remove)

    def _marked(self, path: str, numbers: Collection[int], add: Marks, remove: Marks) -> None:
        change = RangeSet.of(numbers)
        with self._locked(path) as file:
            sequences, others = _sequences(file.read())
            for mark in {*add, *remove}:
                name = b"unseen" if mark == mailboxes.READ else _SEQUENCES.get(mark)
                if name is not None:
                    held = sequences.get(name, RangeSet())
                    inside = (mark in add) != (mark == mailboxes.READ)
                    sequences[name] = held | change if inside else held - change
            lines = [name + b": " + _written(held) for name, held in sequences.items() if held]
            file.seek(0)
            file.write(b"".join([line + b"\n" for line in [*lines, *others]]))
            file.truncate()

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        made = []
        marks = self.marks(path, keys)
        heads = self.heads(path, keys)
        for key in keys:
            where = self._file(path, key)
            if where is None or key not in marks or key not in heads:
                made.append("")
                continue
            pieces = files.FileData(where).pieces()
            made.append(self.add(target, pieces, marks[key], heads[key].received_ms))
        if not keep:
            self.remove(path, [key for key, new in zip(keys, made, strict=True) if new])
        return made

    def remove(self, path: str, keys: Collection[str]) -> int:
        gone = [where for key in keys if (where := self._file(path, key))]
        for where in gone:
            where.unlink(missing_ok=True)
        self._marked(path, {int(where.name) for where in gone}, frozenset((mailboxes.READ,)), _ALL)
        return len(gone)

    def make(self, path: str) -> None:
        self._at(path).mkdir(parents=True)
        (self._at(path) / _MARKS).touch()

    def drop(self, path: str) -> None:
        if path == self._inbox:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox stays")
        shutil.rmtree(self._at(path))


def _number(name: str) -> int | None:
    """The number of a message's file; None: it is none."""
    return int(name) if name.isascii() and name.isdecimal() and len(name) <= _DIGITS else None


def _key(name: str, status: os.stat_result) -> str:
    return f"{name}-{status.st_mtime_ns:x}-{status.st_size:x}"


def _sequences(text: bytes) -> tuple[dict[bytes, RangeSet], list[bytes]]:
    """By name; and lines that are none."""
    found: dict[bytes, RangeSet] = {}
    others = []
    for line in text.splitlines():
        name, colon, numbers = line.partition(b":")
        try:
            if not colon:
                raise ValueError
            found[name.strip()] = RangeSet.parse(",".join(numbers.decode("ascii").split()))
        except ValueError:
            others.append(line)
    return found, others


def _written(held: RangeSet) -> bytes:
    return str(held).replace(",", " ").encode()


MH = Service(
    name="MH",
    title="MH folders",
    open=lambda options: trees.opened("mh", Mh, options),
    options=trees.OPTIONS,
    resources=frozenset(("store",)),
)
