"""Names of properties: numbers in this process, and the short names that our own sources use."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from quintet.mapi import guids, names, pr, restrict, types
from quintet.mapi.bag import NamedTag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.types import Named

SOURCES = Path(__file__).resolve().parents[3]
OWN = uuid.UUID("6ed8da90-450b-101b-98da-00aa003f1305")


def test_every_short_name_in_our_sources_is_a_property() -> None:
    used = set()
    for folder in ("src/quintet/mapi", "tests/unit/mapi"):
        for path in (SOURCES / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            if "import" in text and re.search(r"^from quintet\.mapi import .*\bpr\b", text, re.MULTILINE):
                used |= set(re.findall(r"\bpr\.([A-Z][A-Z0-9_]+)\b", text))
    assert len(used) > 40
    for name in used:
        assert getattr(pr, name)


def test_unknown_short_name_is_an_attribute_error() -> None:
    name = "NOBODY_HAS_THIS"
    with pytest.raises(AttributeError):
        getattr(pr, name)


def test_a_name_keeps_its_number() -> None:
    name = Named(OWN, 0x23)
    number = names.number(name)
    assert number is not None
    assert number >= 0x8000
    assert names.number(name) == number
    assert names.name(number) == name
    assert names.number(Named(OWN, "nobody asked for this yet"), create=False) is None


def test_names_of_ps_mapi_are_the_ids_themselves() -> None:
    """MS-OXCPRPT 3.2.5.9: PS_MAPI stands for the ids below 0x8000."""
    assert names.number(Named(guids.PS_MAPI, 0x37)) == 0x37
    assert names.name(0x37) == Named(guids.PS_MAPI, 0x37)
    assert names.number(Named(guids.PS_MAPI, "text")) is None


def test_key_and_tag_are_each_others_inverse() -> None:
    key = NamedTag(OWN, "Keywords", types.STRING | types.MULTIPLE)
    assert names.key(names.tag(key)) == key
    assert names.key(pr.SUBJECT) == names.tag(pr.SUBJECT) == pr.SUBJECT


def test_restriction_is_restated_in_every_part() -> None:
    inner = restrict.Property(restrict.Relation.EQUAL, 1, (2, "x"))
    whole = restrict.And((
        restrict.Not(inner),
        restrict.Compare(restrict.Relation.LESS, 3, 4),
        restrict.Comment(((5, "note"),), None),
        restrict.SubObject(restrict.RECIPIENTS, restrict.Exist(6)),
    ))  # fmt: skip
    changed = names.restated(whole, lambda tag: tag * 10)
    assert changed == restrict.And((
        restrict.Not(restrict.Property(restrict.Relation.EQUAL, 10, (20, "x"))),
        restrict.Compare(restrict.Relation.LESS, 30, 40),
        restrict.Comment(((5, "note"),), None),
        restrict.SubObject(restrict.RECIPIENTS, restrict.Exist(60)),
    ))  # fmt: skip
    assert names.tags_of(whole) == {1, 2, 3, 4, 6}


def test_too_many_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "LAST", names.FIRST + len(names.every()) - 1)
    with pytest.raises(MapiError) as caught:
        names.number(Named(OWN, str(uuid.uuid4())))
    assert caught.value.code == Code.NAMED_PROPERTY_QUOTA
