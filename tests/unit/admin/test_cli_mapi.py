"""`quintet mapi` on a Maildir and on the system in memory: what a person types, and what comes out."""

from __future__ import annotations

import datetime
import json
import mailbox
import uuid
from pathlib import Path

import pytest

from quintet import mapi
from quintet.admin import cli
from quintet.admin.cli.common import Exit
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.memstore import MemoryStore


class Shell:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        got = cli.run(["mapi", *arguments])
        out = self._capsys.readouterr()
        assert got == code, out.err + out.out
        return out.err if code else out.out

    def json(self, *arguments: str) -> object:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("QUINTET_MAPI_PROFILES", str(tmp_path / "profiles.json"))
    monkeypatch.delenv("QUINTET_MAPI_PROFILE", raising=False)
    return Shell(capsys)


@pytest.fixture
def world(shell: Shell) -> str:
    name = str(uuid.uuid4())
    shell("profile", "add", "ann", "MEMORY", f"world={name}", "account=ann@example.com", "name=Ann")
    shell("profile", "add", "bob", "MEMORY", f"world={name}", "account=bob@example.com", "name=Bob")
    return name


def test_profiles(shell: Shell, tmp_path: Path) -> None:
    assert "no profiles" in shell("profile", "list")
    shell("profile", "add", "home", "MAILDIR", f"path={tmp_path / 'Maildir'}", "create=yes")
    (row,) = shell.json("profile", "list")  # type: ignore[misc]
    assert (row["profile"], row["default"]) == ("home", True)
    assert (tmp_path / "profiles.json").stat().st_mode & 0o077 == 0
    assert "no Maildir" in shell("profile", "add", "x", "MAILDIR", "path=/nowhere", code=Exit.REFUSED)
    assert "name=value" in shell("profile", "add", "x", "MAILDIR", "path", code=Exit.USAGE)
    assert "DISK_ERROR" not in shell(
        "profile", "add", "x", "MH", "path=/dev/null/x", "create=yes", code=Exit.REFUSED
    )
    shell("profile", "add", "work", "MEMORY")
    assert shell("profile", "default", "work") == "work is the default profile\n"
    assert [row["default"] for row in shell.json("profile", "list")] == [False, True]  # type: ignore[attr-defined]
    assert "no profile" in shell("profile", "default", "x", code=Exit.REFUSED)
    shell("profile", "remove", "work")
    shell("profile", "remove", "home")
    assert "no profile is called home" in shell("profile", "remove", "home", code=Exit.REFUSED)
    for command in ("folders", "list", "agenda", "contacts"):
        told = shell(command, code=Exit.REFUSED)
        assert "there is no default profile" in told
        assert "profile add" in told


def test_services_say_what_they_want(shell: Shell) -> None:
    assert {row["service"] for row in shell.json("services")} >= {"IMAP", "MAILDIR", "NNTP", "POP3"}  # type: ignore[attr-defined]
    assert "(must be given)" in shell("services", "imap")
    assert "no message service" in shell("services", "NOBODY", code=Exit.REFUSED)


def test_sending_listing_reading(shell: Shell, world: str, tmp_path: Path) -> None:
    (tmp_path / "menu.txt").write_text("soup")
    told = shell(
        "send", "--to", "Bob", "--subject", "Lunch?", "--attach", str(tmp_path / "menu.txt"), "At noon"
    )
    assert told == "sent to Bob <bob@example.com>\n"
    (row,) = shell.json("list", "-p", "bob", "--unread")  # type: ignore[misc]
    assert (row["number"], row["from"], row["subject"], row["read"]) == (1, "Ann", "Lunch?", False)
    shown = shell("read", "1", "-p", "bob", "--save", str(tmp_path / "parts"))
    assert "subject:" in shown
    assert shown.endswith("\n\nAt noon\n")
    assert (tmp_path / "parts" / "menu.txt").read_text() == "soup"
    assert shell.json("list", "-p", "bob", "--unread") == []
    assert shell.json("read", row["id"], "-p", "bob")["body"].strip() == "At noon"  # type: ignore[index]
    assert "Subject: Lunch?" in shell("read", "1", "-p", "bob", "--raw")
    assert shell("list", "-p", "bob", "--search", "dinner") == "nothing that fits\n"
    assert "no item 2" in shell("read", "2", "-p", "bob", code=Exit.REFUSED)
    assert "no number" in shell("read", "zz", "-p", "bob", code=Exit.USAGE)
    assert "nobody is called" in shell("send", "--to", "Zacharias", "x", code=Exit.REFUSED)
    assert {row["folder"] for row in shell.json("folders")} >= {"Inbox", "Calendar"}  # type: ignore[attr-defined]


