"""The spooler: what happens to a message between SubmitMessage and its copy among what was sent.

A store that sends by itself (Can.SUBMIT) is only told.  For others each recipient goes to the transport that
takes its kind of address; what is refused comes back as a report, what cannot be sent now stays in the
outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet import log
from quintet.mapi import consts, pr
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.core import values
from quintet.mapi.core.errors import fail
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import Can, EntryId, Failure, Kind, Opened, Special, Thing, Transport
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.core.message import IMessage
    from quintet.mapi.core.store import IMsgStore

logger = log.get("mapi")

LATER = (Code.NETWORK_ERROR, Code.SERVER_BUSY, Code.TIMEOUT, Code.TOO_BUSY, Code.OUT_OF_RESOURCES)
IDENTITY = (  # of the identity -> of the sender, and whom the sender stands for
    (pr.DISPLAY_NAME, pr.SENDER_NAME, pr.SENT_REPRESENTING_NAME),
    (pr.ADDRTYPE, pr.SENDER_ADDRTYPE, pr.SENT_REPRESENTING_ADDRTYPE),
    (pr.EMAIL_ADDRESS, pr.SENDER_EMAIL_ADDRESS, pr.SENT_REPRESENTING_EMAIL_ADDRESS),
    (pr.SMTP_ADDRESS, pr.SENDER_SMTP_ADDRESS, pr.SENT_REPRESENTING_SMTP_ADDRESS),
    (pr.ENTRYID, pr.SENDER_ENTRYID, pr.SENT_REPRESENTING_ENTRYID),
)


def submit(message: IMessage, store: IMsgStore) -> None:
    """Saves the message and sends it.  Raises MAPIErrorNoSupport: nobody here sends."""
    if store.session is None:
        raise fail("MAPI_E_NO_SUPPORT", "a store without a session sends nothing")
    message.expand_recipients(store.session.OpenAddressBook().expanded)
    service = store.session.service_of(store.source)
    changes = sender_of(message._item.props, service)
    changes[pr.CLIENT_SUBMIT_TIME] = values.now().filetime
    if Can.SUBMIT in store.source.can:
        message._take(changes, ())
        message.SaveChanges(consts.KEEP_OPEN_READWRITE)
        assert message._entry is not None
        store.source.submit(message._entry)
        return
    transports = store.session.transports(service)
    if not transports:
        raise fail("MAPI_E_NO_SUPPORT", "no service of this profile sends: SMTP or SENDMAIL would")
    if Can.SAVE not in store.source.can:
        message._take(changes, ())
        _send_unkept(message.contents(), transports)
        return
    after = _After.of(message._item.props)
    flags = message._item.props.get(pr.MESSAGE_FLAGS, 0) & ~derive.UNSENT
    changes[pr.MESSAGE_FLAGS] = flags | derive.SUBMITTED | derive.FROM_ME | derive.READ
    message._take(changes, ())
    message._changed = True  # it is another version from now on
    message.SaveChanges(consts.KEEP_OPEN_READWRITE)
    assert message._entry is not None
    if not _run(store, message._entry, transports, after):
        _to_outbox(store, message._entry, message._folder)


def _send_unkept(item: Item, transports: list[Transport]) -> None:
    """Sends what its system cannot keep: nothing waits, and who did not get it is told at once."""
    failures = _send(item, transports)
    if failures:
        raise MapiError(Code.GENERAL_FAILURE, "not sent to " + "; ".join(_told(item, failures)))


def _told(item: Item, failures: list[Failure]) -> list[str]:
    """Who did not get it, and why."""
    found = []
    for failure in failures:
        one = item.recipients[failure.recipient]
        name = one.get(pr.DISPLAY_NAME) or one.get(pr.EMAIL_ADDRESS) or "?"
        found.append(f"{name}: {failure.text}")
    return found


def sender_of(props: Bag, service: Opened) -> Bag:
    """The sender's properties; whom it stands for stays as the program said."""
    found: Bag = {}
    represents = pr.SENT_REPRESENTING_EMAIL_ADDRESS in props or pr.SENT_REPRESENTING_ENTRYID in props
    for key, sender, other in IDENTITY:
        if service.identity.get(key) is not None:
            found[sender] = service.identity[key]
            if not represents:
                found[other] = service.identity[key]
    return found


def _to_outbox(store: IMsgStore, entry: EntryId, folder: EntryId) -> None:
    """Where what could not be sent now waits."""
    outbox = store.source.special().get(Special.OUTBOX)
    if outbox is not None and folder != outbox:
        (moved,) = store.source.move([entry], outbox)
        store.hub.did(Kind.CREATED, Thing.MESSAGE, moved, outbox)


