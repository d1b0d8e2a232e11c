"""Writes src/quintet/mapi/named.tsv from the list of named properties: ``python -m tools.mapi_named LIST``.

LIST is tab-separated: property set, GUID, number, type, canonical name or "-", other names by commas, area
(mfcmapi's data, MIT licence).  Properties that go by a text are few, and stand here.
"""

import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src" / "quintet" / "mapi" / "named.tsv"
HEAD = (
    "# Property set, number or name in it, type, names. Written by tools/mapi_named.py; the numbers from\n"
    "# mfcmapi's data (MIT licence).\n"
)
KINDS = {
    "PT_I2": 0x0002, "PT_LONG": 0x0003, "PT_DOUBLE": 0x0005, "PT_BOOLEAN": 0x000B, "PT_UNICODE": 0x001F,
    "PT_SYSTIME": 0x0040, "PT_CLSID": 0x0048, "PT_BINARY": 0x0102, "PT_MV_LONG": 0x1003,
    "PT_MV_UNICODE": 0x101F, "PT_MV_BINARY": 0x1102,
}  # fmt: skip
STRINGS = """
PS_PUBLIC_STRINGS	Keywords	PT_MV_UNICODE	PidNameKeywords
PS_INTERNET_HEADERS	Content-Base	PT_UNICODE	PidNameContentBase
PS_INTERNET_HEADERS	Content-Class	PT_UNICODE	PidNameContentClass
PS_INTERNET_HEADERS	Content-Type	PT_UNICODE	PidNameContentType
PSETID_Attachment	AttachmentMacContentType	PT_UNICODE	PidNameAttachmentMacContentType
PSETID_Attachment	AttachmentMacInfo	PT_BINARY	PidNameAttachmentMacInfo
PSETID_Attachment	AttachmentOriginalPermissionType	PT_LONG	PidNameAttachmentOriginalPermissionType
PSETID_Attachment	AttachmentPermissionType	PT_LONG	PidNameAttachmentPermissionType
PSETID_Attachment	AttachmentProviderType	PT_UNICODE	PidNameAttachmentProviderType
PS_PUBLIC_STRINGS	AppName	PT_UNICODE	PidNameApplicationName
PS_PUBLIC_STRINGS	Author	PT_UNICODE	PidNameAuthor
PS_PUBLIC_STRINGS	ByteCount	PT_LONG	PidNameByteCount
PS_PUBLIC_STRINGS	Category	PT_UNICODE	PidNameCategory
PS_PUBLIC_STRINGS	CharCount	PT_LONG	PidNameCharacterCount
PS_PUBLIC_STRINGS	Comments	PT_UNICODE	PidNameComments
PS_PUBLIC_STRINGS	Company	PT_UNICODE	PidNameCompany
PS_PUBLIC_STRINGS	CreateDtmRo	PT_SYSTIME	PidNameCreateDateTimeReadOnly
PS_PUBLIC_STRINGS	EditTime	PT_SYSTIME	PidNameEditTime
PS_PUBLIC_STRINGS	HiddenCount	PT_LONG	PidNameHiddenCount
PS_PUBLIC_STRINGS	LastAuthor	PT_UNICODE	PidNameLastAuthor
PS_PUBLIC_STRINGS	LastPrinted	PT_SYSTIME	PidNameLastPrinted
PS_PUBLIC_STRINGS	LastSaveDtm	PT_SYSTIME	PidNameLastSaveDateTime
PS_PUBLIC_STRINGS	LineCount	PT_LONG	PidNameLineCount
PS_PUBLIC_STRINGS	LinksDirty	PT_BOOLEAN	PidNameLinksDirty
PS_PUBLIC_STRINGS	Manager	PT_UNICODE	PidNameManager
PS_PUBLIC_STRINGS	MMClipCount	PT_LONG	PidNameMultimediaClipCount
PS_PUBLIC_STRINGS	NoteCount	PT_LONG	PidNameNoteCount
PS_PUBLIC_STRINGS	PageCount	PT_LONG	PidNamePageCount
PS_PUBLIC_STRINGS	ParCount	PT_LONG	PidNameParagraphCount
PS_PUBLIC_STRINGS	PresFormat	PT_UNICODE	PidNamePresentationFormat
PS_PUBLIC_STRINGS	RevNumber	PT_UNICODE	PidNameRevisionNumber
PS_PUBLIC_STRINGS	Security	PT_LONG	PidNameSecurity
PS_PUBLIC_STRINGS	SlideCount	PT_LONG	PidNameSlideCount
PS_PUBLIC_STRINGS	Subject	PT_UNICODE	PidNameSubject
PS_PUBLIC_STRINGS	Template	PT_UNICODE	PidNameTemplate
PS_PUBLIC_STRINGS	Title	PT_UNICODE	PidNameTitle
PS_PUBLIC_STRINGS	WordCount	PT_LONG	PidNameWordCount
"""


def rows(text: str) -> list[str]:
    """One line a property, in the order of the list, then those that go by a text."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        group, _, number, kind, canonical, others, _ = line.split("\t")
        names = [name for name in (canonical, *others.split(",")) if name not in ("", "-")]
        found.append("\t".join((group, f"0x{int(number, 16):04X}", f"{KINDS[kind]:04X}", *names)) + "\n")
    for line in STRINGS.strip().splitlines():
        group, name, kind, canonical = line.split("\t")
        found.append(f"{group}\t{name}\t{KINDS[kind]:04X}\t{canonical}\n")
    return found


if __name__ == "__main__":
    TARGET.write_text(HEAD + "".join(rows(Path(sys.argv[1]).read_text("utf-8"))), "utf-8")
