"""The properties that conversions read and write, by short names (MS-OXPROPS 2)."""

from __future__ import annotations

from typing import Final

from quintet.mapi import guids, named, types
from quintet.mapi.bag import NamedTag
from quintet.mapi.tags import tag
from quintet.mapi.types import Tag

INTERNET_HEADERS: Final = guids.PS_INTERNET_HEADERS

MESSAGE_CLASS: Final = tag("PidTagMessageClass")
SUBJECT: Final = tag("PidTagSubject")
SUBJECT_PREFIX: Final = tag("PidTagSubjectPrefix")
NORMALIZED_SUBJECT: Final = tag("PidTagNormalizedSubject")
CONVERSATION_TOPIC: Final = tag("PidTagConversationTopic")
CONVERSATION_INDEX: Final = tag("PidTagConversationIndex")
IMPORTANCE: Final = tag("PidTagImportance")
PRIORITY: Final = tag("PidTagPriority")
SENSITIVITY: Final = tag("PidTagSensitivity")
SUBMIT_TIME: Final = tag("PidTagClientSubmitTime")
DELIVERY_TIME: Final = tag("PidTagMessageDeliveryTime")
DEFERRED_DELIVERY: Final = tag("PidTagDeferredDeliveryTime")
EXPIRY_TIME: Final = tag("PidTagExpiryTime")
REPLY_TIME: Final = tag("PidTagReplyTime")
MESSAGE_ID: Final = tag("PidTagInternetMessageId")
IN_REPLY_TO: Final = tag("PidTagInReplyToId")
REFERENCES: Final = tag("PidTagInternetReferences")
TRANSPORT_HEADERS: Final = tag("PidTagTransportMessageHeaders")
LIST_HELP: Final = tag("PidTagListHelp")
LIST_SUBSCRIBE: Final = tag("PidTagListSubscribe")
LIST_UNSUBSCRIBE: Final = tag("PidTagListUnsubscribe")
AUTO_RESPONSE_SUPPRESS: Final = tag("PidTagAutoResponseSuppress")
READ_RECEIPT: Final = tag("PidTagReadReceiptRequested")
NON_READ_RECEIPT: Final = tag("PidTagNonReceiptNotificationRequested")
DELIVERY_REPORT: Final = tag("PidTagOriginatorDeliveryReportRequested")
REPLY_ENTRIES: Final = tag("PidTagReplyRecipientEntries")
REPLY_NAMES: Final = tag("PidTagReplyRecipientNames")
FLAG_STATUS: Final = tag("PidTagFlagStatus")

NEWSGROUPS: Final = tag("PR_INTERNET_NEWSGROUPS")
FOLLOWUP_TO: Final = tag("PidTagInternetFollowupTo")
DISTRIBUTION: Final = tag("PidTagInternetDistribution")
APPROVED: Final = tag("PidTagInternetApproved")
CONTROL: Final = tag("PidTagInternetControl")
ORGANIZATION: Final = tag("PidTagInternetOrganization")
SUPERSEDES: Final = tag("PR_SUPERSEDES")
PRECEDENCE: Final = tag("PR_INTERNET_PRECEDENCE")
NNTP_PATH: Final = tag("PidTagInternetNntpPath")
XREF: Final = tag("PR_NNTP_XREF")

CALLER_NUMBER: Final = tag("PidTagSenderTelephoneNumber")
VOICE_DURATION: Final = 0x68010003  # PidTagVoiceMessageDuration, seconds; the list of tags has an older name
VOICE_SENDER: Final = tag("PidTagVoiceMessageSenderName")
VOICE_ORDER: Final = tag("PidTagVoiceMessageAttachmentOrder")
FAX_PAGES: Final = tag("PidTagFaxNumberOfPages")
CALL_ID: Final = tag("PidTagCallId")

CLASSIFIED: Final = named.key("PidLidClassified")
CLASSIFICATION: Final = named.key("PidLidClassification")
CLASSIFICATION_TEXT: Final = named.key("PidLidClassificationDescription")
CLASSIFICATION_ID: Final = named.key("PidLidClassificationGuid")
CLASSIFICATION_KEPT: Final = named.key("PidLidClassificationKeep")
CLASSIFICATIONS: Final = (CLASSIFICATION, CLASSIFICATION_TEXT, CLASSIFICATION_ID, CLASSIFICATION_KEPT)

