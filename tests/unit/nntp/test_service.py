"""What dialogues cannot show: compression, whole groups, large articles, what connections hold."""

import base64
import zlib
from pathlib import Path

import pytest

from quintet.auth.client import Scram
from quintet.errors import Reason
from quintet.net.memory import Talk, converse
from quintet.net.seam import Peer
from quintet.nntp.stream import MAX_HELD
from quintet.store import groups
from quintet.store.content import content_of
from tests.support.newshouse import HOST, NewsHouse, article_bytes, news_house


async def test_compression_covers_both_ways(tmp_path: Path) -> None:
    """RFC 8054 2.2."""
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 2")
        talk = Talk(house.service)
        await talk.begin()
        talk.take()
        await talk.send(b"COMPRESS DEFLATE\r\n")
        assert talk.take().startswith(b"206 ")
        pack = zlib.compressobj(wbits=-15)
        unpack = zlib.decompressobj(wbits=-15)
        said = b""
        for line in (b"GROUP local.test\r\n", b"OVER 1-\r\n", b"COMPRESS DEFLATE\r\n", b"STARTTLS\r\n"):
            await talk.send(pack.compress(line) + pack.flush(zlib.Z_SYNC_FLUSH))
        await talk.send(pack.compress(b"AUTHINFO USER x\r\nCAPABILITIES\r\n") + pack.flush(zlib.Z_SYNC_FLUSH))
        said = unpack.decompress(talk.take())
        await talk.end()
    assert said.startswith(b"211 2 1 2 local.test\r\n224 ")
    assert b"\r\n2\tArticle 2\t" in said
    codes = [line[:3] for line in said.split(b"\r\n") if line[:3] in (b"502", b"101")]
    assert codes == [b"502", b"502", b"502", b"101"]  # once only; no TLS, no login behind it
    assert b"AUTHINFO" not in said.split(b"\r\n101 ")[1]
    assert b"COMPRESS" not in said.split(b"\r\n101 ")[1]


async def test_scram_ends_with_the_servers_proof(tmp_path: Path) -> None:
    """RFC 4643 2.4.2: 283 with the last data, and the client's nod is not asked for."""
    async with news_house(tmp_path) as house:
        for secret, ending in (("alice's secret", b"283 "), ("wrong", b"383 ")):
            client = Scram("SCRAM-SHA-256", "alice@example.org", secret, "nonce")
            talk = Talk(house.service)
            await talk.begin()
            talk.take()
            first = client.first()
            assert first is not None
            await talk.send(b"AUTHINFO SASL SCRAM-SHA-256 %b\r\n" % base64.b64encode(first))
            challenge = talk.take()
            assert challenge.startswith(b"383 ")
            answer = client.answer(base64.b64decode(challenge[4:]))
            await talk.send(base64.b64encode(answer) + b"\r\n")
            last = talk.take()
            assert last.startswith(ending)
            if ending == b"283 ":
                assert client.answer(base64.b64decode(last[4:])) == b""  # it is the server
                assert client.complete
                await talk.send(b"AUTHINFO USER x\r\n")
                assert talk.take().startswith(b"502 ")
            else:
                await talk.send(b"=\r\n")
                assert talk.take().startswith(b"481 ")
            await talk.end()


async def _fill(house: NewsHouse, count: int) -> None:
    folder = await house.store.write(groups.create, "local.big")

    def many(tx: object, low: int, high: int) -> None:
        for number in range(low, high):
            groups.file(
                tx, [folder.id], content_of(article_bytes(number, ["local.big"])), path=b"x", host=HOST,
                received_at=1,
            )  # fmt: skip

    await house.store.write(many, 1, count + 1)


