"""RopCopyProperties and RopCopyTo (MS-OXCPRPT 3.2.5.7, 3.2.5.8)."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.mapi import restrict, types
from quintet.mapi.bag import Attachment as AttachmentBag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Attachment, Embedded, Folder, ItemLike
from quintet.mapi.objects.bagged import Bagged
from quintet.mapi.rop import properties
from quintet.mapi.rop.properties import WithProblems
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.rows import Problem
from quintet.mapi.types import Error, Tag

MOVE, NO_OVERWRITE = 0x01, 0x02  # CopyFlags (2.2.10.1)


def _to_folder(session: Session, asked: Asked, handles: list[int]) -> bool:
    """A folder keeps properties at once (R503)."""
    held = session.at(handles, asked.other)
    return held is None or isinstance(held.thing, Folder)


def _pair(call: Call, flags: int) -> tuple[Bagged, Bagged]:
    """Source and destination, of the same kind (R821).  Raises MapiError."""
    source, target = call.thing(Bagged), call.destination(Bagged)
    if flags & ~(MOVE | NO_OVERWRITE) or flags == MOVE | NO_OVERWRITE:  # R880, R86502
        raise MapiError(Code.INVALID_PARAMETER)
    kinds = (ItemLike, Folder, Attachment)
    if not any(isinstance(source, kind) and isinstance(target, kind) for kind in kinds):
        raise MapiError(Code.NOT_SUPPORTED)
    if isinstance(source, Folder) and (flags & MOVE or source.box.public or target.box.public):
        raise MapiError(Code.NOT_SUPPORTED)  # R881, R5070512
    return source, target


def _copy(source: Bagged, target: Bagged, tags: Sequence[Tag], flags: int) -> list[Problem]:
    """Copies values that are there; what the destination works out by itself is left out (R5070501).

    Named properties go by their names, since another mailbox numbers them otherwise.
    """
    values, places = [], []
    kept = target.get(tags) if flags & NO_OVERWRITE else None
    for at, (tag, value) in enumerate(zip(tags, source.get(tags), strict=True)):
        if isinstance(value, Error) or (kept is not None and not isinstance(kept[at], Error)):
            continue
        key = source.box.key_of(tag)
        fresh = target.box.tag_of(key, create=True) if key is not None else None
        if fresh is not None and fresh not in target.facts:
            values.append((fresh, value))
            places.append((at, tag))
    return [Problem(*places[one.index], one.code) for one in target.set(values)]


@serves(0x67, writes=_to_folder)
def copy_properties(call: Call) -> WithProblems:
    body: properties.CopyProperties = call.body
    source, target = _pair(call, body.flags)
    problems = _copy(source, target, body.tags, body.flags)
    asked = {types.id_of(tag) for tag in body.tags}
    _copy_parts(source, target, {one for one in _PARTS if types.id_of(one) in asked}, body.flags)
    return WithProblems(tuple(problems))


@serves(0x39, writes=_to_folder)
def copy_to(call: Call) -> WithProblems:
    """Everything but what is excluded; recipients and attachments where they are wanted too."""
    body: properties.CopyTo = call.body
    source, target = _pair(call, body.flags)
    if isinstance(source, Folder) and body.sub_objects:
        raise MapiError(Code.NOT_SUPPORTED)  # folders go by RopCopyFolder, messages by RopMoveCopyMessages
    if _holds(source, target):
        raise MapiError(Code.MESSAGE_CYCLE)
    excluded = {types.id_of(tag) for tag in body.excluded}
    tags = [tag for tag in source.tags() if types.id_of(tag) not in excluded]
    problems = _copy(source, target, tags, body.flags)
    if body.sub_objects:
        wanted = {one for one in _PARTS if types.id_of(one) not in excluded}
        _copy_parts(source, target, wanted, body.flags)
    return WithProblems(tuple(problems))


_PARTS = (restrict.RECIPIENTS, restrict.ATTACHMENTS)


def _copy_parts(source: Bagged, target: Bagged, wanted: set[Tag], flags: int) -> None:
    """Recipients and attachments of a message; the content of an attachment."""
    if isinstance(source, ItemLike) and isinstance(target, ItemLike):
        if restrict.RECIPIENTS in wanted and not (flags & NO_OVERWRITE and target.recipients):
            target.remove_recipients()
            target.modify_recipients(dict(source.recipients.items()))
        if restrict.ATTACHMENTS in wanted and not (flags & NO_OVERWRITE and target.numbers()):
            for number in target.numbers():
                target.delete_attachment(number)
            for number, one in zip(source.numbers(), source.attachments, strict=True):
                target.put_attachment(number, AttachmentBag(dict(one.props), one.data, one.item))
    elif isinstance(source, Attachment) and isinstance(target, Attachment):
        target.data = source.data


def _holds(source: Bagged, target: Bagged) -> bool:
    """Whether the destination lies within the source (R896)."""
    while isinstance(target, Embedded):
        target = target.holder.parent
        if target is source:
            return True
    return False
