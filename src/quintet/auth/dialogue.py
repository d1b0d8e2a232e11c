"""What the protocols share around a SASL exchange: base64, "*" to cancel, "=" for empty (RFC 4422 4).

A handler drives it so; the words before a challenge ("334 ", "+ ", "383 ") are its own::

    talk = dialogue.Dialogue(auth.exchange(mechanism, peer, "smtp"), following)
    answer = await talk.start(argument)  # None when the command had no initial response
    while isinstance(answer, bytes):
        yield b"334 " + answer + b"\\r\\n"
        answer = await talk.next()
    identity = answer
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from quintet.auth import sasl
from quintet.errors import BadSyntax, Reason, Refused

if TYPE_CHECKING:
    from quintet.auth.service import Exchange, Identity
    from quintet.net.seam import Input

MAX_LINE = 12288  # bytes of base64 in one response: RFC 4954 4


def encode(challenge: bytes) -> bytes:
    """A challenge as it goes out: base64, empty for empty."""
    return base64.b64encode(challenge)


def decode(line: bytes) -> bytes:
    """A response line of the client.

    Raises:
        Refused(AUTH_CANCELLED): the client sent "*".
        BadSyntax: not base64 (RFC 4648 4, no white space); TOO_LONG beyond MAX_LINE.
    """
    if line == b"*":
        raise Refused(Reason.AUTH_CANCELLED)
    if len(line) > MAX_LINE:
        raise BadSyntax("SASL response too long", Reason.TOO_LONG)
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise BadSyntax("not base64") from None


def decode_initial(argument: bytes | None) -> bytes | None:
    """The initial response of a command: None when there is none, b"" for "=". Raises as `decode`."""
    if argument is None:
        return None
    return b"" if argument == b"=" else decode(argument)


class Dialogue:
    """One exchange with its lines; good for one authentication."""

    __slots__ = ("_exchange", "_following", "_steps")

    def __init__(self, exchange: Exchange, following: Input) -> None:
        self._exchange = exchange
        self._following = following
        self._steps = 0

    async def start(self, argument: bytes | None) -> bytes | Identity:
        """The first challenge in base64, or the identity.

        ``argument`` is the initial response as the command carried it.  Raises what
        `Exchange.step` and `decode` raise.
        """
        return self._out(await self._exchange.step(decode_initial(argument)))

    async def next(self) -> bytes | Identity:
        """Reads one line and answers it: a challenge in base64, or the identity.

        Raises what `Exchange.step`, `decode` and `Input.line` raise.
        """
        self._steps += 1
        if self._steps > sasl.MAX_STEPS:
            raise BadSyntax("too many SASL responses", Reason.TOO_MANY)
        return self._out(await self._exchange.step(decode(await self._following.line(MAX_LINE))))

    def _out(self, answer: bytes | Identity) -> bytes | Identity:
        return encode(answer) if isinstance(answer, bytes) else answer
