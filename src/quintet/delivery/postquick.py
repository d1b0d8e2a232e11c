"""The quick way of posting: an article as most are is checked, completed and on its way in one go.

It refuses nothing.  What `look` gives None for, and what could not be filed this way, `PostOffice.post` takes
or refuses, check by check; what passes here would pass there, and be filed with the same bytes.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

from quintet import log, metrics
from quintet.auth.identity import Identity
from quintet.delivery import arrive, inject, injectchecks
from quintet.delivery.postbox import Postbox
from quintet.delivery.postrights import Grants, Permit, Permits, open_to, targets_of
from quintet.errors import Problem
from quintet.message import cancellock, headers
from quintet.net.seam import Peer
from quintet.store import trace
from quintet.store.arriving import Filing
from quintet.store.content import raw
from quintet.store.model import Added
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.post import PostOffice

MAX_ARTICLE = 32 * 1024  # octets; in a larger one a line may be too long
NEEDED = (b"from", b"newsgroups", b"subject")
# what is refused, dropped, asks for something, or is looked at closely
UNUSUAL = (
    inject.OBSOLETE
    | inject.SYSTEM
    | inject.DROPPED
    | frozenset(
        b"approved bcc cancel-key cancel-lock cc control distribution expires followup-to injection-date path"
        b" sender supersedes to".split()
    )
)
_ADDRESS = rb"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_AUTHOR = re.compile(rb"[A-Za-z0-9 _-]+ <" + _ADDRESS + rb">|" + _ADDRESS)  # RFC 5536 3.1.2, as most write it
_POSTED = metrics.ARTICLES_IN.labels("posted")

logger = log.get("post")


class Looked(NamedTuple):
    """An article in which nothing is unusual."""

    head: bytes  # all lines of the header with their ends
    body: bytes
    fields: dict[bytes, bytes]  # names in lower case, values as they came
    sent_at: int  # Date or now, UTC ms


def look(article: bytes, now: int, limits: inject.Limits) -> Looked | None:
    """Reads an article; None where not all is as usual, or something may be wrong with it.

    All fields are known and there once, none is empty, the header is ASCII, all lines end with CRLF.
    """
    end = article.find(b"\r\n\r\n")
    if end <= 0 or len(article) > MAX_ARTICLE or end + 4 == len(article):
        return None
    ends = article.count(b"\n")
    if not ends == article.count(b"\r") == article.count(b"\r\n") or b"\0" in article:
        return None
    head = article[: end + 2]
    if not head.isascii() or b" \r\n" in head or b"\t\r\n" in head:
        return None
    if len(head) > inject.MAX_LINE and max(map(len, head.split(b"\r\n"))) > inject.MAX_LINE:
        return None
    fields = arrive.usual(head[:-2])
    if fields is None or not UNUSUAL.isdisjoint(fields):
        return None
    for name in NEEDED:
        if name not in fields:
            return None
    if b"message-id" in fields and not arrive.is_message_id(fields[b"message-id"]):
        return None
    sent_at = now // 1000 * 1000
    if b"date" in fields:
        date = headers.parse_news_date(fields[b"date"])
        if date is None or date > now + injectchecks.FUTURE_MS or 0 < limits.max_age_ms < now - date:
            return None
        sent_at = date
    author = fields[b"from"]
    if _AUTHOR.fullmatch(author) is None and not injectchecks.has_author(author):
        return None
    return Looked(head, article[end + 4 :], fields, sent_at)


def completed(found: Looked, add: inject.Additions) -> tuple[bytes, str]:
    """The header as it is stored, and the Message-ID; what was added stands in ``fields`` as well."""
    fields = found.fields
    own = fields.get(b"message-id")
    message_id = add.message_id if own is None else own.decode()
    made: list[tuple[str, str]] = []
    if add.sender is not None:
        made.append(("Sender", add.sender))
    if add.locks is not None:
        made.append(("Cancel-Lock", inject.folded(cancellock.extended("", add.locks(message_id)))))
    made += inject.missing(fields, add)
    lines = [f"{name}: {text}\r\n" for name, text in made if text]
    if own is None or b"date" not in fields:
        fields.update([(name.lower().encode(), text.encode()) for name, text in made])
    return found.head + "".join(lines).encode(), message_id


def _perhaps_quoted(body: bytes) -> bool:
    """Whether so many lines are quoted that `injectchecks.check_quoting` might refuse it."""
    quoted = sum([body.count(b"\n" + mark) for mark in injectchecks.QUOTES])
    return quoted + 1 >= injectchecks.MIN_QUOTED // 2


class Underway(NamedTuple):
    """An article on its way to the disk."""

    message_id: str
    permit: Permit
    future: asyncio.Future[list[Added] | None]


class QuickPosts:
    """One a process, of an office."""

    def __init__(self, office: PostOffice, store: Store, postbox: Postbox) -> None:
        self._office, self._store, self._postbox = office, store, postbox
        self._permits = Permits()

    def post(
        self,
        identity: Identity | None,
        peer: Peer,
        article: bytes,
        recommended: str,
        grants: Grants,
        *,
        dotless: bool = False,
    ) -> Underway | None:
        """Files a whole article; None: it goes the other way (`PostOffice.post`).

        ``recommended`` is the Message-ID used when there is none.  ``dotless``: surely no line begins with a
        dot.
        """
        office = self._office
        if office.looks:
            return None
        now = office.clock.now()
        found = look(article, now, office.limits)
        if found is None or len(found.body) > office.config.max_article_size:
            return None
        if office.config.check_quoting and _perhaps_quoted(found.body):
            return None
        try:
            permit = self._permit(found.fields[b"newsgroups"], identity, grants)
            if permit is None:
                return None
            self._store.blobs.check_space(len(article))
        except Problem:
            return None
        more = office.additions(identity, peer, recommended, now, permit.names)
        header, message_id = completed(found, more)
        data = b"%b\r\n%b" % (header, found.body)
        content = raw(data, len(header) + 2, found.fields, message_id, found.sent_at, dotless=dotless)
        filing = Filing(message_id, permit.ids, content, office.path(peer, ""))
        note = trace.Note(
            peer.id,
            "posted",
            identity.account_id if identity is not None else None,
            {"groups": permit.names, "client": peer.address, "size": content.size},
        )
        return Underway(message_id, permit, self._postbox.put(filing, note, permit))

    def _permit(self, newsgroups: bytes, identity: Identity | None, grants: Grants) -> Permit | None:
        """None: a group is moderated, closed or looked after, or none is here.  Raises Refused, TryLater."""
        found = self._permits.find(newsgroups, identity, grants)
        if found is None:
            names = injectchecks.groups_in(newsgroups.decode(), self._office.limits.max_groups)
            targets = self._store.peek(targets_of, names, identity, grants)
            if not open_to(targets) or not set(names).isdisjoint(self._office.news.noticed):
                return None
            found = Permit(names, targets, identity, grants)
            self._permits.keep(newsgroups, identity, grants, found)
        return found

    def ended(self, one: Underway, peer: Peer) -> bool:
        """Whether an article that was underway is on the disk; else it goes the other way."""
        if one.future.result() is None:
            self._permits.forget(one.permit)
            return False
        _POSTED.inc()
        logger.info("posted", conn=peer.id, message_id=one.message_id, groups=",".join(one.permit.names))
        return True
