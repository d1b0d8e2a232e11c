"""`quintet dkim`: keys that sign the mail of our domains, and the records that tell others about them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config

noun = typer.Typer(help="Keys that sign our mail (DKIM), and their DNS records.", no_args_is_help=True)

MAX_STRING = 255  # octets of one string of a TXT record (RFC 1035 3.3.14)

_NO_KEYS = re.compile(r"(?m)^dkim[ \t]*=[ \t]*\[\][ \t]*\n")  # where a file spells out all defaults


@noun.command()
def make(
    domain: Annotated[str, typer.Argument(help="Domain whose mail is signed.")],
    selector: Annotated[str, typer.Option(help="Name of the key; empty: of this month.")] = "",
    kind: Annotated[str, typer.Option(help="rsa, which everybody can check, or ed25519.")] = "rsa",
    bits: Annotated[int, typer.Option(min=1024, max=4096, help="Of an RSA key.")] = 2048,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key beside the configuration, add its block there, and show the DNS record."""
    from quintet.clock import SystemClock
    from quintet.config import root
    from quintet.delivery.ways import ascii_domain
    from quintet.policy import dkim

    if kind not in ("rsa", "ed25519"):
        raise Failed(f"{kind} is no kind of key", "Take rsa or ed25519.", Exit.USAGE)
    where, name = common.config_path(config), ascii_domain(domain.strip().rstrip("."))
    chosen = selector or _of_month(SystemClock().now(), kind)
    file = f"dkim/{name}.{chosen}.pem"
    if not dkim.is_selector(chosen):
        raise Failed(f"{chosen} cannot be the name of a key", "Letters, digits and hyphens.", Exit.USAGE)
    if (where.parent / file).exists():
        raise Failed(f"there is a key {file} already", "Give another one a --selector of its own.")
    block = f'[[dkim]]\ndomains = ["{name}"]\nselector = "{chosen}"\nkey = "{file}"\n'
    text = f"{_NO_KEYS.sub('', where.read_text('utf-8')).rstrip()}\n\n{block}"
    root.from_text(text, str(where), where.parent)  # raises ConfigError: with every fault of it
    key = dkim.generate(kind, bits)
    _write(where, where.parent / file, key.pem)
    common.replace_file(where, text)
    at = f"{chosen}._domainkey.{name}"
    if as_json:
        common.emit({"file": file, "block": block, "name": at, "record": key.record})
        return
    typer.echo(f"Made {where.parent / file}, and added to {where}:\n\n{block}")
    typer.echo(f"Publish first:\n\n{_zone(at, key.record)}\n")
    typer.echo(
        "Then `quintet dkim show --check` tells whether it is there, and `quintet reload` signs with it."
    )


@noun.command()
def show(
    check: Annotated[bool, typer.Option("--check", help="Ask the name service for each record.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the keys in use and the records that belong to them; exit code 1 when one is not published."""
    settings = common.load(config)
    rows = [row for one in settings.dkim for row in _rows(one.domains, one.selector, one.key)]
    if check:
        _check(settings, rows)
    if as_json:
        common.emit(rows)
    else:
        for row in rows:
            found = f"; {row['published']}" if check else ""
            typer.echo(f"; {row['kind']}, {row['key']}{found}\n{_zone(row['name'], row['record'])}\n")
        if not rows:
            typer.echo("no keys yet: `quintet dkim make DOMAIN`")
    if any(row["published"] != "published" for row in rows if check):
        raise typer.Exit(1)


def _rows(domains: tuple[str, ...], selector: str, file: str) -> list[dict[str, Any]]:
    from quintet.policy import dkim

    try:
        key = dkim.read(Path(file).read_text("ascii"))
    except (OSError, ValueError) as error:
        raise Failed(f"{file} cannot be used: {error}") from error
    return [
        {
            "name": f"{selector}._domainkey.{domain.lower()}",
            "kind": key.kind,
            "key": file,
            "record": key.record,
        }
        for domain in domains
    ]


def _check(settings: Config, rows: list[dict[str, Any]]) -> None:
    import asyncio

    from quintet.errors import TryLater
    from quintet.net.dns import Resolver

    async def ask() -> None:
        resolver = Resolver(settings.dns)
        for row in rows:
            try:
                found = await resolver.txt(row["name"])
            except TryLater as problem:
                row["published"] = f"the name service does not answer ({problem})"
                continue
            there = any(_key_of(text.decode("ascii", "replace")) == _key_of(row["record"]) for text in found)
            other = "another record is published" if found else "not published"
            row["published"] = "published" if there else other

    asyncio.run(ask())


def _key_of(record: str) -> str:
    """p= of a record (RFC 6376 3.6.1)."""
    tags = (tag.partition("=") for tag in "".join(record.split()).split(";"))
    return next((value for name, _, value in tags if name == "p"), "")


def _zone(name: str, record: str) -> str:
    """As a zone file has it: a TXT record is strings of a bounded length, which are put together."""
    strings = [record[at : at + MAX_STRING] for at in range(0, len(record), MAX_STRING)]
    return f"{name}. TXT " + " ".join(f'"{each}"' for each in strings)


def _of_month(now: int, kind: str) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(now / 1000, UTC):%Y%m}{kind[0]}"


def _write(config: Path, file: Path, pem: str) -> None:
    """For nobody but those who may read the configuration."""
    import os

    state = config.stat()
    file.parent.mkdir(exist_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as out:
        out.write(pem)
        os.fchmod(out.fileno(), state.st_mode & 0o640)
        if os.geteuid() == 0:
            os.fchown(out.fileno(), state.st_uid, state.st_gid)
            os.chown(file.parent, state.st_uid, state.st_gid)


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="dkim")
