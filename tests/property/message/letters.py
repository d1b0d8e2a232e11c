"""Messages for property tests: well-formed ones from a grammar, and bytes that look like messages."""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

from hypothesis import strategies as st

PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"--", b"--b", b"--b--", b"\r\n--b\r\n", b"\n--b\n", b"\r\n--b--\r\n",
    b"\r\n--c\r\n", b"\r\n--c--\r\n", b"--c \t\r\n", b".", b"\r\n.", b"\0", b"\xff", b"\xc3\xa9", b" ", b"\t", b":", b"x",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b'Content-Type: multipart/digest; boundary="c"\r\n',
    b"Content-Type: message/rfc822\r\n", b"Content-Type: message/global\r\n", b"Content-Type: text/html\r\n",
    b"Content-Type: multipart/mixed\r\n", b"Content-Type: garbage\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%e2; filename*1=x\r\n", b"Content-Language: de, en\r\n",
    b"Subject: hello\r\n there\r\n", b"From: \"A B\" <a@b>, g: c@d, e;\r\n", b"To: (x) y\r\n", b"Date: nonsense\r\n",
    b"Date: Fri, 21 Nov 2025 09:00:00 +0000\r\n", b"Message-ID: <a@b>\r\n", b"References: <a@b> <c@d>\r\n", b"text\r\n",
    b"x" * 1100,
)  # fmt: skip

soup = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=40).map(b"".join)
"""Bytes put together from pieces that mean something to the scanner."""

_line = st.binary(max_size=60).map(
    lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"").replace(b"-", b"_")
)
_body = st.lists(_line, max_size=5).map(b"\r\n".join)


def _leaf(body: bytes) -> bytes:
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body


def _embedded(inner: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: <a@b.example>\r\n" + inner


def _multipart(parts: list[bytes]) -> bytes:
    boundary = b"b%d" % (
        sum(map(len, parts)) + len(parts)
    )  # grows with nesting, so no two open ones are equal
    joined = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return (
        b"Content-Type: multipart/mixed; boundary="
        + boundary
        + b"\r\n\r\n"
        + joined
        + b"--"
        + boundary
        + b"--\r\n"
    )


letters = st.recursive(
    _body.map(_leaf),
    lambda inner: st.one_of(inner.map(_embedded), st.lists(inner, min_size=1, max_size=4).map(_multipart)),
    max_leaves=8,
).map(lambda entity: b"From: Joe <joe@example.org>\r\nSubject: test\r\nMIME-Version: 1.0\r\n" + entity)
"""Well-formed MIME messages, nested."""
