"""Sending on the http listeners: loaded when the first such request comes, as `http` loads its library."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quintet.admin import joined
from quintet.auth.service import AuthService
from quintet.clock import Clock
from quintet.config.root import Config

if TYPE_CHECKING:
    from aiohttp import web

    from quintet.delivery.inbound import Inbound
    from quintet.smtp.service import SmtpService

PATH = "/send"


class SendDoor:
    """One a process; ``way_in`` gives what takes letters now: another configuration brings another."""

    def __init__(
        self, auth: AuthService, config: Callable[[], Config], way_in: Callable[[], Inbound], *, clock: Clock
    ) -> None:
        self._auth, self._config, self._way_in, self._clock = auth, config, way_in, clock
        self._made: tuple[Inbound, SmtpService] | None = None

    def serves(self, path: str) -> bool:
        """Whether a path is ours."""
        return path == PATH and self._config().http.send

    async def handle(self, request: web.BaseRequest) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, JSON and header fields for a request that `serves`."""
        from quintet.mapi.http.entrance import peer_of

        sending = await asyncio.to_thread(importlib.import_module, "quintet.admin.sending")
        door = sending.Sending(self._service(), self._config(), self._clock)
        found: tuple[int, dict[str, Any], dict[str, str]] = await door.handle(request, peer_of(request))
        return found

    def _service(self) -> SmtpService:
        """Submission as on port 587; many wrong recipients at once are no guessing there."""
        way_in = self._way_in()
        if self._made is None or self._made[0] is not way_in:
            from quintet.smtp.desk import Role

            made = joined.smtp_service(
                self._config(), self._auth, way_in, role=Role.SUBMISSION, clock=self._clock
            )
            lenient = replace(made.desk.config, tarpit_s=0.0, max_errors=100_000)
            made.desk = replace(made.desk, config=lenient)
            self._made = way_in, made
        return self._made[1]
