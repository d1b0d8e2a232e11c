"""All 256 numbers that an operation can have: reserved, served or not supported (MS-OXCROPS 2.2.2)."""

from __future__ import annotations

from pathlib import Path

from quintet.mapi import frame
from quintet.mapi.rop import registry
from quintet.mapi.rop.serve.desk import SERVED
from tests.unit.mapi.rop.desk import desk, execute, executed
from tests.unit.mapi.rop.test_registry import UNSERVED

# R1413 but for 0x52, 0x9D and 0xA3, which have sections of their own (2.2.6.16, 2.2.12.3.2, 2.2.9.11)
RESERVED = frozenset((
    0x00, 0x28, 0x3C, 0x3D, 0x62, 0x65, 0x6A, 0x71, 0x7C, 0x7D, *range(0x83, 0x86), 0x87, 0x88,
    *range(0x8A, 0x90), *range(0x94, 0x9D), *range(0x9E, 0xA3), *range(0xA4, 0xF9), *range(0xFA, 0xFE),
))  # fmt: skip
ANSWERS_ONLY = frozenset((0x2A, 0x6E, 0xF9, 0xFF))  # RopNotify, RopPending, RopBackoff, RopBufferTooSmall
BARE = {  # requests of what is neither in `UNSERVED` nor served, behind RopId and LogonId
    0x3B: "00 01",
    0x41: "00 00 0100 01 0100 03007766 00000000",
    0x50: "00 01",
    0x51: "00 0100000000000001 0100000000000002 49504d00 00000000",
    0x5B: "00 0000000000000000 0100000000000000 00000000",
    0x5C: "00 0000000000000000 0100000000000000 00000000",
    0x61: "00" + "00" * 24,
    0x63: "00" + "00" * 24 + "00 00000000 0010",
    0x64: "00" + "00" * 24 + "01 00000000 0100 61" + "00" * 16,  # R521: to a private mailbox, from the start
}
WHAT = {**UNSERVED, **BARE}
STATE = bytes((0x7B, 0, 0))  # RopGetStoreState of the logon
TOLD = bytes((0x7B, 0)) + bytes(4) + bytes(4)


def test_the_table_has_every_number() -> None:
    assert set(registry.ROPS) == set(range(256)) - RESERVED - ANSWERS_ONLY
    assert set(WHAT) | {registry.RELEASE} == set(registry.ROPS) - set(SERVED)


async def test_reserved_numbers_fail_the_whole_call(tmp_path: Path) -> None:
    """R18, R4551: ErrorCode 0x000004B6, no ROP buffer, and nothing of the others is done."""
    async with desk(tmp_path) as it:
        box = await it.box()
        for number in sorted(RESERVED | ANSWERS_ONLY):
            listed = STATE + bytes((number, 0, 0)) + STATE
            raw = frame.wrap([registry.join(listed, [box.handle])], compress=False)
            body = await it.endpoint.answer(box.state, "execute", execute(raw))
            assert executed(body) == (0, 0x4B6, b""), hex(number)


async def test_what_nobody_serves_is_not_supported(tmp_path: Path) -> None:
    """MS-OXCDATA R927, R928: ecNotSupported in its own answer; those around it are done, handles stay."""
    async with desk(tmp_path) as it:
        box = await it.box()
        for number, octets in sorted(WHAT.items()):
            request = bytes.fromhex(octets.replace(" ", ""))
            listed = STATE + bytes((number, 0)) + request + STATE
            raw = frame.wrap([registry.join(listed, [box.handle, 0xFFFFFFFF])], compress=False)
            body = await it.endpoint.answer(box.state, "execute", execute(raw))
            status, error, found = executed(body)
            assert (status, error) == (0, 0), hex(number)
            answers, handles = registry.split(frame.unwrap(found)[0])
            rop = registry.ROPS[number]
            assert answers.startswith(TOLD)
            assert answers.endswith(TOLD)
            index = request[1 if rop.head is registry.Head.OUT else 0]
            refused = bytes((number, index)) + b"\2\1\4\x80" + rop.always
            assert answers[len(TOLD) : -len(TOLD)] == refused, hex(number)
            assert handles == [box.handle, 0xFFFFFFFF]
