"""DKIM signatures of our own (RFC 6376, RFC 8301, RFC 8463): keys, the octets that are signed, the field.

Pure.  Header and body are canonicalized as "relaxed", so that hosts on the way may fold and space anew.
What is signed, and when, is `delivery.signing`'s.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from quintet.message.digest import Fields
from quintet.values import dataclass

LEAST_BITS = 1024  # RFC 8301 3.2: what is shorter is not believed
USUAL_BITS = 2048  # the same: what should be used at least
MAX_OPEN = 64 * 1024  # bytes of a line that has not ended yet, before some of it is hashed
MAX_LINE = 76  # octets of our field's lines
_RUN = 4096  # blank lines hashed at once

# RFC 6376 5.4.1, without what hosts on the way change; RFC 8058 4 wants the two List fields
SIGNED = (
    b"From", b"Reply-To", b"Subject", b"Date", b"To", b"Cc", b"Message-ID", b"In-Reply-To", b"References",
    b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding", b"Resent-Date", b"Resent-From",
    b"Resent-To", b"Resent-Cc", b"Resent-Message-ID", b"List-ID", b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
)  # fmt: skip
# RFC 6376 5.4.2, 8.15: named once more than they are there, so that nobody adds another one
SEALED = frozenset((
    b"From", b"Reply-To", b"Subject", b"Date", b"To", b"Cc", b"Message-ID", b"MIME-Version", b"Content-Type",
    b"Content-Transfer-Encoding",
))  # fmt: skip

_BETWEEN = re.compile(rb"\r\n(?![ \t])")
_SPACES = re.compile(rb"[ \t]+")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


class BadKey(ValueError):
    """Why a key cannot be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key."""

    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def kind(self) -> str:
        """k= of the DNS record (RFC 6376 3.6.1, RFC 8463 4)."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def record(self) -> str:
        """What its TXT record says."""
        return f"v=DKIM1; k={self.kind}; p={base64.b64encode(self._public()).decode()}"

    @property
    def pem(self) -> str:
        """As `read` takes it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def signature(self, octets: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(octets).digest())  # RFC 8463 3

    def _public(self) -> bytes:
        public = self.private.public_key()
        if self.kind == "ed25519":
            return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def read(pem: str) -> Key:
    """A key as OpenSSL, OpenDKIM and rspamd write it (PKCS #1 or #8).  Raises BadKey."""
    try:
        private = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"no private key without a password in PEM: {error}") from error
    if isinstance(private, RSAPrivateKey):
        if private.key_size < LEAST_BITS:
            raise BadKey(f"{private.key_size} bits are too few: receivers want {LEAST_BITS} at least")
    elif not isinstance(private, Ed25519PrivateKey):
        raise BadKey("neither RSA nor Ed25519")
    return Key(private)


def generate(kind: str = "rsa", bits: int = USUAL_BITS) -> Key:
    """A new key: "rsa", which everybody can check, or "ed25519"."""
    return Key(Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, bits))


def is_selector(text: str) -> bool:
    """RFC 6376 3.1."""
    return len(text) <= 190 and _SELECTOR.fullmatch(text.lower()) is not None


def cut(block: bytes) -> Fields:
    """The fields of a header block, each value to the octet as it came: nothing is unfolded or stripped."""
    parts = (line.partition(b":") for line in _BETWEEN.split(block))
    return tuple((name, value) for name, colon, value in parts if colon)


