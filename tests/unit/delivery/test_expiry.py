"""Expiry from end to end: rules of the configuration, what would go, what went, and who sees it."""

from __future__ import annotations

import pytest

from quintet.clock import FrozenClock
from quintet.config import root
from quintet.config.load import ConfigError
from quintet.delivery import expiry
from quintet.delivery.expiry import Rules
from quintet.store import accounts, articles, changes, entries, expiring, folders, groups, keeping
from quintet.store.content import content_of
from quintet.store.model import FLAGGED, Folder
from quintet.store.store import Store
from tests.support.letters import letter
from tests.support.stores import store

__all__ = ["store"]

DAY = 86_400.0


def rules(text: str) -> Rules:
    config = root.from_text(text)
    return Rules(config.expire, config.retention)


def passed(store: Store, days: float) -> None:
    assert isinstance(store.clock, FrozenClock)
    store.clock.advance(days * DAY)


async def group(store: Store, name: str, status: str = "y") -> Folder:
    return await store.write(groups.create, name, status)


async def file(store: Store, number: int, *places: Folder, size: int = 100, ends_in: float = 0) -> None:
    ends = ""
    if ends_in:
        from quintet.message.dates import format_date

        raw = format_date(store.clock.now() + round(ends_in * DAY * 1000))
        ends = f"Expires: {raw.decode() if isinstance(raw, bytes) else raw}\r\n"
    text = f"From: a@example.org\r\nSubject: {number}\r\nMessage-ID: <{number}@e>\r\n{ends}\r\n"
    await store.write(
        groups.file,
        [one.id for one in places],
        content_of(text.encode() + b"x" * size + b"\r\n"),
        path=b"x!not-for-mail",
        host="x",
        received_at=store.clock.now(),
    )


def numbers(store: Store, place: Folder) -> list[int]:
    return store.peek(entries.uids, place.id).tolist()


async def told(store: Store, said: Rules) -> dict[str, dict[str, int]]:
    """What would go by folder and reason; what goes then must be the same."""
    lines = await expiry.rehearse(store, said)
    gone, more = await expiry.run(store, said)
    assert not more
    assert gone == lines
    assert await expiry.rehearse(store, said) == []
    return {line.folder: line.reasons for line in lines}


async def test_without_rules_nothing_goes(store: Store) -> None:
    await file(store, 1, await group(store, "a.b"))
    passed(store, 10_000)
    assert await told(store, rules("")) == {}


async def test_first_block_that_fits_a_group_decides(store: Store) -> None:
    said = rules(
        """
        [[expire]]
        groups = ["comp.*", "!comp.keep"]
        status = "moderated"
        [[expire]]
        groups = ["comp.*", "!comp.keep"]
        default = 5
        [[expire]]
        groups = ["*"]
        default = 20
        """
    )
    places = {name: await group(store, name) for name in ("comp.lang", "comp.keep", "misc.x")}
    places["comp.mod"] = await group(store, "comp.mod", "m")
    for number, place in enumerate(places.values()):
        await file(store, number, place)
    passed(store, 6)
    assert await told(store, said) == {"comp.lang": {"age": 1}}
    passed(store, 15)
    assert await told(store, said) == {"comp.keep": {"age": 1}, "misc.x": {"age": 1}}


