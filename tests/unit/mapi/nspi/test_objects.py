"""Objects, containers, templates, names as people type them (MS-OXNSPI 3.1.4.1.3, 5, 6, 7, 13, 16 to 18)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import ids, types
from quintet.mapi.errors import Code
from quintet.mapi.nspi import bodies, consts, names, templates
from quintet.mapi.nspi import messages as m
from tests.unit.mapi.nspi.desk import DN, NAME, SMTP, STAT, Desk

ENTRY_ID = consts.of("EntryId")
REQUIRED = (  # R1721 to R1736
    "ObjectType", "InitialDetailsPane", "AddressBookDisplayNamePrintable", "AddressBookContainerId",
    "EntryId", "InstanceKey", "SearchKey", "RecordKey", "AddressType", "EmailAddress", "DisplayType",
    "Templateid",
    "TransmittableDisplayName", "DisplayName", "MappingSignature", "AddressBookObjectDistinguishedName",
)  # fmt: skip


async def props(desk: Desk, name: str, *tags: int, **more) -> m.Props:
    state = replace(STAT, current=await desk.mid(name), **more)
    return await desk.ask(m.GetProps(0, state, tags or None))


async def test_what_every_object_has(desk: Desk):
    """MS-OXNSPI_R1721 to R1736; MS-OXNSPI_R1737, R1738: lists have contents, and flags of containers."""
    for name in ("Alice Adams", "Staff", "$sales", "info@example.org", "misc.food"):
        answer = await props(desk, name)
        found = {tag >> 16: value for tag, value in answer.values}
        assert answer.error == 0
        assert {consts.of(one) >> 16 for one in REQUIRED} <= set(found), name
        is_list = found[consts.of("ObjectType") >> 16] == consts.OBJECT_LIST
        assert (consts.of("ContainerContents") >> 16 in found) is is_list
        assert found.get(0x3600) == (consts.AB_RECIPIENTS | consts.AB_UNMODIFIABLE if is_list else None)


async def test_one_person(desk: Desk):
    answer = await props(desk, "Zoë Novák")
    found = dict(answer.values)
    dn = found[DN]
    assert found[NAME] == "Zoë Novák"
    assert found[SMTP] == "zoe@example.org"
    assert found[consts.of("Account")] == "zoe"
    assert found[consts.of("AddressBookProxyAddresses")] == [
        "SMTP:zoe@example.org",
        "smtp:z.novak@example.org",
    ]
    assert found[consts.of("AddressType")] == "EX"
    assert found[consts.of("ObjectType")] == consts.OBJECT_USER
    assert found[consts.of("DisplayTypeEx")] == 0x40000000
    assert found[consts.of("InstanceKey")] == (await desk.mid("Zoë Novák")).to_bytes(4, "little")
    assert found[consts.of("SearchKey")] == b"EX:" + dn.upper().encode() + b"\0"
    assert found[ENTRY_ID] == ids.write(ids.AddressBookEntry(consts.DT_MAILUSER, dn))  # R901
    assert found[consts.of("MappingSignature")].hex() == "dca740c8c042101ab4b908002b2fe182"  # R1664
    assert found[0x39FF001F] == "Zo? Nov?k"  # natively narrow, and asked for wide (R1601, R448)


async def test_a_group_of_rights_and_a_folder(desk: Desk):
    team = dict((await props(desk, "$sales")).values)
    assert team[consts.of("DisplayTypeEx")] == 0x40000009
    assert team[consts.of("Comment")] == "Those who sell"
    assert SMTP not in team
    group = dict((await props(desk, "misc.food")).values)
    assert (group[consts.of("DisplayType")], group[consts.of("ObjectType")]) == (consts.DT_FORUM, 3)
    assert group[SMTP] == "food@example.org"


async def test_entry_ids_for_a_session(desk: Desk):
    """MS-OXNSPI_R899: fEphID; R1594 and its like: the field of the display type is set."""
    mid = await desk.mid("Staff")
    answer = await desk.ask(m.GetProps(consts.EPHEMERAL_IDS, replace(STAT, current=mid), (ENTRY_ID,)))
    server = (await desk.view()).server
    assert answer.values == ((ENTRY_ID, names.ephemeral(server, consts.DT_DISTLIST, mid)),)


async def test_properties_that_are_not_there(desk: Desk):
    """MS-OXNSPI_R909 to R912: ErrorsReturned, the type PtypErrorCode, in order, also doubled."""
    answer = await props(desk, "Bob Baker", NAME, 0x3A17001F, NAME, 0x12345678, 0x30010003)
    missing = [
        (tag >> 16 << 16 | 0x000A, int(Code.NOT_FOUND)) for tag in (0x3A170000, 0x12340000, 0x30010000)
    ]
    assert answer.error == consts.ERRORS_RETURNED
    assert answer.values == ((NAME, "Bob Baker"), missing[0], (NAME, "Bob Baker"), *missing[1:])


async def test_an_object_that_is_not_there(desk: Desk):
    """MS-OXNSPI_R907: as if it had no properties; R84, R1985: MID_CURRENT is no object."""
    for mid in (0x7FFFFFF0, consts.CURRENT, 0):
        answer = await desk.ask(m.GetProps(0, replace(STAT, current=mid), (NAME,)))
        assert (answer.error, answer.values) == (consts.ERRORS_RETURNED, ((0x3001000A, int(Code.NOT_FOUND)),))
        listed = await desk.ask(m.GetPropList(0, mid, 1252))
        assert (listed.error, listed.tags) == (Code.INVALID_OBJECT, None)  # R840
        assert (
            await desk.ask(m.GetProps(0, replace(STAT, current=mid)))
        ).error == Code.INVALID_OBJECT  # R894


async def test_any_type(desk: Desk):
    """MS-OXNSPI_R36, R37: the server chooses a type."""
    answer = await props(desk, "Bob Baker", 0x30010000, 0x39000000)
    assert answer.values == ((NAME, "Bob Baker"), (0x39000003, 0))


@pytest.mark.parametrize(
    ("page", "raw"), [(1252, b"Zo\xeb Nov\xe1k"), (20261, b"Zo\xc8e Nov\xc2ak"), (437, b"Zo\x89 Nov\xa0k")]
)
async def test_text_in_a_code_page(desk: Desk, page, raw):
    """MS-OXNSPI_R446, R903, R1934; R440: Teletex among them."""
    answer = await props(desk, "Zoë Novák", 0x3001001E, 0x800F101E, code_page=page)
    assert dict(answer.values)[0x3001001E] == raw
    assert dict(answer.values)[0x800F101E] == [b"SMTP:zoe@example.org", b"smtp:z.novak@example.org"]
    assert answer.code_page == page


async def test_lists_of_properties(desk: Desk):
    """MS-OXNSPI_R852: texts as PtypString8; R848: no objects where they are to be skipped; R820, R822."""
    mid = await desk.mid("Staff")
    every = set((await desk.ask(m.GetPropList(0, mid, 1252))).tags)
    assert {0x3001001E, 0x360F000D, 0x8009000D} <= every
    assert not any(types.type_of(tag) == types.STRING for tag in every)
    bare = set((await desk.ask(m.GetPropList(consts.SKIP_OBJECTS | 0x80, mid, 1252))).tags)  # R1924
    assert every - bare == {0x360F000D, 0x8009000D, 0x800C000D}
    wide = (await desk.ask(m.QueryColumns(0, consts.UNICODE_TYPES))).tags
    narrow = (await desk.ask(m.QueryColumns(7, 1))).tags  # R1922, R1923
    assert 0x3001001F in wide
    assert 0x3001001E in narrow
    assert len(wide) == len(set(wide)) == len(narrow)


async def test_all_properties_of_an_object_by_itself(desk: Desk):
    """MS-OXNSPI_R1693: the list of NspiGetPropList, in the width that the code page has."""
    mid = await desk.mid("Bob Baker")
    listed = (await desk.ask(m.GetPropList(0, mid, 1252))).tags
    narrow = await props(desk, "Bob Baker", code_page=1252)
    assert tuple(tag for tag, _ in narrow.values) == listed
    wide = await props(desk, "Bob Baker")
    assert [tag >> 16 for tag, _ in wide.values] == [tag >> 16 for tag in listed]
    assert NAME in dict(wide.values)


async def test_names_to_ids(desk: Desk):
    """MS-OXNSPI_R1260, R1263: an id each, 0 for none; R386: behind the number another name may stand."""
    view = await desk.view()
    bob, sales = view.by_login("bob@example.org"), view.by_team("sales")
    assert bob is not None
    assert sales is not None
    old = names.of_object(bob.number, "robert").upper()
    dns = (bob.dn, "/o=Nowhere/cn=x", sales.dn, old, "", "/", "/guid=" + "0" * 30 + "11", "/guid=" + "F" * 32)
    answer = await desk.ask(m.DnToMinId(0, tuple(dn.encode() for dn in dns)))
    assert answer.mids == (bob.mid, 0, sales.mid, bob.mid, 0, 0, 0x11, 0)
    assert (await desk.ask(m.DnToMinId())).mids == ()


# --- containers -------------------------------------------------------------------------------------------


async def test_the_hierarchy(desk: Desk):
    """MS-OXNSPI_R1863 to R1866, R750, R760: seven properties in this order, permanent ids of containers."""
    answer = await desk.ask(m.GetSpecialTable(consts.UNICODE_STRINGS, STAT, 0))
    assert answer.error == 0
    tags = [tag for tag, _ in answer.rows[2]]
    assert tags == [0x0FFF0102, 0x36000003, 0x30050003, 0xFFFD0003, 0x3001001F, 0xFFFB000B, 0xFFFC0102]
    rows = [[value for _, value in row] for row in answer.rows]
    assert [(row[2], row[3], row[4]) for row in rows] == [
        (0, 0, "Global Address List"), (0, 0x10, "All Address Lists"), (1, 0x11, "All Users"),
        (1, 0x12, "All Groups"), (1, 0x13, "Mailing Lists"), (1, 0x14, "Public Folders"),
    ]  # fmt: skip
    assert rows[0][0] == ids.write(ids.AddressBookEntry(consts.DT_CONTAINER, "/"))
    assert names.read(rows[2][0]) == "/guid=" + f"{0x11:032X}"
    assert all(row[6] == rows[1][0] for row in rows[2:])
    assert [len(row) for row in rows] == [6, 6, 7, 7, 7, 7]


async def test_a_container_is_an_object(desk: Desk):
    """What a client asks that has found a container by its entry id."""
    [mid] = (await desk.ask(m.DnToMinId(0, (names.of_container(0x11).encode(),)))).mids
    state = replace(STAT, current=mid, code_page=1252)
    listed = (await desk.ask(m.GetPropList(0, mid, 1252))).tags
    answer = await desk.ask(m.GetProps(0, state))
    assert answer.error == 0
    assert [tag for tag, _ in answer.values] == list(listed)
    assert dict(answer.values)[0x3001001E] == b"All Users"
    assert dict(answer.values)[0x0FFE0003] == consts.OBJECT_CONTAINER
    wanted = (0x3001001F, 0x30010000, 0x30010003, 0x39FE001F, 0x36000003)
    answer = await desk.ask(m.GetProps(0, state, wanted))
    assert answer.error == consts.ERRORS_RETURNED
    missing = int(Code.NOT_FOUND)
    assert answer.values == (
        (NAME, "All Users"), (NAME, "All Users"), (0x3001000A, missing), (0x39FE000A, missing),
        (0x36000003, 9),
    )  # fmt: skip


async def test_a_hierarchy_that_a_client_has(desk: Desk):
    """MS-OXNSPI_R748: as if it had no rows; R741, R757, R758: no table of templates in any language."""
    version = (await desk.ask(m.GetSpecialTable(0, STAT, 77))).version
    assert (await desk.ask(m.GetSpecialTable(0, STAT, version))).rows == ()
    flags = consts.CREATION_TEMPLATES | consts.UNICODE_STRINGS
    answer = await desk.ask(m.GetSpecialTable(flags, replace(STAT, template_locale=0x411)))
    assert (answer.error, answer.rows) == (0, ())


async def test_a_hierarchy_in_8_bits(desk: Desk):
    """MS-OXNSPI_R762, R1740."""
    answer = await desk.ask(m.GetSpecialTable(0x80, replace(STAT, code_page=1252)))
    assert dict(answer.rows[0])[0x3001001E] == b"Global Address List"


# --- templates --------------------------------------------------------------------------------------------


def decoded(raw: bytes) -> Iterator[templates.Control]:
    """The controls of a template (MS-OXOABKT 2.2.2.1), as a client reads them."""
    version, count = struct.unpack_from("<II", raw)
    assert version == 1
    for at in range(count):
        row = struct.unpack_from("<iiiiIIIII", raw, 8 + 36 * at)
        x, width, y, height, kind, flags, tag, size, offset = row
        text = raw[offset : raw.index(b"\0", offset)].decode("ascii")
        assert len(text) < size
        yield templates.Control(x, width, y, height, kind, text, tag, flags)


async def test_templates(desk: Desk):
    """MS-OXNSPI_R1471, R1485, R1486, R302: for each display type; what it shows can be read back."""
    for display_type in (consts.DT_MAILUSER, consts.DT_DISTLIST, consts.DT_FORUM):
        answer = await desk.ask(m.GetTemplateInfo(consts.TEMPLATE, display_type, None, 1252, 0x407))
        [(tag, raw)] = answer.values
        assert (answer.error, tag, answer.code_page) == (0, 0x00010102, 1252)
        assert tuple(decoded(raw)) == templates.TEMPLATES[display_type]
    script = await desk.ask(m.GetTemplateInfo(consts.SCRIPT, 0, None, 1252))
    assert script.values == ((0x0004000A, int(Code.NOT_FOUND)),)


async def test_templates_that_are_not_there(desk: Desk):
    """MS-OXNSPI_R1467, R1469, R1476, R1462, R1980."""
    for page in (1200, 7, 0):
        answer = await desk.ask(m.GetTemplateInfo(consts.TEMPLATE, 0, None, page))
        assert (answer.error, answer.values) == (Code.INVALID_CODEPAGE, None)
    for display_type, dn in ((0x77, None), (0, b"/cn=template")):
        answer = await desk.ask(m.GetTemplateInfo(consts.TEMPLATE, display_type, dn, 1252))
        assert (answer.error, answer.values) == (Code.INVALID_LOCALE, None)


# --- names that people type -------------------------------------------------------------------------------

TYPED = {
    "alice": "Alice Adams", "ADAMS": "Alice Adams", "ali ad": "Alice Adams", "Adams, Alice": "Alice Adams",
    "zoe": "Zoë Novák", "ZOË": "Zoë Novák", "novak": "Zoë Novák", "z.nov": "Zoë Novák",
    "z.novak@example.org": "Zoë Novák", "SMTP:Zoe@Example.ORG": "Zoë Novák", "  bob  ": "Bob Baker",
    "=bob": "Bob Baker", "$sales": "$sales", "sales": "$sales", "staff": "Staff", "food": "misc.food",
    "carol": "carol@example.org", "info@": "info@example.org",
}  # fmt: skip


async def test_names_that_mean_one(desk: Desk):
    """MS-OXNSPI_R622, R1379, R1430, R616."""
    answer = await desk.ask(m.ResolveNames(0, STAT, (NAME,), tuple(TYPED)))
    assert answer.mids == (consts.RESOLVED,) * len(TYPED)
    assert [row[0] for row in answer.table.rows] == list(TYPED.values())


async def test_names_that_mean_none_or_many(desk: Desk):
    """MS-OXNSPI_R618, R620, R623, R624; rows only for what is one."""
    typed = ("", "nobody", "a", "=bo", "bob alice", "s", "bob", "nobody@example.org", "/o=x")
    answer = await desk.ask(m.ResolveNames(0, STAT, (NAME,), typed))
    none, many, one = consts.UNRESOLVED, consts.AMBIGUOUS, consts.RESOLVED
    assert answer.mids == (none, none, one, none, none, many, one, none, none)
    assert [row[0] for row in answer.table.rows] == ["Alice Adams", "Bob Baker"]


async def test_a_dn_as_a_name(desk: Desk):
    bob = (await desk.view()).by_login("bob@example.org")
    assert bob is not None
    answer = await desk.ask(m.ResolveNames(0, STAT, (NAME,), (bob.dn, "EX:" + bob.dn.upper())))
    assert answer.mids == (consts.RESOLVED,) * 2


async def test_columns_of_names_that_nobody_asked_for(desk: Desk):
    """MS-OXNSPI_R1627, as NspiQueryRows; without a state the global list is meant."""
    answer = await desk.ask(m.ResolveNames(0, None, None, ("bob",)))
    assert answer.table.columns[3] == NAME
    assert answer.table.rows[0][3] == "Bob Baker"


# --- the session and what is asked wrongly ----------------------------------------------------------------


async def test_binding(desk: Desk):
    """MS-OXNSPI_R696, R697, R700; MS-OXCMAPIHTTP_R1219: a code page nobody knows makes no session."""
    bound = await desk.endpoint.open(
        desk.session.identity, bodies.write_request("bind", m.Bind(0xFFFF, STAT))
    )
    answer = bodies.read_response("bind", bound.body)
    assert (answer.error, answer.server) == (0, (await desk.view()).server)
    refused = bodies.write_request("bind", m.Bind(0, replace(STAT, code_page=31337)))
    opened = await desk.endpoint.open(desk.session.identity, refused)
    assert opened.state is None
    assert bodies.read_response("bind", opened.body).error == Code.INVALID_CODEPAGE
    assert (await desk.endpoint.open(desk.session.identity, bodies.write_request("bind", m.Bind()))).state


async def test_unbinding(desk: Desk):
    """MS-OXNSPI_R712, R1673: UnbindSuccess, whatever stands in the reserved field."""
    assert (await desk.ask(m.Unbind(77))).error == consts.UNBIND_SUCCESS


async def test_requests_without_a_state(desk: Desk):
    for request in (m.QueryRows(count=1), m.UpdateStat(), m.GetProps(), m.SeekEntries(), m.ModProps(gone=())):
        assert (await desk.ask(request)).error == Code.INVALID_PARAMETER


async def test_bodies_that_are_none(desk: Desk):
    """MS-OXCMAPIHTTP 2.2.3.3.3, code 12."""
    for kind in (*desk.endpoint.kinds, "unbind"):
        with pytest.raises(BadSyntax):
            await desk.raw(kind, b"\1\2")
    with pytest.raises(BadSyntax):
        await desk.endpoint.open(desk.session.identity, b"")


async def test_addresses_of_endpoints(desk: Desk):
    """MS-OXCMAPIHTTP_R1102, R1120."""
    book = await desk.ask(m.GetAddressBookUrl())
    assert book.url.startswith("https://mail.example.org/mapi/nspi/?MailboxId=")
    assert book.url.endswith("@example.org")
    mailbox = await desk.ask(m.GetMailboxUrl(0, names.of_mailboxes("Mail.example.org")))
    assert mailbox.url == book.url.replace("nspi", "emsmdb")
    bob = (await desk.view()).by_login("bob@example.org")
    assert bob is not None
    assert (await desk.ask(m.GetAddressBookUrl(0, bob.dn))).url != book.url
    assert (await desk.ask(m.GetMailboxUrl(0, "/o=x/cn=y"))).error == Code.NOT_FOUND
    assert (await desk.ask(m.GetAddressBookUrl(0, "/o=x/cn=y"))).error == Code.NOT_FOUND
