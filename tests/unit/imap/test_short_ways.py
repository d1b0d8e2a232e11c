"""Short ways give what long ones give: whole bodies, kept orders, candidates first, changes since."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.imap import fields, matching, orders, render, searching, threads
from quintet.imap import tree as trees
from quintet.imap.cmd import expunge, fetch, fetch_bodies, fetch_whole, listing, select, thread
from quintet.imap.commands import Item
from quintet.net.memory import Talk
from quintet.store import access, entries, folders, groups, hints, search
from quintet.store.model import AccountId, FolderId
from tests.unit.imap.world import World, letter, open_world

LONG = b"X-Long: a\r\n" * 9000 + b"Subject: behind 90 KB of header\r\n\r\nHello.\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"A line of a letter that lies beside the database.\r\n" * 3000


async def talk_to(world: World) -> Talk:
    talk = Talk(world.service)
    await talk.begin()
    await ask(talk, "LOGIN alice@example.org demo")
    await ask(talk, "SELECT INBOX")
    return talk


async def ask(talk: Talk, command: str) -> bytes:
    talk.take()
    await talk.send(b"t " + command.encode() + b"\r\n")
    return talk.take()


def never(*_: Any, **__: Any) -> bool:
    return False


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def switch() -> None:
        monkeypatch.setattr(fetch_whole, "suits", never)
        monkeypatch.setattr(fetch, "CHANGED", -1)
        monkeypatch.setattr(fetch_bodies, "TURN_S", -1.0)  # others have their turn after each message
        monkeypatch.setattr(searching, "AT_ONCE", 0)
        monkeypatch.setattr(searching, "none_by_counts", lambda *_: None)
        monkeypatch.setattr(search, "FEW", -1)
        monkeypatch.setattr(trees, "is_small", never)

    return switch


async def test_answers_are_the_same_the_long_way(tmp_path: Path, long_way: Callable[[], None]) -> None:
    commands = (
        "FETCH 1:* BODY.PEEK[]",
        "FETCH 2:* (UID FLAGS BODY.PEEK[])",
        "UID FETCH 3,5,7:9 (BODY.PEEK[] UID RFC822.SIZE)",
        "FETCH 1:* RFC822.PEEK",
        "FETCH 3 BODY.PEEK[]<5.20>",
        "FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})",
        "UID FETCH 4:6 (UID) (CHANGEDSINCE {modseq})",
        "UID SEARCH FLAGGED",
        "SEARCH NOT FLAGGED LARGER 100",
        "SEARCH ALL",
        "UID SEARCH SUBJECT Letter BODY thirteen",
        "UID SEARCH OR BODY thirteen FLAGGED",
        'LIST "" *',
        "FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT X-NONE)] BODY.PEEK[HEADER])",
        "UID FETCH 8:9 (BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)] RFC822.HEADER)",
        "FETCH 1:* (PREVIEW BODY.PEEK[TEXT]<0.20>)",
        "FETCH 8:10 (UID BODY.PEEK[])",
        "UID FETCH 12,900 BODY.PEEK[]",
        "SEARCH DELETED",
        "UID SEARCH DELETED FLAGGED",
        "SEARCH NOT SEEN NOT DELETED FLAGGED",
    )
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 8)
        await world.put("INBOX", LARGE)
        await world.put("INBOX", letter(13, "thirteen"))
        while (await search.index_some(world.store))[1]:
            pass
        await world.put("INBOX", letter(14, "thirteen of them, not indexed yet"))
        await world.put("INBOX", LONG)
        talk = await talk_to(world)
        modseq = world.folder("INBOX").highest_modseq
        await ask(talk, "ENABLE CONDSTORE")
        await ask(talk, "STORE 5,7 +FLAGS (\\Flagged $x)")
        said = [command.replace("{modseq}", str(modseq)) for command in commands]
        short = [await ask(talk, command) for command in said]
        long_way()
        assert [await ask(talk, command) for command in said] == short
        await talk.end()
    assert short[0].count(b" FETCH ") == 12
    assert len(short[0]) > len(LARGE)
    assert short[5].count(b" FETCH ") == 2
    assert short[10].startswith(b"* SEARCH 10 11\r\n")
    assert short[13].count(b" FETCH ") == short[13].count(b"BODY[HEADER.FIELDS (SUBJECT X-NONE)] {") == 12
    assert short[16].count(b" FETCH ") == 3 and len(short[16]) > len(LARGE)
    assert short[18] == b"* SEARCH\r\nt OK Done\r\n"
    assert short[20].startswith(b"* SEARCH 5 7\r\n")
    assert (
        b"(UID 9 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT X-NONE)] {18}\r\nSubject: large\r\n\r\n"
        in short[13]
    )


async def test_what_the_counts_rule_out_is_not_told_without_what_others_did(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 3)
        talk, other = await talk_to(world), await talk_to(world)
        await ask(other, "STORE 1:* +FLAGS.SILENT (\\Seen)")
        seen = await ask(talk, "UID SEARCH UNSEEN")  # by number would hold nothing back either
        assert seen.startswith(b"* SEARCH\r\n* 1 FETCH (UID 1 FLAGS (\\Seen") and seen.endswith(
            b"t OK Done\r\n"
        )
        assert await ask(talk, "UID SEARCH UNSEEN") == b"* SEARCH\r\nt OK Done\r\n"
        await ask(other, "STORE 2 +FLAGS.SILENT (\\Deleted)")
        await ask(other, "EXPUNGE")
        assert b"EXPUNGE" not in await ask(
            talk, "SEARCH UNSEEN"
        )  # RFC 9051 7.5.1: numbers stay during SEARCH
        assert b"* 2 EXPUNGE\r\n" in await ask(talk, "UID SEARCH UNSEEN")
        assert (await ask(talk, "SEARCH CHARSET X-NONE UNSEEN")).startswith(b"t NO [BADCHARSET")
        assert (
            await ask(talk, "SEARCH RETURN (COUNT) UNSEEN") == b'* ESEARCH (TAG "t") COUNT 0\r\nt OK Done\r\n'
        )
        await world.put("INBOX", letter(4, "new"))
        assert b"* 3 EXISTS\r\n" in await ask(talk, "SEARCH UNSEEN")
        assert (await ask(talk, "SEARCH UNSEEN")).startswith(b"* SEARCH 3\r\n")
        await talk.end()
        await other.end()


async def test_a_letter_that_is_gone_is_missed_the_short_way_too(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 3)
        talk, other = await talk_to(world), await talk_to(world)
        await ask(other, "STORE 2 +FLAGS.SILENT (\\Deleted)")
        await ask(other, "EXPUNGE")
        gone = await ask(talk, "FETCH 1:2 BODY.PEEK[]")  # RFC 9051 7.1
        assert gone.count(b" FETCH ") == 1 and gone.endswith(b"t OK [EXPUNGEISSUED] Done\r\n")
        await talk.end()
        await other.end()


async def test_newsgroups_that_are_kept_are_told_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns = (
        "*",
        "%",
        "Groups/%",
        "Groups/comp.*",
        "Groups",
        "G*s",
        "Z%",
        "Groups/none",
        '("Groups/%" "*")',
    )
    said = [
        f'{word} "" {one}'
        for one in patterns
        for word in ("LIST", "XLIST")
        if word == "LIST" or one[0] != "("
    ]
    said += [
        'LIST (SUBSCRIBED) "" "*"',
        'LIST "" "*" RETURN (SUBSCRIBED CHILDREN)',
        'LIST "" "*" RETURN (CHILDREN)',
    ]
    async with open_world(tmp_path / "data", people=("alice", "bob")) as world:
        talk = await talk_to(world)
        for name in ("Groups", "Groups-old", "Aa", "Zz", "INBOX/below"):
            await world.given(f"folder {name}")

        async def compare() -> list[bytes]:
            """The same at once, by the long way that keeps something, and by what was kept."""
            monkeypatch.setattr(listing, "PAGE", 200)
            small = [await ask(talk, command) for command in said]
            monkeypatch.setattr(listing, "PAGE", 7)
            for _ in range(2):
                assert [await ask(talk, command) for command in said] == small
            return small

        await compare()  # no group yet
        for name in ("comp.lang", "comp.os", "alt.x", *(f"misc.{n}" for n in range(9))):
            group = await world.store.write(groups.create, name)
        before = await compare()
        assert b"Groups/comp.lang" in before[0]
        assert before[0].index(b"Groups-old") < before[0].index(b"Groups/alt.x") < before[0].index(b"Zz")
        await world.store.write(groups.remove, group.id)
        await world.store.write(groups.create, "misc.new")
        after = await compare()
        assert b"misc.8" in before[0] and b"misc.8" not in after[0] and b"misc.new" in after[0]
        # rights of its own: each sees other groups, and nothing is kept
        await world.store.write(access.grant, world.folder("Groups/comp.os").id, "bob@example.org", "lr")
        assert b"comp.os" not in (await compare())[0]
        await talk.end()


async def test_many_subscriptions_are_looked_up_by_a_reader_and_told_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5258 3.1: what is subscribed is told, also where newsgroups are not listed.

    Each is looked for, so from `listing.PAGE` on that is no work for the loop.
    """
    most = 12
    monkeypatch.setattr(listing, "PAGE", most)
    at_once: list[bool] = []
    few = listing._few

    def noting(*args: Any) -> Any:
        told = few(*args)
        at_once.append(told is not None)
        return told

    monkeypatch.setattr(listing, "_few", noting)
    said = ('LIST (SUBSCRIBED) "" "*"', 'LIST (SUBSCRIBED) "" "Groups/*" RETURN (CHILDREN)')
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        world.config = replace(world.config, list_groups=False)
        account = world.folder("INBOX").account_id
        for name in ("comp.lang", "alt.x"):
            await world.store.write(groups.create, name)
        talk = await talk_to(world)
        names = ["Groups/comp.lang", "Groups/alt.x", *(f"gone{number:02}" for number in range(most))]
        have = len(world.store.peek(folders.subscriptions, account))
        for name in names[: most - 1 - have]:
            await world.store.write(folders.subscribe, account, name)
        assert not world.store.peek(folders.subscribes, account, most)
        small = [await ask(talk, one) for one in said]
        assert at_once == [True, True]
        assert all(b'"/" Groups/alt.x\r\n' in told for told in small)
        await world.store.write(folders.subscribe, account, "Zz")
        assert world.store.peek(folders.subscribes, account, most)
        large = [await ask(talk, one) for one in said]
        assert at_once[2:] == [False, False]
        assert b" Zz\r\n" in large[0]
        rest = [b"".join(line for line in told.splitlines(True) if b" Zz\r\n" not in line) for told in large]
        assert rest == small
        monkeypatch.setattr(listing, "PAGE", 200)
        assert [await ask(talk, one) for one in said] == large
        assert at_once[4:] == [True, True]
        await talk.end()


