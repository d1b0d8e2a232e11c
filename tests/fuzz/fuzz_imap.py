"""IMAP's framing and grammar on hostile bytes: only the families come out, whatever the chunking.

Run by ``python -m tools.fuzz imap``, or alone: ``python tests/fuzz/fuzz_imap.py --seconds 60``.
"""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a file: the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from quintet.errors import BadSyntax, Hangup, Problem
from quintet.imap import commands, matching, names, sets, utf7
from quintet.imap.grammar import BadCommand
from quintet.imap.wire import Wire
from quintet.net.seam import Need

SEEDS = [
    b"a1 LOGIN {5}\r\nalice {4+}\r\ndemo\r\na2 SELECT INBOX (QRESYNC (1 2 1:3 (1,2 3,4)) CONDSTORE)\r\nDONE\r\n",
    b"a FETCH 1:*,2 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS.NOT (a {1}\r\nb)]<1.2> BINARY.SIZE[1]) (CHANGEDSINCE 1)\r\n",
    b'b UID SEARCH RETURN (MIN SAVE) CHARSET utf-8 OR (NOT 1:2 BODY "x\\"") UNDELETED MODSEQ "/f" all 7\r\n',
    b'c APPEND {3+}\r\nabc (\\Seen x) "17-Jul-1996 02:44:25 -0700" UTF8 (~{10+}\r\n0123456789)\r\n',
    b'd LIST (SUBSCRIBED RECURSIVEMATCH) "" (a% "b*") RETURN (STATUS (MESSAGES SIZE) CHILDREN)\r\n',
    b'e UID STORE $ (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Deleted $a)\r\nf ID ("a" NIL)\r\ng AUTHENTICATE PLAIN =\r\n',
    b'j1 SETACL INBOX "-a" +lrd\r\nj2 DELETEACL {1+}\r\na b\r\nj3 GETACL x\r\nj4 LISTRIGHTS x -y\r\nj5 MYRIGHTS x\r\n',
    b'k1 SETMETADATA "" (/private/a {1+}\r\nb /shared/vendor/x/y ~{1+}\r\n\0)\r\nk2 GETMETADATA (DEPTH 1 MAXSIZE 5) a (/shared/b)\r\n',
    b'k3 GETQUOTA "#user/x"\r\nk4 GETQUOTAROOT x\r\nk5 SETQUOTA {1+}\r\na (STORAGE 5 x 7)\r\nk6 LIST "" * RETURN (METADATA (/shared/a))\r\n',
    b'k ESEARCH IN (mailboxes (a "b") subtree-one c personal) RETURN (COUNT PARTIAL -1:-9) FUZZY SUBJECT "x y"\r\n',
    b"l UID SORT RETURN (UPDATE (FLAGS BODY[TEXT]) RELEVANCY) (REVERSE DATE RELEVANCY) utf-8 FUZZY (TEXT a OR ALL 1:*) FILTER f\r\n",
    b'm THREAD REFS us-ascii NOT (SEEN 2)\r\nn CANCELUPDATE "l" k\r\no UID FETCH 1:* (UID) (PARTIAL 1:5)\r\n',
    b'p LANGUAGE de-AT {2+}\r\nfr\r\nq COMPARATOR "i;*" default\r\nr COMPRESS DEFLATE\r\ns UNAUTHENTICATE\r\nt RLIST "" a*\r\nu RLSUB x %\r\nv XLIST "" *\r\n',
    b"w1 SELECT x (ANNOTATE)\r\nw2 STORE 1 (UNCHANGEDSINCE 4) ANNOTATION (/comment (value.priv ~{2+}\r\na\0 value.shared NIL))\r\n",
    b'w3 FETCH 1 (ANNOTATION ((/* /1.2/comment) (value size.priv)) BODY[])\r\nw4 SEARCH ANNOTATION /c% value "x" NOT ANNOTATION * value.priv NIL\r\n',
    b"w5 SORT (REVERSE ANNOTATION /altsubject value.shared DATE) UTF-8 ALL\r\nw6 APPEND x ANNOTATION (/c (value.priv {1+}\r\na)) {3+}\r\n",
    b"h CREATE &U,BTFw-/&ZeVnLIqe- (USE (\\Sent))\r\ni ENABLE CONDSTORE IMAP4rev2\r\nj LOGIN {99999+}\r\n",
]


def frames(data: bytes, step: int) -> list[Any]:
    """What comes out of a wire fed in pieces of ``step`` bytes."""
    wire = Wire()
    found: list[Any] = []
    try:
        for at in range(0, len(data), step):
            wire.feed(data[at : at + step])
            while True:
                try:
                    command = wire.next()
                except BadCommand as error:
                    found.append((error.tag, error.reason))
                    continue
                if command is Need.DATA:
                    break
                if command is Need.LITERAL:
                    continue
                found.append(command)
                if isinstance(command, commands.Append):
                    return found  # its literal is the handler's business
    except Hangup as error:
        found.append(error.reason)
    return found


def target(data: bytes) -> None:
    """One input."""
    found = frames(data, 1 << 20)
    assert found == frames(data, 1 + (data[0] if data else 0) % 13)
    for command in found:
        if isinstance(command, commands.Searching):
            _search(command)
        elif isinstance(command, commands.Fetch | commands.Store | commands.Copy):
            assert all(low <= high for low, high in command.numbers.resolve(10))
        elif isinstance(command, commands.List):
            for pattern in command.patterns:
                _names(pattern)
    try:
        name = utf7.decode(data)
    except BadSyntax:
        return
    assert utf7.encode(name) == data


def _search(command: commands.Searching) -> None:
    context = matching.Context(command.charset, 0, lambda numbers, _: numbers.resolve(9), lambda _: False)
    try:
        matching.require(command.key, context)
    except Problem:
        return
    assert sets.contains([(1, 1)], 1)


def _names(pattern: bytes) -> None:
    for utf8 in (True, False):
        try:
            text = names.decode(pattern, utf8=utf8)
            names.matches(text, "INBOX/some/name")
            names.check(text)
        except Problem:
            continue


if __name__ == "__main__":
    import argparse

    from tools import fuzz

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    try:
        fuzz.run_guided("imap", seconds)
    except ImportError:  # no atheris: random mutations
        tried = fuzz.run_random("imap", seconds)
        print(f"fuzz imap: {abs(tried)} inputs, {'a finding' if tried < 0 else 'clean'}")
        sys.exit(tried < 0)
