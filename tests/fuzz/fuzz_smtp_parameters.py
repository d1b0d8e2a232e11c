"""Bytes into the readers of MAIL's and RCPT's parameters, by their command lines, and into the repairs."""

from quintet.clock import FrozenClock
from quintet.errors import BadSyntax, Hangup, Refused
from quintet.smtp import commands, parameters
from quintet.smtp.parameters import Terms
from quintet.smtp.repair import BinaryGuard, Repairer

SEEDS = [
    b"SIZE=10 BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb REQUIRETLS HOLDFOR=60 BY=10;RT MT-PRIORITY=-3",
    b"HOLDUNTIL=2025-11-21T10:00:00+02:00 SOLICIT=net.example:ADV,org.x AUTH=e+3Dmc2@example.com PRDR",
    b"NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;al\\x{EF}ce@example.org",
    b"ORCPT=rfc822;a+40b NOTIFY=NEVER",
    b"a\r\n\r\nb\n.\n\0c\r.\r" + b"x" * 1200,
]
TERMS = Terms(FrozenClock(), max_size=1000, hold_max_s=86400)


def target(data: bytes) -> None:
    for verb in (b"MAIL FROM:<a@b.test> ", b"RCPT TO:<a@b.test> "):
        try:
            command = commands.parse(verb + data)
            if isinstance(command, commands.Mail):
                asked = parameters.read_mail(command.parameters, TERMS, secure=True, trusted=True)
                assert asked.wishes().envid.isprintable()
            elif isinstance(command, commands.Rcpt):
                _, orcpt = parameters.read_rcpt(command.parameters)
                assert not any(ord(letter) < 0x20 for letter in orcpt)
        except (BadSyntax, Refused, Hangup):
            continue
    _repair(data)


def _repair(data: bytes) -> None:
    middle = len(data) // 2
    repairer = Repairer(guarded=True, nul=True, longest=998)
    try:
        out = repairer.feed(data[:middle]) + repairer.feed(data[middle:]) + repairer.finish()
    except Refused:
        pass
    else:
        assert out.count(b"\r\n") == out.count(b"\n") == out.count(b"\r")
        assert b"\0" not in out
        assert max(map(len, out.split(b"\r\n"))) <= 998
    guard = BinaryGuard()
    try:
        assert guard.feed(data[:middle]) + guard.feed(data[middle:]) + guard.finish() == data
    except Refused:
        return
