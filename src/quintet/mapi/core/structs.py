"""The structures that Extended MAPI's calls take and give, by the names and fields of its C headers.

Each is a plain class with positional arguments, compared and shown by its fields, so that programs written
for python-mapi find what they know.  Values: see `quintet.mapi.core.values`.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from quintet.mapi import consts
from quintet.values import dataclass

Value = Any  # what the type of the property says


@dataclass(slots=True, eq=True)
class SPropValue:
    """A property: its tag and its value."""

    ulPropTag: int
    Value: Value

    @property
    def proptag(self) -> int:
        return self.ulPropTag

    @property
    def value(self) -> Value:
        return self.Value

    def __repr__(self) -> str:
        return f"SPropValue(0x{self.ulPropTag:08X}, {self.Value!r})"

    def __hash__(self) -> int:
        value = self.Value
        return hash((self.ulPropTag, tuple(value) if isinstance(value, list) else value))


@dataclass
class SPropProblem:
    """What could not be done with the property at ``ulIndex`` of a call."""

    ulIndex: int
    ulPropTag: int
    scode: int


@dataclass(frozen=True)
class MAPINAMEID:
    """A named property: ``kind`` MNID_ID (``id`` a number) or MNID_STRING (``id`` a text); ``guid`` 16
    bytes.
    """

    guid: bytes
    kind: int
    id: int | str


@dataclass
class SSort:
    ulPropTag: int
    ulOrder: int


@dataclass
class SSortOrderSet:
    """The first ``cCategories`` of the keys make headings, ``cExpanded`` of them open."""

    aSort: list[SSort]
    cCategories: int = 0
    cExpanded: int = 0


# --- restrictions ---------------------------------------------------------------------------------------


class SRestriction:
    """What all restrictions have: ``rt``, their kind."""

    rt: int


@dataclass
class SAndRestriction(SRestriction):
    lpRes: list[SRestriction]
    rt: int = field(default=0, init=False)


@dataclass
class SOrRestriction(SRestriction):
    lpRes: list[SRestriction]
    rt: int = field(default=1, init=False)


@dataclass
class SNotRestriction(SRestriction):
    lpRes: SRestriction
    rt: int = field(default=2, init=False)


@dataclass
class SContentRestriction(SRestriction):
    """``ulFuzzyLevel``: FL_FULLSTRING, FL_SUBSTRING or FL_PREFIX with FL_IGNORECASE and its like."""

    ulFuzzyLevel: int
    ulPropTag: int
    lpProp: SPropValue
    rt: int = field(default=3, init=False)


@dataclass
class SPropertyRestriction(SRestriction):
    relop: int
    ulPropTag: int
    lpProp: SPropValue
    rt: int = field(default=4, init=False)


@dataclass
class SComparePropsRestriction(SRestriction):
    relop: int
    ulPropTag1: int
    ulPropTag2: int
    rt: int = field(default=5, init=False)


@dataclass
class SBitMaskRestriction(SRestriction):
    """``relBMR``: BMR_EQZ 0, BMR_NEZ 1."""

    relBMR: int
    ulPropTag: int
    ulMask: int
    rt: int = field(default=6, init=False)


@dataclass
class SSizeRestriction(SRestriction):
    relop: int
    ulPropTag: int
    cb: int  # bytes
    rt: int = field(default=7, init=False)


@dataclass
class SExistRestriction(SRestriction):
    ulPropTag: int
    rt: int = field(default=8, init=False)


@dataclass
class SSubRestriction(SRestriction):
    """``ulSubObject``: PR_MESSAGE_RECIPIENTS or PR_MESSAGE_ATTACHMENTS."""

    ulSubObject: int
    lpRes: SRestriction
    rt: int = field(default=9, init=False)


@dataclass
class SCommentRestriction(SRestriction):
    lpRes: SRestriction | None
    lpProp: list[SPropValue]
    rt: int = field(default=10, init=False)


@dataclass
class SCountRestriction(SRestriction):
    ulCount: int
    lpRes: SRestriction
    rt: int = field(default=11, init=False)


# --- rules ----------------------------------------------------------------------------------------------


@dataclass
class actMoveCopy:
    StoreEntryId: bytes
    FldEntryId: bytes


@dataclass
class actReply:
    EntryId: bytes
    guidReplyTemplate: bytes


@dataclass
class actDeferAction:
    data: bytes


@dataclass
class actBounce:
    scBounceCode: int


@dataclass
class actFwdDelegate:
    lpadrlist: list[list[SPropValue]]


@dataclass
class actTag:
    propTag: SPropValue


@dataclass
class ACTION:
    """``actobj``: one of the structures above, None for OP_DELETE and OP_MARK_AS_READ."""

    acttype: int
    ulActionFlavor: int
    lpRes: SRestriction | None
    lpPropTagArray: list[int] | None
    ulFlags: int
    actobj: Any


@dataclass
class ACTIONS:
    ulVersion: int
    lpAction: list[ACTION]


# --- notifications --------------------------------------------------------------------------------------


@dataclass
class ERROR_NOTIFICATION:
    lpEntryID: bytes
    scode: int
    ulFlags: int
    lpMAPIError: Any
    ulEventType: int = 0x1


@dataclass
class NEWMAIL_NOTIFICATION:
    lpEntryID: bytes
    lpParentID: bytes
    ulFlags: int
    lpszMessageClass: str
    ulMessageFlags: int
    ulEventType: int = 0x2


@dataclass
class OBJECT_NOTIFICATION:
    """Created, deleted, modified, moved, copied, or a search that is complete: ``ulEventType`` tells."""

    ulEventType: int
    lpEntryID: bytes
    ulObjType: int
    lpParentID: bytes
    lpOldID: bytes
    lpOldParentID: bytes
    lpPropTagArray: list[int]


@dataclass
class TABLE_NOTIFICATION:
    """``propIndex``: the row's PR_INSTANCE_KEY; ``propPrior``: that of the row before it, or PR_NULL."""

    ulTableEvent: int
    hResult: int
    propIndex: SPropValue
    propPrior: SPropValue
    row: list[SPropValue]
    ulEventType: int = 0x100


@dataclass
class STATUS_OBJECT_NOTIFICATION:
    lpEntryID: bytes
    lpPropVals: list[SPropValue]
    ulEventType: int = 0x200


NOTIFICATION = (
    ERROR_NOTIFICATION
    | NEWMAIL_NOTIFICATION
    | OBJECT_NOTIFICATION
    | TABLE_NOTIFICATION
    | STATUS_OBJECT_NOTIFICATION
)


# --- the rest -------------------------------------------------------------------------------------------


@dataclass
class ROWENTRY:
    """A change of a row in a table of rights or rules: ROW_ADD, ROW_MODIFY, ROW_REMOVE."""

    ulRowFlags: int
    rgPropVals: list[SPropValue]


@dataclass
class READSTATE:
    """``ulFlags``: MSGFLAG_READ or 0."""

    SourceKey: bytes
    ulFlags: int


@dataclass
class STATSTG:
    cbSize: int  # bytes


@dataclass
class MAPIERROR:
    """What an object knows of its last error (GetLastError)."""

    ulVersion: int
    lpszError: str
    lpszComponent: str
    ulLowLevelError: int
    ulContext: int


NULL_PROP = SPropValue(1, 0)  # PR_NULL
MAPI_UNICODE: int = consts.MAPI_UNICODE
