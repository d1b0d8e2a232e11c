"""Structures of MAPI as the documents show them: their own examples, and what must be refused."""

from __future__ import annotations

import uuid

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import frame, ids, idset, lzxpress, restrict, rows, rtf, types
from quintet.mapi.buffer import MAX_DEPTH, Reader, Writer


def written(put, *values, wide: bool = False) -> bytes:
    writer = Writer(wide=wide)
    put(writer, *values)
    return writer.done()


# --- compression -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "packed"),
    [
        # MS-XCA 3.1, the same algorithm: nothing repeats; a pattern of three repeats
        (b"abcdefghijklmnopqrstuvwxyz", "3f000000" + bytes(range(97, 123)).hex()),
        (b"abc" * 100, "ffffff1f61626317000fff2601"),
    ],
)
def test_lzxpress_of_the_documents(plain: bytes, packed: str) -> None:
    assert lzxpress.compress(plain).hex() == packed
    assert lzxpress.decompress(bytes.fromhex(packed), len(plain)) == plain


def test_lengths_of_matches_are_told_as_the_table_says() -> None:
    """MS-OXCRPC_R937 to R942: 24, 25, 26, 279, 280 bytes."""
    for length, tail in ((24, "0e"), (25, "0f00"), (26, "0f01"), (279, "0ffe"), (280, "0fff1501")):
        packed = lzxpress.compress(b"x" * (length + 1))
        assert packed[4:].hex() == "78" + "0700" + tail
        assert lzxpress.decompress(packed, length + 1) == b"x" * (length + 1)


def test_second_long_length_uses_the_first_ones_nibble() -> None:
    """MS-OXCRPC_R919."""
    plain = b"a" * 15 + b"b" * 15
    packed = lzxpress.compress(plain)
    assert packed[4:].hex() == "61" + "0700" + "44" + "62" + "0700"
    assert lzxpress.decompress(packed, 30) == plain


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "000000",
        "00000000",
        "00000080",
        "000000800000",
        "000000400100",
        "0000008007000f",
        "0000004061070f",
    ],
)
def test_lzxpress_that_leads_nowhere_is_refused(packed: str) -> None:
    with pytest.raises(BadSyntax):
        lzxpress.decompress(bytes.fromhex(packed), 300)


HELLO = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_compressed_rtf_of_the_documents() -> None:
    """MS-OXRTFCP 4.1 and 4.2."""
    packed = (
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert rtf.decompress(bytes.fromhex(packed)) == HELLO
    assert rtf.decompress(rtf.compress(HELLO)) == HELLO
    crossing = b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    packed = "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0"
    assert rtf.compress(crossing).hex() == packed
    assert rtf.decompress(bytes.fromhex(packed)) == crossing


def test_uncompressed_and_damaged_rtf() -> None:
    plain = (
        (len(HELLO) + 12).to_bytes(4, "little")
        + len(HELLO).to_bytes(4, "little")
        + b"MELA"
        + bytes(4)
        + HELLO
    )
    assert rtf.decompress(plain) == HELLO
    packed = bytearray(rtf.compress(HELLO))
    packed[20] ^= 1
    with pytest.raises(BadSyntax, match="damaged"):
        rtf.decompress(bytes(packed))
    with pytest.raises(BadSyntax):
        rtf.decompress(b"\xff" * 16)


# --- frames -----------------------------------------------------------------------------------------------


def test_frames_are_compressed_and_obfuscated_in_that_order() -> None:
    """MS-OXCRPC_R4845, R956; short ones are sent as they are."""
    long = b"{property}" * 5000
    raw = frame.wrap([long, b"short"], obfuscate=True)
    assert frame.unwrap(raw) == [long, b"short"]
    assert raw[:4] == bytes.fromhex("00000300")
    assert len(raw) < 200
    assert raw.endswith(bytes(octet ^ 0xA5 for octet in b"short"))
    assert raw[-13:-5] == bytes.fromhex("0000060005000500")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0100040000000000",  # R33: version 0 only
        "0000040001000200aa",  # R38: two sizes, not compressed
        "0000050002000200aabb",  # R4794: compressed, and no shorter
        "0000000000000000",  # no last frame
        "000004000000000000",  # something behind it
        "0000040005000500aa",
    ],
)
def test_malformed_frames_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        frame.unwrap(bytes.fromhex(raw))


