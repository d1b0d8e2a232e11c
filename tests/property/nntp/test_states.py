"""Every command in every state: a known family or an answer with a code and text, and never a bug."""

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet import metrics
from quintet.net.memory import converse
from quintet.nntp.session import RULES
from tests.support.newshouse import news_house

ARGUMENTS = [
    "", "local.test", "local.empty", "no.such", "1", "2-", "3-1", "<1@local.test>", "<x@y>", "*",
    "a b", "Subject", "Subject 1-3", ":bytes 1-", "X-Number <2@local.test>", "Subject 1- *2*",
    "READER", "ACTIVE", "COUNTS *test", "HEADERS", "20250101 000000 GMT", "* 20250101 000000",
    "SASL PLAIN =", "USER alice@example.org", "PASS x", "é", "9999999999999999",
    "99999999999999999",
]  # fmt: skip
NAMES = sorted(set(RULES) - {"STARTTLS", "COMPRESS"})
LINES = st.tuples(st.sampled_from(NAMES), st.sampled_from(ARGUMENTS))
CODE = re.compile(rb"[1-5]\d\d .+")
# codes after which lines follow (RFC 3977 3.2.1)
LISTS = (b"100", b"101", b"215", b"220", b"221", b"222", b"224", b"225", b"230", b"231", b"282")


def _answers(talk: bytes, count: int) -> list[bytes]:
    """The status lines of a whole conversation; each answer must be complete."""
    lines = talk.split(b"\r\n")
    assert lines.pop() == b""
    found = []
    while lines:
        line = lines.pop(0)
        assert CODE.match(line), line
        found.append(line)
        if line[:3] in LISTS or (line[:3] == b"211" and line.endswith(b"list follows")):
            while lines.pop(0) != b".":
                assert lines
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(st.lists(LINES, min_size=1, max_size=12), st.integers(1, 40))
def _play(
    talks: list[tuple[list[tuple[str, str]], int]], commands: list[tuple[str, str]], chunk: int
) -> None:
    talks.append((commands, chunk))


async def test_every_command_in_every_state(tmp_path: Path) -> None:
    talks: list[tuple[list[tuple[str, str]], int]] = []
    _play(talks)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 3")
        await house.given("group local.empty")
        before = metrics.BUGS.labels("")._value.get()
        for commands, chunk in talks:
            lines = [f"{name} {argument}".rstrip() for name, argument in commands]
            script = "".join(f"{line}\r\n" for line in lines).encode()
            said = await converse(house.service, script, chunk)
            answers = _answers(said, len(lines))
            assert not any(b"Internal error" in answer for answer in answers), (lines, answers)
        assert metrics.BUGS.labels("")._value.get() == before
