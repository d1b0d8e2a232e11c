"""Any mbox file, however broken: ids stay, marks change nothing else, and what goes is what was meant."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.mapi.providers import mailboxes
from quintet.mapi.providers.mboxes import Mbox

LINES = [
    b"From a@b Sat Nov 29 10:00:00 2025\n", b"From x\r\n", b"\n", b"\r\n", b"\r", b"Subject: S\n", b" more\n",
    b"Status: RO\n", b"Status: \n", b"X-Status: AF\r\n", b"\rStatus: R\n", b">From q\n", b"text\n", b"text",
    b"\xff\0\n", b"Content-Type: multipart/mixed; boundary=x\n", b"--x\n",
]  # fmt: skip
_STATUS = re.compile(rb"(?mi)^(x-)?status:.*\n")


def contents(box: Mbox) -> dict[str, bytes]:
    """Of each message, without what marks change, and the blank line that ends the file."""
    heads = box.heads("inbox", box.keys("inbox"))
    return {key: _STATUS.sub(b"", head.raw + b"\n").rstrip() for key, head in heads.items()}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=25), st.randoms(use_true_random=False))
def test_a_broken_mbox_is_kept(lines: list[bytes], some: object) -> None:
    choose = some.sample  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inbox").write_bytes(b"".join(lines))
        box = Mbox(Path(folder), "inbox")
        before = contents(box)
        box.mark(
            "inbox", choose(list(before), len(before) // 2), frozenset((mailboxes.FLAGGED,)), frozenset()
        )
        assert contents(box) == before
        new = box.add("inbox", [b"Subject: New\r\n\r\nText\r\n"], frozenset(), 0)
        whole = contents(box)
        assert list(whole) == [*before, new]
        assert whole == {**before, new: whole[new]}
        marked = choose(list(whole), len(whole) // 2)
        box.mark("inbox", marked, frozenset((mailboxes.READ,)), frozenset())
        for one in (box, Mbox(Path(folder), "inbox")):
            assert contents(one) == whole
            assert all(mailboxes.READ in marks for marks in one.marks("inbox", marked).values())
        gone = choose(list(whole), len(whole) // 2)
        assert box.remove("inbox", gone) == len(gone)
        left = [text for key, text in whole.items() if key not in gone]
        assert list(contents(Mbox(Path(folder), "inbox")).values()) == left
