"""DKIM signatures of others, verified (RFC 6376 6, RFC 8301, RFC 8463).

Pure but for the keys, which a resolver that is given looks up.  First `signatures` reads the fields, then the
body is fed to what each of them wants hashed, then `verify` says what each is worth, in the words of
RFC 8601 2.7.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from quintet.errors import TryLater
from quintet.message.digest import Fields
from quintet.policy import dkim
from quintet.values import dataclass

MAX_SIGNATURES = 5  # looked at, from the top: each costs a question and a computation (RFC 6376 8.4)
MAX_TAGS = 40  # of one field or record; there are a dozen
MAX_KEY = 4096  # characters of a record
MAX_BITS = 4096  # of an RSA key; a longer one only costs time

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_PLACE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_SPACE = re.compile(r"[ \t\r\n]+")
_B = re.compile(rb"(?:^|(?<=;))([ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_NUMBER = re.compile(r"[0-9]{1,12}")
_KINDS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_FORMS = ("simple", "relaxed")


class Texts(Protocol):
    """What is asked of `net.dns.Resolver`."""

    async def txt(self, name: str) -> list[bytes]:
        """Raises TryLater."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """What a signature is worth."""

    result: str  # "pass", "fail", "policy", "neutral", "temperror", "permerror"
    domain: str = ""  # d=, lower case
    selector: str = ""
    why: str = ""  # for people
    b: str = ""  # the first characters of the signature: which of several it is (RFC 6008 3)


class _Bad(Exception):
    """A result that is known before the signature is computed."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(why)
        self.result, self.why = result, why


@dataclass(slots=True)
class Signature:
    """One DKIM-Signature field that could be read; ``bad`` tells why it could not."""

    value: bytes  # of the field, as it came
    name: bytes  # of the field, as it came
    tags: dict[str, str]
    body: dkim.BodyHash
    bad: Result | None = None

    @property
    def domain(self) -> str:
        return self.tags.get("d", "").lower()

    @property
    def selector(self) -> str:
        return self.tags.get("s", "")

    def result(self, result: str, why: str = "") -> Result:
        return Result(result, self.domain, self.selector, why, self.tags.get("b", "")[:8])


def signatures(fields: Fields, now: int) -> list[Signature]:
    """The topmost signatures; ``fields`` as `dkim.cut` gives them, ``now`` in seconds."""
    own = [(name, value) for name, value in fields if name.strip().lower() == b"dkim-signature"]
    return [_signature(name, value, now) for name, value in own[:MAX_SIGNATURES]]


def _signature(name: bytes, value: bytes, now: int) -> Signature:
    made = Signature(value, name, {}, dkim.BodyHash())
    try:
        made.tags = _tags(value.decode("utf-8", "replace"))
        made.body = _body(made.tags, now)
    except _Bad as bad:
        made.bad = made.result(bad.result, bad.why)
    return made


def _tags(text: str) -> dict[str, str]:
    """RFC 6376 3.2: white space inside values counts in none of those that we read."""
    found: dict[str, str] = {}
    parts = text.split(";")
    for part in parts[:-1] if not parts[-1].strip() else parts:
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name) or name in found or len(found) >= MAX_TAGS:
            raise _Bad("neutral", "not a list of tags")
        found[name] = _SPACE.sub("", value)
    return found


def _body(tags: dict[str, str], now: int) -> dkim.BodyHash:
    """RFC 6376 3.5, 6.1.1: what is wrong with the tags; else what the body is to be fed to."""
    if missing := [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(name)]:
        raise _Bad("neutral", f"without {missing[0]}=")
    if not _PLACE.fullmatch(tags["d"]) or not _PLACE.fullmatch(tags["s"]):
        tags.clear()  # not to be told on
        raise _Bad("neutral", "with a key that cannot be looked up")
    if tags["v"] != "1":
        raise _Bad("neutral", "of another version")
    if tags["a"].lower() not in _KINDS:
        raise _Bad("permerror", f"by {tags['a'][:20]}")  # RFC 8301 3.1: also rsa-sha1
    if "from" not in tags["h"].lower().split(":"):
        raise _Bad("permerror", "From is not signed")
    home = tags.get("i", "@").rpartition("@")[2].lower() or tags["d"].lower()
    if home != tags["d"].lower() and not home.endswith("." + tags["d"].lower()):
        raise _Bad("permerror", "i= is not within d=")
    if "dns/txt" not in tags.get("q", "dns/txt").lower().split(":"):
        raise _Bad("neutral", "with a key that cannot be looked up")
    _times(tags, now)
    length = tags.get("l", "")
    if length and not _NUMBER.fullmatch(length):
        raise _Bad("neutral", "l= is no number")
    head, _, body = tags.get("c", "simple").lower().partition("/")
    body = body or "simple"
    if head not in _FORMS or body not in _FORMS:
        raise _Bad("neutral", "in an unknown form")
    kind = dkim.BodyHash if body == "relaxed" else dkim.PlainBodyHash
    return kind(int(length) if length else -1)


