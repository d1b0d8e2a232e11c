"""Expiry: what the rules of the configuration say must go, and its going.

`plan` only looks and gives what is to go, piece by piece; `run` takes each piece away in slices, so that no
commit waits long.  The steps: articles whose poster's date is over, articles and mail that are too old or too
many, groups that are too large together, mail that can no longer be had back.  Rules of groups are
`[[expire]]`, of mail `[[retention]]`; folders on hold are left alone.
"""

from __future__ import annotations

import fnmatch
import itertools
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import field

from quintet import log
from quintet.config.expiry import Expire, Retention
from quintet.policy.wildmat import wildmat
from quintet.store import expiring, keeping
from quintet.store.db import Tx
from quintet.store.expiring import DAY_MS, Clause, Found, Place
from quintet.store.model import AccountId, FolderId, FolderKind, Uid
from quintet.store.ranges import RangeSet
from quintet.store.store import Store
from quintet.values import dataclass

SLICE = 2000  # entries taken away in one transaction: about 15 ms
PLACES = 2000  # folders looked up at once
TOGETHER = 50  # small groups that are looked at, or taken from, in one go
JOB = "expire"  # under which name a worker, or the command, leases it
KEPT = "undelete"  # stands as the reason where a message can no longer be had back

logger = log.get("expire")


@dataclass(frozen=True, slots=True)
class Going:
    """Entries of one folder that are to go; ``found`` ascends."""

    place: Place
    found: Sequence[Found]
    everywhere: bool = False  # from all groups
    kept: bool = False  # they have gone already, and can no longer be had back


@dataclass(slots=True)
class Tally:
    """What goes from one folder."""

    account: str
    folder: str
    messages: int = 0
    bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # messages by reason
    oldest_at: int = 0
    newest_at: int = 0

    def add(self, found: Sequence[Found]) -> None:
        for one in found:
            self.messages += 1
            self.bytes += one.size
            self.reasons[one.why] = self.reasons.get(one.why, 0) + 1
            self.oldest_at = min(self.oldest_at or one.at, one.at)
            self.newest_at = max(self.newest_at, one.at)


class Rules:
    """The blocks of the configuration, asked about folders."""

    def __init__(self, expire: Sequence[Expire], retention: Sequence[Retention]) -> None:
        self.expire, self.retention = tuple(expire), tuple(retention)
        self._patterns = [wildmat(",".join(block.groups)) for block in self.expire]
        self._clauses = [_clause(block) for block in self.expire]

    def of_group(self, name: str, status: str) -> list[int]:
        """Numbers of the blocks that are meant for a group, in their order."""
        said = "moderated" if status == "m" else "unmoderated"
        return [
            at
            for at, block in enumerate(self.expire)
            if block.status in ("any", said) and self._patterns[at](name)
        ]

    def clauses(self, blocks: Sequence[int]) -> list[Clause]:
        return [self._clauses[at] for at in blocks]

    def of_mail(self, account: str, name: str, role: str) -> Retention | None:
        """The block that decides about a folder; None: its mail stays."""
        for block in self.retention:
            if block.accounts and not any(fnmatch.fnmatchcase(account, one) for one in block.accounts):
                continue
            named = role in block.roles or any(fnmatch.fnmatchcase(name, one) for one in block.folders)
            if named or (not block.folders and not block.roles):
                return block
        return None

    @property
    def windows(self) -> list[int]:
        """Every time for which expunged mail can be had back, ms."""
        return [_ms(block.undelete) for block in self.retention if block.undelete]


def _ms(days: float) -> int:
    return round(days * DAY_MS)


def _clause(block: Expire) -> Clause:
    return Clause(
        block.min_size,
        block.max_size,
        {"any": None, "yes": True, "no": False}[block.with_expires],
        _ms(block.minimum),
        _ms(block.default),
        _ms(block.maximum),
    )


async def settle(store: Store, rules: Rules) -> None:
    """Tells the store how long expunged mail is kept; whenever the configuration was read."""
    await store.write(keeping.set_window, max(rules.windows, default=0))


# --- looking ----------------------------------------------------------------------------------------


