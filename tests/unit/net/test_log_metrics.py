"""Log events and the metrics' list."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from quintet import log, metrics


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    log.configure()
    root.handlers, root.level = handlers, level


def test_json_lines_hide_secrets_and_keep_letters() -> None:
    out = io.StringIO()
    log.configure("info", "json", out)
    log.get("a").info("login", conn="c1", password="demo", name="Zoë", raw=b"\xff", long="x" * 5000)
    log.get("a").debug("silent")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError as error:
        log.get("b").error("bug", exc_info=error)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["room"]) == ("login", "a")
    assert (first["password"], first["name"], first["raw"]) == ("***", "Zoë", "\\xff")
    assert len(first["long"]) < 2100
    assert "ZeroDivisionError: why" in second["exception"]


async def test_lines_of_a_turn_are_written_together() -> None:
    """But not a warning, nor what comes from another thread; and the order stays."""
    out = io.StringIO()
    log.configure("info", "json", out)
    logger = log.get("a")
    logger.info("one")
    logger.info("two")
    assert out.getvalue() == ""
    logger.warning("three")
    logger.info("four")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["one", "two", "three"]
    await asyncio.to_thread(logger.info, "five")
    logger.info("six")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    events = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert events == ["one", "two", "three", "four", "five", "six"]


def test_a_loop_that_was_closed_with_a_line_holds_up_no_other() -> None:
    out = io.StringIO()
    log.configure("info", "json", out)

    async def say(event: str) -> None:
        log.get("a").info(event)

    loop = asyncio.new_event_loop()
    speaking = loop.create_task(say("one"))
    loop.call_soon(loop.stop)  # in the same turn
    loop.run_forever()
    loop.close()
    assert speaking.done()
    assert out.getvalue() == ""
    asyncio.run(say("two"))
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["one", "two"]


def test_the_last_line_is_written_when_the_loop_ends() -> None:
    script = (
        "import asyncio\nfrom quintet import log\nlog.configure('info', 'json')\n"
        "async def main():\n    log.get('a').info('first')\n    raise SystemExit(3)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert json.loads(done.stderr.splitlines()[0])["event"] == "first"


def test_people_read_one_line_an_event() -> None:
    out = io.StringIO()
    log.configure("debug", "human", out)
    log.get("a").debug("connected", conn="c1", text="two\nlines")
    assert out.getvalue().count("\n") == 1
    assert "connected" in out.getvalue()


def test_rooms_have_levels_of_their_own() -> None:
    out = io.StringIO()
    early = log.get("early")
    log.configure("warning", "json", out, {"early": "debug", "late": "info"})
    late = log.get("late")
    assert log.get("late") is late
    assert early.enabled("debug")
    assert late.enabled("info")
    assert not late.enabled("debug")
    assert not log.get("else").enabled("info")
    with log.capture("info") as events:
        early.debug("no")
        late.info("yes")
    assert [event["event"] for event in events] == ["yes"]
    early.debug("back")
    assert "back" in out.getvalue()


def test_other_libraries_speak_through_us_and_a_closed_stream_is_no_error() -> None:
    out = io.StringIO()
    log.configure("info", "json", out)
    logging.getLogger("asyncio").error("slow %s", "callback")
    logging.getLogger("asyncio").info("not told")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["room"], line["event"], line["text"]) == ("asyncio", "library", "slow callback")
    out.close()
    log.get("a").info("into the void")


def test_every_metric_is_ours_and_told() -> None:
    text = metrics.exposition().decode()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert all(name.startswith("quintet_") for name in names)
    assert "quintet_connections_total" in names


def test_a_library_is_quiet_unless_its_program_wants_to_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = log.Sink()
    monkeypatch.setattr(log, "_SINK", sink)
    log.quiet()
    assert (sink.level_of("mapi"), log.get("mapi").enabled("warning")) == (30, True)
    log.configure("debug")
    log.quiet()
    assert log.get("mapi").enabled("debug")
    with log.capture() as heard:
        log.quiet()
        log.get("mapi").info("told")
    assert [one["event"] for one in heard] == ["told"]
