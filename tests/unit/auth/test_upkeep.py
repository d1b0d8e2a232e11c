"""What is done behind logins keeps out of their way."""

import asyncio
import threading

from quintet.auth import passwords


async def test_work_behind_waits_for_everybody():
    hasher = passwords.Hasher(2, 100)
    gate, done = threading.Event(), []

    def slow(name: str) -> None:
        gate.wait(30)
        done.append(name)

    front = [asyncio.ensure_future(hasher.run(slow, f"login {number}")) for number in range(10)]
    await asyncio.sleep(0)
    behind = asyncio.ensure_future(hasher.run_behind(done.append, "better"))
    await asyncio.sleep(0)
    more = asyncio.ensure_future(hasher.run(slow, "late login"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*front, more, behind)
    assert done[-1] == "better"
    assert len(done) == 12
    hasher.close()


async def test_work_behind_begins_at_once_when_it_is_quiet():
    hasher = passwords.Hasher(1, 1)
    assert await hasher.run_behind(lambda: 7) == 7
    hasher.close()


async def test_better_hashes_are_made_when_the_logins_are_through(house):
    """After a bulk load everybody's first login needs a new hash: none of them may queue before a login."""
    from quintet.store import accounts
    from tests.unit.auth.conftest import peer

    order = []
    hasher = house.auth._hasher
    run = hasher._pool.submit

    def submit(function, *arguments):
        order.append(function.__name__)
        return run(function, *arguments)

    hasher._pool.submit = submit
    for number in range(20):
        account = await house.store.write(accounts.create, f"u{number}@example.org")
        rows = passwords.quick_rows("secret", house.config)
        for row in rows:
            await house.store.write(accounts.put_credential, account.id, row.kind, row.secret)
    await asyncio.gather(
        *(house.auth.password(f"u{number}@example.org", "secret", peer(), "imap") for number in range(20))
    )
    await house.auth.settle()
    assert order.count("hash_secret") == 20
    assert order[:20] == ["check"] * 20
