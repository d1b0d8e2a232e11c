"""Writes src/quintet/mapi/consts.tsv from MAPI's C headers: ``python -m tools.mapi_consts FOLDER``.

FOLDER holds mapidefs.h, mapix.h, mapicode.h, mapiguid.h and mapiutil.h (mingw-w64, public domain).  What
Exchange adds (its edkmdb.h is in no free package) is `EXCHANGE` below: facts of MS-OXCFXICS, MS-OXCPERM and
MS-OXORULE.
"""

import re
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src" / "quintet" / "mapi" / "consts.tsv"
HEAD = "# Name, value (a number, or a GUID as it lies in memory). Written by tools/mapi_consts.py.\n"
HEADERS = ("mapidefs.h", "mapix.h", "mapicode.h", "mapiguid.h", "mapiutil.h")
FACILITY_ITF = 4
# of winerror.h, which mapicode.h stands on
BEFORE = {
    "E_FAIL": 0x80004005, "E_OUTOFMEMORY": 0x8007000E, "E_INVALIDARG": 0x80070057,
    "E_NOINTERFACE": 0x80004002, "E_ACCESSDENIED": 0x80070005, "S_OK": 0,
}  # fmt: skip

_DEFINE = re.compile(r"^#define\s+([A-Za-z]\w*)\s+(\S.*)$", re.MULTILINE)
_GUID = re.compile(r"DEFINE_OLEGUID\((\w+),\s*(0x\w+),\s*(\w+),\s*(\w+)\)")
_LONG_GUID = re.compile(r"DEFINE_GUID\((\w+),\s*(0x\w+(?:,\s*0x\w+){10})\)")
_PLAIN = re.compile(r"[\s()0-9A-Fa-fx|<+\-~]*")
_CAST = re.compile(
    r"\(\s*(?:ULONG|BOOKMARK|SCODE|LONG|WORD|DWORD|unsigned __LONG32|__LONG32|HRESULT)\s*\)|__MSABI_LONG"
)

EXCHANGE = """
SYNC_UNICODE 0x1
SYNC_NO_DELETIONS 0x2
SYNC_NO_SOFT_DELETIONS 0x4
SYNC_READ_STATE 0x8
SYNC_ASSOCIATED 0x10
SYNC_NORMAL 0x20
SYNC_NO_CONFLICTS 0x40
SYNC_ONLY_SPECIFIED_PROPS 0x80
SYNC_NO_FOREIGN_KEYS 0x100
SYNC_LIMITED_IMESSAGE 0x200
SYNC_CATCHUP 0x400
SYNC_NEW_MESSAGE 0x800
SYNC_MSG_SELECTIVE 0x1000
SYNC_BEST_BODY 0x2000
SYNC_IGNORE_SPECIFIED_ON_ASSOCIATED 0x4000
SYNC_PROGRESS_MODE 0x8000
SYNC_FXRECOVERMODE 0x10000
SYNC_DEFER_CONFIG 0x20000
SYNC_FORCE_UNICODE 0x40000
SYNC_SOFT_DELETE 0x1
SYNC_EXPIRY 0x2
SYNC_E_OBJECT_DELETED 0x80040800
SYNC_E_IGNORE 0x80040801
SYNC_E_CONFLICT 0x80040802
SYNC_E_NO_PARENT 0x80040803
SYNC_E_CYCLE 0x80040804
SYNC_E_UNSYNCHRONIZED 0x80040805
SYNC_W_PROGRESS 0x40820
SYNC_W_CLIENT_CHANGE_NEWER 0x40821
ROWLIST_REPLACE 0x1
ROW_ADD 0x1
ROW_MODIFY 0x2
ROW_REMOVE 0x4
ROW_EMPTY 0x5
frightsReadAny 0x1
frightsCreate 0x2
frightsEditOwned 0x8
frightsDeleteOwned 0x10
frightsEditAny 0x20
frightsDeleteAny 0x40
frightsCreateSubfolder 0x80
frightsOwner 0x100
frightsContact 0x200
frightsFolderVisible 0x400
rightsNone 0x0
rightsReadOnly 0x1
rightsReadWrite 0x21
rightsAll 0x5fb
RIGHTS_EDIT_OWN 0x8
RIGHTS_EDIT_ALL 0x20
RIGHTS_DELETE_OWN 0x10
RIGHTS_DELETE_ALL 0x40
RIGHTS_READ_ITEMS 0x1
RIGHTS_CREATE_ITEMS 0x2
RIGHTS_CREATE_SUBFOLDERS 0x80
RIGHTS_FOLDER_OWNER 0x100
RIGHTS_FOLDER_CONTACT 0x200
RIGHTS_FOLDER_VISIBLE 0x400
ST_DISABLED 0x0
ST_ENABLED 0x1
ST_ERROR 0x2
ST_ONLY_WHEN_OOF 0x4
ST_KEEP_OOF_HIST 0x8
ST_EXIT_LEVEL 0x10
OP_MOVE 0x1
OP_COPY 0x2
OP_REPLY 0x3
OP_OOF_REPLY 0x4
OP_DEFER_ACTION 0x5
OP_BOUNCE 0x6
OP_FORWARD 0x7
OP_DELEGATE 0x8
OP_TAG 0x9
OP_DELETE 0xa
OP_MARK_AS_READ 0xb
RES_COUNT 0xb
RES_ANNOTATION 0xc
RELOP_MEMBER_OF_DL 0x64
SHOW_SOFT_DELETES 0x2
DELETE_HARD_DELETE 0x10
MSGFLAG_NRN_PENDING 0x200
MDB_ONLINE 0x100
MAPI_CATEG_ID_FLAG 0x4
TABLE_SORT_CATEG_MAX 0x4
TABLE_SORT_CATEG_MIN 0x8
STORE_UNICODE_OK 0x40000
STORE_LOCALSTORE 0x80000
STORE_ITEMPROC 0x200000
STORE_HTML_OK 0x10000
STORE_ANSI_OK 0x20000
STORE_PUSHER_OK 0x800000
MAPI_NO_CACHE 0x200
PT_SVREID 0xfb
PT_SRESTRICTION 0xfd
PT_ACTIONS 0xfe
"""
EXCHANGE_GUIDS = """
IID_IExchangeModifyTable 2D734CB0-53FD-101B-B19D-08002B3056E3
IID_IExchangeExportChanges A3EA9CC0-D1B2-11CD-80FC-00AA004BBA0B
IID_IExchangeImportContentsChanges F75ABFA0-D0E0-11CD-80FC-00AA004BBA0B
IID_IExchangeImportHierarchyChanges 85A66CF0-D0E0-11CD-80FC-00AA004BBA0B
IID_IExchangeManageStore 559D10B0-A772-11CD-9BC8-00AA002FC45A
IID_IUnknown 00000000-0000-0000-C000-000000000046
IID_IStream 0000000C-0000-0000-C000-000000000046
IID_ISequentialStream 0C733A30-2A1C-11CE-ADE5-00AA0044773D
PS_INTERNET_HEADERS 00020386-0000-0000-C000-000000000046
PSETID_Appointment 00062002-0000-0000-C000-000000000046
PSETID_Task 00062003-0000-0000-C000-000000000046
PSETID_Address 00062004-0000-0000-C000-000000000046
PSETID_Common 00062008-0000-0000-C000-000000000046
PSETID_Log 0006200A-0000-0000-C000-000000000046
PSETID_Note 0006200E-0000-0000-C000-000000000046
PSETID_Meeting 6ED8DA90-450B-101B-98DA-00AA003F1305
PSETID_CalendarAssistant 11000E07-B51B-40D6-AF21-CAA85EDAB1D0
"""


