"""Which articles a peer gets: each option of its block, as INN's newsfeeds(5) means it."""

from __future__ import annotations

import hashlib

import pytest

from quintet.config.peers import Peer
from quintet.delivery.feeds.select import Choice, share_of
from quintet.store.feeding import Listed
from quintet.store.model import MessageId


def listed(
    groups: str = "local.test",
    *,
    path: str = "us.test!origin.test!user",
    more: str = "",
    size: int = 500,
    message_id: str = "<a@x>",
) -> Listed:
    head = f"Path: {path}\r\nXref: us.test {groups}:1\r\nNewsgroups: {groups}\r\n{more}\r\nbody\r\n"
    return Listed(MessageId(1), message_id, 0, size, head.encode())


def wants(article: Listed, **options: object) -> bool:
    return Choice(Peer(name="them", **{"send": "*", **options})).wants(article)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("send", "groups", "goes"),
    [
        ("comp.*", "comp.lang.c", True),
        ("comp.*", "local.test", False),
        ("*,!local.*", "local.test", False),
        ("*,!local.*", "local.test,comp.lang.c", True),  # one that is wanted is enough
        ("*,@local.*", "local.test,comp.lang.c", False),  # poison in one is poison in all
        ("*,@local.*,local.test", "local.test", True),  # the last that matches decides
        ("", "local.test", False),
    ],
)
def test_groups(send: str, groups: str, goes: bool) -> None:
    assert wants(listed(groups), send=send) is goes


@pytest.mark.parametrize(
    ("wanted", "has", "goes"),
    [
        (("world", "us"), "us", True),
        (("world", "us"), "de,us", True),
        (("world", "us"), "de", False),
        (("!local",), "local", False),
        (("!local",), "local,de", True),
        (("!local",), "de", True),
        (("us",), "", True),  # an article without one goes everywhere
        ((), "de", True),
    ],
)
def test_distributions(wanted: tuple[str, ...], has: str, goes: bool) -> None:
    more = f"Distribution: {has}\r\n" if has else ""
    assert wants(listed(more=more), distributions=wanted) is goes


@pytest.mark.parametrize(
    ("options", "size", "goes"),
    [
        ({"max_size": 500}, 500, True),
        ({"max_size": 499}, 500, False),
        ({"min_size": 500}, 500, True),
        ({"min_size": 501}, 500, False),
    ],
)
def test_size(options: dict[str, int], size: int, goes: bool) -> None:
    assert wants(listed(size=size), **options) is goes


@pytest.mark.parametrize(("hops", "goes"), [(4, True), (3, True), (2, False), (0, True)])
def test_hops(hops: int, goes: bool) -> None:
    assert wants(listed(path="us.test!a.test!user"), max_hops=hops) is goes


def test_number_of_groups() -> None:
    assert wants(listed("a,b"), max_groups=2)
    assert not wants(listed("a,b,c"), max_groups=2)


@pytest.mark.parametrize(
    ("groups", "more", "followups", "spread"),
    [
        ("a", "", 1, 2),
        ("a,b,c", "", 3, 12),  # where nothing is said, answers go to all of them
        ("a,b,c", "Followup-To: a\r\n", 1, 4),
        ("a,b,c", "Followup-To: poster\r\n", 1, 4),
        ("a,b,c", "Followup-To: a,\r\n b\r\n", 2, 7),
    ],
)
def test_spread_of_an_article_and_its_answers(groups: str, more: str, followups: int, spread: int) -> None:
    """INN's U flag, and C: groups plus the square of those that answers go to."""
    article = listed(groups, more=more)
    assert wants(article, max_followups=followups, max_spread=spread)
    assert followups == 1 or not wants(article, max_followups=followups - 1)
    assert not wants(article, max_spread=spread - 1)


@pytest.mark.parametrize(
    ("wanted", "more", "goes"),
    [
        (("us.test",), 'Injection-Info: us.test; posting-host="x"\r\n', True),
        (("us.test",), "Injection-Info: other.test\r\n", False),
        (("us.test",), "X-Trace: us.test 1234 192.0.2.1\r\n", True),
        (("us.test",), "", False),
        (("*.test", "!us.test"), "Injection-Info: us.test\r\n", False),
        (("!us.test",), "Injection-Info: other.test\r\n", True),
    ],
)
def test_where_it_was_injected(wanted: tuple[str, ...], more: str, goes: bool) -> None:
    """INN's O flag."""
    assert wants(listed(more=more), originators=wanted) is goes


