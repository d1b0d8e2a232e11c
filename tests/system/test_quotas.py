"""Quotas of accounts and groups, of messages and bytes, hold in every protocol and are exact at once."""

from pathlib import Path

from quintet.store import accounts, groups
from quintet.store.db import Tx
from tests.support.lines import Line
from tests.support.server import Server, start_server
from tests.support.stores import expect_sound

LETTER = "Subject: quota\r\n\r\ntext"


async def _limit(server: Server, messages: int, size: int = 0) -> None:
    def change(tx: Tx) -> None:
        account = accounts.find(tx, "bob@example.org")
        assert account is not None
        accounts.change(tx, account.id, quota_messages=messages, quota_bytes=size)

    await server.store.write(change)


async def _imap(server: Server, account: str = "bob") -> Line:
    client = await Line.to(server, "imap")
    await client.say(f"a LOGIN {account}@example.org demo", "a OK")
    await client.say("b SELECT INBOX", "b OK")
    return client


async def _append(client: Line, folder: str = "INBOX", text: str = LETTER) -> str:
    return await client.say(f"p APPEND {folder} {{{len(text)}+}}\r\n{text}", "p ")


async def test_an_account_takes_so_many_messages_and_again_after_removal(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp", "imap")) as server:
        await _limit(server, 2)
        client = await _imap(server)
        assert "p OK" in await _append(client)
        assert "c OK" in await client.say("c COPY 1 Archive", "c ")
        assert "d NO [OVERQUOTA]" in await client.say("d COPY 1 Archive", "d ")
        assert "p NO [OVERQUOTA]" in await _append(client)
        assert "e OK" in await client.say("e MOVE 1 Archive", "e ")  # no more than before
        sender = await Line.to(server, "smtp")
        await sender.say("EHLO there.example", "250 ")
        await sender.say("MAIL FROM:<a@there.example>", "250")
        assert "452 4.2.2" in await sender.say("RCPT TO:<bob@example.org>", "4")
        await client.say("f SELECT Archive", "f OK")
        await client.say("g STORE 1 +FLAGS (\\Deleted)", "g OK")
        await client.say("h EXPUNGE", "h OK")
        await sender.say("RCPT TO:<bob@example.org>", "250")  # at once
        await sender.say("DATA", "354")
        await sender.say(f"{LETTER}\r\n.", "250")
        await sender.say("MAIL FROM:<a@there.example>", "250")
        await sender.say("RCPT TO:<bob@example.org>", "250")  # what was true a moment ago
        await sender.say("DATA", "354")
        assert "452 4.2.2" in await sender.say(f"{LETTER}\r\n.", "4")
        account = server.store.peek(accounts.find, "bob@example.org")
        assert account is not None
        assert account.used_messages == 2
        await sender.close()
        await client.close()
        expect_sound(server.store)


async def test_an_account_takes_so_many_bytes(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("smtp", "imap")) as server:
        await _limit(server, 0, 4000)
        client = await _imap(server)
        assert "p NO [OVERQUOTA]" in await _append(client, text=LETTER + "x" * 4000)
        assert "p OK" in await _append(client, text=LETTER + "x" * 3000)
        assert "p NO [OVERQUOTA]" in await _append(client, text=LETTER + "x" * 1000)
        sender = await Line.to(server, "smtp")
        await sender.say("EHLO there.example", "250 ")
        await sender.say("MAIL FROM:<a@there.example> SIZE=2000", "250")
        assert "452 4.2.2" in await sender.say("RCPT TO:<bob@example.org>", "4")
        await sender.say("RSET", "250")
        await sender.say("MAIL FROM:<a@there.example>", "250")  # says nothing of its size
        await sender.say("RCPT TO:<bob@example.org>", "250")
        await sender.say("DATA", "354")
        assert "452 4.2.2" in await sender.say(f"Subject: long\r\n\r\n{'x' * 2000}\r\n.", "4")
        await sender.close()
        await client.close()
        expect_sound(server.store)


async def test_a_group_takes_so_many_articles_and_bytes(tmp_path: Path) -> None:
    async with start_server(tmp_path, only=("nntp", "imap")) as server:
        group = server.store.peek(groups.find, "local.test")
        assert group is not None
        await server.store.write(groups.change, group.id, quota_messages=1)
        reader = await Line.to(server, "nntp")
        await reader.say("AUTHINFO USER bob@example.org", "381")
        await reader.say("AUTHINFO PASS demo", "281")
        article = "From: bob@example.org\r\nNewsgroups: local.test\r\nSubject: quota\r\n\r\ntext\r\n."
        await reader.say("POST", "340")
        await reader.say(article, "240")
        await reader.say("POST", "340")
        assert "441" in await reader.say(article, "4")
        client = await _imap(server)
        text = article.removesuffix(".")
        assert "p NO [OVERQUOTA]" in await _append(client, "Groups/local.test", text)
        await server.store.write(groups.change, group.id, quota_messages=0, quota_bytes=1500)
        await reader.say("POST", "340")
        assert "441" in await reader.say(article.replace("text", "x" * 1400), "4")
        await reader.say("POST", "340")
        await reader.say(article, "240")
        after = server.store.peek(groups.find, "local.test")
        assert after is not None
        assert after.messages == 2
        await client.close()
        await reader.close()
        expect_sound(server.store)
