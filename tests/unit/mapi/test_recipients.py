"""Recipient rows and entry ids, byte by byte as MS-OXCDATA and MS-OXNSPI draw them."""

from __future__ import annotations

import uuid

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import entrylists, ids, recipients, types
from quintet.mapi.buffer import Reader, Writer

TYPE, NAME = types.tag_of(0x0FFE, types.INTEGER32), recipients.DISPLAY_NAME


def written(row: recipients.Row, columns: list[int]) -> bytes:
    writer = Writer()
    recipients.put(writer, row, columns)
    return writer.done()


def test_smtp_recipient() -> None:
    """MS-OXCDATA 2.8.3.1: SMTP 3, E 8, D 0x10, S 0x40, U 0x200; R161, R165, R176, R177."""
    row = recipients.Row(recipients.Address.SMTP, name="Zoë", email="z@x", transmittable="Zoë", values=(6,))
    raw = written(row, [TYPE, NAME])
    assert raw.hex() == (
        "5b02" + "7a00400078000000" + "5a006f00eb000000" + "0100" + "00" + "06000000"
    )  # the first of two columns
    assert recipients.get(Reader(raw), [TYPE, NAME]) == row


def test_directory_recipient() -> None:
    """MS-OXCDATA_R131, R134: the prefix and the display type stand before the name."""
    row = recipients.Row(recipients.Address.X500, x500="/o=x/cn=a", display_type=1, unicode=False)
    assert written(row, []).hex() == "0100" + "00" + "01" + b"/o=x/cn=a\0".hex() + "0000" + "00"


def test_personal_list_tells_its_entry_id_and_search_key() -> None:
    """MS-OXCDATA_R140, R148."""
    row = recipients.Row(recipients.Address.PERSONAL_LIST_1, entry_id=b"ab", search_key=b"c", unicode=False)
    assert written(row, []).hex() == "0600" + "02006162" + "010063" + "0000" + "00"


def test_other_address_type_is_never_unicode() -> None:
    """MS-OXCDATA_R158."""
    row = recipients.Row(other_kind="NOTES", email="z")
    assert written(row, []).hex() == "0882" + b"NOTES\0".hex() + "7a000000" + "0000" + "00"


def test_text_of_a_code_page() -> None:
    row = recipients.Row(recipients.Address.SMTP, name="Žofie", unicode=False)
    writer = Writer()
    recipients.put(writer, row, [], "cp1250")
    assert b"\x8eofie\0" in writer.done()
    assert recipients.get(Reader(writer.done()), [], "cp1250") == row
    assert b"?ofie\0" in written(row, [])


def test_row_with_more_columns_than_named_is_refused() -> None:
    raw = written(recipients.Row(values=(6,)), [TYPE])
    with pytest.raises(BadSyntax):
        recipients.get(Reader(raw), [])


def test_bag_of_a_recipient() -> None:
    row = recipients.Row(recipients.Address.SMTP, name="Zoe", email="z@x", no_rich=True, values=(6, None))
    bag = recipients.to_bag(row, [TYPE, NAME])
    assert bag == {
        recipients.ADDRESS_TYPE: "SMTP",
        recipients.EMAIL_ADDRESS: "z@x",
        recipients.SMTP_ADDRESS: "z@x",
        recipients.DISPLAY_NAME: "Zoe",
        recipients.RICH_INFO: False,
        recipients.RESPONSIBILITY: True,
        TYPE: 6,
    }
    assert recipients.of_bag(bag, [TYPE]) == recipients.Row(
        recipients.Address.SMTP, name="Zoe", email="z@x", no_rich=True, values=(6,)
    )


def test_directory_recipient_of_a_bag() -> None:
    bag = {recipients.ADDRESS_TYPE: "EX", recipients.EMAIL_ADDRESS: "/o=x/cn=a", recipients.DISPLAY_TYPE: 1}
    row = recipients.of_bag(bag, [])
    assert (row.kind, row.x500, row.display_type, row.email) == (1, "/o=x/cn=a", 1, None)
    assert recipients.of_bag({}, [NAME]).values == (None,)


