"""Mail by HTTP: a program posts JSON, or a whole message, and it is submitted as if it had spoken SMTP.

The door speaks SMTP to a submission session of this process, so that logging in, limits, whose names may be
used, hooks and signatures are the same as on port 587.  All recipients are taken or nothing is sent, so who
tries again sends nothing twice.  Loaded when the first request comes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from quintet.clock import Clock
from quintet.config.root import Config
from quintet.errors import Hangup
from quintet.message import build, headers
from quintet.net import dots, single
from quintet.net.client import Client
from quintet.net.seam import CHUNK, Peer
from quintet.smtp import heard, parameters
from quintet.smtp.heard import Heard
from quintet.smtp.service import SmtpService
from quintet.values import dataclass

if TYPE_CHECKING:
    from aiohttp import web

MAX_BODY = 32 * 1024 * 1024  # bytes of a request, which is held whole; larger messages go by SMTP
BODY_S = 120.0  # that a whole body may take to come
COMMAND_S = 300.0  # RFC 5321 4.5.3.2
ALLOWED = frozenset(  # fields that a program may add, besides X-...
    (
        "in-reply-to", "references", "auto-submitted", "precedence", "list-id", "list-unsubscribe",
        "list-unsubscribe-post", "disposition-notification-to", "importance", "priority", "sensitivity",
    )
)  # fmt: skip

MESSAGE = "message/rfc822"
KINDS = ("application/json", MESSAGE)
Read = Callable[[], Awaitable[bytes]]

_CLOSE = {"Connection": "close"}
_FIELDS = {
    401: {"WWW-Authenticate": 'Basic realm="Quintet", charset="UTF-8"'},
    503: {"Retry-After": "30"},
}


class File(msgspec.Struct, forbid_unknown_fields=True):
    """One attachment."""

    name: str
    content: bytes  # base64 in JSON
    type: str = "application/octet-stream"


class Wanted(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from"}):
    """A message to be written and sent."""

    to: list[str] = []
    cc: list[str] = []
    bcc: list[str] = []
    sender: str = ""  # "from"; empty: who logged in
    reply_to: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    headers: dict[str, str] = {}
    attachments: list[File] = []
    envid: str = ""  # comes back in reports (RFC 3461 4.4)
    hold_for_s: int = 0  # RFC 4865


@dataclass(frozen=True, slots=True)
class Letter:
    """What is submitted."""

    sender: str
    recipients: Sequence[str]
    data: bytes
    message_id: str = ""
    envid: str = ""
    hold_for_s: int = 0


class Wrong(Exception):
    """The answer when nothing was sent: an HTTP status and why."""

    def __init__(self, status: int, error: str, **more: Any) -> None:  # Any: JSON
        super().__init__(error)
        self.status, self.answer = status, {"error": error, **more}


class Sending:
    """One a request; ``service`` takes submissions."""

    def __init__(self, service: SmtpService, config: Config, clock: Clock) -> None:
        self._service, self._config, self._clock = service, config, clock

    async def handle(
        self, request: web.BaseRequest, peer: Peer
    ) -> tuple[int, dict[str, Any], dict[str, str]]:  # Any: JSON
        """Status, JSON and header fields."""
        if request.method != "POST":
            return 405, {"error": "only POST"}, {"Allow": "POST"}
        query = {name: request.query.getall(name) for name in request.query}
        given = request.headers.get("Authorization", "")
        body = _Body(request)
        status, answer = await self.answer(peer, given, request.content_type, query, body.read)
        return status, answer, _FIELDS.get(status, {}) | ({} if body.whole else _CLOSE)

    async def answer(
        self, peer: Peer, authorization: str, kind: str, query: Mapping[str, Sequence[str]], body: Read
    ) -> tuple[int, dict[str, Any]]:  # Any: JSON
        """Status and JSON for a POST; ``kind`` is its Content-Type without parameters.

        ``body`` is asked for when somebody has logged in: nothing large is held for a stranger.
        """
        try:
            name, secret = _basic(authorization)
            if kind not in KINDS:  # what a foreign page can make a browser send is neither
                raise Wrong(415, f"expected {' or '.join(KINDS)}")
            async with self._session(peer) as talk:
                await talk.log_in(name, secret)
                return 200, await talk.send(self._letter(name, kind, query, await body()))
        except Wrong as wrong:
            return wrong.status, wrong.answer
        except Hangup as error:
            return 503, {"error": error.text}

    # --- what is wanted -----------------------------------------------------------------------

    def _letter(self, name: str, kind: str, query: Mapping[str, Sequence[str]], body: bytes) -> Letter:
        if kind == MESSAGE:
            data = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            to = [_address(each) for each in query.get("to", ())]
            sender = (query.get("from") or [name])[0]
            return Letter(_address(sender), _some(to), data, envid=(query.get("envid") or [""])[0])
        try:
            wanted = msgspec.json.decode(body, type=Wanted)
        except msgspec.MsgspecError as error:
            raise Wrong(400, str(error)) from error
        return self._written(name, wanted)

    def _written(self, name: str, wanted: Wanted) -> Letter:
        author = wanted.sender or name
        sender = _address(author)
        message_id = f"<{self._clock.token(15)}@{sender.rpartition('@')[2] or self._config.hostname}>"
        fields = [("From", author), ("Subject", wanted.subject), ("Message-ID", message_id)]
        fields += [
            (label, ", ".join(given)) for label, given in (("To", wanted.to), ("Cc", wanted.cc)) if given
        ]
        if wanted.reply_to:
            fields.append(("Reply-To", wanted.reply_to))
        for label, value in wanted.headers.items():
            if label.lower() not in ALLOWED and not label.lower().startswith("x-"):
                raise Wrong(400, f"the field {label} cannot be given")
            fields.append((label, value))
        if any(not value.isprintable() for _, value in fields):
            raise Wrong(400, "control characters in a header field")
        files = [build.Attachment(each.content, each.type, each.name) for each in wanted.attachments]
        try:
            data = build.compose(fields, wanted.text, files, html=wanted.html)
        except ValueError as error:
            raise Wrong(400, str(error)) from error
        recipients = _some([_address(each) for each in (*wanted.to, *wanted.cc, *wanted.bcc)])
        return Letter(sender, recipients, data, message_id, wanted.envid, wanted.hold_for_s)

    # --- the dialogue -------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _session(self, peer: Peer) -> AsyncIterator[_Talk]:
        """A submission session of this process."""
        ours, theirs = socket.socketpair()
        serving = asyncio.create_task(single.serve(self._service, theirs, peer, net=self._config.net))
        client = await Client.over(ours, timeout_s=COMMAND_S)
        try:
            yield _Talk(client)
        finally:
            client.abort()
            await asyncio.gather(serving, return_exceptions=True)


class _Body:
    """What is posted; ``whole`` once all of it was read."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request, self.whole = request, False

    async def read(self) -> bytes:
        """All of it.  Raises Wrong."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for piece in self._request.content.iter_chunked(CHUNK):
                    body += piece
                    if len(body) > MAX_BODY:
                        raise Wrong(413, f"more than {MAX_BODY} bytes")
        except TimeoutError:
            raise Wrong(408, "the body is too slow") from None
        self.whole = True
        return bytes(body)


class _Talk:
    """The client's side of one session.  Every method raises Wrong, Hangup."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def log_in(self, name: str, secret: str) -> None:
        self._taken(await heard.read(self._client))
        self._taken(await self._ask("EHLO http"))
        token = base64.b64encode(f"\0{name}\0{secret}".encode()).decode()
        answer = await self._ask(f"AUTH PLAIN {token}")
        if answer.code // 100 == 5:
            raise Wrong(401, answer.text)
        self._taken(answer)

    async def send(self, letter: Letter) -> dict[str, Any]:
        """What became of it."""
        self._taken(await self._ask(_mail(letter)))
        await self._recipients(letter.recipients)
        answer = await self._ask("DATA")
        if answer.code != 354:
            self._taken(answer)
        writer = dots.Writer()
        await self._client.write(writer.feed(letter.data) + writer.finish())
        answer = self._taken(await heard.read(self._client))
        return {"id": answer.lines[0].rpartition(" ")[2], "message_id": letter.message_id}

    async def _recipients(self, recipients: Sequence[str]) -> None:
        wrong, later = [], True
        for address in recipients:
            answer = await self._ask(f"RCPT TO:<{address}>")
            if not answer.ok:
                wrong.append({"address": address, "reply": answer.text})
                later = later and answer.code // 100 == 4
        if wrong:
            raise Wrong(503 if later else 422, "not all recipients were taken", recipients=wrong)

    async def _ask(self, command: str) -> Heard:
        if not command.isprintable():
            raise Wrong(400, "control characters in an address")
        await self._client.write(command.encode() + b"\r\n")
        return await heard.read(self._client)

    def _taken(self, answer: Heard) -> Heard:
        if answer.ok:
            return answer
        status = 503 if answer.code // 100 == 4 else 413 if ".3.4" in answer.text[:10] else 403
        raise Wrong(status, answer.text)


