"""SORT and UID SORT, plain and with RETURN (RFC 5256 3, RFC 5957, RFC 5267 3, RFC 6203 6)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import Refused, TryLater
from quintet.imap import contexts, find_commands, matching, progress, searching, updates
from quintet.imap.cmd import search
from quintet.imap.orders import Order, Plan
from quintet.imap.searching import MANY, Found
from quintet.store import entry_annotations as remarks
from quintet.store import seen
from quintet.store.filing import MAX_TEXT

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx


async def sort(session: Session, command: find_commands.Sort, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    contexts.check(here, command)
    give = command.give or frozenset()
    scored = b"RELEVANCY" in give or any(one.name == b"RELEVANCY" for one in command.criteria)
    orders = session.house.orders
    known = None if scored else orders.known(here.folder_id, Plan(command.criteria, session.comparator))
    await searching.ready(command.key)
    try:
        finder = searching.Finder(
            session, searching.here(here), command, command.key, command.charset, scored=scored
        )
        async with aclosing(finder.run()) as news:
            async for reply in news:
                yield reply
    except (Refused, TryLater):
        search.save_nothing(here, give)
        raise
    found = await searching.known(here, finder.found)
    if known is not None and _is_whole(here, command, found, known):
        ready = known.written or len(found) <= MANY
        yield b"* SORT%b\r\n" % (known.text() if ready else await asyncio.to_thread(known.text))
        orders.trim()
        async for reply in _rest(session, here, command, found):
            yield reply
        return
    scores = dict(zip(found.uids, search.normalized(found.scores), strict=True)) if scored else None
    values = await session.house.store.read(_remarks, session, command, found.uids)
    marks = await session.house.store.read(seen.log, here.folder_id, here.reader) if here.reader else None
    plan = Plan(command.criteria, session.comparator, scores, values, marks)
    sorting = progress.Waiting(command.tag, orders.sort(here.folder_id, found.uids, plan))
    async with aclosing(sorting.news()) as news:
        async for reply in news:
            yield reply
    ordered = sorting.result
    await search.save(here, command, ordered)
    answer = functools.partial(_answer, here, command, found, ordered, scores)
    yield answer() if len(found) <= MANY else await asyncio.to_thread(answer)
    if b"UPDATE" in give:
        yield contexts.begin(session, here, command, finder, ordered, plan)
    async for reply in _rest(session, here, command, found):
        yield reply


def _is_whole(here: Selected, command: find_commands.Sort, found: Found, known: Order) -> bool:
    """True if the answer is an order as it is kept, which is written already."""
    plain = command.give is None and (command.uid or here.view.numbers_are_uids)
    return plain and not found.modseqs and bool(found.uids) and known.is_of(found.uids)


async def _rest(
    session: Session, here: Selected, command: find_commands.Sort, found: Found
) -> AsyncGenerator[Any, None]:
    """What changed meanwhile, and the end."""
    steady = matching.asks_numbers(command.key)  # RFC 7162 3.2.10
    for reply in await updates.told(session, may_expunge=command.uid and not steady):
        yield reply
    yield search.end(here, command, found.uids)


def _remarks(
    tx: Tx, session: Session, command: find_commands.Sort, uids: Sequence[int]
) -> dict[find_commands.Criterion, dict[int, bytes]]:
    """Sort keys of annotations (RFC 5257 4.9): as many as have a value, which quotas bound."""
    here, key = session.here, session.comparator.key
    wanted = [one for one in command.criteria if one.name == b"ANNOTATION"] if uids else []
    return {
        one: {
            uid: key(value.decode("utf-8", "replace")[:MAX_TEXT])
            for uid, value in remarks.called(
                tx, here.folder_id, one.entry, remarks.SHARED if one.shared else session.user.account_id,
                uids[0], uids[-1], 4 * MAX_TEXT,
            )
        }
        for one in wanted
    }  # fmt: skip


def _answer(
    here: Selected,
    command: find_commands.Sort,
    found: Found,
    ordered: Sequence[int],
    scores: dict[int, int] | None,
) -> bytes:
    numbers = ordered if command.uid else numbered(here, found.uids, ordered)
    if command.give is None:
        return search.listed(b"SORT", numbers, max(found.modseqs, default=0))
    modseq = search.highest(command, found, ordered)
    rated = [scores[uid] for uid in ordered] if scores is not None and b"RELEVANCY" in command.give else None
    return search.extended(command, command.give, numbers, modseq=modseq, scores=rated)


def numbered(here: Selected, uids: Sequence[int], ordered: Sequence[int]) -> list[int]:
    """Sequence numbers of ``ordered``, which are among the ascending ``uids``."""
    of = dict(zip(uids, here.view.numbers(uids), strict=True))
    return [number for number in map(of.__getitem__, ordered) if number]
