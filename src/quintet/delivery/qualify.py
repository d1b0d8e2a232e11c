"""Addresses in a submitted header: each is one, and each has a whole domain.

Pure.  A strict reader beside the tolerant one of `message.addresses`: here a user can be told, and mends it.
What only lacks its domain gets it, at its place in the field; nothing else is changed.  RFC 6409 4.2, 5.1
and 8.8, RFC 5322 3.4 and 4.4, RFC 6532 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quintet.errors import Reason, Refused
from quintet.message import words
from quintet.message.addresses import comment_end

FIELDS = frozenset(
    prefix + name for prefix in (b"", b"resent-") for name in (b"from", b"sender", b"reply-to", b"to", b"cc")
)
MAX_TOKENS = 100_000  # of one field; a header block holds a megabyte

Home = Callable[[str], str]
"""The domain that a local part without one may be given; "" when nobody there has that name."""

Ours = Callable[[str], bool]
"""Whether a domain of one label only is known here."""

_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n]+)"
    rb"|(?P<word>=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=(?![^\s(,;<])"  # an encoded word, whatever is in it
    rb"|[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
    rb'|"(?:[^"\\\r\n]|\\.|\r?\n[ \t])*")'
    rb"|(?P<literal>\[[!-Z^-~ ]*\])"
    rb"|(?P<special>[.@<>,;:])"
)
_LABEL = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?"
_DOMAIN = re.compile(_LABEL + rb"(?:\." + _LABEL + rb")*")

_Token = tuple[bytes, int]  # the text and where it ends; "w" and "[" in front of words and literals


def qualified(field: bytes, home: Home, ours: Ours) -> bytes:
    """A whole field, with the domains that its addresses lacked.

    Raises Refused(BAD_CONTENT): an address that is none, or that lacks what nobody can add (RFC 6409 5.1).
    """
    start = field.index(b":") + 1
    name = field[: start - 1].strip().decode("ascii")
    tokens = _tokens(field, start)
    if tokens is None:
        raise Refused(Reason.BAD_CONTENT, f"No proper address in {name}")
    reader = _Reader(tokens)
    if not reader.read():
        raise Refused(Reason.BAD_CONTENT, f"No proper address in {name}")
    if not all(map(ours, reader.single)):
        raise Refused(Reason.BAD_CONTENT, f"A domain in {name} is not fully qualified")
    made, at = [], 0
    for local, end in reader.lacking:
        domain = home(local)
        if not domain:
            raise Refused(Reason.BAD_CONTENT, f"An address in {name} has no domain")
        made += [field[at:end], b"@", domain.encode()]
        at = end
    return b"".join([*made, field[at:]])


def _tokens(field: bytes, at: int) -> list[_Token] | None:
    """Comments and white space left out; None where something is no token."""
    found: list[_Token] = []
    while at < len(field):
        if field[at] == 0x28:
            at = comment_end(field, at)
            if at < 0:
                return None
            continue
        match = _TOKEN.match(field, at)
        if match is None or len(found) >= MAX_TOKENS:
            return None
        at = match.end()
        if match.lastgroup == "word":
            found.append((b"w" + match[0], at))
        elif match.lastgroup != "space":
            found.append((match[0], at))
    return found


class _Reader:
    """One pass over the tokens of an address list."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self.lacking: list[tuple[str, int]] = []  # local parts without a domain, and where it belongs
        self.single: list[str] = []  # domains of one label

    def read(self) -> bool:
        """Whether all of it is as it should be (RFC 5322 3.4; empty places as in 4.4)."""
        grouped = False
        while self._at < len(self._tokens):
            kind = self._kind()
            if kind == b"," or (kind == b";" and grouped):
                grouped = grouped and kind != b";"
                self._at += 1
                continue
            run = self._run()
            kind = self._kind()
            if kind == b":" and run and not grouped:
                grouped = True
                self._at += 1
            elif not self._mailbox(run, kind) or self._kind() not in (b"", b",", b";"):
                return False
        return not grouped

    def _mailbox(self, run: list[_Token], kind: bytes) -> bool:
        if kind == b"@":
            self._at += 1
            whole = self._domain()
            if self._kind() == b"<":  # bob@example.org <bob@example.org>: common, and no name by the letter
                return self._angle()
            return whole is not None and _local(run) and self._noted(whole)
        if kind == b"<":
            return self._angle()
        return self._unqualified(run)

    def _angle(self) -> bool:
        self._at += 1
        if self._kind() == b"@":  # an obsolete source route
            while self._kind() in (b"@", b","):
                self._at += 1
                if self._kind() not in (b"@", b",", b":") and self._domain() is None:
                    return False
            if self._kind() != b":":
                return False
            self._at += 1
        run = self._run()
        if self._kind() == b"@":
            self._at += 1
            whole = self._domain()
            good = whole is not None and _local(run) and self._noted(whole)
        else:
            good = self._unqualified(run)
        if not good or self._kind() != b">":
            return False
        self._at += 1
        return True

    def _domain(self) -> bytes | None:
        run = self._run()
        if len(run) == 1 and run[0][0].startswith(b"["):
            return run[0][0]
        whole = b"".join(text.removeprefix(b"w") for text, _ in run)
        return whole if _local(run) and _DOMAIN.fullmatch(whole) else None

    def _noted(self, domain: bytes) -> bool:
        if b"." not in domain and not domain.startswith(b"["):
            self.single.append(words.decode_bytes(domain).lower())
        return True

    def _unqualified(self, run: list[_Token]) -> bool:
        if not _local(run):
            return False
        text = b"".join(text.removeprefix(b"w") for text, _ in run)
        self.lacking.append((words.decode_bytes(text), run[-1][1]))
        return True

    def _kind(self) -> bytes:
        """The next token; "" at the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else b""

    def _run(self) -> list[_Token]:
        """Words, literals and dots up to the next token that means something."""
        start = self._at
        while self._kind()[:1] in (b"w", b"[", b"."):
            self._at += 1
        return self._tokens[start : self._at]


def _local(run: list[_Token]) -> bool:
    """Words with dots between: the shape of a local part, and of a domain."""
    return len(run) % 2 == 1 and all(
        text.startswith(b"w") if i % 2 == 0 else text == b"." for i, (text, _) in enumerate(run)
    )
