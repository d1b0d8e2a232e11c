"""SRS: a sender as one of our addresses, so that forwarded mail passes SPF and its bounces find the way back.

Pure.  ``SRS0=hash=day=domain=local@ours`` stands for local@domain, ``SRS1=hash=host==...@ours`` for an
address that another forwarder made so.  The hash is ours to check, so nobody can make us relay by inventing
one, and it ends after `DAYS`.  All parts are compared without case, as hosts on the way may change it.
The Sender Rewriting Scheme (Shevek, 2004, openspf.org); the local part's limit is RFC 5321 4.5.3.1.1.
"""

from __future__ import annotations

import base64
import hmac
import re

from quintet.delivery.envelope import Mailbox
from quintet.errors import Reason, Refused

DAYS = 21  # a bounce comes back within five days, a host that was down may take longer
DAY_MS = 86_400_000
MAX_LOCAL = 64  # octets, RFC 5321 4.5.3.1.1
HASH = 6  # characters, 30 bits: guessing one takes 500 million RCPTs within its days
TOKEN = 24  # characters, 120 bits: the token is its own proof

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SRS0 = re.compile(r"SRS0[=+-]([^=]{2,64})=([A-Z2-7]{2})=([^=@\s]{1,255})=(.+)", re.IGNORECASE | re.DOTALL)
_SRS1 = re.compile(r"SRS1[=+-]([^=]{2,64})=([^=@\s]{1,255})=([=+-].+)", re.IGNORECASE | re.DOTALL)
_SHORT = re.compile(rf"SRSK=([A-Z2-7]{{{TOKEN}}})", re.IGNORECASE)
_FOREIGN0 = re.compile(r"SRS0([=+-].+)", re.IGNORECASE | re.DOTALL)


def is_ours(local: str) -> bool:
    """Has one of the forms; whether it is valid is for `reverse` and `token` to say."""
    return local[:3].upper() == "SRS" and local[3:4] in "01Kk" and local[4:5] in ("=", "+", "-")


def rewrite(secret: bytes, sender: Mailbox, domain: str, now: int) -> Mailbox:
    """``sender`` as an address of ``domain``, which is ours; itself when there is none to rewrite.

    The local part may come out longer than `MAX_LOCAL`; then `short` gives one that needs the store.
    """
    if not sender or not sender.domain or sender.literal:
        return sender
    again = _SRS1.fullmatch(sender.local)
    if again is not None:  # the first forwarder is asked directly, however many there were
        return _second(secret, again[2], again[3], domain)
    made = _FOREIGN0.fullmatch(sender.local)
    if made is not None:
        return _second(secret, sender.domain, made[1], domain)
    day = _day(now)
    proof = _hash(secret, day, sender.domain, sender.local)
    return Mailbox(f"SRS0={proof}={day}={sender.domain}={sender.local}", domain)


def short(secret: bytes, sender: Mailbox, domain: str) -> tuple[Mailbox, str]:
    """An address of ours for a sender that is too long to be told in one, and the token to keep it under."""
    token = _digest(secret, "short", sender.domain, sender.local)[:TOKEN]
    return Mailbox(f"SRSK={token}", domain), token


def token(local: str) -> str:
    """The token of an address that `short` made, as it was kept; "" for every other."""
    found = _SHORT.fullmatch(local)
    return found[1].upper() if found is not None else ""


def reverse(secret: bytes, local: str, now: int) -> Mailbox:
    """Whom a rewritten local part stands for.

    Raises:
        Refused(NO_SUCH_ADDRESS): not one that we made, or too old.
    """
    found = _SRS0.fullmatch(local)
    if found is not None:
        proof, day, domain, name = found.groups()
        if not _proven(proof, _hash(secret, day, domain, name)):
            raise Refused(Reason.NO_SUCH_ADDRESS)
        if _age(day, now) > DAYS:
            raise Refused(Reason.NO_SUCH_ADDRESS, "This return address has expired")
        return Mailbox(name, domain.lower())
    found = _SRS1.fullmatch(local)
    if found is not None:
        proof, host, rest = found.groups()
        if _proven(proof, _hash(secret, "1", host, rest)):
            return Mailbox(f"SRS0{rest}", host.lower())
    raise Refused(Reason.NO_SUCH_ADDRESS)


def _second(secret: bytes, host: str, rest: str, domain: str) -> Mailbox:
    return Mailbox(f"SRS1={_hash(secret, '1', host, rest)}={host}={rest}", domain)


def _hash(secret: bytes, *parts: str) -> str:
    return _digest(secret, *parts)[:HASH]


def _digest(secret: bytes, *parts: str) -> str:
    text = "\0".join(part.lower() for part in parts).encode("utf-8", "surrogatepass")
    return base64.b32encode(hmac.digest(secret, text, "sha256")).decode()


def _proven(said: str, meant: str) -> bool:
    return hmac.compare_digest(said.upper().encode("utf-8", "replace"), meant.encode())


def _day(now: int) -> str:
    number = now // DAY_MS % 1024
    return _ALPHABET[number >> 5] + _ALPHABET[number & 31]


def _age(day: str, now: int) -> int:
    """Days since then, 0 to 1023."""
    then = _ALPHABET.index(day[0].upper()) << 5 | _ALPHABET.index(day[1].upper())
    return (now // DAY_MS - then) % 1024
