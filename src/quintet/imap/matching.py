"""A search key becomes a question to ask of each message (RFC 9051 6.4.4).

What a row of the store answers is asked first, headers next, texts last.  The scan runs in a reader
thread, page by page; nothing here knows sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import commands, sets
from quintet.imap import format as fmt
from quintet.imap.annotation_values import matcher
from quintet.imap.commands import Compare, When
from quintet.message import collation, words
from quintet.message.digest import Digest
from quintet.store import entry_annotations as remarks
from quintet.store import search
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.store.model import AccountId, BodyRef

DAY = 86_400_000  # ms
COLUMNS = (
    "uid", "flags", "keywords", "modseq", "received_at", "saved_at", "size", "message_row",
    "sent_at", "thread_key", "prefix",
)  # fmt: skip
UID, FLAGS, KEYWORDS, MODSEQ, RECEIVED, SAVED, SIZE, MESSAGE, SENT, THREAD, PREFIX = range(11)
OWN = 8  # columns that need no look at the message
MANY = 500  # messages that the index leaves over: fewer are looked into one by one
FEW = 8  # digests of a page that are read one by one before all are, and bodies before some
TOGETHER = 20  # bodies read by one query: a third of the time
ROW, HEADER, TEXT = 0, 1, 2  # what a question needs: costs about 0.2, 20, 200 us a message

Row = tuple[Any, ...]


class Reader:
    """What of one page of messages is not in the rows; read when first asked for."""

    def __init__(
        self,
        uids: Iterable[int],
        digests: Callable[[list[int]], dict[Any, Digest]],
        bodies: Callable[[list[int]], dict[Any, BodyRef]],
        read: Callable[[BodyRef], bytes],
        annotations: Callable[[list[int], AccountId], list[remarks.Live]] = lambda _uids, _account: [],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``check`` is asked before each look into a message; it raises when that shall end."""
        self._uids = list(uids)
        self._check = check
        self._fetch_digests, self._fetch_bodies, self._read = digests, bodies, read
        self._digests: dict[Any, Digest] = {}
        self._bodies: dict[Any, BodyRef] = {}
        self._annotations = annotations
        self._asked = self._opened = 0
        self._document: tuple[int, search.Document | None] = (0, None)
        self._remarks: tuple[int, AccountId, list[remarks.Live]] = (0, remarks.SHARED, [])
        self._images: tuple[int, dict[tuple[bytes, str], list[str]]] = (0, {})

    def digest(self, row: Row) -> Digest | None:
        """One by one for the few that an index left over, in one query when it seems to be all of them."""
        uid = row[UID]
        if uid not in self._digests and self._asked <= FEW:
            self._asked += 1
            self._digests.update(self._fetch_digests([uid] if self._asked <= FEW else self._uids))
        return self._digests.get(uid)

    def body(self, row: Row) -> bytes:
        """Prefix and blob."""
        uid = row[UID]
        if uid not in self._bodies:
            self._opened += 1
            more = [uid] if self._opened <= FEW else self._uids[self._uids.index(uid) :][:TOGETHER]
            self._bodies = self._fetch_bodies(more)  # one at a time, or a mebibyte
        found = self._bodies.pop(uid, None)
        return self._read(found) if found is not None else b""

    def document(self, row: Row) -> search.Document | None:
        """The message as text search sees it, None for what has no content; the last one is kept.

        Its body is read when needed.
        """
        self._check()
        if self._document[0] != row[UID]:
            self._document = (0, None)  # one body at a time
            self._document = (row[UID], self._opened_document(row))
        return self._document[1]

    def _opened_document(self, row: Row) -> search.Document | None:
        digest = self.digest(row)
        if digest is None:
            return None
        body: list[bytes] = []
        before = len(row[PREFIX])

        def read(start: int, end: int) -> bytes:
            if not body:
                body.append(self.body(row))
            return body[0][start + before : end + before]

        return search.Document(digest, row[PREFIX], read)

    def values(self, row: Row, field: bytes, comparator: collation.Collation) -> list[str]:
        """The images of a message's fields of a name; those of the last one are kept for other questions."""
        self._check()
        if self._images[0] != row[UID]:
            self._images = (row[UID], {})
        name, known = (field, comparator.name), self._images[1]
        if name not in known:
            raw = values_of(field, row[PREFIX], self.digest(row))
            known[name] = [comparator.image(words.decode_words(value)) for value in raw]
        return known[name]

    def annotations(self, row: Row, account: AccountId) -> list[remarks.Live]:
        self._check()
        if self._remarks[:2] != (row[UID], account):
            self._remarks = (row[UID], account, self._annotations([row[UID]], account))
        return self._remarks[2]


