"""A store with three accounts, an auth service whose time stands still, and hashes that cost little."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quintet.auth import admin
from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.config.store import Store as StoreConfig
from quintet.net.seam import Peer, TlsInfo
from quintet.store import accounts
from quintet.store.model import AccountId
from quintet.store.store import Store

CHEAP = {"argon2_memory": 64, "argon2_time": 1, "scram_iterations": 4096}


@dataclass
class House:
    store: Store
    auth: AuthService
    clock: FrozenClock
    config: Auth
    ids: dict[str, AccountId]
    slept: list[float] = field(default_factory=list)
    again: Callable[..., AuthService] = None  # type: ignore[assignment] # set by the fixture


def peer(address: str = "192.0.2.1", *, tls: bool = True, certificate: bytes = b"", **more) -> Peer:
    info = TlsInfo("TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, "", certificate, b"end point") if tls else None
    return Peer("c1", address, tls=info, **more)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FrozenClock()
    config = Auth(**CHEAP)
    store = await Store.open(StoreConfig(data=str(tmp_path), sync="off"), clock=clock)
    services: list[AuthService] = []
    ids = {}
    await store.write(accounts.add_domain, "example.org")
    for name in ("alice", "bob", "carol"):
        account = await store.write(accounts.create, f"{name}@example.org")
        ids[name] = account.id
        await admin.set_password(store, account.id, f"{name}'s secret", config)
    made = House(store, None, clock, config, ids)  # type: ignore[arg-type]

    async def sleep(delay_s: float) -> None:
        made.slept.append(delay_s)
        clock.advance(delay_s)
        await asyncio.sleep(0)

    def again(**options) -> AuthService:
        service = AuthService(store, Auth(**{**CHEAP, **options}), clock=clock, sleep=sleep)
        services.append(service)
        return service

    made.again = again
    made.auth = again()
    yield made
    for service in services:
        await service.close()
    await store.close()
