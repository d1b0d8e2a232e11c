"""`quintet mapi`: profiles, mail, dates and people of any messaging system, through `quintet.mapi`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import Exit, Failed, JsonOption

if TYPE_CHECKING:
    import datetime

    from quintet.mapi.api import Folder, Item, Session

noun = typer.Typer(help="Mail, dates and people of any messaging system, by MAPI.", no_args_is_help=True)
profile = typer.Typer(help="Profiles: which systems you use, and how.", no_args_is_help=True)
noun.add_typer(profile, name="profile")

PROFILE = "QUINTET_MAPI_PROFILE"
FORMATS = ("eml", "mbox", "ics", "vcf", "msg")

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile", "-p", envvar=PROFILE, help="Which profile; the default one if none.", show_default=False
    ),
]
ServiceOption = Annotated[
    str | None,
    typer.Option("--service", help="A service instead of a profile: MAILDIR, IMAP, ...; see `services`."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of --service, name=value; may be repeated.")
]
FolderArgument = Annotated[
    str, typer.Argument(help="Path of a folder; empty: the Inbox.", show_default=False)
]


def register(app: typer.Typer) -> None:
    app.add_typer(noun, name="mapi")


# --- profiles and services --------------------------------------------------------------------------------


@noun.command()
def services(
    name: Annotated[str | None, typer.Argument(help="One of them, with its options.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the systems that can be reached, or what one of them wants to know."""
    from quintet.mapi.errors import MapiError
    from quintet.mapi.providers import registry

    if name is None:
        rows = [
            {"service": one.name, "title": one.title, "gives": sorted(one.resources)}
            for one in registry.every()
        ]
        common.table(rows, ("service", "title", "gives"), as_json)
        return
    try:
        found = registry.get(name)
    except MapiError as error:
        raise Failed(error.text, "`quintet mapi services` shows which there are.") from error
    options = [
        {
            "option": one.name,
            "default": "(must be given)" if one.default is None else one.default,
            "meaning": one.help,
        }
        for one in found.options
    ]
    common.table(options, ("option", "default", "meaning"), as_json)


@profile.command("list")
def profile_list(as_json: JsonOption = False) -> None:
    """Show your profiles."""
    book = _profiles().read()
    rows = [
        {
            "profile": name,
            "default": name == book.default,
            "services": [f"{each.service} ({each.title})" for each in one.services],
        }
        for name, one in sorted(book.profiles.items())
    ]
    common.table(
        rows,
        ("profile", "default", "services"),
        as_json,
        empty="no profiles; `quintet mapi profile add` makes one",
    )


