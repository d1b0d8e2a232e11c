"""SCRAM-SHA-256, SCRAM-SHA-1 and their -PLUS variants, server side (RFC 5802, RFC 7677).

Pure: the service finds the verifiers.  Unknown names get a verifier made from a key of ours
(`pretend`), always the same for a name, so that an exchange tells nobody whether a name exists.
Channel binding is tls-server-end-point (RFC 5929 4): the only one Python's ssl can give for TLS 1.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf import pbkdf2

from quintet.auth import saslprep
from quintet.auth.sasl import Challenge, Failed, FindVerifiers, Outcome, Proved
from quintet.errors import BadSyntax
from quintet.values import dataclass

SALT_SIZE = 16  # bytes, of a new verifier
MAX_ITERATIONS = 1_000_000  # of a stored verifier; beyond it a client would be made to work for minutes
BINDING = "tls-server-end-point"

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

_GS2 = re.compile(r"(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,\0]+))?,", re.ASCII)
_FIRST = re.compile(r"n=(?P<name>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?", re.DOTALL)
_FINAL = re.compile(
    r"(?P<bare>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?)"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What the server keeps instead of a secret (RFC 5802 3)."""

    algorithm: str  # "sha256" or "sha1"
    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __str__(self) -> str:
        """As it is stored: ``scram-sha256$iterations$salt$stored$server``, base64."""
        words = (base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key))
        return "$".join((f"scram-{self.algorithm}", str(self.iterations), *words))

    def knows(self, secret: str) -> bool:
        """True if the verifier was made of ``secret`` (prepared).  Costs what making it cost."""
        made = make(self.algorithm, secret, self.salt, self.iterations)
        return hmac.compare_digest(made.stored_key, self.stored_key)


def parse(text: str) -> Verifier | None:
    """A stored verifier, or None if ``text`` is not one."""
    words = text.split("$")
    if len(words) != 5 or words[0] not in ("scram-sha256", "scram-sha1"):
        return None
    try:
        salt, stored, server = (base64.b64decode(word, validate=True) for word in words[2:])
        iterations = int(words[1])
    except ValueError:
        return None
    size = hashlib.new(words[0][6:]).digest_size
    if not (0 < iterations <= MAX_ITERATIONS and salt and len(stored) == len(server) == size):
        return None
    return Verifier(words[0][6:], iterations, salt, stored, server)


def salted_password(algorithm: str, secret: str, salt: bytes, iterations: int) -> bytes:
    """Hi() of RFC 5802 2.2; ``secret`` is prepared.  The slow step.

    By cryptography's OpenSSL: 1.7 ms for 10,000 iterations of SHA-256, hashlib's took 3 on Debian 12.
    """
    sizes: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha1": hashes.SHA1()}  # noqa: S303
    chosen = sizes[algorithm]
    return pbkdf2.PBKDF2HMAC(chosen, chosen.digest_size, salt, iterations).derive(secret.encode())


