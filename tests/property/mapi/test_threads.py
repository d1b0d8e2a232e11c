"""Conversation indexes, report tags and search folder definitions are read back as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import conversation, reporttag, searchdefs
from tests.property.mapi.shapes import RESTRICTION, TAGGED, TEXT, U32

TIME = st.integers(0x01B0_0000_0000_0000, 0x01FF_FFFF_FFFF_FFFF)
RAW = st.binary(max_size=20)


@given(TIME, st.uuids(), st.lists(st.tuples(st.integers(0, 1 << 53), st.integers(0, 255)), max_size=5))
def test_threads(time, guid, answers):
    raw = conversation.begin(time, guid)
    for delay, chance in answers:
        raw = conversation.answer(raw, time + delay, chance)
    found = conversation.read(raw)
    assert (found.guid, found.time) == (guid, time >> 24 << 24)
    for (delay, chance), (told, byte) in zip(answers, found.levels, strict=True):
        assert byte == chance
        assert 0 <= delay + (time & 0xFFFFFF) - told < 1 << 23


@given(st.builds(reporttag.ReportTag, RAW, RAW, RAW, RAW, RAW, RAW))
def test_report_tags(tag):
    assert reporttag.read(reporttag.write(tag)) == tag


DEFINITION = st.builds(
    searchdefs.Definition,
    st.booleans(),
    st.none() | U32,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.lists(RAW, max_size=3).map(tuple),
    st.none() | st.lists(st.lists(TAGGED, max_size=2).map(tuple), max_size=2).map(tuple),
    st.none() | RESTRICTION,
    st.none() | RAW,
    st.sampled_from((0, 0x1000, 0x7000)),
)


@given(DEFINITION)
def test_search_folders(one):
    assert searchdefs.read(searchdefs.write(one)) == one


GETTERS = (conversation.read, reporttag.read, searchdefs.read)


@pytest.mark.parametrize("number", range(len(GETTERS)))
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(number, raw):
    try:
        GETTERS[number](raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
