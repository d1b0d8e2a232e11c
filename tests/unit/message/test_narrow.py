"""8-bit messages in seven bits: read by the stdlib, they say the same."""

import email
import email.policy

import pytest

from quintet.message import narrow
from quintet.message.scan import scan

PLAIN = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
MIXED = (
    "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n"
    "--B\r\nContent-Type: text/plain;\r\n charset=utf-8\r\ncontent-transfer-encoding:\r\n 8bit\r\n"
    "X: y\r\n\r\nZürich =3D\r\n\r\n"
    "--B\r\n\r\nplain = text\r\n"
    "--B\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\nbé\r\nc\r\n"
    "--B\r\nContent-Type: message/rfc822\r\n\r\n" + PLAIN + "\r\nGrüße\r\n--B--\r\nepilogue\r\n"
)  # fmt: skip


def narrowed(text: str) -> bytes | None:
    data = text.encode()
    return narrow.seven_bit(data, scan(data))


def bodies(data: bytes) -> list[bytes]:
    """Every leaf's decoded bytes."""
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return [part.get_payload(decode=True) for part in leaves]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "\r\nZürich\r\n.\r\n trailing \r\n" + "ü" * 200 + "\r\n",
        PLAIN + "Content-Transfer-Encoding: 8bit\r\n\r\nZürich ohne Ende",
        MIXED,
    ],
)
def test_says_the_same(text: str) -> None:
    result = narrowed(text)
    assert result is not None
    assert result.isascii()
    assert max(map(len, result.split(b"\r\n"))) <= 76
    assert bodies(result) == bodies(text.encode())
    assert b"8bit" not in result
    assert scan(result).bare_lf is False


def test_raw_text_is_called_unknown() -> None:
    """With the word of RFC 1428."""
    assert narrowed("Subject: x\r\n\r\nZürich\r\n") == (
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
        b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nZ=C3=BCrich\r\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Subject: Zürich\r\n\r\nx\r\n",
        MIXED.replace("mixed", "signed"),
        MIXED.replace("preamble", "Präambel"),
        MIXED.replace("epilogue", "épilogue"),
        MIXED.replace("X: y", "X: ÿ"),
        MIXED.replace("Encoding: binary", "Encoding: base64"),
        "Content-Type: multipart/mixed\r\n\r\nohne Grenze: ü\r\n",
    ],
)  # fmt: skip
def test_what_cannot_be_changed_without_harm_is_left(text: str) -> None:
    assert narrowed(text) is None
