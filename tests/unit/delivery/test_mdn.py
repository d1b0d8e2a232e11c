"""Receipts: RFC 8098 (who may be sent one, and what stands in it), RFC 3503 ($MDNSent)."""

import asyncio
import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.clock import FrozenClock
from quintet.delivery import mdn, receipts
from quintet.delivery.envelope import NULL, Mailbox, mailbox
from quintet.message import scan
from quintet.store import accounts, entries, folders, reading
from quintet.store import receipts as due
from quintet.store.content import content_of
from quintet.store.model import DRAFT, SEEN

NOW = FrozenClock().now()
PREFIX = b"Return-Path: <zoe@example.net>\r\nDelivered-To: bob@example.org\r\n"
ASKS = b"Disposition-Notification-To: Zoe <zoe@example.net>\r\n"
LETTER = ASKS + b"Message-ID: <1@example.net>\r\nSubject: =?utf-8?q?z=C3=BCrich?=\r\n\r\nbody\r\n"


# --- 2.1, 2.2: who may be sent one without asking ---------------------------------------------------


@pytest.mark.parametrize(
    ("header", "prefix", "expected"),
    [
        (ASKS, PREFIX, "zoe@example.net"),
        (ASKS.replace(b"@example.net", b"@EXAMPLE.net"), PREFIX, "zoe@example.net"),
        (ASKS.replace(b"zoe@", b'"zoe"@'), PREFIX, "zoe@example.net"),  # quoting does not count
        (ASKS.replace(b"zoe@", b"ZOE@"), PREFIX, ""),  # the local part has a case
        (ASKS.replace(b"zoe@", b"yan@"), PREFIX, ""),  # differs from Return-Path
        (ASKS, b"Return-Path: <>\r\n", ""),
        (ASKS, b"Received: from a\r\n", ""),  # no Return-Path
        (ASKS.replace(b"\r\n", b", yan@example.net\r\n"), PREFIX, ""),  # more than one address
        (ASKS.replace(b"\r\n", b", zoe@example.net\r\n"), PREFIX, "zoe@example.net"),  # not distinct
        (ASKS + ASKS, PREFIX, ""),
        (b"Subject: x\r\n", PREFIX, ""),
        (ASKS + b"Disposition-Notification-Options: x=required,1\r\n", PREFIX, ""),  # 2.2
        (ASKS + b"Disposition-Notification-Options: x=optional,1\r\n", PREFIX, "zoe@example.net"),
        (ASKS + b"List-Id: <l.example.net>\r\n", PREFIX, ""),
        (ASKS + b"Precedence: bulk\r\n", PREFIX, ""),
        (ASKS + b"Auto-Submitted: auto-generated\r\n", PREFIX, ""),
        (ASKS + b"Newsgroups: a.b\r\n", PREFIX, ""),  # 2.1
        (ASKS + b"Content-Type: multipart/report; boundary=x\r\n", PREFIX, ""),  # a receipt is never answered
    ],
)
def test_who_may_be_sent_a_receipt(header, prefix, expected):
    assert str(mdn.asked_by(scan.scan(header + b"\r\nx\r\n"), prefix)) == expected


# --- 3: the receipt -----------------------------------------------------------------------------


def receipt(to="zoe@example.net", **more) -> bytes:
    values = {
        "reader": mailbox("bob@example.org"),
        "name": "",
        "subject": "x",
        "message_id": "<1@example.net>",
        "original": "rfc822; Bob@Example.Org",
        "header": b"Subject: x\r\n\r\n",
    }
    read = mdn.Read(**{**values, **{k: v for k, v in more.items() if k in values}})
    return mdn.notification(
        mailbox(to), read, language=more.get("language", "en"), hostname="mx.test", now=NOW, token="t",
        seven_bit=more.get("seven_bit", False),
    )  # fmt: skip


