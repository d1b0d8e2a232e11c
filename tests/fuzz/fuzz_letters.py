"""Bytes into the readers of APPEND (CATENATE), relative URLs and CONVERT, and into its conversions."""

import contextlib

from quintet.errors import BadSyntax
from quintet.imap import append_grammar, convert_grammar
from quintet.imap.append_commands import Begin, End, Holds, Literal
from quintet.imap.tokens import Cursor
from quintet.message import convert, imapurl
from quintet.message.digest import Part

SEEDS = [
    b' (\\Seen) "17-Jul-1996 02:44:25 -0700" CATENATE (URL "/a;UIDVALIDITY=3/;UID=20/;section=1" TEXT {4}',
    b") UTF8 (~{5+}",
    b' (\\Seen) ANNOTATION (/comment (value.priv "a" value.shared NIL) /1.2/flags/seen (value.priv {1}',
    b' URL {7+}\r\n;UID=20 URL "x") (a) {9}',
    b' 1:2 ("a/b" ("charset" "x" "y" "?")) (BINARY[1.2]<0.9> BODY[1.MIME])',
    b"/;UID=20/;SECTION=HEADER.FIELDS%20(A)/;PARTIAL=0.9",
    b"<html><p>Gr\xfc\xdf &amp; e</p><br>\x1e<td>two </td><script>x",
]
LISTED = (Holds.TEXT, Holds.URL)
BEFORE = (None, *(Literal(kind, 1, False, utf8=utf8) for kind in Holds for utf8 in (False, True)))


def target(data: bytes) -> None:
    for before in BEFORE:
        with contextlib.suppress(BadSyntax):
            found = append_grammar.stretch(Cursor(data), before)
            opened = before is not None and before.holds in LISTED
            for step in found.steps:  # lists open and close in turn
                assert opened is not isinstance(step, Begin)
                opened = step.catenate if isinstance(step, Begin) else opened and not isinstance(step, End)
            if found.literal is None:
                assert not opened
            else:
                assert opened is (found.literal.holds in LISTED)
    for uid in (False, True):
        with contextlib.suppress(BadSyntax):
            assert convert_grammar.convert(Cursor(data), b"a", uid=uid).items
    for read in (convert_grammar.conversions, convert_grammar.batches):
        with contextlib.suppress(BadSyntax):
            read(Cursor(data), b"a")
    with contextlib.suppress(BadSyntax):
        url = imapurl.relative(data.decode("latin-1"), "a/b")
        assert url.mailbox
        assert not url.access
    _convert(data)


def _convert(data: bytes) -> None:
    """All of it in the charset that was asked for, and plain text the same in every chunking."""
    for subtype in ("plain", "html"):
        charset = ((b"charset", b"iso-8859-1"),)
        part = Part(
            "text", subtype, charset, None, None, "8bit", None, (), None, None, None, 0, 0, 0, 0, (), None
        )
        how = convert.plan(part, "", ((convert.CHARSET, "us-ascii"), (convert.REPLACEMENT, "?")))
        whole, pieces = convert.Converter(how), convert.Converter(how)
        text = whole.feed(data) + whole.finish()
        assert text.isascii()
        if (
            subtype == "html"
        ):  # where a tag or an entity is damaged, what it was taken for depends on the pieces
            continue
        assert (
            text
            == b"".join([pieces.feed(data[at : at + 3]) for at in range(0, len(data), 3)]) + pieces.finish()
        )
