"""UIDONLY: a client that never means a message by its number (RFC 9586).

After ENABLE UIDONLY numbers are refused, FETCH answers are UIDFETCH, and what goes is told as VANISHED.
"""

from __future__ import annotations

from quintet.errors import BadSyntax, Reason
from quintet.imap import answers, commands
from quintet.imap.sets import NumberSet


def refusal(command: commands.Command) -> BadSyntax | None:
    """UIDREQUIRED where ``command`` means messages by their numbers; None: it does not."""
    named = getattr(command, "uid", True) is False
    resync = getattr(command, "resync", None)
    matched = resync is not None and resync.known_sequence is not None
    return required() if named or matched or counts(getattr(command, "key", None)) else None


def required() -> BadSyntax:
    return answers.CodedSyntax(b"UIDREQUIRED", Reason.WRONG_STATE, "message numbers are switched off")


def counts(key: object) -> bool:
    """A search key that means messages by their numbers; \"$\" is none (RFC 5182)."""
    if isinstance(key, commands.Numbered):
        numbers: NumberSet = key.numbers
        return not key.uid and not numbers.saved
    if isinstance(key, commands.And):
        return any(map(counts, key.keys))
    if isinstance(key, commands.Or):
        return counts(key.left) or counts(key.right)
    return counts(key.key) if hasattr(key, "key") else False
