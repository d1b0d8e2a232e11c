"""SASL mechanisms as pure state machines (RFC 4422): bytes in, an outcome out.

A machine never waits and never looks anything up: it names what has to be checked, and the
service does it.  Base64, "*" and "=" are the protocols' (`auth.dialogue`); SCRAM stands in
`auth.scram`, tokens in `auth.oauth`.
"""

from __future__ import annotations

from typing import Protocol

from quintet.auth import saslprep
from quintet.errors import BadSyntax, Reason
from quintet.values import dataclass

MAX_RESPONSE = 9216  # bytes, decoded: the 12288 of RFC 4954 4 in base64
MAX_STEPS = 4  # responses of one exchange; the longest mechanism has three


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent; the client answers."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """The end, if ``secret`` is a password of ``name``."""

    name: str
    secret: str
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class FindVerifiers:
    """Call `scram.Server.found` with the verifiers of ``name``, real or made up."""

    name: str


@dataclass(frozen=True, slots=True)
class CheckToken:
    """The end, if the bearer token is good; else call `oauth.Server.refuse`."""

    token: str
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class CheckCertificate:
    """The end, if the certificate of the connection names an account (that may be ``authzid``)."""

    authzid: str = ""


@dataclass(frozen=True, slots=True)
class EnterAnonymously:
    """The end; ``trace`` is what the visitor said of themselves (RFC 4505)."""

    trace: str


@dataclass(frozen=True, slots=True)
class Proved:
    """The client proved to know secret number ``index`` of those given to `found`."""

    name: str
    authzid: str
    index: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The client failed; ``data`` goes out as one more challenge if not empty, and then it is over.

    ``guess`` tells that a secret was wrong, as opposed to a client that cannot do what it must.
    """

    name: str
    data: bytes = b""
    guess: bool = True


Outcome = (
    Challenge
    | CheckPassword
    | FindVerifiers
    | CheckToken
    | CheckCertificate
    | EnterAnonymously
    | Proved
    | Failed
)


class Machine(Protocol):
    """One exchange, server side."""

    @property
    def opening(self) -> bytes:
        """What the server says first when the client gave no initial response."""
        ...

    def step(self, response: bytes) -> Outcome:
        """Takes what the client sent.  Raises BadSyntax; is then, and after an end, of no use."""
        ...


class Plain:
    """PLAIN (RFC 4616): authorization identity NUL name NUL secret."""

    opening = b""

    def step(self, response: bytes) -> Outcome:
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise BadSyntax("PLAIN needs two NULs")
        authzid, name, secret = map(saslprep.decode, parts)
        return CheckPassword(_given(name), _given(secret), authzid)


class Login:
    """LOGIN (draft-murchison-sasl-login): name, then secret, each to a prompt."""

    opening = b"Username:"  # some clients compare the prompts

    def __init__(self) -> None:
        self._name: str | None = None

    def step(self, response: bytes) -> Outcome:
        if self._name is None:
            self._name = _given(saslprep.decode(response.rstrip(b"\0")))  # old Outlook ends it with NUL
            return Challenge(b"Password:")
        return CheckPassword(self._name, _given(saslprep.decode(response.rstrip(b"\0"))))


class External:
    """EXTERNAL (RFC 4422 A): who the TLS client certificate says."""

    opening = b""

    def step(self, response: bytes) -> Outcome:
        if b"\0" in response:
            raise BadSyntax("NUL in an authorization identity")
        return CheckCertificate(saslprep.decode(response))


class Anonymous:
    """ANONYMOUS (RFC 4505): optional trace information, at most 255 characters."""

    opening = b""

    def step(self, response: bytes) -> Outcome:
        try:
            trace = response.decode()
        except UnicodeDecodeError:
            raise BadSyntax("not UTF-8") from None
        if len(trace) > 255:
            raise BadSyntax("trace information too long", Reason.TOO_LONG)
        return EnterAnonymously("".join(char if char.isprintable() else "?" for char in trace))


def _given(text: str) -> str:
    """RFC 4616 2: neither name nor secret is empty, also after preparation."""
    if not text:
        raise BadSyntax("empty name or password")
    return text
