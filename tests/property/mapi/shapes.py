"""What the property tests of MAPI's structures are made of: values of every type, restrictions, ids."""

from __future__ import annotations

import uuid

from hypothesis import strategies as st

from quintet.mapi import guids, ids, restrict, types
from quintet.mapi.bag import Attachment, Item, NamedTag
from quintet.mapi.buffer import Reader, Writer

TEXT = st.text(st.characters(blacklist_characters="\0"), max_size=20)  # halves of surrogate pairs too
TEXT8 = st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"x"))
ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=20)
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
COUNTER = st.integers(0, ids.MAX_COUNTER)
SINGLE = {
    types.INTEGER16: st.integers(-(1 << 15), (1 << 15) - 1),
    types.INTEGER32: st.integers(-(1 << 31), (1 << 31) - 1),
    types.FLOATING32: st.floats(width=32, allow_nan=False),
    types.FLOATING64: st.floats(allow_nan=False),
    types.CURRENCY: st.integers(-(1 << 63), (1 << 63) - 1),
    types.FLOATING_TIME: st.floats(allow_nan=False),
    types.INTEGER64: st.integers(-(1 << 63), (1 << 63) - 1),
    types.STRING8: TEXT8,
    types.STRING: TEXT,
    types.TIME: st.integers(0, (1 << 64) - 1),
    types.GUID: st.uuids(),
    types.BINARY: st.binary(max_size=20),
}
VALUES = (
    SINGLE
    | {types.MULTIPLE | kind: st.lists(one, max_size=4) for kind, one in SINGLE.items()}
    | {types.BOOLEAN: st.booleans(), types.ERROR_CODE: U32, types.SERVER_ID: st.binary(max_size=20)}
)


def of_kind(kind: int) -> st.SearchStrategy[tuple[int, object]]:
    return st.tuples(st.integers(0, 0xFFFF).map(lambda number: types.tag_of(number, kind)), VALUES[kind])


TAGGED = st.sampled_from(sorted(VALUES)).flatmap(of_kind)
ABSENT = types.STRING8, types.STRING, types.BINARY, *(kind for kind in VALUES if kind & types.MULTIPLE)


def of_book(kind: int) -> st.SearchStrategy[tuple[int, object]]:
    """A value of the address book: text, bytes and lists may be absent, and texts and bytes in lists."""
    one = kind & ~types.MULTIPLE
    value = VALUES[kind]
    if kind in ABSENT:
        value |= st.none()
    if kind != one and one in ABSENT:
        value |= st.lists(VALUES[one] | st.none(), max_size=4)
    return st.tuples(st.integers(0, 0xFFFF).map(lambda number: types.tag_of(number, kind)), value)


OF_BOOK = st.sampled_from(sorted(VALUES)).flatmap(of_book)
RELATION = st.sampled_from(restrict.Relation)
LEAF = st.one_of(
    st.builds(restrict.Content, st.sampled_from(restrict.Where), U16, U32, TAGGED),
    st.builds(restrict.Property, RELATION, U32, TAGGED),
    st.builds(restrict.Compare, RELATION, U32, U32),
    st.builds(restrict.Bitmask, st.booleans(), U32, U32),
    st.builds(restrict.Size, RELATION, U32, U32),
    st.builds(restrict.Exist, U32),
    st.builds(restrict.Comment, st.lists(TAGGED, max_size=3).map(tuple), st.none()),
)
RESTRICTION = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(restrict.And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(restrict.Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(restrict.Not, inner),
        st.builds(restrict.SubObject, st.sampled_from((restrict.RECIPIENTS, restrict.ATTACHMENTS)), inner),
        st.builds(restrict.Comment, st.lists(TAGGED, max_size=2).map(tuple), inner),
        st.builds(restrict.Count, U32, inner),
    ),
    max_leaves=6,
)


