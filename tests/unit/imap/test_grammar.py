"""The grammar as a table: a line, and the command it means or the reason it is refused (RFC 9051 9)."""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

from datetime import date

import pytest

from quintet.errors import Reason
from quintet.imap import append_commands as u
from quintet.imap import commands as c
from quintet.imap import grammar
from quintet.imap.sets import NumberSet

ONE = NumberSet(((1, 1),))
ALL = NumberSet(((1, 0),))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"a NOOP", c.Noop(b"a")),
        (b"a noop ", c.Noop(b"a")),  # a blank at the end is forgiven
        (b'a ID ( "name" NIL )', c.Id(b"a", ((b"name", None),))),  # and inside of parentheses
        (b"a STATUS x ( UNSEEN  messages  )", c.Status(b"a", b"x", (b"UNSEEN", b"MESSAGES"))),
        (b"A.1 LOGIN a]b {3}\r\nx y", c.Login(b"A.1", b"a]b", b"x y")),
        (b'a LOGIN "" ""', c.Login(b"a", b"", b"")),
        (b"a AUTHENTICATE plain", c.Authenticate(b"a", "PLAIN", None)),
        (b"a AUTHENTICATE PLAIN =", c.Authenticate(b"a", "PLAIN", b"=")),
        (b"a SELECT INBOX", c.Select(b"a", b"INBOX", read_only=False)),
        (b"a EXAMINE x (CONDSTORE)", c.Select(b"a", b"x", read_only=True, condstore=True)),
        (
            b"a SELECT x (QRESYNC (67890007 20050715194045000 41,43:211))",
            c.Select(
                b"a", b"x", read_only=False,
                resync=c.Resync(67890007, 20050715194045000, NumberSet(((41, 41), (43, 211)))),
            ),
        ),
        (
            b"a SELECT x (QRESYNC (1 2 (1 3)))",
            c.Select(b"a", b"x", read_only=False, resync=c.Resync(1, 2, None, ONE, NumberSet(((3, 3),)))),
        ),
        (b"a CREATE x (USE (\\Sent))", c.Create(b"a", b"x", (b"\\Sent",))),
        (b"a UNSUBSCRIBE x", c.Subscribe(b"a", b"x", wanted=False)),
        (b'a LIST "" *', c.List(b"a", b"", (b"*",))),
        (
            b'a LIST (SUBSCRIBED) "" (a b%) RETURN (CHILDREN STATUS (MESSAGES))',
            c.List(
                b"a", b"", (b"a", b"b%"), frozenset((b"SUBSCRIBED",)), frozenset((b"CHILDREN",)), (b"MESSAGES",),
                extended=True,
            ),
        ),
        (b"a STATUS x (UNSEEN messages)", c.Status(b"a", b"x", (b"UNSEEN", b"MESSAGES"))),
        (
            b'a APPEND x (\\Seen a) "17-Jul-1996 02:44:25 -0700" {310}',
            c.Append(
                b"a", b"x", u.Stretch((u.Begin((b"\\Seen", b"a"), 837596665000),), u.Literal(u.Holds.MESSAGE, 310, True))
            ),
        ),
        (
            b"a APPEND x UTF8 (~{5+}",
            c.Append(
                b"a", b"x",
                u.Stretch((u.Begin((), None),), u.Literal(u.Holds.MESSAGE, 5, False, binary=True, utf8=True)),
            ),
        ),
        (
            b'a APPEND x CATENATE (URL "/a;UIDVALIDITY=2/;UID=1" TEXT {3}',
            c.Append(
                b"a", b"x",
                u.Stretch(
                    (u.Begin((), None, catenate=True), u.FromUrl(b"/a;UIDVALIDITY=2/;UID=1")),
                    u.Literal(u.Holds.TEXT, 3, True),
                ),
            ),
        ),
        (
            b"a uid replace * x CATENATE (URL y URL z) ",
            c.Replace(
                b"a", b"x",
                u.Stretch(
                    (u.Begin((), None, catenate=True), u.FromUrl(b"y"), u.FromUrl(b"z"), u.End()), None
                ),
                True, NumberSet(((0, 0),)),
            ),
        ),
        (b"a UID EXPUNGE 1", c.Expunge(b"a", ONE)),
        (b"a STORE 1 +FLAGS.SILENT (\\Seen)", c.Store(b"a", False, ONE, "+", (b"\\Seen",), silent=True)),
        (b"a STORE 1 FLAGS x y", c.Store(b"a", False, ONE, "=", (b"x", b"y"))),
        (
            b"a UID STORE $ (UNCHANGEDSINCE 0) -FLAGS ()",
            c.Store(b"a", True, NumberSet(saved=True), "-", (), unchanged_since=0),
        ),
        (b"a UID MOVE 1:* x", c.Copy(b"a", True, ALL, b"x", move=True)),
        (b"a FETCH 1 FLAGS", c.Fetch(b"a", False, ONE, (c.Item(b"FLAGS"),))),
        (b"a UID FETCH 1 (FLAGS)", c.Fetch(b"a", True, ONE, (c.Item(b"UID"), c.Item(b"FLAGS")))),
        (
            b"a FETCH 1 body.peek[4.2.Header.Fields (To {2}\r\nCc)]<0.9>",
            c.Fetch(
                b"a", False, ONE,
                (
                    c.Item(
                        b"BODY[", c.Section((4, 2), b"HEADER.FIELDS", (b"To", b"Cc")), (0, 9), True,
                        b"BODY[4.2.HEADER.FIELDS (To Cc)]<0>",
                    ),
                ),
            ),
        ),
        (
            b"a FETCH 1 (FLAGS) (CHANGEDSINCE 9)",
            c.Fetch(b"a", False, ONE, (c.Item(b"FLAGS"), c.Item(b"MODSEQ")), 9),
        ),
        (b"a SEARCH ALL", c.Search(b"a", False, c.Everything())),
        (
            b'a SEARCH RETURN () CHARSET "x" SINCE "1-Feb-1994" 1',
            c.Search(
                b"a", False,
                c.And((c.Dated(c.When.RECEIVED, c.Compare.FROM, date(1994, 2, 1)), c.Numbered(ONE, uid=False))),
                b"x", frozenset((b"ALL",)),
            ),
        ),
        (
            b"a SEARCH NOT OR SEEN (TO x)",
            c.Search(b"a", False, c.Not(c.Or(c.HasFlag(1), c.InHeader(b"To", b"x")))),
        ),
        (b"done", c.Done(b"")),
    ],
)  # fmt: skip
def test_lines_that_mean_something(line: bytes, command: c.Command) -> None:
    assert grammar.parse(line) == command
    assert grammar.parse(line) == command  # what is remembered means the same


