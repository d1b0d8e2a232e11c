"""The attributes of TNEF, older than properties, and the properties they stand for (MS-OXTNEF 2.1.3)."""

from __future__ import annotations

import enum
from typing import Final

from quintet.mapi.tags import tag
from quintet.mapi.types import Tag

SIGNATURE: Final = 0x223E9F78
VERSION: Final = 0x00010000
MESSAGE, ATTACHMENT = 1, 2  # levels

TNEF_VERSION: Final = 0x00089006
OEM_CODEPAGE: Final = 0x00069007
MESSAGE_PROPS: Final = 0x00069003
RECIPIENTS: Final = 0x00069004
MESSAGE_CLASS: Final = 0x00078008
SUBJECT: Final = 0x00018004
DATE_SENT: Final = 0x00038005
PRIORITY: Final = 0x0004800D
OWNER: Final = 0x00060000
RENDERING: Final = 0x00069002
ATTACHMENT_DATA: Final = 0x0006800F
ATTACHMENT_TITLE: Final = 0x00018010
ATTACHMENT_PROPS: Final = 0x00069005


class Form(enum.Enum):
    """How an attribute's data is laid out."""

    TEXT = "text of the OEM code page, with a NUL"
    CLASS = "the same, with the names that message classes had before"
    DATE = "seven 16-bit numbers"
    HEX = "a key in hexadecimal"
    SHORT = "16 bits"
    LONG = "32 bits"
    IMPORTANCE = "3 low, 2 normal, 1 high"
    STATUS = "bits of the message's state"
    BYTES = "as they are"
    TRIPLE = "a sender: name, type and address"
    COUNTED = "the same, as counted strings"


ATTRIBUTES: Final[dict[int, tuple[Form, Tag]]] = {
    SUBJECT: (Form.TEXT, tag("PidTagSubject")),
    DATE_SENT: (Form.DATE, tag("PidTagClientSubmitTime")),
    0x00038006: (Form.DATE, tag("PidTagMessageDeliveryTime")),
    0x00068007: (Form.STATUS, tag("PidTagMessageFlags")),
    MESSAGE_CLASS: (Form.CLASS, tag("PidTagMessageClass")),
    0x00018009: (Form.HEX, tag("PidTagSearchKey")),
    0x0001800A: (Form.HEX, tag("PidTagParentKey")),
    0x0001800B: (Form.HEX, tag("PR_CONVERSATION_KEY")),
    0x0002800C: (Form.TEXT, tag("PidTagBody")),
    PRIORITY: (Form.IMPORTANCE, tag("PidTagImportance")),
    0x00038020: (Form.DATE, tag("PidTagLastModificationTime")),
    0x00030006: (Form.DATE, tag("PidTagStartDate")),
    0x00030007: (Form.DATE, tag("PidTagEndDate")),
    0x00050008: (Form.LONG, tag("PidTagOwnerAppointmentId")),
    0x00040009: (Form.SHORT, tag("PidTagResponseRequested")),
    0x00070006: (Form.CLASS, tag("PidTagOriginalMessageClass")),
    0x00060002: (Form.BYTES, tag("PR_DELEGATION")),
    # of people, the first of the three properties that are told
    0x00008000: (Form.TRIPLE, tag("PidTagSenderName")),
    OWNER: (Form.COUNTED, tag("PidTagSentRepresentingName")),
    0x00060001: (Form.COUNTED, tag("PidTagSentRepresentingName")),
    # of attachments
    ATTACHMENT_TITLE: (Form.TEXT, tag("PidTagAttachFilename")),
    0x00068011: (Form.BYTES, tag("PidTagAttachRendering")),
    0x00038012: (Form.DATE, tag("PidTagCreationTime")),
    0x00038013: (Form.DATE, tag("PidTagLastModificationTime")),
    0x00069001: (Form.TEXT, tag("PidTagAttachTransportName")),
}

PEOPLE: Final = {  # by the tag of their name: type and address
    tag(f"PidTag{who}Name"): (tag(f"PidTag{who}AddressType"), tag(f"PidTag{who}EmailAddress"))
    for who in ("Sender", "SentRepresenting", "ReceivedRepresenting")
}

CLASSES: Final = {  # message classes of Microsoft Mail
    "IPM.Microsoft Mail.Note": "IPM.Note",
    "IPM.Microsoft Mail.Read Receipt": "Report.IPM.Note.IPNRN",
    "IPM.Microsoft Mail.Non-Delivery": "Report.IPM.Note.NDR",
    "IPM.Microsoft Schedule.MtgReq": "IPM.Schedule.Meeting.Request",
    "IPM.Microsoft Schedule.MtgCncl": "IPM.Schedule.Meeting.Canceled",
    "IPM.Microsoft Schedule.MtgRespP": "IPM.Schedule.Meeting.Resp.Pos",
    "IPM.Microsoft Schedule.MtgRespN": "IPM.Schedule.Meeting.Resp.Neg",
    "IPM.Microsoft Schedule.MtgRespA": "IPM.Schedule.Meeting.Resp.Tent",
}

# attMessageStatus and PidTagMessageFlags: read, unsent, submitted, has attachments; the second is inverted
STATUS: Final = ((0x20, 0x01), (0x02, 0x08), (0x04, 0x04), (0x80, 0x10))
MODIFIED, UNMODIFIED = 0x01, 0x02

ATTACH_METHOD: Final = tag("PidTagAttachMethod")
RENDERING_POSITION: Final = tag("PidTagRenderingPosition")
ATTACH_ENCODING: Final = tag("PidTagAttachEncoding")
ATTACH_OBJECT: Final = tag("PidTagAttachDataObject")
ATTACH_BYTES: Final = tag("PidTagAttachDataBinary")
ATTACH_FILENAME: Final = tag("PidTagAttachFilename")
ATTACH_LONG_FILENAME: Final = tag("PidTagAttachLongFilename")
DISPLAY_NAME: Final = tag("PidTagDisplayName")
MAC_BINARY: Final = bytes.fromhex("2a864886f714030b01")  # PidTagAttachEncoding
BY_VALUE, EMBEDDED, OLE = 1, 5, 6  # PidTagAttachMethod (MS-OXCMSG 2.2.2.9)
