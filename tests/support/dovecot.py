"""A private Dovecot (IMAP) over the Maildirs of a private Postfix, for interop tests; needs root."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import ports

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
HOST = "127.0.0.1"
PASSWORD = "pw"
START_S = 60.0

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_username_format = %Ln
mail_location = maildir:{mail}/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={mail}/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


def missing() -> str:
    """Why it cannot run here; "" when it can."""
    return "" if DOVECOT is not None else "dovecot is not installed"


@contextlib.contextmanager
def running(mail: Path) -> Iterator[int]:
    """Its port; ``mail`` has a Maildir for each user, of the user "mail"."""
    with ports.kept() as port, _running(mail, port):
        yield port


@contextlib.contextmanager
def _running(mail: Path, port: int) -> Iterator[None]:
    assert DOVECOT is not None
    folder = Path(tempfile.mkdtemp(prefix="quintet-dovecot-"))
    folder.chmod(0o755)  # its processes are not root
    text = CONFIG.format(dir=folder, mail=mail, port=port, password=PASSWORD)
    (folder / "dovecot.conf").write_text(text)
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(folder / "dovecot.conf")])
    try:
        _await(process, port, folder / "log")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"dovecot does not answer: {log.read_text() if log.exists() else ''}")
