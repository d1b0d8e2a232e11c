"""`quintet check`, `backup`, `restore`, `reindex`: is it sound, keep a copy, bring it back, derive anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quintet.admin.cli import common, progress
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

SECRETS = (
    "auth.key",
    "cancel-lock.key",
    "self-signed.pem",
    "certs",
)  # beside the database, and worth keeping
ALL = 1 << 40  # blobs: `check --all` hashes every one


def register(app: typer.Typer) -> None:
    app.command("check")(check)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("reindex")(reindex)


def check(
    everything: Annotated[
        bool, typer.Option("--all", help="Hash every body, not a sample; takes long.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the numbered invariants of the store; may run beside the server."""

    async def work(store: Store, _: Config) -> list[str]:
        return await store.read(_broken, store, everything)

    broken = common.with_store(config, work)
    if as_json:
        common.emit({"sound": not broken, "broken": broken})
    elif broken:
        typer.echo("\n".join(broken))
    else:
        typer.echo("sound: every invariant holds")
    if broken:
        raise typer.Exit(Exit.REFUSED)


def _broken(tx: Tx, store: Store, everything: bool) -> list[str]:
    from quintet.store import check as invariants

    return invariants.everything(tx, store.blobs, **({"sample": ALL} if everything else {}))


def backup(
    directory: Annotated[
        Path, typer.Argument(help="Where the copy goes: a directory that holds no backup yet.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy everything, consistent, while the server runs: database, large bodies, keys, configuration."""
    settings = common.load(config)
    bodies = _copied("backing up", settings.data, directory, as_json, back=False)
    shutil.copy2(common.config_path(config), directory / "quintet.toml")
    common.done(
        f"backed up to {directory}: the database and {bodies} large bodies",
        as_json,
        directory=str(directory),
        bodies=bodies,
    )


def restore(
    directory: Annotated[Path, typer.Argument(help="A backup.", exists=True, file_okay=False)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into the (empty) data directory of the configuration; it is checked first."""
    settings = common.load(config)
    bodies = _copied("restoring", directory, settings.data, as_json, back=True)
    common.done(
        f"restored to {settings.data}: the database and {bodies} large bodies",
        as_json,
        directory=str(settings.data),
        bodies=bodies,
    )


def _copied(label: str, source: Path, target: Path, quiet: bool, *, back: bool) -> int:
    from quintet.store import backup as copies
    from quintet.store.db import TROUBLE

    shown = 0
    troubles: tuple[type[BaseException], ...] = (ValueError, OSError, *TROUBLE)
    with progress.bar(label, None, quiet=quiet) as step:

        def tell(_: str, done: int, total: int) -> None:
            nonlocal shown
            if done < shown:
                shown = 0  # the next thing is counted
            step(done - shown)
            shown = done

        try:
            bodies = (copies.restore if back else copies.copy)(source, target, tell)
        except copies.NotEmpty as error:
            raise Failed(
                f"{error}: holds data already", "Name an empty directory, or move that one away."
            ) from error
        except troubles as error:
            raise Failed(f"{label} failed: {error}", code=Exit.LATER) from error
    for name in SECRETS:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).exists():
            shutil.copy2(source / name, target / name)
    return bodies


def reindex(
    what: Annotated[
        str, typer.Argument(help="search, digests, or all: what is derived from the bodies.")
    ] = "all",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Derive anew: the search index, or digests and ready answers of every message; while serving."""
    if what not in ("all", "search", "digests"):
        raise Failed(f"{what}: expected all, search or digests", code=Exit.USAGE)

    async def work(store: Store, _: Config) -> dict[str, int]:
        from quintet.store import digests, search

        done: dict[str, int] = {}
        for name, run in (("digests", digests.rebuild), ("search", search.rebuild)):
            if what in ("all", name):
                with progress.bar(name, None, quiet=as_json) as step:
                    before = 0

                    def tell(count: int, step: progress.Step = step) -> None:
                        nonlocal before
                        step(count - before)
                        before = count

                    done[name] = await run(store, tell)
        return done

    done = common.with_store(config, work)
    text = ", ".join(f"{name} of {count} messages" for name, count in done.items())
    common.done(f"derived anew: {text}", as_json, **done)
