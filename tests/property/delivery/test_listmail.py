"""List headers: any post keeps one header, with each List field once and nothing of another list's."""

import re

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import listmail
from quintet.message import scan
from quintet.store.lists import MailingList

KEY = b"k" * 32
words = st.text(max_size=40)
lists = st.builds(
    MailingList,
    id=st.integers(1, 1000),
    address=st.from_regex(r"[a-z0-9!#$%&'*/=?^_`{|}~-]{1,20}@[a-z]{1,9}\.example", fullmatch=True),
    title=words,
    owners=st.just("o@x.example"),
    post=st.sampled_from(["anyone", "members", "owners"]),
    others=st.just("moderate"),
    joining=st.just("confirm"),
    reply_to=st.sampled_from(["", "list"]),
    tag=st.text("ab[]é ", max_size=8),
    max_size=st.just(0),
    max_bounces=st.just(5),
    created_at=st.just(0),
)
FIELDS = [b"List-Id", b"List-Post", b"List-Help", b"List-Subscribe", b"List-Unsubscribe", b"List-Owner"]


@given(lists, st.lists(st.tuples(st.sampled_from([*FIELDS, b"Subject", b"From", b"X"]), words), max_size=6))
def test_each_field_stands_once_and_can_be_read(found: MailingList, given_fields) -> None:
    block = b"".join(b"%b: %b\r\n" % (name, " ".join(value.split()).encode()) for name, value in given_fields)
    made = listmail.post_header(block, found)
    digest = scan.scan(made + b"\r\nbody\r\n")
    assert made.endswith(b"\r\n")
    assert b"\r\n\r\n" not in made
    for name in FIELDS:
        assert len(digest.all(name)) == 1
    assert listmail.looped(digest, found)
    for name in FIELDS[1:]:
        value = digest.header(name) or b""
        assert value == b"NO" or re.fullmatch(rb"<mailto:[!-;=?-~]+>", value), value


@given(st.binary(max_size=400), lists)
def test_any_bytes_are_a_post(block: bytes, found: MailingList) -> None:
    made = listmail.post_header(block, found)
    assert made.startswith(b"List-Id: ")


@given(st.binary(max_size=300))
def test_any_body_is_a_command_or_none_and_a_report_or_none(body: bytes) -> None:
    digest = scan.scan(b"Subject: " + body.split(b"\n")[0] + b"\r\n\r\n" + body)
    word, said = listmail.command(digest, body)
    assert word in ("", "subscribe", "unsubscribe", "help", "confirm", "approve", "reject")
    assert re.fullmatch(r"[0-9A-Z-]*", said)
    assert listmail.failed(body) is None or isinstance(listmail.failed(body), list)


@given(lists, words, words, st.integers(20_000, 30_000))
def test_a_word_is_for_one_address_and_some_days(found: MailingList, one: str, two: str, day: int) -> None:
    said = listmail.token(KEY, "subscribe", str(found.id), one, str(day))
    assert listmail.confirmed(KEY, found, one, said, day + listmail.TOKEN_DAYS) == "subscribe"
    assert listmail.confirmed(KEY, found, one, said, day + listmail.TOKEN_DAYS + 1) == ""
    assert listmail.confirmed(b"o" * 32, found, one, said, day) == ""
    if one.lower() != two.lower():
        assert listmail.confirmed(KEY, found, two, said, day) == ""