def make(algorithm: str, secret: str, salt: bytes, iterations: int) -> Verifier:
    """The verifier of a prepared secret (RFC 5802 3)."""
    salted = salted_password(algorithm, secret, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    return Verifier(
        algorithm,
        iterations,
        salt,
        hashlib.new(algorithm, client_key).digest(),
        hmac.digest(salted, b"Server Key", algorithm),
    )


def pretend(algorithm: str, name: str, key: bytes, iterations: int) -> Verifier:
    """A verifier for a name that does not exist; no proof fits it."""
    seed = hmac.digest(key, f"{algorithm}\0{name}".encode(), "sha512")
    size = hashlib.new(algorithm).digest_size
    nobody = hmac.digest(key, seed, "sha512")[:size]
    return Verifier(algorithm, iterations, seed[:SALT_SIZE], nobody, nobody)


class Server:
    """One exchange; ``mechanism`` says hash and binding.

    ``end_point`` is the channel binding data (empty: none can be had), ``plus_offered`` tells that the
    client saw a -PLUS mechanism, ``nonce`` is ours (printable, no comma).
    """

    opening = b""

    def __init__(self, mechanism: str, nonce: str, *, end_point: bytes, plus_offered: bool) -> None:
        self._plus = mechanism.endswith("-PLUS")
        self._algorithm = HASHES[mechanism.removesuffix("-PLUS")]
        self._nonce = nonce
        self._end_point = end_point
        self._plus_offered = plus_offered
        self._state = 0  # 0 client-first, 1 verifiers, 2 client-final, 3 the client's nod, 4 over
        self._verifiers: Sequence[Verifier] = ()
        self._gs2 = self._name = self._authzid = self._first_bare = self._server_first = ""
        self._index = -1

    @property
    def algorithm(self) -> str:
        """Name of the hash, for who looks for verifiers."""
        return self._algorithm

    @property
    def settled(self) -> bool:
        """Only the client's nod is missing."""
        return self._state == 3 and self._index >= 0

    def step(self, response: bytes) -> Outcome:
        if self._state == 0:
            return self._first(_text(response))
        if self._state == 2:
            return self._final(_text(response))
        if self._state == 3 and not response:
            self._state = 4
            return Proved(self._name, self._authzid, self._index)
        raise BadSyntax("unexpected SCRAM message")

    def found(self, verifiers: Sequence[Verifier]) -> Challenge:
        """The server-first message; all ``verifiers`` (at least one) share salt and iterations."""
        assert self._state == 1
        self._state = 2
        self._verifiers = verifiers
        salt = base64.b64encode(verifiers[0].salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={verifiers[0].iterations}"
        return Challenge(self._server_first.encode())

    def _first(self, text: str) -> Outcome:
        header = _GS2.match(text)
        if header is None:
            raise BadSyntax("not a SCRAM client-first message")
        self._gs2 = header[0]
        self._first_bare = text[header.end() :]
        if self._first_bare.startswith("m="):
            return self._fail("extensions-not-supported")  # RFC 5802 5.1: "m" is reserved
        fields = _FIRST.fullmatch(self._first_bare)
        if fields is None:
            raise BadSyntax("not a SCRAM client-first message")
        wrong = self._check_binding(header["flag"], header["binding"] or "")
        if wrong:
            return self._fail(wrong)
        try:
            self._name = _unescape(fields["name"])
            self._authzid = _unescape(header["authzid"]) if header["authzid"] else ""
        except BadSyntax:
            return self._fail("invalid-username-encoding")
        self._nonce = fields["nonce"] + self._nonce
        self._state = 1
        return FindVerifiers(self._name)

    def _check_binding(self, flag: str, binding: str) -> str:
        """The server-error value for a binding flag that does not fit (RFC 5802 6), or ""."""
        if flag[0] == "p":
            if not self._plus or not self._end_point:
                return "channel-binding-not-supported"
            return "" if binding == BINDING else "unsupported-channel-binding-type"
        if flag == "y" and self._plus_offered:
            return "server-does-support-channel-binding"  # somebody took -PLUS out of our list
        return "channel-bindings-dont-match" if self._plus else ""

    def _final(self, text: str) -> Outcome:
        fields = _FINAL.fullmatch(text)
        if fields is None:
            raise BadSyntax("not a SCRAM client-final message")
        if ",m=" in fields["bare"]:
            return self._fail("extensions-not-supported")
        binding, proof = _decode(fields["binding"]), _decode(fields["proof"])
        if binding is None or proof is None:
            return self._fail("invalid-encoding")
        expected = self._gs2.encode() + (self._end_point if self._plus else b"")
        if not hmac.compare_digest(binding, expected):
            return self._fail("channel-bindings-dont-match")
        if not hmac.compare_digest(fields["nonce"], self._nonce):
            return self._fail("other-error")
        message = f"{self._first_bare},{self._server_first},{fields['bare']}".encode()
        matching = [i for i, verifier in enumerate(self._verifiers) if _proves(verifier, message, proof)]
        if not matching:
            return self._fail("invalid-proof", guess=True)
        self._index = matching[0]
        self._state = 3
        signature = hmac.digest(self._verifiers[self._index].server_key, message, self._algorithm)
        return Challenge(b"v=" + base64.b64encode(signature))

    def _fail(self, error: str, *, guess: bool = False) -> Failed:
        self._state = 4
        return Failed(self._name, b"e=" + error.encode(), guess)


def _proves(verifier: Verifier, message: bytes, proof: bytes) -> bool:
    """RFC 5802 3: ClientKey is the proof XOR the client signature, and hashes to StoredKey."""
    signature = hmac.digest(verifier.stored_key, message, verifier.algorithm)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.new(verifier.algorithm, client_key).digest(), verifier.stored_key)


def _text(response: bytes) -> str:
    try:
        return response.decode()
    except UnicodeDecodeError:
        raise BadSyntax("not UTF-8") from None


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _unescape(saslname: str) -> str:
    """ "=2C" and "=3D" of a saslname (RFC 5802 5.1); any other "=" raises BadSyntax."""
    pieces = saslname.replace("=2C", "\1").replace("=3D", "\2")
    if "=" in pieces:
        raise BadSyntax("'=' in a name")
    name = saslprep.prepare(pieces.replace("\1", ",").replace("\2", "="))
    if not name:
        raise BadSyntax("empty name")
    return name
