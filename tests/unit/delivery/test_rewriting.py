"""Addresses that are called something else: canonical(5) on the way in, generic(5) on the way out."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.auth.identity import Identity
from quintet.config import root
from quintet.config.load import ConfigError
from quintet.config.rewrite import Rewrite
from quintet.delivery import addressmap
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.inbound import Inbound
from quintet.delivery.rewriting import Canonical, Generic
from quintet.errors import Reason, Refused, TryLater
from quintet.net.memory import converse
from quintet.net.seam import CHUNK
from quintet.smtp.desk import Role
from quintet.store import accounts, queue
from quintet.store.content import Content, content_of
from tests.support.mailhouse import MailHouse, envelope, inbound, mail_house
from tests.support.nexthost import next_host

LETTER = content_of(
    b'From: Al <al@inside.example.org>\r\nTo: (al@inside.example.org) "al@inside.example.org"\r\n'
    b" <al@inside.example.org>,\r\n zoe@example.net\r\nSubject: al@inside.example.org\r\n\r\nbody\r\n"
)


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("entries", "address", "becomes"),
    [
        ({"al@a.example": "alice@example.org"}, "al@a.example", "alice@example.org"),
        ({"Al@A.example": "alice@example.org"}, "aL@a.EXAMPLE", "alice@example.org"),
        ({"al@a.example": "alice@example.org"}, "al+work@a.example", "alice+work@example.org"),
        (
            {"al@a.example": "x@y.example", "al+work@a.example": "z@y.example"},
            "al+work@a.example",
            "z@y.example",
        ),
        ({"al": "alice@example.org"}, "al@ours.example", "alice@example.org"),
        ({"al": "alice@example.org"}, "al@a.example", "al@a.example"),  # a domain that is not ours
        ({"@a.example": "@b.example", "al@a.example": "x@y.example"}, "al@a.example", "x@y.example"),
        ({"@a.example": "@b.example"}, "Al+Work@a.example", "Al+Work@b.example"),
        ({"@a.example": "all@b.example"}, "al@a.example", "all@b.example"),
        ({"@.example.org": "@example.org"}, "al@host.inside.example.org", "al@example.org"),
        ({"@.example.org": "@example.org"}, "al@example.org", "al@example.org"),
        (
            {"@.inside.example.org": "@i.example", "@.example.org": "@o.example"},
            "a@x.inside.example.org",
            "a@i.example",
        ),
        ({"/^(.+)\\.(.+)@a\\.example$/": "$2.${1}@$(1).example"}, "al.bo@a.example", "bo.al@al.example"),
        ({"/.*/": "root@example.org", "@a.example": "@b.example"}, "al@a.example", "al@b.example"),
        (
            {"/^(.*)@a/": "$1 x@b.example"},
            "al@a.example",
            "al@a.example",
        ),  # what is no address changes nothing
        ({"@bücher.example": "@books.example"}, "al@xn--bcher-kva.example", "al@books.example"),
        ({"al@a.example": '"al x"@b.example'}, "al@a.example", '"al x"@b.example'),
    ],
)
def test_keys_of_canonical_5(entries, address, becomes):
    found = addressmap.of(entries).find(mailbox(address), lambda domain: domain == "ours.example")
    assert str(found or mailbox(address)) == becomes


def test_source_of_a_table_of_postfix():
    table = addressmap.read(
        "# remark\n\nal@a.example\t alice@example.org  \n@b.example\n  @c.example\n/^x y@/ z@example.org\n"
    )
    assert table.plain == {"al@a.example": "alice@example.org", "@b.example": "@c.example"}
    assert table.find(Mailbox("x y", "d.example"), lambda _: False) == Mailbox("z", "example.org")


UNFIT = [
    "alone\n", "al@a.example nobody\n", "/(/ a@b\n", "al@a.example a@b c@d\n",
    "/(.{4294967296}@f/ $1@g\n", f"/{'(' * 9000}a{')' * 9000}/ a@b\n",
]  # fmt: skip


@pytest.mark.parametrize("text", UNFIT)
def test_table_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"[a-z]"):
        addressmap.read(text)


@pytest.mark.parametrize(
    "text",
    [
        'canonical = {"a@b" = "c"}',
        'generic = {"/(/" = "a@b"}',
        'canonical_classes = ["header"]',
        'headers_of = "x"',
    ],
)
def test_mistakes_are_told_when_the_configuration_is_read(text):
    with pytest.raises(ConfigError):
        root.from_text(f"[rewrite]\n{text}\n")


def canonical(house: MailHouse, **more) -> Inbound:
    found = Canonical(Rewrite(**more), clock=house.clock, ours=house.inbound.directory.is_local)
    return inbound(house, canonical=found)


async def taken(
    way: Inbound, *names: str, sender: str = "al@inside.example.org", ours: bool = True, content=LETTER
):
    """One message; ``ours``: of somebody who logged in."""
    made = envelope(way)
    made.sender = mailbox(sender)
    if ours:
        alice = way.store.peek(accounts.find, "alice@example.org")
        made.identity = Identity(alice.id, alice.name, "PLAIN", "smtp")
    made.recipients = [way.recipient(made, mailbox(name)) for name in names]
    await way.accept(made, content)


async def test_sender_and_header_get_the_canonical_name(house):
    way = canonical(house, canonical={"al@inside.example.org": "alice@example.org"})
    await taken(way, "bob@example.org", "zoe@example.net")
    found = await house.last("bob")
    assert found.startswith(b"Return-Path: <alice@example.org>\r\n")
    assert found.endswith(
        b'From: Al <alice@example.org>\r\nTo: (al@inside.example.org) "al@inside.example.org"\r\n'
        b" <alice@example.org>,\r\n zoe@example.net\r\nSubject: al@inside.example.org\r\n\r\nbody\r\n"
    )
    assert [row.sender for row in await house.queued()] == ["alice@example.org"]


async def test_header_of_a_stranger_is_left_unless_all_are_meant(house):
    """Postfix's local_header_rewrite_clients: signatures of others would break."""
    names = {"al@inside.example.org": "alice@example.org"}
    await taken(canonical(house, canonical=names), "bob@example.org", ours=False)
    assert b"From: Al <al@inside.example.org>" in await house.last("bob")
    await taken(canonical(house, canonical=names, headers_of="everybody"), "bob@example.org", ours=False)
    assert b"From: Al <alice@example.org>" in await house.last("bob")


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        (("envelope_sender",), {"return-path"}),
        (("header_sender",), {"from"}),
        (("header_recipient",), {"to"}),
        (("envelope_recipient",), set()),
        (("envelope_sender", "header_recipient"), {"return-path", "to"}),
    ],
)
async def test_only_the_classes_that_are_named_change(house, wanted, changed):
    way = canonical(
        house, canonical={"al@inside.example.org": "alice@example.org"}, canonical_classes=list(wanted)
    )
    await taken(way, "bob@example.org")
    fields = dict.fromkeys(("return-path", "from", "to"), False)
    block = (await house.last("bob")).partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    for line in block.split(b"\r\n"):
        name = line.partition(b":")[0].decode().lower()
        if name in fields:
            fields[name] = b"<alice@example.org>" in line
    assert {name for name, new in fields.items() if new} == changed


