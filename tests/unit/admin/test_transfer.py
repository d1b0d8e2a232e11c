"""Import and export: every flag and byte arrives, nothing twice, and an interruption costs nothing."""

from __future__ import annotations

import mailbox
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.transfer import dump, maildir, mbox
from quintet.admin.transfer.incoming import Crlf, Incoming
from quintet.admin.transfer.load import load
from quintet.config.store import Store as StoreConfig
from quintet.store import accounts, entries, folders
from quintet.store.model import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, Account, Folder, unpack_keywords
from quintet.store.store import Store

MBOX = (
    b"From alice@example.org Thu Jan  1 12:30:00 2026\n"
    b"From: alice@example.org\nSubject: one\nStatus: RO\nX-Status: AF\nX-Keywords: Work Later\n\n"
    b"Dear all,\n>From here on it is quoted.\n>>From twice\nFrom the lake, not a separator\n\n"
    b"From bob@example.org Fri Jan  2 08:00:00 2026\n"
    b"From: bob@example.org\nSubject: two\n\nlast line without an end"
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(StoreConfig(data=str(tmp_path / "data")))
    yield store
    await store.close()


@pytest.fixture
async def account(store: Store) -> Account:
    return await store.write(accounts.create, "alice")


def folder_of(store: Store, account: Account, name: str) -> Folder:
    found = store.peek(folders.find, account.id, name)
    assert found is not None
    return found


def stored(store: Store, folder: Folder) -> list[tuple[bytes, int, tuple[str, ...], int]]:
    rows = store.peek(entries.lines, folder.id, 1, 1 << 31, 500, ("uid", "flags", "keywords", "received_at"))
    return [
        (
            store.read_body(store.peek(entries.bodies, folder.id, [uid])[uid]),
            flags,
            unpack_keywords(words),
            at,
        )
        for uid, flags, words, at in rows
    ]


async def test_mbox_in(store: Store, account: Account, tmp_path: Path) -> None:
    path = tmp_path / "in.mbox"
    path.write_bytes(MBOX)
    result = await load(store, account.id, mbox.read(path, "INBOX"))
    assert (result.added, result.present, result.failures) == (2, 0, 0)
    one, two = stored(store, folder_of(store, account, "INBOX"))
    assert one[0].endswith(
        b"\r\n\r\nDear all,\r\nFrom here on it is quoted.\r\n>From twice\r\n"
        b"From the lake, not a separator\r\n"
    )
    assert one[1:] == (SEEN | ANSWERED | FLAGGED, ("Work", "Later"), 1_767_270_600_000)
    assert two[0] == b"From: bob@example.org\r\nSubject: two\r\n\r\nlast line without an end"
    assert two[1:] == (0, (), 1_767_340_800_000)


async def test_the_same_import_again_adds_nothing(store: Store, account: Account, tmp_path: Path) -> None:
    path = tmp_path / "in.mbox"
    path.write_bytes(MBOX)
    await load(store, account.id, mbox.read(path, "INBOX"))
    again = await load(store, account.id, mbox.read(path, "INBOX"))
    assert (again.added, again.present) == (0, 2)
    forced = await load(store, account.id, mbox.read(path, "INBOX"), again=True)
    assert forced.added == 2


async def test_an_interrupted_import_goes_on(store: Store, account: Account, tmp_path: Path) -> None:
    path = tmp_path / "in.mbox"
    path.write_bytes(
        b"".join(b"From x Thu Jan  1 12:30:00 2026\nSubject: %d\n\n%d\n\n" % (n, n) for n in range(300))
    )

    def broken() -> Iterator[Incoming]:
        for count, message in enumerate(mbox.read(path, "INBOX")):
            if count == 200:
                raise KeyboardInterrupt
            yield message

    with pytest.raises(KeyboardInterrupt):
        await load(store, account.id, broken())
    result = await load(store, account.id, mbox.read(path, "INBOX"))
    assert result.added + result.present == 300
    assert result.present >= 128
    assert folder_of(store, account, "INBOX").messages == 300


def test_not_an_mbox_is_said(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"Dear mbox,\n")
    with pytest.raises(ValueError, match="not an mbox file"):
        list(mbox.read(path, "INBOX"))


async def test_maildir_in(store: Store, account: Account, tmp_path: Path) -> None:
    root = tmp_path / "Maildir"
    for place in (root, root / ".Work.Caf&AOk-"):
        for sub in ("cur", "new", "tmp"):
            (place / sub).mkdir(parents=True)
    (root / "dovecot-keywords").write_text("0 Later\n1 $Junk\n")
    (root / "cur" / "1767225600.M1P1.host:2,FSb").write_bytes(b"Subject: flags\n\nbody\n")
    (root / "new" / "1767225601.M2P1.host").write_bytes(b"Subject: new\r\n\r\nbody\r\n")
    (root / ".Work.Caf&AOk-" / "cur" / "1767225602.M3P1.host:2,DPRT").write_bytes(b"Subject: sub\n\nx")
    result = await load(store, account.id, maildir.read(root))
    assert (result.added, result.failures) == (3, 0)
    assert stored(store, folder_of(store, account, "INBOX")) == [
        (b"Subject: flags\r\n\r\nbody\r\n", SEEN | FLAGGED, ("$Junk",), 1_767_225_600_000),
        (b"Subject: new\r\n\r\nbody\r\n", 0, (), 1_767_225_601_000),
    ]
    ((_, flags, keywords, _),) = stored(store, folder_of(store, account, "Work/Café"))
    assert (flags, keywords) == (DRAFT | ANSWERED | DELETED, ("$Forwarded",))


async def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    store: Store, account: Account, tmp_path: Path
) -> None:
    def gone() -> Iterator[bytes]:
        raise OSError(5, "Input/output error")
        yield b""

    messages = [
        Incoming("bad.eml", "INBOX", gone()),
        Incoming("good.eml", "INBOX", iter([b"Subject: good\r\n\r\n"])),
    ]
    result = await load(store, account.id, messages)
    assert (result.added, result.failures) == (1, 1)
    assert "bad.eml" in result.failed[0]


