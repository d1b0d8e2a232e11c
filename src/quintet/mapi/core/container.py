"""IMAPIContainer: folders and address book containers, as far as they are alike."""

from __future__ import annotations

from typing import Any, ClassVar

from quintet.mapi import pr
from quintet.mapi.core import structs
from quintet.mapi.core.errors import fail
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.table import IMAPITable


class IMAPIContainer(IMAPIProp):
    """Has contents, and containers below."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPIContainer",)

    def GetContentsTable(self, flags: int = 0) -> IMAPITable:
        raise fail("MAPI_E_NO_SUPPORT")

    def GetHierarchyTable(self, flags: int = 0) -> IMAPITable:
        raise fail("MAPI_E_NO_SUPPORT")

    def OpenEntry(self, entry: bytes | None, iid: bytes | None = None, flags: int = 0) -> Any:
        raise fail("MAPI_E_NO_SUPPORT")

    def SetSearchCriteria(
        self, restriction: structs.SRestriction | None, folders: list[bytes] | None, flags: int = 0
    ) -> None:
        raise fail("MAPI_E_NO_SUPPORT")

    def GetSearchCriteria(self, flags: int = 0) -> tuple[structs.SRestriction, list[bytes], int]:
        raise fail("MAPI_E_NO_SUPPORT")

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """PR_CONTAINER_CONTENTS and PR_CONTAINER_HIERARCHY open tables."""
        if tag == pr.CONTAINER_CONTENTS:
            return self.GetContentsTable(options)
        if tag == pr.CONTAINER_HIERARCHY:
            return self.GetHierarchyTable(options)
        return super().OpenProperty(tag, iid, options, flags)
