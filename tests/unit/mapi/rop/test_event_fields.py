"""Which fields a notification has: every kind with every bit beside it (MS-OXCNOTIF 2.2.1.4.1.2)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from typing import Final

import pytest

from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import events

NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED, SEARCHED, TABLE = (1 << bit for bit in range(1, 9))
TOTAL, UNREAD, SEARCH, MESSAGE = 0x1000, 0x2000, 0x4000, 0x8000
CHANGED, ADDED, GONE, OTHER, UNRESTRICTED = 1, 3, 4, 5, 7

Available = Callable[[int, int, int], bool]
"""By the type, the other bits, and the event of a table."""


def short(number: int) -> tuple[ShortId, bytes]:
    return ShortId(1, number), struct.pack("<H", 1) + number.to_bytes(6, "big")


FOLDER, PARENT, OLD_FOLDER, OLD_PARENT, LETTER, OLD_LETTER, ROW, ROW_LETTER, PRIOR, PRIOR_LETTER = (
    short(0x1000 + at) for at in range(10)
)
TAGS: Final = (0x0037001F, 0x0E070003)
FIELDS: Final[tuple[tuple[str, bytes, Available], ...]] = (
    ("R140 to R142 R14201 to R14204", ROW[1], lambda kind, bits, row: row in (ADDED, GONE, OTHER)),
    (
        "R144 to R146 R14601 to R14604", ROW_LETTER[1],
        lambda kind, bits, row: row in (ADDED, GONE, OTHER) and bool(bits & MESSAGE),
    ),
    (
        "R148 to R150 R15001 to R15004", struct.pack("<I", 7),
        lambda kind, bits, row: row in (ADDED, GONE, OTHER) and bool(bits & MESSAGE),
    ),
    ("R152 R15401 to R15403", PRIOR[1], lambda kind, bits, row: row in (ADDED, OTHER)),
    (
        "R15801 to R15803", PRIOR_LETTER[1],
        lambda kind, bits, row: row in (ADDED, OTHER) and bool(bits & MESSAGE),
    ),
    (
        "R161001 to R161004", struct.pack("<I", 9),
        lambda kind, bits, row: row in (ADDED, OTHER) and bool(bits & MESSAGE),
    ),
    ("R16401 to R16403 R16701 to R16703", b"\4\0data", lambda kind, bits, row: row in (ADDED, OTHER)),
    ("R169 to R171 R17101 to R17103", FOLDER[1], lambda kind, bits, row: kind != TABLE),
    (
        "R173 to R175 R17501 to R17503", LETTER[1],
        lambda kind, bits, row: kind != TABLE and bool(bits & MESSAGE),
    ),
    (
        "R177 R178 R17901 to R17905", PARENT[1],
        lambda kind, bits, row: (
            kind in (CREATED, DELETED, MOVED, COPIED) and bits & (SEARCH | MESSAGE) in (0, SEARCH | MESSAGE)
        ),
    ),
    ("R181 to R183 R18301 to R18303", OLD_FOLDER[1], lambda kind, bits, row: kind in (MOVED, COPIED)),
    (
        "R185 to R187 R18701 to R18703", OLD_LETTER[1],
        lambda kind, bits, row: kind in (MOVED, COPIED) and bool(bits & MESSAGE),
    ),
    (
        "R189 R190 R19101 to R19103", OLD_PARENT[1],
        lambda kind, bits, row: kind in (MOVED, COPIED) and not bits & MESSAGE,
    ),
    (
        "R193 to R195 R19501 to R19503 R203 R20301", struct.pack("<HII", 2, *TAGS),
        lambda kind, bits, row: kind in (CREATED, MODIFIED),
    ),
    ("R205 to R207 R20701 R20702 R112 R114", struct.pack("<I", 12), lambda kind, bits, row: bits & TOTAL > 0),
    ("R209 R210 R21101 R21102 R115 R117", struct.pack("<I", 5), lambda kind, bits, row: bool(bits & UNREAD)),
    ("R21501 R21502", struct.pack("<I", 3), lambda kind, bits, row: kind == NEW_MAIL),
    (
        "R217 to R221 R22101 R22102 R224 R22601 R22602", b"\1" + "IPM.Note\0".encode("utf-16-le"),
        lambda kind, bits, row: kind == NEW_MAIL,
    ),
)  # fmt: skip


def kinds() -> list[tuple[int, int, int]]:
    """Types, bits and table events that go together (R101 to R111, R114, R117, R128, R132)."""
    found: list[tuple[int, int, int]] = []
    for kind in (NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED, SEARCHED):
        counts = (0, TOTAL, UNREAD, TOTAL | UNREAD) if kind == MODIFIED else (0,)
        places = (0, MESSAGE, SEARCH, SEARCH | MESSAGE)
        found += [(kind, count | place, 0) for count, place in itertools.product(counts, places)]
    rows = (CHANGED, ADDED, GONE, OTHER, UNRESTRICTED)
    found += [(TABLE, bits, row) for bits in (0, MESSAGE, SEARCH | MESSAGE) for row in rows]
    return found


@pytest.mark.parametrize(("kind", "bits", "row"), kinds())
def test_fields(kind: int, bits: int, row: int) -> None:
    """The requirements that the table names, with R98, R99, R118, R121, R137, R138; R12401, R12402, R139."""
    event = events.Event(
        kind | bits, FOLDER[0], LETTER[0], PARENT[0], OLD_FOLDER[0], OLD_LETTER[0], OLD_PARENT[0], TAGS, 12,
        5, 3, "IPM.Note", row or 1, (ROW[0], ROW_LETTER[0], 7), (PRIOR[0], PRIOR_LETTER[0], 9), b"data",
    )  # fmt: skip
    writer = Writer()
    events.put(writer, event)
    told = struct.pack("<H", kind | bits) + (struct.pack("<H", row) if kind == TABLE else b"")
    told += b"".join(raw for _, raw, available in FIELDS if available(kind, bits, row))
    assert writer.done() == told
    again = Writer()
    events.put(again, events.get(Reader(told)))
    assert again.done() == told


@pytest.mark.parametrize("count", [0, 0xFFFF])
def test_no_tags(count: int) -> None:
    """R197, R20302, R20303: none are told where there are none, or where all may be others."""
    raw = struct.pack("<H", MODIFIED) + FOLDER[1] + struct.pack("<H", count)
    reader = Reader(raw)
    assert events.get(reader).tags == ()
    assert len(reader) == 0
