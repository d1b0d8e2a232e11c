"""The driver, tried hard: every chunking, slow clients, lost connections, pushes, bugs."""

from __future__ import annotations

import asyncio

import pytest

from quintet import log
from quintet.errors import Hangup, Reason, Refused
from quintet.net import driver, job
from quintet.net.memory import Talk, converse
from tests.support.turns import others
from tests.unit.net.toy import MemoryBody, Service, Store

SCRIPT = (
    b"ECHO one\r\nSLOW two\r\nDATA\r\nhello\r\n..dot\r\n.\r\nECHO {5}\r\nthree\r\nCOUNT 4\r\n"
    b"ab\r\nLINE\r\nword\r\n"
    b"HALF\r\nECHO no command\r\n.\r\nREFUSE\r\nCRASH\r\nCRASHLATER\r\nGET small\r\n"
    b"GET large\r\nNONSENSE\r\nQUIT\r\n"
)
ANSWER = (
    b"ready\r\none\r\ntwo\r\ngo ahead\r\nstored 13\r\n+ more\r\nthree\r\ncounted 4\r\n"
    b"say\r\nsaid word\r\ngo ahead\r\n"
    b"error Refused OVER_QUOTA\r\nerror Refused NO_PERMISSION\r\nerror Hangup BUG\r\n"
    b"part\r\nerror Hangup BUG\r\n"
    b"sending\r\na\r\n..b\r\n.\r\nsent\r\nsending\r\nlarge..\r\n.\r\nsent\r\nunknown NONSENSE\r\nbye\r\n"
)


def _store() -> Store:
    return Store(
        bodies={
            b"small": MemoryBody(b"a\r\n.b\r\n"),
            b"large": MemoryBody(b"large..", dotless=True, waits=True),
        }
    )


@pytest.mark.parametrize("chunk", [*range(1, 30), 64, 100, len(SCRIPT)])
async def test_every_chunking_gives_the_same_bytes(chunk: int) -> None:
    store = _store()
    with log.capture() as events:
        assert await converse(Service(store), SCRIPT, chunk) == ANSWER
    assert store.stored == [b"hello\r\n.dot\r\n", b"ab\r\n"]
    assert (store.spools, store.closed, store.watches) == (0, 1, [])
    assert [event["event"] for event in events].count("bug") == 2


@pytest.mark.parametrize("chunk", [1, 3, 1000])
async def test_start_tls_drops_what_came_early(chunk: int) -> None:
    store = Store()
    assert await converse(Service(store), b"TLS\r\nECHO early\r\n", chunk) == b"ready\r\ngo\r\n"
    assert store.stored == [b"secured TLSv1.3"]


async def test_lost_connection_cleans_up() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"DATA\r\nonly the beginning", 7)
    assert store.spools == 1
    talk.transport.abort()
    await talk.transport.closed.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (store.spools, store.stored, store.closed) == (0, [], 1)


async def test_end_of_input_inside_a_body_stores_nothing() -> None:
    store = Store()
    assert await converse(Service(store), b"COUNT 50000\r\nonly the beginning", 7) == b"ready\r\n"
    assert (store.spools, store.stored, store.closed) == (0, [], 1)


@pytest.mark.parametrize("plain_event", [False, True])
async def test_push_while_idle(plain_event: bool) -> None:
    store = Store(plain_event=plain_event)
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"IDLE\r\n")
    assert talk.take() == b"ready\r\nidling\r\n"
    store.commit(b"1")
    await asyncio.sleep(0)
    await talk.settle()
    await asyncio.sleep(0)
    assert talk.take() == b"now 1\r\n"
    store.commit(b"2")
    store.commit(b"3")  # two hints at once give one reply
    await asyncio.sleep(0)
    await talk.settle()
    await asyncio.sleep(0)
    assert talk.take() == b"now 3\r\n"
    await talk.send(b"DONE\r\n")
    store.commit(b"4")
    await talk.settle()
    assert talk.take() == b"done\r\n"
    await talk.send(b"IDLE\r\n")  # what was missed is told when it listens again
    assert talk.take() == b"idling\r\nnow 4\r\n"
    await talk.end()
    assert store.closed == 1


