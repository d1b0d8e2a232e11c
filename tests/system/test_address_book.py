"""The address book through the real server: several accounts, each with a client of NSPI over HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from quintet.mapi import recipients
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.channel import Channel, ChannelError
from quintet.mapi.http.client import Line
from quintet.mapi.nspi import consts, names
from quintet.mapi.nspi.client import Client
from quintet.mapi.rop import messages
from quintet.store import accounts, lists
from tests.support.mapiclient import INBOX, OUTBOX, SUBJECT, mapi
from tests.support.server import HOST, PASSWORD, start_server

NAME, SMTP, DN, ENTRY_ID, PHONE, MEMBER = map(
    consts.of,
    ("DisplayName", "SmtpAddress", "EmailAddress", "EntryId", "BusinessTelephoneNumber", "AddressBookMember"),
)
T = TypeVar("T")


def line(port: int, login: str, password: str = PASSWORD) -> Line:
    secret = base64.b64encode(f"{login}:{password}".encode()).decode()
    return Line(f"http://{HOST}:{port}/mapi/nspi/?MailboxId=x", lambda: f"Basic {secret}")


def shouted(ask: Callable[[str, bytes], bytes]) -> Callable[[str, bytes], bytes]:
    """Some clients name request types in capitals: names are compared without case."""
    return lambda kind, body: ask(kind.upper(), body)


async def test_several_people_and_one_book(tmp_path):
    async with start_server(tmp_path, only=("http",)) as server:
        port = server.ports["http"]

        async def do(fn: Callable[..., T], *args: Any, **more: Any) -> T:
            return await asyncio.to_thread(fn, *args, **more)

        lines = {login: line(port, login) for login in ("alice@example.org", "bob@example.org")}

        def book(login: str) -> Client:
            return Client(shouted(Channel(lines[login].post).ask))

        staff = await server.store.write(lists.create, "staff@example.org", ["alice@example.org"])
        alice, bob = book("alice@example.org"), book("bob@example.org")
        assert await do(alice.bind) == await do(bob.bind)

        # the same list for all, in order, with ids that are the same
        rows = await do(lambda: list(alice.entries((NAME, SMTP, ENTRY_ID))))
        assert rows == await do(lambda: list(bob.entries((NAME, SMTP, ENTRY_ID))))
        assert {row.get(SMTP) for row in rows} >= {
            "alice@example.org",
            "bob@example.org",
            "staff@example.org",
        }
        assert [row[NAME].lower() for row in rows] == sorted(row[NAME].lower() for row in rows)

        # who comes is found at once, by what people type
        assert await do(alice.resolve, ["dora"], (NAME,)) == [None]
        await server.store.write(accounts.create, "dora@example.org", "person", "Dora Doe")
        assert await do(alice.resolve, ["dora doe", "nobody"], (NAME,)) == [{NAME: "Dora Doe"}, None]
        assert [row[SMTP] for row in await do(bob.search, "do", (SMTP,))] == ["dora@example.org"]

        # one's own card, and nobody else's
        [found] = await do(bob.resolve, ["bob@example.org"], (DN,))
        [mid] = await do(bob.dn_to_mids, [found[DN]])
        await do(bob.mod_props, mid, {PHONE: "+1 23"})
        assert (await do(alice.get_props, mid, (NAME, PHONE)))[PHONE] == "+1 23"
        with pytest.raises(MapiError) as refused:
            await do(alice.mod_props, mid, {PHONE: "+666"})
        assert refused.value.code == Code.ACCESS_DENIED

        # an owner puts somebody on a list; another one does not
        [mine] = await do(alice.resolve, ["staff"], (DN,))
        [group] = await do(alice.dn_to_mids, [mine[DN]])
        who = [names.permanent(0, found[DN])]
        with pytest.raises(MapiError):
            await do(bob.mod_link_att, group, MEMBER, who)
        await do(alice.mod_link_att, group, MEMBER, who)
        assert [one.address for one in server.store.peek(lists.members, staff.id)] == ["bob@example.org"]

        # the rest of the nineteen
        assert (await do(alice.get_special_table))[0][NAME] == "Global Address List"
        assert NAME in await do(alice.query_columns)
        assert NAME - 1 in await do(alice.get_prop_list, mid)
        assert (await do(alice.seek_entries, "dora", (NAME,))).table.rows[0] == ["Dora Doe"]
        state = (await do(alice.update_stat, alice.state)).state
        first = (await do(alice.query_rows, state, 2, (NAME,))).table
        assert [[rows[0][NAME]], [rows[1][NAME]]] == list(first.rows)
        assert await do(alice.compare_mids, mid, mid) == 0
        assert await do(alice.resort_restriction, [group, mid]) == [mid, group]
        assert await do(alice.get_template_info, consts.DT_MAILUSER)
        url = await do(alice.get_address_book_url)
        assert "/mapi/nspi/?MailboxId=" in url
        assert "/mapi/emsmdb/" in await do(alice.get_mailbox_url, names.of_server(server.app.config.hostname))
        with pytest.raises(MapiError) as nowhere:
            await do(alice.get_matches, None, None)
        assert nowhere.value.code == Code.GENERAL_FAILURE
        await server.store.write(accounts.create, "dorothy@example.org", "person", "Dora Day")
        with pytest.raises(MapiError) as many:
            await do(alice.resolve, ["dora d"], (NAME,))
        assert many.value.code == Code.AMBIGUOUS_RECIPIENT

        # a session outlives its connections, and one that ended is gone
        lines["alice@example.org"].close()
        assert await do(alice.query_columns)
        await do(bob.unbind)
        with pytest.raises(ChannelError) as lost:
            await do(bob.query_columns)
        assert lost.value.lost
        lines["stranger"] = line(port, "alice@example.org", "wrong")
        with pytest.raises(ChannelError) as stranger:
            await do(Client(Channel(lines["stranger"].post).ask).bind)
        assert stranger.value.status == 401
        for each in lines.values():
            each.close()


async def test_a_letter_to_who_was_found(tmp_path):
    """As clients do it: the name in the book goes into the letter, without what Connect told as a prefix."""
    async with start_server(tmp_path, only=("http",)) as server, mapi(server.ports["http"]) as box:
        post = line(server.ports["http"], "alice@example.org")
        book = Client(Channel(post.post).ask)
        await asyncio.to_thread(book.bind)
        [bob] = await asyncio.to_thread(book.resolve, ["bob"], (NAME, DN))
        post.close()
        assert bob is not None
        used = len(names.RECIPIENTS)
        row = recipients.Row(recipients.Address.X500, name=bob[NAME], prefix_used=used, x500=bob[DN][used:])
        writer = Writer()
        recipients.put(writer, row, ())
        handle = await box.open(messages.CreateMessage(0x0FFF, box.folders[OUTBOX], False))
        await box.put(handle, subject="To a colleague")
        changes = messages.Changes((), (messages.ChangedRecipient(0, 1, writer.done()),))
        await box.ask(messages.ModifyRecipients(changes), handle)
        await box.save(handle)
        await box.ask(messages.SubmitMessage(0), handle)
        async with mapi(server.ports["http"], "bob@example.org") as other, asyncio.timeout(10):
            while not (rows := await other.contents(await other.folder(INBOX), (SUBJECT, 0x0E04001F))):
                await asyncio.sleep(0.05)
        assert rows == [["To a colleague", bob[NAME]]]
