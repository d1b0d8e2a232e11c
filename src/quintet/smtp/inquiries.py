"""VRFY, EXPN and HELP: questions that move nothing.

Who hears the truth is policy (`offers.may_ask`): a server that tells everybody which addresses exist is read
out.  RFC 5321 3.5 and 7.3, RFC 6531 3.7.4.2 (SMTPUTF8 of VRFY and EXPN).
"""

from __future__ import annotations

from quintet.auth.identity import Identity
from quintet.delivery.envelope import NULL, Mailbox, Recipient
from quintet.errors import Reason, Refused
from quintet.smtp import address, replies
from quintet.smtp.desk import Desk, Role
from quintet.store import accounts

MAX_MEMBERS = 100  # lines of one answer to EXPN

_UTF8 = b" SMTPUTF8"

HELP = {
    "EHLO": "EHLO domain",
    "HELO": "HELO domain",
    "LHLO": "LHLO domain",
    "MAIL": "MAIL FROM:<address> [parameters]",
    "RCPT": "RCPT TO:<address> [parameters]",
    "DATA": "DATA, the message, a line with one dot",
    "BDAT": "BDAT octets [LAST], then as many octets",
    "BURL": "BURL url [LAST]",
    "RSET": "RSET",
    "NOOP": "NOOP [text]",
    "QUIT": "QUIT",
    "VRFY": "VRFY address [SMTPUTF8]",
    "EXPN": "EXPN address [SMTPUTF8]",
    "HELP": "HELP [command]",
    "STARTTLS": "STARTTLS",
    "AUTH": "AUTH mechanism [initial-response]",
    "ETRN": "ETRN domain",
    "ATRN": "ATRN [domain,domain...]",
}

_NOT_HERE = {
    Role.MX: {"LHLO", "BURL"},
    Role.SUBMISSION: {"LHLO", "ETRN", "ATRN"},
    Role.ODMR: {"LHLO", "BURL"},
    Role.LMTP: {"HELO", "EHLO", "AUTH", "BURL", "ETRN", "ATRN"},
}


def vrfy(desk: Desk, raw: bytes) -> bytes:
    """The true answer to VRFY.  Raises BadSyntax, Refused, TryLater."""
    box, utf8 = _name(desk, raw)
    found = desk.inbound.directory.find(desk.inbound.names.recipient(box)) if box else None
    if found is None:
        return replies.CANNOT_VERIFY  # not ours: RFC 5321 3.5.3 forbids 250
    return _told(252 if found.mailing_list else 250, [found.address], utf8)


def expn(desk: Desk, raw: bytes) -> bytes:
    """The true answer to EXPN: whom an alias stands for.  Raises BadSyntax, Refused, TryLater."""
    box, utf8 = _name(desk, raw)
    found = desk.inbound.directory.find(desk.inbound.names.recipient(box)) if box else None
    if found is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    if found.mailing_list:
        raise Refused(Reason.NO_PERMISSION, replies.NO_MEMBERS)  # who reads it is its members' affair
    return _told(250, _members(found)[:MAX_MEMBERS], utf8)


def identity(desk: Desk, login: str) -> Identity:
    """Whom XCLIENT's LOGIN names: a proxy that is believed has checked the password.

    Raises Refused(NO_SUCH_ACCOUNT, ACCOUNT_DISABLED), BadSyntax.
    """
    account = desk.store.peek(accounts.find, desk.auth.canonical(login))
    if account is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT)
    if account.disabled:
        raise Refused(Reason.ACCOUNT_DISABLED)
    return Identity(account.id, account.name, "XCLIENT", "smtp")


def help_with(role: Role, topic: bytes) -> bytes:
    """One line for a command of this role, all of them otherwise."""
    verb = topic.strip().decode("ascii", "replace").upper()
    here = [each for each in HELP if each not in _NOT_HERE[role]]
    if verb in here:
        return replies.line(214, "2.0.0", HELP[verb])
    return replies.lines(214, "2.0.0", ("Commands: " + " ".join(here), "RFC 5321"))


def _name(desk: Desk, raw: bytes) -> tuple[Mailbox, bool]:
    """An address, or a login name without its domain (NULL where no domain is usual here)."""
    text = raw.strip()
    utf8 = text.upper().endswith(_UTF8)
    if utf8:
        text = text[: -len(_UTF8)].rstrip()
    text = text.removeprefix(b"<").removesuffix(b">")
    if b"@" not in text:
        try:
            text = desk.auth.canonical(text.decode()).encode()
        except UnicodeDecodeError:
            raise address.BadAddress("address is not UTF-8") from None
        if b"@" not in text:
            known = text.lower() == b"postmaster"  # RFC 5321 2.3.5: a name without a domain
            return Mailbox("postmaster", desk.hostname) if known else NULL, utf8
    return address.parse_mailbox(text), utf8


def _members(found: Recipient) -> list[Mailbox]:
    if not found.leads:
        return [found.address]
    return [box for lead in found.leads for box in _members(lead)]


def _told(code: int, boxes: list[Mailbox], utf8: bool) -> bytes:
    if not utf8 and not all(box.ascii for box in boxes):
        raise Refused(Reason.BAD_NAME, replies.NEEDS_UTF8_REPLY)
    return replies.addresses(code, [str(box) for box in boxes])