async def test_maps_of_senders_and_of_recipients_come_before_the_common_one(house):
    way = canonical(
        house,
        sender_canonical={"al@inside.example.org": "s@inside.example.org"},
        recipient_canonical={"al@inside.example.org": "r@inside.example.org"},
        canonical={"@inside.example.org": "@example.org"},
    )
    await taken(way, "bob@example.org")
    found = await house.last("bob")
    assert found.startswith(b"Return-Path: <s@example.org>\r\n")
    assert b"From: Al <s@example.org>\r\n" in found
    assert b"\r\n <r@example.org>,\r\n" in found


async def test_recipient_is_who_has_the_canonical_name(house):
    """The new name must exist, and reports name the old one (RFC 3461 4.2)."""
    way = canonical(
        house,
        canonical={"Al@example.org": "alice@example.org", "gone@example.org": "nobody@example.org"},
    )
    await taken(way, "al@example.org", ours=False)
    assert b"\r\nOriginal-Recipient: rfc822; al@example.org\r\n" in await house.last("alice")
    with pytest.raises(Refused) as caught:
        await taken(way, "gone@example.org", ours=False)
    assert caught.value.reason is Reason.NO_SUCH_ADDRESS


async def test_canonical_names_open_no_relay(house):
    """A name of ours may lead elsewhere, as an alias may; mail for elsewhere is still not taken."""
    way = canonical(
        house, canonical={"al@example.org": "al@elsewhere.example", "@far.example": "@elsewhere.example"}
    )
    await taken(way, "al@example.org", ours=False)
    assert [row.address for row in await house.queued()] == ["al@elsewhere.example"]
    with pytest.raises(Refused) as caught:
        await taken(way, "zoe@far.example", ours=False)
    assert caught.value.reason is Reason.RELAY_DENIED


