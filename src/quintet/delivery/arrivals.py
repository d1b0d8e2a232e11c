"""Articles that other servers bring: what is asked for, what is taken, and what is said of the rest.

Protocol-free: `Arrivals.ask` answers offers, `Arrivals.take` files what came, many in one transaction, and
returns when it is on the disk.  What an article must be is `arrive`'s business; replies are the protocol's.
RFC 5537 3.6 (relaying agents), 3.7 (serving agents).
"""

from __future__ import annotations

import asyncio
import collections
import enum
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer
from quintet.delivery import arrive, quarantine, screening
from quintet.delivery.arrivalbatch import DUPLICATE, FAILED, TAKEN, Batch, Fate, Outcome
from quintet.delivery.arrivalgroups import SPECIAL, ArrivalGroups
from quintet.delivery.arrive import Arriving, No
from quintet.delivery.behind import GATHERED, Behind
from quintet.delivery.control import acts, orders
from quintet.delivery.offers import Offers
from quintet.delivery.peers import Peers
from quintet.delivery.screening import Screen, Word
from quintet.delivery.sparing import Sparing
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.message import quick
from quintet.policy.newsfilter import patterns
from quintet.store import history, trace
from quintet.store.arriving import Filing
from quintet.store.blobs import Spool
from quintet.store.content import Content, Raw, content_of, of_digest, raw
from quintet.store.model import IN_ROW, FolderId, MessageId
from quintet.store.store import Store
from quintet.values import dataclass

DAY_MS = 86_400_000
TURN_S = 0.005  # of work on one batch before others get their turn

_WISHES = frozenset((b"control", b"supersedes"))  # fields by which an article asks for something
_LOOKED_AT = _WISHES | {b"expires"}  # fields that are read when it is filed

logger = log.get("arrivals")


class Answer(enum.Enum):
    """What an offered Message-ID is answered."""

    WANTED = enum.auto()
    LATER = enum.auto()  # another peer is sending it now
    KNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Filed:
    """An article that is in the store now."""

    row: MessageId
    article: Arriving
    groups: tuple[str, ...]
    peer: Peer


@dataclass(slots=True)
class Source:
    """One connection of a peer."""

    peer: Peer
    address: str
    conn: str
    owner: int = 0  # in the table of offers


@dataclass(frozen=True, slots=True)
class Soon:
    """An article that was acknowledged before it was filed, alone in its batch."""

    arrivals: Arrivals
    source: Source
    work: Batch
    claimed: bytes  # the announced id


After = Callable[[Sequence[Filed]], None]