def test_what_is_remembered_is_told_with_the_tag_of_each() -> None:
    grammar._remembered.cache_clear()
    for tag in (b"t1", b"T.2", b"t9"):
        assert grammar.parse(tag + b" SEARCH UNSEEN") == c.Search(tag, False, c.Not(c.HasFlag(1)))
        with pytest.raises(grammar.BadCommand) as caught:
            grammar.parse(tag + b" STATUS x")
        assert caught.value.tag == tag
    with pytest.raises(grammar.BadCommand) as caught:
        grammar.parse(b"a(b SEARCH UNSEEN")
    assert caught.value.tag == b"*"


def test_no_secret_is_remembered() -> None:
    grammar._remembered.cache_clear()
    for line in (b"a LOGIN ann secret", b"a login ann secret", b"a AUTHENTICATE PLAIN c2VjcmV0"):
        grammar.parse(line)
    assert grammar._remembered.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("line", "tag", "reason"),
    [
        (b"", b"*", Reason.SYNTAX),
        (b"a", b"a", Reason.SYNTAX),
        (b"a FOO", b"a", Reason.UNKNOWN_COMMAND),
        (b"a UID NOOP", b"a", Reason.UNKNOWN_COMMAND),
        (b"+a NOOP", b"*", Reason.SYNTAX),
        (b"a(b NOOP", b"*", Reason.SYNTAX),
        (b"a NOOP x", b"a", Reason.SYNTAX),
        (b"a LOGIN x", b"a", Reason.SYNTAX),
        (b'a LOGIN "x y', b"a", Reason.SYNTAX),
        (b"a LOGIN \xff x", b"a", Reason.SYNTAX),
        (b"a SELECT x (FOO)", b"a", Reason.SYNTAX),
        (b"a CREATE x (FOO (x))", b"a", Reason.SYNTAX),
        (b'a LIST "" ()', b"a", Reason.SYNTAX),
        (b'a LIST (RECURSIVEMATCH) "" x', b"a", Reason.SYNTAX),
        (b"a STATUS x", b"a", Reason.SYNTAX),
        (b"a APPEND x", b"a", Reason.SYNTAX),
        (b"a APPEND x {9999999999999999999}", b"a", Reason.SYNTAX),
        (b"a APPEND x (\\Seen", b"a", Reason.SYNTAX),
        (b"a STORE 1 GLAGS ()", b"a", Reason.SYNTAX),
        (b"a FETCH 0 FLAGS", b"a", Reason.SYNTAX),
        (b"a FETCH 1 ()", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[0]", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[1.]", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[FOO]", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[HEADER.FIELDS ()]", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[]<1>", b"a", Reason.SYNTAX),
        (b"a FETCH 1 (FLAGS) (VANISHED CHANGEDSINCE 1)", b"a", Reason.SYNTAX),
        (b"a FETCH 1 BODY[" + b"1." * 120 + b"1]", b"a", Reason.TOO_MANY),
        (b"a SEARCH", b"a", Reason.SYNTAX),
        (b"a SEARCH CHARSET x", b"a", Reason.SYNTAX),
        (b"a SEARCH " + b"(" * 110 + b"ALL" + b")" * 110, b"a", Reason.TOO_MANY),
        (b"a SEARCH " + b"NOT " * 3000 + b"ALL", b"a", Reason.TOO_MANY),
        (b"a SEARCH" + b" ALL" * 3000, b"a", Reason.TOO_MANY),
        (b"a SEARCH OLDER 0", b"a", Reason.SYNTAX),
        (b"a ID (" + b" ".join(b'"n%d" "b"' % n for n in range(31)) + b")", b"a", Reason.TOO_MANY),
    ],
)
def test_lines_that_do_not(line: bytes, tag: bytes, reason: Reason) -> None:
    with pytest.raises(grammar.BadCommand) as caught:
        grammar.parse(line)
    assert (caught.value.tag, caught.value.reason) == (tag, reason)
