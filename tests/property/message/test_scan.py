"""What holds for every message: any chunking, any bytes."""

from __future__ import annotations

import email
import email.message

from hypothesis import given
from hypothesis import strategies as st

from quintet.message import keys, outline, render, scan, section, text
from quintet.message.digest import Digest, Part
from quintet.store.content import skimmed as skimmed_of
from quintet.store.content import unrendered
from tests.property.message.letters import letters, soup
from tests.support import imaplist

anything = st.one_of(soup, letters, st.binary(max_size=300))


def chunked(content: bytes, sizes: list[int]) -> Digest:
    scanner = scan.Scanner()
    at = turn = 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        scanner.feed(memoryview(content)[at : at + size])
        at += size
        turn += 1
    return scanner.finish()


@given(anything, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_any_chunking_gives_the_same_digest(content: bytes, sizes: list[int]) -> None:
    whole = scan.scan(content)
    assert chunked(content, sizes) == whole
    assert chunked(content, [1]) == whole


@given(anything)
def test_offsets_are_in_range_and_nest(content: bytes) -> None:
    digest = scan.scan(content)
    assert digest.size == len(content)
    assert (digest.root.header_start, digest.root.end) == (0, len(content))
    assert digest.header_end == digest.root.body_start
    check(digest.root, 0, len(content), content)


def check(part: Part, low: int, high: int, content: bytes) -> None:
    assert low <= part.header_start <= part.body_start <= part.end <= high
    assert part.lines == content.count(b"\n", part.body_start, part.end)
    at = part.body_start
    for child in part.children:
        check(child, at, part.end, content)
        at = child.end
    if part.message is not None:
        assert part.message.body.header_start == part.body_start
        check(part.message.body, part.body_start, part.end, content)


@given(anything)
def test_a_digest_is_read_back_as_it_was(content: bytes) -> None:
    digest = scan.scan(content)
    assert Digest.from_bytes(digest.to_bytes()) == digest


@given(anything)
def test_facts_about_lines_are_what_a_plain_count_says(content: bytes) -> None:
    digest = scan.scan(content)
    lines = content.split(b"\n")
    assert digest.has_dot_line == any(line.startswith(b".") for line in lines)
    assert digest.eight_bit == any(byte > 0x7F for byte in content)
    assert digest.nul == (0 in content)
    assert digest.bare_cr == (content.count(b"\r") > content.count(b"\r\n"))
    assert digest.bare_lf == (content.count(b"\n") > content.count(b"\r\n"))
    lengths = [len(line) - line.endswith(b"\r") for line in lines[:-1]] + [len(lines[-1])]
    longest = max(lengths)
    assert digest.longest_line == (longest if longest > scan.LONG_LINE else 0)


headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"Subject",
                b"SUBJECT",
                b"subject ",
                b"From",
                b"Received",
                b"Date",
                b"x",
                b" Subject",
                b"\tX",
                b"",
            ]
        ),
        st.sampled_from([b":", b": ", b" :", b"\t:", b"", b":\r\n ", b":\r\n\t"]),
        st.sampled_from(
            [b"", b"a", b"a\r\n b", b"a\r\n\tsubject: b", b"a\r\n \r\n\t", b"\xe4 : b", b"\x0b c \t"]
        ),
    ).map(b"".join),
    max_size=6,
).map(lambda lines: b"\r\n".join([*lines, b"", b"text", b""]))
clean = anything.map(lambda octets: b"\r\n".join(octets.replace(b"\0", b"").splitlines()) + b"\r\n")


@given(st.one_of(anything, clean, headers), st.integers(0, 3))
def test_a_letter_that_is_skimmed_is_known_as_if_it_was_scanned(octets: bytes, long: int) -> None:
    octets += b"x" * (998 + long - 2) + b"\r\n" if long else b""
    skimmed, scanned = skimmed_of(octets), unrendered(octets)
    digest = scan.scan(octets)
    unusual = digest.bare_cr or digest.bare_lf or digest.nul or digest.longest_line
    if skimmed is None:
        assert unusual or digest.header_end <= 2 or not octets.endswith(b"\n") or b"\r\n\r\n" not in octets
        return
    assert not unusual
    names = {name.lower() for name, _ in scanned.headers} | {b"received", b"x"}
    for cut in (False, True):  # looked for in the header as it is, then among its fields
        for name in names:
            assert skimmed.count(name) == scanned.count(name), name
        for limit in range(len(scanned.headers) + 2):
            assert skimmed.has_more_fields(limit) == (len(scanned.headers) > limit)
        assert cut or skimmed.headers == scanned.headers
    assert skimmed.scanned is None
    assert skimmed.digest == digest
    skimmed.lowered = None
    assert skimmed == scanned


@given(anything)
def test_what_is_rendered_is_valid_imap_and_one_overview_line(content: bytes) -> None:
    digest = scan.scan(content)
    rendered = render.everything(digest)
    assert rendered == (
        render.envelope(digest), render.body(digest), render.bodystructure(digest), render.overview(digest)
    )  # fmt: skip
    envelope = imaplist.read(rendered.envelope)
    assert len(envelope) == 10
    for addresses in envelope[2:8]:
        assert addresses is None or (addresses and all(len(one) == 4 for one in addresses))
    imaplist.check_body(imaplist.read(rendered.body), extended=False)
    imaplist.check_body(imaplist.read(rendered.bodystructure), extended=True)
    assert rendered.overview.count(b"\t") == 4
    assert not set(rendered.overview) & {0, 10, 13}


@given(anything)
def test_keys_texts_and_previews_never_raise(content: bytes) -> None:
    digest = scan.scan(content)
    found = keys.sort_keys(digest)
    assert found.thread_root in {"", found.message_id, *found.references}
    for piece in text.body_texts(digest, lambda start, end: content[start:end]):
        piece.encode("utf-8", "surrogatepass")
    assert len(text.preview(digest, lambda start, end: content[start:end])) <= 256
    text.searchable_headers(digest)


@given(letters)
def test_sections_cut_out_what_the_stdlib_finds(content: bytes) -> None:
    digest = scan.scan(content)
    compare(digest, (), digest.root, email.message_from_bytes(content), content, top=True)


def compare(
    digest: Digest,
    path: tuple[int, ...],
    part: Part,
    theirs: email.message.Message,
    content: bytes,
    *,
    top: bool,
) -> None:
    assert part.content_type == theirs.get_content_type()
    if top and part.type != "multipart":
        path = (*path, 1)  # RFC 9051 6.4.5.1: a message that is no multipart has a part 1
    if part.message is not None:
        (inner,) = theirs.get_payload()
        compare(digest, path, part.message.body, inner, content, top=True)
    elif part.children:
        subs = theirs.get_payload()
        assert len(subs) == len(part.children)
        for number, (child, sub) in enumerate(zip(part.children, subs, strict=True), 1):
            compare(digest, (*path, number), child, sub, content, top=False)
    else:
        ours = content[part.body_start : part.end]
        assert ours == theirs.get_payload(decode=True)
        assert section.part(digest, path) is part
        assert section.locate(digest, path) == (part.body_start, part.end)


@given(st.one_of(letters, soup).map(lambda data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))
def test_outline_says_what_a_scan_says(content: bytes) -> None:
    if skimmed_of(content) is None:
        return
    found, known = outline.outline(content), scan.scan(content)
    assert (found.headers, found.eight_bit) == (known.headers, known.eight_bit)
    for name, _ in known.headers:
        assert (found.header(name), found.all(name)) == (known.header(name), known.all(name))
