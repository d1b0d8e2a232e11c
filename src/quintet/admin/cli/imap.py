"""`quintet imap`: one IMAP session over whatever carries bytes: a mail program's tunnel, ssh, inetd.

It works beside a running server or without one, over the same store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quintet.admin.cli import common, stdio
from quintet.admin.cli.common import ConfigOption, Exit, Failed

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.store import Store


def imap(
    on_stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak on standard input and output: for a tunnel, ssh, inetd.")
    ] = False,
    user: Annotated[
        str,
        typer.Option(help="Whose mailboxes; the login name of who runs this by default.", show_default=False),
    ] = "",
    login: Annotated[bool, typer.Option("--login", help="Ask for a password, as on a port.")] = False,
    config: ConfigOption = None,
) -> None:
    """Serve one IMAP session without a server: logged in already (PREAUTH), as who may open the store may be.

    Over a network connection that inetd passed on it asks for a password all the same.
    """
    if not on_stdio or (user and login):
        raise Failed("which?", "Give --stdio, with --user NAME or --login or neither.", Exit.USAGE)
    stdio.keep_errors_apart()
    who = "" if login else user or stdio.local_user()

    async def work(store: Store, settings: Config) -> None:
        await _serve(store, settings, who)

    common.with_store(config, work)


def register(app: typer.Typer) -> None:
    app.command("imap")(imap)


async def _serve(store: Store, settings: Config, who: str) -> None:
    """Makes what a session needs, of the same configuration as the server's; serves it."""
    from quintet.admin import joined
    from quintet.admin.certificates import Certificates
    from quintet.auth.service import AuthService
    from quintet.clock import SystemClock

    clock = SystemClock()
    certificates = Certificates(settings, clock=clock, first=False)
    auth = AuthService(store, settings.auth, clock=clock)
    tls = certificates.contexts.available
    try:
        rules = joined.rules_of(settings, store, clock)
        way_in = joined.inbound(settings, store, clock, rules)
        office = joined.post_office(settings, store, clock, way_in, rules)
        service = joined.imap_service(settings, store, auth, office, clock=clock, starttls=tls)
        context = certificates.contexts.giver("imap") if tls else None
        await stdio.serve(stdio.Door(service, settings, clock, context, user=who))
        await service.close()
    finally:
        await auth.close()
