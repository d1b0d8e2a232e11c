"""Recipient rows, lists of entry ids and problems are read back as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import entrylists, ids, recipients, rows
from quintet.mapi.buffer import Reader
from tests.property.mapi.shapes import ASCII, COUNTER, TAGGED, TEXT, U16, U32, again

BYTE = st.integers(0, 255)
PLAIN = {
    "simple_name": st.none() | TEXT, "transmittable": st.none() | TEXT, "name": st.none() | TEXT,
    "no_rich": st.booleans(), "other_transport": st.booleans(),
}  # fmt: skip
ROW = st.one_of(
    st.builds(
        recipients.Row, st.sampled_from((recipients.Address.SMTP, recipients.Address.FAX)),
        email=st.none() | TEXT, **PLAIN,
    ),
    st.builds(recipients.Row, st.just(recipients.Address.NONE), st.none() | ASCII, **PLAIN),
    st.builds(
        recipients.Row, st.just(recipients.Address.X500),
        x500=ASCII, prefix_used=BYTE, display_type=BYTE, **PLAIN,
    ),
    st.builds(
        recipients.Row, st.just(recipients.Address.PERSONAL_LIST_1),
        entry_id=st.binary(max_size=9), search_key=st.binary(max_size=9), **PLAIN,
    ),
    st.builds(
        recipients.Row, st.just(recipients.Address.SMTP), name=ASCII, email=ASCII, unicode=st.just(False)
    ),
)  # fmt: skip


@given(ROW, st.lists(TAGGED, max_size=4), st.integers(0, 2))
def test_recipient_rows(row, tagged, more):
    columns = [tag for tag, _ in tagged]
    values = tuple(value for _, value in tagged)
    row = recipients.Row(**{name: getattr(row, name) for name in row.__slots__} | {"values": values})
    more_columns = columns + [0x0037001F] * more
    assert (
        again(
            lambda reader: recipients.get(reader, more_columns),
            lambda writer, one: recipients.put(writer, one, more_columns),
            False, row,
        )
        == row
    )  # fmt: skip


@given(ROW)
def test_a_bag_of_a_row_makes_the_same_bag_again(row):
    bag = recipients.to_bag(row, ())
    assert recipients.to_bag(recipients.of_bag(bag, ()), ()) == bag


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_lists_of_entry_ids(entries):
    assert again(entrylists.get_list, entrylists.put_list, False, entries) == entries
    raw = entrylists.write_flat_list(entries)
    assert entrylists.read_flat_list(raw) == entries
    assert len(raw) % 4 == 0


@given(st.builds(rows.Problem, U16, U32, U32))
def test_problems(problem):
    assert again(rows.get_problem, rows.put_problem, False, problem) == problem


SHORT = st.builds(ids.ShortId, U16, COUNTER)


@given(st.builds(ids.ServerId, SHORT, SHORT, U32))
def test_server_ids(one):
    assert ids.ServerId.read(one.write()) == one


@pytest.mark.parametrize("number", range(4))
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(number, raw):
    getter = (
        lambda raw: recipients.get(Reader(raw), [0x0037001F]),
        lambda raw: entrylists.get_list(Reader(raw)),
        entrylists.read_flat_list,
        ids.ServerId.read,
    )[number]
    try:
        getter(raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
