"""Folders by what they are for, on a server that hides its own calendar from who comes by IMAP."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from quintet import mapi
from quintet.admin import cli
from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Special
from quintet.mapi.providers.mailstore import MailStore

NOON = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of these names are there already, and in no listing."""
    plain: Any = MailStore.make_folder

    def make(self: MailStore, parent: bytes, props: Bag) -> bytes:
        if props[pr.DISPLAY_NAME] in ("Calendar", "Contacts", "Tasks"):
            raise MapiError(Code.COLLIDING_NAMES)
        made: bytes = plain(self, parent, props)
        return made

    monkeypatch.setattr(MailStore, "make_folder", make)


@pytest.mark.usefixtures("hidden")
def test_what_was_put_in_is_seen_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the next session too: in the agenda, among busy times, as a name that letters can be written to."""
    settings = {"path": str(tmp_path / "mail"), "create": "yes"}
    with mapi.connect("MAILDIR", **settings) as session:
        assert session.store.special(Special.CALENDAR) is None
        session.store.calendar.create(
            mapi.Appointment, subject="Lunch", start=NOON, end=NOON + datetime.timedelta(hours=1)
        )
        session.store.contacts.create(mapi.Contact, name="Zoë Zimt", email="zoe@example.org")
    with mapi.connect("MAILDIR", **settings) as session:
        assert session.store.special(Special.CALENDAR) == session.store.calendar.entry
        assert session.store.calendar.name == "Calendar 2"
        letter = session.store.new(mapi.Message)
        letter.to = "Zoë Zimt"
        assert [one.address for one in letter.to] == ["zoe@example.org"]
    monkeypatch.setenv("QUINTET_MAPI_PROFILES", str(tmp_path / "profiles.json"))
    chosen = ["--service", "MAILDIR", "--set", f"path={settings['path']}"]
    assert cli.run(["mapi", "agenda", "--from", "2026-12-01", *chosen]) == 0
    assert cli.run(["mapi", "contacts", *chosen]) == 0
    shown = capsys.readouterr().out
    assert "Lunch" in shown
    assert "zoe@example.org" in shown
