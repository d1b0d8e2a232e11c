"""Running a search: which messages of a mailbox match, found in slices in reader threads.

The store answers what it can (`narrowing`), the index of trigrams narrows texts, `matching` decides.
What is answered is `cmd`'s business.
"""

from __future__ import annotations

import asyncio
import functools
import time
from array import array
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeGuard

from quintet.imap import commands, effort, fields, filters, limits, matching, narrowing, sets
from quintet.imap.cmd import fetch
from quintet.imap.progress import Progress
from quintet.store import entries, entry_annotations, folders, seen
from quintet.store import search as search_index
from quintet.store.model import SEEN, AccountId, Folder, FolderId
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.imap.view import View
    from quintet.store.db import Tx
    from quintet.store.store import Store

MANY = 5000  # matches: more are numbered and written in a thread; the view is ours until we answer
PAGE = 500  # messages looked at in one snapshot
FEW = search_index.FEW
NARROWED = 20_000  # messages that the index is asked about together: two megabytes
HERE = 2000  # messages whose headers are looked into on the loop thread, between turns of others
STEP = 32  # of them in one turn: about 1 ms; 10 where all are large and were never scanned
FIRST_STEP = 4  # of them, to see how long they are
LONG_S = 0.01  # seconds of a step: longer ones go on in a reader thread
AT_ONCE = 16_384  # numbers that the store looks at on the loop thread: about 3 ms
TERMS = 4  # of a condition that is looked at so quickly; of more, fewer numbers
WINDOW = 50_000  # numbers that the store looks at by itself in one snapshot: about 10 ms
SLICE = {
    matching.ROW: 20_000,
    matching.HEADER: 2000,
    matching.TEXT: 500,
}  # messages in one stay in a reader thread
STAY_S = 0.05  # seconds after which such a stay ends, however few messages were looked at
TURN_S = 0.003  # the same on the loop thread
KNOWN = 32 * 1024 * 1024  # bytes of what the index tells of the texts of one command; of more it is not asked
COMMON = 20  # of these texts may be nearly everywhere: to look for more costs less than to ask
NEW_FIELDS = 4  # header fields that one command has read whole, to keep them
LOOK_UP = (b"",)  # nothing, told between two slices: a client that is gone is noticed then


Candidates = dict[str, tuple[search_index.Rows, int]]  # what the index knows of texts that were asked for


class Found:
    """The matches, ascending by UID, 4 bytes each; with MODSEQs or scores where they were asked for."""

    __slots__ = ("modseqs", "scores", "uids")

    def __init__(
        self, uids: Iterable[int] = (), modseqs: Iterable[int] = (), scores: Iterable[int] = ()
    ) -> None:
        self.uids = array("I", uids)
        self.modseqs = array("Q", modseqs)
        self.scores = array("B", scores)

    def __len__(self) -> int:
        return len(self.uids)

    def where(self, kept: Iterable[object]) -> Found:
        """Those for which ``kept`` has something true."""
        flags = bytes(map(bool, kept))
        return Found(compress(self.uids, flags), compress(self.modseqs, flags), compress(self.scores, flags))


@dataclass(frozen=True, slots=True)
class Place:
    """The mailbox that is searched; `here` tells the one that is selected."""

    folder_id: FolderId
    reader: AccountId | None
    span: tuple[int, int]  # lowest and highest UID
    ranges: Callable[[sets.NumberSet, bool], list[tuple[int, int]]]  # a set as UID ranges
    is_recent: Callable[[int], bool] = lambda _: False
    view: View | None = None  # of a client that knows all changes up to ``cursor``
    cursor: int = 0


def here(selected: Selected) -> Place:
    """What the client knows of the selected mailbox."""
    view = selected.view
    span = (view.uid(1), view.largest) if len(view) else (1, 0)
    return Place(
        selected.folder_id,
        selected.reader,
        span,
        lambda numbers, uid: fetch.wanted(selected, numbers, uid=uid),
        selected.is_recent,
        view if not view.gone else None,
        selected.cursor,
    )