async def plan(store: Store, rules: Rules) -> AsyncGenerator[Going, None]:
    """Everything that is to go now, by folder and reason; nothing twice."""
    now = store.clock.now()
    held = keeping.is_held(await store.read(keeping.holds))
    work = _Work(store, rules, now, held)
    for steps in (work.over(), work.folders(), work.totals(), work.lapsed()):
        async with aclosing(steps) as pieces:
            async for piece in pieces:
                yield piece


class _Work:
    """One round of looking."""

    def __init__(
        self, store: Store, rules: Rules, now: int, held: Callable[[AccountId, FolderId], bool]
    ) -> None:
        self.store, self.rules, self.now, self._held = store, rules, now, held
        self._going: dict[FolderId, array[int]] = {}  # numbers, where somebody will ask how many are left
        self._bytes: dict[FolderId, int] = {}  # of them
        self._blocks: dict[str, list[int]] = {}  # of each group by its name and status
        self._groups: dict[int, list[Place]] = {}  # groups of each block that has a total

    def held(self, place: Place) -> bool:
        return self._held(AccountId(place.account_id), place.id)

    def blocks(self, place: Place) -> list[int]:
        key = f"{place.status} {place.name}"
        found = self._blocks.get(key)
        if found is None:
            found = self._blocks[key] = self.rules.of_group(place.name, place.status)
        return found

    def note(self, place: Place, found: Sequence[Found]) -> None:
        """Remembers what goes, where counts or totals are asked for later."""
        if not self._counted(place):
            return
        self._going.setdefault(place.id, array("I")).extend(one.uid for one in found)
        self._bytes[place.id] = self._bytes.get(place.id, 0) + sum(one.size for one in found)

    def _counted(self, place: Place) -> bool:
        if place.kind == FolderKind.GROUP:
            blocks = [self.rules.expire[at] for at in self.blocks(place)]
            return any(one.max_articles or one.max_bytes or one.total_bytes for one in blocks)
        rule = self.rules.of_mail(place.account, place.name, place.role)
        return rule is not None and bool(rule.max_messages or rule.max_bytes)

    def gone(self, folder_id: FolderId) -> RangeSet:
        return RangeSet.of(sorted(self._going.get(folder_id, ())))

    def take(self, place: Place, found: Sequence[Found], blocks: Sequence[int] = ()) -> Going:
        self.note(place, found)
        return Going(place, found, everywhere=any(self.rules.expire[at].everywhere for at in blocks))

    async def places(self) -> AsyncGenerator[Place, None]:
        after = 0
        while page := await self.store.read(expiring.places, after, PLACES):
            for place in page:
                if not self.held(place):
                    yield place
            after = page[-1].id

    # the steps

    async def over(self) -> AsyncGenerator[Going, None]:
        """Articles whose poster said until when they matter."""
        if not self.rules.expire:
            return
        after = (-(1 << 62), 0, 0)
        while page := await self.store.read(expiring.ended, self.now, after):
            by_folder: dict[FolderId, list[int]] = {}
            for _, message_row, folder_id in page:
                by_folder.setdefault(folder_id, []).append(message_row)
            for folder_id, messages in by_folder.items():
                for place in await self.store.read(expiring.places, folder_id - 1, 1):
                    if place.id != folder_id or self.held(place):
                        continue
                    blocks = self.blocks(place)
                    clauses = self.rules.clauses(blocks)
                    found = await self.store.read(expiring.dated, folder_id, messages, clauses, self.now)
                    if found:
                        yield self.take(place, found, blocks)
            if len(page) < expiring.PAGE:
                return
            after = page[-1]

    async def folders(self) -> AsyncGenerator[Going, None]:
        """What is too old or too many, folder by folder."""
        async with aclosing(self.places()) as places:
            chunk: list[Place] = []
            async for place in places:
                chunk.append(place)
                if len(chunk) == TOGETHER:
                    async with aclosing(self._some(chunk)) as pieces:
                        async for piece in pieces:
                            yield piece
                    chunk = []
            async with aclosing(self._some(chunk)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _some(self, places: Sequence[Place]) -> AsyncGenerator[Going, None]:
        """Of a few folders; the small groups among them are looked at in one reading."""
        small = [
            (place.id, self.rules.clauses(self.blocks(place)))
            for place in places
            if place.kind == FolderKind.GROUP and place.messages <= expiring.PAGE
        ]
        asked = [(number, clauses) for number, clauses in small if any(one.soonest for one in clauses)]
        old = await self.store.read(expiring.aged_small, asked, self.now) if asked else {}
        looked = {number for number, _ in small}
        for place in places:
            if place.kind == FolderKind.GROUP:
                steps = self._group(place, old.get(place.id, ()) if place.id in looked else None)
            else:
                steps = self._mail(place)
            async with aclosing(steps) as pieces:
                async for piece in pieces:
                    yield piece

    async def _group(self, place: Place, old: Sequence[Found] | None) -> AsyncGenerator[Going, None]:
        """``old``: what is too old in it, where that is known already."""
        blocks = self.blocks(place)
        clauses = self.rules.clauses(blocks)
        for at in blocks:
            if self.rules.expire[at].total_bytes:
                self._groups.setdefault(at, []).append(place)
        if old:
            yield self.take(place, old, blocks)
        soonest = min((one.soonest for one in clauses if one.soonest), default=0)
        if soonest and old is None:
            upto = await self.store.read(expiring.boundary, place.id, self.now - soonest + 1)
            after = -1 if upto else 0
            while after:
                found, after = await self.store.read(
                    expiring.aged, place.id, clauses, self.now, max(after, 0), upto
                )
                if found:
                    yield self.take(place, found, blocks)
        limits = [self.rules.expire[at] for at in blocks]
        articles = next((one.max_articles for one in limits if one.max_articles), 0)
        size = next((one.max_bytes for one in limits if one.max_bytes), 0)
        async with aclosing(self._surplus(place, articles, size)) as pages:
            async for found in pages:
                yield self.take(place, found, blocks)

    async def _mail(self, place: Place) -> AsyncGenerator[Going, None]:
        rule = self.rules.of_mail(place.account, place.name, place.role)
        if rule is None or place.kind != FolderKind.MAIL:
            return
        before = self.now - _ms(rule.days)
        if rule.days and place.oldest_at < before:
            upto = await self.store.read(expiring.boundary, place.id, before, saved=True)
            after = 0
            while page := await self.store.read(
                expiring.oldest, place.id, after, upto, keep_flagged=rule.keep_flagged, saved=True
            ):
                yield self.take(place, page)
                after = page[-1].uid
        surplus = self._surplus(place, rule.max_messages, rule.max_bytes, rule.keep_flagged)
        async with aclosing(surplus) as pages:
            async for found in pages:
                yield self.take(place, found)

    async def _surplus(
        self, place: Place, most: int, size: int, keep_flagged: bool = False
    ) -> AsyncGenerator[list[Found], None]:
        if not (most and place.messages > most) and not (size and place.bytes > size):
            return
        gone = self.gone(place.id)
        messages = place.messages - len(self._going.get(place.id, ())) - most if most else 0
        excess = place.bytes - self._bytes.get(place.id, 0) - size if size else 0
        after = -1
        while after and (messages > 0 or excess > 0):
            found, after = await self.store.read(
                expiring.surplus,
                place.id, max(after, 0), messages, excess, gone,
                keep_flagged=keep_flagged,
            )  # fmt: skip
            messages -= len(found)
            excess -= sum(one.size for one in found)
            if found:
                yield found

    async def totals(self) -> AsyncGenerator[Going, None]:
        """The oldest articles of groups that are too large together."""
        for at, places in self._groups.items():
            used = sum(place.bytes - self._bytes.get(place.id, 0) for place in places)
            excess = used - self.rules.expire[at].total_bytes
            by_id = {place.id: place for place in places}
            after = dict.fromkeys(by_id, 0)
            gone = {place.id: self.gone(place.id) for place in places if place.id in self._going}
            while excess > 0:
                chosen = await self.store.read(expiring.over_total, after, excess, gone)
                if not chosen:
                    break
                for folder_id, found in chosen.items():
                    excess -= sum(one.size for one in found)
                    after[folder_id] = found[-1].uid
                    yield self.take(by_id[folder_id], found, [at])

    async def lapsed(self) -> AsyncGenerator[Going, None]:
        """Expunged mail whose window is over."""
        before = self.now - min(self.rules.windows, default=0)
        after = (0, 0, 0)
        while page := await self.store.read(keeping.before, before, after):
            going: dict[FolderId, tuple[Place, list[Found]]] = {}
            for kept, account, role in page:
                rule = self.rules.of_mail(account, kept.folder_name, role)
                window = _ms(rule.undelete) if rule is not None else 0
                if kept.expunged_at < self.now - window:
                    where = kept.folder_id, kept.account_id, account, kept.folder_name
                    place = Place(*where, FolderKind.MAIL, role, "", 0, 0, 0)
                    _, found = going.setdefault(kept.folder_id, (place, []))
                    found.append(Found(kept.uid, kept.size, kept.expunged_at, KEPT))
            for place, found in going.values():
                yield Going(place, found, kept=True)
            last = page[-1][0]
            after = (last.expunged_at, last.folder_id, last.uid)


async def rehearse(store: Store, rules: Rules) -> list[Tally]:
    """What `run` would take away now, a line a folder."""
    tallies: dict[tuple[FolderId, bool], Tally] = {}
    async with aclosing(plan(store, rules)) as pieces:
        async for piece in pieces:
            key = (piece.place.id, piece.kept)
            tally = tallies.setdefault(key, Tally(piece.place.account, piece.place.name))
            tally.add(piece.found)
    return sorted(tallies.values(), key=lambda tally: (tally.account, tally.folder))


# --- taking away ------------------------------------------------------------------------------------


async def run(
    store: Store,
    rules: Rules,
    *,
    seconds: float = float("inf"),
    step: Callable[[int], None] = lambda _: None,
) -> tuple[list[Tally], bool]:
    """Takes away what is to go, for about ``seconds``; then the second value says that there is more.

    Returns what went, a line a folder.  ``step`` is told of each slice.  Stopped in the middle, it has done
    what it has done; the next run goes on.
    """
    until = store.clock.monotonic() + seconds
    tallies: dict[tuple[FolderId, bool], Tally] = {}
    batch: list[tuple[Going, Sequence[Found]]] = []
    size = 0

    async def flush() -> None:
        nonlocal size
        parts, batch[:], size = list(batch), [], 0
        for (piece, part), count in zip(parts, await _take_away(store, parts), strict=True):
            if count:
                key = (piece.place.id, piece.kept)
                tallies.setdefault(key, Tally(piece.place.account, piece.place.name)).add(part)
                step(len(part))

    async with aclosing(plan(store, rules)) as pieces:
        async for piece in pieces:
            for part in _slices(piece.found):
                if batch and (size + len(part) > SLICE or len(batch) >= TOGETHER):
                    await flush()
                batch.append((piece, part))
                size += len(part)
            if store.clock.monotonic() > until:
                await flush()
                return _lines(tallies), True
        await flush()
    return _lines(tallies), False


async def _take_away(store: Store, parts: Sequence[tuple[Going, Sequence[Found]]]) -> list[int]:
    """In one transaction; how many entries went by each."""
    return await store.write(
        _remove,
        [(piece.place.id, [one.uid for one in part], piece.everywhere, piece.kept) for piece, part in parts],
    )


def _remove(tx: Tx, wanted: Sequence[tuple[FolderId, list[Uid], bool, bool]]) -> list[int]:
    counts = iter(expiring.remove(tx, [(one[0], one[1], one[2]) for one in wanted if not one[3]]))
    return [
        keeping.lapse(tx, [(folder_id, uid) for uid in uids]) if kept else next(counts)
        for folder_id, uids, _, kept in wanted
    ]


def _slices(found: Sequence[Found]) -> Iterator[Sequence[Found]]:
    for start in itertools.count(0, SLICE):
        part = found[start : start + SLICE]
        if not part:
            return
        yield part


def _lines(tallies: dict[tuple[FolderId, bool], Tally]) -> list[Tally]:
    gone = [tally for tally in tallies.values() if tally.messages]
    return sorted(gone, key=lambda tally: (tally.account, tally.folder))


async def job(store: Store, rules: Rules, seconds: float = 300.0) -> bool:
    """One round in the background; True when there is more to do."""
    gone, more = await run(store, rules, seconds=seconds)
    if gone:
        logger.info(
            "expired",
            folders=len(gone),
            messages=sum(one.messages for one in gone),
            bytes=sum(one.bytes for one in gone),
        )
    return more