async def test_a_kept_order_is_told_only_of_the_messages_that_it_orders(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 250)  # more than are sorted by themselves
        talk = await talk_to(world)
        before = await ask(talk, "UID SORT (REVERSE ARRIVAL) UTF-8 ALL")
        assert before == await ask(talk, "UID SORT (REVERSE ARRIVAL) UTF-8 ALL")
        assert before.split()[2:5] == [b"250", b"249", b"248"]
        assert (await ask(talk, "SORT (REVERSE ARRIVAL) UTF-8 ALL")).split()[2:5] == [b"250", b"249", b"248"]
        await world.store.write(entries.expunge, world.folder("INBOX").id, [3, 250])
        await world.put("INBOX", letter(251))
        await world.put("INBOX", letter(252))  # as many as before, and not the same
        await ask(talk, "NOOP")
        after = (await ask(talk, "UID SORT (REVERSE ARRIVAL) UTF-8 ALL")).split()
        assert b"250" not in after
        assert b"3" not in after
        assert {b"251", b"252"} <= set(after)
        # by number, which is no longer the UID
        assert b"252" not in (await ask(talk, "SORT (REVERSE ARRIVAL) UTF-8 ALL")).split()
        await talk.end()


@pytest.mark.parametrize("quick", [0, fields.QUICK])  # looked through in a thread, and on the loop
async def test_header_fields_that_are_kept_find_what_the_letters_hold(
    tmp_path: Path, quick: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = (
        "From: =?utf-8?q?Zo=C3=AB?= <zoe@example.net>\r\nFrom: second@example.net",
        "Subject: Re: Straße",
        "From: a@example.net\r\nSubject:\r\nX-Own: one",
        "To: nobody@example.net",
    )
    commands = (
        "UID SEARCH FROM example",
        "UID SEARCH FROM a",
        "SEARCH CHARSET UTF-8 FROM {4+}\r\nzoë",
        "SEARCH CHARSET UTF-8 SUBJECT {7+}\r\nstraße",
        "SEARCH SUBJECT strasse",
        "SEARCH FROM second",
        "SEARCH FROM netsecond",  # of two fields no text is made that stands in neither
        "SEARCH HEADER X-Own on",
        'SEARCH HEADER X-Own ""',
        "SEARCH HEADER Received with",
        "SEARCH UNSEEN FROM a SUBJECT e",
        "SEARCH 2:4 FROM a",
        "SEARCH NOT FROM a",
        "SEARCH OR FROM zoe SUBJECT letter",
        "SEARCH FROM a MODSEQ 1",
        "UID SEARCH RETURN (MIN COUNT) FROM a",
    )
    monkeypatch.setattr(matching, "MANY", -1)
    monkeypatch.setattr(fields, "PAGE", 3)
    monkeypatch.setattr(fields, "QUICK", quick)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 4)
        talk = await talk_to(world)
        await ask(talk, "ENABLE CONDSTORE")

        async def compare() -> list[bytes]:
            told = [[await ask(talk, command) for command in commands] for _ in range(2)]
            monkeypatch.setattr(fields, "MAX_MESSAGES", -1)
            world.service.house.fields = fields.Fields(world.store)
            assert told == [[await ask(talk, command) for command in commands]] * 2
            monkeypatch.undo()
            monkeypatch.setattr(matching, "MANY", -1)
            monkeypatch.setattr(fields, "QUICK", quick)
            return told[0]

        await compare()
        for number, head in enumerate(odd):
            prefix = b"Received: by us with ESMTP\r\n\tfor alice\r\n" if number == 2 else b""
            await world.put("INBOX", head.encode() + b"\r\n\r\nx\r\n", prefix=prefix)
        await ask(talk, "NOOP")
        told = await compare()
        assert told[2].startswith(b"* SEARCH 5\r\n")
        assert told[3].startswith(b"* SEARCH 6\r\n")
        assert told[6].startswith(b"* SEARCH\r\n")
        assert told[8].startswith(b"* SEARCH 7\r\n") and told[9].startswith(b"* SEARCH 7\r\n")
        await world.store.write(entries.expunge, world.folder("INBOX").id, [2, 7])
        gone = await ask(talk, "SEARCH FROM example")  # kept, and by numbers that are not told yet
        assert gone.startswith(b"* SEARCH 1 3 4 5\r\n")
        await ask(talk, "NOOP")
        await compare()
        await ask(talk, "COMPARATOR i;octet")
        await compare()
        await talk.end()


