"""What an article from another server must be before it is taken: one pass over its header, check by check.

Pure: bytes in, a value out.  `read` takes an article apart or says why it is none; `judge` asks what a
relaying agent asks, in INN's order and words, because peers' programs and people know those.  Whether a
group takes it is `choose`'s business.  What is stored has neither Path nor Xref nor Bytes: those are ours to
write.  RFC 5536 section 3, RFC 5537 3.6 (relaying).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from quintet.message import headers
from quintet.policy.newsfilter import Patterns, Says, wants
from quintet.store.model import MAX_ARTICLE
from quintet.values import dataclass

MAX_HEAD = (
    256 * 1024
)  # bytes of a header block. INN takes what maxartsize takes; nobody writes more than 32 KiB
FUTURE_MS = 24 * 3600 * 1000  # RFC 5537 3.6, INN: further ahead is refused
MAX_SEEN = 1000  # names of fields that are known to be well-formed
MAX_SEEN_NAME = 64  # octets of one of them; who writes longer ones is looked at each time
MAX_SHOWN = 200  # characters of a value repeated in an answer (INN: "%.200s")

_FIELD = re.compile(rb"([!-9;-~]+):[ \t]([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")
_NAME = re.compile(rb"[!-9;-~]+")
_OURS = re.compile(rb"(?is)(?:\A|(?<=\r\n))(?:path|xref|bytes):.*?\r\n(?![ \t])")  # a bare LF ends no field
_ATOM = rb"[!#-'*+/-9=?A-Z^-~\-]+"
_MESSAGE_ID = re.compile(
    rb"<" + _ATOM + rb"(?:\." + _ATOM + rb")*@(?:" + _ATOM + rb"(?:\." + _ATOM + rb")*|\[[!-=?-Z^-~]*\])>"
)  # RFC 5536 3.1.3: no ">" inside, no white space
MAX_MESSAGE_ID = 250  # octets. RFC 5536 3.1.3
_HOP = re.compile(r"[A-Za-z0-9._:-]+")
_NOT_KEPT: Final = frozenset((b"path", b"xref", b"bytes"))
_NEEDED: Final = (b"date", b"from", b"message-id", b"newsgroups", b"path", b"subject")
_NAMES: Final = {
    b"date": "Date", b"from": "From", b"message-id": "Message-ID", b"newsgroups": "Newsgroups",
    b"path": "Path", b"subject": "Subject",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class No:
    """Why an article is not taken, in the words for the peer.

    ``message_id`` is remembered where INN does it, so that nobody offers the article again; "" otherwise, as
    where another copy may be whole: what is cut off, or has no one Message-ID (decision 0251).
    """

    text: str
    message_id: str = ""
    duplicate: bool = False


@dataclass(slots=True)
class Arriving:
    """An article that is well-formed."""

    message_id: str
    newsgroups: tuple[str, ...]  # as the header names them
    path: str  # as it came
    fields: Mapping[bytes, bytes]  # first of each name in lower case, values as they came
    data: bytes  # what came of it, without the fields that are ours
    header_end: int  # of ``data``: where the blank line stands
    size: int  # bytes of the article as it came, so far
    is_plain: bool  # its header is made of fields as they should be
    sent_at: int | None = None  # Date, UTC ms; known when it was judged
    lines: int = -1  # of the body, where not all of it is in ``body``

    @property
    def header(self) -> bytes:
        """Without the fields that are ours, without the blank line."""
        return self.data[: self.header_end]

    @property
    def body(self) -> bytes:
        """What came of it."""
        return self.data[self.header_end + 2 :]

    @property
    def listed(self) -> list[tuple[bytes, bytes]]:
        """All fields but ours, as they came."""
        found = _closely(self.header)[0]
        assert not isinstance(found, No)  # as it was read before
        return found

    @property
    def approved(self) -> bool:
        return bool(self.fields.get(b"approved"))

    @property
    def control(self) -> str:
        """The verb of a control message, lower case, or ""."""
        raw = self.fields.get(b"control")
        words = raw.split(None, 1) if raw else ()
        return words[0].decode("latin-1").lower() if words else ""

    @property
    def distributions(self) -> list[str]:
        value = self.fields.get(b"distribution", b"").decode("latin-1")
        return [word for word in re.split(r"[,\s]+", value) if word]

    @property
    def hops(self) -> list[str]:
        """The names in Path, from the left."""
        return _HOP.findall(self.path)


@dataclass(frozen=True, slots=True)
class Limits:
    """What `judge` compares with."""

    max_size: int  # bytes
    max_age_ms: int  # 0: any
    exclude: frozenset[str]
    distributions: tuple[str, ...]
    lines_fuzz: int = 0  # how far Lines may be off; 0: it is not looked at


def is_message_id(raw: bytes) -> bool:
    """``<local@domain>`` of 3 to 250 octets, as RFC 5536 3.1.3 writes it."""
    return len(raw) <= MAX_MESSAGE_ID and _MESSAGE_ID.fullmatch(raw) is not None


# --- reading -----------------------------------------------------------------------------------


def read(data: bytes, claimed: bytes = b"") -> Arriving | No:
    """Takes an article apart, of which the end may be missing; ``claimed``: a Message-ID known to be one."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end <= 0:
        return _no_header(data)
    first, is_plain = usual(data[:end]), True
    several: list[tuple[bytes, bytes]] = []  # all fields, where a name may stand twice
    if first is None:
        found, is_plain = _closely(data[: end + 2])
        if isinstance(found, No):
            return found
        several = found
        # backwards, so that the first of a name stays
        first = {name.lower(): value for name, value in reversed(several)}
    message_id = first.get(b"message-id", b"").strip()
    known = message_id.decode() if message_id == claimed or is_message_id(message_id) else ""
    if len(several) > len(first) and not _own_id(several):
        known = ""
    if b"\0" in data:
        where = "header" if data.find(b"\0") < end else "body"
        return No(f"Nul character in {where}", known)
    path = first.get(b"path", b"").strip()
    if not path or not _HOP.search(path.decode("latin-1")):
        return No("Illegal path element" if b"path" in first else 'Missing "Path" header field')
    if b"message-id" not in first:
        return No('Missing "Message-ID" header field')
    if len(several) > len(first):
        refused = _doubled(several, known)
        if refused is not None:
            return refused
    for name in _NEEDED:
        if not first.get(name, b"").strip():
            return No(f'Missing "{_NAMES[name]}" header field', known)
    if not known:
        return No('Bad "Message-ID" header field')
    newsgroups = first[b"newsgroups"].decode("utf-8", "surrogateescape")
    names = tuple(newsgroups.split(",")) if newsgroups.isascii() and " " not in newsgroups else None
    if names is None or "\t" in newsgroups or "" in names:  # INN passes over names of nothing
        names = tuple(word for word in (part.strip() for part in newsgroups.split(",")) if word)
    kept = _without_ours(data, end + 2, first)
    return Arriving(
        known,
        names,
        path.decode("latin-1"),
        first,
        kept,
        end + 2 - len(data) + len(kept),
        len(data),
        is_plain,
    )


