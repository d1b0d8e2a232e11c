"""Reports about letters: delivered or not (RFC 3464), read or not (RFC 8098), as REPORT.* items and back.

MS-OXCMAIL 2.1.3.6, 2.2.3.7.  The recipients of a report about delivery are those that it tells of; to whom it
goes is its original sender.
"""

from __future__ import annotations

import base64
import re

from quintet.mapi import types
from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import addressing, names
from quintet.mapi.convert.names import Sender
from quintet.mapi.tags import tag
from quintet.message import addresses, build, dates, entity, words
from quintet.message.digest import Part
from quintet.values import dataclass

MAX_REPORT = 1024 * 1024  # bytes of the part that machines read
MAX_TOLD = 10_000  # recipients that it tells of
MAX_KEY = 1024  # bytes of the key that ties a report to its letter

DELIVERY = frozenset(("message/delivery-status", "message/global-delivery-status"))
READING = frozenset(("message/disposition-notification", "message/global-disposition-notification"))

OF_DELIVERY, OF_READING = "delivery-status", "disposition-notification"

ORIGINAL_SUBJECT = tag("PidTagOriginalSubject")
ORIGINAL_MESSAGE_ID = 0x1046001F  # PidTagOriginalMessageId; the list of tags has an older name for it
ORIGINAL_SUBMIT_TIME = tag("PidTagOriginalSubmitTime")
ORIGINAL_CLASS = tag("PidTagOriginalMessageClass")
REPORT_TIME = tag("PidTagReportTime")
REPORT_TEXT = tag("PidTagReportText")
REPORTING_MTA = tag("PidTagReportingMessageTransferAgent")
REMOTE_MTA = tag("PidTagRemoteMessageTransferAgent")
STATUS = tag("PidTagNonDeliveryReportStatusCode")
REASON = tag("PidTagNonDeliveryReportReasonCode")
DIAGNOSTIC = tag("PidTagNonDeliveryReportDiagCode")
SUPPLEMENTARY = tag("PidTagSupplementaryInfo")
DELIVER_TIME = tag("PidTagDeliverTime")
RECEIPT_TIME = tag("PidTagReceiptTime")
DISPOSITION = tag("PidTagReportDisposition")
DISPOSITION_MODE = tag("PidTagReportDispositionMode")
INTENDED = tag("PidTagOriginallyIntendedRecipEmailAddress")
INTENDED_KIND = tag("PidTagOriginallyIntendedRecipAddrtype")
PARENT_KEY = tag("PidTagParentKey")


class _OriginalSender(Sender):
    """To whom the report goes; there is no property for their SMTP address alone."""

    def __init__(self) -> None:
        self.name, self.kind = tag("PidTagOriginalSenderName"), tag("PidTagOriginalSenderAddressType")
        self.email = self.smtp = tag("PidTagOriginalSenderEmailAddress")
        self.entry, self.search = tag("PidTagOriginalSenderEntryId"), tag("PidTagOriginalSenderSearchKey")


ORIGINAL_SENDER = _OriginalSender()


@dataclass(frozen=True, slots=True)
class Outcome:
    """An Action (RFC 3464 2.3.3): how bad it is, and the end of the class it makes."""

    badness: int
    ending: str
    status: int  # the class of its status where the report tells none


_OUTCOMES = {
    "failed": Outcome(5, "NDR", 5),
    "delayed": Outcome(4, "Delayed.DR", 4),
    "relayed": Outcome(3, "Relayed.DR", 2),
    "expanded": Outcome(1, "Expanded.DR", 2),
    "delivered": Outcome(2, "DR", 2),  # after those whose ending ends like it
}
_SEEN, _UNSEEN = "IPNRN", "IPNNRN"
_DISPOSITIONS = {  # RFC 8098 3.2.6.2, and those that older programs write
    "displayed": _SEEN, "dispatched": _SEEN, "processed": _SEEN, "deleted": _UNSEEN, "denied": _UNSEEN,
    "failed": _UNSEEN,
}  # fmt: skip
_MODE = "automatic-action/MDN-sent-automatically"

