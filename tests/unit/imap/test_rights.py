"""Rights in every command (RFC 4314 4): with those that it needs it is done, without any one it is refused.

One table: the command, the rights that it needs in somebody else's mailbox, and how it ends without each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.imap import grammar, session
from quintet.net.memory import Talk
from quintet.store import access
from tests.unit.imap.world import World, open_world

BOX = "Users/bob@example.org/Box"
MESSAGE = "{16+}\r\nSubject: x\r\n\r\nhi"
NOT_ITS = "OK"  # it is carried out, and passes over what is not allowed


@dataclass(frozen=True)
class Row:
    command: str
    needs: str  # each is necessary, all together are enough
    selected: bool = False  # Box is selected before (with "lr" besides)
    without: str = "NO"  # how it ends without one of them


ROWS = [
    Row(f"SELECT {BOX}", "r"),
    Row(f"EXAMINE {BOX}", "r"),
    Row(f"STATUS {BOX} (MESSAGES)", "r"),
    Row(f"SUBSCRIBE {BOX}", "l"),
    Row(f"CREATE {BOX}/new", "k"),
    Row(f"DELETE {BOX}", "x"),
    Row(f"RENAME {BOX}/low {BOX}/lower", "xk"),
    Row(f"APPEND {BOX} {MESSAGE}", "i"),
    Row(f"SETACL {BOX} carol@example.org lr", "a"),
    Row(f"DELETEACL {BOX} carol@example.org", "a"),
    Row(f"GETACL {BOX}", "a"),
    Row(f"LISTRIGHTS {BOX} carol@example.org", "a"),
    Row(f"GETQUOTAROOT {BOX}", "r"),
    Row(f'SETMETADATA {BOX} (/shared/comment "x")', "w"),
    Row("STORE 1 +FLAGS (\\Seen)", "s", selected=True),
    Row("STORE 1 +FLAGS (\\Deleted)", "t", selected=True),
    Row("STORE 1 +FLAGS (\\Flagged)", "w", selected=True),
    Row("STORE 1 +FLAGS ($Work)", "w", selected=True),
    Row('STORE 1 ANNOTATION (/comment (value.shared "x"))', "n", selected=True),  # RFC 5257 3.4
    Row(f'APPEND {BOX} ANNOTATION (/comment (value.shared "x")) {MESSAGE}', "in"),
    Row(f'APPEND {BOX} ANNOTATION (/comment (value.priv "x")) {MESSAGE}', "ir"),
    Row("EXPUNGE", "e", selected=True),
    Row("UID EXPUNGE 1", "e", selected=True),
    Row("CLOSE", "e", selected=True, without=NOT_ITS),
    Row("MOVE 1 INBOX", "te", selected=True),
    Row("UID MOVE 1 INBOX", "te", selected=True),
    Row(f"COPY 1 {BOX}", "i", selected=True),
    Row(f"REPLACE 1 {BOX} {MESSAGE}", "tei", selected=True),
    Row("FETCH 1 BODY[]", "s", selected=True, without=NOT_ITS),
]

# Commands that need no right in a mailbox, or are in no table because they only touch the client's own.
FREE = frozenset(
    b"CAPABILITY NOOP LOGOUT ID STARTTLS AUTHENTICATE LOGIN ENABLE LIST LSUB NAMESPACE IDLE CHECK UNSELECT"
    b" UNSUBSCRIBE COMPARATOR COMPRESS LANGUAGE RLIST RLSUB UNAUTHENTICATE XLIST CONVERSIONS".split()
)
# In dialogues of their own: MYRIGHTS and GETMETADATA want any of many; quotas are administrators'; of URLs
# the owner alone disposes (RFC 4467 7); a mailbox that is selected may be read.
ELSEWHERE = frozenset(
    b"MYRIGHTS GETMETADATA GETQUOTA SETQUOTA GENURLAUTH URLFETCH RESETKEY SEARCH SORT THREAD CANCELUPDATE"
    b" ESEARCH NOTIFY CONVERT UIDBATCHES".split()
)


async def grant(world: World, letters: str) -> None:
    for name in ("Box", "Box/low"):
        await world.store.write(access.grant, world.folder(name, "bob").id, "alice@example.org", letters)


async def end(world: World, row: Row, letters: str) -> str:
    """How the row's command ends for who has these rights."""
    await grant(world, letters)
    talk = Talk(world.service)
    await talk.begin()
    await talk.send(b"in LOGIN alice@example.org demo\r\n")
    if row.selected:
        await talk.send(f"in SELECT {BOX}\r\n".encode())
        assert b"in OK [READ-" in talk.take()
    talk.take()
    await talk.send(f"x {row.command}\r\n".encode())
    answer = talk.take()
    await talk.end()
    last = answer.rstrip().splitlines()[-1]
    assert last.startswith(b"x "), answer
    return last.decode()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command.split("{")[0])
async def test_a_command_needs_its_rights(row: Row, tmp_path: Path) -> None:
    base = "lr" if row.selected else "l"
    for missing in ["", *row.needs]:
        async with open_world(tmp_path / f"without{missing}") as world:
            await world.given("folder Box of bob")
            await world.given("folder Box/low of bob")
            await world.given("Box with 1 messages of bob")
            if missing:
                everything = "".join(letter for letter in access.ALL if letter != missing)
                told = await end(world, row, everything)
                assert told.startswith(f"x {row.without}"), (missing, told)
                if row.without == "NO" and missing != "l":
                    assert "[NOPERM]" in told
                    hidden = "".join(letter for letter in everything if letter != "l")
                    if not row.selected:  # to who may not even look it up it is not there
                        told = await end(world, row, hidden)
                        assert "[NONEXISTENT]" in told or "[TRYCREATE]" in told, told
            else:
                told = await end(world, row, base + row.needs)
                assert told.startswith("x OK"), told


async def test_close_and_fetch_pass_over_what_is_not_allowed(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data") as world:
        await world.given("folder Box of bob")
        await world.given("folder Box/low of bob")
        await world.given("Box with 2 messages of bob")
        await end(world, Row("STORE 1 +FLAGS (\\Deleted)", "", selected=True), "lrt")
        await end(world, Row("CLOSE", "", selected=True), "lrt")
        assert world.folder("Box", "bob").messages == 2
        await end(world, Row("FETCH 2 BODY[]", "", selected=True), "lrwt")
        await end(world, Row("FETCH 2 BODY[]", "", selected=True), "lrwt")
        talk = Talk(world.service)
        await talk.begin()
        await talk.send(f"a LOGIN alice@example.org demo\r\na STATUS {BOX} (UNSEEN)\r\n".encode())
        assert b"UNSEEN 2" in talk.take()
        await talk.end()


def test_every_command_is_in_a_table() -> None:
    """A new command states its rights here."""
    assert {len(session.RULES)} and len(grammar.COMMANDS) >= len(FREE)
    told = {row.command.removeprefix("UID ").split(" ")[0].encode() for row in ROWS}
    named = {name.removeprefix(b"UID ") for name in grammar.COMMANDS}
    assert named - told - FREE - ELSEWHERE == set()
