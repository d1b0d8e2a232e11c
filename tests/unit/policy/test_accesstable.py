"""Tables of who may what: access(5), cidr_table(5)."""

import pytest

from quintet.policy import accesstable
from quintet.policy.acts import Do

TABLE = """
mail.bad.test      REJECT by name
.worse.test        REJECT below
ok.worse.test      OK
192.0.2            REJECT by octets
198.51.100.0/25    REJECT by network
198.51.100.0/24    DUNNO
2001:db8::/32      REJECT by prefix
2001:db9           REJECT by its groups
/\\.dyn\\.(\\w+)$/ REJECT dynamic at $1
"""


def client(address, name=""):
    table = accesstable.read(TABLE)
    whole = [name, address] if name else [address]
    found = table.find(accesstable.keys_of_host(address, name), whole, address)
    return None if found is None else found.text or found.do.value


@pytest.mark.parametrize(
    ("address", "name", "text"),
    [
        ("203.0.113.1", "mail.bad.test", "by name"),
        ("203.0.113.1", "x.mail.bad.test", "by name"),  # what is above counts, with a dot and without
        ("203.0.113.1", "mail.bad.tests", None),
        ("203.0.113.1", "a.worse.test", "below"),
        ("203.0.113.1", "worse.test", None),
        ("203.0.113.1", "OK.worse.test.", "ok"),  # the longer name comes first
        ("192.0.2.9", "", "by octets"),
        ("192.0.20.9", "", None),
        ("198.51.100.7", "", "by network"),
        ("198.51.100.207", "", "dunno"),
        ("2001:db8::9", "", "by prefix"),
        ("2001:db9::9", "", "by its groups"),
        ("203.0.113.1", "p7.dyn.isp", "dynamic at isp"),
        ("unix", "", None),
    ],
)
def test_clients(address, name, text):
    assert client(address, name) == text


@pytest.mark.parametrize(
    ("lines", "box", "found"),
    [
        ("zoe@a.test REJECT", ("Zoe", "A.test"), True),
        ("zoe@a.test REJECT", ("zoe+x", "a.test"), True),
        ("zoe+x@a.test REJECT", ("zoe", "a.test"), False),
        ("a.test REJECT", ("zoe", "a.test"), True),
        ("@a.test REJECT", ("zoe", "a.test"), True),
        (".a.test REJECT", ("zoe", "b.a.test"), True),
        ("zoe@ REJECT", ("zoe", "c.test"), True),
        ("zoe REJECT", ("zoe", "c.test"), False),
        ("<> REJECT", ("", ""), True),
        ("postmaster REJECT", ("postmaster", ""), True),
        ("zoe@a.test OK\na.test REJECT", ("zoe", "a.test"), False),
    ],
)
def test_addresses(lines, box, found):
    act = accesstable.read(lines).find(accesstable.keys_of_address(box[0], box[1], "+"), ["@".join(box)])
    assert (act is not None and act.do is Do.REFUSE) is found


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("a.test OK\nb.test REJCT", "line 2: b.test: no such action: REJCT"),
        ("b.test", "line 1: b.test: no such action: nothing"),
        ("192.0.2.0/33 OK", "line 1: 192.0.2.0/33: "),
        ("/(/ OK", "line 1: "),
    ],
)
def test_mistakes_are_told_with_their_line(lines, why):
    with pytest.raises(ValueError, match=why):
        accesstable.read(lines)


def test_only_tables_with_names_need_the_name_of_a_client():
    assert [
        accesstable.read(text).names
        for text in ("192.0.2 OK\n10.0.0.0/8 OK\n2001:db8 OK", "a.test OK", "/x/ OK")
    ] == [False, True, True]


def test_the_first_network_counts_whatever_its_length():
    table = accesstable.read(
        "10.1.0.0/16 OK\n10.0.0.0/8 REJECT eight\n10.2.3.0/24 DISCARD\n10.1.2.0/24 DISCARD\n10.0.0.0/8 HOLD\n"
        "2001:db8::/32 HOLD\n0.0.0.0/0 DEFER\n192.0.2.7/32 OK\n2001:db8::7/128 OK\n::/0 REJECT\n"
    )

    def found(address: str) -> str:
        act = table.find([], [], address)
        return "" if act is None else act.do.value

    assert found("10.1.2.3") == "ok"
    assert found("10.2.3.4") == "reject"
    assert found("192.0.2.7") == "defer"
    assert found("2001:db8::7%eth0") == "hold"
    assert found("2001:db9::7") == "reject"
    assert found("0.0.0.1") == "defer"
    assert found("unix") == ""


def test_names_are_wanted_where_a_table_has_some():
    assert not accesstable.read("10.1 OK\n10.0.0.0/8 OK\n2001:db8 OK\n").names
    assert accesstable.read("10.1 OK\nbad.test OK\n").names
    assert accesstable.read("/^bad/ OK\n").names
