"""Rules in the syntax of control.ctl, and those that are shipped."""

import pytest

from quintet.config.news import ControlRule, News
from quintet.delivery.control import ctl, hierarchies, work
from quintet.delivery.control.ctl import Action

TEXT = """
## a comment
all:*:*:drop
newgroup:*:*:mail
newgroup:*:local.*|site.*:log=newgroup
newgroup:boss@*.example.org:local.*:doit=mail
rmgroup:boss@example.org:local.*:verify-local.admin
/encoding/:*:*:cp1252
/encoding/:*:fido7.*:koi8-r
/maxdocheckgroups/:*:local.*:3
/localencoding/:utf-8
"""
THERE = "there are doit, drop, log, mail and verify-KEY"


@pytest.mark.parametrize(
    ("message", "sender", "group", "action"),
    [
        ("newgroup", "x@y", "comp.new", Action("mail")),
        ("newgroup", "x@y", "site.new", Action("log", "", "newgroup")),
        ("newgroup", "BOSS@mail.Example.org", "local.new", Action("doit", "", "mail")),
        ("newgroup", "boss@mail.example.org", "localx.new", Action("mail")),
        ("rmgroup", "boss@example.org", "local.old", Action("verify", "local.admin")),
        ("rmgroup", "boss@example.org.evil", "local.old", Action("drop")),
        ("version", "x@y", "", Action("drop")),
    ],
)
def test_the_last_rule_that_fits_counts(message: str, sender: str, group: str, action: Action) -> None:
    assert ctl.parse(TEXT).action(message, sender, group) == action


def test_charsets_and_limits_are_by_group() -> None:
    rules = ctl.parse(TEXT)
    assert (rules.charset("fido7.x"), rules.charset("de.x")) == ("koi8-r", "cp1252")
    assert (rules.most_changes("local.a", 10), rules.most_changes("comp.a", 10)) == (3, 10)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("newgroup:*:*", "line 1: expected message:from:newsgroups:action"),
        ("dance:*:*:doit", "line 1: no control message is called 'dance'"),
        ("newgroup:*:*:explode", f"line 1: no action is called 'explode'; {THERE}"),
        ("newgroup:*:*:verify-", f"line 1: no action is called 'verify-'; {THERE}"),
        ("newgroup::*:doit", "line 1: an empty pattern, or a very long one"),
        ("/maxdocheckgroups/:*:*:many", "line 1: expected a number of changes, got 'many'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(line: str, why: str) -> None:
    with pytest.raises(ctl.BadRule) as caught:
        ctl.parse(line)
    assert str(caught.value) == why


def test_what_is_written_is_read_back() -> None:
    for text in ("doit", "mail", "verify-a b=mail", "log=x"):
        assert str(ctl.parse(f"all:*:*:{text}").rules[0].action) == text


def test_shipped_rules_do_nothing_on_a_mere_word() -> None:
    """No newgroup, rmgroup or checkgroups is done without a signature, whoever it says it is from."""
    rules = hierarchies.shipped()
    assert len(rules.rules) > 700
    assert {rule.action.word for rule in rules.rules} == {"log", "mail", "drop", "verify"}
    assert all(rule.action.key for rule in rules.rules if rule.action.word == "verify")


@pytest.mark.parametrize(
    ("sender", "group", "action"),
    [
        ("group-admin@isc.org", "comp.lang.new", "verify-news.announce.newgroups"),
        ("somebody@example.org", "comp.lang.new", "drop"),
        ("moderator@dana.de", "de.test", "verify-de.admin.news.announce"),
        ("moderator@dana.de", "de.alt.new", "verify-de.admin.news.announce"),
        ("x@example.org", "alt.silly", "log"),
        ("petr.kolar@vslib.cz", "cz.new", "mail"),
        ("x@example.org", "cz.new", "log"),
        ("x@example.org", "nowhere.new", "mail"),
        ("x@example.org", "control.cancel", "drop"),
        ("x@example.org", "su.leaked", "drop"),
        ("newgroups-request@fido7.ru", "fido7.x", "verify-fido7.announce.newgroups"),
    ],
)
def test_shipped_rules_of_hierarchies(sender: str, group: str, action: str) -> None:
    assert str(hierarchies.shipped().action("newgroup", sender, group)) == action


def test_rows_of_the_table_are_whole() -> None:
    for row in hierarchies.table():
        assert row.kind in hierarchies.KINDS
        assert row.patterns
        assert row.about
        assert bool(row.key) is (row.kind == "signed"), row


def test_own_blocks_come_last(tmp_path) -> None:
    (tmp_path / "ctl").write_text("newgroup:*:comp.*:log\nrmgroup:*:comp.*:doit\n")
    block = ControlRule("rmgroup", "boss@example.org", "comp.*", "mail")
    rules = work.rules_of(News(control=(block,), control_file=str(tmp_path / "ctl")))
    assert rules.action("newgroup", "group-admin@isc.org", "comp.x").word == "log"
    assert rules.action("rmgroup", "x@y", "comp.x").word == "doit"
    assert rules.action("rmgroup", "boss@example.org", "comp.x").word == "mail"
    assert work.rules_of(News(well_known=False)).action("newgroup", "x@y", "su.x").word == "mail"


def test_a_block_that_cannot_be_meant_is_a_fault_of_the_configuration() -> None:
    good = News(control=(ControlRule(action="verify-a b=mail"), ControlRule(action="log=x")))
    assert good.faults() == []
    assert len(work.rules_of(good).rules) == len(hierarchies.shipped().rules) + 2
    bad = News(
        control=(ControlRule(action="explode"), ControlRule(action="verify-"), ControlRule(sender=" "))
    )
    assert [fault.partition(":")[0] for fault in bad.faults()] == [
        "news.control.0.action",
        "news.control.1.action",
        "news.control.2",
    ]


@pytest.mark.parametrize(
    ("sender", "group", "key"),
    [
        ("fidobelg@mail.z2.fidonet.org", "fido.belg.new", "fido.belg.news"),
        ("fido.ger@news.fu-berlin.de", "fido.ger.new", "fido.ger@news.fu-berlin.de"),
        ("newgroups-request@fido7.org", "fido7.new", "fido7.announce.newgroups"),
        ("usenet@novabbs.com", "rocksolid.new", "usenet@novabbs.com"),
    ],
)
def test_a_part_of_a_hierarchy_without_an_owner_has_one(sender: str, group: str, key: str) -> None:
    shipped = hierarchies.shipped()
    for message in hierarchies.GROUP_MESSAGES:
        assert shipped.action(message, sender, group) == Action("verify", key)
    assert shipped.action("newgroup", "x@y.example", "fido.new") == Action("mail")
