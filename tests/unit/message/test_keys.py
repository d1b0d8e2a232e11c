"""Sort and thread keys (RFC 5256, RFC 5957)."""

from __future__ import annotations

import pytest

from quintet.message import keys
from quintet.message.scan import scan
from tests.support.effort import linear

SUBJECTS = [
    # (subject, base subject, is a reply or forward): RFC 5256 2.1 by its steps, 5 for the grammar
    (b"hello", "hello", False),
    (b"", "", False),
    (b"  a\t b \r\n c ", "a b c", False),  # 1
    (b"=?utf-8?q?Re=3A?= caf\xc3\xa9", "café", True),
    (b"hello (fwd)", "hello", True),  # 2
    (b"hello (fwd)  (FWD) ", "hello", True),
    (b"Re: hello", "hello", True),  # 3
    (b"RE : hello", "hello", True),
    (b"Fw: hello", "hello", True),
    (b"FWD: hello", "hello", True),
    (b"Re[2]: hello", "hello", True),
    (b"Re [list] : hello", "hello", True),
    (b"[list] Re: hello", "hello", True),
    (b"[a][b] Re: [c] Fwd: hello", "hello", True),
    (b"[list] hello", "hello", False),  # 4
    (b"[a] [b] hello", "hello", False),
    (b"[only]", "[only]", False),  # it would leave nothing
    (b"[a] [b]", "[b]", False),
    (b"Re: [only]", "[only]", True),
    (b"[fwd: hello]", "hello", True),  # 6
    (b"[Fwd: Re: [list] hello (fwd)]", "hello", True),
    (b"[fwd: hello", "[fwd: hello", False),
    (b"Re: Re: Re: hello", "hello", True),  # 5
    (b"Rehearsal", "Rehearsal", False),
    (b"Re hello", "Re hello", False),
    (b"hello [list]", "hello [list]", False),
    (b"Re:", "", True),
    ("Re\u00a0: hello".encode(), "Re\u00a0: hello", False),  # 5: WSP is space and tab, nothing else
    ("\u3000hello".encode(), "\u3000hello", False),
    (b"[list]\x0bhello", "\x0bhello", False),
    (b"Re: (fwd)", "", True),
    (b"AW: hello", "AW: hello", False),  # other languages' prefixes are no part of the algorithm
]


@pytest.mark.parametrize(("raw", "expected", "is_reply"), SUBJECTS)
def test_base_subject(raw: bytes, expected: str, is_reply: bool) -> None:
    assert keys.base_subject(raw) == (expected, is_reply)


@pytest.mark.unmeasured
@pytest.mark.parametrize("piece", [b"[a]", b"[", b"re:", b"[a] re:", b"(fwd)", b"[fwd:", b" "])
def test_hostile_subjects_take_linear_time(piece: bytes) -> None:
    with linear():
        keys.base_subject(piece * 200_000)


def test_all_keys_of_a_message() -> None:
    found = keys.sort_keys(
        scan(
            b"Date: Fri, 21 Nov 2025 09:00:00 +0100\r\nSubject: Re: x\r\n"
            b"From: =?utf-8?q?Zo=C3=AB?= <zoe@x.example>\r\n"
            b"To: ann@x.example, b@y\r\nCc: g: c@d;\r\nMessage-ID: <m@x>\r\nReferences: <a@x> <b@x> <a@x>\r\n"
            b"In-Reply-To: <b@x>\r\n\r\n"
        )
    )
    assert found.sent_at == 1763712000000
    assert (found.base_subject, found.is_reply) == ("x", True)
    assert (found.from_display, found.from_mailbox) == ("Zoë", "zoe")
    assert (found.to_display, found.to_mailbox) == ("ann@x.example", "ann")
    assert (found.cc_display, found.cc_mailbox) == ("g", "g")
    assert found.message_id == "<m@x>"
    assert found.references == ("<a@x>", "<b@x>", "<a@x>")  # the last is the parent
    assert found.thread_root == "<a@x>"


def test_in_reply_to_stands_in_for_references() -> None:
    # RFC 5256 3, REFERENCES step 1: the first valid id of In-Reply-To
    found = keys.sort_keys(
        scan(b"Message-ID: <m@x>\r\nReferences: none\r\nIn-Reply-To: yours <b@x> <c@x>\r\n\r\n")
    )
    assert found.references == ("<b@x>",)
    assert found.thread_root == "<b@x>"


def test_of_very_many_references_the_first_and_the_last_are_kept() -> None:
    # RFC 5256 3, REFERENCES step 1: the last is the parent
    field = b"\r\n ".join(
        b"<letter-%d.of-a-long-thread@lists.example.org>" % number for number in range(1000)
    )
    found = keys.sort_keys(scan(b"Message-ID: <m@x>\r\nReferences: " + field + b"\r\n\r\n"))
    assert found.thread_root == found.references[0] == "<letter-0.of-a-long-thread@lists.example.org>"
    assert found.references[-1] == "<letter-999.of-a-long-thread@lists.example.org>"
    assert 300 < len(found.references) < 400
    assert len(" ".join(found.references)) < 20_000


def test_a_message_without_fields_has_empty_keys() -> None:
    assert keys.sort_keys(scan(b"\r\n")) == keys.SortKeys(
        None, "", "", "", "", "", "", "", False, None, (), ""
    )  # fmt: skip
    assert keys.sort_keys(scan(b"Message-ID: <m@x>\r\n\r\n")).thread_root == "<m@x>"
