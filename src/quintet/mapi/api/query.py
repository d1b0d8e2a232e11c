"""Listings: the items of a folder that meet a condition, in an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from quintet.mapi import match, names, pr, restrict
from quintet.mapi.api.fields import Condition, Field, Where, condition
from quintet.mapi.api.item import KINDS, Item, kind_of
from quintet.mapi.bag import Key
from quintet.mapi.core.message import IMessage
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import EntryId, Rows, View
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Value

if TYPE_CHECKING:
    from quintet.mapi.api.folder import Folder

I = TypeVar("I", bound=Item)  # noqa: E741 (an item)
FIRST = 250  # items whose columns are asked for at first
PAGE = 10_000  # at once later: each question to the own store waits for its thread, some milliseconds
MAX_AT_ONCE = 50_000  # items that are put in order with all their columns
_Row = tuple[EntryId, list[Value | None]]
Order = str | Field[Any] | Sequence[str | Field[Any]]

AHEAD = 8  # items for whom a property is brought that two have been asked for; twice as many each time
NEVER: frozenset[Key] = IMessage.computed | {
    pr.BODY, pr.HTML, pr.RTF_COMPRESSED, pr.NATIVE_BODY_INFO, pr.TRANSPORT_MESSAGE_HEADERS, pr.MSG_STATUS,
    pr.HAS_NAMED_PROPERTIES, pr.PREDECESSOR_CHANGE_LIST,
}  # fmt: skip
"""What only the open item tells: it makes it, or it is large."""

COLUMNS: tuple[Key, ...] = (
    pr.MESSAGE_CLASS, pr.SUBJECT, pr.SENT_REPRESENTING_NAME, pr.SENT_REPRESENTING_EMAIL_ADDRESS,
    pr.MESSAGE_DELIVERY_TIME, pr.CLIENT_SUBMIT_TIME, pr.MESSAGE_FLAGS, pr.MESSAGE_SIZE, pr.HASATTACH,
    pr.DISPLAY_TO, pr.DISPLAY_CC, pr.IMPORTANCE,
)  # fmt: skip
"""What a listing brings along; what else is looked at opens an item, then comes for many (`_Page`)."""


class Items(Generic[I]):
    """A listing, made anew each time it is gone through.

    ``len`` counts, ``[0]`` and ``[:10]`` pick, `first` gives one or None.
    """

    def __init__(
        self,
        folder: Folder,
        kind: type[I],
        *,
        order: Order = (),
        where: Where | None = None,
        columns: Sequence[Key] = (),
        view: View = View.NORMAL,
    ) -> None:
        self._folder, self._kind, self._view = folder, kind, view
        names = [order] if isinstance(order, str | Field) else order
        self._order = [one.name if isinstance(one, Field) else one for one in names]
        self._where = where
        self._columns: tuple[Key, ...] = (*COLUMNS, *[key for key in columns if key not in COLUMNS])

    def where(self, *conditions: Condition) -> Items[I]:
        """Those among them that meet all of these as well."""
        found = self._where
        for one in conditions:
            found = condition(one) if found is None else found & condition(one)
        return Items(
            self._folder, self._kind, order=self._order, where=found, columns=self._columns, view=self._view
        )

    def order(self, *names: str | Field[Any]) -> Items[I]:
        """By attributes, the first one first; "-" before a name turns it round."""
        return Items(
            self._folder, self._kind, order=names, where=self._where, columns=self._columns, view=self._view
        )

    # --- going through

    def ids(self) -> Sequence[EntryId]:
        """The entry ids, in order."""
        ids = self._found()
        if not self._order:
            return ids
        rows = self._folder.store.source.messages(self._folder.entry, self._view)
        keys = [self._key(name.removeprefix("-")) for name in self._order]
        pairs = list(zip(ids, rows.values(ids, keys), strict=True))
        return [entry for entry, _ in self._sorted(pairs, range(len(keys)))]

    def _found(self) -> Sequence[EntryId]:
        """Those that meet the condition, in no order."""
        ids = self._folder.store.source.messages(self._folder.entry, self._view).ids()
        wanted = self._condition()
        return ids if wanted is None else self._matching(ids, wanted)

    def _sorted(self, pairs: list[_Row], places: Sequence[int]) -> list[_Row]:
        """Rows in order; ``places``: of the values that count, in a row."""
        for name, place in reversed(list(zip(self._order, places, strict=True))):
            keys = [match.sort_key(values[place]) for _, values in pairs]
            order = sorted(range(len(pairs)), key=keys.__getitem__, reverse=name.startswith("-"))
            pairs = [pairs[at] for at in order]
        return pairs

    def _condition(self) -> Restriction | None:
        """The condition together with the kind of item, unless that is any."""
        if self._kind.message_class == "IPM":
            return None if self._where is None else self._where.restriction
        own = _is_a(self._kind)
        return (own if self._where is None else own & self._where).restriction

    def _matching(self, ids: Sequence[EntryId], wanted: Restriction) -> list[EntryId]:
        source = self._folder.store.source
        may = source.search(self._folder.entry, wanted) if self._view is View.NORMAL else None
        if may is not None:
            some = set(may)
            ids = [one for one in ids if one in some]
        test = match.compiled(wanted)
        keys = [names.key(tag) for tag in test.keys]
        rows = source.messages(self._folder.entry, self._view)
        found: list[EntryId] = []
        for page in _pages(ids, PAGE):
            for entry, values in zip(page, rows.values(page, keys), strict=True):
                if test.test(values, lambda table, entry=entry: derive.parts(source.load(entry), table)):  # type: ignore[misc]
                    found.append(entry)
        return found[: test.limit] if test.limit is not None else found

    def _key(self, name: str) -> Key:
        found = getattr(self._kind, name, getattr(Item, name, None))
        if isinstance(found, Field):
            return found.key
        raise AttributeError(
            f"{self._kind.__name__} is not ordered by {name!r}: no attribute that is a property"
        )

    def _opened(self, ids: Sequence[EntryId]) -> Iterator[I]:
        """The items of these ids, in their order."""
        return self._made(ids, self._rows(ids))

    def _made(self, ids: Sequence[EntryId], rows: Iterable[_Row]) -> Iterator[I]:
        store, folder, columns = self._folder.store, self._folder.entry, self._columns
        page = _Page(store.source.messages(folder, self._view), ids)
        for at, (entry, values) in enumerate(rows):
            if values[0] is not None:  # else it went away meanwhile
                row = dict(zip(columns, values, strict=True))
                yield kind_of(values[0])(store, folder, entry, row=row, among=(page, at))  # type: ignore[misc]

    def _rows(self, ids: Sequence[EntryId], first: int = FIRST) -> Iterator[_Row]:
        """In pages that grow, so that the first items come soon, and many cost few questions."""
        rows = self._folder.store.source.messages(self._folder.entry, self._view)
        for page in _pages(ids, first):
            yield from zip(page, rows.values(page, self._columns), strict=True)

    def __iter__(self) -> Iterator[I]:
        keys = [self._key(name.removeprefix("-")) for name in self._order]
        if keys and all(key in self._columns for key in keys):  # one look for the order and the items
            ids = self._found()
            if len(ids) <= MAX_AT_ONCE:
                places = [self._columns.index(key) for key in keys]
                pairs = self._sorted(list(self._rows(ids, PAGE)), places)
                return self._made([entry for entry, _ in pairs], pairs)
        return self._opened(self.ids())

    def __len__(self) -> int:
        return len(self.ids())

    def __bool__(self) -> bool:
        return bool(self.ids())

    @overload
    def __getitem__(self, which: int) -> I: ...
    @overload
    def __getitem__(self, which: slice) -> list[I]: ...
    def __getitem__(self, which: int | slice) -> I | list[I]:
        ids = self.ids()
        if isinstance(which, slice):
            return list(self._opened(ids[which]))
        return next(self._opened([ids[which]]))

    def first(self) -> I | None:
        return next(self._opened(self.ids()[:1]), None)

    def delete(self, *, hard: bool = False) -> int:
        """All of them at once; how many there were."""
        ids = list(self.ids())
        if hard:
            return self._folder.store.source.delete(ids, hard=True)
        for one in self._opened(ids):
            one.delete()
        return len(ids)

    def mark_read(self, read: bool = True) -> None:
        self._folder.store.source.mark_read(list(self.ids()), read)


class _Page:
    """What items of a listing are asked besides its columns.

    The first who is asked looks itself, and has all its properties then; from the second on a property is
    brought for those that follow as well: who goes through a listing asks all of them.
    """

    __slots__ = ("_ahead", "_found", "_ids", "_rows")

    def __init__(self, rows: Rows, ids: Sequence[EntryId]) -> None:
        self._rows, self._ids = rows, ids
        self._found: dict[Key, dict[int, Value | None]] = {}
        self._ahead: dict[Key, int] = {}

    def value(self, key: Key, at: int) -> Value | None:
        """See `item.Neighbours`."""
        found = self._found.get(key)
        if found is None:
            if key not in NEVER:
                self._found[key] = {}
            return NotImplemented
        if at not in found:
            count = self._ahead[key] = min(self._ahead.get(key, AHEAD // 2) * 2, FIRST)
            ids = self._ids[at : at + count]
            found.update(
                zip(range(at, at + count), [row[0] for row in self._rows.values(ids, [key])], strict=False)
            )
        return found[at]


def _pages(ids: Sequence[EntryId], first: int) -> Iterator[Sequence[EntryId]]:
    """``first`` ids, then four times as many, and so on up to `PAGE` at once."""
    start = 0
    while start < len(ids):
        yield ids[start : start + first]
        start, first = start + first, min(first * 4, PAGE)


def _is_a(kind: type[Item]) -> Where:
    """The message class is one whose items are of that kind: its own, and those of the kinds below it."""
    wanted = [name for name, each in KINDS.items() if issubclass(each, kind)] or [kind.message_class]
    others = [name for name, each in KINDS.items() if not issubclass(each, kind)]
    found = _begins(_shortest(wanted))
    apart = [name for name in others if any(name.startswith(f"{one}.") for one in wanted)]
    return found & ~_begins(_shortest(apart)) if apart else found


def _shortest(names: Sequence[str]) -> list[str]:
    """Those that are below none of the others."""
    return [name for name in names if not any(name.startswith(f"{one}.") for one in names)]


def _begins(names: Sequence[str]) -> Where:
    found = [one for name in names for one in (Item.kind.matches(name), Item.kind.startswith(f"{name}."))]
    return Where(restrict.Or(tuple([one.restriction for one in found])))
