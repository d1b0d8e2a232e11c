"""Who may change what: NspiModProps and NspiModLinkAtt (MS-OXNSPI 3.1.4.1.14, 3.1.4.1.15)."""

from __future__ import annotations

from dataclasses import replace

from quintet.config.address_book import AddressBook
from quintet.mapi.errors import Code
from quintet.mapi.nspi import consts, names, properties
from quintet.mapi.nspi import messages as m
from quintet.store import lists
from tests.unit.mapi.nspi.desk import NAME, STAT, Desk

TITLE, PHONE, PRIMARY = map(consts.of, ("Title", "BusinessTelephoneNumber", "PrimaryTelephoneNumber"))
CERTIFICATE = consts.of("UserX509Certificate")
MEMBER, DELEGATES = 0x8009000D, 0x8015000D


async def change(desk: Desk, name: str, gone: m.Tags | None, *values: m.Tagged, page: int = 1200) -> int:
    state = replace(STAT, current=await desk.mid(name), code_page=page)
    answer = await desk.ask(m.ModProps(77, state, gone, values or None))  # R1289: the field is ignored
    return int(answer.error)


async def card(desk: Desk, name: str, *tags: int) -> list[object]:
    answer = await desk.ask(m.GetProps(0, replace(STAT, current=await desk.mid(name)), tags))
    return [value for _, value in answer.values]


async def test_ones_own_card(desk: Desk):
    """MS-OXNSPI_R1297, R1299, R1301, R1305; others see it, also by what they type."""
    assert (
        await change(desk, "Alice Adams", (), (TITLE, "Queen"), (PHONE, "+1 2"), (CERTIFICATE, [b"cert"]))
        == 0
    )
    bob = await desk.become("bob@example.org")
    assert await card(bob, "Alice Adams", TITLE, PHONE, PRIMARY, CERTIFICATE) == [
        "Queen",
        "+1 2",
        "+1 2",
        [b"cert"],
    ]
    assert await change(desk, "Alice Adams", (TITLE,), (PHONE, "+3"), (PRIMARY, "+4")) == 0
    missing = int(Code.NOT_FOUND)
    assert await card(bob, "Alice Adams", TITLE, PHONE, PRIMARY, CERTIFICATE) == [
        missing,
        "+3",
        "+4",
        [b"cert"],
    ]
    nick = consts.of("Nickname")
    assert await change(desk, "Alice Adams", (), (nick, "Wonder")) == 0
    assert (await bob.ask(m.ResolveNames(0, STAT, (NAME,), ("wond",)))).mids == (consts.RESOLVED,)


async def test_certificates_in_rows(desk: Desk):
    """MS-OXNSPI_R1694: a row says what NspiGetProps says, also what is kept elsewhere."""
    assert await change(desk, "Alice Adams", (), (CERTIFICATE, [b"cert"])) == 0
    answer = await desk.ask(m.QueryRows(state=replace(STAT, delta=1), count=1, columns=(NAME, CERTIFICATE)))
    assert answer.table.rows == (["Alice Adams", [b"cert"]],)
    listed = await desk.ask(m.GetPropList(0, await desk.mid("Alice Adams"), 1252))
    assert CERTIFICATE in listed.tags


async def test_text_in_a_code_page(desk: Desk):
    """MS-OXNSPI_R464, R468."""
    assert await change(desk, "Alice Adams", (), (TITLE - 1, b"K\xf6nigin"), page=1252) == 0
    assert await card(desk, "Alice Adams", TITLE) == ["Königin"]


async def test_cards_that_may_not_be_changed(desk: Desk):
    """MS-OXNSPI_R1291, R1293, R1295, R1303, R1284: and nothing is changed then."""
    assert await change(desk, "Alice Adams", None, (TITLE, "x")) == Code.INVALID_PARAMETER
    state = replace(STAT, current=0x7FFFFFF0)
    assert (await desk.ask(m.ModProps(0, state, (), ()))).error == Code.INVALID_PARAMETER
    for name in ("Staff", "$sales", "misc.food", "info@example.org"):
        assert await change(desk, name, (), (TITLE, "x")) == Code.INVALID_OBJECT
    assert await change(desk, "Bob Baker", (), (TITLE, "x")) == Code.ACCESS_DENIED
    assert await change(desk, "Alice Adams", (), (TITLE, "x"), (NAME, "Bob")) == Code.ACCESS_DENIED
    assert await change(desk, "Alice Adams", (NAME,)) == Code.ACCESS_DENIED
    for value in ("x" * 1025, None):
        assert await change(desk, "Alice Adams", (), (TITLE, value)) == Code.INVALID_PARAMETER
    for certificates in ([None], [b"x" * 40_000]):
        assert await change(desk, "Alice Adams", (), (CERTIFICATE, certificates)) == Code.INVALID_PARAMETER
    many = [(tag, "x" * 1024) for tag in properties.CARD[:5]]  # every copy of the directory has them
    assert await change(desk, "Alice Adams", (), *many) == Code.ACCESS_DENIED
    big, other = [b"x" * 30_000], consts.of("AddressBookX509Certificate")
    assert await change(desk, "Alice Adams", (), (CERTIFICATE, big), (other, big)) == 0
    assert await change(desk, "Alice Adams", (), *[(tag, "x" * 1024) for tag in (TITLE, PHONE, PRIMARY)]) == (
        Code.ACCESS_DENIED
    )
    assert await card(desk, "Alice Adams", TITLE) == [int(Code.NOT_FOUND)]


