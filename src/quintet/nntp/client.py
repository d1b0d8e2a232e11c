"""The client's side: connections to other news servers, for feeds and for fetching.

Connect, TLS, login, compression and streaming where the other offers them (RFC 3977, 4642, 4643, 4644,
8054); articles in rounds (`Connection.round`), or one by one; and what a reader asks (`Connection.group`...).
Codes outside the standard set of a command end the connection, never an article.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress

from quintet.config.peers import Peer
from quintet.delivery.feeds import batch
from quintet.delivery.feeds.link import Most, Outgoing, Verdict
from quintet.errors import Hangup, Problem, Reason, Refused, TryLater
from quintet.net import dots
from quintet.net.client import Client
from quintet.net.tls import client_context

TIMEOUT_S = 120.0  # without a line; innfeed: response-timeout 300
CONNECT_S = 30.0
QUIT_S = 5.0
MAX_LINE = 8 * 1024  # octets of a reply; overview lines are longer, they come as bodies
MAX_SHORT = 1024 * 1024  # bytes of an article that is written in one piece
MAX_LIST = 64 * 1024 * 1024  # bytes of a list that is read into memory: LIST ACTIVE of 500,000 groups: 25 MB

_NUMBER = re.compile("[0-9]{1,16}")  # RFC 3977 9.8
_CHECKED = {238: Verdict.WANTED, 431: Verdict.LATER, 438: Verdict.KNOWN}
_SENT = {239: Verdict.TAKEN, 439: Verdict.REFUSED, 431: Verdict.LATER}
_OFFERED = {335: Verdict.WANTED, 435: Verdict.KNOWN, 436: Verdict.LATER}
_RECEIVED = {235: Verdict.TAKEN, 436: Verdict.LATER, 437: Verdict.REFUSED}


class Connection:
    """One connection that stands; see `delivery.feeds.link.Link`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.capabilities: dict[str, list[str]] = {}
        self.streams = False
        self.most = Most()
        self.compressed = False
        self.steps: list[str] = []  # what was done, for people who test a peer

    # --- setting up --------------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        peer: Peer,
        *,
        ca_file: str = "",
        reader: bool = False,
        stream: bool = True,
        steps: list[str] | None = None,
    ) -> Connection:
        """Connects and sets up all that the configuration wants of a peer; ``steps`` gets a line for each.

        It is for offering articles, in a stream if the peer is for that, or else for a ``reader``.

        Raises:
            Hangup: no connection, or it broke.
            TryLater: the server asks for patience (400, 403...).
            Refused(AUTH_FAILED | TLS_REQUIRED | NO_PERMISSION): it does not let us.
        """
        # in a thread: the certificates of all authorities are read, which takes tens of milliseconds
        context = None if peer.tls == "none" else await asyncio.to_thread(_context, peer, ca_file)
        client = await Client.connect(
            peer.host,
            peer.port,
            timeout_s=TIMEOUT_S,
            connect_timeout_s=CONNECT_S,
            max_line=MAX_LINE,
            tls=context if peer.tls == "implicit" else None,
            server_name=peer.host,
        )
        made = cls(client)
        made.steps = [] if steps is None else steps
        made.steps.append(f"connected to {client.address} port {client.port}")
        try:
            await made._begin(peer, context, reader, stream=stream and peer.streaming)
        except BaseException:
            client.abort()
            raise
        return made

    async def _begin(self, peer: Peer, context: ssl.SSLContext | None, reader: bool, *, stream: bool) -> None:
        code, text = await self._reply()
        self.steps.append(f"{code} {text}")
        if code not in (200, 201):
            if code in (400, 403):
                raise TryLater(Reason.BUSY, f"greeting: {code} {text}")
            raise Refused(Reason.NO_PERMISSION, f"greeting: {code} {text}")
        starttls, compress = peer.tls in ("starttls", "opportunistic"), peer.compress and not self._local
        if starttls or compress or reader:
            await self._ask_capabilities()
        if context is not None and starttls:
            await self._start_tls(peer, context)
        if reader and ("READER" not in self.capabilities or "MODE-READER" in self.capabilities):
            await self._say("MODE READER", (200, 201))
        if peer.user:
            await self._login(peer)
            if compress:
                await self._ask_capabilities()
        if compress and "DEFLATE" in self.capabilities.get("COMPRESS", ()):
            await self._say("COMPRESS DEFLATE", (206,))
            self._client.compress()
            self.compressed = True
        if stream and not reader:
            await self._ask_streaming()

    async def _ask_streaming(self) -> None:
        """RFC 4644 2.3."""
        code, text = await self._command("MODE STREAM")
        self.steps.append(f"MODE STREAM: {code} {text}")
        self.streams = code == 203

    @property
    def _local(self) -> bool:
        return self._client.address.startswith("127.") or self._client.address in ("::1", "unix")

    async def _ask_capabilities(self) -> None:
        """RFC 3977 5.2; a server that does not know the command has none."""
        self.capabilities = {}
        code, _ = await self._command("CAPABILITIES")
        if code == 101:
            for line in (await self._list()).splitlines():
                words = line.decode("utf-8", "replace").split()
                if words:
                    self.capabilities[words[0].upper()] = [word.upper() for word in words[1:]]

    async def _start_tls(self, peer: Peer, context: ssl.SSLContext) -> None:
        """RFC 4642 2.2."""
        if "STARTTLS" not in self.capabilities and peer.tls == "opportunistic":
            return
        code, text = await self._command("STARTTLS")
        if code != 382:
            if peer.tls == "opportunistic":
                return
            raise Refused(Reason.TLS_REQUIRED, f"STARTTLS: {code} {text}")
        info = await self._client.start_tls(context, peer.host)
        self.steps.append(f"STARTTLS: {info.version} {info.cipher}")
        await self._ask_capabilities()

    async def _login(self, peer: Peer) -> None:
        """RFC 4643 2.3."""
        code, text = await self._command(f"AUTHINFO USER {peer.user}")
        if code == 381:
            code, text = await self._command(f"AUTHINFO PASS {peer.password}")
        self.steps.append(f"AUTHINFO: {code} {text}")
        if code != 281:
            raise Refused(Reason.AUTH_FAILED, f"AUTHINFO: {code} {text}")

    # --- articles --------------------------------------------------------------------------------

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        """TAKETHIS for the articles and CHECK for the offers, in one pipeline (RFC 4644 2.4, 2.5)."""
        writing = asyncio.ensure_future(self._write_round(articles, offers))
        try:
            told = [await self._verdict(_SENT, one.message_id) for one in articles]
            asked = [await self._verdict(_CHECKED, each) for each in offers]
        except BaseException:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            raise
        await writing
        return told, asked

    async def _write_round(self, articles: Sequence[Outgoing], offers: Sequence[str]) -> None:
        parts: list[bytes] = []
        for one in articles:
            parts.append(f"TAKETHIS {one.message_id}\r\n".encode())
            small = await _short(one)
            if small is None:
                await self._client.write(b"".join(parts))
                parts.clear()
                await self._write_large(one)
            else:
                parts.append(small)
        if offers:
            parts.append("".join([f"CHECK {each}\r\n" for each in offers]).encode())
        await self._client.write(b"".join(parts))

    async def offer_one(self, article: Outgoing) -> Verdict:
        """IHAVE (RFC 3977 6.3.2)."""
        await self._client.write(f"IHAVE {article.message_id}\r\n".encode())
        verdict = await self._verdict(_OFFERED)
        if verdict is not Verdict.WANTED:
            return verdict
        small = await _short(article)
        if small is None:
            await self._write_large(article)
        else:
            await self._client.write(small)
        return await self._verdict(_RECEIVED)

    async def offer_nothing(self, message_id: str) -> tuple[int, str]:
        """IHAVE of an article that does not exist, for a test: an empty one if it is wanted.  The answer."""
        code, text = await self._command(f"IHAVE {message_id}")
        if code == 335:
            await self._client.write(b".\r\n")
            await self._reply()
        return code, text

    async def send_batch(self, data: bytes) -> Verdict:
        """XBATCH, as INN takes it from peers: one word for all that is in it."""
        code, text = await self._command(f"XBATCH {len(data)}")
        if code == 436:
            return Verdict.LATER
        if code != 339:
            raise Hangup(Reason.CLOSED, f"XBATCH: {code} {text[:200]}")
        await self._client.write(data)
        return await self._verdict({239: Verdict.TAKEN, 436: Verdict.LATER})

    async def _write_large(self, article: Outgoing) -> None:
        writer = dots.Writer(article.body.dotless)
        chunks = article.body.chunks(0, article.body.size)
        async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # stores give generators
            async for piece in pieces:
                await self._client.write(writer.feed(piece))
        await self._client.write(writer.finish())

    async def _verdict(self, known: dict[int, Verdict], message_id: str = "") -> Verdict:
        """The next reply; one of another article (RFC 4644 2.4: the id is its second word) is damage."""
        code, text = await self._reply()
        verdict = known.get(code)
        if verdict is None:
            raise Hangup(Reason.CLOSED, f"unexpected answer {code} {text[:200]}")
        if message_id and text.split(" ", 1)[0] != message_id:
            raise Hangup(Reason.CLOSED, f"answer {code} for another article than {message_id}: {text[:200]}")
        return verdict

    # --- reading ---------------------------------------------------------------------------------

    async def group(self, name: str) -> tuple[int, int] | None:
        """Low and high number; None where there is no such group (RFC 3977 6.1.1)."""
        code, text = await self._command(f"GROUP {name}")
        if code == 411:
            return None
        words = text.split()
        if code != 211 or len(words) < 3 or not all(map(_NUMBER.fullmatch, words[:3])):
            raise Hangup(Reason.CLOSED, f"GROUP {name}: {code} {text[:200]}")
        return int(words[1]), int(words[2])

    async def active(self) -> list[str]:
        """Names of all groups (RFC 3977 7.6.3)."""
        lines = (await self.listing("LIST ACTIVE")).splitlines()
        return [line.split(b" ", 1)[0].decode("utf-8", "replace") for line in lines]

    async def listing(self, command: str) -> bytes:
        """What a LIST command tells (RFC 3977 7.6).  Raises Hangup: it does not."""
        code, text = await self._command(command)
        if code != 215:
            raise Hangup(Reason.CLOSED, f"{command}: {code} {text[:200]}")
        return await self._list()

    async def ids(self, low: int, high: int) -> list[tuple[int, str]] | None:
        """Number and Message-ID of a range of the group; None where that cannot be asked."""
        for command in ("HDR", "XHDR"):
            code, _ = await self._command(f"{command} Message-ID {low}-{high}")
            if code in (225, 221):  # leafnode says 221 to both
                pairs = [line.split(None, 1) for line in (await self._list()).splitlines()]
                return [
                    (int(pair[0]), pair[1].strip().decode("latin-1"))
                    for pair in pairs
                    if len(pair) == 2 and pair[0].isdigit() and len(pair[0]) <= 16
                ]
            if code in (420, 423):
                return []
        return None

    async def new_ids(self, pattern: str, since: str) -> list[str] | None:
        """NEWNEWS (RFC 3977 7.4); ``since`` as "yyyymmdd hhmmss".  None where that is not allowed."""
        code, _ = await self._command(f"NEWNEWS {pattern} {since} GMT")
        if code != 230:
            return None
        return [line.strip().decode("latin-1") for line in (await self._list()).splitlines()]

    async def article(self, which: str, limit: int) -> bytes | None:
        """An article by number or id; None when it is not there or larger than ``limit``."""
        await self._client.write(f"ARTICLE {which}\r\n".encode())
        return await self._article(limit)

    async def articles(self, which: Sequence[str], limit: int) -> AsyncIterator[bytes | None]:
        """The same for several, asked in one go."""
        await self._client.write("".join([f"ARTICLE {each}\r\n" for each in which]).encode())
        for _ in which:
            yield await self._article(limit)

    async def _article(self, limit: int) -> bytes | None:
        code, text = await self._reply()
        if code in (420, 423, 430):
            return None
        if code != 220:
            raise Hangup(Reason.CLOSED, f"ARTICLE: {code} {text[:200]}")
        return await self._lines(limit)

    async def date(self) -> str:
        """Its time, "yyyymmddhhmmss" (RFC 3977 7.1); "" where it does not tell."""
        code, text = await self._command("DATE")
        return text.split()[0] if code == 111 and text.split() else ""

    # --- lines -----------------------------------------------------------------------------------

    async def close(self) -> None:
        try:
            with suppress(Problem, TimeoutError):
                async with asyncio.timeout(QUIT_S):
                    await self._client.write(b"QUIT\r\n")
                    await self._reply()
            await self._client.close()
        except BaseException:  # cancelled: it ends without a word
            self._client.abort()
            raise

    async def _say(self, command: str, good: Sequence[int]) -> None:
        code, text = await self._command(command)
        self.steps.append(f"{command}: {code} {text}")
        if code not in good:
            raise Refused(Reason.NO_PERMISSION, f"{command}: {code} {text}")

    async def _command(self, line: str) -> tuple[int, str]:
        if "\r" in line or "\n" in line:
            raise Refused(Reason.SYNTAX, "line end in a command")
        await self._client.write(line.encode() + b"\r\n")
        return await self._reply()

    async def _reply(self) -> tuple[int, str]:
        try:
            line = await self._client.line()
        except Hangup:
            raise
        except Problem as problem:  # a line too long
            raise Hangup(Reason.CLOSED, problem.text) from problem
        text = line.decode("utf-8", "replace")
        if not text.isprintable():  # it may go to somebody's terminal
            text = "".join([char if char.isprintable() else "?" for char in text])
        if not line[:3].isdigit() or len(line) < 3:
            raise Hangup(Reason.CLOSED, f"no reply: {text[:200]!r}")
        code = int(line[:3])
        if code == 400:
            raise Hangup(Reason.CLOSED, text[:200])
        return code, text[4:]

    async def _list(self) -> bytes:
        """A dotted block.  Raises Hangup where it is unreasonably long."""
        found = await self._lines(MAX_LIST)
        if found is None:
            raise Hangup(Reason.TOO_LONG, "a list without end")
        return found

    async def _lines(self, limit: int) -> bytes | None:
        """A dotted block; None when it is longer than ``limit`` (it is read past)."""
        parts: list[bytes] = []
        size = 0
        async for piece in self._client.dotted():
            size += len(piece)
            if size <= limit:
                parts.append(piece)
        return b"".join(parts) if size <= limit else None


async def _short(article: Outgoing) -> bytes | None:
    """A whole article as it goes out; None for a large one, which goes in pieces."""
    if article.header_only:
        return dots.whole(await batch.whole(article))
    body = article.body
    data = body.small(0, body.size) if body.size <= MAX_SHORT else None
    return None if data is None else dots.whole(data, body.dotless)


def _context(peer: Peer, ca_file: str) -> ssl.SSLContext:
    """How TLS to a peer is set up.  Raises Refused(TLS_REQUIRED): our certificate for it cannot be read."""
    context = client_context(peer.verify and peer.tls != "opportunistic", ca_file=ca_file or None)
    if peer.certificate:
        try:
            context.load_cert_chain(peer.certificate, peer.key or None)
        except (OSError, ssl.SSLError) as error:
            raise Refused(Reason.TLS_REQUIRED, f"certificate {peer.certificate}: {error}") from error
    return context
