"""Rules are read back as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.mapi import ids, rules, types
from quintet.mapi.buffer import Reader
from quintet.mapi.rules import Action, Op
from tests.property.mapi.shapes import COUNTER, RESTRICTION, TAGGED, TEXT, U16, U32, again

RAW = st.binary(max_size=20)
SHORT = st.builds(ids.ShortId, U16, COUNTER)
FLAVOR = st.integers(0, 15)
RECIPIENTS = st.lists(st.lists(TAGGED, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)
BOTH = st.one_of(
    st.builds(Action, st.just(Op.DEFER), RAW, FLAVOR, U32),
    st.builds(Action, st.just(Op.BOUNCE), st.sampled_from(rules.Bounce), FLAVOR, U32),
    st.builds(Action, st.sampled_from((Op.FORWARD, Op.DELEGATE)), RECIPIENTS, FLAVOR, U32),
    st.builds(Action, st.just(Op.TAG), TAGGED, FLAVOR, U32),
    st.builds(Action, st.sampled_from((Op.DELETE, Op.MARK_AS_READ)), st.none(), FLAVOR, U32),
)
MOVES, REPLIES = st.sampled_from((Op.MOVE, Op.COPY)), st.sampled_from((Op.REPLY, Op.OOF_REPLY))
STANDARD = BOTH | st.one_of(
    st.builds(Action, MOVES, st.builds(rules.Target, RAW, RAW, st.booleans()), FLAVOR, U32),
    st.builds(Action, REPLIES, st.builds(rules.Template, SHORT, SHORT, st.uuids()), FLAVOR, U32),
)
EXTENDED = BOTH | st.one_of(
    st.builds(Action, MOVES, st.builds(rules.Target, RAW, RAW), FLAVOR, U32),
    st.builds(Action, REPLIES, st.builds(rules.TemplateEntry, RAW, st.uuids()), FLAVOR, U32),
)
NAMES = st.dictionaries(
    st.integers(0x8000, 0xFFFF), st.builds(types.Named, st.uuids(), U32 | TEXT), max_size=3
)


@given(st.lists(STANDARD, min_size=1, max_size=4).map(tuple))
def test_standard_rules(actions):
    assert again(rules.get, rules.put, False, actions) == actions


@given(NAMES, st.lists(EXTENDED, min_size=1, max_size=4).map(tuple), RESTRICTION)
def test_extended_rules(names, actions, condition):
    assert rules.read_actions(rules.write_actions(names, actions)) == (names, actions)
    assert rules.read_condition(rules.write_condition(names, condition)) == (names, condition)


GETTERS = (lambda raw: rules.get(Reader(raw)), rules.read_actions, rules.read_condition)


@pytest.mark.parametrize("number", range(len(GETTERS)))
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(number, raw):
    try:
        GETTERS[number](raw)
    except BadSyntax as error:
        assert error.text  # noqa: PT017 - that nothing else is raised is what counts
