"""The GUIDs that everybody knows: property sets (MS-OXPROPS 1.3.2) and interfaces of Extended MAPI."""

from __future__ import annotations

import uuid
from typing import Final


def _ole(number: int) -> uuid.UUID:
    """One of the block that was set aside for OLE and its neighbours."""
    return uuid.UUID(f"{number:08x}-0000-0000-c000-000000000046")


PS_MAPI: Final = _ole(0x00020328)  # its "names" are the properties with numbers below 0x8000
PS_PUBLIC_STRINGS: Final = _ole(0x00020329)
PS_INTERNET_HEADERS: Final = _ole(0x00020386)
PS_ROUTING_EMAIL_ADDRESSES: Final = _ole(0x00020380)
PS_ROUTING_ADDRTYPE: Final = _ole(0x00020381)
PS_ROUTING_DISPLAY_NAME: Final = _ole(0x00020382)
PS_ROUTING_ENTRYID: Final = _ole(0x00020383)
PS_ROUTING_SEARCH_KEY: Final = _ole(0x00020384)
PSETID_APPOINTMENT: Final = _ole(0x00062002)
PSETID_TASK: Final = _ole(0x00062003)
PSETID_ADDRESS: Final = _ole(0x00062004)
PSETID_COMMON: Final = _ole(0x00062008)
PSETID_LOG: Final = _ole(0x0006200A)
PSETID_NOTE: Final = _ole(0x0006200E)
PSETID_REPORT: Final = _ole(0x00062013)
PSETID_REMOTE: Final = _ole(0x00062014)
PSETID_SHARING: Final = _ole(0x00062040)
PSETID_POST_RSS: Final = _ole(0x00062041)
PSETID_MEETING: Final = uuid.UUID("6ed8da90-450b-101b-98da-00aa003f1305")
PSETID_CALENDAR_ASSISTANT: Final = uuid.UUID("11000e07-b51b-40d6-af21-caa85edab1d0")
PSETID_MESSAGING: Final = uuid.UUID("41f28f13-83f4-4114-a584-eedb5a6b0bff")
PSETID_UNIFIED_MESSAGING: Final = uuid.UUID("4442858e-a9e3-4e80-b900-317a210cc15b")
PSETID_AIR_SYNC: Final = uuid.UUID("71035549-0739-4dcb-9163-00f0580dbbdf")
PSETID_XML_EXTRACTED_ENTITIES: Final = uuid.UUID("23239608-685d-4732-9c55-4c95cb4e8e33")
PSETID_ATTACHMENT: Final = uuid.UUID("96357f7f-59e1-47d0-99a7-46515c183b54")
MUID_PROFILE_INSTANCE: Final = _ole(0x00020385)

SETS: Final = {
    "PS_MAPI": PS_MAPI,
    "PS_PUBLIC_STRINGS": PS_PUBLIC_STRINGS,
    "PS_INTERNET_HEADERS": PS_INTERNET_HEADERS,
    "PS_ROUTING_EMAIL_ADDRESSES": PS_ROUTING_EMAIL_ADDRESSES,
    "PS_ROUTING_ADDRTYPE": PS_ROUTING_ADDRTYPE,
    "PS_ROUTING_DISPLAY_NAME": PS_ROUTING_DISPLAY_NAME,
    "PS_ROUTING_ENTRYID": PS_ROUTING_ENTRYID,
    "PS_ROUTING_SEARCH_KEY": PS_ROUTING_SEARCH_KEY,
    "PSETID_Appointment": PSETID_APPOINTMENT,
    "PSETID_Task": PSETID_TASK,
    "PSETID_Address": PSETID_ADDRESS,
    "PSETID_Common": PSETID_COMMON,
    "PSETID_Log": PSETID_LOG,
    "PSETID_Note": PSETID_NOTE,
    "PSETID_Report": PSETID_REPORT,
    "PSETID_Remote": PSETID_REMOTE,
    "PSETID_Sharing": PSETID_SHARING,
    "PSETID_PostRss": PSETID_POST_RSS,
    "PSETID_Meeting": PSETID_MEETING,
    "PSETID_CalendarAssistant": PSETID_CALENDAR_ASSISTANT,
    "PSETID_Messaging": PSETID_MESSAGING,
    "PSETID_UnifiedMessaging": PSETID_UNIFIED_MESSAGING,
    "PSETID_AirSync": PSETID_AIR_SYNC,
    "PSETID_XmlExtractedEntities": PSETID_XML_EXTRACTED_ENTITIES,
    "PSETID_Attachment": PSETID_ATTACHMENT,
}
"""Property sets by the names that documents give them."""

# IID_..., in the order of their numbers from 0x00020300 on
_INTERFACES: Final = (
    "IMAPISession", "IMAPITable", "IMAPIAdviseSink", "IMAPIProp", "IProfSect", "IMAPIStatus", "IMsgStore",
    "IMessage", "IAttachment", "IAddrBook", "IMailUser", "IMAPIContainer", "IMAPIFolder", "IABContainer",
    "IDistList", "IMAPISup", "IMSProvider", "IABProvider", "IXPProvider", "IMSLogon", "IABLogon", "IXPLogon",
    "IMAPITableData", "IMAPISpoolerInit", "IMAPISpoolerSession", "ITNEF", "IMAPIPropData", "IMAPIControl",
    "IProfAdmin", "IMsgServiceAdmin", "IMAPISpoolerService", "IMAPIProgress", "ISpoolerHook",
    "IMAPIViewContext", "IMAPIFormMgr", "IEnumMAPIFormProp", "IMAPIFormInfo", "IProviderAdmin",
)  # fmt: skip
INTERFACES: Final = {
    **{f"IID_{name}": _ole(0x00020300 + place) for place, name in enumerate(_INTERFACES)},
    "IID_IMAPIForm": _ole(0x00020327),
    "IID_IPersistMessage": _ole(0x0002032A),
    "IID_IMAPIViewAdviseSink": _ole(0x0002032B),
    "IID_IStreamDocfile": _ole(0x0002032C),
    "IID_IMAPIFormProp": _ole(0x0002032D),
    "IID_IMAPIFormContainer": _ole(0x0002032E),
    "IID_IMAPIFormAdviseSink": _ole(0x0002032F),
    "IID_IStreamTnef": _ole(0x00020330),
    "IID_IMAPIFormFactory": _ole(0x00020350),
    "IID_IMAPIMessageSite": _ole(0x00020370),
}
"""Interfaces by the names of the C headers."""
