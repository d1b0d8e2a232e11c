"""The usual APPEND is read by one expression, and means what it means token by token (RFC 9051 6.3.12)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quintet.imap import append_grammar, commands, grammar

PIECES = (
    b"a1", b" ", b" APPEND ", b" append ", b"INBOX", b'"INBOX"', b'"a b"', b"Sent/2025", b'"', b" (", b"(",
    b")", b"\\Seen", b"\\", b"$Work", b"\\*", b"() ", b"( ", b" {5}", b" {5+}", b" {05+}",
    b" {99999999999999999999+}", b" ~{5}", b"+", b"*", b"{", b"%", b"\xe4", b"\x00",
    b'"17-Jul-1996 02:44:25 -0700"', b" CATENATE (",
)  # fmt: skip
pieces = st.sampled_from(PIECES)
likely = st.tuples(
    st.sampled_from((b"a1", b"+", b"", b"A.b-c", b"\xe4")),
    st.sampled_from((b" APPEND ", b" append ", b"  APPEND ", b" APPENDX ")),
    st.sampled_from((b"INBOX", b'"INBOX"', b'"INBOX', b"a/b", b"a b", b"&AOQ-", b"*")),
    st.lists(st.sampled_from((b"\\Seen", b"\\seen", b"$a", b"b", b"\\", b"", b"\\*", b"]")), max_size=3)
    .map(b" ".join)
    .map(lambda words: b" (%b)" % words)
    | st.just(b""),
    st.sampled_from((b" {5}", b" {5+}", b"{5+}", b" {}", b" ~{5+}", b" {123456789012345678+}", b" {5+} ")),
).map(b"".join)


@given(st.one_of(likely, st.lists(pieces, max_size=12).map(b"".join)))
def test_what_one_expression_reads_is_what_the_grammar_reads(line: bytes) -> None:
    known = append_grammar.usual(line)
    if known is not None:
        assert commands.Append(*known) == grammar.parse(line)


def test_the_usual_is_read_by_it() -> None:
    for line in (
        b"a APPEND INBOX {5}",
        b'a2 append "Sent" (\\Seen) {5+}',
        b"x.1 APPEND a/b (\\Seen $Work) {5+}",
        b"x APPEND INBOX () {0}",
    ):
        assert append_grammar.usual(line) is not None, line
