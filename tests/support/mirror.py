"""An IMAP client that keeps a copy of a mailbox, changed only by the untagged answers that it is sent.

Each answer is compared with the store as soon as it is heard: numbers, flags, MODSEQs, what is gone, results
of searches, those that are followed, counts of STATUS, UIDs of copies (RFC 9051 7.5, RFC 7162 6, RFC 5267
4.3, RFC 9586).  The copy outlives its connections, and is brought up to date by QRESYNC where its kind can.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quintet.imap import sets
from quintet.imap.service import ImapService
from quintet.net.memory import Talk
from quintet.store.model import Folder

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work")
ENABLES = {
    "old": "", "plain": "IMAP4rev2", "condstore": "IMAP4rev2 CONDSTORE", "qresync": "IMAP4rev2 QRESYNC",
    "notify": "IMAP4rev2 QRESYNC", "uidonly": "IMAP4rev2 UIDONLY QRESYNC",
}  # fmt: skip
KINDS = tuple(ENABLES)
ORDERS = ("ARRIVAL", "REVERSE ARRIVAL", "REVERSE SUBJECT", "SIZE REVERSE DATE")
SEARCHES = (
    "SEARCH", "SEARCH RETURN (ALL COUNT SAVE)", "SORT (ARRIVAL) UTF-8", "SORT RETURN (ALL SAVE) (SIZE) UTF-8",
)  # fmt: skip
PATIENCE = 200  # looks at what is found by a thread
_LINE = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH|UIDFETCH)(?: \((.*)(?:\)|\}))?$")
_FOUND = re.compile(rb"\* (?:SEARCH|SORT)((?: \d+)*)(?: \(MODSEQ (\d+)\))?$")
_ESEARCH = re.compile(rb'\* ESEARCH \(TAG "(\w+)"\)( UID)?(.*)$')
_STEP = re.compile(rb"(ADDTO|REMOVEFROM) \((\d+) ([\d,:]+)\)")
_STATUS = re.compile(rb"\* STATUS (\S+) \((.*)\)$")
_COPYUID = re.compile(rb"\[COPYUID \d+ ([\d,:]+) ([\d,:]+)\]")
_MODIFIED = re.compile(rb"\[MODIFIED ([\d,:]+)\]")

Flags = frozenset[str]
Truth = dict[int, tuple[Flags, int]]  # UID to flags and MODSEQ


class House(Protocol):
    """What the clients look at: services, and the mailbox as it is."""

    @property
    def imap(self) -> Sequence[ImapService]: ...
    def truth(self, mailbox: str, who: str) -> Truth: ...
    def folder(self, mailbox: str, who: str) -> Folder: ...


@dataclass(frozen=True)
class Key:
    """A search key, and which messages it means: by number, UID, flags, MODSEQ."""

    text: str
    means: Callable[[int, int, Flags, int], bool]


@dataclass(frozen=True)
class Silent:
    """What a .SILENT does, of which nothing is told."""

    uids: set[int]
    mode: str
    flag: str
    by_uid: bool


@dataclass
class Followed:
    """A search whose results are kept up to date by the server."""

    tag: bytes
    key: Key
    by_uid: bool
    results: list[int]  # UIDs, or numbers; in their order
    order: str  # "" of a search, whose results may be told in any order


def numbers_of(text: bytes) -> set[int]:
    """The members of a set without stars."""
    return set(listed(text))


def listed(text: bytes) -> list[int]:
    """The same in the order in which they are written (RFC 5267 3.2)."""
    found: list[int] = []
    for low, high in sets.parse(text).ranges:
        found += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return found


def some_key(rng: random.Random, *, numbers: int, modseqs: int, depth: int = 2) -> Key:
    """A random one; ``numbers``: how many messages there are, ``modseqs``: the highest; 0: none are asked."""
    if depth and rng.random() < 0.4:
        left = some_key(rng, numbers=numbers, modseqs=modseqs, depth=depth - 1)
        right = some_key(rng, numbers=numbers, modseqs=modseqs, depth=depth - 1)
        return rng.choice(
            (
                Key(f"NOT ({left.text})", lambda *of: not left.means(*of)),
                Key(f"OR ({left.text}) ({right.text})", lambda *of: left.means(*of) or right.means(*of)),
                Key(f"({left.text} {right.text})", lambda *of: left.means(*of) and right.means(*of)),
            )
        )
    flag = rng.choice(FLAGS)
    low, high = sorted(rng.choices(range(1, 60), k=2))
    word = f"KEYWORD {flag}" if flag[0] == "$" else flag[1:].upper()
    keys = [
        Key(word, lambda _n, _u, flags, _m: flag in flags),
        Key(f"UN{word}", lambda _n, _u, flags, _m: flag not in flags),
        Key(f"UID {low}:{high}", lambda _n, uid, _f, _m: low <= uid <= high),
        Key(f"OR {word} BODY nowhere", lambda _n, _u, flags, _m: flag in flags),
    ]
    if numbers:
        first, last = sorted(rng.choices(range(1, numbers + 1), k=2))
        keys.append(Key(f"{first}:{last}", lambda number, _u, _f, _m: first <= number <= last))
    if modseqs:
        since = rng.randint(1, modseqs + 1)
        keys.append(Key(f"MODSEQ {since}", lambda _n, _u, _f, modseq: modseq >= since))
    return rng.choice(keys)


class Mirror:
    """One client with its copy, which outlives its connections."""

    def __init__(self, house: House, rng: random.Random, kind: str, mailbox: str, who: str) -> None:
        self.house, self.rng, self.kind, self.mailbox, self.who = house, rng, kind, mailbox, who
        self.cache: dict[int, Flags | None] = {}
        self.numbers: list[int] = []  # UID by number, 0 for one that is not known yet
        self.validity = self.highest = 0
        self.tags = 0
        self.idle = False
        self.whole = True  # it knew the UID of every message when it died
        self.own = not mailbox.startswith("Groups/")  # all rights
        self.followed: Followed | None = None
        self.status: dict[str, int] = {}  # as last told
        self.others: dict[str, dict[str, int]] = {}  # the same, of any mailbox since this connection began
        self.found: tuple[list[int], int] | None = None  # of the last search, and its MODSEQ
        self.returned: dict[str, str] = {}  # of the last ESEARCH besides ALL
        self.told: set[int] = set()  # UIDs of FETCH answers since the last command
        self._silently: Silent | None = None
        self._last: dict[int, Flags] = {}  # told without MODSEQ
        self._told = self._code = 0  # highest MODSEQ and last HIGHESTMODSEQ since the last tagged answer

    @property
    def condstore(self) -> bool:
        return self.kind not in ("old", "plain")

    @property
    def vanishes(self) -> bool:
        return self.kind in ("qresync", "notify", "uidonly")

    @property
    def uid_only(self) -> bool:
        return self.kind == "uidonly"

    def truth(self) -> Truth:
        return self.house.truth(self.mailbox, self.who)

    # --- a connection ---------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Connects to some worker, and brings the copy up to date."""
        self.talk = Talk(self.rng.choice(list(self.house.imap)))
        self.idle, self.followed, self.others = False, None, {}
        await self.talk.begin()
        await self.command(f"LOGIN {self.who} demo")
        if ENABLES[self.kind]:
            await self.command(f"ENABLE {ENABLES[self.kind]}")
        if self.kind == "notify":
            status = self.rng.choice(("", " STATUS"))
            await self.command(
                f"NOTIFY SET{status} (SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
                " (PERSONAL (MessageNew MessageExpunge FlagChange))"
            )
        known, self.numbers = sorted(self.cache), []
        if self.vanishes and self.highest:
            await self.command(f"SELECT {self.mailbox} (QRESYNC ({self._known(known)}))")
            self.expect("after QRESYNC", {uid: flags for uid, flags in self.cache.items() if uid in known})
        else:
            self.cache.clear()
            await self.command(f"SELECT {self.mailbox}")
        if not self.uid_only:
            self.numbers = [0] * len(self.numbers)
        await self.learn()
        if self.rng.random() < 0.5:
            await self.follow()

    def _known(self, known: list[int]) -> str:
        """What QRESYNC is told: all that was known, or less."""
        told = f"{self.validity} {self.highest}"
        if not known or self.rng.random() < 0.3:
            return told
        told += f" {sets.write(sets.runs(known)).decode()}"
        if self.uid_only or self.rng.random() < 0.5:
            return told
        at = sorted(self.rng.sample(range(len(known)), min(3, len(known))))
        return f"{told} ({','.join(str(n + 1) for n in at)} {','.join(str(known[n]) for n in at)})"

    async def die(self) -> None:
        self.whole = 0 not in self.numbers
        await self.talk.end()

    async def learn(self) -> None:
        """Asks for what it does not know, as a client does that keeps a whole copy."""
        while 0 in self.numbers and not self.idle:
            await self.command("UID FETCH 1:* (UID FLAGS" + (" MODSEQ)" if self.condstore else ")"))

    async def command(self, text: str, *, fails: bool = False, silently: Silent | None = None) -> bytes:
        """``silently``: what a .SILENT does to the copy."""
        self.tags += 1
        tag = b"t%d" % self.tags
        self.heard(may_expunge=self.idle or self.kind != "notify")
        self.told, self.found, self._silently = set(), None, silently
        await self.talk.send(tag + b" " + text.encode() + b"\r\n", self.rng.choice((1, 7, 1000)))
        name = text.split(maxsplit=1)[0]
        last = self.heard(may_expunge=name not in ("FETCH", "STORE", "SEARCH"))
        if name == "IDLE":
            assert last == b"+ idling"
            return last
        assert last.startswith(tag + b" "), (text, last)
        assert fails or last.startswith(tag + b" OK"), (text, last)
        code = re.search(rb"\[HIGHESTMODSEQ (\d+)\]", last)
        if code:
            self._code = int(code[1])
        self.highest = self._code or max(self.highest, self._told)  # RFC 7162 6
        self._told = self._code = 0
        return last

    # --- what it is told ------------------------------------------------------------------------------

    def heard(self, *, may_expunge: bool) -> bytes:
        """Does what a client must with each untagged answer; returns the last line of another kind."""
        other = copied = b""
        answer = self.talk.take()
        self.silently(answer)
        for line in answer.split(b"\r\n"):
            if line.startswith(b"* VANISHED "):
                self.vanished(line, may_expunge)
            elif code := re.match(rb"\* OK \[(HIGHESTMODSEQ|UIDVALIDITY) (\d+)\]", line):
                if code[1] == b"UIDVALIDITY":
                    self.validity = int(code[2])
                else:
                    self._code = int(code[2])
            elif found := _LINE.match(line):
                self.untagged(int(found[1]), found[2], found[3] or b"", may_expunge)
            elif found := _FOUND.match(line):
                self.found = ([int(number) for number in found[1].split()], int(found[2] or 0))
            elif found := _ESEARCH.match(line):
                self.results(found[1], found[2] is not None, found[3])
            elif found := _STATUS.match(line):
                words = found[2].decode().split()
                self.status = {word: int(n) for word, n in zip(words[::2], words[1::2], strict=True)}
                self.others.setdefault(found[1].decode(), {}).update(self.status)
            elif line.startswith(b"* OK [COPYUID "):
                copied += line
            elif line and (not line.startswith(b"* ") or line.startswith((b"* BYE", b"* NO", b"* BAD"))):
                other = line
        truth = self.truth() if self._last and not self.idle else {}
        for uid, flags in self._last.items():
            assert uid not in truth or flags == truth[uid][0], (self.kind, uid, flags, truth[uid])
        self._last.clear()
        return other + copied

    def silently(self, answer: bytes) -> None:
        """What it set itself without being told, but for what was refused, is done before what is told."""
        if self._silently is None:
            return
        silent, self._silently = self._silently, None
        uids = silent.uids
        if (refused := _MODIFIED.search(answer)) is not None:
            numbers = numbers_of(refused[1])
            uids = uids - (numbers if silent.by_uid else {self.numbers[n - 1] for n in numbers})
        elif re.search(rb"^t\d+ OK", answer, re.MULTILINE) is None:
            return
        for uid in uids & self.cache.keys():
            before, flag = self.cache[uid] or frozenset(), silent.flag
            self.cache[uid] = {"+": before | {flag}, "-": before - {flag}, "": frozenset({flag})}[silent.mode]

    def vanished(self, line: bytes, may_expunge: bool) -> None:
        assert self.vanishes
        uids = numbers_of(line.split()[-1])
        assert not uids & self.truth().keys(), "VANISHED of what is there"
        for uid in uids:
            self.cache.pop(uid, None)
        if b"(EARLIER)" in line:
            return
        assert may_expunge, line
        if self.followed is not None:
            assert not uids & set(self.followed.results), "REMOVEFROM comes first (RFC 5267 4.3.4)"
        unknown = uids - set(self.numbers)
        assert len(unknown) <= self.numbers.count(0), "VANISHED of what was never there (RFC 7162 3.2.10)"
        kept = [uid for uid in self.numbers if uid not in uids]
        for _ in unknown:
            kept.remove(0)
        if unknown and not self.uid_only:  # which of them is which is not known any more
            kept = [0] * len(kept)
        self.numbers = kept

    def untagged(self, number: int, what: bytes, items: bytes, may_expunge: bool) -> None:
        if what == b"EXISTS":
            assert number >= len(self.numbers), "EXISTS takes nothing away"
            self.numbers += [0] * (number - len(self.numbers))
            return
        if what == b"RECENT":
            assert self.kind == "old", "no RECENT after IMAP4rev2 (RFC 9051 B)"
            assert number <= len(self.numbers)
            return
        if what == b"UIDFETCH":
            assert self.uid_only
            self._place(number)
            self.fetched(number, items)
            return
        assert 1 <= number <= len(self.numbers), (number, what, items)
        assert not self.uid_only, "a number after UIDONLY (RFC 9586 3)"
        if what == b"EXPUNGE":
            assert may_expunge
            assert not self.vanishes
            uid = self.numbers.pop(number - 1)
            assert uid not in self.truth(), "EXPUNGE of what is there"
            self.cache.pop(uid, None)
            self._shift(number, uid)
            return
        told = re.search(rb"UID (\d+)", items)
        assert told is not None or not self.condstore, "UID is told to who counts in MODSEQs (RFC 7162 3.2.4)"
        if told is not None:
            assert self.numbers[number - 1] in (0, int(told[1])), "a number changed its meaning"
            self.numbers[number - 1] = int(told[1])
        self.fetched(self.numbers[number - 1], items)

    def _place(self, uid: int) -> None:
        """Without numbers a message is known by its UID alone."""
        if uid not in self.numbers:
            assert 0 in self.numbers, f"UIDFETCH of {uid}, of which EXISTS did not tell"
            self.numbers[self.numbers.index(0)] = uid
            known = sorted(one for one in self.numbers if one)
            self.numbers = known + [0] * (len(self.numbers) - len(known))

    def _shift(self, number: int, uid: int) -> None:
        """Results that are numbers move down with an EXPUNGE."""
        if self.followed is None:
            return
        results = self.followed.results
        assert (uid if self.followed.by_uid else number) not in results, (
            "REMOVEFROM comes first (RFC 5267 4.3.4)"
        )
        if not self.followed.by_uid:
            self.followed.results = [one - (one > number) for one in results]

    def fetched(self, uid: int, items: bytes) -> None:
        """An answer is what was true at its MODSEQ; a later change is in no earlier answer."""
        self.told.add(uid)
        now = self.truth().get(uid)
        flags = modseq = None
        if found := re.search(rb"FLAGS \(([^)]*)\)", items):
            flags = frozenset(found[1].decode().split()) - {"\\Recent"}
            if uid:
                self.cache[uid] = flags
        if found := re.search(rb"MODSEQ \((\d+)\)", items):
            assert self.condstore
            modseq = int(found[1])
            self._told = max(self._told, modseq)
            assert now is None or modseq <= now[1], (self.kind, uid, modseq, now)
        if flags is not None and modseq is None:
            self._last[uid] = flags  # a command of many pages may tell of a message twice
        elif flags is not None and now is not None and modseq == now[1]:
            assert flags == now[0], (self.kind, uid, flags, now)

    def results(self, tag: bytes, by_uid: bool, rest: bytes) -> None:
        """ESEARCH: of the last search, or of one that is followed."""
        steps = _STEP.findall(rest)
        if not steps:
            everything = re.search(rb" ALL ([\d,:]+)", rest)
            modseq = re.search(rb" MODSEQ (\d+)", rest)
            numbers = listed(everything[1]) if everything else []
            if b" PARTIAL" not in rest:
                self.found = (numbers, int(modseq[1]) if modseq else 0)
            pairs = re.findall(rb" (MIN|MAX|COUNT|PARTIAL) (?:\([-\d:]+ )?([\d,:]+|NIL)", rest)
            self.returned = {word.decode(): value.decode() for word, value in pairs}
            if everything:
                assert self.returned.get("COUNT") in (None, str(len(numbers)))
            return
        followed = self.followed
        assert followed is not None
        assert (followed.tag, followed.by_uid) == (tag, by_uid)
        for word, at, text in steps:
            numbers, results = listed(text), followed.results
            if word == b"ADDTO":
                assert not set(numbers) & set(results), ("is there", self.kind, numbers, followed)
                place = int(at) - 1 if int(at) else len(results)
                assert place <= len(results)
                results[place:place] = numbers
            elif int(at):
                assert results[int(at) - 1 : int(at) - 1 + len(numbers)] == numbers, (numbers, followed)
                del results[int(at) - 1 : int(at) - 1 + len(numbers)]
            else:
                assert set(numbers) <= set(results), ("is not there", self.kind, numbers, followed)
                followed.results = [one for one in results if one not in numbers]

    # --- comparing --------------------------------------------------------------------------------------

    def expect(self, when: str, cache: dict[int, Flags | None]) -> None:
        truth = self.truth()
        new = max(cache, default=0)
        assert cache == {uid: truth[uid][0] for uid in truth if uid in cache}, (when, self.kind)
        missing = [uid for uid in truth if uid <= new and uid not in cache]
        assert not (self.whole and missing), (when, self.kind)

    async def agree(self) -> None:
        """Told everything, the client has the mailbox."""
        if self.idle:
            await self.done()
        await self.command("NOOP")
        await self.learn()
        truth = self.truth()
        assert self.numbers == sorted(truth), (self.kind, self.numbers, sorted(truth))
        assert {uid: self.cache[uid] for uid in truth} == {uid: one[0] for uid, one in truth.items()}, (
            self.kind
        )
        for mailbox, status in self.others.items():
            if mailbox != self.mailbox:  # NOTIFY told of each change (RFC 5465 5.1 to 5.3)
                self.counted(mailbox, status)
        await self.counts()
        await self.follows()
        if self.condstore and truth:
            self.talk.take()
            await self.talk.send(b"m UID FETCH 1:* (UID MODSEQ)\r\n")
            line = (
                rb"\* (\d+) UIDFETCH \(.*MODSEQ \((\d+)\)"
                if self.uid_only
                else rb"UID (\d+) MODSEQ \((\d+)\)"
            )
            told = dict(re.findall(line, self.talk.take()))
            assert {int(uid): int(at) for uid, at in told.items()} == {u: one[1] for u, one in truth.items()}

    async def counts(self) -> None:
        """STATUS says the same."""
        items = "MESSAGES UIDNEXT UNSEEN" + (" HIGHESTMODSEQ" if self.condstore else "")
        items += "" if self.kind == "old" else " DELETED"
        await self.command(f"STATUS {self.mailbox} ({items})")
        self.counted(self.mailbox, self.status)

    def counted(self, mailbox: str, told: dict[str, int]) -> None:
        """What was told of a mailbox holds."""
        truth, folder = self.house.truth(mailbox, self.who), self.house.folder(mailbox, self.who)
        expected = {
            "MESSAGES": len(truth),
            "UIDNEXT": folder.uid_next,
            "UNSEEN": sum("\\Seen" not in flags for flags, _ in truth.values()),
            "DELETED": sum("\\Deleted" in flags for flags, _ in truth.values()),
            "HIGHESTMODSEQ": folder.highest_modseq,
            "UIDVALIDITY": folder.uid_validity,
        }
        if mailbox.startswith("Groups/") and "HIGHESTMODSEQ" in told:  # marks of one's own are counted, too
            expected["HIGHESTMODSEQ"] = told["HIGHESTMODSEQ"]
            assert expected["HIGHESTMODSEQ"] >= max((at for _, at in truth.values()), default=0)
        assert told == {word: expected[word] for word in told}, (self.kind, mailbox, told, expected)

    async def follow(self) -> None:
        """Begins to follow a search or an order, by UID or where numbers are exact by numbers."""
        by_uid = self.vanishes or self.rng.random() < 0.5
        key = some_key(self.rng, numbers=0, modseqs=0)
        tag = b"t%d" % (self.tags + 1)
        order = self.rng.choice(("", "", *ORDERS))
        self.followed = Followed(tag, key, by_uid, [], order)
        what = f"SORT RETURN (UPDATE ALL) ({order}) UTF-8" if order else "SEARCH RETURN (UPDATE ALL)"
        await self.command(f"{'UID ' * by_uid}{what} {key.text}")
        assert self.found is not None
        self.followed.results = self.found[0]

    async def follows(self) -> None:
        """What it follows is what it would find now."""
        followed = self.followed
        if followed is None:
            return
        for _ in range(PATIENCE):  # bodies are looked into by a thread
            await self.command("NOOP")
            await self.learn()
            truth = self.truth()
            expected = [
                uid if followed.by_uid else number
                for number, uid in enumerate(self.numbers, 1)
                if followed.key.means(number, uid, *truth[uid])
            ]
            if sorted(followed.results) == expected:
                break
            await asyncio.sleep(0.002)
        assert sorted(followed.results) == expected, (self.kind, followed, expected)
        if followed.order:
            prefix = "UID " * followed.by_uid
            await self.command(f"{prefix}SORT ({followed.order}) UTF-8 {followed.key.text}")
            assert self.found is not None
            assert followed.results == self.found[0], (self.kind, followed, self.found)

    async def search(self) -> None:
        """A random search finds what it means, of what this client was told of."""
        numbers, truth = list(self.numbers), self.truth()
        key = some_key(
            self.rng, numbers=0 if self.uid_only else len(numbers), modseqs=self.highest * self.condstore
        )
        by_uid = self.uid_only or self.rng.random() < 0.5
        what = self.rng.choice(SEARCHES)
        await self.command(f"{'UID ' * by_uid}{what} {key.text}")
        assert self.found is not None, (self.kind, what, key.text)
        uids = self.found[0] if by_uid else [numbers[number - 1] for number in self.found[0]]
        assert set(uids) <= set(numbers), "found what was not told of"
        expected = {
            uid
            for number, uid in enumerate(numbers, 1)
            if uid in truth and key.means(number, uid, *truth[uid])
        }
        assert set(uids) & truth.keys() == expected, (self.kind, what, key.text, uids, expected)
        if "SAVE" in what:
            await self.saved(set(uids))
        elif self.found[1] and set(uids) == expected:  # RFC 7162 3.1.5
            assert "MODSEQ" in key.text
            assert self.found[1] == max(truth[uid][1] for uid in uids)

    async def saved(self, uids: set[int]) -> None:
        """``$`` is what was found, and what its ends and parts are is told as well (RFC 5182, RFC 9394)."""
        await self.command("UID SEARCH UID $")
        assert self.found is not None
        every = self.found[0]
        assert set(every) & self.truth().keys() == uids & self.truth().keys()
        first = self.rng.randint(1, 9)
        part = self.rng.choice((f"{first}:{first + 3}", f"-{first}:-{first + 3}"))
        await self.command(f"UID SEARCH RETURN (MIN MAX COUNT PARTIAL {part}) UID $")
        cut = every[first - 1 : first + 3] if part[0] != "-" else every[::-1][first - 1 : first + 3][::-1]
        expected = {"COUNT": str(len(every)), "PARTIAL": sets.write(sets.runs(cut)).decode() or "NIL"}
        if every:
            expected |= {"MIN": str(every[0]), "MAX": str(every[-1])}
        assert self.returned == expected, (part, every, self.returned)

    async def changed(self) -> None:
        """CHANGEDSINCE tells of all that changed, and with VANISHED of all that is gone (RFC 7162 3.2.6)."""
        since = self.rng.randint(1, max(self.highest, 1))
        truth, numbers = self.truth(), list(self.numbers)
        await self.command(f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since}{' VANISHED' * self.vanishes})")
        expected = {uid for uid in numbers if uid in truth and truth[uid][1] > since}
        assert expected <= self.told, (self.kind, since, expected, self.told)

    # --- acting -----------------------------------------------------------------------------------------

    async def done(self) -> None:
        self.heard(may_expunge=True)
        self.idle = False
        await self.talk.send(b"DONE\r\n")
        assert b" OK" in self.heard(may_expunge=True)
        await self.learn()

    def pick(self) -> str:
        low, high = sorted(self.rng.choices(range(1, len(self.numbers) + 1), k=2))
        return self.rng.choice((f"{low}:{high}", f"{low},{high}", str(low), f"{high}:*"))

    def meant(self, text: str) -> set[int]:
        """UIDs of what a set in ``text`` means to this client: numbers, or UIDs after ``UID``."""
        by_uid, words = text.startswith("UID "), text.split()
        found = sets.parse(words[2 if by_uid else 1].encode())
        largest = max(self.numbers, default=0) if by_uid else len(self.numbers)
        wanted = found.resolve(largest)
        if by_uid:
            return {uid for uid in self.numbers if any(low <= uid <= high for low, high in wanted)}
        return {self.numbers[n - 1] for low, high in wanted for n in range(low, high + 1)}

    async def act(self) -> None:
        """One random thing that a client does."""
        rng = self.rng
        if self.idle:
            await self.done()
            return
        chance = rng.random()
        if chance < 0.15:
            await self.search()
        elif chance < 0.2 and self.condstore:
            await self.changed()
        elif chance < 0.35:
            await self.transfer()
        else:
            await self.change()
        await self.learn()

    async def transfer(self) -> None:
        """COPY and MOVE say which message became which (RFC 4315 3, RFC 6851 4.3)."""
        rng = self.rng
        low = rng.randint(1, 40)
        chosen = rng.choice((str(low), f"{low}:{low + 9}"))
        text = f"UID {rng.choice(('COPY', 'MOVE'))} {chosen}"
        if self.numbers and not self.uid_only and rng.random() < 0.5:
            text = f"{rng.choice(('COPY', 'MOVE'))} {self.pick()}"
        target = rng.choice(("INBOX", "Trash"))
        before = self.truth()
        there = self.house.truth(target, self.who)
        meant = self.meant(text) & before.keys()
        last = await self.command(f"{text} {target}", fails=True)
        found = _COPYUID.findall(last)
        if not found:
            assert not meant or b" NO" in last, (text, meant, last)
            return
        olds, news = (sorted(set().union(*map(numbers_of, uids))) for uids in zip(*found, strict=True))
        assert set(olds) == meant, (text, olds, meant)
        now = self.house.truth(target, self.who)
        assert not there.keys() & set(news)
        for old, new in zip(olds, news, strict=True):
            assert now[new][0] == before[old][0], (text, old, new)
        if "MOVE" in text and self.own:
            assert not set(olds) & self.truth().keys()

    async def change(self) -> None:
        rng = self.rng
        flag, mode = rng.choice(FLAGS), rng.choice(("+", "-", ""))
        low = rng.randint(1, 40)
        uids = rng.choice((str(low), f"{low}:{low + 9}", "1:*"))
        silent = rng.choice(("", ".SILENT"))
        since = f"(UNCHANGEDSINCE {self.highest}) " if self.condstore and rng.random() < 0.4 else ""
        store = f"{since}{mode}FLAGS{silent} ({flag})"
        texts = [
            "NOOP", "EXPUNGE", f"UID EXPUNGE {uids}", f"UID STORE {uids} {store}",
            f'UID STORE {uids} {since}ANNOTATION (/comment (value.{rng.choice(("priv", "shared"))} "x"))',
            f"UID FETCH {uids} FLAGS", "IDLE", "IDLE",
        ]  # fmt: skip
        if self.numbers and not self.uid_only:
            texts += [
                f"STORE {self.pick()} {store}",
                f"STORE {self.pick()} +FLAGS (\\Deleted)",
                f"FETCH {self.pick()} (UID FLAGS BODY[TEXT])"
                if self.condstore
                else f"FETCH {self.pick()} FLAGS",
            ]
        text = rng.choice(texts)
        self.idle = text == "IDLE"
        quiet = silent and "FLAGS.SILENT" in text
        done = Silent(self.meant(text), mode, flag, text.startswith("UID")) if quiet and self.own else None
        await self.command(text, fails=True, silently=done)
        if quiet and not self.own:  # which flags it may set it does not know
            await self.command("UID FETCH 1:* (UID FLAGS" + (" MODSEQ)" if self.condstore else ")"))


def agreed(clients: Iterable[Mirror]) -> bool:
    """All that look at one mailbox see the same messages."""
    seen: dict[str, set[tuple[int, ...]]] = {}
    for client in clients:
        seen.setdefault(client.mailbox, set()).add(tuple(client.numbers))
    return all(len(views) == 1 for views in seen.values())
