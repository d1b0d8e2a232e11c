"""IMAP: an account on any IMAP server, and the submission server beside it (by `IMAPClient` and `smtplib`).

A message's key is its folder's UIDVALIDITY and its UID, so an id never means another message.
"""

from __future__ import annotations

import contextlib
import datetime
import imaplib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import imapclient
from imapclient import IMAPClient, imap_utf7
from imapclient.exceptions import IMAPClientError, ProtocolError

from quintet.mapi.bag import Data
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import identity, imaplink, mailboxes, smtp
from quintet.mapi.providers.base import Can, Opened, Option, Service, Special
from quintet.mapi.providers.mailboxes import Head, Mailboxes, Marks, Place
from quintet.mapi.providers.mailstore import MailStore

LARGE = 1024 * 1024  # bytes of a message that is fetched piece by piece
PIECE = 16 * 1024 * 1024  # bytes of a message in one FETCH
PAGE = 200  # messages in one FETCH

_FLAGS = {
    b"\\Seen": mailboxes.READ,
    b"\\Answered": mailboxes.ANSWERED,
    b"\\Flagged": mailboxes.FLAGGED,
    b"\\Draft": mailboxes.DRAFT,
}
_WORDS = {mark: flag for flag, mark in _FLAGS.items()}
_USES = {
    b"\\Sent": Special.SENT,
    b"\\Trash": Special.DELETED,
    b"\\Drafts": Special.DRAFTS,
    b"\\Junk": Special.JUNK,
}
_ATOM = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]+")
_LISTING: Final = "(BODY.PEEK[HEADER] BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"
# parts that tell what a message is, so that its header alone does not
_TELLING = (b"calendar", b"vcard", b"ms-tnef", b"report", b"signed", b"pkcs7-mime", b"x-pkcs7-mime")
T = TypeVar("T")