async def test_doubled_hint_does_no_harm() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"IDLE\r\n")
    talk.take()
    talk.session.watch.set()
    await asyncio.sleep(0)
    await talk.settle()
    assert talk.take() == b""
    await talk.end()


async def test_slow_client_holds_little_and_stops_us() -> None:
    body = MemoryBody(b"x" * 10_000_000, waits=True, dotless=True)
    store = Store(bodies={b"big": body})
    talk = Talk(Service(store), room=0)
    await talk.begin()
    await talk.send(b"GET big\r\nECHO after\r\n")
    for _ in range(5):
        await asyncio.sleep(0)
    assert talk.driver.waiting
    assert body.open == 1
    while len(talk.transport.sent) < 10_000_000:
        talk.transport.read(100_000)
        await talk.settle()
    talk.transport.read(100_000)
    await talk.settle()
    assert talk.transport.sent.endswith(b"x\r\n.\r\nsent\r\nafter\r\n")
    assert talk.transport.peak <= 128 * 1024
    await talk.end()
    assert body.open == 0


async def test_many_small_replies_to_a_slow_client_stay_bounded() -> None:
    talk = Talk(Service(), room=0)
    await talk.begin()
    for _ in range(100):  # each asks for 30 kB, nothing is read
        if not talk.transport.is_reading():
            break
        piece = b"MANY 300\r\n" * 200
        talk.stream.get_buffer(0)[: len(piece)] = piece
        talk.stream.buffer_updated(len(piece))
        await asyncio.sleep(0)
    assert not talk.transport.is_reading()  # and we stop listening to it
    assert talk.transport.peak <= 128 * 1024
    talk.transport.abort()
    await talk.transport.closed.wait()


async def test_slow_client_is_cut_off_in_the_end() -> None:
    body = MemoryBody(b"x" * 1_000_000, waits=True)
    store = Store(bodies={b"big": body})
    talk = Talk(Service(store), room=0, write_timeout_s=0.01)
    await talk.begin()
    with log.capture() as events:
        await talk.send(b"GET big\r\n")
        async with asyncio.timeout(30):
            await talk.transport.closed.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (body.open, store.closed) == (0, 1)
    assert "stuck" in [event["event"] for event in events]


@pytest.mark.parametrize("begun", [b"", b"ECHO ha", b"DATA\r\nab", b"LINE\r\n"])
async def test_silence_ends_with_a_farewell(begun: bytes) -> None:
    store = Store(timeout_s=0.01)
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(begun)
    async with asyncio.timeout(30):
        await talk.transport.closed.wait()
    assert talk.take().endswith(b"farewell TIMEOUT\r\n")
    for _ in range(3):
        await asyncio.sleep(0)
    assert (store.closed, store.spools) == (1, 0)


async def test_body_that_breaks_off_ends_the_connection() -> None:
    store = Store(bodies={b"bad": MemoryBody(b"x" * 200_000, waits=True, fails_at=65536)})
    with log.capture() as events:
        answer = await converse(Service(store), b"GET bad\r\nECHO never\r\n")
    assert answer == b"ready\r\nsending\r\n" + b"x" * 65536
    assert [event["event"] for event in events if event["level"] == "error"] == ["bug"]


async def test_overlong_line_is_answered_and_passed() -> None:
    answer = await converse(
        Service(),
        b"x" * 5000 + b"\r\nECHO on\r\n" + b"y" * 5000 + b"\r\nLINE\r\n" + b"z" * 200 + b"\r\nQUIT\r\n",
        7,
    )
    assert answer == (
        b"ready\r\nerror BadSyntax TOO_LONG\r\non\r\nerror BadSyntax TOO_LONG\r\n"
        b"say\r\nerror BadSyntax TOO_LONG\r\nbye\r\n"
    )


