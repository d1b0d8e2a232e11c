"""Lists read a letter's head only, yet say what the opened message says, however odd the letter."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from quintet.mapi import objects
from quintet.mapi.objects import Box, glance, numbers, pid
from quintet.mapi.types import Error
from quintet.store import arriving, entries, groups
from quintet.store.arriving import Filing
from quintet.store.blobs import Blobs
from quintet.store.content import content_of, raw
from quintet.store.db import DrivenTx
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, NEWS, SEEN, Account, AccountId

PEOPLE = (
    "ann@example.org", "Ann <ann@example.org>", '"Ames, Ann" <ann@example.org>, Bob <bob@x.org>', "",
    "Staff: a@x.org, b@x.org;", "undisclosed-recipients:;", "=?utf-8?b?w4VzYQ==?= <asa@x.org>", "<>", "Ann",
    "ann@example.org (Ann)", "=?iso-8859-1?q?J=F6rg?= <j@x.org>,,<k@x.org>", "\u00e5sa@x.org", "a@@b, <c@d",
)  # fmt: skip
WORDS = (
    "x", "", " ", "Re: x", "RE:x", "Re:  two", "Fwd: Re: y", "Antw: z", "1: a", "=?utf-8?q?Re=3A_=C3=A9?=",
    "=?utf-8?q?bad", "a\r\n b", "a\tb", "\u00e9t\u00e9", "R:", "AW:AW: x", "tab:\tx", "a" * 300,
)  # fmt: skip
FIELDS: dict[str, tuple[str, ...]] = {
    "From": PEOPLE, "Sender": PEOPLE, "To": PEOPLE, "Cc": PEOPLE, "Bcc": PEOPLE, "Reply-To": PEOPLE,
    "Subject": WORDS, "Thread-Topic": WORDS,
    "Importance": ("high", "Low", "normal", "odd", ""), "X-Priority": ("1", "5 (Lowest)", "3", "x"),
    "X-MSMail-Priority": ("High", "Normal", "odd"), "Priority": ("urgent", "non-urgent", "normal", "odd"),
    "Sensitivity": ("Private", "normal", "odd"),
    "Date": ("Fri, 21 Nov 2025 09:00:00 +0000", "21 Nov 25 9:00 EST", "never", "", "1 Jan 1500 00:00 +0000"),
    "Message-ID": ("<m@x.org>", "m@x.org", "<a> <b>", "", "< m @x >", "<m@x.org> (why)"),
    "Return-Path": ("<a@x.org>",), "X-Odd": ("1",),
    "Disposition-Notification-To": PEOPLE, "Content-Class": ("urn:content-classes:message", "fax"),
    "X-Message-Flag": ("Follow up",), "Keywords": ("a, b",), "Expires": ("Fri, 21 Nov 2025 09:00:00 +0000",),
}  # fmt: skip
HTML = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>hi <img src=cid:i></p>\r\n"
PICTURE = (
    "Content-Type: image/png\r\nContent-ID: <i>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n"
)
BODIES = (
    "\r\ntext\r\n", "\r\n", "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx\r\n",
    "Content-Type: application/pdf\r\n\r\nPDF\r\n", HTML, PICTURE, "Content-Type: nonsense\r\n\r\nx\r\n",
    "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "Content-Type: text/x-vcard\r\n\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nEND:VCARD\r\n",
    "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n.\r\n",
    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nxx\r\n",
    "Content-Type: application/ms-tnef\r\n\r\nxx\r\n",
)  # fmt: skip
SUBTYPES = (
    "mixed", "alternative", "related", "signed; protocol=application/pgp-signature; micalg=x", "digest",
    "report; report-type=delivery-status", "report; report-type=disposition-notification", "form-data",
)  # fmt: skip


def body(chance: random.Random, depth: int = 0) -> str:
    if depth > 2 or chance.random() < 0.5:
        return chance.choice(BODIES)
    edge = f"e{depth}{chance.randrange(99)}"
    parts = "".join(f"--{edge}\r\n{body(chance, depth + 1)}" for _ in range(chance.randrange(1, 4)))
    return f"Content-Type: multipart/{chance.choice(SUBTYPES)}; boundary={edge}\r\n\r\n{parts}--{edge}--\r\n"


def letter(chance: random.Random) -> bytes:
    names = [name for name in FIELDS if chance.random() < 0.4]
    names += [name for name in ("To", "Cc", "Subject", "From", "Message-ID") if chance.random() < 0.1]
    chance.shuffle(names)
    head = "".join(f"{name}: {chance.choice(FIELDS[name])}\r\n" for name in names)
    return (head + body(chance)).encode()


@pytest.mark.parametrize("seed", range(4))
def test_lists_say_what_messages_say(tx: DrivenTx, box: Box, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        flags = chance.choice((0, SEEN, ANSWERED, FLAGGED, DRAFT | SEEN))
        entries.add(tx, [box.inbox.id], content_of(letter(chance)), received_at=tx.now, flags=flags)  # type: ignore[list-item]
    columns = [*glance.ENTRY, *glance.MIME]
    for _ in range(2):  # the second time from what was remembered
        table = box.inbox.contents()
        table.set_columns(columns)
        for row in table.query(100):
            number = numbers.from_wire(row[0])[1]  # type: ignore[arg-type]
            message = box.message(number)
            differ = {
                f"{tag:08X}": (value, said)
                for tag, value, said in zip(columns, row, message.get(columns), strict=True)
                if value != said and not (value is None and isinstance(said, Error))
            }
            assert differ == {}, message.row


def test_what_is_remembered_is_of_one_store(box: Box, deliver: Callable[..., int]) -> None:
    number = deliver()
    table = box.inbox.contents()
    table.set_columns([pid.SUBJECT])
    assert table.query(1) == [["Re: Caf\u00e9 menu"]]
    assert number in glance.heads(str(box.files.root))
    assert number not in glance.heads("of another")  # a copy of the store has the same numbers


def test_heads_of_few_stores_are_remembered(box: Box, deliver: Callable[..., int]) -> None:
    glance._heads.clear()
    number, store = deliver(), str(box.files.root)
    table = box.inbox.contents()
    table.set_columns([pid.SUBJECT])
    assert table.query(1)
    for name in range(1, glance.MAX_STORES):
        glance.heads(f"store {name}")
        assert number in glance.heads(store)
    glance.heads("one more")
    assert list(glance._heads) == [f"store {name}" for name in range(1, glance.MAX_STORES)] + ["one more"]


def test_long_headers_are_listed_and_not_remembered(box: Box, deliver: Callable[..., int]) -> None:
    people = [f"p{number}@example.org" for number in range(1000)]
    number = deliver(b"To: " + ",\r\n ".join(people).encode() + b"\r\n\r\n")
    table = box.inbox.contents()
    table.set_columns([pid.DISPLAY_TO])
    assert table.query(1) == [["; ".join(people)]]
    assert number not in glance.heads(str(box.files.root))


def test_an_article_that_nobody_rendered_is_listed(tx: DrivenTx, files: Blobs, ann: Account) -> None:
    fields = {b"from": b"Zoe <zoe@example.org>", b"subject": b"Re: plans", b"message-id": b"<1@x>"}
    head = b"".join(b"%b: %b\r\n" % field for field in fields.items()) + b"\r\n"
    group = groups.create(tx, "local.test")
    content = raw(head + b"text\r\n", len(head), fields, "<1@x>", None)
    arriving.file_all(tx, [Filing("<1@x>", (group.id,), content, b"b!a")], host="news.example.org")
    news = AccountId(tx.value("SELECT id FROM account WHERE name = ?", NEWS))
    public = objects.logon(tx, news, ann.id, files=files)
    with public.using(tx):
        table = public.folder(group.id).contents()
        table.set_columns([pid.MESSAGE_ID, pid.SUBJECT, pid.SENDER_NAME])
        ((number, *row),) = table.query(10)
        assert row == ["Re: plans", "Zoe"]
        message = public.message(numbers.from_wire(number)[1])  # type: ignore[arg-type]
        assert message.get([pid.SUBJECT, pid.SENDER_NAME, pid.BODY]) == ["Re: plans", "Zoe", "text\r\n"]
