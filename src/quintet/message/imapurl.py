"""IMAP URLs that name a message or a part of one, with their authorization (RFC 5092, RFC 4467).

Pure.  What is no such URL (a server, a mailbox, a search) is refused: nobody here has a use for it.
"""

from __future__ import annotations

import re
import urllib.parse
from datetime import UTC, datetime

from quintet.errors import BadSyntax
from quintet.values import dataclass

MAX_URL = 4000  # characters; a mailbox name has 1000, each up to three when encoded

_ACHAR = r"[A-Za-z0-9\-._~!$'()*+,&=%]"
_BCHAR = r"[A-Za-z0-9\-._~!$'()*+,&=%:@/]"
_URL = re.compile(
    rf"""
    (?P<rump>
      imap://(?:(?P<user>{_ACHAR}*)(?:;AUTH=(?P<auth>\*|{_ACHAR}+))?@)?
      (?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%]+)(?::(?P<port>[0-9]{{1,5}}))?
      /(?P<mailbox>{_BCHAR}+?)(?:;UIDVALIDITY=(?P<validity>[0-9]{{1,10}}))?
      /;UID=(?P<uid>[0-9]{{1,10}})
      (?:/?;SECTION=(?P<section>{_BCHAR}+?))?
      (?:/?;PARTIAL=(?P<start>[0-9]{{1,19}})(?:\.(?P<length>[0-9]{{1,19}}))?)?
      (?:;EXPIRE=(?P<expire>[0-9A-Za-z:+.\-]{{1,40}}))?
      (?:;URLAUTH=(?P<access>[A-Za-z0-9]+)(?:\+(?P<who>{_ACHAR}+))?)?
    )
    (?::(?P<mechanism>[A-Za-z0-9.\-]+):(?P<token>[0-9A-Fa-f]{{32,200}}))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECTION = re.compile(
    r"(?P<path>[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8}){0,50})?(?P<dot>\.)?"
    r"(?P<text>HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)?(?: \((?P<fields>[!-'*-9;-~ ]+)\))?",
    re.IGNORECASE,
)
_FOR_USERS, _FOR_ALL = ("submit", "user"), ("authuser", "anonymous")
_WRONG_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Section:
    """What of a message (RFC 9051 6.4.5.1)."""

    path: tuple[int, ...] = ()
    text: str = ""  # "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImapUrl:
    """One URL, decoded."""

    user: str  # "": none was named
    host: str
    mailbox: str
    uid_validity: int | None
    uid: int
    section: Section
    partial: tuple[int, int | None] | None  # first octet, octets
    expires_at: int | None  # ms
    access: str  # "submit", "user", "authuser", "anonymous", or an application; "" without URLAUTH
    who: str  # of submit+, user+, and of an application that has it (RFC 5593 3.3)
    mechanism: str  # upper case; "" in a rump
    token: str  # lower case
    rump: str  # as it came, up to the mechanism: what a token signs


def parse(text: str) -> ImapUrl:
    """The URL that ``text`` writes.  Raises BadSyntax."""
    if len(text) > MAX_URL:
        raise BadSyntax("URL too long")
    found = _URL.fullmatch(text)
    if found is None or not text.isascii():
        raise BadSyntax("not an IMAP URL of a message")
    uid = int(found["uid"])
    validity = int(found["validity"]) if found["validity"] else None
    if not 0 < uid < 1 << 32 or (validity is not None and not 0 < validity < 1 << 32):
        raise BadSyntax("not a UID")
    if found["expire"] is not None and found["access"] is None:
        raise BadSyntax("EXPIRE without URLAUTH")
    if found["mechanism"] is not None and found["access"] is None:
        raise BadSyntax("missing access identifier in supplied URL")
    access = (found["access"] or "").lower()
    if (access in _FOR_USERS) > bool(found["who"]) or (access in _FOR_ALL) & bool(found["who"]):
        raise BadSyntax("wrong access identifier in supplied URL")
    partial = None
    if found["start"] is not None:
        length = int(found["length"]) if found["length"] else None
        if length == 0:
            raise BadSyntax("a part of no length")
        partial = int(found["start"]), length
    return ImapUrl(
        decoded(found["user"] or ""),
        found["host"].lower(),
        decoded(found["mailbox"]),
        validity,
        uid,
        _section(decoded(found["section"])) if found["section"] else Section(),
        partial,
        _moment(found["expire"]) if found["expire"] else None,
        access,
        decoded(found["who"] or ""),
        (found["mechanism"] or "").upper(),
        (found["token"] or "").lower(),
        found["rump"],
    )


def relative(text: str, mailbox: str = "") -> ImapUrl:
    """A URL without server, as CATENATE takes it (RFC 4469 3); ``mailbox`` is the selected one.

    ``;UID=20`` and ``/;UID=20`` mean the selected mailbox.  Deviates: RFC 5092 7.2 forbids what does not
    begin with a slash, and shows it in 9.1.  Raises BadSyntax.
    """
    if text.lower().startswith("imap:") or text.startswith("//"):
        raise BadSyntax("not a relative URL")
    if text.startswith((";", "/;")):
        if not mailbox:
            raise BadSyntax("no mailbox is named")
        path = encoded(mailbox) + "/" + text.removeprefix("/")
    elif text.startswith("/"):
        path = text[1:]
    else:  # RFC 3986 5.2.3: in place of the last name of the base
        above = mailbox.rpartition("/")[0]
        path = (encoded(above) + "/" if above else "") + text
    url = parse("imap://localhost/" + _without_dots(path))
    if url.access:
        raise BadSyntax("URLAUTH in a relative URL")
    return url


def _without_dots(path: str) -> str:
    """RFC 3986 5.2.4: "." and ".." are steps; a mailbox of such a name is written in escapes (RFC 5092 7)."""
    kept: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    return "/".join(kept)


def decoded(text: str) -> str:
    """Percent escapes as UTF-8 (RFC 5092 5).  Raises BadSyntax."""
    if _WRONG_ESCAPE.search(text):
        raise BadSyntax("not a percent escape")
    try:
        plain = urllib.parse.unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise BadSyntax("not UTF-8") from None
    if re.search(r"[\x00-\x1f\x7f]", plain):
        raise BadSyntax("control characters")
    return plain


def encoded(text: str, *, path: bool = True) -> str:
    """A mailbox name as it stands in a URL; ``path`` false: a user's.

    Levels that would be read as steps through the path are written in escapes (RFC 5092 7).
    """
    if not path:
        return urllib.parse.quote(text, safe="!$'()*+,=")
    levels = urllib.parse.quote(text, safe="/!$'()*+,=").split("/")
    return "/".join([one.replace(".", "%2E") if one in (".", "..") else one for one in levels])


def _section(text: str) -> Section:
    found = _SECTION.fullmatch(text)
    if found is None or not text:
        raise BadSyntax("not a section")
    path, words = found["path"], (found["text"] or "").upper()
    if bool(found["dot"]) != bool(path and words) or (words == "MIME" and not path):
        raise BadSyntax("not a section")
    if bool(found["fields"]) != words.startswith("HEADER.FIELDS"):
        raise BadSyntax("a list of fields is missing, or one too many")
    numbers = tuple(int(number) for number in path.split(".")) if path else ()
    return Section(numbers, words, tuple((found["fields"] or "").split()))


def _moment(text: str) -> int:
    """A date-time of RFC 3339 in ms.  Raises BadSyntax."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", text.upper()):
        raise BadSyntax("not a date")
    clean = re.sub(r"\.\d+", "", text.upper()).replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(clean)
        return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    except (ValueError, OverflowError):
        raise BadSyntax("not a date") from None