async def test_cards_by_the_administrator_alone(desk: Desk):
    """Then people may still put their certificates there: MS-OXNSPI_R1268."""
    desk.config[0] = AddressBook(own_cards=False)
    assert await change(desk, "Alice Adams", (), (TITLE, "Queen")) == Code.ACCESS_DENIED
    assert await change(desk, "Alice Adams", (), (CERTIFICATE, [b"cert"])) == 0


async def link(desk: Desk, name: str, tag: int, *whom: str, flags: int = 0) -> int:
    view = await desk.view()
    ids = [next(one for one in view.entries if one.name == each) for each in whom]
    raw = [names.permanent(one.display_type, one.dn) for one in ids[:1]]
    raw += [names.ephemeral(view.server, 0, one.mid) for one in ids[1:]]  # R1316: either kind
    mid = await desk.mid(name) if name else 0x7FFFFFF0
    return int((await desk.ask(m.ModLinkAtt(flags, tag, mid, tuple(raw)))).error)


def members(desk: Desk) -> list[str]:
    number = desk.store.peek(lists.get, "staff@example.org").id
    return [one.address for one in desk.store.peek(lists.members, number)]


async def test_owners_change_their_lists(desk: Desk):
    """MS-OXNSPI_R1335, R1336, R1332, R1333, R1927: what is there already, or is not, is no error."""
    assert await link(desk, "Staff", MEMBER, "Zoë Novák", "Bob Baker", "Éva Elm", flags=0x10) == 0
    assert members(desk) == [
        "bob@example.org",
        "somebody@far.example",
        "zoe@example.org",
        "eve@other.example",
    ]
    assert await link(desk, "Staff", MEMBER, "Zoë Novák", "Alice Adams", flags=consts.DELETE) == 0
    assert members(desk) == ["bob@example.org", "somebody@far.example", "eve@other.example"]


async def test_others_do_not(desk: Desk):
    """MS-OXNSPI_R1326, R1328, R1647, R1338, R1321: and nothing is changed then."""
    bob = await desk.become("bob@example.org")
    before = members(desk)
    assert await link(bob, "Staff", MEMBER, "Zoë Novák") == Code.ACCESS_DENIED
    assert await link(desk, "$sales", MEMBER, "Zoë Novák") == Code.ACCESS_DENIED
    assert await link(desk, "Bob Baker", MEMBER, "Zoë Novák") == Code.ACCESS_DENIED
    assert await link(desk, "Staff", NAME, "Zoë Novák") == Code.NOT_FOUND
    assert await link(desk, "", MEMBER, "Zoë Novák") == Code.INVALID_PARAMETER
    assert await link(desk, "Staff", MEMBER, "Zoë Novák", "$sales") == Code.ACCESS_DENIED  # it takes no mail
    answer = await desk.ask(m.ModLinkAtt(0, MEMBER, await desk.mid("Staff"), (b"\x01",)))
    assert answer.error == Code.ACCESS_DENIED
    assert members(desk) == before


async def test_delegates(desk: Desk):
    """MS-OXNSPI_R2002: of one's own entry."""
    assert await link(desk, "Alice Adams", DELEGATES, "Bob Baker", "Zoë Novák", "Bob Baker") == 0
    state = replace(STAT, current=await desk.mid("Alice Adams"), container=DELEGATES)
    answer = await desk.ask(m.GetMatches(state=state, most=9, columns=(NAME,)))
    assert [row[0] for row in answer.table.rows] == ["Bob Baker", "Zoë Novák"]
    for _ in range(2):
        assert await link(desk, "Alice Adams", DELEGATES, "Bob Baker", "Zoë Novák", flags=consts.DELETE) == 0
    assert (await desk.ask(m.GetMatches(state=state, most=9))).mids == ()
    assert await link(desk, "Bob Baker", DELEGATES, "Alice Adams") == Code.ACCESS_DENIED
    assert await link(desk, "Staff", DELEGATES, "Alice Adams") == Code.ACCESS_DENIED
