"""Any command in any state, sensible or not: an answer with its tag, never an internal error."""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from pathlib import Path

import pytest

from quintet import metrics
from quintet.net.memory import Talk
from tests.unit.imap.world import open_world

NUMBERS = ("1", "2:3", "1:*", "*", "7", "0", "3,1", "$", "5:4294967295", "x")
NAMES = (
    "INBOX", "Drafts", "a/b", '"a b"', "Groups/local.test", "Groups/none", "Groups", "Users/bob@example.org/INBOX",
    "Users/", "nowhere", "&U,BTFw-", "&AEE-", '""', "a//b", "{3+}\r\nabc", '"*"', "INBOX/x", "a/", "Users/nobody/x",
)  # fmt: skip
ITEMS = (
    "FLAGS", "ALL", "FULL", "(UID MODSEQ)", "BODY[]", "BODY[1]<0.5>", "BODY.PEEK[HEADER.FIELDS (Subject)]",
    "(BODY[TEXT] BINARY[1] BINARY.SIZE[1])", "BODY[1.1.MIME]", "RFC822", "(EMAILID THREADID SAVEDATE)", "BODY[9]",
    "BODY[HEADER]<9999999999.1>", "FLAGS (CHANGEDSINCE 3)", "FLAGS (CHANGEDSINCE 3 VANISHED)", "(FLAGS", "BINARY[]",
)  # fmt: skip
KEYS = (
    "ALL", "UNSEEN", "OR SEEN FROM zoe", "NOT BODY letter", "SENTON 21-Nov-2025", "MODSEQ 5", "UID 2:*", "$",
    "HEADER X \"\"", "TEXT {2+}\r\n\xff\xfe", "CHARSET utf-7 TO x", "CHARSET none TO x", "OLDER 5", "RETURN (SAVE) SEEN",
    "RETURN (MIN MAX ALL COUNT) 1:3", "(((DELETED)))", "EMAILID M5", "KEYWORD \\Seen", "LARGER 9999999999999", "",
)  # fmt: skip
COMMANDS = (
    "NOOP", "CAPABILITY", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "NAMESPACE", "IDLE", "LOGIN alice@example.org demo",
    "LOGIN x y", "SELECT {name}", "EXAMINE {name}", "SELECT {name} (CONDSTORE)", "SELECT {name} (QRESYNC (1 2 1:9))",
    "SELECT INBOX", "SELECT Groups/local.test", "CREATE {name}", "DELETE {name}", "RENAME {name} {name}",
    "SUBSCRIBE {name}", "UNSUBSCRIBE {name}", "SETACL {name} bob@example.org +lrx", "DELETEACL {name} anyone", "GETACL {name}",
    "MYRIGHTS {name}", "LISTRIGHTS {name} -bob@example.org", "GETMETADATA {name} (/shared/comment)", "GETQUOTAROOT {name}",
    "SETMETADATA {name} (/private/a NIL /shared/b \"x\")", "GETMETADATA (DEPTH infinity) {name} /private", "GETQUOTA {name}",
    "LIST \"\" * RETURN (MYRIGHTS METADATA (/shared/b))", "SETQUOTA {name} (STORAGE 5)", 'LIST "" {name}', 'LIST {name} %', 'LIST "" * RETURN (STATUS (SIZE UNSEEN))',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN)', 'LSUB "" *', "STATUS {name} (MESSAGES UNSEEN RECENT)",
    "ENABLE CONDSTORE", "ENABLE QRESYNC", "ENABLE IMAP4rev2", "ENABLE UTF8=ACCEPT", "ID NIL",
    "APPEND {name} {{6+}}\r\na: b\r\n", "APPEND {name} (\\Seen) {{0+}}\r\n", "APPEND {name} {{9999999999}}",
    "{uid}FETCH {set} {items}", "{uid}FETCH {set} {items}", "{uid}STORE {set} +FLAGS (\\Deleted $x)",
    "{uid}STORE {set} (UNCHANGEDSINCE 5) FLAGS.SILENT ()", "{uid}COPY {set} {name}", "{uid}MOVE {set} {name}",
    "{uid}SEARCH {key}", "{uid}SEARCH {key}", "{uid}SORT (REVERSE DATE SUBJECT) UTF-8 {key}", "{uid}THREAD REFS UTF-8 {key}",
    "{uid}SORT RETURN (UPDATE COUNT) (ARRIVAL) UTF-8 {key}", "{uid}THREAD REFERENCES UTF-8 {key}", "CANCELUPDATE a1",
    "ESEARCH IN (mailboxes {name} subtree {name}) {key}", "{uid}SEARCH RETURN (PARTIAL 1:3 UPDATE) {key}",
    "{uid}SEARCH FUZZY TEXT letter", "{uid}FETCH {set} FLAGS (PARTIAL -1:-2)", "UID EXPUNGE {set}", "FROBNICATE", "AUTHENTICATE PLAIN =", "STARTTLS",
)  # fmt: skip


def write(rng: random.Random) -> str:
    return rng.choice(COMMANDS).format(
        name=rng.choice(NAMES),
        set=rng.choice(NUMBERS),
        items=rng.choice(ITEMS),
        key=rng.choice(KEYS),
        uid=rng.choice(("", "UID ")),
    )


def bugs() -> float:
    return sum(sample.value for each in metrics.BUGS.collect() for sample in each.samples)


@pytest.mark.parametrize("seed", range(8))
async def test_any_command_in_any_state(seed: int) -> None:
    rng = random.Random(seed)
    before = bugs()
    with tempfile.TemporaryDirectory() as folder:
        async with open_world(Path(folder) / "data", people=("alice", "bob")) as world:
            await world.given("option max_errors 100000")
            await world.given("group local.test with 3 articles")
            await world.given("INBOX of bob grants alice lrswit")
            await world.fill("INBOX", 6)
            await world.fill("INBOX", 2, "bob")
            talks = [Talk(world.service, identity=f"c{n}") for n in range(2)]
            for talk in talks:
                await talk.begin()
            async with asyncio.timeout(60):
                for count in range(400):
                    talk = rng.choice(talks)
                    if count == 40:
                        await talks[0].send(b"in LOGIN alice@example.org demo\r\n")
                        await talks[1].send(b"in LOGIN bob@example.org demo\r\n")
                    talk.take()
                    text = write(rng)
                    await talk.send(b"t%d %b\r\n" % (count, text.encode("latin-1")), rng.choice((3, 10_000)))
                    if "IDLE" in text:
                        await talk.send(b"DONE\r\n")
                    answer = talk.take()
                    if talk.over:
                        talks.remove(talk)
                        talks.append(Talk(world.service, identity=f"n{count}"))
                        await talks[-1].begin()
                        await talks[-1].send(b"in LOGIN alice@example.org demo\r\n")
                        continue
                    assert re.search(rb"(^|\r\n)(t%d|\*) (OK|NO|BAD) " % count, answer), (text, answer)
                    assert b"SERVERBUG" not in answer, (text, answer)
            for talk in talks:
                await talk.end()
    assert bugs() == before
