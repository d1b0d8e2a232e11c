"""Any bytes to the wire of NNTP, the header of an article, and wildmats: only the families may come out."""

from quintet.delivery import inject, injectchecks
from quintet.errors import Problem
from quintet.message import cancellock
from quintet.net.seam import Need
from quintet.nntp import commands
from quintet.nntp.fetches import Run
from quintet.nntp.wire import Wire
from quintet.policy.wildmat import header_wildmat, wildmat

SEEDS = [
    b"CAPABILITIES\r\nMODE READER\r\nGROUP local.test\r\nOVER 1-\r\nARTICLE <1@local.test>\r\n",
    b"LIST ACTIVE comp.*,!*.c,[a-z]?\r\nNEWNEWS * 20250101 000000 GMT\r\nXPAT Subject 1- *x* y\r\n",
    b"AUTHINFO USER alice\r\nAUTHINFO SASL PLAIN =\r\nHDR :bytes 1-2\r\nSTAT 9999999999999999\r\n",
    b"ARTICLE 1\r\nARTICLE 2\r\nSTAT <a@b>\r\nSTAT <c@d>\r\nGROUP a\r\nGROUP b\r\nHEAD 1\r\nhead 1\r\n",
    b"From: A <a@b.example>\r\nNewsgroups: a.b,c.d\r\nSubject: x\r\n y\r\nMessage-ID: <a@b>\r\nDate: now\r\n",
    b"From: A <a@b.example>\r\nNewsgroups: a\r\nCancel-Lock: (a(b)) sha256:s/pm=\r\nCancel-Key: a:b:c\r\n",
]


def target(data: bytes) -> None:
    """See the module."""
    for size in (7, max(len(data), 1)):  # in pieces, and as a pipeline that comes at once
        wire = Wire()
        for at in range(0, len(data), size):
            wire.feed(data[at : at + size])
            while True:
                try:
                    found = wire.next()
                except Problem:
                    break
                if found is Need.DATA:
                    break
                if isinstance(found, Run):
                    assert len(found.words) > 1
                for word in getattr(found, "args", ()):
                    _words(word)
    for by_hand in (False, True):
        try:
            proto = inject.read(data, by_hand=by_hand)
            injectchecks.check(proto, 1_763_715_600_000, inject.Limits(), group="a.b" if by_hand else "")
            added = inject.Additions("<new@example.org>", 1_763_715_600_000, "news.example.org")
            header = inject.complete(proto, added)
        except Problem:
            continue
        cancellock.opens(proto.get(b"cancel-key"), proto.get(b"cancel-lock"))
        again = inject.read(header.replace(b"Injection-Info", b"X-Info"), by_hand=by_hand)
        assert again.get(b"message-id") == proto.message_id


def _words(word: str) -> None:
    for parse in (
        commands.number_range,
        commands.number,
        lambda text: commands.date_time(text, text, "", 2025),
        lambda text: wildmat(text)("local.test"),
        lambda text: header_wildmat(text)("Article 1"),
    ):
        try:
            parse(word)
        except Problem:
            pass
