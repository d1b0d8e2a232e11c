"""`quintet policy query`: what the tables of a configuration say, as `postmap -q` has it.

Files are read as they are now, each table is asked for itself; what a server makes of all of them together
is `whither`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.delivery.routetables import Way
    from quintet.policy.acts import Act
    from quintet.store.accounts import Resolved
    from quintet.store.store import Store

Ask = Callable[[], str]  # what a table says; "": nothing
Answers = Iterator[tuple[str, str, Ask]]  # the table as the configuration names it, its file


def query(
    text: Annotated[
        str,
        typer.Argument(help="An address, a domain, a host's name or address, <>, or a line of a message."),
    ],
    name: Annotated[str, typer.Option(help="The client's name, where the text is its address.")] = "",
    line: Annotated[
        bool, typer.Option("--line", help="The text is a line of a message, as one with a space always is.")
    ] = False,
    table: Annotated[
        str, typer.Option(help="Ask only tables whose option begins so, such as policy.access.0 or rewrite.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what access tables, tables of routes, canonical ones, aliases, header and body checks say."""

    async def work(store: Store, settings: Config) -> list[dict[str, Any]]:
        found = _lines(settings, text) if line or " " in text else _tables(settings, store, text, name)
        rows, asked = [], False
        for option, file, ask in found:
            if not option.startswith(table):
                continue
            asked = True
            if says := _says(option, file, ask):
                rows.append({"table": option, "says": says, "file": file})
        if table and not asked:
            raise Failed(f"no table {table!r} is asked about {text!r}", "`quintet config show` shows them.")
        return rows

    found = common.with_store(config, work)
    common.table(found, ["table", "says", "file"], as_json, empty=f"no table says anything of {text}")
    if not found:
        raise typer.Exit(Exit.REFUSED)


def _says(option: str, file: str, ask: Ask) -> str:
    """Raises Failed."""
    from quintet.errors import Problem

    try:
        return ask()
    except OSError as error:
        raise Failed(f"{option}: {file} cannot be read: {error.strerror}", code=Exit.CONFIG) from error
    except ValueError as error:
        raise Failed(f"{option}: {file}: {error}", code=Exit.CONFIG) from error
    except Problem as error:
        raise Failed(f"{option}: {file}: {error}") from error


def _tables(settings: Config, store: Store, text: str, name: str) -> Answers:
    yield from _access(settings, text, name)
    yield from _routes(settings, text)
    if "@" in text:
        yield from _names(settings, store, text)


def _access(settings: Config, text: str, name: str) -> Answers:
    from quintet.delivery import accesschecks
    from quintet.policy import accesstable

    box = _box(text)
    for at, one in enumerate(settings.policy.access):
        option, file = f"policy.access.{at}", one.file

        def ask(of: str = one.of, file: str = file) -> str:
            table = accesstable.read(_text(file))
            if of == "client":
                number = accesstable.is_address(text)
                found = accesschecks.of_client(table, text if number else "", name if number else text)
            elif of == "helo":
                found = accesschecks.of_helo(table, text)
            else:
                found = accesschecks.of_box(table, box)
            return _act(found)

        if ("@" in text or text == accesstable.NULL) is (one.of in ("sender", "recipient")):
            yield f"{option} ({one.of})", file, ask


def _routes(settings: Config, text: str) -> Answers:
    from quintet.delivery import routetables
    from quintet.delivery.envelope import Mailbox

    box = _box(text)
    for name, route in settings.queue.routes.items():
        if not route.table or (route.table_of == "sender" and "@" not in text and text != "<>"):
            continue

        def ask(kind: str = route.table_of, file: str = route.table) -> str:
            table = routetables.of_kind(kind)(_text(file))
            if kind == "sender":
                return _way(routetables.of_sender(table, box))
            return _way(routetables.of_recipient(table, box if "@" in text else Mailbox("", text.lower())))

        yield f"queue.routes.{name}.table", route.table, ask


def _names(settings: Config, store: Store, text: str) -> Answers:
    from quintet.config.rewrite import MAPS
    from quintet.delivery import addressmap
    from quintet.delivery.directory import Directory
    from quintet.store import accounts
    from quintet.store.db import Tx

    box = _box(text)
    ours = Directory(store, store.clock).is_local
    for name in MAPS:
        entries, file = settings.rewrite.of(name)

        def inside(entries: dict[str, str] = entries) -> str:
            return str(addressmap.of(entries).find(box, ours) or "")

        def beside(file: str = file) -> str:
            return str(addressmap.read(_text(file)).find(box, ours) or "")

        if entries:
            yield f"rewrite.{name}", "", inside
        if file:
            yield f"rewrite.{name}_file", file, beside

    def alias(tx: Tx) -> str:
        found = accounts.resolve(tx, box.local, box.domain)
        return "" if found is None else _leads(found)

    yield "alias", "", lambda: store.peek(alias)


def _lines(settings: Config, text: str) -> Answers:
    from quintet.config.access import FILES
    from quintet.delivery import contentchecks
    from quintet.policy.accesstable import filled

    for name in FILES:
        file = getattr(settings.policy.content, name)

        def ask(file: str = file) -> str:
            found = contentchecks.read(_text(file)).find(text)
            return "" if found is None else _act(filled(found.result, found))

        if file:
            yield f"policy.content.{name}", file, ask


def _leads(found: Resolved) -> str:
    if found.account is not None:
        to = found.account.name
    elif found.moved is not None:
        to = found.moved
    else:
        to = ", ".join(found.forward) or found.group or found.role
    return f"{found.kind} {to}".rstrip()


def _box(text: str) -> Any:  # delivery.envelope.Mailbox, which is loaded late
    from quintet.delivery.envelope import NULL, mailbox

    return NULL if text == "<>" else mailbox(text)


def _text(file: str) -> str:
    return Path(file).read_text("utf-8")


def _act(act: Act | None) -> str:
    if act is None:
        return ""
    code = f"{act.code} {act.enhanced}" if act.code else ""
    return " ".join(each for each in (act.do.value.upper(), code, act.text) if each)


def _way(way: Way | None) -> str:
    if way is None:
        return ""
    if way.via == "next":
        return "the next route"
    return " ".join(each for each in (way.via, way.name, ", ".join(way.hosts), way.status, way.text) if each)
