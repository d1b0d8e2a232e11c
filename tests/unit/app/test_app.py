"""The rooms joined: every port answers, mail and news cross protocols, a reload keeps connections."""

import asyncio
import dataclasses
import ssl
from pathlib import Path

import pytest

from quintet import launch
from quintet.app import App
from quintet.config.copies import Copy
from quintet.config.listeners import STANDARD
from quintet.config.milters import Milter
from quintet.config.rewrite import Rewrite
from quintet.delivery.envelope import Envelope, mailbox
from quintet.net.seam import Peer
from quintet.store import accounts, folders, loglength
from quintet.store.model import FolderId
from tests.support.server import HOST, Server, configured, start_server

GREETINGS = {
    "smtp": b"220 mail.example.org ",
    "submission": b"220 mail.example.org ",
    "submissions": b"220 mail.example.org ",
    "lmtp": b"220 mail.example.org ",
    "pop3": b"+OK",
    "pop3s": b"+OK",
    "imap": b"* OK",
    "imaps": b"* OK",
    "nntp": b"200 ",
    "nntps": b"200 ",
}
ANSWER_S = 20.0

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def trusting(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.check_hostname = False  # the certificate is for the host's name, we come by address
    return context


async def connect(server: Server, name: str) -> Line:
    implicit = server.app.config.listeners[name].tls == "implicit"
    return await asyncio.open_connection(HOST, server.ports[name], ssl=trusting(server) if implicit else None)


async def say(line: Line, *commands: str) -> list[str]:
    """Sends lines and reads one line back for each."""
    reader, writer = line
    out = []
    for command in commands:
        writer.write(command.encode() + b"\r\n")
        async with asyncio.timeout(ANSWER_S):
            out.append((await reader.readline()).decode().rstrip())
    return out


async def until(line: Line, tag: str) -> list[str]:
    """Lines up to the one that begins with ``tag``."""
    found: list[str] = []
    async with asyncio.timeout(ANSWER_S):
        while not found or not found[-1].startswith(tag):
            found.append((await line[0].readline()).decode().rstrip())
            assert found[-1] or line[0].at_eof() is False, found
    return found


async def hang_up(line: Line) -> None:
    line[1].close()
    await asyncio.gather(line[1].wait_closed(), return_exceptions=True)


async def get(server: Server, path: str, name: str = "http", method: str = "GET") -> tuple[int, str]:
    reader, writer = await connect(server, name)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(ANSWER_S):
        answer = (await reader.read()).decode()
    await hang_up((reader, writer))
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


async def test_what_is_flushed_goes_into_a_log_that_has_its_length(tmp_path: Path) -> None:
    async with start_server(tmp_path, store={"sync": "full"}) as server:
        await server.app.store.write(lambda _: None)  # in its turn
        log = server.app.config.data / "quintet.db-wal"
        assert log.stat().st_size == loglength.LENGTH


async def test_every_port_answers_and_the_log_has_no_error(tmp_path: Path) -> None:
    async with start_server(tmp_path) as server:
        assert set(server.ports) == {each.name for each in STANDARD}
        for name, greeting in GREETINGS.items():
            line = await connect(server, name)
            async with asyncio.timeout(ANSWER_S):
                first = await line[0].readline()
            assert first.startswith(greeting), name
            await hang_up(line)
        assert await get(server, "/healthz") == (200, '{"status": "ok", "store": "ok", "version": "0.1.0"}\n')
        assert (await get(server, "/", "https"))[0] == 200
        assert (await get(server, "/", method="POST"))[0] == 405
        status, text = await get(server, "/metrics")
        assert status == 200
        assert 'quintet_connections_total{listener="imaps"} ' in text


async def test_letter_by_smtp_is_read_by_pop3_and_imap(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp", "pop3", "imap")) as server:
        smtp = await connect(server, "smtp")
        await smtp[0].readline()
        answers = await say(
            smtp,
            "HELO there",
            "MAIL FROM:<bob@far.example>",
            "RCPT TO:<alice@example.org>",
            "DATA",
            "Subject: one\r\n\r\ntext\r\n.",
        )
        assert [answer[:3] for answer in answers] == ["250", "250", "250", "354", "250"]
        await hang_up(smtp)
        pop = await connect(server, "pop3")
        await pop[0].readline()
        assert (await say(pop, "USER alice@example.org", "PASS demo", "STAT"))[2].startswith("+OK 1 ")
        await hang_up(pop)
        imap = await connect(server, "imap")
        await imap[0].readline()
        imap[1].write(
            b"a LOGIN alice@example.org demo\r\nb SELECT INBOX\r\nc FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]\r\n"
        )
        assert "Subject: one" in await until(imap, "c OK")
        await hang_up(imap)


async def test_article_has_one_number_in_news_and_mail(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("nntp", "imap")) as server:
        news = await connect(server, "nntp")
        await news[0].readline()
        answers = await say(
            news,
            "AUTHINFO USER alice@example.org",
            "AUTHINFO PASS demo",
            "POST",
            "From: alice@example.org\r\nNewsgroups: local.test\r\nSubject: first\r\n\r\ntext\r\n.",
            "GROUP local.test",
        )
        assert [answer[:3] for answer in answers] == ["381", "281", "340", "240", "211"]
        assert answers[-1] == "211 1 1 1 local.test"
        await hang_up(news)
        imap = await connect(server, "imap")
        await imap[0].readline()
        imap[1].write(b'a LOGIN bob@example.org demo\r\nb EXAMINE "Groups/local.test"\r\nc FETCH 1 (UID)\r\n')
        assert "* 1 FETCH (UID 1)" in await until(imap, "c OK")
        await hang_up(imap)


async def test_reload_keeps_connections_and_new_ones_see_the_change(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp", "http")) as server:
        old = await connect(server, "smtp")
        await old[0].readline()
        config = server.app.config
        changed = dataclasses.replace(
            config,
            smtp=dataclasses.replace(config.smtp, max_message_size=70000),
            server=dataclasses.replace(config.server, workers=7),
        )
        result = await server.app.reload(changed)
        assert result.taken == ["smtp.max_message_size"]
        assert result.restart == ["server.workers"]
        assert (await say(old, "NOOP"))[0].startswith("250")
        new = await connect(server, "smtp")
        await new[0].readline()
        new[1].write(b"EHLO there\r\n")
        assert "250-SIZE 70000" in await until(new, "250 ")
        await hang_up(old)
        await hang_up(new)


async def test_reload_takes_new_filters_copies_and_names(tmp_path: Path) -> None:
    """These were said to be taken, and new connections went on with the old ones."""
    async with start_server(tmp_path, only=("smtp",)) as server:
        config = server.app.config
        changed = dataclasses.replace(
            config,
            milter=(Milter(address="unix:/nowhere"),),
            copy=(Copy(to="bob@example.org"),),
            rewrite=Rewrite(canonical={"al@example.org": "bob@example.org"}),
        )
        result = await server.app.reload(changed)
        assert set(result.taken) == {"milter", "copy", "rewrite.canonical"}
        client = await connect(server, "smtp")
        await client[0].readline()
        assert (await say(client, "HELO there"))[0].startswith("250")
        refused = await say(client, "MAIL FROM:<zoe@example.net>")
        assert refused[0].startswith("451 ")  # the filter is not there
        await hang_up(client)
        found = server.app.inbound.recipient(Envelope(Peer("c1", "192.0.2.1")), mailbox("al@example.org"))
        assert str(found.address) == "bob@example.org"


async def test_stopping_says_goodbye(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp", "imap", "nntp", "pop3")) as server:
        lines = {name: await connect(server, name) for name in ("smtp", "imap", "nntp", "pop3")}
        for line in lines.values():
            await line[0].readline()
        await server.app.stop(5)
        said = {name: (await line[0].read()).decode() for name, line in lines.items()}
        for line in lines.values():
            await hang_up(line)
    assert said["smtp"].startswith("421 ")
    assert said["imap"].startswith("* BYE")
    assert said["nntp"].startswith("400 ")
    assert "pop3" in said  # RFC 1939 has no word for it


async def test_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = configured(tmp_path)
        listener = dataclasses.replace(config.listeners["smtp"], port=port)
        config = dataclasses.replace(config, listeners={"smtp": listener})
        with pytest.raises(
            launch.CannotStart, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"
        ):
            await App(config).start()


async def test_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    from quintet.config.net import Certificate

    config = configured(tmp_path, {"tls": {"certificates": (Certificate("absent.pem"),)}})
    with pytest.raises(launch.CannotStart, match=r"tls\.certificates: .*absent\.pem"):
        await App(config).start()


async def test_a_hint_wakes_who_watches(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp",)) as server:
        account = server.store.peek(accounts.find, "alice@example.org")
        assert account is not None
        inbox = server.store.peek(folders.find, account.id, "INBOX")
        assert inbox is not None
        woken = asyncio.Event()
        watch = server.store.watch(woken, [FolderId(inbox.id)])
        smtp = await connect(server, "lmtp") if "lmtp" in server.ports else await connect(server, "smtp")
        await smtp[0].readline()
        await say(
            smtp, "HELO t", "MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA", "Subject: x\r\n\r\nt\r\n."
        )
        async with asyncio.timeout(ANSWER_S):
            await woken.wait()
        watch.close()
        await hang_up(smtp)
