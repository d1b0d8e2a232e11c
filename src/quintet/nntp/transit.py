"""Peers: MODE STREAM, CHECK, TAKETHIS (RFC 4644), IHAVE (RFC 3977 6.3.2), MODE CANCEL, with INN's codes.

A malformed Message-ID is answered 435, 438 or 439 and not 501, which puts the connections of INN's
feeders to sleep.  TAKETHIS is always followed by an article, so it is read even when nothing is taken.
What is taken, and why not, is decided in `delivery.arrivals`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.config.peers import Peer
from quintet.delivery import arrive
from quintet.delivery.arrivalbatch import Fate, Outcome
from quintet.delivery.arrivals import Answer, Arrivals, Source
from quintet.delivery.control import acts
from quintet.errors import BadSyntax, Problem, Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Replies
from quintet.nntp.commands import Command
from quintet.nntp.stream import Articles, Cancels, Checks, Offer, Sending, Sent
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Session

READER = "reader"  # in logs and counts: whoever offers articles without being a peer (nntp.access, ihave)

_CHECKED = {Answer.WANTED: b"238 ", Answer.LATER: b"431 ", Answer.KNOWN: b"438 "}


class Link:
    """What a connection has to do with peers: whose it is, and what it was asked to send."""

    __slots__ = ("_arrivals", "_peer", "_source", "ahead", "cancels")

    def __init__(self, arrivals: Arrivals | None) -> None:
        self._arrivals = arrivals
        self._peer: Peer | None = None
        self._source: Source | None = None
        self.ahead = False  # something was acknowledged before it was on the disk
        self.cancels = False  # after MODE CANCEL: a Message-ID alone is a command

    def source(self, session: Session) -> Source | None:
        """The peer at the other end: by login, certificate or address; None when it is none."""
        if self._source is None and self._arrivals is not None:
            peer = self._find(session, self._arrivals)
            if peer is not None and self._enter(peer):
                self._source = Source(
                    peer, session.peer.address, session.peer.id, self._arrivals.offers.owner()
                )
        return self._source

    def expected(self, session: Session) -> bool:
        """Whether a peer is at the other end, or may show that it is one by login or certificate."""
        arrivals = self._arrivals
        if arrivals is None:
            return False
        if any(peer.accept and (peer.accounts or peer.certificates) for peer in arrivals.peers.all):
            return True
        return self._find(session, arrivals) is not None

    def _find(self, session: Session, arrivals: Arrivals) -> Peer | None:
        peers, identity = arrivals.peers, session.identity
        found = peers.of_account(identity.name) if identity is not None else None
        if found is None and session.peer.tls is not None:
            found = peers.of_certificate(session.peer.tls.peer_certificate)
        found = found or peers.of_address(session.peer.address)
        if found is not None and found.accept:
            return found
        groups = session.rights.rule.ihave
        return Peer(name=READER, accept=groups, streaming=False) if groups else None

    def _enter(self, peer: Peer) -> bool:
        """Counts a connection; raises TryLater(SHUTDOWN) beyond the peer's limit: 400, and the end."""
        assert self._arrivals is not None
        count = self._arrivals.peers.connections.get(peer.name, 0)
        if count >= peer.max_in:
            raise TryLater(Reason.SHUTDOWN, "Too many connections, try later")
        self._arrivals.peers.connections[peer.name] = count + 1
        self._peer = peer
        return True

    def coming(self, words: Sequence[str]) -> asyncio.Future[None] | None:
        """What to wait for before these are read, None for nothing.

        What was acknowledged on this connection, or is asked for by its Message-ID, is there.
        """
        behind = self._arrivals.behind if self._arrivals is not None else None
        if behind is None or not behind.ids:
            return None
        if self.ahead or any(word.startswith("<") and word.encode() in behind.ids for word in words):
            self.ahead = False
            return behind.hasten()
        return None

    def forget(self) -> None:
        """TLS or a login changed who the other is; or the connection is gone."""
        self.cancels = False
        if self._arrivals is None:
            return
        if self._peer is not None:
            self._arrivals.peers.connections[self._peer.name] -= 1
        if self._source is not None:
            self._arrivals.offers.leave(self._source.owner)
        self._peer = self._source = None


