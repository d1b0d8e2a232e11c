"""Rules: the bytes of every kind of action, standard and extended (MS-OXORULE 2.2.4, 2.2.5)."""

from __future__ import annotations

import uuid

import pytest

from quintet.errors import BadSyntax
from quintet.mapi import restrict, rules, types
from quintet.mapi.buffer import MAX_DEPTH, Reader, Writer
from quintet.mapi.ids import ServerId, ShortId
from quintet.mapi.rules import Action, Bounce, Op, Target, Template, TemplateEntry
from quintet.mapi.types import Named

GUID = uuid.UUID(int=5)
INBOX = ServerId(ShortId(1, 2), ShortId(0, 0)).write()
NAME = 0x3001001F


def written(actions: list[Action], wide: bool = False) -> bytes:
    writer = Writer(wide=wide)
    rules.put(writer, actions)
    return writer.done()


def block(op: int, data: str, flavor: int = 0, wide: bool = False) -> str:
    raw = bytes((op,)) + flavor.to_bytes(4, "little") + bytes(4) + bytes.fromhex(data)
    return len(raw).to_bytes(4 if wide else 2, "little").hex() + raw.hex()


RECIPIENT = ((NAME, "Zoe"),)
NAMED_ZOE = "01" + "01000000" + "1f000130" + "5a006f0065000000"
STANDARD = [
    # R294 to R301, R736: in this store, the store, the folder as a ServerEid
    (Action(Op.MOVE, Target(INBOX)), block(1, "01" + "010000" + "1500" + INBOX.hex())),
    (Action(Op.COPY, Target(b"far", b"store", here=False)), block(2, "00" + "050073746f7265" + "0300666172")),
    # R305 to R308
    (
        Action(Op.REPLY, Template(ShortId(1, 2), ShortId(1, 3), GUID), rules.Flavor.STOCK_TEXT),
        block(3, "0100000000000002" + "0100000000000003" + GUID.bytes_le.hex(), 2),
    ),
    (
        Action(Op.OOF_REPLY, Template(ShortId(1, 2), ShortId(1, 3), GUID)),
        block(4, "0100000000000002" + "0100000000000003" + GUID.bytes_le.hex()),
    ),
    (Action(Op.DEFER, b"play a sound"), block(5, b"play a sound".hex())),  # R320
    (Action(Op.BOUNCE, Bounce.DENIED), block(6, "26000000")),  # R343
    # R323, R328 to R331
    (Action(Op.FORWARD, (RECIPIENT,), rules.Flavor.UNCHANGED), block(7, "01000000" + NAMED_ZOE, 2)),
    (Action(Op.DELEGATE, (RECIPIENT, RECIPIENT)), block(8, "02000000" + NAMED_ZOE * 2)),
    (Action(Op.TAG, (0x00170003, 2)), block(9, "03001700" + "02000000")),  # R739
    (Action(Op.DELETE), block(10, "")),  # R346
    (Action(Op.MARK_AS_READ), block(11, "")),
]


@pytest.mark.parametrize(("action", "raw"), STANDARD)
def test_standard_actions(action: Action, raw: str) -> None:
    assert written([action]).hex() == "0100" + raw
    assert rules.get(Reader(bytes.fromhex("0100" + raw))) == (action,)


@pytest.mark.parametrize(
    ("action", "raw"),
    [
        # R966 to R977, R995 to R1000: sizes of 32 bits, entry ids
        (Action(Op.MOVE, Target(b"eid")), block(1, "0100000000" + "03000000656964", wide=True)),
        (
            Action(Op.REPLY, TemplateEntry(b"eid", GUID)),
            block(3, "03000000656964" + GUID.bytes_le.hex(), wide=True),
        ),
        (Action(Op.TAG, (0x67000102, b"ab")), block(9, "02010067" + "020000006162", wide=True)),
    ],
)
def test_extended_actions(action: Action, raw: str) -> None:
    assert written([action], wide=True).hex() == "01000000" + raw
    assert rules.get(Reader(bytes.fromhex("01000000" + raw), wide=True)) == (action,)


def test_folder_of_a_target() -> None:
    """R979 to R987."""
    assert rules.folder_of(Target(INBOX)) == ShortId(1, 2)
    assert rules.folder_of(Target(b"far", here=False)) is None
    with pytest.raises(BadSyntax):
        rules.folder_of(Target(b"\0" + INBOX[1:]))


def test_rule_is_a_value_of_a_property() -> None:
    """PidTagRuleCondition and PidTagRuleActions in a RuleData (R102, R105)."""
    writer = Writer()
    condition = restrict.Exist(0x0037001F)
    types.put_tagged(writer, 0x667900FD, condition)
    types.put_tagged(writer, 0x668000FE, (Action(Op.DELETE),))
    assert writer.done().hex() == "fd007966" + "081f003700" + "fe008066" + "0100" + block(10, "")
    reader = Reader(writer.done())
    assert types.get_tagged(reader) == (0x667900FD, condition)
    assert types.get_tagged(reader) == (0x668000FE, (Action(Op.DELETE),))


def test_extended_rule_brings_its_names_along() -> None:
    """R206 to R226."""
    names = {0x8001: Named(GUID, 0x8503), 0x8002: Named(GUID, "Ab")}
    raw = rules.write_actions(names, [Action(Op.TAG, (0x80010003, 1))])
    names_raw = "00" + GUID.bytes_le.hex() + "03850000" + "01" + GUID.bytes_le.hex() + "06" + "410062000000"
    assert raw.hex() == (
        "0200" + "01800280" + f"{len(names_raw) // 2:02x}000000" + names_raw
        + "01000000" + "01000000" + block(9, "03000180" + "01000000", wide=True)
    )  # fmt: skip
    assert rules.read_actions(raw) == (names, (Action(Op.TAG, (0x80010003, 1)),))
    condition = restrict.And((restrict.Exist(0x80010003),))
    raw = rules.write_condition({}, condition)
    assert raw.hex() == "0000" + "00" + "01000000" + "0803000180"  # R697
    assert rules.read_condition(raw) == ({}, condition)


@pytest.mark.parametrize(
    "raw",
    [
        "0000",  # R232: one at the least
        "ffff" + block(10, ""),
        "0100" + block(12, ""),
        "0100" + block(6, "01000000"),  # R340
        "0100" + block(7, "00000000"),  # R324
        "0100" + block(7, "ffffffff" + NAMED_ZOE),
        "0100" + block(1, "01" + "0100"),
        "0100" + "0800" + "0a" + "00" * 8,
    ],
)
def test_malformed_rules_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        rules.get(Reader(bytes.fromhex(raw)))


@pytest.mark.parametrize(
    "raw", ["0100" + "0080" + "00000000", "0100" + "0070" + "15000000" + "00" * 21, "0000" + "02000000"]
)
def test_malformed_extended_rules_are_refused(raw: str) -> None:
    with pytest.raises(BadSyntax):
        rules.read_actions(bytes.fromhex(raw))


def test_actions_within_actions_end() -> None:
    raw = written([Action(Op.DELETE)])
    for _ in range(MAX_DEPTH + 1):
        raw = bytes.fromhex("0100") + bytes.fromhex(block(9, "fe008066" + raw.hex()))
    with pytest.raises(BadSyntax, match="deeply"):
        rules.get(Reader(raw))


def test_action_with_the_data_of_another_is_not_written() -> None:
    for action in (Action(Op.MOVE), Action(Op.DELETE, b"x"), Action(Op.REPLY, TemplateEntry(b"x", GUID))):
        with pytest.raises(BadSyntax):
            written([action])
