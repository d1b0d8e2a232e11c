"""Names and numbers of the .msg format that its reader and its writer share (MS-OXMSG 2.1 to 2.4)."""

from __future__ import annotations

import struct
import uuid
from typing import Final

from quintet.mapi import guids, rtf, types
from quintet.mapi.tags import tag

PROPERTIES: Final = "__properties_version1.0"
NAMES: Final = "__nameid_version1.0"
RECIPIENT: Final = "__recip_version1.0_#"
ATTACHMENT: Final = "__attach_version1.0_#"
GUIDS, ENTRIES, STRINGS = "__substg1.0_00020102", "__substg1.0_00030102", "__substg1.0_00040102"
EMBEDDED: Final = "__substg1.0_3701000D"
CLASS: Final = uuid.UUID("00020d0b-0000-0000-c000-000000000046")  # of the root storage

TOP, INNER, PART = 32, 24, 8  # bytes before the properties: of a message, one within it, an attachment
ROW: Final = struct.Struct("<II8s")
NAME: Final = struct.Struct("<IHH")
FIRST_NAMED: Final = 0x8000
READABLE_WRITABLE: Final = 0x00000006

FIXED: Final = {
    types.INTEGER16: struct.Struct("<h6x"),
    types.INTEGER32: struct.Struct("<i4x"),
    types.FLOATING32: struct.Struct("<f4x"),
    types.FLOATING64: struct.Struct("<d"),
    types.CURRENCY: struct.Struct("<q"),
    types.FLOATING_TIME: struct.Struct("<d"),
    types.BOOLEAN: struct.Struct("<?7x"),
    types.INTEGER64: struct.Struct("<q"),
    types.TIME: struct.Struct("<Q"),
}
PACKED: Final = {  # a value among others of a multi-value
    types.INTEGER16: struct.Struct("<h"),
    types.INTEGER32: struct.Struct("<i"),
    types.FLOATING32: struct.Struct("<f"),
    types.FLOATING64: struct.Struct("<d"),
    types.CURRENCY: struct.Struct("<q"),
    types.FLOATING_TIME: struct.Struct("<d"),
    types.INTEGER64: struct.Struct("<q"),
    types.TIME: struct.Struct("<Q"),
    types.GUID: struct.Struct("<16s"),
}
VARIABLE: Final = (types.STRING8, types.STRING, types.BINARY)

MESSAGE_CODEPAGE: Final = tag("PidTagMessageCodepage")
INTERNET_CODEPAGE: Final = tag("PidTagInternetCodepage")
SUPPORT_MASK: Final = tag("PidTagStoreSupportMask")
UNICODE_OK: Final = 0x00040000
ATTACH_METHOD: Final = tag("PidTagAttachMethod")
ATTACH_NUMBER: Final = tag("PidTagAttachNumber")
ATTACH_OBJECT: Final = tag("PidTagAttachDataObject")
ATTACH_BYTES: Final = tag("PidTagAttachDataBinary")
ROW_ID: Final = tag("PidTagRowid")
MESSAGE_CLASS: Final = tag("PidTagMessageClass")
BY_VALUE, EMBEDDED_MESSAGE, OLE = 1, 5, 6  # PidTagAttachMethod

KNOWN_SETS: Final = (None, guids.PS_MAPI, guids.PS_PUBLIC_STRINGS)  # GUID indexes that need no GUID


def stream_name(tag: int) -> str:
    return f"__substg1.0_{tag:08X}"


def bucket(name: int | str, index: int) -> tuple[str, int]:
    """The stream in which a name is looked for, and what it is looked for by (2.2.3.2.2.1).

    ``index`` is of its GUID.  The checksum of a text is that of compressed RTF.
    """
    kind = int(isinstance(name, str))
    number = rtf.checksum(name.encode("utf-16-le", "surrogatepass")) if isinstance(name, str) else name
    place = 0x1000 + (number ^ (index << 1 | kind)) % 0x1F
    return stream_name(place << 16 | types.BINARY), number
