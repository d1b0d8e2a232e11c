"""The sendmail command beside a running server and without one, by itself and as programs call it."""

from __future__ import annotations

import asyncio
import imaplib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import quintet
from quintet.config.listeners import Listener
from quintet.store import entries, folders, queue
from quintet.store.store import Store
from tests.support.server import HOST, Spawned, configured, lay_out, spawn_server

TIME_S = 60.0
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spawned]:
    folder = tmp_path_factory.mktemp("s")
    listeners = {
        "imap": Listener(name="imap", protocol="imap", address=HOST),
        "local": Listener(
            name="local",
            protocol="smtp",
            role="submission",
            address=f"unix:{folder}/submit",
            local_users=True,
        ),
    }
    with spawn_server(folder, listeners=listeners, queue={"enabled": False}) as running:
        yield running


@pytest.fixture(params=["running", "alone"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the configuration is: of a running server, or of none."""
    if request.param == "running":
        folder: Path = request.getfixturevalue("server").folder
        return folder
    return lay_out(tmp_path, queue={"enabled": False})


def sendmail(
    house: Path, *words: str, text: bytes = b"", program: str = ""
) -> subprocess.CompletedProcess[bytes]:
    command = [program] if program else [sys.executable, "-m", "quintet", "sendmail"]
    return subprocess.run(
        [*command, *words],
        input=text,
        capture_output=True,
        timeout=TIME_S,
        check=False,
        env={**os.environ, "QUINTET_CONFIG": str(house)},
    )


def installed(folder: Path, name: str) -> str:
    """The program under another name, as an administrator links it."""
    program = folder / name
    program.symlink_to(Path(sys.executable).parent / "quintet")
    return str(program)


def inbox(house: Path, name: str) -> list[bytes]:
    """The messages of an Inbox, read beside the server."""

    async def read() -> list[bytes]:
        store = await Store.open(configured(house).store)
        try:
            from quintet.store import accounts

            account = store.peek(accounts.find, f"{name}@example.org")
            assert account is not None
            folder = store.peek(folders.find, account.id, "INBOX")
            assert folder is not None
            return [
                store.read_body(store.peek(entries.body_ref, folder.id, each.uid))
                for each in store.peek(entries.listing, folder.id)
            ]
        finally:
            await store.close()

    return asyncio.run(read())


def queued(house: Path) -> list[queue.Recipient]:
    async def read() -> list[queue.Recipient]:
        store = await Store.open(configured(house).store)
        try:
            return store.peek(queue.listing)
        finally:
            await store.close()

    return asyncio.run(read())


def test_recipients_in_the_header_and_bcc_cut(house: Path) -> None:
    text = b"To: bob@example.org\nBcc: carol\nSubject: by -t\n\nline\n.\nafter the dot\n"
    done = sendmail(house, "-t", "-oi", text=text)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
    for name in ("bob", "carol"):
        last = inbox(house, name)[-1]
        assert b"Subject: by -t\r\n" in last
        assert b"\r\n.\r\nafter the dot\r\n" in last
        assert b"carol" not in last.split(b"Subject")[1]
        assert f"(local user {ME})".encode() in last
        assert f"From: <{ME}@example.org>".encode() in last
        assert last.startswith(f"Return-Path: <{ME}@example.org>".encode())


def test_recipients_in_arguments_and_a_dot_ends(house: Path) -> None:
    done = sendmail(
        house, "-f", "dora@far.test", "-F", "Dora D.", "bob@example.org", text=b"Subject: x\n\none\n.\ntwo\n"
    )
    assert done.returncode == 0, done.stderr
    last = inbox(house, "bob")[-1]
    assert last.endswith(b"\r\n\r\none\r\n")
    assert b'From: "Dora D." <dora@far.test>\r\n' in last


def test_what_leaves_is_queued_with_its_wishes(house: Path) -> None:
    done = sendmail(
        house, "-N", "success,failure", "-R", "hdrs", "-V", "id+1", "zoe@far.test", text=b"Subject: x\n\nx\n"
    )
    assert done.returncode == 0, done.stderr
    found = queued(house)[-1]
    assert found.address == "zoe@far.test"
    assert (found.item_params["ret"], found.item_params["envid"]) == ("hdrs", "id+1")
    assert found.params["notify"] == ["success", "failure"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["bob@example.org", "nobody@example.org"], os.EX_NOUSER, b"nobody@example.org: 550 5.1.1"),
        ([], os.EX_USAGE, b"no recipients"),
        (["-t"], os.EX_USAGE, b"no recipients in the header"),
        (["-bd"], os.EX_USAGE, b"quintet serve"),
        (["-C", "/nowhere/quintet.toml", "bob"], os.EX_CONFIG, b"no such configuration"),
        (["a b"], os.EX_USAGE, b"no address"),
    ],
)
def test_refusals_are_exit_codes_of_sysexits(house: Path, words: list[str], code: int, told: bytes) -> None:
    before = len(inbox(house, "bob"))
    done = sendmail(house, *words, text=b"Subject: all or nothing\n\nx\n")
    assert done.returncode == code
    assert told in done.stderr
    assert len(inbox(house, "bob")) == before


def test_recipients_are_only_checked(house: Path) -> None:
    done = sendmail(house, "-bv", "bob", "nobody@example.org")
    assert done.returncode == os.EX_NOUSER
    assert done.stdout.startswith(b"bob@example.org... deliverable\nnobody@example.org: 550")


def test_smtp_on_standard_input(house: Path) -> None:
    script = b"EHLO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<zoe@far.test>\r\nRSET\r\nQUIT\r\n"
    done = sendmail(house, "-bs", text=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"220 mail.example.org ESMTP")
    assert b"250 2.1.5 " in done.stdout
    assert done.stdout.endswith(b"221 2.0.0 Bye\r\n")


def test_queue_and_aliases_under_their_old_names(house: Path, tmp_path: Path) -> None:
    for name, words in {
        "mailq": b"Mail queue is empty|zoe@far.test",
        "newaliases": b"",
        "sendmail": b"",
    }.items():
        program = installed(tmp_path, name)
        arguments = ["-bi"] if name == "sendmail" else []
        done = sendmail(house, *arguments, program=program)
        assert done.returncode == 0, done.stderr
        assert any(each in done.stdout for each in words.split(b"|")), done.stdout


def test_no_server_and_no_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quintet", "sendmail", "bob"],
        input=b"x\n",
        capture_output=True,
        timeout=TIME_S,
        check=False,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("QUINTET")},
    )
    assert done.returncode == os.EX_TEMPFAIL
    assert b"no server at" in done.stderr


def as_nobody(*command: str, folder: Path) -> list[str]:
    """A command run as the user nobody, who can read interpreter, sources and ``folder`` wherever they are.

    What lies in folders that only their owner may enter is shown in a mount namespace of its own.
    """
    nobody = pwd.getpwnam("nobody")
    needed = dict.fromkeys(
        Path(each).resolve()
        for each in (sys.base_prefix, sys.prefix, Path(quintet.__path__[0]).parent, folder)
    )
    shown = []
    for path in needed:
        closed = next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)
        if closed is not None:
            shown.append((closed, path))
    script = "set -e; mount --make-rprivate /; mount -t tmpfs none /mnt; "
    for number, closed in enumerate(dict.fromkeys(closed for closed, _ in shown)):
        inside = f"/mnt/{number}"
        script += f"mkdir {inside}; mount -t tmpfs none {inside}; chmod 755 {inside}; "
        for path in [path for each, path in shown if each == closed]:
            target = shlex.quote(str(path.relative_to(closed)))
            script += f"mkdir -p {inside}/{target}; mount --bind {shlex.quote(str(path))} {inside}/{target}; "
        script += f"mount --rbind {inside} {shlex.quote(str(closed))}; "
    drop = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]
    if not shown:
        return [*drop, *command]
    return ["unshare", "-m", "sh", "-c", f'{script} exec "$@"', "sh", *drop, *command]


def test_user_without_rights_speaks_by_the_socket(server: Spawned) -> None:
    """Who may read neither configuration nor store: the socket is all there is, and the kernel vouches."""
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    probe = subprocess.run(
        as_nobody(sys.executable, "-c", "import quintet", folder=server.folder),
        check=False,
        capture_output=True,
        cwd="/",
    )
    if probe.returncode:
        pytest.skip(f"there is no way to be somebody else here: {probe.stderr.decode()[-200:]}")
    server.folder.joinpath("submit").chmod(0o666)
    server.folder.chmod(server.folder.stat().st_mode | 0o001)
    done = subprocess.run(
        as_nobody(sys.executable, "-m", "quintet", "sendmail", "bob@example.org", folder=server.folder),
        input=b"Subject: from nobody\n\nx\n",
        capture_output=True,
        timeout=TIME_S,
        check=False,
        env={"PATH": os.environ["PATH"], "QUINTET_SUBMIT": f"{server.folder}/submit"},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert b"(local user nobody)" in inbox(server.folder, "bob")[-1]


@pytest.mark.interop
def test_mutt(house: Path, tmp_path: Path) -> None:
    if shutil.which("mutt") is None:
        pytest.skip("mutt is not installed")
    program = installed(tmp_path, "sendmail")
    done = subprocess.run(
        [
            "mutt", "-n", "-F", "/dev/null",
            "-e", f"set sendmail='{program} -oem -oi' from=dora@example.org copy=no",
            "-e", "set use_envelope_from=yes", "-s", "by mutt", "bob@example.org",
        ],
        input=b"dear bob\n.\nyours\n",
        capture_output=True,
        timeout=TIME_S,
        check=False,
        env={**os.environ, "QUINTET_CONFIG": str(house), "HOME": str(tmp_path), "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    last = inbox(house, "bob")[-1]
    assert b"Subject: by mutt\r\n" in last
    assert last.startswith(b"Return-Path: <dora@example.org>")
    assert last.endswith(b"dear bob\r\n.\r\nyours\r\n")


def test_imap_sees_what_was_sent(server: Spawned) -> None:
    assert sendmail(server.folder, "carol", text=b"Subject: seen\n\nx\n").returncode == 0
    with imaplib.IMAP4(HOST, server.ports["imap"]) as client:
        client.login("carol@example.org", "demo")
        client.select()
        _, found = client.search(None, "SUBJECT", "seen")
    assert found != [b""]
