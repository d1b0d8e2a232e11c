"""URLs into mailboxes: signed, taken back, resolved for BURL; with submission as it really runs."""

import base64
from pathlib import Path

import pytest

from quintet.auth.identity import Identity
from quintet.delivery.urlauth import UrlAuth
from quintet.errors import BadSyntax, Reason, Refused
from quintet.net.memory import Talk
from quintet.smtp.desk import Role
from quintet.smtp.service import SmtpService
from quintet.store import accounts, entries, folders
from quintet.store.content import content_of
from tests.support.mailhouse import MailHouse, mail_house

LETTER = (
    b"From: alice@example.org\r\nTo: bob@example.org\r\nSubject: forwarded\r\n"
    b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/plain\r\n\r\nsecond\r\n--b--\r\n"
)
BASE = "imap://alice%40example.org@imap.example.org/INBOX/;UID=1"


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        folder = made.store.peek(folders.find, await made.account_id("alice"), "INBOX")
        await made.store.write(
            entries.add,
            [folder.id],
            content_of(LETTER),
            received_at=made.clock.now(),
            prefix=b"X-Ours: 1\r\n",
        )
        yield made


@pytest.fixture
def urls(house: MailHouse) -> UrlAuth:
    return UrlAuth(house.store, house.clock, house.auth.canonical, submitters=["msa@example.org"])


async def who(house: MailHouse, name: str = "alice", mechanism: str = "PLAIN") -> Identity:
    return Identity(await house.account_id(name), f"{name}@example.org", mechanism, "smtp")


async def text(body) -> bytes:
    return b"".join([chunk async for chunk in body.chunks(0, body.size)])


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", b"X-Ours: 1\r\n" + LETTER),
        ("/;SECTION=TEXT", LETTER.partition(b"\r\n\r\n")[2]),
        ("/;SECTION=1", b"first"),
        ("/;SECTION=2", b"second"),
        ("/;SECTION=2.MIME", b"Content-Type: text/plain\r\n\r\n"),
        ("/;SECTION=HEADER", b"X-Ours: 1\r\n" + LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"),
        ("/;SECTION=HEADER.FIELDS%20(subject%20TO)", b"To: bob@example.org\r\nSubject: forwarded\r\n\r\n"),
        ("/;PARTIAL=11.4", b"From"),
        ("/;SECTION=2/;PARTIAL=2.2", b"co"),
        ("/;SECTION=2/;PARTIAL=3", b"ond"),
        ("/;SECTION=2/;PARTIAL=99.9", b""),
    ],
)
async def test_what_urls_lead_to(house, urls, rest, expected):
    """RFC 5092 6: section and partial."""
    me = await who(house)
    (signed,) = await urls.sign([f"{BASE}{rest};URLAUTH=submit+alice%40example.org"], me)
    body = await urls.submitted(signed, me)
    assert body.size == len(expected)
    assert await text(body) == expected
    assert body.small(0, body.size) == expected
    assert body.small(1, 2) == expected[1:3]


async def test_only_for_whom_it_is(house, urls):
    """RFC 4467 3, RFC 4468 3.3."""
    alice, bob = await who(house), await who(house, "bob")
    msa = Identity(bob.account_id, "msa@example.org", "PLAIN", "imap")
    nobody = await who(house, "bob", "ANONYMOUS")
    accesses = ["submit+alice%40example.org", "user+bob%40example.org", "authuser", "anonymous"]
    signed = await urls.sign([f"{BASE};URLAUTH={access}" for access in accesses], alice)

    async def works(way, url, identity) -> bool:
        try:
            await way(url, identity)
        except Refused as refused:
            return refused.reason is not Reason.NO_PERMISSION
        return True

    assert [await works(urls.submitted, url, alice) for url in signed] == [True, False, True, True]
    assert [await works(urls.submitted, url, bob) for url in signed] == [False, True, True, True]
    assert [await works(urls.fetch, url, alice) for url in signed] == [False, False, True, True]
    assert [await works(urls.fetch, url, msa) for url in signed] == [True, False, True, True]
    assert [await works(urls.fetch, url, nobody) for url in signed] == [False, True, False, True]


