"""Rights, metadata and quotas as clients write them: what is written is read, anything else is BAD."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import Refused
from quintet.imap import grammar, share_commands
from quintet.imap.cmd import acl, metadata
from quintet.store import access

VERBS = (
    b"SETACL", b"DELETEACL", b"GETACL", b"LISTRIGHTS", b"MYRIGHTS", b"GETMETADATA", b"SETMETADATA",
    b"GETQUOTA", b"GETQUOTAROOT", b"SETQUOTA",
)  # fmt: skip
PIECES = (
    b"INBOX", b'"a b"', b"lr", b"+cd", b"-x", b"(", b")", b" ", b"/shared/a", b"/private/b/c", b"NIL",
    b"MAXSIZE", b"DEPTH", b"infinity", b"1", b"9" * 19, b"STORAGE", b"~{1+}\r\n\0", b"{2+}\r\nab", b'""',
    b"/a", b"//", b"%", b"\xff",
)  # fmt: skip
levels = st.text(string.ascii_letters + string.digits + "._-+ ()", min_size=1, max_size=8)
names = st.builds(
    lambda scope, rest: f"/{scope}/" + "/".join(["x", *rest]),
    st.sampled_from(("private", "shared")),
    st.lists(levels, max_size=4),
)
values = st.one_of(st.none(), st.binary(max_size=40))


def literal(value: bytes) -> bytes:
    return b"~{%d+}\r\n%b" % (len(value), value)


@given(st.sampled_from(VERBS), st.lists(st.sampled_from(PIECES), max_size=9))
def test_any_arguments_are_a_command_or_bad(verb: bytes, pieces: list[bytes]) -> None:
    try:
        tag = grammar.parse(b"a " + verb + b" " + b" ".join(pieces)).tag
    except grammar.BadCommand as error:
        tag = error.tag
    assert tag == b"a"


@given(st.dictionaries(names.map(str.lower), values, min_size=1, max_size=8))
def test_metadata_that_is_written_is_read(entries: dict[str, bytes | None]) -> None:
    pairs = b" ".join(
        literal(name.encode())[1:] + b" " + (b"NIL" if value is None else literal(value))
        for name, value in entries.items()
    )
    assert grammar.parse(b"a SETMETADATA INBOX (" + pairs + b")") == share_commands.SetMetadata(
        b"a", b"INBOX", tuple(entries.items())
    )


@given(
    st.dictionaries(names.map(str.lower), st.binary(max_size=20)), names.map(str.lower), st.integers(0, 20)
)
def test_depth_and_size_choose(entries: dict[str, bytes], asked: str, most: int) -> None:
    below = {name for name in entries if name == asked or name.startswith(asked + "/")}
    told, longest = metadata.chosen(entries, [asked], -1, most)
    assert set(told) == {name for name in below if len(entries[name]) <= most}
    assert longest == max((len(entries[name]) for name in below - set(told)), default=0)
    near, _ = metadata.chosen(entries, [asked], 1)
    assert set(near) == {name for name in below if name.count("/") - asked.count("/") <= 1}
    assert set(metadata.chosen(entries, [asked])[0]) == {asked}


@given(st.text(string.ascii_letters + string.digits, max_size=14))
def test_rights_are_spelled_in_one_way(letters: str) -> None:
    if set(letters) - set(access.ALL + "cd"):
        with pytest.raises(Refused):
            access.spelled(letters)
        return
    once = access.spelled(letters)
    assert access.spelled(once) == once == "".join(sorted(set(once), key=access.ALL.index))
    assert access.spelled(acl.told(once).decode().strip('"')) >= once
    assert ("c" in acl.told(once).decode()) == ("k" in once)
    assert ("d" in acl.told(once).decode()) == bool(set("xte") & set(once))
