"""Property names: what everybody knows, and that the list agrees with the headers of mingw-w64."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quintet.mapi import tags, types
from tests.support.shared import shared_dir
from tools import mapi_tags

UNPACKED = Path(__file__).resolve().parents[3] / "build" / "unpacked"
HEADERS = [root / "usr/share/mingw-w64/include/mapitags.h" for root in (UNPACKED, Path("/"))]
SHARED = shared_dir()
KINDS = {
    "SHORT": types.INTEGER16, "I2": types.INTEGER16, "LONG": types.INTEGER32, "I8": types.INTEGER64,
    "BOOLEAN": types.BOOLEAN, "BINARY": types.BINARY, "TSTRING": types.STRING, "STRING8": types.STRING8,
    "UNICODE": types.STRING, "SYSTIME": types.TIME, "OBJECT": types.OBJECT, "CLSID": types.GUID,
    "DOUBLE": types.FLOATING64, "ERROR": types.ERROR_CODE, "NULL": types.NULL, "UNSPECIFIED": 0,
}  # fmt: skip
_LINE = re.compile(r"#define (PR_\w+) PROP_TAG\(PT_(MV_)?(\w+),\s*(0x[0-9A-Fa-f]+)\)")


def test_names_that_everybody_knows() -> None:
    assert tags.tag("PidTagSubject") == tags.tag("PR_SUBJECT_W") == tags.tag("PR_SUBJECT") == 0x0037001F
    assert tags.tag("PR_SUBJECT_A") == 0x0037001E
    assert tags.tag("PR_ENTRYID") == 0x0FFF0102
    assert tags.name(0x0037001F) == tags.name(0x0037001E) == "PidTagSubject"
    assert tags.name(0x12345678) == "0x12345678"
    with pytest.raises(KeyError):
        tags.tag("PidTagNobodyHasThis")


@pytest.mark.skipif(SHARED is None, reason="the list that the tags are made of is not here")
def test_list_is_what_the_tool_writes() -> None:
    assert SHARED is not None
    text = (SHARED / "ms-specs" / "property-tags.tsv").read_text("utf-8")
    assert mapi_tags.TARGET.read_text("utf-8") == mapi_tags.HEAD + "".join(mapi_tags.rows(text))


def test_list_agrees_with_the_headers() -> None:
    header = next((path for path in HEADERS if path.exists()), None)
    if header is None:
        pytest.skip("no headers of mingw-w64-common here")
    ours, compared, different = tags.names(), 0, {}
    for name, many, kind, number in _LINE.findall(header.read_text("utf-8")):
        if name not in ours or kind not in KINDS:
            continue
        theirs = types.tag_of(int(number, 16), KINDS[kind] | (types.MULTIPLE if many else 0))
        compared += 1
        if ours[name] != theirs:
            different[name] = (f"{ours[name]:08X}", f"{theirs:08X}")
    assert compared > 500
    # two that the headers know in 8 bits only, while the list has both widths under the one name
    assert set(different) == {"PR_7BIT_DISPLAY_NAME", "PR_SERVICE_ENTRY_NAME"}
