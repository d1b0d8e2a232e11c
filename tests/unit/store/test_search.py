"""Search: exact with the index, without it, and half-way."""

import asyncio
import base64
import codecs
import encodings.aliases

import pytest

from quintet.message import words
from quintet.store import accounts, digests, entries, folders, search, sweep
from quintet.store.content import content_of
from quintet.store.model import FolderId
from quintet.store.store import Store
from tests.support.stores import expect_sound

PLAIN = b"From: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\nSubject: Plain words\r\n\r\nThe quick brown fox\r\n"
QUOTED = (
    b"Subject: =?iso-8859-1?q?Caf=E9?= menu\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nCr=E8me br=FBl=E9e, STRASSE, Stra=DFe\r\n"
)
ATTACHED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhello\r\n'
    b"--b\r\nContent-Type: text/html\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nPHA+aGlkZGVuIHRyZWFzdXJlPC9wPg==\r\n--b--\r\n"
)
LONG = b"Subject: numbers\r\n\r\n" + b"filler words on a line\r\n" * 9000 + b"needle\r\n"
LETTERS = [PLAIN, QUOTED, ATTACHED, LONG]


@pytest.fixture
async def inbox(store: Store) -> FolderId:
    account = await store.write(accounts.create, "alice")
    found = store.peek(folders.find, account.id, "INBOX")
    assert found is not None
    for raw in LETTERS:
        await store.write(
            entries.add, [found.id], content_of(raw), prefix=b"Received: from mx7\r\n", received_at=1
        )
    return found.id


QUESTIONS = [
    ("QUICK BROWN", "text", "", [1]),
    ("zoë", "text", "", [1]),
    ("ZOË", "header", "from", [1]),
    ("zoë", "header", "subject", []),
    ("café", "text", "", [2]),
    ("crème brûlée", "body", "", [2]),
    ("straße", "body", "", [2]),
    ("hidden TREASURE", "body", "", [3]),
    ("needle", "text", "", [4]),
    ("menu", "body", "", []),
    ("mx7", "text", "", [1, 2, 3, 4]),
    ("mx7", "header", "Received", [1, 2, 3, 4]),
    ("mx7", "body", "", []),
    ("fo", "body", "", [1]),
    ("nowhere at all", "text", "", []),
    ('"', "text", "", [3]),
    ("words on a line\nfiller", "text", "", [4]),
]


@pytest.mark.parametrize("indexed", ["not at all", "half", "whole"])
async def test_answers_are_the_same_however_much_is_indexed(
    store: Store, inbox: FolderId, indexed: str
) -> None:
    if indexed == "half":
        assert await search.index_some(store, 2) == (2, True)
    elif indexed == "whole":
        assert await search.rebuild(store) == 4
        assert await search.index_some(store) == (0, False)
    for pattern, where, header, expected in QUESTIONS:
        if "\n" in pattern:
            pattern = pattern.replace("\n", "\r\n")
        found = await store.search_text(inbox, pattern, where, header=header)  # type: ignore[arg-type] # a table of words
        assert found == expected, pattern
    assert await store.search_text(inbox, "mx7", numbers=[2, 3, 9]) == [2, 3]


async def test_index_narrows(store: Store, inbox: FolderId) -> None:
    await search.rebuild(store)
    rows = [row for _, row in store.peek(entries.lines, inbox, 1, 100, 500, ("uid", "message_row"))]
    for pattern, expected in (("brown fox", rows[:1]), ("needle", rows[3:]), ("nowhere", [])):
        found, upto = store.search_index().candidates(search.fold(pattern))
        assert [row for row in rows if row in found] == expected
        assert upto == rows[-1]
    assert rows[-1] + 1_000_000 not in found


SHORT = [
    "Subject: 会议\r\n\r\n明天开会".encode(),
    'Subject: 明天\r\n\r\n没有 "引号"\r\n'.encode(),
    "Subject: x\r\n\r\n你好, 会议记录\r\n".encode(),
    b"Subject: ab\r\n\r\nxab\r\nq",
]


@pytest.mark.parametrize(
    ("pattern", "where", "header", "expected"),
    [
        ("会议", "text", "", [1, 3]),
        ("会议", "header", "subject", [1]),  # all that the field says
        ("开会", "body", "", [1]),  # the last characters of a body
        ("会", "body", "", [1, 3]),
        ("明天", "text", "", [1, 2]),
        ("明", "header", "subject", [2]),
        ('"引', "text", "", [2]),
        ("AB", "header", "subject", [4]),
        ("b", "body", "", [4]),
        ("q", "text", "", [4]),
        ("议会", "text", "", []),
        ("z", "text", "", []),
    ],
)
async def test_one_or_two_characters_are_looked_for_in_the_index(
    store: Store, inbox: FolderId, pattern: str, where: search.Where, header: str, expected: list[int]
) -> None:
    for raw in SHORT:
        await store.write(entries.add, [inbox], content_of(b"To: \r\n" + raw), received_at=1)
    await search.rebuild(store)
    found, upto = store.search_index().candidates(search.fold(pattern))
    rows = [row for _, row in store.peek(entries.lines, inbox, 5, 100, 500, ("uid", "message_row"))]
    assert upto == rows[-1]
    if where == "text":
        assert [at for at, row in enumerate(rows, 1) if row in found] == expected  # these alone are read
    expected = [uid + 4 for uid in expected]
    assert await store.search_text(inbox, pattern, where, header=header, numbers=range(5, 9)) == expected