@profile.command("add")
def profile_add(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    service: Annotated[str, typer.Argument(help="A system: see `quintet mapi services`.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Its settings, name=value.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Use it when none is named.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a profile, or add another system to one; it is tried before it is kept."""
    import uuid

    from quintet.mapi.core import dialog
    from quintet.mapi.core.profile import Profile, Used
    from quintet.mapi.errors import MapiError
    from quintet.mapi.providers import registry

    given = _settings(settings)
    try:
        offer = registry.get(service)
    except MapiError as error:
        raise Failed(error.text, "`quintet mapi services` shows which there are.") from error
    try:
        for option in offer.options if dialog.terminal() and not as_json else ():
            if option.secret and option.name not in given and option.default is None:
                given[option.name] = typer.prompt(f"{offer.title}, {option.help}", hide_input=True, err=True)
        registry.opened(offer.name, given).close()
    except MapiError as error:
        raise Failed(error.text, f"`quintet mapi services {offer.name}` shows its options.") from error
    with _profiles().change() as book:
        found = book.profiles.setdefault(name, Profile())
        found.services.append(Used(uuid.uuid4().bytes, offer.name, offer.title, given))
        if default or not book.default:
            book.default = name
    common.done(f"profile {name} has {offer.title}", as_json, profile=name, service=offer.name)


@profile.command("default")
def profile_default(name: Annotated[str, typer.Argument(help="Which.")], as_json: JsonOption = False) -> None:
    """Use a profile when none is named."""
    with _profiles().change() as book:
        if name not in book.profiles:
            raise Failed(f"no profile is called {name}", "`quintet mapi profile list` shows them.")
        book.default = name
    common.done(f"{name} is the default profile", as_json, profile=name)


@profile.command("remove")
def profile_remove(name: Annotated[str, typer.Argument(help="Which.")], as_json: JsonOption = False) -> None:
    """Remove a profile; the mail stays where it is."""
    with _profiles().change() as book:
        if book.profiles.pop(name, None) is None:
            raise Failed(f"no profile is called {name}", "`quintet mapi profile list` shows them.")
        if book.default == name:
            book.default = next(iter(sorted(book.profiles)), "")
    common.done(f"profile {name} removed", as_json, profile=name)


def _profiles() -> Any:  # Any: quintet.mapi.core.profile.Profiles, imported when needed
    from quintet.mapi.core.profile import Profiles

    return Profiles()


def _settings(given: list[str] | None) -> dict[str, str]:
    found = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise Failed(f"{each!r} is no setting", "Write it as name=value.", Exit.USAGE)
        found[name] = value
    return found


@contextlib.contextmanager
def _session(name: str | None, service: str | None, settings: list[str] | None) -> Iterator[Session]:
    """Opens the session that was asked for; what MAPI says against it becomes a sentence."""
    from quintet.mapi import api
    from quintet.mapi.core.errors import MAPIError
    from quintet.mapi.errors import MapiError

    hint = "" if service else "`quintet mapi profile list` shows your profiles, `... profile add` makes one."
    try:
        opened = api.connect(service, **_settings(settings)) if service else api.open(name)
    except MapiError as error:
        raise Failed(error.text, hint) from error
    with opened as session:
        try:
            yield session
        except (MapiError, MAPIError) as error:
            raise Failed(error.text or str(error)) from error
        except OSError as error:  # a file that was named
            raise Failed(f"{error.filename or 'file'}: {error.strerror or error}") from error


def _folder(session: Session, path: str) -> Folder:
    return session.store.folder(path) if path else session.store.inbox


def _time(at: datetime.datetime | None, as_json: bool = False) -> str:
    """Of this machine's clock; for programs with its zone (ISO 8601)."""
    if at is None:
        return ""
    local = at.astimezone()
    return local.isoformat() if as_json else local.strftime("%Y-%m-%d %H:%M")


def _there(session: Session, which: str) -> Folder | None:
    """The folder for dates or people, where there is one: to look for it makes none."""
    from quintet.mapi.providers.base import Special

    entry = session.store.special(Special(which)) if session.stores else None
    return None if entry is None else session.store.folder_of(entry)


# --- mail -------------------------------------------------------------------------------------------------


@noun.command()
def folders(
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the folders, and how much is in them."""
    with _session(name, service, settings) as session:
        rows = [
            {"folder": one.path, "kind": one.kind, "items": len(one), "unread": one.unread}
            for one in session.store.top.walk()
            if one.path
        ]
    common.table(rows, ("folder", "kind", "items", "unread"), as_json)


@noun.command("list")
def listing(
    folder: FolderArgument = "",
    search: Annotated[str | None, typer.Option("--search", help="Only items whose subject has this.")] = None,
    unread: Annotated[bool, typer.Option("--unread", help="Only what was not read.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most.", min=1)] = 20,
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the items of a folder, the newest first."""
    from quintet.mapi.api import Item

    with _session(name, service, settings) as session:
        items = _folder(session, folder).items(order="-received")
        place = {entry: number for number, entry in enumerate(items.ids(), 1)}
        if search:
            items = items.where(Item.subject.contains(search))
        rows = []
        for one in items:
            if unread and one.read:
                continue
            rows.append({
                "number": place.get(one.entry, 0),
                "received": _time(one.received, as_json),
                "from": one.sender_name or one.sender_address or "",
                "subject": one.subject or "",
                "read": one.read,
                "size": one.size or 0,
                "id": one.id,
            })  # fmt: skip
            if len(rows) >= limit:
                break
    shown = ("number", "received", "from", "subject", "read", "size")
    common.table(rows, shown, as_json, empty="nothing that fits" if place else "nothing here")


@noun.command()
def read(
    which: Annotated[str, typer.Argument(help="A number of `list` (1 is the newest), or an id.")],
    folder: Annotated[str, typer.Option("--folder", "-f", help="Of which folder the number is.")] = "",
    save: Annotated[
        Path | None, typer.Option("--save", help="Write its attachments into this directory.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="As MIME.")] = False,
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an item, and mark it as read."""
    import sys

    with _session(name, service, settings) as session:
        item = _item(session, folder, which)
        if raw and not as_json:
            sys.stdout.buffer.write(item.eml())
            return
        facts = {
            "id": item.id,
            "kind": item.kind,
            "from": str(item.sender or ""),
            "to": [str(one) for one in item.to],
            "cc": [str(one) for one in item.cc],
            "subject": item.subject or "",
            "received": _time(item.received, as_json),
            "attachments": [one.name for one in item.attachments if not one.inline],
        }
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            facts["saved"] = _saved(item, save)
        body = item.body or ""
        _mark_read(item)
    if as_json:
        common.emit({**facts, "body": body})
        return
    common.record({key: value for key, value in facts.items() if value and key != "id"}, False)
    typer.echo("\n" + common.printable(body).rstrip("\n"))


def _saved(item: Item, where: Path) -> list[str]:
    """The attachments as files; of those of one name the later ones have their number in front."""
    from quintet.mapi.plain import safe_name

    found: dict[Path, None] = {}
    for one in item.attachments:
        path = where / safe_name(one.name)
        found[one.save(where / f"{one.number}-{path.name}" if path in found else path)] = None
    return [str(path) for path in found]


def _mark_read(item: Item) -> None:
    """Where the system has marks, and we may set them."""
    from quintet.mapi.errors import Code, MapiError

    try:
        item.read = True
    except MapiError as error:
        if error.code not in (Code.NOT_SUPPORTED, Code.ACCESS_DENIED):
            raise


def _item(session: Session, folder: str, which: str) -> Item:
    if which.isdecimal() and len(which) < 9:
        ids = _folder(session, folder).items(order="-received").ids()
        if not 1 <= int(which) <= len(ids):
            raise Failed(f"there is no item {which}", "`quintet mapi list` numbers them.")
        return session.store.item(ids[int(which) - 1])
    from quintet.mapi.errors import Code, MapiError

    try:
        return session.store.item(which)
    except MapiError as error:
        if error.code != Code.INVALID_ENTRY_ID:
            raise
        raise Failed(f"{which!r} is no number and no id", code=Exit.USAGE) from error


@noun.command()
def send(
    to: Annotated[list[str], typer.Option("--to", help="Whom to; addresses, or names of the address book.")],
    subject: Annotated[str, typer.Option("--subject", "-s", help="What it is about.")] = "",
    text: Annotated[str, typer.Argument(help='The text; "-" reads it from standard input.')] = "-",
    cc: Annotated[list[str] | None, typer.Option("--cc", help="Copies to.")] = None,
    bcc: Annotated[list[str] | None, typer.Option("--bcc", help="Copies that nobody sees.")] = None,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", "-a", help="A file; may be repeated.")
    ] = None,
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a message."""
    import sys

    from quintet.mapi.api import Message

    body = sys.stdin.read() if text == "-" else text
    for path in attach or ():
        if not path.is_file():
            raise Failed(f"{path}: no such file")
    with _session(name, service, settings) as session:
        letter = session.store.new(Message)
        letter.subject, letter.body = subject, body
        letter.to, letter.cc, letter.bcc = to, cc or [], bcc or []
        for path in attach or ():
            letter.attachments.add(path)
        people = [str(one) for one in letter.recipients()]
        letter.send()
    common.done(f"sent to {', '.join(people)}", as_json, to=people, subject=subject)


# --- dates and people -------------------------------------------------------------------------------------


@noun.command()
def agenda(
    start: Annotated[str | None, typer.Option("--from", help="First day, 2026-11-30; today if none.")] = None,
    days: Annotated[int, typer.Option("--days", "-d", help="How many days.", min=1, max=3660)] = 7,
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in the calendar."""
    import datetime

    from quintet.mapi.api import between

    first = _day(start)
    with _session(name, service, settings) as session:
        calendar = _there(session, "calendar")
        until = first + datetime.timedelta(days=days)
        rows = [
            {
                "start": _time(one.start, as_json),
                "end": _time(one.end, as_json),
                "subject": one.subject,
                "location": one.location,
                "busy": one.busy.name.lower(),
                "with": [str(each) for each in one.item.required + one.item.optional],
            }
            for one in (between(calendar, first, until) if calendar else ())
        ]
    common.table(
        rows, ("start", "end", "subject", "location", "busy", "with"), as_json, empty="nothing to do"
    )


def _day(text: str | None) -> datetime.datetime:
    import datetime

    try:
        day = (
            datetime.datetime.now(datetime.UTC).astimezone().date()
            if text is None
            else datetime.date.fromisoformat(text)
        )
    except ValueError as error:
        raise Failed(f"{text!r} is no day", "Write it as 2026-11-30.", Exit.USAGE) from error
    return datetime.datetime.combine(day, datetime.time()).astimezone()


@noun.command()
def schedule(
    subject: Annotated[str, typer.Argument(help="What it is about.")],
    start: Annotated[
        str | None, typer.Option("--start", help="2026-11-30T14:00; without it a time is looked for.")
    ] = None,
    length: Annotated[int, typer.Option("--length", "-l", help="Minutes.", min=1, max=100_000)] = 60,
    people: Annotated[
        list[str] | None, typer.Option("--with", "-w", help="Whom to invite; may be repeated.")
    ] = None,
    location: Annotated[str, typer.Option("--location", help="Where.")] = "",
    repeat: Annotated[
        str | None, typer.Option("--repeat", help="A series: FREQ=WEEKLY;COUNT=10 (RFC 5545).")
    ] = None,
    within: Annotated[int, typer.Option("--within", help="Days to look for a time in.", min=1, max=366)] = 14,
    text: Annotated[str, typer.Option("--text", help="What the invited read.")] = "",
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put something into the calendar, and invite others to it."""
    import datetime

    from quintet.mapi.api import Appointment, calendars_of, find_times

    span = datetime.timedelta(minutes=length)
    with _session(name, service, settings) as session:
        invited = session.people(list(people or ()))
        if start is None:
            now = datetime.datetime.now(datetime.UTC).astimezone()
            begin = now.replace(minute=0, second=0, microsecond=0) + datetime.timedelta(hours=1)
            session.store.calendar  # made, if there is none yet  # noqa: B018
            known = calendars_of(session, [session.me, *invited])
            times = find_times(known, span, begin, begin + datetime.timedelta(days=within), most=1)
            if not times:
                raise Failed(f"no time within {within} days suits everybody", "Look further with --within.")
            at = times[0][0]
        else:
            try:
                at = datetime.datetime.fromisoformat(start).astimezone()
            except ValueError as error:
                raise Failed(f"{start!r} is no time", "Write it as 2026-11-30T14:00.", Exit.USAGE) from error
        made = session.store.calendar.create(
            Appointment, subject=subject, start=at, end=at + span, location=location, save=False
        )
        if text:
            made.body = text
        if repeat:
            made.recurrence = repeat
        made.required = invited
        made.save()
        if invited:
            made.invite(text)
        facts = {"subject": subject, "start": at.isoformat(), "with": [str(one) for one in invited]}
    common.done(f"{subject}: {_time(at)}, {length} minutes", as_json, **facts)


@noun.command()
def contacts(
    text: Annotated[
        str, typer.Argument(help="A name or the beginning of one; empty: the own contacts.")
    ] = "",
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show people: the own contacts, or whom a name means in all address books."""
    from quintet.mapi.api import Contact

    with _session(name, service, settings) as session:
        rows = [{"name": one.name, "address": one.address} for one in session.find(text)] if text else []
        folder = _there(session, "contacts")
        wanted = Contact.subject.contains(text) if text else None
        mine = folder.items(Contact, where=wanted, order="subject") if folder else ()
        rows += [{"name": one.name or "", "address": one.email} for one in mine]
    common.table(rows, ("name", "address"), as_json, empty="nobody")


@noun.command()
def export(
    where: Annotated[Path, typer.Argument(help="A directory (eml, msg), or a file (mbox, ics, vcf).")],
    folder: Annotated[str, typer.Option("--folder", "-f", help="Which folder; the Inbox if none.")] = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "eml",
    name: ProfileOption = None,
    service: ServiceOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the items of a folder into files; dates and tasks (ics), contacts and groups (vcf), or all."""
    if form not in FORMATS:
        raise Failed(f"no format {form!r}", f"One of {', '.join(FORMATS)}.", Exit.USAGE)
    with _session(name, service, settings) as session:
        count = _exported(_folder(session, folder), where, form)
    common.done(f"{count} items in {where}", as_json, items=count, file=str(where))


def _exported(folder: Folder, where: Path, form: str) -> int:
    import mailbox

    from quintet.mapi.api import Appointment, Contact, Group, Task
    from quintet.mapi.convert import calendars, cards

    count = 0
    if form not in ("eml", "msg") and where.is_file() and where.stat().st_size:
        raise Failed(f"{where} is there already", "Name a file that is not there yet.")
    if form in ("ics", "vcf"):
        kinds = (Appointment, Task) if form == "ics" else (Contact, Group)
        values = [item.values() for item in folder if isinstance(item, kinds)]
        written = calendars.write(values) if form == "ics" else cards.write(values)
        where.write_text(written, encoding="utf-8", newline="")
        return len(values)
    if form == "mbox":
        with contextlib.closing(mailbox.mbox(where)) as box:
            for item in folder.items(order="received"):
                box.add(item.eml().replace(b"\r\n", b"\n"))
                count += 1
        return count
    where.mkdir(parents=True, exist_ok=True)
    for count, item in enumerate(folder.items(order="received"), 1):
        (where / f"{count:06}.{form}").write_bytes(item.eml() if form == "eml" else item.msg())
    return count
