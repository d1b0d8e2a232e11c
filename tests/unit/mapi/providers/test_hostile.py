"""Servers that answer nonsense: it costs nobody anything, and the error is MAPI's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ldap3
import pytest

from quintet.mapi import pr
from quintet.mapi.bag import Item
from quintet.mapi.errors import Code
from quintet.mapi.providers import imap, imaplink, ldapbook, nntp, pop3, registry
from quintet.mapi.providers.base import AddressBook, MessageStore, Special
from quintet.mapi.providers.news import Groups, Newsrc
from tests.unit.mapi.providers.conformance import refused


class Copying:
    """As much of an IMAPClient as `imap._copied` needs."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def copy(self, uids: list[int], target: str) -> bytes:
        return self._answer


@pytest.mark.parametrize(
    "told,made",
    [
        (b"[COPYUID 9 3,5 11:12] done", {3: 11, 5: 12}),
        (b"[COPYUID 9 3,5 12:11] done", {3: 12, 5: 11}),
        (b"[COPYUID 9 1:4294967295 1:4294967295] done", {}),
        (b"[COPYUID 9 3,5 11] done", {3: 11}),
    ],
)
def test_copyuid_is_believed_of_what_was_asked(told: bytes, made: dict[int, int]) -> None:
    """RFC 4315 section 3; sets of four thousand million numbers are not written out."""
    client: Any = Copying(told)
    assert imap._copied(client, [3, 5], b"Other", moving=False) == made


def test_a_fetch_that_leaves_out_what_was_asked_is_corrupt() -> None:
    refused(Code.CORRUPT_DATA, imap._told, {b"SEQ": 1}, b"FLAGS", tuple)
    refused(Code.CORRUPT_DATA, imap._told, {b"BODY[]": None}, b"BODY[]", bytes)


def test_a_body_structure_that_is_none_tells_nothing() -> None:
    deep: Any = (b"TEXT", b"PLAIN", None)
    for _ in range(5000):
        deep = ([deep], b"mixed")
    for one in ((), (b"TEXT",), None, deep):
        assert imap._kinds_of(one) == set()
    assert imap._kinds_of((10**12, 10**12, None)) == {b""}  # numbers are no lengths
    assert imap._kinds_of((b"TEXT", b"Calendar", None)) == {b"calendar"}


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[socket.socket]]]:
    """The next connections: each to a server that says what it is told, whatever it hears.

    Gives their ends, to read what they heard.
    """
    ends: list[socket.socket] = []
    waiting: list[socket.socket] = []

    def connect(*_: object, **__: object) -> socket.socket:
        if not waiting:
            raise ConnectionRefusedError("nobody there")
        return waiting.pop(0)

    def speaking(*said: bytes) -> list[socket.socket]:
        made = []
        for words in said:
            ours, theirs = socket.socketpair()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
            theirs.setblocking(False)
            theirs.sendall(words)
            theirs.shutdown(socket.SHUT_WR)
            waiting.append(ours)
            made.append(theirs)
        ends.extend([*made, *waiting])
        return made

    monkeypatch.setattr(socket, "create_connection", connect)
    yield speaking
    for one in ends:
        one.close()


POP3 = {"host": "pop", "port": "110", "tls": "no", "user": "ann", "password": "secret"}
_HELLO = b"+OK hello\r\n+OK\r\n+OK\r\n"  # the greeting, USER, PASS


def _listed(*keys: bytes) -> bytes:
    """The answers to LIST and UIDL."""
    sizes = b"".join([b"%d 30\r\n" % number for number in range(1, len(keys) + 1)])
    names = b"".join([b"%d %s\r\n" % (number, key) for number, key in enumerate(keys, 1)])
    return b"+OK\r\n" + sizes + b".\r\n+OK\r\n" + names + b".\r\n"


def _letter(text: bytes) -> bytes:
    return b"+OK\r\nSubject: " + text + b"\r\n\r\nText\r\n.\r\n"