class Needle:
    """A text that is looked for, and what the index of trigrams knows of it."""

    __slots__ = ("candidates", "comparator", "few", "field", "indexed", "required", "text", "upto")

    def __init__(
        self, text: str, comparator: collation.Collation = collation.CASEMAP, field: bytes = b""
    ) -> None:
        self.text = comparator.image(text)
        self.comparator = comparator
        self.field = field  # the header field (lower case) that alone is looked into
        self.indexed = search.fold(text)  # every comparator's matches are among this one's
        self.required = False  # what does not hold it cannot match
        self.upto = 0  # messages up to this row are in the index
        self.candidates: Container[int] = ()  # those of them that may hold the text
        self.few: list[int] | None = None  # the same one by one, where they are few and known

    @property
    def is_common(self) -> bool:
        """The index leaves many messages over, or knows nothing of it."""
        return self.few is None or len(self.few) > MANY

    def may_be_in(self, message_row: int) -> bool:
        return message_row > self.upto or message_row in self.candidates


@dataclass(frozen=True, slots=True)
class Question:
    """``ask(row, reader)``; ``cost`` is one of ROW, HEADER, TEXT."""

    cost: int
    ask: Callable[[Row, Reader], bool]
    needles: tuple[Needle, ...] = ()
    joined: bool = False  # asks for columns behind `OWN`
    score: Callable[[Row, Reader], int] | None = None  # how well a match matches, 1 to 100 (RFC 6203 4)


@dataclass(frozen=True, slots=True)
class Context:
    """What keys mean beyond the message: numbers, marks, now."""

    charset: bytes
    now: int  # ms, UTC
    ranges: Callable[[sets.NumberSet, bool], list[tuple[int, int]]]  # a set as UID ranges
    is_recent: Callable[[int], bool]
    comparator: collation.Collation = collation.CASEMAP
    account: AccountId = remarks.SHARED  # whose private annotations are looked at


def compile_key(key: commands.Key, context: Context) -> Question:
    """The question that ``key`` asks.

    Raises:
        Refused(UNKNOWN_CHARSET): not one of Python's text codecs, or the texts are not in it.
    """
    return _BUILDERS[type(key)](key, context)


def require(key: commands.Key, context: Context) -> Question:
    """As `compile_key`, for the whole of a search: what stands at its top must match."""
    if not isinstance(key, commands.And):
        question = compile_key(key, context)
        if isinstance(key, commands.InText | commands.InHeader | commands.Fuzzy):
            for needle in question.needles:
                needle.required = True
        return question
    return _joined([require(one, context) for one in key.keys])


def codec(charset: bytes) -> str:
    """Python's codec of a charset name.  Raises Refused(UNKNOWN_CHARSET)."""
    if charset.upper() == b"US-ASCII":
        return "ascii"  # strictly: letters that lie are forgiven, a client is not
    name = words.codec_name(charset.decode("ascii", "replace"))
    if name is None:
        raise Refused(Reason.UNKNOWN_CHARSET)
    return name


def decoded(text: bytes, context: Context) -> str:
    """A search text in the command's charset.  Raises Refused(UNKNOWN_CHARSET)."""
    try:
        return text.decode(codec(context.charset))
    except UnicodeDecodeError as error:
        raise Refused(Reason.UNKNOWN_CHARSET, "text is not in its charset") from error


# --- what rows answer --------------------------------------------------------------------------------


def _everything(_: commands.Everything, __: Context) -> Question:
    return Question(ROW, lambda _row, _reader: True)


def _nothing(_: commands.Nothing, __: Context) -> Question:
    return Question(ROW, lambda _row, _reader: False)


def _flag(key: commands.HasFlag, _: Context) -> Question:
    bit = key.bit
    return Question(ROW, lambda row, _: bool(row[FLAGS] & bit))


def _keyword(key: commands.HasKeyword, _: Context) -> Question:
    if key.name.startswith(b"\\"):
        bit = fmt.FLAG_BITS.get(key.name.upper(), 0)
        return Question(ROW, lambda row, _: bool(row[FLAGS] & bit))
    wanted = f" {key.name.decode('ascii').lower()} "
    return Question(ROW, lambda row, _: wanted in row[KEYWORDS].lower())


def _recent(_: commands.IsRecent, context: Context) -> Question:
    return Question(ROW, lambda row, _: context.is_recent(row[UID]))


def _sized(key: commands.Sized, _: Context) -> Question:
    size = key.size
    if key.compare is Compare.ABOVE:
        return Question(ROW, lambda row, _: row[SIZE] > size)
    return Question(ROW, lambda row, _: row[SIZE] < size)