def capabilities(session: Session) -> list[str]:
    """RFC 3977 6.3.2, RFC 4644 2.1: lines for a peer."""
    source = session.link.source(session)
    if source is None:
        return []
    return ["IHAVE", "STREAMING"] if source.peer.streaming else ["IHAVE"]


def mode_stream(session: Session) -> Replies:
    """RFC 4644 2.3."""
    if session.service.arrivals is None or (session.identity and session.link.source(session) is None):
        raise BadSyntax("Unknown MODE variant")
    if not sender(session).peer.streaming:
        raise BadSyntax("", Reason.UNKNOWN_COMMAND)
    return [Status(203, "Streaming permitted")]


def mode_cancel(session: Session) -> Replies:
    """INN: every line that follows is the Message-ID of an article that is to go, from this server only."""
    if session.service.arrivals is None or not sender(session).peer.cancels:
        raise BadSyntax("Unknown MODE variant")
    session.link.cancels = True
    return [Status(284, "Cancels permitted")]


def handle(
    session: Session, came: Checks | Cancels | Articles | Offer | Sent | Sending, following: Input
) -> Replies:
    """What the wire framed as one."""
    if isinstance(came, Offer):
        return offer(session, came.message_id)
    if isinstance(came, Sent):
        return sent(session, came, following)
    if isinstance(came, Checks):
        return checks(session, came)
    if isinstance(came, Cancels):
        return cancels(session, came)
    if isinstance(came, Articles):
        return articles(session, came)
    return sent(session, came, following)


# --- CHECK ---------------------------------------------------------------------------------------


def checks(session: Session, asked: Checks) -> Replies:
    """RFC 4644 2.4, as many as one read brought."""
    try:
        source = _streamer(session)
    except Problem as problem:
        return _each(session, problem, asked, len(asked.ids))
    arrivals = arrivals_of(session)
    slowly = arrivals.screen is not None and arrivals.screen.looks_at_ids
    try:
        # as most are of a peer that is not the first to offer
        if not slowly and arrivals.knows_all(asked.ids):
            return [b"438 %b\r\n" % b"\r\n438 ".join(asked.ids)]
        if slowly or not all(map(arrive.is_message_id, asked.ids)):
            return _checked_slowly(arrivals, source, asked.ids)
        answers = arrivals.ask(source, asked.ids)
    except TryLater:  # the store cannot be asked: it is not known whether we want them
        answers = [Answer.LATER] * len(asked.ids)
    codes = _CHECKED
    return [
        b"".join([b"%b%b\r\n" % (codes[is_], each) for is_, each in zip(answers, asked.ids, strict=True)])
    ]


async def _checked_slowly(
    arrivals: Arrivals, source: Source, ids: Sequence[bytes]
) -> AsyncGenerator[Any, None]:
    """The same where a hook has a word first, or some are no Message-IDs: nobody need send these."""
    good = [each for each in ids if arrive.is_message_id(each)]
    unwanted = dict.fromkeys(set(ids).difference(good), "Syntax error in message-ID")
    try:
        unwanted |= await arrivals.unwanted(source, good)
        rest = [each for each in ids if each not in unwanted]
        answers = dict(zip(rest, arrivals.ask(source, rest), strict=True))
    except TryLater:
        answers = dict.fromkeys(good, Answer.LATER)
    lines = [
        Status(438, f"{each.decode()} {unwanted[each]}").line()
        if each in unwanted
        else b"%b%b\r\n" % (_CHECKED[answers[each]], each)
        for each in ids
    ]
    yield b"".join(lines)