class ImapBoxes(Mailboxes):
    """One connection; it is made anew when it was lost.  ``connect`` gives one that is logged in."""

    can = Can.SAVE | Can.FOLDERS | Can.READ_MARKS | Can.PROPS

    def __init__(self, connect: Callable[[], IMAPClient]) -> None:
        self._connect = connect
        self._client: IMAPClient | None = None
        self._selected = ""
        self._validity = 0
        self._separator = "/"
        self._places: list[Place] | None = None
        self._call(lambda client: None)

    # --- the connection

    def _call(self, work: Callable[[IMAPClient], T]) -> T:
        """Does something, once more over a new connection if the old one was lost.

        Raises MapiError(NETWORK_ERROR, ACCESS_DENIED and others that the server's words mean).
        """
        for last in (False, True):
            if self._client is None:
                self._client = self._connect()
                self._selected = ""
            try:
                return work(self._client)
            except (imaplib.IMAP4.abort, OSError) as error:
                self._drop_connection()
                if last:
                    raise MapiError(Code.NETWORK_ERROR, str(error)) from error
            except ProtocolError as error:
                self._drop_connection()
                raise MapiError(Code.CORRUPT_DATA, str(error)) from error
            except IMAPClientError as error:
                raise _meaning(str(error)) from error
            except imaplink.NONSENSE as error:
                self._drop_connection()  # who knows where in its answer we are
                raise MapiError(Code.CORRUPT_DATA, f"the server answers nonsense: {error!r}") from error
        raise AssertionError("a loop of two")

    def _once(self, work: Callable[[IMAPClient], T]) -> T:
        """Does what would be done twice if it were done again: over a connection that is there."""
        self._call(lambda client: client.noop())
        tried = False

        def once(client: IMAPClient) -> T:
            nonlocal tried
            if tried:
                raise MapiError(Code.NETWORK_ERROR, "the connection was lost; who knows whether it was done")
            tried = True
            return work(client)

        return self._call(once)

    def _drop_connection(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client.shutdown()

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                self._client.logout()
            self._drop_connection()  # `logout` leaves it open where the server does not answer

    def refresh(self) -> None:
        self._places = None
        self._call(lambda client: client.noop())

    # --- folders

    def places(self) -> list[Place]:
        if self._places is None:
            self._places = mailboxes.with_parents(self._call(self._list))
        return self._places

    def _list(self, client: IMAPClient) -> list[Place]:
        found = []
        by_use: set[Special] = set()
        for flags, separator, name in client.list_folders():
            self._separator = (separator or b"/").decode()
            path = self._path_of(_decoded(name))
            if not path:
                continue
            special = next((_USES[flag] for flag in flags if flag in _USES), None)
            if path.upper() == "INBOX":
                path, special = "INBOX", Special.INBOX
            by_use |= {special} if special else set()
            found.append(Place(path, special, b"\\Noselect" not in flags and b"\\NonExistent" not in flags))
        return [
            Place(one.path, guess, one.holds)
            if one.special is None and (guess := mailboxes.special_of(one.path)) and guess not in by_use
            else one
            for one in found
        ]

    def _path_of(self, name: str) -> str:
        return name if self._separator == "/" else name.replace("/", "\u2215").replace(self._separator, "/")

    def _name(self, path: str) -> bytes:
        name = path if self._separator == "/" else path.replace("/", self._separator).replace("\u2215", "/")
        return bytes(imap_utf7.encode(name))

    def make(self, path: str) -> None:
        self._call(lambda client: client.create_folder(self._name(path)))
        with contextlib.suppress(MapiError):
            self._call(lambda client: client.subscribe_folder(self._name(path)))
        self._places = None

    def rename(self, path: str, new: str) -> None:
        self._leave(path)
        self._call(lambda client: client.rename_folder(self._name(path), self._name(new)))
        self._places = None

    def drop(self, path: str) -> None:
        for place in reversed(self.places()):
            if place.holds and f"{place.path}/".startswith(f"{path}/"):
                name = self._name(place.path)
                self._leave(place.path)
                self._call(lambda client, name=name: client.delete_folder(name))  # type: ignore[misc]
        self._places = None

    def _leave(self, path: str) -> None:
        """A folder that is selected may not be renamed or deleted on some servers."""
        if self._selected and f"{self._selected}/".startswith(f"{path}/"):
            self._call(lambda client: client.unselect_folder() if client.has_capability("UNSELECT") else None)
            self._selected = ""

    def _select(self, client: IMAPClient, path: str) -> bool:
        """Whether it was not selected before."""
        if self._selected == path:
            return False
        self._selected = ""
        told = client.select_folder(self._name(path))
        self._selected, self._validity = path, int(told[b"UIDVALIDITY"])
        return True

    # --- messages

    def _in(self, path: str, work: Callable[[IMAPClient], T]) -> T:
        def selected(client: IMAPClient) -> T:
            self._select(client, path)
            return work(client)

        return self._call(selected)

    def _key(self, uid: int) -> str:
        return f"{self._validity}-{uid}"

    def _uid(self, key: str) -> int | None:
        """None: a key of other times, or none at all."""
        validity, dash, uid = key.partition("-")
        if not (dash and validity.isdecimal() and uid.isdecimal()) or int(validity) != self._validity:
            return None
        return int(uid)

    def keys(self, path: str) -> Sequence[str]:
        if path not in {place.path for place in self.places()}:
            raise MapiError(Code.NOT_FOUND)

        def search(client: IMAPClient) -> list[int]:
            if not self._select(client, path):
                client.noop()  # brings what came since it was selected
            return sorted(client.search("ALL"))

        return [self._key(uid) for uid in self._call(search)]

    def _fetch(self, path: str, keys: Sequence[str], what: str) -> Iterator[tuple[str, dict[bytes, Any]]]:
        self._in(path, lambda client: None)  # so that the keys' validity can be compared
        uids = [uid for key in keys if (uid := self._uid(key)) is not None]
        for start in range(0, len(uids), PAGE):
            page = uids[start : start + PAGE]
            found = self._in(path, lambda client, page=page: client.fetch(page, [what[1:-1]]))  # type: ignore[misc]
            yield from [(self._key(uid), found[uid]) for uid in page if uid in found]

    def heads(self, path: str, keys: Sequence[str]) -> dict[str, Head]:
        found, telling = {}, []
        for key, one in self._fetch(path, keys, _LISTING):
            size = _told(one, b"RFC822.SIZE", int)
            kinds = _kinds_of(_told(one, b"BODYSTRUCTURE", tuple))
            attached = any(kind.startswith(b"!") for kind in kinds)
            header = _told(one, b"BODY[HEADER]", bytes)
            at = _ms(_told(one, b"INTERNALDATE", datetime.datetime))
            found[key] = Head(header, False, size, at, attached)
            if size <= LARGE and any(word in kind for kind in kinds for word in _TELLING):
                telling.append(key)
        for key, one in self._fetch(path, telling, "(BODY.PEEK[])"):
            head = found[key]
            found[key] = Head(_told(one, b"BODY[]", bytes), True, head.size, head.received_ms)
        return found

    def marks(self, path: str, keys: Sequence[str]) -> dict[str, Marks]:
        if path not in {place.path for place in self.places()}:
            return {}
        return {
            key: frozenset([_mark(flag) for flag in _told(one, b"FLAGS", tuple) if flag != b"\\Recent"])
            for key, one in self._fetch(path, keys, "(FLAGS)")
        }

    def _status(self, path: str, what: str) -> int:
        name = self._name(path)
        return int(self._call(lambda client: client.folder_status(name, [what])).get(what.encode(), 0))

    def count(self, path: str) -> int:
        return self._status(path, "MESSAGES")

    def unread(self, path: str) -> int:
        return self._status(path, "UNSEEN")

    def message(self, path: str, key: str) -> bytes | Data:
        for _, one in self._fetch(path, [key], "(RFC822.SIZE)"):
            size = _told(one, b"RFC822.SIZE", int)
            if size > LARGE:
                return _Remote(self, path, key, size)
            return self.piece(path, key, 0, size)
        raise MapiError(Code.NOT_FOUND)

    def piece(self, path: str, key: str, start: int, size: int) -> bytes:
        """Some bytes of a message; fewer when it went away."""
        found = b""
        while len(found) < max(size, 1):
            most = min(max(size - len(found), 1), PIECE)
            at = start + len(found)
            one = next(iter(self._fetch(path, [key], f"(BODY.PEEK[]<{at}.{most}>)")), None)
            told = one[1].get(b"BODY[]<%d>" % at) if one is not None else None
            if not told or not isinstance(told, bytes):
                break
            found += told[:most]
            if len(told) < most:
                break
        return found

    def add(self, path: str, pieces: Iterable[bytes], marks: Marks, received_ms: int) -> str:
        content = b"".join(pieces)
        flags = _flags(marks)
        at = datetime.datetime.fromtimestamp(received_ms / 1000, datetime.UTC)

        def append(client: IMAPClient) -> Any:
            return client.append(self._name(path), content, flags, at)

        answer = self._once(append)
        self._in(path, lambda client: client.noop())
        found = re.search(rb"APPENDUID (\d+) (\d+)", answer if isinstance(answer, bytes) else b"")
        uid = int(found[2]) if found else max(self._in(path, lambda client: client.search("ALL")))
        return self._key(uid)

    def mark(self, path: str, keys: Collection[str], add: Marks, remove: Marks) -> None:
        self._in(path, lambda client: None)
        uids = [uid for key in keys if (uid := self._uid(key)) is not None]
        if uids and add:
            self._in(path, lambda client: client.add_flags(uids, _flags(add), silent=True))
        if uids and remove:
            self._in(path, lambda client: client.remove_flags(uids, _flags(remove), silent=True))

    def transfer(self, path: str, keys: Sequence[str], target: str, *, keep: bool) -> list[str]:
        here = dict(self._fetch(path, keys, "(FLAGS)"))
        uids = {key: self._uid(key) for key in keys if key in here}
        made: dict[int, int] = {}
        if uids:
            wanted = sorted([uid for uid in uids.values() if uid is not None])
            moving = not keep and self._call(lambda client: client.has_capability("MOVE"))
            name = self._name(target)

            def copy(client: IMAPClient) -> dict[int, int]:
                self._select(client, path)
                return _copied(client, wanted, name, moving=moving)

            made = self._once(copy)
            if not keep and not moving:
                self.remove(path, list(uids))
        self._in(target, lambda client: None)
        return [self._key(made[uid]) if (uid := uids.get(key)) in made and uid else "" for key in keys]

    def remove(self, path: str, keys: Collection[str]) -> int:
        uids = [
            uid for key, _ in self._fetch(path, list(keys), "(FLAGS)") if (uid := self._uid(key)) is not None
        ]
        if not uids:
            return 0

        def expunge(client: IMAPClient) -> None:
            client.add_flags(uids, [imapclient.DELETED], silent=True)
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(uids)
            else:
                client.expunge()

        self._in(path, expunge)
        return len(uids)


class _Remote:
    """A large message on the server (`bag.Data`)."""

    def __init__(self, boxes: ImapBoxes, path: str, key: str, size: int) -> None:
        self._boxes, self._path, self._key, self._size = boxes, path, key, size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, most: int) -> bytes:
        return self._boxes.piece(self._path, self._key, start, min(most, self._size - start))


