"""Trees of mailboxes: patterns, options and renames against simple models; 10,000 names, 100 levels."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.errors import Refused
from quintet.imap import languages, names, referrals, tree
from quintet.net.memory import converse
from quintet.store import accounts, folders
from quintet.store.db import Tx
from quintet.store.model import AccountId
from tests.unit.imap.world import open_world

LEVELS = st.sampled_from(["a", "b", "ab", "ba", "é"])
PATHS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "/", "*", "%", "é"]), max_size=9).map("".join)


def _naive(pattern: str, name: str) -> bool:
    """RFC 9051 6.3.9, by a regular expression."""
    parts = {"*": ".*", "%": "[^/]*"}
    return re.fullmatch("".join(parts.get(one) or re.escape(one) for one in pattern), name) is not None


@given(PATTERNS, PATHS)
def test_patterns_match_as_the_naive_model_says(pattern: str, name: str) -> None:
    assert names.matcher(pattern)(name) == names.matches(pattern, name) == _naive(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("inbox", "INBOX", True),
        ("iNb%", "INBOX", True),
        ("inbox/x", "INBOX/x", True),
        ("in*x", "INBOX/x", False),  # only the name itself has no case (RFC 9051 5.1)
        ("%", "INBOX", True),
        ("", "INBOX", False),
    ],
)
def test_inbox_matches_in_any_case(pattern: str, name: str, matches: bool) -> None:
    assert names.matches(pattern, name) is matches


def _model(
    present: dict[str, bool], subscribed: set[str], select: set[bytes], pattern: str
) -> dict[str, tuple[bool, bool]]:
    """RFC 5258 3.5, the table: name -> (meets the criteria, has CHILDINFO)."""
    known = set(present) | subscribed
    for name in list(known):
        parts = name.split("/")
        known |= {"/".join(parts[:end]) for end in range(1, len(parts))}

    def meets(name: str) -> bool:
        return (b"SUBSCRIBED" not in select or name in subscribed) and (
            b"SPECIAL-USE" not in select or present.get(name, False)
        )

    told = {}
    for name in known:
        below = [one for one in known if one.startswith(name + "/") and meets(one)]
        hidden = [one for one in below if not _naive(pattern, one)]
        if _naive(pattern, name) and (meets(name) or hidden):
            told[name] = meets(name), bool(below)
    return told


@settings(max_examples=300)
@given(
    st.dictionaries(PATHS, st.booleans(), max_size=8),
    st.sets(PATHS, max_size=5),
    st.sampled_from([{b"SUBSCRIBED"}, {b"SPECIAL-USE"}, {b"SUBSCRIBED", b"SPECIAL-USE"}]),
    PATTERNS,
)
def test_options_choose_as_the_table_says(
    present: dict[str, bool], subscribed: set[str], select: set[bytes], pattern: str
) -> None:
    nodes = {name: tree.Node(b"\\Sent" if special else b"") for name, special in present.items()}
    found = tree.Tree(nodes, frozenset(subscribed))
    lines = tree.choose(found, frozenset(select | {b"RECURSIVEMATCH"}), frozenset(), [pattern])
    told = {line.name: (line.meets, bool(line.child_info)) for line in lines}
    assert len(told) == len(lines)  # one line a name (RFC 5258 3.3)
    assert told == _model(present, subscribed, select, pattern)
    alone = tree.choose(found, frozenset(select), frozenset(), [pattern])
    assert {line.name for line in alone} == {name for name, (meets, _) in told.items() if meets}
    for line in lines:
        exists, below = line.name in nodes, any(one.startswith(line.name + "/") for one in nodes)
        assert (b"\\NonExistent" in line.attributes) is not exists
        assert (b"\\HasChildren" in line.attributes) is below
        assert (b"\\HasNoChildren" in line.attributes) is not below
        assert (b"\\Subscribed" in line.attributes) is (b"SUBSCRIBED" in select and line.name in subscribed)


def _rename(model: set[str], old: str, new: str) -> set[str] | None:
    """What a rename makes of the names; None: it is refused."""
    if old not in model or new in model or new.startswith(old + "/"):
        return None
    moving = {name for name in model if name == old or name.startswith(old + "/")}
    moved = {new + name[len(old) :] for name in moving}
    if moved & (model - moving):
        return None
    parts = new.split("/")
    above = {"/".join(parts[:end]) for end in range(1, len(parts))}
    return (model - moving) | moved | above


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("create"), PATHS, PATHS),
            st.tuples(st.just("remove"), PATHS, PATHS),
            st.tuples(st.just("rename"), PATHS, PATHS),
        ),
        max_size=25,
    )
)
def test_trees_change_as_the_model_does(steps: list[tuple[str, str, str]]) -> None:
    import asyncio
    import tempfile

    async def play() -> None:
        with tempfile.TemporaryDirectory() as where:
            async with open_world(Path(where) / "data", ("alice",)) as world:
                account = world.store.peek(accounts.find, "alice@example.org")
                await world.store.write(_play, account.id, steps)

    asyncio.run(play())


def _play(tx: Tx, account: AccountId, steps: list[tuple[str, str, str]]) -> None:
    start = {name for name, _ in folders.outline(tx, account)}
    model: set[str] = set()
    for what, one, two in steps:
        found = folders.find(tx, account, one)
        if what == "create" and found is None:
            folders.create(tx, account, one)
            parts = one.split("/")
            model |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
        elif what == "remove" and found is not None:
            folders.remove(tx, found.id)
            model.discard(one)
        elif what == "rename" and found is not None:
            wanted = _rename(model, one, two)
            try:
                assert folders.rename(tx, found.id, two).id == found.id
            except Refused:
                assert wanted is None, (one, two, model)
            else:
                assert wanted is not None, (one, two, model)
                model = wanted
        assert {name for name, _ in folders.outline(tx, account)} - start == model
    for name in model:
        folder = folders.find(tx, account, name)
        assert folder is not None
        above = folders.find(tx, account, name.rpartition("/")[0]) if "/" in name else None
        assert folder.parent_id == (above.id if above is not None else None), name


@pytest.mark.slow
async def test_ten_thousand_folders_are_listed(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", ("alice",)) as world:
        account = world.store.peek(accounts.find, "alice@example.org")

        def many(tx: Tx) -> None:
            for number in range(10_000):
                folders.create(tx, account.id, f"dir{number // 100:03}/box{number % 100:02}")

        await world.store.write(many)
        world.config = replace(world.config, max_folders=20_000)
        login = b"a LOGIN alice@example.org demo\r\n"
        said = await converse(world.service, login + b'b LIST "" *\r\n')
        assert said.count(b"* LIST ") == 10_106
        await converse(world.service, login + b"b RENAME dir001 away/there\r\n")
        said = await converse(world.service, login + b'b LIST "" away/there/*\r\n')
        assert said.count(b"* LIST ") == 100


async def test_a_hundred_levels_and_no_more(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", ("alice",)) as world:
        deep = "/".join("d" for _ in range(100)).encode()
        said = await converse(
            world.service,
            b"a LOGIN alice@example.org demo\r\nb CREATE %b\r\nc CREATE %b/x\r\n" % (deep, deep)
            + b'd RENAME d/d below/one/x\r\ne RENAME d/d e\r\nf LIST "" e*\r\n'
            + b'g LIST "" %b\r\n' % (b"%/" * 30),
        )
        assert b"b OK" in said
        assert b"c NO [CANNOT]" in said
        assert b"d NO [CANNOT]" in said  # the deepest would be too deep
        assert b"e OK" in said
        assert said.count(b"* LIST ") >= 99


@given(st.lists(st.text(max_size=12), max_size=4), st.sampled_from(languages.LANGUAGES))
def test_language_ranges_never_surprise(ranges: list[str], preferred: str) -> None:
    try:
        found = languages.chosen(ranges, preferred)
    except ValueError:
        return
    assert found is None or found in languages.LANGUAGES


@given(st.binary(max_size=60), st.sampled_from(languages.LANGUAGES))
def test_only_the_words_of_an_answer_change(data: bytes, language: str) -> None:
    """RFC 5255 3.2: whatever stands before the last line is as it was."""
    whole = data + b"\r\na1 OK [X y] Done\r\n"
    said = languages.answer(whole, b"a1", language)
    assert said.startswith(data + b"\r\na1 OK [X y] ")
    assert languages.answer(data, b"a1", language) == data or data.startswith(b"a1 ") or b"\r\na1 " in data


def test_every_text_has_all_translations() -> None:
    for english in languages._TEXTS:
        for language in ("de", "fr"):
            words = languages.translated(english, language)
            assert words
            assert "[" not in words  # RFC 5255 3.5


@given(st.text(max_size=40), st.text(max_size=40))
def test_referrals_are_urls(user: str, name: str) -> None:
    """RFC 5092: printable ASCII without spaces or brackets, whatever a mailbox is called."""
    found = referrals.url(user, "imap.example.org", name)
    assert re.fullmatch(rb"imap://[!-~]*;AUTH=\*@imap\.example\.org/[!-~]*", found)
    assert not set(b' []"\\') & set(found)


@given(st.binary(max_size=40), st.booleans())
def test_names_are_decoded_or_refused(raw: bytes, utf8: bool) -> None:
    try:
        name = names.decode(raw, utf8=utf8)
        names.check(name)
    except Refused:
        return
    assert names.decode(name.encode("utf-8"), utf8=True) == name


async def test_a_list_that_is_asked_for_again_tells_what_is_there_now(tmp_path: Path) -> None:
    """RFC 9051 6.3.9: what is remembered is of the same names, roles and subscriptions."""
    async with open_world(tmp_path / "data", people=("alice", "bob")) as world:
        said = (
            b'a LOGIN alice@example.org demo\r\nb LIST "" *\r\nc LIST "" *\r\nd CREATE New\r\n'
            b'e LIST "" *\r\nf SUBSCRIBE New\r\ng LIST "" * RETURN (SUBSCRIBED)\r\nh UNSUBSCRIBE New\r\n'
            b'i LIST "" * RETURN (SUBSCRIBED)\r\nj DELETE New\r\nk LIST "" *\r\nl XLIST "" *\r\n'
        )
        answer = await converse(world.service, said)
    first, again, made, subscribed, not_any_more, gone, old = [
        answer.partition(begin)[2].partition(end)[0]
        for begin, end in (
            (b"Logged in\r\n", b"b OK"), (b"b OK Done\r\n", b"c OK"), (b"d OK", b"e OK"), (b"f OK", b"g OK"),
            (b"h OK", b"i OK"), (b"j OK", b"k OK"), (b"k OK Done\r\n", b"l OK"),
        )
    ]  # fmt: skip
    assert first.startswith(b"* LIST") and again == first
    assert b'"/" New\r\n' in made and b'"/" New\r\n' not in first
    assert b'\\Subscribed \\HasNoChildren) "/" New\r\n' in subscribed
    assert b'(\\HasNoChildren) "/" New\r\n' in not_any_more
    assert gone.partition(b"* LIST")[2] == first.partition(b"* LIST")[2]
    assert b"* XLIST" in old and b"\\Inbox" in old


async def test_hostile_patterns_over_many_long_names_end_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIST says so when it would take too long; it took 4 ms a name and pattern, LSUB on the loop thread."""
    monkeypatch.setattr(tree, "MATCHING_S", 0.4)
    long = [f"{'a' * 900}{number}" for number in range(400)]
    async with open_world(tmp_path / "data") as world:

        def fill(tx: Tx) -> None:
            account = accounts.find(tx, "alice@example.org")
            assert account is not None
            for name in long:
                folders.create(tx, account.id, name)
                folders.subscribe(tx, account.id, name)

        await world.store.write(fill)
        wild = " ".join(f"{'*a' * 60}%{number}x" for number in range(90))
        said = await converse(
            world.service,
            b"a1 LOGIN alice@example.org demo\r\n"
            + f'a2 LIST "" ({wild})\r\n'.encode()
            + b'a3 LIST "" ("*a*1" %)\r\n'
            + b'a4 LSUB "" "*a*17"\r\n',
        )
        assert b"\r\na2 NO [LIMIT] " in said
        assert b"\r\na3 OK " in said
        assert b"\r\na4 OK " in said
        assert said.count(b'* LSUB () "/" ' + b"a" * 900 + b"17\r\n") == 1
