"""Whatever addresses and patterns are, matching a route is sure, and what is written reads back."""

import ipaddress
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config import places
from quintet.config.places import Place
from quintet.config.route import Route
from quintet.delivery import matching
from quintet.delivery.envelope import Mailbox
from quintet.delivery.transport import Result, To
from quintet.errors import BadSyntax
from quintet.smtp import heard, outgoing
from tests.support.globs import fits

LOCALS = st.text(st.characters(codec="utf-8", exclude_characters="*?@"), min_size=1, max_size=20)
DOMAINS = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,3}", fullmatch=True)


@given(LOCALS, DOMAINS)
def test_an_address_fits_itself_its_domain_and_every_star(local, domain):
    address = Mailbox(local, domain)
    for text in (f"{local}@{domain.upper()}", f"@{domain}", f"*@{domain}", "*", f"{local}@*", f"?*@{domain}"):
        if text not in ("<>", ""):
            assert matching.address_fits(matching.addresses([text]), address), text
    assert not matching.address_fits(
        matching.addresses([f"*@x.{domain}", "<>", f"{local}x@{domain}"]), address
    )


@given(st.text("ab.*?\n", max_size=7), st.text("ab.\n", max_size=8))
def test_a_pattern_means_what_its_characters_say(words, text):
    found = re.compile(matching.pattern(words), re.DOTALL).fullmatch(text)
    assert (found is not None) is fits(words, text)


def test_a_pattern_of_many_stars_takes_no_time_for_a_long_address():
    """Found by fuzzing: the time was the address's length to the power of the stars."""
    wanted = matching.addresses(["*a*" * 20 + "b"])
    began = time.process_time()
    assert not matching.address_fits(wanted, Mailbox("a" * 250, "a.example"))
    assert time.process_time() - began < 1.0


@given(DOMAINS, st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5))
def test_a_route_fits_when_all_that_it_names_does(domain, secure, least, most, size):
    route = Route(domains=[f".{domain}"], arrived="tls", min_size=least, max_size=most)
    travel = matching.Travel(f"a.{domain}", Mailbox("", ""), size=size, secure=secure)
    by_size = not (least or most) or (size > 0 and size >= least and (not most or size <= most))
    assert matching.Rule("r", route).fits(travel) is (secure and by_size)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_place_reads_back(address, port):
    text = f"[{address}]:{port}"
    assert places.place(text) == Place(str(ipaddress.ip_address(address)), port)
    assert places.place(str(address)) == Place(str(address))


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_fault(text):
    try:
        found = places.place(text)
    except ValueError:
        return
    assert found.host
    assert 0 <= found.port < 65536
    assert not any(char in found.host for char in "\r\n ") or found.host.startswith("unix:/")


@pytest.mark.parametrize("text", ["a:0", "a:x", "[::1", "::g", "a b", "", "unix:x", "[1.2.3.4]x", "a:70000"])
def test_places_that_are_none(text):
    with pytest.raises(ValueError, match="expected"):
        places.place(text)


@given(
    st.lists(st.tuples(LOCALS, st.sampled_from(["a.test", "b.test", "c.test"])), max_size=12),
    st.integers(0, 4),
    st.integers(0, 3),
)
def test_transactions_hold_everybody_once_within_the_limits(people, rcpts, domains):
    offers = heard.Offers({"SMTPUTF8": ""}, rcpt_max=rcpts, domain_max=domains)
    named, refused = outgoing.recipients(offers, [To(Mailbox(*each)) for each in people])
    parted = list(outgoing.transactions(offers, named))
    assert sorted([*refused, *(each.number for one in parted for each in one)]) == list(range(len(people)))
    for one in parted:
        assert not rcpts or len(one) <= rcpts
        assert not domains or len({each.domain for each in one}) <= domains
        assert not any(char in each.command for each in one for char in "\r\n")


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_replies_are_read_in_whole_lines_or_refused(lines):
    reader = heard.Reader()
    for line in lines:
        try:
            found = reader.line(line)
        except BadSyntax:
            return
        if found is not None:
            assert 200 <= found.code < 600


@given(st.sampled_from("245"), st.integers(0, 999), st.integers(0, 999), st.integers(0, 3))
def test_status_of_a_host_is_told_without_zeros_in_front(digit, subject, detail, width):
    """RFC 3463 2."""
    said = heard.Reader().line(f"{digit}50 {digit}.{subject:0{width}}.{detail:0{width}} no".encode())
    assert said is not None
    result = {"2": Result.DONE, "4": Result.LATER, "5": Result.NEVER}[digit]
    assert said.status(result) == f"{digit}.{subject}.{detail}"
