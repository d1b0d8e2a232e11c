"""MAPI over HTTP on the http listeners: checks a request, has it done, streams the answer.

An answer begins at once where its request takes time, tells every ``pending_s`` that it goes on, and ends
with the body (MS-OXCMAPIHTTP 3.2.5.2).  aiohttp is below; who asks is known before a body is read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from quintet import log
from quintet.clock import Clock
from quintet.config.mapi import Mapi
from quintet.mapi.http import heads
from quintet.mapi.http.contexts import Contexts, Running, finished, worker_of
from quintet.mapi.http.endpoint import Begun, Call, Code, Done, Endpoint, Wrong
from quintet.mapi.http.entrance import peer_of
from quintet.net.seam import Peer
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.auth.identity import Identity
    from quintet.mapi.http.crossing import Crossing
    from quintet.mapi.http.entrance import Entrance

# bytes of a body: the largest ROP buffer (0x40000) and auxiliary buffer (0x1008) of MS-OXCRPC 3.1.4.2
MAX_BODY = 0x42000
BODY_S = 60.0  # that a whole body may take to come
AT_ONCE_S = 0.25  # an answer that is there by then comes in one piece
SOON_S = 0.02  # and one of a request that waits: there was an event already, or it is refused
PROCESSING = b"PROCESSING\r\n"  # R1238

logger = log.get("mapi")


@dataclass(frozen=True, slots=True)
class _Start:
    """When a request began: seconds since 1970, and monotonic ones."""

    at_s: float
    monotonic: float


class MapiHttp:
    """One a process.  `register` endpoints, then `handle` requests."""

    def __init__(
        self,
        contexts: Contexts,
        entrance: Entrance,
        config: Callable[[], Mapi],
        clock: Clock,
        *,
        number: int = 0,
    ) -> None:
        self.contexts = contexts
        self.crossing: Crossing | None = None  # set where there are other workers
        self._entrance = entrance
        self._config = config
        self._clock = clock
        self._number = number
        self._endpoints: dict[str, Endpoint] = {}

    def register(self, path: str, endpoint: Endpoint) -> None:
        """Puts an endpoint at a path such as "/mapi/nspi" (lower case, no slash at its end)."""
        self._endpoints[path] = endpoint

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request below /mapi/."""
        start = _Start(self._clock.now() / 1000, self._clock.monotonic())
        entered = await self._entrance.enter(request)
        if isinstance(entered, web.StreamResponse):
            return entered
        path = re.sub("/+", "/", request.path.lower()).rstrip("/")
        try:
            running = await self._accept(request, path, entered)
            try:
                return await self._answer(request, path, running, start)
            finally:
                if running.begun.waits:
                    running.done.cancel()  # its client is gone, or has its answer
        except Wrong as wrong:
            return self._refuse(request, path, wrong)

    async def _accept(self, request: web.BaseRequest, path: str, identity: Identity) -> Running:
        """Raises Wrong: it is none of ours, or comes at the wrong time."""
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            raise Wrong(Code.INVALID_PATH, "nothing is served at this path")
        head = heads.read(request.method, request.headers)
        if head.kind not in (endpoint.opening, endpoint.closing, "ping", *endpoint.kinds):
            raise Wrong(Code.INVALID_REQUEST_TYPE, "this path knows no such X-RequestType")
        call = Call(path, head.kind, identity, await read_body(request), head.context, head.sequence)
        return await self._begin(endpoint, call, peer_of(request))

    async def _begin(self, endpoint: Endpoint, call: Call, peer: Peer) -> Running:
        if call.kind == "ping" and not call.context:
            return Running(Begun(), finished(Done(0, b"")))
        if call.kind == endpoint.opening and call.context:
            await self._drop(call)
        elif call.context:
            number = worker_of(call.context)
            if number != self._number:
                if self.crossing is None:
                    raise Wrong(Code.CONTEXT_NOT_FOUND, "there is no such session context (any more)")
                return await self.crossing.begin(number, call)
        return await self.contexts.begin(endpoint, call, peer)

    async def begin_here(self, call: Call) -> Running:
        """A request that another worker passes on.  Raises Wrong."""
        endpoint = self._endpoints.get(call.path)
        if endpoint is None:
            raise Wrong(Code.INVALID_PATH, "nothing is served at this path")
        if call.kind == endpoint.opening:
            self.contexts.drop(call)
            return Running(Begun(), finished(Done(0, b"")))
        return await self.contexts.begin(endpoint, call)

    async def _drop(self, call: Call) -> None:
        """The context that a reconnecting client had (3.2.5.6); one that is gone is no error."""
        try:
            number = worker_of(call.context)
            if number == self._number:
                self.contexts.drop(call)
            elif self.crossing is not None:
                await (await self.crossing.begin(number, call)).done
        except Wrong:
            pass

    # --- answers ------------------------------------------------------------------------------------

    async def _answer(
        self, request: web.BaseRequest, path: str, running: Running, start: _Start
    ) -> web.StreamResponse:
        """In one piece where it is there soon.  Raises Wrong: it failed before anything was said (R2226)."""
        await asyncio.wait((running.done,), timeout=SOON_S if running.begun.waits else AT_ONCE_S)
        if not running.done.done():
            response = web.StreamResponse(headers=self._headers(request, path, running))
            return await self._stream(request, response, running, start)
        done = _result(running.done)
        if done.code:
            raise Wrong(Code(done.code), done.body.decode(), running.begun)
        body = PROCESSING + heads.additional(0, start.at_s, self._elapsed_ms(start)) + done.body
        whole = web.Response(body=body, headers=self._headers(request, path, running))
        whole.enable_chunked_encoding()  # also this one, as clients know it (R1229)
        return whole

    def _headers(self, request: web.BaseRequest, path: str, running: Running) -> list[tuple[str, str]]:
        return [
            *heads.answer(request.headers, 0),
            ("X-PendingPeriod", str(round(self._config().pending_s * 1000))),
            *self._of_context(request, path, running.begun),
        ]

    def _of_context(self, request: web.BaseRequest, path: str, begun: Begun) -> list[tuple[str, str]]:
        secure = request.transport is not None and request.transport.get_extra_info("ssl_object") is not None
        return heads.of_context(begun, path, secure=secure, idle_s=self._config().idle_s)

    def _refuse(self, request: web.BaseRequest, path: str, wrong: Wrong) -> web.Response:
        logger.debug("request refused", code=int(wrong.code), text=wrong.text, path=request.path)
        headers = [
            *heads.answer(request.headers, wrong.code),
            *self._of_context(request, path, wrong.begun),
        ]
        response = web.Response(text=wrong.text + "\n", headers=headers)
        if wrong.code in (Code.TOO_LARGE, Code.INVALID_REQUEST_BODY) and not request.content.is_eof():
            response.force_close()  # the rest of the body is not awaited
        return response

    def _elapsed_ms(self, start: _Start) -> int:
        return round((self._clock.monotonic() - start.monotonic) * 1000)

    async def _stream(
        self, request: web.BaseRequest, response: web.StreamResponse, running: Running, start: _Start
    ) -> web.StreamResponse:
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(PROCESSING)
        response.headers.clear()  # they are sent, and what waits for minutes need not keep them
        while not running.done.done():
            over, _ = await asyncio.wait((running.done,), timeout=self._config().pending_s)
            if not over:
                await response.write(b"PENDING\r\n")  # R1241
        done = _result(running.done)
        await response.write_eof(heads.additional(done.code, start.at_s, self._elapsed_ms(start)) + done.body)
        return response


async def read_body(request: web.BaseRequest) -> bytes:
    """Raises Wrong(TOO_LARGE); Wrong(INVALID_REQUEST_BODY): it does not come to an end."""
    length = request.content_length
    if length is not None and length > MAX_BODY:
        raise Wrong(Code.TOO_LARGE, f"a request may have {MAX_BODY} bytes")
    if request.headers.get("Expect", "").lower() == "100-continue":  # some clients wait for it
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > MAX_BODY:
                    raise Wrong(Code.TOO_LARGE, f"a request may have {MAX_BODY} bytes")
                parts.append(chunk)
    except TimeoutError:
        raise Wrong(Code.INVALID_REQUEST_BODY, "the body does not come to an end") from None
    return b"".join(parts)


def _result(task: asyncio.Future[Done]) -> Done:
    if task.cancelled():
        return Done(Code.SHUTTING_DOWN, b"the session context, or the server, is ending")
    return task.result()
