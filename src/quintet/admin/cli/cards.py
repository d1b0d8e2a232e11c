"""`quintet account card`: what the address book says of somebody beside name and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from quintet.admin.cli import common
from quintet.admin.cli.common import ConfigOption, Exit, Failed, JsonOption
from quintet.admin.cli.ways import Name

if TYPE_CHECKING:
    from quintet.config.root import Config
    from quintet.store.db import Tx
    from quintet.store.store import Store

FIELDS: Final = {  # what people call a property
    "given-name": "GivenName",
    "surname": "Surname",
    "nickname": "Nickname",
    "title": "Title",
    "company": "CompanyName",
    "department": "DepartmentName",
    "office": "OfficeLocation",
    "assistant": "Assistant",
    "phone": "BusinessTelephoneNumber",
    "home-phone": "HomeTelephoneNumber",
    "mobile": "MobileTelephoneNumber",
    "fax": "PrimaryFaxNumber",
    "street": "StreetAddress",
    "city": "Locality",
    "state": "StateOrProvince",
    "postal-code": "PostalCode",
    "country": "Country",
    "web": "BusinessHomePage",
    "notes": "Comment",
    "phonetic-name": "AddressBookPhoneticDisplayName",
}


def card(
    name: Name,
    values: Annotated[
        list[str] | None,
        typer.Argument(help='What it says, as title="Head of sales"; without a value it is taken away.'),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change what the address book says of an account: title, department, telephone numbers..."""
    wanted = dict(map(_pair, values or ()))

    async def work(store: Store, _: Config) -> dict[str, Any]:
        if wanted:
            await store.write(_change, name, wanted)
        return await store.read(_shown, name)

    common.record(common.with_store(config, work), as_json)


def _pair(text: str) -> tuple[str, str]:
    """Raises Failed: no field that a card has, or too much for one."""
    from quintet.mapi.nspi.changes import MAX_TEXT  # it knows the properties

    key, equals, value = text.partition("=")
    if not equals or key not in FIELDS:
        raise Failed(
            f"{text!r} is nothing that a card says", f"One of {', '.join(FIELDS)}, and =.", Exit.USAGE
        )
    if len(value) > MAX_TEXT:
        raise Failed(f"{key} is too long", f"{MAX_TEXT} characters at most.", Exit.USAGE)
    return key, value


def _change(tx: Tx, name: str, wanted: dict[str, str]) -> None:
    from quintet.admin.cli.accounts import find
    from quintet.mapi.nspi import consts, entries
    from quintet.store import directory

    tags = {key: consts.of(FIELDS[key]) for key in wanted}
    kept = entries.write_card({tags[key]: value for key, value in wanted.items() if value})
    directory.set_card(tx, find(tx, name).id, kept, [tags[key] for key, value in wanted.items() if not value])


def _shown(tx: Tx, name: str) -> dict[str, Any]:
    from quintet.admin.cli.accounts import find
    from quintet.mapi.nspi import consts, entries
    from quintet.store import directory

    account = find(tx, name)
    found = entries.read_card(directory.card(tx, account.id))
    said = {key: found[tag] for key, field in FIELDS.items() if (tag := consts.of(field)) in found}
    return {"account": account.name, "display_name": account.display_name, **said}
