"""Mail into a program, without a shell: arguments, exit codes, time, output."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import pipe
from quintet.delivery.envelope import NULL, mailbox
from quintet.delivery.letter import HeldBody
from quintet.delivery.pipe import PipeLink
from quintet.delivery.transport import Answer, Hop, Letter, Result, To

BOB = To(mailbox("bob+list@example.org"))
BODY = b"Subject: x\r\n\r\nline\r\n.\r\nend\r\n"


def link(*command: str, timeout_s: float = 30.0) -> PipeLink:
    return PipeLink(Hop(command[0], command[0], 0, via="pipe", command=command, timeout_s=timeout_s))


def python(script: str, *words: str, timeout_s: float = 30.0) -> PipeLink:
    return link(sys.executable, "-c", script, *words, timeout_s=timeout_s)


async def send(given: PipeLink, *to: To, sender: str = "a@b.test", body: bytes = BODY) -> list[Answer]:
    return await given.send(
        Letter(mailbox(sender) if sender else NULL, HeldBody(body), False, False), to or [BOB]
    )


async def test_message_and_arguments_arrive(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import os, sys; open(sys.argv[1], 'ab').write("
        "repr((sys.argv[2:], os.environ['SENDER'], sorted(os.environ))).encode()"
        " + b'|' + sys.stdin.buffer.read())"
    )
    words = ("-r{recipient}", "{user}", "{detail}@{domain}", "{sender}; rm -rf $HOME `x`", "{nothing}")
    [answer] = await send(python(script, str(out), *words))
    assert (answer.result, answer.final, answer.kind, answer.status) == (Result.DONE, True, "x-unix", "2.0.0")
    told, _, message = out.read_bytes().partition(b"|")
    arguments, sender, environ = eval(told)
    assert arguments == [
        "-rbob+list@example.org",
        "bob",
        "list@example.org",
        "a@b.test; rm -rf $HOME `x`",
        "{nothing}",
    ]
    assert sender == "a@b.test"
    assert set(environ) <= {"LANG", "LC_CTYPE", "PATH", "RECIPIENT", "SENDER"}
    assert message == b"Return-Path: <a@b.test>\n" + BODY.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("code", "result", "status"),
    [
        (0, Result.DONE, "2.0.0"),
        (1, Result.NEVER, "5.3.0"),
        (os.EX_NOUSER, Result.NEVER, "5.1.1"),
        (os.EX_NOHOST, Result.NEVER, "5.1.2"),
        (os.EX_TEMPFAIL, Result.LATER, "4.3.0"),
        (os.EX_NOPERM, Result.NEVER, "5.7.0"),
        (os.EX_CONFIG, Result.LATER, "4.3.5"),
    ],
)
async def test_exit_code_is_the_answer(code: int, result: Result, status: str) -> None:
    [answer] = await send(python(f"print('said \\x1b[1m so'); raise SystemExit({code})"))
    assert (answer.result, answer.status) == (result, status)
    assert "said  [1m so" in answer.text
    assert answer.final == (code == 0)


async def test_each_recipient_has_an_answer_of_its_own() -> None:
    answers = await send(
        python("import sys; raise SystemExit(67 if 'nobody' in sys.argv[1] else 0)", "{recipient}"),
        BOB,
        To(mailbox("nobody@example.org")),
    )
    assert [each.result for each in answers] == [Result.DONE, Result.NEVER]


async def test_program_that_reads_nothing_and_says_much() -> None:
    [answer] = await send(python("print('x' * 10_000_000)"), body=b"y" * 5_000_000)
    assert answer.result is Result.DONE
    assert len(answer.text) <= pipe.MAX_OUTPUT


async def test_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"sleep 1000 & echo $! > {mark}; wait"
    [answer] = await send(link("/bin/sh", "-c", script, timeout_s=3.0))
    assert (answer.result, answer.status) == (Result.LATER, "4.3.0")
    state = Path(f"/proc/{mark.read_text()}/stat")
    async with asyncio.timeout(30):  # the signal is sent; the kernel takes its time
        while state.exists() and state.read_text().rpartition(") ")[2][0] != "Z":
            await asyncio.sleep(0.01)


async def test_program_killed_is_tried_again() -> None:
    [answer] = await send(python("import os; os.kill(os.getpid(), 9)"))
    assert (answer.result, "SIGKILL" in answer.text) == (Result.LATER, True)


@pytest.mark.parametrize("command", ["/nowhere/at/all", "/etc/passwd"])
async def test_program_that_is_none_is_the_administrator_s_trouble(command: str) -> None:
    [answer] = await send(link(command))
    assert (answer.result, answer.status) == (Result.LATER, "4.3.5")


async def test_nobody_becomes_an_option() -> None:
    [answer] = await send(link("/bin/false", "{recipient}"), To(mailbox("-oQ/tmp@example.org")))
    assert (answer.result, answer.status) == (Result.NEVER, "5.1.3")
    [answer] = await send(link("/bin/false", "{sender}"), sender="-f@b.test")
    assert answer.status == "5.1.7"


@given(st.text(), st.text(alphabet="{}recipntusd ", max_size=30))
def test_what_is_put_in_is_not_looked_at_again(local: str, word: str) -> None:
    values = dict.fromkeys(("sender", "recipient", "user", "detail", "domain"), local)
    found = pipe.filled(word, values)
    assert pipe.filled("{user}", {**values, "user": "{recipient}"}) == "{recipient}"
    if "{" not in word:
        assert found == word


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n"]), max_size=20))
async def test_line_ends_in_every_chunking(pieces: list[bytes]) -> None:
    class Body(HeldBody):
        async def chunks(self, start, length):  # type: ignore[no-untyped-def]
            for piece in pieces:
                yield piece

    whole = b"".join(pieces)
    letter = Letter(NULL, Body(whole), False, False)
    got = b"".join([piece async for piece in pipe.lines(letter)])
    assert got == b"Return-Path: <>\n" + whole.replace(b"\r\n", b"\n")
