"""NOTIFY: a client says what it wants to hear, also between commands (RFC 5465)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import answers, updates
from quintet.imap.notices import Notices
from quintet.imap.notify_commands import EVENTS

if TYPE_CHECKING:
    from quintet.imap.notify_commands import Notify
    from quintet.imap.session import Session
    from quintet.net.seam import Input

PAGE = 100  # mailboxes whose STATUS is told before others get their turn


async def notify(session: Session, command: Notify, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 5465 3.1; replaces what was asked for before."""
    asked = {event for group in command.groups for event in group.events}
    if not asked <= set(EVENTS):
        code = b"BADEVENT (%b)" % " ".join(EVENTS).encode("ascii")
        raise answers.Coded(code, Reason.UNSUPPORTED, "unknown event")
    if not command.groups:
        session.listen(Notices(session, ()))
        yield b"%b OK Done\r\n" % command.tag
        return
    notices = Notices(session, command.groups)
    notices.begin()
    store = session.house.store
    try:
        found = await store.read(notices.note)
    except Refused:
        notices.close()
        raise answers.Coded(b"NOTIFICATIONOVERFLOW", Reason.TOO_MANY, "too many mailboxes") from None
    notices.watch_others(found)
    for reply in await updates.told(session, asked=True):  # as NOOP (RFC 5465 3.1)
        yield reply
    session.listen(notices)
    for start in range(0, len(found), PAGE):
        yield store.peek(notices.first, found[start : start + PAGE], command.status)
        await asyncio.sleep(0)
    yield b"%b OK Done\r\n" % command.tag
