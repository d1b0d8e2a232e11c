"""`quintet import` and `quintet export`: mail from and for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common, progress
from quintet.admin.cli.accounts import make_domains
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption

if TYPE_CHECKING:
    from quintet.admin.transfer.incoming import Incoming
    from quintet.admin.transfer.innconf.whole import Whole
    from quintet.admin.transfer.load import Result
    from quintet.config.root import Config
    from quintet.store.model import Account, Folder
    from quintet.store.store import Store

incoming = typer.Typer(
    help="Bring mail and news in: mbox, Maildir, .eml, INN. Run again after a stop: nothing comes twice.",
    no_args_is_help=True,
)
outgoing = typer.Typer(
    help="Write mail and news out: mbox, Maildir, rnews, INN. Goes on where it stopped.", no_args_is_help=True
)

AccountOption = Annotated[str, typer.Option("--account", "-a", help="Whose mail: alice@example.org.")]
FolderOption = Annotated[str, typer.Option("--folder", "-f", help="The folder it goes to.")]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Add a message even where the same bytes are in the folder already.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(incoming, name="import")
    app.add_typer(outgoing, name="export")


Read = Callable[[Callable[[int], None]], Iterator["Incoming"]]


@incoming.command("mbox")
def import_mbox(
    file: Annotated[Path, typer.Argument(help="An mbox file.", exists=True, dir_okay=False)],
    account: AccountOption,
    folder: FolderOption = "INBOX",
    again: AgainOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in an mbox file; flags come from Status and X-Status."""
    from quintet.admin.transfer import mbox

    _import(
        config,
        account,
        lambda step: mbox.read(file, folder, step),
        again,
        as_json,
        file.stat().st_size,
        "bytes",
    )


