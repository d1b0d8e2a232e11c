"""Constants: equal to the headers of mingw-w64, and those that our sources use are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quintet.mapi import consts, restrict, types
from quintet.mapi.core import errors
from quintet.mapi.errors import Code
from quintet.mapi.providers.base import Kind, Thing
from tools import mapi_consts

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = [root / "usr/share/mingw-w64/include" for root in (ROOT / "build" / "unpacked", Path("/"))]


def headers() -> Path:
    found = next((path for path in FOLDERS if (path / "mapidefs.h").exists()), None)
    if found is None:
        pytest.skip("no headers of mingw-w64-common here")
    return found


def test_list_is_what_the_tool_writes() -> None:
    text = mapi_consts.TARGET.read_text("utf-8")
    assert text == mapi_consts.HEAD + "".join(mapi_consts.lines(headers()))


def test_headers_of_exchange_do_not_differ_from_those_that_we_have() -> None:
    """What is told in both places is told alike."""
    folder = headers()
    known = mapi_consts.numbers([(folder / name).read_text("latin-1") for name in mapi_consts.HEADERS])
    for row in mapi_consts.EXCHANGE.split("\n"):
        if row and row.split()[0] in known:
            name, value = row.split()
            assert known[name] == int(value, 0), name


def test_every_constant_in_our_sources_is_there() -> None:
    used = set()
    for path in [*(ROOT / "src/quintet/mapi").rglob("*.py"), *(ROOT / "tests/unit/mapi").rglob("*.py")]:
        text = path.read_text("utf-8")
        if re.search(r"^from quintet\.mapi import .*\bconsts\b", text, re.MULTILINE):
            used |= set(re.findall(r"\bconsts\.([A-Z][A-Za-z0-9_]+|fnev\w+|[fr]+ights\w+)\b", text))
    assert len(used) > 100
    for name in used:
        assert getattr(consts, name) is not None


def test_our_own_numbers_are_those_of_the_headers() -> None:
    assert consts.PT_SYSTIME == types.TIME
    assert consts.PT_MV_UNICODE == types.STRING | types.MULTIPLE
    assert consts.RELOP_RE == restrict.Relation.MATCHES
    assert (consts.FL_SUBSTRING, consts.FL_PREFIX) == (restrict.Where.SUBSTRING, restrict.Where.PREFIX)
    names = {
        "ADDRESS_BOOK": "ADDRBOOK", "CONTAINER": "ABCONT", "MAIL_USER": "MAILUSER", "ATTACHMENT": "ATTACH",
        "DIST_LIST": "DISTLIST", "PROFILE_SECTION": "PROFSECT", "FORM": "FORMINFO",
    }  # fmt: skip
    for thing in Thing:
        assert thing == getattr(consts, f"MAPI_{names.get(thing.name, thing.name)}")
    events = {"NEW_MAIL": "NewMail", "SEARCH_COMPLETE": "SearchComplete"}
    for kind in Kind:
        name = events.get(kind.name or "", f"Object{(kind.name or '').capitalize()}")
        assert kind == getattr(consts, f"fnev{name}")


def test_each_code_has_a_class_of_its_own() -> None:
    assert errors.MAPIErrorNotFound.hr == consts.MAPI_E_NOT_FOUND == Code.NOT_FOUND
    assert errors.MAPIErrorInvalidEntryid.hr == consts.MAPI_E_INVALID_ENTRYID
    assert isinstance(errors.MAPIError.from_hresult(consts.MAPI_E_COLLISION), errors.MAPIErrorCollision)
    plain = errors.MAPIError.from_hresult(0x4D9, "quota")
    assert (type(plain), plain.hr, str(plain)) == (errors.MAPIError, 0x4D9, "MAPI error 4D9 (quota)")
    assert errors.MAPIErrorNotFound().hr == consts.MAPI_E_NOT_FOUND
    assert repr(errors.MAPIErrorNotFound()) == "MAPI error 8004010F"


def test_unknown_constant_is_an_attribute_error() -> None:
    name = "NOBODY_HAS_THIS"
    for module in (consts, errors):
        with pytest.raises(AttributeError):
            getattr(module, name)
