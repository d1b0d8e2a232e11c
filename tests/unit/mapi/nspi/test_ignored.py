"""What a server must not look at, and what it must not tell (MS-OXNSPI 3.1.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quintet.mapi.nspi import bodies, consts, names
from quintet.mapi.nspi import messages as m
from quintet.mapi.restrict import Property, Relation
from tests.unit.mapi.nspi.desk import NAME, STAT, Desk

ODD = 0x7FFFFF00
MEMBERS, TITLE = consts.of("AddressBookMember"), consts.of("Title")


async def test_what_is_ignored_changes_nothing(desk: Desk):
    """Bits and fields without meaning: R721, R1676, R772, R805, R807, R831, R862, R1925, R921, R1926, R1002,
    R1702, R1084, R1899, R1131, R1171, R1915, R1213, R1699, R1246, R1700, R1310, R1447, R1692.
    """
    alice, staff = await desk.mid("Alice Adams"), await desk.mid("Staff")
    at = replace(STAT, current=staff)
    named = Property(Relation.EQUAL, NAME, (NAME, "Bob Baker"))
    template = consts.TEMPLATE
    pairs: list[tuple[Any, dict[str, Any]]] = [
        (
            m.GetSpecialTable(flags=consts.UNICODE_STRINGS, state=STAT),
            {"flags": consts.UNICODE_STRINGS | ODD},
        ),
        (m.UpdateStat(state=replace(STAT, delta=2), delta_wanted=True), {"reserved": ODD}),
        (m.QueryColumns(), {"reserved": ODD, "flags": ODD & ~consts.UNICODE_TYPES}),
        (m.GetPropList(mid=alice), {"flags": ODD}),
        (m.GetProps(state=replace(STAT, current=alice), tags=(NAME,)), {"flags": ODD}),
        (m.QueryRows(state=STAT, count=3, columns=(NAME,)), {"flags": ODD}),
        (m.SeekEntries(state=STAT, target=(NAME, "B")), {"reserved": ODD}),
        (m.GetMatches(state=STAT, filter=named, most=9), {"options": ODD, "reserved": ODD}),
        (
            m.GetMatches(state=replace(at, container=MEMBERS), most=9, columns=(NAME,)),
            {"reserved": ODD, "state": replace(at, container=MEMBERS, delta=5)},
        ),
        (m.ResortRestriction(state=STAT, mids=(staff, alice)), {"reserved": ODD}),
        (m.CompareMinIds(state=STAT, first=alice, second=staff), {"reserved": ODD}),
        (m.DnToMinId(names=(b"/o=none",)), {"reserved": ODD}),
        (m.ModLinkAtt(tag=MEMBERS, mid=staff, entry_ids=()), {"flags": ODD & ~consts.DELETE}),
        (m.GetTemplateInfo(flags=template), {"flags": template | ODD}),
    ]
    for request, other in pairs:
        expected = await desk.ask(request)
        found = await desk.ask(replace(request, **other))
        if isinstance(request, m.GetMatches) and "state" in other:
            found = replace(found, state=replace(found.state, delta=0))
        assert found == expected, request


async def test_an_error_comes_alone(desk: Desk):
    """R736, R814, R877, R943, R1630, R1255, R1367, R1760, R1418, R1761, R785: outputs are NULL then."""
    nowhere = replace(STAT, container=0x99)
    many = (NAME,) * 600
    for request in (
        m.GetProps(state=nowhere),
        m.QueryRows(state=nowhere, count=9),
        m.QueryRows(state=STAT, count=9, columns=many),
        m.SeekEntries(state=STAT, target=(NAME, "zz")),
        m.ResolveNames(state=nowhere, names=("bob",)),
        m.ResolveNames(state=STAT, names=("bob",), columns=many),
        m.GetMatches(state=nowhere, filter=Property(Relation.EQUAL, NAME, (NAME, "x")), most=9),
        m.ResortRestriction(state=replace(STAT, sort=0x77), mids=(1,)),
        m.UpdateStat(state=nowhere, delta_wanted=True),
        m.GetTemplateInfo(flags=consts.TEMPLATE, display_type=0x77),
        m.GetMailboxUrl(dn="/o=none"),
    ):
        answer = await desk.ask(request)
        assert answer.error not in (consts.SUCCESS, consts.ERRORS_RETURNED), request
        assert {getattr(answer, name, None) for name in OUTPUTS} == {None}, request
        assert not getattr(answer, "url", "")


async def test_rows_are_those_of_query_rows_and_move_nothing(desk: Desk):
    """R105801, R1075: with SeekEntries; R1147, R1165, R913: with GetMatches; R1377: ANR's in their order."""
    columns = (NAME, consts.of("SmtpAddress"))
    some = tuple([await desk.mid(name) for name in ("Zoë Novák", "Alice Adams", "Bob Baker")])
    for table in (None, some):
        bare = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "B"), table=table))
        found = await desk.ask(m.SeekEntries(state=STAT, target=(NAME, "B"), table=table, columns=columns))
        assert found.error == bare.error == consts.SUCCESS
        assert found.state == bare.state
        asked = m.QueryRows(
            state=found.state, table=table or (), count=len(found.table.rows), columns=columns
        )
        assert found.table == (await desk.ask(asked)).table
    named = Property(Relation.GREATER_OR_EQUAL, NAME, (NAME, "Bob"))
    bare = await desk.ask(m.GetMatches(state=STAT, filter=named, most=99))
    found = await desk.ask(m.GetMatches(state=STAT, filter=named, most=99, columns=columns))
    assert found.state == bare.state == replace(STAT, container=found.state.container)
    assert found.mids == bare.mids
    rows = await desk.ask(m.QueryRows(state=STAT, table=found.mids, count=99, columns=columns))
    assert found.table == rows.table
    told = await desk.ask(m.ResolveNames(state=STAT, names=("zoë", "nobody at all", "bob"), columns=columns))
    assert told.mids == (consts.RESOLVED, consts.UNRESOLVED, consts.RESOLVED)
    assert [row[0] for row in told.table.rows] == ["Zoë Novák", "Bob Baker"]


