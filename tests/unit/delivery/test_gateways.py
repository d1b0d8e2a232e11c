"""Gateways between groups and lists, ours and others': each message once on each side, never in a circle."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest

from quintet.config import root
from quintet.config.gateways import Gateway
from quintet.config.load import ConfigError
from quintet.delivery import gateways
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.gateways import Gateways
from quintet.errors import Reason, Refused
from quintet.net.seam import Peer
from quintet.store import articles, bringing, check, entries, groups, lists
from quintet.store.content import content_of
from tests.unit.delivery.conftest import Out
from tests.unit.delivery.test_lists import away, run

GROUP = "local.talk"
ADDRESS = "gate@example.org"
THEIRS = "talk@lists.example"
LIST_ID = "talk.lists.example"


class Gate:
    """A gateway at work in a mail house."""

    def __init__(self, out: Out, **options: Any) -> None:
        values: dict[str, Any] = {"group": GROUP, "address": ADDRESS, "list": THEIRS, "list_id": LIST_ID}
        self.out, self.house = out, out.house
        self.gateway = Gateway(**{**values, **options})
        self.house.inbound.directory.gateways = {ADDRESS: self.gateway}
        self.work = Gateways(
            self.house.store, [self.gateway], host=self.house.office.path_host, clock=self.house.clock
        )

    async def begin(self, status: str = "y") -> None:
        await self.house.store.write(groups.create, GROUP, status)
        await self.work.round()

    async def mail(
        self, number: str, *, to: str = ADDRESS, sender: str = "talk-bounces@lists.example", more: str = "",
        list_id: str = "talk.lists.example",
    ) -> None:  # fmt: skip
        """Comes in by SMTP, as a list sends it."""
        head = f"From: Ann <ann@far.example>\r\nTo: {THEIRS}\r\nSubject: s{number}\r\n"
        head += f"Message-ID: <{number}@far>\r\n"
        head += f"List-Id: Talk <{list_id}>\r\n" if list_id else ""
        await self.send((head + more + "\r\nHello\r\n").encode(), to=to, sender=sender)

    async def send(
        self, data: bytes, *, to: str = ADDRESS, sender: str = "talk-bounces@lists.example"
    ) -> None:
        way = self.house.inbound
        made = Envelope(Peer("c1", "192.0.2.1"), helo="a.test", id="abc", sender=mailbox(sender))
        made.recipients.append(way.recipient(made, mailbox(to)))
        await way.accept(made, content_of(data))

    async def post(self, number: str, more: str = "") -> None:
        """By a news reader."""
        text = (
            f"From: Bob <bob@example.org>\r\nNewsgroups: {GROUP}\r\nSubject: s{number}\r\n"
            f"Message-ID: <{number}@news>\r\n{more}\r\nHi\r\n"
        )

        async def chunks() -> Any:
            yield text.encode()

        class Grants:
            post = approve = locally = staticmethod(lambda name: True)

        await self.house.office.post(None, Peer("n1", "192.0.2.7"), chunks(), grants=Grants())

    def articles(self) -> list[bytes]:
        store = self.house.store
        folder = store.peek(groups.find, GROUP)
        assert folder is not None
        refs = store.peek(entries.bodies, folder.id, store.peek(entries.uids, folder.id).tolist())
        return [store.read_body(ref) for ref in refs.values()]

    async def sent(self) -> list[bytes]:
        """What waits for addresses elsewhere."""
        return [await self.house.queued_bytes(row) for row in await away(self.out)]


async def test_mail_of_a_list_becomes_an_article_with_its_id(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    await gate.mail("1")
    (text,) = gate.articles()
    assert b"Message-ID: <1@far>\r\n" in text
    assert b"List-Id: Talk <talk.lists.example>\r\n" in text
    assert f"X-Gateway: {GROUP} {ADDRESS} at {gate.house.office.path_host}\r\n".encode() in text
    assert gate.house.store.peek(articles.by_message_id, "<1@far>") is not None
    await gate.mail("1")  # by a second path
    assert len(gate.articles()) == 1
    assert await gate.work.round() == 0  # it came from the list
    assert gate.house.store.peek(check.everything) == []


async def test_other_mail_for_the_address_is_refused(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    for list_id in ("", "other.lists.example", "talk.lists.example.evil"):
        with pytest.raises(Refused) as refused:
            await gate.mail("1", list_id=list_id)
        assert refused.value.reason is Reason.NO_PERMISSION
    assert gate.articles() == []


async def test_without_list_id_whatever_comes_is_posted_but_no_reports(out: Out) -> None:
    gate = Gate(out, list_id="")
    await gate.begin()
    await gate.mail("1", list_id="", sender="ann@far.example")
    await gate.mail("2", list_id="", sender="")
    await gate.mail("3", list_id="", more="Auto-Submitted: auto-replied\r\n")
    assert len(gate.articles()) == 1


async def test_articles_become_mail_to_the_list_once(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    await gate.post("1", "Followup-To: poster\r\nReferences: <0@news>\r\n")
    assert await gate.work.round() == 1
    assert await gate.work.round() == 0
    (text,) = await gate.sent()
    (row,) = await away(out)
    assert (row.address, row.sender) == (THEIRS, ADDRESS)
    made = email.message_from_bytes(text, policy=email.policy.default)
    assert made["To"] == THEIRS
    assert made["Message-ID"] == "<1@news>"
    assert made["From"] == "Bob <bob@example.org>"
    assert made["References"] == "<0@news>"
    assert made["X-Loop"] == ADDRESS
    assert made.get_content() == "Hi\r\n"
    for name in ("Path", "Xref"):
        assert made[name] is None
    assert made["Newsgroups"] == GROUP
    (article,) = gate.articles()
    assert text.partition(b"X-Loop: " + ADDRESS.encode() + b"\r\n")[2] in article  # one blob, two prefixes
    ref = gate.house.store.peek(entries.message_body, row.message_row)
    folder = gate.house.store.peek(groups.find, GROUP)
    assert folder is not None
    assert ref.blob_id == gate.house.store.peek(entries.bodies, folder.id, [1])[1].blob_id


async def test_an_article_that_mail_would_misread_is_written_anew(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    await gate.post("1", "To: someone@else.example\r\nExpires: Fri, 28 Nov 2025 09:00:00 +0000\r\n")
    await gate.work.round()
    made = email.message_from_bytes((await gate.sent())[0], policy=email.policy.default)
    assert made.get_all("To") == [THEIRS]
    for name in ("Path", "Xref", "Injection-Info", "Cancel-Lock", "Expires"):
        assert made[name] is None
    assert made["Injection-Date"] or made["Date"]  # RFC 5537 3.10.1


async def test_the_gateway_answers_for_what_it_posts(out: Out) -> None:
    """RFC 5537 3.10.2: a Sender of its own; the one that was there is kept by another name (3.10.3)."""
    gate = Gate(out)
    await gate.begin()
    await gate.mail("1", more="Sender: talk-owner@lists.example\r\n")
    made = email.message_from_bytes(gate.articles()[0], policy=email.policy.default)
    assert made["Sender"] == f'"Gateway of {GROUP}" <usenet@{gate.house.office.path_host}>'
    assert made["Original-Sender"] == "talk-owner@lists.example"


async def test_what_comes_back_from_the_list_goes_no_further(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    await gate.post("1")
    await gate.work.round()
    (text,) = await gate.sent()
    mail = text[text.index(b"To:") :]
    head = b"List-Id: <talk.lists.example>\r\n"
    for back in (
        mail,
        mail.replace(b"<1@news>", b"<new@lists>"),  # another id
        mail.replace(b"<1@news>", b"<new2@lists>").replace(b"X-Gateway", b"X-G"),
        mail.replace(b"X-Loop", b"X-L").replace(b"X-Gateway", b"X-G"),  # the id is all that is left
    ):
        await gate.send(head + back)
    assert len(gate.articles()) == 1
    assert await gate.work.round() == 0
    assert len(await gate.sent()) == 1


async def test_only_from_the_time_of_the_gateway_on_and_nothing_is_lost_between_rounds(out: Out) -> None:
    gate = Gate(out)
    await gate.house.store.write(groups.create, GROUP)
    await gate.post("old")
    await gate.work.round()
    for number in range(3):
        await gate.post(str(number))
    await gate.post("c", "Control: cancel <x@y>\r\n")
    assert await gate.work.round() == 3
    other = Gateways(gate.house.store, [gate.gateway], host="x", clock=gate.house.clock)
    assert await other.round() == 0
    assert len(await gate.sent()) == 3


async def test_a_group_that_is_made_later_loses_nothing_before_the_next_look(out: Out) -> None:
    gate = Gate(out, digest_to=("dora@far.example",), digest_hours=2.0)
    assert await gate.work.round() == 0  # there is no group yet
    gate.house.clock.advance(5)
    await gate.house.store.write(groups.create, GROUP)
    for number in range(2):
        await gate.post(str(number))
    gate.house.clock.advance(25)
    again = Gateways(gate.house.store, [gate.gateway], host="x", clock=gate.house.clock)  # after a restart
    assert await again.round() == 2
    assert await again.round() == 0
    assert {row.address for row in await away(out)} == {THEIRS}
    gate.house.clock.advance(2 * 3600)
    assert await again.round() == 1
    made = email.message_from_bytes((await gate.sent())[-1], policy=email.policy.default)
    assert made["Subject"] == f"{GROUP} digest, 2 articles"


async def test_what_was_brought_into_a_later_group_from_before_is_not_mailed(out: Out) -> None:
    gate = Gate(out)
    old = gate.house.clock.now() - 86_400_000
    await gate.work.round()
    gate.house.clock.advance(5)
    folder = await gate.house.store.write(groups.create, GROUP)
    text = b"From: a@b.example\r\nSubject: s\r\nMessage-ID: <old@x>\r\nNewsgroups: local.talk\r\n\r\nx\r\n"
    one = bringing.Brought("<old@x>", ((folder.id, 7),), content_of(text), b"x!y", b"x local.talk:7", old)
    assert await gate.house.store.write(bringing.bring, [one], "spool", "1") == 1
    await gate.post("new")
    assert await gate.work.round() == 1
    assert b"Message-ID: <new@news>" in (await gate.sent())[0]


async def test_directions(out: Out) -> None:
    gate = Gate(out, direction="to_group")
    await gate.begin()
    await gate.post("1")
    assert await gate.work.round() == 0
    gate = Gate(out, direction="to_list")
    await gate.work.round()
    await gate.mail("2")  # what the list sends is passed over
    assert len(gate.articles()) == 1
    await gate.post("3")
    assert await gate.work.round() == 1


async def test_moderated_group_believes_the_list(out: Out) -> None:
    gate = Gate(out)
    await gate.begin("m")
    await gate.mail("1", more="Approved: somebody@else\r\n")
    (text,) = gate.articles()
    assert text.count(b"Approved:") == 1
    assert f"Approved: {ADDRESS}\r\n".encode() in text


async def test_with_a_list_of_ours_both_ways(out: Out) -> None:
    ours = "talk@example.org"
    found = await out.house.store.write(lists.create, ours, ["carol@example.org"])
    for member in (ADDRESS, "alice@example.org", "dora@elsewhere.example"):
        await out.house.store.write(lists.join, found.id, member)
    gate = Gate(out, list=ours, list_id="talk.example.org")
    await gate.begin()
    # a member writes to the list: everybody has it, the group too
    text = b"From: alice@example.org\r\nSubject: one\r\nMessage-ID: <one@x>\r\n\r\nx\r\n"
    await gate.send(text, to=ours, sender="alice@example.org")
    await run(out)
    assert [b"<one@x>" in text for text in gate.articles()] == [True]
    assert await gate.work.round() == 0
    # a reader posts to the group: the members have it, and it does not come back
    await gate.post("two")
    assert await gate.work.round() == 1
    await run(out)
    assert b"Message-ID: <two@news>" in await out.house.last("alice")
    assert len(gate.articles()) == 2
    assert await gate.work.round() == 0
    assert len(await away(out)) == 2  # dora's copies
    assert out.house.store.peek(check.everything) == []


async def test_digest_gathers_what_is_new(out: Out) -> None:
    to = ("dora@far.example", "eve@far.example")
    gate = Gate(out, list="", digest_to=to, digest_hours=2.0, digest_most=2)
    await gate.begin()
    for number in range(3):
        await gate.post(str(number))
    assert await gate.work.round() == 0
    gate.house.clock.advance(2 * 3600)
    assert await gate.work.round() == 2
    rows = await away(out)
    assert sorted(row.address for row in rows) == ["dora@far.example"] * 2 + ["eve@far.example"] * 2
    made = email.message_from_bytes(await gate.house.queued_bytes(rows[0]), policy=email.policy.default)
    assert made["Subject"] == f"{GROUP} digest, 2 articles"
    contents, inner = made.iter_parts()
    assert "1. s0 (Bob <bob@example.org>)" in contents.get_content()
    assert inner.get_content_type() == "multipart/digest"
    assert [part.get_content()["Message-ID"] for part in inner.iter_parts()] == ["<0@news>", "<1@news>"]
    assert not made.defects
    assert await gate.work.round() == 0
    gate.house.clock.advance(2 * 3600)
    assert await gate.work.round() == 0  # nothing is new


async def test_a_digest_that_was_posted_is_in_no_other_digest(out: Out) -> None:
    """Two groups that get each other's digests by lists would double them with each round."""
    gate = Gate(out, list="", digest_to=("dora@far.example",), digest_hours=2.0)
    await gate.begin()
    await gate.post("0")
    gate.house.clock.advance(2 * 3600)
    assert await gate.work.round() == 1
    (row,) = await away(out)
    made = email.message_from_bytes(await gate.house.queued_bytes(row), policy=email.policy.default)
    await gate.post("1", more=f"Auto-Submitted: {made['Auto-Submitted']}\r\nX-Loop: other@example.org\r\n")
    gate.house.clock.advance(2 * 3600)
    assert await gate.work.round() == 0
    await gate.post("2", more="X-Loop: other@example.org\r\n")
    gate.house.clock.advance(2 * 3600)
    assert await gate.work.round() == 1