def _maildrop() -> MessageStore:
    store = registry.opened("POP3", POP3).store
    assert store is not None
    return store


def test_a_lost_maildrop_may_number_its_letters_anew(speak: Callable[..., list[socket.socket]]) -> None:
    """RFC 1939 section 5: what is deleted is the letter that was meant, not its number of yesterday."""
    _, second = speak(_HELLO + _listed(b"a", b"b"), _HELLO + _listed(b"b", b"c") + b"+OK\r\n+OK\r\n")
    store = _maildrop()
    one = store.messages(store.special()[Special.INBOX]).ids()[1]
    assert store.delete([one]) == 1
    assert second.recv(1000).splitlines()[2:] == [b"LIST", b"UIDL", b"DELE 1", b"QUIT"]
    store.close()


def test_a_maildrop_that_is_lost_while_it_forgets_is_asked_again(
    speak: Callable[..., list[socket.socket]],
) -> None:
    """Without its answer to QUIT nobody knows whether it did (RFC 1939 section 6)."""
    first, second = speak(_HELLO + _listed(b"a", b"b") + b"+OK\r\n", _HELLO + _listed(b"b"))
    store = _maildrop()
    assert store.delete(store.messages(store.special()[Special.INBOX]).ids()[:1]) == 1
    assert (first.recv(1000).split()[-1], second.recv(1000).split()[-1]) == (b"QUIT", b"UIDL")
    store.close()


def test_equal_letters_of_a_maildrop_may_share_a_name(speak: Callable[..., list[socket.socket]]) -> None:
    """RFC 1939 section 7: a client handles that."""
    (heard,) = speak(_HELLO + _listed(b"a", b"b", b"a") + _letter(b"One") * 3 + b"+OK\r\n+OK\r\n")
    store = _maildrop()
    rows = store.messages(store.special()[Special.INBOX])
    ids = rows.ids()
    assert len(set(ids)) == 3
    assert rows.values(ids, [pr.SUBJECT]) == [["One"]] * 3
    assert store.delete(ids[2:]) == 1
    assert heard.recv(1000).splitlines()[-2:] == [b"DELE 3", b"QUIT"]
    store.close()


def test_letters_have_longer_lines_than_they_may(speak: Callable[..., list[socket.socket]]) -> None:
    speak(_HELLO + _listed(b"a") + _letter(b"x" * 20_000))
    store = _maildrop()
    (one,) = store.messages(store.special()[Special.INBOX]).ids()
    assert len(store.load(one).props[pr.SUBJECT]) == 20_000
    store.close()