class BodyHash:
    """SHA-256 of a body in its relaxed form (RFC 6376 3.4.4), fed in any pieces."""

    __slots__ = ("_blank", "_hash", "_left", "_rest", "_said", "over")

    def __init__(self, length: int = -1) -> None:
        """``length``: octets that count (l=); negative: all."""
        self._hash = hashlib.sha256()
        self._left = length
        self.over = 0  # octets beyond ``length``
        self._rest = b""  # a line that has not ended yet
        self._blank = 0  # line ends that count only when something comes after them
        self._said = False  # something was hashed

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\r\n") + 2
        if end > 1:
            self._lines(_relaxed(data[:end]).replace(b" \r\n", b"\r\n"))
            data = data[end:]
        if len(data) > MAX_OPEN:
            data = self._open(data)
        self._rest = data

    def finish(self) -> bytes:
        if self._rest:
            self._lines((_relaxed(self._rest) + b"\r\n").replace(b" \r\n", b"\r\n"))
        if self._said:
            self._add(b"\r\n")
        return self._hash.digest()

    @property
    def short(self) -> bool:
        """There were fewer octets than should count."""
        return self._left > 0

    def _lines(self, lines: bytes) -> None:
        """Whole ones, relaxed."""
        end = len(lines)
        while lines[end - 2 : end] == b"\r\n":
            end -= 2
        if end > 0:
            self._text(lines[:end])
        self._blank += (len(lines) - end) // 2

    def _open(self, data: bytes) -> bytes:
        """Hashes the beginning of a line; what it ends with waits, as it may come to nothing."""
        tail = b"\r" if data.endswith(b"\r") else b""
        text = _relaxed(data[: len(data) - len(tail)])
        if text.endswith(b" "):
            text, tail = text[:-1], b" " + tail
        if text:
            self._text(text)
        return tail

    def _text(self, text: bytes) -> None:
        while self._blank:
            some = min(self._blank, _RUN)
            self._add(b"\r\n" * some)
            self._blank -= some
        self._add(text)
        self._said = True

    def _add(self, octets: bytes) -> None:
        if self._left < 0:
            self._hash.update(octets)
            return
        some = min(self._left, len(octets))
        self._hash.update(octets[:some])
        self._left -= some
        self.over += len(octets) - some


class PlainBodyHash(BodyHash):
    """The same in the simple form (RFC 6376 3.4.3)."""

    __slots__ = ()

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        self._rest = b"\r" if data.endswith(b"\r") else b""
        self._lines(data[: len(data) - len(self._rest)])

    def finish(self) -> bytes:
        if self._rest:
            self._text(self._rest)
        self._add(b"\r\n")
        return self._hash.digest()


def body_hash(body: bytes) -> bytes:
    """Of a body that is at hand."""
    made = BodyHash()
    made.feed(body)
    return made.finish()


def field(
    key: Key, domain: str, selector: str, fields: Fields, body: bytes, at: int, names: Sequence[bytes] = ()
) -> bytes:
    """The whole DKIM-Signature field with its CRLF.

    ``fields`` are the message's as `cut` gives them, ``body`` is `BodyHash`'s, ``at`` in seconds; ``names``
    are what is signed where that is not `chosen`.
    """
    names = names or chosen(fields)
    bh = base64.b64encode(body).decode()
    head = (
        f"DKIM-Signature: v=1; a={key.kind}-sha256; c=relaxed/relaxed; d={domain};\r\n"
        f"\ts={selector}; t={at};\r\n\th={_folded(names)};\r\n\tbh={bh};\r\n\tb="
    ).encode()
    name, _, value = head.partition(b":")
    signed = b"".join((*named(fields, names), canonical(name, value)[:-2]))
    b = base64.b64encode(key.signature(signed))
    return head + b"\r\n\t".join(b[at : at + MAX_LINE - 4] for at in range(0, len(b), MAX_LINE - 4)) + b"\r\n"


def chosen(fields: Fields) -> list[bytes]:
    """What h= names (RFC 6376 5.4)."""
    have = [name.rstrip(b" \t").lower() for name, _ in fields]
    names: list[bytes] = []
    for name in SIGNED:
        names += [name] * (have.count(name.lower()) + (name in SEALED))
    return names


def named(
    fields: Fields, names: Sequence[bytes], form: Callable[[bytes, bytes], bytes] | None = None
) -> list[bytes]:
    """Fields in their form, relaxed where none is given, the last of a name first (RFC 6376 5.4.2).

    Names without a field (any more) are nothing.
    """
    by_name: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for name, value in fields:
        by_name.setdefault(name.rstrip(b" \t").lower(), []).append((name, value))
    make = form or canonical
    return [make(*pairs.pop()) for wanted in names if (pairs := by_name.get(wanted.lower()))]


def canonical(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2."""
    text = _relaxed(value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip(b" \t").lower() + b":" + text + b"\r\n"


def _relaxed(text: bytes) -> bytes:
    return _SPACES.sub(b" ", text) if b"  " in text or b"\t" in text else text


def _folded(names: Sequence[bytes]) -> str:
    lines, length = [names[0].decode()], 4 + len(names[0])
    for each in names[1:]:
        name = each.decode()
        gap = ":" if length + len(name) < MAX_LINE else ":\r\n\t "
        lines.append(gap + name)
        length = len(name) + (length + 1 if gap == ":" else 2)
    return "".join(lines)
