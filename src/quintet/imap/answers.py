"""The one table from reason to words, and the status lines (RFC 9051 7.1, RFC 5530)."""

from __future__ import annotations

from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.imap import commands, languages
from quintet.imap import format as fmt
from quintet.imap.grammar import BadCommand

NO, BAD = b"NO", b"BAD"
_BAD = (Reason.TOO_MANY, Reason.TOO_BIG, Reason.UNKNOWN_CHARSET)  # where the syntax is at fault

REASONS: dict[Reason, tuple[bytes, bytes]] = {
    # the request itself
    Reason.SYNTAX: (BAD, b""),
    Reason.TOO_LONG: (BAD, b"LIMIT"),
    Reason.TOO_MANY: (NO, b"LIMIT"),
    Reason.TOO_BIG: (NO, b"TOOBIG"),  # RFC 4469 4.2, RFC 7889 5
    Reason.UNKNOWN_COMMAND: (BAD, b""),
    Reason.UNKNOWN_CHARSET: (NO, b"BADCHARSET (UTF-8 US-ASCII)"),
    Reason.UNSUPPORTED: (NO, b"CANNOT"),
    Reason.WRONG_STATE: (BAD, b"CLIENTBUG"),
    # things
    Reason.NO_SUCH_FOLDER: (NO, b"NONEXISTENT"),
    Reason.NO_SUCH_PARENT: (NO, b"NONEXISTENT"),
    Reason.NO_SUCH_MESSAGE: (NO, b"NONEXISTENT"),
    Reason.NO_SUCH_ACCOUNT: (NO, b"NONEXISTENT"),
    Reason.NO_SUCH_ADDRESS: (NO, b"NONEXISTENT"),
    Reason.NO_SUCH_DOMAIN: (NO, b"NONEXISTENT"),
    Reason.NO_MAIL: (NO, b"NONEXISTENT"),
    Reason.ALREADY_EXISTS: (NO, b"ALREADYEXISTS"),
    Reason.HAS_CHILDREN: (NO, b"HASCHILDREN"),
    Reason.BAD_NAME: (NO, b"CANNOT"),
    Reason.IN_USE: (NO, b"INUSE"),
    Reason.DUPLICATE: (NO, b"CANNOT"),
    # who may
    Reason.NO_PERMISSION: (NO, b"NOPERM"),
    Reason.AUTH_REQUIRED: (NO, b"AUTHENTICATIONFAILED"),
    Reason.AUTH_FAILED: (NO, b"AUTHENTICATIONFAILED"),
    Reason.AUTH_MECHANISM: (NO, b"CANNOT"),
    Reason.AUTH_WEAK: (NO, b"PRIVACYREQUIRED"),
    Reason.AUTH_EXPIRED: (NO, b"EXPIRED"),
    Reason.AUTH_OTHER: (NO, b"AUTHORIZATIONFAILED"),
    Reason.AUTH_CANCELLED: (BAD, b""),  # RFC 9051 6.2.2: "*" is answered by BAD
    Reason.ACCOUNT_DISABLED: (NO, b"CONTACTADMIN"),
    Reason.TLS_REQUIRED: (NO, b"PRIVACYREQUIRED"),
    Reason.POLICY: (NO, b"NOPERM"),
    Reason.SENDER_DENIED: (NO, b"NOPERM"),
    Reason.MODERATED: (NO, b"NOPERM"),
    # what was sent
    Reason.BAD_CONTENT: (NO, b"CANNOT"),
    Reason.BARE_LINE_END: (NO, b"CANNOT"),
    Reason.LOOP: (NO, b"CANNOT"),
    # not now
    Reason.OVER_QUOTA: (NO, b"OVERQUOTA"),
    Reason.DISK_FULL: (NO, b"UNAVAILABLE"),
    Reason.STORAGE: (NO, b"UNAVAILABLE"),
    Reason.BUSY: (NO, b"UNAVAILABLE"),
    Reason.LOCKED: (NO, b"INUSE"),
    Reason.THROTTLED: (NO, b"UNAVAILABLE"),
    Reason.NUMBERS_EXHAUSTED: (NO, b"LIMIT"),
    Reason.BUG: (NO, b"SERVERBUG"),
}
_BY_FAMILY = ((BadSyntax, (BAD, b"")), (Refused, (NO, b"CANNOT")), (TryLater, (NO, b"UNAVAILABLE")))