# MS-OXCMAIL 2.2.3.7.1.3: PidTagNonDeliveryReportDiagCode by subject and detail of the status (RFC 3463), then
# by subject alone; the numbers are MAPI's (mapidefs.h)
_DIAGNOSES = {
    (1, 1): 35, (1, 2): 48, (1, 3): 32, (1, 4): 1, (1, 6): 40,
    (2, 2): 13, (2, 3): 13, (2, 4): 30,
    (3, 2): -1, (3, 3): 18, (3, 4): 13, (3, 5): 18,
    (4, 0): -1, (4, 3): -1, (4, 4): -1, (4, 6): 3, (4, 7): 5, (4, 8): 3,
    (5, 3): 16, (5, 4): 11,
    (6, 2): 9, (6, 3): 8,
    (7, 2): 28,
}  # fmt: skip
_DIAGNOSES_BY_SUBJECT = {1: 0, 2: 38, 3: 38, 4: 2, 5: 17, 6: 15, 7: 46}
_NO_DIAGNOSIS = -1
_STATUSES = {number: f"{subject}.0" for subject, number in reversed(_DIAGNOSES_BY_SUBJECT.items())} | {
    number: f"{subject}.{detail}" for (subject, detail), number in reversed(_DIAGNOSES.items()) if number >= 0
}
_REASONS = {(1, 1): 1, (4, 3): 6}  # PidTagNonDeliveryReportReasonCode: transfer impossible, directory failed
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_SUPPLEMENT = re.compile(
    r"<(?P<remote>[^#]*?) ?#(?P<status>[245]\.\d{1,3}\.\d{1,3})(?: (?P<diagnostic>.*))?>", re.DOTALL
)
_TYPED = re.compile(r"\s*([A-Za-z0-9-]{1,30})\s*;\s*(.*)", re.DOTALL)
_GROUPS = re.compile(rb"\r?\n[ \t]*\r?\n")


def part_of(root: Part) -> Part | None:
    """The part that machines read, of a letter that is a report (RFC 6522 3).

    It is the second one; only where none follows is a first one taken that has its type, as some have whose
    first part is for people.
    """
    if root.content_type != "multipart/report":
        return None
    for child in (*root.children[1:3], *root.children[:1]):
        if child.content_type in DELIVERY | READING and child.size <= MAX_REPORT:
            return child
    return None


# --- from MIME --------------------------------------------------------------------------------------------


def read(kind: str, content: bytes, item: Item) -> None:
    """Make a report of ``item``, whose header, body and attachments are read already."""
    groups = [_fields(block) for block in _GROUPS.split(content.strip())[: MAX_TOLD + 1]]
    bag = item.props
    original = _original(item)
    bag[ORIGINAL_CLASS] = "IPM.Note"
    if kind in DELIVERY:
        _read_delivery(groups, item)
    else:
        _read_disposition(groups[0], bag)
    bag.setdefault(REPORT_TIME, bag.get(names.SUBMIT_TIME, 0))
    for key, value in original.items():
        bag.setdefault(key, value)


def _fields(block: bytes) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for name, value in entity.fields(block):
        found.setdefault(name.lower(), words.decode_words(value))
    return found


def _original(item: Item) -> Bag:
    """What the returned message, or its header, says of itself."""
    for one in item.attachments:
        if one.item is not None:
            bag = one.item.props
            found = {
                ORIGINAL_SUBJECT: bag.get(names.SUBJECT),
                ORIGINAL_MESSAGE_ID: bag.get(names.MESSAGE_ID),
                ORIGINAL_SUBMIT_TIME: bag.get(names.SUBMIT_TIME),
            }
            return {key: value for key, value in found.items() if value is not None}
        if one.props.get(names.ATTACH_MIME_TAG) == "text/rfc822-headers" and isinstance(one.data, bytes):
            return _of_header(_fields(one.data))
    return {}


def _of_header(said: dict[bytes, str]) -> Bag:
    found: Bag = {ORIGINAL_SUBJECT: said.get(b"subject", "")}
    if b"message-id" in said:
        found[ORIGINAL_MESSAGE_ID] = said[b"message-id"]
    if (at := _time(said.get(b"date"))) is not None:
        found[ORIGINAL_SUBMIT_TIME] = at
    return found


def _read_delivery(groups: list[dict[bytes, str]], item: Item) -> None:
    bag = item.props
    message, told = groups[0], groups[1:]
    goes_to = next((row for row in item.recipients if row[names.RECIPIENT_TYPE] == names.TO), None)
    if goes_to is not None:
        spec = addressing.mailbox(goes_to[names.DISPLAY_NAME], "SMTP", goes_to[names.EMAIL_ADDRESS])
        for one in addresses.mailboxes(spec.encode("utf-8", "replace"))[:1]:
            addressing.put_sender(bag, ORIGINAL_SENDER, one)
    rows = [row for fields in told if (row := _told(fields))]
    worst = max((action for action, _ in rows), key=lambda one: _OUTCOMES[one].badness, default="failed")
    # 2.2.3.7.1 step 3: a report is of one kind, and the worst that it tells counts
    rows = [(action, row) for action, row in rows if action == worst]
    item.recipients = [row for _, row in rows]
    bag[names.MESSAGE_CLASS] = f"REPORT.IPM.Note.{_OUTCOMES[worst].ending}"
    if b"reporting-mta" in message:
        bag[REPORTING_MTA] = _typed(message[b"reporting-mta"])[1]
    times = [row[REPORT_TIME] for _, row in rows if REPORT_TIME in row]
    if times:
        bag[REPORT_TIME] = max(times)