def _copied(client: IMAPClient, uids: list[int], target: bytes, *, moving: bool) -> dict[int, int]:
    """By UID: the UID of the copy, as COPYUID tells (RFC 4315 section 3)."""
    verb = b"MOVE" if moving else b"COPY"
    answer = (client.move if moving else client.copy)(uids, target)
    told = answer if isinstance(answer, bytes) else b""
    found = re.search(rb"COPYUID \d+ (\S+) ([^\s\]]+)", told)
    if found is None:  # MOVE tells it in an untagged response
        for line in client._imap.untagged_responses.pop("OK", []) + client._imap.untagged_responses.pop(
            "COPYUID", []
        ):
            found = found or re.search(rb"(?:COPYUID )?\d+ ([\d,:]+) ([\d,:]+)", line or b"")
    if found is None:
        raise MapiError(Code.NOT_COMPLETED, f"the server does not tell what {verb.decode()} made")
    made = dict(zip(_numbers(found[1], len(uids)), _numbers(found[2], len(uids)), strict=False))
    return {uid: copy for uid, copy in made.items() if uid in uids}


def _numbers(text: bytes, most: int) -> list[int]:
    """A set of UIDs, "3:5,9", in its order; its first ``most``, however many a server says there are."""
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        low, high = int(first), int(last or first)
        room = most - len(found)
        found += (range(low, high + 1) if low <= high else range(low, high - 1, -1))[:room]
    return found


