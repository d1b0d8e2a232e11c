"""Bytes into what the client hears, and texts into the patterns of routes and the names of hosts."""

import itertools

from quintet.config import places
from quintet.delivery import matching
from quintet.delivery.envelope import Mailbox
from quintet.delivery.transport import Result, To
from quintet.errors import BadSyntax
from quintet.policy import dmarc
from quintet.smtp import heard, outgoing

SEEDS = [
    b"*@" * 40 + b"?.test\r\n<>\r\n" + b"*@" * 60 + b"a\r\n",
    b"250-x\r\n250-SIZE 10\r\n250-AUTH=LOGIN\r\n250-LIMITS RCPTMAX=2 MAILMAX=x\r\n250 DSN\r\n",
    b"452 4.5.3 too many\r\n550-5.1.1 no\r\n550 5.1.1 such\r\n",
    b"[2001:db8::1]:25, mx:a.test:26\r\nunix:/run/x\r\n*@?.test\r\n<>\r\n@x.test\r\n.y.test\r\n",
    b"250 LIMITS RCPTMAX=0 MAILMAX=5 X\r\nv=DMARC1; p=reject;sp=none\r\n",
    b"999\r\n25\r\n250\r\n\xff\x00\r\n",
]
WORDS = {"2": Result.DONE, "4": Result.LATER, "5": Result.NEVER}


def target(data: bytes) -> None:
    reader, lines = heard.Reader(), data.split(b"\r\n")
    for line in lines:
        dmarc.record(line)
        short = heard._short(line)
        assert short is None or heard.Reader().line(line) == short
        try:
            found = reader.line(line)
        except BadSyntax:
            reader = heard.Reader()
            continue
        if found is not None:
            assert len(found.lines) <= heard.MAX_LINES
            assert "\n" not in found.text and "\r" not in found.text
            for digit, result in WORDS.items():
                assert found.status(result).startswith(digit)
    texts = [line.decode("utf-8", "replace") for line in lines[:20]]
    offers = heard.offers(texts)
    assert min(offers.size, offers.rcpt_max, offers.mail_max, offers.domain_max) >= 0
    people = [
        To(Mailbox(local, domain), ("never",), f"rfc822;{local}")
        for local, domain in itertools.pairwise(texts)
    ]
    named, refused = outgoing.recipients(offers, people)
    assert len(named) + len(refused) == len(people)
    assert not any(char in each.command for each in named for char in "\r\n\0")
    parted = list(outgoing.transactions(offers, named))
    assert sorted(each.number for one in parted for each in one) == [each.number for each in named]
    assert all(not offers.rcpt_max or len(one) <= offers.rcpt_max for one in parted)
    wanted = matching.addresses(texts)
    for to in people:
        assert matching.address_fits(wanted, to.address) in (True, False)
    for text in texts:
        try:
            for each in places.groups([text]):
                assert all(0 <= one.port < 65536 for one in each)
        except ValueError:
            continue