def _told(fields: dict[bytes, str]) -> tuple[str, Bag] | None:
    """The action and the row of one recipient (RFC 3464 2.3)."""
    final = fields.get(b"final-recipient") or fields.get(b"original-recipient")
    action = fields.get(b"action", "failed").strip().lower()
    if final is None or action not in _OUTCOMES:
        return None
    address = _typed(final)[1]
    # the address is no header's: quoted where it must be, so that it reads as one
    spec = addressing.mailbox(fields.get(b"x-display-name", ""), "SMTP", address).encode("utf-8", "replace")
    rows = addressing.rows(spec, names.TO, 1)
    if not rows:
        return None
    row = rows[0]
    status = _STATUS.search(fields.get(b"status", ""))
    level, subject, detail = (int(one) for one in status.groups()) if status else (0, 0, 0)
    level = level or _OUTCOMES[action].status
    row[STATUS] = level * 100 + min(subject, 9) * 10 + (detail if detail < 10 else 0)
    if action == "failed":
        row[DIAGNOSTIC] = _DIAGNOSES.get((subject, detail), _DIAGNOSES_BY_SUBJECT.get(subject, _NO_DIAGNOSIS))
        row[REASON] = _REASONS.get((subject, detail), 0)
    if b"diagnostic-code" in fields:
        row[REPORT_TEXT] = _typed(fields[b"diagnostic-code"])[1]
    if b"remote-mta" in fields:
        row[REMOTE_MTA] = _typed(fields[b"remote-mta"])[1]
    row[SUPPLEMENTARY] = fields.get(b"x-supplementary-info") or _supplement(
        row.get(REMOTE_MTA, ""), f"{level}.{subject}.{detail}", fields.get(b"diagnostic-code", "")
    )
    if b"original-recipient" in fields:
        row[INTENDED_KIND], row[INTENDED] = "SMTP", _typed(fields[b"original-recipient"])[1]
    if (at := _time(fields.get(b"last-attempt-date"))) is not None:
        row[REPORT_TIME] = at
        if level == 2:
            row[DELIVER_TIME] = at
    return action, row


def _supplement(remote: str, status: str, diagnostic: str) -> str:
    """``<mx.example.org #5.1.1 smtp;550 no such user>``, of what there is (2.2.3.7.1)."""
    return f"<{remote} #{status}{' ' + diagnostic if diagnostic else ''}>"


def _read_disposition(fields: dict[bytes, str], bag: Bag) -> None:
    """RFC 8098 3.2; what is no disposition counts as seen, as the report says that somebody has it."""
    mode, _, rest = fields.get(b"disposition", "").partition(";")
    word = rest.partition("/")[0].strip().lower()
    seen = _DISPOSITIONS.get(word, _SEEN)
    bag[names.MESSAGE_CLASS] = f"REPORT.IPM.Note.{seen}"
    bag[DISPOSITION], bag[DISPOSITION_MODE] = word, mode.strip()
    if seen == _SEEN and names.SUBMIT_TIME in bag:
        bag[RECEIPT_TIME] = bag[names.SUBMIT_TIME]
    if b"original-message-id" in fields:
        bag[ORIGINAL_MESSAGE_ID] = fields[b"original-message-id"]
    if b"original-recipient" in fields:
        bag[INTENDED_KIND], bag[INTENDED] = "SMTP", _typed(fields[b"original-recipient"])[1]
    if key := _key(fields.get(b"x-msexch-correlation-key", "")):
        bag[PARENT_KEY] = key


def _key(value: str) -> bytes:
    """PidTagParentKey (MS-OXOMSG 2.2.2.18) in base64; what is none, or is too long, ties to nothing."""
    try:
        key = base64.b64decode(value, validate=True)
    except ValueError:  # binascii.Error is one, and so is what is not ASCII
        return b""
    return key if len(key) <= MAX_KEY else b""


