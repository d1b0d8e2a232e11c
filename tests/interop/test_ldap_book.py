"""The LDAP address book on Debian's slapd (RFC 4511): what every address book does, and its filters."""

from __future__ import annotations

from collections.abc import Iterator

import ldap3
import pytest

from quintet.mapi import pr
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook, Thing
from tests.support import slapd
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import refused

pytestmark = pytest.mark.skipif(bool(slapd.missing()), reason=slapd.missing())

PEOPLE = {
    "bob": ("Bob Birke", "Birke", "bob@example.com"),
    "zoe": ("Zoë Zimt", "Zimt", "zoe@example.com"),
    "star": ("Star * (Fish)", "Fish", "star@example.com"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with slapd.running() as port:
        server = ldap3.Server(slapd.HOST, port, get_info=ldap3.NONE)
        with ldap3.Connection(server, slapd.ADMIN, slapd.SECRET, check_names=False) as admin:
            admin.add(slapd.BASE, ["dcObject", "organization"], {"dc": "example", "o": "Example"})
            for uid, (name, surname, mail) in PEOPLE.items():
                values = {"cn": name, "sn": surname, "uid": uid, "mail": mail}
                assert admin.add(f"uid={uid},{slapd.BASE}", "inetOrgPerson", values), admin.result
            for number in range(450):
                values = {"cn": f"Many {number}", "sn": "Many", "mail": f"many{number}@example.com"}
                admin.add(f"uid=many{number},{slapd.BASE}", "inetOrgPerson", values)
            members = [f"uid=bob,{slapd.BASE}", f"uid=zoe,{slapd.BASE}", "uid=other,dc=example,dc=net"]
            admin.add(f"cn=team,{slapd.BASE}", "groupOfNames", {"member": members})
        yield port


def opened(port: int, **more: str) -> AddressBook:
    settings = {"host": slapd.HOST, "port": str(port), "tls": "no", "base": slapd.BASE}
    book = registry.opened("LDAP", settings | more).book
    assert book is not None
    return book


class TestLdap(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, port: int) -> Iterator[AddressBook]:
        book = opened(port, user=slapd.ADMIN, password=slapd.SECRET)
        yield book
        book.close()


def test_names_are_found_by_the_beginnings_of_words(port: int) -> None:
    book = opened(port)
    (bob,) = book.resolve("bo bir")
    assert book.load(bob)[pr.DISPLAY_NAME] == "Bob Birke"
    assert book.resolve("birke") == [bob]
    assert book.resolve("=bob") == [bob]
    assert book.resolve("=bo") == []
    book.close()


def test_what_is_looked_up_is_never_a_filter(port: int) -> None:
    """What would mean something in a filter (RFC 4515) is escaped."""
    book = opened(port)
    assert book.resolve("bob)(mail=*") == []
    assert book.resolve("x\\2a\0") == []
    (star,) = book.resolve("Star * (Fish)")
    assert book.load(star)[pr.ACCOUNT] == "star"
    assert book.resolve("*") == [star]  # a word of that name, and no mark that means everybody
    book.close()


def test_listings_are_bounded(port: int) -> None:
    """Page by page (RFC 2696), until there are as many as the option says, or all."""
    book = opened(port)
    assert len(book.entries(book.first()).ids()) == 450 + len(PEOPLE) + 1
    book.close()
    few = opened(port, most="300")
    assert len(few.entries(few.first()).ids()) == 300
    assert len(few.resolve("many")) == 100
    few.close()


def test_members_of_a_group(port: int) -> None:
    book = opened(port)
    (team,) = book.resolve("team")
    assert book.load(team)[pr.OBJECT_TYPE] == Thing.DIST_LIST
    names = sorted(book.load(one)[pr.DISPLAY_NAME] for one in book.members(team))
    assert names == ["Bob Birke", "Zoë Zimt"]
    refused(Code.INVALID_OBJECT, book.members, book.resolve("bob")[0])
    book.close()


def test_who_is_let_in(port: int) -> None:
    told = refused(Code.LOGON_FAILED, opened, port, user=slapd.ADMIN, password="Sesame-4711")
    assert "Sesame-4711" not in told
    refused(Code.NETWORK_ERROR, opened, 1)
