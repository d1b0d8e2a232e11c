"""What group control messages ask for, and how their lists are read."""

import pytest

from quintet.delivery.control import groupchanges
from quintet.delivery.control.groupchanges import Change, Here, Listed, Scope
from quintet.message.scan import scan

HERE = {
    "local.a": Here("y", "About a"),
    "local.mod": Here("m", "Moderated"),
    "local.shut": Here("n", ""),
    "other.x": Here("y", ""),
    "control.cancel": Here("n", ""),
}


def lines(data: bytes, kind: str, charset: str = "") -> list[Listed]:
    return groupchanges.lines_of(scan(data), data, kind, lambda _: charset)


def test_newgroup_makes_changes_and_describes() -> None:
    listed = [Listed("local.new", "New things", False)]
    assert groupchanges.newgroup(["local.new"], listed, HERE) == [
        Change("make", "local.new", False, "New things")
    ]
    assert groupchanges.newgroup(["local.new", "moderated"], [], HERE) == [Change("make", "local.new", True)]
    assert groupchanges.newgroup(["local.new", "y"], [], HERE) == [Change("make", "local.new", False)]
    assert groupchanges.newgroup(["local.a", "moderated"], [], HERE) == [Change("status", "local.a", True)]
    assert groupchanges.newgroup(["local.mod"], [], HERE) == [Change("status", "local.mod", False)]
    assert groupchanges.newgroup(["local.a"], [Listed("local.a", "About a", False)], HERE) == []
    assert groupchanges.newgroup(["local.shut"], [], HERE) == []  # what was set by hand stays


@pytest.mark.parametrize(
    "name",
    ["", "control", "control.x", "example.x", "to.peer", "junk", "poster", "a..b", ".a", "a.", "a b", "a,b",
     "a*", "x" * 461, "local.\x07"],
)  # fmt: skip
def test_names_that_no_group_may_have(name: str) -> None:
    """RFC 5536 3.1.4."""
    assert groupchanges.newgroup([name], [], {}) == []


def test_rmgroup_names_a_group_that_is_here() -> None:
    assert groupchanges.rmgroup(["local.a"], HERE) == [Change("remove", "local.a")]
    assert groupchanges.rmgroup(["local.none"], HERE) == []
    assert groupchanges.rmgroup(["control.cancel"], HERE) == []
    assert groupchanges.rmgroup([], HERE) == []


def test_checkgroups_makes_the_list_true() -> None:
    listed = [
        Listed("local.a", "About a", True),
        Listed("local.new", "New", False),
        Listed("other.y", "", False),
    ]
    of = Scope(("local",))
    assert groupchanges.checkgroups(listed, HERE, of) == [
        Change("status", "local.a", True),
        Change("make", "local.new", False, "New"),
        Change("remove", "local.mod"),
        Change("remove", "local.shut"),
    ]
    assert groupchanges.checkgroups([], HERE, of) == []  # an empty list ends no hierarchy


@pytest.mark.parametrize(
    ("words", "within", "without", "serial"),
    [
        ((), ("comp", "local"), (), 0),
        (("local",), ("local",), (), 0),
        (("de", "!de.alt", "#2009021301"), ("de",), ("de.alt",), 2009021301),
        (("#7",), ("comp", "local"), (), 7),
        (("a..b", "*"), ("comp", "local"), (), 0),
    ],
)
def test_scope_of_checkgroups(words, within, without, serial) -> None:
    """RFC 5537 5.2.3."""
    listed = [Listed("local.a", "", False), Listed("comp.b", "", False)]
    assert groupchanges.scope(words, listed) == Scope(within, without, serial)


def test_the_longest_name_of_a_scope_decides() -> None:
    of = Scope(("de", "de.alt.admin"), ("de.alt",))
    inside = ["de.x", "de", "de.alt.x", "de.alt.admin.y", "dex.y"]
    assert [name in of for name in inside] == [True, True, False, True, False]


def test_lines_of_a_plain_newgroup() -> None:
    data = (
        b"Control: newgroup x.y\r\n\r\nx.y is fine.\r\nFor your newsgroups file:\r\n"
        b"x.y\t\tAbout it (Moderated)\r\nbye\r\n"
    )
    assert lines(data, "news-groupinfo") == [Listed("x.y", "About it", True)]
    assert lines(data.replace(b"For your", b"For my"), "news-groupinfo") == []


def test_lines_of_a_multipart_newgroup() -> None:
    """RFC 5537 5.2.1.1: the tag may stand there, and the description has the part's charset."""
    data = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: application/news-groupinfo;'
        b" charset=koi8-r\r\n\r\nFor your newsgroups file:\r\nx.y \xf4\xc5\xd3\xd4\r\n--b\r\n\r\n"
        b"words\r\n--b--\r\n"
    )
    assert Listed("x.y", "Тест", False) in lines(data, "news-groupinfo")


def test_lines_of_a_checkgroups() -> None:
    data = (
        b"Content-Type: application/news-checkgroups\r\n\r\n"
        b"x.a\tOne\r\nx.b Two (Moderated)\r\nx.c\r\n bad name!\r\n"
    )
    assert lines(data, "news-checkgroups") == [
        Listed("x.a", "One", False),
        Listed("x.b", "Two", True),
        Listed("x.c", "", False),
        Listed("bad", "name!", False),
    ]


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("Grüße".encode(), "", "Grüße"),
        ("Grüße".encode("latin-1"), "", "Grüße"),
        ("Тест".encode("koi8-r"), "koi8-r", "Тест"),
        (b"a\x00\x1bb", "", "a b"),
        (b"\x81\x8d", "nonsense", ""),
    ],
)
def test_charset_of_descriptions(raw: bytes, charset: str, text: str) -> None:
    (found,) = lines(b"Subject: x\r\n\r\nx.a\t" + raw + b"\r\n", "news-checkgroups", charset)
    assert found.description == text
