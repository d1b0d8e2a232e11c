"""vCard files as an address book (RFC 6350): what every address book does, and what is kept of a card."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quintet.mapi import ids, pr
from quintet.mapi.errors import Code
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import AddressBook, Thing
from quintet.mapi.providers.vcards import CardBook
from tests.unit.mapi.providers import conformance
from tests.unit.mapi.providers.conformance import refused

BOB = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:bob-1\r\nFN:Bob Birke\r\nN:Birke;Bob;;;\r\n"
    "item1.EMAIL;TYPE=INTERNET:bob@example.com\r\nX-ABLABEL:mine\r\nEND:VCARD\r\n"
)
TEAM = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nUID:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af\r\n"
    "FN:Team\r\nMEMBER:urn:uuid:bob-1\r\nMEMBER;CN=Eve:mailto:eve@example.net\r\nMEMBER:urn:uuid:gone\r\n"
    "END:VCARD\r\n"
)


def opened(path: Path, **more: str) -> AddressBook:
    book = registry.opened("VCARD", {"path": str(path), **more}).book
    assert book is not None
    return book


class TestFile(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, tmp_path: Path) -> AddressBook:
        path = tmp_path / "people.vcf"
        path.write_text(BOB + TEAM, newline="")
        return opened(path)


class TestDirectory(conformance.AddressBookContract):
    @pytest.fixture
    def book(self, tmp_path: Path) -> AddressBook:
        (tmp_path / "bob.vcf").write_text(BOB, newline="")
        (tmp_path / "team.vcf").write_text(TEAM, newline="")
        return opened(tmp_path)


def test_members_are_cards_and_addresses(tmp_path: Path) -> None:
    """RFC 6350 6.6.5: MEMBER is a URI; one that means nobody here is passed over."""
    path = tmp_path / "people.vcf"
    path.write_text(BOB + TEAM, newline="")
    book = opened(path)
    (team,) = book.resolve("Team")
    assert book.load(team)[pr.OBJECT_TYPE] == Thing.DIST_LIST
    bob, eve = book.members(team)
    assert book.load(bob)[pr.DISPLAY_NAME] == "Bob Birke"
    found = ids.read(eve)
    assert isinstance(found, ids.OneOffEntry)
    assert (found.name, found.address) == ("Eve", "eve@example.net")
    book.set_members(team, [eve, bob])
    assert book.members(team) == [eve, bob]
    assert "MEMBER;CN=Eve:mailto:eve@example.net\r\n" in path.read_bytes().decode()


def test_what_nobody_changed_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / "people.vcf"
    path.write_text(BOB + TEAM, newline="")
    book = opened(path)
    (team,) = book.resolve("Team")
    assert book.delete([team]) == 1
    assert path.read_bytes().decode() == BOB


def test_changed_card_keeps_lines_that_no_property_tells(tmp_path: Path) -> None:
    path = tmp_path / "people.vcf"
    path.write_text(BOB, newline="")
    book = opened(path)
    (bob,) = book.resolve("bob")
    bag = book.load(bob)
    bag[pr.DISPLAY_NAME] = "Robert Birke"
    bag[pr.BUSINESS_TELEPHONE_NUMBER] = "+49 30 1"
    assert book.save(book.first(), bag, bob) == bob
    text = path.read_bytes().decode()
    assert "FN:Robert Birke" in text
    assert "+49 30 1" in text
    assert "UID:bob-1" in text
    assert "X-ABLABEL:mine" in text
    assert text.count("BEGIN:VCARD") == 1


@pytest.mark.parametrize("uid", ["bob\r1", "bob\x001", "bob\x0b1", "bob\\n1"])
def test_an_entry_is_the_same_after_it_was_written(tmp_path: Path, uid: str) -> None:
    """Also where a UID has what no line may hold, and ours has not."""
    path = tmp_path / "people.vcf"
    path.write_text(BOB.replace("UID:bob-1", f"UID:{uid}"), newline="")
    book = opened(path)
    (bob,) = book.resolve("bob")
    bag = book.load(bob)
    bag[pr.NICKNAME] = "Bobby"
    assert book.save(book.first(), bag, bob) == bob
    assert book.load(bob)[pr.NICKNAME] == "Bobby"


def test_cards_of_one_uid_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "people.vcf"
    path.write_text(BOB + BOB.replace("Bob Birke", "Bob Buche") + TEAM, newline="")
    book = opened(path)
    both = book.resolve("bob b")
    assert len(both) == 2
    for entry in both:
        bag = book.load(entry)
        bag[pr.NICKNAME] = f"{bag[pr.DISPLAY_NAME]} himself"
        assert book.save(book.first(), bag, entry) == entry
    assert {book.load(one)[pr.NICKNAME] for one in both} == {"Bob Birke himself", "Bob Buche himself"}
    assert book.delete(book.resolve("Team")) == 1
    assert path.read_bytes().decode().count("UID:bob-1") == 2


def test_files_that_others_change_are_read_again(tmp_path: Path) -> None:
    book = opened(tmp_path / "new.vcf", create="yes")
    assert list(book.entries(book.first()).ids()) == []
    (tmp_path / "new.vcf").write_text(BOB, newline="")
    assert len(book.entries(book.first()).ids()) == 1


def test_what_is_no_card_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "people.vcf"
    path.write_bytes(b"\xff\xfenothing\r\nBEGIN:VCARD\r\nBEGIN:X\r\n" + BOB.encode() + b"BEGIN:VCARD\r\n")
    book = opened(path)
    assert len(book.resolve("bob@example.com")) <= 1
    refused(Code.INVALID_PARAMETER, registry.opened, "VCARD", {"path": str(tmp_path / "none")})


def test_what_is_no_card_and_cards_of_other_charsets_stay(tmp_path: Path) -> None:
    latin = b"BEGIN:VCARD\r\nVERSION:2.1\r\nFN:Gr\xf6\xdfe\r\nUID:1\r\nEND:VCARD\r\n"
    cut = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Cut\r\n"
    (tmp_path / "a.vcf").write_bytes(b"; a comment\r\n" + latin + cut)
    book = CardBook(tmp_path / "a.vcf", "")
    new = book.save(book.first(), {pr.DISPLAY_NAME: "Bob"})
    text = (tmp_path / "a.vcf").read_bytes()
    assert latin in text
    assert b"; a comment\r\n" in text
    assert text.endswith(cut)
    assert book.load(new)[pr.DISPLAY_NAME] == "Bob"
    assert len(book.entries(book.first()).ids()) == 2
    assert book.delete([new]) == 1
    assert len(book.entries(book.first()).ids()) == 1


def test_many_writers_lose_no_card(tmp_path: Path) -> None:
    (tmp_path / "a.vcf").touch()

    def write(who: int) -> None:
        book = CardBook(tmp_path / "a.vcf", "")
        made = [book.save(book.first(), {pr.DISPLAY_NAME: f"{who}-{number}"}) for number in range(5)]
        assert book.delete(made[:1]) == 1

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    book = CardBook(tmp_path / "a.vcf", "")
    names = [book.load(one)[pr.DISPLAY_NAME] for one in book.entries(book.first()).ids()]
    assert sorted(names) == sorted([f"{who}-{number}" for who in range(4) for number in range(1, 5)])