def plain_fields(block: bytes) -> Mapping[bytes, bytes] | None:
    """The first field of each name of a header whose lines all have their CRLF; names in lower case.

    None where not all of it is made of fields as they should be.
    """
    first = usual(block[:-2])
    if first is not None:
        return first
    found, is_plain = _closely(block)
    if isinstance(found, No) or not is_plain:
        return None
    return {name.lower(): value for name, value in reversed(found)}


def usual(head: bytes) -> dict[bytes, bytes] | None:
    """The fields of a header of "Name: value" lines, each name once and seen before; None: look closely.

    What is folded is unfolded (RFC 5322 2.2.3).
    """
    if b"\r\n\t" in head or b"\r\n " in head:
        if b":\r\n" in head or b" \r\n" in head or b"\t\r\n" in head or head.endswith((b" ", b"\t")):
            return None  # there may be a line that holds nothing
        head = head.replace(b"\r\n\t", b"\t").replace(b"\r\n ", b" ")
    lines = head.split(b"\r\n")
    count = len(lines)
    if len(head.translate(None, b"\r\n")) != len(head) - 2 * count + 2:
        return None
    names, found = _seen, {}
    try:
        for line in lines:  # a quarter less than a comprehension takes
            name, value = line.split(b": ", 1)
            found[names[name]] = value
    except (KeyError, ValueError):  # another name, or a line that does not begin with one
        return None
    return found if len(found) == count else None


_seen: dict[bytes, bytes] = {}  # names of fields that are well-formed, and the same in lower case


def _closely(block: bytes) -> tuple[list[tuple[bytes, bytes]] | No, bool]:
    """All fields of a header with its last line end, and whether they are as fields should be."""
    found: list[tuple[bytes, bytes]] = _FIELD.findall(block)
    if sum([len(name) + len(value) + 4 for name, value in found]) != len(block):
        return _lines(block), False
    for name, _ in found:
        if len(_seen) < MAX_SEEN and len(name) <= MAX_SEEN_NAME:
            _seen[name] = name.lower()
    return found, True


def _without_ours(data: bytes, end: int, fields: Mapping[bytes, bytes]) -> bytes:
    """An article, of which the header ends at ``end``, without the fields that are ours."""
    if b"xref" in fields or b"bytes" in fields or data[:5].lower() != b"path:":
        return _OURS.sub(b"", data[:end]) + data[end:]
    at = data.find(b"\r\n") + 2  # most often Path stands first, and alone: then it is only cut off
    while data[at : at + 1] in (b" ", b"\t"):
        at = data.find(b"\r\n", at) + 2
    return data[at:]


