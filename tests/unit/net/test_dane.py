"""TLSA records against chains of certificates, and what a chain must be to be believed."""

import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from quintet.errors import BadSyntax
from quintet.net import chains, dane
from tests.support import pki

NOW = datetime.datetime.now(datetime.UTC)
NAMES = ("mx.example.net", "example.net")


@pytest.fixture(scope="module")
def root() -> pki.Holder:
    return pki.authority()


@pytest.fixture(scope="module")
def middle(root) -> pki.Holder:
    return pki.authority("Middle", root)


@pytest.fixture(scope="module")
def server(middle) -> pki.Holder:
    return pki.issue(["mx.example.net"], middle)


def proved(records, holder, names=NAMES, now=NOW) -> str:
    """ "" when it is, else the word of the report."""
    try:
        dane.verify([dane.read(each) for each in records], holder.chain, names, now)
    except chains.Untrusted as problem:
        return problem.kind
    return ""


@pytest.mark.parametrize("selector", (0, 1))
@pytest.mark.parametrize("matching", (0, 1, 2))
def test_end_entity_by_every_selector_and_matching_type(server, middle, selector, matching):
    # RFC 6698 2.1.2, 2.1.3
    assert proved([server.tlsa(3, selector, matching)], server) == ""
    assert proved([middle.tlsa(3, selector, matching)], server) == "certificate-not-trusted"


def test_end_entity_ignores_names_and_dates():
    # RFC 7672 3.1.1
    old = pki.issue(["other.example"], days=(-20, -10))
    assert proved([old.tlsa(3, 1, 1)], old) == ""


@pytest.mark.parametrize("selector", (0, 1))
@pytest.mark.parametrize("matching", (0, 1, 2))
@pytest.mark.parametrize("anchor", ("root", "middle"))
def test_trust_anchor_anywhere_above_the_server(request, server, anchor, selector, matching):
    # RFC 7672 3.1.2
    holder = request.getfixturevalue(anchor)
    assert proved([holder.tlsa(2, selector, matching)], server) == ""


def test_trust_anchor_published_whole_need_not_be_sent(root, middle):
    # RFC 7671 5.2.1 asks servers to send it; the record holds it all the same
    leaf = pki.issue(["mx.example.net"], middle, show_root=False)
    assert root.der not in leaf.chain
    assert proved([root.tlsa(2, 0, 0)], leaf) == ""
    assert proved([root.tlsa(2, 0, 1)], leaf) == "certificate-not-trusted"


@pytest.mark.parametrize(
    "names, found",
    [
        (["mx.example.net"], ""),
        (["example.net"], ""),  # RFC 7672 3.2.2: the next-hop domain
        (["*.example.net"], ""),
        (["*.net"], "certificate-host-mismatch"),  # a whole top level domain, as OpenSSL has it
        (["other.example.net"], "certificate-host-mismatch"),
        (["*.mx.example.net"], "certificate-host-mismatch"),
    ],
)
def test_trust_anchor_needs_the_name(root, names, found):
    assert proved([root.tlsa(2, 0, 1)], pki.issue(names, root)) == found


def test_trust_anchor_needs_valid_dates(root):
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], root, days=(-9, -2))) == (
        "certificate-expired"
    )
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], root, days=(2, 9))) == (
        "certificate-expired"
    )
    old = pki.authority("Old", root, days=(-9, -2))
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], old)) == "certificate-expired"


def test_server_cannot_sign_for_others(root):
    # RFC 5280 6.1.4 (k): the classic hole
    thief = pki.issue(["thief.example"], root)
    victim = pki.issue(["mx.example.net"], thief)
    assert proved([root.tlsa(2, 0, 1)], victim) == "certificate-not-trusted"


def test_path_length_is_kept():
    top = pki.authority("Top", path_length=0)
    below = pki.authority("Below", top)
    assert proved([top.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], below)) == "certificate-not-trusted"
    assert proved([top.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], top)) == ""


def test_same_name_and_another_key_is_no_issuer(root):
    fake = pki.authority()  # the same name as root
    leaf = pki.issue(["mx.example.net"], fake)
    leaf.above = (root.certificate,)
    assert proved([root.tlsa(2, 0, 1)], leaf) == "certificate-not-trusted"


@pytest.mark.parametrize(
    "permitted, excluded, found",
    [
        (["example.net"], None, ""),
        (["mx.example.net"], None, ""),
        ([".example.net"], None, ""),
        (["example.com", "example.net"], None, ""),
        (["example.com"], None, "certificate-not-trusted"),
        (["ample.net"], None, "certificate-not-trusted"),  # no end of a label
        (None, ["example.net"], "certificate-not-trusted"),
        (None, ["example.com"], ""),
        (["example.net"], ["mx.example.net"], "certificate-not-trusted"),
    ],
)
@pytest.mark.parametrize("critical", (False, True))
def test_authority_vouches_within_its_name_constraints(root, permitted, excluded, found, critical):
    # RFC 5280 4.2.1.10
    bounds = x509.NameConstraints(
        *(
            None if names is None else [x509.DNSName(each) for each in names]
            for names in (permitted, excluded)
        )
    )
    bound = pki.authority("Bound", root, extensions=[(bounds, critical)])
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], bound)) == found
    top = pki.authority("Top", extensions=[(bounds, critical)])
    assert proved([top.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], top)) == found


def test_address_constraint_says_nothing_of_names(root):
    bounds = x509.NameConstraints([x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))], None)
    bound = pki.authority("Bound", root, extensions=[(bounds, True)])
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], bound)) == ""