def again(get, put, wide, *values):
    """What comes back of what was written; all of it was read."""
    writer = Writer(wide=wide)
    put(writer, *values)
    reader = Reader(writer.done(), wide=wide)
    found = get(reader)
    assert not len(reader)
    return found


LONG = st.builds(ids.LongId, st.uuids(), COUNTER)
KNOWN = (ids.ONE_OFF, ids.ADDRESS_BOOK, ids.CONTACT, ids.STORE_WRAP, ids.WRAPPED)
PROVIDER = st.uuids().filter(lambda one: one not in KNOWN)
MESSAGE = st.builds(
    ids.MessageEntry,
    PROVIDER,
    st.sampled_from((ids.PRIVATE_MESSAGE, ids.PUBLIC_MESSAGE, ids.MAPPED_MESSAGE)),
    LONG,
    LONG,
)
ONE_OFF = st.builds(ids.OneOffEntry, st.just(ids.UNICODE), TEXT, TEXT, TEXT)
BOOK = st.builds(ids.AddressBookEntry, U32, ASCII)
ENTRY = st.one_of(
    MESSAGE,
    ONE_OFF,
    BOOK,
    st.builds(ids.FolderEntry, PROVIDER, st.sampled_from((ids.PRIVATE_FOLDER, ids.PUBLIC_FOLDER)), LONG),
    st.builds(ids.NewsgroupEntry, ASCII),
    st.builds(ids.StoreEntry, ASCII, ASCII, st.binary(max_size=20)),
    st.builds(ids.OneOffEntry, st.just(0), ASCII, ASCII, ASCII),
    st.builds(ids.ContactEntry, U32, MESSAGE),
    st.builds(ids.PersonalListEntry, MESSAGE),
    st.builds(ids.EphemeralEntry, st.uuids(), U32, U32),
    st.builds(ids.WrappedEntry, st.integers(0, 255), ONE_OFF | MESSAGE | BOOK),
)


# --- items ----------------------------------------------------------------------------------------------

_NUMBER = st.integers(0x0001, 0x3FFF) | st.integers(0x6600, 0x7FFF)
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
_OF_BAGS = {
    kind: values
    for kind, values in (SINGLE | {types.STRING: _TEXT}).items()
    if kind not in (types.STRING8, types.TIME)
} | {types.BOOLEAN: st.booleans(), types.TIME: st.integers(0, (1 << 63) - 1)}
_KINDS = sorted(_OF_BAGS)


@st.composite
def bags(draw: st.DrawFn, most: int = 4) -> dict[object, object]:
    """Properties of every type that a file of an item can tell, with numbers and with names."""
    bag: dict[object, object] = {}
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(_KINDS))
        values = _OF_BAGS[kind]
        if kind != types.BOOLEAN and draw(st.booleans()):
            values, kind = st.lists(values, min_size=1, max_size=3), kind | types.MULTIPLE
        name = draw(st.integers(0, 0xFFFF) | _TEXT.filter(bool))
        named = draw(st.booleans())
        key = (
            NamedTag(draw(st.sampled_from(_SETS)), name, kind) if named else types.tag_of(draw(_NUMBER), kind)
        )
        bag[key] = draw(values)
    # one property has one type
    return {key: bag[key] for key in {_identity(key): key for key in bag}.values()}


def _identity(key: object) -> object:
    return (key.guid, key.name) if isinstance(key, NamedTag) else key >> 16  # type: ignore[operator]


_SETS = (guids.PSETID_APPOINTMENT, guids.PSETID_COMMON, guids.PS_PUBLIC_STRINGS, uuid.UUID(int=77))
ITEM = st.recursive(
    st.builds(Item, bags(6), st.lists(bags(), max_size=3)),
    lambda inner: st.builds(
        Item,
        bags(),
        st.lists(bags(), max_size=2),
        st.lists(
            st.builds(Attachment, bags(), st.binary(max_size=30))
            | st.builds(Attachment, bags(), st.just(b""), inner),
            max_size=2,
        ),
    ),
    max_leaves=4,
)
