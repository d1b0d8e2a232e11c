"""`quintet account`: who is here, their passwords, their room."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import cards, common, ways
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.model import Account
    from quintet.store.store import Store

WHOLE = 1000  # messages of an account that goes, in one transaction at most: others wait for its end

noun = typer.Typer(help="Who is here: accounts, passwords, quotas.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Login name, usually an address: alice@example.org.")]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        "--password",
        help="The password; '-' reads one line from standard input. Default: asks, or makes one.",
    ),
]
QuotaOption = Annotated[
    str | None, typer.Option("--quota", help='Room for messages, as "5 GB"; 0 for no limit.')
]
MessagesOption = Annotated[
    int | None, typer.Option("--messages", help="Most messages; 0 for no limit.", min=0)
]


class Mdn(enum.StrEnum):
    """RFC 8098 2.1: who decides about receipts."""

    NEVER = "never"
    ASK = "ask"
    ALWAYS = "always"


@noun.command()
def add(
    name: Name,
    password: PasswordOption = None,
    display: Annotated[str, typer.Option("--display-name", help="The person's name.")] = "",
    quota: QuotaOption = None,
    messages: MessagesOption = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Nobody's own: others are given rights in its folders.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account with its usual folders; its domain becomes ours if it is not yet."""
    room = common.size(quota) or 0
    if shared and password is not None:
        raise Failed("nobody logs in as a shared account", "Leave the password out.", Exit.USAGE)
    made = "" if shared or password is not None or sys.stdin.isatty() else _fresh()
    secret = "" if shared else made or _secret(password)

    async def work(store: Store, settings: Config) -> str:
        from quintet.auth import admin

        account = await store.write(_create, name, display, room, messages or 0, shared)
        if not shared:
            await admin.set_password(store, account.id, secret, settings.auth)
        return account.name

    added = common.with_store(config, work)
    text = f"account {added} made" + (f", password {made}" if made else "")
    common.done(text, as_json, account=added, **({"password": made} if made else {}))


