"""The transaction functions on both engines: every test that takes ``tx`` runs twice.

Each test has a transaction of its own that is checked and rolled back, so the schema is made once.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quintet.store import check, db, migrate
from tests.support import postgres
from tests.support.stores import store

__all__ = ["store"]

NOW = 1_763_715_600_000


@pytest.fixture(scope="session")
def sqlite_tx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[db.DrivenTx]:
    path = tmp_path_factory.mktemp("sqlite") / "quintet.db"
    tx = db.SqliteTx(db.open_sqlite(path, writable=True, sync="off"))
    migrate.upgrade(tx, NOW)
    yield tx
    tx.close()


@pytest.fixture(scope="session")
def postgresql_tx() -> Iterator[db.DrivenTx]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    from quintet.store.postgres import PgTx

    with postgres.cluster() as address:
        tx = PgTx(psycopg.connect(address, autocommit=True))
        migrate.upgrade(tx, NOW)
        yield tx
        tx.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def tx(request: pytest.FixtureRequest) -> Iterator[db.DrivenTx]:
    """A transaction on an empty store; at the end its counter is written, every invariant checked."""
    driven: db.DrivenTx = request.getfixturevalue(f"{request.param}_tx")
    driven.begin(NOW)
    try:
        yield driven
        if isinstance(driven, db.SqliteTx):
            driven.run("UPDATE counter SET next = ? WHERE name = 'id'", driven.new_ids(1))
        broken = check.everything(driven)
        assert not broken, "\n".join(broken)
    finally:
        driven.rollback()
