"""Messages that APPEND and REPLACE bring, put together from literals and URLs (RFC 9051 6.3.12, RFC 4469).

All goes through a spool: of a message of any size no more than 64 KiB are held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quintet.errors import BadSyntax, Problem, Reason, Refused
from quintet.imap import answers, urls
from quintet.imap.append_commands import Begin, FromUrl, Holds, Literal, Step
from quintet.imap.cmd import annotate
from quintet.imap.cmd.store import flags_of
from quintet.message import imapurl
from quintet.store.entry_annotations import Remark

if TYPE_CHECKING:
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.blobs import Spool
    from quintet.store.content import Content

MAX_PIECES = 1000  # of one message
ROW = 4096  # bytes that a message takes beside its body until all are filed
MAX_HELD = 64 * 1024 * 1024  # bytes of small messages held in memory until the last has come


class Letter(msgspec.Struct, frozen=True):
    """A message that has arrived."""

    content: Content
    flags: int
    keywords: tuple[str, ...]
    moment: int | None  # ms; None: now
    remarks: tuple[Remark, ...] = ()


class Drafts:
    """The messages of one command.  Call `discard` in a ``finally``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.letters: list[Letter] = []
        self.total = 0  # bytes of all messages, the one that comes included
        self._begin = Begin((), None)
        self._marks: tuple[int, tuple[str, ...]] = (0, ())
        self._spool: Spool | None = None
        self._pieces = 0
        self._binary = False
        self._held = 0  # bytes in memory

    @property
    def _limit(self) -> int:
        return self._session.house.config.max_message

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    async def take(self, step: Step) -> None:
        """One argument.

        Raises:
            BadSyntax: no such flag.
            Refused(TOO_BIG | TOO_MANY | BAD_CONTENT), TryLater(OVER_QUOTA | DISK_FULL | STORAGE).
        """
        if isinstance(step, Begin):
            self._start(step)
        elif isinstance(step, FromUrl):
            await self._copy(step.url)
        else:
            await self._finish()

    def expect(self, literal: Literal) -> None:
        """Refuses a literal before its bytes are asked for."""
        assert self._spool is not None
        if literal.holds is Holds.URL:
            if literal.size > imapurl.MAX_URL:
                raise Refused(Reason.TOO_BIG, "URL too long")
            return
        if literal.holds is Holds.MESSAGE and not literal.size:
            raise Refused(Reason.BAD_CONTENT, "message is empty")  # to cancel (RFC 3502 6.3.11)
        self._grow(literal.size)
        self._binary = self._binary or literal.binary

    async def receive(self, literal: Literal, following: Input) -> None:
        """The literal's bytes; they are read to their end whatever comes of them."""
        assert self._spool is not None
        if literal.holds is Holds.URL:
            await self._copy(b"".join([chunk async for chunk in following.counted(literal.size)]))
            return
        problem: Problem | None = None
        async for chunk in following.counted(literal.size):
            if problem is not None:
                continue  # the rest is read past, so that the next command is found
            try:
                self._spool.write(chunk)
            except Problem as error:
                problem = error
        if problem is not None:
            raise problem
        if literal.holds is Holds.MESSAGE:
            await self._finish()

    def _start(self, begin: Begin) -> None:
        self._marks = flags_of(begin.flags)
        if self._held > MAX_HELD:
            raise Refused(Reason.TOO_MANY, "too many messages at once")
        self._begin, self._pieces, self._binary = begin, 0, False
        self._spool = self._session.house.store.spool()

    def _grow(self, size: int) -> None:
        """Books ``size`` bytes more of the message."""
        assert self._spool is not None
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise Refused(Reason.TOO_MANY, "too many pieces")
        if self._spool.size + size > self._limit:  # RFC 4469 4.2
            raise Refused(Reason.TOO_BIG, f"message is larger than {self._limit} bytes")
        self.total += size

    async def _copy(self, url: bytes) -> None:
        assert self._spool is not None
        try:
            body = await urls.resolve(self._session, url)
        except (BadSyntax, Refused) as error:
            raise bad_url(url, error) from error
        self._grow(body.size)
        try:
            async for chunk in body.chunks(0, body.size):
                self._spool.write(chunk)
        except Refused as error:  # expunged and swept meanwhile
            raise bad_url(url, error) from error

    async def _finish(self) -> None:
        assert self._spool is not None
        if not self._spool.size:
            raise Refused(Reason.BAD_CONTENT, "message is empty")
        content = await self._spool.finish()
        self.discard()
        check_octets(content, binary=self._binary)
        self._held += (
            sum(len(one.value or b"") for one in self._begin.remarks)
            + ROW
            + (content.size if content.data is not None else 0)
        )
        annotate.check_parts(self._begin.remarks, [content.digest])
        self.letters.append(Letter(content, *self._marks, self._begin.moment, self._begin.remarks))


def check_octets(content: Content, *, binary: bool = False) -> None:
    """Refuses NUL (RFC 9051 4.3; RFC 3516 4.4 where a literal8 said that there may be some)."""
    if content.scanned is not None and content.scanned.nul:
        code = b"UNKNOWN-CTE" if binary else b"CANNOT"
        raise answers.Coded(code, Reason.BAD_CONTENT, "message holds NUL octets")


def bad_url(url: bytes, error: Problem) -> Refused:
    """RFC 4469 4.1: the URL is told, but for what a response code cannot hold."""
    told = url[: imapurl.MAX_URL].replace(b"]", b"%5D")
    told = bytes(octet if 0x20 <= octet < 0x7F else 0x3F for octet in told)
    return answers.Coded(b"BADURL " + told, Reason.BAD_CONTENT, error.text or "no such message")
