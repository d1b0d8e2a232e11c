"""The one loop between bytes and meaning: commands in, replies out, for every line protocol.

It owns time and waiting and is the only code that talks to a `stream.Stream`; what commands mean is
the session's business, how they look the wire's.  A wake-up is a batch: every command that one read
brought is answered, then written once.  No task exists while a connection is idle or while its
handlers answer with plain lists or wait for one future (`seam.Pending`); one does while an async
generator runs or a body streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from quintet import log, metrics
from quintet.errors import Hangup, Problem, Reason
from quintet.net import dots
from quintet.net.client import Client
from quintet.net.following import Following
from quintet.net.job import GONE, TURN, Job, chain, share, turn
from quintet.net.patience import Patience
from quintet.net.seam import CHUNK, Ask, HandOver, Need, Peer, Pending, Replies, Session, Slice, Wire, settled
from quintet.net.stream import Stream
from quintet.net.wake import Wake, relay

FLUSH = 32 * 1024  # bytes of replies that are collected before they are written
AHEAD = 64 * 1024  # bytes taken from a client that sends while we are busy
SLICE_S = 0.004  # seconds one pipeline may hold the loop before others get their turn
LATER_S = 0.001  # then all that go on, together: what somebody asks takes several turns of the loop

logger = log.get("net")


class Driver:
    """One connection: the receiver of its stream's events, and what drives its session."""

    __slots__ = (
        "_ahead", "_client", "_closing", "_drained", "_draining", "_eof", "_following", "_input", "_loop",
        "_out", "_out_size", "_patience", "_pending", "_pushing", "_reading_paused", "_relay", "_session",
        "_stream", "_task", "_wire", "_write_timeout_s", "on_end", "on_quiet", "peer",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, wire: Wire, session: Session, peer: Peer, *, write_timeout_s: float = 300.0
    ) -> None:
        self._stream, self._wire, self._session, self.peer = stream, wire, session, peer
        self._loop = asyncio.get_running_loop()
        self._write_timeout_s = write_timeout_s
        self._out: list[bytes] = []
        self._out_size = 0
        # what is worked on: a handler in its task, or the future that a handler waits for without one
        self._task: asyncio.Task[None] | asyncio.Future[Any] | None = None
        self._pending: Job | None = None  # in the second case: the job whose replies are a `Pending`
        self._input: asyncio.Future[None] | None = None  # a handler waits for bytes
        self._drained: asyncio.Future[None] | None = None  # a handler waits for room
        self._ahead = 0  # bytes fed while nobody waited for them
        self._reading_paused = self._eof = self._closing = self._draining = False
        self._patience = Patience(self._loop, self._lost_patience)
        self._pushing: asyncio.Event | None = None  # the watch that we listen to
        self._relay: asyncio.Task[None] | None = None  # waits for a watch that cannot call
        self._following = Following(wire, self._fill)
        self._client: Client | None = None  # speaks in our place (`HandOver`)
        self.on_quiet: Any = None  # called without arguments when we begin to wait for the peer (tests)
        self.on_end: Callable[[Driver], None] | None = None  # called once when the connection is gone

    # --- the life of a connection ---------------------------------------------------------

    def begin(self) -> None:
        """Greets and answers what is there already."""
        try:
            replies = self._session.greet()
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer hears a neutral line
            self._bug(error, None)
            self._finish(Reason.BUG)
            return
        self._run(Job(replies, None))

    @property
    def idle(self) -> bool:
        """Nothing is being worked on, and nothing half told."""
        return self._task is None and not self._closing and not self._wire.owed

    @property
    def waiting(self) -> bool:
        """It is the peer's turn: to send, or to read."""
        if self._client is not None:
            return self._client.waiting
        return self._task is None or self._input is not None or self._drained is not None

    @property
    def session(self) -> Session:
        return self._session

    def shutdown(self) -> None:
        """Says farewell at once when idle, else after the command that runs."""
        self._draining = True
        if self.idle:
            self._finish(Reason.SHUTDOWN)

    def abort(self) -> None:
        """Ends it now; the handler that runs is cancelled."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        self._stream.abort()

    # --- events of the stream -----------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes came."""
        if self._closing:
            return
        self._wire.feed(data)
        if self._input is not None:
            _wake(self._input)
        elif self._task is not None or self._stream.paused:
            self._ahead += len(data)
            if self._ahead > AHEAD and not self._reading_paused:
                self._reading_paused = True
                self._stream.pause_reading()
        else:
            self._run(None)

    def ended(self) -> None:
        """The peer sends no more; what it sent is still answered."""
        self._eof = True
        if self._input is not None:
            _wake(self._input)
        elif self._task is None and not self._stream.paused:
            self._run(None)

    def writable(self) -> None:
        """There is room to write again."""
        if self._drained is not None:
            _wake(self._drained)
        elif self._task is None and not self._closing:
            self._run(None)

    def lost(self) -> None:
        """The connection is gone."""
        self._closing = self._eof = True
        self._patience.end()
        self._listen(None)
        for future in (self._input, self._drained):
            if future is not None:
                _wake(future)
        if self._task is None:
            self._release()

    def _release(self) -> None:
        """The session lets go of what it holds, once."""
        session, self._session = self._session, GONE
        try:
            session.close()
        except Exception as error:  # noqa: BLE001 - nothing may stop the rest of the clean-up
            self._bug(error, None)
        if self.on_end is not None:
            self.on_end(self)
        self._quiet()

    # --- commands ---------------------------------------------------------------------------

    def _run(self, job: Job | None, *, settle: bool = True) -> None:
        """Works without a task as far as that goes; goes on in one when something must be waited for.

        With ``settle`` not for a future that is done already: once, then others get their turn.
        """
        self._patience.stop()
        try:
            if job is not None:
                job = self._put(job)
            if job is None:
                job = self._step()
        except Hangup as error:
            self._finish(error.reason)
            return
        except Exception as error:  # noqa: BLE001 - a bug in session.problem, encode or ourselves
            self._bug(error, None)
            self._finish(Reason.BUG)
            return
        if job is None:
            self._rest()
        elif type(job.replies) is Pending:
            self._pending, self._task = job, job.replies.future
            if settle and self._task.done():
                self._settled(self._task, settle=False)
            else:
                self._task.add_done_callback(self._settled)
        else:
            self._task = self._loop.create_task(self._work(job))

    def _settled(self, future: asyncio.Future[Any], *, settle: bool = True) -> None:
        """The future of a `Pending` is done: what it led to is said, and work goes on."""
        job, self._pending, self._task = self._pending, None, None
        assert job is not None
        command = job.command
        hangup: Hangup | None = None
        replies: Replies = ()
        try:
            replies = job.replies.then()
        except Hangup as error:
            hangup = error
        except Problem as error:
            replies = self._session.problem(error, command)
        except asyncio.CancelledError:  # we were aborted: nobody listens any more
            self._closing = True
        except Exception as error:  # noqa: BLE001 - our bug: logged whole, answered neutrally
            self._bug(error, command)
            replies = self._session.problem(Hangup(Reason.BUG), command)
        if self._stream.closed:
            self._release()
        elif hangup is not None:
            self._finish(hangup.reason)
        elif not self._closing:
            self._run(Job(replies, command), settle=settle)

    async def _work(self, job: Job | None) -> None:
        """The task of a connection: ends when nothing is left to wait for but the peer."""
        try:
            until = self._loop.time() + share(LATER_S)
            while job is not None:
                await self._wait_for(job)
                if job.command is not None and self._loop.time() > until:  # it may have waited for nothing
                    await turn()
                    until = self._loop.time() + share(LATER_S)
                job = self._step()
        except Hangup as error:
            self._finish(error.reason)
        except asyncio.CancelledError:
            self._stream.abort()  # a drain's deadline; the task ends here
        except Exception as error:  # noqa: BLE001 - a bug in session.problem or in ourselves
            self._bug(error, None)
            self._finish(Reason.BUG)
        finally:
            self._task = None
            if self._stream.closed:
                self._release()
            elif not self._closing:
                self._rest()

    def _step(self) -> Job | None:
        """Answers the commands that are there; the first that needs waiting comes back."""
        wire, session = self._wire, self._session
        clock = self._loop.time
        stop_at = clock() + (SLICE_S if self._task is None else share(LATER_S))
        while not self._closing:
            if self._draining and not wire.owed:
                self._finish(Reason.SHUTDOWN)
                return None
            if self._out_size >= FLUSH:
                self._flush()
            if self._stream.paused:
                return None  # `writable` goes on
            command: Any = None
            try:
                command = wire.next()
                if command is Need.DATA:
                    pushed = self._poll() if session.wants_push else None
                    if pushed is not None:
                        return pushed
                    break
                if command is Need.LITERAL:
                    self._add(wire.encode(command))
                    continue
                replies: Replies = session.handle(command, self._following)
            except Hangup as error:
                self._finish(error.reason)
                return None
            except Problem as error:
                replies = session.problem(error, command)
            except Exception as error:  # noqa: BLE001 - our bug: logged whole, answered neutrally
                self._bug(error, command)
                replies = session.problem(Hangup(Reason.BUG), command)
            if type(replies) is tuple and len(replies) == 1 and type(replies[0]) is bytes:
                self._add(replies[0])  # as most have
            elif (job := self._put(Job(replies, command))) is not None:
                return job
            if clock() > stop_at:
                return Job(iter((TURN,)), None)
        return None

    def _put(self, job: Job) -> Job | None:
        """Writes a list of replies; what must be waited for comes back."""
        replies = job.replies
        if type(replies) is Pending or hasattr(replies, "__anext__"):
            return job
        rest = iter(replies)
        for reply in rest:
            if self._out_size >= FLUSH:
                self._flush()
                if self._stream.paused:
                    return Job(chain(reply, rest), job.command)
            if not self._put_one(reply):
                return Job(chain(reply, rest), job.command)
        return None

    def _put_one(self, reply: Any) -> bool:
        """Takes one reply if that needs no waiting."""
        if isinstance(reply, bytes):
            self._add(reply)
        elif isinstance(reply, Slice):
            if reply.length > CHUNK or self._stream.paused:
                return False
            try:
                data = reply.body.small(reply.start, reply.length)
            except Problem as error:
                raise self._lost_body(error, reply) from error
            if data is None:
                return False
            self._add(dots.whole(data, reply.body.dotless) if reply.dotted else data)
        elif isinstance(reply, Ask):
            if reply is Ask.FLUSH:
                self._flush()
            elif reply is Ask.CLOSE:
                self._finish(Reason.CLOSED)
            elif reply is Ask.PLAIN:
                last, self._out_size = b"".join(self._out), 0
                self._out.clear()
                self._stream.plain(last)
            else:
                return False
        elif reply is TURN or isinstance(reply, HandOver):
            return False
        else:
            self._add(self._wire.encode(reply))
        return True

    async def _wait_for(self, job: Job) -> None:
        """Drives one handler to its end, waiting for room whenever there is none."""
        command = job.command
        try:
            await self._play(job.replies)
            await self._following.pass_over()
            return
        except Hangup:
            raise
        except Problem as error:
            problem: Problem = error
        except Exception as error:  # noqa: BLE001 - our bug: logged whole, answered neutrally
            self._bug(error, command)
            problem = Hangup(Reason.BUG)
        await self._following.pass_over()
        await self._play(self._session.problem(problem, command))

    async def _play(self, replies: Any) -> None:  # Any: Replies, or an iterator over a list's rest
        if type(replies) is Pending:
            replies = await settled(replies)
        if hasattr(replies, "__anext__"):
            async with aclosing(replies) as source:
                async for reply in source:
                    await self._put_waiting(reply)
        else:
            for reply in replies:
                await self._put_waiting(reply)

    async def _put_waiting(self, reply: Any) -> None:
        if self._closing:
            raise Hangup
        if not self._put_one(reply):
            if isinstance(reply, Slice):
                await self._stream_slice(reply)
            elif reply is Ask.START_TLS:
                await self._start_tls()
            elif reply is Ask.COMPRESS:
                self._flush()
                self._stream.compress()
                if early := self._wire.take(AHEAD * 2):
                    self._stream.inflate(early)
            elif isinstance(reply, HandOver):
                await self._hand_over(reply)
            elif reply is TURN:
                self._flush()
                await turn()
        if self._out_size >= FLUSH:
            self._flush()
        if self._stream.paused:
            await self._room()

    async def _start_tls(self) -> None:
        self._flush()
        self._wire.clear()  # what came early was not protected
        self._go_on_reading()
        try:
            info = await self._stream.start_tls()  # what the wire holds afterwards came protected
        except Hangup as error:
            metrics.TLS.labels(self.peer.listener, "failed").inc()
            logger.info("handshake failed", conn=self.peer.id, address=self.peer.address, text=error.text)
            raise
        metrics.TLS.labels(self.peer.listener, "ok").inc()
        self.peer.tls = info
        self._session.secured(info)

    async def _hand_over(self, reply: HandOver) -> None:
        """Lets another speak to the peer; it is our connection still, so limits and drains count it."""
        self._flush()
        self._go_on_reading()
        client = self._client = Client.adopted(self._stream, self.peer, self._wire.take(AHEAD * 2))
        client.on_wait = self._quiet
        try:
            await reply.take(client)
        finally:
            self._client = None
            self._stream.receiver = self
            if self._stream.closed:
                self.lost()
        raise Hangup

    async def _stream_slice(self, part: Slice) -> None:
        """Sends a body at the peer's pace; never more than two chunks are held."""
        writer = dots.Writer(part.body.dotless) if part.dotted else None
        self._flush()
        sent = False
        try:
            chunks = part.body.chunks(part.start, part.length)
            async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # stores give generators
                async for piece in pieces:
                    sent = True
                    self._add(piece if writer is None else writer.feed(piece))
                    self._flush()
                    if self._stream.paused:
                        await self._room()
                    if self._closing:
                        raise Hangup
        except Hangup:
            raise
        except Exception as error:
            raise self._lost_body(error, part) from error
        assert sent or not part.length or writer is not None
        if writer is not None:
            self._add(writer.finish())

    def _lost_body(self, error: Exception, part: Slice) -> Hangup:
        """The peer was told that a body comes: nothing but the end of the connection is true now."""
        self._bug(error, part)
        return Hangup(Reason.CLOSED, "body lost")

    # --- what goes out ----------------------------------------------------------------------

    def _add(self, data: bytes) -> None:
        self._out.append(data)
        self._out_size += len(data)

    def _flush(self) -> None:
        if self._out:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            self._stream.write(data)

    async def _room(self) -> None:
        """Waits until the peer has read; raises Hangup when it is gone."""
        while self._stream.paused and not self._closing:
            self._drained = self._loop.create_future()
            self._patience.expect(self._write_timeout_s, Reason.CLOSED)
            try:
                self._quiet()
                await self._drained
            finally:
                self._drained = None
                self._patience.stop()
        if self._closing:
            raise Hangup

    def _rest(self) -> None:
        """Nothing more to do until the peer does something: write, and watch the clock."""
        if self._out:
            self._flush()
        else:
            self._stream.hurry()
        if self._closing:
            return
        if self._stream.paused:
            self._patience.expect(self._write_timeout_s, Reason.CLOSED)
        elif self._eof:
            self._finish(Reason.CLOSED)
            return
        else:
            self._patience.expect(self._session.timeout_s, Reason.TIMEOUT)
            self._go_on_reading()
            if self._session.wants_push or self._pushing is not None:
                self._listen(self._session.watch if self._session.wants_push else None)
        self._quiet()

    def _finish(self, reason: Reason) -> None:
        """The last line, and the end."""
        if self._closing:
            return
        if reason is not Reason.CLOSED:
            logger.debug("ending", conn=self.peer.id, reason=reason.name)
            try:
                self._add(self._session.farewell(reason))
            except Exception as error:  # noqa: BLE001 - the connection ends in any case
                self._bug(error, None)
        self._flush()
        self._closing = True
        self._listen(None)
        self._stream.close()
        if not self._stream.closed:
            self._patience.expect(self._write_timeout_s, Reason.CLOSED)  # it may never read the rest

    # --- what comes in ---------------------------------------------------------------------------

    async def _fill(self) -> None:
        """Waits for bytes; raises Hangup at the end of input or after too long a silence."""
        self._flush()
        if self._eof or self._closing:
            raise Hangup
        if self._stream.paused:
            await self._room()
        self._input = self._loop.create_future()
        self._patience.expect(self._session.timeout_s, Reason.TIMEOUT)
        self._go_on_reading()
        self._stream.hurry()
        try:
            self._quiet()
            await self._input
        finally:
            self._input = None
            self._patience.stop()
        if self._closing:
            raise Hangup

    def _go_on_reading(self) -> None:
        self._ahead = 0
        if self._reading_paused:
            self._reading_paused = False
            self._stream.resume_reading()

    # --- what is pushed -----------------------------------------------------------------------

    def _poll(self) -> Job | None:
        """What changed while the session wants to be told; None when nothing waits."""
        watch = self._session.watch
        if watch is None or not watch.is_set():
            return None
        watch.clear()  # before reading: a change that lands in between sets it again
        replies = self._session.poll()
        job = self._put(Job(replies, None))
        return job or (self._poll() if watch.is_set() else None)

    def _listen(self, watch: asyncio.Event | None) -> None:
        if watch is not self._pushing or (self._relay is not None and self._relay.done()):
            if isinstance(self._pushing, Wake):
                self._pushing.notify(None)
            if self._relay is not None:
                self._relay.cancel()
                self._relay = None
            self._pushing = watch
            if isinstance(watch, Wake):
                watch.notify(self._woken)
            elif watch is not None:
                self._relay = self._loop.create_task(relay(watch, self._woken))
        if watch is not None and watch.is_set():
            self._loop.call_soon(self._woken)

    def _woken(self) -> None:
        if self._pushing is not None and self._task is None and not self._closing and not self._stream.paused:
            self._run(None)

    # --- time -------------------------------------------------------------------------------

    def _lost_patience(self, late: Reason) -> None:
        """The peer was silent too long (TIMEOUT), or has not read for too long (CLOSED)."""
        if late is Reason.TIMEOUT:
            metrics.TIMEOUTS.labels(self.peer.listener).inc()
            self._finish(Reason.TIMEOUT)
            if self._input is not None:
                _wake(self._input)
        else:
            logger.info("stuck", conn=self.peer.id, address=self.peer.address)
            self._closing = True
            self._stream.abort()

    def _quiet(self) -> None:
        if self.on_quiet is not None:
            self.on_quiet()

    def _bug(self, error: BaseException, command: Any) -> None:
        metrics.BUGS.labels(self.peer.listener).inc()
        logger.error("bug", conn=self.peer.id, command=type(command).__name__, exc_info=error)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
