"""How "sendmail" hands a message over: a short SMTP dialogue, and what a refusal is as an exit code.

All or nothing: when one recipient is refused nothing is sent, so a program that tries again sends nothing
twice.  RFC 5321 3.3, 3461 4 (parameters), 6531 3.4; exit codes: sysexits.h.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from quintet.admin.sendmail.letter import Letter
from quintet.admin.sendmail.options import Options
from quintet.errors import Hangup
from quintet.net import dots
from quintet.net.client import Client
from quintet.smtp import heard, parameters
from quintet.smtp.heard import Heard

COMMAND_S = 300.0  # RFC 5321 4.5.3.2


class Failed(Exception):
    """Nothing was sent; ``code`` is of sysexits.h, the texts are for standard error."""

    def __init__(self, code: int, *texts: str) -> None:
        super().__init__(code, *texts)
        self.code, self.texts = code, texts


@dataclass(slots=True)
class Talk:
    """One session with our server.  Every method raises Failed."""

    client: Client
    host: str = ""  # what the server calls itself
    offers: tuple[str, ...] = ()

    async def begin(self) -> None:
        self.client.timeout_s = COMMAND_S
        greeting = await self._hear()
        if not greeting.ok:
            raise Failed(os.EX_TEMPFAIL, greeting.text)
        self.host = greeting.lines[0].partition(" ")[0]
        hello = await self._ask("EHLO localhost")
        if not hello.ok:
            raise Failed(os.EX_TEMPFAIL, hello.text)
        self.offers = tuple(line.upper() for line in hello.lines[1:])

    async def send(self, letter: Letter, sender: str, recipients: Sequence[str], options: Options) -> str:
        """Sends one message; the server's last words."""
        await self.envelope(letter, sender, recipients, options)
        answer = await self._ask("DATA")
        if answer.code != 354:
            raise Failed(code_of(answer), answer.text)
        writer = dots.Writer()
        try:
            for piece in letter.chunks():
                await self.client.write(writer.feed(piece))
            await self.client.write(writer.finish())
        except Hangup as error:
            raise Failed(os.EX_TEMPFAIL, error.text) from error
        answer = await self._hear()
        if not answer.ok:
            raise Failed(code_of(answer), answer.text)
        return answer.text

    async def envelope(
        self, letter: Letter, sender: str, recipients: Sequence[str], options: Options
    ) -> None:
        """MAIL and every RCPT; all recipients are asked about, so that all that is wrong is told at once."""
        answer = await self._ask(f"MAIL FROM:<{sender}>{self._wishes(letter, sender, recipients, options)}")
        if not answer.ok:
            raise Failed(code_of(answer, mail=True), f"{sender or '<>'}: {answer.text}")
        notify = f" NOTIFY={','.join(options.notify).upper()}" if options.notify and self.has("DSN") else ""
        wrong: list[tuple[int, str]] = []
        for recipient in recipients:
            answer = await self._ask(f"RCPT TO:<{recipient}>{notify}")
            if not answer.ok:
                wrong.append((code_of(answer), f"{recipient}: {answer.text}"))
        if wrong:
            await self._ask("RSET")
            raise Failed(max(code for code, _ in wrong), *(text for _, text in wrong))

    async def end(self) -> None:
        await self._ask("QUIT")
        await self.client.close()

    def has(self, keyword: str) -> bool:
        return any(line.split(" ")[0] == keyword for line in self.offers)

    def _wishes(self, letter: Letter, sender: str, recipients: Sequence[str], options: Options) -> str:
        words = f" SIZE={letter.size}" if self.has("SIZE") else ""
        if letter.eight_bit and self.has("8BITMIME"):
            words += " BODY=8BITMIME"
        if letter.utf8_header or not "".join((sender, *recipients)).isascii():
            words += " SMTPUTF8"
        if options.verp and self.has("XVERP"):
            words += f" XVERP={options.verp}"
        if self.has("DSN"):
            words += f" RET={options.ret.upper()}" if options.ret else ""
            words += f" ENVID={parameters.xtext(options.envid).decode()}" if options.envid else ""
        return words

    async def _ask(self, command: str) -> Heard:
        if not command.isprintable():
            raise Failed(os.EX_USAGE, "control characters in an address")
        try:
            await self.client.write(command.encode() + b"\r\n")
        except Hangup as error:
            raise Failed(os.EX_TEMPFAIL, error.text) from error
        return await self._hear()

    async def _hear(self) -> Heard:
        try:
            return await heard.read(self.client)
        except Hangup as error:
            raise Failed(os.EX_TEMPFAIL, f"the server hung up: {error.text}") from error


_CODES = {  # by the middle and last number of an enhanced code (RFC 3463): the first that fits
    "1.2": os.EX_NOHOST,
    "1.": os.EX_NOUSER,
    "2.1": os.EX_NOUSER,
    "2.": os.EX_UNAVAILABLE,
    "3.": os.EX_UNAVAILABLE,
    "4.": os.EX_UNAVAILABLE,
    "5.": os.EX_PROTOCOL,
    "6.": os.EX_DATAERR,
    "7.": os.EX_NOPERM,
}


def code_of(answer: Heard, *, mail: bool = False) -> int:
    """The exit code that tells a program what to do about a refusal."""
    if answer.code // 100 == 4:
        return os.EX_TEMPFAIL
    enhanced = answer.lines[0].partition(" ")[0].partition(".")[2] if answer.lines else ""
    for start, code in _CODES.items():
        if enhanced.startswith(start):
            return os.EX_DATAERR if mail and code == os.EX_NOUSER else code
    return os.EX_UNAVAILABLE
