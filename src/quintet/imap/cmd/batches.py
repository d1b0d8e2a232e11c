"""UIDBATCHES: a mailbox cut into ranges of UIDs (draft-ietf-mailmaint-imap-uidbatches).

Written from memory of the draft; Cyrus tests the same codes, and that a range goes up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.errors import Reason
from quintet.imap import answers, updates
from quintet.imap import format as fmt

if TYPE_CHECKING:
    from quintet.imap.convert_commands import UidBatches
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies

LEAST = 500  # messages of a batch
MOST = 10_000  # batches of one answer: a line of 220 KB


def batches(session: Session, command: UidBatches, _: Input) -> Replies:
    """``* UIDBATCHES (TAG "a1") 215295:99696,99695:20351``, the newest first."""
    if command.size < LEAST:
        raise answers.Coded(b"TOOSMALL", Reason.TOO_MANY, f"batches of fewer than {LEAST} messages")
    view = session.here.view
    last = min(-(-len(view) // command.size), command.last or MOST)
    if last - command.first >= MOST:
        raise answers.Coded(b"LIMIT", Reason.TOO_MANY, f"more than {MOST} batches")
    ranges = []
    for number in range(command.first, last + 1):
        high = len(view) - (number - 1) * command.size
        ranges.append(b"%d:%d" % (view.uid(high), view.uid(max(high - command.size + 1, 1))))
    told = b"* UIDBATCHES (TAG %b)%b\r\n" % (
        fmt.string(command.tag), b" " + b",".join(ranges) if ranges else b""
    )  # fmt: skip
    return updates.then(session, told + b"%b OK Done\r\n" % command.tag)
