"""Which certificates the listeners show: configured ones, those fetched by ACME, else a self-signed one."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from quintet import launch, log
from quintet.clock import Clock
from quintet.config import root
from quintet.config.net import Certificate, Tls
from quintet.net import tls

if TYPE_CHECKING:
    from quintet.net.acme import Issuer

logger = log.get("tls")

OWN = "self-signed.pem"  # in the data directory


class Certificates:
    """One a process.  ``first`` marks the one worker that asks the authority.

    Raises CannotStart when a certificate cannot be used.
    """

    def __init__(self, config: root.Config, *, clock: Clock, first: bool) -> None:
        self._clock = clock
        self._first = first
        self._issuer: Issuer | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._config = config
        try:
            self.contexts = tls.Contexts(self._wanted(config))
        except (OSError, ValueError, ssl.SSLError) as error:
            raise launch.CannotStart(f"tls.certificates: {error}") from error
        self._follow()

    def start(self) -> None:
        """Begins to fetch and renew, if that is configured and ours to do."""
        if self._issuer is not None and self._first:
            self._renewing = asyncio.create_task(self._issuer.run(), name="certificates")

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None

    async def reload(self, config: root.Config) -> None:
        """Takes changed files and options; what cannot be used leaves the old ones in place and is logged."""
        if config.acme != self._config.acme:
            await self.close()
            self._issuer = None
        self._config = config
        self.contexts.refresh(self._wanted(config))
        self._follow()
        if self._renewing is None:
            self.start()

    def proof(self, token: str) -> str | None:
        """What an authority must find at /.well-known/acme-challenge/TOKEN (RFC 8555 8.3)."""
        return None if self._issuer is None else self._issuer.proofs.http(token)

    def _wanted(self, config: root.Config) -> Tls:
        """The TLS section with what we make ourselves."""
        found = list(config.tls.certificates)
        if config.acme.names:
            if self._issuer is None:
                from quintet.net.acme import Issuer  # brings an HTTP client: only where it is wanted

                def renewed() -> None:
                    self.contexts.refresh()  # which come into being after this

                self._issuer = Issuer(
                    config.acme,
                    config.data / "certs",
                    clock=self._clock,
                    renewed=renewed,
                )
            found.append(Certificate(certificate=str(self._issuer.prepare())))
        if not found and any(each.tls != "none" for each in launch.enabled(config)):
            found.append(Certificate(certificate=str(own_certificate(config.data, config.hostname))))
        return dataclasses.replace(config.tls, certificates=tuple(found))

    def _follow(self) -> None:
        if self._issuer is not None:
            self.contexts.challenger = self._issuer.proofs.alpn_context


def own_certificate(data: Path, hostname: str) -> Path:
    """The self-signed certificate of a data directory; made when it is not there."""
    path = data / OWN
    if tls.write_self_signed(path, [hostname, "localhost", "127.0.0.1", "::1"]):
        logger.warning("self-signed certificate made", file=str(path), hostname=hostname)
    return path
