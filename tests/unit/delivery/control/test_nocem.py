"""Notices: how they are read, whose are heard, and what they take away."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.news import News, NocemRule
from quintet.delivery.control import nocem
from quintet.delivery.control.work import Controls
from quintet.store import history, trace
from tests.support import pgp
from tests.support.newshouse import NewsHouse, news_house
from tests.unit.delivery.control.test_acts import article, file
from tests.unit.delivery.control.test_work import BOSS, Desk

HEAD = "Version: 0.93\nIssuer: cleaner@example.org\nType: spam\nAction: hide\nCount: 3\nNotice-ID: n1\n"
TEXT = f"""words before
@@BEGIN NCM HEADERS
{HEAD}
@@BEGIN NCM BODY
# a comment
<1@local.a>\tlocal.a local.b
<2@local.a>
\tlocal.a
<never@seen>\tlocal.a
<nowhere@x>
no id\tlocal.a
@@END NCM BODY
<after@x>\tlocal.a
""".encode()
CONFIG = replace(
    BOSS, nocem=(NocemRule("cleaner@example.org", ("spam",)),), nocem_groups=("news.lists.filters",)
)


def test_a_notice_is_read() -> None:
    notice = nocem.parse(TEXT)
    assert notice is not None
    assert (notice.issuer, notice.type, notice.id, notice.why_not) == (
        "cleaner@example.org",
        "spam",
        "n1",
        "",
    )
    assert notice.articles == (
        ("<1@local.a>", ("local.a", "local.b")),
        ("<2@local.a>", ("local.a",)),
        ("<never@seen>", ("local.a",)),
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("0.93", "1.0", "version 1.0 is not known"),
        ("hide", "show", "action show is not known"),
        ("0.93", "0.9", ""),
    ],
)
def test_what_is_not_understood(old: str, new: str, why: str) -> None:
    notice = nocem.parse(TEXT.replace(old.encode(), new.encode()))
    assert notice is not None
    assert notice.why_not == why


def test_what_is_no_notice() -> None:
    assert nocem.parse(b"@@BEGIN NCM BODY\n<a@b>\tx\n") is None
    assert nocem.parse(TEXT.replace(b"Issuer", b"Nobody")) is None


@pytest.mark.parametrize(
    ("rule", "heard"),
    [
        (NocemRule("cleaner@example.org", ("SPAM",)), True),
        (NocemRule("Cleaner@", ("*",)), True),
        (NocemRule("cleaner@example.org", ("mmf",)), False),
        (NocemRule("other@example.org", ("*",)), False),
    ],
)
def test_rules_hear_issuers_about_types(rule: NocemRule, heard: bool) -> None:
    notice = nocem.parse(TEXT)
    assert notice is not None
    assert (nocem.wanted(notice, [rule]) is not None) is heard


def test_a_rule_without_issuer_is_told() -> None:
    assert News(nocem=(NocemRule(),)).faults() == [
        "news.nocem.0.issuer: expected an address, or a part of one"
    ]
    assert News().noticed == ()


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pgp.Ring]:
    if why := pgp.missing():
        pytest.skip(why)
    made = pgp.Ring(tmp_path_factory.mktemp("gpg") / "home", "Cleaner <cleaner@example.org>")
    yield made
    made.close()


async def notify(house: NewsHouse, config: News, body: bytes, number: int, *more: str) -> dict[str, object]:
    """Files a notice in its group and works on it; what the trace says."""
    name = f"<notice{number}@x>"
    fields = (f"Message-ID: {name}", *more)
    data = article(*fields, group="news.lists.filters").replace(b"text\r\n", body.replace(b"\n", b"\r\n"))
    await file(house, data, "news.lists.filters", rules=config)
    controls: Controls = Desk(house, config).controls
    while await controls.once():
        pass
    return next(dict(one.detail) for one in house.store.peek(trace.follow, name) if one.event == "control")


async def test_a_signed_notice_takes_articles_away(tmp_path: Path, ring: pgp.Ring) -> None:
    config = replace(CONFIG, nocem_keyring=str(ring.keyring))
    async with news_house(tmp_path) as house:
        for name in ("local.a", "local.b", "news.lists.filters"):
            await house.given(f"group {name}")
        await house.add(["local.a", "local.b"], 1)
        await house.add(["local.a"], 2)
        await house.add(["local.a"], 3)
        block = ring.clearsign(TEXT)
        assert (await notify(house, config, TEXT, 1))["why"] == "not one signed notice"
        assert (await notify(house, config, block.replace(b"<2@", b"<3@"), 2))[
            "why"
        ] == "the signature is wrong"
        assert (await notify(house, config, block, 3, "References: <a@b>"))[
            "why"
        ] == "a notice is no follow-up"
        assert house.folder("local.a").messages == 3
        detail = await notify(house, config, block, 4)
        assert (detail["why"], detail["ids"], detail["gone"]) == ("", 3, 2)
        assert (house.folder("local.a").messages, house.folder("local.b").messages) == (1, 0)
        assert house.store.peek(history.known, "<never@seen>")
        assert house.folder("news.lists.filters").messages == 4
        (event,) = [one for one in house.store.peek(trace.follow, "<2@local.a>") if one.event == "cancelled"]
        assert (event.detail["how"], event.detail["by"]) == ("nocem", "<notice4@x>")


async def test_who_is_not_named_is_not_heard(tmp_path: Path, ring: pgp.Ring) -> None:
    config = replace(CONFIG, nocem_keyring=str(ring.keyring), nocem=(NocemRule("other@example.org"),))
    async with news_house(tmp_path) as house:
        for name in ("local.a", "news.lists.filters"):
            await house.given(f"group {name}")
        await house.add(["local.a"], 1)
        block = ring.clearsign(TEXT)
        detail = await notify(house, config, block, 1)
        assert detail["why"] == "not an issuer and type that is heard"
        forged = ring.clearsign(TEXT.replace(b"cleaner@", b"other@"))
        detail = await notify(house, config, forged, 2)
        assert detail["why"] == "signed by Cleaner <cleaner@example.org>, not by other@example.org"
        assert house.folder("local.a").messages == 1