def _numbered(key: commands.Numbered, context: Context) -> Question:
    ranges = context.ranges(key.numbers, key.uid)
    return Question(ROW, lambda row, _: sets.contains(ranges, row[UID]))


def _changed(key: commands.ChangedFrom, _: Context) -> Question:
    modseq = key.modseq
    return Question(ROW, lambda row, _: row[MODSEQ] >= modseq)


def _with_id(key: commands.WithId, _: Context) -> Question:
    column, letter = (THREAD, "T") if key.thread else (MESSAGE, "M")
    wanted = key.value.decode("ascii")
    return Question(ROW, lambda row, _: f"{letter}{row[column]:x}" == wanted, joined=key.thread)


def _aged(key: commands.Aged, context: Context) -> Question:
    border = aged_from(key.seconds, context.now)
    if key.older:
        return Question(ROW, lambda row, _: row[RECEIVED] < border + 1000)
    return Question(ROW, lambda row, _: row[RECEIVED] >= border)


def aged_from(seconds: int, now: int) -> int:
    """Where the second begins that was ``seconds`` ago (ms, UTC); who arrived in it is both (RFC 5032 2)."""
    return (now // 1000 - seconds) * 1000


EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def _dated(key: commands.Dated, context: Context) -> Question:
    wanted = key.day.toordinal() - EPOCH  # days since 1970
    if key.when is When.SENT:
        return _sent(key.compare, wanted)
    column = SAVED if key.when is When.SAVED else RECEIVED
    start = wanted * DAY
    end = start + DAY
    if key.compare is Compare.BELOW:
        return Question(ROW, lambda row, _: row[column] < start)
    if key.compare is Compare.FROM:
        return Question(ROW, lambda row, _: row[column] >= start)
    return Question(ROW, lambda row, _: start <= row[column] < end)


def _sent(compare: Compare, wanted: int) -> Question:
    """By the day that the Date field shows, whatever its zone (RFC 9051 6.4.4).

    The row holds the moment; only near the border does the zone decide, and the field is looked at.
    """

    def ask(row: Row, reader: Reader) -> bool:
        moment = row[SENT] if row[SENT] is not None else row[RECEIVED]
        day = moment // DAY
        if abs(day - wanted) <= 1 and row[SENT] is not None:
            day = _shown_day(reader.digest(row), day)
        if compare is Compare.BELOW:
            return bool(day < wanted)
        return bool(day >= wanted) if compare is Compare.FROM else bool(day == wanted)

    return Question(ROW, ask, joined=True)


def _shown_day(digest: Digest | None, day: int) -> int:
    value = digest.header(b"Date") if digest is not None else None
    found = parsedate_tz(value.decode("latin-1")) if value else None
    if found is None:
        return day
    try:
        zone = timezone(timedelta(seconds=found[9] or 0))
        return datetime(found[0], found[1], found[2], tzinfo=zone).toordinal() - EPOCH
    except (ValueError, OverflowError):
        return day


def _with_remark(key: commands.WithRemark, context: Context) -> Question:
    """RFC 5257 4.8; what is no text is compared as what its octets would be (RFC 5257 7)."""
    matches, account, image = matcher(key.entry), context.account, context.comparator.image
    text = image(decoded(key.text, context)) if key.text is not None else None

    def ask(row: Row, reader: Reader) -> bool:
        values = [
            value
            for _, name, whose, value in reader.annotations(row, account)
            if (whose == remarks.SHARED) in key.kinds and matches(name)
        ]
        if text is None:
            return not values
        return any(text in image(value.decode("utf-8", "replace")) for value in values)

    return Question(HEADER, ask)


# --- what headers and texts answer ---------------------------------------------------------------------


def _in_header(key: commands.InHeader, context: Context) -> Question:
    needle = Needle(decoded(key.text, context), context.comparator, key.field.lower())
    text, field, comparator = needle.text, needle.field, context.comparator

    def ask(row: Row, reader: Reader) -> bool:
        if not text:  # RFC 9051 6.4.4: it matches every message with the field
            return bool(values_of(field, row[PREFIX], reader.digest(row)))
        if not needle.may_be_in(row[MESSAGE]):
            return False
        return any(text in value for value in reader.values(row, field, comparator))

    return Question(HEADER, ask, (needle,) if text else (), joined=True)


def values_of(field: bytes, prefix: bytes, digest: Digest | None) -> list[bytes]:
    """A message's fields of a name (lower case), ours before it among them."""
    values = digest.all(field) if digest is not None else []
    return [*_prefix_values(prefix, field), *values] if prefix else values


def _prefix_values(prefix: bytes, field: bytes) -> list[bytes]:
    """Fields of our own trace header, unfolded."""
    found = []
    for line in prefix.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and name.lower() == field:
            found.append(value.strip())
    return found


def _in_text(key: commands.InText, context: Context) -> Question:
    needle = Needle(decoded(key.text, context), context.comparator)
    if not needle.text:
        return Question(ROW, lambda _row, _reader: True)
    where: search.Where = "text" if key.with_header else "body"
    image = context.comparator.image

    def ask(row: Row, reader: Reader) -> bool:
        if not needle.may_be_in(row[MESSAGE]):
            return False
        document = reader.document(row)
        return document is not None and document.has(needle.text, where, fold=image)

    return Question(TEXT, ask, (needle,), joined=True)


# --- what joins them ------------------------------------------------------------------------------------


def _and(key: commands.And, context: Context) -> Question:
    return _joined([compile_key(one, context) for one in key.keys])


def _joined(questions: list[Question]) -> Question:
    parts = sorted(questions, key=lambda question: question.cost)
    asks = [part.ask for part in parts]
    needles = tuple(needle for part in parts for needle in part.needles)
    joined = any(part.joined for part in parts)
    return Question(
        parts[-1].cost,
        lambda row, reader: all(ask(row, reader) for ask in asks),
        needles,
        joined,
        _scores(parts),
    )


def _scores(parts: list[Question], *, matching: bool = False) -> Callable[[Row, Reader], int] | None:
    """The mean of what is fuzzy; with ``matching`` only of the parts that match."""
    rated = [(part.ask, part.score) for part in parts if part.score is not None]
    if not rated:
        return None

    def score(row: Row, reader: Reader) -> int:
        found = [rate(row, reader) for ask, rate in rated if not matching or ask(row, reader)]
        return sum(found) // len(found) if found else 1

    return score


def _or(key: commands.Or, context: Context) -> Question:
    one, other = sorted(
        (compile_key(key.left, context), compile_key(key.right, context)), key=lambda question: question.cost
    )
    needles = (*one.needles, *other.needles)
    joined = one.joined or other.joined
    score = _scores([one, other], matching=True)
    return Question(
        other.cost, lambda row, reader: one.ask(row, reader) or other.ask(row, reader), needles, joined, score
    )


def _not(key: commands.Not, context: Context) -> Question:
    part = compile_key(key.key, context)
    return Question(part.cost, lambda row, reader: not part.ask(row, reader), part.needles, part.joined)


def _fuzzy(key: commands.Fuzzy, context: Context) -> Question:
    from quintet.imap import fuzzy  # it knows this module

    return fuzzy.compile_key(key.key, context)


def _filtered(key: commands.Filtered, _: Context) -> Question:
    """A filter that nobody has looked up is none (RFC 5466 3.1); see `filters`."""
    raise Refused(Reason.NO_SUCH_MESSAGE, "no such filter")


_BUILDERS: dict[type, Callable[[Any, Context], Question]] = {  # Any: each takes its own key
    commands.Everything: _everything,
    commands.Nothing: _nothing,
    commands.HasFlag: _flag,
    commands.HasKeyword: _keyword,
    commands.IsRecent: _recent,
    commands.Sized: _sized,
    commands.Numbered: _numbered,
    commands.ChangedFrom: _changed,
    commands.WithId: _with_id,
    commands.Aged: _aged,
    commands.Dated: _dated,
    commands.InHeader: _in_header,
    commands.InText: _in_text,
    commands.And: _and,
    commands.Or: _or,
    commands.Not: _not,
    commands.Fuzzy: _fuzzy,
    commands.Filtered: _filtered,
    commands.WithRemark: _with_remark,
}


def asks_modseq(key: commands.Key) -> bool:
    """True if MODSEQ is among the keys: the answer then tells the highest (RFC 7162 3.1.5)."""
    return any_key(key, lambda one: isinstance(one, commands.ChangedFrom))


def asks_numbers(key: commands.Key) -> bool:
    """True if sequence numbers are among the keys: they must then hold to the end (RFC 7162 3.2.10)."""
    return any_key(key, lambda one: isinstance(one, commands.Numbered) and not one.uid)


def any_key(key: commands.Key, test: Callable[[commands.Key], bool]) -> bool:
    """Whether ``test`` holds for a key, or for one inside it."""
    match key:
        case commands.And(keys):
            return any(any_key(one, test) for one in keys)
        case commands.Or(left, right):
            return any_key(left, test) or any_key(right, test)
        case commands.Not(inner) | commands.Fuzzy(inner):
            return any_key(inner, test)
        case _:
            return test(key)