async def test_large_groups_lose_what_small_ones_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones are looked at together, in one reading; a large one by itself, page by page."""
    monkeypatch.setattr(expiring, "PAGE", 3)
    small, large = await group(store, "a.small"), await group(store, "a.large")
    for number in range(8):
        await file(store, number, *([small, large] if number < 2 else [large]))
    passed(store, 3)
    await file(store, 8, large)
    said = rules("[[expire]]\ndefault = 2\n")
    assert await told(store, said) == {"a.large": {"age": 8}, "a.small": {"age": 2}}
    assert numbers(store, large) == [9]


async def test_articles_are_gone_from_every_view_at_once(store: Store) -> None:
    place = await group(store, "a.b")
    for number in range(1, 4):
        await file(store, number, place)
        passed(store, 1)
    before = store.peek(folders.get, place.id).highest_modseq
    assert await told(store, rules("[[expire]]\ndefault = 2\n")) == {"a.b": {"age": 2}}
    facts = store.peek(articles.facts, place.id)
    assert facts is not None
    assert (facts.low, facts.messages, facts.uid_next) == (3, 1, 4)
    assert store.peek(changes.since, place.id, before).vanished == [(1, 2)]
    assert store.peek(articles.by_message_id, "<1@e>") is None
    assert store.peek(articles.article, place.id, 1) is None
    assert store.known_many(["<1@e>", "<3@e>", "<9@e>"]) == {"<1@e>", "<3@e>"}


async def test_date_of_the_poster(store: Store) -> None:
    place = await group(store, "a.b")
    await file(store, 1, place, ends_in=1)
    await file(store, 2, place, ends_in=90)
    await file(store, 3, place)
    said = rules("[[expire]]\nminimum = 3\ndefault = 10\nmaximum = 20\n")
    passed(store, 2)
    assert await told(store, said) == {}
    passed(store, 2)
    assert await told(store, said) == {"a.b": {"date": 1}}
    passed(store, 7)
    assert await told(store, said) == {"a.b": {"age": 1}}
    passed(store, 10)
    assert await told(store, said) == {"a.b": {"date": 1}}


async def test_number_and_size_of_a_group_after_age(store: Store) -> None:
    place = await group(store, "a.b")
    for number in range(1, 11):
        await file(store, number, place)
        passed(store, 1)
    said = rules("[[expire]]\ndefault = 8\nmax_articles = 5\n")
    assert await told(store, said) == {"a.b": {"age": 3, "count": 2}}
    assert numbers(store, place) == [6, 7, 8, 9, 10]
    size = store.peek(folders.get, place.id).bytes // 5
    assert await told(store, rules(f"[[expire]]\nmax_bytes = {size * 3 + 20}\n")) == {"a.b": {"size": 2}}


async def test_total_of_many_groups(store: Store) -> None:
    one, two = await group(store, "a.one"), await group(store, "a.two")
    for number in range(1, 7):
        await file(store, number, (one, two)[number % 2])
        passed(store, 1)
    size = store.peek(folders.get, one.id).bytes // 3
    said = rules(f"[[expire]]\ngroups = ['a.*']\ntotal_bytes = {size * 4}\ndefault = 6\n")
    assert await told(store, said) == {"a.two": {"age": 1}, "a.one": {"total": 1}}
    assert numbers(store, one) == [2, 3]
    assert numbers(store, two) == [2, 3]


async def test_what_is_too_much_goes_page_by_page_as_in_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "PAGE", 2)
    monkeypatch.setattr(expiring, "ROUND", 3)
    one, two = await group(store, "a.one"), await group(store, "a.two")
    for number in range(20):
        await file(store, number, (one, two)[number % 2])
        passed(store, 1)
    size = store.peek(folders.get, one.id).bytes // 10
    assert await told(store, rules("[[expire]]\ngroups = ['a.one']\nmax_articles = 3\n")) == {
        "a.one": {"count": 7}
    }
    said = rules(f"[[expire]]\ntotal_bytes = {size * 4 + 40}\n")
    assert await told(store, said) == {"a.one": {"total": 1}, "a.two": {"total": 8}}
    assert (numbers(store, one), numbers(store, two)) == ([9, 10], [9, 10])


async def test_everywhere(store: Store) -> None:
    one, two = await group(store, "a.one"), await group(store, "b.two")
    await file(store, 1, one, two)
    await file(store, 2, two)
    passed(store, 5)
    await expiry.run(store, rules("[[expire]]\ngroups = ['a.*']\ndefault = 1\neverywhere = true\n"))
    assert numbers(store, two) == [2]


async def test_rounds_end_after_their_time_and_go_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "SLICE", 2)
    places = [await group(store, f"a.{number}") for number in range(3)]
    for number in range(9):
        await file(store, number, places[number % 3])
    passed(store, 5)
    said = rules("[[expire]]\ndefault = 1\n")
    rounds = []
    more = True
    while more:
        lines, more = await expiry.run(store, said, seconds=-1)
        rounds.append(sum(line.messages for line in lines))
    assert rounds == [3, 3, 3, 0]


# --- mail -------------------------------------------------------------------------------------------


async def mailbox(store: Store, name: str = "alice@example.org") -> dict[str, Folder]:
    account = await store.write(accounts.create, name)
    return {place.name: place for place in store.peek(folders.listing, account.id)}


async def put(store: Store, place: Folder, number: int, flags: int = 0) -> None:
    await store.write(entries.add, [place.id], letter(number), received_at=store.clock.now(), flags=flags)


async def test_trash_and_junk(store: Store) -> None:
    here = await mailbox(store)
    for number, name in enumerate(("INBOX", "Trash", "Junk", "Archive")):
        await put(store, here[name], number)
    await put(store, here["Trash"], 9, FLAGGED)
    said = rules(
        "[[retention]]\nroles = ['trash']\ndays = 30\n"
        "[[retention]]\nfolders = ['Junk', 'Spam/*']\ndays = 14\n"
    )
    passed(store, 15)
    assert await told(store, said) == {"Junk": {"age": 1}}
    passed(store, 16)
    assert await told(store, said) == {"Trash": {"age": 1}}
    assert numbers(store, here["Trash"]) == [2]
    assert numbers(store, here["INBOX"]) == [1]


async def test_accounts_by_pattern_and_the_first_block_wins(store: Store) -> None:
    alice, bob = await mailbox(store), await mailbox(store, "bob@example.org")
    await put(store, alice["INBOX"], 1)
    await put(store, bob["INBOX"], 1)
    said = rules("[[retention]]\naccounts = ['alice@*']\n[[retention]]\nkeep_flagged = false\ndays = 3\n")
    passed(store, 4)
    assert await told(store, said) == {"INBOX": {"age": 1}}
    assert numbers(store, alice["INBOX"]) == [1]
    assert numbers(store, bob["INBOX"]) == []


async def test_most_messages_and_bytes(store: Store) -> None:
    inbox = (await mailbox(store))["INBOX"]
    for number in range(6):
        await put(store, inbox, number, FLAGGED if number == 0 else 0)
    assert await told(store, rules("[[retention]]\nmax_messages = 4\n")) == {"INBOX": {"count": 2}}
    assert numbers(store, inbox) == [1, 4, 5, 6]
    size = store.peek(folders.get, inbox.id).bytes // 4
    assert await told(store, rules(f"[[retention]]\nmax_bytes = {2 * size + 10}\n")) == {"INBOX": {"size": 2}}


async def test_window_in_which_expunged_mail_can_be_had_back(store: Store) -> None:
    here = await mailbox(store)
    said = rules("[[retention]]\nroles = ['trash']\ndays = 1\nundelete = 2\n[[retention]]\nundelete = 10\n")
    await expiry.settle(store, said)
    await put(store, here["INBOX"], 1)
    await put(store, here["Trash"], 2)
    await store.write(entries.expunge, here["INBOX"].id, [1])
    passed(store, 1.5)
    await expiry.run(store, said)  # the rules take it from the trash; it can be had back all the same
    account = here["INBOX"].account_id
    assert [one.folder_name for one in store.peek(keeping.listing, account)] == ["INBOX", "Trash"]
    passed(store, 2.5)
    assert await told(store, said) == {"Trash": {"undelete": 1}}
    passed(store, 7)
    assert await told(store, said) == {"INBOX": {"undelete": 1}}
    await expiry.settle(store, rules(""))
    await put(store, here["INBOX"], 3)
    await store.write(entries.expunge, here["INBOX"].id, [2])
    assert store.peek(keeping.listing, account) == []


async def test_on_hold_nothing_goes(store: Store) -> None:
    here, place = await mailbox(store), await group(store, "a.b")
    other = await group(store, "a.c")
    said = rules("[[retention]]\ndays = 1\n[[expire]]\ndefault = 1\n")
    await put(store, here["INBOX"], 1)
    await file(store, 1, place, other)
    await store.write(keeping.hold, here["INBOX"].account_id)
    await store.write(keeping.hold, place.account_id, place.id)
    await store.write(entries.expunge, here["INBOX"].id, [1])
    passed(store, 5)
    assert await told(store, said) == {"a.c": {"age": 1}}
    assert numbers(store, place) == [1]
    await store.write(keeping.lift, here["INBOX"].account_id)
    await store.write(keeping.lift, place.account_id, place.id)
    assert await told(store, said) == {"INBOX": {"undelete": 1}, "a.b": {"age": 1}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[expire]]\ndefault = 5\nmaximum = 3\n", "expire.0.default: must not be more than maximum"),
        ("[[expire]]\nminimum = 5\nmaximum = 3\n", "expire.0.minimum: must not be more than maximum"),
        ("[[expire]]\nminimum = 5\ndefault = 3\n", "expire.0.minimum: must not be more than default"),
        ("[[expire]]\ngroups = []\n", "expire.0.groups: expected at least one pattern"),
        ("[[expire]]\nmin_size = 9\nmax_size = 3\n", "expire.0.min_size: must not be more than max_size"),
        ("[[retention]]\n[[retention]]\nroles = ['bin']\n", "retention.1.roles: expected one of"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        root.from_text(text)
    assert words in str(refused.value.faults[0])


def test_rules_are_shown_as_they_are_in_force() -> None:
    from quintet.config import describe

    config = root.from_text("[[expire]]\ndefault = '2w'\n[[retention]]\ndays = 30\n")
    again = root.from_text(describe.effective(config).replace('data = "data"', 'data = "other"'))
    assert (again.expire, again.retention) == (config.expire, config.retention)
