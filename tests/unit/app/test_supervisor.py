"""The supervisor's decisions, with a worker that is a short script."""

import dataclasses
import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet import launch, supervisor
from quintet.config import root
from quintet.config.listeners import Listener
from quintet.supervisor import Supervisor
from tests.support.server import HOST

READY = (
    "import os, socket, time; s = socket.socket(fileno=int(os.environ['QUINTET_STATUS'])); s.send(b'ready')"
)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """One whose workers are this script; not in its loop, so that a test takes the steps."""
    config = dataclasses.replace(root.Config(), listeners={"a": Listener(name="a", address=HOST)})
    monkeypatch.setattr(supervisor, "BACKOFF_S", 0.01)
    one = Supervisor(tmp_path / "q.toml", config, 1)
    yield one
    for slot in one.slots:
        if slot.process is not None:
            slot.process.kill()
            slot.process.wait()
        if slot.status is not None:
            slot.status.close()
    launch.close_sockets(slot.sockets for slot in one.slots)
    one.close()


def worker_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Makes "python -P -m quintet worker" run the script instead."""
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def step(one: Supervisor) -> None:
    for key, _ in one._selector.select(5):
        if key.data is not None:
            one._hear(key.data)
    one._reap()
    one._tend()


def test_worker_that_ends_is_started_again_later_and_later(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_is(monkeypatch, tmp_path, READY)
    monkeypatch.setattr(supervisor, "BACKOFF_S", 5.0)  # far longer than the steps here take
    [slot] = made.slots
    made._start(slot)
    waits = []
    for _ in range(3):
        assert slot.process is not None
        slot.process.wait()
        step(made)
        made._reap()
        waits.append(slot.due_at - time.monotonic())
        slot.due_at = 0.001
        made._tend()
    assert waits[0] < waits[1] < waits[2]
    assert slot.failures == 3
    assert "worker died" in capsys.readouterr().err


def test_worker_for_which_there_is_no_memory_is_started_later(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others serve on; only at the very start it is a reason to end."""

    def short(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    [slot] = made.slots
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", short)
        with pytest.raises(OSError, match="temporarily"):
            made._start(slot)
        made._told_ready = True
        before = set(os.listdir("/proc/self/fd"))
        made._start(slot)
        assert set(os.listdir("/proc/self/fd")) <= before  # what others left may be closed meanwhile
    assert (slot.process, slot.failures) == (None, 1)
    assert "worker cannot be started" in capsys.readouterr().err
    worker_is(monkeypatch, tmp_path, READY + "; time.sleep(60)")
    slot.due_at = 0.001
    made._tend()
    step(made)
    assert slot.ready


def test_worker_that_cannot_start_ends_the_whole_with_its_code(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker_is(monkeypatch, tmp_path, "raise SystemExit(4)")
    [slot] = made.slots
    made._start(slot)
    assert slot.process is not None
    slot.process.wait()
    made._reap()
    assert made.stopping_at
    assert made.code == 4


def test_worker_that_hangs_is_killed(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_is(monkeypatch, tmp_path, READY + "; time.sleep(60)")
    [slot] = made.slots
    made._start(slot)
    step(made)
    assert slot.ready
    slot.heard_at -= supervisor.HUNG_S + 1
    made._tend()
    assert slot.process is not None
    assert slot.process.wait() == -9
    assert "worker hangs" in capsys.readouterr().err


def test_who_was_stopped_with_all_its_workers_kills_none(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A frozen container, SIGSTOP to the whole group: when it goes on, nobody was heard for long."""
    worker_is(monkeypatch, tmp_path, f"import time\n{READY}; time.sleep(60)")
    [slot] = made.slots
    made._start(slot)
    step(made)
    made._tend()
    slot.heard_at -= supervisor.HUNG_S + 1
    made._tended_at -= supervisor.HUNG_S + 1
    made._tend()
    assert slot.process is not None
    assert slot.process.poll() is None
    slot.heard_at -= supervisor.HUNG_S + 1  # but not for ever: an own rest is as long when nobody is heard
    made._tended_at -= made._wait_s() + 1
    made._tend()
    assert slot.process.wait() == -9


def test_worker_that_outlives_the_drain_is_killed(
    made: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker_is(
        monkeypatch,
        tmp_path,
        "import signal, time; signal.signal(15, signal.SIG_IGN)\n" + READY + "; time.sleep(60)",
    )
    [slot] = made.slots
    made._start(slot)
    step(made)
    made._stop(0)
    made.stopping_at = time.monotonic()
    made._tend()
    assert slot.process is not None
    assert slot.process.wait() == -9


def test_inner_arguments() -> None:
    assert supervisor.parse(["-c", "a.toml"]) == (Path("a.toml"), None)
    assert supervisor.parse(["-c", "a.toml", "--workers", "3"]) == (Path("a.toml"), 3)


def test_configuration_with_a_mistake_ends_the_start_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "q.toml"
    path.write_text("[nope]\n")
    assert supervisor.main(["-c", str(path)]) == 3
    assert f"{path}:1: nope: no such option" in capsys.readouterr().err
