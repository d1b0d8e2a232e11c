"""Bytes into what reads addresses and headers on a message's way: SRS, lists, groups, submission, maps."""

import re

from quintet.clock import FrozenClock
from quintet.delivery import inject, injectchecks, listmail, relayed, srs, submit, togroup
from quintet.delivery.envelope import Mailbox
from quintet.errors import Refused
from quintet.message import scan
from quintet.store.lists import MailingList

SEEDS = [
    b"SRS0=ABCDEF=AB=example.net=zoe\r\nSRS1=ABCDEF=x.example==AB=AB=y=z",
    b"List-Id: a <talk.example.org>\r\nSubject: Re: confirm ABC\r\nReply-To: x\r\n\r\nsubscribe\r\n",
    b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\nAction: delayed\r\n",
    b"From: \xe9 <a@b>\r\nFrom: c\r\nSender: d\r\nBcc: e\r\nX: " + b"y" * 1200 + b"\r\n\r\n",
    b"user@domain\n!no*@domain\n[x]?@d # remark\n",
    b"In-Reply-To: <a@b>\r\nNewsgroups: c\r\nDate: never\r\nMessage-ID: no\r\n",
]
KEY = b"k" * 32
NOW = 1_764_000_000_000
LIST = MailingList(
    1, "talk@example.org", "T \xe9", "o@x", "members", "moderate", "confirm", "list", "t", 0, 5, 0
)
BOX = Mailbox("a", "b.test")


def target(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for local in text.split("\r\n"):
        assert srs.token(local) == "" or len(srs.token(local)) == srs.TOKEN
        try:
            srs.reverse(KEY, local, NOW)
        except Refused:
            continue
        raise AssertionError("a return address that nobody made")
    sender = Mailbox(text[:40].replace("\r", "").replace("\n", "") or "x", "example.net")
    made = srs.rewrite(KEY, sender, "example.org", NOW)
    if not srs.is_ours(sender.local):
        assert srs.reverse(KEY, made.local, NOW) == sender

    post = listmail.post_header(data, LIST)
    assert post.startswith(b"List-Id: ")
    digest = scan.scan(data)
    listmail.command(digest, data)
    listmail.failed(data)
    listmail.automatic(digest)
    listmail.author(digest)

    for policy in ("sender", "rewrite", "refuse"):
        try:
            header = submit.complete(
                b"Subject: x\r\n" + data,
                sender=BOX,
                identity=BOX,
                owns=lambda address: address == "a@b.test",
                hostname="h",
                clock=FrozenClock(),
                rules=submit.Rules(policy, utf8=False),
            )
        except Refused:
            continue
        assert not re.search(rb"^(?:resent-)?bcc[ \t]*:", header, re.IGNORECASE | re.MULTILINE)

    article = togroup.article_header(data, ["a.b"])
    try:
        proto = inject.read(article, by_hand=True)
        injectchecks.check(proto, NOW, inject.Limits(), group="a.b")
        assert proto.groups == ("a.b",)
    except Refused:
        pass
    try:
        relayed.read(text).has(BOX)
    except ValueError:
        return
