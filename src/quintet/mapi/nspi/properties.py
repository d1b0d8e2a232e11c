"""What each property of an entry is (MS-OXOABK 2.2.3 to 2.2.6), and rows of many of them made fast.

A table from property to function; a column list is compiled once a request into one function a column, so
that a row costs a call a value.  Text is natively Unicode but for the two properties that `NARROW` names.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Final

from quintet.mapi import ids, types
from quintet.mapi.errors import Code
from quintet.mapi.nspi import codepages, consts, names
from quintet.mapi.nspi.entries import Entry, Kind
from quintet.mapi.types import Error, Tag, Value
from quintet.values import dataclass

ABSENT: Final = Error(Code.NOT_FOUND)
_COMMENT: Final = consts.of("Comment")
_OF_KIND: Final = {
    Kind.LIST: consts.OBJECT_LIST, Kind.FORWARD: consts.OBJECT_LIST, Kind.TEAM: consts.OBJECT_LIST,
    Kind.GROUP: consts.OBJECT_FOLDER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class House:
    """What rows tell about the server, and what of their objects does not lie in the view."""

    server: uuid.UUID
    host: str
    more: Mapping[int, Mapping[Tag, Value]] = field(default_factory=dict)  # large properties, by account


Getter = Callable[[Entry, House], Value | None]


def _entry_id(entry: Entry, house: House) -> bytes:
    return names.permanent(entry.display_type, entry.dn)


def _search_key(entry: Entry, house: House) -> bytes:
    """A search key is ASCII; mail of other letters goes by its DN as well."""
    if entry.kind is Kind.CONTACT and entry.address.isascii():
        return f"{_address_type(entry, house)}:{_email(entry, house)}".upper().encode("ascii") + b"\0"
    return b"EX:" + entry.dn.upper().encode("ascii") + b"\0"


def _address_type(entry: Entry, house: House) -> str:
    """Contacts are no objects of ours: they are written to by their address."""
    return "SMTP" if entry.kind is Kind.CONTACT and entry.address else "EX"


def _email(entry: Entry, house: House) -> str:
    return entry.address if entry.kind is Kind.CONTACT and entry.address else entry.dn


def _proxies(entry: Entry, house: House) -> list[str] | None:
    """The primary address in capitals, as clients tell it by (MS-OXOABK 2.2.3.23)."""
    if not entry.address:
        return None
    return [f"SMTP:{entry.address}", *(f"smtp:{one}" for one in entry.others)]


def _display_type_ex(entry: Entry, house: House) -> int:
    """What stands on access lists here: accounts, and teams, which are nothing but groups of security."""
    if entry.is_account:
        return consts.ACL_CAPABLE | entry.display_type
    if entry.kind is Kind.TEAM:
        return consts.ACL_CAPABLE | consts.DTE_SECURITY_GROUP
    return entry.display_type


def _object_guid(entry: Entry, house: House) -> bytes:
    return uuid.uuid5(house.server, entry.dn).bytes_le


def _account(entry: Entry, house: House) -> str | None:
    """The alias that people know: the login name up to its domain."""
    return entry.key.partition("@")[0] if entry.kind not in (Kind.GROUP, Kind.CONTACT) else None


def _home(entry: Entry, house: House) -> str | None:
    return names.of_mailboxes(house.host) if entry.is_account else None


def _printable(entry: Entry, house: House) -> str:
    """In ASCII (MS-OXOABK 2.2.3.7)."""
    return entry.name if entry.name.isascii() else codepages.encode(entry.name, 20127).decode("ascii")


def _link(*kinds: Kind) -> Getter:
    """A property that is a table of other entries: its value is nothing, `links` has the entries."""
    return lambda entry, house: b"" if entry.kind in kinds else None


_LISTS: Final = (Kind.LIST, Kind.FORWARD, Kind.TEAM)
_ACCOUNTS: Final = (Kind.PERSON, Kind.SHARED)
_LIST_FLAGS: Final = consts.AB_RECIPIENTS | consts.AB_UNMODIFIABLE

_MADE: Final[dict[str, Getter]] = {
    "AddressBookContainerId": lambda entry, house: consts.signed(entry.mid),
    "ObjectType": lambda entry, house: _OF_KIND.get(entry.kind, consts.OBJECT_USER),
    "DisplayType": lambda entry, house: entry.display_type,
    "DisplayTypeEx": _display_type_ex,
    "DisplayName": lambda entry, house: entry.name,
    "TransmittableDisplayName": lambda entry, house: entry.name,
    "AddressBookDisplayNamePrintable": _printable,
    "EntryId": _entry_id,
    "RecordKey": _entry_id,
    "Templateid": _entry_id,
    "InstanceKey": lambda entry, house: entry.mid.to_bytes(4, "little"),
    "SearchKey": _search_key,
    "MappingSignature": lambda entry, house: ids.ADDRESS_BOOK.bytes_le,
    "AddressType": _address_type,
    "EmailAddress": _email,
    "AddressBookObjectDistinguishedName": lambda entry, house: entry.dn,
    "InitialDetailsPane": lambda entry, house: 0,
    "SmtpAddress": lambda entry, house: entry.address or None,
    "AddressBookProxyAddresses": _proxies,
    "AddressBookObjectGuid": _object_guid,
    "SendRichInfo": lambda entry, house: entry.is_account or None,
    "Account": _account,
    "Comment": lambda entry, house: entry.about or entry.card.get(_COMMENT),
    "AddressBookHomeMessageDatabase": _home,
    "AddressBookFolderPathname": lambda entry, house: entry.key if entry.kind is Kind.GROUP else None,
    "ContainerContents": _link(*_LISTS),
    "ContainerFlags": lambda entry, house: _LIST_FLAGS if entry.kind in _LISTS else None,
    "AddressBookMember": _link(*_LISTS),
    "AddressBookOwner": _link(Kind.LIST),
    "AddressBookPublicDelegates": _link(*_ACCOUNTS),
}

CARD: Final = tuple(map(consts.of, (
    "GivenName", "Surname", "Initials", "Generation", "Nickname", "Title", "CompanyName", "DepartmentName",
    "OfficeLocation", "Assistant", "BusinessTelephoneNumber", "Business2TelephoneNumber",
    "HomeTelephoneNumber", "MobileTelephoneNumber", "PrimaryTelephoneNumber", "PagerTelephoneNumber",
    "PrimaryFaxNumber", "AssistantTelephoneNumber", "StreetAddress", "Locality", "StateOrProvince",
    "PostalCode", "Country", "PostalAddress", "Comment", "BusinessHomePage", "AddressBookPhoneticDisplayName",
    "AddressBookPhoneticGivenName", "AddressBookPhoneticSurname", "AddressBookPhoneticDepartmentName",
    "AddressBookPhoneticCompanyName",
)))  # fmt: skip
"""What an account's card may say of its person."""

