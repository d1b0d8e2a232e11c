"""The directory's rows and its number, on both engines."""

from __future__ import annotations

from quintet.store import accounts, directory, folders, groups, items, lists, props, teams
from quintet.store.model import AccountId, FolderKind


def test_everything_in_one_listing(tx):
    accounts.add_domain(tx, "example.org")
    ann = accounts.create(tx, "ann@example.org", display_name="Ann")
    accounts.news(tx)
    accounts.add_address(tx, ann.id, "a.nn@example.org")
    accounts.add_address(tx, ann.id, "@example.org")  # a catch-all is nobody's name
    group = groups.create(tx, "misc.food", description="What to eat")
    accounts.add_address(tx, None, "food@example.org", "group", "misc.food")
    accounts.add_address(tx, None, "gone@example.org", "group", "no.such.group")
    number = lists.create(tx, "staff@example.org", ["ann@example.org"]).id
    teams.create(tx, "sales", "Sellers")
    directory.set_card(tx, ann.id, {0x3A17001F: b"title", 0x3A701102: b"certificate"})
    found = directory.listing(tx)
    assert found.version == directory.version(tx)
    assert [tuple(row) for row in found.accounts] == [(ann.id, "ann@example.org", "person", "Ann")]
    assert {(address, kind) for _, address, kind, _, _ in found.addresses if kind != "list"} == {
        ("ann@example.org", "primary"), ("a.nn@example.org", "alias"), ("food@example.org", "group"),
        ("gone@example.org", "group"),
    }  # fmt: skip
    assert [tuple(row) for row in found.lists] == [(number, "staff@example.org", "", "ann@example.org")]
    assert [tuple(row) for row in found.teams] == [("sales", "Sellers")]
    assert {name: tuple(row) for name, row in found.groups.items()} == {
        "misc.food": (group.id, "What to eat")
    }
    assert found.cards == {ann.id: {0x3A17001F: b"title"}}
    assert directory.large(tx, [ann.id, AccountId(1)]) == {ann.id: {0x3A701102: b"certificate"}}


def test_where_mail_goes(tx):
    accounts.add_domain(tx, "example.org")
    ann = accounts.create(tx, "ann@example.org")
    accounts.add_address(tx, ann.id, "a.nn@example.org")
    staff = lists.create(tx, "staff@example.org", ["ann@example.org"])
    accounts.add_address(tx, None, "info@example.org", "forward", "ann@example.org")
    food, bare = groups.create(tx, "misc.food"), groups.create(tx, "misc.bare")
    for address in ("food@example.org", "eat@example.org"):
        accounts.add_address(tx, None, address, "group", "misc.food")
    number = {address: at for at, address, *_ in directory.listing(tx).addresses}
    asked = [
        ann.id,
        staff.id,
        number["info@example.org"],
        food.id,
        number["food@example.org"],
        bare.id,
        999999,
    ]
    assert [directory.address_of(tx, one) for one in asked] == [
        "ann@example.org", "staff@example.org", "info@example.org", "eat@example.org", "food@example.org",
        None, None,
    ]  # fmt: skip


def test_each_change_has_a_number(tx):
    assert directory.version(tx) == 0
    directory.changed(tx)
    directory.changed(tx)
    assert directory.version(tx) == 2


def test_a_card_is_apart_from_the_mailbox(tx):
    ann = accounts.create(tx, "ann@example.org")
    props.put(tx, props.ACCOUNT, ann.id, {1: b"of the mailbox"})
    directory.set_card(tx, ann.id, {1: b"card", 2: b"more"})
    directory.set_card(tx, ann.id, {3: b"new"}, (1, 77))
    assert directory.card(tx, ann.id) == {2: b"more", 3: b"new"}
    assert props.get(tx, props.ACCOUNT, ann.id) == {1: b"of the mailbox"}
    accounts.remove(tx, ann.id)
    assert directory.card(tx, ann.id) == {}


def test_lists_of_a_member(tx):
    accounts.add_domain(tx, "example.org")
    for address in ("b@example.org", "a@example.org", "c@example.org"):
        lists.create(tx, address, ["x@far.example"])
    for address in ("b@example.org", "a@example.org"):
        lists.join(tx, lists.get(tx, address).id, "Ann@far.example")
    assert lists.of(tx, "ann@far.example") == ["a@example.org", "b@example.org"]
    assert lists.of(tx, "x@far.example") == []


def test_stored_properties_of_a_folders_items(tx):
    """The first ones of a folder, of some tags, and nothing of what is hidden."""
    ann = accounts.create(tx, "ann@example.org")
    folder = folders.create(tx, ann.id, "people", kind=FolderKind.ITEM)
    numbers = [
        items.add(tx, folder.id, items.Facts(10), received_at=5, hidden=number == 1).entry_id
        for number in range(4)
    ]
    for number in numbers:
        props.put(tx, props.ENTRY, number, {1: b"name", 2: b"address", 3: b"other"})
        props.put(tx, props.ENTRY, number, {1: b"of a part"}, part=1)
    both = {1: b"name", 2: b"address"}
    shown = [numbers[0], *numbers[2:]]
    assert directory.items(tx, folder.id, [1, 2], 9, 999) == dict.fromkeys(shown, both)
    assert sorted(directory.items(tx, folder.id, [1], 2, 999)) == shown[:2]
    assert directory.items(tx, folder.id, [9], 9, 999) == {}
    assert len(directory.items(tx, folder.id, [1], 9, 11)) == 2  # values of four bytes
    props.put(tx, props.ENTRY, numbers[0], {1: bytes(directory.MAX_ITEM_VALUE + 1)})
    assert list(directory.items(tx, folder.id, [1], 1, 99999)) == []