async def test_endless_line_is_hung_up_on() -> None:
    assert await converse(Service(), b"x" * 1_200_000, 4096) == b"ready\r\nfarewell TOO_LONG\r\n"


async def test_hangup_says_why() -> None:
    assert await converse(Service(), b"HANGUP\r\nECHO never\r\n") == b"ready\r\nfarewell TOO_MANY_ERRORS\r\n"


async def test_shutdown_of_an_idle_connection_is_at_once() -> None:
    talk = Talk(Service())
    await talk.begin()
    talk.driver.shutdown()
    assert talk.take() == b"ready\r\nfarewell SHUTDOWN\r\n"
    await talk.transport.closed.wait()


async def test_shutdown_of_a_busy_connection_is_after_the_command() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"DATA\r\nab\r\n")
    talk.driver.shutdown()
    assert talk.take() == b"ready\r\ngo ahead\r\n"
    await talk.send(b".\r\nECHO never\r\n")
    assert talk.take() == b"stored 4\r\nfarewell SHUTDOWN\r\n"
    assert store.stored == [b"ab\r\n"]


async def test_abort_cancels_what_runs() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"DATA\r\nab\r\n")
    talk.driver.abort()
    await talk.transport.closed.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (store.spools, store.closed) == (0, 1)


async def test_deflate_both_ways() -> None:
    import zlib

    squeeze, swell = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def packed(data: bytes) -> bytes:
        return squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)

    talk = Talk(Service())
    await talk.begin()
    await talk.send(b"ZIP\r\n")
    assert talk.take() == b"ready\r\ngo\r\n"
    await talk.send(packed(b"ECHO small\r\nSLOW wait\r\n"), 3)
    assert swell.decompress(talk.take()) == b"small\r\nwait\r\n"
    bomb = packed(b"ECHO x\r\n" * 200_000)  # 1.6 MB in some kB
    await talk.send(bomb, 65536)
    answer = bytearray()
    while answer.count(b"\n") < 200_000:
        await asyncio.sleep(0)
        await talk.settle()
        answer += swell.decompress(talk.take())
    assert bytes(answer) == b"x\r\n" * 200_000
    await talk.end()


async def test_small_body_that_is_gone_ends_the_connection() -> None:
    class Gone(MemoryBody):
        def small(self, start: int, length: int) -> bytes | None:
            raise Refused(Reason.NO_SUCH_MESSAGE)

    with log.capture():
        answer = await converse(Service(Store(bodies={b"x": Gone(b"abc")})), b"GET x\r\nECHO never\r\n")
    assert answer == b"ready\r\nsending\r\n"


async def test_bug_in_the_words_for_a_problem_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tests.unit.net.toy.Session.problem", broken)
    with log.capture():
        assert await converse(Service(), b"REFUSE\r\nECHO never\r\n") == b"ready\r\nfarewell BUG\r\n"
        assert (
            await converse(Service(), b"CRASHLATER\r\nECHO never\r\n") == b"ready\r\npart\r\nfarewell BUG\r\n"
        )


async def test_one_long_list_of_replies_waits_for_a_slow_client() -> None:
    talk = Talk(Service(), room=0)
    await talk.begin()
    await talk.send(b"MANY 20000\r\nECHO after\r\n")  # 2 MB
    assert talk.transport.peak <= 128 * 1024
    while not talk.transport.sent.endswith(b"after\r\n"):
        talk.transport.read(50_000)
        await talk.settle()
    assert len(talk.transport.sent) == len(b"ready\r\nafter\r\n") + 20_000 * 101
    assert talk.transport.peak <= 128 * 1024
    await talk.end()


async def _waiting(store: Store, more: bytes = b"") -> Talk:
    talk = Talk(Service(store))
    await talk.begin()
    talk.take()
    talk.stream.take(b"WAIT\r\n" + more)
    await asyncio.sleep(0)
    assert talk.take() == b""
    return talk


