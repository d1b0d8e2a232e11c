"""NNTP: newsgroups as public folders, articles as IPM.Post, and posting as a transport.

A group's articles are listed by their overview (RFC 3977 8.3); what was read is kept in a file like .newsrc,
where one is named.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from quintet.mapi import convert, pr
from quintet.mapi.bag import Data, Item
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, files, identity, imap, mailboxes, smtp
from quintet.mapi.providers.base import Can, EntryId, Failure, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore
from quintet.mapi.providers.nntp import Answer, Connection, number_of
from quintet.message import dates
from quintet.store.ranges import RangeSet

NNTP_KIND = "NNTP"  # the address type of a newsgroup
MAX_GROUPS = 20_000
_FIELDS = (b"Subject", b"From", b"Date", b"Message-ID", b"References")
_LINE = re.compile(r"([^:!]+)([:!])[ \t]*([\d ,\-]*)")
_NAME = re.compile(r"[^\s!*?\[\],\x00-\x1f]+")
T = TypeVar("T")
_NOTHING: Marks = frozenset()
_READ: Marks = frozenset((mailboxes.READ,))


class Newsrc:
    """What was read, by group, in a file: ``group: 1-50,53``.  Other programs may write it too."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # a link to it stays one
        self._stamp: tuple[int, int, int] | None = None
        self._read: dict[str, RangeSet] = {}
        self._others: list[str] = []  # lines that are none of ours

    def _look(self) -> None:
        """Reads it where it changed."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = status.st_ino, status.st_mtime_ns, status.st_size
                if stamp == self._stamp:
                    return
                text = file.read()
        except FileNotFoundError:
            stamp, text = None, b""
        self._read, self._others, self._stamp = {}, [], stamp
        for line in text.decode("utf-8", "surrogateescape").split("\n"):
            found = _LINE.fullmatch(line.rstrip("\r"))
            try:
                if found is None:
                    raise ValueError
                self._read[found[1] + found[2]] = RangeSet.parse(found[3].replace(" ", ""))
            except ValueError:
                self._others += [line] if line else []

    def of(self, group: str) -> RangeSet:
        self._look()
        return self._of(group)

    def _of(self, group: str) -> RangeSet:
        return self._read.get(f"{group}:") or self._read.get(f"{group}!") or RangeSet()

    def mark(self, group: str, numbers: Iterable[int], *, read: bool) -> None:
        change = RangeSet.of(numbers)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(self._path.parent):
            self._look()
            before = self._of(group)
            key = f"{group}!" if f"{group}!" in self._read else f"{group}:"
            self._read[key] = before | change if read else before - change
            self._write()

    def _write(self) -> None:
        text = "".join([f"{key} {numbers}\n" for key, numbers in self._read.items()])
        text += "".join([f"{line}\n" for line in self._others])
        handle, scratch = tempfile.mkstemp(dir=self._path.parent, prefix=".newsrc")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), os.stat(self._path).st_mode & 0o7777)
            os.replace(scratch, self._path)
        except BaseException:
            os.unlink(scratch)
            raise


class Groups(Mailboxes):
    """Keys are article numbers.  ``wanted``: a wildmat of groups."""

    def __init__(self, connect: Callable[[], Connection], wanted: str, newsrc: Newsrc | None) -> None:
        self._connect, self._wanted, self._newsrc = connect, wanted, newsrc
        self.can = Can.NOTHING if newsrc is None else Can.READ_MARKS
        self._connection: Connection | None = None
        self._groups: dict[str, tuple[int, int]] | None = None
        self._listed: dict[str, list[int]] = {}
        self.call(lambda connection: None)

    def call(self, work: Callable[[Connection], T]) -> T:
        for last in (False, True):
            if self._connection is None:
                self._connection = self._connect()
            try:
                return work(self._connection)
            except Answer as error:
                if error.code not in (400, 205) or last:
                    raise _meaning(error) from error
                self._abandon()
            except OSError as error:
                self._abandon()
                if last:
                    raise MapiError(Code.NETWORK_ERROR, str(error)) from error
        raise AssertionError("a loop of two")

    def _abandon(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    close = _abandon

    def refresh(self) -> None:
        self._groups = None
        self._listed.clear()

    def _known(self) -> dict[str, tuple[int, int]]:
        """Groups with their low and high water."""
        if self._groups is None:
            found: dict[str, tuple[int, int]] = {}
            for line in self.call(
                lambda connection: list(connection.lines(f"LIST ACTIVE {self._wanted}", 215))
            ):
                words = line.decode("utf-8", "replace").split()
                high, low = map(number_of, words[1:3]) if len(words) >= 4 else (None, None)
                if low is not None and high is not None and len(found) < MAX_GROUPS:
                    found[words[0]] = low, high
            self._groups = found
        return self._groups

    def places(self) -> list[Place]:
        return [Place(name) for name in sorted(self._known())]

    def count(self, path: str) -> int:
        low, high = self._known().get(path, (1, 0))
        return len(self._listed[path]) if path in self._listed else max(high - low + 1, 0)

    def unread(self, path: str) -> int:
        if self._newsrc is None:
            return self.count(path)
        low, high = self._known().get(path, (1, 0))
        read = self._newsrc.of(path) & RangeSet([(low, high)] if low <= high else [])
        return max(self.count(path) - len(read), 0)

    def _numbers(self, path: str) -> list[int]:
        if path not in self._known():
            raise MapiError(Code.NOT_FOUND)
        if path not in self._listed:
            lines = self.call(lambda connection: list(connection.lines(f"LISTGROUP {path}", 211)))
            self._listed[path] = [number for line in lines if (number := number_of(line)) is not None]
        return self._listed[path]

    def keys(self, path: str) -> Sequence[str]:
        return [str(number) for number in self._numbers(path)]

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        numbers = sorted(set(self._numbers(path)).intersection(map(number_of, keys)))
        if not numbers:
            return {}

        def overview(connection: Connection) -> dict[str, Head]:
            connection.ask(f"GROUP {path}", 211)
            found = {}
            for first, last in _runs(numbers):
                try:
                    for line in connection.lines(f"OVER {first}-{last}", 224):
                        number, _, rest = line.partition(b"\t")
                        found[number.decode("ascii", "replace")] = _head(path, rest)
                except Answer as error:
                    if error.code != 423:
                        raise
            return found

        found = self.call(overview)
        return {str(number): found[str(number)] for number in numbers if str(number) in found}

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        if path not in self._known():
            return {}
        here = set(self._numbers(path))
        read = self._newsrc.of(path) if self._newsrc is not None else RangeSet()
        return {
            key: _READ if number in read else _NOTHING
            for key in keys
            if (number := number_of(key)) is not None and number in here
        }

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        if self._newsrc is None:
            raise MapiError(Code.NOT_SUPPORTED)
        numbers = [number for key in keys if (number := number_of(key)) is not None]
        if mailboxes.READ in {*add, *remove}:
            self._newsrc.mark(path, numbers, read=mailboxes.READ in add)

    def message(self, path: str, key: str) -> bytes | Data:
        number = number_of(key)
        if number is None:
            raise MapiError(Code.NOT_FOUND)

        def article(connection: Connection) -> bytes:
            connection.ask(f"GROUP {path}", 211)
            return b"\r\n".join([*connection.lines(f"ARTICLE {number}", 220), b""])

        return self.call(article)


def _runs(numbers: Sequence[int], gap: int = 50) -> list[tuple[int, int]]:
    """Ranges that hold all of the numbers; small gaps cost less than another question."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number - found[-1][1] <= gap:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def _head(group: str, line: bytes) -> Head:
    """A header as far as the overview tells (RFC 3977 8.3.2)."""
    values = line.split(b"\t")
    fields = [name + b": " + value for name, value in zip(_FIELDS, values, strict=False) if value]
    fields.append(b"Newsgroups: " + _groups_of(values, group))
    size = (number_of(values[5]) if len(values) > 5 else None) or 0
    at = dates.parse_date(values[2]) if len(values) > 2 else None
    return Head(b"\r\n".join([*fields, b"", b""]), False, size, at if at is not None else 0)


