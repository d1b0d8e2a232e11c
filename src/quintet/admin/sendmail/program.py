"""The program "sendmail": from its command line to an exit code of sysexits.h.

It speaks to the running server by a submission socket that lets local users in; without one straight into
the store, when this user may open it.  Who sends is the local user.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.admin.sendmail import options as opts
from quintet.admin.sendmail.letter import Letter, from_field
from quintet.admin.sendmail.options import Mode, Options
from quintet.admin.sendmail.talk import Failed, Talk
from quintet.errors import Hangup, Problem, TryLater
from quintet.net.client import Client

if TYPE_CHECKING:
    from quintet.config.root import Config

SOCKET = "/run/quintet/submit"  # where a socket is looked for when the configuration cannot be read
MAILNAME = Path("/etc/mailname")
CONNECT_S = 10.0


def main(arguments: Sequence[str], name: str = "sendmail") -> int:
    """Runs one command line; returns the exit code."""
    try:
        options = opts.parse(arguments, name)
        return _run(options)
    except opts.Usage as error:
        return _say(os.EX_USAGE, str(error))
    except Failed as error:
        return _say(error.code, *error.texts)
    except TryLater as error:
        return _say(os.EX_TEMPFAIL, error.text)
    except Problem as error:
        return _say(os.EX_UNAVAILABLE, error.text)
    except OSError as error:
        return _say(os.EX_TEMPFAIL, f"{error.filename or ''} {error.strerror or error}".strip())


def _say(code: int, *texts: str) -> int:
    for text in texts:
        sys.stderr.write(f"sendmail: {text}\n")
    return code


def _run(options: Options) -> int:
    from quintet import log

    log.configure("error")
    if options.mode is Mode.ALIASES:
        return os.EX_OK  # aliases are in the store: nothing has to be made of them
    if options.mode is Mode.FLUSH and not options.recipients and not options.from_header:
        return _command(options, "queue", *_flushed(*options.flush))
    if options.mode is Mode.LIST:
        return _command(options, "queue", "list", "--mailq")
    if options.mode is Mode.SMTP:
        return asyncio.run(_speak(options))
    if not options.recipients and not options.from_header:
        raise Failed(os.EX_USAGE, "no recipients: name some, or give -t")
    letter = Letter()
    try:
        if options.mode is not Mode.VERIFY:
            letter.read(sys.stdin.buffer.readline, ignore_dots=options.ignore_dots)
        return asyncio.run(_deliver(options, letter))
    finally:
        letter.close()


def _flushed(of: str, text: str) -> tuple[str, ...]:
    """The command for -q, -qRdomain, -qRaddress, -qSsender, -qInumber."""
    if of == "I":
        return "retry", text
    if of == "R" and "@" not in text:
        return "flush", text
    return ("retry", f"--match={text}") if of else ("retry", "--all")


def _command(options: Options, *words: str) -> int:
    """A command of the usual command line."""
    from quintet.admin.cli import run
    from quintet.admin.cli.common import Exit

    if (config := _config(options)) is None:
        raise Failed(os.EX_NOPERM, "only who may read the configuration can look into the queue")
    _as_owner(config)
    codes = {Exit.DONE: os.EX_OK, Exit.LATER: os.EX_TEMPFAIL, Exit.CONFIG: os.EX_CONFIG}
    given = ["-c", options.config] if options.config else []
    return codes.get(Exit(run([*words, *given])), os.EX_NOPERM)


# --- delivering -------------------------------------------------------------------------------------


async def _deliver(options: Options, letter: Letter) -> int:
    user = local_user()
    recipients = list(options.recipients)
    if options.from_header:
        recipients += letter.recipients()
    if not recipients:
        raise Failed(os.EX_USAGE, "no recipients in the header")
    config = _config(options)
    async with _session(config, user) as talk:
        domain = _domain(config, talk.host)
        whole = list(dict.fromkeys(qualified(each, domain) for each in recipients))
        sender = user if options.sender is None else options.sender
        sender = qualified(sender, domain) if sender else ""
        if options.mode is Mode.VERIFY:
            return await _verify(talk, letter, sender, whole, options)
        if options.name and not letter.has(b"from"):
            letter.prepend(from_field(options.name, sender or qualified(user, domain)))
        said = await talk.send(letter, sender, whole, options)
        if options.verbose:
            sys.stdout.write(f"{', '.join(whole)}... Sent ({said})\n")
        await talk.end()
    return os.EX_OK


async def _verify(
    talk: Talk, letter: Letter, sender: str, recipients: Sequence[str], options: Options
) -> int:
    """-bv: one line a recipient."""
    worst = os.EX_OK
    for recipient in recipients:
        try:
            await talk.envelope(letter, sender, [recipient], options)
        except Failed as error:
            worst = max(worst, error.code)
            sys.stdout.write(f"{'; '.join(error.texts)}\n")
        else:
            sys.stdout.write(f"{recipient}... deliverable\n")
            await talk._ask("RSET")
    await talk.end()
    return worst


def qualified(address: str, domain: str) -> str:
    """An address as it can stand in SMTP: names alone are of this place.  Raises Failed(EX_USAGE)."""
    from quintet.message.addresses import mailboxes

    text = address.strip()
    if "<" in text or '"' in text or "(" in text:
        found = mailboxes(text.encode())
        text = found[0].spec if found else text
    if not address.isprintable() or not re.fullmatch(r'[^\s<>,;]+|"[^\r\n]*"(@[^\s<>]+)?', text):
        raise Failed(os.EX_USAGE, f"{address!r} is no address")
    return text if "@" in text.rpartition('"')[2] else f"{text}@{domain}"


def _domain(config: Config | None, host: str) -> str:
    """What follows a name without a domain."""
    if config is not None and config.auth.default_domain:
        return config.auth.default_domain
    try:
        first = MAILNAME.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError):
        first = []
    return first[0] if first else host


def local_user() -> str:
    """The login name of who runs this; of somebody without one the number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


