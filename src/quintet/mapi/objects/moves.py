"""What is done to many messages or whole folders at once (MS-OXCFOLD 3.2.5.3, 3.2.5.6 to 3.2.5.12).

Between two mail folders, or two for items, the store moves entries as they are.  What never was MIME becomes
a letter on its way into a mail folder; what goes to a group is posted; what goes to another mailbox takes its
named properties along under that mailbox's numbers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import permissions, places, searching, stored
from quintet.store import entries, folders, items, keeping, pages, receipts
from quintet.store.model import EntryId, FolderId, FolderKind, Uid

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder
    from quintet.mapi.objects.foldercore import Wish

MAX_AT_ONCE = 10_000  # messages of one call; a longer list is refused


def _chosen(folder: Folder, ids: Sequence[int]) -> list[tuple[EntryId, Uid, bool]]:
    """Those of the messages that lie in the folder.  Raises MapiError(OUT_OF_RESOURCES): too many at once."""
    if len(ids) > MAX_AT_ONCE:
        raise MapiError(Code.OUT_OF_RESOURCES, "too many messages at once")
    return pages.within(folder.box.tx, folder.id, ids)


def delete(folder: Folder, ids: Sequence[int], *, hard: bool, tell_unread: bool = False) -> bool:
    """See `Folder.delete_messages`."""
    if folder.is_search:
        there = _lying(folder, ids)
        failed = [delete(place, mine, hard=hard, tell_unread=tell_unread) for place, mine in there]
        return any(failed) or _are_fewer(there, ids)
    found = _chosen(folder, ids)
    if not folder.may("te"):
        found = _own(folder, found)
    tx = folder.box.tx
    uids = [uid for _, uid, hidden in found if not hidden]
    if tell_unread:
        receipts.unread(tx, folder.box.reader.id, folder.id, uids)
    if uids:
        gone = entries.expunge(tx, folder.id, uids)
        if hard:
            keeping.lapse(tx, [(folder.id, uid) for uid in gone])
    if hidden := [number for number, _, hidden in found if hidden]:
        items.remove_hidden(tx, folder.row, hidden)
    folder.box.written()
    return len(found) < len(set(ids))


def _own(folder: Folder, chosen: list[tuple[EntryId, Uid, bool]]) -> list[tuple[EntryId, Uid, bool]]:
    """Those that the reader made, if they may be deleted for that (MS-OXCPERM_R127)."""
    if not folder.may_own(permissions.DELETE_OWNED):
        return []
    return [one for one in chosen if folder.box.message(one[0]).is_own]


def _lying(folder: Folder, ids: Sequence[int]) -> list[tuple[Folder, list[int]]]:
    """Messages that a search folder shows, by the folders in which they lie.

    Raises MapiError(OUT_OF_RESOURCES): too many at once.
    """
    if len(ids) > MAX_AT_ONCE:
        raise MapiError(Code.OUT_OF_RESOURCES, "too many messages at once")
    found: dict[FolderId, list[int]] = {}
    for number, place in pages.lying(folder.box.tx, ids):
        found.setdefault(place, []).append(number)
    there = []
    for place, mine in found.items():
        with contextlib.suppress(MapiError):  # another mailbox's, or one that the reader does not see
            there.append((folder.box.folder(place), mine))
    return there


def _are_fewer(there: Sequence[tuple[Folder, list[int]]], ids: Sequence[int]) -> bool:
    return sum(len(mine) for _, mine in there) < len(set(ids))


def move_copy(
    source: Folder, ids: Sequence[int], target: Folder, *, copy: bool
) -> tuple[dict[int, int], bool]:
    """See `Folder.move_copy_messages`."""
    if target.is_search:
        raise MapiError(Code.SEARCH_FOLDER)
    target.check("p" if target.is_group else "i")
    if source.is_search:  # R1216
        there, pairs, failed = _lying(source, ids), dict[int, int](), False
        for place, mine in there:
            made, some = move_copy(place, mine, target, copy=copy)
            pairs |= made
            failed = failed or some
        return pairs, failed or _are_fewer(there, ids)
    found = _chosen(source, ids)
    if not source.may("r" if copy else "rte"):
        return {}, bool(ids)
    plain = [(number, uid) for number, uid, hidden in found if not hidden and _goes_as_it_is(source, target)]
    whole = {number for number, _ in plain}
    pairs = _as_they_are(source, plain, target, copy) if plain else {}
    for number, _, _ in found:
        if number not in whole:
            pairs[number] = _one(source, number, target, copy)
    if len(pairs) < len(set(ids)) and source.may("te"):
        pairs |= _had_back(source, [number for number in ids if number not in pairs], target)
    for box in (source.box, target.box):
        box.written()
    return pairs, len(pairs) < len(set(ids))


def _goes_as_it_is(source: Folder, target: Folder) -> bool:
    """Entries of the one may stand in the other without being made into letters."""
    if target.is_group:
        return False
    return source.kind in (FolderKind.MAIL, FolderKind.GROUP) or target.kind == FolderKind.ITEM


def _as_they_are(
    source: Folder, chosen: Sequence[tuple[EntryId, Uid]], target: Folder, copy: bool
) -> dict[int, int]:
    tx, reader = source.box.tx, source.box.reader.id
    uids = [uid for _, uid in chosen]
    apart = source.box.account.id != target.box.account.id
    beside = {number: stored.difference(source.box, number) for number, _ in chosen} if apart else {}
    act = entries.copy if copy else entries.move
    made = act(tx, source.id, uids, target.id, reader=reader, taker=reader)
    old = {uid: number for number, uid in chosen}
    new = pages.numbers(tx, target.id, [pair.target_uid for pair in made])
    pairs = {old[pair.source_uid]: new[pair.target_uid] for pair in made}
    for number, other in pairs.items():
        if beside.get(EntryId(number)):
            with target.box.using(tx):
                stored.keep(target.box, other, beside[EntryId(number)], {})
    return {int(number): int(other) for number, other in pairs.items()}


def _had_back(source: Folder, ids: Sequence[int], target: Folder) -> dict[int, int]:
    """What was deleted, filed again in another folder, or in its own."""
    tx, pairs = source.box.tx, {}
    kept = keeping.of_numbers(tx, source.id, ids)
    if target.box.account.id != source.box.account.id or target.is_group:
        return {}
    for number, one in kept.items():
        restored = keeping.restore(tx, [one], target.row.name)
        if restored:
            folder_id, pair = restored[0]
            pairs[number] = int(pages.numbers(tx, folder_id, [pair.target_uid])[pair.target_uid])
    return pairs


def _one(source: Folder, number: EntryId, target: Folder, copy: bool) -> int:
    """A message that has to be made anew where it goes; returns its new id."""
    message = source.box.message(number)
    with target.box.using(source.box.tx):
        made = target.create_message(associated=message.hidden)
        made.take_over(message)
        new = made.save()
    if not copy:
        delete(source, [number], hard=True)
    return new


def set_read(folder: Folder, ids: Sequence[int], value: bool | None, wish: Wish | None = None) -> bool:
    """See `Folder.set_read_flags`."""
    tx = folder.box.tx
    if folder.is_search:
        there = _lying(folder, ids or searching.found(folder)[:MAX_AT_ONCE])
        failed = [set_read(place, mine, value, wish) for place, mine in there]
        return any(failed) or _are_fewer(there, ids)
    if not folder.may("s"):
        return True
    found = _chosen(folder, ids) if ids else pages.within(tx, folder.id, pages.ids(tx, folder.id))
    uids = [uid for _, uid, hidden in found if not hidden]
    for start in range(0, len(uids), MAX_AT_ONCE):
        some = uids[start : start + MAX_AT_ONCE]
        if wish is not None:
            folder.receipts(some, wish)
        if value is not None:
            folder.mark(some, set_=int(value), clear=int(not value))
    return len(found) < len(set(ids))


# --- folders --------------------------------------------------------------------------------------------


def empty(folder: Folder, *, hard: bool, associated: bool) -> bool:
    """See `Folder.empty`.

    Raises MapiError(NOT_SUPPORTED): a folder that holds up the tree (R3012), or a search folder (R1249).
    """
    if folder.row.role in places.FRAME or folder.is_group or folder.is_search:
        raise MapiError(Code.NOT_SUPPORTED)
    failed = _empty_messages(folder, hard=hard, associated=associated)
    for child in folder.subfolders():
        try:
            failed = delete_folder(folder, child.id, messages=True, subfolders=True, hard=hard) or failed
        except MapiError:
            failed = True
    return failed


def _empty_messages(folder: Folder, *, hard: bool, associated: bool) -> bool:
    tx, failed = folder.box.tx, False
    for hidden in (False, True) if associated else (False,):
        ids = pages.ids(tx, folder.id, hidden=hidden)
        for start in range(0, len(ids), MAX_AT_ONCE):
            failed = delete(folder, ids[start : start + MAX_AT_ONCE], hard=hard) or failed
    return failed


def delete_folder(folder: Folder, number: int, *, messages: bool, subfolders: bool, hard: bool) -> bool:
    """See `Folder.delete_folder`."""
    one = folder.box.folder(number)
    if one.parent.id != folder.id:
        raise MapiError(Code.NOT_FOUND)
    if one.row.role in places.FRAME:
        raise MapiError(Code.NOT_SUPPORTED)
    if one.is_special or one.is_group:
        raise MapiError(Code.ACCESS_DENIED)
    one.check("x")
    if (one.row.messages and not messages and not one.is_search) or (one.subfolders() and not subfolders):
        return True
    for child in one.subfolders():
        if delete_folder(one, child.id, messages=messages, subfolders=True, hard=hard):
            return True
    if hard:
        _empty_messages(one, hard=True, associated=True)
    folders.remove(folder.box.tx, one.id)
    folder.box.written()
    return False


def move_folder(folder: Folder, number: int, target: Folder, name: str) -> None:
    """See `Folder.move_folder`.

    Raises:
        MapiError(FOLDER_CYCLE): into itself.  MapiError(COLLIDING_NAMES): there is one of that name.
        MapiError(NOT_SUPPORTED): to another mailbox, or from mail to items.
    """
    one = _to_go(folder, number, target)
    if one.is_special or one.is_group:
        raise MapiError(Code.ACCESS_DENIED)
    if target.box.account.id != folder.box.account.id or not _same_kind(one, target):
        raise MapiError(Code.NOT_SUPPORTED)
    one.check("x")
    target.check("k")
    folders.rename(folder.box.tx, one.id, target.path_of(name or one.name))
    folder.box.written()


def copy_folder(folder: Folder, number: int, target: Folder, name: str, *, deep: bool) -> tuple[Folder, bool]:
    """See `Folder.copy_folder`.  Raises MapiError(FOLDER_CYCLE | COLLIDING_NAMES | ACCESS_DENIED)."""
    one = _to_go(folder, number, target)
    one.check("r")
    children = one.subfolders() if deep else []
    with target.box.using(folder.box.tx):
        made, _ = target.create_folder(name or one.name, kind=one.kind, search=one.is_search)
        made.take_properties(one)
        if one.is_search and target.box.account.id == folder.box.account.id:
            searching.take_question(made, one)
    failed = False
    for hidden in (False, True):
        ids = pages.ids(folder.box.tx, one.id, hidden=hidden)
        for start in range(0, len(ids), MAX_AT_ONCE):
            _, some = move_copy(one, ids[start : start + MAX_AT_ONCE], made, copy=True)
            failed = failed or some
    for child in children:
        if not child.may("r"):  # R1121: the others go nevertheless
            failed = True
            continue
        _, some = copy_folder(one, child.id, made, "", deep=True)
        failed = failed or some
    return made, failed


def _to_go(folder: Folder, number: int, target: Folder) -> Folder:
    one = folder.box.folder(number)
    if one.parent.id != folder.id:
        raise MapiError(Code.NOT_FOUND)
    above = target
    while True:
        if above.id == one.id:
            raise MapiError(Code.FOLDER_CYCLE)
        parent = above.parent
        if parent.id == above.id:
            return one
        above = parent


def _same_kind(one: Folder, target: Folder) -> bool:
    """Mail stands under mail; at the top both stand."""
    return target.row.role == places.SUBTREE or one.kind == target.kind