async def test_whole_group_comes_in_pages(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await _fill(house, 6000)
        for _ in range(2):  # cold, then from memory
            said = await converse(
                house.service, b"GROUP local.big\r\nOVER 1-\r\nXHDR Subject 1-\r\nLISTGROUP\r\n"
            )
            lines = said.split(b"\r\n")
            assert lines[2].startswith(b"224 ")
            assert [line.split(b"\t")[0] for line in lines[3:6003]] == [b"%d" % n for n in range(1, 6001)]
            assert lines[6003] == b"."
            assert lines[6005:12005] == [b"%d Article %d" % (n, n) for n in range(1, 6001)]
            assert lines[12006].startswith(b"211 6000 1 6000 local.big")
            assert lines[12007:18008] == [*(b"%d" % n for n in range(1, 6001)), b"."]
        said = await converse(house.service, b"GROUP local.big\r\nHDR X-Number 1-450\r\n")
        assert said.split(b"\r\n")[3:453] == [b"%d %d" % (n, n) for n in range(1, 451)]


async def test_large_article_is_taken_and_given_back(tmp_path: Path) -> None:
    """Over 64 KiB an article lies in a file; header and body are parts of it."""
    body = b"".join(b".%d a line\r\n" % number for number in range(20_000))
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        head = b"From: a@b.example\r\nNewsgroups: local.test\r\nSubject: big\r\nMessage-ID: <big@x>\r\n\r\n"
        script = b"POST\r\n" + head + body.replace(b".", b"..", 1).replace(b"\r\n.", b"\r\n..") + b".\r\n"
        script += (
            b"GROUP local.test\r\nHEAD 1\r\nBODY 1\r\nARTICLE <big@x>\r\nHDR :bytes 1\r\nHDR :lines 1\r\n"
        )
        said = await converse(house.service, script, 65536)
        stored = house.article("local.test", 1)
    assert stored.endswith(b"\r\n\r\n" + body)
    stuffed = b"\r\n" + body.replace(b".", b"..", 1).replace(b"\r\n.", b"\r\n..")
    assert said.count(stuffed + b".\r\n") == 2
    header = stored[: stored.index(b"\r\n\r\n") + 2]
    assert b"221 1 <big@x>\r\n" + header + b".\r\n222 1 <big@x>\r\n" in said
    assert said.endswith(b"\r\n1 %d\r\n.\r\n225 Header information follows\r\n1 20000\r\n.\r\n" % len(stored))


async def test_reader_that_goes_on_gets_articles_read_ahead(tmp_path: Path) -> None:
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 40")
        asked = []
        peek = house.store.peek
        house.store.peek = lambda fn, *args, **more: (asked.append(fn), peek(fn, *args, **more))[1]  # type: ignore[method-assign]
        script = b"GROUP local.test\r\n" + b"".join(b"ARTICLE %d\r\n" % number for number in range(1, 41))
        said = await converse(house.service, script)
        assert said.count(b"\r\n220 ") == 40
        assert len(asked) <= 6


@pytest.mark.parametrize(
    ("command", "answer"), [(b"POST", b"240 "), (b"IHAVE <1@local.test>", b"235 ")], ids=["post", "ihave"]
)
async def test_shutdown_waits_for_an_article_that_was_asked_for(
    command: bytes, answer: bytes, tmp_path: Path
) -> None:
    """Of an article halfway its poster would not know what became of it (RFC 3977 6.3.1.2)."""
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 0")
        await house.given("peer up addresses=127.0.0.1;192.0.2.7 accept=*")
        await house.given("option post anyone")
        talk = Talk(house.service)
        await talk.begin()
        await talk.send(command + b"\r\n")
        assert talk.take().split(b"\r\n")[1][:4] in (b"340 ", b"335 ")
        talk.driver.shutdown()
        path = b"Path: up!x\r\n" if command.startswith(b"IHAVE") else b""
        await talk.send(path + article_bytes(1, ["local.test"]).replace(b"\r\n.", b"\r\n..")[:40])
        assert talk.take() == b""
        await talk.send(article_bytes(1, ["local.test"]).replace(b"\r\n.", b"\r\n..")[40:] + b".\r\n")
        taken, closing = talk.take().splitlines()
        assert taken.startswith(answer)
        assert closing.startswith(b"400 ")
        assert house.folder("local.test").messages == 1


async def test_every_farewell_says_400(tmp_path: Path) -> None:
    """RFC 3977 3.2.1: the server closes the connection; 5.1.1: also in place of a greeting."""
    async with news_house(tmp_path) as house:
        _, session = house.service.open(Peer("1", "192.0.2.1"))
        said = {reason: session.farewell(reason) for reason in Reason}
        session.close()
    assert {line[:4] for line in said.values()} == {b"400 "}
    assert said[Reason.TOO_MANY] == b"400 Too many\r\n"
    assert said[Reason.SHUTDOWN] == b"400 Shutting down\r\n"


@pytest.mark.parametrize("dots", ["doubled", "single"])
async def test_article_too_long_to_be_waited_for_is_posted_as_it_comes(tmp_path: Path, dots: str) -> None:
    """RFC 3977 3.1.1: who does not double a dot would be cut off elsewhere, and is told so here."""
    line = b"..x\r\n" if dots == "doubled" else b".x\r\n"
    head = b"From: alice@example.org\r\nNewsgroups: local.test\r\nSubject: long\r\n\r\n"
    text = head + (b"y" * 70 + b"\r\n") * 8000 + line + b"z\r\n.\r\n"
    assert len(text) > 2 * MAX_HELD
    async with news_house(tmp_path) as house:
        await house.given("group local.test with 0")
        talk = Talk(house.service)
        await talk.begin()
        await talk.send(b"AUTHINFO USER alice@example.org\r\nAUTHINFO PASS alice's secret\r\nPOST\r\n")
        assert b"\r\n340 " in talk.take()
        for at in range(0, len(text), 50_000):
            await talk.send(text[at : at + 50_000])
        said = talk.take()
        await talk.send(b"STAT 1\r\nBODY 1\r\nGROUP local.test\r\nBODY 1\r\n")
        there = talk.take()
        await talk.end()
    if dots == "doubled":
        assert said.startswith(b"240 ")
        assert there.endswith(b"y\r\n..x\r\nz\r\n.\r\n")
    else:
        assert said.startswith(b"441 ") and b"dot" in said
        assert b"\r\n211 0 " in there


@pytest.mark.parametrize("text", [b"cut off", b"a line\r\n" * 20_000 + b"cut off", b"a line\r\n"])
async def test_bytes_count_what_is_sent_of_an_article_without_a_last_line_end(
    tmp_path: Path, text: bytes
) -> None:
    """RFC 3977 8.1.1; such articles come by IMAP, where they are put into a group by hand."""
    async with news_house(tmp_path) as house:
        await house.given("group local.test")
        head = b"From: a@b.example\r\nSubject: s\r\nMessage-ID: <1@x>\r\n\r\n"
        await house.post(head + text, group="local.test", chunk=5000)
        talk = Talk(house.service)
        await talk.begin()
        talk.take()
        await talk.send(b"ARTICLE <1@x>\r\n")
        sent = talk.take().partition(b"\r\n")[2].removesuffix(b".\r\n")
        assert sent.endswith(text.removesuffix(b"\r\n") + b"\r\n")
        await talk.send(b"HDR :bytes <1@x>\r\n")
        assert talk.take().split(b"\r\n")[1] == b"0 %d" % len(sent)
        await talk.end()
