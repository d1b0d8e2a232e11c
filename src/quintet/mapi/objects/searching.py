"""Search folders: a stored question, and what answers it now (MS-OXCFOLD 3.2.5.4, 3.2.5.5).

The question lies beside the folder (docs/decisions/0118).  The answer is found by reading the scope once, and
then kept current from what changed in it: a look at a search folder costs what happened since the last one.
A static search keeps the answer that it found when it was started.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from quintet.mapi import match, reminding, restrict
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.match import Matcher
from quintet.mapi.objects import happening, places
from quintet.mapi.objects.contents import Contents
from quintet.mapi.objects.foldercore import SEARCH_ROLE
from quintet.mapi.objects.hierarchy import Hierarchy
from quintet.mapi.restrict import Restriction
from quintet.mapi.rows import SortOrder
from quintet.store import folders, pages, props
from quintet.store.db import Tx
from quintet.store.model import FolderId, Modseq
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.errands import Services
    from quintet.mapi.objects.folder import Folder

# SearchFlags of a request (2.2.1.4.1)
STOP, RESTART, RECURSIVE, SHALLOW, FOREGROUND, BACKGROUND = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
CONTENT_INDEXED, NOT_INDEXED, STATIC = 0x10000, 0x20000, 0x40000
_KNOWN = 0x7003F
# of an answer (2.2.1.5.2)
IS_RECURSIVE, IS_FOREGROUND, IS_COMPLETE, IS_STATIC = 0x4, 0x8, 0x1000, 0x10000

HAS_SEARCHES = 0x01000000  # of PidTagStoreState

MAX_SCOPE = 1000  # folders of one search, before those below them
MAX_FOUND = 100_000  # messages of one search folder; what is beyond them is not shown
MAX_OPEN = 20  # search folders of one logon that are kept current; another one is read anew
_QUESTION: Final = 1 << 40  # under which it lies: no property's tag
_ANSWER: Final = _QUESTION + 1  # of a static search


@dataclass(frozen=True, slots=True)
class Criteria:
    """The question: which messages, where."""

    restriction: Restriction
    scope: tuple[FolderId, ...]
    recursive: bool
    static: bool

    @property
    def state(self) -> int:
        """The flags that RopGetSearchCriteria tells: it is always complete."""
        return (
            IS_COMPLETE
            | (IS_RECURSIVE if self.recursive else 0)
            | (IS_STATIC if self.static else IS_FOREGROUND)
        )


def store_state(box: Box) -> int:
    """PidTagStoreState: whether the mailbox has search folders (MS-OXCSTOR R889, R890)."""
    there = folders.by_role(box.tx, box.account.id, SEARCH_ROLE)
    return 0 if there is None else HAS_SEARCHES


def criteria(folder: Folder) -> Criteria:
    """Raises MapiError(NOT_SEARCH_FOLDER) (R580), MapiError(NOT_INITIALIZED): nobody asked anything yet."""
    if not folder.is_search:
        raise MapiError(Code.NOT_SEARCH_FOLDER)
    raw = props.get(folder.box.tx, props.FOLDER, folder.id).get(_QUESTION)
    if raw is None and folder.is_special:
        return _of_reminders(folder)
    if raw is None:
        raise MapiError(Code.NOT_INITIALIZED)
    reader = Reader(raw, wide=True)
    flags, number = reader.u32(), reader.u32()
    scope = tuple([FolderId(reader.u64()) for _ in range(number)])
    return Criteria(restrict.get(reader), scope, bool(flags & RECURSIVE), bool(flags & STATIC))


def _of_reminders(folder: Folder) -> Criteria:
    """Until a client asks for something else."""
    box = folder.box
    apart = [box.folder_entry_id(box.special[role]) for role in reminding.ROLES if role in box.special]
    restriction = reminding.asked([box.tag_of(key) for key in reminding.KEYS], apart)
    return Criteria(restriction, (box.special[places.SUBTREE],), recursive=True, static=False)


def ask(folder: Folder, restriction: Restriction | None, scope: Sequence[int], flags: int) -> None:
    """RopSetSearchCriteria; no restriction, or no scope, means those of the last time (R105, R109).

    Raises:
        MapiError(NOT_SEARCH_FOLDER), MapiError(INVALID_PARAMETER): flags that are none, or that exclude each
        other, or no restriction the first time.  MapiError(NOT_INITIALIZED): no scope the first time (R1240).
        MapiError(SEARCH_SCOPE): it would search itself (R1242).  MapiError(TOO_COMPLEX).
        MapiError(NOT_FOUND): a folder of the scope is not there.
    """
    if not folder.is_search:
        raise MapiError(Code.NOT_SEARCH_FOLDER)
    _check(flags)
    folder.check("k" if folder.may("k") else "a")
    try:
        old: Criteria | None = criteria(folder)
    except MapiError:
        old = None
    if flags & STOP and old is not None and restriction is None and not scope:
        return  # it is complete, and stays current (R1098, R1099)
    if not scope and old is None:
        raise MapiError(Code.NOT_INITIALIZED)
    restriction = restriction or (old.restriction if old is not None else None)
    if restriction is None or len(scope) > MAX_SCOPE:
        raise MapiError(Code.INVALID_PARAMETER)
    match.compiled(restriction)
    where = tuple([folder.box.folder(number).id for number in scope]) or (old.scope if old else ())
    if folder.id in where:
        raise MapiError(Code.SEARCH_SCOPE)
    new = Criteria(restriction, where, bool(flags & RECURSIVE), bool(flags & STATIC))
    tx = folder.box.tx
    props.put(tx, props.FOLDER, folder.id, {_QUESTION: _packed(new)})
    props.remove(tx, props.FOLDER, folder.id, [_ANSWER])
    folder.box.searches.pop(folder.id, None)
    if new.static:
        folder.box.errands.append(Population(folder, new))
    folders.touch(tx, folder.id)
    folder.box.written()


@dataclass(slots=True)
class Population:
    """The errand of a static search: what it finds is looked for while others write, then kept (R549)."""

    folder: Folder
    asked: Criteria

    async def run(self, services: Services) -> None:
        found = await services.store.read(self.find)
        await services.store.write(self.keep, found)

    def find(self, tx: Tx) -> list[int]:
        """What there is at the moment."""
        with self.folder.box.using(tx):
            answer = Answer(self.asked)
            answer.refresh(self.folder)
            return answer.numbers()

    def keep(self, tx: Tx, found: Sequence[int]) -> None:
        """Unless it was asked for something else meanwhile."""
        with self.folder.box.using(tx):
            if criteria(self.folder) == self.asked:
                raw = b"".join(number.to_bytes(6, "big") for number in found)
                props.put(tx, props.FOLDER, self.folder.id, {_ANSWER: raw})
                folders.touch(tx, self.folder.id)
                self.folder.box.written()


def take_question(folder: Folder, other: Folder) -> None:
    """A copy of a search folder looks for the same."""
    own = props.get(folder.box.tx, props.FOLDER, other.id)
    kept = {tag: value for tag, value in own.items() if tag in (_QUESTION, _ANSWER)}
    if _QUESTION not in kept and other.is_special:
        kept[_QUESTION] = _packed(criteria(other))
    props.put(folder.box.tx, props.FOLDER, folder.id, kept)


def _check(flags: int) -> None:
    """Raises MapiError(INVALID_PARAMETER) (R116)."""
    both = (STOP | RESTART, RECURSIVE | SHALLOW, FOREGROUND | BACKGROUND, CONTENT_INDEXED | NOT_INDEXED)
    if flags & ~_KNOWN or any(flags & pair == pair for pair in both):
        raise MapiError(Code.INVALID_PARAMETER, "no possible flags of a search")


def _packed(one: Criteria) -> bytes:
    writer = Writer(wide=True)
    writer.u32((RECURSIVE if one.recursive else 0) | (STATIC if one.static else 0))
    writer.u32(len(one.scope))
    for number in one.scope:
        writer.u64(number)
    restrict.put(writer, one.restriction)
    return writer.done()


@dataclass(slots=True)
class _Place:
    """What was found in one folder, up to a change number."""

    modseq: Modseq
    found: set[int] = field(default_factory=set)


class Answer:
    """What a search finds, kept from one look to the next."""

    def __init__(self, asked: Criteria) -> None:
        self.asked = asked
        self._matcher: Matcher = match.compiled(asked.restriction)
        self._places: dict[FolderId, _Place] = {}
        self._changes = 0  # counts looks that found another answer

    @property
    def version(self) -> tuple[int, Mapping[FolderId, Modseq]]:
        """How often it was another one, and up to where each folder was looked at."""
        return self._changes, {number: place.modseq for number, place in self._places.items()}

    def numbers(self) -> list[int]:
        """The messages, in the order of their numbers; at most `MAX_FOUND`."""
        return sorted(number for place in self._places.values() for number in place.found)[:MAX_FOUND]

    def lying(self) -> dict[int, FolderId]:
        """The same, each with the folder in which it lies."""
        places = {number: at for at, place in self._places.items() for number in place.found}
        return places if len(places) <= MAX_FOUND else {number: places[number] for number in self.numbers()}

    def refresh(self, folder: Folder) -> None:
        """Looks at what changed in the scope since the last look."""
        scope = _scope(folder, self.asked)
        for gone in self._places.keys() - set(scope):
            del self._places[gone]
            self._changes += 1
        for number in scope:
            self._look(folder, number)

    def _look(self, folder: Folder, number: FolderId) -> None:
        place = _readable(folder.box, number)
        if place is None:
            if self._places.pop(number, None) is not None:
                self._changes += 1
            return
        highest = place.row.highest_modseq
        known = self._places.get(number)
        if known is not None and known.modseq == highest:
            return
        tx = folder.box.tx
        changed = None if known is None else pages.changed(tx, number, known.modseq)
        if known is None or changed is None:  # too much happened: as if for the first time
            self._places[number] = _Place(highest, self._matching(place, pages.ids(tx, number)))
            self._changes += 1
            return
        came, went = changed
        known.found -= went
        known.found -= set(came)
        known.found |= self._matching(place, came)
        known.modseq = highest
        self._changes += 1

    def _matching(self, place: Folder, numbers: Sequence[int]) -> set[int]:
        rows = Contents(place)
        found: set[int] = set()
        for start in range(0, len(numbers), pages.MAX_PAGE):
            page = numbers[start : start + pages.MAX_PAGE]
            for number, values in zip(page, rows.values(page, self._matcher.keys), strict=True):
                if self._matcher.test(values, functools.partial(rows.parts, number)):
                    found.add(number)
        return found


def _readable(box: Box, number: FolderId) -> Folder | None:
    """A folder that is searched; None: it is gone, is a search itself, or may not be read (any more)."""
    try:
        found = box.folder(number)
    except MapiError:
        return None
    return found if found.may("r") and not found.is_search else None


def _scope(folder: Folder, asked: Criteria) -> list[FolderId]:
    """The folders that are searched, each once; search folders are not."""
    found: dict[FolderId, None] = {}
    for number in asked.scope:
        found[number] = None
        if asked.recursive:
            try:
                below = Hierarchy(folder.box.folder(number), deep=True).ids()
            except MapiError:
                continue
            found |= dict.fromkeys(FolderId(one) for one in below if one != folder.id)
    return list(found)


def answer(folder: Folder) -> Answer:
    """What the search finds now."""
    kept = folder.box.searches
    asked = criteria(folder)
    found = kept.pop(folder.id, None)
    if found is None or found.asked != asked:
        found = Answer(asked)
        if len(kept) >= MAX_OPEN:
            kept.pop(next(iter(kept)))
    kept[folder.id] = found  # the one that was looked at last stands last
    found.refresh(folder)
    return found


class Found(Contents):
    """The rows of a search folder: messages that lie elsewhere."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self._folders: dict[int, Folder] = {}

    def ids(self) -> Sequence[int]:
        return found(self.folder)

    def version(self) -> Hashable:
        self._folders.clear()
        try:
            changes, places = answer(self.folder).version
        except MapiError:  # nobody asked anything yet
            return None
        return changes, tuple(places.items()), self.folder.row.changed_modseq

    def touched(self, since: Any, dirty: Collection[int]) -> Collection[int] | None:  # Any: a version
        known: dict[FolderId, Modseq] = dict(since[1]) if since is not None else {}
        found: set[int] = set()
        for number, modseq in known.items():
            if number not in dirty:
                continue
            changed = happening.changed(self.folder.box.folder(number), modseq)
            if changed is None:
                return None
            found.update(changed)
        return found

    def arranged(self, restriction: Restriction | None, order: SortOrder | None) -> Sequence[int] | None:
        return None

    def folder_of(self, number: int) -> Folder:
        if number not in self._folders:
            self._folders[number] = self.folder.box.folder(number)
        return self._folders[number]


def lying(folder: Folder) -> dict[int, FolderId]:
    """`found`, each with the folder in which it lies."""
    try:
        asked = criteria(folder)
    except MapiError:
        return {}
    return dict(pages.lying(folder.box.tx, found(folder))) if asked.static else answer(folder).lying()


def found(folder: Folder) -> list[int]:
    """The messages that a search folder shows; none before it was asked for any."""
    try:
        asked = criteria(folder)
    except MapiError:
        return []
    if not asked.static:
        return answer(folder).numbers()
    raw = props.get(folder.box.tx, props.FOLDER, folder.id).get(_ANSWER, b"")
    numbers = [int.from_bytes(raw[at : at + 6], "big") for at in range(0, len(raw), 6)]
    lying = pages.lying(folder.box.tx, numbers)
    readable = {place for place in {place for _, place in lying} if _readable(folder.box, place) is not None}
    return [number for number, place in lying if place in readable]
