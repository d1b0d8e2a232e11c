"""What control messages leave in the store, on both engines."""

from quintet.store import articles, cancels, controltasks, groups, history
from quintet.store.content import content_of
from quintet.store.db import Tx
from quintet.store.model import Folder, MessageId

BODY = b"Subject: x\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n"


def filed(tx: Tx, *names: str) -> list[Folder]:
    made = [groups.create(tx, name) for name in names]
    groups.file(tx, [one.id for one in made], content_of(BODY), path=b"p", host="h", received_at=1)
    return [groups.get(tx, one.id) for one in made]


def test_cancelled_it_is_gone_from_every_group_and_still_known(tx: Tx) -> None:
    made = filed(tx, "local.a", "local.b")
    row = history.find(tx, "<1@x>")
    assert row is not None
    assert cancels.places(tx, row) == [(made[0].id, 1), (made[1].id, 1)]
    assert cancels.remove(tx, row) == 2
    assert [groups.get(tx, one.id).messages for one in made] == [0, 0]
    assert articles.by_message_id(tx, "<1@x>") is None
    assert history.known(tx, "<1@x>")
    assert cancels.remove(tx, row) == 0


def test_early_withdrawals_by_different_people(tx: Tx) -> None:
    cancels.keep_early(tx, "<1@x>", "<c1@x>", "a@b", "sha256:k")
    cancels.keep_early(tx, "<1@x>", "<c1@x>", "changed@b", "")
    cancels.keep_early(tx, "<1@x>", "<c2@x>", "c@d", "")
    assert sorted(cancels.early(tx, "<1@x>"), key=lambda one: one.by_id) == [
        cancels.Early("<c1@x>", "a@b", "sha256:k"),
        cancels.Early("<c2@x>", "c@d", ""),
    ]
    assert cancels.tidy(tx) == 0
    cancels.forget_early(tx, "<1@x>")
    assert cancels.early(tx, "<1@x>") == []


def test_tasks_are_leased_once_and_end_once(tx: Tx) -> None:
    assert not controltasks.due(tx)
    assert controltasks.add(tx, MessageId(1), "<1@x>", "newgroup")
    assert controltasks.due(tx)
    (task,) = controltasks.lease(tx, "a", tx.now + 1000)
    assert not controltasks.due(tx)
    assert controltasks.lease(tx, "b", tx.now + 1000) == []
    controltasks.again(tx, task.id, "b", tx.now)  # not b's to give back
    assert not controltasks.due(tx)
    controltasks.again(tx, task.id, "a", tx.now)
    (task,) = controltasks.lease(tx, "b", tx.now + 1000)
    assert task.attempts == 2
    assert not controltasks.done(tx, task.id, "a")
    assert controltasks.done(tx, task.id, "b")
    assert controltasks.waiting(tx) == 0


def test_serial_numbers_of_lists(tx: Tx) -> None:
    assert controltasks.serial(tx, "comp,misc") == -1
    controltasks.set_serial(tx, "comp,misc", 7)
    controltasks.set_serial(tx, "comp,misc", 9)
    assert controltasks.serial(tx, "comp,misc") == 9
    assert controltasks.serial(tx, "comp") == -1


def test_a_held_back_id_may_be_forgotten_and_a_filed_one_not(tx: Tx) -> None:
    history.remember(tx, "<held@x>")
    history.forget(tx, "<held@x>")
    assert not history.known(tx, "<held@x>")
    filed(tx, "local.a")
    history.forget(tx, "<1@x>")
    assert history.known(tx, "<1@x>")
