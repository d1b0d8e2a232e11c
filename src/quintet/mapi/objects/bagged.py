"""What every object can do with properties: get, list, set, delete (MS-OXCPRPT 3.2.5.1, 3.2.5.4).

Some are worked out from the store's rows (`facts`), the others stand in a bag.  Text is ``str`` whichever
width a tag asks for; a code page is the wire's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.errors import BadSyntax
from quintet.mapi import match, named, types
from quintet.mapi.bag import Bag, Key, NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import packed, pid
from quintet.mapi.types import Error, Tag, Value
from quintet.store.props import FIRST_NAMED
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.objects.box import Box

MAX_VALUE = 64 * 1024 * 1024  # bytes of one value; what is larger is no property of a message

MAX_PROPERTIES = 5000  # of one object; an appointment has some two hundred

ABSENT = Error(Code.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A property that could not be set or deleted (a PropertyProblem, MS-OXCDATA 2.7)."""

    index: int  # in what was asked
    tag: Tag
    code: Code


Fact = Callable[[Any], Value]  # Any: the object's own class, one level down


class Bagged:
    """Base of all objects; `facts` are worked out, `writable` of them have a setter of their own."""

    facts: ClassVar[Mapping[Tag, Fact]] = {}

    def __init__(self, box: Box) -> None:
        self.box = box

    # --- for callers --------------------------------------------------------------------------------

    def get(self, tags: Sequence[Tag]) -> list[Value]:
        """One value a tag, in their order (R45701); `Error` where there is none.

        A tag without a type gives (type, value).
        """
        return [self._untyped(tag) if tag & 0xFFFF == types.UNSPECIFIED else self._typed(tag) for tag in tags]

    def value(self, tag: Tag) -> Value:
        """A single value, or None."""
        found = self._typed(tag)
        return None if isinstance(found, Error) else found

    def everything(self) -> list[tuple[Tag, Value]]:
        """All properties that have a value (RopGetPropertiesAll); named ones only if they have a number."""
        return [(tag, value) for tag in self.tags() if not isinstance(value := self._typed(tag), Error)]

    def tags(self) -> list[Tag]:
        """All that are set (RopGetPropertiesList)."""
        own = [tag for tag, fact in self.facts.items() if not match.is_absent(fact(self))]
        return own + [tag for tag in self.box.tags_of(self._bag()) if tag not in self.facts]

    def nameless(self) -> list[NamedTag]:
        """Properties that it has under a name that everybody knows and that has no number here yet."""
        return [
            key
            for key in self._bag()
            if isinstance(key, NamedTag)
            and named.name(key.guid, key.name) is not None
            and self.box.tag_of(key) is None
        ]

    def set(self, values: Iterable[tuple[Tag, Value]]) -> list[Trouble]:
        """Sets properties; what could not be set is told, the rest is (R475, R47505).

        Raises MapiError(OUT_OF_RESOURCES): the object would have more than `MAX_PROPERTIES`.
        """
        troubles = []
        fresh: Bag = {}
        for index, (tag, value) in enumerate(values):
            try:
                wide = match.wide(tag)
                value = match.text_of(value) if wide != tag else value
                if wide in self.facts:
                    self._set_fact(wide, value)
                else:
                    fresh[self._key(wide)] = _checked(wide, value)
            except MapiError as error:
                troubles.append(Trouble(index, tag, error.code))
        if len(fresh.keys() | self._bag().keys()) > MAX_PROPERTIES:
            raise MapiError(Code.OUT_OF_RESOURCES, "too many properties")
        if fresh:
            self._put(fresh)
        return troubles

    def remove(self, tags: Sequence[Tag]) -> list[Trouble]:
        """Deletes properties; one that is not there is no trouble (R486)."""
        troubles, gone = [], []
        for index, tag in enumerate(tags):
            wide = match.wide(tag)
            if wide in self.facts:
                try:
                    self._remove_fact(wide)
                except MapiError as error:
                    troubles.append(Trouble(index, tag, error.code))
                continue
            gone += self._with_id(types.id_of(wide))
        if gone:
            self._drop(gone)
        return troubles

    # --- for the classes below ------------------------------------------------------------------------

    def _bag(self) -> Bag:
        """The properties that are not facts."""
        raise MapiError(Code.NOT_SUPPORTED)

    def _put(self, fresh: Bag) -> None:
        """Sets properties that are not facts."""
        raise MapiError(Code.NOT_SUPPORTED)

    def _drop(self, gone: Sequence[Key]) -> None:
        """Deletes properties that are not facts."""
        raise MapiError(Code.NOT_SUPPORTED)

    def _set_fact(self, tag: Tag, value: Value) -> None:
        """Where a fact can be set.  Raises MapiError(COMPUTED_VALUE): it cannot."""
        raise MapiError(Code.COMPUTED_VALUE)

    def _remove_fact(self, tag: Tag) -> None:
        """Where a fact can be taken away.  Raises MapiError(COMPUTED_VALUE): it cannot."""
        raise MapiError(Code.COMPUTED_VALUE)

    # --- looking up -----------------------------------------------------------------------------------

    def _typed(self, tag: Tag) -> Value:
        wide = match.wide(tag)
        fact = self.facts.get(wide)
        if fact is not None:
            value = fact(self)
        elif types.id_of(wide) < FIRST_NAMED:
            value = self._bag().get(wide)
        else:
            key = self.box.key_of(wide)
            value = None if key is None else self._bag().get(key)
        return ABSENT if value is None else value

    def _untyped(self, tag: Tag) -> Value:
        """By its number alone, with the type that it has."""
        number = types.id_of(tag)
        for own in self.facts:
            if types.id_of(own) == number:
                value = self._typed(own)
                return value if isinstance(value, Error) else (types.type_of(own), value)
        for key in self._with_id(number):
            return key.kind if isinstance(key, NamedTag) else types.type_of(key), self._bag()[key]
        return ABSENT

    def _with_id(self, number: int) -> list[Key]:
        """The properties of a number, whatever their type: at most one is there."""
        if number < FIRST_NAMED:
            return [key for key in self._bag() if not isinstance(key, NamedTag) and key >> 16 == number]
        named = self.box.named(number)
        if named is None:
            return []
        return [
            key
            for key in self._bag()
            if isinstance(key, NamedTag) and (key.guid, key.name) == (named.guid, named.name)
        ]

    def _key(self, tag: Tag) -> Key:
        key = self.box.key_of(tag)
        if key is None:
            raise MapiError(Code.INVALID_PARAMETER, "no property has that number")
        return key


