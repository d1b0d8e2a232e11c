"""How an item of the interface becomes a message of the store, and changes one that is there."""

from __future__ import annotations

from collections.abc import Collection

from quintet.mapi import pr
from quintet.mapi.bag import Attachment, Bag, Data, Item, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Folder, Message
from quintet.mapi.objects.bagged import Bagged
from quintet.mapi.providers import derive
from quintet.mapi.types import Tag

SEARCH = 2  # PidTagFolderType
_LATER = frozenset((pr.INSTANCE_KEY, pr.STORE_SUPPORT_MASK, pr.MDB_PROVIDER, pr.HASATTACH))


def apply(one: Bagged, changes: Bag, gone: Collection[Key]) -> None:
    """Sets and removes properties of an object; what is worked out anyway is passed over.

    Raises MapiError: one could not be set, for another reason than that.
    """
    pairs: list[tuple[Tag, object]] = []
    for key, value in changes.items():
        tag = one.box.tag_of(key, create=True)
        if tag is not None and key not in _LATER:
            pairs.append((tag, value))
    _check(one.set(pairs))
    tags = [tag for tag in (one.box.tag_of(key) for key in gone) if tag is not None]
    _check(one.remove(tags))


def _check(troubles: object) -> None:
    assert isinstance(troubles, list)
    for trouble in troubles:
        if trouble.code != Code.COMPUTED_VALUE:
            raise MapiError(trouble.code)


def fresh(folder: Folder, item: Item, *, hidden: bool) -> Message:
    """A new message with everything that an item has; not saved yet."""
    message = folder.create_message(associated=hidden)
    props = _own(message, item.props)
    flags = item.props.get(pr.MESSAGE_FLAGS, 0)  # who says nothing brings something that is unread
    message.set([(pr.MESSAGE_FLAGS, flags & ~derive.HAS_ATTACH)])
    apply(message, _split(props), ())
    message.item.recipients = [dict(one) for one in item.recipients]
    message.reload_recipients()
    message.item.attachments = derive.copied(Item({}, [], item.attachments)).attachments
    message.parts_changed = True
    return message


def replace(message: Message, item: Item, expected: bytes | None) -> None:
    """The whole new state of a message, by what differs.

    Raises MapiError(OBJECT_CHANGED): it has not the change key ``expected`` any more.
    """
    if expected is not None and message.value(pr.CHANGE_KEY) != expected:
        raise MapiError(Code.OBJECT_CHANGED)
    before, after = dict(message.item.props), _own(message, item.props)
    changes = {key: value for key, value in after.items() if before.get(key) != value}
    if pr.BODY in changes and pr.BODY not in before and message.value(pr.BODY) == changes[pr.BODY]:
        del changes[pr.BODY]  # it was made of the HTML
    apply(message, _split(changes), [key for key in before if key not in after and key not in message.facts])
    if item.recipients != message.item.recipients:
        rows = [{key: value for key, value in one.items() if key != pr.ROWID} for one in item.recipients]
        if rows != message.item.recipients:
            message.item.recipients = rows
            message.reload_recipients()
            message.parts_changed = True
    if not _same_attachments(item.attachments, message.item.attachments):
        message.item.attachments = derive.copied(Item({}, [], item.attachments)).attachments
        message.parts_changed = True


def _own(message: Message, props: Bag) -> Bag:
    """Without what a message works out by itself."""
    return {
        key: value
        for key, value in props.items()
        if key not in message.facts and key not in _LATER and value is not None
    }


def _split(changes: Bag) -> Bag:
    """A whole subject is set after its parts, so that they follow it unless they were told."""
    if pr.NORMALIZED_SUBJECT in changes:
        return {key: value for key, value in changes.items() if key != pr.SUBJECT}
    return changes


def _same_attachments(one: list[Attachment], other: list[Attachment]) -> bool:
    if len(one) != len(other):
        return False
    return all(
        mine.props == theirs.props and mine.item == theirs.item and _same_data(mine.data, theirs.data)
        for mine, theirs in zip(one, other, strict=True)
    )


def _same_data(one: bytes | Data, other: bytes | Data) -> bool:
    """Contents by reference are not read: two of a kind and size are the same stored bytes."""
    if isinstance(one, bytes) and isinstance(other, bytes):
        return one == other
    return type(one) is type(other) and not isinstance(one, bytes) and one.size == other.size  # type: ignore[union-attr]
