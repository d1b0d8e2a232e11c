"""What messages and embedded messages have in common: properties, recipients, attachments (MS-OXCMSG).

Changes are seen at once by whoever holds the object, and by nobody else before it is saved (R476, R478).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from quintet.mapi import convert, match
from quintet.mapi.bag import Attachment as AttachmentBag
from quintet.mapi.bag import Bag, Item, Key
from quintet.mapi.convert import bodies
from quintet.mapi.convert.envelope import put_subject
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import pid, stored
from quintet.mapi.objects.bagged import ABSENT, Bagged, Fact, put_in
from quintet.mapi.types import Tag, Value

if TYPE_CHECKING:
    from quintet.mapi.objects.attachment import Attachment
    from quintet.mapi.objects.box import Box

MAX_RECIPIENTS = 5000  # of one message
TO, CC, BCC = 1, 2, 3
MADE_BODIES = frozenset((pid.BODY, pid.HTML, pid.RTF, pid.NATIVE_BODY, pid.RTF_IN_SYNC))
"""What is made of the other forms of the body where it is not there."""
_BODIES = (pid.BODY, pid.HTML, pid.RTF)
_SUBJECTS = (pid.NORMALIZED_SUBJECT, pid.SUBJECT_PREFIX)
READ_ONLY, READ_WRITE = 0, 1  # PidTagAccessLevel


def has_shown(item: Item) -> bool:
    """Whether it has an attachment that is not hidden."""
    return any(not one.props.get(_HIDDEN) for one in item.attachments)


class ItemLike(Bagged):
    """An item in memory.  ``changed`` tells what a save has to do."""

    def __init__(self, box: Box, item: Item, *, writable: bool = True) -> None:
        super().__init__(box)
        self.item = item
        self.writable = writable
        self.changed: set[Key] = set()  # properties that were set or deleted
        self.parts_changed = False  # recipients or attachments were
        self._rows: dict[int, Bag] = dict(enumerate(item.recipients))
        self._bodies: set[Key] = set()  # bodies that this holder has written
        self._made: dict[Tag, Value | None] = {}  # bodies that nobody has
        self._made_of: Item | None = None
        self._last_number = -1  # of an attachment that was created

    @property
    def weight(self) -> int:
        """Bytes that it holds, about."""
        return stored.weight(self.item) + stored.bag_size(self._made)

    # --- properties ---------------------------------------------------------------------------------

    def _bag(self) -> Bag:
        return self.item.props

    def _typed(self, tag: Tag) -> Value:
        wide = match.wide(tag)
        if wide in MADE_BODIES and wide not in self.item.props:
            made = self._synthesized(wide)
            return ABSENT if made is None else made
        return super()._typed(tag)

    def _synthesized(self, tag: Tag) -> Value | None:
        """A body in a form that nobody wrote, made of another one (MS-OXBBODY 2.1.3).

        Kept, since clients ask for it twice: as a property, which is too long, and as a stream.
        """
        if self._made_of is not self.item:
            self._made, self._made_of = {}, self.item
        if tag not in self._made:
            self._made[tag] = bodies.synthesized(self.item.props, tag)
        return self._made[tag]

    def _put(self, fresh: Bag) -> None:
        self.check_writable()
        self._made_of = None
        bag = self.item.props
        written = [tag for tag in _BODIES if tag in fresh]
        if written:
            self._bodies.update(written)
            for tag in _BODIES:  # the others would go on to say what the body was
                if tag not in self._bodies and bag.pop(tag, None) is not None:
                    self.changed.add(tag)
        put_in(bag, fresh)
        if pid.SUBJECT in fresh and not any(tag in fresh for tag in _SUBJECTS):
            put_subject(bag, fresh[pid.SUBJECT])
        elif any(tag in fresh for tag in _SUBJECTS):
            prefix, rest = bag.get(pid.SUBJECT_PREFIX, ""), bag.get(pid.NORMALIZED_SUBJECT, "")
            bag[pid.SUBJECT] = f"{prefix}{rest}"
        self.changed.update(fresh)

    def _drop(self, gone: Sequence[Key]) -> None:
        self.check_writable()
        self._made_of = None
        for key in gone:
            del self.item.props[key]
            self.changed.add(key)

    def check_writable(self) -> None:
        """Raises MapiError(ACCESS_DENIED): it was opened to be read only."""
        if not self.writable:
            raise MapiError(Code.ACCESS_DENIED)

    @property
    def is_dirty(self) -> bool:
        """Something was changed that is not saved."""
        return bool(self.changed) or self.parts_changed

    @property
    def content_changed(self) -> bool:
        """The letter itself would have to be another one."""
        kind = str(self.item.props.get(pid.MESSAGE_CLASS, ""))
        return self.parts_changed or any(convert.is_content(key, kind) for key in self.changed)

    # --- recipients ---------------------------------------------------------------------------------

    @property
    def recipients(self) -> dict[int, Bag]:
        """The recipients by their row ids, ascending (R328)."""
        return {number: self._rows[number] for number in sorted(self._rows)}

    def modify_recipients(self, rows: Mapping[int, Bag | None]) -> None:
        """Replaces rows whole, or takes them away where there is None (R388 to R391).

        Raises MapiError(ACCESS_DENIED), MapiError(OUT_OF_RESOURCES): more than `MAX_RECIPIENTS`.
        """
        self.check_writable()
        after = len(self._rows.keys() | {number for number, bag in rows.items() if bag is not None})
        if after > MAX_RECIPIENTS:
            raise MapiError(Code.OUT_OF_RESOURCES, "too many recipients")
        for number, bag in rows.items():
            if bag is None:
                self._rows.pop(number, None)
            else:
                self._rows[number] = {key: value for key, value in bag.items() if key != pid.ROW_ID}
        self._recipients_changed()

    def remove_recipients(self) -> None:
        """All of them; none is none (R1491)."""
        self.check_writable()
        self._rows.clear()
        self._recipients_changed()

    def reload_recipients(self) -> None:
        """Row ids from 0, as they are after saving."""
        self._rows = dict(enumerate(self.item.recipients))

    def _recipients_changed(self) -> None:
        self.item.recipients = list(self.recipients.values())
        self.parts_changed = True

    def shown(self, kind: int) -> str:
        """Names of the recipients of a kind, between semicolons (MS-OXOMSG 2.2.1.7 to 2.2.1.9)."""
        return "; ".join(
            str(row.get(pid.DISPLAY_NAME) or row.get(pid.SMTP_ADDRESS) or row.get(pid.EMAIL_ADDRESS) or "")
            for row in self.item.recipients
            if row.get(pid.RECIPIENT_TYPE, TO) & 0x0F == kind
        )

    # --- attachments --------------------------------------------------------------------------------

    @property
    def attachments(self) -> list[AttachmentBag]:
        return self.item.attachments

    def numbers(self) -> list[int]:
        """The attachments' numbers, in their order."""
        return [_number(at, one) for at, one in enumerate(self.item.attachments)]

    def attachment(self, number: int) -> Attachment:
        """Opens one (RopOpenAttachment).  Raises MapiError(NOT_FOUND) (R440)."""
        from quintet.mapi.objects.attachment import Attachment

        return Attachment(self, number, self.item.attachments[self._place(number)])

    def create_attachment(self) -> Attachment:
        """A new one, part of the message once it is saved (R446, R447).

        Raises MapiError(ACCESS_DENIED | MAX_ATTACHMENTS) (R1060).
        """
        from quintet.mapi.objects.attachment import Attachment

        self.check_writable()
        taken = self.numbers()
        if len(taken) >= stored.MAX_ATTACHMENTS:
            raise MapiError(Code.MAX_ATTACHMENTS)
        self._last_number = max((*taken, self._last_number)) + 1
        return Attachment.fresh(self, self._last_number)

    def delete_attachment(self, number: int) -> None:
        """Raises MapiError(NOT_FOUND | ACCESS_DENIED) (R1063)."""
        self.check_writable()
        del self.item.attachments[self._place(number)]
        self.parts_changed = True

    def put_attachment(self, number: int, one: AttachmentBag) -> None:
        """What saving an attachment does: it is in the message now, which is not saved yet (R1062)."""
        self.check_writable()
        one.props[pid.ATTACH_NUMBER] = number
        taken = self.numbers()
        if number in taken:
            self.item.attachments[taken.index(number)] = one
        else:
            self.item.attachments.append(one)
        self.parts_changed = True

    def _place(self, number: int) -> int:
        taken = self.numbers()
        if number not in taken:
            raise MapiError(Code.NOT_FOUND)
        return taken.index(number)

    # --- facts --------------------------------------------------------------------------------------

    def _flags(self) -> int:
        flags: int = self.item.props.get(pid.MESSAGE_FLAGS, pid.MF_READ | pid.MF_UNSENT | pid.MF_EVER_READ)
        return flags | (pid.MF_HAS_ATTACH if self.has_attachments else 0)

    @property
    def has_attachments(self) -> bool:
        """There is one that is not hidden (R469; MS-OXCMSG 2.2.1.2)."""
        return has_shown(self.item)

    facts: ClassVar[Mapping[Tag, Fact]] = {
        pid.OBJECT_TYPE: lambda self: pid.MESSAGE_OBJECT,
        pid.ACCESS: lambda self: 3 if self.writable else 2,
        pid.ACCESS_LEVEL: lambda self: READ_WRITE if self.writable else READ_ONLY,
        pid.DISPLAY_TO: lambda self: self.shown(TO),
        pid.DISPLAY_CC: lambda self: self.shown(CC),
        pid.DISPLAY_BCC: lambda self: self.shown(BCC),
        pid.HAS_ATTACHMENTS: lambda self: self.has_attachments,
        pid.HAS_NAMED: lambda self: any(not isinstance(key, int) for key in self.item.props),
        pid.MESSAGE_SIZE: lambda self: min(stored.size_of(self.item), 0x7FFFFFFF),
        pid.MESSAGE_SIZE_EXTENDED: lambda self: stored.size_of(self.item),
        pid.MESSAGE_FLAGS: lambda self: self._flags(),
    }


_HIDDEN: Tag = 0x7FFE000B  # PidTagAttachmentHidden


def _number(at: int, one: AttachmentBag) -> int:
    """An attachment's number; those that the MIME has are numbered in their order."""
    number = one.props.get(pid.ATTACH_NUMBER)
    return number if isinstance(number, int) else at


def initial(now: int) -> Bag:
    """What a new message has before anybody sets anything (R340 to R365)."""
    return {
        pid.IMPORTANCE: 1,
        pid.MESSAGE_CLASS: "IPM.Note",
        pid.SENSITIVITY: 0,
        pid.TRUST_SENDER: 1,
        pid.SEARCH_KEY: uuid.uuid4().bytes,
        pid.CREATION_TIME: now,
        pid.LAST_MODIFICATION: now,
    }
