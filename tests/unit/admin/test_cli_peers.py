"""`quintet peer`: blocks, what INN needs, a test connection, the backlog."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin import peerblock
from quintet.admin.cli import common
from quintet.config import root
from quintet.config.peers import Peer
from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, configured(tmp_path))
    return Shell(tmp_path, capsys)


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(
    st.builds(
        Peer,
        name=words.filter(bool),
        addresses=st.lists(words, max_size=3).map(tuple),
        accept=words,
        streaming=st.booleans(),
        host=words,
        send=words,
        max_size=st.integers(0, 10**9),
        delay_s=st.floats(0, 1e6).map(lambda value: round(value, 2)),
    )
)
def test_a_block_is_read_back_as_the_same_peer(peer: Peer) -> None:
    assert root.from_text(peerblock.block(peer)).nntp.peer == (peer,)


def test_add_shows_both_sides(shell: Shell) -> None:
    out = shell("peer", "add", "news.example.org", "--host", "192.0.2.7", "--send", "comp.*,!comp.os.*")
    assert 'name = "news.example.org"' in out
    assert "/" in out
    assert "incoming.conf" in out
    assert 'patterns: "comp.*,!comp.os.*"' in out
    assert ":*:Tm:innfeed!" in out
    assert "#   innfeed!:!*:Tc,Wnm*:innfeed\n" in out
    (row,) = shell.json("peer", "list")
    assert row["feeds"] == "192.0.2.7:119"
    assert row["sends_from"] == "192.0.2.7"
    shell("peer", "add", "news.example.org", code=common.Exit.CONFIG)
    assert "there is another peer" in shell.err
    assert len(shell.json("peer", "list")) == 1
    shell("peer", "show", "nobody", code=1)
    shown = shell.json("peer", "show", "news.example.org")
    assert shown["block"].startswith("[[nntp.peer]]")


def test_a_password_is_not_shown(shell: Shell) -> None:
    shell("peer", "add", "a", "--host", "192.0.2.7", "--user", "us", "--password", "very secret")
    assert "very secret" not in shell("peer", "show", "a")


def test_backlog_needs_a_name_to_change_it(shell: Shell) -> None:
    shell("peer", "backlog", "--drop", code=common.Exit.USAGE)
    assert shell("peer", "backlog") == "no feeds yet\n"
    shell("peer", "add", "a", "--host", "192.0.2.7")
    shell("peer", "backlog", "a", "--drop")


def _tested(shell: Shell, *answers: bytes, code: int = 0) -> str:
    """What `peer test` says of a server with these answers, one to each line; "%b" is its second word."""
    import socket

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"200 hello\r\n")
            for answer in answers:
                words = [*lines.readline().split(), b""]
                connection.sendall(answer.replace(b"%b", words[1]) + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        shell("peer", "add", "a", "--host", "127.0.0.1", "--port", str(port))
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        out = shell("peer", "test", "a", code=code)
        thread.join(10)
    return out


def test_a_test_goes_step_by_step(shell: Shell) -> None:
    out = _tested(shell, b"203 stream", b"238 %b", b"205 bye")
    assert out.splitlines()[-1] == "It takes articles from us."
    assert "MODE STREAM: 203 stream" in out
    assert ": wanted" in out
    shell("peer", "test", "a", code=common.Exit.LATER)
    assert "cannot connect" in shell.err


@pytest.mark.parametrize("refusal", [b"480 Authentication required", b"502 Not for you", b"500 What?"])
def test_a_server_that_knows_us_as_no_peer_is_told_from_one_that_wants_nothing(
    shell: Shell, refusal: bytes
) -> None:
    """RFC 3977 3.2.1: these come before anybody looks at what IHAVE offers."""
    out = _tested(shell, b"501 no", refusal, b"205 bye", code=common.Exit.LATER)
    assert refusal.decode() in out.splitlines()[-1]
    assert "it knows us as no peer; `quintet peer show a`" in shell.err


def test_a_server_that_wants_tls_first_is_told(shell: Shell) -> None:
    """RFC 4643 2.2."""
    _tested(shell, b"483 no", b"483 Encryption required", b"205 bye", code=common.Exit.LATER)
    assert "it wants TLS first" in shell.err


def test_a_server_without_streaming_is_offered_an_article(shell: Shell) -> None:
    out = _tested(shell, b"501 no", b"335 go on", b"437 empty", b"205 bye")
    assert out.splitlines()[-1] == "It takes articles from us."


@pytest.mark.parametrize("kind", ["none", "opportunistic", "starttls", "implicit"])
def test_tls_words_are_those_of_the_configuration(shell: Shell, kind: str) -> None:
    shell("peer", "add", "a", "--host", "192.0.2.7", "--tls", kind, "--dry-run")
    assert shell.json("peer", "list") == []
