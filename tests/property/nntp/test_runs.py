"""Commands that came together are answered as if each had come alone."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.net.memory import converse
from quintet.nntp import fetches
from tests.support.newshouse import news_house

VERBS = ["ARTICLE", "HEAD", "BODY", "STAT"]
NUMBERS = st.integers(0, 70).map(str)
IDS = st.integers(0, 70).map("<{}@local.test>".format)
GROUPS = st.sampled_from(["local.test", "local.empty", "no.such", "staff.x", "local.large"])
RUNS = st.one_of(
    st.tuples(st.sampled_from(VERBS), st.lists(NUMBERS, min_size=1, max_size=80)),
    st.tuples(st.sampled_from(VERBS), st.lists(IDS, min_size=1, max_size=80)),
    st.tuples(st.just("GROUP"), st.lists(GROUPS, min_size=1, max_size=6)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(st.lists(RUNS, min_size=1, max_size=6))
def _play(talks: list[bytes], runs: list[tuple[str, list[str]]]) -> None:
    lines = [f"{verb} {word}\r\n" for verb, words in runs for word in words]
    talks.append(b"GROUP local.test\r\n" + "".join(lines).encode())


async def test_together_and_alone(tmp_path: Path) -> None:
    talks: list[bytes] = []
    _play(talks)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 60")
        await house.given("cancel local.test 7 8 30")
        await house.given("group local.empty")
        await house.given("group staff.x with 1")
        await house.given("rights staff.x alice@example.org lr")
        await house.given("group local.large")
        body = b"x" * 70 + b"\r\n"
        large = b"From: a@example.org\r\nNewsgroups: local.test\r\nMessage-ID: <61@local.test>\r\n\r\n"
        await house.file(["local.test", "local.large"], large + body * 3000)  # in a file of its own
        await house.file(["local.test"], b"Message-ID: <62@local.test>\r\n")  # a header alone
        await house.file(["local.test"], b"\r\nno header\r\n")
        for script in talks:
            assert await converse(house.service, script, 1 << 20) == await converse(house.service, script, 5)


@given(st.lists(st.one_of(NUMBERS, IDS), min_size=1, max_size=200), st.sampled_from([*VERBS, "GROUP"]))
def test_framing_loses_nothing(words: list[str], verb: str) -> None:
    data = "".join(f"{verb} {word}\r\n" for word in words).encode()
    found: list[str] = []
    at = 0
    while at < len(data):
        run, end = fetches.take(data, at)
        if run is None:
            end = data.index(b"\r\n", at) + 2
            found.append(data[at:end].split()[1].decode())
        else:
            assert run.name == verb
            assert 2 <= len(run.words) <= fetches.MAX_TOGETHER
            found += run.words
        at = end
    assert found == words