# --- ways to the server -----------------------------------------------------------------------------


def _config(options: Options) -> Config | None:
    """The configuration, if this user may read it.  Raises Failed(EX_CONFIG) when it is wrong."""
    from quintet.admin.cli import common
    from quintet.config.load import ConfigError

    try:
        return common.load(Path(options.config) if options.config else None)
    except ConfigError as error:
        raise Failed(os.EX_CONFIG, *map(str, error.faults)) from error
    except (common.Failed, PermissionError) as error:
        if options.config:
            raise Failed(os.EX_CONFIG, str(error)) from error
        return None


def _sockets(config: Config | None) -> list[str]:
    """Sockets that let local users in, in the order in which they are tried."""
    found = [os.environ.get("QUINTET_SUBMIT", "")]
    if config is not None:
        found += [
            each.address[5:]
            for each in config.listeners.values()
            if each.enabled and each.local_users and each.address.startswith("unix:")
        ]
    return [each for each in (*found, SOCKET if config is None else "") if each]


async def _connected(config: Config | None) -> Client | None:
    """A connection to the running server; None when there is none to be had."""
    for path in _sockets(config):
        try:
            return await Client.connect(f"unix:{path}", timeout_s=CONNECT_S)
        except Hangup:
            continue
    return None


@asynccontextmanager
async def _session(config: Config | None, user: str) -> AsyncIterator[Talk]:
    """A session that greeted.  Raises Failed."""
    client = await _connected(config)
    if client is not None:
        talk = Talk(client)
        try:
            await talk.begin()
            yield talk
        finally:
            client.abort()
        return
    async with _in_process(config, user) as sock:
        talk = Talk(await Client.over(sock))
        try:
            await talk.begin()
            yield talk
        finally:
            talk.client.abort()


@asynccontextmanager
async def _in_process(config: Config | None, user: str) -> AsyncIterator[socket.socket]:
    """A socket with a submission session of our own at its other end.  Raises Failed."""
    from quintet.admin import joined
    from quintet.auth.service import AuthService
    from quintet.clock import SystemClock
    from quintet.net import single
    from quintet.smtp.desk import Role
    from quintet.store.store import Store

    if config is None:
        raise Failed(os.EX_TEMPFAIL, f"no server at {' or '.join(_sockets(None))}, and no configuration")
    _as_owner(config)
    clock = SystemClock()
    try:
        store = await Store.open(config.store, clock=clock)
    except PermissionError as error:
        raise Failed(
            os.EX_TEMPFAIL, f"no server lets local users in, and {error.filename} is not open to {user}"
        ) from error
    auth = AuthService(store, config.auth, clock=clock)
    ours, theirs = socket.socketpair()
    way_in = joined.inbound(config, store, clock)
    service = joined.smtp_service(config, auth, way_in, role=Role.SUBMISSION, clock=clock)
    service.desk = replace(service.desk, config=replace(service.desk.config, tarpit_s=0.0))
    peer = single.peer_of(None, clock.token(5), user=user, started_at=clock.now())
    serving = asyncio.create_task(single.serve(service, theirs, peer, net=config.net))
    try:
        yield ours
    finally:
        await asyncio.gather(serving, return_exceptions=True)
        await auth.close()
        await store.close()


def _as_owner(config: Config) -> None:
    """root becomes the owner of the data, or files would have two owners."""
    if os.geteuid() != 0:
        return
    try:
        owner = config.data.stat()
    except OSError:
        return
    if owner.st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


async def _speak(options: Options) -> int:
    """-bs: SMTP on standard input and output, as the local user."""
    from quintet.net import single

    config = _config(options)
    client = await _connected(config)
    bridge = single.Bridge(0, 1)
    if client is not None:
        await _copy(client, bridge.sock)
    else:
        async with _in_process(config, local_user()) as sock:
            await _copy(await Client.over(sock), bridge.sock)
    bridge.finish()
    return os.EX_OK


async def _copy(client: Client, sock: socket.socket) -> None:
    """Carries both ways until the server ends it."""
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    stream, early = client.released()
    over = asyncio.Event()

    class Out:
        def received(self, data: bytes) -> None:
            waiting.put_nowait(data)

        def ended(self) -> None:
            waiting.put_nowait(b"")

        def writable(self) -> None:
            return

        def lost(self) -> None:
            waiting.put_nowait(b"")
            over.set()

    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    stream.receiver = Out()
    if early:
        waiting.put_nowait(early)

    async def inward() -> None:
        while data := await loop.sock_recv(sock, 65536):
            stream.write(data)
        stream.transport.write_eof()

    coming = asyncio.create_task(inward())
    try:
        while data := await waiting.get():
            await loop.sock_sendall(sock, data)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        stream.abort()
        sock.close()