def _typed(value: str) -> tuple[str, str]:
    """``dns; host`` as its type and what follows."""
    found = _TYPED.fullmatch(value)
    return (found.group(1).lower(), found.group(2).strip()) if found else ("", value.strip())


def _time(value: str | None) -> int | None:
    at = dates.parse_date(value.encode("utf-8", "replace")) if value else None
    return None if at is None else types.of_ms(at)


# --- to MIME ----------------------------------------------------------------------------------------------


def report_type(bag: Bag) -> str | None:
    """``delivery-status`` or ``disposition-notification``; None: the item is no report."""
    upper = str(bag.get(names.MESSAGE_CLASS, "")).upper()
    if not upper.startswith("REPORT."):
        return None
    if upper.endswith((".NDR", ".DR")):
        return OF_DELIVERY
    return OF_READING if upper.endswith((f".{_SEEN}", f".{_UNSEEN}")) else None


def write(item: Item) -> bytes:
    """The body of the part that machines read."""
    if report_type(item.props) == OF_DELIVERY:
        groups = [_written_message(item.props)] + [_written(row, item.props) for row in item.recipients]
        return b"\r\n".join(groups)
    return _written_disposition(item.props)


def _written_disposition(bag: Bag) -> bytes:
    """2.1.3.6.2: who read it is who sent the report, before the one for whom they sent it."""
    seen = str(bag[names.MESSAGE_CLASS]).upper().endswith(f".{_SEEN}")
    who = next((one for one in (names.SENDER, names.REPRESENTING) if bag.get(one.smtp)), names.SENDER)
    final, name, key = bag.get(who.smtp), bag.get(who.name), bag.get(PARENT_KEY)
    word = bag.get(DISPOSITION) or ("displayed" if seen else "deleted")
    return _lines(
        ("Original-Recipient", _address(bag.get(INTENDED))),
        ("Final-Recipient", _address(final)),
        ("X-Display-Name", name if name != final else None),
        ("Original-Message-ID", bag.get(ORIGINAL_MESSAGE_ID)),
        ("X-MSExch-Correlation-Key", base64.b64encode(key).decode() if isinstance(key, bytes) else None),
        ("Disposition", f"{bag.get(DISPOSITION_MODE) or _MODE}; {word}"),
    )


def _written_message(bag: Bag) -> bytes:
    return _lines(("Reporting-MTA", f"dns; {bag.get(REPORTING_MTA) or 'localhost'}"))


def _written(row: Bag, bag: Bag) -> bytes:
    """What is told of one recipient (2.1.3.6.1)."""
    ending = str(bag[names.MESSAGE_CLASS]).upper()
    action = next(word for word, one in _OUTCOMES.items() if ending.endswith("." + one.ending.upper()))
    address = row.get(names.SMTP_ADDRESS) or row.get(names.EMAIL_ADDRESS) or ""
    name = row.get(names.DISPLAY_NAME)
    supplement = row.get(SUPPLEMENTARY)
    told = _SUPPLEMENT.fullmatch(supplement) if isinstance(supplement, str) else None
    said = told["diagnostic"] if told else f"smtp; {row[REPORT_TEXT]}" if row.get(REPORT_TEXT) else None
    at = row.get(REPORT_TIME)
    return _lines(
        ("Original-Recipient", _address(row.get(INTENDED))),
        ("Final-Recipient", _address(address)),
        ("Action", action),
        ("Status", told["status"] if told else _status(row, _OUTCOMES[action].status)),
        ("Remote-MTA", f"dns; {row[REMOTE_MTA]}" if row.get(REMOTE_MTA) else None),
        ("Diagnostic-Code", said),
        ("Last-Attempt-Date", dates.format_date(types.to_ms(at)) if isinstance(at, int) else None),
        ("X-Supplementary-Info", supplement if not told else None),
        ("X-Display-Name", name if name != address else None),
    )


def _status(row: Bag, level: int) -> str:
    """Of PidTagNonDeliveryReportStatusCode, else of the diagnosis (2.1.3.6.1.2)."""
    status = row.get(STATUS)
    if isinstance(status, int) and 200 <= status <= 599:
        return ".".join(str(status))
    return f"{level}.{_STATUSES.get(row.get(DIAGNOSTIC, _NO_DIAGNOSIS), '0.0')}"


def _address(value: object) -> str | None:
    return f"rfc822; {value}" if isinstance(value, str) and value else None


def _lines(*fields: tuple[str, object]) -> bytes:
    return b"".join([build.header(name, value) for name, value in fields if isinstance(value, str) and value])
