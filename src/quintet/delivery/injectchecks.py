"""What must hold of a proto-article before it is injected: INN's checks, in its order.

Pure; `check` reads from top to bottom.  The article's form comes before (`inject.read`), its groups and its
body around (`post`), so that an article with several faults hears of the same one as from INN's nnrpd.
RFC 5536 section 3, RFC 5537 3.5 (injecting agent).
"""

from __future__ import annotations

import re

from quintet.delivery.inject import KNOWN, Field, Limits, Proto, bad, content_fault, is_message_id
from quintet.errors import Reason, Refused
from quintet.message import headers

CONTROLS = frozenset(("cancel", "newgroup", "rmgroup", "checkgroups"))  # what may be posted; RFC 5537 5
FUTURE_MS = 24 * 3600 * 1000  # RFC 5537 3.5 (3): articles dated further ahead are refused
MIN_QUOTED = 20  # lines of a body from which on it is looked at whether most of it is quoted
QUOTES = (b">", b"|", b":")  # what quoted lines begin with

_HOST = re.compile(rb"[^\s@.]+(?:\.[^\s@.]+)+")
_GROUP = re.compile(r"[^\x00-\x20*,?!\[\]\\:/\x7f]+")  # RFC 5536 3.1.4, with letters beyond ASCII
_PATH = re.compile(r"[A-Za-z0-9._:!+-]+")  # RFC 5536 3.1.5
_DISTRIBUTION = re.compile(r"[A-Za-z0-9+_-]+")  # RFC 5536 3.2.4


def check(proto: Proto, now: int, limits: Limits, *, group: str = "") -> None:
    """Refuses what no group may get; fills in ``groups``, ``message_id`` and ``path``.

    ``group`` is the one into which the message is put by hand: Newsgroups and Subject may be missing then.

    Raises:
        Refused(BAD_CONTENT): and says which field is wrong.
        Refused(POLICY): a control message of a kind that nobody sends any more.
    """
    name_groups(proto, limits.max_groups, group=group)
    if group and not proto.has(b"subject"):
        proto.add(Field(b"subject", b"Subject: (no subject)\r\n", "(no subject)"))
    _check_known(proto, by_hand=bool(group))
    _check_dates(proto, now, limits.max_age_ms)
    _check_control(proto)
    _check_id_and_path(proto)
    if proto.has(b"expires") and headers.parse_news_date(proto.get(b"expires").encode()) is None:
        raise bad("Expires is no date")
    if not all(map(_DISTRIBUTION.fullmatch, names(proto.get(b"distribution")))):
        raise bad("Distribution is not one")
    for name in (b"from", b"newsgroups", b"subject"):
        if not proto.has(name):
            raise bad(f"Missing {name.decode().capitalize()} header field")
    if proto.faults:
        raise bad(proto.faults[0])


def name_groups(proto: Proto, most: int, *, group: str = "") -> None:
    """Fills in ``groups``; none when Newsgroups is missing.  Raises Refused(BAD_CONTENT)."""
    if group and not proto.has(b"newsgroups"):
        proto.add(Field(b"newsgroups", f"Newsgroups: {group}\r\n".encode(), group))
    proto.groups = groups_in(proto.get(b"newsgroups"), most, group=group)


def groups_in(value: str, most: int, *, group: str = "") -> tuple[str, ...]:
    """The groups of a value of Newsgroups, each once; ``group`` must be one.  Raises Refused(BAD_CONTENT)."""
    found = tuple(dict.fromkeys(names(value)))
    if not all(map(_GROUP.fullmatch, found)):
        raise bad("Newsgroups is not a list of groups")
    if group and group not in found:
        raise bad(f"Newsgroups does not name {group}")
    if len(found) > most:
        raise bad(f"More than {most} groups")
    return found


def check_author(proto: Proto) -> None:
    """RFC 5536 3.1.2: somebody must be there to answer to.  Raises Refused(BAD_CONTENT)."""
    if not has_author(proto.get(b"from").encode()):
        raise bad("From has no address")


def has_author(value: bytes) -> bool:
    """Whether a value of From has an address."""
    return any(one.mailbox and _HOST.fullmatch(one.host) for one in headers.mailboxes(value))


def check_quoting(body: bytes) -> None:
    """Refuses what consists of quotations for the most part.  Raises Refused(BAD_CONTENT)."""
    lines = [line for line in body.split(b"\r\n") if line.strip()]
    quoted = sum(line.startswith(QUOTES) for line in lines)
    if len(lines) >= MIN_QUOTED and quoted * 2 > len(lines):
        raise bad("Article not posted: more of it is quoted than new")


def followups(proto: Proto) -> tuple[str, ...]:
    """The groups of Followup-To; none for "poster" (RFC 5536 3.2.6).  Raises Refused(BAD_CONTENT)."""
    value = proto.get(b"followup-to")
    if not value or value == "poster":
        return ()
    found = tuple(dict.fromkeys(names(value)))
    if not all(map(_GROUP.fullmatch, found)):
        raise bad("Followup-To is not a list of groups")
    return found


def names(value: str) -> list[str]:
    """The words of a list with commas."""
    return [name.strip() for name in value.split(",")] if value else []


def _check_known(proto: Proto, *, by_hand: bool) -> None:
    for one in proto.fields:
        if one.name in (b"xref", b"injection-info"):
            raise bad(f"Can't set system {one.raw[: len(one.name)].decode()} header field")
        if not (by_hand or proto.sound) and one.name in KNOWN and (fault := content_fault(one)):
            raise bad(fault)


def _check_dates(proto: Proto, now: int, max_age_ms: int) -> None:
    for name in (b"injection-date", b"date"):
        value = proto.get(name)
        if not value:
            continue
        shown = name.decode().title()
        at = headers.parse_news_date(value.encode())
        if at is None:
            raise bad(f"{shown} is no date")
        if at > now + FUTURE_MS:
            raise bad(f"{shown} is in the future")
        if 0 < max_age_ms < now - at:
            raise bad(f"{shown} is too old")


def _check_control(proto: Proto) -> None:
    """RFC 5536 3.2.3, 3.2.12, RFC 5537 5.3: what a control message must be to be posted."""
    replaced = proto.get(b"supersedes")
    if replaced and not is_message_id(replaced):
        raise bad("Supersedes is not a Message-ID")
    if not proto.has(b"control"):
        return
    if replaced:
        raise bad("Control and Supersedes exclude each other")
    verb, *arguments = proto.get(b"control").split()
    if verb.lower() not in CONTROLS:
        raise Refused(Reason.POLICY, f'"{verb[:40]}" is not a control message that is taken here')
    if verb.lower() == "cancel" and not (arguments and is_message_id(arguments[0])):
        raise bad("Control: cancel without a Message-ID")
    if verb.lower() in ("newgroup", "rmgroup") and not (arguments and _GROUP.fullmatch(arguments[0])):
        raise bad(f"Control: {verb.lower()} without a group")


def _check_id_and_path(proto: Proto) -> None:
    proto.message_id = proto.get(b"message-id")
    if proto.message_id and not is_message_id(proto.message_id):
        raise bad("Message-ID is not one")
    proto.path = proto.get(b"path")
    if proto.path:
        if not _PATH.fullmatch(proto.path):
            raise bad("Path is not one")
        if ".POSTED" in proto.path:
            raise bad("Article was injected before")
