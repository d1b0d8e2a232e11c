"""Batch SMTP with a MIME header in front: RFC 2442."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import Reason, Refused
from quintet.smtp.labelled import MAX_HEAD, unwrapped
from tests.support.pieces import pieces

COMMANDS = b"\r\n".join(
    [
        *(b"EHLO a.test", b"MAIL FROM:<a@b.test>", b"RCPT TO:<b@b.test>", b"DATA"),
        *(b"Subject: x", b"", b"hi=", b".", b"QUIT", b""),
    ]
)


async def body_of(data: bytes, chunk: int) -> bytes:
    more = await unwrapped(pieces(data, chunk))
    found = b""
    while piece := await more(50):
        found += piece
    return found


def entity(encoding: str, body: bytes, kind: str = "application/batch-SMTP", end: str = "\r\n") -> bytes:
    head = f"MIME-Version: 1.0{end}Content-Type: {kind}{end}Content-Transfer-Encoding: {encoding}{end}{end}"
    return head.encode() + body


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
@pytest.mark.parametrize(
    "data",
    [
        COMMANDS,  # no header: it is the body
        entity("8bit", COMMANDS),
        entity("base64", base64.encodebytes(COMMANDS)),
        entity("BASE64", base64.encodebytes(COMMANDS), end="\n"),
        entity("quoted-printable", COMMANDS.replace(b"=", b"=3D")),
        entity("7bit", COMMANDS, 'application/batch-smtp; required-extensions="8bitMIME,SIZE,NOTARY"'),
        b"Content-Type: application/batch-SMTP\r\n\r\n" + COMMANDS,
    ],
)
async def test_the_commands_come_out(data: bytes, chunk: int) -> None:
    assert await body_of(data, chunk) == COMMANDS


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (entity("7bit", COMMANDS, "text/plain"), "labelled text/plain"),
        (entity("x-uue", COMMANDS), "encoding"),
        (
            entity("7bit", COMMANDS, "application/batch-SMTP; required-extensions=8bitMIME,XFOO"),
            "extension xfoo",
        ),
        (b"Subject: x\r\n", "without an end"),
        (b"Subject: " + b"x" * MAX_HEAD * 2, "without an end"),
        (b"Subject: x\r\n\r\n", "labelled as nothing"),
    ],
)
async def test_what_is_something_else_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        await body_of(data, 5000)
    assert refused.value.reason is Reason.BAD_CONTENT


@given(st.binary(max_size=300), st.integers(1, 40))
async def test_any_file_ends(data: bytes, chunk: int) -> None:
    for front in (b"", b"Content-Type: application/batch-SMTP\r\nContent-Transfer-Encoding: base64\r\n"):
        try:
            await body_of(front + data, chunk)
        except Refused as refused:
            assert refused.reason is Reason.BAD_CONTENT  # noqa: PT017 - nothing else may come out
