"""POST: an article goes to `delivery.post`, and the poster hears what became of it (RFC 3977 6.3.1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.delivery.postfilter import Closed
from quintet.errors import Reason, Refused
from quintet.net.seam import Ask, Input, Replies
from quintet.nntp.commands import Command
from quintet.nntp.wire import Status

if TYPE_CHECKING:
    from quintet.nntp.session import Session


def post(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 6.3.1.  440 when nobody may, 480 when logging in would help; what fails later is 441."""
    if not session.may_post:
        if session.login_helps("post"):
            raise Refused(Reason.AUTH_REQUIRED)
        return [Status(440, "Posting not permitted")]
    rule, pacing = session.rights.rule, session.service.pacing
    wait_s = pacing.posting_waits(session.who, rule)
    if wait_s:
        return [Status(440, f"You posted {rule.posts} already; the next one is taken in {wait_s:.0f} s")]
    return _receive(session, following, pacing.slowed(session.who, rule))


async def _receive(session: Session, following: Input, slowed_s: float) -> AsyncGenerator[Any, None]:
    """``slowed_s``: how long who posted much has to wait; nothing is sent meanwhile, nothing held."""
    office, pacing = session.service.office, session.service.pacing
    if slowed_s:
        await pacing.sleep(slowed_s)
    recommended = office.new_message_id()
    yield Status(340, f"Ok, recommended Message-ID {recommended}")
    async with aclosing(_article(following)) as chunks:
        try:
            posted = await office.post(
                session.identity, session.peer, chunks, recommended=recommended, grants=session.rights
            )
        except Closed as closed:
            yield Status(400, closed.text)
            yield Ask.CLOSE
            return
    pacing.posted(session.who, session.rights.rule)
    if posted.mailed_to:
        yield Status(240, f"Article received {posted.message_id} (mailed to moderator)")
    else:
        yield Status(240, f"Article received {posted.message_id}")


async def _article(following: Input) -> AsyncGenerator[bytes, None]:
    """The body as it comes; says at its end when dots were lost on the way.

    Raises:
        Refused(BAD_CONTENT): a line began with a single dot.  Whoever does not double them (RFC 3977 3.1.1)
            would be cut off at the next line that is only a dot, so we do not guess (nor does INN).
    """
    async with aclosing(_generator(following.dotted())) as chunks:
        async for chunk in chunks:
            yield chunk
    flags = getattr(following, "body_flags", None)
    if flags is not None and flags.undoubled:
        raise Refused(Reason.BAD_CONTENT, "A line without its initial dot doubled")


def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    assert isinstance(chunks, AsyncGenerator)  # inputs give generators, so that they can be closed
    return chunks
