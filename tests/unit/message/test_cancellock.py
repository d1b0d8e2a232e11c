"""Locks and keys against the examples of RFC 8315 5, and fields as the world writes them."""

import base64
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.message import cancellock
from quintet.message.cancellock import Element

ID = "<12345@mid.example>"
KEY = "qv1VXHYiCGjkX/N1nhfYKcAeUn8bCVhrWhoKuBSnpMA="
LOCK = "s/pmK/3grrz++29ce2/mQydzJuc7iqHn1nqcJiQTPMc="
USER_KEY = "yM0ep490Fzt83CLYYAytm3S2HasHhYG4LAeAlmuSEys="
USER_LOCK = "NSBTz7BfcQFTCen+U4lQ0VS8VIlZao2b8mxD/xJaaeE="
OLD_KEY, OLD_LOCK = "8HzrY7F4N+5SXkGQah1mcyW+01g=", "JD+QmQh5LH6lLLToKLcDl+Aemg0="


def test_key_and_lock_without_a_user() -> None:
    made = cancellock.key(b"ExampleSecret", ID)
    assert str(made) == f"sha256:{KEY}"
    assert str(cancellock.lock(made)) == f"sha256:{LOCK}"


def test_key_and_lock_of_a_user() -> None:
    made = cancellock.key(b"AnotherSecret", ID, "JaneDoe")
    assert (made.text, str(cancellock.lock(made))) == (USER_KEY, f"sha256:{USER_LOCK}")


def hashed(scheme: str, key: bytes) -> str:
    return base64.b64encode(hashlib.new(scheme, key).digest()).decode()


@pytest.mark.parametrize(
    ("keys", "locks", "fits"),
    [
        (f"sha256:{KEY}", f"sha256:{LOCK}", True),
        (f"sha256:{USER_KEY} sha256:{KEY}", f"sha1:x= sha256:{LOCK}", True),
        (f"sha1:{OLD_KEY}", f"sha1:{OLD_LOCK}", True),  # RFC 8315 6: still checked
        (f"SHA256:{KEY}", f"Sha256:{LOCK}", True),  # written by agents from before the RFC
        (f"sha1:{OLD_KEY}:clue", f"sha1:{OLD_LOCK}:1", True),  # the old form had a clue behind it
        (f"(mine (and hers)) sha256:{KEY}", f"sha256:{LOCK} (x)", True),
        (f"sha256:{KEY}", f"sha256:{USER_LOCK}", False),
        (f"sha256:{LOCK}", f"sha256:{LOCK}", False),  # who only saw the lock has no key
        (f"sha1:{KEY}", f"sha256:{LOCK}", False),
        ("md5:AAAA", "md5:AAAA", False),
        ("sha512:abc", "sha512:" + hashed("sha512", b"abc"), True),  # RFC 8315 2
        ("sha384:a=b=", "sha384:" + hashed("sha384", b"a=b="), True),  # 6: no base64, and taken
        (f"sha256:{USER_KEY}(his)sha256:{KEY}", f"sha256:{LOCK}", True),  # RFC 8315 2: CFWS may be a comment
        (f"(a \\) ( b) c) sha256:{KEY}", f") sha256:{LOCK}", True),
        (f"(open sha256:{KEY}", f"sha256:{LOCK}", False),
        ("", f"sha256:{LOCK}", False),
        (f"sha256:{KEY}", "", False),
        ("sha256: sha256:=", "sha256: :", False),
    ],
)
def test_one_fitting_pair_is_enough(keys: str, locks: str, fits: bool) -> None:
    assert cancellock.opens(keys, locks) is fits


@pytest.mark.parametrize("value", ["(" + "\\(" * 100_000, "(" * 200_000, "(x)" * 70_000, "(" * 9 + ")" * 9])
def test_comments_of_any_size_take_no_time(value: str) -> None:
    """Anybody may send such a field; looking for the end of a comment again and again took minutes."""
    began = time.process_time()
    assert cancellock.parse(f"{value} x") == []
    assert cancellock.parse(f"sha256:{KEY} {value}") == [Element("sha256", KEY)]
    assert time.process_time() - began < 2


def test_elements_are_added_once() -> None:
    first = Element("sha256", KEY)
    assert cancellock.extended("", [first, first]) == f"sha256:{KEY}"
    assert cancellock.extended(f"sha256:{KEY}", [first]) == f"sha256:{KEY}"
    assert cancellock.extended("sha1:AAAA=", [first]) == f"sha1:AAAA= sha256:{KEY}"


@given(st.text(max_size=300))
def test_any_value_is_parsed(value: str) -> None:
    for element in cancellock.parse(value):
        assert cancellock.parse(str(element)) == [element]


@given(st.binary(min_size=1, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_only_the_own_key_opens(secret: bytes, user: str, other: str) -> None:
    made = cancellock.key(secret, ID, user)
    shown = str(cancellock.lock(made))
    assert cancellock.opens(str(made), shown)
    assert (other == user) is cancellock.opens(str(cancellock.key(secret, ID, other)), shown)
