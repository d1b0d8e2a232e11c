"""Synchronization: what changed since a state, handed to an importer; and taken into another store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import READSTATE, SContentRestriction, SPropValue
from quintet.mapi.providers import memory
from tests.unit.mapi.core.conftest import ANN, BOB, opened

Write = Callable[..., IMessage]
NORMAL = consts.SYNC_NORMAL | consts.SYNC_READ_STATE


class Importer:
    """Notes what it is told, by source key."""

    def __init__(self) -> None:
        self.changed: list[bytes] = []
        self.gone: list[bytes] = []
        self.read: list[tuple[bytes, int]] = []
        self.fail: Exception | None = None

    def ImportMessageChange(self, found: Sequence[SPropValue], flags: int) -> None:
        if self.fail is not None:
            raise self.fail
        one = props.find(found, pr.ENTRYID)
        assert one is not None
        self.changed.append(one.Value)
        raise errors.MAPIError(consts.SYNC_E_IGNORE)

    def ImportMessageDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        self.gone += keys

    def ImportPerUserReadStateChange(self, states: Sequence[READSTATE]) -> None:
        self.read += [(one.SourceKey, one.ulFlags) for one in states]

    def ImportFolderChange(self, found: Sequence[SPropValue]) -> None:
        name = props.find(found, pr.DISPLAY_NAME)
        assert name is not None
        self.changed.append(name.Value.encode())

    def ImportFolderDeletion(self, flags: int, keys: Sequence[bytes]) -> None:
        self.gone += keys


def run(
    folder: IMAPIFolder,
    importer: object,
    state: IStream,
    flags: int = NORMAL,
    *,
    most: int = 1000,
    tag: int = pr.CONTENTS_SYNCHRONIZER,
    restriction: SContentRestriction | None = None,
) -> int:
    """Synchronizes up to ``most`` changes; gives how many there were."""
    exporter = folder.OpenProperty(tag, consts.IID_IExchangeExportChanges, 0, 0)
    exporter.Config(state, flags, importer, restriction, None, None, 0)
    steps, step = 0, 0
    for _ in range(most):
        steps, step = exporter.Synchronize(step)
        if steps == step:
            break
    exporter.UpdateState(state)
    return int(steps)


def entry(message: IMessage) -> bytes:
    found: bytes = props.one(message, pr.ENTRYID).Value
    return found


def test_changes_reads_and_deletions_are_told_once(inbox: IMAPIFolder, write: Write) -> None:
    one, two = write("one"), write("two")
    state, importer = IStream(), Importer()
    state.Write(bytes(8))  # the beginning, as older programs write it
    run(inbox, importer, state)
    assert sorted(importer.changed) == sorted([entry(one), entry(two)])
    importer = Importer()
    assert run(inbox, importer, state) == 0
    one.SetProps([SPropValue(pr.BODY, "new")])
    one.SaveChanges()
    two.SetReadFlag(consts.CLEAR_READ_FLAG)
    three = write("three")
    inbox.DeleteMessages([entry(three)])
    four = write("four")
    run(inbox, importer, state)
    assert sorted(importer.changed) == sorted([entry(one), entry(four)])
    assert importer.read == [(entry(two), 0)]
    inbox.DeleteMessages([entry(four)])
    run(inbox, importer, state)
    assert importer.gone == [entry(four)]


def test_stopping_halfway_loses_nothing(inbox: IMAPIFolder, write: Write) -> None:
    for text in "abcde":
        write(text)
    state, importer = IStream(), Importer()
    assert run(inbox, importer, state, most=2) == 5
    assert len(importer.changed) == 2
    assert run(inbox, importer, state, most=2) == 3
    run(inbox, importer, state)
    assert len(importer.changed) == len(set(importer.changed)) == 5
    assert run(inbox, importer, state) == 0


def test_failing_importer_gets_the_change_again(inbox: IMAPIFolder, write: Write) -> None:
    write("x")
    importer = Importer()
    exporter = inbox.OpenProperty(pr.CONTENTS_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0)
    with pytest.raises(errors.MAPIErrorUnconfigured):
        exporter.Synchronize(0)
    exporter.Config(None, NORMAL, importer)
    importer.fail = errors.MAPIErrorCallFailed()
    with pytest.raises(errors.MAPIErrorCallFailed):
        exporter.Synchronize(0)
    importer.fail = None
    assert exporter.Synchronize(0) == (1, 1)
    assert len(importer.changed) == 1


def test_catching_up_tells_nothing(inbox: IMAPIFolder, write: Write) -> None:
    write("x")
    state, importer = IStream(), Importer()
    run(inbox, importer, state, NORMAL | consts.SYNC_CATCHUP)
    assert importer.changed == []
    write("y")
    assert run(inbox, importer, state) == 1


def test_hidden_messages_and_restrictions(inbox: IMAPIFolder, write: Write) -> None:
    hidden = inbox.CreateMessage(None, consts.MAPI_ASSOCIATED)
    hidden.SaveChanges()
    wanted = write("wanted")
    write("other")
    text = SContentRestriction(consts.FL_PREFIX, pr.SUBJECT, SPropValue(pr.SUBJECT, "want"))
    importer = Importer()
    run(inbox, importer, IStream(), restriction=text)
    assert importer.changed == [entry(wanted)]
    importer = Importer()
    run(inbox, importer, IStream(), consts.SYNC_ASSOCIATED)
    assert importer.changed == [entry(hidden)]


@pytest.mark.parametrize("raw", [b"no state of ours", b"\x81\xa1a" * 5000])
def test_foreign_state_is_refused(inbox: IMAPIFolder, raw: bytes) -> None:
    """Also one that is nested without end."""
    state = IStream()
    state.Write(raw)
    with pytest.raises(errors.MAPIErrorCorruptData):
        run(inbox, Importer(), state)


def test_folders_parents_first(store: IMsgStore) -> None:
    root = store.OpenEntry(None)
    base = root.CreateFolder(1, "base")
    inner = base.CreateFolder(1, "a").CreateFolder(1, "b")
    state, importer = IStream(), Importer()
    run(base, importer, state, 0, tag=pr.HIERARCHY_SYNCHRONIZER)
    assert importer.changed == [b"a", b"b"]
    inner.SetProps([SPropValue(pr.DISPLAY_NAME, "c")])
    base.CreateFolder(1, "d")
    importer = Importer()
    run(base, importer, state, 0, tag=pr.HIERARCHY_SYNCHRONIZER)
    assert sorted(importer.changed) == [b"c", b"d"]
    base.EmptyFolder()
    run(base, importer, state, 0, tag=pr.HIERARCHY_SYNCHRONIZER)
    assert len(importer.gone) == 3


@pytest.fixture
def other(world: memory.World) -> IMsgStore:
    session: IMAPISession = opened(world, BOB)
    return session.OpenMsgStore(0, None, None, consts.MDB_WRITE)


def test_whole_folder_in_another_store(
    inbox: IMAPIFolder, write: Write, other: IMsgStore, world: memory.World
) -> None:
    target = other.OpenEntry(None).CreateFolder(1, "Copy")
    one, two = write("one"), write("two", SPropValue(pr.FLAG_STATUS, 2))
    state = IStream()

    def sync() -> None:
        importer = target.OpenProperty(
            pr.COLLECTOR, consts.IID_IExchangeImportContentsChanges, 0, consts.MAPI_MODIFY
        )
        importer.Config(None, 0)
        run(inbox, importer, state)
        importer.UpdateState(None)

    def there() -> list[tuple[str, int]]:
        table = target.GetContentsTable(consts.MAPI_UNICODE)
        table.SetColumns([pr.SUBJECT, pr.MESSAGE_FLAGS])
        return sorted([(row[0].Value, row[1].Value & 1) for row in table.QueryRows(50)])

    sync()
    assert there() == [("one", 1), ("two", 1)]
    one.SetProps([SPropValue(pr.SUBJECT, "changed")])
    one.SaveChanges()
    two.SetReadFlag(consts.CLEAR_READ_FLAG)
    sync()
    assert there() == [("changed", 1), ("two", 0)]
    inbox.DeleteMessages([entry(two)])
    sync()
    assert there() == [("changed", 1)]
    copy = target.OpenEntry(target.GetContentsTable().QueryRows(1)[0][0].Value)
    assert copy.GetRecipientTable().GetRowCount() == 1
    assert world.stores[ANN] is not world.stores[BOB]


def test_hierarchy_in_another_store(inbox: IMAPIFolder, other: IMsgStore) -> None:
    target = other.OpenEntry(None).CreateFolder(1, "Copy")
    inner = inbox.CreateFolder(1, "a").CreateFolder(1, "b", "about b")
    state = IStream()

    def sync() -> None:
        importer = target.OpenProperty(pr.COLLECTOR, consts.IID_IExchangeImportHierarchyChanges, 0, 0)
        importer.Config(None, 0)
        run(inbox, importer, state, 0, tag=pr.HIERARCHY_SYNCHRONIZER)
        importer.UpdateState(None)

    def there() -> list[tuple[str, int]]:
        table = target.GetHierarchyTable(consts.MAPI_UNICODE | consts.CONVENIENT_DEPTH)
        table.SetColumns([pr.DISPLAY_NAME, pr.DEPTH])
        return [(row[0].Value, row[1].Value) for row in table.QueryRows(50)]

    sync()
    assert there() == [("a", 1), ("b", 2)]
    inbox.CopyFolder(inner.entry, None, inbox, "c", 0, None, consts.FOLDER_MOVE)
    sync()
    assert there() == [("a", 1), ("c", 1)]
    inbox.EmptyFolder()
    sync()
    assert there() == []
