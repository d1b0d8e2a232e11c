"""All that a client can ask, as values (RFC 9051 6, RFC 3501 6 and the extensions named below).

Names of mailboxes and search texts stay octets here: what they mean depends on the session (UTF-7 or
UTF-8) and on the command's charset.
"""

from __future__ import annotations

import enum
from datetime import date
from typing import Literal

from quintet.imap.annotation_values import Asked
from quintet.imap.append_commands import Stretch
from quintet.imap.sets import NumberSet
from quintet.store.entry_annotations import Remark
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    tag: bytes


# --- any state (RFC 9051 6.1) ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """RFC 9051 6.1.1."""


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """RFC 9051 6.1.2."""


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """RFC 9051 6.1.3."""


@dataclass(frozen=True, slots=True)
class Id(Command):
    """RFC 2971 3.1."""

    fields: tuple[tuple[bytes, bytes | None], ...]


# --- not authenticated (RFC 9051 6.2) -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """RFC 9051 6.2.1."""


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """RFC 9051 6.2.2; ``initial`` is base64 as it came, "=" for empty (RFC 4959 3), None for none."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Login(Command):
    """RFC 9051 6.2.3."""

    user: bytes
    password: bytes


# --- authenticated (RFC 9051 6.3) -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """RFC 9051 6.3.1."""

    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Resync:
    """QRESYNC's parameters (RFC 7162 3.2.5): what the client knows."""

    uid_validity: int
    modseq: int
    known_uids: NumberSet | None = None
    known_sequence: NumberSet | None = None  # with known_sequence_uids: pairs that the client still has
    known_sequence_uids: NumberSet | None = None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT and EXAMINE (RFC 9051 6.3.2, 6.3.3; parameters: RFC 4466 2.1)."""

    mailbox: bytes
    read_only: bool
    condstore: bool = False
    resync: Resync | None = None
    annotate: bool = False  # RFC 5257 4.2


@dataclass(frozen=True, slots=True)
class Create(Command):
    """RFC 9051 6.3.4; ``use`` holds special-use attributes (RFC 6154 3)."""

    mailbox: bytes
    use: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """RFC 9051 6.3.5."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RFC 9051 6.3.6."""

    source: bytes
    target: bytes


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """SUBSCRIBE and UNSUBSCRIBE (RFC 9051 6.3.7, 6.3.8)."""

    mailbox: bytes
    wanted: bool


@dataclass(frozen=True, slots=True)
class List(Command):
    """LIST with its options (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154)."""

    reference: bytes
    patterns: tuple[bytes, ...]
    select: frozenset[bytes] = frozenset()  # SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE
    give: frozenset[bytes] = frozenset()  # SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS
    status: tuple[bytes, ...] = ()
    extended: bool = False
    metadata: tuple[str, ...] = ()  # RFC 9590


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    """RFC 3501 6.3.9."""

    reference: bytes
    pattern: bytes
    remote: bool = False  # RLSUB (RFC 2193 5.2)


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """RFC 9051 6.3.10."""


@dataclass(frozen=True, slots=True)
class Status(Command):
    """RFC 9051 6.3.11."""

    mailbox: bytes
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Append(Command):
    """RFC 9051 6.3.12; more may follow the literal of ``first`` (RFC 3502, RFC 4469)."""

    mailbox: bytes
    first: Stretch


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """RFC 9051 6.3.13."""


@dataclass(frozen=True, slots=True)
class Done(Command):
    """Ends IDLE; has no tag."""


