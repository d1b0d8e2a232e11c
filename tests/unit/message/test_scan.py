"""The scanner, rule by rule: what is a header, a part, a delimiter, and what the limits do."""

# ruff: noqa: E501  (a row of a table reads best as one)

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import scan as scanning
from quintet.message.digest import Digest, Part
from quintet.message.scan import Scanner, scan
from tests.support.effort import steps


def tree(part: Part) -> object:
    """The types of a part and what is in it."""
    if part.message is not None:
        return {part.content_type: tree(part.message.body)}
    return [part.content_type, *map(tree, part.children)] if part.children else part.content_type


def bodies(content: bytes, part: Part) -> list[bytes]:
    if part.message is not None:
        return bodies(content, part.message.body)
    if part.children:
        return [body for child in part.children for body in bodies(content, child)]
    return [content[part.body_start : part.end]]


HEADERS = [
    # (block, fields) RFC 5322 2.2
    (b"Subject: x\r\n", [(b"Subject", b"x")]),
    (b"SUBJECT:x", [(b"SUBJECT", b"x")]),  # no space, no line end
    (b"Subject : x\r\n", [(b"Subject", b"x")]),  # 4.5.8: obsolete blank before the colon
    (b"Subject\t: x\r\n", [(b"Subject", b"x")]),
    (b"Subject: a\r\n b\r\n\tc\r\n", [(b"Subject", b"a b\tc")]),  # 2.2.3
    (b"Subject:\r\n a\r\n", [(b"Subject", b"a")]),
    (b"Subject: a\n b\n", [(b"Subject", b"a b")]),  # LF alone
    (b"Subject: a\r\n b\nTo: x\n", [(b"Subject", b"a b"), (b"To", b"x")]),
    (b"Subject: a\rb\r\n", [(b"Subject", b"a\rb")]),  # a bare CR is text
    (b"Subject: a \t \r\nTo: y\r\n", [(b"Subject", b"a"), (b"To", b"y")]),
    (b"Subject:\r\nTo: y\r\n", [(b"Subject", b""), (b"To", b"y")]),
    (b"From joe Mon 10:00\r\nTo: y\r\n", [(b"To", b"y")]),  # an mbox line
    (b"no field\r\nTo: y\r\n", [(b"To", b"y")]),
    (b": empty name\r\nTo: y\r\n", [(b"To", b"y")]),
    (b"Subject: caf\xc3\xa9\r\n", [(b"Subject", b"caf\xc3\xa9")]),  # RFC 6532
    (b"X: a\0b\r\n", [(b"X", b"a\0b")]),
    (b"To: a\r\nTo: b\r\n", [(b"To", b"a"), (b"To", b"b")]),
]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b""])
@pytest.mark.parametrize(("block", "fields"), HEADERS)
def test_header_fields_are_unfolded_and_stripped(
    block: bytes, fields: list[tuple[bytes, bytes]], end: bytes
) -> None:
    content = block + end if end and block.endswith(b"\n") else block
    digest = scan(content + (b"body: no field" if end and block.endswith(b"\n") else b""))
    assert list(digest.headers) == fields


def test_first_and_all_fields_of_a_name_in_any_case() -> None:
    digest = scan(b"TO: a\r\nto: b\r\nCc: c\r\n\r\n")
    assert digest.header(b"To") == b"a"
    assert digest.header("tO") == b"a"
    assert digest.all("To") == [b"a", b"b"]
    assert digest.header("Bcc") is None
    assert digest.all(b"bcc") == []


SHAPES = [
    # (content, header_end, lines, facts)
    (b"", 0, 0),
    (b"\r\n", 2, 0),
    (b"\n", 1, 0),
    (b"\r\nbody\r\n", 2, 1),
    (b"A: b", 4, 0),
    (b"A: b\r\n", 6, 0),
    (b"A: b\r\n\r\n", 8, 0),
    (b"A: b\r\n\r\nx", 8, 1),  # an unfinished line is one when it travels
    (b"A: b\r\n\r\nx\r\n", 8, 1),
    (b"A: b\r\n\r\nx\r\n\r\n", 8, 2),
    (b"A: b\n\nx\ny\n", 6, 2),
    (b"A: b\r\n\nx\n", 7, 1),
    (b"A: b\n\r\nx\n", 7, 1),
]