# --- sets -------------------------------------------------------------------------------------------------


def test_bitmask_of_the_documents() -> None:
    """MS-OXCFXICS_R3379: {1-3, 5, 7-9} is 0x01 and 0xEB."""
    found = [(1, 3), (5, 5), (7, 9)]
    raw = written(idset.put_globset, found)
    assert raw.hex() == "050000000000" + "4201eb" + "50" + "00"
    assert idset.get_globset(Reader(raw)) == found


def test_single_counter_needs_no_pop() -> None:
    """MS-OXCFXICS_R1957, R1960."""
    assert written(idset.put_globset, [(7, 7)]).hex() == "06000000000007" + "00"


def test_wide_range_shares_what_it_can() -> None:
    """MS-OXCFXICS_R1982, R1983."""
    assert (
        written(idset.put_globset, [(1, 0x1FFFF)]).hex() == "03000000" + "52000001" + "01ffff" + "50" + "00"
    )


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "0100",  # R1992: the stack is not empty
        "50",  # R1966: nothing to pop
        "42010000",  # R2003: no five bytes in common
        "05000000000042f8ff5000",  # a bitmask beyond 255
        "52000000000002000000000001",  # R3393: upside down
        "07",
        "05000000000002",
        "0500000000000201025000",  # seven bytes
    ],
)
def test_malformed_sets_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        idset.get_globset(Reader(bytes.fromhex(raw)))


def test_sets_go_by_replica_in_order() -> None:
    """MS-OXCFXICS_R181, R186."""
    assert (
        idset.write_short({2: [(1, 1)], 1: [(2, 2)]}).hex()
        == "0100" + "0600000000000200" + "0200" + "0600000000000100"
    )
    one, two = uuid.UUID(int=1), uuid.UUID(int=256)
    raw = idset.write_long({one: [(1, 9)], two: [(2, 2)]})
    assert raw.startswith(min(two.bytes_le, one.bytes_le))
    assert idset.read_long(raw) == {one: [(1, 9)], two: [(2, 2)]}


# --- ids --------------------------------------------------------------------------------------------------


def test_counters_are_big_endian() -> None:
    """MS-OXCDATA_R2175 to R2177: eight bytes, two of a replica."""
    raw = written(ids.put_short, ids.ShortId(1, 0x010203040506))
    assert raw.hex() == "0100010203040506"
    assert ids.get_short(Reader(raw)) == ids.ShortId(1, 0x010203040506)
    with pytest.raises(BadSyntax):
        written(ids.put_short, ids.ShortId(1, 1 << 48))


STORE, REPLICA = uuid.UUID(int=5), uuid.UUID(int=6)
FOLDER = ids.LongId(REPLICA, 7)
LETTER = ids.MessageEntry(STORE, ids.PRIVATE_MESSAGE, FOLDER, ids.LongId(REPLICA, 8))


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        (ids.FolderEntry(STORE, ids.PRIVATE_FOLDER, FOLDER), 46),
        (LETTER, 70),
        (ids.StoreEntry("quintet", "/o=x/cn=alice"), 4 + 16 + 16 + 4 + 16 + 4 + 8 + 14),
        (ids.StoreEntry("quintet", ""), 4 + 16 + 16 + 4 + 16 + 4 + 8),
        (ids.OneOffEntry(0x9000, "Zoë", "SMTP", "zoe@example.org"), 24 + 8 + 10 + 32),
        (ids.OneOffEntry(0, "Zoe", "SMTP", "zoe@example.org"), 24 + 4 + 5 + 16),
        (ids.AddressBookEntry(0, "/o=x/cn=alice"), 28 + 14),
        (ids.ContactEntry(1, LETTER), 36 + 70),
    ],
)
def test_entry_ids_have_their_documented_sizes(entry: ids.EntryId, size: int) -> None:
    raw = ids.write(entry)
    assert len(raw) == size
    assert ids.read(raw) == entry


def test_provider_of_a_one_off_entry() -> None:
    assert ids.write(ids.OneOffEntry(0, "", "", ""))[4:20].hex() == "812b1fa4bea310199d6e00dd010f5402"
    assert ids.write(ids.AddressBookEntry(0, ""))[4:20].hex() == "dca740c8c042101ab4b908002b2fe182"
    assert ids.write(ids.StoreEntry("", ""))[4:20].hex() == "38a1bb1005e5101aa1bb08002b2a56c2"


