"""Packed answers, unpacked as pan and pynntp do it."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.net.memory import converse
from quintet.nntp import packing
from tests.support.newshouse import news_house

pytestmark = pytest.mark.unmeasured


def unyenc(data: bytes) -> bytes:
    out = bytearray()
    escaped = False
    for byte in data:
        if escaped:
            out.append((byte - 106) % 256)
            escaped = False
        elif byte == 0x3D:
            escaped = True
        elif byte not in b"\r\n":
            out.append((byte - 42) % 256)
    return bytes(out)


@given(st.binary(max_size=2000))
def test_yenc_comes_back(data: bytes) -> None:
    lines = packing.yenc(data)
    assert unyenc(lines) == data
    assert b"\0" not in lines
    assert all(not line.startswith(b".") and len(line) <= 2 * packing.LINE for line in lines.split(b"\r\n"))


async def test_gzip_with_the_terminator_inside_and_outside(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 700")
        plain = await converse(house.service, b"GROUP local.test\r\nXOVER 1-\r\n")
        lines = plain.partition(b"224 Overview information follows\r\n")[2]
        for option, inside in ((b"", False), (b" TERMINATOR", True)):
            script = b"XFEATURE COMPRESS GZIP%b\r\nGROUP local.test\r\nXOVER 1-\r\nDATE\r\n" % option
            said = await converse(house.service, script)
            _, found, packed = said.partition(b"224 Overview information follows [COMPRESS=GZIP]\r\n")
            assert found
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(packed)
            assert unpacker.eof
            rest = unpacker.unused_data
            assert unpacked == (lines if inside else lines.removesuffix(b".\r\n"))
            assert rest.startswith(b"111 " if inside else b".\r\n111 ")
            assert len(packed) < len(lines) / 5


async def test_xzver_and_xzhdr(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 700")
        for plain, packed in ((b"XOVER 1-", b"XZVER 1-"), (b"XHDR Subject 5-", b"XZHDR Subject 5-")):
            said = await converse(house.service, b"GROUP local.test\r\n%b\r\n" % plain)
            lines = re.split(rb"\r\n22[14] [^\r]*\r\n", said, maxsplit=1)[1].removesuffix(b".\r\n")
            said = await converse(house.service, b"GROUP local.test\r\n%b\r\nDATE\r\n" % packed)
            found = re.search(
                rb"\r\n22[14] [^\r]*\r\n=ybegin line=128 size=(\d+) name=lines\r\n(.*)\r\n"
                rb"=yend size=(\d+) crc32=([0-9a-f]{8})\r\n\.\r\n111 ",
                said,
                re.DOTALL,
            )
            assert found
            data = unyenc(found[2])
            assert len(data) == int(found[1]) == int(found[3])
            assert zlib.crc32(data) == int(found[4], 16)
            assert zlib.decompress(data, wbits=-15) == lines


async def test_a_packed_answer_has_an_end(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(packing, "MAX_PACKED", 100)
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 700")
        said = await converse(house.service, b"GROUP local.test\r\nXZVER 1-\r\nDATE\r\n")
        assert said.split(b"\r\n")[2].startswith(b"503 ")
        assert said.split(b"\r\n")[3].startswith(b"111 ")
