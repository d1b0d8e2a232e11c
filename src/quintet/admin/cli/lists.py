"""`quintet list`: mailing lists, their members, and posts that wait for an owner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

T = TypeVar("T")

STEP = 500  # members written in one transaction

noun = typer.Typer(help="Mailing lists and their members.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The list: talk@example.org.")]
Members = Annotated[
    list[str], typer.Argument(help="Addresses of members; - reads them from standard input, one a line.")
]
Title = Annotated[str | None, typer.Option("--title", help="Its name for people.")]
Owners = Annotated[list[str] | None, typer.Option("--owner", help="Who runs it; may be repeated.")]
Post = Annotated[str | None, typer.Option("--post", help="Who may post at once: anyone, members, owners.")]
Others = Annotated[str | None, typer.Option("--others", help="Posts of the rest: moderate, refuse.")]
Joining = Annotated[str | None, typer.Option("--joining", help="By mail: confirm, closed.")]
ReplyTo = Annotated[
    str | None, typer.Option("--reply-to", help="Where answers go: author, or list (adds Reply-To).")
]
Tag = Annotated[str | None, typer.Option("--tag", help="Word put before subjects in brackets; empty: none.")]
MaxSize = Annotated[str | None, typer.Option("--max-size", help='Largest post, as "1 MB"; 0 for no limit.')]
MaxBounces = Annotated[
    int | None,
    typer.Option("--max-bounces", help="Days with bounces after which a member is off; 0: never.", min=0),
]


Rewrite = Annotated[
    str | None,
    typer.Option(
        "--rewrite",
        help="From, where DMARC would have posts refused: no, munge (the list's, the author in Reply-To), "
        "wrap (the list's, the post inside). New lists munge.",
    ),
]
RewriteWhen = Annotated[
    str | None,
    typer.Option("--rewrite-when", help="policy: the author's domain asks for refusal; always."),
]


@noun.command()
def add(
    address: Address,
    owner: Annotated[list[str], typer.Option("--owner", help="Who runs it; may be repeated.")],
    title: Title = None,
    post: Post = None,
    others: Others = None,
    joining: Joining = None,
    reply_to: ReplyTo = None,
    tag: Tag = None,
    max_size: MaxSize = None,
    max_bounces: MaxBounces = None,
    rewrite: Rewrite = None,
    rewrite_when: RewriteWhen = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a list, with its addresses -request, -owner, -bounces, -subscribe, -unsubscribe and -confirm."""
    values = _values(None, title, post, others, joining, reply_to, tag, max_size, max_bounces)
    values |= _rewriting(rewrite or "munge", rewrite_when)

    def make(tx: Tx) -> dict[str, Any]:
        from quintet.store import lists

        made = lists.create(tx, address, owner)
        lists.change(tx, made.id, **values)
        return _row(tx, made.address)

    row = _done(config, make)
    common.done(f"list {row['list']} made", as_json, **row)