@dataclass(frozen=True, slots=True)
class GenUrlAuth(Command):
    """RFC 4467, BASE.6.3.GENURLAUTH: URLs, each with a mechanism in upper case."""

    pairs: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class UrlFetch(Command):
    """RFC 4467, BASE.6.3.URLFETCH: URLs, each with what is asked of it; nothing: as RFC 4467 has it.

    Of BODY, BINARY, BODYPARTSTRUCTURE (RFC 5524 3.1).
    """

    urls: tuple[tuple[bytes, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True)
class ResetKey(Command):
    """RFC 4467, BASE.6.3.RESETKEY; without a mailbox: of all."""

    mailbox: bytes | None


# --- selected (RFC 9051 6.4) ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check(Command):
    """RFC 3501 6.4.1."""


@dataclass(frozen=True, slots=True)
class Close(Command):
    """RFC 9051 6.4.1."""


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """RFC 9051 6.4.2."""


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """RFC 9051 6.4.3; with ``uids`` UID EXPUNGE (6.4.9)."""

    uids: NumberSet | None = None


class Compare(enum.Enum):
    """How a date or size is compared with the message's."""

    BELOW = enum.auto()  # BEFORE, SMALLER
    EQUAL = enum.auto()  # ON
    FROM = enum.auto()  # SINCE: this day or later
    ABOVE = enum.auto()  # LARGER


class When(enum.Enum):
    """Which date of a message."""

    RECEIVED = enum.auto()
    SENT = enum.auto()
    SAVED = enum.auto()  # RFC 8514


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """OLD's opposite where nothing is recent, and what can never match."""


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    left: Key
    right: Key


@dataclass(frozen=True, slots=True)
class Not:
    key: Key


@dataclass(frozen=True, slots=True)
class HasFlag:
    bit: int


@dataclass(frozen=True, slots=True)
class HasKeyword:
    name: bytes


@dataclass(frozen=True, slots=True)
class IsRecent:
    """RECENT (RFC 3501 6.4.4)."""


@dataclass(frozen=True, slots=True)
class Dated:
    when: When
    compare: Compare
    day: date


@dataclass(frozen=True, slots=True)
class Aged:
    """OLDER and YOUNGER (RFC 5032): seconds before now."""

    older: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class Sized:
    compare: Compare
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class InHeader:
    """HEADER, FROM, TO, CC, BCC, SUBJECT; an empty text asks for the field's presence."""

    field: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class InText:
    """BODY and TEXT."""

    text: bytes
    with_header: bool


@dataclass(frozen=True, slots=True)
class Numbered:
    numbers: NumberSet
    uid: bool


@dataclass(frozen=True, slots=True)
class ChangedFrom:
    """MODSEQ (RFC 7162 3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class WithId:
    """EMAILID and THREADID (RFC 8474 6)."""

    thread: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """FUZZY (RFC 6203 3): the key within need not match to the letter."""

    key: Key


@dataclass(frozen=True, slots=True)
class Filtered:
    """FILTER (RFC 5466 3.1): the criteria stored under a name; looked up when the command runs."""

    name: bytes


@dataclass(frozen=True, slots=True)
class WithRemark:
    """ANNOTATION (RFC 5257 4.8): a value of an entry holds a text; None: it has no value."""

    entry: str  # may hold wildcards
    kinds: tuple[bool, ...]  # of False (private) and True (shared)
    text: bytes | None


Key = (
    Everything | Nothing | And | Or | Not | HasFlag | HasKeyword | IsRecent | Dated | Aged | Sized
    | InHeader | InText | Numbered | ChangedFrom | WithId | Fuzzy | Filtered | WithRemark
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Searching(Command):
    """What SEARCH, SORT and ESEARCH have in common.

    ``give`` is None without RETURN, else of MIN MAX ALL COUNT (RFC 4731), SAVE (RFC 5182), PARTIAL CONTEXT
    UPDATE (RFC 5267), RELEVANCY (RFC 6203).  ``partial``: two results, from 1, and all between
    them; negative ones count from the end (RFC 9394 3.1).
    """

    uid: bool
    key: Key
    charset: bytes = b"UTF-8"
    give: frozenset[bytes] | None = None
    partial: tuple[int, int] | None = None
    items: tuple[Item, ...] = ()  # to fetch of a new message in the results (RFC 5465 7)


@dataclass(frozen=True, slots=True)
class Search(Searching):
    """RFC 9051 6.4.4."""


@dataclass(frozen=True, slots=True)
class Section:
    """What of a message BODY[...] means (RFC 9051 6.4.5.1): a part, and what of it."""

    path: tuple[int, ...] = ()
    text: bytes = b""  # "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME
    fields: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to fetch; ``label`` is how it is called in the answer."""

    name: bytes  # FLAGS UID ... BODY[ RFC822 RFC822.HEADER RFC822.TEXT BINARY[ BINARY.SIZE[
    section: Section | None = None
    partial: tuple[int, int] | None = None  # first octet, octets
    peek: bool = True
    label: bytes = b""
    asked: Asked | None = None  # of ANNOTATION


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """RFC 9051 6.4.5; modifiers: RFC 7162 3.1.4.1 and 3.2.6."""

    uid: bool
    numbers: NumberSet
    items: tuple[Item, ...]
    changed_since: int | None = None
    vanished: bool = False
    partial: tuple[int, int] | None = None  # RFC 9394 3.3, with UID: as of `Searching`


@dataclass(frozen=True, slots=True)
class Store(Command):
    """RFC 9051 6.4.6; ``unchanged_since``: RFC 7162 3.1.3."""

    uid: bool
    numbers: NumberSet
    mode: Literal["+", "-", "="]
    flags: tuple[bytes, ...]
    silent: bool = False
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Annotate(Command):
    """STORE of ANNOTATION (RFC 5257 4.5)."""

    uid: bool
    numbers: NumberSet
    remarks: tuple[Remark, ...]
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY and MOVE (RFC 9051 6.4.7, 6.4.8)."""

    uid: bool
    numbers: NumberSet
    mailbox: bytes
    move: bool


@dataclass(frozen=True, slots=True)
class Replace(Append):
    """REPLACE (RFC 8508): an APPEND in whose place message ``number`` of the selected mailbox goes."""

    uid: bool
    number: NumberSet  # of one number
