"""What python-mapi has beside MAPI's own names: Kopano's properties and structures, helpers for tags and
GUIDs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from quintet.mapi import consts, types
from quintet.mapi.core import profile
from quintet.mapi.core.structs import READSTATE, SPropValue

# Where, who, secret: as `profile.options_by_id` reads them
_EC = {"PATH": profile.WHERE, "USERNAME": profile.WHO, "USERPASSWORD": profile.SECRET}
TAGS: dict[str, int] = {
    "PR_EC_PATH": types.tag_of(profile.WHERE, types.STRING8),
    "PR_EC_PORT": types.tag_of(0x6703, types.STRING8),
    "PR_EC_FLAGS": types.tag_of(0x6704, types.INTEGER32),
    "PR_EC_SSLKEY_FILE": types.tag_of(0x6705, types.STRING8),
    "PR_EC_SSLKEY_PASS": types.tag_of(0x6706, types.STRING8),
    "PR_EC_IMPERSONATEUSER": types.tag_of(0x6707, types.STRING8),
    "PR_EC_IMPERSONATEUSER_A": types.tag_of(0x6707, types.STRING8),
    "PR_EC_IMPERSONATEUSER_W": types.tag_of(0x6707, types.STRING),
    "PR_EC_STATS_SESSION_CLIENT_APPLICATION_VERSION": types.tag_of(0x6708, types.STRING8),
    "PR_EC_STATS_SESSION_CLIENT_APPLICATION_MISC": types.tag_of(0x6709, types.STRING8),
}
for _name in ("USERNAME", "USERPASSWORD"):
    TAGS[f"PR_EC_{_name}"] = TAGS[f"PR_EC_{_name}_A"] = types.tag_of(_EC[_name], types.STRING8)
    TAGS[f"PR_EC_{_name}_W"] = types.tag_of(_EC[_name], types.STRING)

CONSTANTS: dict[str, Any] = {
    "EC_PROFILE_FLAGS_NO_NOTIFICATIONS": 0x1,
    "EC_PROFILE_FLAGS_NO_COMPRESSION": 0x2,
    "EC_PROFILE_FLAGS_NO_PUBLIC_STORE": 0x4,
    "IID_IECImportContentsChanges": consts.IID_IExchangeImportContentsChanges,
    "IID_IECImportHierarchyChanges": consts.IID_IExchangeImportHierarchyChanges,
    "EMS_AB_ADDRESS_LOOKUP": 0x1,
    "STGM_READ": 0x0,
    "STGM_WRITE": 0x1,
    "STGM_READWRITE": 0x2,
    "STGM_TRANSACTED": 0x10000,
}


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


MUIDECSAB = DEFINE_GUID(0x50A921AC, 0xD340, 0x48EE, 0xB3, 0x19, 0xFB, 0xA7, 0x53, 0x30, 0x44, 0x25)


def bin2hex(data: bytes) -> bytes:
    """In capitals, as bytes."""
    return data.hex().upper().encode("ascii")


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
class ECSERVER:
    Name: str
    FilePath: str
    HttpPath: str
    SslPath: str
    PreferedPath: str
    Flags: int


STRUCTS: dict[str, Any] = {
    each.__name__: each
    for each in (SYSTEMTIME, MVPROPMAP, ECUSER, ECGROUP, ECCOMPANY, ECQUOTA, ECQUOTASTATUS, ECSERVER)
}
