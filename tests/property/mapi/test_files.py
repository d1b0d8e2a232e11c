"""Items are read back from the files that carry them; any bytes are one or are refused."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import msgfile, tnef
from quintet.mapi.bag import Attachment, Bag, Item
from tests.property.mapi.shapes import ITEM


def check(found: Item, wanted: Item) -> None:
    """Everything that was written is there; a format may tell more than that."""
    told(found.props, wanted.props)
    assert len(found.recipients) == len(wanted.recipients)
    for ours, theirs in zip(found.recipients, wanted.recipients, strict=True):
        told(ours, theirs)
    assert len(found.attachments) == len(wanted.attachments)
    for one, other in zip(found.attachments, wanted.attachments, strict=True):
        attached(one, other)


def attached(found: Attachment, wanted: Attachment) -> None:
    told(found.props, wanted.props)
    assert found.data == wanted.data
    assert (found.item is None) == (wanted.item is None)
    if found.item is not None and wanted.item is not None:
        check(found.item, wanted.item)


def told(found: Bag, wanted: Bag) -> None:
    assert {key: found.get(key) for key in wanted} == wanted


def without_empty(item: Item) -> Item:
    """A .msg holds no empty text."""

    def some(bag: Bag) -> Bag:
        return {key: value for key, value in bag.items() if value != ""}

    attachments = [
        Attachment(some(each.props), each.data, each.item and without_empty(each.item))
        for each in item.attachments
    ]
    return Item(some(item.props), [some(row) for row in item.recipients], attachments)


WHOLE = msgfile.write(
    Item({0x0037001F: "subject", 0x6700101F: ["a"]}, [{0x3001001F: "Zoe"}], [Attachment({}, b"x" * 5000)])
)


@given(st.binary(max_size=100), st.integers(0, len(WHOLE)), st.binary(max_size=40))
def test_any_damage_is_an_item_or_refused(more, at, damage):
    raw = WHOLE[:at] + damage + WHOLE[at + len(damage) :] + more
    try:
        msgfile.read(raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts


@given(ITEM)
def test_items(item):
    """Both formats in one test: items take longer to make than to write."""
    check(tnef.read(tnef.write(item)), item)
    check(msgfile.read(msgfile.write(item)), without_empty(item))


HEAD = bytes.fromhex("789f3e220100")
NUMBERS = (
    0x00069007, 0x00069003, 0x00069004, 0x00078008, 0x00018004, 0x00038005, 0x0004800D, 0x00060000,
    0x00069002, 0x0006800F, 0x00018010, 0x00069005, 0x00068007, 0x00018009, 0x00050008, 0x00008000,
)  # fmt: skip
ATTRIBUTE = st.builds(
    lambda level, number, data: struct.pack("<BII", level, number, len(data)) + data + b"\0\0",
    st.sampled_from((1, 2)),
    st.sampled_from(NUMBERS),
    st.binary(max_size=40) | st.binary(max_size=40).map(lambda raw: b"\1\0\0\0" + raw),
)


@given(st.lists(ATTRIBUTE, max_size=5), st.binary(max_size=20))
def test_any_attributes_are_an_item_or_refused(attributes, more):
    try:
        tnef.read(HEAD + b"".join(attributes) + more)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