def _told(one: Mapping[bytes, Any], name: bytes, kind: type[T]) -> T:
    """What a FETCH was asked for.  Raises MapiError(CORRUPT_DATA): the server left it out, or said NIL."""
    found = one.get(name)
    if not isinstance(found, kind):
        raise MapiError(Code.CORRUPT_DATA, f"the server does not tell {name.decode()}")
    return found


def _decoded(name: bytes | str) -> str:
    """A mailbox's name; "": it is none of modified UTF-7 (RFC 3501 5.1.3), so nobody could select it."""
    raw = name if isinstance(name, bytes) else name.encode()
    try:
        found = str(imap_utf7.decode(raw))
        return found if raw.isascii() and "\0" not in found and found.encode() else ""
    except UnicodeError:
        return ""


def _kinds_of(structure: Any) -> set[bytes]:
    """See `_kinds`; of a structure that is none nothing is known."""
    try:
        return set(_kinds(structure))
    except (IndexError, TypeError, ValueError, RecursionError):
        return set()


def _kinds(structure: Any) -> Iterator[bytes]:
    """Subtypes of a BODYSTRUCTURE's parts; "!" before one that is attached."""
    if isinstance(structure[0], list):
        for part in structure[0]:
            yield from _kinds(part)
        yield _word(structure[1])
        return
    kind, subtype = _word(structure[0]), _word(structure[1])
    disposition = next(
        (one for one in structure if isinstance(one, tuple) and one and _is_attached(one)), None
    )
    named = isinstance(structure[2], tuple) and any(
        isinstance(word, bytes) and word.lower() == b"name" for word in structure[2][::2]
    )
    attached = disposition is not None or (named and kind != b"text") or kind == b"message"
    yield (b"!" if attached else b"") + subtype