def numbers(texts: list[str]) -> dict[str, int]:
    """Every number that the headers define, in their order."""
    found = dict(BEFORE)
    pending = [
        (name, re.sub(r"/\*.*?\*/|//.*", "", value))
        for text in texts
        for name, value in _DEFINE.findall(text)
    ]
    for _ in range(4):  # a name may stand before what it is made of
        pending = [(name, value) for name, value in pending if not _take(found, name, value)]
    return {name: value for name, value in found.items() if name not in BEFORE}


def _take(found: dict[str, int], name: str, value: str) -> bool:
    value = _CAST.sub("", value)
    value = re.sub(
        r"MAKE_MAPI_([ES])\((\w+)\)", lambda m: f"(0x{8 if m[1] == 'E' else 0}0040000|{m[2]})", value
    )
    value = re.sub(r"MAPI_DIAG\(\(?(?:LONG\)\s*)?([-\w]+)\)", r"(\1)", value)
    value = re.sub(r"\b[A-Za-z]\w*\b", lambda m: str(found.get(m[0], m[0])), value)
    if not value.strip() or not _PLAIN.fullmatch(value):
        return False
    try:
        found.setdefault(name, eval(value, {}) & 0xFFFFFFFF)  # only digits and operators are left
    except (SyntaxError, TypeError):
        return False
    return True


def guids(text: str) -> dict[str, bytes]:
    """Every GUID that the headers define, as it lies in memory."""
    found = {}
    for name, *words in _GUID.findall(text):
        first, second, third = (int(word, 0) for word in words)
        found[name] = (
            first.to_bytes(4, "little") + second.to_bytes(2, "little") + third.to_bytes(2, "little")
            + bytes.fromhex("c000000000000046")
        )  # fmt: skip
    for name, words in _LONG_GUID.findall(text):
        parts = [int(word, 0) for word in words.split(",")]
        found[name] = (
            parts[0].to_bytes(4, "little") + parts[1].to_bytes(2, "little")
            + parts[2].to_bytes(2, "little") + bytes(parts[3:])
        )  # fmt: skip
    return found


def lines(folder: Path) -> list[str]:
    """The rows of the list, in alphabetical order."""
    import uuid

    texts = [(folder / name).read_text("latin-1") for name in HEADERS]
    found: dict[str, int | bytes] = dict(numbers(texts))
    for text in texts:
        found |= guids(text)
    for row in EXCHANGE.split("\n"):
        if row:
            name, value = row.split()
            found.setdefault(name, int(value, 0))
    for row in EXCHANGE_GUIDS.split("\n"):
        if row:
            name, value = row.split()
            found.setdefault(name, uuid.UUID(value).bytes_le)
    return sorted(
        f"{name}\t{value.hex() if isinstance(value, bytes) else hex(value)}\n"
        for name, value in found.items()
        if not name.endswith(("_H", "_METHODS"))
    )


if __name__ == "__main__":
    TARGET.write_text(HEAD + "".join(lines(Path(sys.argv[1]))), "utf-8")
