"""What HTTP answers, and how the counts of several workers become one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from quintet.admin import pages
from quintet.clock import FrozenClock
from quintet.config.server import Http
from quintet.config.store import Store as StoreConfig
from quintet.errors import Reason, TryLater
from quintet.store.store import Store


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[pages.Pages]:
    store = await Store.open(StoreConfig(data=str(tmp_path / "data"), sync="off"), clock=FrozenClock())

    async def gather() -> list[str]:
        return ["# TYPE a counter\na_total 1.0\n", "# TYPE a counter\na_total 2.0\n"]

    yield pages.Pages(
        store,
        Http(),
        hostname="mail.<b>.example",
        ways=lambda: [pages.Way("IMAP", 143, "STARTTLS")],
        gather=gather,
        proof={"tok": "tok.thumb"}.get,
    )
    await store.close()


async def test_landing_page_says_how_to_connect(made: pages.Pages) -> None:
    answer = await made.answer("/", "192.0.2.1")
    text = answer.body.decode()
    assert answer.status == 200
    assert "<td>IMAP</td><td>143</td><td>STARTTLS</td>" in text
    assert "mail.&lt;b&gt;.example" in text
    assert "<b>" not in text


async def test_landing_page_can_be_left_out(made: pages.Pages) -> None:
    made.reload(Http(landing=False))
    assert (await made.answer("/", "192.0.2.1")).status == 404


async def test_health_tells_strangers_only_that_it_is_well(made: pages.Pages) -> None:
    assert (await made.answer("/healthz", "192.0.2.1")).body == b'{"status": "ok"}\n'
    assert b'"store": "ok"' in (await made.answer("/healthz", "127.0.0.1")).body


async def test_health_fails_when_the_store_cannot_be_read(
    made: pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise TryLater(Reason.STORAGE)

    monkeypatch.setattr(made._store, "peek", broken)
    answer = await made.answer("/healthz", "127.0.0.1")
    assert answer.status == 503
    assert b"storage trouble" in answer.body
    assert (await made.answer("/healthz", "192.0.2.1")).body == b'{"status": "failing"}\n'


async def test_health_fails_when_the_store_cannot_be_written(
    made: pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise TryLater(Reason.DISK_FULL)

    whole = made._store.write
    monkeypatch.setattr(made._store, "write", broken)
    assert (await made.answer("/healthz", "127.0.0.1")).status == 503
    monkeypatch.setattr(made._store, "write", whole)
    assert (await made.answer("/healthz", "127.0.0.1")).status == 503  # not tried again at once
    assert isinstance(made._store.clock, FrozenClock)
    made._store.clock.advance(pages.HEALTH_S)
    assert (await made.answer("/healthz", "127.0.0.1")).status == 200


async def test_health_fails_when_the_store_hangs_or_has_no_room(
    made: pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def hang(*_: object) -> None:
        await go_on.wait()

    monkeypatch.setattr(pages, "WRITE_S", 0.01)
    monkeypatch.setattr(made._store, "write", hang)
    answer = await made.answer("/healthz", "127.0.0.1")
    assert answer.status == 503
    assert b'"store": "busy"' in answer.body
    made._store.blobs.reserve, made._store.blobs._looked_at = 1 << 62, -1e9
    assert isinstance(made._store.clock, FrozenClock)
    made._store.clock.advance(pages.HEALTH_S)
    assert b"no space left" in (await made.answer("/healthz", "127.0.0.1")).body
    go_on.set()


async def test_metrics_are_for_named_networks_and_for_all_workers(made: pages.Pages) -> None:
    assert (await made.answer("/metrics", "192.0.2.1")).status == 403
    text = (await made.answer("/metrics", "::1")).body.decode()
    assert "a_total 3\n" in text
    assert 'quintet_queue_recipients{state="waiting"} 0\n' in text


async def test_acme_challenge_is_answered_for_known_tokens(made: pages.Pages) -> None:
    assert (await made.answer("/.well-known/acme-challenge/tok", "192.0.2.1")).body == b"tok.thumb"
    assert (await made.answer("/.well-known/acme-challenge/other", "192.0.2.1")).status == 404


async def test_unknown_path_is_404(made: pages.Pages) -> None:
    assert (await made.answer("/admin", "127.0.0.1")).status == 404


def test_adding_up_keeps_families_together_and_labels_apart() -> None:
    first = '# TYPE h histogram\nh_bucket{le="1"} 1.0\nh_count 1.0\nh_sum 0.5\n'
    first += '# TYPE c counter\nc_total{a="x y"} 1.0\n'
    second = first + 'c_total{a="z"} 4.0\nc_created{a="z"} 9.0\n'
    third = '# TYPE c counter\nc_created{a="z"} 7.0\n'
    assert pages.add_up([first, second, third]) == (
        '# TYPE h histogram\nh_bucket{le="1"} 2\nh_count 2\nh_sum 1\n'
        '# TYPE c counter\nc_total{a="x y"} 2\nc_total{a="z"} 4\nc_created{a="z"} 7\n'
    )


def test_one_worker_needs_no_adding_up() -> None:
    assert pages.add_up(["anything"]) == "anything"