async def seeded(store: Store, account: Account) -> Folder:
    inbox = folder_of(store, account, "INBOX")
    first = b"Subject: a\r\nStatus: O\r\n\r\nFrom me\r\n>From you\r\n.\r\n"
    messages = [
        Incoming("a", "INBOX", iter([first]), 1_767_225_600_000, SEEN | FLAGGED, ("Work",)),
        Incoming("b", "INBOX", iter([b"Subject: b\r\n\r\n" + b"x" * 200_000]), 1_767_225_700_000),
        Incoming("c", "INBOX", iter([b"Subject: no body\r\n"]), 1_767_225_800_000, DRAFT),
    ]  # fmt: skip
    await load(store, account.id, messages)
    return store.peek(folders.get, inbox.id)


async def test_mbox_out_is_what_python_reads_and_we_read_back(
    store: Store, account: Account, tmp_path: Path
) -> None:
    inbox = await seeded(store, account)
    target = tmp_path / "INBOX.mbox"
    assert await dump.to_mbox(store, inbox, target) == 3
    assert not target.with_name("INBOX.mbox.partial").exists()
    theirs = mailbox.mbox(target)
    assert [message["Subject"] for message in theirs] == ["a", "b", "no body"]
    assert [message.get_flags() for message in theirs] == ["ROF", "O", "OT"]
    theirs.close()
    other = await store.write(accounts.create, "bob")
    await load(store, other.id, mbox.read(target, "INBOX"))
    ours = stored(store, folder_of(store, other, "INBOX"))
    assert [row[1:] for row in ours] == [row[1:] for row in stored(store, inbox)]
    assert ours[0][0].endswith(b"\r\n\r\nFrom me\r\n>From you\r\n.\r\n")


async def test_an_interrupted_mbox_export_goes_on(
    store: Store, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "PAGE", 10)
    messages = [
        Incoming(str(n), "INBOX", iter([b"Subject: %d\r\n\r\n%d\r\n" % (n, n)]), 1_767_225_600_000)
        for n in range(45)
    ]
    await load(store, account.id, messages)
    inbox, whole, target = folder_of(store, account, "INBOX"), tmp_path / "whole", tmp_path / "out"
    await dump.to_mbox(store, inbox, whole)
    steps = 0

    def stop(count: int) -> None:
        nonlocal steps
        steps += count
        if steps == 33:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await dump.to_mbox(store, inbox, target, stop)
    assert not target.exists()
    again: list[int] = []
    assert await dump.to_mbox(store, inbox, target, again.append) == 45
    assert sum(again) == 15  # the note was written after 30
    assert target.read_bytes() == whole.read_bytes()


async def test_maildir_out_and_in(store: Store, account: Account, tmp_path: Path) -> None:
    inbox = await seeded(store, account)
    root = tmp_path / "Maildir"
    assert await dump.to_maildir(store, inbox, root) == 3
    assert await dump.to_maildir(store, inbox, root) == 0
    await store.write(entries.set_flags, inbox.id, [2], "+", SEEN, ())
    assert await dump.to_maildir(store, inbox, root) == 0
    theirs = mailbox.Maildir(root)
    assert sorted(message.get_flags() for message in theirs) == ["D", "FS", "S"]
    other = await store.write(accounts.create, "bob")
    await load(store, other.id, maildir.read(root))
    assert sorted(row[0] for row in stored(store, folder_of(store, other, "INBOX"))) == sorted(
        row[0] for row in stored(store, inbox)
    )


def test_folder_names_round_trip() -> None:
    for name in ("Work/Café", "Entwürfe", "a & b", "日本/東京"):
        assert maildir.folder_name(maildir.directory_name(name)) == name
    assert maildir.directory_name("INBOX") == ""


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_line_ends_do_not_depend_on_the_chunks(chunks: list[bytes]) -> None:
    crlf, whole = Crlf(), b"".join(chunks)
    ours = b"".join(crlf.feed(chunk) for chunk in chunks) + crlf.finish()
    assert ours == whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


LINES = (b"From x\r\n", b">From y\r\n", b"\r\n", b"text\r\n", b"Status: R\r\n")


@given(st.lists(st.sampled_from(LINES), max_size=12), st.randoms(use_true_random=False))
def test_quoting_does_not_depend_on_the_chunks(lines: list[bytes], rng: random.Random) -> None:
    data = b"Subject: s\r\n\r\n" + b"".join(lines)
    once = mbox.Quoter(b"Status: O\n")
    whole = once.feed(data) + once.finish()
    pieces, quoter, at = [], mbox.Quoter(b"Status: O\n"), 0
    while at < len(data):
        size = rng.randint(1, 9)
        pieces.append(quoter.feed(data[at : at + size]))
        at += size
    assert b"".join(pieces) + quoter.finish() == whole
    assert not any(line.startswith(b"From ") for line in whole.split(b"\n"))
