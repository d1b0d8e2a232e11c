"""Messages moved, copied and deleted on a server that does not tell the new numbers (MS-OXCFOLD 2.2.1.6).

So each goes by a request of its own, and the target's table tells afterwards what is new in it: numbers grow,
so the new ones in their order are the messages in theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from quintet.mapi.ids import ShortId
from quintet.mapi.providers.base import EntryId
from quintet.mapi.providers.wire import rows
from quintet.mapi.providers.wire.entries import Entries, short
from quintet.mapi.providers.wire.link import Link, Talk, failed
from quintet.mapi.rop import folders
from quintet.mapi.rop.batch import Slot, Step
from quintet.mapi.rop.folders import TableFlag

MAX_OPEN: Final = 32  # source folders of one batch
Pair = tuple[ShortId, ShortId]


def by_folder(entries: Entries, messages: Sequence[EntryId]) -> dict[ShortId, list[EntryId]]:
    """Entry ids of messages here under their folders; others are left out."""
    found: dict[ShortId, list[EntryId]] = {}
    for one in dict.fromkeys(messages):
        pair = entries.maybe(one)
        if pair is not None:
            found.setdefault(pair[0], []).append(one)
    return found


def delete(link: Link, entries: Entries, messages: Sequence[EntryId], *, hard: bool) -> int:
    """How many there were."""
    kind = folders.HardDeleteMessages if hard else folders.DeleteMessages
    talk, steps = Talk(link), list[Step]()
    for folder, chosen in by_folder(entries, messages).items():
        handle = talk.open(folders.OpenFolder(folder, 0))
        for one in chosen:
            body: Any = kind(False, False, (entries.pair_of(one)[1],))
            steps.append(talk.ask(body, handle, may_fail=True))
    talk.run()
    return sum([_whole(step) for step in steps])


def _whole(step: Step) -> bool:
    return not failed(step) and not step.answer.partial


def transfer(
    link: Link, entries: Entries, messages: Sequence[EntryId], target: EntryId, *, copy: bool
) -> list[EntryId]:
    """Their ids in the target; b"" for one that was not there."""
    place = entries.folder_of(target)
    grouped = by_folder(entries, messages)
    before = _listing(link, place)
    talk = Talk(link)
    to: Slot = talk.open(folders.OpenFolder(place, 0))
    steps: dict[EntryId, Step] = {}
    for folder, chosen in grouped.items():
        handle = talk.open(folders.OpenFolder(folder, 0))
        for one in chosen:
            number = entries.pair_of(one)[1]
            if folder == place and not copy and number in before:
                continue
            body = folders.MoveCopyMessages((number,), False, copy)
            steps[one] = talk.ask(body, handle, to, may_fail=True)
    talk.run()
    done = [one for one, step in steps.items() if _whole(step)]
    found = _paired(entries, done, [one for one in _listing(link, place) if one not in before])
    stayed = {entries.pair_of(one)[1]: one for one in grouped.get(place, ())}
    numbers = found | ({} if copy else {one: number for number, one in stayed.items() if number in before})
    made = {one: entries.message(place, number) for one, number in numbers.items()}
    return [made.get(one, b"") for one in messages]


def _paired(entries: Entries, done: Sequence[EntryId], new: Sequence[ShortId]) -> dict[EntryId, ShortId]:
    """Which of the new numbers each has: its own where that is kept, else the next."""
    found = {one: number for one in done if (number := entries.pair_of(one)[1]) in new}
    rest = sorted(set(new) - set(found.values()), key=lambda one: one.counter)
    return found | dict(zip([one for one in done if one not in found], rest, strict=False))


def _listing(link: Link, folder: ShortId) -> set[ShortId]:
    found: set[ShortId] = set()
    for flags in (0, TableFlag.ASSOCIATED):
        request = folders.GetContentsTable(flags | TableFlag.NO_NOTIFICATIONS)
        found.update(short(mid) for (mid,) in rows.read(link, folder, request, (rows.MID,)))
    return found