def test_constraints_that_are_not_known_are_not_believed(root):
    # RFC 5280 4.2: what is critical and not understood ends it
    bounds = x509.NameConstraints([x509.RFC822Name("example.net")], None)
    bound = pki.authority("Bound", root, extensions=[(bounds, True)])
    assert proved([root.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], bound)) == "certificate-not-trusted"


def test_key_of_a_trust_anchor_does_without_its_certificate(root, middle):
    # RFC 7671 5.2.2: the record holds the key that signed the topmost certificate
    leaf = pki.issue(["mx.example.net"], middle, show_root=False)
    assert proved([root.tlsa(2, 1, 0)], leaf) == ""
    assert proved([root.tlsa(2, 1, 1)], leaf) == "certificate-not-trusted"
    assert proved([pki.authority().tlsa(2, 1, 0)], leaf) == "certificate-not-trusted"
    alone = pki.issue(["mx.example.net"], middle)
    alone.above = ()
    assert proved([middle.tlsa(2, 1, 0)], alone) == ""


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_keys_of_other_kinds_sign_too(kind):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    leaf = pki.issue(["mx.example.net"], pki.Holder(pki.authority().certificate, key))
    leaf.above = ()
    spki = key.public_key().public_bytes(pki.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert proved([f"2 1 0 {spki.hex()}"], leaf) == ""


def test_authority_that_does_not_say_so_is_one_by_being_named():
    # X.509 of version 1 has no extensions; so has this one no basic constraints
    bare = pki.bare_authority()
    leaf = pki.issue(["mx.example.net"], bare)
    assert proved([bare.tlsa(2, 0, 1)], leaf) == ""
    above = pki.authority("Top")
    between = pki.bare_authority(above)
    assert proved([above.tlsa(2, 0, 1)], pki.issue(["mx.example.net"], between)) == "certificate-not-trusted"


def test_self_signed_server_is_no_trust_anchor_of_its_own():
    alone = pki.issue(["mx.example.net"])
    assert proved([alone.tlsa(2, 0, 1)], alone) == "certificate-not-trusted"


def test_chain_that_never_ends_is_given_up(root):
    above = root
    for number in range(chains.MAX_DEPTH + 2):
        above = pki.authority(f"CA {number}", above)
    leaf = pki.issue(["mx.example.net"], above)
    assert proved([root.tlsa(2, 0, 1)], leaf) == "certificate-not-trusted"


@pytest.mark.parametrize(
    "text, usable",
    [
        ("3 1 1 " + "ab" * 32, True),
        ("2 0 2 " + "ab" * 64, True),
        ("0 0 1 " + "ab" * 32, False),  # PKIX-TA: RFC 7672 3.1.3
        ("1 0 1 " + "ab" * 32, False),  # PKIX-EE
        ("255 0 1 " + "ab" * 32, False),
        ("3 2 1 " + "ab" * 32, False),
        ("3 1 3 " + "ab" * 32, False),
        ("3 1 1 " + "ab" * 31, False),  # a digest of a wrong length
        ("3 1 2 " + "ab" * 32, False),
        ("3 0 0 " + "ab" * 32, False),  # no certificate
        ("3 1 0 " + "ab" * 32, False),  # no key
    ],
)
def test_usable_records(text, usable):
    assert dane.read(text).usable is usable


def test_records_of_other_usages_prove_nothing(server):
    assert proved([server.tlsa(1, 1, 1), server.tlsa(0, 1, 1)], server) == "certificate-not-trusted"
    assert proved([server.tlsa(1, 1, 1), server.tlsa(3, 1, 1)], server) == ""


@pytest.mark.parametrize(
    "text", ("", "3 1 1", "3 1 x ab", "3 1 256 ab", "-3 1 1 ab", "3 1 1 abc", "³ 1 1 ab")
)
def test_what_is_no_record(text):
    with pytest.raises(BadSyntax):
        dane.read(text)


def test_records_are_written_as_they_are_read():
    text = "3 1 1 " + "0a" * 32
    assert str(dane.read("3  1 1 " + "0A " * 32)) == text


@pytest.mark.parametrize(
    "name, wanted, fits",
    [
        ("mx.example.net", "MX.Example.net.", True),
        ("*.example.net", "mx.example.net", True),
        ("*.example.net", "example.net", False),
        ("*.example.net", "a.b.example.net", False),  # RFC 8461 4.1
        ("*.net", "example.net", False),  # as OpenSSL has it: two labels at least
        ("*", "net", False),
        ("m*.example.net", "mx.example.net", False),  # RFC 6125 6.4.3
        ("a.*.net", "a.example.net", False),
        ("mx.example.net", ".example.net", True),
        ("example.net", ".example.net", False),
        ("evilexample.net", ".example.net", False),
        ("*.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("", "", False),
        ("mx.example.net\0.evil.example", "mx.example.net", False),
    ],
)
def test_names_in_certificates(name, wanted, fits):
    assert chains.covers(name, wanted) is fits


def test_common_name_counts_only_without_dns_names():
    # RFC 6125 6.4.4; RFC 8461 4.2 wants a DNS name
    bare = pki.issue([], common="mx.example.net")
    chains.check_name(bare.der, ["mx.example.net"])
    with pytest.raises(chains.Untrusted):
        chains.check_name(bare.der, ["mx.example.net"], common=False)
    both = pki.issue(["other.example"], common="mx.example.net")
    with pytest.raises(chains.Untrusted):
        chains.check_name(both.der, ["mx.example.net"])


def test_what_is_no_certificate_is_not_trusted():
    with pytest.raises(chains.Untrusted):
        chains.load(b"\x30\x03\x02\x01\x00")
    assert chains.public_key(b"") is None
    assert not dane.read("3 1 1 " + "00" * 32).fits(b"junk")
