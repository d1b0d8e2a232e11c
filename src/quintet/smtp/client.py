"""The SMTP and LMTP client: one session with the next host, several messages through it.

Implements `delivery.transport`.  Which host, how often and what the sender is told is the queue's business.
RFC 5321 3.3, 4.5.3.2 (patience), RFC 2920 (pipelining), RFC 1870, RFC 6152, RFC 6531, RFC 3207, RFC 4954.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, cast

from quintet import log
from quintet.auth import client as sasl
from quintet.clock import Clock, SystemClock
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.delivery.tlspolicy import HopPolicy, of_route
from quintet.delivery.transport import Answer, Hop, Letter, Result, To
from quintet.errors import BadSyntax, Hangup, Problem, Reason, Refused, TryLater
from quintet.net import dots
from quintet.net.client import Client
from quintet.net.seam import CHUNK
from quintet.smtp.heard import Heard, read
from quintet.smtp.secured import Securer, TlsFailed

logger = log.get("smtp")

# seconds, RFC 5321 4.5.3.2
GREETING_S = 300.0
COMMAND_S = 300.0
DATA_S = 120.0
BLOCK_S = 180.0
END_S = 600.0
QUIT_S = 5.0  # ours: nothing depends on its answer

LATER_AT_RCPT = (552,)  # old servers say so for "too many recipients": RFC 5321 4.5.3.1.10


class SmtpTransport:
    """Opens sessions.  ``helo`` is the name we greet with, ``ca_file`` what routes with "verify" trust."""

    def __init__(self, helo: str, *, clock: Clock | None = None, ca_file: str | None = None) -> None:
        self._helo, self._clock = helo, clock or SystemClock()
        self._securer = Securer(self._clock, ca_file or None)

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

    async def _connect(self, hop: Hop, policy: HopPolicy) -> SmtpLink:
        try:
            client = await Client.connect(
                hop.address,
                hop.port,
                timeout_s=GREETING_S,
                connect_timeout_s=hop.connect_timeout_s,
                source=hop.source,
            )
        except Hangup as error:
            raise TryLater(error.reason, f"{hop.host}: {error.text}") from error
        link = SmtpLink(client, hop, self._helo, self._clock.token(18))
        try:
            await link.begin(self._securer, policy)
        except BaseException as error:
            client.abort()
            if isinstance(error, Hangup):
                raise TryLater(error.reason, f"{hop.host}: {error.text}") from error
            raise
        return link


class SmtpLink:
    """One session; implements `delivery.transport.Link`."""

    def __init__(self, client: Client, hop: Hop, helo: str, nonce: str) -> None:
        self._client, self._hop, self._helo, self._nonce = client, hop, helo, nonce
        self._offers: dict[str, str] = {}  # keyword in upper case: its parameters
        self._usable = True

    @property
    def usable(self) -> bool:
        return self._usable and not self._client.closed

    @property
    def address(self) -> str:
        return self._hop.address

    @property
    def secure(self) -> bool:
        return self._client.tls is not None

    # --- the beginning ------------------------------------------------------------------------

    async def begin(self, securer: Securer, policy: HopPolicy) -> None:
        """Greeting, EHLO, TLS as ``policy`` wants it, AUTH.  Raises Problem."""
        if policy.implicit:
            await securer.shake(self._client, self._hop.host, policy)
        greeting = await read(self._client)
        if not greeting.ok:
            raise TryLater(Reason.POLICY, self._says(greeting))
        await self._hello()
        if policy.wanted and not self.secure:
            await self._start_tls(securer, policy)
        securer.relays_secured(self._hop.host, policy, self._offers)
        if self._hop.user:
            await self._login()

    async def _hello(self) -> None:
        self._client.timeout_s = COMMAND_S
        heard = await self._ask(f"{'LHLO' if self._hop.lmtp else 'EHLO'} {self._helo}")
        if heard.code // 100 == 5 and not self._hop.lmtp:
            heard = await self._ask(f"HELO {self._helo}")  # RFC 5321 3.2
            if heard.ok:
                self._offers = {}
                return
        if not heard.ok:
            raise TryLater(Reason.POLICY, self._says(heard))
        if self._hop.mx and heard.lines[0].split(" ")[0].lower() == self._helo.lower():
            # RFC 5321 5.1: its name is none of ours, its address is
            raise Refused(Reason.LOOP, f"{self._hop.host} is this host")
        self._offers = {}
        for line in heard.lines[1:]:
            keyword, _, rest = line.replace("=", " ", 1).partition(" ")
            self._offers[keyword.upper()] = rest.strip()

    async def _start_tls(self, securer: Securer, policy: HopPolicy) -> None:
        """RFC 3207 4; an answer that puts TLS off is no reason to do without where it must be (6)."""
        client, host = self._client, self._hop.host
        if "STARTTLS" not in self._offers:
            securer.missing(client, host, policy)
            return
        heard = await self._ask("STARTTLS")
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
        offered = self._offers.get("AUTH", "").split()
        try:
            name, machine = sasl.choose(offered, hop.user, hop.password, self._nonce, cleartext=True)
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

    async def send(self, letter: Letter, recipients: Sequence[To]) -> list[Answer]:
        """See `delivery.transport.Link`."""
        if letter.eight_bit and letter.narrowed is not None and "8BITMIME" not in self._offers:
            letter = await letter.narrowed() or letter  # RFC 6152 3
        refusal = self._cannot(letter)
        if refusal is not None:
            return [refusal] * len(recipients)
        sender = self._path(letter.sender)
        paths = [self._path(recipient.address) for recipient in recipients]
        answers: list[Answer | None] = [
            self._own("5.6.7", "address needs SMTPUTF8") if path is None else None for path in paths
        ]
        wanted = [number for number, path in enumerate(paths) if path is not None]
        if sender is None:
            return [self._own("5.6.7", "sender's address needs SMTPUTF8")] * len(recipients)
        if wanted:
            commands = [f"MAIL FROM:<{sender}>{self._parameters(letter, sender, paths)}"]
            commands += [f"RCPT TO:<{paths[number]}>" for number in wanted]
            for number, answer in zip(wanted, await self._transact(letter, commands), strict=True):
                answers[number] = answer
        return [answer for answer in answers if answer is not None]

    async def close(self) -> None:
        try:
            if self.usable:
                self._client.timeout_s = QUIT_S
                await self._ask("QUIT")
        except Problem:
            self._usable = False
        self._usable = False
        await self._client.close()

    def _cannot(self, letter: Letter) -> Answer | None:
        """What this host has not said that it can take is never sent to it."""
        if letter.eight_bit and "8BITMIME" not in self._offers:
            return self._own("5.6.3", f"{self._hop.host} takes no 8-bit mail")  # RFC 6152 3
        if letter.utf8_header and "SMTPUTF8" not in self._offers:
            return self._own("5.6.7", f"{self._hop.host} takes no UTF-8 header")  # RFC 6531 3.2
        limit = self._offers.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < letter.body.size:
            return self._own("5.3.4", f"message is larger than the {limit} bytes that {self._hop.host} takes")
        return None

    def _path(self, address: Mailbox) -> str | None:
        """An address as this host can take it; None when it cannot."""
        if address.ascii or "SMTPUTF8" in self._offers:
            return str(address)
        plain = Mailbox(address.local, ascii_domain(address.domain))
        return str(plain) if plain.ascii else None

    def _parameters(self, letter: Letter, sender: str, paths: Sequence[str | None]) -> str:
        words = ""
        if "SIZE" in self._offers:
            words += f" SIZE={letter.body.size}"
        if letter.eight_bit:
            words += " BODY=8BITMIME"
        if letter.utf8_header or not sender.isascii() or any(path and not path.isascii() for path in paths):
            words += " SMTPUTF8"
        return words

    async def _transact(self, letter: Letter, commands: Sequence[str]) -> list[Answer]:
        """MAIL and RCPTs; the message when somebody may have it.  One answer a RCPT."""
        self._client.timeout_s = COMMAND_S
        try:
            heard = await self._envelope(commands)
        except Hangup as error:
            self._usable = False
            raise TryLater(Reason.CLOSED, f"{self._hop.host}: {error.text}") from error
        mail, rcpts, data = heard[0], heard[1 : len(commands)], heard[len(commands)]
        if mail.code == 421:
            self._usable = False  # it had enough of waiting, or of us
            raise TryLater(Reason.CLOSED, self._says(mail))
        if not mail.ok:
            answers = [self._answer(mail)] * len(rcpts)
        else:
            answers = [self._answer(each, rcpt=True) for each in rcpts]
        taken = [number for number, answer in enumerate(answers) if answer.result is Result.DONE]
        try:
            if data is None:
                await self._reset()
            elif data.code != 354:
                for number in taken:
                    answers[number] = self._answer(data)
            elif not taken:
                # RFC 2920 3.1: it waits for a message that nobody may have
                await self._client.write(b".\r\n")
                await read(self._client)
            else:
                await self._message(letter, taken, answers)
        except Hangup as error:
            self._usable = False
            for number in taken:
                answers[number] = Answer(Result.LATER, "4.4.2", error.text, self._hop.host)
        return answers

    async def _envelope(self, commands: Sequence[str]) -> list[Any]:
        """The replies to MAIL, each RCPT, and DATA (None when it was not given).  Any: of Heard | None."""
        client = self._client
        if "PIPELINING" in self._offers:
            await client.write("".join(f"{each}\r\n" for each in (*commands, "DATA")).encode())
            heard: list[Any] = [await read(client) for _ in commands]
            client.timeout_s = DATA_S
            return [*heard, await read(client)]
        heard = [await self._ask(commands[0])]
        if not heard[0].ok:
            return [*heard, *[heard[0]] * (len(commands) - 1), None]
        heard += [await self._ask(each) for each in commands[1:]]
        if not any(each.ok for each in heard[1:]):
            return [*heard, None]
        client.timeout_s = DATA_S
        return [*heard, await self._ask("DATA")]

    async def _message(self, letter: Letter, taken: Sequence[int], answers: list[Answer]) -> None:
        """The bytes and what is said about them: once, or once a recipient (RFC 2033 4.2)."""
        client, body = self._client, letter.body
        client.timeout_s = BLOCK_S
        try:
            small = body.small(0, body.size) if body.size <= CHUNK else None
            if small is not None:
                await client.write(dots.whole(small, body.dotless))
            else:
                await self._stream(letter)
        except BaseException:
            client.abort()  # half a message must not look like a whole one
            self._usable = False
            raise
        client.timeout_s = END_S
        if self._hop.lmtp:
            for number in taken:
                answers[number] = self._answer(await read(client))
            return
        heard = await read(client)
        for number in taken:
            answers[number] = self._answer(heard)

    async def _stream(self, letter: Letter) -> None:
        body = letter.body
        writer = dots.Writer(body.dotless)
        # cast: the seam promises an iterator, which may have no aclose; stores give generators
        async with aclosing(cast("Any", body.chunks(0, body.size))) as pieces:
            async for piece in pieces:
                await self._client.write(writer.feed(piece))
        await self._client.write(writer.finish())

    async def _reset(self) -> None:
        self._client.timeout_s = COMMAND_S
        if not (await self._ask("RSET")).ok:
            self._usable = False

    # --- words --------------------------------------------------------------------------------

    async def _ask(self, command: str) -> Heard:
        await self._client.write(command.encode() + b"\r\n")
        return await read(self._client)

    def _answer(self, heard: Heard, *, rcpt: bool = False) -> Answer:
        if heard.code == 421:
            self._usable = False
        if heard.ok:
            result = Result.DONE
        elif heard.code // 100 == 5 and not (rcpt and heard.code in LATER_AT_RCPT):
            result = Result.NEVER
        else:
            result = Result.LATER
        return Answer(result, heard.status(result), heard.text, self._hop.host)

    def _own(self, status: str, text: str) -> Answer:
        return Answer(Result.NEVER, status, text)

    def _says(self, heard: Heard) -> str:
        return f"{self._hop.host} said: {heard.text}"