async def ready(key: commands.Key) -> None:
    """Before a `Finder` is made: where that takes some milliseconds, so did reading the command."""
    if is_large(key):
        await asyncio.sleep(0)


def is_large(key: commands.Key) -> bool:
    return effort.keys(key) > effort.MANY_KEYS


def none_by_counts(session: Session, selected: Selected, command: commands.Search) -> bool | None:
    """None, unless keys on flags alone match nothing by the folder's counts: UNSEEN where all is read.

    Then whether the client knows all that happened.  It is what most who ask for UNSEEN hear, so neither a
    condition nor a question is made for it.
    """
    keys = command.key.keys if isinstance(command.key, commands.And) else (command.key,)
    if command.give is not None or limits.most(session) or not all(map(_is_flag, keys)):
        return None
    matching.codec(command.charset)
    folder = session.house.store.ask(folders.get, selected.folder_id)
    if not narrowing.impossible(command.key, folder, own=selected.reader is None):
        return None
    return folder.highest_modseq <= selected.cursor


def _names_uids(key: commands.Key) -> TypeGuard[commands.Numbered]:
    return isinstance(key, commands.Numbered) and key.uid and not key.numbers.saved


def _is_flag(key: commands.Key) -> bool:
    return isinstance(key.key if isinstance(key, commands.Not) else key, commands.HasFlag)


