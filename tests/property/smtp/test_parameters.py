"""Parameters of MAIL and RCPT: what is written is read back, and only refusals of our families come out."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.clock import FrozenClock
from quintet.delivery.envelope import USUAL
from quintet.errors import BadSyntax, Refused
from quintet.smtp import commands, parameters
from quintet.smtp.parameters import Terms

CLOCK = FrozenClock()
TERMS = Terms(CLOCK, max_size=1000, hold_max_s=86400, by_min_s=10, unwanted=frozenset({"net.example:adv"}))
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)
UNICODE = st.text(
    st.characters(
        min_codepoint=0x21, max_codepoint=0x2FFFF, exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")
    ),
    min_size=1,
    max_size=30,
)
VALUES = st.one_of(
    st.none(),
    st.binary(min_size=1, max_size=40),
    st.from_regex(rb"[!-<>-~]{1,30}", fullmatch=True),
    st.from_regex(
        rb"(?:rfc822|utf-8|x-a);(?:\\x\{[0-9A-F]{1,7}\}|\+[0-9A-F]{2}|[!-~\x80-\xff]){0,9}", fullmatch=True
    ),
    st.from_regex(rb"[+-]?[0-9]{1,10};[NRT]{0,3}", fullmatch=True),
    st.from_regex(
        rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})", fullmatch=True
    ),
    st.sampled_from([b"NEVER", b"SUCCESS,DELAY", b"BINARYMIME", b"full", b"<>", b"a+2B@b.test", b"-9", b"7"]),
)
KEYWORDS = st.sampled_from([*parameters.MAIL, "NOTIFY", "ORCPT", "FOO"])


def clean(text: str) -> bool:
    return not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text)


@given(st.binary(max_size=60))
def test_xtext_is_read_as_it_is_written(raw: bytes) -> None:
    written = parameters.xtext(raw)
    assert parameters.unxtext(written) == raw
    assert all(0x21 <= octet <= 0x7E and octet != 0x3D for octet in written)


@given(PRINTABLE)
def test_envid_and_original_recipient_are_read_back(text: str) -> None:
    asked = parameters.read_mail((("ENVID", parameters.xtext(text)),), TERMS, secure=True, trusted=True)
    assert asked.wishes().envid == text
    if text.strip():
        orcpt = f"rfc822;{text}"
        value = parameters.orcpt_value(orcpt, utf8=False)
        assert parameters.read_rcpt((("ORCPT", value),)) == ((), orcpt)


@given(UNICODE, st.booleans())
def test_original_recipient_of_the_type_utf8_is_read_back(text: str, utf8: bool) -> None:
    value = parameters.orcpt_value(f"utf-8;{text}", utf8=utf8)
    assert utf8 or value.isascii()
    assert parameters.read_rcpt((("ORCPT", value),)) == ((), f"utf-8;{text}")


@given(st.dictionaries(KEYWORDS, VALUES, max_size=4), st.booleans(), st.booleans())
def test_any_value_is_understood_or_refused(
    found: dict[str, bytes | None], secure: bool, trusted: bool
) -> None:
    given_ = tuple(found.items())
    try:
        wishes = parameters.read_mail(given_, TERMS, secure=secure, trusted=trusted).wishes()
    except (BadSyntax, Refused):
        pass
    else:
        assert clean(wishes.envid)
        assert clean(wishes.submitter)
        assert clean(wishes.solicit)
        assert wishes.require_tls <= secure
        assert -9 <= wishes.priority <= (9 if trusted else 0)
        assert wishes.release_at <= CLOCK.now() + 86400 * 1000
        assert found or wishes is USUAL
    try:
        notify, orcpt = parameters.read_rcpt(given_)
    except BadSyntax:
        return
    assert "never" not in notify or notify == ("never",)
    assert clean(orcpt)


@given(
    st.sampled_from([b"", b" SIZE=10", b" BODY=8BITMIME", b" SIZE=10 BODY=7BIT", b" SIZE=10 BODY=8BITMIME"])
)
def test_the_short_way_reads_what_the_grammar_reads(tail: bytes) -> None:
    short = commands.parse(b"MAIL FROM:<a@b.test>" + tail)
    long = commands.parse(b"MAIL FROM: <a@b.test>" + tail)
    assert short == long
