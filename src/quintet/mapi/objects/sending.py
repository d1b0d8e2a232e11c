"""Sending and posting: the errands of messages (MS-OXOMSG 3.2.5.1 for submission; posts in public folders).

A submitted message goes the way of every submission: the sender must be one's own, what is missing is added,
blind copies are cut.  Once it is accepted it is filed in Sent Items, or where the message says, and leaves
the folder from which it was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery.envelope import NULL, Envelope, mailbox
from quintet.delivery.submit import Completer, Rules
from quintet.errors import BadSyntax, Problem
from quintet.mapi import ids
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError, of_problem
from quintet.mapi.objects import people, pid
from quintet.mapi.objects.errands import Services
from quintet.store import pages
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import Added, EntryId

if TYPE_CHECKING:
    from quintet.mapi.objects.message import Message

PROTOCOL = "MAPI"  # the "with" of Received

logger = log.get("mapi")


@dataclass(slots=True)
class Post:
    """A new message of a group is on its way to become an article.

    ``number`` was told as its id already, so the article gets it.
    """

    message: Message
    number: EntryId
    pieces: Sequence[bytes]
    group: str

    async def run(self, services: Services) -> None:
        """Raises MapiError: the group does not take it; and the other problems of posting."""
        try:
            posted = await services.office.post(
                services.identity, services.peer, _chunks(self.pieces), group=self.group
            )
            places = dict(zip(posted.groups, posted.added, strict=False))
            if self.group in places:  # else a filter or a moderator has it
                await services.store.write_once(self._adopt, places[self.group])
        except Problem as problem:
            raise of_problem(problem) from problem

    def _adopt(self, tx: Tx, place: Added) -> None:
        pages.renumber(tx, place.folder_id, place.uid, self.number)
        with self.message.box.using(tx):
            self.message.adopt(self.number)


@dataclass(slots=True)
class Submit:
    """A message is on its way to its recipients."""

    message: Message
    sender: str  # the envelope's
    recipients: Sequence[str]
    refused: dict[str, str] = field(default_factory=dict)  # recipients that take nothing, and why

    async def run(self, services: Services) -> None:
        """Accepted by everybody's own rules, then filed as sent; if that fails, it is sent all the same.

        Raises MapiError: nobody takes it, or the sender is not the reader's to use; it stays where it is.
        """
        try:
            envelope = self._envelope(services)
            later = services.inbound.sender(envelope)
            if later is not None:
                await later
            await self._fill(services, envelope)
            pieces = await services.store.read(self._render)
            content = await self._content(services, envelope, pieces)
            envelope.id = services.inbound.new_id()
            await services.inbound.accept(envelope, content)
        except (Problem, MapiError) as problem:
            await services.store.write_once(self._undo)
            raise of_problem(problem) if isinstance(problem, Problem) else problem from None
        try:
            kept = await services.store.read(self._copy)
            await services.store.write_once(self._file, kept)
        except (Problem, MapiError) as problem:  # who heard of a failure would send it again
            logger.warning("sent, and not filed as sent", conn=services.peer.id, reason=str(problem))

    def _envelope(self, services: Services) -> Envelope:
        return Envelope(
            services.peer, protocol=PROTOCOL, identity=services.identity, sender=mailbox(self.sender),
            utf8=True, eight_bit=True,
        )  # fmt: skip

    async def _fill(self, services: Services, envelope: Envelope) -> None:
        """Looks up every recipient; some may be refused, all of them is a refusal of the message."""
        problem: Problem | None = None
        for address in self.recipients:
            try:
                found = services.inbound.recipient(envelope, mailbox(address))
                asked = services.inbound.probe(envelope, found)
                found = (await asked if asked is not None else None) or found
            except Problem as refusal:
                problem = refusal
                self.refused[address] = refusal.text
                continue
            envelope.recipients.append(found)
        if not envelope.recipients and problem is not None:
            raise problem

    async def _content(self, services: Services, envelope: Envelope, pieces: Sequence[bytes]) -> Content:
        """The letter as submission completes it."""
        inbound, identity = services.inbound, services.identity
        completer = Completer(
            sender=envelope.sender,
            identity=mailbox(identity.name) if "@" in identity.name else NULL,
            owns=lambda address: inbound.writes_as(identity.account_id, mailbox(address)),
            hostname=inbound.hostname,
            clock=inbound.clock,
            rules=Rules.of(inbound.config, utf8=True),
        )
        spool = services.store.spool()
        try:
            for piece in pieces:
                spool.write(completer.feed(piece))
            spool.write(completer.finish())
            return await spool.finish()
        finally:
            spool.discard()

    def _render(self, tx: Tx) -> list[bytes]:
        """The letter without blind copies."""
        with self.message.box.using(tx):
            return self.message.mime(bcc=False)

    def _copy(self, tx: Tx) -> Message | None:
        with self.message.box.using(tx):
            return sent_copy(self.message)

    def _file(self, tx: Tx, kept: Message | None) -> None:
        """Takes what was sent away from where it was, after it is kept where it belongs."""
        message = self.message
        with message.box.using(tx):
            if kept is not None:
                kept.save()
            if message.row is not None:
                message.folder.delete_messages([message.number], hard=True)

    def _undo(self, tx: Tx) -> None:
        with self.message.box.using(tx):
            self.message.take_back()


async def _chunks(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def addresses(rows: Iterable[Bag]) -> list[str]:
    """Where the recipients' mail goes, each address once.

    Raises MapiError(NOT_FOUND): one has no address that mail can go to.
    """
    found: dict[str, None] = {}
    for row in rows:
        address = row.get(pid.SMTP_ADDRESS)
        if not address and not people.is_book(row.get(pid.ADDRESS_TYPE)):
            address = row.get(pid.EMAIL_ADDRESS)
        if not isinstance(address, str) or not mailbox(address).domain:
            raise MapiError(Code.NOT_FOUND, f"no address for {row.get(pid.DISPLAY_NAME, 'a recipient')}")
        found[address] = None
    return list(found)


def sent_copy(message: Message) -> Message | None:
    """What is to be kept of a message that was sent, ready to be saved; None: nothing is to be kept.

    A client says that by PidTagDeleteAfterSubmit.
    """
    if message.item.props.get(pid.DELETE_AFTER_SUBMIT):
        return None
    kept = message.box.folder(_sent_folder(message)).create_message()
    kept.take_over(message)
    kept.set([(pid.MESSAGE_FLAGS, pid.MF_READ | pid.MF_FROM_ME)])
    kept.render()
    return kept


def _sent_folder(message: Message) -> int:
    """The folder that the message names (PidTagSentMailEntryId), if it is one of the mailbox's own."""
    box = message.box
    told = message.item.props.get(pid.SENT_MAIL)
    if isinstance(told, bytes):
        try:
            entry = ids.read(told)
        except BadSyntax:
            entry = None
        if isinstance(entry, ids.FolderEntry) and entry.folder.replica == box.replica:
            return entry.folder.counter
    return box.special["sent"]
