"""What EHLO and LHLO announce: one row a keyword, each asked whether this client, now, may use it.

CHUNKING stands last, as ever.  RFC 5321 4.1.1.1; the extensions' own RFCs stand beside their rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime

from quintet.auth.identity import Identity
from quintet.net.seam import Peer
from quintet.smtp import replies
from quintet.smtp.desk import Desk, Role
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks."""

    desk: Desk
    peer: Peer
    identity: Identity | None
    real: str = ""  # the address that is connected, whomever it speaks for

    @property
    def known(self) -> bool:
        """Who logged in, a local user, or a host that may send anywhere."""
        if self.identity is not None or self.peer.user:
            return True
        return self.peer.address in self.desk.trusted


Row = Callable[[Asker], str]  # the line without its code; "": not announced


def _always(line: str) -> Row:
    return lambda asker: line


def _size(asker: Asker) -> str:
    return f"SIZE {asker.desk.config.max_message_size}"


def _starttls(asker: Asker) -> str:
    return "STARTTLS" if asker.desk.starttls and not asker.peer.secure else ""


def _auth(asker: Asker) -> str:
    mechanisms = () if asker.identity is not None else asker.desk.offers_auth(asker.peer)
    return "AUTH " + " ".join(mechanisms) if mechanisms else ""


def _require_tls(asker: Asker) -> str:
    return "REQUIRETLS" if asker.peer.secure else ""


def _limits(asker: Asker) -> str:
    config = asker.desk.config
    mails = f" MAILMAX={config.max_messages}" if config.max_messages else ""
    return f"LIMITS{mails} RCPTMAX={config.max_recipients}"


def _future_release(asker: Asker) -> str:
    longest, last = asker.desk.terms.hold_max_s, asker.desk.terms.last_hold
    if not longest:
        return ""
    if last // 1000 > 253_402_300_799:  # the year 9999 ends
        return ""
    return f"FUTURERELEASE {longest} {datetime.fromtimestamp(last / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _deliver_by(asker: Asker) -> str:
    shortest = asker.desk.terms.by_min_s
    return f"DELIVERBY {shortest}" if shortest else "DELIVERBY"


def _priority(asker: Asker) -> str:
    return f"MT-PRIORITY {asker.desk.config.priority_policy}".rstrip()


def _no_soliciting(asker: Asker) -> str:
    return " ".join(("NO-SOLICITING", ",".join(asker.desk.config.no_soliciting))).rstrip()


def _prdr(asker: Asker) -> str:
    return "PRDR" if asker.desk.terms.prdr else ""


def _pipe_connect(asker: Asker) -> str:
    return "PIPECONNECT" if asker.desk.pipe_connect else ""


def _verp(asker: Asker) -> str:
    return "XVERP" if asker.known else ""


def _burl(asker: Asker) -> str:
    if asker.desk.resolve_burl is None or asker.desk.role is not Role.SUBMISSION:
        return ""
    return f"BURL imap imap://{asker.desk.hostname}" if asker.identity is not None else "BURL"


def _etrn(asker: Asker) -> str:
    return "ETRN" if asker.desk.turns is not None else ""


def _atrn(asker: Asker) -> str:
    desk = asker.desk
    if desk.turns is None or not desk.turns.fetched:
        return ""
    return "ATRN" if asker.identity is not None or desk.offers_auth(asker.peer) else ""


def _expn(asker: Asker) -> str:
    return "EXPN" if may_ask(asker) else ""


def _xclient(asker: Asker) -> str:
    if asker.real not in asker.desk.xclient_from:
        return ""
    return "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"


def _xforward(asker: Asker) -> str:
    if asker.real not in asker.desk.xforward_from:
        return ""
    return "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"


def may_ask(asker: Asker) -> bool:
    """VRFY and EXPN tell this client the truth (RFC 5321 3.5.3, 7.3)."""
    verify = asker.desk.config.verify
    return verify == "everybody" or (verify == "users" and asker.known)


ROWS: tuple[Row, ...] = (
    _always("PIPELINING"),  # RFC 2920 3
    _size,  # RFC 1870 3
    _starttls,  # RFC 3207 2
    _auth,  # RFC 4954 3
    _always("ENHANCEDSTATUSCODES"),  # RFC 2034 2
    _always("8BITMIME"),  # RFC 6152 2
    _always("SMTPUTF8"),  # RFC 6531 3.1
    _always("DSN"),  # RFC 3461 4
    _require_tls,  # RFC 8689 2
    _limits,  # RFC 9422 3
    _future_release,  # RFC 4865 4.2
    _deliver_by,  # RFC 2852 2
    _priority,  # RFC 6710 3
    _no_soliciting,  # RFC 3865 2
    # Deviates: RFC 5321 2.2.2 wants words that are not registered to begin with X, and Exim's do not
    _prdr,  # draft-hall-prdr 2
    _pipe_connect,  # Exim's specification, pipelining_connect_advertise_hosts
    _verp,  # Postfix's VERP_README
    _burl,  # RFC 4468 3.1
    _etrn,  # RFC 1985 3
    _atrn,  # RFC 2645 5.1.1
    _always("VRFY"),  # RFC 5321 3.5.2
    _expn,  # RFC 5321 3.5.2
    _always("HELP"),  # RFC 5321 4.1.1.8
    _xclient,
    _xforward,
    _always("BINARYMIME"),  # RFC 3030 3
    _always("CHUNKING"),  # RFC 3030 2
)


def lines(desk: Desk, peer: Peer, identity: Identity | None, real: str) -> bytes:
    """What is announced to this client now, in the order of `ROWS`: the reply's lines after its first."""
    asker = Asker(desk, peer, identity, real)
    said = [line for row in ROWS if (line := row(asker))]
    if withheld := desk.withheld:
        said = [line for line in said if line.partition(" ")[0] not in withheld]
    return _encoded(tuple(said))


@functools.lru_cache(64)  # a server says few different things, and cleaning them costs 15 us
def _encoded(words: tuple[str, ...]) -> bytes:
    return replies.lines(250, "", words)