async def test_one_process_at_a_time(out: Out) -> None:
    gate = Gate(out)
    await gate.begin()
    await gate.post("1")
    from quintet.store import jobs

    store = gate.house.store
    assert await store.write(jobs.lease, "gateways", "another", store.clock.now() + 60_000) is not None
    assert await gate.work.round() == 0
    gate.house.clock.advance(61)
    assert await gate.work.round() == 1


@pytest.mark.parametrize("options", [{}, {"list": "", "digest_to": ("dora@far.example",)}])
async def test_lease_that_runs_out_in_a_round_mails_nothing_twice(out: Out, options: dict[str, Any]) -> None:
    gate = Gate(out, **options)
    await gate.begin()
    await gate.post("1")
    gate.house.clock.advance(24 * 3600)
    other = Gateways(gate.house.store, [gate.gateway], host="x", clock=gate.house.clock)
    fresh = gate.work._fresh

    async def slow(*args: Any) -> Any:
        found = await fresh(*args)
        gate.house.clock.advance(gateways.LEASE_MS / 1000 + 1)
        assert await other.round() == 1
        return found

    gate.work._fresh = slow  # type: ignore[method-assign]
    with pytest.raises(Refused, match="gateways"):  # the lease is not ours to give back
        await gate.work.round()
    assert len(await gate.sent()) == 1