class Finder:
    """One search in one mailbox: `run`, then read `found`."""

    def __init__(
        self,
        session: Session,
        place: Place,
        command: commands.Command,
        key: commands.Key,
        charset: bytes,
        *,
        scored: bool = False,
        index: Candidates | None = None,
        limited: Selected | None = None,
        within: effort.Effort | None = None,
    ) -> None:
        """``index`` and the time ``within`` are shared by searches for the same in several mailboxes.

        In the mailbox ``limited`` no more messages are searched than one command may be about.

        Raises:
            Refused(UNKNOWN_CHARSET); and what the key's sets raise (`fetch.wanted`).
        """
        self._session, self._place = session, place
        self._store = session.house.store
        self.unchanged = False  # when it was searched at once: the client knows all that happened
        matching.codec(charset)
        key, charset = filters.expand(session, key, charset)
        context = matching.Context(
            charset,
            session.house.clock.now(),
            place.ranges,
            place.is_recent,
            session.comparator,
            session.user.account_id,
        )  # fmt: skip
        self.question = matching.require(key, context)
        self._context = context
        self._own = place.reader is None
        self._condition = narrowing.condition(key, context, own=self._own)
        self._key = key
        self._with_modseq = matching.asks_modseq(key)
        if self._with_modseq:
            session.enable((b"CONDSTORE",))  # RFC 7162 3.1; also where a filter asks for it
        self._scored = scored
        self._exact = self._condition.exact and not self._with_modseq and not scored
        self._index = {} if index is None else index
        self._effort = effort.Effort(session) if within is None else within
        self._many = effort.keys(key)
        self._ranges = self._within(key)
        self.short = b""  # MESSAGELIMIT's code, where not all were searched
        if limited is not None:
            self._ranges, self.short = limits.cut(session, limited, self._ranges)
        self._total = sets.size(self._ranges)
        self._progress = Progress(session, command.tag, self._total)
        self._decided = False  # header fields that are kept told all there is to find
        self.found = Found()

    def _within(self, key: commands.Key) -> fetch.Ranges:
        """UID ranges outside of which nothing can match: sets that stand at the top of the keys."""
        ranges = [self._place.span] if self._place.span[1] else []
        keys = key.keys if isinstance(key, commands.And) else (key,)
        for one in keys:
            if isinstance(one, commands.Numbered):
                ranges = sets.intersect(ranges, sets.join(self._place.ranges(one.numbers, one.uid)))
        return ranges

    @property
    def asked_at(self) -> int:
        """When the search was begun (ms, UTC); what OLDER and YOUNGER count from."""
        return self._context.now

    def ages(self) -> frozenset[int]:
        """The seconds of OLDER and YOUNGER among the keys: what they match changes as time goes by."""
        found: set[int] = set()

        def look(one: commands.Key) -> bool:
            if isinstance(one, commands.Aged):
                found.add(one.seconds)
            return False

        matching.any_key(self._key, look)
        return frozenset(found)

    def follow(self) -> Callable[[int], matching.Question] | None:
        """What is asked of each later change, by the time of asking (RFC 5267 4.3); None: it cannot be.

        Numbers mean what they did when the command came, UIDs also messages that are not there yet; a ``*``
        would move.
        """
        context = self._context
        if self._many > effort.MAX_FOLLOWED:
            return None
        if matching.any_key(self._key, _names_uids):
            largest = self._place.span[1]
            if matching.any_key(self._key, lambda one: _names_uids(one) and one.numbers.moves(largest)):
                return None
            context = replace(context, ranges=self._lasting)
        key = self._key
        return lambda now: matching.require(key, replace(context, now=now))

    def _lasting(self, numbers: sets.NumberSet, uid: bool) -> fetch.Ranges:
        if not uid or numbers.saved:
            return self._place.ranges(numbers, uid)
        return numbers.resolve(sets.MAX_NUMBER)

    def at_once(self) -> bool:
        """Searches here and now if that takes a few milliseconds at most; false: `run` has to."""
        if self._ranges and not self._store.peek(self._quick):
            return False
        self._ranges = []
        return True

    async def run(self) -> AsyncGenerator[Any, None]:
        """Searches; yields only news of how far it is (RFC 9585), now and then, and else `LOOK_UP`.

        Raises:
            Refused(TOO_MANY): it took longer than a command may.
        """
        try:
            if not self.at_once():
                async with aclosing(self._run()) as news:
                    async for reply in news:
                        self._effort.check()
                        yield reply
        except BaseException:
            self._effort.stop()  # somebody may still be in a thread
            raise

    async def _run(self) -> AsyncGenerator[Any, None]:
        read = self._store.read
        ranges = self._ranges
        if self.question.needles:
            async with aclosing(self._ask_index()) as news:
                async for reply in news:
                    yield reply
            ranges = await self._by_fields(ranges)
        if self._decided:
            self.found.uids = await read(self._present, ranges)
            return
        while ranges:
            if self._exact and len(ranges) <= narrowing.MAX_RANGES:
                ranges = await read(self._matches, ranges)
                for reply in self._progress.at(self._total - sets.size(ranges)) or LOOK_UP:
                    yield reply
                continue
            near, ranges = await read(self._narrow, ranges)
            few = self.question.cost < matching.TEXT and sets.size(near) <= HERE
            few = few and self._many <= effort.MANY_KEYS
            step = FIRST_STEP
            while near:
                if few:
                    began = time.monotonic()
                    near = self._store.peek(self._scan, near, step, TURN_S)
                    few = time.monotonic() - began < LONG_S  # else their headers are long: not here
                    step = STEP
                    await asyncio.sleep(0)
                else:
                    near = await read(self._scan, near, SLICE[self.question.cost], STAY_S)
                done = self._total - sets.size(near) - sets.size(ranges)
                for reply in self._progress.at(done) or LOOK_UP:
                    yield reply

    async def _ask_index(self) -> AsyncGenerator[Any, None]:
        """Asks the index of trigrams what may hold each text that no header field tells of.

        Those that must be there first; one at a time, since each may take 100 ms, until it is too much to
        keep, or does not help.  Tells news between two of them.
        """
        folder_id, kept, known = self._place.folder_id, self._session.house.fields, self._index
        asked, common = False, 0
        for needle in sorted(self.question.needles, key=lambda one: not one.required):
            if not search_index.usable(needle.indexed) or (needle.required and kept.has(folder_id, needle)):
                continue
            if needle.indexed not in known:
                if common == COMMON or sum(rows.size for rows, _ in known.values()) > KNOWN:
                    return
                for reply in (self._progress.at(0) or LOOK_UP) if asked else ():
                    yield reply
                asked = True
                known[needle.indexed] = await self._store.read(_asked, self._store, needle.indexed)
            rows, needle.upto = known[needle.indexed]
            needle.candidates, needle.few = rows, rows.few
            common += rows.few is None

    async def _by_fields(self, ranges: fetch.Ranges) -> fetch.Ranges:
        """Without what header fields that are kept rule out."""
        place, kept = self._place, self._session.house.fields
        inside = [one for one in self.question.needles if one.required and one.field]
        known = [one for one in inside if kept.has(place.folder_id, one)]
        if self._total <= fields.MAX_MESSAGES:
            more = [one for one in inside if one not in known and self._pays(one)]
            new = set(list(dict.fromkeys(one.field for one in more))[:NEW_FIELDS])
            known += [one for one in more if one.field in new]
        told = 0
        done: dict[tuple[bytes, str], bool] = {}  # field and text: who asks for the same again is told so
        for needle in known:
            name = needle.field, needle.text
            self._effort.check()
            if name not in done:
                if done:
                    await asyncio.sleep(0)  # some thousand values take a millisecond
                found = await kept.find(place.folder_id, needle, place.span[1], ranges)
                done[name] = found is not None
                ranges = ranges if found is None else found
            told += done[name]
        keys = self._key.keys if isinstance(self._key, commands.And) else (self._key,)
        plainly = not (self._with_modseq or self._scored) and told == len(keys)
        self._decided = plainly and all(isinstance(one, commands.InHeader) for one in keys)
        return ranges

    def _pays(self, needle: matching.Needle) -> bool:
        """Whether to keep the field from now on, rather than look into the messages that the index leaves."""
        if needle.few is None or needle.is_common:
            return True
        return self._session.house.fields.pays(self._place.folder_id, needle, len(needle.few), self._total)

    def _quick(self, tx: Tx) -> bool:
        """On the loop thread; false where it would take too long."""
        place, left = self._place, self._ranges
        folder: Folder = folders.get(tx, place.folder_id)
        self.unchanged = folder.highest_modseq <= place.cursor
        if narrowing.impossible(self._key, folder, own=self._own):
            return True
        if not self._exact or len(left) > narrowing.MAX_RANGES:
            return False
        known = place.view if self.unchanged else None
        if known is not None and self._condition.sql == narrowing.EVERYTHING.sql:
            self.found.uids = known.within(left)  # nothing happened that the client does not know
            return True
        if self._total * max(self._condition.terms, TERMS) > AT_ONCE * TERMS:
            return False
        while left:
            left = self._matches(tx, left)
        return True

    # --- in reader threads ----------------------------------------------------------------------------

    def _present(self, tx: Tx, ranges: fetch.Ranges) -> array[int]:
        """Those of a set that are there."""
        found = array("I")
        while ranges:
            rows, ranges = fetch.next_rows(tx, self._place, ("uid",), ranges, WINDOW)
            found.extend([uid for (uid,) in rows])
        return found

    def _matches(self, tx: Tx, ranges: fetch.Ranges) -> fetch.Ranges:
        """What the store finds by itself in the next window."""
        (low, high), rest = ranges[0], ranges[1:]
        end = min(high, low + WINDOW - 1)
        self.found.uids += entries.uids_where(tx, self._place.folder_id, low, end, self._condition.pair)
        return [(end + 1, high), *rest] if end < high else rest

    def _rows(
        self, tx: Tx, columns: tuple[str, ...], ranges: fetch.Ranges, limit: int
    ) -> tuple[list[matching.Row], fetch.Ranges]:
        """The next rows that the condition does not rule out, and what is left."""
        low, high = ranges[0]
        if high - low < fetch.NARROW or self._condition.sql == narrowing.EVERYTHING.sql:
            return fetch.next_rows(tx, self._place, columns, ranges, limit)
        end = min(high, low + WINDOW - 1)
        rows = entries.lines_where(tx, self._place.folder_id, low, end, limit, columns, self._condition.pair)
        if len(rows) == limit:
            end = rows[-1][0]
        return rows, [(end + 1, high), *ranges[1:]] if end < high else ranges[1:]

    def _narrow(self, tx: Tx, ranges: fetch.Ranges) -> tuple[fetch.Ranges, fetch.Ranges]:
        """Of the next messages, the UID ranges that hold everything that can match; and what is left."""
        required = [needle for needle in self.question.needles if needle.required]
        if not required:
            return ranges, []
        best = min(required, key=lambda needle: len(needle.few) if needle.few is not None else FEW + 1)
        if best.few is not None:
            found = entries.of_messages(tx, self._place.folder_id, best.few, best.upto, FEW)
            if found is not None:
                return sets.intersect(ranges, sets.runs(found)), []
        rows, rest = self._rows(tx, ("uid", "message_row"), ranges, NARROWED)
        kept = [uid for uid, row in rows if all(needle.may_be_in(row) for needle in required)]
        return sets.runs(kept), rest

    def _scan(self, tx: Tx, ranges: fetch.Ranges, budget: int, stay_s: float) -> fetch.Ranges:
        """Adds matches among the next ``budget`` messages, or fewer after some time; what is left."""
        question, place, found = self.question, self._place, self.found
        until, clock, check = time.monotonic() + stay_s, time.monotonic, self._effort.check
        marks = seen.get(tx, place.folder_id, place.reader) if place.reader is not None else None
        ask = question.ask
        columns = matching.COLUMNS if question.joined else matching.COLUMNS[: matching.OWN]
        score = question.score
        while ranges and budget > 0:
            before = ranges
            rows, ranges = self._rows(tx, columns, ranges, min(PAGE, budget))
            budget -= max(len(rows), 1)
            rows = _as_read(tx, place, rows, marks)
            reader = _reader(tx, self._store, place.folder_id, rows, check)
            for row in rows:
                if ask(row, reader):
                    found.uids.append(row[0])
                    if self._with_modseq:
                        found.modseqs.append(row[matching.MODSEQ])
                    if self._scored:  # what is found because it does not match has nothing to be rated by
                        found.scores.append(score(row, reader) if score is not None else 1)
                if clock() > until:
                    return sets.intersect(before, [(row[0] + 1, sets.MAX_NUMBER)])
        return ranges


