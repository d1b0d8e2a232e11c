"""Sends the receipts that are due, for accounts (or programs) that want the server to: a look now and then.

Each is one transaction: the row goes, the receipt is filed or queued, and the message has $MDNSent from then
on, so that no mail program sends another.  RFC 8098 2.1, RFC 3503.
"""

from __future__ import annotations

from dataclasses import replace

from quintet import log
from quintet.clock import Clock
from quintet.delivery import filing, mdn
from quintet.delivery.envelope import NULL, Mailbox, mailbox
from quintet.delivery.reports import Reports
from quintet.errors import Reason, Refused, TryLater
from quintet.message import headers
from quintet.store import accounts, db, entries, folders, receipts
from quintet.store.db import Tx
from quintet.store.model import DRAFT, Account, MessageId
from quintet.store.receipts import Receipt
from quintet.store.store import Store

ROUND = 100  # receipts of one look
MAX_HEADER = 64 * 1024  # bytes of the message's header that go along
EXPIRE_MS = 24 * 3600 * 1000  # a receipt that cannot be sent for so long is not worth more
SECRET_PLACES = ("junk", "trash", "drafts", "sent")  # whoever reads there tells nobody

logger = log.get("delivery")


async def send(store: Store, reports: Reports, *, hostname: str, clock: Clock) -> bool:
    """One round; True when there may be more.  Raises TryLater: nothing is lost."""
    ready = await store.read(receipts.ready, ROUND)
    for one in ready:
        work = await _work(store, reports, one, hostname=hostname, clock=clock)
        try:
            await store.write(_send, one, work)
        except (Refused, TryLater) as problem:
            if work is None or problem.reason not in filing.ONE_RECIPIENT:
                raise
            waiting = [filing.Send((str(work.envelope.recipients[0].address),))]  # a full mailbox
            await store.write(_send, one, replace(work, decisions=waiting))
    return len(ready) == ROUND


async def _work(
    store: Store, reports: Reports, one: Receipt, *, hostname: str, clock: Clock
) -> filing.Work | None:
    """The receipt to be filed; None when there shall be none."""
    try:
        account, message_row = store.peek(_found, one)
        digest = store.peek(entries.digest, message_row)
    except Refused:
        return None  # gone, or moved: it was not kept to be read
    ref = store.peek(entries.message_body, message_row)
    to = mdn.asked_by(digest, ref.prefix)
    way = reports.way(to, digest, trusted=True) if to else None
    if way is None:
        return None
    size = min(digest.header_end, MAX_HEADER)
    start = len(ref.prefix)  # what we put above it is for its reader only
    header = b"".join([piece async for piece in store.body(ref).chunks(start, size)])
    found = headers.msg_ids(digest.header("Message-ID") or b"")
    reader = store.peek(_reader, account, mdn.prefix_field(ref.prefix, "Delivered-To"))
    if not reader:
        return None
    read = mdn.Read(
        reader=reader,
        name=account.display_name,
        subject=headers.decode_words(digest.header("Subject") or b""),
        message_id=found[0] if found and found[0].isascii() and len(found[0]) <= mdn.MAX_FIELD else "",
        original=mdn.prefix_field(ref.prefix, "Original-Recipient"),
        header=header,
        displayed=not one.message_row,
    )
    data = mdn.notification(
        to,
        read,
        language=way.language,
        hostname=hostname,
        now=clock.now(),
        token=clock.token(12),
        seven_bit=not isinstance(way.decision, filing.File),
    )
    expires_at = clock.now() + EXPIRE_MS
    return reports.ready(data, way, conn=f"receipt-{one.id}", expires_at=expires_at, event="receipt")


def _found(tx: Tx, one: Receipt) -> tuple[Account, MessageId]:
    """The reader and the message, when a receipt may still be sent.  Raises Refused."""
    account, folder = accounts.get(tx, one.account_id), folders.get(tx, one.folder_id)
    wanted = account.mdn == receipts.ALWAYS or (one.asked and account.mdn == receipts.ASK)
    if not wanted or folder.role in SECRET_PLACES:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    if one.message_row:
        return account, one.message_row
    entry = entries.get(tx, one.folder_id, one.uid)
    sent = receipts.KEYWORD.lower() in [word.lower() for word in entry.keywords]  # RFC 3503 3
    if entry.flags & DRAFT or sent:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return account, entry.message_id


def _reader(tx: Tx, account: Account, delivered_to: str) -> Mailbox:
    """The address that the message came to where that is known, else the account's own; NULL for none."""
    if delivered_to and accounts.owns_address(tx, account.id, delivered_to):
        return mailbox(delivered_to)
    for one in accounts.addresses(tx, account.id):
        if one.kind == "primary":
            return mailbox(one.address)
    return mailbox(account.name) if "@" in account.name else NULL


@db.bounded()
def _send(tx: Tx, one: Receipt, work: filing.Work | None) -> None:
    """Raises `filing.ONE_RECIPIENT`."""
    if not receipts.take(tx, one.id) or work is None:
        return
    try:
        _found(tx, one)  # its reader's program may have been faster
    except Refused:
        return
    if not one.message_row:
        entries.set_flags(tx, one.folder_id, [one.uid], "+", 0, (receipts.KEYWORD,))
    filing.file(tx, work)
