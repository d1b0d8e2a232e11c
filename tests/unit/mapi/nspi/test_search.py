"""NspiGetMatches: by restriction, and by properties that point to others (MS-OXNSPI 3.1.4.1.10)."""

from __future__ import annotations

import uuid
from dataclasses import replace

from quintet.mapi import restrict
from quintet.mapi.errors import Code
from quintet.mapi.nspi import consts, containers
from quintet.mapi.nspi import messages as m
from quintet.mapi.restrict import And, Content, Count, Exist, Not, Or, Property, Relation, Where
from tests.unit.mapi.nspi.desk import NAME, SMTP, STAT, Desk

NARROW = 0x3001001E
TYPE = consts.of("DisplayType")
ANR = 0x360C001F
MEMBER, OWNER, MEMBER_OF, DELEGATES = 0x8009000D, 0x800C000D, 0x8008000D, 0x8015000D

FOUND = [
    (Exist(consts.of("DisplayTypeEx")), 9),  # R1914
    (Exist(consts.of("SmtpAddress")), 8),
    (Content(Where.SUBSTRING, 1, SMTP, (SMTP, "EXAMPLE.ORG")), 7),  # R1911
    (Content(Where.PREFIX, 1, NAME, (NAME, "alice")), ["Alice Adams"]),
    (Content(Where.PREFIX, 2, NAME, (NAME, "Eva")), ["Éva Elm"]),
    (Content(Where.FULL_STRING, 1, NAME, (NAME, "staff")), ["Staff"]),
    (Content(Where.FULL_STRING, 0, NAME, (NAME, "staff")), []),
    (Property(Relation.EQUAL, NAME, (NAME, "Bob Baker")), ["Bob Baker"]),  # R1912
    (Property(Relation.GREATER_OR_EQUAL, NAME, (NAME, "staff")), ["Staff", "Zoë Novák"]),
    (Property(Relation.EQUAL, TYPE, (TYPE, consts.DT_FORUM)), ["misc.food"]),
    (And((Exist(SMTP), Property(Relation.EQUAL, TYPE, (TYPE, 1)))), ["info@example.org", "Staff"]),  # R1908
    (
        Or((Content(Where.PREFIX, 1, NAME, (NAME, "z")), Content(Where.PREFIX, 1, NAME, (NAME, "b")))),
        2,
    ),  # R1909
    (Not(Exist(SMTP)), ["$sales"]),  # R1910
    (Not(And((Exist(SMTP), Exist(NAME)))), ["$sales"]),
    (Count(2, Exist(NAME)), ["$sales", "Alice Adams"]),
    (Property(Relation.EQUAL, 0x1234001F, (0x1234001F, "x")), []),
    (Property(Relation.EQUAL, ANR, (ANR, "bob")), ["Bob Baker"]),
    (And((Property(Relation.EQUAL, ANR, (ANR, "s")), Exist(SMTP))), ["Staff"]),
    (Property(Relation.EQUAL, 0x800F101F, (0x800F001F, "smtp:z.novak@example.org")), ["Zoë Novák"]),
]


async def test_restrictions(desk: Desk):
    """MS-OXNSPI_R1127, R1128, R1908 to R1914: in the order of the table; R1146: the container."""
    for restriction, wanted in FOUND:
        state = replace(STAT, current=77)
        answer = await desk.ask(m.GetMatches(state=state, filter=restriction, most=50, columns=(NAME,)))
        assert answer.error == 0, restriction
        assert answer.state == replace(state, container=77)
        names = [row[0] for row in answer.table.rows]
        assert (len(names) if isinstance(wanted, int) else names) == wanted, restriction
        assert len(answer.mids) == len(names)


async def test_a_restriction_in_a_code_page(desk: Desk):
    """MS-OXNSPI_R464: texts of the narrow type are in the client's code page."""
    state = replace(STAT, code_page=1252)
    wanted = Content(Where.PREFIX, 0, NARROW, (NARROW, b"Zo\xeb"))
    answer = await desk.ask(m.GetMatches(state=state, filter=wanted, most=5, columns=(NAME,)))
    assert answer.table.rows == (["Zoë Novák"],)


