"""Bytes into the SMTP wire, the reply reader's line, and the header completer."""

from quintet.clock import FrozenClock
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.submit import Completer
from quintet.errors import BadSyntax, Hangup, Refused
from quintet.net.seam import Need
from quintet.smtp import commands
from quintet.smtp.wire import SmtpWire

SEEDS = [
    b'EHLO c.test\r\nMAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<"q \\"x"@[IPv6:::1]>\r\nDATA\r\n',
    b"MAIL FROM:<@a,@b:c@d>\r\nRCPT TO:<Postmaster>\r\nBDAT 10 LAST\r\nAUTH PLAIN =\r\n",
    b"From: a@b\r\nBcc: c\r\n d\r\n\r\nbody\r\n",
    b"XCLIENT NAME=a.test ADDR=IPV6:::1 LOGIN=a+40b.test\r\nXFORWARD SOURCE=LOCAL IDENT=x\r\n",
    b"BURL imap://a/b;uid=1 LAST\r\nEXPN x SMTPUTF8\r\n",
    b'RCPT TO:<"a b"@[x:"@"]>\r\nRCPT TO:<a@[x:@]>\r\n',
    b"junk\r\n\r\n",
]
BOX = Mailbox("a", "b.test")


def target(data: bytes) -> None:
    wire = SmtpWire()
    middle = len(data) // 2
    for piece in (data[:middle], data[middle:]):
        wire.feed(piece)
        while True:
            try:
                command = wire.next()
            except BadSyntax:
                continue
            except Hangup:
                break
            if command is Need.DATA:
                break
            if isinstance(command, commands.Rcpt):
                assert mailbox(str(command.recipient)) == command.recipient
    completer = Completer(sender=BOX, identity=BOX, owns=lambda _: False, hostname="h", clock=FrozenClock())
    try:
        out = completer.feed(data[:middle]) + completer.feed(data[middle:]) + completer.finish()
    except Refused:
        return
    assert (
        out.startswith((b"Date:", b"Message-ID:", b"Sender:", b"From:")) or b"\nbcc:" not in out.lower()[:200]
    )
