"""IDSET and GLOBSET: sets of counters, as a client keeps its state (MS-OXCFXICS 2.2.2.4, 2.2.2.6, 3.1.5.4.3).

In memory a set is a list of (low, high), ascending, apart from each other; a million ids in a row are one
pair.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from quintet.mapi import ids
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.ids import MAX_COUNTER, Counter

Ranges = list[tuple[Counter, Counter]]

MAX_RANGES = 1_000_000  # of one set: 120 MB; a client that read every second message of two million

_END, _BITMASK, _POP, _RANGE = 0x00, 0x42, 0x50, 0x52


def ranges(counters: Iterable[Counter]) -> Ranges:
    """The set of some counters, in any order."""
    return merged((one, one) for one in counters)


def merged(pairs: Iterable[tuple[Counter, Counter]]) -> Ranges:
    """Pairs in any order, overlapping or not, as a set."""
    found: Ranges = []
    for low, high in sorted(pairs):
        if found and low <= found[-1][1] + 1:
            if high > found[-1][1]:
                found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return found


# --- GLOBSET --------------------------------------------------------------------------------------------


def get_globset(reader: Reader) -> Ranges:
    """Raises BadSyntax: an unknown command, one that does not fit the stack, or a range upside down."""
    found: Ranges = []
    stack: list[bytes] = []  # what each Push brought
    common = b""
    while True:
        command = reader.u8()
        if command == _END:
            if common:
                raise bad("a set that ends with bytes on its stack")  # MS-OXCFXICS_R1992
            return merged(found)
        if command == _POP:
            if not stack:
                raise bad("a Pop without a Push")  # R1966
            common = common[: len(common) - len(stack.pop())]
        elif command <= 6:
            pushed = reader.take(command)
            if len(common) + command > 6:
                raise bad("more than six bytes on the stack")
            if len(common) + command == 6:  # R1959, R1960: a single counter; nothing stays
                one = int.from_bytes(common + pushed, "big")
                found.append((one, one))
            else:
                stack.append(pushed)
                common += pushed
        elif command == _RANGE:
            rest = 6 - len(common)
            low = int.from_bytes(common + reader.take(rest), "big")
            high = int.from_bytes(common + reader.take(rest), "big")
            if low > high:
                raise bad("a range upside down")  # R3393
            found.append((low, high))
        elif command == _BITMASK:
            if len(common) != 5:
                raise bad("a bitmask without five bytes in common")  # R2002, R2003
            found += _masked(int.from_bytes(common, "big") << 8, reader.u8(), reader.u8())
        else:
            raise bad("no such command of a set")
        if len(found) > MAX_RANGES:
            raise bad("too many ranges in a set")


def _masked(base: Counter, start: int, mask: int) -> Ranges:
    found = [(base + start, base + start)]
    for bit in range(8):
        if mask >> bit & 1:
            value = start + 1 + bit
            if value > 0xFF:
                raise bad("a bitmask beyond its byte")
            found.append((base + value, base + value))
    return found


def put_globset(writer: Writer, found: Ranges) -> None:
    """Ranges that share five bytes follow one Push of them; those close together share a bitmask."""
    at = 0
    while at < len(found):
        low, high = found[at]
        if low >> 8 != high >> 8:  # R1982
            _put_wide(writer, low, high)
            at += 1
            continue
        last = at
        while last < len(found) and found[last][0] >> 8 == low >> 8 == found[last][1] >> 8:
            last += 1
        if last == at + 1 and low == high:
            writer.u8(6)  # R1957
            ids.put_counter(writer, low)
        else:
            writer.u8(5)
            writer.put((low >> 8).to_bytes(5, "big"))
            _put_close(writer, [(one & 0xFF, two & 0xFF) for one, two in found[at:last]])
            writer.u8(_POP)
        at = last
    writer.u8(_END)


def _put_wide(writer: Writer, low: Counter, high: Counter) -> None:
    one, two = low.to_bytes(6, "big"), high.to_bytes(6, "big")
    shared = next(number for number in range(6) if one[number] != two[number])
    if shared:
        writer.u8(shared)
        writer.put(one[:shared])
    writer.u8(_RANGE)
    writer.put(one[shared:] + two[shared:])
    if shared:
        writer.u8(_POP)


def _put_close(writer: Writer, found: list[tuple[int, int]]) -> None:
    """Ranges within one byte, five of them on the stack."""
    at = 0
    while at < len(found):
        start, high = found[at]
        last, mask = at, 0
        while last < len(found) and found[last][1] <= start + 8 and last - at < 5:  # R1971
            for value in range(max(found[last][0], start + 1), found[last][1] + 1):
                mask |= 1 << (value - start - 1)
            last += 1
        if last > at + 1 or start == high:
            writer.u8(_BITMASK)
            writer.u8(start)
            writer.u8(mask)
            at = last
        else:
            writer.u8(_RANGE)
            writer.u8(start)
            writer.u8(high)
            at += 1


# --- IDSET ----------------------------------------------------------------------------------------------


def read_short(raw: bytes) -> dict[int, Ranges]:
    """A set by the replicas' numbers (2.2.2.4.1).  Raises BadSyntax."""
    reader, found = Reader(raw), dict[int, Ranges]()
    while len(reader):
        replica = reader.u16()
        found[replica] = merged([*found.get(replica, ()), *get_globset(reader)])
    return found


def write_short(sets: Mapping[int, Ranges]) -> bytes:
    writer = Writer()
    for replica in sorted(sets):  # MS-OXCFXICS_R181
        writer.u16(replica)
        put_globset(writer, sets[replica])
    return writer.done()


def read_long(raw: bytes) -> dict[uuid.UUID, Ranges]:
    """A set by the replicas' GUIDs (2.2.2.4.2).  Raises BadSyntax."""
    reader, found = Reader(raw), dict[uuid.UUID, Ranges]()
    while len(reader):
        replica = uuid.UUID(bytes_le=reader.take(16))
        found[replica] = merged([*found.get(replica, ()), *get_globset(reader)])
    return found


def write_long(sets: Mapping[uuid.UUID, Ranges]) -> bytes:
    writer = Writer()
    for replica in sorted(sets, key=lambda one: one.bytes_le):  # R186: byte by byte
        writer.put(replica.bytes_le)
        put_globset(writer, sets[replica])
    return writer.done()


def check(found: Ranges) -> bool:
    """Whether pairs are a set: ascending, apart, within 48 bits."""
    before = -2
    for low, high in found:
        if not before + 1 < low <= high <= MAX_COUNTER:
            return False
        before = high
    return True