async def test_null_sender_has_no_other_name(house):
    await taken(
        canonical(house, sender_canonical={"/^.*$/": "all@example.org"}),
        "bob@example.org",
        sender="",
        content=LETTER,
    )
    assert (await house.last("bob")).startswith(b"Return-Path: <>\r\n")


async def test_file_is_read_again_when_it_changes_and_mail_waits_while_there_is_none(house, tmp_path):
    file = tmp_path / "canonical"
    way = canonical(house, canonical_file=str(file))
    with pytest.raises(TryLater):
        await taken(way, "al@example.org", ours=False)
    for number, name in enumerate(("alice", "bob")):
        file.write_text(f"al@example.org {name}@example.org\n" + "# \n" * number)
        house.clock.advance(3.0)
        await taken(way, "al@example.org", ours=False)
        assert await house.count(name) == 1


async def test_letter_in_a_file_gets_its_header_too(house):
    body = b"x" * 70 + b"\r\n"
    spool = house.store.spool()
    spool.write(b"From: al@inside.example.org\r\nMessage-ID: <big@x>\r\n\r\n" + body * 20_000)
    content: Content = await spool.finish()
    assert content.data is None
    way = canonical(house, canonical={"al@inside.example.org": "alice@example.org"})
    await taken(way, "bob@example.org", content=content)
    found = await house.last("bob")
    assert found.endswith(b"From: alice@example.org\r\nMessage-ID: <big@x>\r\n\r\n" + body * 20_000)


async def test_account_sends_under_a_name_that_becomes_its_own(house):
    """RFC 6409 6.1: nobody else does; and no Sender tells of a name that is nobody's."""
    house.inbound = canonical(house, canonical={"al@inside.example.org": "alice@example.org"})
    house.role = Role.SUBMISSION
    start = b"EHLO a.test\r\nAUTH PLAIN %b\r\nMAIL FROM:<al@inside.example.org>\r\n"
    letter = b"RCPT TO:<bob@example.org>\r\nDATA\r\nFrom: al@inside.example.org\r\n\r\nx\r\n.\r\n"
    alice, bob = (base64.b64encode(b"\0%b@example.org\0demo" % name) for name in (b"alice", b"bob"))
    said = await converse(house.service, start % alice + letter, tls=True)
    assert b"\r\n250 2.0.0 OK " in said, said
    found = await house.last("bob")
    assert found.startswith(b"Return-Path: <alice@example.org>\r\n")
    assert b"\r\nFrom: alice@example.org\r\n" in found
    assert b"\r\nSender:" not in found
    said = await converse(house.service, start % bob, tls=True)
    assert said.endswith(b"550 5.7.1 Sender address not yours\r\n")


