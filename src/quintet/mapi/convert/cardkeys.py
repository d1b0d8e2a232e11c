"""Properties of contacts (MS-OXOCNTC 2.2) and the headers of vCard that say them (MS-OXVCARD 2.1.3)."""

from __future__ import annotations

from typing import Final

from quintet.mapi.bag import Key
from quintet.mapi.named import key
from quintet.mapi.tags import tag
from quintet.values import dataclass

CONTACT: Final = "IPM.Contact"
GROUP: Final = "IPM.DistList"

SURNAME: Final = tag("PidTagSurname")
GIVEN: Final = tag("PidTagGivenName")
MIDDLE: Final = tag("PidTagMiddleName")
PREFIX: Final = tag("PidTagDisplayNamePrefix")
SUFFIX: Final = tag("PidTagGeneration")
NAMES: Final = (SURNAME, GIVEN, MIDDLE, PREFIX, SUFFIX)  # the fields of N in their order
COMPANY: Final = tag("PidTagCompanyName")
DEPARTMENT: Final = tag("PidTagDepartmentName")
CHILDREN: Final = tag("PidTagChildrensNames")
BUSINESS_PAGE: Final = tag("PidTagBusinessHomePage")
PERSONAL_PAGE: Final = tag("PidTagPersonalHomePage")
CONTACT_PHOTO: Final = tag("PidTagAttachmentContactPhoto")
FILE_UNDER: Final = key("PidLidFileUnder")
MESSENGER: Final = key("PidLidInstantMessagingAddress")
HAS_PICTURE: Final = key("PidLidHasPicture")
POSTAL: Final = key("PidLidPostalAddressId")
GROUP_NAME: Final = key("PidLidDistributionListName")
MEMBERS: Final = key("PidLidDistributionListMembers")
ONE_OFF_MEMBERS: Final = key("PidLidDistributionListOneOffMembers")

TEXTS: Final[dict[str, Key]] = {  # one header, one property
    "NICKNAME": tag("PidTagNickname"),
    "TITLE": tag("PidTagTitle"),
    "ROLE": tag("PidTagProfession"),
    "X-MS-ASSISTANT": tag("PidTagAssistant"),
    "X-MS-MANAGER": tag("PidTagManagerName"),
    "X-MS-SPOUSE": tag("PidTagSpouseName"),
    "X-MS-INTERESTS": tag("PidTagHobbies"),
    "FBURL": key("PidLidFreeBusyLocation"),
}

DATES: Final = (
    (("BDAY",), tag("PidTagBirthday")),
    (("X-MS-ANNIVERSARY", "ANNIVERSARY", "X-ANNIVERSARY"), tag("PidTagWeddingAnniversary")),
)


@dataclass(frozen=True, slots=True)
class Email:
    """The properties of one of a contact's three addresses (MS-OXOCNTC 2.2.1.2)."""

    address: Key
    kind: Key
    shown: Key
    original: Key
    entry: Key


EMAILS: Final = tuple(
    Email(
        key(f"PidLidEmail{number}EmailAddress"),
        key(f"PidLidEmail{number}AddressType"),
        key(f"PidLidEmail{number}DisplayName"),
        key(f"PidLidEmail{number}OriginalDisplayName"),
        key(f"PidLidEmail{number}OriginalEntryId"),
    )
    for number in (1, 2, 3)
)


@dataclass(frozen=True, slots=True)
class Telephone:
    """A number's property, and the types that it is written with; a number with more of them fits too."""

    header: str
    types: frozenset[str]
    key: Key


def _tel(types: str, name: str, header: str = "TEL") -> Telephone:
    return Telephone(header, frozenset(types.split()), tag(f"PidTag{name}"))


TELEPHONES: Final = (  # MS-OXVCARD 2.1.3.4.1, 2.1.3.9.5
    _tel("WORK VOICE", "BusinessTelephoneNumber"),
    _tel("WORK", "BusinessTelephoneNumber"),
    _tel("WORK", "Business2TelephoneNumber"),
    _tel("HOME VOICE", "HomeTelephoneNumber"),
    _tel("HOME", "HomeTelephoneNumber"),
    _tel("HOME", "Home2TelephoneNumber"),
    _tel("CELL", "MobileTelephoneNumber"),
    _tel("PAGER", "PagerTelephoneNumber"),
    _tel("CAR", "CarTelephoneNumber"),
    _tel("ISDN", "IsdnNumber"),
    _tel("WORK FAX", "BusinessFaxNumber"),
    _tel("HOME FAX", "HomeFaxNumber"),
    _tel("FAX", "PrimaryFaxNumber"),
    _tel("PREF", "PrimaryTelephoneNumber"),
    _tel("VOICE", "OtherTelephoneNumber"),
    _tel("", "OtherTelephoneNumber"),
    _tel("ASSISTANT", "AssistantTelephoneNumber", "X-MS-TEL"),
    _tel("CALLBACK", "CallbackTelephoneNumber", "X-MS-TEL"),
    _tel("COMPANY", "CompanyMainTelephoneNumber", "X-MS-TEL"),
    _tel("RADIO", "RadioTelephoneNumber", "X-MS-TEL"),
    _tel("TTYTDD", "TelecommunicationsDeviceForDeafTelephoneNumber", "X-MS-TEL"),
)

# The fields of ADR in their order: box, what is beyond the street, street, city, region, code, country
ADDRESSES: Final[dict[str, tuple[Key | None, ...]]] = {
    "WORK": (
        key("PidLidWorkAddressPostOfficeBox"), tag("PidTagOfficeLocation"), key("PidLidWorkAddressStreet"),
        key("PidLidWorkAddressCity"), key("PidLidWorkAddressState"), key("PidLidWorkAddressPostalCode"),
        key("PidLidWorkAddressCountry"),
    ),
    "HOME": (
        tag("PidTagHomeAddressPostOfficeBox"), None, tag("PidTagHomeAddressStreet"),
        tag("PidTagHomeAddressCity"), tag("PidTagHomeAddressStateOrProvince"),
        tag("PidTagHomeAddressPostalCode"), tag("PidTagHomeAddressCountry"),
    ),
    "": (
        tag("PidTagOtherAddressPostOfficeBox"), None, tag("PidTagOtherAddressStreet"),
        tag("PidTagOtherAddressCity"), tag("PidTagOtherAddressStateOrProvince"),
        tag("PidTagOtherAddressPostalCode"), tag("PidTagOtherAddressCountry"),
    ),
}  # fmt: skip
POSTAL_NUMBERS: Final = {"HOME": 1, "WORK": 2, "": 3}  # PidLidPostalAddressId