async def test_an_application_fetches_what_is_for_it_whoever_it_acts_for(house: MailHouse) -> None:
    """RFC 5593 3.3, 3.4: by its login alone; the user that a prefix names is not looked at."""
    alice, bob = await who(house), await who(house, "bob")
    media = Identity(bob.account_id, "media@example.org", "PLAIN", "imap")
    services = {"Stream": ["Media@example.org"], "user": ["media@example.org"]}
    urls = UrlAuth(house.store, house.clock, house.auth.canonical, applications=services)
    stream, acting, mine = await urls.sign(
        [f"{BASE}/;SECTION=1;URLAUTH={one}" for one in ("STREAM", "stream+zoe", "user+bob%40example.org")],
        alice,
    )
    for url in (stream, acting):
        assert await text(await urls.fetch(url, media)) == b"first"
        for other in (alice, bob):
            with pytest.raises(Refused):
                await urls.fetch(url, other)
        with pytest.raises(Refused):
            await urls.submitted(url, media)
    with pytest.raises(Refused):
        await urls.fetch(mine, media)  # what is for people is never an application's
    for access in ("print", "submit", "user", "authuser+bob", "anonymous+bob"):
        with pytest.raises(BadSyntax, match="access identifier"):
            await urls.sign([f"{BASE};URLAUTH={access}"], alice)


async def test_whatever_is_changed_makes_it_worthless(house, urls):
    me = await who(house)
    (good,) = await urls.sign([f"{BASE}/;SECTION=1;URLAUTH=submit+alice%40example.org"], me)
    head, _, token = good.rpartition(":")
    wrong = [
        good.replace("UID=1", "UID=2"),
        good.replace("SECTION=1", "SECTION=2"),
        good.replace("INBOX", "Drafts"),
        good.replace("INBOX", "Nowhere"),
        good.replace("imap://alice", "imap://bob"),
        good.replace("imap://alice", "imap://zoe"),
        good.replace(":internal:", ":other:"),
        f"{head}:{'0' * len(token)}",
        f"{head}:{token[:-2]}",
        good.partition(":internal")[0],
        "imap://imap.example.org/",
        "",
    ]
    for url in wrong:
        with pytest.raises(Refused) as caught:
            await urls.submitted(url, me)
        assert caught.value.reason is Reason.NO_PERMISSION, url
    assert await text(await urls.submitted(head + ":" + token.upper(), me)) == b"first"


async def test_gone_messages_parts_and_accounts(house, urls):
    me = await who(house)
    (whole, part) = await urls.sign([f"{BASE}{rest};URLAUTH=authuser" for rest in ("", "/;SECTION=7")], me)
    with pytest.raises(Refused) as caught:
        await urls.submitted(part, me)
    assert caught.value.reason is Reason.NO_SUCH_MESSAGE
    folder = house.store.peek(folders.find, me.account_id, "INBOX")
    await house.store.write(entries.expunge, folder.id, [1])
    with pytest.raises(Refused) as caught:
        await urls.submitted(whole, me)
    assert caught.value.reason is Reason.NO_SUCH_MESSAGE
    await house.store.write(accounts.change, me.account_id, disabled=True)
    with pytest.raises(Refused) as caught:
        await urls.submitted(whole, await who(house, "bob"))
    assert caught.value.reason is Reason.NO_PERMISSION


async def test_reset_and_a_folder_made_anew_take_urls_back(house, urls):
    """RFC 4467 7: RESETKEY."""
    me = await who(house)
    await house.store.write(folders.create, me.account_id, "Out")
    folder = house.store.peek(folders.find, me.account_id, "Out")
    await house.store.write(entries.add, [folder.id], content_of(LETTER), received_at=0)
    out = BASE.replace("INBOX", "Out")
    (one, two) = await urls.sign([f"{url};URLAUTH=anonymous" for url in (BASE, out)], me)
    await urls.reset(me, "INBOX")
    with pytest.raises(Refused):
        await urls.submitted(one, me)
    assert (await urls.submitted(two, me)).size == len(LETTER)
    await house.store.write(folders.remove, folder.id)
    await house.store.write(folders.create, me.account_id, "Out")
    with pytest.raises(Refused):
        await urls.submitted(two, me)
    (again,) = await urls.sign([f"{BASE};URLAUTH=anonymous"], me)
    assert again != one
    await urls.reset(me, None)
    with pytest.raises(Refused):
        await urls.submitted(again, me)


