"""`quintet account card`."""

from pathlib import Path

import pytest

from quintet.admin.cli.cards import FIELDS
from quintet.mapi.nspi import consts, properties
from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, configured(tmp_path))
    made = Shell(tmp_path, capsys)
    made("account", "add", "zoe@example.org", "--password", "pw", "--display-name", "Zoë Novák")
    return made


def test_a_card_from_nothing_to_nothing(shell: Shell) -> None:
    plain = {"account": "zoe@example.org", "display_name": "Zoë Novák"}
    assert shell.json("account", "card", "zoe@example.org") == plain
    told = shell.json("account", "card", "zoe@example.org", "title=Königin", "phone=+1 23=4", "city=")
    assert told == {**plain, "title": "Königin", "phone": "+1 23=4"}
    assert shell.json("account", "card", "zoe@example.org", "title=", "city=Prague") == {
        **plain, "phone": "+1 23=4", "city": "Prague"
    }  # fmt: skip
    assert shell.json("account", "card", "zoe@example.org", "phone=", "city=") == plain


def test_what_a_card_does_not_say(shell: Shell) -> None:
    before = shell.json("account", "card", "zoe@example.org")
    shell("account", "card", "zoe@example.org", "salary=1", code=2)
    shell("account", "card", "zoe@example.org", "title", code=2)
    shell("account", "card", "zoe@example.org", "title=" + "x" * 1025, code=2)
    shell("account", "card", "nobody@example.org", "title=x", code=1)
    assert shell.json("account", "card", "zoe@example.org") == before


def test_every_field_is_one_that_the_address_book_shows() -> None:
    assert {consts.of(field) for field in FIELDS.values()} <= set(properties.CARD)
