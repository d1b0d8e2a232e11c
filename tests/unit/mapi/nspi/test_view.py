"""Who sees what, ids, and when the copy of the directory is made anew."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.address_book import AddressBook
from quintet.mapi.nspi import consts, entries, names, view
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.view import made
from quintet.store import accounts, directory, groups, lists, teams
from quintet.store.directory import Listing
from tests.unit.mapi.nspi.desk import BY_NAME, NAME, STAT, Desk

EMPTY = Listing(1, (), (), (), (), {}, {})
SERVER = uuid.UUID(int=1)


async def found(desk: Desk, name: str) -> int:
    return int((await desk.ask(m.ResolveNames(0, STAT, (NAME,), (name,)))).mids[0])


async def test_hidden_entries(desk: Desk):
    """MS-OXNSPI_R739 and its like: as if they did not exist, but for themselves."""
    bob = await desk.mid("Bob Baker")
    dn = (await desk.view()).by_login("bob@example.org").dn  # type: ignore[union-attr]
    desk.config[0] = AddressBook(hide=("bob@*", "Z.Novak@example.org", "$sales"))
    hidden = {"Bob Baker", "Zoë Novák", "$sales"}
    assert await desk.names() == [name for name in BY_NAME if name not in hidden]
    assert await found(desk, "bob") == await found(desk, "novak") == consts.UNRESOLVED
    assert (await desk.ask(m.DnToMinId(0, (dn.encode(),)))).mids == (0,)
    assert (await desk.ask(m.QueryRows(state=STAT, table=(bob,), count=1, columns=(NAME,)))).table.rows[0][
        0
    ] != "Bob"
    member = replace(STAT, current=await desk.mid("Staff"), container=0x8009000D)
    assert (await desk.ask(m.GetMatches(state=member, most=9))).mids == ()
    himself = await desk.become("bob@example.org")
    assert await found(himself, "bob@example.org") == consts.RESOLVED
    assert (await himself.ask(m.DnToMinId(0, (dn.encode(),)))).mids == (bob,)
    assert "Bob Baker" not in await himself.names()  # one table for all


async def test_ones_own_domain(desk: Desk):
    desk.config[0] = AddressBook(own_domain=True)
    mine = [name for name in BY_NAME if name not in ("Éva Elm", "$sales")]
    assert await desk.names() == mine
    eve = await desk.become("eve@other.example")
    assert await eve.names() == ["Éva Elm"]
    assert await found(eve, "alice") == consts.UNRESOLVED
    assert await found(eve, "eve") == consts.RESOLVED


CHANGES = [
    (accounts.create, ("dora@example.org",), True),
    (accounts.add_domain, ("new.example",), False),
    (teams.create, ("buyers",), True),
    (teams.remove, ("sales",), True),
    (lists.create, ("all@example.org", ["bob@example.org"]), True),
    (accounts.remove_address, ("food@example.org",), True),
    (accounts.add_address, (None, "more@example.org", "forward", "x@far.example"), True),
    (accounts.remove_domain, ("other.example",), True),
]


async def test_changes_are_seen(desk: Desk):
    for fn, args, differs in CHANGES:
        before = await desk.view()
        await desk.store.write(fn, *args)
        after = await desk.view()
        assert (after is not before) is differs, fn
        assert {entry.dn: entry.mid for entry in after.entries if entry.dn in before.known()}.items() <= (
            before.known().items()
        )
    account = desk.store.peek(accounts.find, "bob@example.org")
    assert account is not None
    await desk.store.write(lambda tx: accounts.change(tx, account.id, display_name="Robert"))
    assert "Robert" in await desk.names()
    await desk.store.write(accounts.remove, account.id)
    assert "Robert" not in await desk.names()
    group = desk.store.peek(groups.find, "misc.test")
    assert group is not None
    before = await desk.view()
    await desk.store.write(groups.remove, group.id)
    assert await desk.view() is not before


async def test_what_nobody_sees_there_changes_nothing(desk: Desk):
    before = await desk.view()
    account = desk.store.peek(accounts.find, "bob@example.org")
    assert account is not None
    await desk.store.write(lambda tx: accounts.change(tx, account.id, quota_bytes=7))
    await desk.store.write(lambda tx: accounts.change(tx, account.id, display_name="Bob Baker"))
    number = desk.store.peek(lists.get, "staff@example.org").id
    await desk.store.write(lists.join, number, "zoe@example.org")
    await desk.store.write(teams.join, "sales", account.id)
    assert await desk.view() is before


async def test_many_who_ask_at_once_make_one_view(desk: Desk):
    await desk.store.write(accounts.create, "dora@example.org")
    views = await asyncio.gather(*(desk.view() for _ in range(20)))
    assert len(set(map(id, views))) == 1


async def test_who_gives_up_waiting_takes_the_view_from_nobody(desk: Desk):
    await desk.store.write(accounts.create, "dora@example.org")
    one, other = asyncio.create_task(desk.view()), asyncio.create_task(desk.view())
    await asyncio.sleep(0)
    one.cancel()
    assert (await other).by_login("dora@example.org")


async def test_a_rest_after_making(desk: Desk):
    """A directory that changes all the time is made for a part of the time only."""
    book = desk.endpoint.directory
    before = await desk.view()
    book._rest_until = desk.store.clock.monotonic() + 60
    await desk.store.write(accounts.create, "dora@example.org")
    assert await desk.view() is before
    book._rest_until = 0.0
    assert (await desk.view()).by_login("dora@example.org")


def listing(*accounts_: tuple[int, str], team: str = "") -> Listing:
    return replace(
        EMPTY,
        accounts=[(number, login, "person", "") for number, login in accounts_],
        teams=[(team, "")] if team else [],
    )


def test_numbers_beyond_31_bits_are_hashed():
    """docs/decisions/0124: apart from each other, and the same as before."""
    big = 1 << 40
    view = made(listing((200, "a"), (big, "b"), (big + 1, "c"), team="t"), SERVER)
    mids = {entry.key: entry.mid for entry in view.entries}
    assert mids["a"] == 200
    assert len(set(mids.values())) == 4
    assert all(mid >= 1 << 31 for key, mid in mids.items() if key != "a")
    later = made(listing((big + 1, "c"), (big + 7, "d")), SERVER, view)
    assert {entry.key: entry.mid for entry in later.entries}["c"] == mids["c"]
    assert view.by_dn(names.of_object(big, "another name")) is view.by_login("b")
    assert view.by_dn(names.of_object(big + 2, "b")) is None
    signed = m.Table((0xFFFD0003,), ([consts.signed(mids["b"])],))
    assert signed.rows[0][0] < 0


def test_hashes_that_meet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zlib, "crc32", lambda raw: 5)
    view = made(listing((1 << 40, "a"), (1 << 41, "b"), (1 << 42, "c")), SERVER)
    assert sorted(entry.mid for entry in view.entries) == [0x80000005, 0x80000006, 0x80000007]
    again = made(listing((1 << 41, "b"), (1 << 42, "c")), SERVER, view)
    assert again.known().items() <= view.known().items()


def test_the_name_of_a_server(tmp_path):
    """MS-OXNSPI_R697, R699: every server has another, and keeps it."""
    assert names.server_of(names.of_server("Mail.Example.org") + "/cn=anything") == "mail.example.org"
    assert names.server_of("/o=x") is None
    assert names.team_of(names.of_team("sales").upper()) == "sales"
    assert names.team_of("/o=x") is None


def test_entry_ids_of_others():
    view = made(listing((200, "a")), SERVER)
    entry = view.by_login("A")
    assert entry is not None
    assert view.by_entry_id(names.permanent(77, entry.dn.upper())) is entry
    assert view.by_entry_id(names.ephemeral(SERVER, 77, 200)) is entry
    assert view.by_entry_id(names.ephemeral(uuid.UUID(int=2), 0, 200)) is None
    assert view.by_entry_id(b"") is None
    assert view.by_entry_id(b"\x87\0\0\0" + SERVER.bytes_le + b"\2" + bytes(11)) is None


def test_cards_that_cannot_be_read():
    """A property of a type that was meant otherwise is not there; the rest is."""
    raw = entries.write_card({0x3A17001F: "Queen"})
    assert entries.read_card({**raw, 0x3A08001F: b"\1", 0x3A080FFF: b""}) == {0x3A17001F: "Queen"}


async def test_what_is_large_is_read_apart(desk: Desk):
    account = desk.store.peek(accounts.find, "bob@example.org")
    assert account is not None
    card = entries.write_card({0x3A701102: [b"cert"], 0x3A17001F: "King"})
    await desk.store.write(directory.set_card, account.id, card)
    assert set(desk.store.peek(directory.listing).cards[account.id]) == {0x3A17001F}
    assert set(desk.store.peek(directory.large, [account.id])[account.id]) == {0x3A701102}
    await desk.store.write(directory.set_card, account.id, {}, list(card))
    assert desk.store.peek(directory.card, account.id) == {}


@given(st.lists(st.tuples(st.text("abü", max_size=3), st.integers(0, 9))))
def test_an_order_made_in_pieces(pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "SAMPLE", 8)
        patch.setattr(view, "PIECE", 2)
        assert view._sorted(pairs) == sorted(pairs)