@noun.command("list")
def listing(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all accounts."""

    async def work(store: Store, _: Config) -> list[dict[str, Any]]:
        from quintet.store import accounts

        return [_row(account) for account in await store.read(accounts.listing)]

    rows = common.with_store(config, work)
    if not as_json:
        for row in rows:
            row["used"], row["quota"] = common.amount(row["used_bytes"]), _quota(row["quota_bytes"])
    common.table(rows, ["name", "display_name", "kind", "messages", "used", "quota", "disabled"], as_json)


@noun.command()
def show(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one account: addresses, folders, passwords (never their text)."""

    async def work(store: Store, _: Config) -> dict[str, Any]:
        return await store.read(_details, name)

    details = common.with_store(config, work)
    common.record(details, as_json)


@noun.command("set-password")
def set_password(
    name: Name, password: PasswordOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Give an account a new password; app passwords stay."""
    secret = _secret(password)

    async def work(store: Store, settings: Config) -> None:
        from quintet.auth import admin

        account = store.peek(find, name)
        await admin.set_password(store, account.id, secret, settings.auth)

    common.with_store(config, work)
    common.done(f"password of {name} set", as_json, account=name)


@noun.command("set")
def change(
    name: Name,
    display: Annotated[str | None, typer.Option("--display-name", help="The person's name.")] = None,
    quota: QuotaOption = None,
    messages: MessagesOption = None,
    disabled: Annotated[
        bool | None, typer.Option("--disabled/--enabled", help="Refuse logins, or allow them again.")
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", help='What reports to it are written in, as "de"; "" for none.'),
    ] = None,
    mdn: Annotated[
        Mdn | None,
        typer.Option(
            "--mdn", help="Receipts for mail it reads: never, its program asks, or always by the server."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an account: its name for people, its room, its language, whether it may log in."""
    room = common.size(quota)

    async def work(store: Store, _: Config) -> dict[str, Any]:
        from quintet.store import accounts

        account = store.peek(find, name)
        return _row(
            await store.write(
                accounts.change,
                account.id,
                display_name=display,
                quota_bytes=room,
                quota_messages=messages,
                disabled=disabled,
                language=language,
                mdn=None if mdn is None else mdn.value,
            )
        )

    common.record(common.with_store(config, work), as_json)


@noun.command("app-password")
def app_password(
    name: Name,
    label: Annotated[str, typer.Argument(help="What it is for: phone, laptop.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Protocol it works for; may be repeated. Default: all."),
    ] = None,
    days: Annotated[int, typer.Option(help="Days until it ends; 0 for never.", min=0)] = 0,
    remove_it: Annotated[bool, typer.Option("--remove", help="Take it away instead.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a password for one device, shown once; or take one away."""

    async def work(store: Store, settings: Config) -> str:
        from quintet.auth import admin

        account = store.peek(find, name)
        if remove_it:
            if not await admin.remove_app_password(store, account.id, label):
                raise Failed(
                    f"{name} has no app password {label!r}", f"`quintet account show {name}` lists them."
                )
            return ""
        expires = store.clock.now() + days * 86_400_000 if days else 0
        return await admin.add_app_password(
            store, account.id, label, tuple(scope or ()), expires, settings.auth
        )

    made = common.with_store(config, work)
    if remove_it:
        common.done(f"app password {label} of {name} removed", as_json, account=name, label=label)
    else:
        common.done(
            f"app password {label} of {name}: {made}", as_json, account=name, label=label, password=made
        )


@noun.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an account with all its mail."""
    had = 0

    async def strip(store: Store) -> None:
        from quintet.imap.pace import Pace
        from quintet.store import emptying

        nonlocal had
        account = await store.read(find, name)
        had = account.used_messages
        pace = Pace(had + 1, 0, WHOLE)  # with none left there may be what can be had back
        while await pace.write(store, pace.size, emptying.strip, account.id, pace.size):
            pass

    def cut(tx: Tx) -> int:
        from quintet.store import accounts

        account = find(tx, name)
        accounts.remove(tx, account.id)
        return max(had, account.used_messages)

    common.remove_whole("account", name, "messages", cut, config, as_json, yes=yes, first=strip)


@noun.command()
def load(
    file: Annotated[Path, typer.Argument(help="Lines of address TAB password; '-' is standard input.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make many accounts from a file, or give those that are there a new password.

    A password in the form {SCHEME}hash is taken over as another system stored it.
    """

    async def work(store: Store, settings: Config) -> tuple[int, int, list[dict[str, str]]]:
        from quintet.admin.cli import progress
        from quintet.auth import admin

        pairs = list(_pairs(file))
        await store.write(make_domains, sorted({name.rpartition("@")[2] for name, _ in pairs if "@" in name}))
        made, changed, wrong = 0, 0, []
        with progress.bar("accounts", len(pairs), quiet=as_json) as step:
            async for each in admin.load(store, pairs, settings.auth):
                if each.problem:
                    wrong.append({"account": each.name, "problem": each.problem})
                elif each.made:
                    made += 1
                else:
                    changed += 1
                step(1)
        return made, changed, wrong

    made, changed, wrong = common.with_store(config, work)
    common.done(
        f"{made} accounts made, {changed} given a new password, {len(wrong)} refused",
        as_json,
        made=made,
        changed=changed,
        refused=wrong,
    )
    if wrong:
        for each in wrong[:20]:
            typer.echo(f"  {each['account']}: {each['problem']}", err=True)
        raise typer.Exit(Exit.REFUSED)


# --- parts ---------------------------------------------------------------------------------------


def find(tx: Tx, name: str) -> Account:
    """An account by name.  Raises Refused(NO_SUCH_ACCOUNT)."""
    from quintet.errors import Reason, Refused
    from quintet.store import accounts

    account = accounts.find(tx, name)
    if account is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT, name)
    return account


def _create(tx: Tx, name: str, display: str, quota: int, messages: int, shared: bool) -> Account:
    from quintet.store import accounts
    from quintet.store.model import AccountKind

    make_domains(tx, [name.rpartition("@")[2]] if "@" in name else [])
    kind = AccountKind.SHARED if shared else AccountKind.PERSON
    return accounts.create(tx, name, kind, display, quota, messages)


def make_domains(tx: Tx, names: list[str]) -> None:
    """Makes these domains ours where they are not yet."""
    from quintet.store import accounts

    for name in names:
        if not accounts.is_local(tx, name):
            accounts.add_domain(tx, name)


def _details(tx: Tx, name: str) -> dict[str, Any]:
    from quintet.store import accounts, folders, senders, teams

    account = find(tx, name)
    return {
        **_row(account),
        "created": common.moment(account.created_at),
        "forward": account.forward.split(),
        "keeps_a_copy": account.keep_copy,
        "may_send_as": senders.listing(tx, account.id),
        "teams": teams.of(tx, account.id),
        "addresses": [f"{each.address} ({each.kind})" for each in accounts.addresses(tx, account.id)],
        "credentials": [
            {
                "kind": each.kind,
                "name": each.name,
                "scopes": list(each.scopes),
                "expires": common.moment(each.expires_at),
                "last_used": common.moment(each.last_used_at),
            }
            for each in accounts.credentials(tx, account.id)
        ],
        "folders": [
            {"folder": each.name, "messages": each.messages, "unseen": each.unseen, "bytes": each.bytes}
            for each in folders.listing(tx, account.id)
        ],
    }


def _row(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "display_name": account.display_name,
        "kind": account.kind,
        "messages": account.used_messages,
        "used_bytes": account.used_bytes,
        "quota_bytes": account.quota_bytes,
        "quota_messages": account.quota_messages,
        "disabled": account.disabled,
        "language": account.language,
        "mdn": account.mdn,
    }


def _quota(size: int) -> str:
    return common.amount(size) if size else ""


def _secret(given: str | None) -> str:
    """The password that was given, read from standard input, or asked for twice."""
    if given == "-":
        secret = sys.stdin.readline().rstrip("\r\n")
    elif given is not None:
        secret = given
    elif sys.stdin.isatty():
        secret = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        raise Failed("no password given", "Use --password, or --password - to read it.", Exit.USAGE)
    if not secret:
        raise Failed("the password is empty", code=Exit.USAGE)
    return secret


def _fresh() -> str:
    from quintet.auth import passwords

    return passwords.new_app_password()


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(common.lines_of(file), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, tab, secret = line.partition("\t")
        if not tab or not name.strip() or not secret:
            raise Failed(f"{file}:{number}: expected address TAB password")
        yield name.strip(), secret


def register(app: typer.Typer) -> None:
    noun.command("card")(cards.card)
    noun.command("forward")(ways.forward)
    noun.command("send-as")(ways.send_as)
    app.add_typer(noun, name="account")
