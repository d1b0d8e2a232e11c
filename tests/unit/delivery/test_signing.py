"""Whose mail is signed, and that what leaves can be checked (RFC 6376)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from quintet.auth.identity import Identity
from quintet.config.dkim import Dkim, faults
from quintet.delivery import dsn
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.inbound import STEPS
from quintet.delivery.signing import Signer
from quintet.errors import Reason, TryLater
from quintet.net.seam import Peer
from quintet.policy import dkim
from quintet.store.content import Content, content_of
from tests.support.mailhouse import MailHouse, inbound, mail_house

LETTER = (
    b"From: Alice <alice@example.org>\r\nTo: zoe@example.net\r\nSubject:  two  words\r\n"
    b" and a fold\r\nMessage-ID: <1@example.org>\r\n\r\nHello  \t there \r\n\r\n..\r\n\r\n\r\n"
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for name, key in (("rsa", dkim.generate("rsa", 1024)), ("ed25519", dkim.generate("ed25519"))):
        made[name] = folder / f"{name}.pem"
        made[name].write_text(key.pem)
    return made


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[MailHouse]:
    async with mail_house(tmp_path) as made:
        yield made


async def sent(
    house: MailHouse,
    blocks: list[Dkim],
    content: Content | bytes = LETTER,
    *,
    by: str = "alice",
    to: str = "zoe@example.net",
    sender: str = "alice@example.org",
    address: str = "192.0.2.9",
) -> list[bytes]:
    """What waits in the queue for ``to`` then."""
    if isinstance(content, bytes):
        content = content_of(content)
    way = inbound(house, steps=Signer(blocks, house.clock).joined(STEPS))
    made = Envelope(peer=Peer("c1", address), sender=mailbox(sender), helo="a.test", id="abc")
    if by:
        made.identity = Identity(await house.account_id(by), f"{by}@example.org", "PLAIN", "smtp")
    made.recipients.append(way.recipient(made, mailbox(to)))
    assert await way.accept(made, content) == [None]
    return [await house.queued_bytes(each) for each in await house.queued()]


def verified(message: bytes, key: dkim.Key) -> dict[str, str]:
    """The tags of the first signature, which must hold (RFC 6376 6.1, with what is relaxed word for word)."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in re.split(rb"\r\n(?![ \t])", head)]
    at = next(n for n, (name, _, _) in enumerate(fields) if name == b"DKIM-Signature")
    value = fields[at][2]
    tags = dict(tag.split("=", 1) for tag in "".join(value.decode().split()).split(";"))
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip() for line in body.split(b"\r\n")]
    relaxed = b"\r\n".join(lines).rstrip(b"\r\n") + b"\r\n"
    assert base64.b64encode(hashlib.sha256(relaxed).digest()).decode() == tags["bh"]
    left = [(name.lower(), value) for n, (name, _, value) in enumerate(fields) if n != at]
    signed = b""
    for wanted in tags["h"].lower().encode().split(b":"):
        found = [pair for pair in left if pair[0] == wanted]
        if found:
            left.reverse()
            left.remove(found[-1])
            left.reverse()
            signed += wanted + b":" + b" ".join(found[-1][1].split()) + b"\r\n"
    signed += b"dkim-signature:" + b" ".join(re.sub(rb"b=[^;]*$", b"b=", value).split())
    public = base64.b64decode(key.record.rpartition("p=")[2])
    if key.kind == "ed25519":
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(tags["b"]), hashlib.sha256(signed).digest()
        )
    else:
        serialization.load_der_public_key(public).verify(  # type: ignore[union-attr,call-arg]
            base64.b64decode(tags["b"]), signed, padding.PKCS1v15(), hashes.SHA256()
        )
    return tags


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_mail_of_who_logged_in_is_signed(house: MailHouse, keys: dict[str, Path], kind: str) -> None:
    (message,) = await sent(house, [Dkim(("example.org",), "s1", str(keys[kind]))])
    assert message.startswith(b"DKIM-Signature: ")
    tags = verified(message, dkim.read(keys[kind].read_text()))
    assert (tags["d"], tags["s"], tags["a"]) == ("example.org", "s1", f"{kind}-sha256")
    assert tags["t"] == str(house.clock.now() // 1000)


async def test_each_key_of_a_domain_signs(house: MailHouse, keys: dict[str, Path]) -> None:
    """RFC 8463 3: who cannot check one kind checks the other."""
    blocks = [Dkim(("example.org",), name, str(file)) for name, file in keys.items()]
    (message,) = await sent(house, blocks)
    assert re.findall(rb"s=(rsa|ed25519);", message) == [b"rsa", b"ed25519"]
    verified(message, dkim.read(keys["rsa"].read_text()))
    second = message[message.index(b"\r\nDKIM-Signature") + 2 :]
    verified(second, dkim.read(keys["ed25519"].read_text()))


async def test_a_large_message_is_signed_from_its_file(house: MailHouse, keys: dict[str, Path]) -> None:
    spool = house.store.spool()
    spool.write(LETTER)
    spool.write(b"a line of  fifty octets, or about as many as that.\r\n" * 4000)
    content = await spool.finish()
    assert content.data is None
    (message,) = await sent(house, [Dkim(("example.org",), "s1", str(keys["rsa"]))], content)
    verified(message, dkim.read(keys["rsa"].read_text()))


@pytest.mark.parametrize(
    ("options", "signed"),
    [
        ({}, True),
        ({"content": LETTER.replace(b"alice@example.org", b"bob@example.org")}, False),  # not who wrote it
        ({"by": "", "address": "127.9.9.9"}, True),  # a host that may relay speaks for anybody
        ({"content": LETTER.replace(b"@example.org>\r\nTo", b"@other.test>\r\nTo")}, False),
        ({"content": LETTER.replace(b"From:", b"X-From:")}, False),
    ],
)
async def test_who_is_signed_for(
    house: MailHouse, keys: dict[str, Path], options: dict, signed: bool
) -> None:
    house.configure(house.config.__class__(relay_networks=["127.0.0.0/8"]))
    (message,) = await sent(house, [Dkim(("example.org",), "s1", str(keys["rsa"]))], **options)
    assert (b"DKIM-Signature" in message) is signed


async def test_a_stranger_who_calls_himself_one_of_ours_is_not_signed_for(
    house: MailHouse, keys: dict[str, Path]
) -> None:
    await house.given("forward away@example.org to zoe@example.net")
    block = Dkim(("example.org",), "s1", str(keys["rsa"]))
    (message,) = await sent(house, [block], by="", sender="x@example.net", to="away@example.org")
    assert b"DKIM-Signature" not in message


async def test_mail_that_stays_here_is_not_signed(house: MailHouse, keys: dict[str, Path]) -> None:
    await sent(house, [Dkim(("example.org",), "s1", str(keys["rsa"]))], to="bob@example.org")
    assert b"DKIM-Signature" not in await house.last("bob")


async def test_a_domain_below_is_signed_for_unless_it_has_a_key(
    house: MailHouse, keys: dict[str, Path]
) -> None:
    """RFC 6376 3.5 (i=); RFC 7489 3.1.1: aligned all the same."""
    house.configure(house.config.__class__(relay_networks=["127.0.0.0/8"]))
    letter = LETTER.replace(b"alice@example.org", b"alice@news.Example.org")
    above = Dkim(("example.org",), "above", str(keys["rsa"]))
    below = Dkim(("news.example.org",), "below", str(keys["rsa"]))
    options = {"by": "", "address": "127.0.0.9"}
    (message,) = await sent(house, [above], letter, **options)
    assert b" d=example.org;\r\n\ts=above;" in message
    *_, message = await sent(house, [above, below], letter, **options)
    assert b" d=news.example.org;\r\n\ts=below;" in message
    assert b"above" not in message


async def test_without_its_key_mail_waits_where_it_is(house: MailHouse, tmp_path: Path) -> None:
    with pytest.raises(TryLater) as caught:
        await sent(house, [Dkim(("example.org",), "s1", str(tmp_path / "gone.pem"))])
    assert caught.value.reason is Reason.STORAGE
    assert await house.queued() == []


def test_what_the_server_writes_can_be_signed(house: MailHouse, keys: dict[str, Path]) -> None:
    signer = Signer([Dkim(("example.org",), "s1", str(keys["rsa"]))], house.clock)
    verified(signer.sealed(LETTER), dkim.read(keys["rsa"].read_text()))
    other = LETTER.replace(b"example.org", b"example.com")
    assert signer.sealed(other) == other


@pytest.mark.parametrize(
    ("key", "sender", "signed"),
    [("rsa", "zoe@example.net", True), ("gone", "zoe@example.net", False), ("rsa", "bob@example.org", False)],
)
async def test_a_report_that_leaves_is_signed(
    house: MailHouse, keys: dict[str, Path], tmp_path: Path, key: str, sender: str, signed: bool
) -> None:
    """RFC 7489 3.1.2: its sender is null, so the host's name and this are all there is to align with From."""
    file = keys.get(key, tmp_path / "gone.pem")  # without it, better unsigned than said twice
    reports = house.inbound.reports
    reports.signer = Signer([Dkim(("mx.example.org",), "s1", str(file))], house.clock)
    fates = [dsn.Fate(mailbox("x@example.org"), dsn.FAILED, "5.1.1", "no such user")]
    work = await reports.undelivered(mailbox(sender), fates, LETTER)
    assert work is not None
    assert work.content.data is not None
    report = work.content.data
    assert (b"DKIM-Signature" in report) is signed
    if signed:
        tags = verified(report, dkim.read(file.read_text()))
        assert tags["d"] == "mx.example.org"
        assert {"from", "to", "subject", "date", "message-id"} <= set(tags["h"].lower().split(":"))


def test_blocks_that_make_no_sense() -> None:
    assert faults([Dkim(("example.org",), "2026a", "a.pem")]) == []
    assert [(at, key) for at, key, _ in faults([Dkim(), Dkim(("a b",), "x y", "k")])] == [
        (0, "domains"), (0, "selector"), (0, "key"), (1, "domains"), (1, "selector"),
    ]  # fmt: skip
