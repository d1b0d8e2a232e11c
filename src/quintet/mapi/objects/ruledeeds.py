"""What rules do beside filing, in the transaction that files the letter (MS-OXORULE 3.2.5.1.2, 3.2.5.1.3).

Each deed stands by itself: one that fails is undone and told to the owner's client as a Deferred Error
Message, the first time it fails; the letter stays filed.  What only the client can do is left to it as a
Deferred Action Message.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from quintet import log
from quintet.delivery import filing
from quintet.errors import BadSyntax, Problem, Reason
from quintet.mapi import pr, rules
from quintet.mapi.bag import Bag
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import ServerId
from quintet.mapi.objects import pid, places
from quintet.mapi.objects.numbers import short
from quintet.mapi.rules import Action, State, Target
from quintet.mapi.ruling import Cause, Deed, Failure, Outcome, Rule
from quintet.mapi.types import Tag
from quintet.store import db
from quintet.store import rules as kept
from quintet.store.db import Tx
from quintet.store.expiring import DAY_MS
from quintet.store.model import Added, FolderId
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.envelope import Mailbox
    from quintet.mapi.objects.box import Box
    from quintet.mapi.objects.message import Message
    from quintet.mapi.objects.ruleletters import Ready

ACTION_CLASS: Final = "IPC.Microsoft Exchange 4.0.Deferred Action"  # 2.2.6.1
ERROR_CLASS: Final = "IPC.Microsoft Exchange 4.0.Deferred Error"  # 2.2.7.1
HAS_DEFERRED: Final[Tag] = 0x3FEA000B  # PidTagHasDeferredActionMessages
_DEFERRED_ID: Final[Tag] = 0x674100FB  # PidTagDeferredActionMessageOriginalEntryId

logger = log.get("delivery")


@dataclass(frozen=True, slots=True)
class Deeds:
    """All that is left to do for one letter; may be carried out more than once, in one transaction each."""

    box: Box
    outcome: Outcome[FolderId]
    letters: Sequence[Ready]
    sender: Mailbox

    def carry_out(self, tx: Tx, added: Sequence[Added]) -> None:
        """``added``: where the letter lies now."""
        with self.box.using(tx):
            failed = list(self.outcome.failed)
            for one in self.letters:
                with _apart(tx, failed, one.deed, Cause.EXECUTION):
                    self._send(tx, one)
            for rule in self.outcome.told:
                kept.tell(tx, rule.id, str(self.sender), since=0)
            for deed in self.outcome.tags:
                with _apart(tx, failed, deed, Cause.EXECUTION):
                    self._tag(deed, added)
            with _apart(tx, failed, None, Cause.GENERIC):
                self._defer(added)
            for failure in failed:
                with _apart(tx, [], None, Cause.GENERIC):
                    self._tell(failure, added)

    def _send(self, tx: Tx, one: Ready) -> None:
        """A delegate's mailbox that is full is tried again by the queue."""
        tx.savepoint()
        try:
            filing.file(tx, one.work)
        except Problem:
            tx.back_to_savepoint()
            sends = [filing.Send((str(each.address),)) for each in one.work.envelope.recipients]
            filing.file(tx, replace(one.work, decisions=sends))
        else:
            tx.release()
        if one.answers and one.deed.rule not in self.outcome.told:
            kept.tell(tx, one.deed.rule.id, str(self.sender), since=tx.now - DAY_MS)

    def _tag(self, deed: Deed[FolderId], added: Sequence[Added]) -> None:
        """The letter keeps its bytes: what they would say lies beside them, as what they cannot say does."""
        data = deed.action.data
        assert isinstance(data, tuple)
        for one in added:
            message = self.box.message(one.entry_id)
            troubles = message.set([data])  # type: ignore[list-item]  # a tag and its value: `ruling`
            if troubles:
                raise MapiError(troubles[0].code)
            message.save_beside()

    # --- messages for the client ---------------------------------------------------------------------

    def _defer(self, added: Sequence[Added]) -> None:
        """One message for each rule provider (R569, R571); the letter says that there is one (R564)."""
        if not self.outcome.deferred or not added:
            return
        for one in added:
            message = self.box.message(one.entry_id)
            message.set([(HAS_DEFERRED, True)])
            message.save_beside()
        for provider in dict.fromkeys([deed.rule.provider for deed in self.outcome.deferred]):
            deeds = [deed for deed in self.outcome.deferred if deed.rule.provider == provider]
            writer = Writer()
            rules.put(writer, [_for_client(deed.action) for deed in deeds])
            first = deeds[0].rule.id.to_bytes(8, "little")
            message = self._note(
                ACTION_CLASS,
                deeds[0].folder,
                deeds[0].rule,
                added,
                {
                    pr.DAM_BACK_PATCHED: False,
                    pr.CLIENT_ACTIONS: writer.done(),
                    pr.RULE_IDS: first * len(deeds),  # R368
                },
            )
            own = ServerId(short(message.folder.id), short(message.number)).write()
            message.set([(_DEFERRED_ID, own)])
            message.save(force=True)

    def _tell(self, failure: Failure[FolderId], added: Sequence[Added]) -> None:
        """R813, R581: once for each rule."""
        rule, box = failure.rule, self.box
        bits = State.ERROR | (State.PARSE_ERROR if failure.cause is Cause.PARSING else 0)
        logger.info("rule failed", rule=rule.id, folder=failure.folder, cause=failure.cause.name)
        if not kept.set_bits(box.tx, rule.id, int(bits)):
            return
        told: Bag = {
            pr.RULE_ERROR: int(failure.cause),
            pr.RULE_ACTION_TYPE: int(failure.action.op) if failure.action is not None else 0,
            pr.RULE_ACTION_NUMBER: failure.number,
            pr.RULE_ID: rule.id,
        }
        self._note(ERROR_CLASS, failure.folder, rule, added, told)

    def _note(self, klass: str, folder: FolderId, rule: Rule, added: Sequence[Added], more: Bag) -> Message:
        """A message in the Deferred Action folder about the letter (2.2.6, 2.2.7)."""
        box = self.box
        box.special.update(places.complete(box.tx, box.account))  # anew: what was made may be undone by now
        made = box.folder(box.special["deferred"]).create_message()
        told: Bag = {
            pid.MESSAGE_CLASS: klass,
            pr.RULE_PROVIDER: rule.provider,
            pr.RULE_FOLDER_ENTRYID: box.folder_entry_id(folder),
            **more,
        }
        if added:
            told[pr.DAM_ORIGINAL_ENTRYID] = box.message_entry_id(added[0].folder_id, added[0].entry_id)
        made.set([(tag, value) for tag, value in told.items() if isinstance(tag, int)])
        made.save()
        return made


def _for_client(action: Action) -> Action:
    """As it stands in a message for the client: a folder that we do not know is not here."""
    if isinstance(action.data, Target):
        return replace(action, data=replace(action.data, here=False))
    return action


@contextlib.contextmanager
def _apart(
    tx: Tx, failed: list[Failure[FolderId]], deed: Deed[FolderId] | None, cause: Cause
) -> Iterator[None]:
    """What is done inside is undone where it fails, and nothing else; the failure is noted."""
    tx.savepoint()
    try:
        yield
    except db.TROUBLE:
        raise
    except Exception as error:  # also a mistake of ours costs nobody a letter
        tx.back_to_savepoint()
        if not isinstance(error, MapiError | Problem | BadSyntax):
            logger.error("rule not carried out", exc_info=error)  # noqa: TRY400
        full = isinstance(error, Problem) and error.reason is Reason.OVER_QUOTA
        full = full or (isinstance(error, MapiError) and error.code == Code.QUOTA_EXCEEDED)
        if deed is not None:
            why = Cause.QUOTA if full else cause
            failed.append(Failure(deed.folder, deed.rule, why, deed.number, deed.action))
    else:
        tx.release()
