"""SORT and THREAD against naive models; hostile arguments stay cheap; what is written is read back."""

from __future__ import annotations

import re
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.imap import threads
from quintet.imap.cmd.search import part
from quintet.imap.grammar import BadCommand, parse
from quintet.imap.orders import Order, Orders
from quintet.imap.threads import Letter
from quintet.imap.view import View
from quintet.message import collation
from quintet.net.memory import Talk
from tests.support.effort import linear
from tests.unit.imap.world import World, open_world

WORDS = ("Zoë", "Ärger", "éclair", "fig", "Apple")
NAMES = [f"<{letter}@x>" for letter in "abcdefgh"]
LETTERS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, ""]),
        st.lists(st.sampled_from(NAMES), max_size=4, unique=True),
        st.integers(0, 5),
        st.sampled_from([b"", b"ONE", b"TWO"]),
        st.booleans(),
    ),
    max_size=12,
).map(lambda rows: [Letter(uid, *row) for uid, row in enumerate(rows, 1)])


@given(LETTERS, st.sampled_from(sorted(threads.ALGORITHMS)))
def test_every_letter_stands_in_one_thread(letters: list[Letter], algorithm: bytes) -> None:
    told = threads.write(threads.ALGORITHMS[algorithm](letters))
    assert sorted(map(int, re.findall(rb"\d+", told))) == [one.uid for one in letters]
    assert re.fullmatch(rb"[0-9() ]*", told)
    depth = 0
    for octet in told:
        depth += (octet == 0x28) - (octet == 0x29)
        assert depth >= 0
    assert depth == 0


