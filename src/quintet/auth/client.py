"""The client side of SASL: PLAIN, LOGIN, SCRAM and XOAUTH2, for smarthosts and for tests.

Pure: a machine is asked for its first response and then fed challenges.  A server that cannot prove itself
(SCRAM) is refused, and so is one that would make us work for minutes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Protocol

from quintet.auth import saslprep, scram
from quintet.errors import BadSyntax, Reason, Refused

MIN_ITERATIONS = 4096  # RFC 7677 4: less is refused, it would make a stolen exchange easy to guess from
MAX_ITERATIONS = 1_000_000  # half a second

PREFERENCE = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN")

_SERVER_FIRST = re.compile(
    r"r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+),s=(?P<salt>[A-Za-z0-9+/=]+),i=(?P<rounds>[1-9][0-9]{0,8})(?:,.*)?"
)


class Machine(Protocol):
    """One exchange, client side."""

    def first(self) -> bytes | None:
        """The initial response; None if the server speaks first."""
        ...

    def answer(self, challenge: bytes) -> bytes:
        """The response to a challenge.  Raises Refused(AUTH_FAILED), BadSyntax."""
        ...

    @property
    def complete(self) -> bool:
        """True once the server has said all that the mechanism needs; a success before that is a lie."""
        ...


class Plain:
    """RFC 4616."""

    complete = True

    def __init__(self, name: str, secret: str, authzid: str = "") -> None:
        self._response = "\0".join((authzid, saslprep.prepare(name), saslprep.prepare(secret))).encode()

    def first(self) -> bytes | None:
        return self._response

    def answer(self, challenge: bytes) -> bytes:
        raise BadSyntax("PLAIN has one response")


class Login:
    """draft-murchison-sasl-login: prompts are not looked at, the order is fixed."""

    def __init__(self, name: str, secret: str) -> None:
        self._answers = [secret.encode(), name.encode()]

    @property
    def complete(self) -> bool:
        return not self._answers

    def first(self) -> bytes | None:
        return None

    def answer(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise BadSyntax("LOGIN has two responses")
        return self._answers.pop()


class XOAuth2:
    """A bearer token in Google's form; the server's error is answered by an empty response."""

    complete = True

    def __init__(self, name: str, token: str) -> None:
        self._response = f"user={name}\x01auth=Bearer {token}\x01\x01".encode()

    def first(self) -> bytes | None:
        return self._response

    def answer(self, challenge: bytes) -> bytes:
        return b""


class Scram:
    """RFC 5802, RFC 7677; with ``end_point`` (tls-server-end-point) for the -PLUS mechanisms.

    ``may_bind`` says that we could bind but the server did not offer it: told as flag "y", so that
    a server that did offer it sees that somebody cut it from the list.
    """

    def __init__(
        self,
        mechanism: str,
        name: str,
        secret: str,
        nonce: str,
        *,
        authzid: str = "",
        end_point: bytes = b"",
        may_bind: bool = False,
    ) -> None:
        self._algorithm = scram.HASHES[mechanism.removesuffix("-PLUS")]
        self._secret = saslprep.prepare(secret)
        self._nonce = nonce
        self._end_point = end_point if mechanism.endswith("-PLUS") else b""
        flag = f"p={scram.BINDING}" if mechanism.endswith("-PLUS") else "y" if may_bind else "n"
        self._gs2 = f"{flag},{'a=' + _escape(authzid) if authzid else ''},"
        self._first_bare = f"n={_escape(saslprep.prepare(name))},r={nonce}"
        self._expected = b""
        self._state = 0

    @property
    def complete(self) -> bool:
        return self._state == 2

    def first(self) -> bytes | None:
        return (self._gs2 + self._first_bare).encode()

    def answer(self, challenge: bytes) -> bytes:
        if self._state == 0:
            return self._final(challenge)
        if self._state == 1:
            self._check_server(challenge)
            return b""
        raise BadSyntax("unexpected SCRAM challenge")

    def _final(self, challenge: bytes) -> bytes:
        if challenge.startswith(b"e="):
            raise Refused(Reason.AUTH_FAILED, challenge[2:100].decode("ascii", "replace"))
        try:
            server_first = challenge.decode()
            fields = _SERVER_FIRST.fullmatch(server_first)
            salt = base64.b64decode(fields["salt"], validate=True) if fields else b""
        except (UnicodeDecodeError, binascii.Error, ValueError):
            fields, salt, server_first = None, b"", ""
        if fields is None or not fields["nonce"].startswith(self._nonce) or fields["nonce"] == self._nonce:
            raise BadSyntax("not a SCRAM server-first message")
        rounds = int(fields["rounds"])
        if not MIN_ITERATIONS <= rounds <= MAX_ITERATIONS:
            raise Refused(Reason.AUTH_WEAK, f"server asks for {rounds} iterations")
        binding = base64.b64encode(self._gs2.encode() + self._end_point).decode()
        bare = f"c={binding},r={fields['nonce']}"
        message = f"{self._first_bare},{server_first},{bare}".encode()
        salted = scram.salted_password(self._algorithm, self._secret, salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", self._algorithm)
        stored_key = hashlib.new(self._algorithm, client_key).digest()
        signature = hmac.digest(stored_key, message, self._algorithm)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", self._algorithm)
        self._expected = hmac.digest(server_key, message, self._algorithm)
        self._state = 1
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def _check_server(self, challenge: bytes) -> None:
        if challenge.startswith(b"e="):
            raise Refused(Reason.AUTH_FAILED, challenge[2:100].decode("ascii", "replace"))
        given = challenge.split(b",")[0]
        if not hmac.compare_digest(given, b"v=" + base64.b64encode(self._expected)):
            raise Refused(Reason.AUTH_FAILED, "the server does not know the password")
        self._state = 2


def choose(
    offered: list[str], name: str, secret: str, nonce: str, *, end_point: bytes = b"", cleartext: bool = False
) -> tuple[str, Machine]:
    """The best mechanism both sides have, and its machine.

    ``cleartext`` allows PLAIN and LOGIN: true under TLS.
    Raises Refused(AUTH_MECHANISM) if there is none.
    """
    have = {mechanism.upper() for mechanism in offered}
    for mechanism in PREFERENCE:
        if mechanism not in have or (mechanism.endswith("-PLUS") and not end_point):
            continue
        if mechanism.startswith("SCRAM"):
            may_bind = bool(end_point) and not any(each.endswith("-PLUS") for each in have)
            return mechanism, Scram(mechanism, name, secret, nonce, end_point=end_point, may_bind=may_bind)
        if cleartext:
            return mechanism, Plain(name, secret) if mechanism == "PLAIN" else Login(name, secret)
    raise Refused(Reason.AUTH_MECHANISM, "no common mechanism")


def _escape(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")
