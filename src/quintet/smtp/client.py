"""The SMTP and LMTP client: one session with the next host, several messages through it.

Implements `delivery.transport`.  Which host, how often and what the sender is told is the queue's business.
What is said about a message is `smtp.outgoing`'s.  RFC 5321 3.3, 4.5.3.2 (patience), RFC 2920 (pipelining),
RFC 3030 (BDAT), RFC 3207, RFC 4954, RFC 2033 (LMTP), RFC 9422.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from quintet import log
from quintet.auth import client as sasl
from quintet.clock import Clock, SystemClock
from quintet.delivery.tlspolicy import HopPolicy, of_route
from quintet.delivery.transport import Answer, Following, Hop, Letter, Result, To
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net import dots
from quintet.net.client import Client
from quintet.net.seam import CHUNK
from quintet.smtp import outgoing
from quintet.smtp.early import Met
from quintet.smtp.heard import NOTHING, Heard, offers, read
from quintet.smtp.secured import Securer, TlsFailed

logger = log.get("smtp")

# seconds, RFC 5321 4.5.3.2
GREETING_S = 300.0
COMMAND_S = 300.0
DATA_S = 120.0
BLOCK_S = 180.0
END_S = 600.0
QUIT_S = 5.0  # ours: nothing depends on its answer

END_OF_DATA = "end of data"
LATER_AT_RCPT = (552,)  # old servers say so for "too many recipients": RFC 5321 4.5.3.1.10


class SmtpTransport:
    """Opens sessions.  ``helo`` is the name we greet with, ``ca_file`` what routes with "verify" trust."""

    def __init__(self, helo: str, *, clock: Clock | None = None, ca_file: str | None = None) -> None:
        self._helo, self._clock = helo, clock or SystemClock()
        self._securer = Securer(self._clock, ca_file or None)
        self._met = Met(self._clock)

    async def connect(self, hop: Hop) -> SmtpLink:
        """See `delivery.transport.Transport`."""
        policy = hop.policy or of_route(hop.tls, hop.host)
        while True:
            try:
                return await self._connect(hop, policy)
            except TlsFailed:
                if policy.fallback is None:
                    raise
                policy = policy.fallback  # on a new connection: this one is spoilt

    async def ask(self, hop: Hop, to: To) -> Answer:
        """See `delivery.transport.Asking`."""
        link = await self.connect(hop)
        try:
            return await link.ask(to)
        finally:
            await link.close()

    async def _connect(self, hop: Hop, policy: HopPolicy) -> SmtpLink:
        try:
            client = await Client.connect(
                hop.address,
                hop.port,
                timeout_s=GREETING_S,
                connect_timeout_s=hop.connect_timeout_s,
                source=hop.source,
                sources=hop.sources,
                by_turn=True,
                proxy=hop.proxy,
            )
        except Hangup as error:
            raise TryLater(error.reason, f"{hop.host}: {error.text}") from error
        link = SmtpLink(client, hop, hop.helo or self._helo, self._clock)
        early = self._met.begins(hop, wants_tls=policy.wanted and not policy.implicit)
        try:
            await link.begin(self._securer, policy, early)
        except BaseException as error:
            if isinstance(error, Problem) and not isinstance(error, Hangup):
                await link.close()  # RFC 5321 4.1.1.10: not without QUIT
            client.abort()
            if early is not None and isinstance(error, Problem) and not isinstance(error, TlsFailed):
                self._met.forget(hop)
                return await self._connect(hop, policy)  # perhaps it bears that no more
            if isinstance(error, Hangup):
                raise TryLater(error.reason, f"{hop.host}: {error.text}") from error
            raise
        self._met.note(hop, link.offered)
        return link


class TakesNoMail(Refused):
    """A host says that it never takes mail (RFC 7504 3); another one of the domain may."""

    status = "5.3.2"

    def __init__(self, text: str) -> None:
        super().__init__(Reason.NO_MAIL, text)


class SmtpLink:
    """One session; implements `delivery.transport.Link`."""

    def __init__(self, client: Client, hop: Hop, helo: str, clock: Clock) -> None:
        self._client, self._hop, self._helo, self._clock = client, hop, helo, clock
        self._offers = self.offered = NOTHING  # ``offered``: the first time
        self._usable = True
        self._full = False  # its limits are reached: QUIT comes next
        self._sent = 0  # transactions
        self._begun: _Exchange | None = None  # the next message's envelope went along with the last one's end
        self._domains: set[str] = set()  # of recipients, where only so many may be named

    @property
    def usable(self) -> bool:
        """A host that said more than it was asked is out of step: what it says next is of no use."""
        return self._open and not self._full and (self._begun is not None or not self._client.unread)

    @property
    def _open(self) -> bool:
        return self._usable and not self._client.closed

    @property
    def address(self) -> str:
        return self._hop.address

    @property
    def secure(self) -> bool:
        return self._client.tls is not None

    # --- the beginning ------------------------------------------------------------------------

    async def begin(self, securer: Securer, policy: HopPolicy, early: Sequence[str] | None = None) -> None:
        """Greeting, EHLO, TLS as ``policy`` wants it, AUTH.  Raises Problem.

        ``early`` is what may be said before the greeting, besides EHLO; None: nothing (RFC 5321 4.3.1).
        """
        if policy.implicit:
            await securer.shake(self._client, self._hop.host, policy)
        if early is not None:
            await self._client.write("".join(f"{each}\r\n" for each in (self._ehlo, *early)).encode())
        greeting = await read(self._client)
        if greeting.code == 521:
            raise TakesNoMail(self._says(greeting))
        if not greeting.ok:
            raise TryLater(Reason.POLICY, self._says(greeting))
        await self._hello(said=early is not None)
        self.offered = self._offers
        if policy.wanted and not self.secure:
            await self._start_tls(securer, policy, said=bool(early))
        securer.relays_secured(self._hop.host, policy, self._offers)
        if self._hop.user:
            await self._login()

    @property
    def _ehlo(self) -> str:
        return f"{'LHLO' if self._hop.lmtp else 'EHLO'} {self._helo}"

    async def _hello(self, *, said: bool = False) -> None:
        self._client.timeout_s = COMMAND_S
        heard = await (read(self._client) if said else self._ask(self._ehlo))
        if heard.code // 100 == 5 and not self._hop.lmtp and not said:
            heard = await self._ask(f"HELO {self._helo}")  # RFC 5321 3.2
            if heard.ok:
                self._offers = NOTHING
                return
        if not heard.ok:
            raise TryLater(Reason.POLICY, self._says(heard))
        if self._hop.mx and heard.lines[0].split(" ")[0].lower() == self._helo.lower():
            # RFC 5321 5.1: its name is none of ours, its address is
            raise Refused(Reason.LOOP, f"{self._hop.host} is this host")
        self._offers = offers(heard.lines[1:], self._hop.ignore)

    async def _start_tls(self, securer: Securer, policy: HopPolicy, *, said: bool) -> None:
        """RFC 3207 4; an answer that puts TLS off is no reason to do without where it must be (6)."""
        client, host = self._client, self._hop.host
        if "STARTTLS" not in self._offers and not said:
            securer.missing(client, host, policy)
            return
        heard = await (read(client) if said else self._ask("STARTTLS"))
        if heard.code != 220:
            securer.missing(client, host, policy, f"refused STARTTLS: {heard.code} {heard.lines[0]}")
            return
        await securer.shake(client, host, policy)
        await self._hello()  # RFC 3207 4.2

    async def _login(self) -> None:
        """RFC 4954; a secret crosses only TLS or this machine."""
        hop = self._hop
        if not self.secure and not hop.address.startswith(("127.", "::1", "unix:")):
            raise TryLater(Reason.TLS_REQUIRED, f"{hop.host} offers no TLS to log in under")
        offered = self._offers.get("AUTH").split()
        try:
            name, machine = sasl.choose(
                offered, hop.user, hop.password, self._clock.token(18), cleartext=True
            )
        except Refused as error:
            raise TryLater(
                Reason.AUTH_MECHANISM, f"{hop.host} offers no way to log in that we have"
            ) from error
        first = machine.first()
        initial = "" if first is None else " " + (base64.b64encode(first).decode() or "=")
        heard = await self._ask(f"AUTH {name}{initial}")
        while heard.code == 334:
            try:
                challenge = base64.b64decode(heard.lines[0], validate=True)
                response = machine.answer(challenge)
            except (binascii.Error, BadSyntax, Refused) as error:
                await self._ask("*")
                raise TryLater(Reason.AUTH_FAILED, f"{hop.host}: {error}") from error
            heard = await self._ask(base64.b64encode(response).decode())
        if heard.code // 100 == 5:
            raise Refused(Reason.AUTH_FAILED, self._says(heard))
        if not heard.ok or not machine.complete:
            raise TryLater(Reason.AUTH_FAILED, self._says(heard))

    # --- messages -----------------------------------------------------------------------------

    async def send(
        self, letter: Letter, recipients: Sequence[To], following: Following | None = None
    ) -> list[Answer]:
        """See `delivery.transport.Link`."""
        offered, hop, now = self._offers, self._hop, self._clock.now()
        if (begun := self._begun) is not None:
            assert begun.letter is letter, "another message was announced"
            self._begun, waiting, answers = None, [begun], dict[int, Answer]()
        else:
            if letter.narrowed is not None and not outgoing.body_fits(offered, hop, letter):
                letter = await letter.narrowed() or letter  # RFC 6152 3, RFC 3030 3
            refusal = outgoing.cannot(offered, hop, letter, now)
            if refusal is not None:
                return [refusal] * len(recipients)
            named, answers = outgoing.recipients(offered, recipients, letter.wishes.by, now)
            waiting = [self._exchange(letter, ours, now) for ours in outgoing.transactions(offered, named)]
        before = self._sent
        while waiting:
            exchange = waiting.pop(0)
            ours = exchange.ours
            if offered.domain_max and not self._room_for({each.domain for each in ours}):
                self._full = True  # RFC 9422 4.3: that would be too many for this session
                if self._sent == before:
                    raise TryLater(Reason.CLOSED, f"{hop.host} takes no more domains in this session")
            if not self._open or self._full:
                late = Answer(Result.LATER, "4.4.2", f"{hop.host} ended the session", hop.host)
                answers.update((each.number, late) for each in ours)
                continue
            try:
                found = await self._transact(exchange, None if waiting else following)
            except TryLater as problem:
                if problem.reason is not Reason.CLOSED or self._sent == before:
                    raise
                # an earlier transaction went through: what it brought must not be asked for again
                late = Answer(Result.LATER, "4.4.2", problem.text, hop.host)
                answers.update((each.number, late) for each in ours)
                continue
            answers.update(zip((each.number for each in ours), found, strict=True))
            if again := self._left_over(ours, found):
                waiting.insert(0, self._exchange(letter, again, now))
        return [answers[number] for number in range(len(recipients))]

    def _exchange(self, letter: Letter, ours: Sequence[outgoing.Named], now: int) -> _Exchange:
        paths = [each.path for each in ours]
        mail = outgoing.mail(self._offers, self._hop, letter, paths, now, secure=self.secure)
        return _Exchange(self, letter, mail, ours)

    def _ahead(self, following: Following | None) -> bytes:
        """The envelope that may go along with the end of a message: the next one's (RFC 2920 3.1)."""
        offered, hop = self._offers, self._hop
        if following is None or not self._pipelines or not self._open:
            return b""
        if offered.domain_max or 0 < offered.mail_max <= self._sent + 1 or (found := following()) is None:
            return b""
        letter, recipients = found
        now = self._clock.now()
        if letter.narrowed is not None and not outgoing.body_fits(offered, hop, letter):
            return b""
        named, refused = outgoing.recipients(offered, recipients, letter.wishes.by, now)
        if refused or outgoing.cannot(offered, hop, letter, now) is not None:
            return b""
        ours, *more = outgoing.transactions(offered, named)
        if more:
            return b""
        self._begun = self._exchange(letter, ours, now)
        return self._begun.told()

    @property
    def _pipelines(self) -> bool:
        return self._hop.pipelining and "PIPELINING" in self._offers

    def _room_for(self, domains: set[str]) -> bool:
        """Notes them, unless that makes too many for a session that has had some."""
        if self._domains and len(self._domains | domains) > self._offers.domain_max:
            return False
        self._domains |= domains
        return True

    async def ask(self, to: To) -> Answer:
        """Whether the host would take mail for a recipient; nothing is sent.  Raises TryLater(CLOSED)."""
        where = outgoing.path(self._offers, to.address)
        if where is None:
            return Answer(Result.LATER, "4.0.0", "address needs SMTPUTF8")
        try:
            heard = await self._ask("MAIL FROM:<>")
            if not heard.ok:
                return self._answer(heard, "MAIL FROM:<>")
            return self._answer(await self._ask(f"RCPT TO:<{where}>"), f"RCPT TO:<{where}>")
        except Hangup as error:
            self._usable = False
            raise TryLater(Reason.CLOSED, f"{self._hop.host}: {error.text}") from error

    def _left_over(self, ours: Sequence[outgoing.Named], found: Sequence[Answer]) -> list[outgoing.Named]:
        """Who did not fit into a transaction that others went through with: RFC 5321 4.5.3.1.10."""
        if not self._open or self._full or not any(answer.result is Result.DONE for answer in found):
            return []
        return [
            each
            for each, answer in zip(ours, found, strict=True)
            if answer.result is Result.LATER
            and answer.command.startswith("RCPT")
            and (answer.text.startswith("552") or (answer.text.startswith("452") and _too_many(answer)))
        ]

    async def close(self) -> None:
        try:
            if self._begun is not None:
                self._client.abort()  # it may wait for a message: QUIT would be the first line of that
            elif self._open:
                self._client.timeout_s = QUIT_S
                await self._ask("QUIT")
        except Problem:
            self._usable = False
        self._usable = False
        await self._client.close()

    async def _transact(self, exchange: _Exchange, following: Following | None) -> list[Answer]:
        """MAIL and RCPTs; the message when somebody may have it.  One answer a RCPT."""
        self._client.timeout_s = COMMAND_S
        letter = exchange.letter
        chunked = self._hop.chunking and "CHUNKING" in self._offers
        small = letter.body.small(0, letter.body.size) if letter.body.size <= CHUNK else None
        try:
            if not self._pipelines:
                await exchange.step_by_step(chunked)
            elif chunked and small is not None and not self._hop.lmtp:
                await letter.turn()
                await exchange.all_at_once(small)
            else:
                await exchange.together(chunked)
        except Hangup as error:
            self._usable = False
            if exchange.gone and not exchange.last_words:
                return exchange.lost(error.text)
            raise TryLater(Reason.CLOSED, f"{self._hop.host}: {exchange.last_words or error.text}") from error
        if exchange.mail is not None and exchange.mail.code == 421:
            self._usable = False  # it had enough of waiting, or of us
            raise TryLater(Reason.CLOSED, self._says(exchange.mail))
        answers, taken = exchange.answers, exchange.taken
        try:
            if exchange.gone:
                pass
            elif exchange.data is None:
                if taken and chunked:
                    await self._chunked(letter, small, taken, answers)
                else:
                    await self._reset()
            elif exchange.data.code != 354:
                for number in taken:
                    answers[number] = self._answer(exchange.data, "DATA")
            elif not taken:
                # RFC 2920 3.1: it waits for a message that nobody may have
                await self._client.write(b".\r\n")
                await read(self._client)
            else:
                # only where nobody of this message is left: who has to be asked again comes first
                whole = len(taken) == len(answers)
                await self._dotted(letter, small, taken, answers, following if whole else None)
        except Hangup as error:
            self._usable = False
            for number in taken:
                if answers[number].command != END_OF_DATA:  # LMTP: those before it are told already
                    answers[number] = self._lost(error.text)
        self._sent += 1
        if 0 < self._offers.mail_max <= self._sent:
            self._full = True
        return answers

    async def _dotted(
        self,
        letter: Letter,
        small: bytes | None,
        taken: Sequence[int],
        answers: list[Answer],
        following: Following | None,
    ) -> None:
        """The message after 354."""
        client, body = self._client, letter.body
        client.timeout_s = BLOCK_S
        async with self._whole():
            if small is not None:
                await letter.turn()
                await client.write(dots.whole(small, body.dotless) + self._ahead(following))
            else:
                writer = dots.Writer(body.dotless)
                # cast: the seam promises an iterator, which may have no aclose; stores give generators
                async with aclosing(cast("Any", body.chunks(0, body.size))) as pieces:
                    async for piece in pieces:
                        await client.write(writer.feed(piece))
                await letter.turn()
                await client.write(writer.finish() + self._ahead(following))
        await self._verdicts(taken, answers)

    async def _chunked(
        self, letter: Letter, small: bytes | None, taken: Sequence[int], answers: list[Answer]
    ) -> None:
        """The message as one chunk: its size is known (RFC 3030 2)."""
        client, body = self._client, letter.body
        client.timeout_s = BLOCK_S
        head = b"BDAT %d LAST\r\n" % body.size
        async with self._whole():
            await letter.turn()
            if small is not None:
                await client.write(head + small)
            else:
                await client.write(head)
                async with aclosing(cast("Any", body.chunks(0, body.size))) as pieces:
                    async for piece in pieces:
                        await client.write(piece)
        await self._verdicts(taken, answers)

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """Half a message must not look like a whole one."""
        try:
            yield
        except BaseException:
            self._client.abort()
            self._usable = False
            raise

    async def _verdicts(self, taken: Sequence[int], answers: list[Answer]) -> None:
        """What is said about the message: once, or once a recipient (RFC 2033 4.2)."""
        self._client.timeout_s = END_S
        if self._hop.lmtp:
            for number in taken:
                answers[number] = self._answer(await read(self._client), END_OF_DATA)
            return
        answer = self._answer(await read(self._client), END_OF_DATA)
        for number in taken:
            answers[number] = answer

    async def _reset(self) -> None:
        self._client.timeout_s = COMMAND_S
        if not (await self._ask("RSET")).ok:
            self._usable = False

    # --- words --------------------------------------------------------------------------------

    async def _ask(self, command: str) -> Heard:
        await self._client.write(command.encode() + b"\r\n")
        return await read(self._client)

    def _answer(self, heard: Heard, command: str) -> Answer:
        if heard.code == 421:
            self._usable = False
        if heard.ok:
            result = Result.DONE
        elif heard.code // 100 == 5 and not (command.startswith("RCPT") and heard.code in LATER_AT_RCPT):
            result = Result.NEVER
        else:
            result = Result.LATER
        passed_on = result is Result.DONE and "DSN" in self._offers
        punctual = result is Result.DONE and "DELIVERBY" in self._offers
        status, host, final = heard.status(result), self._hop.host, self._hop.lmtp
        return Answer(result, status, heard.text, host, passed_on, punctual, final, command=command)

    def _lost(self, text: str) -> Answer:
        """The session died when the host may have had everything: only trying again is safe."""
        return Answer(Result.LATER, "4.4.2", text, self._hop.host)

    def _says(self, heard: Heard) -> str:
        return f"{self._hop.host} said: {heard.text}"