@pytest.mark.parametrize(
    "said,code",
    [
        (b"+OK\r\n1\r\n.\r\n", Code.CORRUPT_DATA),
        (b"+OK\r\none 20\r\n.\r\n", Code.CORRUPT_DATA),
        (b"+OK\r\n1 20\r\n.\r\n+OK\r\n1\r\n.\r\n", Code.CORRUPT_DATA),
        (b"-ERR not today\r\n", Code.GENERAL_FAILURE),
        (b"* OK I am another protocol\r\n", Code.GENERAL_FAILURE),
        (b"+OK\r\n1 2", Code.NETWORK_ERROR),
        (b"+OK\r\n" + b"x" * 2000, Code.NETWORK_ERROR),
        (b"+OK\r\n" + b"1 20\r\n" * 1000, Code.NETWORK_ERROR),
        (b"+OK\r\n" + b"\r\n" * 100 + b".\r\n", Code.NETWORK_ERROR),  # each costs more than it is long
    ],
)
def test_a_maildrop_that_answers_nonsense_is_left(
    said: bytes, code: Code, speak: Callable[..., list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pop3, "MAX_LINE", 1000)
    monkeypatch.setattr(pop3, "MAX_ANSWER", 3000)
    first, second = speak(_HELLO + said, _HELLO + said)
    refused(code, _maildrop)
    assert first.recv(1000).startswith(b"USER ann\r\nPASS secret\r\nLIST\r\n")
    assert first.recv(1) == b""  # it hung up
    again = b"USER" if code == Code.NETWORK_ERROR else b""
    if again:
        assert second.recv(1000).startswith(again)


def test_words_that_would_be_commands_are_no_password(
    speak: Callable[..., list[socket.socket]],
) -> None:
    for wrong in ("x\r\nDELE 1", "\udc80"):
        refused(Code.LOGON_FAILED, registry.opened, "POP3", {**POP3, "password": wrong})


class Imap:
    """A server of IMAP that answers each command as it is told, if it is; b"" is to hang up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: bytes) -> None:
        self.answers = {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n@ OK done\r\n",
            "LIST": b'* LIST () "/" INBOX\r\n@ OK done\r\n',
            "SELECT": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 9]\r\n@ OK [READ-WRITE] done\r\n",
            "SEARCH": b"* SEARCH 1 2\r\n@ OK done\r\n",
            **answers,
        }
        self.heard: list[str] = []
        self._threads: list[threading.Thread] = []
        monkeypatch.setattr(socket, "create_connection", self._connect)

    def _connect(self, *_: object, **__: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._threads.append(threading.Thread(target=self._serve, args=(theirs,)))
        self._threads[-1].start()
        return ours

    def _serve(self, theirs: socket.socket) -> None:
        with theirs, theirs.makefile("rb") as file:
            theirs.sendall(b"* OK hello\r\n")
            for line in file:
                tag, *words = line.split()
                verb = words[1 if words[0] == b"UID" else 0].decode().upper()
                self.heard.append(b" ".join(words).decode())
                answer = self.answers.get(verb, b"@ OK done\r\n")
                try:
                    theirs.sendall(answer.replace(b"@", tag))
                except OSError:
                    return
                if not answer.endswith(b"done\r\n"):
                    return

    def opened(self) -> MessageStore:
        store = registry.opened("IMAP", {**POP3, "host": "imap", "port": "143"}).store
        assert store is not None
        return store

    def join(self) -> None:
        for one in self._threads:
            one.join(10)
            assert not one.is_alive()


_FETCH = (
    b'* 1 FETCH (UID 1 FLAGS (\\Seen 12) RFC822.SIZE 30 INTERNALDATE "01-Jan-2026 10:00:00 +0000" '
    b'BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1) BODY[HEADER] {14}\r\nSubject: One\r\n)\r\n'
    b"@ OK done\r\n"
)


@pytest.mark.parametrize(
    "verb,said,code",
    [
        ("LIST", b"* LIST (((\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("LIST", b"@ NO [NOPERM] done\r\n", Code.ACCESS_DENIED),
        ("LIST", b"", Code.NETWORK_ERROR),
        ("SELECT", b"* 2 EXISTS\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("SELECT", b"* OK [UIDVALIDITY x]\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("SEARCH", b"* SEARCH one two\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("SEARCH", b"* SEARCH " + b"1 " * 3000, Code.NETWORK_ERROR),
        ("SEARCH", b"* SEARCH 1\r\n" * 400, Code.NETWORK_ERROR),
        ("SEARCH", b"*\r\n" * 100, Code.NETWORK_ERROR),  # each costs more than it is long
        ("FETCH", b"* 1 FETCH (UID 1 BODY[HEADER] {5000}\r\n" + b"x" * 5000, Code.NETWORK_ERROR),
        ("SEARCH", b"* SEARCH 1 2", Code.NETWORK_ERROR),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[HEADER] {99999999999999}\r\nx", Code.NETWORK_ERROR),
        ("FETCH", b"* 1 FETCH (UID 1 BODY[HEADER] {10}\r\nx", Code.NETWORK_ERROR),
        ("FETCH", b"* 1 FETCH (UID one)\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("FETCH", b"* 1 FETCH (UID\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("FETCH", b"* 1 FETCH (UID 1)\r\n@ OK done\r\n", Code.CORRUPT_DATA),
        ("FETCH", _FETCH.replace(b"SIZE 30", b"SIZE big"), Code.CORRUPT_DATA),
        ("FETCH", _FETCH.replace(b'"01-Jan-2026 10:00:00 +0000"', b"NIL"), Code.CORRUPT_DATA),
        ("FETCH", _FETCH.replace(b"(\\Seen 12)", b"7"), Code.CORRUPT_DATA),
        ("FETCH", _FETCH.replace(b"[HEADER] {14}\r\nSubject: One\r\n", b"[HEADER] 12"), Code.CORRUPT_DATA),
    ],
)
def test_a_server_of_imap_that_answers_nonsense_is_left(
    verb: str, said: bytes, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asked anew the next time."""
    monkeypatch.setattr(imaplink, "MAX_LINE", 2000)
    monkeypatch.setattr(imaplink, "MAX_LINES", 4000)
    monkeypatch.setattr(imaplink, "MAX_ANSWER", 4000)
    server = Imap(monkeypatch, FETCH=_FETCH)
    good, server.answers[verb] = server.answers[verb], said
    store = server.opened()

    def listed() -> list[list[Any]]:
        rows = store.messages(store.special()[Special.INBOX])
        return rows.values(rows.ids()[:1], [pr.SUBJECT, pr.MESSAGE_FLAGS])

    refused(code, listed)
    server.answers[verb] = good
    assert listed() == [["One", 1]]
    store.close()
    server.join()


def test_a_mailbox_whose_name_is_none_hides_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 5.1.3."""
    names = [
        b'"&!!!-"',
        b'"Gr&APYA3w-e"',
        b'"\xc3\xb6"',
        b'"&2D0-"',
        b"123",
        b'"a & b"',
        b'"R&-D"',
        b'""',
        b"INBOX",
    ]
    said = b"".join([b'* LIST () "/" ' + name + b"\r\n" for name in names])
    server = Imap(
        monkeypatch, LIST=said + b"@ OK done\r\n", STATUS=b"* STATUS x (MESSAGES 2)\r\n@ OK done\r\n"
    )
    store = server.opened()
    rows = store.folders(store.top)
    shown = {title for (title,) in rows.values(rows.ids(), [pr.DISPLAY_NAME])}
    assert {"123", "Größe", "INBOX", "R&D"} <= shown
    (found,) = [one for one in rows.ids() if store.folder(one)[pr.DISPLAY_NAME] == "Größe"]
    assert len(store.messages(found).ids()) == 2
    assert 'SELECT "Gr&APYA3w-e"' in server.heard
    store.close()
    server.join()


def test_what_may_have_been_done_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that a lost connection filed, or not, is not filed twice; one that was away is made anew."""
    server = Imap(monkeypatch, APPEND=b"")
    store = server.opened()
    inbox = store.special()[Special.INBOX]
    refused(Code.NETWORK_ERROR, store.add, inbox, Item(), b"Subject: One\r\n\r\n")
    assert len([one for one in server.heard if one.startswith("APPEND")]) == 1
    server.answers["NOOP"] = b""
    refused(Code.NETWORK_ERROR, store.add, inbox, Item(), b"Subject: One\r\n\r\n")
    assert len([one for one in server.heard if one.startswith("APPEND")]) == 1
    store.close()
    server.join()


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., nntp.Connection]]:
    """A connection to a server that says what it is told, whatever it hears."""
    ends: list[socket.socket] = []

    def connect(said: bytes, greeting: bytes = b"200 here\r\n200 here\r\n") -> nntp.Connection:
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        monkeypatch.setattr(socket, "create_connection", lambda *_: ours)
        theirs.sendall(greeting + said)
        theirs.shutdown(socket.SHUT_WR)
        return nntp.Connection("news", 119, context=None, starttls=False, user="", password="")

    yield connect
    for one in ends:
        one.close()


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "١", "²", "1" * 17, b"\xb2", b"1 "])
def test_article_numbers_are_digits(text: str | bytes) -> None:
    """RFC 3977 9.8: article-number = 1*16DIGIT; `int` takes much else."""
    assert nntp.number_of(text) is None