async def test_no_more_is_held_at_once_than_fits(out: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "MAX_HELD", 600)
    gate = Gate(out)
    await gate.begin()
    for number in range(3):
        await gate.post(str(number), f"X-Long: {'x' * 500}\r\n")
    store = gate.house.store
    folder = store.peek(groups.find, GROUP)
    assert folder is not None
    found, upto = await gate.work._fresh(folder, 0)
    assert ([one.uid for one in found], upto) == ([1], 1)
    assert await gate.work.round() == 3
    assert len(await gate.sent()) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("address = 'a@b'", "gateway.0.group: expected a newsgroup"),
        ("group = 'a.b'", "gateway.0.address: expected an address"),
        ("group = 'a.b'\naddress = 'a@b'\nlist = 'A@b'", "gateway.0.list: must not be the gateway's own"),
        ("group = 'a.b'\naddress = 'a@b'\ndirection = 'to_list'", "gateway.0.list: expected the address"),
        ("group = 'a.b'\naddress = 'a@b'\ndigest_to = ['x']", "gateway.0.digest_to: expected an address"),
    ],
)
def test_gateways_that_cannot_work_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        root.from_text(f"[[gateway]]\n{text}\n")
    assert words in str(refused.value.faults[0])


def test_one_address_is_one_gateway() -> None:
    block = "[[gateway]]\ngroup = 'a.b'\naddress = 'a@b'\n"
    with pytest.raises(ConfigError, match="another gateway has it"):
        root.from_text(block + block)
