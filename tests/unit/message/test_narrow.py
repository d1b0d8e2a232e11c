"""8-bit messages in seven bits: read by the stdlib, they say the same."""

import base64
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


@pytest.mark.parametrize(
    ("subtype", "inner"),
    [
        ("global", "Subject: Grüße\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nZürich\r\n"),
        ("global-headers", "Subject: Grüße\r\n"),
        ("global-delivery-status", "Reporting-MTA: dns; x.test\r\n\r\nFinal-Recipient: utf-8; ü@x.test\r\n"),
        ("global-disposition-notification", "Final-Recipient: utf-8; ü@x.test\r\n"),
    ],
)
def test_parts_made_for_utf8_headers_are_encoded_whole(subtype: str, inner: str) -> None:
    """RFC 6532 3.5, 3.7: "it MUST have an appropriate content-transfer-encoding applied"; RFC 6533 6."""
    part = f"--B\r\nContent-Type: message/{subtype}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{inner}\r\n"
    result = narrowed(MIXED.replace("--B--", part + "--B--"))
    assert result is not None
    assert result.isascii()
    head, _, encoded = result.partition(f"message/{subtype}\r\n".encode())[2].partition(b"\r\n\r\n")
    assert head == b"Content-Transfer-Encoding: base64"
    assert base64.b64decode(encoded.partition(b"--B--")[0]) == inner.encode()
    assert narrowed(result.decode()) == result  # and for the next such host
    signed = MIXED.replace("--B--", part.replace("8bit", "base64") + "--B--")
    assert narrowed(signed) is None  # an encoding that does not hold is not made right


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