@pytest.mark.parametrize("before", [b"", b"200 here\r\n"])
def test_a_news_server_that_has_too_much_to_do_says_so(
    news: Callable[..., nntp.Connection], before: bytes
) -> None:
    """RFC 3977 3.2.1; INN says it to MODE READER, when the reader's process is started."""
    told = refused(Code.SERVER_BUSY, news, b"", before + b"400 load at 17, try later\r\n")
    assert told == "news: 400 load at 17, try later"


def test_a_news_server_for_readers_only_needs_no_mode(news: Callable[..., nntp.Connection]) -> None:
    connection = news(b"211 2 1 2 a.b\r\n", b"200 here\r\n500 what?\r\n")
    assert connection.ask("GROUP a.b", 211) == (211, "2 1 2 a.b")
    connection.close()


def test_numbers_of_a_news_server_that_are_none_are_passed_over(
    news: Callable[[bytes], nntp.Connection],
) -> None:
    listed = b"215 \r\na.b 2 1 y\r\na.c \xc2\xb2 1 y\r\na.d " + b"9" * 5000 + b" 1 y\r\na.e 2\r\n.\r\n"
    connection = news(listed + b"211 2 1 2 a.b\r\n1\r\n\r\nx\r\n-4\r\n2\r\n.\r\n211 2 1 2 a.b\r\n")
    groups = Groups(lambda: connection, "*", None)
    assert [place.path for place in groups.places()] == ["a.b"]
    assert groups.keys("a.b") == ["1", "2"]
    assert groups.marks("a.b", ["1", "²", "x"]).keys() == {"1"}
    refused(Code.NOT_FOUND, groups.message, "a.b", "1\r\nPOST")
    connection.close()