def _groups_of(values: Sequence[bytes], group: str) -> bytes:
    xref = next((one for one in values[7:] if one.lower().startswith(b"xref:")), b"")
    names = [word.rpartition(b":")[0] for word in xref.split()[2:]]
    return b",".join(names) or group.encode()


def _meaning(error: Answer) -> MapiError:
    codes = {411: Code.NOT_FOUND, 420: Code.NOT_FOUND, 423: Code.NOT_FOUND, 430: Code.NOT_FOUND}
    codes |= {
        480: Code.ACCESS_DENIED,
        481: Code.LOGON_FAILED,
        482: Code.LOGON_FAILED,
        502: Code.ACCESS_DENIED,
    }
    return MapiError(codes.get(error.code, Code.GENERAL_FAILURE), f"{error.code} {error.text}")


class NewsStore(MailStore):
    """A store of public folders: nothing is delivered there."""

    boxes: Groups

    def special(self) -> Mapping[Special, EntryId]:
        return {Special.PUBLIC: self.top}


class Posting(base.Transport):
    """Posts to the groups among the recipients: those whose address type is NNTP."""

    name = "NNTP"
    kinds = (NNTP_KIND,)

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        names = {number: str(item.recipients[number].get(pr.EMAIL_ADDRESS) or "") for number in recipients}
        failures = [
            Failure(number, "no newsgroup's name", Code.INVALID_PARAMETER)
            for number, name in names.items()
            if not _NAME.fullmatch(name)
        ]
        wanted = [name for name in dict.fromkeys(names.values()) if _NAME.fullmatch(name)]
        if wanted:
            article = article_of(item, wanted)
            try:
                self._groups.call(lambda connection: connection.post(article))
            except MapiError as error:
                if error.code != Code.GENERAL_FAILURE:
                    raise
                failures = [Failure(number, error.text) for number in recipients]
            self._groups.refresh()
        return failures


