"""The programming interface: what goes in comes out, and what a stranger sends is an error of MAPI."""

from __future__ import annotations

import contextlib
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.mapi import pr, subjects, types
from quintet.mapi.core import addrbook, errors, ics, manage, profile, values
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession, opened
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import MapiError
from quintet.mapi.plain import safe_name
from quintet.mapi.providers import listing
from tests.property.mapi import shapes

KINDS = sorted(shapes.SINGLE)


@pytest.fixture(scope="module")
def mapi() -> IMAPISession:
    settings = {"world": str(uuid.uuid4()), "account": "ann@example.com"}
    return opened(Profile([used("MEMORY", None, settings)]))


@given(st.sampled_from(KINDS).flatmap(shapes.of_kind))
def test_value_of_each_type_comes_back(tagged: tuple[int, object]) -> None:
    tag, value = tagged
    kind = tag & 0xFFFF
    seen = values.shown(tag, value)
    kept = values.inward(kind, seen.Value)
    if kind == types.STRING8:
        kept = values.shown(tag, kept).Value  # text within, bytes outside
        assert isinstance(kept, bytes)
    else:
        assert kept == value


@given(shapes.RESTRICTION)
def test_restriction_comes_back(restriction: object) -> None:
    """Text is wide inside, so one restriction and what it becomes are the same after the first turn."""
    once = values.restriction(values.shown_restriction(restriction))  # type: ignore[arg-type]
    assert values.restriction(values.shown_restriction(once)) == once


@given(st.integers(), st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.lists(st.integers())))
def test_anything_as_a_value_is_taken_or_an_error_of_mapi(tag: int, value: object) -> None:
    tag &= 0xFFFFFFFF
    with contextlib.suppress(errors.MAPIError):
        kept = values.bag_of([SPropValue(tag, value)])
        assert len(kept) == (tag & 0xFFFF not in (types.ERROR_CODE, types.NULL))


@given(st.binary(max_size=100))
def test_any_bytes_as_an_entry_id(mapi: IMAPISession, raw: bytes) -> None:
    addrbook.one_off(raw)
    with contextlib.suppress(errors.MAPIError):
        manage.parsed(raw)
    with pytest.raises(errors.MAPIError):
        mapi.OpenEntry(raw)
    store = mapi.OpenMsgStore()
    for entry in (raw, bytes(4) + store.source.uid + raw):
        if entry not in (store.source.entry_id, b""):
            with contextlib.suppress(errors.MAPIError):
                store.OpenEntry(entry)


@given(st.binary(max_size=100))
def test_any_bytes_as_a_state(mapi: IMAPISession, raw: bytes) -> None:
    stream = IStream(raw)
    with contextlib.suppress(errors.MAPIError):
        assert isinstance(ics.read_state(stream), ics.State)
    store = mapi.OpenMsgStore()
    with contextlib.suppress(MapiError):
        assert store.source.changes(store.source.receive_folder("")[0], raw).state


@given(st.binary(max_size=60))
def test_any_bytes_as_an_instance_key(mapi: IMAPISession, raw: bytes) -> None:
    table = mapi.OpenMsgStore().OpenEntry(None).GetHierarchyTable()
    for call in (lambda: table.CollapseRow(raw), lambda: table.SetCollapseState(0, raw)):
        with contextlib.suppress(errors.MAPIError):
            assert call() >= 0


@given(st.lists(st.tuples(st.sampled_from("rwst"), st.integers(0, 40), st.binary(max_size=10)), max_size=20))
def test_stream_does_what_bytes_do(steps: list[tuple[str, int, bytes]]) -> None:
    stream, model, at = IStream(), bytearray(), 0
    for what, number, data in steps:
        if what == "r":
            assert stream.Read(number) == bytes(model[at : at + number])
            at = min(at + number, max(at, len(model)))
        elif what == "s":
            at = stream.Seek(number)
        elif what == "t":
            stream.SetSize(number)
            model = bytearray(model[:number].ljust(number, b"\0"))
        else:
            stream.Write(data)
            model = bytearray(model.ljust(at, b"\0"))
            model[at : at + len(data)] = data
            at += len(data)
    assert stream.Stat().cbSize == len(model)


@given(st.text(max_size=300))
def test_name_of_a_file_stays_in_its_folder(name: str) -> None:
    found = safe_name(name)
    assert found
    assert not set(found) & set("/\\\0")
    assert found.strip(". ") == found


@given(st.text(max_size=40))
def test_subject_is_its_two_parts(subject: str) -> None:
    prefix, rest = subjects.parts(subject)
    assert subject.startswith(prefix.rstrip(" "))
    assert subject.endswith(rest)


LISTING = st.dictionaries(st.binary(min_size=1, max_size=4), st.tuples(st.binary(max_size=3), st.booleans()))


@given(LISTING, LISTING)
def test_changes_between_two_listings(
    before: dict[bytes, tuple[bytes, bool]], after: dict[bytes, tuple[bytes, bool]]
) -> None:
    def rows(found: dict[bytes, tuple[bytes, bool]]) -> listing.BagRows:
        return listing.BagRows(
            {one: {pr.CHANGE_KEY: key, pr.MESSAGE_FLAGS: int(read)} for one, (key, read) in found.items()}
        )

    state, *_ = listing.compare(rows(before), b"")
    _, changed, read, gone = listing.compare(rows(after), state)
    model = dict(before)
    for one in changed:
        model[one] = after[one]
    for one, is_read in read:
        model[one] = (model[one][0], is_read)
    for one in gone:
        del model[one]
    assert model == after


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> profile.Profiles:
    return profile.Profiles(tmp_path_factory.mktemp("profiles") / "profiles.json")


TEXTS = st.dictionaries(st.text("0123456789ABCDEF-", max_size=9), st.text("0a1f-", max_size=5), max_size=3)


@given(st.binary(max_size=200) | TEXTS.map(msgspec.json.encode))
def test_any_file_of_profiles(profiles: profile.Profiles, raw: bytes) -> None:
    profiles.path.write_bytes(raw)
    with contextlib.suppress(errors.MAPIErrorCorruptData):
        assert isinstance(profiles.read(), profile.Book)


@given(TEXTS)
def test_any_section_of_a_profile(found: dict[str, str]) -> None:
    one = profile.Used(bytes(16), "MEMORY", "Ann", {}, {bytes(16).hex(): found})
    with contextlib.suppress(errors.MAPIErrorCorruptData):
        assert len(profile.section(one, bytes(16))) <= len(found)
    assert profile.section(one, bytes(15) + b"x") == {}


KEPT = st.sampled_from((types.STRING, types.BINARY, types.INTEGER32, types.BOOLEAN))


@given(KEPT.flatmap(lambda kind: st.tuples(st.just(0x68000000 | kind), shapes.VALUES[kind])))
def test_section_of_a_profile_comes_back(tagged: tuple[int, object]) -> None:
    tag, value = tagged
    assert profile.unpacked(tag, profile.packed(tag, value)) == value
