"""Display templates: how a client draws the details of an entry (MS-OXOABKT 2.2.2.1).  Pure.

A template is controls with places, and the texts they show behind them.  Ours are two pages for people and
one for lists and folders, in English for every language: a client has its own words for its own pages.
"""

from __future__ import annotations

import struct
from typing import Final

from quintet.mapi.nspi import consts
from quintet.mapi.types import Tag
from quintet.values import dataclass

DATA: Final = consts.of("TemplateData")
SCRIPT: Final = consts.of("ScriptData")

LABEL, EDIT, LISTBOX, GROUPBOX, PAGE = 0, 1, 2, 6, 8  # types of controls
_VERSION: Final = 1
_ROW: Final = struct.Struct("<iiiiIIIII")
_HEAD: Final = struct.Struct("<II")
_HEIGHT, _LINE = 12, 16  # dialog units
_LONGEST: Final = 1024  # characters of a text that is shown


@dataclass(frozen=True, slots=True)
class Control:
    """One control: its left edge, width, top and height in dialog units."""

    x: int
    width: int
    y: int
    height: int
    kind: int
    text: str = ""  # of a label, a page, a group; "*" is a filter of what may be typed
    tag: Tag = 0  # of what it shows
    flags: int = 0


def _page(title: str, lines: tuple[tuple[str, str], ...]) -> list[Control]:
    """A page of labels with what they say beside them, one a line."""
    controls = [Control(0, 0, 0, 0, PAGE, title)]
    for at, (label, name) in enumerate(lines):
        top = 8 + at * _LINE
        controls.append(Control(8, 90, top + 2, _HEIGHT, LABEL, label))
        controls.append(Control(100, 230, top, _HEIGHT, EDIT, "*", consts.of(name)))
    return controls


_PERSON: Final = (
    *_page("General", (
        ("Name:", "DisplayName"), ("First:", "GivenName"), ("Last:", "Surname"), ("Title:", "Title"),
        ("Company:", "CompanyName"), ("Department:", "DepartmentName"), ("Office:", "OfficeLocation"),
        ("E-mail:", "SmtpAddress"), ("Phone:", "BusinessTelephoneNumber"),
        ("Mobile:", "MobileTelephoneNumber"),
    )),
    *_page("Address", (
        ("Street:", "StreetAddress"), ("City:", "Locality"), ("State:", "StateOrProvince"),
        ("Postal code:", "PostalCode"), ("Country:", "Country"), ("Home phone:", "HomeTelephoneNumber"),
        ("Notes:", "Comment"),
    )),
)  # fmt: skip
_LIST: Final = (
    *_page("General", (("Name:", "DisplayName"), ("E-mail:", "SmtpAddress"), ("Notes:", "Comment"))),
    Control(8, 322, 60, 100, LISTBOX, "", consts.of("AddressBookMember")),
)
_FOLDER: Final = (
    *_page("General", (
        ("Name:", "DisplayName"), ("E-mail:", "SmtpAddress"), ("Folder:", "AddressBookFolderPathname"),
        ("Notes:", "Comment"),
    )),
)  # fmt: skip

TEMPLATES: Final[dict[int, tuple[Control, ...]]] = {
    consts.DT_MAILUSER: _PERSON,
    consts.DT_REMOTE_MAILUSER: _PERSON,
    consts.DT_DISTLIST: _LIST,
    consts.DT_FORUM: _FOLDER,
}


def encode(controls: tuple[Control, ...]) -> bytes:
    """TRowSet: a head, a row of 36 bytes a control, and the texts in 8 bits."""
    texts = bytearray()
    rows = []
    start = _HEAD.size + _ROW.size * len(controls)
    for one in controls:
        offset = start + len(texts)
        texts += one.text.encode("ascii") + b"\0"
        size = len(one.text) + 1 if one.kind in (LABEL, GROUPBOX, PAGE) else _LONGEST
        rows.append(
            _ROW.pack(one.x, one.width, one.y, one.height, one.kind, one.flags, one.tag, size, offset)
        )
    return _HEAD.pack(_VERSION, len(controls)) + b"".join(rows) + bytes(texts)
