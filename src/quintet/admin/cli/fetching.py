"""`quintet queue fetch`: a host that is not always connected gets its mail from its provider by ATRN.

RFC 2645 (on-demand mail relay): we connect and log in, then the provider becomes the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption
from quintet.errors import Hangup, Reason, Refused, TryLater

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from quintet.config.root import Config
    from quintet.net.client import Client
    from quintet.smtp.heard import Heard
    from quintet.store.store import Store

ODMR_PORT = 366
NO_MAIL = 453  # RFC 2645 7


def fetch(
    atrn: Annotated[str, typer.Option(help="The provider: name, IP address or unix:/path.")],
    user: Annotated[str, typer.Option(help="Login name there.")],
    domain: Annotated[
        list[str] | None,
        typer.Option(help="Domain whose mail is wanted, several times for several; none: all."),
    ] = None,
    port: Annotated[int, typer.Option(help="Its port.", min=1, max=65535)] = ODMR_PORT,
    password: Annotated[
        str,
        typer.Option(envvar="QUINTET_FETCH_PASSWORD", prompt=True, hide_input=True, help="Password there."),
    ] = "",
    tls: Annotated[str, typer.Option(help="As in a route: never, may, must, verify or implicit.")] = "must",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch mail that a provider keeps for us (ATRN), and take it as our server would."""
    if tls not in ("never", "may", "must", "verify", "implicit"):
        raise Failed(f"no such way: {tls}", "There are never, may, must, verify and implicit.", Exit.USAGE)

    async def work(store: Store, settings: Config) -> int:
        return await _fetch(store, settings, (atrn, port, tls), (user, password), domain or [])

    count = common.with_store(config, work)
    common.done(f"{count} messages fetched" if count else "no mail there", as_json, messages=count)


async def _fetch(
    store: Store, settings: Config, where: tuple[str, int, str], who: tuple[str, str], domains: list[str]
) -> int:
    """Raises Problem, Failed."""
    from quintet.clock import SystemClock
    from quintet.delivery.tlspolicy import of_route
    from quintet.delivery.transport import Hop
    from quintet.net.client import Client
    from quintet.smtp import heard
    from quintet.smtp.client import SmtpLink
    from quintet.smtp.secured import Securer

    host, port, tls = where
    clock, policy = SystemClock(), of_route(tls, host)
    try:
        client = await Client.connect(host, port, timeout_s=60.0)
        try:
            hop = Hop(host, client.address, port, policy=policy, user=who[0], password=who[1])
            link = SmtpLink(client, hop, settings.queue.helo or settings.hostname, clock)
            await _logged_in(link.begin(Securer(clock, None), policy))
            await client.write(f"ATRN {','.join(domains)}".strip().encode("ascii", "replace") + b"\r\n")
            answer = await heard.read(client)
            if answer.code == NO_MAIL:
                return 0
            if not answer.ok:
                raise _refused(answer)
            return await _serve(store, settings, client)
        finally:
            client.abort()
    except Hangup as error:
        raise TryLater(error.reason, f"{host}: {error.text}") from error


async def _logged_in(beginning: Awaitable[None]) -> None:
    """A queue tries again when a password does not fit; who typed it shall hear of it.  Raises Problem."""
    try:
        await beginning
    except TryLater as problem:
        if problem.reason is Reason.AUTH_FAILED:
            raise Refused(problem.reason, problem.text) from problem
        raise


def _refused(answer: Heard) -> Failed:
    later = answer.code // 100 == 4 and answer.code != 450  # RFC 2645 7: 450 is a refusal
    return Failed(answer.text, code=Exit.LATER if later else Exit.REFUSED)


async def _serve(store: Store, settings: Config, client: Client) -> int:
    """Is the provider's server now; returns the number of messages taken."""
    from quintet.admin import joined
    from quintet.auth.service import AuthService
    from quintet.clock import SystemClock
    from quintet.delivery.inbound import Passage
    from quintet.net import single
    from quintet.net.seam import Peer
    from quintet.smtp.desk import Role

    clock, count = SystemClock(), 0
    way_in = joined.inbound(settings, store, clock)

    async def counted(_: Passage) -> None:
        nonlocal count
        count += 1

    way_in.steps = (*way_in.steps, counted)
    auth = AuthService(store, settings.auth, clock=clock)
    try:
        service = joined.smtp_service(settings, auth, way_in, role=Role.MX, clock=clock)
        peer = Peer(clock.token(5), client.address, client.port, listener="fetch", tls=client.tls)
        peer.local_address = client.local_address
        await single.resume(service, client, peer, net=settings.net)
    finally:
        await auth.close()
    return count
