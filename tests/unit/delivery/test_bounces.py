"""Reports to senders that name the recipient: what counts, and what is only somebody's word."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.queue import Queue
from quintet.delivery import bounces
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.inbound import Inbound
from quintet.net.seam import Peer
from quintet.store import queue_rules, trace
from quintet.store.content import content_of

REPORT = b"""\
From: <mailer-daemon@far.test>\r
Message-ID: <report@far.test>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
It is not there.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; far.test\r
\r
Final-Recipient: rfc822; zoe@example.net\r
Action: failed\r
Status: 5.1.1\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Subject: news\r
Message-ID: <news@example.org>\r
\r
--b--\r
"""
TO = "alice+zoe=example.net@example.org"


async def counted(
    house, data: bytes = REPORT, to: str = TO, sender: str = "", after: int = 2
) -> dict[str, int]:
    """How often each address failed, after a report came."""
    check = bounces.Bounces(house.store, Queue(suppress_after=after))
    way = Inbound(house.store, house.config, hostname="mx.example.org", clock=house.clock, checks=[check])
    envelope = Envelope(peer=Peer("c1", "192.0.2.9"), sender=mailbox(sender), helo="far.test")
    envelope.recipients.append(way.recipient(envelope, mailbox(to)))
    await way.accept(envelope, content_of(data))
    await asyncio.gather(*house.store._behind)  # what nobody else waits for
    return {one.address: one.bounces for one in house.store.peek(queue_rules.suppressed)}


@pytest.fixture
async def house(out):
    """One that has sent the news."""
    for event, to in (("relayed", "Zoe@Example.net"), ("deferred", "yan@example.net")):
        await out.house.store.write(
            trace.add,
            out.house.clock.now(),
            "queue-1",
            event,
            None,
            "<news@example.org>",
            {"to": to, "try": 1},
        )
    return out.house


async def test_report_of_what_we_sent_counts_and_suppresses_in_the_end(house):
    assert await counted(house) == {"zoe@example.net": 1}
    assert await counted(house) == {"zoe@example.net": 2}
    assert house.store.peek(queue_rules.blocked, ["zoe@example.net"])


@pytest.mark.parametrize(
    "change",
    [
        {"data": REPORT.replace(b"news@example.org", b"other@example.org")},  # a message we never sent
        {"to": "alice+yan=example.net@example.org"},  # nor to that recipient
        {"to": "alice+z_e=example.net@example.org"},
        {"to": "alice+news@example.org"},
        {"to": "alice@example.org"},
        {"sender": "zoe@example.net"},  # no report
        {"data": REPORT.replace(b"multipart/report", b"multipart/mixed")},
        {"data": REPORT.replace(b"failed", b"delayed")},
        {"data": REPORT.replace(b"5.1.1", b"5.7.1")},  # that is about us, not about the address
        {"after": 0},
    ],
)
async def test_what_counts_nothing(house, change):
    assert await counted(house, **change) == {}


@given(st.binary(max_size=400) | st.lists(st.sampled_from([
    b"Action: failed", b"Status: 5.1.1", b"Status: 5.", b"Message-ID:", b" <a@b>", b"<a@b>", b"", b"\xff"
]), max_size=20).map(b"\r\n".join))  # fmt: skip
def test_any_body_is_read(body):
    found = bounces.read(body)
    assert found is None or (found.status.startswith("5.") and found.message_id[0] == "<")
