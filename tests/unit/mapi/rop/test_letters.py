"""What operations made as a letter: what another program reads out of its MIME (MS-OXCMAIL 2.2.3)."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from quintet.mapi.rop import messages, properties, streams
from quintet.store import entries, folders
from quintet.store.db import Tx
from quintet.store.model import EntryId
from tests.unit.mapi.rop.asking import DATA, FILE_NAME, HTML, new_message, row
from tests.unit.mapi.rop.desk import Desk, Direct, desk

METHOD, MIME_TAG, CONTENT_ID, FLAGS, HIDDEN, NAME = (
    0x37050003, 0x370E001F, 0x3712001F, 0x37140003, 0x7FFE000B, 0x3001001F,
)  # fmt: skip
LONG_NAME = "Bericht über Äpfel und " + "sehr " * 20 + "lange Namen – 日本.pdf"
SUBJECT = "Überraschung: " + "ä" * 100 + " Ende"
TEXT = "Zeile eins äöü\r\n\r\n.punkt\r\nFrom here\r\n" + "x" * 1200 + "\r\n"


async def attach(box: Direct, message: int, content: bytes, **values: Any) -> None:
    part = (await box.ask(0x23, message)).opens
    assert part is not None
    tags = {"name": FILE_NAME, "kind": MIME_TAG, "cid": CONTENT_ID, "flags": FLAGS, "hidden": HIDDEN}
    pairs = ((METHOD, 1), *[(tags[key], value) for key, value in values.items()])
    await box.ask(properties.SetProperties(pairs), part.handle)
    await write(box, part.handle, DATA, content)
    await box.ask(messages.SaveChangesAttachment(0x0A), part.handle)


async def write(box: Direct, handle: int, tag: int, content: bytes) -> None:
    stream = await box.open(streams.OpenStream(tag, 2), handle)
    for start in range(0, len(content), 0x4000):
        await box.ask(streams.WriteStream(content[start : start + 0x4000]), stream)
    await box.ask(0x5D, stream)


def stored(it: Desk, number: int) -> EmailMessage:
    """The letter as every other protocol sends it."""

    def place(tx: Tx) -> Any:
        inbox = folders.find(tx, it.people["alice"].account_id, "INBOX")
        assert inbox is not None
        uid = tx.value("SELECT uid FROM entry WHERE id = ?", EntryId(number))
        return entries.body_ref(tx, inbox.id, uid)

    raw = it.store.read_body(it.store.peek(place))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    assert all(part.defects == [] for part in letter.walk())
    assert isinstance(letter, EmailMessage)
    return letter


async def test_a_letter_with_everything(tmp_path: Path) -> None:
    """Encoded words, RFC 2231 names, two forms of the body, a picture in one, a message within; no TNEF."""
    async with desk(tmp_path) as it:
        box = await it.box()
        made = await new_message(box, subject=SUBJECT, body=TEXT)
        html = '<html><body><p>Grüße <img src="cid:one@x"></p></body></html>'.encode()
        await write(box, made, HTML, html)
        await box.ask(properties.SetProperties(((0x3FDE0003, 65001), (0x00170003, 2))), made)
        people = (("zoe@example.org", 'Zoë, "die" Große'), ("bob@example.org", "Bob"), ("s@example.org", "S"))
        changes = [
            messages.ChangedRecipient(at, at + 1, row(address, name))
            for at, (address, name) in enumerate(people)
        ]
        await box.ask(messages.ModifyRecipients(messages.Changes((), tuple(changes))), made)
        picture, paper = b"\x89PNG" + bytes(range(256)) * 10, b"%PDF" + b"z" * 70_000
        await attach(box, made, picture, name="one.png", kind="image/png", cid="one@x", flags=4, hidden=True)
        await attach(box, made, paper, name=LONG_NAME, kind="application/pdf")
        within = (await box.ask(0x23, made)).opens
        assert within is not None
        await box.ask(properties.SetProperties(((METHOD, 5), (NAME, "Inside"))), within.handle)
        inner = await box.open(messages.OpenEmbeddedMessage(0x0FFF, 2), within.handle)
        await box.put(inner, subject="Innen ß", body="Innerer Text\r\n")
        await box.ask(messages.SaveChangesMessage(0x0A), inner)
        await box.ask(messages.SaveChangesAttachment(0x0A), within.handle)
        letter = stored(it, (await box.save(made)).counter)

    kinds = [(part.get_content_type(), part.get_content_disposition()) for part in letter.walk()]
    assert kinds == [
        ("multipart/mixed", None), ("multipart/alternative", None), ("text/plain", None),
        ("multipart/related", None), ("text/html", None), ("image/png", "inline"),
        ("application/pdf", "attachment"), ("message/rfc822", "attachment"), ("text/plain", None),
    ]  # fmt: skip
    assert (letter["subject"], letter["importance"], letter["mime-version"]) == (SUBJECT, "high", "1.0")
    assert [(one.addr_spec, one.display_name) for one in letter["to"].addresses] == [people[0]]
    assert [one.addr_spec for one in letter["cc"].addresses] == ["bob@example.org"]
    assert [(one.addr_spec, one.display_name) for one in letter["from"].addresses] == [
        ("alice@example.org", "Alice")
    ]
    plain, shown, image, file, message = [
        part for part in letter.walk() if not part.is_multipart() or part.get_content_maintype() == "message"
    ][:5]
    assert plain.get_content().replace("\r\n", "\n").rstrip() == TEXT.replace("\r\n", "\n").rstrip()
    assert shown.get_content().strip() == html.decode()
    assert (image.get_content(), image["content-id"], image.get_filename()) == (picture, "<one@x>", "one.png")
    assert (file.get_content(), file.get_filename()) == (paper, LONG_NAME)
    assert message.get_content()["subject"] == "Innen ß"
    assert message.get_content().get_content().strip() == "Innerer Text"
