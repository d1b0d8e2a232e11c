"""Numbers of the address book: flags, orders, display types, ids that stand for places (MS-OXNSPI 2.2.1)."""

from __future__ import annotations

from typing import Final

from quintet.mapi import tags
from quintet.mapi.types import Tag

# return values that MS-OXCDATA 2.4 does not have (2.2.1.2)
SUCCESS: Final = 0x00000000
UNBIND_SUCCESS: Final = 0x00000001
ERRORS_RETURNED: Final = 0x00040380

# display types (2.2.1.3)
DT_MAILUSER: Final = 0x000
DT_DISTLIST: Final = 0x001
DT_FORUM: Final = 0x002
DT_REMOTE_MAILUSER: Final = 0x006
DT_CONTAINER: Final = 0x100

# PidTagDisplayTypeEx (MS-OXOABK 2.2.3.12)
ACL_CAPABLE: Final = 0x40000000
DTE_SECURITY_GROUP: Final = 0x09

# PidTagObjectType (MS-OXOABK 2.2.3.10)
OBJECT_FOLDER: Final = 3
OBJECT_CONTAINER: Final = 4
OBJECT_USER: Final = 6
OBJECT_LIST: Final = 8

# PidTagContainerFlags (MS-OXOABK 2.2.2.1)
AB_RECIPIENTS: Final = 0x1
AB_SUBCONTAINERS: Final = 0x2
AB_UNMODIFIABLE: Final = 0x8

# places in a table (2.2.1.8), outcomes of name resolution (2.2.1.9)
BEGINNING: Final = 0
CURRENT: Final = 1
END: Final = 2
UNRESOLVED: Final = 0
AMBIGUOUS: Final = 1
RESOLVED: Final = 2
FIRST_MID: Final = 0x10  # below it no id means an object (2.2.9.1)

# orders (2.2.1.10)
BY_NAME: Final = 0x000
BY_PHONETIC_NAME: Final = 0x003
BY_NAME_READ_ONLY: Final = 0x3E8
BY_NAME_WRITABLE: Final = 0x3E9
SORTS: Final = frozenset((BY_NAME, BY_PHONETIC_NAME, BY_NAME_READ_ONLY, BY_NAME_WRITABLE))

# code pages (2.2.1.5)
CP_TELETEX: Final = 20261
CP_UNICODE: Final = 1200

ANONYMOUS: Final = 0x20  # Bind
SKIP_OBJECTS, EPHEMERAL_IDS = 0x1, 0x2  # GetProps, QueryRows (2.2.1.11)
CREATION_TEMPLATES, UNICODE_STRINGS = 0x2, 0x4  # GetSpecialTable (2.2.1.12)
UNICODE_TYPES: Final = 0x80000000  # QueryColumns (2.2.1.13)
TEMPLATE, SCRIPT, EMAIL_TYPE, HELP_NAME, HELP_TEXT = 0x1, 0x4, 0x10, 0x20, 0x40  # GetTemplateInfo (2.2.1.14)
DELETE: Final = 0x1  # ModLinkAtt (2.2.1.15)

MAX_ARRAY: Final = 100_000  # structures in any array (2.2.2.2)


def of(name: str) -> Tag:
    """A tag by its canonical name without "PidTag"."""
    return tags.tag("PidTag" + name)


def signed(mid: int) -> int:
    """A Minimal Entry ID as the value of a property: PtypInteger32 has a sign."""
    return mid - (1 << 32) if mid >= 1 << 31 else mid
