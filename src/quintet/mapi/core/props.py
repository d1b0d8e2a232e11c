"""IMAPIProp: what every object with properties can do.

A subclass says what its bag is (`_bag`) and how changes are taken (`_take`); everything else is here: widths
of text, unspecified types, problems by property, names, streams, copies.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar

from quintet.mapi import consts, match, names, pr, types
from quintet.mapi.bag import Bag, Data, Key
from quintet.mapi.core import stream, values
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.core.structs import MAPINAMEID, SPropProblem, SPropValue
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.types import Named, Tag, Value

COMPUTED_CODE = 0x8004011A  # MAPI_E_COMPUTED
MAX_PROPS = 32_767  # of one call, as Exchange counts


class IMAPIProp(IUnknown):
    """``computed``: properties that a program cannot set here; ``writable``: whether it opened for
    writing.
    """

    iids: ClassVar[tuple[str, ...]] = ("IID_IMAPIProp", "IID_IUnknown")
    computed: ClassVar[frozenset[Tag]] = frozenset()

    def __init__(self, lock: threading.RLock | None = None, *, writable: bool = True) -> None:
        super().__init__(lock)
        self._writable = writable
        self._streams: list[stream.IStream] = []

    # --- what a subclass gives

    def _bag(self) -> Bag:
        """Every property as it is now."""
        raise fail("MAPI_E_NO_SUPPORT")

    def _made(self, key: Key) -> Value | None:
        """A property that is only made when it is asked for by itself."""
        return None

    def _whole(self) -> Bag:
        """What a copy takes along: nothing that is made of something else."""
        return self._bag()

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        """Takes changes; ``changes`` and ``gone`` share no key."""
        raise fail("MAPI_E_NO_SUPPORT")

    def _data(self, key: Key) -> bytes | Data | str | None:
        """The content behind a property that a stream shows; None: there is none."""
        value = self._bag().get(key)
        value = self._made(key) if value is None else value
        return value if isinstance(value, str | bytes) else None

    def _take_data(self, key: Key, data: bytes | Data | str) -> None:
        """What a stream wrote."""
        whole = data if isinstance(data, str | bytes) else data.read(0, data.size)
        self._take({key: whole}, ())

    # --- reading

    def GetProps(self, tags: Sequence[int] | None = None, flags: int = 0) -> list[SPropValue]:
        """One value a tag, in order; absent ones have the type PT_ERROR.  None: all that there are.

        A tag of type PT_UNSPECIFIED finds the property of that id, whatever its type; text is then, and for
        None, 8 bits wide unless ``flags`` has MAPI_UNICODE.
        """
        bag, wide = self._bag(), bool(flags & consts.MAPI_UNICODE)
        if tags is None:
            return values.listed({key: value for key, value in bag.items() if not _is_object(key)}, wide=wide)
        return [self._found(bag, tag, wide) for tag in tags]

    def _found(self, bag: Bag, tag: Tag, wide: bool) -> SPropValue:
        if tag & 0xFFFF == consts.PT_UNSPECIFIED:
            keys = _keys_of(bag, tag)
            return values.shown(values.tag(keys[0], wide=wide), bag[keys[0]]) if keys else values.absent(tag)
        value = bag.get(values.key(tag))
        return values.shown(tag, self._made(values.key(tag)) if value is None else value)

    def GetPropList(self, flags: int = 0) -> list[int]:
        """The tags of all properties."""
        wide = bool(flags & consts.MAPI_UNICODE)
        return [values.tag(key, wide=wide) for key, value in self._bag().items() if value is not None]

    # --- changing

    def SetProps(self, props: Sequence[SPropValue]) -> list[SPropProblem]:
        """Sets what can be set; gives what could not.

        Raises MAPIErrorNoAccess: opened for reading only; MAPIErrorInvalidParameter: nothing of it was set.
        """
        self._must_be_writable()
        if len(props) > MAX_PROPS:
            raise fail("MAPI_E_TOO_BIG")
        problems, good = [], []
        for at, one in enumerate(props):
            if match.wide(one.ulPropTag) in self.computed:
                problems.append(SPropProblem(at, one.ulPropTag, COMPUTED_CODE))
            else:
                good.append(one)
        changes = values.bag_of(good)
        if changes:
            self._take(changes, ())
        return problems

    def DeleteProps(self, tags: Sequence[int]) -> list[SPropProblem]:
        """Removes properties; one that is not there is no problem."""
        self._must_be_writable()
        bag, problems, gone = self._bag(), [], []
        for at, tag in enumerate(tags):
            if match.wide(tag) in self.computed:
                problems.append(SPropProblem(at, tag, COMPUTED_CODE))
            else:
                gone += _keys_of(bag, tag)
        if gone:
            self._take({}, gone)
        return problems

    def _must_be_writable(self) -> None:
        if not self._writable:
            raise fail("MAPI_E_NO_ACCESS")

    def SaveChanges(self, flags: int = 0) -> None:
        """Keeps what was changed, for objects that are changed as a whole; others did it at once."""
        self._flush()

    def _flush(self) -> None:
        for one in self._streams:
            one.Commit(0)

    # --- opening

    def OpenProperty(self, tag: int, iid: bytes | None = None, options: int = 0, flags: int = 0) -> Any:
        """A stream over a property (IID_IStream).  MAPI_CREATE with MAPI_MODIFY starts an empty one.

        Raises MAPIErrorNotFound, MAPIErrorInterfaceNotSupported, MAPIErrorNoAccess.
        """
        if not tag:
            raise fail("MAPI_E_INVALID_PARAMETER", "no property")
        if iid not in (consts.IID_IStream, consts.IID_ISequentialStream, None):
            raise fail("MAPI_E_INTERFACE_NOT_SUPPORTED")
        return self._stream(tag, flags)

    def _stream(self, tag: int, flags: int) -> stream.IStream:
        kind = tag & 0xFFFF
        if kind not in (consts.PT_UNICODE, consts.PT_STRING8, consts.PT_BINARY, consts.PT_OBJECT):
            raise fail("MAPI_E_NO_SUPPORT", "only text and bytes are streams")
        modify = bool(flags & (consts.MAPI_MODIFY | consts.MAPI_CREATE))
        if modify:
            self._must_be_writable()
        key = values.key(tag)
        content = self._data(key)
        if content is None or (flags & consts.MAPI_CREATE and flags & consts.MAPI_MODIFY):
            if not flags & consts.MAPI_CREATE:
                raise fail("MAPI_E_NOT_FOUND")
            content = "" if kind in (consts.PT_UNICODE, consts.PT_STRING8) else b""
        opened = stream.opened(
            kind, content, (lambda data: self._take_data(key, data)) if modify else None, self._lock
        )
        if modify:
            opened.dirty = content in ("", b"") and self._data(key) is None
            self._streams.append(opened)
        return opened

    # --- names

    def GetIDsFromNames(self, wanted: Sequence[MAPINAMEID], flags: int = 0) -> list[int]:
        """A tag of type PT_UNSPECIFIED for each name; PT_ERROR for one that is not known.

        MAPI_CREATE makes numbers for new names.  They are the same for every object in this process.
        """
        tags = []
        for one in wanted:
            number = names.number(_named(one), create=bool(flags & consts.MAPI_CREATE))
            tags.append(consts.PT_ERROR if number is None else types.tag_of(number, types.UNSPECIFIED))
        return tags

    def GetNamesFromIDs(
        self, tags: Sequence[int] | None = None, guid: bytes | None = None, flags: int = 0
    ) -> list[MAPINAMEID | None]:
        """The names of properties, None for an id without one.

        ``tags`` None: all names, or those of the set ``guid``; MAPI_NO_STRINGS and MAPI_NO_IDS leave some
        out.
        """
        if tags is not None:
            return [_shown_name(names.name(tag >> 16)) for tag in tags]
        found = [_shown_name(one) for one in names.every()]
        kinds = {consts.MNID_ID: consts.MAPI_NO_IDS, consts.MNID_STRING: consts.MAPI_NO_STRINGS}
        return [
            one
            for one in found
            if one is not None and guid in (None, one.guid) and not flags & kinds[one.kind]
        ]

    # --- copying

    def CopyTo(
        self,
        exclude_iids: Sequence[bytes] | None,
        exclude: Sequence[int] | None,
        ui: int,
        progress: object,
        iid: bytes | None,
        target: IMAPIProp,
        flags: int = 0,
    ) -> list[SPropProblem]:
        """Copies all properties but some; what is computed at the target is passed over.

        MAPI_MOVE removes them here, MAPI_NOREPLACE keeps what the target has.
        """
        ids = {tag >> 16 for tag in exclude or ()}
        bag = {key: value for key, value in self._whole().items() if values.tag(key) >> 16 not in ids}
        problems = self._copy(bag, target, flags)
        self._copy_parts(ids, target, flags)
        return problems

    def CopyProps(
        self,
        include: Sequence[int],
        ui: int,
        progress: object,
        iid: bytes | None,
        target: IMAPIProp,
        flags: int = 0,
    ) -> list[SPropProblem]:
        """Copies some properties."""
        whole, bag = self._bag(), {}
        for tag in include:
            for key in _keys_of(whole, tag):
                bag[key] = whole[key]
        problems = self._copy(bag, target, flags)
        self._copy_parts({each >> 16 for each in PARTS} - {tag >> 16 for tag in include}, target, flags)
        return problems

    def _copy(self, bag: Bag, target: IMAPIProp, flags: int) -> list[SPropProblem]:
        if target is self:
            raise fail("MAPI_E_NO_ACCESS", "an object is no copy of itself")
        there = target._bag() if flags & consts.MAPI_NOREPLACE else {}
        moved = {
            key: value
            for key, value in bag.items()
            if key not in there and key not in target.computed and not _is_object(key)
        }
        problems = target.SetProps([values.shown(values.tag(key), value) for key, value in moved.items()])
        if flags & consts.MAPI_MOVE:
            self.DeleteProps([values.tag(key) for key in moved])
        return problems

    def _copy_parts(self, without: Collection[int], target: IMAPIProp, flags: int) -> None:
        """What an object has beside its properties; ``without``: ids of PARTS that are left out."""


PARTS = (
    pr.MESSAGE_RECIPIENTS, pr.MESSAGE_ATTACHMENTS, pr.CONTAINER_CONTENTS, pr.CONTAINER_HIERARCHY,
    pr.FOLDER_ASSOCIATED_CONTENTS, pr.ATTACH_DATA_OBJ,
)  # fmt: skip


def _is_object(key: Key) -> bool:
    return isinstance(key, int) and key & 0xFFFF == consts.PT_OBJECT


def _keys_of(bag: Bag, tag: Tag) -> list[Key]:
    """The keys in a bag that a tag means: one, or all of the id where it has no type."""
    if tag & 0xFFFF not in (consts.PT_UNSPECIFIED, consts.PT_ERROR):
        key = values.key(tag)
        return [key] if key in bag else []
    known = names.name(tag >> 16)
    return [
        key
        for key in bag
        if (key >> 16 == tag >> 16 if isinstance(key, int) else known == Named(key.guid, key.name))
    ]


def _named(one: MAPINAMEID) -> Named:
    if len(one.guid) != 16 or one.kind not in (consts.MNID_ID, consts.MNID_STRING):
        raise fail("MAPI_E_INVALID_PARAMETER", "no name of a property")
    if isinstance(one.id, int) != (one.kind == consts.MNID_ID):
        raise fail("MAPI_E_INVALID_PARAMETER", "MNID_ID takes a number, MNID_STRING a text")
    return Named(uuid.UUID(bytes_le=one.guid), one.id)


def _shown_name(one: Named | None) -> MAPINAMEID | None:
    if one is None:
        return None
    kind = consts.MNID_ID if isinstance(one.name, int) else consts.MNID_STRING
    return MAPINAMEID(one.guid.bytes_le, kind, one.name)


def find(props: Iterable[SPropValue], tag: Tag) -> SPropValue | None:
    """PpropFindProp: the first of that tag; of that id, for a tag without a type."""
    for one in props:
        if one.ulPropTag == tag or (
            tag & 0xFFFF == consts.PT_UNSPECIFIED and one.ulPropTag >> 16 == tag >> 16
        ):
            return one
    return None


def one(source: IMAPIProp, tag: Tag) -> SPropValue:
    """HrGetOneProp.  Raises the error that stands for the property, often MAPIErrorNotFound."""
    (found,) = source.GetProps([tag], consts.MAPI_UNICODE)
    if found.ulPropTag & 0xFFFF == consts.PT_ERROR:
        raise MAPIError.from_hresult(found.Value)
    return found
