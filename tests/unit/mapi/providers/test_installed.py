"""A provider of a third party: a package with an entry point, found by name, used by every layer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import registry

MODULE = '''
"""Somebody's messaging system: notes in a list, and a pigeon that carries letters."""

from quintet.mapi import pr
from quintet.mapi.bag import Item
from quintet.mapi.providers import identity, listing
from quintet.mapi.providers.base import (
    Failure, MessageStore, Opened, Option, Service, Special, Transport, View,
)

UID = b"pigeons-and-note"


class Notes(MessageStore):
    name, uid, entry_id = "Notes", UID, bytes(4) + UID + b"store"
    root = top = bytes(4) + UID + b"top"

    def props(self):
        return {pr.DISPLAY_NAME: self.name}

    def special(self):
        return {Special.INBOX: self.top}

    def folders(self, parent):
        return listing.BagRows({})

    def folder(self, entry):
        return {pr.ENTRYID: self.top, pr.PARENT_ENTRYID: self.top, pr.DISPLAY_NAME: "Notes",
                pr.CONTENT_COUNT: 2, pr.CONTENT_UNREAD: 0, pr.FOLDER_TYPE: 1, pr.SUBFOLDERS: False}

    def _bags(self):
        return {bytes(4) + UID + text.encode(): {pr.SUBJECT: text, pr.MESSAGE_CLASS: "IPM.Note",
                pr.ENTRYID: bytes(4) + UID + text.encode(), pr.PARENT_ENTRYID: self.top}
                for text in ("one", "two")}

    def messages(self, folder, view=View.NORMAL):
        return listing.BagRows(self._bags())

    def load(self, message):
        return Item(self._bags()[message])


class Pigeon(Transport):
    name, kinds = "Pigeon", ("PIGEON",)

    def send(self, item, recipients):
        return [Failure(number, "a hawk") for number in recipients]


def start(options):
    return Opened(store=Notes(), transport=Pigeon(), identity=identity.of(options["address"], ""))


SERVICE = Service("PIGEONS", "Notes and pigeons", start, (Option("address", "whose"),),
                  frozenset(("store", "transport")))
NOTHING = object()
'''
PROGRAM = """
import sys
from quintet import mapi
from quintet.admin import cli
from quintet.mapi import consts, pr
from quintet.mapi.core.admin import MAPIAdminProfiles
from quintet.mapi.core.session import MAPILogonEx
from quintet.mapi.errors import MapiError
from quintet.mapi.providers import registry

assert "PIGEONS" in registry.names()
with mapi.connect("pigeons", address="ann@example.com") as session:
    print([one.subject for one in session.store.inbox.items(order="-subject")], session.me)
admin = MAPIAdminProfiles()
admin.CreateProfile("birds")
uid = admin.AdminServices("birds").CreateMsgService("PIGEONS")
admin.AdminServices("birds").ConfigureMsgService(uid, 0, 0, {"address": "ann@example.com"})
session = MAPILogonEx(0, "birds")
print(session.EnumAdrTypes(), session.GetMsgStoresTable(consts.MAPI_UNICODE).GetRowCount())
try:
    registry.get("BROKEN")
except MapiError as error:
    print(error.code.name)
sys.exit(cli.run(["mapi", "list", "--service", "PIGEONS", "--set", "address=ann@example.com"]))
"""
METADATA = "Metadata-Version: 2.1\nName: pigeons\nVersion: 1.0\n"
POINTS = (
    f"[{registry.GROUP}]\npigeons = pigeons:SERVICE\nbroken = pigeons:NOTHING\nmissing = nowhere:SERVICE\n"
)


def test_installed_provider_is_found_and_used(tmp_path: Path) -> None:
    """What an installer leaves: the module, and its metadata beside it."""
    site = tmp_path / "site"
    about = site / "pigeons-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "pigeons.py").write_text(MODULE)
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text(POINTS)
    environment = {**os.environ, "PYTHONPATH": str(site), "QUINTET_MAPI_PROFILES": str(tmp_path / "p.json")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    listed, kinds, broken, _, *rows = done.stdout.splitlines()
    assert listed == "['two', 'one'] ann@example.com"
    assert kinds == "['PIGEON'] 1"
    assert broken == "NOT_FOUND"
    assert sorted(row.split()[-1] for row in rows) == ["0", "0"]  # their size, which nobody told
    services = subprocess.run(
        [sys.executable, "-m", "quintet", "mapi", "services"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "PIGEONS   Notes and pigeons" in services.stdout
    assert "service not loaded" in services.stderr


def test_a_service_that_nobody_offers_is_told_with_those_that_there_are() -> None:
    with pytest.raises(MapiError, match="MAILDIR") as caught:
        registry.get("NOPE")
    assert caught.value.code == Code.NOT_FOUND
    with pytest.raises(MapiError, match="path") as caught:
        registry.opened("MAILDIR", {"where": "x"})
    assert caught.value.code == Code.INVALID_PARAMETER
    with pytest.raises(MapiError) as caught:
        registry.opened("MH", {"path": "/dev/null/below", "create": "yes"})
    assert caught.value.code == Code.DISK_ERROR
