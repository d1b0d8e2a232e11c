"""What much costs: long listings, searches and hostile requests are made beside the loop, or refused."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from quintet.config.address_book import AddressBook
from quintet.errors import Reason, Refused
from quintet.mapi import restrict
from quintet.mapi.errors import Code
from quintet.mapi.nspi import bodies, consts, endpoint, names, objects, packing, search, tables, view
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.properties import House
from quintet.mapi.restrict import And, Content, Exist, Where
from quintet.store import directory, lists
from quintet.store.db import Tx
from tests.support.effort import steps
from tests.unit.mapi.nspi.desk import NAME, SMTP, STAT, Desk

PEOPLE = 700


def crowd(tx: Tx) -> None:
    """Rows as `accounts.create` makes them, without folders."""
    for at in range(PEOPLE):
        number = tx.new_ids(1)
        tx.run(
            "INSERT INTO account (id, name, kind, display_name, guid, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            number, f"u{at}@example.org", "person", f"Name{at % 7} Number{at}", bytes(16), 1,
        )  # fmt: skip
        tx.run(
            "INSERT INTO address (id, domain, local, kind, account_id, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            tx.new_ids(1), "example.org", f"u{at}", "primary", number, 1,
        )  # fmt: skip
    directory.changed(tx)


class Threads:
    """Which functions ran beside the loop's thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.beside: list[str] = []
        home = threading.get_ident()
        for module, name in (
            (tables, "rows"), (tables, "seek"), (tables, "resort"), (search, "restricted"),
            (search, "located"),
            (objects, "resolve"), (bodies, "write_response"), (view, "Table"), (view, "_matching"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, self._watched(getattr(module, name), name, home))

    def _watched(self, fn, name, home):
        def watched(*args, **kwargs):
            if threading.get_ident() != home:
                self.beside.append(name)
            return fn(*args, **kwargs)

        return watched

    def take(self) -> list[str]:
        found, self.beside = self.beside, []
        return found


async def test_much_is_made_beside_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    await desk.store.write(crowd)
    await desk.view()
    threads = Threads(monkeypatch)
    columns = (NAME, SMTP, consts.of("EmailAddress"), consts.of("EntryId"))
    few = await desk.ask(m.QueryRows(state=STAT, count=50, columns=columns))
    assert threads.take() == ["Table"]
    assert few == await desk.ask(m.QueryRows(state=STAT, count=50, columns=columns))
    assert threads.take() == []
    many = await desk.ask(m.QueryRows(state=STAT, count=5000, columns=columns))
    assert threads.take() == ["rows", "write_response"]
    assert many.table.rows[:50] == few.table.rows
    assert len(many.table.rows) == PEOPLE + 9

    found = await desk.ask(
        m.GetMatches(state=STAT, filter=Content(Where.PREFIX, 1, NAME, (NAME, "name3")), most=999)
    )
    assert (threads.take(), len(found.mids)) == (["restricted"], PEOPLE // 7)
    mids = tuple(entry.mid for entry in (await desk.view()).entries)
    resorted = await desk.ask(m.ResortRestriction(0, STAT, mids[::-1]))
    assert (threads.take(), resorted.mids) == (["resort"], mids)
    sought = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "zoe"), table=mids))
    assert (threads.take(), sought.state.position) == (["seek"], len(mids) - 1)
    await desk.ask(m.ResolveNames(0, STAT, (NAME,), ("number1",) * 5))
    assert threads.take() == []
    resolved = await desk.ask(m.ResolveNames(0, STAT, (NAME,), ("number77", "nobody", "name1") * 10))
    assert threads.take() == ["resolve"]
    assert resolved.mids[:3] == (consts.RESOLVED, consts.UNRESOLVED, consts.AMBIGUOUS)


async def test_a_search_of_many_terms_is_made_beside_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """However few entries there are; so are those that a long list points to."""
    threads = Threads(monkeypatch)
    for terms, beside in ((9, []), (90, ["restricted"])):
        wanted = And((Exist(NAME),) * terms)
        answer = await desk.ask(m.GetMatches(state=STAT, filter=wanted, most=99))
        assert (threads.take(), len(answer.mids)) == (beside, 9)
    state = replace(STAT, current=await desk.mid("Staff"), container=0x8009000D)
    for little, beside in ((2, []), (1, ["located"])):
        monkeypatch.setattr(endpoint, "LITTLE", little)
        answer = await desk.ask(m.GetMatches(state=state, most=9))
        assert (threads.take(), len(answer.mids)) == (beside, 1)