def _word(one: Any) -> bytes:
    return one.lower() if isinstance(one, bytes) else b""


def _is_attached(one: tuple[Any, ...]) -> bool:
    return isinstance(one[0], bytes) and one[0].lower() == b"attachment"


def _mark(flag: object) -> str:
    if not isinstance(flag, bytes):  # a keyword of digits is a number to the library
        return str(flag)
    return _FLAGS.get(flag) or flag.decode("utf-8", "replace").lstrip("\\")


def _flags(marks: Marks) -> list[bytes]:
    """Raises MapiError(NOT_SUPPORTED): a category that no IMAP keyword can say (RFC 9051 section 9)."""
    for mark in marks:
        if mark not in _WORDS and not _ATOM.fullmatch(mark):
            raise MapiError(Code.NOT_SUPPORTED, f"IMAP has no keywords like {mark!r}")
    return [_WORDS.get(mark) or mark.encode() for mark in sorted(marks)]


def _ms(at: datetime.datetime) -> int:
    """IMAPClient gives local time without a zone; 0: it is out of all times."""
    try:
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0


def _meaning(text: str) -> MapiError:
    """What a NO or BAD means, by its response code (RFC 9051 7.1)."""
    for word, code in _MEANINGS.items():
        if word in text.upper():
            return MapiError(code, text)
    return MapiError(Code.GENERAL_FAILURE, text)


_MEANINGS = {
    "ALREADYEXISTS": Code.COLLIDING_NAMES,
    "NONEXISTENT": Code.NOT_FOUND,
    "NOPERM": Code.ACCESS_DENIED,
    "OVERQUOTA": Code.QUOTA_EXCEEDED,
    "CANNOT": Code.NOT_SUPPORTED,
    "INUSE": Code.SERVER_BUSY,
    "UNAVAILABLE": Code.SERVER_BUSY,
}


def _open(options: Mapping[str, str]) -> Opened:
    address = options["address"] or options["user"]
    boxes = ImapBoxes(imaplink.connector(options))
    store = MailStore(
        options["name"] or address,
        f"imap:{options['user']}@{options['host']}:{options['port']}",
        boxes,
        poll_s=float(options["poll"]),
    )
    return Opened(store=store, transport=submission(options), identity=identity.of(address, options["name"]))


def submission(options: Mapping[str, str]) -> smtp.SmtpTransport | None:
    """The transport beside a store, with the same login; None where no server is named."""
    if not options["smtp_host"]:
        return None
    sending = {name: options[f"smtp_{name}"] for name in ("host", "port", "tls")}
    login = {name: options[name] if options["smtp_login"] == "yes" else "" for name in ("user", "password")}
    return smtp.SmtpTransport(sending | login | {"ca_file": options["ca_file"]})


CONNECTION = (
    Option("host", "the server"),
    Option("port", "its port", "993"),
    Option("tls", "yes, starttls or no", "yes"),
    Option("ca_file", "certificates to trust instead of the system's", ""),
    Option("user", "the account"),
    Option("password", "its password", secret=True),
)
SENDING = (
    Option("smtp_host", "the server that takes what is sent; empty: nothing is sent", ""),
    Option("smtp_port", "its port", "465"),
    Option("smtp_tls", "yes, starttls or no", "yes"),
    Option("smtp_login", "no: it takes what comes from here without a password", "yes"),
    Option("address", "the sender's address; empty: the user", ""),
    Option("name", "how the person is called", ""),
)
SERVICE = Service(
    name="IMAP",
    title="IMAP and submission",
    open=_open,
    options=(
        *CONNECTION,
        *SENDING,
        Option("poll", "seconds between two looks at a watched mailbox", "15"),
    ),
    resources=frozenset(("store", "transport")),
)