def test_what_many_messages_needed_is_freed_where_it_was_used() -> None:
    """Not by the loop, which it would hold for 20 ms a hundred thousand."""
    keys = [[(b"a", 3), (b"c", 1)], [(b"b", 2)]]
    assert list(orders._merged(keys)) == [3, 2, 1] and not keys
    letters = [threads.Letter(1, "<a@b>", (), 0, b"", False)]
    assert thread._shape(letters, b"REFERENCES") == b"(1)" and not letters
    values = [(7, b"one\xff")]
    field = fields._extended(fields.Field(), values, 9)
    assert (field.find("one"), field.upto) == ([7], 9) and not values


async def test_a_field_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MANY", -1)
    monkeypatch.setattr(fields, "PAGE", 2)
    monkeypatch.setattr(fields, "MAX_KEPT", 1000)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 4)
        talk = await talk_to(world)
        before = await ask(talk, "SEARCH FROM a"), await ask(talk, "SEARCH SUBJECT letter")
        kept = world.service.house.fields
        assert len(kept._kept) == 2
        await world.put("INBOX", b"Subject: " + b"letter " * 200 + b"\r\nFrom: b@example.net\r\n\r\nx\r\n")
        await ask(talk, "NOOP")
        for _ in range(2):
            assert await ask(talk, "SEARCH SUBJECT letter") == before[1].replace(b"\r\n", b" 5\r\n", 1)
        assert [name[1] for name in kept._large] == [b"subject"]
        assert (await ask(talk, "SEARCH FROM a")).startswith(before[0].partition(b"\r\n")[0])
        assert sum(field.size for field in kept._kept.values()) <= fields.MAX_KEPT
        await talk.end()