def _no_header(data: bytes) -> No:
    if not data.strip():
        return No("Empty article" if not data else "Empty headers and body")
    if data.startswith(b"\r\n"):
        return No("No headers")
    if len(data) >= MAX_HEAD:
        return No(f"Header of more than {MAX_HEAD} bytes")
    if b"\0" in data:
        return No("Nul character in header")
    found = _lines(data if data.endswith(b"\r\n") else data + b"\r\n")
    return No(found.text if isinstance(found, No) else "No body")


def _lines(block: bytes) -> list[tuple[bytes, bytes]] | No:
    """The fields of a header that is not quite one: bare CR or LF in values are let through, as INN does.

    Gives No for the first line that is no field.
    """
    names: list[bytes] = []
    values: list[list[bytes]] = []  # the lines of each
    fault: str = ""
    for line in block[:-2].split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and values:
            values[-1].append(line)
            continue
        name, colon, value = line.partition(b":")
        if not fault:
            shown = name[:40].decode("latin-1").strip()
            if not colon or not name or (value[:1] not in (b" ", b"\t")):
                fault = f'No colon-space in "{shown}" header field'
            elif name.endswith((b" ", b"\t")):
                fault = f'Space before colon in "{shown}" header field'
            elif not _NAME.fullmatch(name):
                fault = f'No colon-space in "{shown}" header field'
        names.append(name)
        values.append([value[1:]])
    fields = [(name, b"\r\n".join(lines)) for name, lines in zip(names, values, strict=True)]
    return No(fault, _own_id(fields)) if fault else fields


def _own_id(fields: Sequence[tuple[bytes, bytes]]) -> str:
    """The one Message-ID; "" when there is none, or several."""
    ids = [value.strip() for name, value in fields if name.lower() == b"message-id"]
    return ids[0].decode() if len(ids) == 1 and is_message_id(ids[0]) else ""


def _doubled(fields: Sequence[tuple[bytes, bytes]], known: str) -> No | None:
    seen: set[bytes] = set()
    for name, _ in fields:
        key = name.lower()
        if key in seen and key in _NAMES:
            return No(f'Duplicate "{_NAMES[key]}" header field', known)
        seen.add(key)
    return None


# --- judging -----------------------------------------------------------------------------------


def too_big(size: int, limits: Limits, message_id: str) -> No | None:
    """What an article of more than the limit is told."""
    if size <= limits.max_size:
        return None
    return No(f"Article of {size} bytes exceeds local limit of {limits.max_size} bytes", message_id)


def judge(article: Arriving, now: int, limits: Limits) -> No | None:
    """The checks behind that for a duplicate, up to those of the groups, in INN's order."""
    own, fields = article.message_id, article.fields
    refused = _lines_off(article, limits) or _dates(article, now, limits)
    if refused is not None:
        return refused
    if not article.newsgroups or b":" in fields[b"newsgroups"]:
        return No('Unwanted character in "Newsgroups" header field', own)
    if limits.exclude:
        for hop in article.hops:
            if hop in limits.exclude:
                return No(f"Unwanted site {hop} in path", own)
    raw = fields.get(b"distribution")
    if raw is not None:
        shown = _shown(raw)
        if raw.lstrip().startswith(b","):
            return No(f'Bogus distribution "{shown}"', own)
        if not wants(limits.distributions, article.distributions):
            return No(f'Unwanted distribution "{shown}"', own)
    return None


def _lines_off(article: Arriving, limits: Limits) -> No | None:
    """INN's linecountfuzz: what says that it is longer or shorter than it came was damaged on the way."""
    said = article.fields.get(b"lines", b"").strip()
    if not limits.lines_fuzz or not said:
        return None
    lines = article.lines if article.lines >= 0 else article.data.count(b"\r\n", article.header_end + 2)
    if said.isdigit() and len(said) < 10 and abs(int(said) - lines) <= limits.lines_fuzz:
        return None
    return No(f"Linecount {_shown(said)} != {lines} +- {limits.lines_fuzz}", article.message_id)


def _dates(article: Arriving, now: int, limits: Limits) -> No | None:
    own, fields = article.message_id, article.fields
    date = article.sent_at = headers.parse_news_date(fields[b"date"])
    if date is None:
        return No(f'Bad "Date" header field -- "{_shown(fields[b"date"])}"', own)
    counted, at = fields[b"date"], date
    injected = fields.get(b"injection-date")
    if injected is not None:
        found = headers.parse_news_date(injected)
        if found is None:
            return No(f'Bad "Injection-Date" header field -- "{_shown(injected)}"', own)
        counted, at = injected, found
    if limits.max_age_ms and at < now - limits.max_age_ms:
        return No(f'Too old -- "{_shown(counted)}"', own)
    if at > now + FUTURE_MS:
        return No(f'Article injected or posted in the future -- "{_shown(counted)}"', own)
    return None


