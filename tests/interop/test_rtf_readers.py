"""Compressed RTF against compressed-rtf, both ways, and what RTFDE makes of what we unpacked."""

from __future__ import annotations

import random

import pytest

from quintet.mapi import rtf

theirs = pytest.importorskip("compressed_rtf")
WORDS = [
    b"\\par ",
    b"hello ",
    b"{\\b bold}",
    b"\\'e9",
    b"\r\n",
    b"x",
    b"the quick brown fox ",
    b"}{",
    b"\x00\xff",
]


def bodies() -> list[bytes]:
    """Few and short: compressed-rtf takes a second for 10 kB."""
    rng = random.Random(7)
    found = [b"", b"a", b"{\\rtf1}", b"z" * 500, bytes(range(256)) * 2]
    # around the ring's 4,096 bytes, where a place is one byte off soonest
    found += [b"".join(rng.choices(WORDS, k=600))[:size] for size in (3888, 3889, 3890)]
    found += [b"".join(rng.choices(WORDS, k=rng.randint(1, 200))) for _ in range(10)]
    return found


def test_both_read_what_the_other_wrote() -> None:
    ours, other = 0, 0
    for body in bodies():
        packed, alike = rtf.compress(body), theirs.compress(body, True)
        assert theirs.decompress(packed) == body
        assert rtf.decompress(alike) == body
        assert rtf.decompress(theirs.compress(body, False)) == body
        ours, other = ours + len(packed), other + len(alike)
    assert ours <= other * 1.1  # we do not look at every earlier place


def test_rtfde_finds_the_html_that_was_packed() -> None:
    rtfde = pytest.importorskip("RTFDE.deencapsulate")
    raw = (
        b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}\r\n"
        b"{\\*\\htmltag64 <p>}\\htmlrtf \\par \\htmlrtf0 hello {\\*\\htmltag84 <b>}world{\\*\\htmltag92 </b>}"
        b"{\\*\\htmltag72 </p>}}"
    )
    found = rtfde.DeEncapsulator(rtf.decompress(rtf.compress(raw)))
    found.deencapsulate()
    assert b"<p>hello <b>world</b></p>" in found.html
