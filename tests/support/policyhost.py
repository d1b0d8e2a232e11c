"""A policy service that says what a test wants, and notes what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from quintet.config.access import Service

Asked = dict[str, str]


class PolicyHost:
    def __init__(self, answer: Callable[[Asked], str | bytes]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self.after = 0  # questions after which a connection is closed; 0: never

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        told: Asked = {}
        questions = 0
        while line := (await reader.readline()).decode():
            if line != "\n":
                name, _, value = line.rstrip("\n").partition("=")
                told[name] = value
                continue
            self.asked.append(told)
            said = self.answer(told)
            told = {}
            writer.write(said if isinstance(said, bytes) else f"action={said}\n\n".encode())
            questions += 1
            if questions == self.after:
                break
        writer.close()


@asynccontextmanager
async def policy_host(
    folder: Path, answer: Callable[[Asked], str | bytes], **more: object
) -> AsyncIterator[tuple[PolicyHost, Service]]:
    """One on a Unix socket in ``folder``, and the configuration that asks it."""
    host = PolicyHost(answer)
    path = folder / "policy"
    server = await asyncio.start_unix_server(host.serve, path)
    try:
        settings: dict[str, object] = {"timeout_s": 2.0, **more}
        yield host, Service(address=f"unix:{path}", **settings)  # type: ignore[arg-type]
    finally:
        server.close()
