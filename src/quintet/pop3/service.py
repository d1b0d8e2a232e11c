"""What a POP3 listener serves, and what its sessions share."""

from __future__ import annotations

from pathlib import Path

from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.pop3 import Pop3
from quintet.net.seam import Peer
from quintet.pop3.locks import Locks
from quintet.pop3.session import Session
from quintet.pop3.wire import Wire
from quintet.store.model import FolderId
from quintet.store.store import Store

MAX_REMEMBERED = 50_000  # maildrops whose last login is known


class Pop3Service:
    """`seam.Service` of POP3.  ``starttls``: the listener has a certificate."""

    name = "pop3"

    def __init__(
        self,
        store: Store,
        auth: AuthService,
        config: Pop3,
        *,
        hostname: str,
        clock: Clock,
        starttls: bool = False,
    ) -> None:
        self.store = store
        self.auth = auth
        self.config = config
        self.hostname = hostname
        self.clock = clock
        self.starttls = starttls
        self.locks = Locks.shared(Path(store.data) / "run" / "pop3.lock")
        self._logins: dict[FolderId, float] = {}

    def open(self, peer: Peer) -> tuple[Wire, Session]:
        return Wire(), Session(self, peer)

    def close(self) -> None:
        """Lets go of the locks; after the last session."""
        self.locks.close()

    def too_soon(self, folder_id: FolderId) -> bool:
        """Whether LOGIN-DELAY forbids this login (RFC 2449 6.5); notes it otherwise."""
        delay = self.config.login_delay_s
        if not delay:
            return False
        now = self.clock.monotonic()
        last = self._logins.get(folder_id)
        if last is not None and now - last < delay:
            return True
        if len(self._logins) >= MAX_REMEMBERED:
            self._logins = {key: at for key, at in self._logins.items() if now - at < delay}
        self._logins[folder_id] = now
        return False
