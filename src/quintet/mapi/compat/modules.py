"""What each module of python-mapi exports: names, and what stands behind them here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from quintet.mapi import codepages, consts, rtf, tags, types
from quintet.mapi.compat import book, busy, kopano, mail, own, people, util, walking
from quintet.mapi.core import (
    addrbook,
    admin,
    attach,
    container,
    errors,
    folder,
    ics,
    icsimport,
    manage,
    message,
    modify,
    notify,
    props,
    session,
    status,
    store,
    stream,
    structs,
    table,
    unknown,
    values,
)

Names = dict[str, Any]  # Any: classes, functions, numbers, bytes

_INTERFACES = (
    unknown.IUnknown, props.IMAPIProp, session.IMAPISession, store.IMsgStore, folder.IMAPIFolder,
    container.IMAPIContainer, message.IMessage, attach.IAttach, table.IMAPITable, addrbook.IAddrBook,
    addrbook.IABContainer, addrbook.IMailUser, addrbook.IDistList, admin.IProfAdmin, admin.IMsgServiceAdmin,
    admin.IProviderAdmin, admin.IProfSect, modify.IExchangeModifyTable, ics.IExchangeExportChanges,
    notify.IMAPIAdviseSink, notify.MAPIAdviseSink, stream.IStream, own.ECImportContentsChanges,
    own.ECImportHierarchyChanges, people.IECServiceAdmin, manage.IExchangeManageStore, status.IMAPIStatus,
)  # fmt: skip


def wrapped_rtf(source: stream.IStream, flags: int = 0) -> stream.IStream:
    """WrapCompressedRTFStream: the RTF behind a stream of PR_RTF_COMPRESSED; with MAPI_MODIFY one to write
    to.

    What is written is compressed into ``source`` by Commit.
    """
    if not flags & consts.MAPI_MODIFY:
        raw = source.Read(rtf.MAX_RAW)
        return stream.IStream(rtf.decompress(raw) if raw else b"", writable=False)

    def save(content: Any) -> None:
        whole = content if isinstance(content, bytes) else content.read(0, content.size)
        source.SetSize(0)
        source.Seek(0)
        source.Write(rtf.compress(whole))
        source.Commit(0)

    return stream.IStream(b"", save)


def mapicore() -> Names:
    """MAPICore: interfaces, functions, constants."""
    found: Names = dict(consts.every())
    found |= {each.__name__: each for each in _INTERFACES}
    found |= {
        "IExchangeImportContentsChanges": icsimport.ImportContentsChanges,
        "IExchangeImportHierarchyChanges": icsimport.ImportHierarchyChanges,
        "ExchangeImportContentsChanges": own.ECImportContentsChanges,
        "ExchangeImportHierarchyChanges": own.ECImportHierarchyChanges,
        "MAPIInitialize": session.MAPIInitialize,
        "MAPIInitialize_Multithreaded": session.MAPIInitialize,
        "MAPIUninitialize": session.MAPIUninitialize,
        "MAPILogonEx": session.MAPILogonEx,
        "MAPIAdminProfiles": admin.MAPIAdminProfiles,
        "WrapCompressedRTFStream": wrapped_rtf,
        "WrapStoreEntryID": own.WrapStoreEntryID,
        "STREAM_SEEK_SET": stream.STREAM_SEEK_SET,
        "STREAM_SEEK_CUR": stream.STREAM_SEEK_CUR,
        "STREAM_SEEK_END": stream.STREAM_SEEK_END,
    }
    return found | kopano.NUMBERS | kopano.GUIDS | util.FUNCTIONS


def mapi() -> Names:
    """MAPI: the same; ``unicode`` says how wide tags without a suffix are."""
    return mapicore() | {"unicode": False, "__path__": []}


def struct() -> Names:
    """MAPI.Struct: structures and errors."""
    found: Names = {name: each for name, each in vars(structs).items() if isinstance(each, type)}
    found = {name: each for name, each in found.items() if each.__module__ == structs.__name__}
    return (
        found
        | own.STRUCTS
        | errors.CLASSES
        | {"MAPIError": errors.MAPIError, "MAPICore": _module("MAPICore")}
    )


def defs() -> Names:
    """MAPI.Defs: tags and GUIDs as numbers, properties that are looked for."""
    return {
        "PROP_TAG": own.PROP_TAG,
        "PROP_TYPE": own.PROP_TYPE,
        "PROP_ID": own.PROP_ID,
        "CHANGE_PROP_TYPE": own.CHANGE_PROP_TYPE,
        "DEFINE_GUID": own.DEFINE_GUID,
        "DEFINE_OLEGUID": own.DEFINE_OLEGUID,
        "PpropFindProp": props.find,
        "HrGetOneProp": props.one,
        "bin2hex": own.bin2hex,
        "EC_ADDRTYPE": "ZARAFA",
        "EC_ADDRTYPE_W": "ZARAFA",
    }


def mapi_tags() -> Names:
    """MAPI.Tags: properties, with all of MAPICore."""
    wide = bool(getattr(sys.modules.get("MAPI"), "unicode", False))
    known = {name: tag for name, tag in tags.names().items() if name.startswith("PR_")}
    found: Names = {}
    for name, tag in known.items():
        both = f"{name}_A" in known
        narrow = both and not wide and tag & 0xFFF == types.STRING
        found[name] = tag - (types.STRING - types.STRING8) if narrow else tag
        if not both and tag & 0xFFF == types.STRING and not name.endswith(("_W", "_A")):
            found.setdefault(f"{name}_W", tag)
            found.setdefault(f"{name}_A", tag - (types.STRING - types.STRING8))
    text = types.STRING if wide else types.STRING8
    found |= {"PR_NULL": types.NULL, "PT_TSTRING": text, "PT_MV_TSTRING": text | types.MULTIPLE}
    found |= kopano.tags(wide=wide) | {"ACTTYPE": kopano.ACTTYPE}
    return mapicore() | defs() | found


def mapi_time() -> Names:
    """MAPI.Time."""
    return {
        "FileTime": values.FileTime,
        "unixtime": values.unixtime,
        "NANOSECS_BETWEEN_EPOCH": 116_444_736_000_000_000,
    }


def mapi_util() -> Names:
    """MAPI.Util: sessions and stores, with everything of the other modules."""
    found = mapi_tags() | struct()
    tagged = _module("MAPI.Tags")
    found |= {name: value for name, value in vars(tagged).items() if not name.startswith("__")}
    return found | {
        "__path__": [],
        "OpenECSession": util.OpenECSession,
        "GetDefaultStore": util.GetDefaultStore,
        "GetPublicStore": util.GetPublicStore,
        "GetUserList": book.GetUserList,
        "to_str": own.to_str,
    }


def address_book() -> Names:
    """MAPI.Util.AddressBook."""
    return {
        "GetGab": book.GetGab,
        "GetCompanyList": book.GetCompanyList,
        "GetAbObjectList": book.GetAbObjectList,
        "GetUserList": book.GetUserList,
        "GetGroupList": book.GetGroupList,
        "MUIDECSAB": kopano.GUIDS["MUIDECSAB"],
    }


def generators() -> Names:
    """MAPI.Util.Generators."""
    return {"GetStores": walking.GetStores, "GetFolders": walking.GetFolders}


def iterators() -> Names:
    """MAPI.Util.Iterators."""
    return {"StoreIterator": walking.StoreIterator, "FolderIterator": walking.FolderIterator}


def codepage() -> Names:
    """MAPI.Util.codepage."""
    return {"GetCharsetByCP": codepage_charset, "GetCPByCharset": charset_codepage}


def codepage_charset(page: int) -> str:
    """Raises MAPIErrorNotFound: no such code page."""
    found = codepages.charset_of(page)
    if found is None:
        raise errors.fail("MAPI_E_NOT_FOUND", f"code page {page}")
    return found


def charset_codepage(charset: str) -> int:
    """Raises MAPIErrorNotFound: no such charset."""
    found = codepages.page_of(charset)
    if found is None:
        raise errors.fail("MAPI_E_NOT_FOUND", f"charset {charset}")
    return found


def _module(name: str) -> Any:
    import importlib

    return importlib.import_module(name)


TABLES: dict[str, Callable[[], Names]] = {
    "MAPI": mapi,
    "MAPICore": mapicore,
    "_MAPICore": mapicore,
    "MAPI.Defs": defs,
    "MAPI.Struct": struct,
    "MAPI.Tags": mapi_tags,
    "MAPI.Time": mapi_time,
    "MAPI.Util": mapi_util,
    "MAPI.Util.AddressBook": address_book,
    "MAPI.Util.Generators": generators,
    "MAPI.Util.Iterators": iterators,
    "MAPI.Util.codepage": codepage,
    "inetmapi": mail.inetmapi,
    "icalmapi": mail.icalmapi,
    "libfreebusy": busy.libfreebusy,
}
