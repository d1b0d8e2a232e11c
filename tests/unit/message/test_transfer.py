"""Transfer encodings (RFC 2045 6), in every chunking."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import transfer
from tests.support.effort import linear

BASE64 = [
    (b"aGVsbG8=", b"hello"),
    (b"aGVs\r\nbG8=\r\n", b"hello"),
    (b"aGVsbG8", b"hello"),  # padding is missing
    (b"aGV!s bG8=", b"hello"),  # 6.8: what is no letter is ignored
    (b"aGVsbG8=aGVsbG8=", b"hellohello"),  # two texts in a row
    (b"a", b""),
    (b"====", b""),
    (b"aGVsbG8==\r\n--tail", b"hello" + base64.b64decode("tail")),
    (b"", b""),
]
QUOTED = [
    (b"a=3Db", b"a=b"),
    (b"a=3db", b"a=b"),  # lower-case letters, 6.7 note
    (b"soft=\r\nbreak", b"softbreak"),
    (b"soft=  \r\nbreak", b"softbreak"),
    (b"soft=\nbreak", b"softbreak"),
    (b"blanks \t \r\nend  ", b"blanks\r\nend"),  # 6.7 (3): added on the way
    (b"a=ZZb", b"a=ZZb"),  # 6.7: left as it is
    (b"end=", b"end"),
    (b"\xe9", b"\xe9"),
    (b"=C3=A9", b"\xc3\xa9"),
]
UU = [
    (b"begin 644 f\r\n%:&5L;&\\\r\n`\r\nend\r\n", b"hello"),
    (b"text\nbegin 644 f\n%:&5L;&\\\n`\nend\nmore\n", b"hello"),
    (b"begin 644 f\n%:&5L;&\\ X\n`\nend", b"hello"),  # a checksum letter
    (b"begin 644 f\n%:&5L;&\\", b"hello"),
    (b"begin 644 f\n\x80\x81\nend\n", b""),
    (b"nothing", b""),
]
TABLE = (
    [("base64", *row) for row in BASE64]
    + [("quoted-printable", *row) for row in QUOTED]
    + [("x-uuencode", *row) for row in UU]
)


@pytest.mark.parametrize(("encoding", "encoded", "decoded"), TABLE)
def test_decode(encoding: str, encoded: bytes, decoded: bytes) -> None:
    for size in (1, 2, 3, 5, 1000):
        decoder = transfer.decoder(encoding)
        got = b"".join([decoder.feed(encoded[at : at + size]) for at in range(0, len(encoded), size)])
        assert got + decoder.finish() == decoded


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "nonsense"])
def test_other_encodings_change_nothing(encoding: str) -> None:
    assert transfer.decode(encoding, b"a=3D\0\xff") == b"a=3D\0\xff"


@given(
    st.sampled_from(["base64", "quoted-printable", "x-uuencode"]), st.binary(max_size=200), st.integers(1, 9)
)
def test_any_bytes_in_any_chunking(encoding: str, raw: bytes, size: int) -> None:
    decoder = transfer.decoder(encoding)
    got = b"".join([decoder.feed(raw[at : at + size]) for at in range(0, len(raw), size)]) + decoder.finish()
    assert got == transfer.decode(encoding, raw)


@given(st.binary(max_size=500))
def test_base64_is_the_standard_librarys(data: bytes) -> None:
    encoded = transfer.encode_base64(data)
    assert encoded == base64.encodebytes(data).replace(b"\n", b"\r\n")
    assert transfer.decode("base64", encoded) == data


@given(st.text(max_size=300))
def test_quoted_printable_is_read_back(text: str) -> None:
    lines = "\n".join(text.replace("\r", "").split("\n")).encode("utf-8", "replace")
    encoded = transfer.encode_quoted_printable(lines)
    want = lines.replace(b"\n", b"\r\n")
    assert transfer.decode("quoted-printable", encoded) == want
    assert quopri.decodestring(encoded) == want
    assert encoded.isascii()
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))


ENCODED = [
    (b".a\n.", b"=2Ea\r\n=2E"),  # dots at the start: SMTP and NNTP double them
    (b"From a\nTo", b"=46rom a\r\nTo"),  # mbox files quote it
    (b"a \nb\t\n", b"a=20\r\nb=09\r\n"),  # 6.7 (3)
    (b"a=b\r\n", b"a=3Db\r\n"),
    (b"x" * 74 + b".dot", b"x" * 74 + b".=\r\ndot"),
    (b"x" * 75 + b".dot", b"x" * 75 + b"=\r\n=2Edot"),
]


@pytest.mark.parametrize(("text", "encoded"), ENCODED)
def test_quoted_printable_is_safe_on_every_way(text: bytes, encoded: bytes) -> None:
    assert transfer.encode_quoted_printable(text) == encoded


@given(st.binary(max_size=45))
def test_uuencode_is_the_standard_librarys(data: bytes) -> None:
    body = b"begin 644 x\n" + binascii.b2a_uu(data) + b"`\nend\n"
    assert transfer.decode("x-uuencode", body) == data


@pytest.mark.unmeasured
@pytest.mark.parametrize("piece", [b" ", b"=", b"= ", b"=\r\n", b"a=", b"begin 644 f\n"])
def test_hostile_bodies_take_linear_time(piece: bytes) -> None:
    with linear():
        for encoding in ("base64", "quoted-printable", "x-uuencode"):
            transfer.decode(encoding, piece * (300_000 // len(piece)) + b"x\r\n")


def test_a_line_without_end_is_not_held() -> None:
    for encoding in ("base64", "quoted-printable", "x-uuencode"):
        decoder = transfer.decoder(encoding)
        for _ in range(200):
            decoder.feed(b"=" * 5000 + b" " * 5000)
        assert len(decoder._held) <= 2 * transfer.MAX_HELD  # type: ignore[attr-defined]