class Arrivals:
    """One a process, shared by all connections of peers."""

    def __init__(
        self, store: Store, config: Nntp, news: News, *,
        hostname: str, clock: Clock, peers: Peers, offers: Offers, behind: Behind[Soon] | None = None,
    ) -> None:  # fmt: skip
        """``behind``: what was acknowledged before the configuration was read again."""
        self._store, self._config, self._news, self._clock = store, config, news, clock
        self.peers, self.offers = peers, offers
        self.host = config.path_host or hostname
        self._noticed = frozenset(news.noticed)
        self._limits = arrive.Limits(
            config.max_peer_article,
            config.max_peer_age_days * DAY_MS,
            frozenset(config.exclude),
            config.take_distributions,
            config.lines_fuzz,
        )
        self._groups = ArrivalGroups(store, clock)
        self.behind = Behind(_file_behind) if behind is None else behind
        self._told = Sparing(lambda peer, count: logger.info("more articles refused", peer=peer, count=count))
        self.after: list[After] = []  # told of what was filed, after the flush; must not wait
        self.screen: Screen | None = None  # filters, set by who joins them

    @property
    def max_article(self) -> int:
        """Octets of the largest article that is taken."""
        return self._config.max_peer_article

    # --- offers ------------------------------------------------------------------------------

    def knows_all(self, ids: Sequence[bytes]) -> bool:
        """Whether every one is in the history; each once, and well-formed.  May raise TryLater."""
        texts = b"\n".join(ids).decode("ascii").split("\n")
        return len(self._store.known_many(texts)) == len(texts)

    def ask(self, source: Source, ids: Sequence[bytes]) -> list[Answer]:
        """Which of the offered articles to send.  Ids are well-formed; may raise TryLater."""
        if source.peer.ignore:
            return [Answer.KNOWN] * len(ids)
        known = self._known(ids)
        if len(known) == len(ids):
            return [Answer.KNOWN] * len(ids)
        wanted = [each for each in ids if each not in known]
        free = dict(zip(wanted, self.offers.ask(wanted, source.owner), strict=True))
        busy = Answer.LATER if source.peer.resend else Answer.KNOWN
        return [Answer.KNOWN if each in known else Answer.WANTED if free[each] else busy for each in ids]

    def ask_one(self, source: Source, offered: bytes) -> Answer:
        """`ask` about a single article."""
        if source.peer.ignore or self._is_known(offered):
            return Answer.KNOWN
        if self.offers.ask((offered,), source.owner)[0]:
            return Answer.WANTED
        return Answer.LATER if source.peer.resend else Answer.KNOWN

    def _is_known(self, one: bytes) -> bool:
        return bool(self._store.known_many((one.decode("ascii"),))) or one in self.behind.ids

    def _known(self, ids: Sequence[bytes]) -> set[bytes]:
        """Those of the ids that are in the history, or acknowledged and on their way there."""
        found = {each.encode() for each in self._store.known_many([each.decode("ascii") for each in ids])}
        return found | self.behind.ids.intersection(ids) if self.behind.ids else found

    # --- articles ----------------------------------------------------------------------------

    async def take(self, source: Source, items: Sequence[tuple[bytes, bytes, bool]]) -> list[Outcome]:
        """Takes whole articles: announced Message-ID, bytes, whether surely no line begins with a dot.

        They are flushed when it returns.
        """
        work = Batch(len(items))
        self._groups.heed()
        announced = [each for each, _, _ in items]
        try:
            unwanted = await self.unwanted(source, announced)
            known = self._known(announced)
        except TryLater as problem:
            self.offers.done(announced)
            return [Outcome(Fate.LATER, problem.text)] * len(items)
        until = self._clock.monotonic() + TURN_S
        try:
            for at, (claimed, data, dotless) in enumerate(items):
                if claimed in known or source.peer.ignore:
                    work.outcomes[at] = DUPLICATE
                    continue
                if claimed in unwanted:
                    work.outcomes[at] = Outcome(Fate.REFUSED, unwanted[claimed])
                    continue
                self._look(source, work, at, claimed, data, dotless)
                if self._clock.monotonic() > until:
                    await asyncio.sleep(0)
                    until = self._clock.monotonic() + TURN_S
            await self._place(source, work)
            await self._file(source, work)
        except Problem as problem:
            if not isinstance(problem, TryLater):
                logger.warning("not filed", conn=source.conn, reason=problem.reason.value)
            work.later(problem.text)
        finally:
            work.discard()
            self.offers.done(announced)
        return self._counted(source, work)

    async def take_long(self, source: Source, claimed: bytes, chunks: AsyncIterator[bytes]) -> Outcome:
        """Takes one article that is too long to wait for in memory."""
        limit = self._config.max_peer_article
        held: list[bytes] = []
        size = lines = 0
        spool: Spool | None = None
        article: Arriving | No | None = None
        work = Batch(1)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:  # the rest is read past by the driver
                    own = article.message_id if isinstance(article, Arriving) else ""
                    refused = arrive.too_big(size, self._limits, own)
                    assert refused is not None
                    work.refuse(0, refused)
                    break
                if spool is not None:
                    await spool.take(chunk)
                    lines += chunk.count(b"\n")
                    continue
                held.append(chunk)
                if size > IN_ROW:
                    article = arrive.read(b"".join(held))
                    held.clear()
                    if isinstance(article, No):
                        break
                    spool = self._store.spool()
                    await spool.take(article.data)
                    lines = article.body.count(b"\n")
            if work.outcomes[0] is None and isinstance(article, No):
                work.refuse(0, article)
            if work.outcomes[0] is None and spool is None:
                return (await self.take(source, [(claimed, b"".join(held), False)]))[0]
            if work.outcomes[0] is None:
                assert isinstance(article, Arriving)
                article.lines = lines
                if self._is_known(claimed) or source.peer.ignore:
                    work.outcomes[0] = DUPLICATE
                elif self._judge(work, 0, claimed, article):
                    assert spool is not None
                    work.spools[0] = spool
                    work.left.append(0)
            await self._place(source, work)
            await self._file(source, work)
        except Problem as problem:
            work.later(problem.text)
        finally:
            if spool is not None:
                spool.discard()
            self.offers.done([claimed])
        return self._counted(source, work)[0]

    def take_soon(self, source: Source, claimed: bytes, data: bytes, dotless: bool) -> Outcome | None:
        """Checks an article, and files it behind the answer (``acknowledge = "received"``).

        None: too many are on their way to the disk, or it needs waiting; take this one as usual.
        Raises TryLater.
        """
        if len(data) > IN_ROW or not self.behind.takes(len(data)):
            return None
        if self.screen is not None and (self.screen.looks or self.screen.looks_at_ids):
            return None  # filters may have to wait
        if source.peer.ignore or self._is_known(claimed):
            return DUPLICATE
        self._groups.heed()
        work = Batch(1)
        try:
            self._look(source, work, 0, claimed, data, dotless)
            if work.left:
                chosen = self._choose(source, work)
                if chosen is None:  # one of our own groups must be made first
                    return None
                for places in chosen.values():
                    article = work.articles[0]
                    content = self._raw(article, list(places), dotless) or self._scanned(article)
                    self._put(source, work, 0, list(places), list(places.values()), content)
        except TryLater:
            self.offers.done((claimed,))
            raise
        self.behind.add(claimed, Soon(self, source, work, claimed), len(data))  # now it is here for everybody
        outcome = work.outcomes[0]
        return TAKEN if outcome is None else outcome

    async def file_acknowledged(self, source: Source, batch: Sequence[Soon]) -> None:
        """Files what one peer was told that we have."""
        work = Batch(len(batch))
        for at, one in enumerate(batch):
            work.adopt(at, one.work)
        name = source.peer.name
        try:
            await self._file(source, work, behind=True)
        except Problem as problem:
            logger.warning("acknowledged articles lost", peer=name, reason=problem.reason.value)
            work.later(problem.text)
        except Exception as bug:  # what was acknowledged beside it must not be lost as well
            logger.error("acknowledged articles lost", peer=name, exc_info=bug)  # noqa: TRY400
            work.later(Reason.BUG.value)
        finally:
            self.offers.done([one.claimed for one in batch])
        self._counted(source, work)

    # --- one batch ---------------------------------------------------------------------------

    def _look(self, source: Source, work: Batch, at: int, claimed: bytes, data: bytes, dotless: bool) -> None:
        """All that can be said and made of an article at once, while the processor still has its bytes."""
        article = arrive.read(data, claimed)
        if isinstance(article, No):
            work.refuse(at, article)
            return
        big = arrive.too_big(article.size, self._limits, article.message_id)
        if big is not None:
            work.refuse(at, big)
        elif self._judge(work, at, claimed, article) and not self._fit(source, work, at, article, dotless):
            work.left.append(at)

    def _judge(self, work: Batch, at: int, claimed: bytes, article: Arriving) -> bool:
        """The checks that need no store; notes the article for `_fit` or `_place` when it passes."""
        if article.message_id.encode() != claimed:
            # Deviates from INN, which files it under its own id: anybody could make an id unwanted everywhere
            work.refuse(at, No("Message-ID differs from the one announced"))
            return False
        refused = arrive.judge(article, self._clock.now(), self._limits)
        if refused is not None:
            work.refuse(at, refused)
            return False
        work.articles[at] = article
        return True

    def _fit(self, source: Source, work: Batch, at: int, article: Arriving, dotless: bool) -> bool:
        """What `_place` does, for an article as most are; False where the store must be asked."""
        here = self._groups.ids
        if self._config.numbers_from or b"control" in article.fields:
            return False
        for name in article.newsgroups:
            if name not in here:
                return False
        names = self._wanted(source, article)
        if isinstance(names, No):
            work.refuse(at, names)
            del work.articles[at]
            return True
        ids = [here[name] for name in names if name in here]
        if len(ids) < len(names):  # where an alias leads
            return False
        content = self._raw(article, names, dotless)
        if content is None:
            return False
        self._put(source, work, at, names, ids, content)
        return True

    def _wanted(self, source: Source, article: Arriving) -> list[str] | No:
        config = self._config
        return arrive.choose(
            article,
            self._groups.status,
            patterns(source.peer.accept),
            verify=config.verify_groups,
            junk=config.want_junk,
        )

    async def _place(self, source: Source, work: Batch) -> None:
        """Finds the groups of what `_fit` left, makes its content, and asks the filters."""
        if work.left:
            chosen = self._choose(source, work)
            if chosen is None:
                left = work.waiting().values()
                await self._groups.make({name for article in left for name in arrive.special(article)})
                chosen = self._choose(source, work) or {}
            for at, places in chosen.items():
                article = work.articles[at]
                content = self._raw(article, list(places), False) or await self._content(work, at, article)
                self._put(source, work, at, list(places), list(places.values()), content)
        if self.screen is not None and self.screen.looks:
            for at in list(work.filings):
                await self._screen(self.screen, source, work, at)

    async def _screen(self, screen: Screen, source: Source, work: Batch, at: int) -> None:
        """Asks the filters about one; what they hold back is taken, but not filed.  Raises TryLater."""
        one, article = work.filings[at], work.articles[at]
        assert isinstance(one.content, Content)  # `_raw` leaves those alone that filters look at
        sender = screening.Sender(source.conn, source.address, peer=source.peer.name)
        fate = await screen.article(sender, one.message_id, article.newsgroups, one.content)
        if fate.word is Word.FILE:
            return
        del work.filings[at]
        if fate.word is Word.REFUSE:
            detail = {"why": fate.text, "peer": source.peer.name}
            self._store.later(
                trace.add, self._clock.now(), source.conn, "refused", None, one.message_id, detail
            )
            work.refuse(at, No(fate.text[: arrive.MAX_SHOWN], one.message_id))
            return
        note = trace.Note(source.conn, fate.word.value, None, {"why": fate.text, "peer": source.peer.name})
        try:
            if fate.word is Word.DROP:
                await self._store.write(quarantine.drop, one.message_id, note)
            else:
                await self._store.write(
                    quarantine.put,
                    one.content,
                    path=one.path,
                    message_id=one.message_id,
                    why=fate.text,
                    config=self._news,
                    note=note,
                )
        except Refused as problem:
            work.outcomes[at] = FAILED.get(problem.reason, Outcome(Fate.REFUSED, problem.text))
            return
        work.outcomes[at] = TAKEN

    async def unwanted(self, source: Source, ids: Sequence[bytes]) -> dict[bytes, str]:
        """Those of the offered articles that a hook refuses, with its words.  Raises TryLater."""
        if self.screen is None or not self.screen.looks_at_ids:
            return {}
        sender = screening.Sender(source.conn, source.address, peer=source.peer.name)
        found = await self.screen.offers(sender, [each.decode("ascii") for each in ids])
        return {name.encode(): text for name, text in found.items()}

    def _choose(self, source: Source, work: Batch) -> dict[int, dict[str, FolderId]] | None:
        """The groups of what `_fit` left, in their order; None when one that we make must be made first."""
        left = work.waiting()
        numbers = self._numbers(left)
        given = [each for each in numbers.values() if not isinstance(each, No)]
        self._groups.find(arrive.candidates(left.values()).union(*given))
        here, status = self._groups.ids, self._groups.status
        chosen: dict[int, dict[str, FolderId]] = {}
        for at, article in left.items():
            found = self._wanted(source, article)
            own = numbers.get(at)
            if isinstance(own, No) and not isinstance(found, No):
                found = own
            if isinstance(found, No):
                work.refuse(at, found)
                del work.articles[at]
                continue
            if isinstance(own, dict):
                found = [name for name in own if status.get(name, "x") != "x"]
                work.numbers[at] = own
            elif any(name in SPECIAL and name not in here for name in found):
                return None
            places = {name: here[name] for name in found if name in here}
            if not places:
                first = article.newsgroups[0][: arrive.MAX_SHOWN]
                work.refuse(at, No(f'Unwanted newsgroup "{first}"', article.message_id))
                del work.articles[at]
                continue
            chosen[at] = places
        return chosen

    def _numbers(self, left: Mapping[int, Arriving]) -> dict[int, dict[str, int] | No]:
        """The groups and numbers of each article where another server gives them, else nothing."""
        host = self._config.numbers_from
        return {at: arrive.numbered(one, host) for at, one in left.items()} if host else {}

    def _put(
        self,
        source: Source,
        work: Batch,
        at: int,
        names: Sequence[str],
        ids: Sequence[FolderId],
        content: Content | Raw,
    ) -> None:
        """Notes what is to be filed."""
        article = work.articles[at]
        path = arrive.new_path(self.host, article.path, source.peer.identity, source.address)
        numbers = tuple([work.numbers[at][name] for name in names]) if work.numbers else ()
        work.filings[at] = Filing(article.message_id, tuple(ids), content, path.encode("latin-1"), numbers)
        work.groups[at] = tuple(names)

    def _raw(self, article: Arriving, names: Sequence[str], dotless: bool) -> Raw | None:
        """An article that nobody looks at before a reader does: nothing but its overview is made now."""
        if (
            not article.is_plain
            or not _LOOKED_AT.isdisjoint(article.fields)
            or not self._noticed.isdisjoint(names)
            or article.size > IN_ROW
            or (self.screen is not None and self.screen.looks)
        ):
            return None
        self._store.blobs.check_space(len(article.data))
        return raw(
            article.data,
            article.header_end + 2,
            article.fields,
            article.message_id,
            article.sent_at,
            dotless=dotless,
        )

    async def _content(self, work: Batch, at: int, article: Arriving) -> Content:
        spool = work.spools.get(at)
        if spool is None:
            if len(article.data) <= IN_ROW:
                return self._scanned(article)
            spool = work.spools[at] = self._store.spool()
            await spool.take(article.data)
        return await spool.finish()

    def _scanned(self, article: Arriving) -> Content:
        """A small article that somebody may look at."""
        data = article.data
        self._store.blobs.check_space(len(data))
        known = quick.digest(article.listed, data, article.header_end + 2)
        if known is not None:
            return of_digest(known, hashlib.sha256(data).digest(), data, None)
        return content_of(data)

    async def _file(self, source: Source, work: Batch, *, behind: bool = False) -> None:
        """``behind``: all of it was acknowledged already."""
        write = self._store.write_behind if behind else self._store.write
        if not work.filings:
            if work.remembered:
                await write(history.remember_all, work.remembered)
            return
        order = sorted(work.filings)
        noticed = self._noticed
        wishes = {}
        for place, at in enumerate(order):
            content = work.filings[at].content
            if type(content) is Raw:  # then it asks for nothing
                continue
            if _WISHES.isdisjoint(work.articles[at].fields) and not noticed.intersection(work.groups[at]):
                continue
            wish = orders.read(content.digest, noticed)
            if wish is not None:
                wishes[place] = wish
        results = await write(
            acts.file_all,
            [work.filings[at] for at in order],
            wishes,
            host=self.host,
            rules=self._news,
            conn=source.conn,
            remembered=work.remembered,
        )
        filed: list[Filed] = []
        for at, result in zip(order, results, strict=True):
            if isinstance(result, Reason):
                work.outcomes[at] = FAILED.get(result, Outcome(Fate.LATER, result.value))
                continue
            work.outcomes[at] = TAKEN
            if not self.after:
                continue
            filed.append(Filed(result, work.articles[at], work.groups[at], source.peer))
        for tell in self.after:
            tell(filed)

    def _counted(self, source: Source, work: Batch) -> list[Outcome]:
        results = work.results()
        for fate, count in collections.Counter([outcome.fate for outcome in results]).items():
            metrics.PEER_IN.labels(source.peer.name, fate.name.lower()).inc(count)
        for outcome in results:
            if outcome.fate is not Fate.TAKEN and outcome is not DUPLICATE:
                name = source.peer.name
                self._told.tell(
                    name, logger.info, "article refused", conn=source.conn, peer=name, why=outcome.text
                )
        return results

    async def close(self) -> None:
        """Waits for what was acknowledged already."""
        await self.behind.close()
        self._told.close()
        await self._groups.close()
        await self.peers.close()
        self.offers.close()


async def _file_behind(soon: Sequence[Soon]) -> None:
    """Files what was acknowledged, each peer's apart, all in one transaction."""
    parts: dict[tuple[int, str], list[Soon]] = {}
    for one in soon:
        parts.setdefault((id(one.arrivals), one.source.peer.name), []).append(one)
    await asyncio.gather(
        *[
            ones[0].arrivals.file_acknowledged(ones[0].source, ones[start : start + GATHERED])
            for ones in parts.values()
            for start in range(0, len(ones), GATHERED)
        ]
    )
