"""Attributes of items that are people or parts; on the class they make conditions.

item.to = ["Bob", "cid@example.com"]
folder.items(where=Message.to.contains("bob") & Message.attachments.contains(".pdf"))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, overload

from quintet.mapi import pr, restrict
from quintet.mapi.api.fields import IGNORE_CASE, Where
from quintet.mapi.api.parts import Attachments
from quintet.mapi.api.people import Peopled, Person
from quintet.mapi.providers import derive
from quintet.mapi.restrict import Relation, Restriction
from quintet.mapi.types import Tag

if TYPE_CHECKING:
    from quintet.mapi.api.item import Item

Given = Person | Peopled | str | Iterable[Person | Peopled | str] | None
"""What programs write for people: somebody or several, as such, as a contact or group, by address or name."""


def _content(where: restrict.Where, tags: Iterable[Tag], text: str) -> Restriction:
    """Some of these texts has a text, whatever its case."""
    return restrict.Or(tuple([restrict.Content(where, IGNORE_CASE, tag, (tag, text)) for tag in tags]))


def _address(who: Person | str) -> str:
    """Raises TypeError: a name is no address."""
    found = who if isinstance(who, Person) else Person.parse(who)
    if found is None:
        raise TypeError(f"{who!r} is no address; `contains` looks for a part of a name")
    return found.address


class People(list[Person]):
    """Those of an item, of one kind; who is added to the list, or taken from it, is so at the item."""

    def __init__(self, item: Item, kind: int) -> None:
        super().__init__(item.recipients(kind))
        self._item, self._kind = item, kind

    def _set(self, who: Given) -> None:
        self._item.set_recipients(self._kind, who)
        super().__init__(self._item.recipients(self._kind))

    def append(self, who: Person | Peopled | str) -> None:
        self._set([*self, who])

    def extend(self, who: Given) -> None:
        self._set([*self, *self._item.store.session.people(who)])

    def insert(self, at: SupportsIndex, who: Person | Peopled | str) -> None:
        self._set([*self[:at], who, *self[at:]])

    def remove(self, who: Person | str) -> None:
        """Raises ValueError: it is none of them."""
        gone = who if isinstance(who, Person) else Person(_address(who))
        list.remove(self, gone)
        self._set(list(self))

    def pop(self, at: SupportsIndex = -1) -> Person:
        """Raises IndexError."""
        found = super().pop(at)
        self._set(list(self))
        return found

    def clear(self) -> None:
        self._set(())

    def __delitem__(self, at: SupportsIndex | slice) -> None:
        super().__delitem__(at)
        self._set(list(self))

    def __setitem__(self, at: Any, who: Any) -> None:  # Any: one at a place, several in place of a piece
        found: list[Any] = list(self)
        found[at] = who
        self._set(found)


class Recipients:
    """Those of a kind, in their order."""

    def __init__(self, kind: int) -> None:
        self._kind = kind

    @overload
    def __get__(self, item: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, item: Item, owner: type | None = None) -> People: ...
    def __get__(self, item: Item | None, owner: type | None = None) -> Self | People:
        return self if item is None else People(item, self._kind)

    def __set__(self, item: Item, who: Given) -> None:
        item.set_recipients(self._kind, who)

    # --- conditions

    def _some(self, part: Restriction) -> Where:
        tag = pr.RECIPIENT_TYPE
        own = restrict.Property(Relation.EQUAL, tag, (tag, self._kind))
        return Where(restrict.SubObject(restrict.RECIPIENTS, restrict.And((own, part))))

    def contains(self, text: str) -> Where:
        """Somebody whose name or address has it."""
        tags = (pr.DISPLAY_NAME, pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS)
        return self._some(_content(restrict.Where.SUBSTRING, tags, text))

    def __eq__(self, who: object) -> Where:  # type: ignore[override]
        """Somebody of that address."""
        if not isinstance(who, Person | str):
            raise TypeError(f"a recipient is compared with an address: not {who!r}")
        tags = (pr.EMAIL_ADDRESS, pr.SMTP_ADDRESS)
        return self._some(_content(restrict.Where.FULL_STRING, tags, _address(who)))

    def __ne__(self, who: object) -> Where:  # type: ignore[override]
        return ~(self == who)

    __hash__ = object.__hash__

    @property
    def exists(self) -> Where:
        return self._some(restrict.Exist(pr.RECIPIENT_TYPE))


class Sender:
    """Whom an item is from."""

    _NAMES = (
        pr.SENT_REPRESENTING_NAME,
        pr.SENT_REPRESENTING_EMAIL_ADDRESS,
        pr.SENT_REPRESENTING_SMTP_ADDRESS,
    )

    @overload
    def __get__(self, item: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, item: Item, owner: type | None = None) -> Person | None: ...
    def __get__(self, item: Item | None, owner: type | None = None) -> Self | Person | None:
        if item is None:
            return self
        address = item.value(pr.SENT_REPRESENTING_EMAIL_ADDRESS)
        if isinstance(address, str) and "@" in address:  # what a listing knows is enough
            return Person(address.lower(), str(item.value(pr.SENT_REPRESENTING_NAME) or ""))
        for group in ("SENT_REPRESENTING", "SENDER"):
            bag = {
                tag: item.value(getattr(pr, f"{group}_{name}"))
                for tag, name in (
                    (pr.DISPLAY_NAME, "NAME"),
                    (pr.ADDRTYPE, "ADDRTYPE"),
                    (pr.EMAIL_ADDRESS, "EMAIL_ADDRESS"),
                    (pr.SMTP_ADDRESS, "SMTP_ADDRESS"),
                    (pr.ENTRYID, "ENTRYID"),
                )
            }
            if bag[pr.EMAIL_ADDRESS] or bag[pr.DISPLAY_NAME]:
                return Person.read({tag: value for tag, value in bag.items() if value is not None})
        return None

    def __set__(self, item: Item, who: Person | Peopled | str) -> None:
        """Raises ValueError: several, or nobody."""
        (one,) = item.store.session.people(who)
        bag = one.bag()
        item.take({
            pr.SENT_REPRESENTING_NAME: bag[pr.DISPLAY_NAME],
            pr.SENT_REPRESENTING_ADDRTYPE: one.kind,
            pr.SENT_REPRESENTING_EMAIL_ADDRESS: one.address,
            pr.SENT_REPRESENTING_SMTP_ADDRESS: one.address,
            pr.SENT_REPRESENTING_ENTRYID: bag[pr.ENTRYID],
        })  # fmt: skip

    def contains(self, text: str) -> Where:
        """The name or the address has it."""
        return Where(_content(restrict.Where.SUBSTRING, self._NAMES, text))

    def __eq__(self, who: object) -> Where:  # type: ignore[override]
        """It is somebody of that address."""
        if not isinstance(who, Person | str):
            raise TypeError(f"a sender is compared with an address: not {who!r}")
        return Where(_content(restrict.Where.FULL_STRING, self._NAMES[1:], _address(who)))

    def __ne__(self, who: object) -> Where:  # type: ignore[override]
        return ~(self == who)

    __hash__ = object.__hash__


class Parts:
    """The attachments of an item."""

    @overload
    def __get__(self, item: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, item: Item, owner: type | None = None) -> Attachments: ...
    def __get__(self, item: Item | None, owner: type | None = None) -> Self | Attachments:
        return self if item is None else Attachments(item)

    def contains(self, text: str) -> Where:
        """One whose name has it."""
        tags = (pr.ATTACH_LONG_FILENAME, pr.ATTACH_FILENAME, pr.DISPLAY_NAME)
        part = _content(restrict.Where.SUBSTRING, tags, text)
        return Where(restrict.SubObject(restrict.ATTACHMENTS, part))

    @property
    def exists(self) -> Where:
        tag = pr.HASATTACH
        return Where(restrict.Property(Relation.EQUAL, tag, (tag, True)))


TO, CC, BCC = Recipients(derive.TO), Recipients(derive.CC), Recipients(derive.BCC)
