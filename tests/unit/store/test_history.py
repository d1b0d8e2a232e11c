"""The history by hashes: what comes over from the one that had texts, and how much room it takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from quintet.store import check, db, dialect, groups, history, migrate
from quintet.store.content import content_of
from quintet.store.db import DrivenTx

# schema 1 had it so
WITH_TEXTS = """\
CREATE TABLE history (
    message_id TEXT PRIMARY KEY,
    message_row INTEGER,
    arrived_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX history_by_arrival ON history (arrived_at);
CREATE INDEX history_by_message ON history (message_row);
"""


def run(tx: DrivenTx, sql: str) -> None:
    for statement in migrate.statements(dialect.schema(sql, tx.engine)):
        tx.run(statement)


def test_ids_of_a_history_with_texts_stay_known(tx: DrivenTx) -> None:
    group = groups.create(tx, "misc.test")
    ids = [f"<{number}@Old.example>" for number in range(3)]
    for one in ids:
        body = f"From: a@x.example\r\nSubject: s\r\nMessage-ID: {one}\r\n\r\nText\r\n".encode()
        groups.file(tx, [group.id], content_of(body), path=b"x", host="x.example", received_at=tx.now)
    here = [(one, history.find(tx, one), tx.now) for one in ids]
    assert None not in [row for _, row, _ in here]
    run(tx, "DROP TABLE history;" + WITH_TEXTS)
    old = [*here, ("<refused@x.example>", None, tx.now - 5), ("<ünsaid@x.example>", None, 7)]
    tx.many("INSERT INTO history (message_id, message_row, arrived_at) VALUES (?, ?, ?)", old)
    for number, _, sql in migrate.steps():
        if number in (85, 86):
            run(tx, sql)
            if number == 85:
                history.from_texts(tx)
    assert history.among(tx, [*ids, "<refused@x.example>", "<ünsaid@x.example>", "<new@x.example>"]) == {
        one for one, _, _ in old
    }
    assert [history.find(tx, one) for one, _, _ in old] == [row for _, row, _ in old]
    assert history.count(tx) == len(history.page(tx, 0, 100)) == 5
    assert [text for text, _, _ in groups.arrived(tx, 0, tx.now + 1, None)] == ids
    assert not history.add(tx, "<refused@x.example>", None, tx.now)
    assert history.sweep(tx, tx.now - 4) == 2
    tx.seal()
    assert not check.everything(tx)


@pytest.mark.parametrize("text", ["<a@b>", "<" + "x" * 240 + "@y.example>", "<ä@x.example>"])
def test_a_hash_is_the_md5_of_the_id(text: str) -> None:
    kept = history.hashed(text)
    assert history.key(text) == kept[0]
    assert history.md5(*kept[:2]).hex() == hashlib.md5(text.encode()).hexdigest()


def test_an_id_takes_less_than_a_hundred_octets_whatever_its_length(tmp_path: Path) -> None:
    """Issue 5: ten million ids in less than 1 GB; 7 octets more of each are in `history.ids`."""
    path = tmp_path / "quintet.db"
    tx = db.SqliteTx(db.open_sqlite(path, writable=True, sync="off"))
    migrate.upgrade(tx, 1)
    before, count = path.stat().st_size + _log(path), 20_000
    for start in range(0, count, 500):
        tx.begin(1_763_715_600_000 + start)
        history.remember_all(tx, [f"<{number}.{'x' * 80}@y.example>" for number in range(start, start + 500)])
        tx.commit()
    tx.run("PRAGMA wal_checkpoint(TRUNCATE)")
    tx.close()
    assert (path.stat().st_size - before) / count < 90


def _log(path: Path) -> int:
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0
