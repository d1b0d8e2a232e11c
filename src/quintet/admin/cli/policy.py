"""`quintet policy`: rates that mail is held to, and who is over them; what tables say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quintet.admin.cli import common, tablequery
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

noun = typer.Typer(help="Rates that mail is held to; what tables say.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="An address, a network, an account or a domain, as the log names it.")
]


@noun.command()
def show(name: Name = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the rates and how full the buckets of a name are, or of all who had to wait lately."""
    answers = _tell(config, {"do": "policy", "what": "show", "name": name})
    limits = answers[0]["limits"]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in answers:  # workers count together, but each remembers for itself who had to wait
        found.update({(each["rate"], each["name"]): each for each in answer["buckets"]})
    buckets = [found[key] for key in sorted(found)]
    if as_json:
        common.emit({"limits": limits, "buckets": buckets})
        return
    common.table(limits, ["rate", "limit", "window_s", "in_use"], False, empty="no rates are configured")
    if not limits:
        return
    typer.echo("")
    for each in buckets:
        each["used"], each["wait_s"] = round(each["used"], 1), round(each["wait_s"], 1)
    nobody = f"nothing is counted for {name}" if name else "nobody had to wait"
    common.table(buckets, ["rate", "name", "used", "limit", "wait_s"], False, empty=nobody)


@noun.command()
def reset(
    name: Name = "",
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's buckets.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Empty the buckets of a name, and forget its failed logins."""
    if bool(name) == everybody:
        raise Failed("give a name or --all", "", Exit.USAGE)
    _tell(config, {"do": "policy", "what": "reset", "name": name})
    common.done(f"forgotten: {name or 'everybody'}", as_json, name=name)


def _tell(config: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of all workers; Failed when no server runs."""
    import asyncio

    from quintet.admin import control

    answers = asyncio.run(control.tell(common.load(config).data, request))
    good = [answer for answer in answers if answer.get("ok")]
    if not good:
        text = str(answers[0].get("error")) if answers else "the server does not run"
        raise Failed(text, "Rates are counted while it runs.", Exit.LATER)
    return good


def register(app: typer.Typer) -> None:
    noun.command("query")(tablequery.query)
    app.add_typer(noun, name="policy")
