"""A private Postfix for interop tests: own configuration, queue and port, all below a temporary folder.

Needs root (Postfix drops privileges by itself) and the program; `missing` says what is not there.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import ports

POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
DAEMONS = Path("/usr/lib/postfix/sbin")
TIME_S = 60.0

MAIN = """
compatibility_level = 3.6
config_directory = {dir}/etc
queue_directory = {dir}/spool
data_directory = {dir}/lib
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}, /var, /dev/stdout
multi_instance_enable = no
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.postfix.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {dir}/vmail
virtual_mailbox_maps = texthash:{dir}/etc/mailboxes
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1
virtual_transport = virtual
relay_domains = example.org
relay_transport = smtp:[127.0.0.1]:{relay}
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = may
maximal_idle = 5s
"""

MASTER = """
127.0.0.1:{port} inet n - n - 20 smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       10      smtp
relay     unix  -       -       n       -       10      smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       10      virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def missing() -> str:
    """Why it cannot run here; "" when it can."""
    if POSTFIX is None or not DAEMONS.is_dir():
        return "postfix is not installed"
    return "" if os.geteuid() == 0 else "postfix needs root to start"


@dataclass
class Postfix:
    """A running instance; ``users`` at postfix.test have mailboxes."""

    folder: Path
    port: int

    @property
    def log(self) -> str:
        path = self.folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def letters(self, user: str, count: int = 1) -> list[bytes]:
        """What was delivered to a user; waits until there are ``count``."""
        place = self.folder / "vmail" / user / "new"
        async with asyncio.timeout(TIME_S):
            while not place.is_dir() or len(list(place.iterdir())) < count:
                await asyncio.sleep(0.05)
        return [path.read_bytes() for path in sorted(place.iterdir())]


@asynccontextmanager
async def postfix(relay_port: int, users: tuple[str, ...] = ("zoe",)) -> AsyncIterator[Postfix]:
    """Takes mail for postfix.test, and relays example.org to ``relay_port`` of this machine."""
    with ports.kept() as port:
        async with _postfix(port, relay_port, users) as running:
            yield running


@asynccontextmanager
async def _postfix(port: int, relay_port: int, users: tuple[str, ...]) -> AsyncIterator[Postfix]:
    assert POSTFIX is not None
    folder = Path(tempfile.mkdtemp(prefix="quintet-postfix-"))
    folder.chmod(0o755)  # its daemons are not root
    for name in ("etc", "spool", "lib", "vmail"):
        (folder / name).mkdir()
    shutil.chown(folder / "lib", "postfix")
    os.chown(folder / "vmail", 8, 8)
    values = {"dir": folder, "port": port, "relay": relay_port, "daemons": DAEMONS}
    (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
    (folder / "etc" / "master.cf").write_text(MASTER.format(**values))
    (folder / "etc" / "mailboxes").write_text("".join(f"{user}@postfix.test {user}/\n" for user in users))
    running = Postfix(folder, port)
    try:
        await asyncio.to_thread(_control, folder, "start")
        async with asyncio.timeout(TIME_S):
            while not await _answers(port):
                await asyncio.sleep(0.05)
        yield running
    finally:
        await asyncio.to_thread(_control, folder, "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _control(folder: Path, word: str, *, check: bool = True) -> None:
    assert POSTFIX is not None
    done = subprocess.run(
        [POSTFIX, "-c", str(folder / "etc"), word], capture_output=True, timeout=TIME_S, check=False
    )
    if check and done.returncode:
        log = folder / "mail.log"
        told = log.read_text(errors="replace") if log.exists() else ""
        raise AssertionError(f"postfix {word}: {done.stderr.decode()} {told}")


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"220")
    finally:
        writer.close()
        await writer.wait_closed()