def check(session: Session, command: Command, following: Input) -> Replies:
    """RFC 4644 2.4 in an unusual form."""
    _streamer(session)
    raw = command.args[0].encode() if len(command.args) == 1 else b""
    if not arrive.is_message_id(raw):
        return [Status(438, f"{' '.join(command.args)} Syntax error in message-ID".lstrip())]
    return checks(session, Checks([raw]))


# --- MODE CANCEL ---------------------------------------------------------------------------------


async def cancels(session: Session, asked: Cancels) -> AsyncGenerator[Any, None]:
    """As many as one read brought.  They are gone, and will not come any more, when this is answered."""
    source, store = sender(session), session.service.store
    good = [each.decode("ascii") for each in asked.ids if arrive.is_message_id(each)]
    for start in range(0, len(good), acts.CANCELLED_AT_ONCE):
        page = good[start : start + acts.CANCELLED_AT_ONCE]
        await store.write(acts.cancel_by_hand, page, conn=source.conn, by=source.peer.name)
    yield b"".join(
        [
            b"289 %b cancelled\r\n" % each if arrive.is_message_id(each) else BAD_CANCEL.line()
            for each in asked.ids
        ]
    )


BAD_CANCEL = Status(484, "Syntax error in message-ID")


# --- TAKETHIS --------------------------------------------------------------------------------------


async def articles(session: Session, came: Articles) -> AsyncGenerator[Any, None]:
    """RFC 4644 2.5, as many as one read brought; answered when all of them are on the disk."""
    try:
        source = _streamer(session)
    except Problem as problem:
        for reply in _each(session, problem, came, len(came.items)):
            yield reply
        return
    good = [arrive.is_message_id(each) for each, _, _ in came.items]
    taken = await arrivals_of(session).take(
        source, [one for one, fine in zip(came.items, good, strict=True) if fine]
    )
    rest = iter(taken)
    lines: list[bytes] = []
    for (claimed, _, _), fine in zip(came.items, good, strict=True):
        outcome = next(rest) if fine else _BAD_ID
        if outcome.fate is Fate.LATER:
            yield b"".join(lines)
            yield Status(400, outcome.text)  # RFC 4644 2.5.2: never 439, that would lose it for the peer
            yield Ask.CLOSE
            return
        lines.append(_taken(claimed, outcome))
    yield b"".join(lines)


async def takethis(session: Session, command: Command, following: Input) -> AsyncGenerator[Any, None]:
    """RFC 4644 2.5 for an article that is long, or a command in an unusual form."""
    raw = command.args[0].encode() if len(command.args) == 1 else b""
    try:
        source = _streamer(session)
        outcome = None if arrive.is_message_id(raw) else _BAD_ID
    except Problem:
        await _pass_over(following)
        raise
    if outcome is not None:
        await _pass_over(following)
        yield _taken(" ".join(command.args).encode(), outcome)
        return
    async with aclosing(following.dotted()) as chunks:  # type: ignore[type-var]  # as above
        outcome = await arrivals_of(session).take_long(source, raw, chunks)
    if outcome.fate is Fate.LATER:
        yield Status(400, outcome.text)
        yield Ask.CLOSE
        return
    yield _taken(raw, outcome)


async def _pass_over(following: Input) -> None:
    async with aclosing(following.dotted()) as chunks:  # type: ignore[type-var]  # inputs give generators
        async for _ in chunks:
            pass


_BAD_ID = Outcome(Fate.REFUSED, "Syntax error in message-ID")


def _taken(claimed: bytes, outcome: Outcome) -> bytes:
    if outcome.fate is Fate.TAKEN:
        return b"239 %b\r\n" % claimed
    return Status(439, f"{claimed.decode('utf-8', 'replace')} {outcome.text}").line()


# --- IHAVE -----------------------------------------------------------------------------------------


