"""A mail house and a runner whose ways lead to a next host on loopback."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery.outbound import Runner
from quintet.net.dns import Resolver
from quintet.smtp.client import SmtpTransport
from quintet.store import queue
from quintet.store.content import content_of
from tests.support.mailhouse import MailHouse, mail_house

LETTER = b"From: alice@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: out\r\n\r\nbody\r\n.dot\r\n"


class Out:
    """A house with a queue runner."""

    def __init__(self, house: MailHouse) -> None:
        self.house = house
        self.runners: list[Runner] = []
        self.resolver: Resolver | None = None  # of runners that are given none

    def runner(
        self, *, resolver: Resolver | None = None, routes: dict[str, Route] | None = None, **options
    ) -> Runner:
        config = Queue(routes=routes or {}, **{"connect_timeout_s": 2.0, **options})
        made = Runner(
            self.house.store,
            config,
            directory=self.house.inbound.directory,
            resolver=resolver or self.resolver or Resolver(),
            transport=SmtpTransport("mx.example.org", clock=self.house.clock),
            hostname="mx.example.org",
            clock=self.house.clock,
        )
        self.runners.append(made)
        return made

    async def queue(
        self,
        *recipients: str,
        sender: str = "alice@example.org",
        data: bytes = LETTER,
        late: bool = False,
        **more,
    ) -> int:
        """``late``: as a letter of a crowd, which was not scanned."""
        item = queue.QueueItem(
            content=content_of(data, late=late),
            sender=sender,
            prefix=b"Received: from a by b; Fri, 21 Nov 2025 09:00:00 +0000\r\n",
            expires_at=self.house.clock.now() + 5 * 86_400_000,
            **more,
        )
        return await self.house.store.write(queue.put, item, [queue.To(each) for each in recipients])


@pytest.fixture
async def out(tmp_path: Path) -> AsyncIterator[Out]:
    async with mail_house(tmp_path) as house:
        made = Out(house)
        yield made
        for runner in made.runners:
            await runner.stop(1.0)


@pytest.fixture
def to_host() -> Callable[..., dict[str, Route]]:
    """Routes of everything to a port of this machine."""

    def routes(port: int, **options) -> dict[str, Route]:
        return {"next": Route(via=options.pop("via", "smtp"), host="127.0.0.1", port=port, **options)}

    return routes
