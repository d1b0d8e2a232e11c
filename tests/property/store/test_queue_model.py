"""The queue's state machine against a model of dictionaries: any order of commands, any number of workers."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from quintet.store import check, db, fetching, migrate, queue
from tests.support.letters import letter

OWNERS = st.sampled_from(["one", "two"])
DOMAINS = st.sampled_from(["a.example", "b.example", "c.example"])


class QueueModel(RuleBasedStateMachine):
    """Every recipient is waiting, leased, held or gone, and only whoever leased it has it."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.tx = db.SqliteTx(db.open_sqlite(Path(":memory:"), writable=True, sync="off"))
        migrate.upgrade(self.tx, 1)
        self.tx.begin(1_000_000)
        self.model: dict[int, tuple[str, int, str]] = {}  # state, due_at, owner
        self.domain: dict[int, str] = {}
        self.rests: dict[str, int] = {}
        self.letters = 0

    def teardown(self) -> None:
        self.tx.seal()
        broken = check.everything(self.tx)
        self.tx.rollback()
        self.tx.close()
        assert not broken, "\n".join(broken)

    @rule(
        target=known,
        domains=st.lists(DOMAINS, min_size=1, max_size=12),
        priority=st.integers(-9, 9),
        later=st.sampled_from([0, 0, 500]),
    )
    def put(self, domains, priority, later):
        self.letters += 1
        params = {"priority": priority, "release_at": self.tx.now + later if later else 0}
        item = queue.QueueItem(letter(self.letters), "z@example.org", params=params)
        number = queue.put(self.tx, item, [queue.To(f"u{n}@{each}") for n, each in enumerate(domains)])
        rows = queue.of_message(self.tx, number)
        for row, domain in zip(rows, domains, strict=True):
            self.model[row.id] = ("waiting", self.tx.now + later, "")
            self.domain[row.id] = domain
        return multiple(*[row.id for row in rows])

    @rule(owner=OWNERS, limit=st.integers(1, 30), busy=st.lists(DOMAINS, max_size=2))
    def lease(self, owner, limit, busy):
        now = self.tx.now
        for number, (state, due_at, _) in self.model.items():
            if state == "leased" and due_at <= now:
                self.model[number] = ("waiting", now, "")
        taken = queue.lease(self.tx, owner, now + 300, limit, busy=busy)
        due = {
            number
            for number, (state, due_at, _) in self.model.items()
            if state == "waiting" and due_at <= now and self.domain[number] not in busy
        }
        ids = [one.id for one in taken]
        assert len(ids) == len(set(ids)) <= limit
        assert set(ids) <= due  # nobody's else, nothing early
        awake = {number for number in due if self.rests.get(self.domain[number], 0) <= now}
        assert len(ids) >= min(limit, len(awake))  # and all of it
        for number in ids:
            self.model[number] = ("leased", now + 300, owner)

    @rule(number=consumes(known))
    def done(self, number):
        queue.done(self.tx, [number])
        self.model.pop(number, None)

    @rule(number=known, wait=st.integers(1, 1000))
    def defer(self, number, wait):
        state = self.model.get(number, ("gone", 0, ""))[0]
        queue.defer(self.tx, number, self.tx.now + wait, "450 later")
        if state != "gone":
            self.model[number] = ("held" if state == "held" else "waiting", self.tx.now + wait, "")

    @rule(number=known)
    def hold(self, number):
        if number in self.model:
            queue.hold(self.tx, number, "why")
            self.model[number] = ("held", self.tx.now, "")

    @rule(number=known)
    def retry(self, number):
        if number in self.model:
            state, due_at, _ = self.model[number]
            queue.retry(self.tx, number)
            if not (state == "leased" and due_at > self.tx.now):
                self.model[number] = ("waiting", self.tx.now, "")
                self.rests.pop(self.domain[number], None)

    @rule(owner=OWNERS)
    def die(self, owner):
        queue.take_back(self.tx, owner)
        for number, (state, _, by) in self.model.items():
            if state == "leased" and by == owner:
                self.model[number] = ("waiting", self.tx.now, "")

    @rule(number=known, owner=OWNERS)
    def release(self, number, owner):
        queue.release(self.tx, [number], owner)
        if self.model.get(number, ("", 0, ""))[::2] == ("leased", owner):
            self.model[number] = ("waiting", self.tx.now, "")

    @rule(domain=DOMAINS, wait=st.integers(1, 500))
    def rest(self, domain, wait):
        queue.rest(self.tx, [domain], self.tx.now + wait)
        self.rests[domain] = max(self.rests.get(domain, 0), self.tx.now + wait)

    @rule(domain=DOMAINS)
    def flush(self, domain):
        queue.hurry(self.tx, fetching.later(self.tx, [domain])[domain], [domain])
        self.rests.pop(domain, None)
        for number, (state, due_at, by) in self.model.items():
            if state == "waiting" and self.domain[number] == domain:
                self.model[number] = (state, min(due_at, self.tx.now), by)

    @rule(wait=st.integers(1, 400))
    def time_goes_on(self, wait):
        self.tx.now += wait

    @invariant()
    def same(self):
        rows = queue.listing(self.tx, 10_000)
        assert {row.id: row.state for row in rows} == {number: each[0] for number, each in self.model.items()}

    @invariant()
    def looked_at_in_time(self):
        waiting = [
            max(due_at, self.rests.get(self.domain[number], 0))
            for number, (state, due_at, _) in self.model.items()
            if state == "waiting"
        ]
        due = queue.next_due(self.tx)
        if waiting:
            assert due is not None and due <= max(self.tx.now, min(waiting))


QueueModel.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_queue_model = QueueModel.TestCase
