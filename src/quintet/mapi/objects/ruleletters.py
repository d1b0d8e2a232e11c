"""Letters that rules send: answers from templates, letters about the letter, and the letter itself passed on.

`Maker` makes them in a reader's thread; `works` addresses them.  No loops: who has passed a letter on is told
in Delivered-To (RFC 9228), and whose rule finds its own mailbox there passes nothing on; answers go to the
sender of the envelope, from nobody, say that they are automatic, and are not given to programs, lists and
reports, nor too often to one address (RFC 3834).
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from quintet import log
from quintet.auth.identity import Identity
from quintet.delivery import expand, filing, mdn
from quintet.delivery.envelope import NULL, USUAL, Envelope, Recipient, mailbox
from quintet.errors import BadSyntax, Problem, TryLater
from quintet.mapi import convert, ids, pr, rulemail, types
from quintet.mapi.bag import Bag, Item, NamedTag
from quintet.mapi.convert import addressing, names
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import names as book
from quintet.mapi.objects import packed, people, pid, sending
from quintet.mapi.rules import Flavor, Op, TemplateEntry
from quintet.mapi.rules import Recipient as Row
from quintet.mapi.ruling import Cause, Deed, Failure, Outcome
from quintet.message import build, headers
from quintet.store import accounts, props, rules
from quintet.store.blobs import Spool
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.expiring import DAY_MS
from quintet.store.model import Account, Added, FolderId
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.sorting import Arrived
    from quintet.mapi.objects.box import Box, Reader

MAX_ANSWERS: Final = 10  # of one rule to one address in a day; a program that answers answers ends there
NO_REPLY, NO_OOF_REPLY = 0x20, 0x10  # bits of PidTagAutoResponseSuppress (R526, R533)
_AUTO = NamedTag(names.INTERNET_HEADERS, "auto-submitted", types.STRING)
_PROGRAMS = re.compile(r"owner-.*|.*-request|mailer-daemon|no-?reply|postmaster", re.IGNORECASE)  # RFC 3834 2

logger = log.get("delivery")


@dataclass(frozen=True, slots=True)
class Made:
    """One letter on its way; ``content`` None: the very letter that came."""

    deed: Deed[FolderId]
    to: tuple[str, ...]
    via: tuple[str, ...]  # who has passed it on, this mailbox last
    content: Content | None = None
    sender: str = ""  # of the envelope, where it is a letter of its own
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """What the transaction files, and for which rule."""

    deed: Deed[FolderId]
    work: filing.Work
    answers: bool


def own_addresses(tx: Tx, account: Account, one: Arrived) -> frozenset[str]:
    """All under which mail comes to the mailbox, in lower case."""
    found = [each.address for each in accounts.addresses(tx, account.id)]
    return frozenset([each.lower() for each in (*found, account.name, str(one.recipient.address))])


class Maker:
    """The letters that the rules of one mailbox send about one letter."""

    def __init__(
        self, box: Box, item: Item, one: Arrived, own: frozenset[str], hostname: str, clock: Clock
    ) -> None:
        self._box, self._item, self._one, self._own = box, item, one, own
        self._hostname, self._clock = hostname, clock
        self._sender = str(one.envelope.sender)
        self._address = box.owner.address or str(one.recipient.address)
        self._trail = expand.delivered_to(one.content.digest) | expand.trail(one.received)
        self._me: Bag = {
            pr.DISPLAY_NAME: box.owner.display_name,
            pr.ADDRTYPE: "SMTP",
            pr.EMAIL_ADDRESS: self._address,
            pr.SMTP_ADDRESS: self._address,
        }

    def all(self, outcome: Outcome[FolderId]) -> list[Made]:
        """Those that can be made; the others are noted as failures."""
        found = []
        for deed in outcome.letters:
            try:
                made = self._answer(deed) if deed.action.op in _ANSWERS else self._passed_on(deed)
            except (MapiError, Problem, BadSyntax) as error:
                cause = Cause.TEMPLATE if deed.action.op in _ANSWERS else Cause.EXECUTION
                logger.info("rule failed", rule=deed.rule.id, why=str(error))
                outcome.failed.append(Failure(deed.folder, deed.rule, cause, deed.number, deed.action))
                continue
            if made is not None:
                found.append(made)
        return found

    # --- answers ------------------------------------------------------------------------------------

    def _answer(self, deed: Deed[FolderId]) -> Made | None:
        """None: this letter is not answered."""
        if not self._may_answer(deed):
            return None
        template = self._template(deed)
        made = rulemail.replied(self._item, template, deed.action, self._me)
        made.props[_AUTO] = "auto-replied"
        if deed.action.flavor & Flavor.NOT_TO_SENDER:
            to = self._addresses(template.recipients)
        else:
            to = [self._sender]
            author = rulemail.author(self._item)
            name = dict(author).get(pr.DISPLAY_NAME) if author is not None else None
            rulemail.addressed(made, [_row(name or self._sender, self._sender)])
        return Made(deed, tuple(to), self._via, self._content(made), answers=True) if to else None

    def _may_answer(self, deed: Deed[FolderId]) -> bool:
        away = deed.action.op == Op.OOF_REPLY
        suppressed = self._item.props.get(pr.AUTO_RESPONSE_SUPPRESS) or 0
        if not self._sender or self._sender.lower() in self._own or mdn.automatic(self._one.content.digest):
            return False
        if suppressed & (NO_OOF_REPLY if away else NO_REPLY) or self._item.props.get(pr.AUTO_FORWARDED):
            return False
        if _PROGRAMS.fullmatch(self._one.envelope.sender.local):
            return False
        if away and not self._item.props.get(pr.MESSAGE_RECIP_ME):  # RFC 3834 2: not named, not meant
            return False
        since, times = rules.told(self._box.tx, deed.rule.id, self._sender)
        return times < MAX_ANSWERS or since < self._one.now - DAY_MS

    def _template(self, deed: Deed[FolderId]) -> Item:
        """Raises MapiError: it is gone, or was never there."""
        data = deed.action.data
        if not isinstance(data, TemplateEntry):
            raise MapiError(Code.NOT_FOUND)
        found = ids.read(data.entry)
        if not isinstance(found, ids.MessageEntry) or found.folder.replica != self._box.replica:
            raise MapiError(Code.NOT_FOUND)
        return self._box.message(found.message.counter).item

    # --- passing on ---------------------------------------------------------------------------------

    def _passed_on(self, deed: Deed[FolderId]) -> Made | None:
        """None: it was here before, or goes to nobody but its sender."""
        if self._own & self._trail:
            logger.info("loop cut", id=self._one.envelope.id, rule=deed.rule.id)
            return None
        data = deed.action.data
        rows = [dict(row) for row in data] if isinstance(data, tuple) else []  # type: ignore[arg-type]
        author = rulemail.author(self._item)
        writers = {self._sender.lower(), str(dict(author or ()).get(pr.EMAIL_ADDRESS, "")).lower()}
        to = [one for one in self._addresses(rows) if one.lower() not in writers]  # R537
        if not to:
            return None
        if rulemail.passes_whole(deed.action):
            return Made(deed, tuple(to), self._via)
        made = rulemail.forwarded(self._item, deed.action, self._me)
        made.props[_AUTO] = "auto-generated"
        rulemail.addressed(made, [tuple(row.items()) for row in rows])
        people.complete(self._box.tx, made)
        # a report about a report is sent to nobody
        sender = self._address if self._sender else ""
        return Made(deed, tuple(to), self._via, self._content(made), sender)

    def _addresses(self, rows: Sequence[Bag]) -> list[str]:
        item = Item({}, [dict(row) for row in rows])
        people.complete(self._box.tx, item)
        return sending.addresses(item.recipients)

    def _content(self, item: Item) -> Content:
        item.props[pid.INTERNET_ID] = f"<{self._clock.token(16)}@{self._hostname}>"
        spool = Spool(self._box.files)
        try:
            for piece in convert.to_mime(item, bcc=False, now_ms=self._one.now):
                spool.write(piece)
            return spool.finish_now()
        finally:
            spool.discard()

    @property
    def _via(self) -> tuple[str, ...]:
        """Who has passed it on so far, and now this mailbox."""
        return (*sorted(self._trail)[: expand.MAX_TRAIL], self._address)


_ANSWERS: Final = (Op.REPLY, Op.OOF_REPLY)


def _row(name: str, address: str) -> Row:
    """An addressee of a letter that we write."""
    return (
        (pr.DISPLAY_NAME, name),
        (pr.ADDRTYPE, "SMTP"),
        (pr.EMAIL_ADDRESS, address),
        (pr.SMTP_ADDRESS, address),
        (pr.ENTRYID, addressing.one_off(name, "SMTP", address)),
    )


# --- addressing them -------------------------------------------------------------------------------------


async def works(letters: Sequence[Made], one: Arrived, inbound: Inbound, owner: Reader) -> list[Ready]:
    """What the transaction has to file for them.  Raises TryLater."""
    found = []
    for made in letters:
        if made.content is None:
            work = await _passed(made, one, inbound, owner)
        else:
            work = await _own_letter(made, made.content, one, inbound, owner)
        found.append(Ready(made.deed, work, made.answers))
    return found


async def _own_letter(
    made: Made, content: Content, one: Arrived, inbound: Inbound, owner: Reader
) -> filing.Work:
    """A letter that the rule wrote: the mailbox has sent it."""
    addresses = [Recipient(mailbox(each), via=made.via) for each in made.to]
    envelope = Envelope(
        peer=one.envelope.peer,
        identity=Identity(owner.id, owner.name, "PLAIN", "rules"),
        sender=mailbox(made.sender) if made.sender else NULL,
        recipients=addresses,
        helo=inbound.hostname,
        id=inbound.new_id(),
        eight_bit=content.digest.eight_bit,
        utf8=not all(each.isascii() for each in made.to),
    )
    sends = [filing.Send((each,)) for each in made.to]
    signatures = b""
    if inbound.reports.signer is not None:
        with contextlib.suppress(TryLater):  # a key that cannot be read, which the log tells
            signatures = await inbound.reports.signer.signatures(content)
    return filing.Work(envelope, content, sends, signatures, one.now, one.expires_at, event="ruled")


async def _passed(made: Made, one: Arrived, inbound: Inbound, owner: Reader) -> filing.Work:
    """The letter that came, under its own sender; as every forwarded one it is rewritten where it must be."""
    recipients: list[Recipient] = []
    decisions: list[filing.Decision] = []
    for address in made.to:
        lead = Recipient(mailbox(address), via=made.via)
        sender = await expand.sender(inbound.store, inbound.directory, one.envelope.sender, lead, one.now)
        recipients.append(replace(lead, sender=sender))
        delegate = _mailbox(inbound, address) if made.deed.action.op == Op.DELEGATE else 0
        if delegate:
            home = filing.File(delegate)
            decisions.append(filing.Sorted(home, (home,), functools.partial(_represent, _about(owner))))
        else:
            decisions.append(filing.Send((address,)))
    envelope = replace(
        one.envelope,
        recipients=recipients,
        id=inbound.new_id(),
        wishes=replace(USUAL, require_tls=one.envelope.wishes.require_tls),
    )
    received = _resent(made, one, inbound, owner) + one.received
    return filing.Work(
        envelope,
        one.content,
        decisions,
        received,
        one.now,
        one.expires_at,
        event="ruled",
        rules=filing.Say.NOBODY,
    )


def _resent(made: Made, one: Arrived, inbound: Inbound, owner: Reader) -> bytes:
    """RFC 5322 3.6.6: who sent it again, and to whom."""
    token = inbound.clock.token(16)
    fields = (
        ("Resent-From", f"<{made.via[-1]}>"),
        ("Resent-To", ", ".join([f"<{mailbox(each)}>" for each in made.to])),
        ("Resent-Date", headers.format_date(one.now)),
        ("Resent-Message-ID", f"<{token}@{inbound.hostname}>"),
    )
    return b"".join([build.header(name, value) for name, value in fields])


def _mailbox(inbound: Inbound, address: str) -> int:
    """The folder of an account here that takes letters for an address by itself; 0: it has none."""
    try:
        found = inbound.directory.find(mailbox(address))
    except Problem:
        return 0
    return 0 if found is None or found.leads else found.folder_id


def _about(owner: Reader) -> dict[int, bytes]:
    """In whose place a delegate has a letter (R540 to R545), as it is kept beside the letter."""
    dn = book.of_object(owner.id, owner.name)
    told: Bag = {
        pr.RCVD_REPRESENTING_ENTRYID: book.permanent(0, dn),
        pr.RCVD_REPRESENTING_ADDRTYPE: people.BOOK,
        pr.RCVD_REPRESENTING_EMAIL_ADDRESS: dn,
        pr.RCVD_REPRESENTING_NAME: owner.display_name,
        pr.RCVD_REPRESENTING_SEARCH_KEY: f"{people.BOOK}:{dn}".upper().encode("ascii") + b"\0",
        pr.DELEGATED_BY_RULE: True,
    }
    return {tag: packed.value(tag, value) for tag, value in told.items() if isinstance(tag, int)}


def _represent(values: dict[int, bytes], tx: Tx, added: Sequence[Added]) -> None:
    for one in added:
        props.put(tx, props.ENTRY, one.entry_id, values)