def _mail(letter: Letter) -> str:
    words = [f"MAIL FROM:<{letter.sender}>", f"SIZE={len(letter.data)}"]
    if not letter.data.isascii():
        words.append("BODY=8BITMIME")
    header = letter.data.partition(b"\r\n\r\n")[0]
    if not header.isascii() or not "".join((letter.sender, *letter.recipients)).isascii():
        words.append("SMTPUTF8")
    if letter.envid:
        words.append(f"ENVID={parameters.xtext(letter.envid).decode()}")
    if letter.hold_for_s:
        words.append(f"HOLDFOR={letter.hold_for_s}")
    return " ".join(words)


def _basic(authorization: str) -> tuple[str, str]:
    """Name and secret (RFC 7617 2)."""
    scheme, _, given = authorization.partition(" ")
    try:
        name, colon, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Wrong(401, "log in by Basic") from None
    if scheme.lower() != "basic" or not colon or "\0" in name + secret:
        raise Wrong(401, "log in by Basic")
    return name, secret


def _address(text: str) -> str:
    """The address in ``Name <local@domain>``; exactly one."""
    found = headers.mailboxes(text.encode())
    if len(found) != 1 or not found[0].mailbox:
        raise Wrong(400, f"expected one address, got {text[:200]!r}")
    return found[0].spec


def _some(recipients: Sequence[str]) -> Sequence[str]:
    if not recipients:
        raise Wrong(400, "without recipients")
    return list(dict.fromkeys(recipients))
