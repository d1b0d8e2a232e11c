"""The table of services in docs/mapi-api.md says what each gives and is able to do."""

from __future__ import annotations

import re
from pathlib import Path

from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Can
from quintet.mapi.providers.imap import ImapBoxes
from quintet.mapi.providers.ldapbook import LdapBook
from quintet.mapi.providers.local.book import LocalBook
from quintet.mapi.providers.local.store import LocalStore
from quintet.mapi.providers.maildir import Maildir
from quintet.mapi.providers.mboxes import Mbox
from quintet.mapi.providers.membook import MemoryBook
from quintet.mapi.providers.memstore import MemoryStore
from quintet.mapi.providers.mh import Mh
from quintet.mapi.providers.pop3 import Maildrop
from quintet.mapi.providers.vcards import CardBook
from quintet.mapi.providers.wire.book import WireBook
from quintet.mapi.providers.wire.store import WireStore

PAGE = Path(__file__).resolve().parents[4] / "docs" / "mapi-api.md"
ROW = re.compile(r"\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|")
STORES = {
    "QUINTET": LocalStore.can,
    "MAPIHTTP": WireStore.can,
    "MEMORY": MemoryStore.can,
    "NNTP": Can.READ_MARKS,
    "IMAP": ImapBoxes.can | Can.NOTIFY,
    "POP3": Maildrop.can | Can.NOTIFY,
    "MAILDIR": Maildir.can | Can.NOTIFY,
    "MBOX": Mbox.can | Can.NOTIFY,
    "MH": Mh.can | Can.NOTIFY,
}
BOOKS = {
    "QUINTET": LocalBook.can,
    "MAPIHTTP": WireBook.can,
    "MEMORY": MemoryBook.can & ~Can.NOTIFY,
    "LDAP": LdapBook.can,
    "VCARD": CardBook.can,
}


def words(flags: Can) -> str:
    return ", ".join((one.name or "").lower().replace("_", " ") for one in flags) or "-"


def row(name: str) -> tuple[str, ...]:
    """What the table must say of a service."""
    service = registry.get(name)
    gives = ", ".join(one for one in ("store", "book", "transport") if one in service.resources)
    return (
        name,
        service.title,
        gives,
        words(STORES.get(name, Can.NOTHING)),
        words(BOOKS.get(name, Can.NOTHING)),
    )


def test_table_of_services_is_right() -> None:
    table = {found[1]: tuple(found.groups()) for found in ROW.finditer(PAGE.read_text("utf-8"))}
    assert table == {name: row(name) for name in registry.OWN}


def test_flags_stand_by_the_parts_that_have_them() -> None:
    for name in registry.OWN:
        resources = registry.get(name).resources
        assert (name in STORES, name in BOOKS) == ("store" in resources, "book" in resources)