async def test_rules_are_asked_of_many_beside_the_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    await desk.store.write(crowd)
    desk.config[0] = AddressBook(hide=("u1*", "$sales"))
    await desk.view()
    threads = Threads(monkeypatch)
    moved = await desk.ask(m.UpdateStat(0, STAT))
    assert (threads.take(), moved.state.total) == (["_matching", "Table"], PEOPLE + 8 - 111)
    await desk.ask(m.UpdateStat(0, STAT))
    other = await desk.become("bob@example.org")
    await other.ask(m.UpdateStat(0, STAT))
    assert threads.take() == []  # the rules are the same for all
    unknown = replace(STAT, container=0x77)
    assert (await desk.ask(m.UpdateStat(0, unknown))).error == Code.INVALID_BOOKMARK
    await desk.ask(m.UpdateStat(0, replace(STAT, sort=consts.BY_PHONETIC_NAME)))
    assert threads.take() == ["Table"]


async def test_no_more_rows_than_one_answer_holds(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """MS-OXNSPI_R918: fewer than were asked for; the state says where the next are."""
    monkeypatch.setattr(tables, "MAX_ROWS", 4)
    answer = await desk.ask(m.QueryRows(state=STAT, count=100, columns=(NAME,)))
    assert (len(answer.table.rows), answer.state.position) == (4, 4)
    mids = tuple(entry.mid for entry in (await desk.view()).entries)
    assert len(await desk.names(STAT, 100, table=mids)) == 4
    answer = await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=99, columns=(NAME,)))
    assert (len(answer.mids), len(answer.table.rows)) == (9, 4)


async def test_searches_that_would_take_too_long(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """MS-OXNSPI_R1125: TooComplex by entries times terms."""
    wide = And(tuple(restrict.Not(Exist(at << 16 | 0x1F)) for at in range(20)))
    assert (await desk.ask(m.GetMatches(state=STAT, filter=wide, most=99))).error == 0
    monkeypatch.setattr(search, "MAX_TESTS", 9 * 40)
    assert (await desk.ask(m.GetMatches(state=STAT, filter=wide, most=99))).error == Code.TOO_COMPLEX
    endless = And((Exist(NAME),) * 2000)
    assert (await desk.ask(m.GetMatches(state=STAT, filter=endless, most=99))).error == Code.TOO_COMPLEX


async def test_a_letter_that_many_names_begin_with_costs_little(desk: Desk):
    """Whoever types it learns that it is ambiguous, and no more is looked at than that takes."""
    await desk.store.write(crowd)
    found = await desk.view()
    cost = steps(lambda: found.resolve("n", most=view.FEW))
    assert len(found.resolve("n", most=view.FEW)) == 2
    assert cost < 300
    assert len(found.resolve("n")) == PEOPLE + 1  # and Novák
    assert len(found.resolve("name3 num")) == PEOPLE // 7


async def test_a_row_costs_no_more_for_many_rows(desk: Desk):
    """Each column is one call a row, and all calls are made the same."""
    await desk.store.write(crowd)
    book = await desk.view()
    look, house = tables.Look(book, view.EVERYTHING), House(book.server, "h")

    def listing(count: int) -> int:
        found, _ = tables.query(look, STAT, (), count)
        columns = (NAME, SMTP)
        return steps(lambda: packing.packed(columns, tables.rows(found, columns, house, 1200, 0).rows))

    listing(1)
    assert listing(500) < 11 * listing(50)


async def test_errors_that_nspi_does_not_have(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """MS-OXNSPI_R43: no other codes; what has none is GeneralFailure."""
    entry = (await desk.view()).by_login("zoe@example.org")
    assert entry is not None
    request = m.ModLinkAtt(0, 0x8009000D, await desk.mid("Staff"), (names.permanent(0, entry.dn),))
    for reason, code in (
        (Reason.ALREADY_EXISTS, Code.GENERAL_FAILURE),
        (Reason.NO_PERMISSION, Code.ACCESS_DENIED),
    ):

        def refuse(tx, number, address, reason=reason):
            raise Refused(reason)

        monkeypatch.setattr(lists, "join", refuse)
        assert (await desk.ask(request)).error == code


async def test_many_mids_of_nobody(desk: Desk):
    """60,000 ids in one body: as many as one may be large."""
    answer = await desk.ask(m.ResortRestriction(0, replace(STAT, current=5), tuple(range(16, 60_000))))
    assert answer.state.total == 8  # the team has no number of the store
