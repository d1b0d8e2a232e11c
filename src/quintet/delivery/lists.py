"""Mailing lists at work: posts to members, held posts to owners, commands by mail, and bounces.

A list is accepted as one row of the queue; `local` takes it from there and asks `Lists.deed` what shall
happen, which one transaction then does together with taking the row.  `allow` refuses at RCPT what can be
known then.  A long list goes out in batches, each its own transaction, so that a crash repeats none.
RFC 5321 3.9.2, RFC 3461 5.2.7.1, RFC 2142 6, RFC 3834; the fields are `listmail`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from quintet import log
from quintet.clock import Clock
from quintet.delivery import listmail, published, verp
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.envelope import Recipient as Addressee
from quintet.errors import Reason, Refused
from quintet.message import headers
from quintet.net.dns import Resolver
from quintet.store import lists, queue, secrets
from quintet.store.content import Content, content_of
from quintet.store.db import Tx
from quintet.store.lists import MailingList
from quintet.store.queue import Recipient
from quintet.store.store import Store
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.signing import Seal

BATCH = 500  # members of one transaction; 5 ms of the writer
DAY_MS = 86_400_000
QUIET_S = 600.0  # one notice an address and list in that time: nobody makes us flood somebody
MAX_QUIET = 10_000  # addresses that are remembered for that
KEY = "lists"  # name of the key that signs tokens

logger = log.get("lists")

Step = Callable[[Tx], object]


@dataclass(frozen=True, slots=True)
class Deed:
    """What one message to a list does, in one transaction."""

    steps: Sequence[Step] = ()
    hold: int = 0  # the list whose owner must speak before it goes on; it stays in the queue
    again: bool = False  # a further batch of a post that was taken before


def allow(inbound: Inbound, envelope: Envelope, one: Addressee) -> None:
    """At RCPT.

    Raises:
        Refused(POLICY): a report, for an address that takes none.
        Refused(NO_PERMISSION): the list refuses posts of others.  Refused(TOO_BIG).
    """
    if one.role == "bounces":
        return
    if not envelope.sender:
        raise Refused(Reason.POLICY, "A mailing list takes no reports")
    found = inbound.store.peek(lists.find, one.mailing_list)
    if found is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    if one.role != "post":
        return
    if 0 < found.max_size < envelope.size:
        raise Refused(Reason.TOO_BIG)
    if found.others == "refuse" and not inbound.store.peek(_may_post, found, [str(envelope.sender)]):
        raise Refused(Reason.NO_PERMISSION, "Only members may post to this list")


class Lists:
    """One a process."""

    def __init__(self, store: Store, *, clock: Clock, resolver: Resolver, seal: Seal | None = None) -> None:
        self._store, self._clock, self._resolver, self._seal = store, clock, resolver, seal
        self._key: bytes | None = None
        self._quiet: dict[tuple[int, str], float] = {}  # until when an address is told nothing more

    async def deed(self, one: Recipient, to: Addressee, content: Content, prefix: bytes) -> Deed:
        """What a message to one of a list's addresses shall do.

        Raises:
            Refused(NO_SUCH_ADDRESS): the list is gone.  Refused(LOOP): it came from this list.
            Refused(NO_PERMISSION | TOO_BIG): not for this list.  TryLater.
        """
        found = self._store.peek(lists.find, to.mailing_list)
        if found is None:
            raise Refused(Reason.NO_SUCH_ADDRESS)
        if to.role == "bounces":
            return self._bounce(one, to, found, content)
        if not one.sender or listmail.automatic(content.digest):
            logger.info("passed over", list=found.address, role=to.role, sender=one.sender)
            return Deed()
        if to.role == "post":
            return await self._post(one, found, content, prefix)
        return await self._command(one, to, found, content)

    # --- posts ------------------------------------------------------------------------------

    async def _post(self, one: Recipient, found: MailingList, content: Content, prefix: bytes) -> Deed:
        if listmail.looped(content.digest, found):
            raise Refused(Reason.LOOP, "Mail loop: it came from this list")
        after = int(one.params.get("after", 0))
        if not after and 0 < found.max_size < content.size:
            raise Refused(Reason.TOO_BIG)
        names = [one.sender, listmail.author(content.digest)]
        if not after and not one.params.get("approved") and not self._store.peek(_may_post, found, names):
            if found.others == "refuse":
                raise Refused(Reason.NO_PERMISSION, "Only members may post to this list")
            return await self._held(one, found, content)
        members = self._store.peek(lists.members, found.id, after=after, limit=BATCH, state=lists.ACTIVE)
        steps: list[Step] = []
        if members:
            rewrite = await self._rewrite(found, listmail.author(content.digest))
            made = await asyncio.to_thread(_as_post, content, found, rewrite, self._seal)
            steps.append(partial(_send_post, one=one, found=found, content=made, prefix=prefix, to=members))
        if len(members) == BATCH:
            steps.append(partial(_go_on, one=one, after=members[-1].id))
        logger.info("post", list=found.address, sender=one.sender, members=len(members), after=after)
        return Deed(steps, again=after > 0)

    async def _rewrite(self, found: MailingList, author: str) -> str:
        """How From is rewritten: one of `lists.REWRITE`."""
        if found.rewrite == "no" or found.rewrite_when == "always":
            return found.rewrite
        strict = "@" in author and await published.is_strict(self._resolver, author.rpartition("@")[2])
        return found.rewrite if strict else "no"

    async def _held(self, one: Recipient, found: MailingList, content: Content) -> Deed:
        """The post waits, and the owners are told; once, however often the row is looked at."""
        key, number = await self._secret(), str(one.id)
        said = f"{number}-{listmail.token(key, 'held', str(found.id), number)}"
        digest = content.digest
        assert content.data is not None
        shown = content.data[: listmail.MAX_EXCERPT].decode("utf-8", "replace").replace("\r\n", "\r\n> ")
        text = (
            f"A message to {found.address} waits for your word: its sender may not post at once.\r\n\r\n"
            f"To let it go out, send to {found.role('request')} a message with the subject\r\n\r\n"
            f"    approve {said}\r\n\r\nTo throw it away:\r\n\r\n    reject {said}\r\n\r\n> {shown}\r\n"
        )
        subject = f"approve {said}"
        owners = found.owners.split()
        logger.info("held", list=found.address, sender=one.sender, message_id=digest.header("message-id"))
        guarded = bool(one.item_params.get("require_tls"))
        return Deed([self._notice(found, owners, subject, text, guarded=guarded)], hold=found.id)

    # --- commands ---------------------------------------------------------------------------

    async def _command(self, one: Recipient, to: Addressee, found: MailingList, content: Content) -> Deed:
        """RFC 2142 6: subscribe, unsubscribe, confirm, approve, reject, help."""
        digest = content.digest
        assert content.data is not None
        word, said = listmail.command(digest, content.data[digest.header_end :])
        if to.role in ("subscribe", "unsubscribe"):
            word = to.role
        elif to.role == "confirm":
            word, said = "confirm", to.detail.upper()
        address = listmail.author(digest) or one.sender
        about = (headers.msg_ids(digest.header(b"message-id") or b"") or [""])[0]
        if word == "confirm":
            return await self._confirm(found, address, said, about)
        if word in ("approve", "reject"):
            return await self._decide(found, word, said)
        if self._is_quiet(found, address):
            return Deed()
        if word == "subscribe" and found.joining == "confirm":
            return Deed([await self._ask(found, word, address, about)])
        if word == "unsubscribe" and self._store.peek(lists.member_of, found.id, address) is not None:
            return Deed([await self._ask(found, word, address, about)])
        if word == "subscribe":
            text = f"Only its owner adds members to this list. Write to {found.role('owner')}.\r\n"
        elif word == "unsubscribe":
            text = f"{address} is not on this list.\r\n"
        else:
            text = _help(found)
        return Deed([self._notice(found, [address], f"About {found.address}", text, about)])

    async def _ask(self, found: MailingList, word: str, address: str, about: str) -> Step:
        """A confirmation: whoever can read the mail of an address may put it on a list, and take it off."""
        key, day = await self._secret(), str(self._clock.now() // DAY_MS)
        said = listmail.token(key, word, str(found.id), address, day)
        what = "get the messages of" if word == "subscribe" else "leave"
        text = (
            f"Somebody, perhaps you, asked that {address} should {what} the list {found.address}.\r\n\r\n"
            "If that is right, answer this message and leave its subject as it is.\r\n"
            "If it is not, you need do nothing.\r\n"
        )
        local, _, domain = found.role("confirm").rpartition("@")
        back = f"{local}+{said}@{domain}"
        return self._notice(found, [address], f"confirm {said}", text, about, reply_to=back)

    async def _confirm(self, found: MailingList, address: str, said: str, about: str) -> Deed:
        key, day = await self._secret(), self._clock.now() // DAY_MS
        action = listmail.confirmed(key, found, address, said, day)
        if not action:
            logger.info("wrong confirmation", list=found.address, address=address)
            return Deed()
        joined = action == "subscribe"
        step = partial(lists.join if joined else lists.leave, number=found.id, address=address)
        text = (
            f"{address} is now on the list {found.address}. To post, write to that address.\r\n"
            if joined
            else f"{address} is no longer on the list {found.address}.\r\n"
        )
        logger.info(action, list=found.address, address=address)
        return Deed([step, self._notice(found, [address], f"{found.address}: done", text, about)])

    async def _decide(self, found: MailingList, word: str, said: str) -> Deed:
        number, _, proof = said.partition("-")
        key = await self._secret()
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            return Deed()
        if proof != listmail.token(key, "held", str(found.id), number):
            logger.info("wrong word of an owner", list=found.address)
            return Deed()
        logger.info(word, list=found.address, number=number)
        act = lists.approve if word == "approve" else lists.reject
        return Deed([partial(act, found=found, number=int(number))])

    # --- bounces ----------------------------------------------------------------------------

    def _bounce(self, one: Recipient, to: Addressee, found: MailingList, content: Content) -> Deed:
        """Counts against the member whom a report is about; what says nothing goes to the owners."""
        digest = content.digest
        who = verp.recipient_of(to.detail) if to.detail else None
        assert content.data is not None
        report = (digest.root.type, digest.root.subtype) == ("multipart", "report")
        failed = listmail.failed(content.data[digest.header_end :]) if report else None
        if not one.sender and not report and listmail.automatic(digest):
            return Deed()  # somebody is on holiday
        if not one.sender and failed is not None:
            if not failed:
                return Deed()  # delayed, or relayed: it may arrive yet
            names = [str(who)] if who is not None else failed
            return Deed([partial(lists.bounced, number=found.id, address=name) for name in names[:100]])
        if not one.sender and who is not None:
            return Deed([partial(lists.bounced, number=found.id, address=str(who))])
        return Deed([partial(_pass_on, one=one, address=found.role("owner"))])

    # --- parts ------------------------------------------------------------------------------

    def _notice(
        self,
        found: MailingList,
        to: Sequence[str],
        subject: str,
        text: str,
        about: str = "",
        *,
        reply_to: str = "",
        guarded: bool = False,
    ) -> Step:
        """``guarded``: it shows something of a message with REQUIRETLS (RFC 8689 6)."""
        domain = found.address.rpartition("@")[2]
        data = listmail.notice(
            found,
            to,
            subject,
            text,
            date=self._clock.now(),
            message_id=f"<{self._clock.token(12)}@{domain}>",
            reply_to=reply_to,
            in_reply_to=about,
        )
        utf8 = not all(each.isascii() for each in to)
        params: dict[str, object] = {
            "id": self._clock.token(6),
            "utf8": utf8,
            "eight_bit": not data.isascii(),
        }
        if guarded:
            params["require_tls"] = True
        item = queue.QueueItem(content=content_of(data), sender="", params=params)
        return partial(queue.put, item=item, recipients=[_to(each) for each in to])

    def _is_quiet(self, found: MailingList, address: str) -> bool:
        now, name = self._clock.monotonic(), (found.id, address.lower())
        if self._quiet.get(name, 0.0) > now:
            return True
        if len(self._quiet) >= MAX_QUIET:
            self._quiet = {key: until for key, until in self._quiet.items() if until > now}
        if len(self._quiet) >= MAX_QUIET:
            return True
        self._quiet[name] = now + QUIET_S
        return False

    async def _secret(self) -> bytes:
        if self._key is None:
            self._key = await self._store.write(secrets.make, KEY)
        return self._key


def _may_post(tx: Tx, found: MailingList, names: Sequence[str]) -> bool:
    """One of the names may: the sender's, or the author's."""
    owners = found.owners.lower().split()
    return any(
        found.post == "anyone"
        or name.lower() in owners
        or (found.post == "members" and lists.member_of(tx, found.id, name) is not None)
        for name in names
        if name
    )


def _as_post(content: Content, found: MailingList, rewrite: str, seal: Seal | None) -> Content:
    """What members get; signed where it is from the list.  Raises TryLater(STORAGE): the key is not there."""
    assert content.data is not None
    end = content.digest.header_end
    block = content.data[:end]
    block = block[:-2] if block.endswith(b"\r\n\r\n") or block == b"\r\n" else block
    body = content.data[end:]
    if rewrite == "wrap":
        made = listmail.wrapped(block, body, found)
    else:
        made = listmail.post_header(block, found, rewrite) + b"\r\n" + body
    # an author's own name proves nothing here: anybody may post in it
    return content_of(seal(made) if seal is not None and rewrite != "no" else made)


def _send_post(
    tx: Tx,
    *,
    one: Recipient,
    found: MailingList,
    content: Content,
    prefix: bytes,
    to: Sequence[lists.Member],
) -> None:
    """To members: a sender that names each, and of the original's wishes (RFC 3461 5.2.7.1) only REQUIRETLS
    (RFC 8689 6) and its priority (RFC 6710 4.4).
    """
    names = ("id", "eight_bit", "utf8", "require_tls", "priority")
    kept: dict[str, object] = {name: one.item_params[name] for name in names if name in one.item_params}
    item = queue.QueueItem(
        content=content, sender=found.role("bounces"), prefix=prefix, params={**kept, "verp": True}
    )
    queue.put(tx, item, [_to(each.address) for each in to])


def _go_on(tx: Tx, *, one: Recipient, after: int) -> None:
    """The same post for the members behind these."""
    params = {**one.params, "after": after}
    queue.put(tx, _same(one), [queue.To(one.address, params, domain=one.domain)])


def _pass_on(tx: Tx, *, one: Recipient, address: str) -> None:
    queue.put(tx, _same(one), [_to(address)])


def _same(one: Recipient) -> queue.QueueItem:
    return queue.QueueItem(
        content=None,
        sender=one.sender,
        message_row=one.message_row,
        account_id=one.account_id,
        params=one.item_params,
        expires_at=one.expires_at,
    )


def _to(address: str) -> queue.To:
    return queue.To(address, domain=ascii_domain(mailbox(address).domain))


def _help(found: MailingList) -> str:
    return (
        f"The mailing list {found.address}.\r\n\r\n"
        f"To get its messages, write to {found.role('subscribe')}.\r\n"
        f"To leave it, write to {found.role('unsubscribe')}.\r\n"
        f"To reach a person, write to {found.role('owner')}.\r\n"
    )