def ihave(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.3.2 in an unusual form."""
    return offer(session, command.args[0].encode())


def offer(session: Session, raw: bytes) -> Replies:
    """RFC 3977 6.3.2."""
    source = sender(session)
    if not arrive.is_message_id(raw):
        return [Status(435, "Syntax error in message-ID")]
    arrivals = arrivals_of(session)
    if arrivals.screen is not None and arrivals.screen.looks_at_ids:
        return _offered_slowly(session, arrivals, source, raw)
    return _offered(session, arrivals, source, raw)


async def _offered_slowly(
    session: Session, arrivals: Arrivals, source: Source, raw: bytes
) -> AsyncGenerator[Any, None]:
    """The same where a hook has a word first."""
    try:
        unwanted = await arrivals.unwanted(source, [raw])
    except TryLater as problem:
        yield Status(436, problem.text)
        return
    if raw in unwanted:
        yield Status(435, unwanted[raw])
        return
    for reply in _offered(session, arrivals, source, raw):
        yield reply


def _offered(session: Session, arrivals: Arrivals, source: Source, raw: bytes) -> Sequence[Any]:
    try:
        answer = arrivals.ask_one(source, raw)
    except TryLater as problem:
        return [Status(436, problem.text)]
    if answer is Answer.KNOWN:
        return [Status(435, "Duplicate")]
    if answer is Answer.LATER:
        return [Status(436, "Retry later")]
    session.wire.awaited = raw
    return (_SEND_IT,)


def sent(session: Session, came: Sent | Sending, following: Input) -> Replies:
    """The article that was asked for: acknowledged on the disk, or before where that was chosen."""
    source = sender(session)
    if isinstance(came, Sending):
        return _long(session, source, came.message_id, following)
    if session.service.config.acknowledge == "received":
        try:
            outcome = arrivals_of(session).take_soon(source, came.message_id, came.article, came.dotless)
        except TryLater as problem:  # the store cannot be asked
            outcome = Outcome(Fate.LATER, problem.text)
        if outcome is not None:
            session.link.ahead = True
            return (_received(outcome),)
    return _flushed(session, source, came)


async def _flushed(session: Session, source: Source, came: Sent) -> AsyncGenerator[Any, None]:
    outcomes = await arrivals_of(session).take(source, [(came.message_id, came.article, came.dotless)])
    yield _received(outcomes[0])


async def _long(session: Session, source: Source, raw: bytes, following: Input) -> AsyncGenerator[Any, None]:
    async with aclosing(following.dotted()) as chunks:  # type: ignore[type-var]  # inputs give generators
        outcome = await arrivals_of(session).take_long(source, raw, chunks)
    yield _received(outcome)


_SEND_IT = Status(335, "Send it").line()
_RECEIVED = Status(235, "Article transferred OK").line()


def _received(outcome: Outcome) -> Status | bytes:
    if outcome.fate is Fate.TAKEN:
        return _RECEIVED
    return Status(437 if outcome.fate is Fate.REFUSED else 436, outcome.text)


def _each(session: Session, problem: Problem, command: Checks | Articles, count: int) -> list[Any]:
    """Every command of a run is told the same."""
    return [reply for _ in range(count) for reply in session.problem(problem, command)]


# --- who -------------------------------------------------------------------------------------------


def arrivals_of(session: Session) -> Arrivals:
    arrivals = session.service.arrivals
    assert arrivals is not None  # there is a source, so there are peers
    return arrivals


def sender(session: Session) -> Source:
    """The peer, who may send.

    Raises:
        Refused(AUTH_REQUIRED | NO_PERMISSION | TLS_REQUIRED): it is none, or not in this way.
    """
    source = session.link.source(session)
    if source is None:
        raise session.no_permission("ihave" if session.login_helps("ihave") else "read")
    if source.peer.require_tls and not session.peer.secure:
        raise Refused(Reason.TLS_REQUIRED)
    return source


def _streamer(session: Session) -> Source:
    """The peer, who may stream; INN answers CHECK and TAKETHIS with 500 otherwise."""
    source = sender(session)
    if not source.peer.streaming:
        raise BadSyntax("", Reason.UNKNOWN_COMMAND)
    return source
