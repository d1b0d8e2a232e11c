"""A real INN (innd, innfeed and its tools) for tests: only unpacked, with a configuration of our own.

Debian's package cannot be configured on a host without a full name; `tests/interop/install.sh` unpacks it
below build/unpacked.  It listens on a free port of 127.0.0.1 and runs as the user "news".
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.support import ports

ROOT = Path(__file__).parent.parent.parent
UNPACKED = ROOT / "build" / "unpacked"
START_S = 60.0
USER = "news"


@cache
def home() -> Path | None:
    """Where its programs and libraries are: installed, or unpacked."""
    for place in (Path("/usr/lib/news"), UNPACKED / "usr/lib/news"):
        if (place / "bin" / "innd").exists():
            return place
    return None


def missing() -> str:
    """Why there is no INN here; "" when there is."""
    if home() is None:
        return "no innd here"
    if os.geteuid() != 0:
        return "innd wants to be started by root"
    if shutil.which("setpriv") is None:
        return "no setpriv here"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return "no user news here"
    return ""


@dataclass(frozen=True)
class Feed:
    """A peer to which it sends with innfeed."""

    name: str
    path: str  # its name in Path
    port: int
    groups: str = "*"
    host: str = "127.0.0.1"
    streaming: bool = True


@dataclass
class Inn:
    """One INN with all of its files in ``folder``."""

    folder: Path
    path_host: str
    groups: Sequence[str]
    feeds: Sequence[Feed] = ()
    senders: Sequence[str] = ("127.0.0.1",)
    options: str = ""  # more lines of incoming.conf, for all peers
    port: int = 119
    address: str = "127.0.0.1"
    prefix: Sequence[str] = ()  # a command that enters a namespace
    _process: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def bin(self) -> Path:
        place = home()
        assert place is not None
        return place / "bin"

    @property
    def environment(self) -> dict[str, str]:
        libraries = str(self.bin.parent)
        return {
            **os.environ,
            "INNCONF": str(self.folder / "etc/inn.conf"),
            "LD_LIBRARY_PATH": libraries,
            "PERL5LIB": str(self.folder / "perl"),
        }

    def prepare(self) -> None:
        """Writes the configuration and an empty spool."""
        for name in ("etc/filter", "db", "log/OLD", "run", "http", "tmp", "spool/articles", "spool/overview",
                     "spool/incoming/bad", "spool/outgoing", "spool/archive", "spool/innfeed"):  # fmt: skip
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        special = ("control", "control.cancel", "control.newgroup", "junk")
        active = "".join(f"{name} 0000000000 0000000001 y\n" for name in (*special, *self.groups))
        files = {
            "db/active": active, "db/active.times": "", "db/newsgroups": "", "db/history": "",
            "etc/inn.conf": CONFIG.format(me=self), "etc/newsfeeds": self._newsfeeds(),
            "etc/incoming.conf": self._incoming(), "etc/innfeed.conf": self._innfeed(),
            "etc/readers.conf": READERS, "etc/expire.ctl": "/remember/:11\n*:A:1:10:never\n",
            "etc/storage.conf": "method tradspool {\n newsgroups: *\n class: 0\n}\n",
            "etc/control.ctl": "all:*:*:drop\n", "etc/ovsqlite.conf": "",
        }  # fmt: skip
        for name in (
            "nnrpd.track",
            "distributions",
            "moderators",
            "subscriptions",
            "localgroups",
            "distrib.pats",
        ):
            files[f"etc/{name}"] = ""
        for name, text in files.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o640)
        config = UNPACKED / "usr/share/perl5/INN/Config.pm"
        if UNPACKED in self.bin.parents and config.exists():  # it names the place where INN is installed
            (self.folder / "perl/INN").mkdir(parents=True, exist_ok=True)
            text = config.read_text().replace("/usr/lib/news", str(self.bin.parent))
            (self.folder / "perl/INN/Config.pm").write_text(text)
        news = pwd.getpwnam(USER)
        for place in (self.folder, *self.folder.rglob("*")):
            os.chown(place, news.pw_uid, news.pw_gid)
        self.run("makedbz", "-i", "-s", "100000", "-o", cwd=self.folder / "db")

    def _newsfeeds(self) -> str:
        lines = ["ME:*::", f"innfeed!:!*:Tc,Wnm*:{self.bin}/innfeed"]
        lines += [f"{feed.name}/{feed.path}:{feed.groups}:Tm:innfeed!" for feed in self.feeds]
        return "\n".join(lines) + "\n"

    def _incoming(self) -> str:
        peers = [
            f'peer p{number} {{\n hostname: "{host}"\n}}\n'
            for number, host in enumerate(dict.fromkeys(self.senders))
        ]
        return "streaming: true\nmax-connections: 50\n" + self.options + "".join(peers)

    def _innfeed(self) -> str:
        text = (
            "pid-file: innfeed.pid\nlog-file: innfeed.log\nstatus-file: innfeed.status\n"
            f"backlog-directory: {self.folder}/spool/innfeed\ninitial-reconnect-time: 1\n"
            "max-reconnect-time: 2\nclose-period: 86400\nstdio-fdmax: 0\n"
            # what comes while it starts goes through its backlog: quickly
            "backlog-rotate-period: 2\nbacklog-ckpt-period: 2\nbacklog-newfile-period: 2\n"
        )
        for feed in self.feeds:
            text += (
                f"peer {feed.name} {{\n ip-name: {feed.host}\n port-number: {feed.port}\n"
                f" streaming: {'true' if feed.streaming else 'false'}\n initial-connections: 1\n"
                " max-connections: 2\n backlog-factor: 1.1\n}\n"
            )
        return text

    def command(self, program: str, *args: str) -> list[str]:
        """A command of INN, as its user."""
        return [
            *self.prefix, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
            str(self.bin / program), *args,
        ]  # fmt: skip

    def run(
        self, program: str, *args: str, cwd: Path | None = None, check: bool = True, **more: object
    ) -> str:
        done = subprocess.run(  # type: ignore[call-overload]  # more: of subprocess
            self.command(program, *args),
            env=self.environment, cwd=cwd or self.folder, capture_output=True, timeout=60, check=False,
            **more,
        )  # fmt: skip
        text: str = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert not check or done.returncode == 0, f"{program}: {done.returncode} {text}"
        return text

    async def start(self) -> None:
        with (self.folder / "log/start").open("ab") as log:
            self._process.append(
                subprocess.Popen(
                    self.command("innd", "-N", "-d", "-P", str(self.port)),
                    env=self.environment, cwd=self.folder, stdout=log, stderr=log,
                )
            )  # fmt: skip
        for _ in range(int(START_S / 0.1)):
            if (self.folder / "run/control").exists():
                mode = await asyncio.to_thread(self.run, "ctlinnd", "mode", check=False)
                if "running" in mode:
                    return
            assert self._process[-1].poll() is None, (self.folder / "log/start").read_text()
            await asyncio.sleep(0.1)
        raise AssertionError((self.folder / "log/start").read_text())

    def stop(self) -> None:
        for process in self._process:
            if process.poll() is None:
                self.run("ctlinnd", "shutdown", "done", check=False)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._process.clear()
        pid = self.folder / "run/innfeed.pid"
        if pid.exists():
            command = [*self.prefix, "kill", pid.read_text().strip()]  # by its number where it runs
            subprocess.run(command, capture_output=True, check=False)

    def numbers(self, group: str) -> list[int]:
        """Of the articles in its spool."""
        place = self.folder / "spool/articles" / group.replace(".", "/")
        return sorted(int(path.name) for path in place.iterdir()) if place.is_dir() else []

    def articles(self, group: str) -> list[bytes]:
        """What its spool has, in the order of numbers."""
        place = self.folder / "spool/articles" / group.replace(".", "/")
        if not place.is_dir():
            return []
        return [path.read_bytes() for path in sorted(place.iterdir(), key=lambda one: int(one.name))]

    def log(self) -> str:
        """For when something is wrong."""
        parts = []
        for name in ("log/start", "log/news", "log/errlog", "log/innfeed.log"):
            path = self.folder / name
            if path.exists():
                parts.append(f"== {name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)


@asynccontextmanager
async def inn(path_host: str, groups: Sequence[str], **options: object) -> AsyncIterator[Inn]:
    """A running one, in a folder of its own: those of pytest are closed to other users now and then."""
    with tempfile.TemporaryDirectory(prefix="inn-") as name, ports.kept() as port:
        Path(name).chmod(0o755)
        made = Inn(Path(name) / "inn", path_host, groups, port=port, **options)  # type: ignore[arg-type]  # of Inn
        made.prepare()
        try:
            await made.start()
            yield made
        finally:
            made.stop()


READERS = """auth "all" {
 hosts: "*"
 default: "<ok>"
}
access "all" {
 users: "<ok>"
 newsgroups: "*"
 access: "RPANI"
}
"""

CONFIG = """pathhost: {me.path_host}
domain: {me.path_host}
fromhost: {me.path_host}
organization: "Tests"
mta: "/bin/false %s"
mailcmd: /bin/false
runasuser: news
runasgroup: news
ovmethod: tradindexed
hismethod: hisv6
enableoverview: true
wireformat: true
storeonxref: true
artcutoff: 10
maxartsize: 1000000
maxconnections: 100
port: {me.port}
bindaddress: {me.address}
docancels: all
remembertrash: true
wanttrash: false
verifygroups: false
noreader: false
icdsynccount: 1
pgpverify: false
doinnwatch: false
innwatchsleeptime: 600
backoffauth: false
backoffpostfast: 0
backoffpostslow: 1
backofftrigger: 1000000
nnrpdloadlimit: 0
nnrpdposthost: 127.0.0.1
nnrpdpostport: {me.port}
pathnews: {me.bin.parent}
pathbin: {me.bin}
pathcontrol: {me.bin}/control
pathfilter: {me.folder}/etc/filter
pathdb: {me.folder}/db
pathetc: {me.folder}/etc
pathhttp: {me.folder}/http
pathlog: {me.folder}/log
pathrun: {me.folder}/run
pathtmp: {me.folder}/tmp
pathspool: {me.folder}/spool
patharchive: {me.folder}/spool/archive
patharticles: {me.folder}/spool/articles
pathincoming: {me.folder}/spool/incoming
pathoutgoing: {me.folder}/spool/outgoing
pathoverview: {me.folder}/spool/overview
"""
