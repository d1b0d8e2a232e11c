"""Annotations as clients write them: what is written is read, anything else is BAD; wildcards as in LIST."""

from __future__ import annotations

import string

from hypothesis import example, given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.imap import annotation_values, append_grammar, commands, grammar
from quintet.imap.annotating import EFFORT, Reading
from quintet.imap.annotation_values import Asked
from quintet.imap.append_commands import Begin, Holds
from quintet.imap.tokens import Cursor
from quintet.store.entry_annotations import Remark
from quintet.store.model import AccountId

PIECES = (
    b"STORE", b"FETCH", b"SEARCH", b"SORT", b"1", b"ANNOTATION", b"(", b")", b" ", b"/comment",
    b"/1.2/flags/x", b"/*", b"%", b"value.priv", b"value", b"size.shared", b'"x"', b"NIL", b"{1+}\r\na",
    b"~{1+}\r\n\0",
    b"UTF-8", b"ALL", b"/flags", b"//", b"{3}", b"\xff",
)  # fmt: skip
levels = st.text(string.ascii_letters + "._-+ ", min_size=1, max_size=8).filter(lambda text: text != "flags")
entries = st.one_of(
    st.lists(levels, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names)),
    st.builds(lambda part, name: f"/{part}/{name}", st.sampled_from(("1", "2.13", "999999999")), levels),
)
values = st.one_of(st.none(), st.binary(max_size=40))
sets = st.dictionaries(st.tuples(entries, st.booleans()), values, min_size=1, max_size=6)


def written(remarks: dict[tuple[str, bool], bytes | None]) -> bytes:
    """Each value under its entry, as a literal8 that does not wait."""
    told = []
    for (entry, shared), value in remarks.items():
        text = b"NIL" if value is None else b"~{%d+}\r\n%b" % (len(value), value)
        name = entry.encode()
        told.append(b"{%d+}\r\n%b (value.%b %b)" % (len(name), name, b"shared" if shared else b"priv", text))
    return b"(" + b" ".join(told) + b")"


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans())
def test_any_arguments_are_a_command_or_bad(pieces: list[bytes], spaced: bool) -> None:
    try:
        tag = grammar.parse(b"a " + (b" " if spaced else b"").join(pieces)).tag
    except grammar.BadCommand as error:
        tag = error.tag
    assert tag in (b"a", b"*")


@given(sets)
def test_what_store_writes_is_read(remarks: dict[tuple[str, bool], bytes | None]) -> None:
    command = grammar.parse(b"a UID STORE 1:2 (UNCHANGEDSINCE 5) ANNOTATION " + written(remarks))
    assert isinstance(command, commands.Annotate)
    assert command.unchanged_since == 5
    assert command.remarks == tuple(
        Remark(entry, shared, value) for (entry, shared), value in remarks.items()
    )


@given(sets)
@example({("/comment", False): b"{1}"})
def test_what_append_writes_is_read_however_its_lines_are_cut(
    remarks: dict[tuple[str, bool], bytes | None],
) -> None:
    text = b" (\\Seen) ANNOTATION " + written(remarks) + b" {7+}"
    lines = text.split(b"+}\r\n")
    found = append_grammar.stretch(Cursor(lines[0] + b"+}"))
    rest = text[len(lines[0]) + 4 :]
    while found.literal is not None and found.literal.holds is Holds.REMARK:
        assert found.steps == ()
        value, rest = rest[: found.literal.size], rest[found.literal.size :]
        line, end, rest = rest.partition(b"+}\r\n")
        line += b"+}" if end else b""
        begun = b"%b\r\n%b%b" % (found.literal.begun, value, line)
        found = append_grammar.stretch(Cursor(begun), found.literal)
    assert found.literal is not None
    assert (found.literal.holds, found.literal.size) == (Holds.MESSAGE, 7)
    (begin,) = found.steps
    assert isinstance(begin, Begin)
    assert begin.flags == (b"\\Seen",)
    assert {(one.name, one.shared): one.value for one in begin.remarks} == remarks


@given(entries, st.text("/*%a1.", max_size=12))
def test_a_pattern_is_refused_or_matches_as_list_does(entry: str, pattern: str) -> None:
    try:
        command = grammar.parse(b"a FETCH 1 (ANNOTATION (%b value))" % pattern.encode())
    except grammar.BadCommand:
        return
    assert isinstance(command, commands.Fetch)
    asked = command.items[0].asked
    assert asked is not None
    for one in asked.entries:
        try:
            matches = annotation_values.matcher(one)
        except BadSyntax:
            continue
        if one in ("*", "/*"):
            assert matches(entry)
        if one == "/%":
            assert matches(entry) == (entry.count("/") == 1)


def test_a_page_has_fewer_messages_where_more_is_asked_of_each() -> None:
    """180 patterns for 8,000 messages held everybody up for a second and a half."""
    for count in (1, 100, 2 * EFFORT):
        asked = Asked(tuple(f"/vendor/e{number}*" for number in range(count)), (("value", True),))
        reading = Reading([commands.Item(b"ANNOTATION", asked=asked)], AccountId(1), utf8=True)
        assert reading._most == max(EFFORT // count, 1)
