"""The order of checks at injection, and an administrator's own word on articles (hook ``post``)."""

import itertools
from pathlib import Path

import pytest

from quintet.config.nntp import Nntp
from quintet.delivery.postfilter import Closed
from quintet.errors import Problem, Refused, TryLater
from quintet.policy.hooks import BadHooks, Hooks
from tests.support.newshouse import NewsHouse, news_house

GOOD = {
    "From": "alice@example.org",
    "Newsgroups": "local.test",
    "Subject": "x",
}
# one fault for each check, in INN's order: what is changed, and what the poster hears
FAULTS: list[tuple[dict[str, str | None], str]] = [
    ({"X-Long": "x" * 1000}, "Header line longer"),  # 2
    ({"X-Trace": "x"}, "Obsolete X-Trace"),  # 3
    ({"body": "> old\r\n" * 11 + "new\r\n" * 9}, "Article not posted: more"),  # 4
    ({"Newsgroups": "no.such"}, "No such group"),  # 5
    ({"Xref": "a b:1"}, "Can't set system Xref"),  # 6
    ({"Date": "soon"}, "Date is no date"),  # 7
    ({"Control": "sendsys"}, '"sendsys" is not'),  # 8
    ({"Message-ID": "<a>"}, "Message-ID is not one"),  # 9
    ({"Path": "a!.POSTED!b"}, "Article was injected before"),  # 10
    ({"Expires": "never"}, "Expires is no date"),  # 11
    ({"Distribution": "*.*"}, "Distribution is not one"),  # 12
    ({"Subject": None}, "Missing Subject"),  # 13
    ({"X-Empty": ""}, "Empty X-Empty"),  # 14
    ({"body": ""}, "Article has no body"),  # 15
    ({"From": "alice"}, "From has no address"),  # 16
    ({"Followup-To": "no.such"}, "Followup-To names no group"),  # 17
    ({"body": "long\r\n" * 4000}, "Article is larger"),  # 18
]


def made(*changes: dict[str, str | None]) -> bytes:
    fields: dict[str, str | None] = dict(GOOD)
    body = "x\r\n"
    for change in changes:
        body = change.get("body") if change.get("body") is not None else body  # type: ignore[assignment]
        fields |= {name: value for name, value in change.items() if name != "body"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"{head}\r\n{body}".encode()


async def heard(house: NewsHouse, data: bytes) -> str:
    with pytest.raises(Problem) as caught:
        await house.post(data)
    return caught.value.text


async def test_of_two_faults_the_first_in_the_order_is_told(tmp_path: Path) -> None:
    config = Nntp(post="anyone", check_quoting=True, max_article_size=10_000)
    async with news_house(tmp_path, config) as house:
        await house.given("group local.test")
        for first, text in FAULTS:
            assert (await heard(house, made(first))).startswith(text)
        for (first, text), (second, other) in itertools.combinations(FAULTS, 2):
            if "body" in first and "body" in second:
                continue  # an article has one body
            if "body" in second and second["body"] == "" and "Control" in first:
                continue  # a control message needs none
            assert (await heard(house, made(second, first))).startswith(text), (text, other)
        await house.post(made())


# --- the hook ----------------------------------------------------------------------------------------

HOOKS = """
from quintet.policy.hooks import *

def post(article):
    subject = article.header("Subject")
    with article.open() as file:
        assert subject.encode() in file.read()
    assert article.groups and article.message_id and article.size and article.peer.address
    return {
        "text": refuse("Not here"), "drop": discard(), "spool": spool(), "close": close("Go"),
        "later": defer("Later"), "mark": [add_header("X-Mark", "seen"), add_header("X-Two", "too")],
        "both": [accept(), refuse()],
    }.get(subject)
"""


def hooked(house: NewsHouse, folder: Path, text: str = HOOKS) -> None:
    path = folder / "hooks.py"
    path.write_text(text)
    hooks = Hooks(path)
    house.office.filter.hooks = lambda: hooks


async def test_hook_refuses_drops_and_passes(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        hooked(house, tmp_path)
        for subject, family in (("text", Refused), ("close", Closed), ("later", TryLater)):
            with pytest.raises(family):
                await house.post(made({"Subject": subject}))
        assert await heard(house, made({"Subject": "text"})) == "Not here"
        dropped = await house.post(made({"Subject": "drop"}))
        assert dropped.message_id and dropped.groups == ()
        await house.check("local.test has 0")
        await house.post(made({"Subject": "both"}))
        await house.post(made({"Subject": "plain"}))
        await house.check("local.test has 2")


@pytest.mark.parametrize("size", [10, 200_000])
async def test_hook_adds_fields(tmp_path: Path, size: int) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        hooked(house, tmp_path)
        body = "0123456789\r\n" * (size // 12 + 1)
        await house.post(made({"Subject": "mark", "body": body}))
        data = house.article("local.test", 1)
        assert f"\r\nX-Mark: seen\r\nX-Two: too\r\n\r\n{body}".encode() in data
        assert data.count(b"\r\n\r\n") == 1


async def test_hook_sets_aside(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        hooked(house, tmp_path)
        assert "no place for it" in await heard(house, made({"Subject": "spool"}))
        await house.given("group local.spool status n")
        await house.given("option spool_group local.spool")
        hooked(house, tmp_path)
        posted = await house.post(made({"Subject": "spool"}))
        assert posted.groups == ("local.spool",)
        await house.check("local.test has 0")
        await house.check("local.spool 1 holds Newsgroups: local.test")


@pytest.mark.parametrize("field", ["Control", "Supersedes"])
async def test_what_is_set_aside_takes_nothing_back(tmp_path: Path, field: str) -> None:
    """Somebody shall look at it first, so it is only filed."""
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        await house.given("group local.spool status n")
        await house.given("option spool_group local.spool")
        hooked(house, tmp_path)
        old = await house.post(made())
        value = f"cancel {old.message_id}" if field == "Control" else old.message_id
        data = made({"Subject": "spool", field: value})
        posted = await house.post(data)
        assert posted.groups == ("local.spool",)
        await house.check("local.test has 1")
        await house.check(f"local.spool 1 holds {field}: {value}")
        await house.post(made({"Subject": "plain", field: value}))
        assert house.folder("local.test").messages == (0 if field == "Control" else 1)
        await house.check("local.spool has 1")


async def test_answers_of_mail_are_none_of_news(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        hooked(house, tmp_path, "from quintet.policy.hooks import *\ndef post(article): return quarantine()")
        with pytest.raises(TryLater):
            await house.post(made())
        with pytest.raises(BadHooks):
            hooked(house, tmp_path, "post = 3")


async def test_close_ends_the_connection_with_400(tmp_path: Path) -> None:
    from quintet.net.memory import converse

    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        hooked(house, tmp_path)
        article = made({"Subject": "close"}).decode()
        said = await converse(house.service, f"POST\r\n{article}.\r\nDATE\r\n".encode())
        assert said.endswith(b"\r\n400 Go\r\n")