async def test_short_patterns_that_stand_nearly_everywhere_are_not_looked_up(
    store: Store, inbox: FolderId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await search.rebuild(store)
    expected = await store.search_text(inbox, "e")
    assert expected
    monkeypatch.setattr(search, "OFTEN", 2)
    assert store.search_index().candidates("E")[1] == 0
    assert await store.search_text(inbox, "e") == expected
    monkeypatch.setattr(search, "OFTEN", 1000)
    monkeypatch.setattr(search, "MANY", 1)
    assert store.search_index().candidates("E")[1] == 0
    assert await store.search_text(inbox, "e") == expected


async def test_short_patterns_are_found_in_an_index_that_was_thrown_away(
    store: Store, inbox: FolderId
) -> None:
    await search.rebuild(store)
    assert await store.search_text(inbox, "fo") == [1]
    store.search_index().clear()
    assert await store.search_text(inbox, "fo") == [1]
    await search.rebuild(store)
    assert await store.search_text(inbox, "fo") == [1]
    assert store.search_index().candidates("FO")[1] > 0


async def test_folder_is_looked_through_page_by_page(
    store: Store, inbox: FolderId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PAGE", 3)
    await search.index_some(store, 2)
    assert await store.search_text(inbox, "mx7") == [1, 2, 3, 4]
    assert await store.search_text(inbox, "needle") == [4]
    assert await store.search_text(inbox, "mx7", numbers=[1, 4]) == [1, 4]


async def test_questions_do_not_wait_for_the_indexing(store: Store, inbox: FolderId) -> None:
    await search.index_some(store, 2)
    with store.search_index()._lock:  # as while a step of it is written
        assert await asyncio.wait_for(store.search_text(inbox, "quick brown"), 10) == [1]


CHARSETS = sorted(
    name
    for name in set(encodings.aliases.aliases.values())
    if (codec := words.codec_name(name)) is not None and codec == codecs.lookup(name).name
)
WORDS = (
    "Grüße, Größe",
    "Жизнь хороша",
    "καλημέρα",
    "日本語です",
    "안녕하세요",
    "שלום לך",
    "مرحبا بك",
    "plain words",
)


@pytest.mark.parametrize("body", [b"\0h\0e\0l\0l\0o", b"h\0e\0l\0l\0o\0", b"h", b"\xd8\0"])
async def test_a_letter_in_utf_16_without_a_mark_stops_neither_index_nor_search(
    store: Store, inbox: FolderId, body: bytes
) -> None:
    """RFC 2781 4.3: without a mark it is big-endian."""
    raw = b"Content-Type: text/plain; charset=utf-16\r\n\r\n" + body
    for each in (raw, b"\r\nhello"):
        await store.write(entries.add, [inbox], content_of(each), received_at=1)
    found = [3, 5, 6] if body.startswith(b"\0") else [3, 6]
    assert await store.search_text(inbox, "hello", "body") == found
    assert await search.rebuild(store) == 6
    assert await store.search_text(inbox, "hello", "body") == found


async def test_every_charset_of_python_is_found(store: Store, inbox: FolderId) -> None:
    expected = {}
    for name in CHARSETS:
        for text in WORDS:
            try:
                body = text.encode(name)
            except UnicodeError:
                continue
            if body.decode(name) == text:
                break
        raw = (
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nsee the attachment\r\n--b\r\n'
            b"Content-Disposition: attachment; filename=a.txt\r\nContent-Transfer-Encoding: base64\r\n"
            + f"Content-Type: text/plain; charset={name}\r\n\r\n".encode()
            + base64.encodebytes(body).replace(b"\n", b"\r\n")
            + b"--b--\r\n"
        )
        [added] = await store.write(entries.add, [inbox], content_of(raw), received_at=1)
        expected[added.uid] = (name, text)
    assert len(expected) > 80
    for indexed in (False, True):
        if indexed:
            await search.rebuild(store)
        for text in WORDS:
            found = await store.search_text(inbox, text.upper().replace("SS", "ß"), "body")
            wanted = [uid for uid, (_, said) in expected.items() if said == text]
            assert found == wanted, [expected[uid] for uid in set(found) ^ set(wanted)]


async def test_message_that_stands_twice_is_found_twice(store: Store, inbox: FolderId) -> None:
    await store.write(entries.copy, inbox, [1], inbox)
    assert await store.search_text(inbox, "quick brown") == [1, 5]


async def test_swept_messages_leave_the_index(store: Store, inbox: FolderId) -> None:
    await search.rebuild(store)
    await store.write(entries.expunge, inbox, [1, 2])
    await store.write(sweep.garbage, store.clock.now() + 1)
    assert await search.prune(store) == 2
    assert await search.prune(store) == 0
    assert await store.search_text(inbox, "needle") == [4]


async def test_everything_derived_can_be_rebuilt(store: Store, inbox: FolderId) -> None:
    before = store.peek(entries.lines, inbox, 1, 100)

    def spoil(tx: object) -> None:
        tx.run("UPDATE message SET envelope = ?, base_subject = 'x', message_id = ''", b"()")  # type: ignore[attr-defined] # a Tx
        tx.run("UPDATE blob SET digest = ?", b"\0")  # type: ignore[attr-defined] # the same

    await store.write(spoil)
    assert await store.search_text(inbox, "needle") == [4]  # scanned again on the way
    told: list[int] = []
    assert await digests.rebuild(store, told.append) == 4
    assert told == [4]
    assert store.peek(entries.lines, inbox, 1, 100) == before
    expect_sound(store)


async def test_trigrams_are_bounded_and_quoted() -> None:
    assert search.grams('a"bc') == ['a""b', '""bc']
    assert len(search.grams("".join(chr(97 + i % 26) + str(i) for i in range(400)))) <= search.GRAMS
