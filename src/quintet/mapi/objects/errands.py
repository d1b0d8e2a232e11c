"""Errands: what a call asks for and a transaction cannot do, because it waits: sending and posting.

Whoever runs a transaction takes the errands afterwards (`Box.take_errands`) and runs each before it answers,
so that nothing is acknowledged before it is on the disk.  One that fails raises what the client is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # of those who wait, half of the server: a program that only reads needs none of it
    from quintet.auth.identity import Identity
    from quintet.delivery.inbound import Inbound
    from quintet.delivery.post import PostOffice
    from quintet.net.seam import Peer
    from quintet.store.store import Store


class Services(Protocol):
    """What errands need; whoever runs boxes has them."""

    @property
    def store(self) -> Store: ...
    @property
    def inbound(self) -> Inbound: ...
    @property
    def office(self) -> PostOffice: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def peer(self) -> Peer: ...


class Errand(Protocol):
    """One thing to be done."""

    async def run(self, services: Services) -> None:
        """Does it; returns when it is on the disk.  Raises MapiError."""
