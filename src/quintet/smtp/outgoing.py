"""What is said to the next host about one message: MAIL and RCPT with everything that this host takes.

Pure: from what a host offers and what sender and recipients asked for to command lines, or to the answer
that we give ourselves where that host cannot be asked.  RFC 1870, RFC 6152 3, RFC 6531 3.2, RFC 3030,
RFC 3461 5.2, RFC 2852 4, RFC 6710 4, RFC 8689 4.2, RFC 3865 2.7, RFC 4954 5, RFC 9422.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quintet.delivery import notify
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import DeliverBy, Mailbox
from quintet.delivery.tlspolicy import Demand
from quintet.delivery.transport import Answer, Hop, Letter, Result, To
from quintet.smtp import parameters
from quintet.smtp.heard import Offers
from quintet.values import dataclass

MAX_BY = 999_999_999  # seconds that DELIVERBY can say (RFC 2852 4)


def body_fits(offers: Offers, hop: Hop, letter: Letter) -> bool:
    """The host takes the bytes as they are; else they have to be rewritten, or the mail comes back."""
    if letter.wishes.binary:
        return binary(offers, hop)
    return not letter.eight_bit or "8BITMIME" in offers


def binary(offers: Offers, hop: Hop) -> bool:
    """RFC 3030 3: BINARYMIME means something only together with CHUNKING."""
    return hop.chunking and "BINARYMIME" in offers and "CHUNKING" in offers


def cannot(offers: Offers, hop: Hop, letter: Letter, now: int) -> Answer | None:
    """Why the message cannot be given to this host; None: it can.  ``now`` in ms."""
    host, wishes = hop.host, letter.wishes
    if letter.utf8_header and "SMTPUTF8" not in offers:
        return _own("5.6.9", f"{host} takes no UTF-8 header")  # RFC 6531 3.2, 3.5
    if wishes.binary and not binary(offers, hop):
        return _own("5.6.3", f"{host} takes no binary mail")  # RFC 3030 3
    if letter.eight_bit and "8BITMIME" not in offers and not wishes.binary:
        return _own("5.6.3", f"{host} takes no 8-bit mail")  # RFC 6152 3
    if 0 < offers.size < letter.body.size:
        return _own("5.3.4", f"message is larger than the {offers.size} bytes that {host} takes")
    by = wishes.by
    if by is not None and by.mode == "R":
        if now >= by.at:
            return _own("5.4.7", "could not be delivered by the time asked for")  # RFC 2852 4.1.4
        if "DELIVERBY" not in offers and not hop.lmtp:
            return _own("5.3.3", f"{host} promises no delivery by a time")
        least = _least(offers)
        if least * 1000 > by.at - now:  # RFC 2852 4.1.4.1
            return _own("5.4.7", f"{host} promises delivery within {least} s, and less is left")
    if path(offers, letter.sender) is None:
        return _own("5.6.7", "sender's address needs SMTPUTF8")
    return None


def path(offers: Offers, address: Mailbox) -> str | None:
    """An address as this host can take it; None when it cannot."""
    if address.ascii or "SMTPUTF8" in offers:
        text = str(address)
    else:
        text = str(Mailbox(address.local, ascii_domain(address.domain)))
        if not text.isascii():
            return None
    return text if text.isprintable() and "<" not in address.domain and ">" not in address.domain else None


def mail(
    offers: Offers, hop: Hop, letter: Letter, paths: Sequence[str], now: int, *, secure: bool = False
) -> str:
    """The MAIL command; ``paths`` are the recipients', ``secure``: the session is under TLS."""
    sender, wishes = path(offers, letter.sender) or "", letter.wishes
    words = [f"MAIL FROM:<{sender}>"]
    if "SIZE" in offers:
        words.append(f"SIZE={letter.body.size}")
    if wishes.binary:
        words.append("BODY=BINARYMIME")
    elif letter.eight_bit:
        words.append("BODY=8BITMIME")
    if letter.utf8_header or not sender.isascii() or not all(each.isascii() for each in paths):
        words.append("SMTPUTF8")
    if "DSN" in offers:
        if wishes.ret:
            words.append(f"RET={wishes.ret.upper()}")
        if wishes.envid:
            words.append(f"ENVID={parameters.xtext(wishes.envid).decode()}")
    # RFC 8689 5: a report asks for it too, where it can be had
    if (letter.demand is Demand.REQUIRE or (secure and wishes.require_tls)) and "REQUIRETLS" in offers:
        words.append("REQUIRETLS")
    if "MT-PRIORITY" in offers:  # RFC 6710 4.2: also when it is 0
        words.append(f"MT-PRIORITY={wishes.priority}")
    if wishes.by is not None and "DELIVERBY" in offers:
        # the time that is left; it may have passed for mode N (RFC 2852 4.1.4)
        left = max(-MAX_BY, min(MAX_BY, -((now - wishes.by.at) // 1000)))
        words.append(f"BY={left};{wishes.by.mode}{'T' if wishes.by.trace else ''}")
    if wishes.solicit and "NO-SOLICITING" in offers:
        words.append(f"SOLICIT={wishes.solicit}")
    if wishes.submitter and hop.user and "AUTH" in offers:
        words.append(f"AUTH={parameters.xtext(wishes.submitter).decode()}")
    return " ".join(words)


def _least(offers: Offers) -> int:
    """The shortest deadline that a host takes, in seconds (RFC 2852 2); 0 where it says none."""
    least = offers.get("DELIVERBY").partition(",")[0].strip()
    return int(least) if least.isascii() and least.isdigit() and len(least) <= 9 else 0


def rcpt(offers: Offers, to: To, where: str, by: DeliverBy | None = None, now: int = 0) -> str:
    """The RCPT command of a recipient whose `path` is ``where``; ``by`` is the message's deadline."""
    words = [f"RCPT TO:<{where}>"]
    if "DSN" in offers:
        wanted = to.notify
        if by is not None and now < by.at and "DELIVERBY" not in offers and notify.NEVER not in wanted:
            # RFC 2852 4.1.4.2: who does not know the deadline shall at least say that it is late
            wanted = tuple(dict.fromkeys((*(wanted or (notify.FAILURE,)), notify.DELAY)))
        if wanted:
            words.append(f"NOTIFY={','.join(wanted).upper()}")
        if to.orcpt:
            value = parameters.orcpt_value(to.orcpt, utf8="SMTPUTF8" in offers)
            words.append(f"ORCPT={value.decode()}")
    return " ".join(words)


@dataclass(frozen=True, slots=True)
class Named:
    """A recipient that this host can be asked about."""

    number: int  # its place among all
    command: str
    path: str
    domain: str


def transactions(offers: Offers, named: Sequence[Named]) -> Iterator[list[Named]]:
    """Recipients by transactions, as the host's LIMITS want them (RFC 9422 4.2); one domain after the other
    where a session may have few (4.3).
    """
    ours: list[Named] = []
    domains: set[str] = set()
    ordered = sorted(named, key=lambda each: each.domain) if offers.domain_max else named
    for each in ordered:
        full = bool(offers.rcpt_max) and len(ours) >= offers.rcpt_max
        many = bool(offers.domain_max) and len(domains | {each.domain}) > offers.domain_max
        if ours and (full or many):
            yield ours
            ours, domains = [], set()
        ours.append(each)
        domains.add(each.domain)
    if ours:
        yield ours


def recipients(
    offers: Offers, all_of_them: Sequence[To], by: DeliverBy | None = None, now: int = 0
) -> tuple[list[Named], dict[int, Answer]]:
    """Those that can be named to this host, and what the others get."""
    named: list[Named] = []
    refused: dict[int, Answer] = {}
    for number, to in enumerate(all_of_them):
        where = path(offers, to.address)
        if where is None:
            refused[number] = _own("5.6.7", "address needs SMTPUTF8")
        else:
            named.append(Named(number, rcpt(offers, to, where, by, now), where, to.address.domain))
    return named, refused


def _own(status: str, text: str) -> Answer:
    return Answer(Result.NEVER, status, text)