@pytest.mark.parametrize("cut", [0, 3, 19, 21, 40, 69])
def test_entry_id_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(BadSyntax):
        ids.read(ids.write(LETTER)[:cut])


# --- values, rows, restrictions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [
        (types.INTEGER16, -2, "feff"),
        (types.INTEGER32, 1, "01000000"),
        (types.BOOLEAN, True, "01"),
        (types.ERROR_CODE, 0x8004010F, "0f010480"),
        (types.STRING, "Zoë", "5a006f00eb000000"),
        (types.STRING8, b"Zoe", "5a6f6500"),
        (types.BINARY, b"ab", "02006162"),
        (types.TIME, 0x0102, "0201000000000000"),
        (types.GUID, uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), "33221100554477668899aabbccddeeff"),
        (types.MULTIPLE | types.INTEGER16, [1, 2], "0200000001000200"),
        (types.MULTIPLE | types.BINARY, [b"a", b""], "02000000" + "010061" + "0000"),
        (types.UNSPECIFIED, (types.INTEGER16, 3), "02000300"),
        (types.SERVER_ID, b"\1", "010001"),
    ],
)
def test_values(kind: int, value: object, raw: str) -> None:
    assert written(types.put, kind, value).hex() == raw
    assert types.get(Reader(bytes.fromhex(raw)), kind) == value


def test_counts_are_wide_in_the_address_book() -> None:
    assert written(types.put, types.BINARY, b"ab", wide=True).hex() == "020000006162"
    assert written(restrict.put, restrict.And(()), wide=True).hex() == "0000000000"
    assert written(restrict.put, restrict.And(())).hex() == "000000"


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (types.BOOLEAN, "02"),
        (types.STRING, "610062"),
        (types.STRING, "6100620000"),
        (types.BINARY, "ffff00"),
        (types.MULTIPLE | types.INTEGER32, "ffffffff01000000"),  # four billion, it says
        (types.UNSPECIFIED, "0000"),
        (0x0077, "00"),
        (types.MULTIPLE | types.BOOLEAN, "00000000"),
    ],
)
def test_malformed_values_are_refused(kind: int, raw: str) -> None:
    with pytest.raises(BadSyntax):
        types.get(Reader(bytes.fromhex(raw)), kind)


SUBJECT, SIZE = types.tag_of(0x0037, types.STRING), types.tag_of(0x0E08, types.INTEGER32)


def test_row_with_everything_is_short() -> None:
    """MS-OXCDATA_R73."""
    assert written(rows.put_row, [SIZE], [5]).hex() == "00" + "05000000"


def test_row_with_an_error_is_flagged() -> None:
    """MS-OXCDATA_R77, R475."""
    values = ["x", types.Error(0x8004010F), None]
    raw = written(rows.put_row, [SUBJECT, SIZE, SIZE], values)
    assert raw.hex() == "01" + "0078000000" + "0a0f010480" + "01"
    assert rows.get_row(Reader(raw), [SUBJECT, SIZE, SIZE]) == values


@pytest.mark.parametrize(
    "raw", ["0100020000003700" + "1f00" + "00", "0100000000000400370005", "11000000000000"]
)
def test_malformed_sort_orders_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        rows.get_sort_order(Reader(bytes.fromhex(raw)))


def test_restrictions_nested_too_deeply_are_refused() -> None:
    deep = bytes([2]) * MAX_DEPTH + bytes([8]) + bytes(4)
    with pytest.raises(BadSyntax, match="deeply"):
        restrict.get(Reader(deep))
    assert restrict.get(Reader(deep[1:]))


def test_names() -> None:
    """MS-OXCDATA_R17 to R30."""
    guid = uuid.UUID(int=9)
    raw = written(types.put_name, types.Named(guid, "Keywords"))
    assert raw[17] == 18
    assert types.get_name(Reader(raw)) == types.Named(guid, "Keywords")
    assert types.get_name(Reader(written(types.put_name, None))) is None
    with pytest.raises(BadSyntax):
        types.get_name(Reader(bytes([2]) + bytes(20)))


def test_times() -> None:
    assert types.of_ms(0) == 116_444_736_000_000_000
    assert types.to_ms(types.of_ms(1_763_715_600_123)) == 1_763_715_600_123
    assert types.of_ms(-(10**15)) == 0