async def test_vrfy_knows_the_names_that_rcpt_takes(house):
    """RFC 5321 3.5.3: what VRFY says is what would become of mail."""
    house.configure(replace(house.config, verify="everybody"))
    house.inbound = canonical(house, canonical={"al@example.org": "alice@example.org"})
    said = await converse(house.service, b"EHLO a.test\r\nVRFY al@example.org\r\n")
    assert said.endswith(b"250 2.1.5 <alice@example.org>\r\n")


# --- on the way out --------------------------------------------------------------------------------------


def generic(out) -> Generic:
    config = Rewrite(
        generic={"alice@example.org": "me@provider.example", "@lan.example": "me+lan@provider.example"}
    )
    return Generic(config, clock=out.house.clock, ours=out.house.inbound.directory.is_local)


def _runner(out, routes):
    made = out.runner(routes=routes)
    made._attempts._generic = generic(out)
    return made


async def test_next_host_hears_the_generic_names_only(out, to_host):
    """generic(5): envelope and header, sender and recipient; the queue and its reports keep the names."""
    async with next_host(replies={"RCPT TO:<ME+LAN": "550 5.1.1 who is that"}) as host:
        await out.queue("zoe@example.net", "bob@lan.example", "alice@example.org.example")
        await _runner(out, to_host(host.port)).once()
    assert host.heard[1:5] == [
        f"MAIL FROM:<me@provider.example> SIZE={len(host.messages[0])}",
        "RCPT TO:<zoe@example.net>",
        "RCPT TO:<me+lan@provider.example>",
        "RCPT TO:<alice@example.org.example>",
    ]
    assert b"\r\nFrom: me@provider.example\r\nMessage-ID: <1@example.org>\r\n" in host.messages[0]
    report = await out.house.last("alice")
    assert b"Final-Recipient: rfc822; bob@lan.example" in report
    assert b"provider" not in report.replace(b"RCPT TO:<me+lan@provider.example>", b"")


async def test_lmtp_is_no_way_out_to_the_world(out, to_host):
    async with next_host(lmtp=True) as host:
        await out.queue("zoe@example.net")
        await _runner(out, to_host(host.port, via="lmtp")).once()
    assert b"From: alice@example.org\r\n" in host.messages[0]


@pytest.mark.parametrize("eight_bit", [False, True])
async def test_large_letter_and_one_made_seven_bits_are_rewritten_too(out, to_host, eight_bit):
    line = ("ä" * 30 if eight_bit else "x" * 60).encode() + b"\r\n"
    body = line * (10 if eight_bit else 4 * CHUNK // len(line))
    mime = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" if eight_bit else b""
    data = b"From: alice@example.org\r\nMessage-ID: <1@example.org>\r\n" + mime + b"\r\n" + body
    async with next_host(offers=["PIPELINING", "SIZE"]) as host:
        spool = out.house.store.spool()
        spool.write(data)
        item = queue.QueueItem(await spool.finish(), "alice@example.org", b"Received: from a by b; x\r\n")
        await out.house.store.write(queue.put, item, [queue.To("zoe@example.net")])
        await _runner(out, to_host(host.port)).once()
    (got,) = host.messages
    assert b"\r\nFrom: me@provider.example\r\nMessage-ID: <1@example.org>\r\n" in got
    assert got.isascii()
    assert eight_bit or got.endswith(b"\r\n\r\n" + body)
    assert host.heard[1] == f"MAIL FROM:<me@provider.example> SIZE={len(got)}"


def test_an_expression_that_takes_too_long_is_cut_off():
    table = addressmap.of({"/(a+)+$/": "x@y.example", "@b.example": "@c.example"})
    with pytest.raises(TryLater) as caught:
        table.find(Mailbox("a" * 40, "d.example1"), lambda domain: False)
    assert caught.value.reason is Reason.BUSY
    assert table.find(Mailbox("b", "b.example"), lambda domain: False) == Mailbox("b", "c.example")
