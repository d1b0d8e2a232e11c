"""Batches taken apart: every cut, every compression, damage, bombs."""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import shutil
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import batches, lzw
from quintet.delivery.arrivals import Source
from quintet.delivery.batches import BadBatch, Unbatcher
from tests.support.newshouse import news_house
from tests.support.turns import others

packed = functools.partial(gzip.compress, mtime=0)  # the same bytes in every process that collects the tests

ARTICLES = [b"Subject: %d\n\nbody %d\n#! rnews 7\n" % (number, number) for number in range(5)]
LIMIT = 100_000


def batch(articles: list[bytes] = ARTICLES) -> bytes:
    return b"".join(b"#! rnews %d\n%b" % (len(one), one) for one in articles)


def unpack(data: bytes, cut: int = 1 << 20, limit: int = LIMIT) -> list[bytes]:
    parser = Unbatcher(limit)
    found = []
    for start in range(0, len(data), cut):
        found += parser.feed(data[start : start + cut])
    return found + list(parser.finish())


def compressed(data: bytes, bits: int = 16, block: bool = True) -> bytes:
    """What compress(1) would write, without clearing its table."""
    out = bytearray(lzw.MAGIC + bytes((bits | (0x80 if block else 0),)))
    table = {bytes((number,)): number for number in range(256)}
    count, width, group = 257 if block else 256, 9, []

    def flush() -> None:
        value = sum(code << (width * at) for at, code in enumerate(group))
        size = width if len(group) == 8 or padded else -(-len(group) * width // 8)
        out.extend(value.to_bytes(size, "little"))
        group.clear()

    padded = False
    word = b""
    codes = []
    for at in range(len(data)):
        longer = word + data[at : at + 1]
        if longer in table:
            word = longer
            continue
        codes.append((table[word], count))
        if count < 1 << bits:
            table[longer] = count
            count += 1
        word = data[at : at + 1]
    if word:
        codes.append((table[word], count))
    for code, known in codes:
        # the reader's table lags one entry behind: it widens when the entry before this code fills the width
        if known > 1 << width and width < bits:
            if group:
                padded = True
                flush()
                padded = False
            width += 1
        group.append(code)
        if len(group) == 8:
            flush()
    if group:
        flush()
    return bytes(out)


@pytest.mark.parametrize("cut", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    "packed",
    [
        batch(),
        b"#! cunbatch\n" + packed(batch()),
        b"#! gunbatch\n" + packed(batch()[:60]) + packed(batch()[60:]) + b"\0" * 9,
        b"#! bunbatch\n" + bz2.compress(batch()),
        b"#! xunbatch\n" + lzma.compress(batch()),
        b"#! cunbatch\n" + compressed(batch()),
        packed(b"#! bunbatch\n" + bz2.compress(batch())),
    ],
)
def test_batch_gives_its_articles_however_it_is_packed_and_cut(packed: bytes, cut: int) -> None:
    assert unpack(packed, cut) == ARTICLES


def test_anything_else_is_one_article() -> None:
    text = b"Subject: alone\n\n#! rnews 3\nbody\n"
    assert unpack(text, 3) == [text]
    assert unpack(b"") == []
    assert unpack(b"\n \n") == []
    assert unpack(b"abc") == [b"abc"]


def test_articles_that_are_too_long_are_passed_over() -> None:
    parser = Unbatcher(50)
    data = batch([b"a" * 10, b"b" * 51, b"c" * 50])
    assert [*parser.feed(data), *parser.finish()] == [b"a" * 10, b"c" * 50]
    assert parser.too_long == 1
    alone = Unbatcher(50)
    assert [*alone.feed(b"x" * 40), *alone.feed(b"x" * 40), *alone.feed(b"x" * 40), *alone.finish()] == []
    assert alone.too_long == 1
    inside = Unbatcher(50)
    assert [*inside.feed(b"#! cunbatch\n" + packed(data)), *inside.finish()] == [b"a" * 10, b"c" * 50]
    assert inside.too_long == 1


@pytest.mark.parametrize(
    "data",
    [
        b"#! rnews 100\nshort",
        b"#! rnews 5",
        b"#! rnews many\n",
        b"#! nonsense 5\n",
        b"#!" + b"x" * 300,
        b"#! cunbatch\nnot compressed at all",
        b"#! cunbatch\n",
        b"#! cunbatch\n\x1f\x8b",
        b"#! cunbatch\n" + packed(batch())[:-9],
        b"#! cunbatch\n" + packed(batch())[:30] + b"\xff" * 40,
        b"#! bunbatch\n" + bz2.compress(batch())[:-9],
        b"#! xunbatch\n" + lzma.compress(batch())[:-9],
        b"#! cunbatch\n" + lzw.MAGIC + b"\x90" + b"\xff" * 40,
        b"#! cunbatch\n" + lzw.MAGIC + b"\x8f\x00",
        packed(packed(packed(packed(batch())))),
    ],
)
def test_damage_is_told_and_what_stood_before_it_is_given(data: bytes) -> None:
    parser = Unbatcher(LIMIT)
    found = list(parser.feed(batch()))
    with pytest.raises(BadBatch):
        found += [*parser.feed(data), *parser.finish()]
    assert found == ARTICLES


def test_bomb_costs_no_memory() -> None:
    import tracemalloc

    bomb = b"#! cunbatch\n" + packed(b"#! rnews 50000000\n" + b"\0" * 50_000_000)
    parser = Unbatcher(1_000_000)
    tracemalloc.start()
    assert [*parser.feed(bomb), *parser.finish()] == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parser.too_long == 1
    assert peak < 2_000_000


def test_a_little_of_batches_in_batches_is_not_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_TEXT", 1_000_000)
    bomb = packed(packed(b"#! rnews 3000000\n" + bytes(3_000_000)))
    assert len(bomb) < 1000
    with pytest.raises(BadBatch, match="unpacks to more"):
        unpack(bomb, 100)
    text = batch([bytes(900_000)])  # one level of gzip may have that, and a large batch more
    assert unpack(packed(text), limit=1_000_000) == [bytes(900_000)]
    lines = b"".join(b"%d\n" % (number * 7919 % 100_003) for number in range(200_000))
    assert unpack(packed(batch([lines])), limit=2_000_000) == [lines]


def test_xz_takes_no_more_memory_than_it_may() -> None:
    """A header asks for a dictionary of 2 GiB; it is the only one of these that can."""
    data = bytearray(lzma.compress(batch()))
    assert data[14:16] == b"\x21\x01"  # LZMA2, one octet of properties: the dictionary
    data[16] = 38
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    with pytest.raises(BadBatch, match="damaged"):
        unpack(bytes(data))


async def test_others_have_their_turn_while_a_bomb_is_unpacked(tmp_path: Path) -> None:
    bomb = packed(b"#! rnews 20000000\n" + bytes(20_000_000))

    async def chunks() -> AsyncIterator[bytes]:
        yield bomb

    async with news_house(tmp_path) as house:
        await house.given("peer up addresses=127.0.0.1")
        assert house.arrivals is not None
        (peer,) = house.arrivals.peers.all
        async with others() as turns:
            done = await batches.take(house.arrivals, Source(peer, "127.0.0.1", "c1", 1), chunks())
    assert done.refused == 1
    assert turns.count > 20_000_000 // batches.PIECE // 2


@given(st.binary(max_size=400), st.integers(9, 16), st.booleans(), st.integers(1, 50))
def test_lzw_reads_what_was_written(data: bytes, bits: int, block: bool, cut: int) -> None:
    packed = compressed(data * 9, bits, block)
    reader = lzw.Decompressor()
    found = b"".join(reader.decompress(packed[at : at + cut]) for at in range(0, len(packed), cut))
    assert found + reader.finish() == data * 9


def test_lzw_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lzw, "MAX_TEXT", 100_000)
    reader = lzw.Decompressor()
    assert reader.decompress(compressed(bytes(90_000))) + reader.finish() == bytes(90_000)
    with pytest.raises(lzw.BadLzw):
        lzw.Decompressor().decompress(compressed(bytes(200_000)))