def test_an_answer_of_news_has_an_end(
    news: Callable[[bytes], nntp.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nntp, "MAX_ANSWER", 230)  # two lines of 48 bytes, as they are kept
    connection = news(b"215 \r\n" + b"x" * 48 + b"\r\n" + b"y" * 48 + b"\r\n.\r\n215 \r\n" + b"z\r\n" * 4)
    assert len(list(connection.lines("LIST", 215))) == 2
    with pytest.raises(ConnectionError):
        list(connection.lines("LIST", 215))
    for wrong in ("GROUP a\r\nQUIT", "GROUP \udc80"):
        refused(Code.INVALID_PARAMETER, connection.ask, wrong, 211)
    connection.close()


def test_what_two_programs_mark_as_read_is_kept_of_both(tmp_path: Path) -> None:
    """Lines that are none stay, in whatever bytes; a link stays a link, and the mode what it was."""
    path, link = tmp_path / "newsrc", tmp_path / "link"
    path.write_bytes(b"options -n\na.b: 1-3,x\na.c! 1-3, 5\na.d:\n\xff: 1\n:\n")
    path.chmod(0o640)
    link.symlink_to(path)
    one, two = Newsrc(link), Newsrc(path)
    assert [str(one.of(name)) for name in ("a.b", "a.c", "a.d", "a.e")] == ["", "1-3,5", "", ""]
    one.mark("a.c", [4], read=True)
    two.mark("a.d", [7, 8], read=True)
    two.mark("a.d", [8], read=False)
    path.write_bytes(path.read_bytes() + b"a.f: 1\n")
    one.mark("a.e", [1], read=True)
    assert str(one.of("a.d")) == "7"
    assert set(path.read_bytes().splitlines()) == {
        b"options -n", b"a.b: 1-3,x", b"a.c! 1-5", b"a.d: 7", b"\xff: 1", b":", b"a.e: 1", b"a.f: 1",
    }  # fmt: skip
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def test_many_who_read_news_lose_no_mark(tmp_path: Path) -> None:
    def read(start: int) -> None:
        mine = Newsrc(tmp_path / "newsrc")
        for number in range(start, 40, 4):
            mine.mark("a.b", [number], read=True)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(1, 5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert str(Newsrc(tmp_path / "newsrc").of("a.b")) == "1-39"


@pytest.fixture(autouse=True)
def few_questions_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ldap3` counts them in all connections of a process; `Directory` understands one octet of that."""
    monkeypatch.setattr(ldap3.Server, "_message_counter", 0)


class Directory:
    """A server of LDAP that answers each request with the next of what it is told, then with the last."""

    def __init__(self, *said: bytes) -> None:
        self._said = said
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            theirs, _ = self._socket.accept()
            with theirs:
                at = 0
                while heard := theirs.recv(10_000):
                    if heard == b"stop":
                        self._socket.close()
                        return
                    head = 2 + (heard[1] & 0x7F if heard[1] & 0x80 else 0)  # tag and length
                    if heard[head + 3 : head + 4] != b"\x42":  # an unbind has no answer
                        self.asked += 1
                        said = self._said[min(at, len(self._said) - 1)]
                        at += 1
                        if not said:
                            break
                        theirs.sendall(said.replace(b"@", heard[head + 2 : head + 3]))

    def opened(self) -> AddressBook:
        options = {"host": "127.0.0.1", "port": str(self.port), "tls": "no", "base": "dc=example"}
        book = registry.opened("LDAP", options).book
        assert book is not None
        return book

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as ours:
            ours.sendall(b"stop")
            self._thread.join(10)
        assert not self._thread.is_alive()


_BOUND = bytes.fromhex("300c 0201") + b"@" + bytes.fromhex("61 07 0a0100 0400 0400")


def _page(cookie: bytes) -> bytes:
    """A SearchResultDone with the control of RFC 2696."""
    value = b"\x30" + bytes([5 + len(cookie)]) + b"\x02\x01\x00\x04" + bytes([len(cookie)]) + cookie
    control = b"\x04\x161.2.840.113556.1.4.319" + b"\x04" + bytes([len(value)]) + value
    controls = b"\xa0" + bytes([2 + len(control)]) + b"\x30" + bytes([len(control)]) + control
    done = b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00"
    whole = b"\x02\x01@" + done + controls
    return b"\x30" + bytes([len(whole)]) + whole


@pytest.mark.parametrize(
    "said,code",
    [
        (b"\x30\x05\x02\x01@\x65\x00", Code.CORRUPT_DATA),
        (b"\x30\x0c\x02\x01@\x64\x07\x04\x01x\x30\x82\xff\xff", Code.CORRUPT_DATA),
        (b"", Code.NETWORK_ERROR),
    ],
)
def test_a_directory_that_answers_nonsense_is_left(
    said: bytes, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ldapbook, "TIMEOUT_S", 1)
    server = Directory(_BOUND, said)
    try:
        book = server.opened()
        refused(code, book.resolve, "ann")
        book.close()
    finally:
        server.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x30\x84\x7f\xff\xff\xff" + b"x" * 50_000,  # one message of two gigabytes
        b"\x30\x0c\x02\x01@\x64\x07\x04\x01x\x30\x02\x30\x00" * 5000,  # entries without an end
    ],
)
def test_an_answer_of_a_directory_has_an_end(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldapbook, "TIMEOUT_S", 5)
    monkeypatch.setattr(ldapbook, "MAX_ANSWER", 30_000)
    server = Directory(_BOUND, said)
    try:
        book = server.opened()
        assert "too long" in refused(Code.NETWORK_ERROR, book.resolve, "ann")
        book.close()
    finally:
        server.close()


def test_pages_of_a_directory_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 2696: a server may give fewer entries than asked, and a cookie; not for ever."""
    monkeypatch.setattr(ldapbook, "SPARSE", 5)
    server = Directory(_BOUND, _page(b"more"))
    try:
        book = server.opened()
        assert book.entries(book.first()).ids() == []
        assert 5 < server.asked < 40
        book.close()
    finally:
        server.close()