def _as_read(tx: Tx, place: Place, rows: list[matching.Row], marks: Any) -> list[matching.Row]:
    """Rows with the reader's own \\Seen and MODSEQ."""
    if marks is None:
        return rows
    rows = [(row[0], row[1] | SEEN if row[0] in marks else row[1] & ~SEEN, *row[2:]) for row in rows]
    return fetch.for_reader(tx, place, rows, matching.MODSEQ)


def _reader(
    tx: Tx,
    store: Store,
    folder_id: FolderId,
    rows: list[matching.Row],
    check: Callable[[], None] = lambda: None,
) -> matching.Reader:
    return matching.Reader(
        (row[0] for row in rows),
        functools.partial(entries.digests, tx, folder_id),
        functools.partial(entries.bodies, tx, folder_id),
        store.read_body,
        functools.partial(entry_annotations.live, tx, folder_id),
        check,
    )


def matching_of(
    tx: Tx, store: Store, place: Place, question: matching.Question, uids: Iterable[int]
) -> list[int]:
    """Which of a few messages match now."""
    columns = matching.COLUMNS if question.joined else matching.COLUMNS[: matching.OWN]
    rows = entries.lines_of(tx, place.folder_id, uids, columns)
    marks = seen.get(tx, place.folder_id, place.reader) if place.reader is not None else None
    rows = _as_read(tx, place, rows, marks)
    reader = _reader(tx, store, place.folder_id, rows)
    return [row[0] for row in rows if question.ask(row, reader)]


def _asked(_: Tx, store: Store, text: str) -> tuple[search_index.Rows, int]:
    """What of the index of trigrams may hold a text."""
    return store.search_index().candidates(text)


async def known(selected: Selected, found: Found) -> Found:
    """Without what has arrived meanwhile: the client does not know of it."""
    if len(found) <= MANY:
        return cut(selected, found)
    return await asyncio.to_thread(cut, selected, found)


def cut(selected: Selected, found: Found) -> Found:
    """As `known`, for few."""
    numbers = selected.view.numbers(found.uids)
    return found if isinstance(numbers, range) else found.where(numbers)