@dataclass(frozen=True, slots=True)
class _After:
    """What its sender wants with a message once it is sent; a system of letters does not keep that."""

    delete: bool = False
    sent: EntryId | None = None

    @classmethod
    def of(cls, props: Bag) -> _After:
        return cls(bool(props.get(pr.DELETE_AFTER_SUBMIT)), props.get(pr.SENTMAIL_ENTRYID) or None)


def _run(store: IMsgStore, entry: EntryId, transports: list[Transport], after: _After | None = None) -> bool:
    """Sends what stands in the store; False: not now, but it can wait.

    ``after`` None: as the message says.
    """
    item = store.source.load(entry)
    try:
        failures = _send(item, transports)
    except MapiError as error:
        if error.code not in LATER or not _waits(store):
            _unsubmitted(store, entry, unsent=True)
            raise
        logger.warning("not sent now", error=str(error))
        return False
    if failures:
        _report(store, item, failures)
    _file(store, entry, after or _After.of(item.props))
    return True


def _waits(store: IMsgStore) -> bool:
    """Whether a message can be marked as one that is to be sent: letters alone have no such mark."""
    return Can.ITEMS in store.source.can and Special.OUTBOX in store.source.special()


def _send(item: Item, transports: list[Transport]) -> list[Failure]:
    failures: list[Failure] = []
    groups: dict[int, list[int]] = {}
    for number, one in enumerate(item.recipients):
        kind = str(one.get(pr.ADDRTYPE) or "SMTP").upper()
        taker = next((at for at, each in enumerate(transports) if kind in each.kinds), None)
        if kind == "EX" and one.get(pr.SMTP_ADDRESS):
            taker = next((at for at, each in enumerate(transports) if "SMTP" in each.kinds), None)
        if taker is None:
            failures.append(Failure(number, f"nothing here sends to addresses of kind {kind}"))
        else:
            groups.setdefault(taker, []).append(number)
    begun = False
    for taker, numbers in groups.items():
        try:
            failures += transports[taker].send(item, numbers)
        except MapiError as error:
            if not begun:
                raise
            failures += [Failure(number, str(error)) for number in numbers]  # others have it: not again
        begun = True
    return failures


def _file(store: IMsgStore, entry: EntryId, after: _After) -> None:
    """Where the sender's copy goes."""
    source = store.source
    if after.delete:
        source.delete([entry], hard=True)
        store.hub.did(Kind.DELETED, Thing.MESSAGE, entry)
        return
    entry = _unsubmitted(store, entry)
    if after.sent is not None:
        (moved,) = source.move([entry], after.sent)
        store.hub.did(Kind.CREATED, Thing.MESSAGE, moved, after.sent)


def _unsubmitted(store: IMsgStore, entry: EntryId, *, unsent: bool = False) -> EntryId:
    """Takes the mark away; ``unsent``: it is a draft again.  The entry id may be another one afterwards."""
    item = store.source.load(entry)
    flags = item.props.get(pr.MESSAGE_FLAGS, 0) & ~derive.SUBMITTED
    if unsent:
        flags |= derive.UNSENT
    if Can.PROPS in store.source.can:
        store.source.update(entry, {pr.MESSAGE_FLAGS: flags})
        return entry
    item.props[pr.MESSAGE_FLAGS] = flags
    return store.source.save(item.props.get(pr.PARENT_ENTRYID) or b"", item, old=entry)


def _report(store: IMsgStore, item: Item, failures: list[Failure]) -> None:
    """A non-delivery report in the inbox: who did not get it, why, and what it was (REPORT.IPM.Note.NDR)."""
    lines = _told(item, failures)
    recipients = [{**item.recipients[one.recipient], pr.SUPPLEMENTARY_INFO: one.text} for one in failures]
    subject = item.props.get(pr.SUBJECT) or ""
    report = Item(
        {
            pr.MESSAGE_CLASS: "REPORT.IPM.Note.NDR",
            pr.SUBJECT: f"Undeliverable: {subject}",
            pr.BODY: "Your message did not reach:\r\n\r\n" + "\r\n".join(lines) + "\r\n",
            pr.SENDER_NAME: "Quintet",
            pr.REPORT_TEXT: "\r\n".join(lines),
            pr.ORIGINAL_SUBJECT: subject,
            pr.MESSAGE_DELIVERY_TIME: values.now().filetime,
        },
        recipients,
        [Attachment({pr.ATTACH_METHOD: derive.EMBEDDED, pr.DISPLAY_NAME: subject}, item=derive.copied(item))],
    )
    inbox = store.source.special()[Special.INBOX]
    entry = store.source.save(inbox, report)
    store.hub.did(Kind.CREATED, Thing.MESSAGE, entry, inbox)


