"""Password hashes that other systems made, so that their users can be taken over as they are.

Understood: argon2 strings, ``$pbkdf2-sha256$`` (passlib), ``pbkdf2_sha256$`` (Django), ``$5$`` and ``$6$``
(SHA-crypt, as in shadow files; our own code, since Python 3.13 has no crypt module), and after a Dovecot
scheme name in braces also the salted SHA digests of LDAP.  bcrypt is not: it needs a package of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

import argon2

MAX_ROUNDS = 5_000_000  # of PBKDF2; a stored value beyond it would occupy a thread for seconds
MAX_CRYPT_ROUNDS = (
    200_000  # of SHA-crypt, which costs us 2 us each; shadow files have 5,000 or 656,000 at most
)

_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CRYPT = re.compile(
    r"\$(?P<id>[56])\$(?:rounds=(?P<rounds>\d{1,9})\$)?(?P<salt>[^$]{0,16})\$(?P<hash>[./0-9A-Za-z]+)"
)
_PBKDF2 = re.compile(
    r"\$pbkdf2-(?P<name>sha1|sha256|sha512)\$(?P<rounds>\d{1,9})\$(?P<salt>[./0-9A-Za-z]*)\$(?P<hash>[./0-9A-Za-z]+)"
)
_DJANGO = re.compile(
    r"pbkdf2_(?P<name>sha1|sha256)\$(?P<rounds>\d{1,9})\$(?P<salt>[^$]*)\$(?P<hash>[+/=0-9A-Za-z]+)"
)
_NAMED = re.compile(r"\{[A-Z0-9.-]{2,30}\}")
_SCHEME = re.compile(r"\{(?P<name>[A-Za-z0-9-]+)\}(?P<rest>.*)", re.DOTALL)


def check(stored: str, secret: str) -> bool:
    """True if ``stored`` is a hash of ``secret``; False also for a form that is not understood."""
    scheme = _SCHEME.fullmatch(stored)
    if scheme is not None:
        salted = SALTED.get(scheme["name"].upper())
        if salted is not None:
            return _check_salted(salted, scheme["rest"], secret)
        stored = scheme["rest"]
    for prefix, function in FORMS:
        if stored.startswith(prefix):
            return function(stored, secret)
    return False


def is_named(text: str) -> bool:
    """It says that it is a hash, by a scheme's name in capitals, whether understood or not."""
    return _NAMED.match(text) is not None


def understood(stored: str) -> bool:
    """True if `check` knows the form of ``stored``: worth asking before an import."""
    scheme = _SCHEME.fullmatch(stored)
    if scheme is not None and scheme["name"].upper() in SALTED:
        return True
    rest = scheme["rest"] if scheme else stored
    return any(rest.startswith(prefix) for prefix, _ in FORMS)


def _check_argon2(stored: str, secret: str) -> bool:
    try:
        return argon2.PasswordHasher().verify(stored, secret)
    except (argon2.exceptions.VerificationError, ValueError):
        return False


def _check_pbkdf2(stored: str, secret: str) -> bool:
    found = _PBKDF2.fullmatch(stored)
    if found is None:
        return False
    salt, digest = _ab64(found["salt"]), _ab64(found["hash"])
    return _same_pbkdf2(found["name"], secret, salt, int(found["rounds"]), digest)


def _check_django(stored: str, secret: str) -> bool:
    found = _DJANGO.fullmatch(stored)
    if found is None:
        return False
    digest = _b64(found["hash"])
    return _same_pbkdf2(found["name"], secret, found["salt"].encode(), int(found["rounds"]), digest)


def _same_pbkdf2(name: str, secret: str, salt: bytes | None, rounds: int, digest: bytes | None) -> bool:
    if salt is None or not digest or len(digest) > 64 or not 0 < rounds <= MAX_ROUNDS:
        return False
    return hmac.compare_digest(hashlib.pbkdf2_hmac(name, secret.encode(), salt, rounds, len(digest)), digest)


def _ab64(text: str) -> bytes | None:
    """passlib's base64: "." for "+", no padding."""
    return _b64(text.replace(".", "+") + "=" * (-len(text) % 4))


def _b64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


SALTED = {"SSHA": ("sha1", 20), "SSHA256": ("sha256", 32), "SSHA512": ("sha512", 64)}


def _check_salted(form: tuple[str, int], text: str, secret: str) -> bool:
    """Digest and salt, joined, in base64."""
    name, size = form
    data = _b64(text)
    if data is None or not size < len(data) <= size + 64:
        return False
    return hmac.compare_digest(hashlib.new(name, secret.encode() + data[size:]).digest(), data[:size])


def _check_crypt(stored: str, secret: str) -> bool:
    found = _CRYPT.fullmatch(stored)
    if found is None:
        return False
    rounds = min(max(int(found["rounds"] or 5000), 1000), 999_999_999)  # as the specification clips them
    if rounds > MAX_CRYPT_ROUNDS:
        return False
    name = "sha256" if found["id"] == "5" else "sha512"
    return hmac.compare_digest(
        sha_crypt(name, secret.encode(), found["salt"].encode(), rounds), found["hash"]
    )


def sha_crypt(name: str, secret: bytes, salt: bytes, rounds: int) -> str:
    """The hash part of a SHA-crypt string (Drepper, "Unix crypt using SHA-256 and SHA-512").

    The steps are numbered as there.  ``name`` is "sha256" or "sha512".
    """
    new = getattr(hashlib, name)
    size = new().digest_size
    other = new(secret + salt + secret).digest()  # 4-8
    start = secret + salt + _stretch(other, len(secret))  # 2-10
    length = len(secret)
    while length:  # 11
        start += other if length & 1 else secret
        length >>= 1
    digest = new(start).digest()  # 12
    p = _stretch(new(secret * len(secret)).digest(), len(secret))  # 13-16
    s = _stretch(new(salt * (16 + digest[0])).digest(), len(salt))  # 17-20
    for i in range(rounds):  # 21
        odd = i & 1
        step = (p if odd else digest) + (s if i % 3 else b"") + (p if i % 7 else b"") + (digest if odd else p)
        digest = new(step).digest()
    return _crypt_text(digest, size)


def _stretch(block: bytes, size: int) -> bytes:
    return (block * (size // len(block) + 1))[:size]


def _crypt_text(digest: bytes, size: int) -> str:
    """22: three bytes at a time, in the order of the specification, lowest six bits first."""
    third = (size - 1) // 3  # 10 or 21
    triples = []
    a, b, c = 0, third, 2 * third
    for _ in range(third):
        triples.append((a, b, c))
        a, b, c = (c + 1, a + 1, b + 1) if size == 32 else (b + 1, c + 1, a + 1)
    text = "".join(_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in triples)
    if size == 32:
        return text + _letters(digest[31] << 8 | digest[30], 3)
    return text + _letters(digest[63], 2)


def _letters(value: int, count: int) -> str:
    return "".join(_ITOA64[value >> (6 * i) & 63] for i in range(count))


FORMS: tuple[tuple[str, Callable[[str, str], bool]], ...] = (
    ("$argon2", _check_argon2),
    ("$pbkdf2-", _check_pbkdf2),
    ("pbkdf2_", _check_django),
    ("$5$", _check_crypt),
    ("$6$", _check_crypt),
)
