"""Articles that go the quick way: those that the other one would take, and with the same bytes."""

import random
import shutil
from pathlib import Path

import pytest

from quintet.config.nntp import Nntp
from quintet.delivery import arrive
from quintet.delivery.post import SECRET
from quintet.delivery.postquick import Underway
from quintet.errors import Problem, Refused
from quintet.net.seam import Peer
from quintet.store import access, groups, trace
from tests.support.newshouse import CONFIG, NewsHouse, news_house
from tests.unit.delivery.test_injection import FAULTS, made

PEER = Peer("c1", "192.0.2.7")
# what a field may be; the first of each is what most send
VALUES: dict[str, list[str | None]] = {
    "From": ["Alice <alice@example.org>", "alice@example.org", "alice@host", '"A" <a@b.example>', "x", None],
    "Newsgroups": ["local.test", "local.test,local.other", "no.such,local.test", "no.such", "a b", " ", None],
    "Subject": ["x", "folded\r\n  text", "=?utf-8?q?x?=", "\N{LATIN SMALL LETTER E WITH ACUTE}", "", None],
    "Date": [
        None,
        "Fri, 21 Nov 2025 08:00:00 +0000",
        "Fri, 21 Nov 2025 08:00 +0100",
        "soon",
        "2025-11-21T08:00:00Z",
        "Fri Nov 21 08:00:00 2025",
        " ",
        "1 Jan 2000",
    ],
    "Message-ID": [None, "<@@@here.example>", "<@@@[192.0.2.1]>", "<@@@..example>", "@@@", "<@@@ x@y>"],
    "References": [None, "<a@b>\r\n\t<c@d>", "<a@b> <c@d>", "\t"],
    "Organization": [None, "Ours", ""],
    "X-Any": [None, "thing", "thing ", " thing", "\r\n behind", "two\r\n \r\n lines", "bare\rend", "\0"],
    "Control": [None, "cancel <a@b.example>", "sendsys"],
    "Supersedes": [None, "<old@b.example>"],
    "Followup-To": [None, "poster", "local.other"],
    "Path": [None, "somebody"],
    "Sender": [None, "eve@example.org"],
    "Cancel-Lock": [None, "sha256:abc"],
    "Distribution": [None, "local"],
}
BODIES = ["text\r\n", ".dot\r\n..two\r\n", "no end", "bare\n", "nul\0\r\n", "", "> q\r\n" * 15, "l" * 40_000]


def articles(count: int) -> list[bytes]:
    """Articles with up to three unusual things in each."""
    chance = random.Random(5537)
    found = []
    for number in range(count):
        values = {name: given[0] for name, given in VALUES.items()}
        for name in chance.sample(list(VALUES), chance.randrange(4)):
            values[name] = chance.choice(VALUES[name])
        if values["Message-ID"] is not None:
            values["Message-ID"] = values["Message-ID"].replace("@@@", f"{number}@", 1)
        lines = [f"{name}: {text}\r\n" for name, text in values.items() if text is not None]
        if chance.random() < 0.05:
            lines.append(lines[0])
        body = BODIES[0] if chance.random() < 0.7 else chance.choice(BODIES)
        found.append(f"{''.join(lines)}\r\n{body}".encode())
    return found


def quickly(house: NewsHouse, data: bytes, recommended: str = "<made@here.example>") -> Underway | None:
    return house.office.quick.post(None, PEER, data, recommended, house.service.rules.of(PEER, None))


def test_names_of_fields_are_known() -> None:
    """The quick way is for headers whose fields were seen before."""
    block = "".join(f"{name}: x\r\n" for name in VALUES).encode()
    assert arrive.plain_fields(block) is not None


async def test_what_goes_the_quick_way_is_filed_as_on_the_other(tmp_path: Path) -> None:
    test_names_of_fields_are_known()
    config = Nntp(post="anyone", cancel_lock="address", check_quoting=True, organization="Some", sender=True)
    quick_ways = 0
    async with news_house(tmp_path / "a", config) as one, news_house(tmp_path / "b", config) as other:
        for house in (one, other):
            await house.given("group local.test with 0")
            await house.given("group local.other with 0")
        other.office._key("<x@y>", "")  # makes the secret
        shutil.copy(other.store.data / SECRET, one.store.data / SECRET)
        for number, data in enumerate(articles(700)):
            recommended = f"<{number}@made.example>"
            underway = quickly(one, data, recommended)
            if underway is None:
                continue
            quick_ways += 1
            posted = await other.post(data, recommended=recommended)
            added = await underway.future
            assert added is not None, data
            assert one.office.quick.ended(underway, PEER)
            assert (underway.message_id, underway.permit.names) == (posted.message_id, posted.groups)
            assert [place.uid for place in added] == [place.uid for place in posted.added]
            for name, place in zip(posted.groups, added, strict=True):
                assert one.article(name, place.uid) == other.article(name, place.uid)
            (event,), (same,) = (house.store.peek(trace.follow, posted.message_id) for house in (one, other))
            assert (event.event, event.detail) == (same.event, same.detail)
        assert quick_ways > 100


@pytest.mark.parametrize(("fault", "text"), FAULTS)
async def test_what_is_refused_never_goes_the_quick_way(
    tmp_path: Path, fault: dict[str, str | None], text: str
) -> None:
    config = Nntp(post="anyone", check_quoting=True, max_article_size=10_000)
    async with news_house(tmp_path, config) as house:
        await house.given("group local.test")
        for _ in range(2):  # the names of fields are known the second time
            assert quickly(house, made(fault)) is None
            with pytest.raises(Problem, match=text):
                await house.post(made(fault))


@pytest.mark.parametrize("change", ["right", "status", "moderated", "gone"])
async def test_a_right_that_is_taken_away_counts_at_once(tmp_path: Path, change: str) -> None:
    async with news_house(tmp_path) as house:
        test_names_of_fields_are_known()
        await house.given("group local.test")
        first = quickly(house, made())
        assert first is not None
        assert await first.future is not None
        number = house.folder("local.test").id
        if change == "right":
            await house.store.write(access.grant, number, "anyone", "lrs")
        elif change == "gone":
            await house.store.write(groups.remove, number)
        else:
            await house.store.write(groups.change, number, status="n" if change == "status" else "m")
        second = quickly(house, made({"Subject": "second", "Message-ID": "<2@x>"}))
        assert second is not None
        assert await second.future is None
        assert not house.office.quick.ended(second, PEER)
        assert quickly(house, made({"Message-ID": "<3@x>"})) is None  # it is not asked again
        with pytest.raises(Refused):
            await house.post(made({"Message-ID": "<2@x>"}))
        assert not house.store.known_many(["<2@x>"])


async def test_nothing_goes_the_quick_way_past_a_filter(tmp_path: Path) -> None:
    async with news_house(tmp_path, CONFIG) as house:
        test_names_of_fields_are_known()
        await house.given("group local.test")
        first = quickly(house, made())
        assert first is not None
        await first.future
        house.office.filter.hooks = lambda: {"post": None}  # type: ignore[assignment,return-value]
        assert quickly(house, made()) is None