def test_receipt_has_the_fields_of_rfc_8098():
    data = receipt(name='Bob "B" Bee')
    whole = email.message_from_bytes(data, policy=email.policy.default)
    assert whole["From"].addresses[0].display_name == 'Bob "B" Bee'
    assert whole["To"] == "zoe@example.net"
    assert whole["Subject"] == "Read: x"
    assert whole["Disposition-Notification-To"] is None
    assert whole.get_param("report-type") == "disposition-notification"
    parts = list(whole.iter_parts())
    assert [part.get_content_type() for part in parts] == [
        "text/plain",
        "message/disposition-notification",
        "text/rfc822-headers",
    ]
    fields = data[data.index(b"Reporting-UA:") :].split(b"\r\n--")[0]
    assert fields.split(b"\r\n") == [
        b"Reporting-UA: mx.test; Quintet",
        b"Original-Recipient: rfc822; Bob@Example.Org",
        b"Final-Recipient: rfc822; bob@example.org",
        b"Original-Message-ID: <1@example.net>",
        b"Disposition: manual-action/MDN-sent-automatically; displayed",
        b"",
    ]


def test_receipt_about_utf8_addresses_is_global():
    """RFC 6533 5."""
    data = receipt(reader=mailbox("zoë@example.org"))
    assert b"message/global-disposition-notification" in data
    assert "Final-Recipient: utf-8; zoë@example.org".encode() in data
    narrow = receipt(reader=mailbox("zoë@example.org"), seven_bit=True)
    assert b"Final-Recipient: utf-8; zo\\x{EB}@example.org" in narrow


def test_receipt_in_the_language_of_its_reader():
    whole = email.message_from_bytes(receipt(language="ru"), policy=email.policy.default)
    assert whole["Subject"] == "Прочитано: x"
    assert "was displayed" in next(iter(whole.iter_parts())).get_content()


@given(name=st.text(max_size=30), subject=st.text(max_size=50), original=st.text(max_size=50))
def test_nothing_that_others_wrote_becomes_a_field(name, subject, original):
    whole = email.message_from_bytes(receipt(name=name, subject=subject, original=original))
    assert " ".join(whole.keys()) == (
        "From To Subject Date Message-ID In-Reply-To References Auto-Submitted MIME-Version Content-Type"
    )
    fields = whole.get_payload()[1].get_payload()[0]
    assert set(fields.keys()) <= {
        "Reporting-UA", "Original-Recipient", "Final-Recipient", "Original-Message-ID", "Disposition",
    }  # fmt: skip
    assert fields["Final-Recipient"] == "rfc822; bob@example.org"


@given(st.binary(max_size=300), st.binary(max_size=200))
def test_any_header_is_looked_at_without_harm(header, prefix):
    found = mdn.asked_by(scan.scan(header), prefix)
    assert found == NULL or isinstance(found, Mailbox)


# --- when it is sent ------------------------------------------------------------------------------


class Desk:
    """bob's Inbox in a house, with one letter."""

    def __init__(self, house) -> None:
        self.house = house

    async def given(self, setting="always", data=LETTER, prefix=PREFIX, flags=0, keywords=(), place="INBOX"):
        store = self.house.store
        self.account = await self.house.account_id("bob")
        await store.write(accounts.change, self.account, mdn=setting, display_name="Bob")
        self.folder = store.peek(folders.find, self.account, place).id
        await store.write(
            entries.add, [self.folder], content_of(data), prefix=prefix, received_at=1, flags=flags,
            keywords=keywords,
        )  # fmt: skip
        return self

    async def opens(self, opened=True):
        note = reading.by("c1", self.account, "imap", opened=opened)
        await self.house.store.write(entries.set_flags, self.folder, [1], "+", SEEN, (), trace_note=note)

    async def later(self, seconds=301):
        self.house.clock.advance(seconds)
        inbound = self.house.inbound
        more = await receipts.send(inbound.store, inbound.reports, hostname="mx.test", clock=inbound.clock)
        assert more is False

    def keywords(self):
        return self.house.store.peek(entries.get, self.folder, 1).keywords


@pytest.fixture
def desk(out):
    return Desk(out.house)