async def test_search_all_leaves_out_what_is_gone_and_not_told(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 4)
        talk = await talk_to(world)
        assert await ask(talk, "SEARCH ALL") == b"* SEARCH 1 2 3 4\r\nt OK Done\r\n"
        await world.store.write(entries.expunge, world.folder("INBOX").id, [2])
        assert (await ask(talk, "SEARCH ALL")).startswith(b"* SEARCH 1 3 4\r\n")
        assert (await ask(talk, "SEARCH ALL")).startswith(b"* SEARCH 1 3 4\r\n")
        await talk.end()


def test_lines_of_a_page_are_those_of_its_rows() -> None:
    plan = render.compile_items(
        tuple(Item(name) for name in (b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"))
    )
    rows = [(uid, uid % 4, " $x " if uid == 3 else "", 10**12 * uid, 5 * uid) for uid in range(1, 9)]
    assert plan.columns == ("uid", "flags", "keywords", "received_at", "size")
    columns = list(zip(*rows, strict=True))
    assert plan.text(columns, range(11, 19)) == b"".join(plan.lines(rows, range(11, 19)))
    assert plan.lines([], range(0)) == []


async def test_flags_alone_are_those_of_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = (
        "FETCH 1:* (UID FLAGS)",
        "UID FETCH 2:* FLAGS",
        "FETCH 3:7 (FLAGS UID)",
        "FETCH 1:3,5:9 (UID FLAGS)",
    )
    short = fetch._flags
    ways: list[bool] = []

    def counted(*args: Any) -> Any:
        made = short(*args)
        ways.append(made[0] is not None)
        return made

    monkeypatch.setattr(fetch, "NARROW", 0)
    monkeypatch.setattr(fetch, "PAGE", 1)  # pages of four
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 11)
        talk = await talk_to(world)  # to whom all are recent
        await talk.end()
        talk = await talk_to(world)

        async def compare() -> None:
            ways.clear()
            monkeypatch.setattr(fetch, "_flags", counted)
            told = [await ask(talk, command) for command in commands]
            monkeypatch.setattr(fetch, "_flags", lambda _session, _here, ranges, _size: (None, ranges))
            monkeypatch.setattr(fetch, "AT_ONCE", 0)
            assert told == [await ask(talk, command) for command in commands]

        await compare()
        assert all(ways)
        inbox = world.folder("INBOX").id
        for bits in range(1, 12):
            await world.store.write(entries.set_flags, inbox, [bits], "=", bits * 2 % 32, ())
        await ask(talk, "NOOP")
        await compare()
        await world.store.write(entries.expunge, inbox, [2, 3, 8])
        assert b"* 9 FETCH (UID 9 FLAGS" in await ask(talk, "FETCH 1:* (UID FLAGS)")  # until it is told
        await ask(talk, "NOOP")
        await compare()
        assert all(ways)
        await world.store.write(entries.set_flags, inbox, [6], "+", 0, ("$x",))
        await ask(talk, "NOOP")
        await compare()
        assert not all(ways)
        await talk.end()


async def test_the_first_hint_goes_at_once_and_the_next_are_gathered(tmp_path: Path) -> None:
    one, other = hints.Hub(tmp_path), hints.Hub(tmp_path)
    sent: list[hints.Hints] = []
    one.listen()
    other.listen()
    try:
        one._send = sent.append  # type: ignore[method-assign]
        places = [(AccountId(1), FolderId(number)) for number in range(4)]
        for place in places:
            one.publish({place})
        assert sent == [{places[0]}]
        one._send_gathered()
        assert sent == [{places[0]}, set(places[1:])]
    finally:
        one.close()
        other.close()


async def test_what_was_read_halfway_is_closed_with_its_transaction(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 3)
        kept: list[Any] = []

        def first(tx: Any) -> int:
            rows = tx.rows("SELECT uid FROM entry ORDER BY uid")
            kept.append(rows)
            return int(next(rows)[0])

        assert world.store.peek(first) == 1
        assert await world.store.read(first) == 1
        for rows in kept:
            with pytest.raises(Exception, match=r"closed|Cursor"):
                rows.fetchall()


@pytest.mark.parametrize("enabled", ["CONDSTORE", "QRESYNC"])
async def test_to_expunge_few_says_what_to_expunge_many_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: str
) -> None:
    commands = (
        f"ENABLE {enabled}", "EXPUNGE", "STORE 2,5 +FLAGS (\\Deleted)", "EXPUNGE", "EXPUNGE",
        "FETCH 1:* (UID)", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE",
    )  # fmt: skip
    heard = []
    for few in (expunge.FEW, 0):
        monkeypatch.setattr(expunge, "FEW", few)
        async with open_world(tmp_path / str(few), people=("alice",)) as world:
            await world.fill("INBOX", 7)
            talk, other = await talk_to(world), await talk_to(world)
            heard.append([await ask(talk, command) for command in commands])
            heard[-1].append(await ask(other, "NOOP"))
            assert world.folder("INBOX").messages == 0
            await talk.end()
            await other.end()
    assert heard[0] == heard[1]
    assert heard[0][1] == b"t OK Done\r\n"
    assert heard[0][3].count(b"EXPUNGE") == 2 or b"* VANISHED 2,5" in heard[0][3]


