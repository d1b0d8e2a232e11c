"""NTLM version 2, the server's half (MS-NLMP), bare or within SPNEGO (RFC 4178).  Pure.

What proves the client is its password's NT hash: unsalted MD4, as good as the password to who steals it.
So it is kept only where ``auth.ntlm`` says so (docs/decisions/0121).  Messages are read and written with
pyspnego's structures; its own acceptor reads passwords from a file, which we have none of.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Final, TypeVar

from spnego._ntlm_raw.crypto import ntowfv1, ntowfv2, rc4k
from spnego._ntlm_raw.messages import Authenticate, AvId, Challenge, FileTime, Negotiate, TargetInfo, Version
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, unpack_token
from spnego.exceptions import SpnegoError

from quintet.errors import BadSyntax
from quintet.values import dataclass

MAX_TOKEN = 12 * 1024  # bytes of one message; real ones stay below 1 KiB
NTLM_OID: Final = "1.3.6.1.4.1.311.2.2.10"
MIC_AT: Final = 72  # where the MIC lies in an AUTHENTICATE_MESSAGE with a version (MS-NLMP 2.2.1.3)

_UNICODE, _OEM, _SIGN, _SEAL = 0x1, 0x2, 0x10, 0x20
_TARGET, _NTLM, _ALWAYS_SIGN, _SERVER = 0x4, 0x200, 0x8000, 0x20000
_SESSION_SECURITY, _TARGET_INFO, _VERSION, _LM_KEY = 0x80000, 0x800000, 0x2000000, 0x80
_KEY_EXCHANGE = 0x40000000
_MALFORMED = (SpnegoError, ValueError, KeyError, IndexError, TypeError, OverflowError, struct.error, EOFError)

T = TypeVar("T")


def nt_hash(secret: str) -> str:
    """What is stored of a password: MD4 of its UTF-16, in hexadecimal."""
    return ntowfv1(secret).hex()


def _read(read: Callable[[], T]) -> T:
    try:
        return read()
    except _MALFORMED:
        raise BadSyntax("not a message of NTLM") from None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client sent last: who it says it is, and what shows it (MS-NLMP 3.3.2)."""

    user: str
    domain: str
    challenge: bytes
    response: bytes
    messages: tuple[bytes, bytes, bytes]  # as they crossed the wire, for the MIC
    flags: int
    wrapped_key: bytes
    mic: bytes  # b"": the client made none

    @property
    def login(self) -> str:
        """The login name that is meant: "alice@example.org" also of "alice" in the domain "example.org"."""
        return f"{self.user}@{self.domain}" if "." in self.domain and "@" not in self.user else self.user

    def proves(self, stored: str) -> bool:
        """Whether the client knows the password whose `nt_hash` is ``stored``."""
        key = ntowfv2(self.user, bytes.fromhex(stored), self.domain)
        proof, blob = self.response[:16], self.response[16:]
        if not hmac.compare_digest(_hmac(key, self.challenge + blob), proof):
            return False
        return not self.mic or hmac.compare_digest(self._mic(_hmac(key, proof)), self.mic)

    def _mic(self, base: bytes) -> bytes:
        """Over all three messages, the last with zeros in its place (MS-NLMP 3.2.5.1.2)."""
        exchanged = self.flags & _KEY_EXCHANGE and self.flags & (_SIGN | _SEAL)
        key = rc4k(base, self.wrapped_key) if exchanged else base
        first, second, last = self.messages
        return _hmac(key, first + second + last[:MIC_AT] + bytes(16) + last[MIC_AT + 16 :])


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.md5)


class Server:
    """One exchange: `step` twice; ``challenge`` is hexadecimal, 8 bytes of chance."""

    __slots__ = ("_challenge", "_first", "_name", "_second")

    def __init__(self, challenge: str, name: str) -> None:
        self._challenge = bytes.fromhex(challenge)
        self._name = name
        self._first = b""
        self._second = b""

    def step(self, token: bytes) -> bytes | Proof:
        """A challenge in the wrapping in which the client speaks, or what it proved itself with.

        Raises BadSyntax: malformed, out of order, anonymous, or weaker than NTLM version 2.
        """
        if len(token) > MAX_TOKEN:
            raise BadSyntax("too long")
        inner = token
        if not token.startswith(b"NTLMSSP\0"):
            message = _read(lambda: unpack_token(token))
            if isinstance(message, NegTokenInit):
                inner = message.mech_token or b""
                if not inner.startswith(b"NTLMSSP\0"):  # another mechanism was hoped for
                    return NegTokenResp(NegState.accept_incomplete, NTLM_OID).pack()
            else:
                inner = (message.response_token or b"") if isinstance(message, NegTokenResp) else b""
        if self._first:
            return self._prove(inner)
        self._second = self._answer(inner)
        if inner is token:
            return self._second
        return NegTokenResp(NegState.accept_incomplete, NTLM_OID, self._second).pack()

    def _answer(self, token: bytes) -> bytes:
        """CHALLENGE_MESSAGE (MS-NLMP 3.2.5.1.1)."""
        asked: int = _read(lambda: Negotiate.unpack(token).flags)
        if not asked & (_UNICODE | _OEM):
            raise BadSyntax("text in no width at all")
        flags = asked | _TARGET | _NTLM | _ALWAYS_SIGN | _TARGET_INFO | _SERVER
        if asked & _UNICODE:  # some programs know 8-bit text only
            flags &= ~_OEM
        if flags & _SESSION_SECURITY:
            flags &= ~_LM_KEY
        info = TargetInfo()
        short = self._name.partition(".")[0].upper()[:15]
        info[AvId.nb_computer_name] = info[AvId.nb_domain_name] = short
        info[AvId.dns_computer_name] = info[AvId.dns_domain_name] = self._name
        info[AvId.timestamp] = FileTime.now()
        self._first = token
        version = Version(10, 0, 0) if flags & _VERSION else None
        return Challenge(flags, self._challenge, target_name=short, target_info=info, version=version).pack()

    def _prove(self, token: bytes) -> Proof:
        message = _read(lambda: Authenticate.unpack(token))
        user, domain, response, key = _read(
            lambda: (
                message.user_name,
                message.domain_name,
                message.nt_challenge_response,
                message.encrypted_random_session_key,
            )
        )
        if not user or not response or len(response) < 16 + 28:  # NTLM 1 has 24 bytes; an anonymous one none
            raise BadSyntax("only NTLM version 2 is spoken")
        flags, mic = _read(lambda: (message.flags, message.mic))
        if not _read(lambda: _has_mic(response)):
            mic = b""
        elif not mic:
            raise BadSyntax("the MIC that is promised is not there")
        messages = self._first, self._second, token
        return Proof(
            user, domain or "", self._challenge, response, messages, int(flags), key or b"", mic or b""
        )


def _has_mic(response: bytes) -> bool:
    """Whether the client says that it made a MIC: bit 1 of MsvAvFlags (MS-NLMP 2.2.2.1)."""
    at = 16 + 28
    while at + 4 <= len(response):
        kind, size = struct.unpack_from("<HH", response, at)
        if kind == AvId.flags and size == 4:
            return bool(int.from_bytes(response[at + 4 : at + 8], "little") & 2)
        if kind == AvId.eol:
            break
        at += 4 + size
    return False
