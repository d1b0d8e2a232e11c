"""ESEARCH: one search in many mailboxes, none of which need be selected (RFC 7377)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused, TryLater
from quintet.imap import contexts, effort, find_commands, matching, names, places, searching, sets, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import search
from quintet.imap.find_commands import Source
from quintet.imap.searching import Found
from quintet.imap.view import View
from quintet.store import entries, folders

if TYPE_CHECKING:
    from quintet.imap.places import Place
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, FolderId

MAX_MAILBOXES = 20_000  # searched by one command (RFC 7377 2.4)
_SELECTED = Source(b"SELECTED")
_OWN = frozenset((b"INBOXES", b"PERSONAL"))  # any mailbox of one's own may be delivered to


async def search_many(
    session: Session, command: find_commands.MultiSearch, _: Input
) -> AsyncGenerator[Any, None]:
    try:
        async with aclosing(_search(session, command)) as replies:
            async for reply in replies:
                yield reply
    except (Refused, TryLater):
        if session.selected is not None:
            search.save_nothing(session.selected, command.give)
        raise


async def _search(session: Session, command: find_commands.MultiSearch) -> AsyncGenerator[Any, None]:
    search.check_charset(session, command)
    sources = command.sources or (_SELECTED,)
    give = command.give or frozenset()
    here = session.selected
    if here is None and (_SELECTED in sources or b"UPDATE" in give):
        raise BadSyntax("no mailbox is selected", Reason.WRONG_STATE)  # RFC 7377 2.2
    if here is not None:
        contexts.check(here, command)
    asked = [
        Source(one.kind, tuple(names.decode(name, utf8=session.utf8).encode() for name in one.names))
        for one in sources
    ]
    wanted = await session.house.store.read(_places, session.user.account_id, here, asked)
    index: searching.Candidates = {}
    within = effort.Effort(session)
    followed = False
    for place in wanted:
        selected = here if here is not None and place.folder.id == here.folder_id else None
        await searching.ready(command.key)
        finder = await _finder(session, selected, place, command, index, within)
        async with aclosing(finder.run()) as progress:
            async for reply in progress:
                yield reply
        found = finder.found if selected is None else await searching.known(selected, finder.found)
        if selected is not None:
            await search.save(selected, command, found.uids)
        if selected is not None and b"UPDATE" in give:
            followed = True
            yield contexts.begin(session, selected, command, finder, found.uids)
        if found.uids:  # RFC 7377 2.1: nothing at all of a mailbox without a match, not even COUNT 0
            answer = functools.partial(_answer, session, place, command, found)
            yield answer() if len(found) <= searching.MANY else await asyncio.to_thread(answer)
    if b"UPDATE" in give and not followed:
        yield b"* NO [NOUPDATE %b] The selected mailbox is not searched\r\n" % fmt.string(command.tag)
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _answer(session: Session, place: Place, command: find_commands.MultiSearch, found: Found) -> bytes:
    mailbox = fmt.mailbox(place.name, utf8=session.utf8)
    where = b" MAILBOX %b UIDVALIDITY %d" % (mailbox, place.folder.uid_validity)
    give = command.give or frozenset()
    scores = search.normalized(found.scores) if b"RELEVANCY" in give else None
    modseq = search.highest(command, found, found.uids)
    return search.extended(command, give, found.uids, modseq=modseq, scores=scores, where=where)


async def _finder(
    session: Session,
    here: Selected | None,
    place: Place,
    command: find_commands.MultiSearch,
    index: searching.Candidates,
    within: effort.Effort,
) -> searching.Finder:
    """A search in one of the mailboxes; numbers beyond its end are no error (RFC 7377 2)."""
    view = here.view if here is not None else None
    if view is None and matching.asks_numbers(command.key):
        view = View(await session.house.store.read(entries.uids, place.folder.id))
    last = place.folder.uid_next - 1

    def ranges(numbers: sets.NumberSet, uid: bool) -> list[tuple[int, int]]:
        if numbers.saved:
            return here.saved if here is not None else []
        if uid:
            return sets.intersect(numbers.resolve(last), [(1, last)])
        assert view is not None
        within = sets.intersect(numbers.resolve(len(view)), [(1, len(view))])
        return [(view.uid(low), view.uid(high)) for low, high in within]

    span = (1, last) if here is None else searching.here(here).span
    recent = here.is_recent if here is not None else lambda _: False
    target = searching.Place(place.folder.id, place.reader, span, ranges, recent)
    scored = command.give is not None and b"RELEVANCY" in command.give
    return searching.Finder(
        session, target, command, command.key, command.charset, scored=scored, index=index, within=within
    )


# --- which mailboxes ------------------------------------------------------------------------------------


def _places(tx: Tx, account_id: AccountId, here: Selected | None, sources: Iterable[Source]) -> list[Place]:
    """Each mailbox once that the sources mean and that may be read; others are passed over in silence.

    Raises:
        Refused(TOO_MANY): more than `MAX_MAILBOXES`.
    """
    found: dict[FolderId, Place] = {}
    for source in sources:
        for place in _meant(tx, account_id, here, source):
            if place.may("r"):
                found.setdefault(place.folder.id, place)
            if len(found) > MAX_MAILBOXES:
                raise Refused(Reason.TOO_MANY, "too many mailboxes")
    return list(found.values())


def _meant(tx: Tx, account_id: AccountId, here: Selected | None, source: Source) -> Iterator[Place]:
    if source.kind == b"SELECTED":
        found = places.called_now(tx, account_id, here.folder_id) if here is not None else None
        yield from (found,) if found is not None else ()
    elif source.kind in _OWN:
        yield from places.own(tx, account_id)
    elif source.kind == b"SUBSCRIBED":
        named_so = _named(tx, account_id, folders.subscriptions(tx, account_id))
        yield from (place for place in named_so if place.may("l"))  # RFC 7377 2.2: not named one by one
    else:
        asked = [name.decode() for name in source.names]
        yield from _named(tx, account_id, asked)
        if source.kind != b"MAILBOXES":
            yield from _below(tx, account_id, asked, deep=source.kind == b"SUBTREE")


def _named(tx: Tx, account_id: AccountId, asked: Iterable[str]) -> Iterator[Place]:
    for name in asked:
        place = places.find(tx, account_id, name)
        if place is not None:
            yield place


def _below(tx: Tx, account_id: AccountId, roots: list[str], *, deep: bool) -> Iterator[Place]:
    """What lies under some names: names are paths here, so there are no loops to fall into."""
    every = [*places.own(tx, account_id)]
    if any(root.startswith((names.USERS.rstrip("/"), names.PUBLIC.rstrip("/"))) for root in roots):
        every += places.shared(tx, account_id)
    if any(root.startswith(names.GROUPS.rstrip("/")) for root in roots):
        every += places.newsgroups(tx, account_id)
    for root in roots:
        prefix = root.rstrip("/") + "/"
        for place in every:
            rest = place.name.removeprefix(prefix)
            if rest != place.name and (deep or "/" not in rest):
                yield place