def receipt(store: IMsgStore, item: Item) -> bool:
    """Tells the sender that the message was read; False: it does not say who that is.

    Raises MAPIErrorNoSupport: nobody here sends.
    """
    bag, session = item.props, store.session
    address = bag.get(pr.SENDER_EMAIL_ADDRESS) or bag.get(pr.SENT_REPRESENTING_EMAIL_ADDRESS)
    if not address or session is None:
        return False
    service = session.service_of(store.source)
    subject, now = bag.get(pr.SUBJECT) or "", values.now().filetime
    to: Bag = {
        pr.RECIPIENT_TYPE: derive.TO,
        pr.DISPLAY_NAME: bag.get(pr.SENDER_NAME) or address,
        pr.ADDRTYPE: bag.get(pr.SENDER_ADDRTYPE) or "SMTP",
        pr.EMAIL_ADDRESS: address,
        pr.SMTP_ADDRESS: bag.get(pr.SENDER_SMTP_ADDRESS) or address,
    }
    note = Item(
        {
            pr.MESSAGE_CLASS: "REPORT.IPM.Note.IPNRN",
            pr.SUBJECT: f"Read: {subject}",
            pr.ORIGINAL_SUBJECT: subject,
            pr.BODY: f"Your message was read:\r\n\r\n{subject}\r\n",
            pr.REPORT_TIME: now,
            pr.RECEIPT_TIME: now,
            pr.CLIENT_SUBMIT_TIME: now,
            pr.DELETE_AFTER_SUBMIT: True,
            pr.MESSAGE_FLAGS: derive.UNSENT | derive.READ,
            **sender_of({}, service),
        },
        [to],
    )
    for tag in (pr.INTERNET_MESSAGE_ID, pr.CONVERSATION_INDEX):
        if bag.get(tag):
            note.props[tag if tag == pr.CONVERSATION_INDEX else pr.IN_REPLY_TO_ID] = bag[tag]
    if Can.SUBMIT in store.source.can:
        outbox = store.source.special()[Special.OUTBOX]
        store.source.submit(store.source.save(outbox, note))
    else:
        transports = session.transports(service)
        if not transports:
            raise fail("MAPI_E_NO_SUPPORT", "no service of this profile sends: SMTP or SENDMAIL would")
        _send(note, transports)
    return True


def answer(store: IMsgStore, entry: EntryId, item: Item, flags: int) -> bool:
    """Sends the receipt that a message's sender asked for, and notes that it was sent.

    ``flags``: of SetReadFlag; what was read before is answered by GENERATE_RECEIPT_ONLY alone.
    False: nobody asked, or it does not say who did.  Raises as `receipt`.
    """
    told = item.props.get(pr.MESSAGE_FLAGS, 0) & derive.READ and not flags & consts.GENERATE_RECEIPT_ONLY
    if told or not item.props.get(pr.READ_RECEIPT_REQUESTED) or not receipt(store, item):
        return False
    item.props[pr.READ_RECEIPT_REQUESTED] = False
    try:
        store.source.update(entry, {pr.READ_RECEIPT_REQUESTED: False})
    except MapiError as error:
        if error.code != Code.NOT_SUPPORTED:  # that it was read is what such a system remembers
            raise
    return True


def waiting(store: IMsgStore) -> list[EntryId]:
    """Messages in the outbox that were submitted and not yet sent."""
    outbox = store.source.special().get(Special.OUTBOX)
    if outbox is None or Can.SUBMIT in store.source.can:
        return []
    rows = store.source.messages(outbox)
    ids = rows.ids()
    return [
        one
        for one, (flags,) in zip(ids, rows.values(ids, [pr.MESSAGE_FLAGS]), strict=True)
        if (flags or 0) & derive.SUBMITTED
    ]


def flush(store: IMsgStore) -> int:
    """Tries again what waits; gives how many left."""
    if store.session is None:
        return 0
    transports = store.session.transports(store.session.service_of(store.source))
    return sum([_run(store, one, transports) for one in waiting(store)])


def abort(store: IMsgStore, entry: EntryId) -> None:
    """Takes back what waits.  Raises MAPIErrorNotInQueue."""
    if entry not in waiting(store):
        raise fail("MAPI_E_NOT_IN_QUEUE")
    _unsubmitted(store, entry, unsent=True)
