"""What rules send: a message passed on within another, or a template's answer (MS-OXORULE 2.2.5.1).

Pure, over items; who gets it and how it goes is the business of whoever runs the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quintet.mapi import pr
from quintet.mapi.bag import Attachment, Bag, Item
from quintet.mapi.providers import derive
from quintet.mapi.rules import Action, Flavor, Op, Recipient

STOCK_TEXT: Final = "This is an automatic reply. Your message was received.\r\n"
_SENDERS: Final = (
    (pr.SENDER_NAME, pr.SENT_REPRESENTING_NAME, pr.DISPLAY_NAME),
    (pr.SENDER_ADDRTYPE, pr.SENT_REPRESENTING_ADDRTYPE, pr.ADDRTYPE),
    (pr.SENDER_EMAIL_ADDRESS, pr.SENT_REPRESENTING_EMAIL_ADDRESS, pr.EMAIL_ADDRESS),
    (pr.SENDER_SMTP_ADDRESS, pr.SENT_REPRESENTING_SMTP_ADDRESS, pr.SMTP_ADDRESS),
)
_OLD: Final = (
    pr.SENDER_ENTRYID, pr.SENDER_SEARCH_KEY, pr.SENT_REPRESENTING_ENTRYID, pr.SENT_REPRESENTING_SEARCH_KEY,
    pr.INTERNET_MESSAGE_ID, pr.TRANSPORT_MESSAGE_HEADERS, pr.CLIENT_SUBMIT_TIME, pr.MESSAGE_DELIVERY_TIME,
    pr.REPLY_RECIPIENT_ENTRIES, pr.REPLY_RECIPIENT_NAMES,
)  # fmt: skip


def passes_whole(action: Action) -> bool:
    """The very message goes on, not another one about it (2.2.5.1.1: NC; delegates get it so, too)."""
    return action.op == Op.DELEGATE or bool(action.flavor & Flavor.UNCHANGED)


def forwarded(item: Item, action: Action, me: Bag) -> Item:
    """A message that passes another one on: with what it says, or with itself attached (flavor AT).

    ``me``: display name, address type and addresses of whose rule it is.  It has no recipients yet.
    """
    subject = item.props.get(pr.SUBJECT) or ""
    if action.flavor & Flavor.AS_ATTACHMENT:
        made = Item({pr.MESSAGE_CLASS: "IPM.Note", pr.BODY: ""})
        named: Bag = {pr.ATTACH_METHOD: derive.EMBEDDED, pr.DISPLAY_NAME: subject}
        made.attachments.append(Attachment(named, item=derive.copied(item)))
    else:
        made = derive.copied(item)
        for tag in _OLD:
            made.props.pop(tag, None)
    return _written(made, f"FW: {subject}", me)


def replied(item: Item, template: Item, action: Action, me: Bag) -> Item:
    """The answer to a message: what the template says, under its subject or that of the message (R525)."""
    made = derive.copied(template)
    made.props[pr.MESSAGE_CLASS] = (
        "IPM.Note.rules.OOFTemplate" if action.op == Op.OOF_REPLY else "IPM.Note"
    )  # R795
    for tag in _OLD:
        made.props.pop(tag, None)
    if action.flavor & Flavor.STOCK_TEXT:
        made = Item({pr.MESSAGE_CLASS: made.props[pr.MESSAGE_CLASS], pr.BODY: STOCK_TEXT})
    about = item.props.get(pr.INTERNET_MESSAGE_ID)
    if about:
        made.props[pr.IN_REPLY_TO_ID] = about
        before = item.props.get(pr.INTERNET_REFERENCES)
        made.props[pr.INTERNET_REFERENCES] = f"{before} {about}" if before else about
    word = "Automatic reply" if action.op == Op.OOF_REPLY else "RE"
    own = made.props.get(pr.SUBJECT)
    return _written(made, own or f"{word}: {item.props.get(pr.SUBJECT) or ''}", me)


def author(item: Item) -> Recipient | None:
    """Who wrote a message, as somebody to be written to; None: nobody says."""
    bag = item.props
    address = bag.get(pr.SENDER_SMTP_ADDRESS) or bag.get(pr.SENDER_EMAIL_ADDRESS)
    if not address:
        return None
    kind = "SMTP" if bag.get(pr.SENDER_SMTP_ADDRESS) else bag.get(pr.SENDER_ADDRTYPE, "SMTP")
    name = bag.get(pr.SENDER_NAME, address)
    return ((pr.DISPLAY_NAME, name), (pr.ADDRTYPE, kind), (pr.EMAIL_ADDRESS, address))


def addressed(item: Item, rows: Iterable[Recipient]) -> Item:
    """With its recipients; those that a rule names without a kind are addressees."""
    item.recipients = [{pr.RECIPIENT_TYPE: derive.TO, **dict(row)} for row in rows]
    return item


def _written(made: Item, subject: str, me: Bag) -> Item:
    for part in (pr.SUBJECT_PREFIX, pr.NORMALIZED_SUBJECT):
        made.props.pop(part, None)
    made.props[pr.SUBJECT] = subject
    for sender, representing, own in _SENDERS:
        for tag in (sender, representing):
            made.props.pop(tag, None)
            if me.get(own):
                made.props[tag] = me[own]
    return made