class _Exchange:
    """MAIL, RCPTs and what follows at once, in as few writes as the host allows."""

    def __init__(self, link: SmtpLink, letter: Letter, mail: str, ours: Sequence[outgoing.Named]) -> None:
        self._link, self._client, self.letter = link, link._client, letter
        self._mail, self.ours = mail, ours
        self.mail: Heard | None = None
        self.data: Heard | None = None  # the reply to DATA, when it was given
        self.answers: list[Answer] = []
        self._told = False  # the envelope and DATA went out before
        self.gone = False  # the whole message went along: the host may have it
        self.last_words = ""  # a 421 before the end

    @property
    def taken(self) -> list[int]:
        """Who may have the message."""
        return [number for number, answer in enumerate(self.answers) if answer.result is Result.DONE]

    async def step_by_step(self, chunked: bool) -> None:
        """One command after the other (RFC 5321 3.3).  Raises Hangup."""
        link = self._link
        self._hear_mail(await link._ask(self._mail))
        if self.mail is None or not self.mail.ok:
            self._refused()
            return
        for each in self.ours:
            self._hear_rcpt(await link._ask(each.command), each)
        if self.taken and not chunked:
            self._client.timeout_s = DATA_S
            self.data = await link._ask("DATA")

    async def together(self, chunked: bool) -> None:
        """The envelope in one write, with DATA where that comes next (RFC 2920 3.1).  Raises Hangup."""
        if not self._told:
            await self._client.write(self._lines(b"" if chunked else b"DATA\r\n"))
        await self._envelope()
        if not chunked:
            self._client.timeout_s = DATA_S
            self.data = await read(self._client)

    def told(self) -> bytes:
        """What `together` would write; somebody else does."""
        self._told = True
        return self._lines(b"DATA\r\n")

    async def all_at_once(self, small: bytes) -> None:
        """Envelope and message in one write (RFC 3030 4.2).  Raises Hangup."""
        # from here on the host may have all of it, whatever we hear
        self.gone = True
        await self._client.write(self._lines(b"BDAT %d LAST\r\n" % len(small) + small))
        await self._envelope()
        taken = self.taken
        self._client.timeout_s = END_S
        verdict = self._link._answer(await read(self._client), END_OF_DATA)
        for number in taken:
            self.answers[number] = verdict

    def lost(self, text: str) -> list[Answer]:
        """The session died: who was refused by then stays refused, the others are tried again."""
        late = Answer(Result.LATER, "4.4.2", text, self._link._hop.host)
        known = [answer if answer.result is not Result.DONE else late for answer in self.answers]
        return known + [late] * (len(self.ours) - len(known))

    async def _envelope(self) -> None:
        self._hear_mail(await read(self._client))
        replies = [await self._one() for _ in self.ours]
        if self.mail is not None and not self.mail.ok:
            self._refused()
            return
        for heard, each in zip(replies, self.ours, strict=True):
            self._hear_rcpt(heard, each)

    async def _one(self) -> Heard:
        heard = await read(self._client)
        if heard.code == 421:
            self.last_words = heard.text
        return heard

    def _lines(self, tail: bytes) -> bytes:
        commands = [self._mail, *(each.command for each in self.ours), ""]
        return "\r\n".join(commands).encode() + tail

    def _hear_mail(self, heard: Heard) -> None:
        self.mail = heard
        if heard.code == 421:
            self.last_words = heard.text

    def _hear_rcpt(self, heard: Heard, each: outgoing.Named) -> None:
        self.answers.append(self._link._answer(heard, f"RCPT TO:<{each.path}>"))

    def _refused(self) -> None:
        """Nobody: the sender was refused."""
        assert self.mail is not None
        command = self._mail.partition(">")[0] + ">"
        self.answers = [self._link._answer(self.mail, command)] * len(self.ours)


def _too_many(answer: Answer) -> bool:
    """A 452 about the number of recipients, not about room: RFC 5321 4.5.3.1.10, RFC 3463 3.6 (X.5.3)."""
    return answer.status in ("4.5.3", "4.0.0")
