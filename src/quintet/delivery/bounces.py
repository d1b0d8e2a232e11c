"""Reports that come back to a sender that names the recipient (VERP): the recipient's failures are counted.

A report proves nothing by itself: anybody can write one.  It counts when it names a message (by the header
that it returns) which the trace knows to have left for that very recipient.  What the count leads to is
`store.queue_rules`'; a list's members are `delivery.lists`'.  RFC 3464 2.3; RFC 6522 3 (the returned header).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quintet.delivery import verp
from quintet.delivery.checks import Check
from quintet.store import queue_rules, trace
from quintet.store.db import Tx, bounded
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.config.queue import Queue
    from quintet.delivery.inbound import Passage
    from quintet.store.store import Store

MAX_READ = 256 * 1024  # octets of a report that are looked at
MAX_COUNTED = 10  # recipients of one report

_MESSAGE_ID = re.compile(
    rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,900}>)", re.IGNORECASE | re.MULTILINE
)
_FAILED = re.compile(rb"^action:[ \t]*failed[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"^status:[ \t]*(5\.[0-9]{1,3}\.[0-9]{1,3})\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a report says."""

    status: str  # the first that is final
    message_id: str  # of the message it is about, with angle brackets


def read(body: bytes) -> Failure | None:
    """What the body of a report says about the one recipient it is about; None: no final failure."""
    body = body[:MAX_READ]
    status = next(
        (
            found[1].decode()
            for group in re.split(rb"\r?\n\r?\n", body)
            if _FAILED.search(group) and (found := _STATUS.search(group))
        ),
        "",
    )
    ids = _MESSAGE_ID.findall(body)
    return Failure(status, ids[-1].decode("utf-8", "replace")) if status and ids else None


class Bounces(Check):
    """One a process; the counting waits for nobody and nobody for it."""

    def __init__(self, store: Store, config: Queue) -> None:
        self._store, self._config = store, config

    def accepted(self, passage: Passage) -> None:
        """See `Check`."""
        if passage.envelope.sender or not self._config.suppress_after:
            return
        digest, data = passage.content.digest, passage.content.data
        if data is None or (digest.root.type, digest.root.subtype) != ("multipart", "report"):
            return
        named = (passage.asked or passage.envelope).recipients
        about = [who for one in named if one.detail and (who := verp.recipient_of(one.detail))]
        failure = read(data[digest.header_end :]) if about else None
        if failure is not None:
            config = self._config
            for who in about[:MAX_COUNTED]:
                self._store.later(
                    count,
                    str(who),
                    failure,
                    config.suppress_after,
                    round(config.suppress_window_s * 1000),
                    round(config.suppress_s * 1000),
                )


@bounded()
def count(tx: Tx, address: str, failure: Failure, limit: int, window_ms: int, keep_ms: int) -> bool:
    """Counts a failure that is proved; True when the address is on the suppression list."""
    if not trace.left_for(tx, failure.message_id, address):
        return False
    why = f"{failure.status}, reported"
    return queue_rules.bounced(
        tx, address, failure.status, why, limit=limit, window_ms=window_ms, keep_ms=keep_ms
    )
