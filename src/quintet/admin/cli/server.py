"""`quintet serve`, `status`, `reload`, `migrate`: the server as a whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption


def serve(
    context: typer.Context,
    config: ConfigOption = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; default: as the file says, else one for each core.", min=1)
    ] = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C; SIGHUP reads the file again."""
    path = common.config_path(config)
    common.load(path)  # a mistake is told here, in words
    context.obj(path, workers, "")


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show whether the server runs, its workers, ports and connections."""
    import asyncio

    from quintet.admin import control

    settings = common.load(config)
    answers = asyncio.run(control.tell(settings.data, {"do": "status"}))
    answers = [answer for answer in answers if answer.get("ok")]
    if as_json:
        common.emit({"running": bool(answers), "workers": answers})
    elif not answers:
        typer.echo("not running")
    else:
        _show(answers)
    if not answers:
        raise typer.Exit(Exit.LATER)


def _show(answers: list[dict[str, Any]]) -> None:
    first = answers[0]
    since = min(answer["started_at"] for answer in answers)
    hours, rest = divmod(max(0, round(time.time() - since / 1000)), 3600)
    typer.echo(
        f"{first['hostname']}: Quintet {first['version']}, {len(answers)} worker(s), "
        f"up {hours} h {rest // 60} min, processes {common.cell([answer['pid'] for answer in answers])}"
    )
    totals: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for each in answer["listeners"]:
            row = totals.setdefault(
                each["name"], {"listener": each["name"], "port": each["port"], "connections": 0}
            )
            row["connections"] += each["connections"]
    common.table(totals.values(), ["listener", "port", "connections"], as_json=False)


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let the running server take the changed configuration; no connection is dropped."""
    import asyncio

    from quintet.admin import control

    settings = common.load(config)  # a mistake is told here, and the server is not even asked
    answers = asyncio.run(control.tell(settings.data, {"do": "reload"}))
    if not answers:
        raise Failed("no server runs on this data directory", "`quintet serve` starts one.", Exit.LATER)
    failed = [answer for answer in answers if not answer.get("ok")]
    if failed:
        texts = failed[0].get("faults") or [failed[0].get("error", "refused")]
        raise Failed("\n".join(texts), "The old configuration stays in force.", Exit.CONFIG)
    taken, restart = answers[0]["taken"], answers[0]["restart"]
    if as_json:
        common.emit({"workers": len(answers), "taken": taken, "restart": restart})
        return
    typer.echo(f"taken by {len(answers)} worker(s): {', '.join(taken) or 'nothing changed'}")
    if restart:
        typer.echo(f"needs a restart: {', '.join(restart)}")


def migrate(
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Only try it, on a copy of the database.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the store to this program's schema; `serve` does it by itself at its start."""
    settings = common.load(config)
    if not (settings.data / "quintet.db").is_file():
        raise Failed(
            f"{settings.data}: no store here yet", "`quintet serve` or `quintet account add` makes it."
        )
    steps = _rehearse(settings.data) if rehearse else _migrate(config)
    what = "would be applied" if rehearse else "applied"
    common.done(
        f"{what}: {', '.join(steps)}" if steps else "the store is up to date",
        as_json,
        steps=steps,
        rehearsed=rehearse,
    )


def _rehearse(data: Path) -> list[str]:
    import apsw

    from quintet.store import migrate as steps

    try:
        return steps.rehearse(data, time.time_ns() // 1_000_000)
    except steps.TooNew as error:
        raise Failed(str(error), "Use a newer Quintet for this data.") from error
    except apsw.Error as error:
        raise Failed(f"the rehearsal failed: {error}", "The store is as it was.") from error


def _migrate(config: Path | None) -> list[str]:
    settings = common.load(config)
    applied: list[str] = []
    if (settings.data / "quintet.db").is_file():
        applied = _rehearse(settings.data)

    async def work(*_: Any) -> None:
        return None  # opening it is all

    common.with_store(config, work)
    return applied


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("status")(status)
    app.command("reload")(reload)
    app.command("migrate")(migrate)