CERTIFICATES: Final = tuple(map(consts.of, ("UserX509Certificate", "AddressBookX509Certificate")))
DELEGATES: Final = types.tag_of(0x8015, types.MULTIPLE | types.STRING)  # on a card: login names
NARROW: Final = frozenset(
    (consts.of("AddressBookDisplayNamePrintable") >> 16, consts.of("AddressBookHomeMessageDatabase") >> 16)
)

_BUSINESS, _PRIMARY = consts.of("BusinessTelephoneNumber"), consts.of("PrimaryTelephoneNumber")


def _of_card(tag: Tag) -> Getter:
    if tag == _PRIMARY:  # the first number that somebody is asked for, unless they said another
        return lambda entry, house: entry.card.get(_PRIMARY) or entry.card.get(_BUSINESS)
    return lambda entry, house: entry.card.get(tag)


def _large(tag: Tag) -> Getter:
    return lambda entry, house: house.more.get(entry.number, {}).get(tag) if entry.is_account else None


def _all() -> dict[int, tuple[Tag, Getter]]:
    """Native tag and function by property id."""
    found = {tag >> 16: (tag, _of_card(tag)) for tag in CARD}
    found |= {tag >> 16: (tag, _large(tag)) for tag in CERTIFICATES}
    for name, getter in _MADE.items():
        tag = consts.of(name)
        if tag >> 16 in NARROW:
            tag = types.tag_of(tag >> 16, types.STRING8)
        found[tag >> 16] = (tag, getter)
    return found