def test_lzw_widths_grow_as_compress_lets_them() -> None:
    data = bytes(i * i % 251 for i in range(200_000))
    packed = compressed(data)
    reader = lzw.Decompressor()
    assert reader.decompress(packed) + reader.finish() == data
    if shutil.which("gzip") is None:
        pytest.skip("gzip is not installed")
    told = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True, timeout=20)
    assert told.stdout == data  # another reader agrees about the writer of this test


@given(st.binary(max_size=200), st.integers(1, 30))
def test_any_octets_end_in_articles_or_a_fault(data: bytes, cut: int) -> None:
    for head in (b"", b"#! cunbatch\n", b"#! rnews 3\n", b"\x1f\x8b\x08", b"BZh9"):
        try:
            whole = unpack(head + data)
        except BadBatch:
            with pytest.raises(BadBatch):
                unpack(head + data, cut)
        else:
            assert unpack(head + data, cut) == whole


@pytest.mark.parametrize(
    ("data", "own"),
    [
        (b"Subject: x\nMESSAGE-id:  <a@b> \n\nMessage-ID: <c@d>\n", b"<a@b>"),
        (b"Subject: x\r\nMessage-ID: <a@b>\r\n\r\nx\r\n", b"<a@b>"),
        (b"Subject: x\n\nMessage-ID: <a@b>\n", b"<>"),
        (b"Message-ID: <a b@c>\n\nx\n", b"<>"),
        (b"Message-ID: <a@b>\n\nits last line is cut off", b"<a@b>"),
    ],
)
def test_article_as_it_travels(data: bytes, own: bytes) -> None:
    found, travels = batches.article(data)
    assert found == own
    assert b"\n" not in travels.replace(b"\r\n", b"")
    assert travels.endswith(b"\r\n")
