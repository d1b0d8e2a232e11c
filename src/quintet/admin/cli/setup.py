"""`quintet init`: a directory with an annotated configuration, ready to be edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import Failed, JsonOption


def init(
    folder: Annotated[Path, typer.Argument(help="Directory to make, or an empty one.")],
    hostname: Annotated[str, typer.Option(help="The server's name; default: this machine's.")] = "",
    postmaster: Annotated[
        str, typer.Option(help="Account that gets mail for postmaster, which every domain must take.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a quintet.toml that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write DIR/quintet.toml with every option explained."""
    import socket

    from quintet.config import describe

    path = folder / "quintet.toml"
    if path.exists() and not force:
        raise Failed(f"{path} is there already", "--force writes over it.")
    name = hostname or socket.getfqdn()
    chosen = {"server.hostname": name, **({"smtp.postmaster": postmaster} if postmaster else {})}
    text = describe.annotated(chosen)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    common.done(
        f"{path} written. Next:\n"
        f"  quintet domain add example.org -c {path}\n"
        f"  quintet account add you@example.org -c {path}\n"
        f"  quintet serve -c {path}",
        as_json,
        file=str(path),
        hostname=name,
    )


def register(app: typer.Typer) -> None:
    app.command("init")(init)
