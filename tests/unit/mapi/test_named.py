"""Named properties and GUIDs: what everybody knows, and that both lists agree with what others have."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from quintet.mapi import guids, named, types
from quintet.mapi.bag import NamedTag
from tests.support.shared import shared_dir
from tools import mapi_named

UNPACKED = Path(__file__).resolve().parents[3] / "build" / "unpacked"
HEADERS = [root / "usr/share/mingw-w64/include/mapiguid.h" for root in (UNPACKED, Path("/"))]
SHARED = shared_dir()
_OLE = re.compile(r"DEFINE_OLEGUID\((\w+),(0x[0-9A-Fa-f]+),0,0\)")


def test_names_that_everybody_knows() -> None:
    location = NamedTag(guids.PSETID_APPOINTMENT, 0x8208, types.STRING)
    assert named.key("PidLidLocation") == named.key("dispidLocation") == location
    assert named.name(location.guid, location.name) == "PidLidLocation"
    assert named.key("PidLidAppointmentRecur") == NamedTag(guids.PSETID_APPOINTMENT, 0x8216, types.BINARY)
    assert named.key("PidLidReminderSet") == NamedTag(guids.PSETID_COMMON, 0x8503, types.BOOLEAN)
    keywords = NamedTag(guids.PS_PUBLIC_STRINGS, "Keywords", types.MULTIPLE | types.STRING)
    assert named.key("PidNameKeywords") == keywords
    assert named.name(guids.PS_PUBLIC_STRINGS, "Nobody") is None
    with pytest.raises(KeyError):
        named.key("PidLidNobodyHasThis")


@pytest.mark.skipif(SHARED is None, reason="the list that the names are made of is not here")
def test_list_is_what_the_tool_writes() -> None:
    assert SHARED is not None
    text = (SHARED / "ms-specs" / "named-properties.tsv").read_text("utf-8")
    assert mapi_named.TARGET.read_text("utf-8") == mapi_named.HEAD + "".join(mapi_named.rows(text))
    for line in text.splitlines():
        if not line.startswith("#"):
            assert guids.SETS[line.split("\t")[0]] == uuid.UUID(line.split("\t")[1])


def test_guids_agree_with_the_headers() -> None:
    header = next((path for path in HEADERS if path.exists()), None)
    if header is None:
        pytest.skip("no headers of mingw-w64-common here")
    ours = guids.SETS | guids.INTERFACES | {"MUID_PROFILE_INSTANCE": guids.MUID_PROFILE_INSTANCE}
    theirs = {
        name: uuid.UUID(f"{int(number, 16):08x}-0000-0000-c000-000000000046")
        for name, number in _OLE.findall(header.read_text("utf-8"))
    }
    assert len(theirs) > 50
    assert {name: ours.get(name) for name in theirs} == theirs
    assert {name for name in ours if name.startswith("IID_")} <= theirs.keys()
