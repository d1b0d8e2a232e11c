"""What is written is read back, for every structure of MAPI; any bytes raise BadSyntax or nothing."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import frame, ids, idset, lzxpress, restrict, rows, rtf, types
from quintet.mapi.buffer import Reader, Writer
from tests.property.mapi.shapes import ABSENT, COUNTER, ENTRY, OF_BOOK, RESTRICTION, TAGGED, TEXT, U32, again


@given(TAGGED, st.booleans())
def test_values(tagged, wide):
    assert again(types.get_tagged, types.put_tagged, wide, *tagged) == tagged


@given(OF_BOOK)
def test_values_of_the_address_book(tagged):
    """MS-OXCMAPIHTTP_R2005 to R2010: HasValue is 0xFF or 0x00 and tells whether the value follows."""
    writer = Writer(wide=True, book=True)
    types.put_tagged(writer, *tagged)
    raw = writer.done()
    if types.type_of(tagged[0]) in ABSENT:
        assert raw[4] == (0 if tagged[1] is None else 0xFF)
    reader = Reader(raw, wide=True, book=True)
    assert types.get_tagged(reader) == tagged
    assert not len(reader)


@given(RESTRICTION, st.booleans())
def test_restrictions(restriction, wide):
    assert again(restrict.get, restrict.put, wide, restriction) == restriction


@given(st.data(), st.lists(TAGGED, max_size=5))
def test_rows(data, tagged):
    columns = [tag for tag, _ in tagged]
    instead = st.none() | st.builds(types.Error, U32)
    values = [data.draw(st.just(value) | instead) for _, value in tagged]
    assert again(lambda r: rows.get_row(r, columns), rows.put_row, False, columns, values) == values
    assert again(rows.get_tags, rows.put_tags, False, columns) == columns


@given(st.lists(st.builds(rows.Key, U32, st.sampled_from(rows.Order)), max_size=5), st.data())
def test_sort_orders(keys, data):
    categories = data.draw(st.integers(0, len(keys)))
    order = rows.SortOrder(tuple(keys), categories, data.draw(st.integers(0, categories)))
    assert again(rows.get_sort_order, rows.put_sort_order, False, order) == order


@given(st.builds(types.Named, st.uuids(), U32 | TEXT) | st.none())
def test_names(name):
    assert again(types.get_name, types.put_name, False, name) == name


@given(ENTRY)
def test_entry_ids(entry):
    assert ids.read(ids.write(entry)) == entry


PAIRS = st.lists(st.tuples(COUNTER | st.integers(0, 600), st.integers(0, 40) | COUNTER), max_size=30)


@given(PAIRS)
def test_sets(pairs):
    found = idset.merged((low, min(low + length, ids.MAX_COUNTER)) for low, length in pairs)
    assert idset.check(found)
    assert again(idset.get_globset, idset.put_globset, False, found) == found
    assert idset.read_short(idset.write_short({1: found, 9: found})) == {1: found, 9: found}
    one, two = uuid.UUID(int=3), uuid.UUID(int=1 << 100)
    assert idset.read_long(idset.write_long({one: found, two: found})) == {one: found, two: found}


@given(st.sets(st.integers(0, 400), max_size=200))
def test_a_set_holds_what_went_in(counters):
    found = idset.ranges(counters)
    assert idset.check(found)
    assert {one for low, high in found for one in range(low, high + 1)} == counters


REPEATING = st.lists(
    st.sampled_from((b"a", b"ab", b"abc", b"xyz" * 100, b"\0" * 300, b"the quick ")), max_size=60
)
BYTES = st.binary(max_size=400) | REPEATING.map(b"".join)


@given(BYTES)
def test_compression(data):
    assert lzxpress.decompress(lzxpress.compress(data), len(data)) == data
    assert rtf.decompress(rtf.compress(data)) == data


@given(st.lists(BYTES, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_frames(payloads, compress, obfuscate):
    assert frame.unwrap(frame.wrap(payloads, compress=compress, obfuscate=obfuscate)) == payloads


def test_long_input_is_compressed_in_linear_time():
    """Three hostile inputs of 64 KiB: none costs more than its places times the chain."""
    for data in (b"\0" * 65535, bytes(range(256)) * 255, b"ab" * 32767):
        assert lzxpress.decompress(lzxpress.compress(data), len(data)) == data


GETTERS = (
    lambda raw: types.get_tagged(Reader(raw)),
    lambda raw: types.get_tagged(Reader(raw, wide=True, book=True)),
    lambda raw: restrict.get(Reader(raw)),
    lambda raw: restrict.get(Reader(raw, wide=True)),
    lambda raw: rows.get_sort_order(Reader(raw)),
    lambda raw: rows.get_row(Reader(raw), [0x0037001F, 0, 0x101F1003]),
    lambda raw: rows.get_tags(Reader(raw)),
    lambda raw: types.get_name(Reader(raw)),
    ids.read,
    idset.read_short,
    idset.read_long,
    frame.unwrap,
    rtf.decompress,
    lambda raw: lzxpress.decompress(raw, 5000),
)


@pytest.mark.parametrize("number", range(len(GETTERS)))
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_structure_or_refused(number, raw):
    try:
        GETTERS[number](raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