@pytest.mark.parametrize(("content", "header_end", "lines"), SHAPES)
def test_the_header_ends_at_the_first_empty_line(content: bytes, header_end: int, lines: int) -> None:
    digest = scan(content)
    assert (digest.header_end, digest.lines, digest.size) == (header_end, lines, len(content))


TYPES = [
    # (Content-Type, type, subtype, params): RFC 2045 5.1, 5.2
    (b"text/plain", "text/plain", ()),
    (b"TEXT/HTML; Charset=UTF-8", "text/html", ((b"charset", b"UTF-8"),)),
    (b'text/plain; charset="us-ascii" (plain text)', "text/plain", ((b"charset", b"us-ascii"),)),
    (b"text/plain (a comment); charset=x", "text/plain", ((b"charset", b"x"),)),
    (b'a/b; name="with \\"quotes\\" and \\\\"', "a/b", ((b"name", b'with "quotes" and \\'),)),
    (b"a/b; name = x y", "a/b", ((b"name", b"x y"),)),
    (b'a/b; name="open', "a/b", ((b"name", b"open"),)),
    (b"a/b; name=caf\xe9", "a/b", ((b"name", b"caf\xe9"),)),
    (b"a/b;;name=x;", "a/b", ((b"name", b"x"),)),
    (b'a/b; name=""', "a/b", ((b"name", b""),)),
    (b'a/b; n="x;y"; m=z', "a/b", ((b"n", b"x;y"), (b"m", b"z"))),
    (b"a/b; n*0*=utf-8''%c3; n*1=x", "a/b", ((b"n*0*", b"utf-8''%c3"), (b"n*1", b"x"))),
    (b"text", "text/plain", ()),  # 5.2: what is broken is plain text
    (b"", "text/plain", ()),
    (b"/x", "text/plain", ()),
    (b"; charset=utf-8", "text/plain", ()),
]


@pytest.mark.parametrize(("value", "kind", "params"), TYPES)
def test_content_type(value: bytes, kind: str, params: tuple[tuple[bytes, bytes], ...]) -> None:
    root = scan(b"Content-Type: " + value + b"\r\n\r\n").root
    assert (root.content_type, root.params) == (kind, params)


def test_fields_of_a_part_are_kept_raw_or_in_lower_case() -> None:
    part = scan(
        b"Content-ID: <a@b>\r\nContent-Description: =?utf-8?q?x?=\r\nContent-Transfer-Encoding: Base64 (really)\r\n"
        b'Content-Disposition: ATTACHMENT; Filename="a b"\r\nContent-Language: de\r\n'
        b"Content-Location: http://x.example/\r\nContent-MD5: abc==\r\n\r\n"
    ).root
    assert part.content_id == b"<a@b>"
    assert part.description == b"=?utf-8?q?x?="
    assert part.encoding == "base64"
    assert (part.disposition, part.disposition_params) == ("attachment", ((b"filename", b"a b"),))
    assert (part.language, part.location, part.md5) == (b"de", b"http://x.example/", b"abc==")
    assert part.filename == "a b"
    assert part.charset == "us-ascii"


M = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
STRUCTURES = [
    # (content, tree, bodies of the leaves)
    (M + b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n", ["multipart/mixed", "text/plain", "text/plain"], [b"one", b"two"]),
    # RFC 2046 5.1.1: preamble and epilogue are no parts
    (M + b"pre\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\nx", ["multipart/mixed", "text/plain"], [b"one"]),
    (M + b"--b \t\r\n\r\none\r\n--b-- \r\n", ["multipart/mixed", "text/plain"], [b"one"]),  # padding after it
    (M + b"--b\r\n\r\none\r\n", ["multipart/mixed", "text/plain"], [b"one\r\n"]),  # no end
    (M + b"--b\r\n\r\none\r\n\r\n--b--", ["multipart/mixed", "text/plain"], [b"one\r\n"]),
    (M + b"--b\r\n\r\n--bc\r\n --b\r\n-- b\r\n--\r\n--b--\r\n", ["multipart/mixed", "text/plain"], [b"--bc\r\n --b\r\n-- b\r\n--"]),
    (M + b"--b\n\none\n--b\nA: x\n\ntwo\n--b--\n", ["multipart/mixed", "text/plain", "text/plain"], [b"one", b"two"]),
    (M + b"no delimiter\r\n", "multipart/mixed", [b"no delimiter\r\n"]),
    (M + b"--b--\r\n", "multipart/mixed", [b"--b--\r\n"]),
    (M + b"--b\r\nA: x\r\n--b\r\n\r\ntwo\r\n--b--", ["multipart/mixed", "text/plain", "text/plain"], [b"", b"two"]),
    (M + b"--b\r\n--b\r\n--b--", ["multipart/mixed", "text/plain", "text/plain"], [b"", b""]),
    (M + b"--b", ["multipart/mixed", "text/plain"], [b""]),
    (b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n", "multipart/mixed", [b"--b\r\n\r\n"]),  # no boundary
    (b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\n", "multipart/mixed", [b"--\r\n\r\n"]),
    (
        b"Content-Type: multipart/x; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\nx\r\n--ab--",
        ["multipart/x", "text/plain"],
        [b"x"],
    ),
    # the end of an inner multipart is missing: the outer delimiter ends both
    (
        M + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--",
        ["multipart/mixed", ["multipart/alternative", "text/plain"], "text/plain"],
        [b"one", b"two"],
    ),
    # one boundary is the beginning of the other, or the other and "--"
    (
        M + b"--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n--b\r\n\r\ntwo\r\n--b--",
        ["multipart/mixed", ["multipart/x", "text/plain"], "text/plain"],
        [b"one", b"two"],
    ),
    (
        M + b'--b\r\nContent-Type: multipart/x; boundary="b--"\r\n\r\n--b--\r\n\r\none\r\n--b----\r\n--b\r\n\r\ntwo\r\n--b--',
        ["multipart/mixed", ["multipart/x", "text/plain"], "text/plain"],
        [b"one", b"two"],
    ),
    # the same boundary inside and outside: the innermost that is open
    (
        M + b"--b\r\n" + M + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--",
        ["multipart/mixed", ["multipart/mixed", "text/plain"], "text/plain"],
        [b"one", b"two"],
    ),
    # RFC 2046 5.1.5: in a digest a part without a type is a message
    (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nhi\r\n--b\r\nContent-Type: text/plain\r\n\r\ny\r\n--b--",
        ["multipart/digest", {"message/rfc822": "text/plain"}, "text/plain"],
        [b"hi", b"y"],
    ),
    # RFC 2046 5.2.1, and RFC 6532 3.7
    (b"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nhi", {"message/rfc822": "text/plain"}, [b"hi"]),
    (b"Content-Type: message/global\r\n\r\nA: b\r\n\r\nhi", {"message/global": "text/plain"}, [b"hi"]),
    (b"Content-Type: message/rfc822\r\n\r\n", {"message/rfc822": "text/plain"}, [b""]),
    (b"Content-Type: message/rfc822\r\n\r\n" + M + b"--b\r\n\r\nx\r\n--b--\r\n", {"message/rfc822": ["multipart/mixed", "text/plain"]}, [b"x"]),
    (b"Content-Type: message/partial; id=x\r\n\r\nA: b\r\n\r\nhi", "message/partial", [b"A: b\r\n\r\nhi"]),
    (b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nhi", "message/delivery-status", [b"A: b\r\n\r\nhi"]),
    # the outer delimiter ends the header of an embedded message
    (
        M + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n--b\r\n\r\ntwo\r\n--b--",
        ["multipart/mixed", {"message/rfc822": "text/plain"}, "text/plain"],
        [b"", b"two"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected", "leaves"), STRUCTURES)
def test_structure(content: bytes, expected: object, leaves: list[bytes]) -> None:
    root = scan(content).root
    assert tree(root) == expected
    assert bodies(content, root) == leaves


def test_embedded_message_keeps_its_envelope_fields() -> None:
    digest = scan(
        b"Content-Type: message/rfc822\r\n\r\nX-Other: y\r\nSubject: in\r\n side\r\nTO: <a@b>\r\n\r\nhi"
    )
    message = digest.root.message
    assert message is not None
    assert message.headers == ((b"Subject", b"in side"), (b"TO", b"<a@b>"))
    assert message.header("to") == b"<a@b>"


FACTS = [
    (b"A: b\r\n\r\nx\r\n", {}),
    (b"A: b\r\n\r\n.x\r\n", {"has_dot_line"}),
    (b".A: b\r\n\r\n", {"has_dot_line"}),
    (b"A: b\r\n\r\nx.\r\n", {}),
    (b"A: b\r\n\r\n\xe9\r\n", {"eight_bit"}),
    (b"A: b\r\n\r\nx\ry\r\n", {"bare_cr"}),
    (b"A: b\r\n\r\nx\ny\r\n", {"bare_lf"}),
    (b"A: b\r\n\r\n\n\r", {"bare_lf", "bare_cr"}),
    (b"A: b\r\n\r\n\0\r\n", {"nul"}),
]


@pytest.mark.parametrize(("content", "facts"), FACTS)
def test_facts_about_bytes(content: bytes, facts: set[str]) -> None:
    digest = scan(content)
    names = ("has_dot_line", "eight_bit", "bare_cr", "bare_lf", "nul")
    assert {name for name in names if getattr(digest, name)} == set(facts)


def feed(content: bytes, size: int) -> Digest:
    scanner = Scanner()
    for at in range(0, len(content), size):
        scanner.feed(content[at : at + size])
    return scanner.finish()


def test_ten_thousand_parts_and_no_more() -> None:
    content = M + b"--b\r\n\r\nx\r\n" * 12_000 + b"--b--\r\nend"
    root = scan(content).root
    assert len(root.children) == scanning.MAX_PARTS - 1  # the message itself is one
    assert content[root.children[0].body_start : root.children[0].end] == b"x"
    # what came after the limit stays in the last part, up to the end of the multipart
    assert content[root.children[-1].body_start :].startswith(b"x\r\n--b\r\n\r\nx")
    assert root.children[-1].end == content.rindex(b"\r\n--b--")
    assert feed(content, 1000).root == root


@pytest.mark.parametrize("kind", [b"multipart", b"message"])
def test_a_thousand_levels(kind: bytes) -> None:
    if kind == b"message":
        content = b"Content-Type: message/rfc822\r\n\r\n" * 1000
    else:
        content = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000)
        )
    part = scan(content).root
    depth = 0
    while part.children or part.message:
        part = part.message.body if part.message else part.children[0]
        depth += 1
    assert depth == scanning.MAX_DEPTH
    assert part.end == len(content)
    assert feed(content, 777) == scan(content)
    assert Digest.from_bytes(scan(content).to_bytes()) == scan(content)


def test_a_header_without_end_becomes_body_at_the_limit() -> None:
    content = b"X: " + b"y" * 1000 + b"\r\n"
    content *= 1100
    digest = scan(content)
    assert digest.header_end <= scanning.MAX_HEADER_BLOCK
    assert content[: digest.header_end].endswith(b"\r\n")
    assert scanning.MAX_HEADER_BLOCK - digest.header_end < 1005
    assert feed(content, 5000) == digest
    one_line = scan(b"X" * (scanning.MAX_HEADER_BLOCK + 10))
    assert one_line.header_end == scanning.MAX_HEADER_BLOCK


def test_many_fields_are_cut() -> None:
    assert len(scan(b"a:\n" * 50_000).headers) == 10_000


def test_fifty_megabytes_without_a_line_end_need_little_memory() -> None:
    chunk = b"x" * 65536
    tracemalloc.start()
    scanner = Scanner()
    scanner.feed(M + b"--b\r\n\r\n")
    for _ in range(800):
        scanner.feed(chunk)
    digest = scanner.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert digest.longest_line == 800 * 65536
    assert digest.root.children[0].size == 800 * 65536
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    "piece",
    [
        b"--\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"--b\r\n\r\n",
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n",
        b"\r",
        b"\n",
        M,
    ],
)
def test_hostile_structures_take_linear_time(piece: bytes) -> None:
    content = M + piece * (2_000_000 // len(piece))
    assert feed(content, 4096) == scan(content)


def test_nested_headers_have_a_limit_together() -> None:
    part = b"--b\r\nContent-Description: " + b"x" * 60_000 + b"\r\n\r\ny\r\n"
    digest = scan(M + part * 300)
    assert len(digest.root.children) * 60_000 < scanning.MAX_NESTED_HEADERS + 200_000
    assert len(digest.to_bytes()) < scanning.MAX_NESTED_HEADERS + 200_000


def test_a_large_chunk_is_taken_in_windows() -> None:
    content = M + (b"--b\r\n\r\n" + b"line\r\n" * 20_000) * 5
    scanner = Scanner()
    scanner.feed(content)
    assert scanner.finish() == scan(content) == feed(content, 10_007)
    assert len(scan(content).root.children) == 5


def test_a_line_too_long_for_a_delimiter_is_text() -> None:
    long = b"--b" + b" " * scanning.MAX_DELIMITER
    content = M + b"--b\r\n\r\none\r\n" + long + b"\r\n--b--\r\n"
    (child,) = scan(content).root.children
    assert content[child.body_start : child.end] == b"one\r\n" + long
    for size in (1, 100, 999, 1003):
        assert feed(content, size) == scan(content)


def test_another_version_or_damage_asks_for_a_new_scan() -> None:
    packed = scan(b"A: b\r\n\r\n").to_bytes()
    for raw in (b"", b"\x00" + packed[1:], packed[:-3], packed[:1], packed[:1] + b"\xc0"):
        with pytest.raises(ValueError, match="digest"):
            Digest.from_bytes(raw)


PIECES = [
    b"\n--x", b"\r\n--x\r\n", b"\n--x--\n", b"\n--xy \t\r\n", b"\n--y--", b"\n--", b"\r\n--z--\r\n", b" ", b"--", b"text",
    b"\r\nContent-Type: multipart/mixed; boundary=xy\r\n\r\n", b"\nContent-Type: multipart/digest; boundary=y\n\n",
    b"\r\n\r\n", b"\n", b"\r", b"a" * 1000,
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 5000), st.integers(1, 3))
def test_the_expression_finds_what_the_search_finds(pieces: list[bytes], chunk: int, misses: int) -> None:
    content = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "MAX_PARTS", 6)
        patch.setattr(scanning, "MANY_MISSES", 1 << 30)
        wanted = scan(content)
        patch.setattr(scanning, "MANY_MISSES", misses)
        scanner = Scanner()
        for at in range(0, len(content), chunk):
            scanner.feed(content[at : at + chunk])
        assert scanner.finish() == scan(content) == wanted


@pytest.mark.parametrize(
    "line,most",
    [(b"\n--", 20_000), (b"\n--xz", 20_000), (b"\n--x" + b" " * 50 + b"z", 20_000), (b"\n--x", 2_000_000)],
)
def test_lines_that_look_like_delimiters_cost_little(line: bytes, most: int) -> None:
    """One expression passes over those that are none; of those that are some, a few steps for each."""
    head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"
    content = head + line * (400_000 // len(line))
    assert steps(lambda: scan(content)) < most
