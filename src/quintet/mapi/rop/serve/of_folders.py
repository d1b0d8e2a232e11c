"""Folders: opening, making, deleting, emptying, and messages in them (MS-OXCFOLD 3.2.5.1 to 3.2.5.12)."""

from __future__ import annotations

from collections.abc import Sequence

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ShortId
from quintet.mapi.objects import Box, Folder
from quintet.mapi.objects.numbers import OWN_REPLICA, counter, short
from quintet.mapi.rop import folders
from quintet.mapi.rop.folders import DeleteFlag, Partial
from quintet.mapi.rop.serve import marks
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.values import decoded

GENERIC, SEARCH = 1, 2  # FolderType (2.2.1.2.1)
_KNOWN_DELETE_FLAGS = sum(
    DeleteFlag
)  # an int: the inverse of a flag has no bits that its class does not name


def _counters(ids: Sequence[ShortId]) -> list[int]:
    """Those that are of this store: another's is not here, which makes an operation partial."""
    return [one.counter for one in ids if one.replica == OWN_REPLICA]


@serves(0x02, light=True)
def open_folder(call: Call) -> folders.OpenFolderAnswer:
    held = call.held(call.asked.index)
    if not isinstance(held.thing, (Box, Folder)):
        raise MapiError(Code.NOT_SUPPORTED)
    folder = call.box.folder(counter(call.body.folder))
    call.give(folder)
    return folders.OpenFolderAnswer(has_rules=False, replicas=None)


@serves(0x1C, writes=True)
def create_folder(call: Call) -> folders.CreateFolderAnswer:
    parent = call.thing(Folder)
    kind, open_existing, reserved, name, comment = call.body.wanted
    if reserved or kind not in (GENERIC, SEARCH):
        raise MapiError(Code.INVALID_PARAMETER)
    made, existed = parent.create_folder(
        decoded(name, call.page),
        comment=decoded(comment, call.page),
        search=kind == SEARCH,
        open_existing=open_existing,
    )
    call.give(made)
    existing = (False, None) if existed and call.box.public else None  # R60: told of public folders only
    return folders.CreateFolderAnswer(short(made.id), existing)


@serves(0x1D, writes=True)
def delete_folder(call: Call) -> Partial:
    folder, flags = call.thing(Folder), call.body.flags
    if flags & ~_KNOWN_DELETE_FLAGS:  # R1234
        raise MapiError(Code.INVALID_PARAMETER)
    number = counter(call.body.folder)
    if number == call.box.logon_folders()[0]:  # R2509: the root
        raise MapiError(Code.NOT_SUPPORTED)
    partial = folder.delete_folder(
        number,
        messages=bool(flags & DeleteFlag.MESSAGES),
        subfolders=bool(flags & DeleteFlag.FOLDERS),
        hard=bool(flags & DeleteFlag.HARD),
    )
    return Partial(partial)


@serves(0x58, writes=True)
def empty_folder(call: Call) -> Partial:
    return Partial(call.thing(Folder).empty(associated=call.body.associated))


@serves(0x92, writes=True)
def hard_delete_messages_and_subfolders(call: Call) -> Partial:
    return Partial(call.thing(Folder).empty(hard=True, associated=call.body.associated))


@serves(0x1E, writes=True)
def delete_messages(call: Call) -> Partial:
    return _delete(call, hard=False)


@serves(0x91, writes=True)
def hard_delete_messages(call: Call) -> Partial:
    return _delete(call, hard=True)


def _delete(call: Call, *, hard: bool) -> Partial:
    wanted: tuple[ShortId, ...] = call.body.messages
    own = _counters(wanted)
    partial = call.thing(Folder).delete_messages(own, hard=hard, tell_unread=call.body.notify_non_read)
    return Partial(partial or len(own) < len(wanted))


@serves(0x33, writes=True)
def move_copy_messages(call: Call) -> Partial:
    source, target = call.thing(Folder), call.destination(Folder)
    wanted: tuple[ShortId, ...] = call.body.messages
    own = _counters(wanted)
    _, partial = source.move_copy_messages(own, target, copy=call.body.copy)
    return Partial(partial or len(own) < len(wanted))


@serves(0x35, writes=True)
def move_folder(call: Call) -> Partial:
    source, target = call.thing(Folder), call.destination(Folder)
    number, name = call.body.target
    source.move_folder(counter(number), target, decoded(name, call.page))
    return Partial(False)


@serves(0x36, writes=True)
def copy_folder(call: Call) -> Partial:
    source, target = call.thing(Folder), call.destination(Folder)
    number, name = call.body.target
    _, failed = source.copy_folder(
        counter(number), target, decoded(name, call.page), deep=call.body.recursive
    )
    return Partial(failed)


@serves(0x66, writes=True)
def set_read_flags(call: Call) -> Partial:
    """Of the messages named, or of all in the folder (MS-OXCMSG 2.2.3.10)."""
    flags = call.body.flags
    wanted: tuple[ShortId, ...] = call.body.messages
    own = _counters(wanted)
    if wanted and not own:
        return Partial(True)
    partial = call.thing(Folder).set_read_flags(own, marks.read(flags), marks.wish(flags))
    return Partial(partial or len(own) < len(wanted))
