"""`quintet demo`: a whole server with people, letters and articles, on ports that need no rights."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import Exit, Failed

if TYPE_CHECKING:
    from quintet.config.listeners import Listener
    from quintet.config.root import Config
    from quintet.store.store import Store

HOSTNAME = "mail.example.org"
WRITTEN = ".quintet.toml.sha256"  # beside it: of what a demonstration wrote

ELSEWHERE = """
[queue.routes.elsewhere]
via = "error"
text = "this is a demonstration: it sends nothing to the world"
"""


def demo(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Where everything is kept; started again, it goes on there.")
    ] = Path("quintet-demo"),
    port_base: Annotated[
        int, typer.Option(help="Added to each standard port: 10025 is SMTP, 10143 IMAP.", min=1, max=64500)
    ] = 10000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
) -> None:
    """Start a server to play with: accounts alice, bob and carol, groups, letters, articles."""
    path = data / "quintet.toml"
    try:
        edited = _edited(path)
        if edited:
            port_base, host = _where(common.load(path), port_base, host)
        _check_ports(host, port_base)
        if not edited:
            _write(path, port_base, host)
    except OSError as error:
        raise Failed(f"{error.filename or data}: {error.strerror}") from error
    added = common.with_store(path, _furnish)
    banner = _banner(common.load(path), path, port_base, host, added)
    if edited:
        banner += f"\n{path} was changed by hand and is used as it is; without it a new one is written."
    context.obj(path, workers, banner)


async def _furnish(store: Store, config: Config) -> int:
    from quintet.admin.demo.furnish import furnish

    return await furnish(store, config.auth)


def _listeners(base: int, host: str) -> dict[str, Listener]:
    import dataclasses

    from quintet.config.listeners import STANDARD

    return {each.name: dataclasses.replace(each, address=host, port=base + each.port) for each in STANDARD}


def _check_ports(host: str, base: int) -> None:
    """Raises Failed when a port is taken: before anything is written."""
    for name, each in _listeners(base, host).items():
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0" if host == "*" else host, each.port))  # noqa: S104 - what * means
            except OSError as error:
                raise Failed(
                    f"cannot listen on {host} port {each.port} ({name}): {error.strerror}",
                    "Another demo may be running; --port-base 20000 takes other ports.",
                    Exit.LATER,
                ) from error


def _edited(path: Path) -> bool:
    """Somebody changed the configuration since a demonstration wrote it.  Raises OSError."""
    written = path.with_name(WRITTEN)
    if not path.exists() or not written.exists():
        return False
    return written.read_text(encoding="ascii", errors="replace") != _digest(path.read_bytes())


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _where(config: Config, base: int, host: str) -> tuple[int, str]:
    """What the first of the usual listeners adds to its port, and its address; as asked for without one."""
    for name, usual in _listeners(0, host).items():
        if (listener := config.listeners.get(name)) is not None:
            return listener.port - usual.port, listener.address
    return base, host


def _write(path: Path, base: int, host: str) -> None:
    """The configuration, anew at each start so that ports and options of this version are in it."""
    from quintet.admin.demo.furnish import PATH_HOST
    from quintet.config import describe

    text = describe.annotated(
        {
            "server.hostname": HOSTNAME,
            "nntp.path_host": PATH_HOST,
            "server.workers": 1,
            "store.data": "data",
            "auth.default_domain": "example.org",
            "smtp.postmaster": "alice@example.org",
        },
        _listeners(base, host),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = (text + ELSEWHERE).encode()
    path.write_bytes(whole)
    path.with_name(WRITTEN).write_text(_digest(whole), encoding="ascii")


def _banner(config: Config, path: Path, base: int, host: str, added: int) -> str:
    """What is shown when the ports answer: where to connect, as whom, and what to type first."""
    import io
    import sys

    from rich.console import Console
    from rich.table import Table

    shown = "127.0.0.1" if host == "*" else host
    table = Table(title="Quintet demo", title_justify="left", title_style="bold")
    for column in ("to", "protocol", "port", "with TLS"):
        table.add_column(column, justify="right" if "port" in column else "left")
    rows = (
        ("read mail", "IMAP", 143, 993),
        ("", "POP3", 110, 995),
        ("send mail", "submission", 587, 465),
        ("", "SMTP (as a server)", 25, 0),
        ("", "LMTP", 24, 0),
        ("read and post news", "NNTP", 119, 563),
        ("look around", "HTTP", 80, 443),
    )
    for purpose, protocol, port, secure in rows:
        table.add_row(purpose, protocol, str(base + port), str(base + secure) if secure else "")
    out = io.StringIO()
    console = Console(file=out, force_terminal=sys.stdout.isatty(), width=88, highlight=False)
    console.print(table)
    state = f"{added} letters and articles put in." if added else "Everything is as you left it."
    for text in (
        f"Host {shown}. The certificate is self-signed.",
        "Accounts [bold]alice@example.org[/], bob@example.org, carol@example.org; password [bold]demo[/].",
        f"Groups local.test, local.announce (moderated), comp.lang.python. {state}",
    ):
        console.print(text, soft_wrap=True)
    console.print("\nTry:", style="bold")
    for line in (
        f"curl --user alice@example.org:demo 'imap://{shown}:{base + 143}/INBOX;MAILINDEX=1'",
        (
            "printf 'Subject: hello\\n\\nFirst letter.\\n' | curl --crlf --mail-from bob@example.org "
            f"--mail-rcpt alice@example.org -T - smtp://{shown}:{base + 25}"
        ),
        f"quintet account list -c {path}",
    ):
        console.print(f"  {line}", soft_wrap=True, markup=False)
    console.print(f"\nEverything is kept in {config.data.parent.resolve()}. Ctrl-C ends it.", soft_wrap=True)
    return out.getvalue().rstrip("\n")


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
