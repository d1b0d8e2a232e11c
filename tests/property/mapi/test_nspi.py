"""Bodies of NSPI over HTTP: what is written is read back, for every request type and its answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.buffer import Writer
from quintet.mapi.nspi import bodies, codepages, collate, messages, names, packing
from quintet.mapi.rows import put_row
from tests.property.mapi.shapes import OF_BOOK as TAGGED
from tests.property.mapi.shapes import RESTRICTION, TEXT, TEXT8, U32, VALUES

I32 = st.integers(-(1 << 31), (1 << 31) - 1)
STAT = st.builds(messages.Stat, U32, U32, U32, I32, U32, U32, U32, U32, U32)
KIND = st.sampled_from(sorted(VALUES))
WORDS = st.lists(U32, max_size=4).map(tuple)
VALUE_LIST = st.lists(TAGGED, max_size=4).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> messages.Table:
    """A value, none, or an error a column; a text that is there and empty is another than an absent one."""
    columns = draw(st.lists(st.builds(types.tag_of, st.integers(0, 0xFFFF), KIND), max_size=4))
    failed = st.none() | st.builds(types.Error, U32)
    rows = [
        [draw(VALUES[types.type_of(tag)] | failed) for tag in columns] for _ in range(draw(st.integers(0, 3)))
    ]
    return messages.Table(tuple(columns), tuple(rows))


@given(tables())
def test_rows_are_packed_as_others_are_written(table):
    writer = Writer(wide=True, book=True)
    for row in table.rows:
        put_row(writer, table.columns, row)
    assert packing.packed(table.columns, table.rows) == writer.done()


FIELDS = {
    bodies.FLAG: st.booleans(),
    bodies.U32: U32,
    bodies.I32: I32,
    bodies.GUID: st.uuids(),
    bodies.TEXT: TEXT,
    bodies.SIZED: st.binary(max_size=20),
    bodies.WORDS: WORDS,
}


def many(one: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(one, max_size=3).map(tuple)


NAMED = {
    "state": STAT, "names8": many(TEXT8), "names": many(TEXT), "mids": WORDS, "filter": RESTRICTION,
    "property": st.tuples(st.uuids(), U32), "columns": WORDS, "tags": WORDS, "version": U32, "dn": TEXT8,
    "entry_ids": many(st.binary(max_size=9)), "gone": WORDS, "values": VALUE_LIST, "target": TAGGED,
    "table": WORDS, "delta": I32, "rows": many(VALUE_LIST),
}  # fmt: skip


def body_of(kind: str, layouts: dict, *, answer: bool) -> st.SearchStrategy[object]:
    made, layout = layouts[kind]
    parts = []
    for name, field in layout:
        plain = FIELDS.get(field)
        if plain is not None:
            parts.append(plain)
        elif name == "table" and answer:
            parts.append(st.none() | tables())
        else:
            parts.append(st.none() | NAMED["names8" if kind == "dntominid" and name == "names" else name])
    return st.builds(made, *parts)


@pytest.mark.parametrize("kind", sorted(bodies.REQUESTS))
@settings(max_examples=12)
@given(data=st.data())
def test_requests_and_answers(kind, data):
    """MS-OXCMAPIHTTP 2.2.5: the nineteen, both ways."""
    request = data.draw(body_of(kind, bodies.REQUESTS, answer=False))
    assert bodies.read_request(kind, bodies.write_request(kind, request)) == request
    answer = data.draw(body_of(kind, bodies.RESPONSES, answer=True))
    raw = bodies.write_response(kind, answer)
    assert raw[:4] == bytes(4)  # StatusCode: MS-OXCMAPIHTTP_R347 and its like
    assert bodies.read_response(kind, raw) == answer


@pytest.mark.parametrize("kind", sorted(bodies.REQUESTS))
@settings(max_examples=25)
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_body_or_refused(kind, raw):
    for read in (bodies.read_request, bodies.read_response):
        try:
            assert read(kind, raw) is not None
        except (BadSyntax, bodies.Failure):
            pass


def test_there_are_nineteen():
    assert len(bodies.REQUESTS) == len(bodies.RESPONSES) == 19


def test_an_answer_that_failed_says_its_status():
    """MS-OXCMAPIHTTP 2.2.5.1.3: StatusCode and no more."""
    with pytest.raises(bodies.Failure) as failure:
        bodies.read_response("bind", (0x6BB).to_bytes(4, "little") + bytes(4))
    assert failure.value.status == 0x6BB


@given(st.uuids(), U32, U32, st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
def test_entry_ids(server, kind, mid, dn):
    """MS-OXNSPI 2.2.9: the display type is no part of what an entry id means (R379, R410)."""
    assert names.read(names.ephemeral(server, kind, mid)) == names.Ephemeral(server, mid)
    assert names.read(names.permanent(kind, dn)) == dn


@given(st.integers(0, (1 << 48) - 1), st.text(max_size=80))
def test_a_name_holds_its_number(number, name):
    dn = names.of_object(number, name)
    assert dn.isascii()
    assert names.number_of(dn) == names.number_of(dn.upper()) == number


@given(st.text(), st.sampled_from((20261, 1252, 65001, 932, 28592, 20127, 1)))
def test_any_text_has_bytes_in_any_code_page(text, page):
    raw = codepages.encode(text, page)
    assert b"\0" not in raw
    codepages.decode(raw, page)


@given(st.text("aàâäåãéèêëēíìïîñóòôöõúùûüçčďěňřšťůžłøßæœÅÉŐűÿ .-'()0123456789", max_size=30))
def test_teletex_gives_back_what_it_has(text):
    """MS-OXNSPI_R440: between CP_WINUNICODE and CP_TELETEX."""
    assert codepages.decode(codepages.encode(text, 20261), 20261) == text


@given(st.text())
def test_an_image_is_its_own_image(text):
    once = collate.image(text)
    assert collate.image(once) == once