async def test_expiry_and_uid_validity(house, urls):
    me = await who(house)
    (dated,) = await urls.sign([f"{BASE};EXPIRE=2025-11-21T09:00:10Z;URLAUTH=anonymous"], me)
    (other,) = await urls.sign([f"{BASE.replace('INBOX', 'INBOX;UIDVALIDITY=7')};URLAUTH=anonymous"], me)
    assert (await urls.submitted(dated, me)).size
    house.clock.advance(11)
    with pytest.raises(Refused) as caught:
        await urls.submitted(dated, me)
    assert caught.value.reason is Reason.NO_PERMISSION
    with pytest.raises(Refused) as caught:
        await urls.submitted(other, me)
    assert caught.value.reason is Reason.NO_SUCH_MESSAGE


async def test_nobody_signs_for_another(house, urls):
    for identity in (await who(house, "bob"), await who(house, "alice", "ANONYMOUS")):
        with pytest.raises(BadSyntax):
            await urls.sign([f"{BASE};URLAUTH=anonymous"], identity)


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("imap://mx.example.org/inbox/;UID=1/;SECTION=1", b"first"),
        ("imap://MX.example.org:993/INBOX/;UID=1/;SECTION=2", b"second"),
        ("imap://alice%40example.org;AUTH=PLAIN@mx.example.org/INBOX/;UID=1/;SECTION=1", b"first"),
        ("imap://bob%40example.org@mx.example.org/INBOX/;UID=1", Reason.NO_PERMISSION),
        ("imap://imap.elsewhere.example/INBOX/;UID=1", Reason.NO_SUCH_DOMAIN),
        ("imap://mx.example.org/INBOX/;UID=9", Reason.NO_SUCH_MESSAGE),
        ("imap://mx.example.org/INBOX;UIDVALIDITY=7/;UID=1", Reason.NO_SUCH_MESSAGE),
        ("imap://mx.example.org/Nowhere/;UID=1", Reason.NO_SUCH_MESSAGE),
        ("imap://mx.example.org/INBOX", Reason.NO_PERMISSION),
    ],
)
async def test_who_submits_may_name_own_letters_of_this_server(
    house: MailHouse, url: str, leads_to: bytes | Reason
) -> None:
    """RFC 4468 3.3: a regular IMAP URL, where submission and IMAP know each other."""
    urls = UrlAuth(house.store, house.clock, house.auth.canonical, host="mx.example.org")
    if isinstance(leads_to, bytes):
        assert await text(await urls.submitted(url, await who(house))) == leads_to
        with pytest.raises(Refused):
            await urls.fetch(url, await who(house))  # IMAP wants it signed
        return
    with pytest.raises(Refused) as caught:
        await urls.submitted(url, await who(house))
    assert caught.value.reason is leads_to


async def test_burl_sends_what_lies_in_a_mailbox(house, urls):
    """RFC 4468 3.4: a message is sent that the client never uploads."""
    (signed,) = await urls.sign([f"{BASE};URLAUTH=submit+alice%40example.org"], await who(house))
    service = SmtpService(
        house.store, house.auth, house.config, role=Role.SUBMISSION, inbound=house.inbound,
        hostname="mx.example.org", clock=house.clock, starttls=True, resolve_burl=urls.submitted,
    )  # fmt: skip
    talk = Talk(service)
    await talk.begin()
    talk.take()
    plain = base64.b64encode(b"\0alice@example.org\0demo").decode()

    async def say(line: str) -> bytes:
        await talk.send(line.encode() + b"\r\n")
        return talk.take()

    await say("EHLO client.example.org")
    assert (await say(f"AUTH PLAIN {plain}")).startswith(b"235")
    assert b"BURL imap imap://mx.example.org\r\n" in (await say("EHLO client.example.org"))
    await say("MAIL FROM:<alice@example.org>")
    await say("RCPT TO:<bob@example.org>")
    forged = signed.replace("UID=1", "UID=2")
    assert (await say(f"BURL {forged} LAST")) == b"554 5.7.0 IMAP URL authorization failed\r\n"
    await say("RSET")
    await say("MAIL FROM:<alice@example.org>")
    await say("RCPT TO:<bob@example.org>")
    answer = await say(f"BURL {signed} LAST")
    assert answer.startswith(b"250 2."), answer
    await talk.end()
    assert b"Subject: forwarded\r\n" in await house.last("bob")
    assert (await house.last("bob")).endswith(b"second\r\n--b--\r\n")
