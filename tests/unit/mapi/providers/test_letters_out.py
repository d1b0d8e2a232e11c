"""Letters leave by every interface, from systems that have folders and from those that keep nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from quintet import mapi
from quintet.mapi import cmc, consts, pr, simple
from quintet.mapi.bag import Item
from quintet.mapi.core import props
from quintet.mapi.core.admin import MAPIAdminProfiles
from quintet.mapi.core.errors import MAPIError
from quintet.mapi.core.profile import ENVIRONMENT
from quintet.mapi.core.session import MAPILogonEx
from quintet.mapi.core.structs import SPropValue
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import derive, identity, registry
from quintet.mapi.providers.base import (
    Can,
    Failure,
    MessageStore,
    Opened,
    Option,
    Service,
    Special,
    Transport,
)
from tests.unit.mapi.providers.conformance import refused, subjects

ANN, BOB = "ann@example.com", "bob@example.com"


@dataclass
class Away(Transport):
    """Takes every letter, and refuses who is ``nobody``."""

    name: str = "away"
    down: bool = False
    sent: list[Item] = field(default_factory=list)

    def send(self, item: Item, recipients: Sequence[int]) -> list[Failure]:
        if self.down:
            raise MapiError(Code.NETWORK_ERROR, "nobody there")
        self.sent.append(item)
        whom = [item.recipients[one][pr.EMAIL_ADDRESS] for one in recipients]
        return [
            Failure(at, "no such user") for at, one in zip(recipients, whom, strict=True) if "nobody" in one
        ]


@dataclass
class System:
    """A system as a profile ``own`` has it; ``store`` is the one that was opened last."""

    path: Path
    keeps: bool
    away: Away = field(default_factory=Away)
    store: MessageStore | None = None

    def open(self, options: Mapping[str, str]) -> Opened:
        found = registry.opened("MAILDIR", {"path": str(self.path / "mail"), "create": "yes"})
        assert found.store is not None
        self.store = found.store
        if not self.keeps:  # as POP3
            found.store.can &= ~(Can.SAVE | Can.FOLDERS | Can.READ_MARKS)
        found.transport, found.identity = self.away, identity.of(ANN, "Ann")
        return found

    def held(self, which: Special) -> list[object]:
        assert self.store is not None
        entry = self.store.special().get(which)
        return [] if entry is None else subjects(self.store, entry)


@pytest.fixture(params=[True, False], ids=["folders", "drop"])
def system(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[System]:
    made = System(tmp_path, request.param)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "profiles.json"))
    option = Option("nothing", "of no meaning", "")
    registry.add(Service("OWN", "for tests", made.open, (option,), frozenset(("store", "transport"))))
    admin = MAPIAdminProfiles()
    admin.CreateProfile("own")
    admin.AdminServices("own").CreateMsgService("OWN")
    yield made
    registry.remove("OWN")


def by_simple_mapi(*whom: str) -> None:
    code, session = simple.MAPILogon(0, "own", None, simple.MAPI_NEW_SESSION)
    assert code == simple.SUCCESS_SUCCESS
    people = [simple.MapiRecipDesc(simple.MAPI_TO, None, f"SMTP:{one}") for one in whom]
    code = simple.MAPISendMail(session, 0, simple.MapiMessage("Hi", "there", lpRecips=people))
    simple.MAPILogoff(session)
    assert code == simple.SUCCESS_SUCCESS


def by_cmc(*whom: str) -> None:
    code, session = cmc.cmc_logon(None, "own", None, None, 0, cmc.CMC_VERSION, 0)
    assert code == cmc.CMC_SUCCESS
    people = [cmc.CMC_recipient(None, address=f"SMTP:{one}") for one in whom]
    code = cmc.cmc_send(session, cmc.CMC_message(subject="Hi", text_note="there", recipients=people))
    cmc.cmc_logoff(session)
    assert code == cmc.CMC_SUCCESS


def by_extended_mapi(*whom: str) -> None:
    """As every program does it: a message of the folder that PR_IPM_OUTBOX_ENTRYID names."""
    session = MAPILogonEx(0, "own", None, 0)
    try:
        store = session.OpenMsgStore(0, None, None, consts.MDB_WRITE)
        outbox = store.OpenEntry(props.one(store, pr.IPM_OUTBOX_ENTRYID).Value, None, consts.MAPI_MODIFY)
        message = outbox.CreateMessage()
        message.SetProps([SPropValue(pr.SUBJECT, "Hi"), SPropValue(pr.BODY, "there")])
        asked = [
            [SPropValue(pr.DISPLAY_NAME, one), SPropValue(pr.RECIPIENT_TYPE, consts.MAPI_TO)] for one in whom
        ]
        people = session.OpenAddressBook().ResolveName(0, 0, None, asked)
        message.ModifyRecipients(consts.MODRECIP_ADD, people)
        message.SetProps([SPropValue(pr.DELETE_AFTER_SUBMIT, True)])
        message.SubmitMessage()
    finally:
        session.Logoff()


def by_the_layer(*whom: str) -> None:
    with mapi.open("own") as session:
        letter = session.store.new(mapi.Message)
        letter.subject, letter.body, letter.to = "Hi", "there", list(whom)
        letter.send()


WAYS: Final = (by_simple_mapi, by_cmc, by_extended_mapi, by_the_layer)


@pytest.mark.parametrize("way", WAYS)
def test_a_letter_leaves(system: System, way: Callable[..., None]) -> None:
    """Where there are folders a copy is among what was sent, and only there, unless one wanted none."""
    way(BOB)
    (item,) = system.away.sent
    assert (item.props[pr.SUBJECT], item.props[pr.SENDER_EMAIL_ADDRESS]) == ("Hi", ANN)
    assert [one[pr.EMAIL_ADDRESS] for one in item.recipients] == [BOB]
    kept = system.keeps and way is not by_extended_mapi
    assert system.held(Special.SENT) == (["Hi"] if kept else [])
    assert system.held(Special.DRAFTS) == system.held(Special.INBOX) == []


def test_a_letter_that_was_sent_can_be_read(system: System) -> None:
    """By who holds it: what it says, and to whom; it cannot be changed or sent again."""
    with mapi.open("own") as session:
        letter = session.store.new(mapi.Message)
        letter.subject, letter.body, letter.to = "Hi", "there", BOB
        letter.attachments.add(b"soup", "menu.txt")
        letter.send()
        assert (letter.subject, (letter.body or "").strip()) == ("Hi", "there")
        assert [one.address for one in letter.to] == [BOB]
        assert [(one.name, one.data) for one in letter.attachments] == [("menu.txt", b"soup")]
        assert b"Subject: Hi\r\n" in letter.eml()
        letter.subject = "Ho"
        for change in (letter.save, letter.send):
            refused(Code.ACCESS_DENIED, change)
    assert len(system.away.sent) == 1


def test_some_who_are_refused(system: System) -> None:
    """A report where it can lie, else an error at once that names them; the others have the letter."""
    if system.keeps:
        by_the_layer(BOB, "nobody@example.com")
        assert system.held(Special.INBOX) == ["Undeliverable: Hi"]
    else:
        refused(Code.GENERAL_FAILURE, by_the_layer, BOB, "nobody@example.com")
        with pytest.raises(MAPIError, match=r"not sent to nobody@example\.com: no such user"):
            by_extended_mapi(BOB, "nobody@example.com")
    assert system.away.sent


def test_nobody_is_there_to_take_it(system: System) -> None:
    """Letters have no mark for what waits to be sent: that is an error, and it is still a draft."""
    system.away.down = True
    refused(Code.NETWORK_ERROR, by_the_layer, BOB)
    assert system.held(Special.SENT) == system.held(Special.INBOX) == []
    assert system.held(Special.DRAFTS) == (["Hi"] if system.keeps else [])
    if system.keeps:
        assert system.store is not None
        drafts = system.store.special()[Special.DRAFTS]
        (draft,) = system.store.messages(drafts).ids()
        assert system.store.load(draft).props[pr.MESSAGE_FLAGS] & derive.UNSENT


def test_a_drop_keeps_nothing(system: System) -> None:
    """A message may be written to be sent there, and not be saved."""
    if system.keeps:
        return
    with mapi.open("own") as session:
        letter = session.store.new(mapi.Message)
        letter.subject = "Hi"
        refused(Code.NOT_SUPPORTED, letter.save)
    assert system.away.sent == []