@incoming.command("maildir")
def import_maildir(
    directory: Annotated[
        Path, typer.Argument(help="A Maildir or Maildir++ tree.", exists=True, file_okay=False)
    ],
    account: AccountOption,
    again: AgainOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in a Maildir with its subfolders, flags and Dovecot's keywords."""
    from quintet.admin.transfer import maildir

    try:
        total = sum(
            len(list((path / sub).iterdir()))
            for path, _ in maildir.folders(directory)
            for sub in ("cur", "new")
        )
    except (ValueError, OSError) as error:
        raise Failed(str(error)) from error
    _import(config, account, lambda step: maildir.read(directory, step), again, as_json, total, "")


@incoming.command("eml")
def import_eml(
    paths: Annotated[
        list[Path], typer.Argument(help="Files of one message each, or folders of them.", exists=True)
    ],
    account: AccountOption,
    folder: FolderOption = "INBOX",
    again: AgainOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in single messages."""
    from quintet.admin.transfer import maildir

    _import(config, account, lambda step: maildir.single(paths, folder, step), again, as_json, None, "")


def _import(
    config: Path | None, name: str, read: Read, again: bool, as_json: bool, total: int | None, unit: str
) -> None:
    async def work(store: Store, _: Config) -> Result:
        from quintet.admin.transfer import load

        account = _account(store, name)
        with progress.bar("importing", total, quiet=as_json, unit=unit) as step:
            return await load.load(store, account.id, read(step), again=again)

    try:
        result = common.with_store(config, work)
    except (ValueError, OSError) as error:
        raise Failed(str(error)) from error
    text = f"{result.added} added, {result.present} already there"
    if result.failures:
        text += f", {result.failures} could not be read:\n" + "\n".join(f"  {line}" for line in result.failed)
    common.done(
        text,
        as_json,
        added=result.added,
        present=result.present,
        failures=result.failures,
        failed=result.failed,
    )
    if result.failures:
        raise typer.Exit(Exit.REFUSED)


FoldersOption = Annotated[
    list[str] | None,
    typer.Option("--folder", "-f", help="Only this folder; may be given again. Default: all."),
]


EtcOption = Annotated[
    Path | None,
    typer.Option(
        "--etc", help="INN's pathetc: what its files say is written to the configuration first, which must"
        " not be there yet.", exists=True, file_okay=False, show_default=False,
    ),
]  # fmt: skip


@incoming.command("inn-config")
def import_inn_config(
    etc: Annotated[
        Path, typer.Argument(help="INN's pathetc, with inn.conf: /etc/news.", exists=True, file_okay=False)
    ],
    write: Annotated[
        Path | None, typer.Option("--write", help="The file to write, new; default: standard output.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show INN's configuration as ours: inn.conf, newsfeeds, incoming.conf, readers.conf, expire.ctl..."""
    found = _read_inn(etc)
    if write is not None:
        _write_new(write, found.text)
    if as_json:
        common.emit(
            {
                "text": found.text, "notes": found.notes, "peers": found.peers, "access": found.access,
                "expire": found.expire, "written": write is not None,
            }
        )  # fmt: skip
        return
    for note in found.notes:
        typer.echo(f"quintet: {note}", err=True)
    if write is None:
        typer.echo(found.text, nl=False)
    else:
        typer.echo(_told(found, write))


def _told(found: Whole, path: Path) -> str:
    counts = (
        f"{found.peers} peers, {found.access} rules of access, {found.expire} rules of expiry,"
        f" {len(found.accounts)} accounts"
    )
    return f"{path} written: {counts}; {len(found.notes)} notes stand at its head"


def _read_inn(etc: Path) -> Whole:
    from quintet.admin.transfer.innconf import whole
    from quintet.config.load import ConfigError

    try:
        return whole.read(etc)
    except ConfigError as error:
        raise Failed(f"{etc}: what it says cannot be had here: {error}") from error
    except OSError as error:
        raise Failed(f"{error.filename or etc}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(str(error)) from error


def _write_new(path: Path, text: str) -> None:
    """Not for everybody: it may have passwords of peers."""
    import os

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    except FileExistsError:
        raise Failed(
            f"{path} is there already", "Without --etc an import goes on with it; or give another name."
        ) from None
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)


@incoming.command("inn")
def import_inn(
    db: Annotated[
        Path | None,
        typer.Option(
            "--db", help="INN's pathdb: active, newsgroups, history. Default: what inn.conf says, or"
            " /var/lib/news.", exists=True, file_okay=False, show_default=False,
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option(
            "--spool", help="INN's pathspool, with articles/. Default: what inn.conf says, or"
            " /var/spool/news.", exists=True, file_okay=False, show_default=False,
        ),
    ] = None,
    etc: EtcOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Bring over groups, articles (tradspool) and history of INN; numbers and arrival stay as they are.

    With --etc its configuration comes over as well, and everything by this one command.
    """
    found = None
    if etc is not None:
        found = _read_inn(etc)
        config = config or Path("quintet.toml")
        config = config / "quintet.toml" if config.is_dir() else config
        _write_new(config, found.text)
        if not as_json:
            for note in found.notes:
                typer.echo(f"quintet: {note}", err=True)
            typer.echo(_told(found, config))
        _make_accounts(found.accounts, config)
    result = _bring_inn(
        db or (found.db if found else Path("/var/lib/news")),
        spool or (found.spool if found else Path("/var/spool/news")),
        config,
        as_json,
    )
    if as_json:
        common.emit(
            {
                "groups": result.groups,
                "added": result.added,
                "present": result.present,
                "hashes": result.hashes,
                "failures": result.failures,
                "failed": result.failed,
                **({"notes": found.notes} if found else {}),
            }
        )
        return
    for text in result.failed:
        typer.echo(f"quintet: {text}", err=True)
    typer.echo(
        f"{result.groups} groups, {result.added} articles added, {result.present} already there,"
        f" {result.failures} failed"
    )
    if result.hashes:
        typer.echo(f"{result.hashes} ids of articles that are gone taken over, by their hashes")


def _make_accounts(pairs: list[tuple[str, str]], config: Path) -> None:
    """Accounts with the hashes of their passwords; their domains become ours."""

    async def work(store: Store, settings: Config) -> list[str]:
        from quintet.auth import admin

        await store.write(make_domains, sorted({name.rpartition("@")[2] for name, _ in pairs}))
        made = [one async for one in admin.load(store, pairs, settings.auth)]
        return [f"{one.name}: {one.problem}" for one in made if one.problem]

    if pairs:
        for text in common.with_store(config, work):
            typer.echo(f"quintet: {text}", err=True)


def _bring_inn(
    db: Path, spool: Path, config: Path | None, as_json: bool
) -> Any:  # Any: its Result is loaded late
    async def work(store: Store, _: Config) -> Any:  # Any: the same
        from quintet.admin.transfer import inn_load

        history = db / "history"
        total = history.stat().st_size if history.exists() else None
        with progress.bar("bringing over", total, quiet=as_json, unit="bytes") as step:
            try:
                return await inn_load.load(store, db, spool, step)
            except inn_load.HasArticles as error:
                raise Failed(
                    f"groups with articles of their own: {error}",
                    "INN's numbers can only be kept in groups that are new or empty here.",
                ) from error
            except ValueError as error:
                raise Failed(str(error)) from error

    try:
        return common.with_store(config, work)
    except OSError as error:
        raise Failed(f"{error.filename or db}: {error.strerror}", code=Exit.LATER) from error


@outgoing.command("inn")
def export_inn(
    target: Annotated[Path, typer.Argument(help="A directory; db and spool are written there.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write groups, articles and history for INN: db (pathdb) and spool (tradspool)."""

    async def work(store: Store, _: Config) -> Any:  # Any: its Result is loaded late
        from quintet.admin.transfer import inn_dump
        from quintet.store import history

        count = await store.read(history.count)
        with progress.bar("writing", count, quiet=as_json) as step:
            return await inn_dump.dump(store, target, step)

    try:
        result = common.with_store(config, work)
    except OSError as error:
        raise Failed(f"{error.filename or target}: {error.strerror}", code=Exit.LATER) from error
    common.done(
        f"{result.groups} groups, {result.articles} articles and {result.ids} ids written to {target};"
        " now makedbz -i -o and makehistory -x -O",
        as_json,
        groups=result.groups,
        articles=result.articles,
        ids=result.ids,
    )


@outgoing.command("rnews")
def export_rnews(
    target: Annotated[Path, typer.Argument(help="The file to write; - is standard output.")],
    pattern: Annotated[
        str, typer.Option("--groups", "-g", help='Articles of groups that match: "comp.*,!comp.x".')
    ] = "*",
    days: Annotated[
        float | None, typer.Option("--days", help="Only what arrived within so many days.", min=0)
    ] = None,
    compress: Annotated[str, typer.Option("--compress", help="none, gzip or bzip2.")] = "none",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write articles as a batch for rnews, in the order of arrival, each once."""
    from quintet.admin.transfer import rnews_dump
    from quintet.errors import BadSyntax
    from quintet.policy.wildmat import wildmat

    if compress not in rnews_dump.KINDS:
        raise Failed(f"no such compression: {compress}", "none, gzip or bzip2", Exit.USAGE)
    try:
        wanted = wildmat(pattern)
    except BadSyntax as error:
        raise Failed(error.text, code=Exit.USAGE) from error

    async def work(store: Store, _: Config) -> int:
        since = 0 if days is None else store.clock.now() - round(days * 86_400_000)
        with progress.bar("writing", None, quiet=as_json) as step:
            return await rnews_dump.dump(store, target, wanted, since, compress, step)

    try:
        written = common.with_store(config, work)
    except OSError as error:
        raise Failed(f"{error.filename or target}: {error.strerror}", code=Exit.LATER) from error
    if str(target) != "-":
        common.done(f"{written} articles written to {target}", as_json, written=written, target=str(target))


@outgoing.command("mbox")
def export_mbox(
    target: Annotated[Path, typer.Argument(help="A directory: one file a folder is written there.")],
    account: AccountOption,
    folder: FoldersOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one mbox file a folder; "/" in a folder's name becomes a subdirectory."""

    async def one(store: Store, place: Folder, step: Callable[[int], None]) -> int:
        from quintet.admin.transfer import dump

        file = target / f"{place.name}.mbox"
        file.parent.mkdir(parents=True, exist_ok=True)
        return await dump.to_mbox(store, place, file, step)

    _export(config, account, folder, target, one, as_json)


@outgoing.command("maildir")
def export_maildir(
    target: Annotated[Path, typer.Argument(help="The Maildir to write; made when it is missing.")],
    account: AccountOption,
    folder: FoldersOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a Maildir++ tree; what was exported before keeps its file."""

    async def one(store: Store, place: Folder, step: Callable[[int], None]) -> int:
        from quintet.admin.transfer import dump

        return await dump.to_maildir(store, place, target, step)

    _export(config, account, folder, target, one, as_json)


def _export(
    config: Path | None, name: str, wanted: list[str] | None, target: Path, one: Any, as_json: bool
) -> None:  # Any: one of the two functions above
    async def work(store: Store, _: Config) -> int:
        from quintet.store import folders
        from quintet.store.model import FolderKind

        account = _account(store, name)
        places = [f for f in await store.read(folders.listing, account.id) if f.kind != FolderKind.ITEM]
        missing = set(wanted or ()) - {place.name for place in places}
        if missing:
            raise Failed(
                f"no such folder: {', '.join(sorted(missing))}", f"`quintet account show {name}` lists them."
            )
        places = [place for place in places if not wanted or place.name in wanted]
        target.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 (before anything runs beside it)
        with progress.bar("exporting", sum(place.messages for place in places), quiet=as_json) as step:
            return sum([await one(store, place, step) for place in places])

    try:
        written = common.with_store(config, work)
    except OSError as error:
        raise Failed(f"{error.filename or target}: {error.strerror}", code=Exit.LATER) from error
    common.done(f"{written} messages written to {target}", as_json, written=written, target=str(target))


def _account(store: Store, name: str) -> Account:
    from quintet.store import accounts

    found = store.peek(accounts.find, name)
    if found is None:
        raise Failed(f"no account {name}", "`quintet account list` shows who is there.")
    return found
