"""Microseconds per message of the scanner and the renderers: ``python -m bench.micro.message``.

Every message is another one (names, boundaries, ids, dates), so no cache can
answer for the parser. Printed: the median over all messages, each the best of
three runs, for a plain message of 4 KB and a multipart of 10 KB.
"""

from __future__ import annotations

import argparse
import base64
import random
import statistics
import time
from collections.abc import Callable

from quintet.message import keys, render, scan
from quintet.message.digest import Digest

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "seven",
    "mail",
    "servers",
    "wait",
    "for",
    "their",
    "turn",
    "to",
    "speak",
]


def _text(rng: random.Random, size: int) -> bytes:
    lines: list[str] = []
    total = 0
    while total < size:
        line = " ".join(rng.choices(WORDS, k=rng.randint(4, 12)))
        lines.append(line)
        total += len(line) + 2
    return "\r\n".join(lines).encode()[:size] + b"\r\n"


def _headers(rng: random.Random) -> bytes:
    def person() -> str:
        first, last = rng.choice(WORDS).title(), rng.choice(WORDS).title()
        return f"{first} {last} <{first.lower()}.{rng.randint(1, 9999)}@mail{rng.randint(1, 99)}.example.org>"

    ident = f"{rng.getrandbits(64):x}"
    received = "".join(
        f"Received: from relay{rng.randint(1, 99)}.example.net ([192.0.2.{rng.randint(1, 250)}])"
        f"\r\n\tby mx.example.org with ESMTPS id {rng.getrandbits(48):x};"
        f"\r\n\tFri, 21 Nov 2025 09:{rng.randint(10, 59)}:00 +0000\r\n"
        for _ in range(2)
    )
    references = " ".join(f"<{rng.getrandbits(64):x}@example.org>" for _ in range(4))
    lines = (
        f"From: {person()}",
        f"To: {person()},\r\n {person()}",
        f'Cc: "{rng.choice(WORDS)}, {rng.choice(WORDS)}" <{ident}@example.com>',
        f"Subject: Re: [list] =?utf-8?q?Caf=C3=A9_{ident}?= {rng.choice(WORDS)}",
        f"Date: Fri, 21 Nov 2025 09:{rng.randint(10, 59)}:{rng.randint(10, 59)} +0100",
        f"Message-ID: <{ident}@mail.example.org>",
        f"In-Reply-To: <{ident}.1@example.org>",
        f"References: {references}",
        "MIME-Version: 1.0",
        f"X-Mailer: Bench/{rng.randint(1, 99)}",
        "List-Id: <list.example.org>\r\n",
    )
    return (received + "\r\n".join(lines)).encode()


def plain(rng: random.Random, size: int = 4096) -> bytes:
    """A plain message of about ``size`` bytes."""
    head = (
        _headers(rng) + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    )
    return head + _text(rng, max(size - len(head), 0))


def multipart(rng: random.Random, size: int = 10240) -> bytes:
    """multipart/mixed of (alternative of plain and HTML) and an attachment, about ``size`` bytes."""
    outer, inner = (f"=_{rng.getrandbits(96):x}".encode() for _ in range(2))
    head = _headers(rng) + b'Content-Type: multipart/mixed;\r\n boundary="%b"\r\n\r\n' % outer
    rest = size - len(head) - 700
    attachment = base64.encodebytes(rng.randbytes(rest * 3 // 8)).replace(b"\n", b"\r\n")
    return b"".join(
        (
            head,
            b"This is a message in MIME format.\r\n--%b\r\n" % outer,
            b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n' % (inner, inner),
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
            _text(rng, rest // 4),
            b"\r\n--%b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>" % inner,
            _text(rng, rest // 4),
            b"</p>\r\n--%b--\r\n\r\n--%b\r\n" % (inner, outer),
            b'Content-Type: application/pdf; name="report-%d.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            % rng.randint(1, 10**6),
            b'Content-Disposition: attachment; filename="report-%d.pdf"\r\n\r\n' % rng.randint(1, 10**6),
            attachment,
            b"--%b--\r\n" % outer,
        )
    )


def _median(work: Callable[[bytes], object], messages: list[bytes]) -> float:
    """Median microseconds over the messages, each the best of three."""
    best = [float("inf")] * len(messages)
    clock = time.perf_counter
    for _ in range(3):
        for number, message in enumerate(messages):
            began = clock()
            work(message)
            best[number] = min(best[number], clock() - began)
    return statistics.median(best) * 1e6


def _scan_render(message: bytes) -> None:
    render.everything(scan.scan(message))


def _all(message: bytes) -> None:
    digest = scan.scan(message)
    render.everything(digest)
    keys.sort_keys(digest)
    digest.to_bytes()


def main() -> None:
    """Print one line per kind of message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    count = parser.parse_args().messages
    rng = random.Random(1)
    for name, make in (("plain 4 KB", plain), ("multipart 10 KB", multipart)):
        messages = [make(rng) for _ in range(count)]
        packed = [scan.scan(message).to_bytes() for message in messages]
        print(f"{name}: {statistics.mean(map(len, messages)):.0f} bytes")
        print(f"  scan                    {_median(scan.scan, messages):6.1f} us")
        print(f"  scan, render            {_median(_scan_render, messages):6.1f} us")
        print(f"  scan, render, keys, pack{_median(_all, messages):6.1f} us")
        print(f"  unpack                  {_median(Digest.from_bytes, packed):6.1f} us")
        print(f"  packed digest           {statistics.mean(map(len, packed)):6.0f} bytes")


if __name__ == "__main__":
    main()
