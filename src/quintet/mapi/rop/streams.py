"""Operations on streams (MS-OXCROPS 2.2.9.1 and on)."""

from __future__ import annotations

import enum
from typing import Annotated

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.rop.fields import I64, MORE, U8, U16, U32, U64, Field, Raw16
from quintet.mapi.rop.registry import Head, answer, bare, request

MOST_BYTES = 0x80000000  # that RopReadStream may ask for


class StreamMode(enum.IntEnum):
    """MS-OXCPRPT 2.2.14.1."""

    READ_ONLY = 0x00
    READ_WRITE = 0x01
    CREATE = 0x02


def _get_most(reader: Reader) -> int:
    """ByteCount, or MaximumByteCount behind 0xBABE (R3212 to R3214).  Raises BadSyntax: beyond R3215."""
    count = reader.u16()
    if count != MORE:
        return count
    most = reader.u32()
    if most > MOST_BYTES:
        raise bad("more bytes at once than there can be")
    return most


def _put_most(writer: Writer, value: int) -> None:
    if value >= MORE:
        writer.u16(MORE)
        writer.u32(value)
    else:
        writer.u16(value)


@request(0x2B, Head.OUT)
class OpenStream:
    tag: U32
    mode: U8  # StreamMode


@answer(0x2B)
class OpenStreamAnswer:
    size: U32


@request(0x2C, always=b"\0\0")
class ReadStream:
    most: Annotated[int, Field(_get_most, _put_most)]


@answer(0x2C)
class ReadStreamAnswer:
    data: Raw16


@request(0x2D, always=b"\0\0")
class WriteStream:
    data: Raw16


@request(0x90, always=b"\0\0")
class WriteAndCommitStream:
    data: Raw16


@answer(0x2D, 0x90)
class WriteStreamAnswer:
    written: U16


@request(0xA3, always=b"\0\0\0\0")
class WriteStreamExtended:
    data: Raw16


@answer(0xA3)
class WriteStreamExtendedAnswer:
    written: U32


bare(0x5D, "CommitStream")
bare(0x5E, "GetStreamSize")


@answer(0x5E)
class GetStreamSizeAnswer:
    size: U32


@request(0x2F)
class SetStreamSize:
    size: U64


@request(0x2E)
class SeekStream:
    origin: U8  # 0 beginning, 1 current, 2 end
    offset: I64


@answer(0x2E)
class SeekStreamAnswer:
    position: U64


@request(0x3A, Head.TWO, always=bytes(16))
class CopyToStream:
    count: U64


@answer(0x3A)
class CopyToStreamAnswer:
    read: U64
    written: U64


@request(0x5B)
class LockRegionStream:
    offset: U64
    size: U64
    flags: U32


@request(0x5C)
class UnlockRegionStream:
    offset: U64
    size: U64
    flags: U32


bare(0x3B, "CloneStream", Head.OUT)