FAREWELLS = {
    Reason.SHUTDOWN: b"* BYE [UNAVAILABLE] Server is going down\r\n",
    Reason.TIMEOUT: b"* BYE Idle for too long\r\n",
    Reason.TOO_MANY_ERRORS: b"* BYE [CLIENTBUG] Too many errors\r\n",
    Reason.TOO_LONG: b"* BYE [LIMIT] Too long\r\n",
    Reason.TOO_BIG: b"* BYE [TOOBIG] Too big\r\n",
    Reason.BUG: b"* BYE [SERVERBUG] Internal error\r\n",
    Reason.TOO_MANY: b"* BYE [UNAVAILABLE] Too many connections\r\n",
    Reason.THROTTLED: b"* BYE [UNAVAILABLE] Too many connections in so short a time\r\n",
    Reason.CLOSED: b"",  # nobody is there to hear it
}


class Coded(Refused):
    """A refusal whose response code no reason tells."""

    def __init__(self, code: bytes, reason: Reason, text: str = "") -> None:
        super().__init__(reason, text)
        self.code = code


class CodedSyntax(BadSyntax):
    """The same for what is answered by BAD."""

    def __init__(self, code: bytes, reason: Reason, text: str = "") -> None:
        super().__init__(text, reason)
        self.code = code


NEEDS_UTF8 = Refused(Reason.UNSUPPORTED, "this server needs ENABLE UTF8=ACCEPT first")  # RFC 6855 6


def no_use() -> Refused:
    """RFC 6154 3, 4."""
    return Coded(b"USEATTR", Reason.UNSUPPORTED, "special use is not available")


def line(tag: bytes, status: bytes, code: bytes, words: str, language: str = languages.DEFAULT) -> bytes:
    """``a1 NO [CODE] words``; in UTF-8 where another ``language`` than the first was asked for."""
    said = languages.translated(words, language)
    text = fmt.text(words) or b"Failed"
    if said != words:
        text = said.encode("utf-8")  # ours to the last letter
    return b"%b %b [%b] %b\r\n" % (tag, status, code, text) if code else b"%b %b %b\r\n" % (tag, status, text)


def turned_away(error: Problem) -> bytes:
    """The greeting of a connection that ends with it."""
    return line(b"*", b"BYE", _answer(error)[1], error.text[:1].upper() + error.text[1:])


def _answer(error: Problem) -> tuple[bytes, bytes]:
    """Status and response code."""
    found = REASONS.get(error.reason)
    if found is None:
        found = next(
            (answer for family, answer in _BY_FAMILY if isinstance(error, family)), (NO, b"SERVERBUG")
        )
    status, code = found
    if isinstance(error, (Coded, CodedSyntax)):
        code = error.code
    return (NO, b"SERVERBUG") if isinstance(error, Hangup) else (status, code)


def problem(error: Problem, command: commands.Command | None, language: str = languages.DEFAULT) -> bytes:
    """The answer to a command that failed; ``*`` where its tag is not known."""
    tag = command.tag if command is not None and command.tag else b"*"
    if isinstance(error, BadCommand):
        tag = error.tag
    status, code = _answer(error)
    if error.reason is Reason.NO_SUCH_FOLDER and isinstance(command, (commands.Append, commands.Copy)):
        code = b"TRYCREATE"  # RFC 9051 6.3.12, 6.4.7: and only there
    if isinstance(error, BadSyntax) and error.reason in _BAD:
        status = BAD
    if error.reason is Reason.ALREADY_EXISTS:  # its text is the bare name
        return line(tag, status, code, "A mailbox of that name is there already", language)
    words = error.text[:1].upper() + error.text[1:]
    return line(tag, status, code, words, language)
