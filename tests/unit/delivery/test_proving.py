"""Mail from elsewhere and what its domains say of it: results in the message, refusals where wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quintet.auth.identity import Identity
from quintet.config.net import Dns
from quintet.config.policy import Verify
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.proving import Proving
from quintet.net.seam import Peer
from quintet.policy import dkim, outcomes
from quintet.store.content import Content, content_of
from tests.support.dnszone import DnsServer, dns_server
from tests.support.mailhouse import MailHouse, inbound, mail_house
from tests.unit.policy.test_dkim import RSA

KEY = dkim.read(RSA)
ZONE = f"""
good.example. TXT "v=spf1 ip4:192.0.2.9 -all"
_dmarc.good.example. TXT "v=DMARC1; p=reject"
s._domainkey.good.example. TXT "{KEY.record[:200]}" "{KEY.record[200:]}"
soft.example. TXT "v=spf1 -all"
_dmarc.soft.example. TXT "v=DMARC1; p=quarantine"
plain.example. A 192.0.2.1
mail.good.example. TXT "v=spf1 ip4:192.0.2.9 -all"
"""
BODY = b"Hello.\r\n"


def letter(author: str = "zoe@good.example", *, signed: bool = False, body: bytes = BODY) -> bytes:
    head = f"From: <{author}>\r\nSubject: hi\r\nMessage-ID: <1@good.example>".encode()
    field = b""
    if signed:
        field = dkim.field(KEY, "good.example", "s", dkim.cut(head), dkim.body_hash(BODY), 1)
    return field + head + b"\r\n\r\n" + body


class Door:
    """Takes mail for alice as a server with a name service of its own."""

    def __init__(self, house: MailHouse, zone: DnsServer) -> None:
        self.house, self.zone = house, zone

    async def take(
        self,
        data: bytes | Content,
        *,
        sender: str = "zoe@good.example",
        address: str = "192.0.2.9",
        helo: str = "mail.good.example",
        identity: Identity | None = None,
        **options: Any,
    ) -> bytes:
        """What alice has then.  Raises what is refused."""
        proving = Proving(
            Verify(**options),
            ["198.51.100.0/24"],
            Dns(),
            clock=self.house.clock,
            resolver=self.zone.resolver(),
        )
        way = inbound(self.house, checks=[proving], filters=[proving.filter])
        made = Envelope(
            peer=Peer("c1", address), sender=mailbox(sender), helo=helo, id="abc", protocol="ESMTP"
        )
        made.identity = identity
        if (later := way.sender(made)) is not None:
            await later
        made.recipients.append(way.recipient(made, mailbox("alice@example.org")))
        await way.accept(made, content_of(data) if isinstance(data, bytes) else data)
        messages = await self.house.messages("alice")
        return messages[-1] if messages else b""


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with mail_house(tmp_path) as house, dns_server(ZONE) as zone:
        yield Door(house, zone)


def results(message: bytes) -> dict[str, str]:
    """Method and result of the field that we wrote."""
    head = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").decode()
    line = next(
        each for each in head.split("\r\n") if each.startswith("Authentication-Results: mx.example.org;")
    )
    words = [part.split()[0] for part in line.partition(";")[2].split(";")]
    return dict(word.split("=") for word in words)


async def test_a_signed_letter_from_the_right_host_is_proved(door: Door) -> None:
    message = await door.take(letter(signed=True))
    assert results(message) == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
    assert b"header.d=good.example" in message
    assert b"smtp.mailfrom=zoe@good.example" in message


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"address": "192.0.2.10"}, {"spf": "fail", "dkim": "pass", "dmarc": "pass"}),
        ({"data": letter()}, {"spf": "pass", "dkim": "none", "dmarc": "pass"}),
        ({"data": letter(signed=True, body=b"Other.\r\n")}, {"spf": "pass", "dkim": "fail", "dmarc": "pass"}),
        (
            {"data": letter(), "address": "192.0.2.10"},
            {"spf": "fail", "dkim": "none", "dmarc": "fail"},
        ),
        # a proof of another domain proves nothing about this author
        ({"sender": "x@plain.example", "data": letter()}, {"spf": "none", "dkim": "none", "dmarc": "fail"}),
        ({"sender": "", "data": letter()}, {"spf": "pass", "dkim": "none", "dmarc": "pass"}),  # by HELO
        ({"data": letter("zoe@plain.example")}, {"spf": "pass", "dkim": "none", "dmarc": "none"}),
        ({"data": b"Subject: x\r\n\r\n"}, {"spf": "pass", "dkim": "none", "dmarc": "none"}),
        (
            {"data": b"From: a@good.example, b@plain.example\r\n\r\n"},
            {"spf": "pass", "dkim": "none", "dmarc": "permerror"},
        ),
    ],
)
async def test_what_comes_out(door: Door, options: dict[str, Any], found: dict[str, str]) -> None:
    assert results(await door.take(options.pop("data", letter(signed=True)), **options)) == found


async def test_a_large_message_is_read_from_its_file(door: Door) -> None:
    body = b"a line of  fifty octets, or about as many as that.\r\n" * 4000
    head = b"From: <zoe@good.example>"
    spool = door.house.store.spool()
    spool.write(dkim.field(KEY, "good.example", "s", dkim.cut(head), dkim.body_hash(body), 1))
    spool.write(head + b"\r\n\r\n" + body)
    content = await spool.finish()
    assert content.data is None
    assert results(await door.take(content))["dkim"] == "pass"


async def test_a_name_service_in_trouble_refuses_nobody(door: Door) -> None:
    for name in ("good.example", "_dmarc.good.example", "s._domainkey.good.example"):
        door.zone.break_(name)
    message = await door.take(letter(signed=True), spf="refuse", dmarc="follow")
    assert results(message) == {"spf": "temperror", "dkim": "temperror", "dmarc": "temperror"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "198.51.100.7", "unix"])
async def test_who_is_trusted_is_asked_nothing(door: Door, address: str) -> None:
    message = await door.take(letter(), address=address, spf="refuse", dmarc="follow")
    assert b"Authentication-Results" not in message


async def test_who_logged_in_is_asked_nothing(door: Door) -> None:
    who = Identity(await door.house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    message = await door.take(letter(), sender="alice@example.org", identity=who, spf="refuse")
    assert b"Authentication-Results" not in message


async def test_a_host_that_may_not_send_is_refused_at_mail_where_that_is_wanted(door: Door) -> None:
    with pytest.raises(outcomes.Refusal) as caught:
        await door.take(letter(signed=True), address="192.0.2.10", spf="refuse")
    assert (caught.value.code, caught.value.enhanced) == (550, "5.7.23")
    assert await door.house.count("alice") == 0
    assert results(await door.take(letter(signed=True), spf="refuse"))["spf"] == "pass"


async def test_what_the_authors_domain_wishes_is_followed(door: Door) -> None:
    with pytest.raises(outcomes.Refusal):
        await door.take(letter(), address="192.0.2.10", dmarc="follow")
    assert await door.house.count("alice") == 0
    await door.take(letter("zoe@soft.example"), sender="zoe@soft.example", dmarc="follow")
    assert await door.house.count("alice") == 0  # but the Junk folder has it
    await door.take(letter(), address="192.0.2.10")
    assert await door.house.count("alice") == 1  # noted only
