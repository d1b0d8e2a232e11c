"""POST: an article goes to `delivery.post`, and the poster hears what became of it (RFC 3977 6.3.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.delivery.postfilter import Closed
from quintet.delivery.postquick import Underway
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Ask, Input, Pending, Replies
from quintet.nntp.commands import Command
from quintet.nntp.stream import Sending, Sent
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Session

_POST = Command("POST")


def post(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.3.1.  440 when nobody may, 480 when logging in would help; what fails later is 441."""
    if not session.may_post:
        if session.login_helps("post"):
            raise Refused(Reason.AUTH_REQUIRED)
        return [Status(440, "Posting not permitted")]
    rule, pacing = session.rights.rule, session.service.pacing
    if not (rule.posts or rule.backoff_after):
        return (_send_it(session),)
    wait_s = pacing.posting_waits(session.who, rule)
    if wait_s:
        return [Status(440, f"You posted {rule.posts} already; the next one is taken in {wait_s:.0f} s")]
    slowed_s = pacing.slowed(session.who, rule)
    return _slowed(session, slowed_s) if slowed_s else [_send_it(session)]


def _send_it(session: Session) -> bytes:
    session.posting = recommended = session.service.office.new_message_id()
    session.wire.awaited = raw = recommended.encode()
    return b"340 Ok, recommended Message-ID %b\r\n" % raw


async def _slowed(session: Session, slowed_s: float) -> AsyncGenerator[Any, None]:
    """Who posted much has to wait; nothing is sent meanwhile, nothing held."""
    await session.service.pacing.sleep(slowed_s)
    yield _send_it(session)


def came(session: Session, article: Sent | Sending, following: Input) -> Replies:
    """The article, or the beginning of one that is too long to be waited for."""
    recommended, session.posting = session.posting, ""
    if isinstance(article, Sent) and not article.undoubled:
        quick = session.service.office.quick
        underway = quick.post(
            session.identity,
            session.peer,
            article.article,
            recommended,
            session.rights,
            dotless=article.dotless,
        )
        if underway is not None:
            return Pending(
                underway.future, lambda: _ended(session, article, following, recommended, underway)
            )
    return _posted(session, article, following, recommended)


def _ended(
    session: Session, article: Sent, following: Input, recommended: str, underway: Underway
) -> Replies:
    """What went the quick way is filed, or goes the other one."""
    if not session.service.office.quick.ended(underway, session.peer):
        return _posted(session, article, following, recommended)
    session.service.pacing.posted(session.who, session.rights.rule)
    return (b"240 Article received %b\r\n" % underway.message_id.encode(),)


async def _posted(
    session: Session, article: Sent | Sending, following: Input, recommended: str
) -> AsyncGenerator[Any, None]:
    office, pacing = session.service.office, session.service.pacing
    async with aclosing(_long(following) if isinstance(article, Sending) else _whole(article)) as chunks:
        try:
            posted = await office.post(
                session.identity, session.peer, chunks, recommended=recommended, grants=session.rights
            )
        except Closed as closed:
            yield Status(400, closed.text)
            yield Ask.CLOSE
            return
        except (Refused, TryLater) as problem:
            for reply in session.problem(problem, _POST):
                yield reply
            return
    pacing.posted(session.who, session.rights.rule)
    if posted.mailed_to:
        yield Status(240, f"Article received {posted.message_id} (mailed to moderator)")
    else:
        yield Status(240, f"Article received {posted.message_id}")


async def _whole(article: Sent) -> AsyncGenerator[bytes, None]:
    """The article that is there.  Raises as `_long`."""
    yield article.article
    if article.undoubled:
        raise _undoubled()


async def _long(following: Input) -> AsyncGenerator[bytes, None]:
    """The article as it comes; says at its end when dots were lost on the way.

    Raises:
        Refused(BAD_CONTENT): a line began with a single dot.  Whoever does not double them (RFC 3977 3.1.1)
            would be cut off at the next line that is only a dot, so we do not guess (nor does INN).
    """
    async with aclosing(_generator(following.dotted())) as chunks:
        async for chunk in chunks:
            yield chunk
    flags = getattr(following, "body_flags", None)
    if flags is not None and flags.undoubled:
        raise _undoubled()


def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    assert isinstance(chunks, AsyncGenerator)  # inputs give generators, so that they can be closed
    return chunks


def _undoubled() -> Refused:
    return Refused(Reason.BAD_CONTENT, "A line without its initial dot doubled")
