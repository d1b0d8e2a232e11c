"""Random work on a store against a model of dictionaries: entries, counts, changes, read marks agree."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quintet.errors import Refused
from quintet.store import accounts, changes, check, db, entries, folders, groups, migrate, seen, sweep
from quintet.store.model import DELETED, SEEN, AccountId, FolderId
from tests.support.letters import letter

FLAGS = st.integers(0, 31)
WORDS = st.lists(st.sampled_from(["$Junk", "$junk", "Work", "x"]), max_size=2)
PICK = st.integers(0, 10_000)


@dataclass
class Place:
    """What the model knows of a folder."""

    name: str
    rows: dict[int, tuple[int, frozenset[str], int]] = field(
        default_factory=dict
    )  # uid: flags, words, letter
    next: int = 1


@dataclass
class Client:
    """Somebody who keeps a copy of a folder by asking what changed."""

    folder: FolderId
    cursor: int = 0
    rows: dict[int, tuple[int, frozenset[str]]] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Two folders and more of one account, a group, a reader of it, and clients that follow."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        path = Path(self.home.name) / "quintet.db"
        self.tx = db.SqliteTx(db.open_sqlite(path, writable=True, sync="off"))
        migrate.upgrade(self.tx, 1)
        self.now = 1_000_000
        self.places: dict[FolderId, Place] = {}
        self.clients: list[Client] = []
        self.marks: set[int] = set()
        self.letters = 0

    def do(self, fn, *args, **kwargs):  # type: ignore[no-untyped-def] # any transaction function
        self.now += 1000
        return db.transact(self.tx, self.now, fn, *args, **kwargs)

    @initialize()
    def begin(self) -> None:
        self.alice: AccountId = self.do(accounts.create, "alice").id
        self.bob: AccountId = self.do(accounts.create, "bob").id
        for name in ("INBOX", "Trash"):
            found = folders.find(self.tx, self.alice, name)
            assert found
            self.places[found.id] = Place(name)
        self.group: FolderId = self.do(groups.create, "misc.test").id
        self.places[self.group] = Place("misc.test")

    def teardown(self) -> None:
        self.tx.close()
        self.home.cleanup()

    def pick(self, number: int, *, mail: bool = False) -> FolderId:
        choice = [f for f in self.places if not mail or f != self.group]
        return choice[number % len(choice)]

    def some(self, folder: FolderId, number: int) -> list[int]:
        uids = sorted(self.places[folder].rows)
        return [uid for i, uid in enumerate(uids) if number >> (i % 12) & 1] + [99_999]

    @rule(where=PICK, flags=FLAGS, words=WORDS, again=st.booleans())
    def add(self, where: int, flags: int, words: list[str], again: bool) -> None:
        folder = self.pick(where, mail=True)
        self.letters += not again or not self.letters
        unique = tuple({w.lower(): w for w in words}.values())
        content = letter(self.letters)
        (added,) = self.do(entries.add, [folder], content, received_at=self.now, flags=flags, keywords=unique)
        place = self.places[folder]
        assert added.uid == place.next
        place.rows[place.next] = (flags, frozenset(w.lower() for w in unique), content.size)
        place.next += 1

    @rule()
    def post(self) -> None:
        self.letters += 1
        content = letter(self.letters)
        place = self.places[self.group]
        (added,) = self.do(groups.file, [self.group], content, path=b"x", host="h", received_at=self.now)
        assert added.uid == place.next
        size = entries.get(self.tx, self.group, added.uid).size
        place.rows[place.next] = (0, frozenset(), size)
        place.next += 1

    @rule(where=PICK, which=PICK, mode=st.sampled_from("+-="), flags=FLAGS, words=WORDS)
    def mark(self, where: int, which: int, mode: str, flags: int, words: list[str]) -> None:
        folder = self.pick(where)
        uids = self.some(folder, which)
        told, late = self.do(entries.set_flags, folder, uids, mode, flags, words)
        assert late == []
        rows = self.places[folder].rows
        lower = frozenset(w.lower() for w in words)
        for uid in uids:
            if uid in rows:
                old, had, size = rows[uid]
                new = {"+": old | flags, "-": old & ~flags, "=": flags}[mode]
                rows[uid] = (new, {"+": had | lower, "-": had - lower, "=": lower}[mode], size)
        assert [c.uid for c in told] == [uid for uid in sorted(uids) if uid in rows]

    @rule(which=PICK, value=st.booleans())
    def read(self, which: int, value: bool) -> None:
        uids = self.some(self.group, which)[:-1]
        self.do(seen.mark, self.group, self.bob, uids, value)
        self.marks = self.marks | set(uids) if value else self.marks - set(uids)

    @rule(source=PICK, goal=PICK, which=PICK, move=st.booleans())
    def copy(self, source: int, goal: int, which: int, move: bool) -> None:
        one, two = self.pick(source, mail=True), self.pick(goal, mail=True)
        uids = self.some(one, which)
        pairs = self.do(entries.move if move else entries.copy, one, uids, two)
        mine = {uid: self.places[one].rows[uid] for uid in uids if uid in self.places[one].rows}
        if move:
            for uid in mine:
                del self.places[one].rows[uid]
        place = self.places[two]
        expected = []
        for uid, row in sorted(mine.items()):
            place.rows[place.next] = row
            expected.append((uid, place.next))
            place.next += 1
        assert [(p.source_uid, p.target_uid) for p in pairs] == expected

    @rule(where=PICK, which=PICK, all_marked=st.booleans())
    def expunge(self, where: int, which: int, all_marked: bool) -> None:
        folder = self.pick(where)
        rows = self.places[folder].rows
        if all_marked:
            gone = self.do(entries.expunge, folder)
            expected = sorted(uid for uid, row in rows.items() if row[0] & DELETED)
        else:
            uids = self.some(folder, which)
            gone = self.do(entries.expunge, folder, uids)
            expected = [uid for uid in uids if uid in rows]
        assert gone == expected
        for uid in gone:
            del rows[uid]

    @precondition(lambda self: len(self.places) < 6)
    @rule(name=st.sampled_from(["a", "a/b", "c", "a/b/c"]))
    def create(self, name: str) -> None:
        if folders.find(self.tx, self.alice, name) is None:
            self.do(folders.create, self.alice, name)
            for folder in folders.listing(self.tx, self.alice):
                if folder.id not in self.places and folder.name[0] in "ac":
                    self.places[folder.id] = Place(folder.name)

    @rule(where=PICK, name=st.sampled_from(["z", "z/y", "a", "c/d"]))
    def rename(self, where: int, name: str) -> None:
        folder = self.pick(where, mail=True)
        old = self.places[folder].name
        if old in ("INBOX", "Trash") or name.startswith(old) or folders.find(self.tx, self.alice, name):
            return
        try:
            self.do(folders.rename, folder, name)
        except Refused:
            return  # a folder below the new name is in the way: nothing may have changed
        for found in folders.listing(self.tx, self.alice):
            if found.id in self.places:
                self.places[found.id].name = found.name
            elif found.name in ("z", "c"):
                self.places[found.id] = Place(found.name)

    @rule(where=PICK)
    def follow(self, where: int) -> None:
        self.clients.append(Client(self.pick(where)))

    @rule(where=PICK)
    def prune(self, where: int) -> None:
        folder = self.pick(where)
        upto = folders.get(self.tx, folder).highest_modseq
        self.do(changes.prune, folder, upto - 2)

    @rule()
    def sweep(self) -> None:
        self.do(sweep.garbage, self.now + 10_000)

    @rule(limit=st.integers(1, 5))
    def ask(self, limit: int) -> None:
        for client in self.clients:
            while True:
                found = changes.since(self.tx, client.folder, client.cursor, limit=limit)
                for change in found.changed:
                    words = frozenset(w.lower() for w in change.keywords)
                    client.rows[change.uid] = (change.flags, words)
                for low, high in found.vanished:
                    for uid in [u for u in client.rows if low <= u <= high]:
                        del client.rows[uid]
                client.cursor = found.highest_modseq
                if not found.more:
                    break
            rows = self.places[client.folder].rows
            assert client.rows == {uid: (flags, words) for uid, (flags, words, _) in rows.items()}

    @invariant()
    def agrees(self) -> None:
        for folder_id, place in self.places.items():
            folder = folders.get(self.tx, folder_id)
            rows = place.rows
            assert folder.name == place.name
            assert folder.uid_next == place.next
            assert folder.messages == len(rows)
            assert folder.unseen == sum(not row[0] & SEEN for row in rows.values())
            assert folder.deleted == sum(bool(row[0] & DELETED) for row in rows.values())
            assert folder.bytes == sum(row[2] for row in rows.values())
            assert folder.low == min(rows, default=place.next)
            assert list(entries.uids(self.tx, folder_id)) == sorted(rows)
        if self.places:
            group = folders.get(self.tx, self.group)
            unread = set(self.places[self.group].rows) - self.marks
            assert seen.unseen(self.tx, group, self.bob) == len(unread)
        broken = check.everything(self.tx)
        assert not broken, broken


StoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestStore = StoreMachine.TestCase
