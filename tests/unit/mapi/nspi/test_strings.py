"""Text between Unicode and code pages, and how it compares (MS-OXNSPI 3.1.4.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from quintet.mapi.nspi import collate, consts
from quintet.mapi.nspi import messages as m
from quintet.mapi.restrict import And, Compare, Property, Relation, Restriction
from quintet.store import accounts
from tests.unit.mapi.nspi.desk import BY_NAME, NAME, STAT, Desk

WIDE, NARROW = 0x3001001F, 0x3001001E  # PidTagDisplayName, natively PtypString (R1599)
PRINTABLE_WIDE, PRINTABLE = 0x39FF001F, 0x39FF001E  # natively PtypString8 (R1601)
TELETEX = 20261

Ask = Callable[[Desk, int, m.Stat], Awaitable[Any]]
"""Has a method tell one property of Zoë."""


async def by_get_props(desk: Desk, tag: int, stat: m.Stat) -> Any:
    state = replace(stat, current=await desk.mid("Zoë Novák"))
    return (await desk.ask(m.GetProps(0, state, (tag,)))).values[0][1]


async def by_query_rows(desk: Desk, tag: int, stat: m.Stat) -> Any:
    state = replace(stat, current=consts.END, delta=-1)
    return (await desk.ask(m.QueryRows(0, state, (), 1, (tag,)))).table.rows[0][0]


async def by_get_matches(desk: Desk, tag: int, stat: m.Stat) -> Any:
    zoe = Property(Relation.EQUAL, NAME, (NAME, "Zoë Novák"))
    return (await desk.ask(m.GetMatches(state=stat, filter=zoe, most=1, columns=(tag,)))).table.rows[0][0]


async def by_seek_entries(desk: Desk, tag: int, stat: m.Stat) -> Any:
    return (await desk.ask(m.SeekEntries(0, stat, (NAME, "Zo"), None, (tag,)))).table.rows[0][0]


async def by_resolve_names(desk: Desk, tag: int, stat: m.Stat) -> Any:
    return (await desk.ask(m.ResolveNames(0, stat, (tag,), ("zoe",)))).table.rows[0][0]


ASKED: Final = (
    (by_get_props, "R1934 R1942 R1950 R1958 R1968 R1969"),
    (by_query_rows, "R1935 R1943 R1951 R1959 R1970 R1971"),
    (by_get_matches, "R1936 R1944 R1952 R1960 R1972 R1973"),
    (by_seek_entries, "R1937 R1945 R1953 R1961 R1974 R1975"),
    (by_resolve_names, "R1938 R1939 R1946 R1947 R1954 R1955 R1962 R1963 R1976 R1977 R1978 R1979"),
)
TOLD: Final = (  # what is asked for, in which code page, and what then comes
    (WIDE, 1200, "Zoë Novák"),  # R447
    (WIDE, 437, "Zoë Novák"),
    (NARROW, 1252, b"Zo\xeb Nov\xe1k"),  # R336, R1933
    (NARROW, 437, b"Zo\x89 Nov\xa0k"),
    (NARROW, TELETEX, b"Zo\xc8e Nov\xc2ak"),
    (NARROW, 932, b"Zo? Nov?k"),
    (PRINTABLE, 1252, b"Zo? Nov?k"),  # R450, R449
    (PRINTABLE, TELETEX, b"Zo? Nov?k"),
    (PRINTABLE_WIDE, 1200, "Zo? Nov?k"),
)


@pytest.mark.parametrize(("tag", "page", "expected"), TOLD)
@pytest.mark.parametrize(("ask", "cited"), ASKED, ids=[one.__name__ for one, _ in ASKED])
async def test_what_a_method_tells(desk: Desk, ask: Ask, cited: str, tag: int, page: int, expected: Any):
    """MS-OXNSPI_R445, R452 and, for each method, the requirements of the table."""
    assert await ask(desk, tag, replace(STAT, code_page=page)) == expected, cited


@pytest.mark.parametrize(("flags", "page", "expected"), [
    (consts.UNICODE_STRINGS, 1252, (WIDE, "Public Folders")), (0, 1252, (NARROW, b"Public Folders")),
    (0, 37, (NARROW, "Public Folders".encode("cp037"))),
])  # fmt: skip
async def test_the_hierarchy_in_both(desk: Desk, flags: int, page: int, expected: m.Tagged):
    """MS-OXNSPI_R1933, R1941, R1966, R1967, R111."""
    rows = (await desk.ask(m.GetSpecialTable(flags, replace(STAT, code_page=page)))).rows
    assert expected in rows[5]


GIVEN: Final = (  # a target in some width and page, and the first row that is not less
    (WIDE, "Zoë", 1200, "Zoë Novák"),  # R466
    (NARROW, b"Zo\xeb", 1252, "Zoë Novák"),  # R465
    (NARROW, b"Zo\x89", 437, "Zoë Novák"),
    (NARROW, b"Zo\xc8e", TELETEX, "Zoë Novák"),
    (NARROW, "Bo".encode("cp037"), 37, "Bob Baker"),
)


@pytest.mark.parametrize(("tag", "raw", "page", "found"), GIVEN)
async def test_what_a_client_gives(desk: Desk, tag: int, raw: str | bytes, page: int, found: str):
    """MS-OXNSPI_R439, R461, R465, R466."""
    stat = replace(STAT, code_page=page)
    answer = await desk.ask(m.SeekEntries(0, stat, (tag, raw), None, (WIDE,)))
    assert answer.table.rows[0] == [found]


# --- comparison (3.1.4.3.5) -------------------------------------------------------------------------------


async def matching(desk: Desk, wanted: Restriction, page: int = 1200) -> list[str]:
    stat = replace(STAT, code_page=page)
    answer = await desk.ask(m.GetMatches(state=stat, filter=wanted, most=99, columns=(NAME,)))
    assert answer.error == 0
    return [row[0] for row in answer.table.rows]


SAME: Final = (  # what NSPI_DEFAULT_LOCALE_COMPARE_FLAGS let be one (2.2.1.6)
    ("ZOË NOVÁK", "Zoë Novák", "R1828"),  # case
    ("Zoe Novak", "Zoë Novák", "R1829"),  # marks
    ("Zoe\u0308 Nova\u0301k", "Zoë Novák", "R1829"),  # the same in two characters each
    ("\uff22\uff4f\uff42 Baker", "Bob Baker", "R1846"),  # width
    ("すずき", "スズキ", "R1844 R1845"),  # kana
    ("ｽｽﾞｷ", "スズキ", "R1846"),  # both
)


@pytest.mark.parametrize(("text", "name", "cited"), SAME)
async def test_equal_text(desk: Desk, text: str, name: str, cited: str):
    """MS-OXNSPI_R475, R480, R481, R482, R1819, R1821, R474 and those of the table: in restrictions and in
    seeks as in the order of tables.
    """
    if name == "スズキ":
        await desk.store.write(accounts.create, "suzuki@example.org", display_name=name)
    assert await matching(desk, Property(Relation.EQUAL, NAME, (NAME, text))) == [name], cited
    assert name not in await matching(desk, Property(Relation.LESS, NAME, (NAME, text)))
    assert name not in await matching(desk, Property(Relation.GREATER, NAME, (NAME, text)))
    assert name not in await matching(desk, Property(Relation.NOT_EQUAL, NAME, (NAME, text)))
    sought = await desk.ask(m.SeekEntries(0, STAT, (NAME, text), None, (NAME,)))
    assert sought.table.rows[0] == [name]


@pytest.mark.parametrize("sign", "-'.&$_")
async def test_signs_count(desk: Desk, sign: str):
    """MS-OXNSPI_R1840: SORT_STRINGSORT: punctuation is a symbol like others and is not passed over."""
    assert await matching(desk, Property(Relation.EQUAL, NAME, (NAME, f"Bob{sign} Baker"))) == []
    assert collate.image(f"a{sign}b") != collate.image("ab")


async def test_order_and_restrictions_agree(desk: Desk):
    """MS-OXNSPI_R473, R474, R494, R496: of each name the table has as many before it as are less."""
    for at, name in enumerate(BY_NAME):
        assert await matching(desk, Property(Relation.LESS, NAME, (NAME, name))) == BY_NAME[:at]
        assert await matching(desk, Property(Relation.GREATER, NAME, (NAME, name))) == BY_NAME[at + 1 :]


async def test_8_bit_text_is_less_where_it_is_shorter(desk: Desk):
    """MS-OXNSPI_R488 to R493: the length first, whatever the letters; among equals the letters."""
    by_length = sorted(BY_NAME, key=lambda name: (len(name), name.lower()))
    for name in ("Staff", "Bob Baker", "misc.food", "info@example.org"):
        raw = name.encode("ascii")
        less = Property(Relation.LESS, PRINTABLE, (PRINTABLE, raw))
        at = [_printable(one) for one in by_length].index(name)
        assert await matching(desk, less, 1252) == _in_order(by_length[:at])
    assert await matching(desk, Property(Relation.GREATER, PRINTABLE, (PRINTABLE, b"z" * 15)), 1252) == [
        "info@example.org", "carol@example.org"
    ][::-1]  # fmt: skip


async def test_8_bit_text_without_case(desk: Desk):
    """MS-OXNSPI_R435, R485; R462, R463: given as Unicode it is made 8 bits first."""
    for value in ((PRINTABLE, b"sTAFF"), (PRINTABLE_WIDE, "STAFF")):
        equal = Property(Relation.EQUAL, PRINTABLE, value)
        assert await matching(desk, equal, 1252) == ["Staff"]
    among = And((Property(Relation.LESS, PRINTABLE_WIDE, (PRINTABLE_WIDE, "zzzzzz")),))
    assert await matching(desk, among) == ["$sales", "Staff"]


async def test_two_properties_compared(desk: Desk):
    """By the same rules: a name that is printable is its printable form."""
    assert await matching(desk, Compare(Relation.EQUAL, NAME, 0x3A20001F)) == BY_NAME


def _printable(name: str) -> str:
    return "".join(char if char.isascii() else "?" for char in name)


def _in_order(names: list[str]) -> list[str]:
    return [name for name in BY_NAME if name in names]
