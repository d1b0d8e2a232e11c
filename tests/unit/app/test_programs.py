"""The server as programs: starting, ending, reloading, workers that die, socket activation."""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from quintet.admin import control
from quintet.config.listeners import STANDARD
from tests.support import ports
from tests.support.server import HOST, Spawned, configured, spawn_server, write_config

pytestmark = pytest.mark.unmeasured

ANSWER_S = 30.0


@contextlib.contextmanager
def talk(port: int) -> Iterator["Talk"]:
    with socket.create_connection((HOST, port), timeout=ANSWER_S) as sock:
        made = Talk(sock)
        with made._file:
            yield made


class Talk:
    """A connection, line by line."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def line(self) -> str:
        return self._file.readline().decode().rstrip()

    def say(self, text: str) -> str:
        self._sock.sendall(text.encode() + b"\r\n")
        return self.line()

    def until(self, start: str) -> list[str]:
        lines = [self.line()]
        while not lines[-1].startswith(start):
            assert lines[-1], lines
            lines.append(self.line())
        return lines

    def rest(self) -> str:
        return self._file.read().decode()


def deliver(port: int, subject: str = "x") -> None:
    with talk(port) as smtp:
        smtp.line()
        for command in ("HELO t", "MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA"):
            assert smtp.say(command)[:1] in "23"
        assert smtp.say(f"Subject: {subject}\r\n\r\ntext\r\n.").startswith("250")


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits for something that another process does; bounded."""
    end = time.monotonic() + ANSWER_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def workers(server: Spawned) -> list[psutil.Process]:
    return psutil.Process(server.pid).children()


def test_sigterm_drains_and_ends_with_0(tmp_path: Path) -> None:
    with spawn_server(tmp_path) as server:
        with talk(server.ports["smtp"]) as smtp, talk(server.ports["imap"]) as imap:
            assert smtp.line().startswith("220")
            assert imap.line().startswith("* OK")
            assert server.stop() == 0
            assert smtp.line().startswith("421")
            assert imap.line().startswith("* BYE")
        assert server.notices[0].startswith("READY=1")
        eventually(lambda: "STOPPING=1" in server.notices, "STOPPING=1 was not told")
    assert not [each for each in (tmp_path / "data" / "run").iterdir() if each.name.startswith("control.")]


def test_transaction_that_runs_is_finished_before_the_end(tmp_path: Path) -> None:
    with spawn_server(tmp_path) as server:
        with talk(server.ports["smtp"]) as smtp:
            smtp.line()
            for command in ("HELO t", "MAIL FROM:<>", "RCPT TO:<alice@example.org>"):
                assert smtp.say(command).startswith("250")
            assert smtp.say("DATA").startswith("354")
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: _refuses(server.ports["smtp"]), "still takes connections")
            assert smtp.say("Subject: last\r\n\r\ntext\r\n.").startswith("250")
            assert smtp.line().startswith("421")
        assert server.process.wait(ANSWER_S) == 0


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def test_start_is_quick_and_one_idle_worker_is_small(tmp_path: Path) -> None:
    with spawn_server(tmp_path) as server:
        process = psutil.Process(server.pid)
        spent = process.cpu_times()
        memory = process.memory_info().rss / 1024**2
        assert not workers(server)
        assert spent.user + spent.system < 10  # the mark is 1 s on a quiet machine; this one may be busy
        assert memory < 80, f"{memory:.0f} MB"


def test_reload_by_signal_and_by_command_keeps_connections(tmp_path: Path) -> None:
    with spawn_server(tmp_path) as server:
        config = configured(tmp_path)
        with talk(server.ports["smtp"]) as old:
            old.line()
            _write(tmp_path, dataclasses.replace(config.smtp, max_message_size=70000))
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: _size(server) == "250-SIZE 70000", "SIGHUP was not taken")
            _write(tmp_path, dataclasses.replace(config.smtp, max_message_size=80000))
            got = _quintet("reload", "-c", str(tmp_path))
            assert got.returncode == 0, got.stderr
            assert got.stdout == "taken by 1 worker(s): smtp.max_message_size\n"
            assert _size(server) == "250-SIZE 80000"
            assert old.say("NOOP").startswith("250")
        eventually(lambda: any("RELOADING=1" in each for each in server.notices), "RELOADING=1 was not told")
        status = _quintet("status", "-c", str(tmp_path))
        assert status.returncode == 0
        assert "mail.example.org: Quintet" in status.stdout


def test_configuration_with_a_mistake_is_not_taken(tmp_path: Path) -> None:
    with spawn_server(tmp_path) as server:
        path = server.config
        path.write_text(path.read_text() + "\n[nonsense]\n")
        got = _quintet("reload", "-c", str(tmp_path))
        assert got.returncode == 3
        assert "nonsense: no such option" in got.stderr
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "configuration not taken" in server.log.read_text(), "nothing was logged")
        with talk(server.ports["smtp"]) as smtp:
            assert smtp.line().startswith("220")


def _write(folder: Path, smtp: object) -> None:
    config = dataclasses.replace(configured(folder), smtp=smtp)  # type: ignore[arg-type]
    write_config(folder, config)


def _size(server: Spawned) -> str:
    with talk(server.ports["smtp"]) as smtp:
        smtp.line()
        smtp._sock.sendall(b"EHLO t\r\n")
        return next(line for line in smtp.until("250 ") if "SIZE" in line)