async def test_receipt_is_sent_once_after_a_wait(desk):
    await desk.given()
    await desk.opens()
    await desk.later(60)
    assert await desk.house.queued() == []  # bob's program may send its own
    await desk.later()
    (row,) = await desk.house.queued()
    assert (row.address, row.sender) == ("zoe@example.net", "")
    data = await desk.house.queued_bytes(row)
    assert b'From: "Bob" <bob@example.org>\r\n' in data
    assert b"Subject: =?utf-8?" in data
    assert b"Delivered-To" not in data  # what we wrote above it is bob's
    assert desk.keywords() == ("$MDNSent",)
    await desk.opens()
    await desk.later()
    assert len(await desk.house.queued()) == 1
    assert "receipt" in [event.event for event in desk.house.traced()]


@pytest.mark.parametrize(
    "given",
    [
        {"setting": "never"},
        {"setting": "ask"},
        {"keywords": ("$mdnsent",)},  # RFC 3503: without case
        {"flags": DRAFT},
        {"place": "Junk"},
        {"prefix": b"Return-Path: <>\r\n"},
        {"data": b"Subject: x\r\n\r\n"},
    ],
)
async def test_no_receipt(desk, given):
    await desk.given(**given)
    await desk.opens()
    await desk.later()
    assert await desk.house.queued() == []
    assert desk.house.store.peek(due.ready) == []


@pytest.mark.parametrize("setting,sent", [("never", 0), ("ask", 1), ("always", 1)])
async def test_receipt_that_the_readers_program_wants_is_sent_at_once(desk, setting, sent):
    await desk.given(setting=setting)
    write = desk.house.store.write
    await write(due.asked, desk.account, desk.folder, [1, 7])
    await desk.opens()
    await desk.later(0)
    assert len(await desk.house.queued()) == sent
    await write(due.asked, desk.account, desk.folder, [1])  # it is read already
    await write(due.asked, desk.account, desk.folder, [1], again=True)
    await desk.later()
    assert len(await desk.house.queued()) == sent  # $MDNSent


async def test_receipt_that_the_readers_program_does_not_want_is_not_sent(desk):
    await desk.given()
    await desk.opens()
    await desk.house.store.write(due.cancel, desk.folder, [1])
    await desk.later()
    assert await desk.house.queued() == []


@pytest.mark.parametrize(
    "given,sent",
    [({}, 1), ({"setting": "never"}, 0), ({"flags": SEEN}, 0), ({"flags": DRAFT}, 0),
     ({"keywords": ("$mdnsent",)}, 0), ({"place": "Junk"}, 0)],
)  # fmt: skip
async def test_sender_hears_of_what_was_deleted_unread(desk, given, sent):
    """RFC 8098 3.2.6.2: "deleted"; the message is there for an hour, though its entry is gone."""
    await desk.given(**{"setting": "ask", **given})
    store = desk.house.store
    await store.write(due.unread, desk.account, desk.folder, [1, 7])
    await store.write(entries.expunge, desk.folder, [1])
    await desk.later(0)
    rows = await desk.house.queued()
    assert len(rows) == sent
    assert store.peek(due.ready) == []
    for row in rows:
        data = await desk.house.queued_bytes(row)
        assert b"Disposition: manual-action/MDN-sent-automatically; deleted\r\n" in data
        assert b"was deleted without being displayed" in data


async def test_mail_that_was_only_marked_as_read_was_not_displayed(desk):
    await desk.given()
    await desk.opens(opened=False)
    await desk.later()
    assert await desk.house.queued() == []


async def test_program_that_sent_its_own_within_the_wait_is_the_one(desk):
    await desk.given()
    await desk.opens()
    await desk.house.store.write(entries.set_flags, desk.folder, [1], "+", 0, ("$MDNSent",))
    await desk.later()
    assert await desk.house.queued() == []


async def test_receipt_to_somebody_here_is_filed_and_a_full_mailbox_gets_it_later(desk):
    prefix, data = (each.replace(b"zoe@example.net", b"alice@example.org") for each in (PREFIX, LETTER))
    await desk.given(data=data, prefix=prefix)
    await desk.house.given("full alice")
    await desk.opens()
    await desk.later()
    assert [row.address for row in await desk.house.queued()] == ["alice@example.org"]
    assert desk.keywords() == ("$MDNSent",)


async def test_two_workers_send_one_receipt(desk):
    await desk.given()
    await desk.opens()
    await asyncio.gather(desk.later(), desk.later(0))
    assert len(await desk.house.queued()) == 1
