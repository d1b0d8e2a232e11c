"""Batch SMTP: a file of what a client would say, given to a session as if it had said so.

The client assumed that every command would succeed, so a message that nobody may have is passed over, and
what the session says is told to whoever gave the file; senders are told by `undelivered`.  Opening files is
the command line's.
RFC 2442.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from quintet import log
from quintet.errors import BadSyntax, Hangup, Problem, Reason
from quintet.net import dots
from quintet.net.following import Following
from quintet.net.seam import CHUNK, Ask, HandOver, Need, Peer, Replies, Service, each
from quintet.smtp import commands
from quintet.smtp.undelivered import MAX_HEAD, Undelivered
from quintet.values import dataclass

IMPLIED_HELLO = b"EHLO localhost\r\n"  # for files that begin with MAIL
MAX_SHOWN = 200  # characters of a command in the report

logger = log.get("smtp")

Read = Callable[[int], Awaitable[bytes]]
"""At most so many bytes of the file; b"" at its end."""


@dataclass(frozen=True, slots=True)
class Told:
    """One command and what the session said to it."""

    number: int  # of the command, from 1
    command: str
    code: int  # 0: it was never answered, because the file ended within it
    text: str  # the whole reply without its last CRLF

    @property
    def refused(self) -> bool:
        return self.code == 0 or self.code >= 500

    @property
    def put_off(self) -> bool:
        return 400 <= self.code < 500


class Endings:
    """Makes CRLF of a file's line ends when its first one is a lone LF; any chunking gives the same."""

    __slots__ = ("_cr", "_head", "_lone")

    def __init__(self) -> None:
        self._lone: bool | None = None  # not known before the first LF
        self._head = b""  # what came before it
        self._cr = False  # the last byte was CR

    def feed(self, data: bytes) -> bytes:
        """What can go on by now; a first line is held back until its end (or until `finish`)."""
        if self._lone is None:
            self._head += data
            at = self._head.find(b"\n")
            if at < 0 and len(self._head) <= CHUNK:
                return b""
            self._lone = at >= 0 and self._head[at - 1 : at] != b"\r"
            data, self._head = self._head, b""
        if not self._lone or not data:
            return data
        first = self._cr and data.startswith(b"\n")  # its CR went on already
        self._cr = data.endswith(b"\r")
        mended = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return mended[1:] if first else mended

    def finish(self) -> bytes:
        """The first line of a file that has no second."""
        held, self._head = self._head, b""
        return held