def test_what_strangers_wrote_steers_nothing(shell: Shell, world: str, tmp_path: Path) -> None:
    """Neither a terminal, nor where attachments go."""
    title = "\x1b]0;mine\x07\x9b2JLunch\r?"
    with mapi.open("ann") as session:
        letter = session.store.new(mapi.Message)
        letter.to, letter.subject, letter.body = "bob@example.com", title, f"{title}\r\nAt noon"
        for name in ("..", "a.txt", "a.txt", "b/../../a.txt", "\x1b[2J"):
            letter.attachments.add(name.encode(), name)
        letter.send()
    for told in (
        shell("list", "-p", "bob"),
        shell("read", "1", "-p", "bob", "--save", str(tmp_path / "parts")),
    ):
        assert "Lunch?" in told
        assert not {char for char in told if not char.isprintable()} - {"\n"}
    assert told.endswith("\nAt noon\n")
    found = {file.name: file.read_text() for file in (tmp_path / "parts").iterdir()}
    assert sorted(found.values()) == sorted(["..", "a.txt", "a.txt", "b/../../a.txt", "\x1b[2J"])
    assert found["a.txt"] == "a.txt"
    assert list(tmp_path.glob("*.txt")) == []


def test_calendar_and_contacts(shell: Shell, world: str) -> None:
    shell(
        "schedule",
        "Plan",
        "--start",
        "2026-11-30T14:00",
        "--with",
        "bob",
        "--location",
        "Room 1",
        "--text",
        "Come",
    )
    shell(
        "schedule",
        "Standup",
        "--start",
        "2026-11-30T09:00",
        "--length",
        "15",
        "--repeat",
        "FREQ=DAILY;COUNT=3",
    )
    rows = shell.json("agenda", "--from", "2026-11-30", "--days", "2")
    assert [(row["subject"], row["start"][11:16]) for row in rows] == [  # type: ignore[attr-defined]
        ("Standup", "09:00"), ("Plan", "14:00"), ("Standup", "09:00"),
    ]  # fmt: skip
    assert shell.json("list", "-p", "bob")[0]["subject"] == "Plan"  # type: ignore[index]
    found = shell.json("schedule", "Soon", "--with", "bob")
    assert found["with"] == ["Bob <bob@example.com>"]  # type: ignore[index]
    assert "is no day" in shell("agenda", "--from", "tomorrow", code=Exit.USAGE)
    assert "is no time" in shell("schedule", "x", "--start", "noon", code=Exit.USAGE)
    with mapi.open("ann") as session:
        session.store.contacts.create(mapi.Contact, given_name="Zoë", surname="Zimt", email="zoe@example.org")
    assert shell.json("contacts") == [{"name": "Zoë Zimt", "address": "zoe@example.org"}]
    assert shell.json("contacts", "bob") == [{"name": "Bob", "address": "bob@example.com"}]


def test_looking_makes_no_folders(shell: Shell, tmp_path: Path) -> None:
    shell("profile", "add", "home", "MAILDIR", f"path={tmp_path / 'M'}", "create=yes")
    assert shell("agenda") == "nothing to do\n"
    assert shell("contacts") == shell("contacts", "ann") == "nobody\n"
    assert [row["folder"] for row in shell.json("folders")] == ["INBOX"]  # type: ignore[attr-defined]
    assert "no service of this profile sends" in shell("send", "--to", "a@b.org", "x", code=Exit.REFUSED)
    shell("profile", "add", "cards", "VCARD", f"path={tmp_path / 'c.vcf'}", "create=yes")
    assert shell("contacts", "ann", "-p", "cards") == "nobody\n"
    assert "has a message store" in shell("list", "-p", "cards", code=Exit.REFUSED)


