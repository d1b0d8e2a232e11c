"""Which properties a letter tells, so that setting one makes another letter of it (decision 0113)."""

from __future__ import annotations

from quintet.mapi.bag import Key, NamedTag
from quintet.mapi.convert import calkeys as keys
from quintet.mapi.convert import cardkeys, fields, names

PEOPLE = frozenset(
    tag
    for who in (names.SENDER, names.REPRESENTING, names.READ_RECEIPT_TO)
    for tag in (who.name, who.kind, who.email, who.smtp, who.entry, who.search)
)
# A letter tells these, and yet setting them changes no letter: they are what its owner thinks of it
OWNERS: frozenset[Key] = frozenset(
    (names.KEYWORDS, names.FLAG_REQUEST, names.FLAG_STATUS, names.REPLY_TIME, names.TRANSPORT_HEADERS)
)

_CARRIED: frozenset[Key] = PEOPLE | {
    names.MESSAGE_CLASS, names.SUBJECT, names.SUBJECT_PREFIX, names.NORMALIZED_SUBJECT, names.REPLY_ENTRIES,
    names.READ_RECEIPT, names.NON_READ_RECEIPT, names.DELIVERY_REPORT, names.BODY, names.HTML, names.RTF,
    names.CODEPAGE, names.BODY_CONTENT_ID, names.BODY_CONTENT_LOCATION,
    *(row.key for row in fields.TABLE),
}  # fmt: skip


# What the calendar or the card within a letter says; reminders are their owner's
_MEETINGS: frozenset[Key] = frozenset(
    (
        keys.START, keys.END, keys.WHOLE_DAY, keys.LOCATION, keys.BUSY, keys.INTENDED_BUSY, keys.SEQUENCE,
        keys.NO_COUNTER, keys.COUNTER, keys.PROPOSED_START, keys.PROPOSED_END, keys.RECUR, keys.ZONE_START,
        keys.ZONE_RECUR, keys.ZONE_STRUCT, keys.GLOBAL_ID, keys.CLEAN_ID, keys.CONTACTS,
        keys.EXCEPTION_REPLACES,
    )
)  # fmt: skip
_TASKS: frozenset[Key] = frozenset(
    (
        keys.TASK_STATUS, keys.TASK_PERCENT, keys.TASK_START, keys.TASK_DUE, keys.TASK_COMPLETED,
        keys.TASK_COMPLETE, keys.TASK_RECURRENCE, keys.TASK_RECURRING, keys.CONTACTS,
    )
)  # fmt: skip
_CONTACTS: frozenset[Key] = frozenset(
    (
        *cardkeys.NAMES, *cardkeys.TEXTS.values(), *(email.address for email in cardkeys.EMAILS),
        *(row.key for row in cardkeys.TELEPHONES),
        *(key for one in cardkeys.ADDRESSES.values() for key in one if key is not None),
        *(key for _, key in cardkeys.DATES), cardkeys.COMPANY, cardkeys.DEPARTMENT, cardkeys.CHILDREN,
        cardkeys.BUSINESS_PAGE, cardkeys.PERSONAL_PAGE, cardkeys.FILE_UNDER, cardkeys.MESSENGER,
        cardkeys.POSTAL, names.DISPLAY_NAME,
    )
)  # fmt: skip
_GROUPS: frozenset[Key] = frozenset((cardkeys.GROUP_NAME, cardkeys.MEMBERS, cardkeys.ONE_OFF_MEMBERS))
_OF_CLASSES = {
    "IPM.APPOINTMENT": _MEETINGS, "IPM.SCHEDULE.MEETING": _MEETINGS, "IPM.TASK": _TASKS,
    "IPM.CONTACT": _CONTACTS, "IPM.DISTLIST": _GROUPS,
}  # fmt: skip


def is_content(key: Key, message_class: str = "") -> bool:
    """Whether setting the property makes another letter of it; if not, the letter's bytes may stay.

    ``message_class``: of the item, for a meeting's place stands in its letter, that of a note nowhere.
    """
    if key in OWNERS:
        return False
    if key in _CARRIED or (isinstance(key, NamedTag) and key.guid == names.INTERNET_HEADERS):
        return True
    upper = message_class.upper()
    return any(key in told for start, told in _OF_CLASSES.items() if upper.startswith(start))
