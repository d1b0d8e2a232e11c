"""Ann, Bob and Carol, whose mailboxes are in one system; and one of Ann's alone, in memory or in files."""

from __future__ import annotations

import datetime
import uuid
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet import mapi
from quintet.mapi.api import Session
from quintet.mapi.errors import Code, MapiError

ANN, BOB, CAROL = "ann@example.com", "bob@example.com", "carol@example.com"
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UTC = datetime.UTC
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def at(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime.datetime:
    return datetime.datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


@pytest.fixture
def people() -> Iterator[dict[str, Session]]:
    world = str(uuid.uuid4())
    made = {
        address: mapi.connect("MEMORY", world=world, account=address, name=name)
        for address, name in ((ANN, "Ann"), (BOB, "Bob Beispiel"), (CAROL, "Carol"))
    }
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(params=["MEMORY", "MAILDIR"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    if request.param == "MEMORY":
        opened = mapi.connect("MEMORY", world=str(uuid.uuid4()), account=ANN)
    else:
        opened = mapi.connect("MAILDIR", path=str(tmp_path / "Maildir"), create="yes", address=ANN)
    with opened:
        yield opened


def refused(code: Code, call: object, *args: object, **kwargs: object) -> None:
    with pytest.raises(MapiError) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    assert caught.value.code == code
