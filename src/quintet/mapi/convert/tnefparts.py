"""winmail.dat in letters: read on arrival, written on request (MS-OXCMAIL 2.1.3.2.26, 2.4; MS-OXTNEF).

The header says who wrote what to whom; the TNEF part says the rest.  A part that belongs to another letter,
as its correlation key tells, is a file like any other.
"""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.mapi import tnef, types
from quintet.mapi.bag import Bag, Item, Key, NamedTag
from quintet.mapi.convert import attachments, names
from quintet.mapi.tags import tag
from quintet.message.digest import Fields, Part

MAX_SIZE = 32 * 1024 * 1024  # bytes, encoded: all of it is in memory while it is read; a larger one is a file
CORRELATION_KEY = tag("PidTagTnefCorrelationKey")
CORRELATOR = "X-MS-TNEF-Correlator"
FILE_NAME = "winmail.dat"

OTHERS = "<of another letter>"
_HEADER = CORRELATOR.lower().encode("ascii")
_KINDS = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
# properties of a store, not of a letter (MS-OXPROPS 1.3.3), and those of everybody's objects that are told
_NOT_SENT = ((0x0E00, 0x0FFF), (0x3400, 0x36FF), (0x6000, 0x7FFF))
# what the header or the MIME body may say worse than the part does
_BETTER = frozenset((names.MESSAGE_CLASS, names.CODEPAGE, names.NATIVE_BODY))
_ABOUT_TASKS = "IPM.TASKREQUEST"
_BODIES = frozenset((names.BODY, names.HTML, names.RTF))


def is_needed(item: Item) -> bool:
    """A message about a task (MS-OXOTASK 2.2.3): only its properties and the task within say what it is."""
    return str(item.props.get(names.MESSAGE_CLASS) or "").upper().startswith(_ABOUT_TASKS)


def is_tnef(part: Part) -> bool:
    """Whether a part is one."""
    if part.message is not None or part.size > MAX_SIZE:
        return False
    return _is_named(part.content_type, part.filename or "")


def _is_named(kind: str, name: str) -> bool:
    """Whether its type says so, or the name that it always has."""
    return kind in _KINDS or (kind == "application/octet-stream" and name.lower() == FILE_NAME)


def others_mark(item: Item) -> str | None:
    """Of a letter without such a part of its own: what tells that an attached one is another's."""
    for one in item.attachments:
        kind, _ = attachments.content_type(one)
        if _is_named(kind.lower(), attachments.file_name(one.props)):
            return OTHERS
    return None


def read(raw: bytes, headers: Fields, item: Item) -> bool:
    """Put what a part carries into the item of its letter; False: it is malformed, or of another letter."""
    try:
        carried = tnef.read(raw)
    except BadSyntax:
        return False
    own = next((value for name, value in headers if name.lower() == _HEADER), None)
    key = carried.props.get(CORRELATION_KEY)
    if own and isinstance(key, bytes) and key and key.rstrip(b"\0").strip() != own.strip():
        return False
    bag = item.props
    if any(isinstance(carried.props.get(body), bytes) for body in (names.HTML, names.RTF)):
        for body in (names.HTML, names.NATIVE_BODY):  # of the MIME part; the words stay where none other are
            bag.pop(body, None)
    for carried_key, value in carried.props.items():
        if is_sent(carried_key) and (carried_key not in bag or carried_key in _BETTER | _BODIES):
            bag[carried_key] = value
    for one in carried.attachments:
        one.props[names.ATTACH_NUMBER] = len(item.attachments)
        item.attachments.append(one)
    return True


def is_sent(key: Key) -> bool:
    """Whether a property goes with a letter."""
    if isinstance(key, NamedTag):
        return True
    number = types.id_of(key)
    return key != CORRELATION_KEY and not any(low <= number <= high for low, high in _NOT_SENT)


def carried(item: Item) -> tuple[Item, str]:
    """What the part of a letter shall carry, and the correlator; recipients are the header's to tell."""
    correlator = str(item.props.get(names.MESSAGE_ID) or "").strip() or "<quintet>"
    bag: Bag = {key: value for key, value in item.props.items() if is_sent(key)}
    bag[CORRELATION_KEY] = correlator.encode("utf-8", "replace") + b"\0"
    return Item(bag, [], item.attachments), correlator
