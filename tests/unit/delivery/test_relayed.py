"""Recipients behind a backup MX: the file, its patterns, and reading it again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.clock import FrozenClock
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.relayed import Relayed, Table, read
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Peer
from tests.support.mailhouse import SMTP, mail_house

TEXT = """# who is there
Dora@elsewhere.example  OK
*-list@elsewhere.example
!old-list@elsewhere.example
@all.example
!no*@all.example   # too late: the line above fits first
[x]?@odd.example
"""


@pytest.mark.parametrize(
    ("address", "there"),
    [
        ("dora@elsewhere.example", True),
        ("DORA+tag@elsewhere.example", True),
        ("emil@elsewhere.example", False),
        ("news-list@elsewhere.example", True),
        ("old-list@elsewhere.example", False),
        ("nobody@all.example", True),
        ("x@none.example", False),
        ("[x]1@odd.example", True),
        ("x1@odd.example", False),
    ],
)
def test_entries(address, there):
    assert read(TEXT).has(mailbox(address)) is there


@given(st.text(max_size=200), st.text(max_size=30))
def test_any_text_is_a_table_or_a_clear_error(text, local):
    why, table = "", Table()
    try:
        table = read(text)
    except ValueError as error:
        why = str(error)
    assert why == "" or why.startswith("line ")
    assert table.has(mailbox(f"{local}@x.example")) in (True, False)


def test_the_file_is_read_again_when_it_changes(tmp_path):
    path, clock = tmp_path / "recipients", FrozenClock()
    table = Relayed(str(path), clock)
    with pytest.raises(TryLater):
        table.has(mailbox("dora@x.example"))
    path.write_text("dora@x.example\n")
    clock.advance(5)
    assert table.has(mailbox("dora@x.example"))
    path.write_text("broken\n")
    clock.advance(5)
    assert table.has(mailbox("dora@x.example"))  # what was known stays
    path.write_text("emil@x.example\n")
    clock.advance(5)
    assert not table.has(mailbox("dora@x.example"))


async def test_at_rcpt(tmp_path):
    """RFC 5321 3.6.2: a relay refuses whom it knows not to exist, whoever asks."""
    path = tmp_path / "recipients"
    path.write_text("dora@relay.example\n")
    async with mail_house(tmp_path / "data") as house:
        house.configure(replace(SMTP, relay_domains=["relay.example"], relay_recipients=str(path)))
        envelope = Envelope(Peer("c", "192.0.2.1"), sender=mailbox("z@x.example"))
        assert house.inbound.recipient(envelope, mailbox("dora@relay.example")).elsewhere
        with pytest.raises(Refused) as refused:
            house.inbound.recipient(envelope, mailbox("emil@relay.example"))
        assert refused.value.reason is Reason.NO_SUCH_ADDRESS
