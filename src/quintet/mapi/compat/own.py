"""What python-mapi has beside MAPI's own names: helpers for tags and GUIDs, importers, structures."""

from __future__ import annotations

import struct
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from quintet.mapi.core import structs
from quintet.mapi.core.structs import READSTATE, SPropValue


def PROP_TAG(type: int, id: int) -> int:  # noqa: A002 (python-mapi's names)
    return id << 16 | type


def PROP_TYPE(x: int) -> int:
    return x & 0xFFFF


def PROP_ID(x: int) -> int:
    return x >> 16


def CHANGE_PROP_TYPE(tag: int, type: int) -> int:  # noqa: A002 (as above)
    return PROP_TAG(type, PROP_ID(tag))


def DEFINE_GUID(*parts: int) -> bytes:
    """A GUID as it lies in memory: of 32 bits, twice 16, eight times 8."""
    return struct.pack("<I2H8B", *parts)


def DEFINE_OLEGUID(first: int, second: int, third: int) -> bytes:
    return DEFINE_GUID(first, second, third, 0xC0, 0, 0, 0, 0, 0, 0, 0x46)


def bin2hex(data: bytes) -> str:
    """In capitals."""
    return data.hex().upper()


def to_str(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii")


def WrapStoreEntryID(flags: int, library: bytes, entry: bytes) -> bytes:
    """Store entry ids need no wrapping here."""
    return entry


class ECImportContentsChanges:
    """What a program subclasses to take changes of messages; see `core.ics`."""

    def __init__(self, interfaces: Sequence[bytes] = ()) -> None:
        self.interfaces = interfaces

    def ImportMessageChange(self, props: Sequence[SPropValue], flags: int) -> Any:
        return None

    def ImportMessageDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        """Messages went."""

    def ImportPerUserReadStateChange(self, states: Sequence[READSTATE]) -> None:
        """Messages were read or marked as unread."""

    def UpdateState(self, stream: object) -> None:
        """A new state."""


class ECImportHierarchyChanges:
    """What a program subclasses to take changes of folders."""

    def __init__(self, interfaces: Sequence[bytes] = ()) -> None:
        self.interfaces = interfaces

    def ImportFolderChange(self, props: Sequence[SPropValue]) -> Any:
        return None

    def ImportFolderDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        """Folders went."""

    def UpdateState(self, stream: object) -> None:
        """A new state."""


# --- structures of Kopano's administration: kept as values, nothing here takes them --------------------


@dataclass
class SYSTEMTIME:
    wYear: int
    wMonth: int
    wDayOfWeek: int
    wDay: int
    wHour: int
    wMinute: int
    wSecond: int
    wMilliseconds: int


@dataclass
class ECUSERCLIENTUPDATESTATUS:
    TrackId: int
    Updatetime: int
    Currentversion: str
    Latestversion: str
    Computername: str
    Status: int


@dataclass
class MVPROPMAP:
    ulPropId: int
    Values: list[Any]


@dataclass
class ECUSER:
    Username: str
    Password: str
    Email: str
    FullName: str
    Servername: str | None = None
    Class: int = 0x10001
    IsAdmin: bool = False
    IsHidden: bool = False
    Capacity: int = 0
    UserID: bytes | None = None
    MVPropMap: list[MVPROPMAP] | None = field(default=None)


@dataclass
class ECGROUP:
    Groupname: str
    Fullname: str
    Email: str
    IsHidden: bool = False
    GroupID: bytes | None = None
    MVPropMap: list[MVPROPMAP] | None = field(default=None)


@dataclass
class ECCOMPANY:
    Companyname: str
    Servername: str
    IsHidden: bool = False
    CompanyID: bytes | None = None
    MVPropMap: list[MVPROPMAP] | None = field(default=None)
    AdministratorID: bytes | None = None


@dataclass
class ECQUOTA:
    bUseDefaultQuota: bool
    bIsUserDefaultQuota: bool
    llWarnSize: int
    llSoftSize: int
    llHardSize: int


@dataclass
class ECQUOTASTATUS:
    StoreSize: int
    QuotaStatus: int


@dataclass
class FreeBusyBlock:
    """``start``, ``end``: minutes since 1601; ``status``: 0 free, 1 tentative, 2 busy, 3 away."""

    start: int
    end: int
    status: int


@dataclass
class ECSERVER:
    Name: str
    FilePath: str
    HttpPath: str
    SslPath: str
    PreferedPath: str
    Flags: int


class MAPIStruct(ABC):  # noqa: B024 (no method is missing: the structures are registered)
    """What programs subclass for structures of their own, and ask whether something is a structure."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(vars(self))


STRUCTS: dict[str, Any] = {
    each.__name__: each
    for each in (
        MAPIStruct, ECUSERCLIENTUPDATESTATUS, SYSTEMTIME, MVPROPMAP,
        ECUSER, ECGROUP, ECCOMPANY, ECQUOTA, ECQUOTASTATUS, ECSERVER, FreeBusyBlock,
    )
}  # fmt: skip

for _each in (*vars(structs).values(), *STRUCTS.values()):
    if isinstance(_each, type) and is_dataclass(_each):
        MAPIStruct.register(_each)
