"""What domains publish, and what messages say of themselves: any text gives an answer."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import solicitation
from quintet.message import scan
from quintet.policy import dmarc
from quintet.smtp import heard

TAGS = st.text("vpsDMARC1=; rejctnoqua", max_size=60).map(str.encode)


@given(st.one_of(TAGS, st.binary(max_size=200)))
def test_any_record_is_read_or_none(text: bytes) -> None:
    found = dmarc.record(text)
    assert found is None or found["v"] == "DMARC1"


@given(
    st.sampled_from(["none", "quarantine", "reject"]), st.sampled_from(["", "; sp=none", " ;rua=mailto:x@y"])
)
def test_record_that_is_written_is_read_back(policy: str, more: str) -> None:
    found = dmarc.record(f"v=DMARC1; p={policy}{more}".encode())
    assert found is not None and found["p"] == policy


KEYWORD = st.from_regex(r"[A-Za-z][A-Za-z0-9._:-]{0,20}", fullmatch=True)


@given(st.lists(KEYWORD, min_size=1, max_size=10))
def test_solicitation_that_is_written_is_read_back(words: list[str]) -> None:
    text = ",".join(words)
    assert solicitation.of(scan.scan(f"Solicitation: {text}\r\n\r\n".encode())) == text


@given(st.binary(max_size=100).filter(lambda data: b"\r" not in data and b"\n" not in data))
def test_any_solicitation_is_a_list_or_nothing(value: bytes) -> None:
    found = solicitation.of(scan.scan(b"Solicitation: " + value + b"\r\n\r\n"))
    assert found == "" or found.encode() in value


@given(st.dictionaries(st.sampled_from(["RCPTMAX", "MAILMAX", "RCPTDOMAINMAX"]), st.integers(1, 999_999)))
def test_limits_that_are_written_are_read_back(limits: dict[str, int]) -> None:
    said = " ".join(f"{name}={value}" for name, value in limits.items())
    found = heard.offers(["host", f"LIMITS {said}"])
    read = {"RCPTMAX": found.rcpt_max, "MAILMAX": found.mail_max, "RCPTDOMAINMAX": found.domain_max}
    assert {name: value for name, value in read.items() if value} == limits


@given(st.text(max_size=100))
def test_any_limits_are_within_bounds(text: str) -> None:
    found = heard.offers(["host", f"LIMITS {text}"])
    assert all(0 <= value <= 999_999 for value in (found.rcpt_max, found.mail_max, found.domain_max))


@given(
    st.one_of(st.binary(max_size=60), st.from_regex(rb"[2-5][0-9][0-9][ -]?[ -~\t]{0,40}", fullmatch=True))
)
def test_reply_of_one_line_is_what_the_reader_makes_of_it(raw: bytes) -> None:
    short = heard._short(raw)
    if short is not None:
        assert heard.Reader().line(raw) == short
