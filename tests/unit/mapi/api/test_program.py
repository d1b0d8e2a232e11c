"""The workgroup program of `tests.support.workgroup` on what needs no server."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from quintet import mapi
from quintet.config.store import Store as StoreConfig
from quintet.mapi.errors import Code
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.support import workgroup

ANN, BOB = "ann@example.com", "bob@example.com"
MAIL = {"files", "marks", "categories", "moves", "searches", "syncs", "watches"}
PLANS = {"appointments", "tasks", "contacts", "versions"}
LETTERS = {"sends", "answers", "meets", "assigns"}


def test_memory() -> None:
    world = str(uuid.uuid4())
    with (
        mapi.connect("MEMORY", world=world, account=ANN) as ann,
        mapi.connect("MEMORY", world=world, account=BOB) as bob,
    ):
        assert workgroup.run(ann, bob, BOB) == MAIL | PLANS | LETTERS


def test_maildir(tmp_path: Path) -> None:
    with mapi.connect("MAILDIR", path=str(tmp_path / "Maildir"), create="yes", address=ANN) as one:
        assert workgroup.run(one) == MAIL - {"categories"} | PLANS


def test_what_fails_has_a_name_in_the_layer(tmp_path: Path) -> None:
    with mapi.connect("MAILDIR", path=str(tmp_path / "Maildir"), create="yes", address=ANN) as one:
        with pytest.raises(mapi.MapiError) as caught:
            one.store.folder("Nowhere")
        assert caught.value.code == Code.NOT_FOUND


def test_mbox(tmp_path: Path) -> None:
    with mapi.connect("MBOX", path=str(tmp_path / "mail"), create="yes", address=ANN) as one:
        assert workgroup.run(one) >= MAIL - {"categories"} | PLANS


def test_mh(tmp_path: Path) -> None:
    with mapi.connect("MH", path=str(tmp_path / "Mail"), create="yes", address=ANN) as one:
        assert workgroup.run(one) >= MAIL - {"categories"} | PLANS


def people(tx: Tx) -> None:
    accounts.add_domain(tx, "example.com")
    for name, title in ((ANN, "Ann Ahorn"), (BOB, "Bob Birke")):
        accounts.create(tx, name, display_name=title)


def test_own_store_in_process(tmp_path: Path) -> None:
    (tmp_path / "quintet.toml").write_text(
        '[server]\nhostname = "mail.example.com"\n[store]\ndata = "data"\nsync = "off"\n'
    )

    async def fill() -> None:
        store = await Store.open(StoreConfig(data=tmp_path / "data", sync="off"))
        await store.write(people)
        await store.close()

    asyncio.run(fill())
    with (
        mapi.connect("QUINTET", data=str(tmp_path), account=ANN) as ann,
        mapi.connect("QUINTET", data=str(tmp_path), account=BOB) as bob,
    ):
        assert workgroup.run(ann, bob, BOB) == MAIL | PLANS | LETTERS