def _times(tags: dict[str, str], now: int) -> None:
    for name in ("t", "x"):
        if name in tags and not _NUMBER.fullmatch(tags[name]):
            raise _Bad("neutral", f"{name}= is no time")
    if "x" in tags:
        if "t" in tags and int(tags["x"]) < int(tags["t"]):
            raise _Bad("neutral", "over before it began")
        if int(tags["x"]) < now:
            raise _Bad("fail", "too old")


async def verify(found: Sequence[Signature], fields: Fields, resolver: Texts) -> list[Result]:
    """What each is worth; the body has been fed to all of them."""
    return [await _verify(one, fields, resolver) for one in found]


async def _verify(one: Signature, fields: Fields, resolver: Texts) -> Result:
    if one.bad is not None:
        return one.bad
    try:
        body = base64.b64encode(one.body.finish()).decode()
        if one.body.short or body.rstrip("=") != one.tags["bh"].rstrip("="):
            raise _Bad("fail", "the body was changed")
        texts = await resolver.txt(f"{one.selector}._domainkey.{one.domain}")
        public = _key(one, texts)
        _compare(one, public, _signed(one, fields))
    except _Bad as bad:
        return one.result(bad.result, bad.why)
    except TryLater as problem:
        return one.result("temperror", problem.text)
    if one.body.over:
        return one.result("policy", "only the beginning of the body is signed")  # RFC 6376 8.2
    return one.result("pass")


def _key(one: Signature, texts: Sequence[bytes]) -> RSAPublicKey | Ed25519PublicKey:
    """RFC 6376 3.6.1, 6.1.2.  Raises _Bad."""
    if not texts:
        raise _Bad("permerror", "there is no key")
    if len(texts) > 1:
        raise _Bad("permerror", "there are several keys")
    try:
        tags = _tags(texts[0][:MAX_KEY].decode("utf-8", "replace"))
    except _Bad:
        raise _Bad("permerror", "the key cannot be read") from None
    kind, domain = _KINDS[one.tags["a"].lower()], one.domain
    if tags.get("v", "DKIM1") != "DKIM1" or tags.get("k", "rsa").lower() != kind:
        raise _Bad("permerror", "the key is of another kind")
    if "sha256" not in tags.get("h", "sha256").lower().split(":"):
        raise _Bad("permerror", "the key is not for this hash")
    if not {"*", "email"} & set(tags.get("s", "*").lower().split(":")):
        raise _Bad("permerror", "the key is not for mail")
    home = one.tags.get("i", "@").rpartition("@")[2].lower() or domain
    if "s" in tags.get("t", "").lower().split(":") and home != domain:
        raise _Bad("permerror", "the key is not for domains below")
    if not tags.get("p"):
        raise _Bad("permerror", "the key was revoked")
    return _public(kind, tags["p"])


def _public(kind: str, p: str) -> RSAPublicKey | Ed25519PublicKey:
    try:
        raw = base64.b64decode(p, validate=True)
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(raw)
        key = serialization.load_der_public_key(raw)
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        raise _Bad("permerror", "the key cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise _Bad("permerror", "the key is of another kind")
    if not dkim.LEAST_BITS <= key.key_size <= MAX_BITS:  # RFC 8301 3.2
        raise _Bad("permerror", f"a key of {key.key_size} bits")
    return key


def _signed(one: Signature, fields: Fields) -> bytes:
    """RFC 6376 3.7: the fields of h=, then the field itself without its signature."""
    relaxed = one.tags.get("c", "simple").lower().partition("/")[0] == "relaxed"
    names = one.tags["h"].lower().encode().split(b":")
    bare = _B.sub(rb"\1", one.value, count=1)
    form = dkim.canonical if relaxed else _plain
    return b"".join((*dkim.named(fields, names, form), form(one.name, bare)[:-2]))


def _plain(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.1."""
    return name + b":" + value + b"\r\n"


def _compare(one: Signature, public: RSAPublicKey | Ed25519PublicKey, signed: bytes) -> None:
    try:
        b = base64.b64decode(one.tags["b"], validate=True)
        if isinstance(public, RSAPublicKey):
            public.verify(b, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            public.verify(b, hashlib.sha256(signed).digest())
    except (InvalidSignature, ValueError, binascii.Error):
        raise _Bad("fail", "the signature does not fit") from None
