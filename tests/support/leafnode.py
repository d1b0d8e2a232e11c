"""A real leafnode for tests: fetchnews, which reads and posts elsewhere, and its own small server.

Only unpacked (`tests/interop/install.sh`); mounts of its own lead its fixed places into a folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.inn import UNPACKED

TIME_S = 60.0
HOST = "leaf.home.arpa"  # it wants a name that looks unique
# $1 its folder; /etc/news and /var/spool/news become those in there, whether the machine has them or not
INSIDE = """
set -e
top=$1; shift
mount -t tmpfs none /var/spool
mkdir /var/spool/news
mount --bind "$top/spool" /var/spool/news
[ -d /etc/news ] || {
    mount -t overlay none -o "lowerdir=/etc,upperdir=$top/upper,workdir=$top/work" /etc
    mkdir /etc/news
}
mount --bind "$top/etc" /etc/news
exec setpriv --reuid=news --regid=news --clear-groups "$@"
"""


@cache
def missing() -> str:
    """Why there is no leafnode here; "" when there is."""
    if not (UNPACKED / "usr/sbin/fetchnews").exists():
        return "no leafnode here"
    if os.geteuid() != 0:
        return "mounts want root"
    for program in ("unshare", "setpriv", "mount"):
        if shutil.which(program) is None:
            return f"no {program} here"
    tried = subprocess.run(
        [*_OWN, "mount -t tmpfs none /var/spool"], capture_output=True, text=True, check=False
    )
    return f"no mounts of one's own here: {tried.stderr.strip()}" if tried.returncode else ""


_OWN = ("unshare", "--mount", "--propagation", "private", "sh", "-c")


@dataclass
class Leafnode:
    """One with all of its files in ``folder``, which everybody must be able to reach."""

    folder: Path

    def prepare(self, port: int, groups: Sequence[str], login: tuple[str, str] = ("", "")) -> None:
        """``port``: of the server on this machine that it reads and posts to."""
        for name in ("failed.postings", "interesting.groups", "leaf.node", "out.going", "temp.files"):
            (self.folder / "spool" / name).mkdir(parents=True)
        for name in ("etc/leafnode", "upper", "work"):
            (self.folder / name).mkdir(parents=True)
        lines = [
            "server = 127.0.0.1",
            f"port = {port}",
            "initialfetch = 1000",
            "expire = 20",
            f"hostname = {HOST}",
        ]
        if login[0]:
            lines[2:2] = [f"username = {login[0]}", f"password = {login[1]}"]
        config = self.folder / "etc/leafnode/config"
        config.write_text("\n".join(lines) + "\n")
        for name in groups:
            (self.folder / "spool/interesting.groups" / name).touch()
        news = pwd.getpwnam("news")
        for place in (self.folder / "spool", *(self.folder / "spool").rglob("*")):
            os.chown(place, news.pw_uid, news.pw_gid)
        os.chown(config, 0, news.pw_gid)
        config.chmod(0o640)

    def command(self, program: str, *args: str) -> list[str]:
        return [*_OWN, INSIDE, "sh", str(self.folder), str(UNPACKED / "usr/sbin" / program), *args]

    def fetch(self) -> str:
        """Posts what waits, fetches what is new; what it said."""
        done = subprocess.run(
            self.command("fetchnews", "-vvv", "-w", "-f"), capture_output=True, timeout=TIME_S, check=False
        )
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, text
        return text

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Its server on a free port, as inetd would run it; one process a connection."""
        with socket.create_server(("127.0.0.1", 0)) as door:
            running: list[subprocess.Popen[bytes]] = []

            def answer() -> None:
                while True:
                    try:
                        connection, _ = door.accept()
                    except OSError:
                        return
                    with connection:
                        running.append(
                            subprocess.Popen(self.command("leafnode"), stdin=connection, stdout=connection)
                        )

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            try:
                yield door.getsockname()[1]
            finally:
                door.shutdown(socket.SHUT_RDWR)
                thread.join(TIME_S)
                for each in running:
                    each.terminate()
                    each.wait(TIME_S)
