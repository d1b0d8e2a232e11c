"""EXPUNGE, UID EXPUNGE (RFC 9051 6.4.3, 6.4.9, RFC 4315 2.1, RFC 7162 3.2.9)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import updates
from quintet.store import entries

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import FolderId, Uid


async def expunge(session: Session, command: commands.Expunge, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    if here.read_only:
        raise Refused(Reason.NO_PERMISSION, "mailbox is read-only")
    if "e" not in here.rights:
        raise Refused(Reason.NO_PERMISSION)
    uids = None
    if command.uids is not None:
        ranges = here.saved if command.uids.saved else here.view.known_ranges(command.uids)
        uids = here.view.uids(ranges)
    gone = await session.house.store.write(remove, here.folder_id, uids) if uids != [] else []
    for reply in await updates.told(session):
        yield reply
    if session.qresync and gone:  # RFC 7162 3.2.9: the state after what this command removed
        yield b"%b OK [HIGHESTMODSEQ %d] Done\r\n" % (command.tag, here.cursor)
    else:
        yield b"%b OK Done\r\n" % command.tag


def remove(tx: Tx, folder_id: FolderId, uids: Sequence[int] | None) -> list[Uid]:
    """Removes what is \\Deleted: of ``uids``, or all."""
    return entries.expunge(tx, folder_id, uids, only_deleted=True)
