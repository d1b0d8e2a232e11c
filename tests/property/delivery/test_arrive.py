"""Articles of peers: what is read without a scan is what a scan reads; no bytes whatever raise."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quintet.delivery import arrive
from quintet.delivery.arrive import Arriving, Limits, No
from quintet.message import quick, scan
from quintet.nntp.wire import Status, Wire
from quintet.policy.newsfilter import patterns
from quintet.store import content

LIMITS = Limits(1_000_000, 0, frozenset(), ())
DATE = "Fri, 21 Nov 2025 08:00:00 +0000"
HEAD = [
    ("Path", "p"),
    ("From", "a"),
    ("Newsgroups", "g"),
    ("Subject", "s"),
    ("Date", DATE),
    ("Message-ID", "<a@b>"),
]

names = st.sampled_from(
    [
        "Subject",
        "from",
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-ID",
        "X-Face",
        "References",
        "Lines",
        "xref",
        "Bytes",
    ]
)
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30)
WHOLE = (
    b"CHECK <a@b>\r\n",
    b"TAKETHIS <a@b>\r\nPath: x\r\n\r\n..y\r\n.\r\n",
    b"TAKETHIS <a@b>\r\n.\r\n",
)
types = st.sampled_from(
    [
        "text/plain",
        "text/html; charset=utf-8",
        "multipart/mixed; boundary=x",
        "message/rfc822",
        "nonsense",
        "TEXT / PLAIN",
    ]
)
values = st.one_of(
    text, types, st.tuples(text, text).map("\r\n ".join), st.sampled_from(["8bit", "BASE64 (x)"])
)
lines = st.one_of(text, st.sampled_from([".", "..x", "--x", "", "x" * 999, "a\rb", "a\nb"]))


@given(
    st.lists(st.tuples(names, values), max_size=6),
    st.lists(lines, max_size=6),
    st.booleans(),
)
@example([("Content-Type", "text/plain")], [], False)
def test_the_quick_digest_is_that_of_a_scan(
    fields: list[tuple[str, str]], body: list[str], ended: bool
) -> None:
    raw = "".join(f"{name}: {value}\r\n" for name, value in [*HEAD, *fields]).encode("utf-8")
    data = raw + b"\r\n" + "\r\n".join(body).encode() + (b"\r\n" if ended and body else b"")
    article = arrive.read(data)
    if isinstance(article, No):
        return
    kept = article.header + b"\r\n" + article.body
    found = quick.digest(article.listed, kept, len(article.header) + 2)
    if found is not None:
        assert found == scan.scan(kept)


@given(
    st.lists(st.tuples(names, values), max_size=6),
    st.lists(lines, max_size=6),
    st.booleans(),
)
def test_what_is_filed_unrendered_is_what_a_scan_would_file(
    fields: list[tuple[str, str]], body: list[str], ended: bool
) -> None:
    raw = "".join(f"{name}: {value}\r\n" for name, value in [*HEAD, *fields]).encode("utf-8")
    data = raw + b"\r\n" + "\r\n".join(body).encode() + (b"\r\n" if ended and body else b"")
    article = arrive.read(data)
    if isinstance(article, No) or not article.is_plain or arrive.judge(article, 1_763_712_000_000, LIMITS):
        return
    kept = article.header + b"\r\n" + article.body
    early = content.raw(kept, len(article.header) + 2, article.fields, article.message_id, article.sent_at)
    whole = content.content_of(kept)
    for name in ("size", "lines", "has_dot_line", "overview", "message_id", "digest"):
        assert getattr(early, name) == getattr(whole, name)
    assert early.sent_at == whole.sent_at


def test_a_usual_article_needs_no_scan() -> None:
    head = "Path: p\r\nFrom: a\r\nNewsgroups: g\r\nSubject: s\r\n"
    data = f"{head}Date: {DATE}\r\nMessage-ID: <a@b>\r\n\r\nHello\r\n"
    article = arrive.read(data.encode())
    assert isinstance(article, Arriving)
    kept = article.header + b"\r\n" + article.body
    assert quick.digest(article.listed, kept, len(article.header) + 2) is not None


@given(st.binary(max_size=400))
def test_any_bytes_are_judged(data: bytes) -> None:
    article = arrive.read(data)
    if isinstance(article, Arriving):
        refused = arrive.judge(article, 1_763_715_600_000, LIMITS)
        chosen = arrive.choose(article, {"g": "y"}, patterns("*"), verify=True)
        assert isinstance(chosen, arrive.No) or set(chosen) <= {"g"} | set(article.newsgroups)
        path = arrive.new_path("us", article.path, ("them",), "")
        assert path.startswith("us!")
        assert not set(path) & set("\r\n\0")
        said = refused
    else:
        said = article
    if said is not None:
        line = Status(437, said.text).line()
        assert line.endswith(b"\r\n")
        assert not set(line[:-2]) & set(range(32))


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    b"CHECK <a@b>\r\n",
                    b"TAKETHIS <a@b>\r\nPath: x\r\n\r\n..y\r\n.\r\n",
                    b"TAKETHIS <a@b>\r\n.\r\n",
                ]
            ),
            st.sampled_from([b"QUIT\r\n", b"check <c@d>\r\n", b"CHECK x\r\n"]),
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_framing_does_not_depend_on_the_packets(commands: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(commands)
    wire = Wire()
    wire.feed(whole)
    expected = _drained(wire)
    wire = Wire()
    got: list[object] = []
    at = 0
    for cut in [*cuts, len(whole)]:
        wire.feed(whole[at : at + cut])
        at += cut
        got += _drained(wire)
    assert got == expected


def _drained(wire: Wire) -> list[object]:
    from quintet.net.seam import Need
    from quintet.nntp.stream import Articles, Checks

    out: list[object] = []
    while (found := wire.next()) is not Need.DATA:
        if isinstance(found, Checks):
            out += [("CHECK", each) for each in found.ids]
        elif isinstance(found, Articles):
            out += [("TAKETHIS", each) for each in found.items]
        else:
            out.append(found)
    return out


@pytest.mark.parametrize(
    ("expected", "path", "written"),
    [
        ((), "a!b", "us!.SEEN.192.0.2.1!a!b"),
        (("a",), "a!b", "us!!a!b"),
        (("c", "a"), "a!b", "us!!a!b"),
        (("c",), "a!b", "us!.MISMATCH.c!a!b"),
    ],
)
def test_path_says_what_was_compared(expected: tuple[str, ...], path: str, written: str) -> None:
    assert arrive.new_path("us", path, expected, "192.0.2.1") == written