PROPERTIES: Final = _all()


def width(tag: Tag, wide: bool) -> Tag:
    """The tag with its text in one of the two widths; other types stay."""
    kind = types.type_of(tag)
    if kind & ~types.MULTIPLE not in (types.STRING, types.STRING8):
        return tag
    return types.tag_of(tag >> 16, kind & types.MULTIPLE | (types.STRING if wide else types.STRING8))


def known(*, wide: bool, objects: bool = True) -> list[Tag]:
    """All properties that there are (NspiQueryColumns)."""
    return [width(tag, wide) for tag, _ in PROPERTIES.values() if objects or not _is_object(tag)]


def listed(entry: Entry, house: House, *, wide: bool, objects: bool) -> list[Tag]:
    """The properties that an entry has (NspiGetPropList)."""
    return [
        width(tag, wide)
        for tag, getter in PROPERTIES.values()
        if (objects or not _is_object(tag)) and getter(entry, house) is not None
    ]


def _is_object(tag: Tag) -> bool:
    return types.type_of(tag) == types.OBJECT


def has_large(columns: Sequence[Tag]) -> bool:
    """Some column wants what does not lie in a view."""
    return any(column >> 16 == tag >> 16 for column in columns for tag in CERTIFICATES)


# --- rows -------------------------------------------------------------------------------------------------

Column = Callable[[Entry, House], Value]
"""A value as it stands in a row: `Error` where there is none, (type, value) in a column without a type."""


@lru_cache(maxsize=128)
def compiled(columns: tuple[Tag, ...], page: int, ephemeral: bool) -> tuple[Column, ...]:
    """One function a column; text of the narrow type comes in the code page."""
    return tuple([_column(column, page, ephemeral) for column in columns])


def _column(column: Tag, page: int, ephemeral: bool) -> Column:
    native, getter = PROPERTIES.get(column >> 16, (0, None))
    wanted = types.type_of(column)
    if getter is None:
        return lambda entry, house: ABSENT
    if ephemeral and column >> 16 == _ENTRY_ID:  # R899
        getter = _ephemeral
    kind = types.type_of(native)
    if wanted == types.UNSPECIFIED:  # R36, R37: the type is ours to choose, so the native one
        inner = _converted(getter, kind, page)
        return lambda entry, house: v if isinstance(v := inner(entry, house), Error) else (kind, v)
    if wanted not in (kind, types.type_of(width(native, True)), types.type_of(width(native, False))):
        return lambda entry, house: ABSENT
    return _converted(getter, wanted, page)


def _converted(getter: Getter, kind: int, page: int) -> Column:
    """Text as bytes where the narrow type is wanted (R446)."""
    if kind == types.STRING8:
        return lambda entry, house: (
            ABSENT if (v := getter(entry, house)) is None else codepages.encode(v, page)
        )
    if kind == types.MULTIPLE | types.STRING8:
        return lambda entry, house: (
            ABSENT if (v := getter(entry, house)) is None else [codepages.encode(one, page) for one in v]
        )
    return lambda entry, house: ABSENT if (v := getter(entry, house)) is None else v


_ENTRY_ID: Final = consts.of("EntryId") >> 16


def _ephemeral(entry: Entry, house: House) -> bytes:
    return names.ephemeral(house.server, entry.display_type, entry.mid)


def row(entry: Entry | None, house: House, compiled_columns: Sequence[Column]) -> list[Value]:
    """All values; of an object that is not there none (R907)."""
    if entry is None:
        return [ABSENT] * len(compiled_columns)
    return [column(entry, house) for column in compiled_columns]
