"""Header and body checks: header_checks(5)."""

from pathlib import Path

import pytest

from quintet.config.access import Content as Config
from quintet.config.policy import Policy
from quintet.delivery.acting import Acting
from quintet.delivery.contentchecks import ContentChecks
from quintet.errors import Refused, TryLater
from quintet.smtp import replies
from quintet.store.content import Content, content_of
from tests.support.mailhouse import MailHouse, envelope, inbound, mail_house

PLAIN = b"Subject: one\r\n two\r\nX-A: b\r\nTo: x@y.test\r\n\r\nfirst line\r\nsecond\r\n"
MIXED = b"""Subject: parts\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=q\r
\r
--q\r
Content-Type: text/plain\r
\r
plain words\r
--q\r
Content-Type: application/octet-stream;\r
 name="a.exe"\r
X-Part: 1\r
\r
TVo=\r
--q\r
Content-Type: message/rfc822\r
\r
Subject: inner\r
Content-Type: text/html\r
\r
<p>inner words\r
--q--\r
"""


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def way_in(house: MailHouse, folder: Path, limit: int = 51200, **tables: str):
    files = {}
    for name, text in tables.items():
        (folder / name).write_text(text)
        files[name] = str(folder / name)
    acts = Acting()
    check = ContentChecks(Config(body_limit=limit, **files), house.clock)
    return inbound(house, policy=Policy(), checks=[check, acts], filters=[acts.filter])


async def sent(way, data: bytes | Content) -> str:
    content = data if isinstance(data, Content) else content_of(data)
    try:
        await way.accept(envelope(way, "alice"), content)
    except (Refused, TryLater) as problem:
        return replies.problem(problem).decode().rstrip()
    return ""


@pytest.mark.parametrize(
    ("table", "line", "data", "refused"),
    [
        ("header_checks", "/^subject: one/ REJECT 5.7.9 no", PLAIN, True),
        ("header_checks", r"/^Subject: one\n two$/ REJECT 5.7.9 no", PLAIN, True),  # with its folds
        ("header_checks", "/^two/ REJECT 5.7.9 no", PLAIN, False),
        ("header_checks", "/first/ REJECT 5.7.9 no", PLAIN, False),
        ("body_checks", "/^second$/ REJECT 5.7.9 no", PLAIN, True),
        ("body_checks", "/Subject/ REJECT 5.7.9 no", PLAIN, False),
        ("mime_header_checks", r"/name=.*\.exe/ REJECT 5.7.9 no", MIXED, True),
        ("mime_header_checks", "/^X-Part/ REJECT 5.7.9 no", MIXED, True),
        ("mime_header_checks", "/^Subject: parts/ REJECT 5.7.9 no", MIXED, False),
        ("mime_header_checks", "/^Content-Type: multipart/ REJECT 5.7.9 no", MIXED, True),
        ("mime_header_checks", "/^Content-Type: text.html/ REJECT 5.7.9 no", MIXED, True),
        ("header_checks", r"/name=.*\.exe/ REJECT 5.7.9 no", MIXED, True),  # stands for the others
        ("nested_header_checks", "/^Subject: inner/ REJECT 5.7.9 no", MIXED, True),
        ("nested_header_checks", "/^Subject: parts/ REJECT 5.7.9 no", MIXED, False),
        ("body_checks", "/plain words/ REJECT 5.7.9 no", MIXED, True),
        ("body_checks", "/inner words/ REJECT 5.7.9 no", MIXED, True),
    ],
)
async def test_what_is_found_is_refused(house, tmp_path, table, line, data, refused):
    assert await sent(way_in(house, tmp_path, **{table: line}), data) == ("550 5.7.9 no" if refused else "")
    assert await house.count("alice") == (not refused)


async def test_the_same_of_a_message_in_a_file(house, tmp_path):
    path = tmp_path / "large"
    large = MIXED.replace(b"plain words\r\n", b"plain words\r\n" * 20_000)
    spool = house.store.spool()
    spool.write(large)
    content = await spool.finish()
    assert content.path is not None
    assert path is not content.path
    way = way_in(house, tmp_path, mime_header_checks=r"/name=.*\.exe/ REJECT no")
    assert await sent(way, content) == "550 5.7.1 no"
    way = way_in(house, tmp_path, header_checks="/^X-Part/ IGNORE\n/^Subject: inner/ REPLACE Subject: other")
    assert await sent(way, content) == ""
    assert (await house.last("alice")).endswith(
        large.replace(b"X-Part: 1\r\n", b"").replace(b": inner", b": other")
    )


async def test_fields_and_lines_are_changed_and_removed(house, tmp_path):
    way = way_in(
        house,
        tmp_path,
        header_checks="/^Subject: (.*)/ REPLACE Subject: [$1]\n/^X-A/ IGNORE\n/^To/ PREPEND X-To: seen",
        body_checks="/^first (.*)/ REPLACE $1 first\n/second/ IGNORE",
    )
    assert await sent(way, PLAIN) == ""
    found = await house.last("alice")
    assert found.endswith(b"\r\nSubject: [one\r\n  two]\r\nTo: x@y.test\r\n\r\nline first\r\n")
    assert b"\r\nX-To: seen\r\n" in found


async def test_only_so_much_of_each_part_is_looked_at(house, tmp_path):
    way = way_in(house, tmp_path, limit=12, body_checks="/second/ REJECT")
    assert await sent(way, PLAIN) == ""
    way = way_in(house, tmp_path, limit=20, body_checks="/second/ REJECT no")
    assert await sent(way, PLAIN) == "550 5.7.1 no"


async def test_what_is_noted_is_logged_and_looked_at_further(house, tmp_path):
    way = way_in(house, tmp_path, header_checks="/^Subject/ WARN seen\n/^X-A/ REJECT no")
    assert await sent(way, PLAIN) == "550 5.7.1 no"


async def test_who_throws_away_looks_no_further(house, tmp_path):
    way = way_in(house, tmp_path, header_checks="/^Subject/ DISCARD\n/^X-A/ REJECT no")
    assert await sent(way, PLAIN) == ""
    assert await house.count("alice") == 0


async def test_lines_that_are_no_fields_are_left_alone(house, tmp_path):
    way = way_in(house, tmp_path, header_checks="/b: c/ IGNORE")
    data = b"Subject: x\r\nno field b: c\r\n\r\nbody"
    assert await sent(way, data) == ""
    assert (await house.last("alice")).endswith(b"body")


async def test_a_table_that_cannot_be_read_puts_mail_off(house, tmp_path):
    assert (await sent(way_in(house, tmp_path, header_checks="/x/ OK"), PLAIN)).startswith("45")


@pytest.mark.parametrize(
    ("table", "data"),
    [
        ("header_checks", b"X-A: " + b"a" * 40 + b"b\r\n\r\nbody\r\n"),
        ("body_checks", b"X-A: b\r\n\r\n" + b"a" * 40 + b"b\r\n"),
    ],
)
async def test_an_expression_that_takes_too_long_keeps_the_message_away(house, tmp_path, table, data):
    way = way_in(house, tmp_path, **{table: "/(a+)+$/ REJECT no"})
    assert await sent(way, data) == "451 4.3.2 An expression of a table takes too long"
    assert await house.count("alice") == 0
    assert await sent(way, PLAIN) == ""