def _shown(value: bytes) -> str:
    return " ".join(value.decode("utf-8", "replace").split())[:MAX_SHOWN]


# --- groups ------------------------------------------------------------------------------------


CONTROL: Final = "control"  # control messages are filed here, or in "control.<verb>" where that is
JUNK: Final = "junk"  # what came for groups of status "j"
_MAKES_GROUPS: Final = frozenset(("newgroup", "rmgroup", "checkgroups"))


def candidates(articles: Iterable[Arriving]) -> set[str]:
    """The groups whose status `choose` must know."""
    found = {JUNK}
    for article in articles:
        found.update(article.newsgroups)
        if verb := article.control:
            found.update((f"control.{verb}", CONTROL))
    return found


def special(article: Arriving) -> list[str]:
    """Those that are made when they are missing and needed."""
    return [CONTROL] if article.control else [JUNK]


def choose(
    article: Arriving, status: Mapping[str, str], accept: Patterns, *, verify: bool, junk: bool = False
) -> list[str] | No:
    """The groups where an article is filed, each once, in the order of its header; or why in none.

    ``status`` has the status of each group that is here: y, n, m, x, j, "=other" (RFC 6048 3.1).  With
    ``junk`` an article of which no group is here is filed in `JUNK`, so that it can be passed on.
    """
    own, verb = article.message_id, article.control
    chosen: list[str] = []
    may_be_new = verb in _MAKES_GROUPS and article.approved
    accepted = wanted_elsewhere = strange = False
    for name in article.newsgroups:
        is_here = status.get(name)
        if is_here is None:
            if may_be_new and accept(name) is Says.YES:
                accepted = True
            elif verify:
                return No(f'Nonexistent newsgroup "{_group(name)}"', own)
            else:
                strange = strange or accept(name) is Says.YES
            continue
        if is_here == "x":
            continue
        if is_here == "m" and not article.approved:
            return No(f'Unapproved for "{_group(name)}"', own)
        says = accept(name)
        if says is Says.POISON:
            return No(f'Won\'t accept posts in "{_group(name)}"')
        if says is Says.NO:
            wanted_elsewhere = True  # another peer may send it
            continue
        accepted = True
        target = JUNK if is_here == "j" else is_here[1:] if is_here.startswith("=") else name
        if target not in chosen:
            chosen.append(target)
    if not accepted and junk and strange and not wanted_elsewhere:
        chosen = [JUNK]
    elif not accepted:
        first = _group(article.newsgroups[0])
        if wanted_elsewhere:
            return No(f'Can\'t post to "{first}"')
        return No(f'Unwanted newsgroup "{first}"', own)
    if verb:
        special = f"control.{verb}"
        return [special if special in status else CONTROL]
    return chosen


def numbered(article: Arriving, host: str) -> dict[str, int] | No:
    """Numbers that another server gave an article in its groups, by its Xref (RFC 5536 3.2.14)."""
    raw = article.fields.get(b"xref")
    if raw is None:
        return No('Missing "Xref" header field for xrefslave', article.message_id)
    words = raw.decode("utf-8", "replace").split()
    pairs = [word.rpartition(":") for word in words[1:]]
    found = {
        name: int(number)
        for name, _, number in pairs
        if name and number.isascii() and number.isdigit() and len(number) <= 10
    }
    good = words and words[0].lower() == host.lower() and 0 < len(found) == len(pairs)
    if not good or not all(0 < number <= MAX_ARTICLE for number in found.values()):
        return No(f'Invalid "Xref" header field "{_shown(raw)}"', article.message_id)
    return found


def _group(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8", "replace")[:MAX_SHOWN]


# --- what we write -----------------------------------------------------------------------------


def new_path(host: str, article_path: str, expected: Sequence[str], source: str) -> str:
    """Path with us and what we found in front (RFC 5537 3.2.1).

    ``expected``: names of the peer; the leftmost of the article is one of them ("!!"), or it is not
    (.MISMATCH. and the first of them).  Without any: .SEEN. and ``source``, the peer's address.
    """
    if expected:
        left = _HOP.match(article_path)
        if left and left[0] in expected:
            return f"{host}!!{article_path}"
        return f"{host}!.MISMATCH.{expected[0]}!{article_path}"
    return f"{host}!.SEEN.{source}!{article_path}" if source else f"{host}!{article_path}"