def article_of(item: Item, groups: Sequence[str]) -> bytes:
    """The item as an article (RFC 5536 3.1.4): no recipients but the groups."""
    now = time.time_ns() // 1_000_000
    letter = b"".join(convert.to_mime(Item(dict(item.props), [], item.attachments), now_ms=now))
    head, blank, body = letter.partition(b"\r\n\r\n")
    kept = re.sub(rb"(?im)^newsgroups:.*(?:\r\n[ \t].*)*(?:\r\n|\Z)", b"", head + b"\r\n").removesuffix(
        b"\r\n"
    )
    return b"Newsgroups: " + ",".join(groups).encode() + b"\r\n" + kept + blank + body


def _open(options: Mapping[str, str]) -> Opened:
    context = smtp.context(options)

    def connect() -> Connection:
        return Connection(
            options["host"], int(options["port"]), context=context, starttls=options["tls"] == "starttls",
            user=options["user"], password=options["password"],
        )  # fmt: skip

    newsrc = Newsrc(Path(options["newsrc"]).expanduser()) if options["newsrc"] else None
    groups = Groups(connect, options["groups"], newsrc)
    who = f"nntp:{options['user']}@{options['host']}:{options['port']}"
    store = NewsStore(options["name"] or options["host"], who, groups, poll_s=float(options["poll"]))
    return Opened(
        store=store, transport=Posting(groups), identity=identity.of(options["address"], options["name"])
    )


_DEFAULTS = {"port": "563", "user": "", "password": ""}
SERVICE = Service(
    name="NNTP",
    title="News",
    open=_open,
    options=(
        *[
            Option(each.name, each.help, _DEFAULTS.get(each.name, each.default), each.secret)
            for each in imap.CONNECTION
        ],
        Option("groups", "which groups, as a wildmat", "*"),
        Option("newsrc", "a file that keeps what was read; empty: nothing is kept", ""),
        Option("address", "the poster's address", ""),
        Option("name", "how the server, and the poster, is called", ""),
        Option("poll", "seconds between two looks at a watched server", "60"),
    ),
    resources=frozenset(("store", "transport")),
)
