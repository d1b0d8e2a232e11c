"""`quintet smtp`: one SMTP session over whatever carries bytes, or one batch file; it needs no server.

Both work beside a running server, over the same store.
"""

from __future__ import annotations

import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common, stdio
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from quintet.config.root import Config
    from quintet.smtp.batch import Told
    from quintet.smtp.desk import Role
    from quintet.smtp.service import SmtpService
    from quintet.store.store import Store


def smtp(
    on_stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak on standard input and output: for ssh, inetd, a pipe.")
    ] = False,
    batch: Annotated[
        Path | None,
        typer.Option(
            help="Take a file of batch SMTP (RFC 2442), - for standard input, bare or with a MIME header of "
            "application/batch-SMTP; report each reply."
        ),
    ] = None,
    lmtp: Annotated[bool, typer.Option("--lmtp", help="LMTP: local delivery, a status a recipient.")] = False,
    submission: Annotated[
        bool,
        typer.Option(
            "--submission", help="As a mail program: a local user sends to anybody without a password."
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve one SMTP session without a server, or take a batch file; what is accepted is in the store."""
    if on_stdio == (batch is not None) or (lmtp and submission):
        raise Failed(
            "which?", "Give --stdio or --batch FILE; and --lmtp or --submission, or none.", Exit.USAGE
        )
    if on_stdio:
        serve_stdio(config, lmtp=lmtp, submission=submission)
    else:
        assert batch is not None
        _take_batch(config, batch, as_json, lmtp=lmtp, submission=submission)


def register(app: typer.Typer) -> None:
    app.command("smtp")(smtp)


def role_of(*, lmtp: bool, submission: bool) -> Role:
    from quintet.smtp.desk import Role  # brings the store

    return Role.LMTP if lmtp else Role.SUBMISSION if submission else Role.MX


# --- a session --------------------------------------------------------------------------------------


def serve_stdio(config: Path | None, *, lmtp: bool = False, submission: bool = False) -> None:
    """Serves what standard input is: a connection, a listening socket (inetd's "wait"), or pipes."""
    stdio.keep_errors_apart()
    role = role_of(lmtp=lmtp, submission=submission)

    async def work(store: Store, settings: Config) -> None:
        await _with_services(store, settings, role, _serve)

    common.with_store(config, work)


async def _serve(service: SmtpService, settings: Config, context: Any) -> None:
    await stdio.serve(door_for(service, settings, context))


def door_for(service: SmtpService, settings: Config, context: Any = None) -> stdio.Door:
    """Only a submission is believed to be the local user's: who has ``ssh`` to a gate for mail to us may not
    send on to others."""
    local = service.name == "submission"
    return stdio.Door(
        service,
        settings,
        service.desk.clock,
        context,
        user=stdio.local_user() if local else "",
        local_users=local,
    )


async def _with_services(
    store: Store, settings: Config, role: Role, work: Callable[[SmtpService, Config, Any], Any]
) -> None:
    """Makes what a session needs, of the same configuration as the server's."""
    from quintet.admin import joined
    from quintet.admin.certificates import Certificates
    from quintet.auth.service import AuthService
    from quintet.clock import SystemClock

    clock = SystemClock()
    certificates = Certificates(settings, clock=clock, first=False)
    auth = AuthService(store, settings.auth, clock=clock)
    tls = certificates.contexts.available
    try:
        way_in = joined.inbound(settings, store, clock)
        service = joined.smtp_service(settings, auth, way_in, role=role, clock=clock, starttls=tls)
        await work(service, settings, certificates.contexts.giver("smtp") if tls else None)
    finally:
        await auth.close()


# --- a batch ----------------------------------------------------------------------------------------


def _take_batch(
    config: Path | None, path: Path, as_json: bool, *, lmtp: bool = False, submission: bool = False
) -> None:
    """The report goes to standard output; the exit code tells the worst of it."""
    import asyncio
    import dataclasses

    from quintet import log
    from quintet.errors import Refused
    from quintet.smtp.batch import Batch
    from quintet.smtp.labelled import unwrapped
    from quintet.smtp.undelivered import Undelivered

    log.configure("warning")  # the report says the rest
    role = role_of(lmtp=lmtp, submission=submission)
    try:
        number = stdio.STDIN if str(path) == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    told: list[Told] = []
    accepted = reports = 0

    async def read(size: int) -> bytes:
        return await asyncio.to_thread(os.read, number, size)

    async def take(service: SmtpService, settings: Config, _: Any) -> None:
        nonlocal accepted, reports
        desk = service.desk
        patient = dataclasses.replace(desk.config, max_errors=1_000_000, tarpit_s=0.0, greet_delay_s=0.0)
        service.desk = dataclasses.replace(desk, config=patient, starttls=False)
        undelivered = Undelivered(desk.inbound, desk.terms)
        try:
            commands = await unwrapped(read)
        except Refused as problem:
            raise Failed(f"{path}: {problem}", code=Exit.REFUSED) from problem
        found = Batch(service, door_for(service, settings).peer(), commands, undelivered)
        async with aclosing(found.run()) as replies:
            async for one in replies:
                told.append(one)
                if not as_json:
                    typer.echo(f"{one.number} {one.command} -> {_brief(one)}")
        accepted, reports = found.accepted, undelivered.reports

    async def work(store: Store, settings: Config) -> None:
        await _with_services(store, settings, role, take)

    try:
        common.with_store(config, work)
    finally:
        if number != stdio.STDIN:
            os.close(number)
    _report(told, accepted, reports, as_json)


def _brief(one: Told) -> str:
    """Of a success the last line; of anything else all."""
    if not one.text:
        return "not answered: the file ends within it"
    return one.text.rpartition("\r\n")[2] if one.code < 400 else one.text.replace("\r\n", "; ")


def _report(told: list[Told], accepted: int, reports: int, as_json: bool) -> None:
    refused, put_off = sum(one.refused for one in told), sum(one.put_off for one in told)
    if as_json:
        replies = [
            {"number": one.number, "command": one.command, "code": one.code, "reply": one.text}
            for one in told
        ]
        common.emit(
            {
                "accepted": accepted,
                "refused": refused,
                "put_off": put_off,
                "reports": reports,
                "replies": replies,
            }
        )
    else:
        sys.stdout.flush()
        typer.echo(f"{accepted} messages accepted, {refused} commands refused, {put_off} put off")
        if reports:
            typer.echo(f"{reports} reports to senders")
    if refused:
        raise typer.Exit(Exit.REFUSED)
    if put_off:
        raise typer.Exit(Exit.LATER)