async def test_every_answer_begins_with_a_status_of_zero(desk: Desk):
    """MS-OXCMAPIHTTP 2.2.5: StatusCode MUST be 0 where a request succeeds (R347, R1291, R1290, R1287, R525,
    R580, R620, R665, R714, R758, R797, R844, R886, R935, R994, R1039, R1075, R1100, R1118) and where it fails
    (R2101, R2116, R2124, R2131, R2137, R2143, R2149, R2155, R2161, R2167, R2173, R2179, R2190, R2196, R2202,
    R2208, R2214, R2220): what went wrong is told by ErrorCode, which follows.
    """
    alice, staff = await desk.mid("Alice Adams"), await desk.mid("Staff")
    at, nowhere = replace(STAT, current=alice), replace(STAT, container=0x99)
    named = Property(Relation.EQUAL, NAME, (NAME, "Bob Baker"))
    for request, failing in (
        (m.CompareMinIds(state=STAT, first=alice, second=alice), {"first": 0x7F}),
        (m.DnToMinId(names=(b"/o=none",)), {}),
        (m.GetMatches(state=STAT, filter=named, most=9), {"state": nowhere}),
        (m.GetPropList(mid=alice), {"mid": 0x7F}),
        (m.GetProps(state=at, tags=(NAME,)), {"state": nowhere}),
        (m.GetSpecialTable(flags=consts.UNICODE_STRINGS, state=STAT), {}),
        (m.GetTemplateInfo(flags=consts.TEMPLATE), {"display_type": 0x77}),
        (m.ModLinkAtt(tag=MEMBERS, mid=staff, entry_ids=()), {"tag": NAME}),
        (m.ModProps(state=at, gone=(TITLE,)), {"state": replace(STAT, current=0x7F)}),
        (m.QueryRows(state=STAT, count=3, columns=(NAME,)), {"state": nowhere}),
        (m.QueryColumns(), {}),
        (m.ResolveNames(state=STAT, names=("bob",), columns=(NAME,)), {"state": nowhere}),
        (m.ResortRestriction(state=STAT, mids=(alice,)), {"state": replace(STAT, sort=0x77)}),
        (m.SeekEntries(state=STAT, target=(NAME, "B")), {"target": (NAME, "zzz")}),
        (m.UpdateStat(state=STAT), {"state": nowhere}),
        (m.GetMailboxUrl(dn=names.of_mailboxes("mail.example.org")), {"dn": "/o=none"}),
        (m.GetAddressBookUrl(), {"dn": "/o=none"}),
    ):  # fmt: skip
        kind = type(request).__name__.lower()
        for asked, fails in ((request, False), (replace(request, **failing), bool(failing))):
            raw = await desk.raw(kind, bodies.write_request(kind, asked))
            assert raw[:4] == bytes(4), asked
            assert bool(int.from_bytes(raw[4:8], "little")) == fails, asked
    assert bodies.write_response("bind", m.Bound(consts.SUCCESS, (await desk.view()).server))[:4] == bytes(4)
    assert (await desk.raw("unbind", bodies.write_request("unbind", m.Unbind())))[:4] == bytes(4)


async def test_bind_looks_at_one_flag(desk: Desk):
    """R671, R1668; R698: the GUID is that of every session, so that ids of one mean the same in others."""
    endpoint, identity = desk.endpoint, desk.session.identity
    answers = {
        (await endpoint.open(identity, bodies.write_request("bind", m.Bind(flags, STAT)))).body
        for flags in (0, ODD & ~consts.ANONYMOUS)
    }
    assert len(answers) == 1


OUTPUTS = ("state", "table", "mids", "tags", "values", "rows", "version", "delta")