BODY: Final = tag("PidTagBody")
HTML: Final = tag("PidTagHtml")
RTF: Final = tag("PidTagRtfCompressed")
RTF_IN_SYNC: Final = tag("PidTagRtfInSync")
NATIVE_BODY: Final = tag("PidTagNativeBody")
CODEPAGE: Final = tag("PidTagInternetCodepage")
MESSAGE_LOCALE: Final = tag("PidTagMessageLocaleId")
BODY_CONTENT_ID: Final = tag("PidTagBodyContentId")
BODY_CONTENT_LOCATION: Final = tag("PidTagBodyContentLocation")

DISPLAY_NAME: Final = tag("PidTagDisplayName")
ADDRESS_TYPE: Final = tag("PidTagAddressType")
EMAIL_ADDRESS: Final = tag("PidTagEmailAddress")
SMTP_ADDRESS: Final = tag("PidTagSmtpAddress")
ENTRY_ID: Final = tag("PR_ENTRYID")
SEARCH_KEY: Final = tag("PidTagSearchKey")
OBJECT_TYPE: Final = tag("PidTagObjectType")
DISPLAY_TYPE: Final = tag("PidTagDisplayType")
RECIPIENT_TYPE: Final = tag("PidTagRecipientType")
TRANSMITTABLE_NAME: Final = tag("PidTagTransmittableDisplayName")

ATTACH_METHOD: Final = tag("PidTagAttachMethod")
ATTACH_NUMBER: Final = tag("PidTagAttachNumber")
ATTACH_SIZE: Final = tag("PidTagAttachSize")
ATTACH_FLAGS: Final = tag("PidTagAttachFlags")
ATTACH_HIDDEN: Final = tag("PidTagAttachmentHidden")
ATTACH_LONG_NAME: Final = tag("PidTagAttachLongFilename")
ATTACH_NAME: Final = tag("PidTagAttachFilename")
ATTACH_EXTENSION: Final = tag("PidTagAttachExtension")
ATTACH_MIME_TAG: Final = tag("PidTagAttachMimeTag")
ATTACH_CONTENT_ID: Final = tag("PidTagAttachContentId")
ATTACH_CONTENT_LOCATION: Final = tag("PidTagAttachContentLocation")
ATTACH_CONTENT_BASE: Final = tag("PidTagAttachContentBase")
ATTACH_CHARSET: Final = tag("PidTagTextAttachmentCharset")
RENDERING_POSITION: Final = tag("PidTagRenderingPosition")
CREATION_TIME: Final = tag("PidTagCreationTime")
MODIFICATION_TIME: Final = tag("PidTagLastModificationTime")

KEYWORDS: Final = named.key("PidNameKeywords")  # the categories
FLAG_REQUEST: Final = named.key("PidLidFlagRequest")
LANGUAGES: Final = NamedTag(INTERNET_HEADERS, "content-language", types.STRING)
ACCEPT_LANGUAGE: Final = NamedTag(INTERNET_HEADERS, "acceptlanguage", types.STRING)  # PidNameAcceptLanguage


class Sender:
    """The tags that say who someone is: of the sender, of whom they represent."""

    def __init__(self, name: str) -> None:
        self.name: Tag = tag(f"PidTag{name}Name")
        self.kind: Tag = tag(f"PidTag{name}AddressType")
        self.email: Tag = tag(f"PidTag{name}EmailAddress")
        self.smtp: Tag = tag(f"PidTag{name}SmtpAddress")
        self.entry: Tag = tag(f"PidTag{name}EntryId")
        self.search: Tag = tag(f"PidTag{name}SearchKey")


SENDER: Final = Sender("Sender")
REPRESENTING: Final = Sender("SentRepresenting")
READ_RECEIPT_TO: Final = Sender("ReadReceipt")

BY_VALUE, EMBEDDED, OLE = 1, 5, 6  # PidTagAttachMethod (MS-OXCMSG 2.2.2.9)
IN_BODY: Final = 4  # PidTagAttachFlags: rendered within the body (MS-OXCMSG 2.2.2.18)
NOT_RENDERED: Final = -1  # PidTagRenderingPosition (MS-OXCMSG 2.2.2.16)
TO, CC, BCC = 1, 2, 3  # PidTagRecipientType
