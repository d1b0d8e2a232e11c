"""Mail filters of others among the checks: what milters are told of a message, what their answers lead to.

A filter has a connection of its own for each message, from MAIL to the end of the data.  What it adds stands
on top of the message; what it changes makes another body.  The packets are `policy.milter`'s.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quintet import log
from quintet.config.milters import Milter
from quintet.delivery import expand, filing, remade, weighing
from quintet.delivery.checks import Check, Later
from quintet.delivery.envelope import NULL, mailbox
from quintet.errors import BadSyntax, Hangup, Reason, Refused, TryLater
from quintet.net.client import Client
from quintet.policy import milter, outcomes
from quintet.policy.milter import Step

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope, Recipient
    from quintet.delivery.inbound import Passage
    from quintet.delivery.verdict import Verdict
    from quintet.store.content import Content

MAX_ADDED = 100  # recipients that filters add to a message
MAX_CHANGED = (
    64 * 1024 * 1024
)  # octets of what one filter wants changed, which is held in memory until it ends
CHANGE = 256  # octets that each of its packets counts for beside what it says

logger = log.get("milter")

_ADDRESS = re.compile(r"<?([^\s<>@\"\\]+@[A-Za-z0-9.-]+)>?")


@dataclass(slots=True)
class Changes:
    """What a filter wants of a message."""

    on_top: list[bytes] = field(default_factory=list)  # whole fields, the first one highest
    fields: list[tuple[int, bytes, bytes]] = field(default_factory=list)  # number, name, new value
    body: bytearray | None = None
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    sender: str | None = None  # another one for the envelope; "" is the null sender
    quarantine: str = ""  # why it is to be kept from its recipients; "": it is not


class Talk:
    """One filter, asked about one message."""

    def __init__(self, config: Milter) -> None:
        self.config = config
        self.over = False  # it has said what it has to say, or cannot be asked
        self._client: Client | None = None
        self._protocol = 0

    async def begin(self) -> None:
        """Raises as `say`."""
        await self._guarded(self._open())

    async def _open(self) -> None:
        host, port = self.config.place
        client = await Client.connect(host, port, timeout_s=self.config.timeout_s)
        # whoever ends a transaction tells no check of it
        weakref.finalize(self, _let_go, client, asyncio.get_running_loop()).atexit = False
        self._client = client
        await client.write(milter.negotiation())
        command, data = await self._read()
        if command != b"O":
            raise BadSyntax("no answer to the negotiation")
        self._protocol = milter.agreed(data)

    async def say(self, step: Step, data: bytes = b"", /, **macros: str) -> bytes:
        """Tells it of a step; its answer is "c", "d" (discard) or "s" (enough of the body).

        Raises Refused, TryLater with the filter's words; TryLater where it does not answer and must.
        """
        if self.over or self._protocol & step.unwanted:
            return b"c"
        return await self._guarded(self._said(step, data, macros)) or b"c"

    async def field(self, name: bytes, value: bytes, **macros: str) -> bytes:
        """`say` of one header field."""
        shown = value if self._protocol & milter.LEADING else value.removeprefix(b" ")
        return await self.say(milter.FIELD, milter.words(name, shown), **macros)

    async def _said(self, step: Step, data: bytes, macros: dict[str, str]) -> bytes:
        assert self._client is not None
        await self._client.write(milter.macros(step, **macros) + milter.packet(step.command, data))
        if self._protocol & step.no_reply:
            return b"c"
        command, said = await self._answer()
        return self._heard(command, said)

    def _heard(self, command: bytes, data: bytes) -> bytes:
        if command == b"y":
            code, enhanced, text = milter.refusal(data)
            if code < 500:
                raise outcomes.Delay(outcomes.Defer(code, text, enhanced))
            raise outcomes.Refusal(outcomes.Refuse(code, text, enhanced))
        if command == b"r":
            raise outcomes.Refusal(outcomes.refuse("Refused by a filter"))
        if command == b"t":
            raise outcomes.Delay(outcomes.defer("A filter cannot tell now"))
        if command not in (b"a", b"c", b"d", b"s"):
            raise BadSyntax(f"answer {command!r}")
        if command in (b"a", b"d"):
            self.close()
        return command

    async def end(self, **macros: str) -> tuple[bytes, Changes]:
        """The message is over: the last answer, and what is to be changed.  Raises as `say`."""
        changes = Changes()
        if self.over:
            return b"c", changes
        found = await self._guarded(self._ended(changes, macros))
        return found or b"c", changes if found else Changes()

    async def _ended(self, changes: Changes, macros: dict[str, str]) -> bytes:
        assert self._client is not None
        await self._client.write(milter.macros(milter.END, **macros) + milter.packet(milter.END.command))
        held = 0
        while True:
            command, data = await self._answer()
            held += len(data) + CHANGE
            if held > MAX_CHANGED:
                raise BadSyntax(f"changes of more than {MAX_CHANGED} octets")
            match command:
                case b"h":
                    changes.on_top.append(milter.line(*milter.named(data)))
                case b"i":
                    _, name, value = milter.numbered(data)
                    changes.on_top.insert(0, milter.line(name, value))
                case b"m":
                    changes.fields.append(milter.numbered(data))
                case b"b":
                    changes.body = (changes.body or bytearray()) + data
                case b"+":
                    changes.added.append(data.partition(b"\0")[0].decode("utf-8", "replace"))
                case b"-":
                    changes.dropped.append(data.partition(b"\0")[0].decode("utf-8", "replace"))
                case b"e":
                    changes.sender = data.partition(b"\0")[0].decode("utf-8", "replace")
                case b"q":
                    changes.quarantine = milter.reason(data)
                case _:
                    found = self._heard(command, data)
                    self.close()
                    return found

    async def _answer(self) -> tuple[bytes, bytes]:
        while True:
            command, data = await self._read()
            if command != b"p":  # it is still at it
                return command, data

    async def _read(self) -> tuple[bytes, bytes]:
        size = int.from_bytes(await self._exactly(4))
        if not 1 <= size <= milter.MAX_PACKET:
            raise BadSyntax(f"a packet of {size} octets")
        data = await self._exactly(size)
        return data[:1], data[1:]

    async def _exactly(self, size: int) -> bytes:
        assert self._client is not None
        return b"".join([piece async for piece in self._client.counted(size)])

    async def _guarded(self, work: Awaitable[bytes | None]) -> bytes | None:
        """None where the filter fails and mail shall pass."""
        try:
            return await work  # a refusal goes on its way: of a recipient, it ends nothing
        except (Hangup, BadSyntax, ValueError) as error:
            self.close()
            logger.warning("filter fails", address=self.config.address, text=str(error))
            if self.config.on_failure == "defer":
                raise TryLater(Reason.BUSY, "A mail filter does not answer") from error
        return None

    def close(self) -> None:
        """It is asked no more."""
        self.over = True
        if self._client is not None:
            self._client.abort()


def _let_go(client: Client, loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        client.abort()


@dataclass(slots=True)
class Said:
    """The filters of a message; and what they said of it so far."""

    talks: list[Talk] = field(default_factory=list)
    discard: bool = False
    quarantine: str = ""  # why; "": no
    dropped: set[str] = field(default_factory=set)  # addresses in lower case

    def copy(self) -> Said:
        return Said()  # a connection has none

    @contextmanager
    def ending(self) -> Iterator[None]:
        """What is raised within ends the message for all filters."""
        try:
            yield
        except BaseException:
            for talk in self.talks:
                talk.close()
            raise


class Milters(Check):
    """All filters as one check; its `filter` stands among the filters."""

    def __init__(self, configured: Sequence[Milter], *, hostname: str) -> None:
        self._configured, self._hostname = tuple(configured), hostname

    def mail(self, envelope: Envelope, verdict: Verdict) -> Later:
        listener = envelope.peer.listener
        asked = [one for one in self._configured if not one.only or listener in one.only]
        return self._mail(envelope, verdict, asked) if asked else None

    async def _mail(self, envelope: Envelope, verdict: Verdict, asked: Sequence[Milter]) -> None:
        said = verdict.notes["milters"] = Said([Talk(one) for one in asked])
        with said.ending():
            await self._begun(said, envelope)

    async def _begun(self, said: Said, envelope: Envelope) -> None:
        peer = envelope.peer
        name = str(peer.notes.get("name") or f"[{peer.address}]")
        account = envelope.identity.name if envelope.identity is not None else ""
        tls = {"_tls_version": peer.tls.version, "_cipher": peer.tls.cipher} if peer.tls is not None else {}
        for talk in said.talks:
            await talk.begin()
        await self._each(
            said, milter.CONNECT, milter.connection(name, peer.address, peer.port), j=self._hostname,
            _daemon_name=peer.listener, _client_addr=peer.address, v="Quintet",
        )  # fmt: skip
        await self._each(said, milter.HELO, milter.words(envelope.helo), **tls)
        sender = milter.words(f"<{envelope.sender}>")
        await self._each(said, milter.MAIL, sender, _auth_authen=account, _mail_addr=str(envelope.sender))

    def rcpt(self, envelope: Envelope, recipient: Recipient, verdict: Verdict) -> Later:
        said = _said(verdict)
        return self._rcpt(said, str(recipient.address)) if said.talks else None

    async def _rcpt(self, said: Said, address: str) -> None:
        await self._each(said, milter.RCPT, milter.words(f"<{address}>"), _rcpt_addr=address)

    def data(self, envelope: Envelope, verdict: Verdict) -> Later:
        said = _said(verdict)
        return self._data(said) if said.talks else None

    async def _data(self, said: Said) -> None:
        with said.ending():
            await self._each(said, milter.DATA)

    async def _each(self, said: Said, step: Step, data: bytes = b"", /, **macros: str) -> None:
        for talk in said.talks:
            said.discard |= await talk.say(step, data, **macros) == b"d"

    def message(self, passage: Passage) -> Later:
        said = _said(passage.verdict)
        return self._message(passage, said) if said.talks and not said.discard else None

    async def _message(self, passage: Passage, said: Said) -> None:
        with said.ending():
            await self._heard(passage, said)

    async def _heard(self, passage: Passage, said: Said) -> None:
        for talk in said.talks:
            answer, changes = await self._asked(talk, passage)
            said.discard |= answer == b"d"
            if said.discard:
                return
            said.quarantine = said.quarantine or changes.quarantine
            if changes.sender is not None:
                _send_as(passage, changes.sender.strip())
            passage.verdict.fields[:0] = changes.on_top
            said.dropped.update(_bare(each) for each in changes.dropped)
            if changes.fields or changes.body is not None:
                passage.content = await _changed(passage, changes)
            for address in changes.added[:MAX_ADDED]:
                _add(passage, _bare(address))

    async def _asked(self, talk: Talk, passage: Passage) -> tuple[bytes, Changes]:
        ident = passage.envelope.id
        block = await remade.block(passage.content)
        for name, value in milter.Header(b"".join(passage.verdict.fields) + block).fields():
            if await talk.field(name, value, i=ident) == b"d":
                return b"d", Changes()
        if await talk.say(milter.END_OF_HEADER) == b"d":
            return b"d", Changes()
        async for piece in remade.body(passage.content, milter.CHUNK):
            answer = await talk.say(milter.BODY, piece)
            if answer == b"d":
                return answer, Changes()
            if answer == b"s":
                break
        return await talk.end(i=ident)

    async def filter(self, passage: Passage, number: int) -> filing.Decision | None:
        """A `checks.Filter`: what filters said of the message, or of a recipient."""
        said, recipient = _said(passage.verdict), passage.envelope.recipients[number]
        if said.discard or (said.dropped and expand.named(passage, number).lower() in said.dropped):
            return filing.Discard()
        if said.quarantine:
            return await weighing.quarantine(passage, recipient, said.quarantine)
        return None


def _said(verdict: Verdict) -> Said:
    found = verdict.notes.get("milters")
    return found if isinstance(found, Said) else Said()


def _bare(address: str) -> str:
    found = _ADDRESS.fullmatch(address.strip())
    return found[1].lower() if found is not None else ""


def _send_as(passage: Passage, address: str) -> None:
    """The message is another sender's from here on; what is no address is only logged."""
    envelope = passage.envelope
    found = _ADDRESS.fullmatch(address)
    if found is None and address not in ("", "<>"):
        logger.warning("sender not changed", conn=envelope.peer.id, address=address)
        return
    sender = mailbox(found[1]) if found is not None else NULL
    logger.info(
        "sender changed", conn=envelope.peer.id, id=envelope.id, old=str(envelope.sender), new=str(sender)
    )
    passage.envelope = replace(envelope, sender=sender, utf8=envelope.utf8 or not str(sender).isascii())


def _add(passage: Passage, address: str) -> None:
    """One more recipient; whom nobody here has, and no address at all, is only logged."""
    if not address:
        return
    envelope, inbound = passage.envelope, passage.inbound
    try:
        passage.more.append(inbound.anyone(mailbox(address)))
    except (Refused, TryLater) as problem:
        logger.warning("recipient not added", conn=envelope.peer.id, address=address, text=str(problem))


async def _changed(passage: Passage, changes: Changes) -> Content:
    """The message with other fields, or another body.  Raises TryLater(DISK_FULL, STORAGE)."""
    content, store = passage.content, passage.inbound.store
    header = milter.Header(await remade.block(content))
    for number, name, value in changes.fields:
        header.change(number, name, value)
    body = None if changes.body is None else bytes(changes.body)
    return await remade.changed(store, content, bytes(header), body)
