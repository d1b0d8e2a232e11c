"""What is said of a message without a scan is what a scan says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message.outline import outline
from quintet.message.scan import scan

NAMES = (b"subject", "TLS-Required", b"message-id", b"x", b"s", b"")
FIELD = st.builds(
    lambda name, blank, value, more: (
        name + blank + b":" + value + b"".join(b"\r\n " + one for one in more) + b"\r\n"
    ),
    st.sampled_from([b"Subject", b"SUBJECT", b"TLS-Required", b"Message-ID", b"X", b"Xsubject"]),
    st.sampled_from([b"", b"", b"", b" "]),
    st.sampled_from([b"", b" a", b"a: b", b" \xc3\xa4", b"\tsubject: no"]),
    st.lists(st.sampled_from([b"more", b"subject: no", b"\xe9"]), max_size=2),
)


@given(
    st.lists(FIELD, max_size=6), st.sampled_from([b"\r\nsubject: body\r\n", b"\r\n\xff\r\n", b"\r\n", b""])
)
def test_outline_says_of_a_message_what_its_digest_says(fields: list[bytes], body: bytes) -> None:
    data = b"".join(fields) + body
    short, whole = outline(data), scan(data)
    assert [short.header(name) for name in NAMES] == [whole.header(name) for name in NAMES]
    assert [short.all(name) for name in NAMES] == [whole.all(name) for name in NAMES]
    assert tuple(short.headers) == tuple(whole.headers)
    assert short.eight_bit == whole.eight_bit


def test_fields_are_not_cut_for_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet.message.entity.fields", None)
    assert outline(b"Subject: x\r\n\r\n").header(b"message-id") is None
    assert outline(b"Subject: x\r\n\r\n").all(b"tls-required") == []
