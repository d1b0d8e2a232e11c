"""The message package on hostile bytes: nothing raises, chunking changes nothing, offsets nest.

Run by ``python -m tools.fuzz message``, or alone: ``python tests/fuzz/fuzz_message.py --seconds 60``.
"""

# ruff: noqa: E501, ISC004  (a row of a table reads best as one)

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run as a file: the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from quintet.message import headers, html, keys, render, scan, section, text, transfer
from quintet.message.digest import Digest, Part

SEEDS = [
    b'From: "Joe Q. Public" <john.q.public@example.com>, A Group:Ed Jones <joe@where.test>,x@y;\r\n'
    b"Subject: =?utf-8?q?Caf=C3=A9?= =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=\r\nDate: Fri, 21 Nov 97 09:55:06 -0600\r\n"
    b"Message-ID: <a@b>\r\nReferences: <1@x> <2@x>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n\r\nhello\r\n.dot\r\n'
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n"
    b"--b\r\nContent-Type: text/html; charset*0*=utf-8''%c3; name=\"x\\\"y\"\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac\r\n"
    b"\r\nPGI+aGVsbG88L2I+\r\n--b--\r\nepilogue\r\n",
    b"Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: x\n\ny\n--a\n\n--a--\n",
    b"Subject: Re: [list] Fwd: [fwd: x (fwd)]\r\nTo: (c(d)) <@a,@b:c@d>, \"q\\\"\"@e [1.2], ;\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc  \r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 f\r\n#86)C\r\n`\r\nend\r\n",
]  # fmt: skip


def _nested(part: Part, low: int, high: int) -> None:
    assert low <= part.header_start <= part.body_start <= part.end <= high
    for child in part.children:
        _nested(child, part.body_start, part.end)
    if part.message is not None:
        _nested(part.message.body, part.body_start, part.end)


def target(data: bytes) -> None:
    """One input."""
    digest = scan.scan(data)
    step = 1 + (data[0] if data else 0) % 97
    scanner = scan.Scanner()
    for at in range(0, len(data), step):
        scanner.feed(data[at : at + step])
    assert scanner.finish() == digest
    assert Digest.from_bytes(digest.to_bytes()) == digest
    _nested(digest.root, 0, len(data))
    render.everything(digest)
    keys.sort_keys(digest)
    for path in ((), (1,), (2,), (1, 1), (2, 1)):
        for what in ("", "HEADER", "TEXT", "MIME"):
            section.locate(digest, path, what)
    section.filter_header(data[: digest.header_end], {b"SUBJECT", b"TO"}, exclude=bool(step & 1))

    def read(start: int, end: int) -> bytes:
        return data[start:end]

    text.preview(digest, read)
    for _piece in text.body_texts(digest, read):
        pass
    line = data[:2000]
    headers.parse_addresses(line)
    headers.parse_date(line)
    headers.parse_params(line)
    headers.decode_words(line)
    headers.msg_ids(line)
    headers.encode_words(line.decode("utf-8", "surrogateescape"))
    html.strip(line.decode("latin-1"))
    for encoding in ("base64", "quoted-printable", "x-uuencode"):
        decoder = transfer.decoder(encoding)
        pieces = [decoder.feed(data[at : at + step]) for at in range(0, len(data), step)]
        if max(map(len, data.split(b"\n"))) < transfer.MAX_HELD:  # longer lines are cut where they come apart
            assert b"".join([*pieces, decoder.finish()]) == transfer.decode(encoding, data)


if __name__ == "__main__":
    import argparse

    from tools import fuzz

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    try:
        fuzz.run_guided("message", seconds)
    except ImportError:  # no atheris: random mutations
        tried = fuzz.run_random("message", seconds)
        print(f"fuzz message: {abs(tried)} inputs, {'a finding' if tried < 0 else 'clean'}")
        sys.exit(tried < 0)