class Batch:
    """One file.  ``service`` opens a session for each part that ends with QUIT.

    ``undelivered`` tells senders of what is refused.
    """

    def __init__(
        self, service: Service, peer: Peer, read: Read, undelivered: Undelivered | None = None
    ) -> None:
        self._service, self._peer, self._read = service, peer, read
        self._undelivered = undelivered
        self._endings = Endings()
        self._wire: Any = None  # of the seam: each protocol has its own
        self._session: Any = None
        self._following: _Listening | None = None
        self._closed = False
        self._over = False  # the file was read to its end
        self._number = 0
        self.accepted = 0  # messages

    async def run(self) -> AsyncGenerator[Told, None]:
        """Everything the file says, one answer a command, in order; ends with the file or with a session
        that hangs up for good."""
        try:
            while (command := await self._next()) is not None:
                told = await self._handled(command)
                yield told
                if self._closed and not isinstance(command, commands.Quit):
                    return
        finally:
            if self._session is not None:
                self._session.close()

    # --- reading --------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """More of the file.  Raises Hangup at its end."""
        while not self._over:
            data = await self._read(CHUNK)
            self._over = not data
            piece = self._endings.feed(data) if data else self._endings.finish()
            if piece:
                self._wire.feed(piece)
                return
        raise Hangup(Reason.CLOSED, "the file ends here")

    async def _next(self) -> Any:
        """A command, a Problem in its place, or None at the end."""
        if self._session is None or self._closed:
            await self._open()
        while True:
            try:
                command = self._wire.next()
            except Problem as problem:
                return problem
            if command is not Need.DATA:
                return command
            try:
                await self._fill()
            except Hangup:
                return None if not len(self._wire) else Hangup(Reason.CLOSED, "the file ends within a line")

    async def _open(self) -> None:
        rest = b""
        if self._session is not None:
            rest = self._wire.take(len(self._wire))
            self._session.close()
        self._wire, self._session = self._service.open(self._peer)
        self._wire.one_by_one = True  # what is said to each recipient is told of it
        self._following = _Listening(self._wire, self._fill)
        self._closed = False
        await self._said(self._session.greet())
        self._wire.feed(rest)
        while len(self._wire) < 4 and not self._over:
            try:
                await self._fill()
            except Hangup:
                break
        start = self._wire.take(len(self._wire))
        if start and start[:4].upper() not in (b"EHLO", b"HELO", b"LHLO"):
            self._wire.feed(IMPLIED_HELLO)
            await self._said(self._session.handle(self._wire.next(), self._following))
        self._wire.feed(start)

    # --- answering ------------------------------------------------------------------------------

    async def _handled(self, command: Any) -> Told:
        self._number += 1
        told = await self._replied(command)
        if self._undelivered is not None:
            await self._account(self._undelivered, command, told)
        return told

    async def _account(self, undelivered: Undelivered, command: Any, told: Told) -> None:
        following = self._following
        assert following is not None
        match command:
            case commands.Mail():
                undelivered.mail(command, told.text)
            case commands.Rcpt():
                undelivered.rcpt(command, told.text)
            case commands.Data() | commands.Bdat(last=True):
                await undelivered.message(following.taken(), told.text)
            case commands.Rset() | commands.Hello() | commands.Quit():
                undelivered.forget()
                following.taken()

    async def _replied(self, command: Any) -> Told:
        reply = await self._answer(command)
        code = int(reply[:3]) if reply[:3].isdigit() else 0
        if isinstance(command, commands.Data) and not self._closed:
            if code == 354:
                reply = await self._message()
                code = _worst(reply)
                if not self._closed:
                    self.accepted += code < 400 or "\r\n250" in f"\r\n{reply}"
            else:
                await self._pass_over()
                await self._forget()
        elif isinstance(command, commands.Bdat) and command.last:
            if 200 <= code < 300:
                self.accepted += 1
            elif not self._closed:
                await self._forget()
        return Told(self._number, _shown(command), code, reply.removesuffix("\r\n"))

    async def _message(self) -> str:
        """What is said to the message that follows DATA; "" when the file ends before it."""
        message = await self._next()
        if message is not None:
            assert self._following is not None
            if isinstance(message, commands.Message) and message.whole is not None:
                self._following.keep(message.whole)  # what more than one read brings goes by there anyway
            return await self._answer(message)
        self._closed = True
        return ""

    async def _answer(self, command: Any) -> str:
        assert self._following is not None
        session = self._session
        try:
            if isinstance(command, Problem):
                raise command
            try:
                said = await self._said(session.handle(command, self._following))
                await self._following.pass_over()
            except Hangup:
                raise
            except Problem as problem:
                await self._following.pass_over()
                said = await self._said(session.problem(problem, command))
        except Hangup as end:
            self._closed = True
            return "" if end.reason is Reason.CLOSED else str(session.farewell(end.reason).decode())
        except Problem as problem:
            said = await self._said(session.problem(problem, None))
        return said.decode("utf-8", "replace")

    async def _said(self, replies: Replies) -> bytes:
        said = b""
        async with aclosing(each(replies)) as source:
            async for reply in source:
                said += self._taken(reply)
        return said

    def _taken(self, reply: Any) -> bytes:
        if isinstance(reply, bytes):
            return reply
        if reply is Ask.CLOSE:
            self._closed = True
        elif reply is Ask.START_TLS or isinstance(reply, HandOver):
            raise Hangup(Reason.UNSUPPORTED)  # a file cannot answer
        return b""

    async def _forget(self) -> None:
        """Ends a transaction that was refused: the client believes that it did, and the next recipients are
        another sender's."""
        await self._said(self._session.handle(commands.Rset(), self._following))

    async def _pass_over(self) -> None:
        """The message that follows a refused DATA all the same; an end of the file in it ends all."""
        assert self._following is not None
        reader = dots.Reader()
        while not reader.done:
            data = self._wire.take(CHUNK)
            if data:
                self._following.keep(reader.feed(data))
                continue
            try:
                await self._fill()
            except Hangup:
                self._closed = True
                return
        self._wire.untake(reader.rest)


class _Listening(Following):
    """Keeps the beginning of a message that goes by, for a report about it."""

    __slots__ = ("_kept",)

    def __init__(
        self, wire: Any, fill: Callable[[], Awaitable[None]]
    ) -> None:  # Any: each protocol has its own
        super().__init__(wire, fill)
        self._kept = b""

    def keep(self, piece: bytes) -> None:
        self._kept += piece[: max(MAX_HEAD - len(self._kept), 0)]

    def taken(self) -> bytes:
        """What was kept, once."""
        kept, self._kept = self._kept, b""
        return kept

    async def counted(self, size: int) -> AsyncIterator[bytes]:
        async with aclosing(cast("Any", super().counted(size))) as pieces:  # Any: it is a generator
            async for piece in pieces:
                self.keep(piece)
                yield piece

    async def dotted(self) -> AsyncIterator[bytes]:
        async with aclosing(cast("Any", super().dotted())) as pieces:  # Any: as above
            async for piece in pieces:
                self.keep(piece)
                yield piece


def _worst(reply: str) -> int:
    """The highest code of a reply, which has a line a recipient in LMTP."""
    codes = [int(line[:3]) for line in reply.split("\r\n") if line[:3].isdigit()]
    return max(codes, default=0)


def _shown(command: Any) -> str:
    """The command in the report."""
    match command:
        case commands.Mail():
            text = f"MAIL FROM:<{command.sender}>"
        case commands.Rcpt():
            text = f"RCPT TO:<{command.recipient}>"
        case commands.Hello():
            text = f"{command.verb} {command.domain}"
        case BadSyntax() | Hangup():
            text = "(what came is no command)"
        case _:
            text = type(command).__name__.upper()
    return "".join(char if char.isprintable() else "?" for char in text)[:MAX_SHOWN]