@noun.command("set")
def change(
    address: Address,
    owner: Owners = None,
    title: Title = None,
    post: Post = None,
    others: Others = None,
    joining: Joining = None,
    reply_to: ReplyTo = None,
    tag: Tag = None,
    max_size: MaxSize = None,
    max_bounces: MaxBounces = None,
    rewrite: Rewrite = None,
    rewrite_when: RewriteWhen = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a list."""
    values = _values(owner, title, post, others, joining, reply_to, tag, max_size, max_bounces)
    values |= _rewriting(rewrite, rewrite_when)

    def work(tx: Tx) -> dict[str, Any]:
        from quintet.store import lists

        lists.change(tx, lists.get(tx, address).id, **values)
        return _row(tx, address)

    common.record(_done(config, work), as_json)


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all lists, and how many get their posts."""

    def work(tx: Tx) -> list[dict[str, Any]]:
        from quintet.store import lists

        return [
            {"list": one.address, "title": one.title, "post": one.post, "members": count}
            for one, count in lists.listing(tx)
        ]

    common.table(
        _done(config, work), ["list", "title", "post", "members"], as_json, empty="no mailing lists yet"
    )


@noun.command()
def show(address: Address, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a list: its rules, its members, and posts that wait."""

    def work(tx: Tx) -> dict[str, Any]:
        from quintet.store import lists

        found = lists.get(tx, address)
        members: list[dict[str, Any]] = []
        page = lists.members(tx, found.id)
        while page:
            members += [{"address": one.address, "state": one.state, "bounces": one.bounces} for one in page]
            page = lists.members(tx, found.id, after=page[-1].id)
        waiting = [{"number": one.id, "sender": one.sender} for one in lists.held(tx, found)]
        return {**_row(tx, address), "waiting": waiting, "members": members}

    common.record(_done(config, work), as_json)


@noun.command()
def remove(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a list with its members and addresses."""

    def cut(tx: Tx) -> int:
        from quintet.store import lists

        return lists.remove(tx, lists.get(tx, address).id)

    common.remove_whole("list", address, "members", cut, config, as_json, yes=yes)


@noun.command()
def subscribe(
    address: Address, members: Members, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Put addresses on a list without asking them; who was off gets posts again."""

    def step(tx: Tx, some: Sequence[str]) -> int:
        from quintet.store import lists

        number = lists.get(tx, address).id
        return sum([lists.join(tx, number, one) for one in some])

    count = _in_steps(config, members, step)
    common.done(f"{count} added to {address}", as_json, list=address, added=count)


@noun.command()
def unsubscribe(
    address: Address,
    members: Members,
    pause: Annotated[bool, typer.Option("--pause", help="Leave them on, but send nothing.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take addresses off a list."""

    def step(tx: Tx, some: Sequence[str]) -> int:
        from quintet.store import lists

        number = lists.get(tx, address).id
        if pause:
            for one in some:
                lists.pause(tx, number, one)
            return len(some)
        return sum([lists.leave(tx, number, one) for one in some])

    count = _in_steps(config, members, step)
    word = "paused on" if pause else "taken off"
    common.done(f"{count} {word} {address}", as_json, list=address, taken=count)


@noun.command()
def decide(
    address: Address,
    number: Annotated[int, typer.Argument(help="The post, as `quintet list show` numbers it.")],
    reject: Annotated[bool, typer.Option("--reject", help="Throw it away.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a post that waits go out, or throw it away."""

    def work(tx: Tx) -> bool:
        from quintet.store import lists

        return (lists.reject if reject else lists.approve)(tx, lists.get(tx, address), number)

    if not _done(config, work):
        raise Failed(f"no post {number} waits for {address}", f"`quintet list show {address}` lists them.")
    common.done(f"post {number} {'thrown away' if reject else 'goes out'}", as_json, number=number)


# --- parts ---------------------------------------------------------------------------------------


def _done(config: Path | None, work: Callable[[Tx], T]) -> T:
    """One transaction on the store."""

    async def inside(store: Store, _: Config) -> T:
        return await store.write(work)

    return common.with_store(config, inside)


def _in_steps(config: Path | None, members: Sequence[str], step: Callable[[Tx, Sequence[str]], int]) -> int:
    """Members some at a time: a server beside us has its turn in between."""
    if list(members) == ["-"]:
        lines = (line.strip() for line in common.lines_of(Path("-")))
        members = [line for line in lines if line and not line.startswith("#")]

    async def inside(store: Store, _: Config) -> int:
        count = 0
        for start in range(0, len(members), STEP):
            count += await store.write(step, members[start : start + STEP])
        return count

    return common.with_store(config, inside)


def _values(
    owner: list[str] | None,
    title: str | None,
    post: str | None,
    others: str | None,
    joining: str | None,
    reply_to: str | None,
    tag: str | None,
    max_size: str | None,
    max_bounces: int | None,
) -> dict[str, str | int]:
    """Columns that were given."""
    from quintet.store import lists

    if reply_to not in (None, "author", "list"):
        raise Failed(f"no such reply-to: {reply_to}", "There are author, list.", Exit.USAGE)
    given: dict[str, str | int | None] = {
        "owners": " ".join(map(lists.normal, owner)) if owner else None,
        "title": title,
        "post": post,
        "others": others,
        "joining": joining,
        "reply_to": "" if reply_to == "author" else reply_to,
        "tag": tag,
        "max_size": common.size(max_size),
        "max_bounces": max_bounces,
    }
    return {name: value for name, value in given.items() if value is not None}


def _rewriting(rewrite: str | None, when: str | None) -> dict[str, str | int]:
    """The columns about From that were given."""
    given = {"rewrite": rewrite, "rewrite_when": when}
    return {name: value for name, value in given.items() if value is not None}


def _row(tx: Tx, address: str) -> dict[str, Any]:
    from quintet.store import lists

    one = lists.get(tx, address)
    return {
        "list": one.address,
        "title": one.title,
        "owners": one.owners.split(),
        "post": one.post,
        "others": one.others,
        "joining": one.joining,
        "reply_to": one.reply_to or "author",
        "tag": one.tag,
        "max_size": one.max_size,
        "max_bounces": one.max_bounces,
        "rewrite": one.rewrite,
        "rewrite_when": one.rewrite_when,
    }


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="list")
