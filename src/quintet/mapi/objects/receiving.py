"""Receive folders: where messages of a class arrive (MS-OXCSTOR 3.2.5.2 to 3.2.5.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from quintet.mapi.errors import Code, MapiError
from quintet.store import boxes
from quintet.store.boxes import Arrival
from quintet.store.db import Tx
from quintet.store.model import Account, FolderId

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box

# 2.2.1.2.1: printable ASCII, no period at either end, none beside another; 255 with the NUL
_CLASS = re.compile(r"(?:[ -\-/-~]+(?:\.[ -\-/-~]+)*)?")
MAX_CLASS = 254
_FIXED: Final = frozenset(("ipm", "report.ipm"))  # nobody moves these (R859, R272)
_USUAL: Final = (("", "inbox"), ("ipm", "inbox"), ("report.ipm", "inbox"), ("ipc", "root"))


def prime(tx: Tx, account: Account, special: dict[str, FolderId]) -> None:
    """What a new mailbox has (R59786)."""
    if not boxes.arrivals(tx, account.id):
        for klass, role in _USUAL:
            boxes.set_arrival(tx, account.id, klass, special[role])


def find(box: Box, klass: str) -> tuple[str, FolderId]:
    """The class that is configured for one, as nearly as can be, and its folder (R847 to R1224).

    Raises:
        MapiError(INVALID_PARAMETER): no possible class.  MapiError(NOT_SUPPORTED): a public logon (R59783).
    """
    _check(box, klass)
    found = boxes.arrival(box.tx, box.account.id, klass)
    return ("", box.special["inbox"]) if found is None else (found.klass, found.folder_id)


def table(box: Box) -> list[Arrival]:
    """All rows (R876).  Raises MapiError(NO_RECEIVE_FOLDER): there are none (R59787)."""
    _check(box, "")
    rows = boxes.arrivals(box.tx, box.account.id)
    if not rows:
        raise MapiError(Code.NO_RECEIVE_FOLDER)
    return rows


def change(box: Box, klass: str, folder_id: int) -> None:
    """Sets, replaces or (0) deletes a row (R862 to R867).

    Raises:
        MapiError(INVALID_PARAMETER | NOT_SUPPORTED): as `find`.
        MapiError(ACCESS_DENIED): of a class that stays where it is (R859), or the reader may not.
        MapiError(GENERAL_FAILURE): no class and no folder (R860).
        MapiError(NOT_FOUND): the folder is none of the mailbox (R871).
    """
    _check(box, klass)
    if klass.lower() in _FIXED or not box.is_owner:
        raise MapiError(Code.ACCESS_DENIED)
    if not klass and not folder_id:
        raise MapiError(Code.GENERAL_FAILURE)
    boxes.set_arrival(box.tx, box.account.id, klass, box.folder(folder_id).id if folder_id else None)


def _check(box: Box, klass: str) -> None:
    if box.public:
        raise MapiError(Code.NOT_SUPPORTED)
    if len(klass) > MAX_CLASS or not _CLASS.fullmatch(klass):
        raise MapiError(Code.INVALID_PARAMETER, "no possible class of messages")
