"""The queue as Postfix's mailq prints it, for people who are used to it and for programs that read it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quintet.store.db import Tx
    from quintet.store.queue import Recipient

HEAD = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
EMPTY = "Mail queue is empty"


def lines(tx: Tx, found: Iterable[Recipient]) -> Iterator[str]:
    """All of it; messages are numbered as `quintet queue list` does."""
    octets = count = 0
    for _, group in itertools.groupby(found, lambda one: one.queue_id):
        recipients = list(group)
        first = recipients[0]
        (size,) = tx.one("SELECT size FROM message WHERE id = ?", first.message_row) or (0,)
        states = {one.state for one in recipients}
        flag = "*" if "leased" in states else "!" if states == {"held"} else ""
        if not count:
            yield HEAD
        count, octets = count + 1, octets + size
        came = time.strftime("%a %b %e %H:%M:%S", time.localtime(first.created_at / 1000))
        yield f"{first.queue_id}{flag}".ljust(11) + f" {size:7} {came:20} {first.sender or 'MAILER-DAEMON'}"
        for why, each in itertools.groupby(recipients, lambda one: one.last_error or one.hold_reason):
            if why:
                yield f"({why})".rjust(80)
            yield from (f"{'':41}{one.address}" for one in each)
        yield ""
    if count:
        yield f"-- {octets // 1024} Kbytes in {count} Request{'s' if count != 1 else ''}."
    else:
        yield EMPTY
