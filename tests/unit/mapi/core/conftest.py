"""A world in memory with Ann and Bob, and Ann's session in it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quintet.mapi import consts, pr
from quintet.mapi.core import session
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.providers import memory

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def world() -> Iterator[memory.World]:
    name = str(uuid.uuid4())
    made = memory.world(name)
    made.account(ANN, "Ann Ahorn")
    made.account(BOB, "Bob Birke")
    yield made
    memory.forget(name)


@pytest.fixture
def mapi(world: memory.World) -> Iterator[IMAPISession]:
    made = opened(world, ANN)
    yield made
    made.Logoff()


def opened(world: memory.World, *accounts: str) -> IMAPISession:
    services = [used("MEMORY", one, {"world": world.name, "account": one}) for one in accounts]
    return session.opened(Profile(services))


@pytest.fixture
def store(mapi: IMAPISession) -> IMsgStore:
    return mapi.OpenMsgStore(0, None, None, consts.MDB_WRITE)


@pytest.fixture
def inbox(store: IMsgStore) -> IMAPIFolder:
    found: IMAPIFolder = store.OpenEntry(store.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY)
    return found


@pytest.fixture
def write(inbox: IMAPIFolder) -> Callable[..., IMessage]:
    """Makes and saves a message in the inbox: a subject, and any other property."""

    def made(subject: str, *props: SPropValue, to: str = BOB) -> IMessage:
        message = inbox.CreateMessage()
        message.SetProps([SPropValue(pr.SUBJECT, subject), *props])
        message.ModifyRecipients(consts.MODRECIP_ADD, [recipient(to)])
        message.SaveChanges(consts.KEEP_OPEN_READWRITE)
        return message

    return made


def recipient(address: str, kind: int = 1) -> list[SPropValue]:
    return [
        SPropValue(pr.DISPLAY_NAME, address.partition("@")[0]),
        SPropValue(pr.ADDRTYPE, "SMTP"),
        SPropValue(pr.EMAIL_ADDRESS, address),
        SPropValue(pr.RECIPIENT_TYPE, kind),
    ]


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    return tmp_path / "profiles.json"
