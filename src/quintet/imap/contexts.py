"""Contexts: results that are kept up to date while a mailbox is selected (RFC 5267 4.3).

Each keeps the numbers that its client knows to match.  What a change means for them is found at once
where flags and sizes alone decide, else in a reader thread, and told with the changes themselves.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from quintet.errors import BadSyntax, Reason
from quintet.imap import commands, find_commands, matching, searching, sets
from quintet.imap import format as fmt
from quintet.store import entries

if TYPE_CHECKING:
    from quintet.imap.orders import Plan
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies

MAX_CONTEXTS = 16  # of one session; RFC 5267 4.3.1 asks for one at least
MAX_RESULTS = 1_000_000  # in all contexts of one session: 4 MB
BATCH = 200  # changed messages looked at together in a thread
MAX_AGES = 10  # different ones that OLDER and YOUNGER of one search may name
AGING_MS = 30_000  # between two looks at what has become older meanwhile (RFC 5032 2: periodically)

Ops = list[tuple[bytes, int, list[int]]]  # word, position (0: wherever it belongs), UIDs


class Context:
    """One search whose results are followed."""

    def __init__(
        self,
        command: commands.Searching,
        ask: Callable[[int], matching.Question],
        ages: frozenset[int],
        now: int,
        uids: Sequence[int],
        plan: Plan | None,
    ) -> None:
        self.tag, self.uid = command.tag, command.uid
        self.items = command.items  # to fetch of what is new, before it is told (RFC 5465 7)
        self.fresh: set[int] = set()  # UIDs that are new, and of which that was not done
        self.ask, self.ages, self.asked_at = ask, ages, now
        self.question, self.plan = ask(now), plan
        self.uids = array("I", uids)  # that match, ascending or in the order of the plan
        self.changed: set[int] = set()  # to be looked at
        self.ready: list[Ops] = []  # found out, not told yet
        self.working = False

    @property
    def at_once(self) -> bool:
        plain = self.question.cost == matching.ROW and not self.question.joined
        return plain and self.plan is None and not self.ages

    def has(self, uid: int) -> bool:
        if self.plan is not None:
            return uid in self.uids
        at = bisect_left(self.uids, uid)
        return at < len(self.uids) and self.uids[at] == uid

    def remove(self, uids: Iterable[int]) -> Ops:
        """Takes out what is there of ``uids``; what to tell."""
        if self.plan is None:
            gone = [uid for uid in uids if self.has(uid)]
            for uid in gone:
                self.uids.pop(bisect_left(self.uids, uid))
            return [(b"REMOVEFROM", 0, gone)] if gone else []
        wanted = set(uids)
        places = [at for at, uid in enumerate(self.uids) if uid in wanted]
        ops: Ops = []
        for first, last in reversed(sets.runs(places)):  # from the end: nothing shifts before it is told
            ops.append((b"REMOVEFROM", first + 1, list(self.uids[first : last + 1])))
            del self.uids[first : last + 1]
        return ops

    def add(self, uids: Iterable[int]) -> Ops:
        """Puts in what is not there of ``uids``, in mailbox order."""
        fresh = [uid for uid in uids if not self.has(uid)]
        for uid in fresh:
            self.uids.insert(bisect_left(self.uids, uid), uid)
        return [(b"ADDTO", 0, fresh)] if fresh else []

    def insert(self, new: Sequence[int]) -> Ops:
        """Puts in what is not there of ``new``, which has the results in their order.

        Results that it has not are gone from the store: they keep their places until that is told.
        """
        old, merged, places = iter(self.uids), array("I"), []
        known = set(self.uids)
        for uid in new:
            if uid in known:
                merged.extend(takewhile(uid.__ne__, old))
            else:
                places.append(len(merged))
            merged.append(uid)
        merged.extend(old)
        self.uids = merged
        return [(b"ADDTO", low + 1, list(merged[low : high + 1])) for low, high in sets.runs(places)]


def check(here: Selected, command: commands.Searching) -> None:
    """Raises BadSyntax: UPDATE under a tag that has a context already (RFC 5267 4.3)."""
    if command.give is not None and b"UPDATE" in command.give and command.tag in here.contexts:
        raise BadSyntax("tag reuse", Reason.WRONG_STATE)


def begin(
    session: Session,
    here: Selected,
    command: commands.Searching,
    finder: searching.Finder,
    uids: Sequence[int],
    plan: Plan | None = None,
) -> bytes:
    """Follows the results from now on; or says that it will not (RFC 5267 4.3.1)."""
    ask, ages = finder.follow(), finder.ages()
    if ask is None:
        return b'* NO [NOUPDATE %b] "*" moves, or too many keys\r\n' % fmt.string(command.tag)
    held = sum(len(one.uids) for one in here.contexts.values())
    unstable = plan is not None and plan.fleeting  # scores are relative to all that match
    if (
        len(here.contexts) >= MAX_CONTEXTS
        or held + len(uids) > MAX_RESULTS
        or unstable
        or len(ages) > MAX_AGES
    ):
        return b"* NO [NOUPDATE %b] Too many contexts\r\n" % fmt.string(command.tag)
    here.contexts[command.tag] = Context(command, ask, ages, finder.asked_at, uids, plan)
    here.listen(session.house.store)
    return b""


def cancel(session: Session, command: find_commands.CancelUpdate, _: Input) -> Replies:
    """RFC 5267 4.3.5."""
    known = session.here.contexts
    for tag in command.tags:
        if tag not in known:
            raise BadSyntax("no such context")
    for tag in command.tags:
        known.pop(tag, None)
    return [b"%b OK No further updates\r\n" % command.tag]


def vanished(here: Selected, ranges: Iterable[tuple[int, int]]) -> bytes:
    """What of the results is gone; told before the EXPUNGE (RFC 5267 4.3.4)."""
    told = []
    lost = sets.join(ranges)
    for context in here.contexts.values() if lost else ():
        told.append(_behind(here, context))
        gone = [uid for uid in context.uids if sets.contains(lost, uid)]
        if gone:
            context.changed.difference_update(gone)
            context.fresh.difference_update(gone)
            told.append(lines(here, context, context.remove(sorted(gone))))
    return b"".join(told)


def _behind(here: Selected, context: Context) -> bytes:
    """What is found out and not told yet comes before what is gone; items of new messages come later."""
    owed = [ops for one, ops, _ in here.owed if one is context] + context.ready
    here.owed = [(one, [] if one is context else ops, uids) for one, ops, uids in here.owed]
    fresh = context.fresh.intersection(uid for ops in context.ready for _, _, uids in ops for uid in uids)
    if fresh:
        here.owed.append((context, [], sorted(fresh)))
        context.fresh -= fresh
    context.ready.clear()
    return b"".join([lines(here, context, ops) for ops in owed])


def changed(session: Session, here: Selected, uids: Iterable[int], arrived: Iterable[int] = ()) -> bytes:
    """Messages changed or ``arrived``: told here if a look at their rows decides, else soon."""
    numbers = [uid for uid in uids if here.view.number(uid)]
    told = []
    for context in here.contexts.values():
        if context.items:
            context.fresh.update(arrived)
        if context.at_once and numbers:
            matching_now = session.house.store.peek(
                searching.matching_of, session.house.store, searching.here(here), context.question, numbers
            )
            context.ready.append(_difference(context, numbers, matching_now))
        elif numbers:
            context.changed.update(numbers)
        if (context.changed or _is_late(session, context)) and not context.working:
            context.working = True
            session.house.later(_work(session, here, context))
        for ops in context.ready:
            fresh = context.fresh.intersection(
                uid for word, _, added in ops if word == b"ADDTO" for uid in added
            )
            if fresh or any(one is context for one, _, _ in here.owed):
                here.owed.append((context, ops, sorted(fresh)))  # behind what is to be fetched
                context.fresh -= fresh
            else:
                told.append(lines(here, context, ops))
        context.ready.clear()
    return b"".join(told)


def _difference(context: Context, looked: Iterable[int], matches: Iterable[int]) -> Ops:
    now = set(matches)
    return context.remove(uid for uid in looked if uid not in now) + context.add(sorted(now))


async def _work(session: Session, here: Selected, context: Context) -> None:
    """Looks at what changed, in a reader thread, until all is known."""
    store = session.house.store
    try:
        if _is_late(session, context):
            await _age(session, here, context)
        while context.changed and session.selected is here and context.tag in here.contexts:
            batch = sorted(context.changed)[:BATCH]
            context.changed.difference_update(batch)
            place = searching.here(here)
            matches = await store.read(searching.matching_of, store, place, context.question, batch)
            now = [uid for uid in matches if here.view.number(uid) and not here.view.is_gone(uid)]
            if context.plan is None:
                context.ready.append(_difference(context, batch, now))
                continue
            wanted = set(now)
            together = sorted(wanted.union(set(context.uids).difference(batch)))
            new = await session.house.orders.sort(here.folder_id, array("I", together), context.plan)
            # nothing waits from here on: what goes meanwhile is told from what is kept
            ops = context.remove(uid for uid in batch if uid not in wanted)
            known = [uid for uid in new if here.view.number(uid) and not here.view.is_gone(uid)]
            context.ready.append(ops + context.insert(known))
    finally:
        context.working = False
    if context.ready and here.hint is not None:
        here.hint.set()


def _is_late(session: Session, context: Context) -> bool:
    """Time has gone by that matters to its results."""
    return bool(context.ages) and session.house.clock.now() - context.asked_at >= AGING_MS


async def _age(session: Session, here: Selected, context: Context) -> None:
    """Asks by the time that it is now, and looks again at what grew too old, or old enough, meanwhile."""
    before, now = context.asked_at, session.house.clock.now()
    context.asked_at, context.question = now, context.ask(now)
    terms: list[str] = []
    params: list[int | str] = []
    for seconds in context.ages:
        terms.append("e.received_at >= ? AND e.received_at < ?")
        params += [matching.aged_from(seconds, before), matching.aged_from(seconds, now) + 1000]
    condition = " OR ".join(f"({term})" for term in terms)
    low, largest = 1, here.view.largest
    while low <= largest and session.selected is here:
        end = min(low + searching.WINDOW - 1, largest)
        context.changed.update(
            await session.house.store.read(entries.uids_where, here.folder_id, low, end, (condition, params))
        )
        low = end + 1


def lines(here: Selected, context: Context, ops: Ops) -> bytes:
    """``* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)``."""
    told = []
    for word, position, uids in ops:
        numbers: Sequence[int] = uids
        if not context.uid:
            numbers = [number for number in map(here.view.number, uids) if number]
        if numbers:
            told.append(b"%b (%d %b)" % (word, position, sets.write(sets.runs(numbers))))
    if not told:
        return b""
    kind = b" UID" if context.uid else b""
    return b"* ESEARCH (TAG %b)%b %b\r\n" % (fmt.string(context.tag), kind, b" ".join(told))