async def test_one_future_is_waited_for_without_a_task() -> None:
    store = Store()
    tasks = len(asyncio.all_tasks())
    talk = await _waiting(store, b"ECHO behind\r\n")
    assert (len(asyncio.all_tasks()), talk.driver.idle) == (tasks, False)
    store.flushes[0].set_result(b"it")
    await talk.settle()
    assert talk.take() == b"first\r\nflushed it\r\nbehind\r\n"
    assert (store.spools, talk.driver.idle) == (0, True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused(Reason.OVER_QUOTA), b"error Refused OVER_QUOTA\r\nbehind\r\n"),
        (ZeroDivisionError("our bug"), b"error Hangup BUG\r\nbehind\r\n"),
        (Hangup(Reason.SHUTDOWN), b"farewell SHUTDOWN\r\n"),
    ],
)
async def test_problem_of_a_future_is_told_like_any(error: Exception, said: bytes) -> None:
    store = Store()
    talk = await _waiting(store, b"ECHO behind\r\n")
    store.flushes[0].set_exception(error)
    await talk.settle()
    assert (talk.take(), store.spools) == (said, 0)


async def test_peer_lost_while_a_future_is_waited_for() -> None:
    store = Store()
    talk = await _waiting(store)
    talk.transport.abort()
    await asyncio.sleep(0)
    assert (store.spools, store.closed) == (1, 0)  # what was begun is ended first
    store.flushes[0].set_result(b"it")
    await asyncio.sleep(0)
    assert (store.spools, store.closed, talk.take()) == (0, 1, b"")


async def test_abort_while_a_future_is_waited_for() -> None:
    store = Store()
    talk = await _waiting(store)
    talk.driver.abort()
    await asyncio.sleep(0.01)
    assert store.flushes[0].cancelled()
    assert (store.spools, store.closed) == (0, 1)


async def test_shutdown_waits_for_the_future() -> None:
    store = Store()
    talk = await _waiting(store)
    talk.driver.shutdown()
    assert talk.take() == b""
    store.flushes[0].set_result(b"it")
    await talk.settle()
    assert talk.take() == b"first\r\nflushed it\r\nfarewell SHUTDOWN\r\n"


async def test_a_flush_that_is_over_is_not_waited_for_but_once_in_a_turn() -> None:
    talk = Talk(Service(Store()))
    await talk.begin()
    talk.transport.sent.clear()
    talk.stream.take(b"NOW\r\n")
    assert bytes(talk.transport.sent) == b"flushed at once\r\n"
    talk.transport.sent.clear()
    talk.stream.take(b"NOW\r\n" * 5 + b"ECHO end\r\n")
    assert not talk.driver.waiting  # others get their turn between flushes
    await talk.settle()
    assert bytes(talk.transport.sent) == b"flushed at once\r\n" * 5 + b"end\r\n"
    await talk.end()


async def _turns_of_others(script: bytes) -> int:
    """How often another task runs while a pipeline is answered."""
    talk = Talk(Service(Store()))
    await talk.begin()
    async with others() as turns:
        await talk.send(script, len(script))
    assert talk.take().endswith(b"end\r\n")
    await talk.end()
    return turns.count


@pytest.mark.parametrize(
    "line", [b"ECHO word\r\n", b"LINE\r\nword\r\n"], ids=["answered-at-once", "waits-for-nothing"]
)
async def test_a_pipeline_lets_others_run_as_soon_as_its_time_is_over(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = line * 100 + b"ECHO end\r\n"
    assert await _turns_of_others(script) < 10
    monkeypatch.setattr(driver, "SLICE_S", 0.0)
    monkeypatch.setattr(driver, "LATER_S", -1.0)
    assert await _turns_of_others(script) >= 100


async def test_pipelines_that_go_on_share_one_time() -> None:
    assert job.share(1.0) == 1.0
    waiting = [asyncio.create_task(job.turn()) for _ in range(3)]
    await asyncio.sleep(0)
    assert job.share(1.0) == 0.25
    await asyncio.gather(*waiting)
    assert job.share(1.0) == 1.0
