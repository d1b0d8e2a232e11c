"""Which transport carries a hop: SMTP and LMTP, a program, a batch file.  Implements `delivery.transport`."""

from __future__ import annotations

from quintet.delivery.pipe import PipeLink
from quintet.delivery.transport import Hop, Link, Transport
from quintet.smtp.batchfile import BatchLink


class Carriers:
    """All of them behind one door; ``smtp`` takes what goes to hosts."""

    def __init__(self, smtp: Transport, helo: str) -> None:
        self._smtp, self._helo = smtp, helo

    async def connect(self, hop: Hop) -> Link:
        """See `delivery.transport.Transport`."""
        if hop.via == "pipe":
            return PipeLink(hop)
        if hop.via == "batch":
            return BatchLink(hop, self._helo)
        return await self._smtp.connect(hop)
