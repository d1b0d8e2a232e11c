"""Every command in every state: only replies come out, and no mail is taken that nobody sent."""

import asyncio
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.net.memory import Talk
from quintet.smtp.desk import Role
from quintet.smtp.rules import RULES
from quintet.smtp.session import HANDLERS
from tests.support.mailhouse import mail_house

LINES = st.sampled_from(
    [
        b"EHLO a.test",
        b"HELO a.test",
        b"LHLO a.test",
        b"MAIL FROM:<>",
        b"MAIL FROM:<zoe@example.net> SIZE=10 BODY=8BITMIME",
        b"RCPT TO:<alice@example.org>",
        b"RCPT TO:<nobody@example.org>",
        b"RCPT TO:<x@example.net>",
        b"DATA",
        b"a: b\r\n\r\n.",
        b"BDAT 4 LAST\r\na:b",
        b"BDAT 2\r\na:",
        b"BDAT 0 LAST",
        b"BURL imap://example.org/a LAST",
        b"MAIL FROM:<zoe@example.net> BODY=BINARYMIME PRDR RET=HDRS BY=60;N MT-PRIORITY=3",
        b"RCPT TO:<bob@example.org> NOTIFY=NEVER ORCPT=rfc822;x",
        b"XCLIENT ADDR=192.0.2.7 HELO=b.test",
        b"XFORWARD ADDR=192.0.2.7",
        b"RSET",
        b"NOOP",
        b"VRFY x",
        b"EXPN x",
        b"HELP",
        b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGRlbW8=",
        b"AUTH LOGIN",
        b"*",
        b"STARTTLS",
        b"FOO",
    ]
)
REPLY = re.compile(rb"(?:[2-5]\d\d[- ][ -~]*\r\n)*")


def test_every_command_has_a_rule_and_a_handler() -> None:
    assert RULES.keys() == HANDLERS.keys()


@settings(max_examples=60)
@given(st.lists(LINES, max_size=14), st.sampled_from(list(Role)), st.booleans())
def test_any_conversation(lines: list[bytes], role: Role, proxied: bool) -> None:
    async def talk() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with mail_house(Path(folder)) as house:
                house.role = role
                house.urls["imap://example.org/a"] = b"a: b\r\n\r\n"
                if proxied:
                    house.configure(replace(house.config, xclient_from=["127.0.0.1"], xforward_from=["::/0"]))
                held = Talk(house.service)
                await held.begin()
                await held.send(b"\r\n".join([b"EHLO a.test", *lines]) + b"\r\n")
                said = held.take()
                await held.end()
                assert REPLY.fullmatch(said), said
                assert b"Internal error" not in said
                if role is Role.MX:
                    taken = len(re.findall(rb"^250 2\.0\.0 OK [0-9a-f]+\r", said, re.MULTILINE))
                    alice, bob = await house.count("alice"), await house.count("bob")
                    assert max(alice, bob) <= taken <= alice + bob

    asyncio.run(talk())