@pytest.mark.parametrize(
    ("path", "goes"),
    [
        ("us.test!other.test!user", True),
        ("us.test!them.test!user", False),  # identity
        ("us.test!THEM.TEST!user", False),
        ("us.test!cluster.test!user", False),  # exclude
        ("us.test!host.test!user", False),  # host
        ("us.test!them!user", False),  # name
        ("us.test!other.test!them.test", True),  # the tail is no server (RFC 5536 3.1.5)
        ("us.test!.MISMATCH.them.test!other.test!user", True),  # a diagnostic is none either
    ],
)
def test_who_has_it_already(path: str, goes: bool) -> None:
    options = {"identity": ("them.test",), "exclude": ("cluster.test",), "host": "host.test"}
    assert wants(listed(path=path), **options) is goes


@pytest.mark.parametrize(
    ("control", "plain", "message"), [("all", True, True), ("none", True, False), ("only", False, True)]
)
def test_control_messages(control: str, plain: bool, message: bool) -> None:
    assert wants(listed(), control=control) is plain
    assert wants(listed(more="Control: cancel <b@x>\r\n"), control=control) is message


@pytest.mark.parametrize(
    ("field", "goes"),
    [
        ("Archive: no\r\n", False),
        ("Archive: No; filename=x\r\n", False),
        ("Archive: (me) no\r\n", False),
        ("Archive: yes\r\n", True),
        ("Archive: nothing\r\n", True),
        ("", True),
    ],
)
def test_archives_get_what_may_be_archived(field: str, goes: bool) -> None:
    """RFC 5536 3.2.2."""
    assert wants(listed(more=field), archive=True) is goes
    assert wants(listed(more=field))


@pytest.mark.parametrize(
    ("moderated", "groups", "goes"),
    [
        ("only", "local.mod", True),
        ("only", "local.test", False),
        ("only", "local.test,local.mod", True),
        ("none", "local.mod", False),
        ("none", "local.test,local.mod", True),
        ("all", "local.mod", True),
    ],
)
def test_moderated_groups(moderated: str, groups: str, goes: bool) -> None:
    """INN's flags Nm and Nu."""
    choice = Choice(Peer(name="them", send="*", moderated=moderated), {"local.mod"}.__contains__)
    assert choice.wants(listed(groups)) is goes


def test_only_with_a_distribution() -> None:
    """INN's flag Ad."""
    assert not wants(listed(), need_distribution=True)
    assert not wants(listed(more="Distribution: \r\n"), need_distribution=True)
    assert wants(listed(more="Distribution: x\r\n"), need_distribution=True)


def test_path_is_not_looked_at_but_for_exclusions() -> None:
    """INN's flag Ap."""
    options = {"check_path": False, "identity": ("them.test",), "exclude": ("cluster.test",)}
    assert wants(listed(path="us.test!them.test!them!user"), **options)
    assert not wants(listed(path="us.test!cluster.test!user"), **options)


def test_shares_are_apart_and_together_all() -> None:
    """INN's Q flag: value/modulus and low-high/modulus."""
    many = [listed(message_id=f"<{number}@x>") for number in range(400)]
    shares = [
        {one.message_id for one in many if wants(one, hashfeed=text)} for text in ("1/4", "2/4", "3-4/4")
    ]
    assert sum(map(len, shares)) == 400
    assert set.union(*shares) == {one.message_id for one in many}
    assert 60 < len(shares[0]) < 140
    assert 150 < len(shares[2]) < 250


def test_a_share_is_that_of_inn() -> None:
    """newsfeeds(5): the last four octets of the MD5 of the Message-ID, modulo, plus one."""
    digest = hashlib.md5(b"<a@x>", usedforsecurity=False).digest()
    assert share_of("<a@x>", 7) == int.from_bytes(digest[12:], "big") % 7 + 1


@pytest.mark.parametrize("name", ["<a b@x>", "<ax>", "", "<a@x>\r\nQUIT", f"<{'a' * 250}@x>", "<ä@x>"])
def test_an_id_that_is_none_is_offered_to_nobody(name: str) -> None:
    """An article that was put in by hand: offered, it would end each connection, again and again."""
    assert not wants(listed(message_id=name))


def test_folded_and_doubled_fields() -> None:
    article = listed(more="Distribution:\r\n\tde,\r\n us\r\n")
    assert wants(article, distributions=("us",))
    assert not wants(listed(more="Archive:\r\n no\r\n"), archive=True)