def put_in(bag: Bag, fresh: Bag) -> None:
    """Sets properties in a bag: a property has one type, so another one of the same name goes."""
    for key, value in fresh.items():
        if key not in bag:
            for other in [each for each in bag if _same(each, key)]:
                del bag[other]
        bag[key] = value


def _same(one: Key, other: Key) -> bool:
    if isinstance(one, NamedTag) or isinstance(other, NamedTag):
        return (
            isinstance(one, NamedTag)
            and isinstance(other, NamedTag)
            and (one.guid, one.name) == (other.guid, other.name)
        )
    return one >> 16 == other >> 16


def _checked(tag: Tag, value: Value) -> Value:
    """Raises MapiError(INVALID_PARAMETER | VALUE_TOO_BIG): not of its type, or too much."""
    kind = types.type_of(tag)
    if kind in (types.UNSPECIFIED, types.NULL, types.ERROR_CODE, types.OBJECT) or kind & types.INSTANCE:
        raise MapiError(Code.INVALID_PARAMETER, "no property has that type")
    try:
        raw = packed.value(tag, value)
    except (BadSyntax, TypeError, AttributeError, UnicodeError) as error:
        raise MapiError(Code.INVALID_PARAMETER, "a value of another type") from error
    if len(raw) > MAX_VALUE or (tag == pid.EXTENDED_CONDITION and len(value) > pid.MAX_EXTENDED):
        raise MapiError(Code.VALUE_TOO_BIG)
    return value