def naive_parents(letters: list[Letter]) -> dict[str, str | None]:
    """RFC 5256 3, step 1, as it is written, with every loop looked for by walking."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for one in letters:
        own = one.message_id if one.message_id and one.message_id not in taken else f"#{one.uid}"
        taken.add(own)
        names[one.uid] = own
    parents: dict[str, str | None] = {}

    def link(parent: str, child: str) -> None:
        above: str | None = parent
        while above is not None:
            if above == child:
                return
            above = parents.get(above)
        parents[child] = parent

    for one in letters:
        for parent, child in zip(one.references, one.references[1:], strict=False):
            if parents.get(child) is None:
                link(parent, child)
        own = names[one.uid]
        parents[own] = None
        if one.references:
            link(one.references[-1], own)
    return parents


@given(LETTERS)
def test_parents_are_those_of_the_standard(letters: list[Letter]) -> None:
    taken: set[str] = set()
    expected = naive_parents(letters)
    names = {}
    for one in letters:
        names[one.uid] = one.message_id if one.message_id and one.message_id not in taken else f"#{one.uid}"
        taken.add(names[one.uid])
    uids = {name: uid for uid, name in names.items()}

    def nearest(name: str | None) -> int:
        """The nearest ancestor that is a letter."""
        while name is not None and name not in uids:
            name = expected.get(name)
        return uids[name] if name is not None else 0

    found = {}
    stack = [(head, 0) for head in threads._pruned(threads._linked(letters))]
    while stack:
        node, above = stack.pop()
        own = node.letter.uid if node.letter is not None else above
        if node.letter is not None:
            found[own] = above
        stack += [(child, own) for child in node.children]
    assert found == {one.uid: nearest(expected.get(names[one.uid])) for one in letters}


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(sorted(collation.COLLATIONS)))
def test_images_of_a_part_are_a_part_of_the_image(one: str, other: str, name: str) -> None:
    found = collation.COLLATIONS[name]
    if found.substring:
        assert found.image(one) + found.image(other) == found.image(one + other)


@given(st.sets(st.integers(1, 40)), st.integers(1, 45), st.integers(1, 45), st.booleans())
def test_a_part_of_a_set_is_a_part_of_the_list(
    uids: set[int], one: int, other: int, from_the_end: bool
) -> None:
    view, have = View(array("I", sorted(uids))), sorted(uids)
    first, last = sorted((one, other))
    asked = (-first, -last) if from_the_end else (first, last)
    expected = have[::-1][first - 1 : last][::-1] if from_the_end else have[first - 1 : last]
    assert have[part(asked, len(have))] == expected
    assert view.uids(view.cut([(1, 20), (21, 50)], *asked)) == expected


async def ask(talk: Talk, command: str) -> list[int]:
    await talk.send(f"a {command}\r\n".encode())
    found = [line for line in talk.take().decode().split("\r\n") if line.startswith(("* SORT", "* SEARCH"))]
    return [int(word) for word in found[0].split()[2:]]


async def test_an_order_that_is_kept_is_the_order_that_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.imap.orders.FEW", 3)
    monkeypatch.setattr("quintet.imap.orders.CHUNK", 4)
    monkeypatch.setattr("quintet.imap.orders.PAGE", 8)
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        subjects = {uid: f"{WORDS[uid * 7 % 5]} {uid % 3}" for uid in range(1, 41)}

        async def put(first: int, last: int, world: World = world) -> None:
            for uid in range(first, last + 1):
                raw = f"Subject: {subjects[uid]}\r\n\r\n{'x' * (uid * 13 % 11)}\r\n".encode()
                await world.put("INBOX", raw)

        def expected(keys: Any, *, reverse: bool = False) -> list[int]:
            return sorted(sorted(there), key=keys, reverse=reverse)

        await put(1, 30)
        there = set(range(1, 31))
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        key = lambda uid: collation.CASEMAP.key(subjects[uid])  # noqa: E731 (a key for sorted)
        for _ in range(3):
            assert await ask(talk, "UID SORT (SUBJECT) UTF-8 ALL") == expected(key)
            back = sorted(sorted(there, reverse=True), key=key)[::-1]
            assert await ask(talk, "UID SORT (REVERSE SUBJECT) UTF-8 ALL") == back
            assert await ask(talk, "UID SORT (SIZE) UTF-8 NOT UID 7") == [
                uid for uid in await ask(talk, "UID SORT (SIZE) UTF-8 ALL") if uid != 7
            ]
            newest = max(there)
            await put(newest + 1, newest + 2)
            await world.expunge("INBOX", f"{newest - 20}")
            there = there - {newest - 20} | {newest + 1, newest + 2}
            await talk.send(b"a NOOP\r\n")
            talk.take()
        orders: Orders = world.service.house.orders
        assert all(isinstance(one, Order) and one.upto == 34 for one in orders._kept.values())
        await talk.end()


HOSTILE = [
    b"a SEARCH " + b"OR " * 90 + b"ALL " * 91,
    b"a SEARCH " + b"NOT " * 99 + b"SEEN",
    b"a SEARCH " + b" ".join([b"KEYWORD x"] * 1900),
    b"a SORT (" + b" ".join([b"REVERSE SUBJECT"] * 20) + b") UTF-8 ALL",
    b"a UID SEARCH UID " + b",".join([b"%d" % uid for uid in range(1, 20_000, 2)]),
    b"a SEARCH TEXT " + b"x" * 50_000,
    b"a THREAD REFERENCES UTF-8 " + b"(" * 99 + b"SEEN" + b")" * 99,
    b"a SEARCH FUZZY TEXT \"" + b"word " * 5000 + b"\"",
]  # fmt: skip


async def test_hostile_arguments_are_answered_in_little_work(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", people=("alice",)) as world:
        await world.fill("INBOX", 30)
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(b"a LOGIN alice@example.org demo\r\na SELECT INBOX\r\n")
        talk.take()
        with linear():
            for line in HOSTILE:
                await talk.send(line + b"\r\n", 1 << 16)
                told = talk.take()
                assert re.search(rb"(?m)^a (OK|BAD|NO)", told), (line[:60], told[:200])
        await talk.end()


def test_threads_of_any_depth_are_linear() -> None:
    chain = [Letter(uid, f"<{uid}@x>", [f"<{uid - 1}@x>"], uid, b"", True) for uid in range(1, 20_001)]
    with linear():
        for letters in (chain, chain[::-1]):
            assert threads.write(threads.references(letters)).count(b"(") == 1
        wide = [Letter(uid, f"<{uid}@x>", [f"<{n}@x>" for n in range(1, 900)], uid, b"s", True)
                for uid in range(1000, 1200)]  # fmt: skip
        threads.write(threads.references(wide))


@pytest.mark.parametrize("line", [
    "SORT (DATE) UTF-8", "SORT (DATE SUBJECT UTF-8 ALL", "SORT RETURN (ALL PARTIAL 1:2) (DATE) UTF-8 ALL",
    "SORT (REVERSE) UTF-8 ALL", "THREAD REFERENCES ALL", "ESEARCH IN () ALL", "ESEARCH IN (subtree) ALL",
    "ESEARCH IN (personal", "CANCELUPDATE", "SEARCH RETURN (PARTIAL 1) ALL", "SEARCH FUZZY", "SEARCH FILTER",
    "SORT (" + "DATE " * 21 + "DATE) UTF-8 ALL", "ESEARCH IN (mailboxes (" + "a " * 1001 + "a)) ALL",
])  # fmt: skip
def test_lines_that_are_not_understood(line: str) -> None:
    with pytest.raises(BadCommand):
        parse(b"a " + line.encode())