def _quintet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quintet", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_workers_share_ports_and_store_and_hints(tmp_path: Path) -> None:
    with spawn_server(tmp_path, workers=2) as server:
        assert len(workers(server)) == 2
        assert len({answer["pid"] for answer in server.status()}) == 2
        with contextlib.ExitStack() as stack:
            idling = [stack.enter_context(talk(server.ports["imap"])) for _ in range(8)]
            for each in idling:
                each.line()
                each.say("a LOGIN alice@example.org demo")
                each._sock.sendall(b"b SELECT INBOX\r\nc IDLE\r\n")
                each.until("+")
            taken = [_connections(answer, "imap") for answer in server.status()]
            assert sum(taken) == 8
            deliver(server.ports["smtp"])
            for each in idling:  # some of them are in the other worker
                assert "* 1 EXISTS" in each.until("* 1 EXISTS")
        assert server.stop() == 0


def _connections(answer: control.Answer, name: str) -> int:
    return next(int(each["connections"]) for each in answer["listeners"] if each["name"] == name)


def test_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with spawn_server(tmp_path, workers=2) as server:
        first = {each.pid for each in workers(server)}
        victim = workers(server)[0]
        victim.kill()

        def replaced() -> bool:
            now = {answer["pid"] for answer in server.status() if answer.get("ok")}
            return len(now) == 2 and victim.pid not in now

        eventually(replaced, "no new worker")
        assert len(first & {each.pid for each in workers(server)}) == 1
        assert '"worker died"' in server.log.read_text()
        for _ in range(8):
            deliver(server.ports["smtp"])
        assert server.stop() == 0


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with spawn_server(tmp_path, workers=2) as server:
        children = workers(server)
        server.process.kill()
        _, alive = psutil.wait_procs(children, timeout=ANSWER_S)
        assert not alive


def test_supervisor_is_small(tmp_path: Path) -> None:
    with spawn_server(tmp_path, workers=2) as server:
        memory = psutil.Process(server.pid).memory_info().rss / 1024**2
        assert memory < 40, f"{memory:.0f} MB"  # the mark is 20 without the test run's coverage


def test_metrics_of_all_workers_are_added(tmp_path: Path) -> None:
    import urllib.request

    with spawn_server(tmp_path, workers=2) as server:
        for _ in range(12):
            with talk(server.ports["smtp"]) as smtp:
                smtp.line()
        url = f"http://{HOST}:{server.ports['http']}/metrics"
        with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
            text = answer.read().decode()
        assert 'quintet_connections_total{listener="smtp"} 12\n' in text


def test_port_that_is_taken_ends_the_start_with_4(tmp_path: Path) -> None:
    for count in ("1", "2"):
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            config = configured(tmp_path)
            listener = dataclasses.replace(config.listeners["smtp"], port=taken.getsockname()[1])
            write_config(tmp_path, dataclasses.replace(config, listeners={"smtp": listener}))
            got = _quintet("serve", "-c", str(tmp_path), "--workers", count)
        assert got.returncode == 4
        assert "Address already in use; stop what listens there" in got.stderr
        assert "Traceback" not in got.stderr


def test_sockets_of_systemd_are_taken(tmp_path: Path) -> None:
    config = configured(tmp_path)
    smtp = dataclasses.replace(
        config.listeners["smtp"], port=1
    )  # cannot be opened by us: it must be inherited
    write_config(tmp_path, dataclasses.replace(config, listeners={"smtp": smtp}))
    told = tmp_path / "notify"
    with socket.socket() as given, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        given.bind((HOST, 0))
        given.listen()
        manager.bind(str(told))
        manager.settimeout(ANSWER_S)
        script = (
            "import os, sys\n"
            f"os.dup2({given.fileno()}, 3)\nos.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='smtp')\n"
            f"os.execv(sys.executable, [sys.executable, '-m', 'quintet', 'serve', '-c', {str(tmp_path)!r}])\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            pass_fds=[given.fileno()],
            env={**os.environ, "NOTIFY_SOCKET": str(told), "WATCHDOG_USEC": "400000"},
            stderr=subprocess.PIPE,
        )
        try:
            notices = [manager.recv(4096).decode() for _ in range(3)]
            assert notices[0].startswith("READY=1")
            assert "WATCHDOG=1" in notices
            with talk(given.getsockname()[1]) as smtp_talk:
                assert smtp_talk.line().startswith("220")
        finally:
            process.terminate()
            _, err = process.communicate(timeout=ANSWER_S)
        assert process.returncode == 0, err


@pytest.fixture
def base() -> Iterator[int]:
    with ports.kept_base(each.port for each in STANDARD) as found:
        yield found


@pytest.mark.slow
def test_demo_starts_answers_everywhere_and_goes_on_where_it_was(tmp_path: Path, base: int) -> None:
    for turn in ("first", "second"):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "quintet",
                "demo",
                "--data",
                str(tmp_path / "demo"),
                "--port-base",
                str(base),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        timer = threading.Timer(60, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            shown = []
            while not shown or "Ctrl-C" not in shown[-1]:
                shown.append(process.stdout.readline())
                assert shown[-1], shown
            text = "".join(shown)
            assert str(base + 143) in text
            assert ("letters and articles put in" in text) is (turn == "first")
            for port, greeting in (
                (25, "220"),
                (24, "220"),
                (587, "220"),
                (110, "+OK"),
                (143, "* OK"),
                (119, "200"),
            ):
                with talk(base + port) as line:
                    assert line.line().startswith(greeting)
            with talk(base + 143) as imap:
                imap.line()
                imap.say("a LOGIN alice@example.org demo")
                imap._sock.sendall(b"b STATUS INBOX (MESSAGES)\r\n")
                count = int(imap.until("b OK")[-2].split()[-1].rstrip(")"))
                assert count >= 5 + (turn == "second")
            if turn == "first":
                deliver(base + 25, "kept")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            timer.cancel()
        assert process.returncode == 0
