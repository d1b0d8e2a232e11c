"""What starting takes: sockets, rights, the service manager."""

import dataclasses
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quintet import __main__ as program
from quintet import launch
from quintet.config import root
from quintet.config.listeners import Listener
from tests.support.server import HOST

ROOT = Path(__file__).resolve().parents[3]


def config_of(*listeners: Listener) -> root.Config:
    return dataclasses.replace(root.Config(), listeners={each.name: each for each in listeners})


def test_each_worker_has_sockets_of_its_own_on_one_port() -> None:
    config = config_of(Listener(name="a", address=HOST), Listener(name="off", address=HOST, enabled=False))
    made = launch.open_sockets(config, 3)
    ports = {each["a"][0].getsockname()[1] for each in made}
    assert len(ports) == 1
    assert len({each["a"][0].fileno() for each in made}) == 3
    assert all("off" not in each for each in made)
    launch.close_sockets(made)


def test_unix_socket_is_shared_by_workers(tmp_path: Path) -> None:
    made = launch.open_sockets(
        config_of(Listener(name="a", protocol="lmtp", address=f"unix:{tmp_path}/s")), 2
    )
    assert made[0]["a"] == made[1]["a"]
    launch.close_sockets(made[:1])


def test_nothing_stays_open_when_one_port_cannot_be_had() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = Listener(name="free", address=HOST)
        with pytest.raises(
            launch.CannotStart, match=f"port {port}: Address already in use; stop what listens"
        ):
            launch.open_sockets(config_of(free, Listener(name="taken", address=HOST, port=port)), 2)


def test_address_that_is_not_here_is_told() -> None:
    with pytest.raises(launch.CannotStart, match=r"cannot listen on 192\.0\.2\.1 port 25"):
        launch.open_sockets(config_of(Listener(name="a", address="192.0.2.1", port=25)))


def test_sockets_cross_to_a_worker_by_number() -> None:
    config = config_of(Listener(name="a", address=HOST))
    [made] = launch.open_sockets(config)
    port = made["a"][0].getsockname()[1]
    copy = os.dup(made["a"][0].fileno())
    taken = launch.taken_over({launch.SOCKETS: json.dumps({"a": [copy]})})
    assert taken is not None
    assert taken["a"][0].getsockname()[1] == port
    assert launch.taken_over({}) is None
    launch.close_sockets([made, taken])


@pytest.mark.parametrize("names", ["quintet.socket:quintet.socket", "first:second", ""])
def test_sockets_of_systemd_are_found_by_name_or_by_port(names: str) -> None:
    script = f"""
import os, socket, sys
from quintet import launch
from quintet.config import root
from quintet.config.listeners import Listener
import dataclasses
one, two = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
ports = [each.getsockname()[1] for each in (one, two)]
a, b = os.dup2(one.detach(), 20), os.dup2(two.detach(), 21)
os.dup2(a, 3); os.dup2(b, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES={names!r})
listeners = {{n: Listener(name=n, address="127.0.0.1", port=p) for n, p in zip(("first", "second"), ports)}}
made = launch.open_sockets(dataclasses.replace(root.Config(), listeners=listeners), 2)
print([[s.fileno() for s in each[n]] for each in made for n in ("first", "second")])
"""
    got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert got.stdout == "[[3], [4], [3], [4]]\n", got.stderr


def test_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        launch.notify("READY=1")
        assert manager.recv(100) == b"READY=1"
        launch.notify_reloading()
        assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    launch.notify("STOPPING=1")  # nobody is there any more: no matter
    monkeypatch.delenv("NOTIFY_SOCKET")
    launch.notify("READY=1")


def test_watchdog_is_told_twice_as_often_as_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert launch.watchdog_s() == 15.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert launch.watchdog_s() is None
    monkeypatch.setenv("WATCHDOG_USEC", "x")
    assert launch.watchdog_s() is None