def test_what_is_told_to_programs(shell: Shell, world: str) -> None:
    shell("schedule", "Plan", "--start", "2026-11-30T14:00+01:00")
    (row,) = shell.json("agenda", "--from", "2026-11-30")  # type: ignore[misc]
    start = datetime.datetime.fromisoformat(row["start"])
    assert start == datetime.datetime(2026, 11, 30, 13, tzinfo=datetime.UTC)
    shell("send", "--to", "ann", "Hello")
    (letter,) = shell.json("list")  # type: ignore[misc]
    for told in (letter, shell.json("read", "1")):
        assert datetime.datetime.fromisoformat(told["received"]).tzinfo is not None  # type: ignore[index]
    assert shell.json("profile", "default", "bob") == {"done": "bob is the default profile", "profile": "bob"}


def test_a_system_without_marks_shows_letters_and_other_failures_are_told(
    shell: Shell, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("send", "--to", "ann", "Hello")
    for code, exit_code in (
        (Code.NOT_SUPPORTED, 0),
        (Code.ACCESS_DENIED, 0),
        (Code.DISK_ERROR, Exit.REFUSED),
    ):

        def refuse(*_: object, code: Code = code) -> None:
            raise MapiError(code)

        monkeypatch.setattr(MemoryStore, "mark_read", refuse)
        assert ("Hello" in shell("read", "1", code=exit_code)) == (exit_code == 0)


def test_raw_is_what_came(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    raw = b"Subject:  odd\r\n\r\n\xff\r\n"
    with mapi.connect("MAILDIR", path=tmp_path / "M", create=True) as session:
        session.store.inbox.add(eml=raw)
    capfdbinary.readouterr()
    assert (
        cli.run(["mapi", "read", "1", "--raw", "--service", "MAILDIR", "--set", f"path={tmp_path / 'M'}"])
        == 0
    )
    assert capfdbinary.readouterr().out == raw


def test_export_of_a_kind(shell: Shell, world: str, tmp_path: Path) -> None:
    shell("send", "--to", "ann", "Hello")
    shell("schedule", "Plan", "--start", "2026-11-30T14:00")
    assert shell("export", str(tmp_path / "a.ics"), "--format", "ics").startswith("0 items")
    assert shell("export", str(tmp_path / "b.ics"), "--format", "ics", "--folder", "Calendar").startswith(
        "1 "
    )
    assert "SUMMARY:Plan" in (tmp_path / "b.ics").read_text()
    assert shell("export", str(tmp_path / "c.vcf"), "--format", "vcf").startswith("0 items")


def test_export(shell: Shell, tmp_path: Path) -> None:
    given = ("--service", "MAILDIR", "--set", f"path={tmp_path / 'Maildir'}", "--set", "create=yes")
    with mapi.connect("MAILDIR", path=str(tmp_path / "Maildir"), create="yes") as session:
        for number in range(3):
            session.store.inbox.create(mapi.Message, subject=f"Letter {number}", body="x")
    assert shell("export", str(tmp_path / "out"), *given) == f"3 items in {tmp_path / 'out'}\n"
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "000001.eml",
        "000002.eml",
        "000003.eml",
    ]
    shell("export", str(tmp_path / "box"), *given, "--format", "mbox")
    box = mailbox.mbox(tmp_path / "box")
    assert len(box) == 3
    box.close()
    shell("export", str(tmp_path / "msg"), *given, "--format", "msg")
    assert len(list((tmp_path / "msg").iterdir())) == 3
    assert "no format" in shell("export", str(tmp_path / "x"), *given, "--format", "pdf", code=Exit.USAGE)


def test_files_that_are_in_the_way(shell: Shell, world: str, tmp_path: Path) -> None:
    shell("send", "--to", "ann", "Hello")
    there = tmp_path / "there"
    there.write_text("mine")
    assert f"{there}: " in shell("export", str(there), code=Exit.REFUSED)
    assert f"{there}: " in shell("read", "1", "--save", str(there), code=Exit.REFUSED)
    for form in ("mbox", "ics", "vcf"):  # a mailbox would get everything twice, a calendar would be lost
        assert "there already" in shell("export", str(there), "--format", form, code=Exit.REFUSED)
    assert there.read_text() == "mine"


def test_a_secret_that_nobody_can_be_asked_for(shell: Shell) -> None:
    told = shell("profile", "add", "x", "IMAP", "host=localhost", "user=ann", code=Exit.REFUSED)
    assert "IMAP needs password" in told
    assert "services IMAP` shows its options" in told
    told = shell("profile", "add", "x", "NOBODY", code=Exit.REFUSED)
    assert "services` shows which there are" in told