async def test_a_restriction_of_a_container(desk: Desk):
    state = replace(STAT, container=containers.FOLDERS, sort=consts.BY_PHONETIC_NAME)
    answer = await desk.ask(m.GetMatches(state=state, filter=Exist(NAME), most=5))
    assert (answer.mids, answer.table) == ((await desk.mid("misc.food"),), None)


async def test_more_than_was_asked_for(desk: Desk):
    """MS-OXNSPI_R1149, R1635, R1756, R1636: TableTooBig, and no other output."""
    answer = await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=8, columns=(NAME,)))
    assert answer == m.Matched(Code.TABLE_TOO_BIG)
    assert (await desk.ask(m.GetMatches(state=STAT, filter=Exist(NAME), most=9))).error == 0


async def test_restrictions_that_cannot_be_answered(desk: Desk):
    """MS-OXNSPI_R1125, R1122, R1105."""
    deep = restrict.SubObject(restrict.RECIPIENTS, Exist(NAME))
    inside = Or((Property(Relation.EQUAL, ANR, (ANR, "s")), Exist(0x1234001F)))
    for wanted, code in (
        (deep, Code.TOO_COMPLEX),
        (Property(Relation.MEMBER_OF_DL, NAME, (NAME, "x")), Code.TOO_COMPLEX),
        (Property(Relation.EQUAL, NAME, (TYPE, 1)), Code.INVALID_PARAMETER),
        (Property(Relation.EQUAL, NAME, (NAME, None)), Code.INVALID_PARAMETER),
        (Property(Relation.EQUAL, ANR, (ANR & ~0xFFFF | 3, 1)), Code.INVALID_PARAMETER),
    ):
        assert (await desk.ask(m.GetMatches(state=STAT, filter=wanted, most=9))).error == code
    assert (await desk.ask(m.GetMatches(state=STAT, filter=inside, most=9))).error == Code.TOO_COMPLEX
    nowhere = replace(STAT, container=0x99)
    assert (
        await desk.ask(m.GetMatches(state=nowhere, filter=Exist(1), most=9))
    ).error == Code.INVALID_BOOKMARK
    odd = replace(STAT, sort=consts.BY_NAME_WRITABLE)
    assert (await desk.ask(m.GetMatches(state=odd, filter=Exist(1), most=9))).error == Code.GENERAL_FAILURE


async def pointed(desk: Desk, name: str, tag: int, *, named: bool = False, sort: int = 0) -> m.Matched:
    state = replace(STAT, current=await desk.mid(name), container=0 if named else tag, sort=sort, delta=9)
    prop = (uuid.UUID(int=1), tag >> 16) if named else None
    return await desk.ask(m.GetMatches(state=state, property=prop, most=50, columns=(NAME,)))


async def test_what_entries_point_to(desk: Desk):
    """MS-OXNSPI_R1131 to R1136, R1142 to R1145: located entries, sorted by name; others are left out."""
    for name, tag, wanted in (
        ("Staff", MEMBER, ["Bob Baker"]),  # and somebody far away, who is no entry
        ("Staff", OWNER, ["Alice Adams"]),
        ("$sales", MEMBER, ["Bob Baker"]),
        ("info@example.org", MEMBER, ["Alice Adams", "Zoë Novák"]),
        ("Bob Baker", MEMBER_OF, ["$sales", "Staff"]),
        ("Bob Baker", DELEGATES, []),
    ):
        for named in (False, True):
            answer = await pointed(desk, name, tag, named=named)
            assert answer.error == 0
            assert [row[0] for row in answer.table.rows] == wanted, (name, hex(tag))
            assert answer.state.container == answer.state.current  # R1146


async def test_what_points_to_nothing(desk: Desk):
    """MS-OXNSPI_R1138, R1139, R1140."""
    assert (await pointed(desk, "Staff", NAME)).error == Code.NOT_SUPPORTED
    assert (await pointed(desk, "Staff", OWNER, sort=consts.BY_NAME_WRITABLE)).error == Code.NOT_SUPPORTED
    assert (await pointed(desk, "Staff", MEMBER, sort=consts.BY_NAME_WRITABLE)).error == 0
    lost = replace(STAT, current=0x7FFFFFF0, container=MEMBER)
    assert (await desk.ask(m.GetMatches(state=lost, most=50))).error == Code.GENERAL_FAILURE