def test_banner_is_shown_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(launch.BANNER, "hello")
    launch.announce()
    launch.announce()
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_configured_user_and_cannot_go_back(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("test_", "popen-", "pytest-")):
            folder.chmod(0o755)  # pytest keeps its folders to root
    script = f"""
import dataclasses, os
from quintet import launch
from quintet.config import root
config = root.from_text('[server]\\nuser = "nobody"\\n[store]\\ndata = "{tmp_path}/data"\\n')
launch.drop_rights(config)
print(os.getuid(), os.geteuid(), os.stat("{tmp_path}/data").st_uid)
try:
    os.setuid(0)
except PermissionError:
    print("stays")
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    got = subprocess.run(  # unmeasured: nobody may not write where measurements go
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, env=env
    )
    number = pwd.getpwnam("nobody").pw_uid
    assert got.stdout == f"{number} {number} {number}\nstays\n", got.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_unknown_user_is_told() -> None:
    with pytest.raises(launch.CannotStart, match="no user 'nobody-here'"):
        launch.drop_rights(root.from_text('[server]\nuser = "nobody-here"\n'))
    with pytest.raises(launch.CannotStart, match="no group 'nobody-here'"):
        launch.drop_rights(root.from_text('[server]\nuser = "nobody"\ngroup = "nobody-here"\n'))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit_and_the_socket(tmp_path: Path) -> None:
    for name in ("quintet.service", "quintet.socket"):
        text = (ROOT / "contrib" / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/quintet", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "quintet.service"), str(tmp_path / "quintet.socket")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "quintet" not in done.stderr, done.stderr


def test_systemd_unit_and_socket_name_what_exists() -> None:
    unit = (ROOT / "contrib" / "systemd" / "quintet.service").read_text()
    assert "Type=notify\n" in unit
    assert "User=quintet" in unit
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit
    assert "quintet serve --config" in unit
    from quintet.config.listeners import STANDARD

    ports = {str(each.port) for each in STANDARD}
    lines = (ROOT / "contrib" / "systemd" / "quintet.socket").read_text().splitlines()
    listed = {line.rpartition(":")[2] for line in lines if line.startswith("ListenStream=")}
    assert listed <= ports


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-c"],
        ["-c", "nowhere.toml"],
        ["-c", "wrong.toml"],
        ["-c", "right.toml", "--workers", "2"],
        ["-c", "right.toml", "-c", "right.toml"],
    ],
)
def test_what_serve_cannot_do_at_once_is_left_to_the_command_line(tmp_path, monkeypatch, arguments) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.toml").write_text("[server]\nworkers = 1\n")
    (tmp_path / "wrong.toml").write_text('[server]\nworkers = "many"\n')
    assert program._serve_at_once(arguments) is None


@pytest.mark.parametrize(("workers", "kind"), [(1, "worker"), (3, "supervisor")])
def test_serve_starts_in_this_process_where_only_a_file_is_named(
    tmp_path, monkeypatch, workers, kind
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["here", *sys.path])
    started = []
    for each in ("worker", "supervisor"):
        monkeypatch.setattr(f"quintet.{each}.main", lambda given, _, each=each: started.append((each, given)))
    (tmp_path / "quintet.toml").write_text(f"[server]\nworkers = {workers}\n")
    program._serve_at_once(["-c", "quintet.toml"])
    assert started == [(kind, ["-c", str(tmp_path / "quintet.toml")])]
    assert "here" not in sys.path


@pytest.mark.parametrize("name", ["quintet.toml", "linked.toml"])
def test_the_file_says_the_same_when_it_is_read_again(tmp_path, monkeypatch, name) -> None:
    """Named from where the server was started, or a link: data lie beside that name, as for all commands."""
    home = tmp_path / "home"
    (tmp_path / "elsewhere").mkdir()
    home.mkdir()
    monkeypatch.chdir(home)
    (home / "quintet.toml").write_text('[server]\nworkers = 1\n[store]\ndata = "data"\n')
    (tmp_path / "elsewhere" / "real.toml").write_text('[server]\nworkers = 1\n[store]\ndata = "data"\n')
    (home / "linked.toml").symlink_to(tmp_path / "elsewhere" / "real.toml")
    monkeypatch.setattr(sys, "path", [*sys.path])
    started = []
    monkeypatch.setattr("quintet.worker.main", lambda given, config: started.append((given[1], config)))
    program._serve_at_once(["-c", name])
    monkeypatch.setattr("os.execve", lambda _, command, __: started.append((command[-1], None)))
    launch.become("worker", Path(name), None)
    assert len(started) == 2
    for path, config in started:
        again = root.from_file(Path(path))
        assert again.store.data == str(home / "data")
        assert config is None or root.differences(config, again) == ([], [])
