"""What was refused, kept in the trace for people who ask where their mail is: bounded, in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quintet.clock import Clock
from quintet.store import trace
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope

MAX_NAMED = 100  # recipients in one row


class Refusals:
    """One a service.  ``per_minute`` rows at most, which an attack cannot exceed; 0: none."""

    def __init__(self, store: Store, clock: Clock, per_minute: int) -> None:
        self._store, self._clock, self._per_minute = store, clock, per_minute
        self._left = float(per_minute)
        self._at = clock.monotonic()

    def add(
        self,
        envelope: Envelope,
        command: str,
        reply: str,
        *,
        recipient: str = "",
        message_id: str = "",
    ) -> None:
        """Notes one; when it is on the disk nobody waits for."""
        now, full = self._clock.monotonic(), self._per_minute
        self._left = min(float(full), self._left + (now - self._at) * full / 60)
        self._at = now
        if self._left < 1:
            return
        self._left -= 1
        peer, identity = envelope.peer, envelope.identity
        detail: dict[str, Any] = {  # Any: JSON
            "from": str(envelope.sender),
            "to": [recipient]
            if recipient
            else [str(each.address) for each in envelope.recipients[:MAX_NAMED]],
            "client": peer.address,
            "helo": envelope.helo,
            "command": command,
            "reply": reply,
        }
        if envelope.id:
            detail["id"] = envelope.id
        self._store.later(
            trace.add,
            self._clock.now(),
            peer.id,
            "refused",
            identity.account_id if identity is not None else None,
            message_id,
            detail,
        )