async def test_a_usual_page_with_envelopes_needs_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients ask for 20 to 100 at a time; only lines that take much room go out page by page."""
    async with open_world(tmp_path) as world:
        await world.fill("INBOX", 50)
        talk = await talk_to(world)
        begun: list[object] = []
        long = fetch._fetch
        monkeypatch.setattr(fetch, "_fetch", lambda *given: (begun.append(given), long(*given))[1])
        short = await ask(talk, "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
        assert not begun
        monkeypatch.setattr(fetch, "ROOM", 2000)
        assert await ask(talk, "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)") == short
        assert len(begun) == 1
        assert short.count(b"ENVELOPE") >= 50


@pytest.mark.parametrize("algorithm", sorted(threads.ALGORITHMS))
def test_very_many_letters_are_threaded_by_parts_alike(
    algorithm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5256 3: by sent date, and where that is the same by number; also where all dates are."""
    rng = random.Random(5)
    for days in (1, 3, 1000):
        letters = [
            threads.Letter(
                uid, f"<{uid}@x>", (f"<{rng.randrange(1, 400)}@x>",) if uid % 3 else (),
                rng.randrange(days), b"s%d" % rng.randrange(60), bool(uid % 2),
            )
            for uid in range(1, 300)
        ]  # fmt: skip
        whole = threads.write(threads.ALGORITHMS[algorithm](letters))
        with monkeypatch.context() as patched:
            patched.setattr(threads, "WHOLE", 3)
            patched.setattr(threads, "CHUNK", 4)
            heads = threads.ALGORITHMS[algorithm](letters)
            assert threads.write(heads) == whole
            threads.let_go(heads)
            assert heads == []


