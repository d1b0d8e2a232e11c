"""innd and we are sent the same articles, good and spoilt, and say the same of each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quintet.message.headers import format_date
from quintet.store import groups
from tests.support import inn as news
from tests.support.feedhouse import GROUP, bring, peer
from tests.support.inn import inn
from tests.support.server import start_server

OTHER = "local.other"
NEVER, LATER = "Mon, 30 Nov 1998 12:00:00 +0000", "Sun, 30 Nov 2036 12:00:00 +0000"

pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(news.missing()), reason=news.missing() or "there")]

# what is changed of a good article: fields by name (None: left out), lines behind them, the body
CASES: dict[str, tuple[dict[str, str | None], bytes, bytes]] = {
    "good": ({}, b"", b"body\r\n"),
    **{f"no {name}": ({name: None}, b"", b"body\r\n") for name in ("Path", "From", "Subject", "Date")},
    "no Newsgroups": ({"Newsgroups": None}, b"", b"body\r\n"),
    "no Message-ID": ({"Message-ID": None}, b"", b"body\r\n"),
    "a date that is none": ({"Date": "soon"}, b"", b"body\r\n"),
    "a date of ISO 8601": ({"Date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, b"", b"body\r\n"),
    "a date of ctime": ({"Date": time.asctime(time.gmtime())}, b"", b"body\r\n"),
    "a day alone": ({"Date": time.strftime("%d %b %Y", time.gmtime())}, b"", b"body\r\n"),
    "of the future": ({"Date": LATER}, b"", b"body\r\n"),
    "old": ({"Date": NEVER}, b"", b"body\r\n"),
    "injected long ago": ({}, f"Injection-Date: {NEVER}\r\n".encode(), b"body\r\n"),
    "two subjects": ({}, b"Subject: again\r\n", b"body\r\n"),
    "two of its own fields": ({}, b"X-A: a\r\nX-A: b\r\n", b"body\r\n"),
    "an empty subject": ({"Subject": ""}, b"", b"body\r\n"),
    "an empty field": ({}, b"X-A: \r\n", b"body\r\n"),
    "no blank behind the colon": ({}, b"X-A:b\r\n", b"body\r\n"),
    "no colon": ({}, b"what is this\r\n", b"body\r\n"),
    "nothing in the first line": ({}, b"X-A:\r\n b\r\n", b"body\r\n"),
    "a tab behind the colon": ({}, b"X-A:\tb\r\n", b"body\r\n"),
    "folded": ({}, b"X-A: a\r\n b\r\n", b"body\r\n"),
    "a long field": ({}, b"X-A: " + b"y" * 1200 + b"\r\n", b"body\r\n"),
    "no body": ({}, b"", b""),
    "no such group": ({"Newsgroups": "no.such"}, b"", b"body\r\n"),
    "two groups": ({"Newsgroups": f"{GROUP},{OTHER}"}, b"", b"body\r\n"),
    "blanks between groups": ({"Newsgroups": f"{GROUP}, {OTHER}"}, b"", b"body\r\n"),
    "a comma too many": ({"Newsgroups": f"{GROUP},,{OTHER}"}, b"", b"body\r\n"),
    "a comma first": ({"Newsgroups": f",{GROUP}"}, b"", b"body\r\n"),
    "a comma last": ({"Newsgroups": f"{GROUP},"}, b"", b"body\r\n"),
    "a comma alone": ({"Newsgroups": ","}, b"", b"body\r\n"),
    "a blank in a group": ({"Newsgroups": "local test"}, b"", b"body\r\n"),
    "an empty path": ({"Path": ""}, b"", b"body\r\n"),
    "too long an id": ({"Message-ID": f"<{'a' * 250}@b.example>"}, b"", b"body\r\n"),
    "other lines": ({}, b"Lines: 99\r\n", b"body\r\n"),
    "not approved, and need not be": ({}, b"Approved: a@b.example\r\n", b"body\r\n"),
    "expired": ({}, f"Expires: {NEVER}\r\n".encode(), b"body\r\n"),
    "NUL in a field": ({}, b"X-A: a\0b\r\n", b"body\r\n"),
    "NUL in the body": ({}, b"", b"a\0b\r\n"),
    "octets of no charset": ({}, b"X-A: \xff\r\n", b"body\r\n"),
    "a bare LF": ({}, b"", b"a\nb\r\n"),
    "a bare CR": ({}, b"", b"a\rb\r\n"),
    "Xref of elsewhere": ({}, b"Xref: elsewhere.example local.test:1\r\n", b"body\r\n"),
}


async def test_what_innd_takes_we_take_and_nothing_else(tmp_path: Path) -> None:
    """Codes of TAKETHIS (RFC 4644 2.5): 239 it is taken, 439 it never will be."""
    articles = [(f"{at}@case.example", _article(at, *case)) for at, case in enumerate(CASES.values())]
    taking = {"peer": (peer("feed.example"),)}
    async with (
        inn("inn.example", [GROUP, OTHER]) as other,
        start_server(tmp_path / "ours", only=("nntp",), nntp=taking) as ours,
    ):
        for name in {GROUP, OTHER} - {one.name for one in ours.store.peek(groups.listing)}:
            await ours.store.write(groups.create, name)
        theirs = [answer[:3] for answer in await bring(other.port, articles)]
        said = [answer[:3] for answer in await bring(ours.ports["nntp"], articles)]
    assert dict(zip(CASES, said, strict=True)) == dict(zip(CASES, theirs, strict=True))
    assert set(theirs) == {"239", "439"}


def _article(at: int, changed: dict[str, str | None], more: bytes, body: bytes) -> bytes:
    fields: dict[str, str | None] = {
        "Path": "feed.example!user",
        "From": "a@example.org",
        "Newsgroups": GROUP,
        "Subject": "a case",
        "Date": format_date(int(time.time() * 1000)),
        "Message-ID": f"<{at}@case.example>",
        **changed,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return head.encode() + more + b"\r\n" + body
