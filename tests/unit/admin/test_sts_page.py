"""Our own MTA-STS policy, as others fetch it (RFC 8461 3.2, 3.3)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from quintet.admin import pages, sts_page
from quintet.clock import FrozenClock
from quintet.config import root
from quintet.config.server import Http
from quintet.config.store import Store as StoreConfig
from quintet.net import mtasts
from quintet.store import accounts
from quintet.store.store import Store

PATH = "/.well-known/mta-sts.txt"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.open(StoreConfig(data=str(tmp_path / "data"), sync="off"), clock=FrozenClock())
    await made.write(accounts.add_domain, "example.org")
    yield made
    await made.close()


def shown(store: Store, text: str) -> pages.Pages:
    config = root.from_text(f'[server]\nhostname = "mx.example.org"\n{text}')

    async def gather() -> list[str]:
        return []

    return pages.Pages(
        store,
        Http(),
        hostname="mx.example.org",
        ways=list,
        gather=gather,
        policy=lambda host: sts_page.policy(config, store, host),
    )


async def test_policy_of_our_domains_is_what_others_read(store: Store) -> None:
    made = shown(store, '[mta_sts]\nmode = "enforce"\nmx = ["mx.example.org", "*.backup.example"]\n')
    answer = await made.answer(PATH, "192.0.2.1", "MTA-STS.Example.org:443")
    assert (answer.status, answer.type) == (200, "text/plain; charset=utf-8")
    assert answer.body == (
        b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmx: *.backup.example\r\n"
        b"max_age: 604800\r\n"
    )
    policy = mtasts.parse(answer.body)
    assert policy.allows("mx.example.org")
    assert policy.allows("a.backup.example")
    assert not policy.allows("mx.example.net")


async def test_our_hostname_is_the_host_where_none_is_named(store: Store) -> None:
    answer = await shown(store, '[mta_sts]\nmode = "testing"\n').answer(PATH, "::1", "mta-sts.example.org")
    assert mtasts.parse(answer.body) == mtasts.StsPolicy("testing", 604_800, ("mx.example.org",))


async def test_mode_none_takes_a_policy_back(store: Store) -> None:
    # RFC 8461 8.3
    answer = await shown(store, '[mta_sts]\nmode = "none"\n').answer(PATH, "::1", "mta-sts.example.org")
    assert mtasts.parse(answer.body) == mtasts.StsPolicy("none", 604_800, ())


@pytest.mark.parametrize(
    "text, host",
    [
        ("", "mta-sts.example.org"),
        ('[mta_sts]\nmode = "enforce"\n', "mta-sts.example.net"),
        ('[mta_sts]\nmode = "enforce"\n', "example.org"),
        ('[mta_sts]\nmode = "enforce"\n', "mta-sts.sub.example.org"),  # RFC 8461 3.4: never a parent's
        ('[mta_sts]\nmode = "enforce"\n', ""),
        ('[mta_sts]\nmode = "enforce"\ndomains = ["example.com"]\n', "mta-sts.example.org"),
    ],
)
async def test_no_policy_for_others(store: Store, text: str, host: str) -> None:
    assert (await shown(store, text).answer(PATH, "192.0.2.1", host)).status == 404