# --- entry ids ------------------------------------------------------------------------------------------

SERVER, REPLICA = uuid.UUID(int=5), uuid.UUID(int=6)
LETTER = ids.MessageEntry(
    SERVER, ids.PRIVATE_MESSAGE, ids.LongId(REPLICA, 7), ids.LongId(REPLICA, 8)
)  # fmt: skip


def test_ephemeral_entry_id() -> None:
    """MS-OXNSPI_R362 to R381: 0x87, three zeros, the server, 1, display type, minimal id."""
    raw = ids.write(ids.EphemeralEntry(SERVER, 6, 0x10))
    assert raw.hex() == "87000000" + SERVER.bytes_le.hex() + "01000000" + "06000000" + "10000000"
    assert ids.read(raw) == ids.EphemeralEntry(SERVER, 6, 0x10)
    with pytest.raises(BadSyntax):
        ids.read(raw[:20] + b"\2" + raw[21:])


def test_personal_distribution_list() -> None:
    """MS-OXCDATA 2.2.5.4: type 5, index 0xFF."""
    raw = ids.write(ids.PersonalListEntry(LETTER))
    assert raw[20:36].hex() == "03000000" + "05000000" + "ff000000" + "46000000"
    assert ids.read(raw) == ids.PersonalListEntry(LETTER)


def test_wrapped_member() -> None:
    """MS-OXOCNTC 2.2.2.2.4.1.1: the provider's bytes, a type, an entry id."""
    member = ids.WrappedEntry(0xB5, ids.AddressBookEntry(0, "/o=x/cn=a"))
    raw = ids.write(member)
    assert raw[4:21].hex() == "c091add3519dcf11a4a900aa0047faa4" + "b5"
    assert ids.read(raw) == member


def test_entry_ids_do_not_nest() -> None:
    wrapped = ids.write(ids.WrappedEntry(0, ids.OneOffEntry(0, "", "", "")))
    for _ in range(100):
        wrapped = wrapped[:21] + wrapped
    with pytest.raises(BadSyntax):
        ids.read(wrapped)


def test_store_with_what_newer_clients_append_is_kept() -> None:
    entry = ids.StoreEntry("quintet", "/o=x/cn=a", b"\xd8\x35\x21\xf3" + bytes(8))
    assert ids.read(ids.write(entry)) == entry


def test_newsgroup() -> None:
    """MS-OXCDATA 2.2.4: the store's provider, type 0x000C, a name."""
    raw = ids.write(ids.NewsgroupEntry("comp.lang.c"))
    assert raw[4:].hex() == "38a1bb1005e5101aa1bb08002b2a56c2" + "0c00" + b"comp.lang.c\0".hex()
    assert ids.read(raw) == ids.NewsgroupEntry("comp.lang.c")
    assert ids.PUBLIC_FOLDERS.bytes_le.hex() == "1a447390aa6611cd9bc800aa002fc45a"


def test_server_id() -> None:
    """MS-OXCDATA 2.11.1.4: 21 bytes, the first 1."""
    one = ids.ServerId(ids.ShortId(1, 2), ids.ShortId(1, 3), 4)
    assert one.write().hex() == "01" + "0100000000000002" + "0100000000000003" + "04000000"
    with pytest.raises(BadSyntax):
        ids.ServerId.read(b"\0" + one.write()[1:])


def test_flat_list_pads_each_entry() -> None:
    """MS-OXCDATA 2.3.3; the last may go without."""
    raw = entrylists.write_flat_list([b"abc", b"d"])
    assert raw.hex() == "02000000" + "10000000" + "03000000" + "61626300" + "01000000" + "64000000"
    short = raw[:4] + b"\x0d" + raw[5:-3]
    assert entrylists.read_flat_list(short) == [b"abc", b"d"]


def test_list_that_says_too_much_is_refused() -> None:
    with pytest.raises(BadSyntax):
        entrylists.get_list(Reader(b"\xff\xff\0\0" + bytes(600_000)))