async def test_a_mailbox_that_is_known_is_selected_as_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 6.3.2; what is kept of a mailbox holds until something in it changes."""
    known: list[bool] = []
    find = select._known

    def noting(*args: Any) -> Any:
        found = find(*args)
        known.append(found is not None)
        return found

    async with open_world(tmp_path / "data", people=("alice", "bob")) as world:
        await world.given("folder place")
        await world.fill("place", 5)
        await world.given("folder shared of bob")
        await world.given("shared of bob grants alice lr")
        talk = await talk_to(world)
        names = ("place", "inbox", "Users/bob@example.org/shared", "nowhere")

        async def all_of_them() -> list[bytes]:
            told = []
            for name in names:
                for word in ("SELECT", "EXAMINE"):
                    await ask(talk, "UNSELECT")
                    told.append(await ask(talk, f"{word} {name}"))
            return told

        async def compare() -> list[bytes]:
            monkeypatch.setattr(select, "_known", never)
            await all_of_them()  # then nothing is \Recent any more
            told = await all_of_them()
            monkeypatch.setattr(select, "_known", noting)
            known.clear()
            assert await all_of_them() == told
            return told

        first = await compare()
        assert known == [True] * 4 + [False] * 4
        assert b"t NO [NONEXISTENT]" in first[6]
        for act in ("flag place 2 \\Seen work", "expunge place 1", "deliver 2 to place", "expunge place 4"):
            await world.do(act)
            assert (await compare())[0] != first[0]
        assert known == [False] * 2 + [True] * 2 + [False] * 4, "with gaps its numbers are read"
        await ask(talk, "RENAME place nowhere")
        told = await compare()
        assert b"t NO [NONEXISTENT]" in told[0]
        assert b"* 5 EXISTS" in told[6]
        await talk.end()
