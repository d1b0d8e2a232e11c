"""Works on what articles ask for beyond their own transaction: newgroup, rmgroup, checkgroups, notices.

Each article left a task (`acts`).  A worker leases it, judges it by the rules (`ctl`), checks a signature
where they ask for one, and does what follows; the task goes in the transaction of its effect, so that an
effect happens once however many workers there are and whichever dies.  RFC 5537 5.2, 5.6.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.news import News
from quintet.delivery.control import ctl, groupchanges, hierarchies, nocem, orders, rounds, signed
from quintet.delivery.control.ctl import Action, Rules
from quintet.delivery.control.groupchanges import Change, Here
from quintet.delivery.control.letters import Letters
from quintet.delivery.control.orders import Order
from quintet.errors import Problem, Refused
from quintet.message.digest import Digest
from quintet.store import cancels, controltasks, entries, groups, trace
from quintet.store.controltasks import Task
from quintet.store.db import Tx
from quintet.store.model import BodyRef, FolderId, MessageId
from quintet.store.store import Store
from quintet.values import dataclass

LEASE_MS = 5 * 60 * 1000  # a round must be shorter; a worker that died is waited for so long
RETRY_MS = 10 * 60 * 1000  # after trouble of our own
MAX_TRIES = 5
TIDY_S = 3600.0
AT_ONCE = 10  # tasks of one round
SLICE = 1000  # articles of a group that goes, in one transaction
MAX_FILE = 4 * 1024 * 1024  # bytes of a rules file

logger = log.get("control")


@dataclass(frozen=True, slots=True)
class Asked:
    """An article with a task, read."""

    task: Task
    order: Order
    digest: Digest
    blob: bytes

    @property
    def header(self) -> bytes:
        return self.blob[: self.digest.header_end]

    @property
    def body(self) -> bytes:
        return self.blob[self.digest.header_end :]


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a group control message."""

    action: Action
    changes: tuple[Change, ...] = ()
    why: str = ""  # for log and trace; "" when it is done
    scope: groupchanges.Scope | None = None  # of a checkgroups


def rules_of(config: News) -> Rules:
    """What is shipped, then the administrator's file, then the configuration's blocks.

    Raises ctl.BadRule, OSError.
    """
    rules = hierarchies.shipped() if config.well_known else ctl.of(hierarchies.DEFAULTS)
    if config.control_file:
        with Path(config.control_file).open("rb") as file:
            text = file.read(MAX_FILE).decode("utf-8", "replace")
        rules = rules.plus(ctl.parse(text))
    return rules.plus(
        ctl.of((each.message, each.sender, each.newsgroups, each.action) for each in config.control)
    )


class Controls:
    """One a process; `run` ends when it is cancelled."""

    def __init__(
        self,
        store: Store,
        config: News,
        *,
        clock: Clock,
        letters: Letters,
        rules: Rules | None = None,
    ) -> None:
        self._store, self.config, self._clock, self.letters = store, config, clock, letters
        self.rules = rules if rules is not None else _usable(config)
        self.verifier = signed.Verifier(config.gpgv, config.keyring)
        self._notices = nocem.Notices(store, config)
        self._owner = f"{os.getpid()}.{clock.token(4)}"

    async def run(self) -> None:
        """Works on what is due, now and then and when something was filed; never ends by itself."""
        await rounds.run(self._store, self._clock, self._look, self._tidy, tidy_s=TIDY_S)

    async def _look(self) -> None:
        if self._store.peek(controltasks.due):
            while await self.once():
                pass

    async def _tidy(self) -> None:
        """Forgets withdrawals of articles that never came, however many came since."""
        while await self._store.write(cancels.tidy):
            pass

    async def once(self) -> int:
        """Works on some of what is due; returns how much that was.  Raises TryLater."""
        until = self._clock.now() + LEASE_MS
        tasks = await self._store.write(controltasks.lease, self._owner, until, AT_ONCE)
        for task in tasks:
            try:
                await self._one(task)
            except Problem as problem:
                await self._again(task, problem.text)
            except Exception as bug:  # one message must not stop the others
                logger.error("control message failed", message_id=task.message_id, exc_info=bug)  # noqa: TRY400
                await self._again(task, type(bug).__name__)
        return len(tasks)

    async def _again(self, task: Task, why: str) -> None:
        logger.warning("control message put off", message_id=task.message_id, why=why, tries=task.attempts)
        if task.attempts >= MAX_TRIES:
            await self._store.write(_end, task, self._owner, {"why": f"given up: {why}"})
        else:
            due_at = self._clock.now() + RETRY_MS
            await self._store.write(controltasks.again, task.id, self._owner, due_at)

    async def _one(self, task: Task) -> None:
        asked = await self.read(task)
        if asked is None:
            await self._store.write(controltasks.done, task.id, self._owner)
        elif task.verb == orders.NOCEM:
            await self._notices.take(asked)
            await self._store.write(controltasks.done, task.id, self._owner)
        elif task.verb in orders.GROUPS:
            await self.carry_out(asked, await self.judge(asked))
        else:
            await self._old(asked)

    async def read(self, task: Task) -> Asked | None:
        """The article; None when it is gone or too large to be meant."""
        try:
            digest, ref = self._store.peek(_content, task.message_row)
        except Refused:
            return None
        if digest.size > signed.MAX_SIGNED:
            return None
        whole = await asyncio.to_thread(self._store.read_body, ref)
        order = orders.read(digest)
        if order is None:
            order = Order(task.verb, (), orders.author(digest), "", "", False)
        return Asked(task, order, digest, whole[len(ref.prefix) :])

    # --- what is asked ------------------------------------------------------------------------

    async def _old(self, asked: Asked) -> None:
        """sendsys and the like are never answered (RFC 5537 5.6); that they came may be noted."""
        action = self.rules.action(asked.order.verb, asked.order.author)
        if action.word != "drop":
            logger.info("control message", verb=asked.order.verb, sender=asked.order.author,
                        message_id=asked.task.message_id)  # fmt: skip
        detail = {"verb": asked.order.verb, "action": str(action), "why": "not answered"}
        await self._store.write(_end, asked.task, self._owner, detail)

    async def wish(self, asked: Asked) -> Judged:
        """What it asks for, whatever the rules say; in a thread, as a list may have 50,000 lines."""
        here = await self._store.read(_here, asked.order)
        return await asyncio.to_thread(_wish, asked, here, self.rules)

    async def judge(self, asked: Asked) -> Judged:
        """By the rules; a signature is checked where they ask for one."""
        order = asked.order
        if not order.approved:
            return Judged(ctl.DROP, why="no Approved (RFC 5537 5.2.1)")
        wish = await self.wish(asked)
        if order.verb == "checkgroups":
            return await self._judge_list(asked, wish)
        action = self.rules.action(order.verb, order.author, order.arguments[0] if order.arguments else "")
        return Judged(action, wish.changes, wish.why or await self._proof(asked, action))

    async def _judge_list(self, asked: Asked, wish: Judged) -> Judged:
        """Each group of a checkgroups by its own rule: who speaks for one hierarchy does not for others."""
        order, of, everything = asked.order, wish.scope, wish.changes
        assert of is not None
        actions: dict[str, Action] = {}
        proven: dict[Action, str] = {}

        def action(group: str) -> Action:
            if group not in actions:
                actions[group] = self.rules.action(order.verb, order.author, group)
            return actions[group]

        for change in everything:
            one = action(change.group)
            if one not in proven:
                proven[one] = await self._proof(asked, one)
        done = [one for one in everything if not proven[action(one.group)]]
        told = [one for one in everything if action(one.group).mails]
        if of.serial and done and not self._store.peek(_is_newer, of):
            return Judged(ctl.DROP, why=f"serial number {of.serial} is not newer than the last one")
        most = min(
            (self.rules.most_changes(one.group, self.config.max_checkgroups) for one in done), default=0
        )
        if len(done) > most:
            return Judged(Action("mail"), tuple(done), f"too many changes: {len(done)}", of)
        if done:
            return Judged(action(done[0].group), tuple(done), "", of)
        if told:
            return Judged(Action("mail"), tuple(told), proven[action(told[0].group)])
        if everything:
            first = action(everything[0].group)
            return Judged(first, tuple(everything), proven[first])
        return Judged(ctl.DROP, why="nothing to change")

    async def _proof(self, asked: Asked, action: Action) -> str:
        """Why an action may not be done; "" when it may."""
        if action.word == "doit":
            return ""
        if action.word != "verify":
            return f"the rule says {action}"
        found = await self.verifier.article(asked.header, asked.body)
        if not found:
            return found.why
        return "" if found.is_key(action.key) else f"signed by {found.names[0]}, not by {action.key}"

    async def carry_out(self, asked: Asked, judged: Judged, *, by_hand: str = "") -> None:
        """Does what was judged; ``by_hand`` names who says that it shall be done whatever the rules say."""
        order, task = asked.order, asked.task
        does = bool(judged.changes) and (not judged.why or bool(by_hand))
        detail = {
            "verb": order.verb,
            "sender": order.author,
            "action": f"by hand: {by_hand}" if by_hand else str(judged.action),
            "why": "" if by_hand else judged.why,
            "changes": [str(one) for one in judged.changes[:100]] if does else [],
        }
        if judged.action.word == "drop" and not does:
            detail["why"] = judged.why or "dropped"
        if does:
            for one in judged.changes:
                if one.verb == "remove":
                    await self._empty(one.group)
        tell = (judged.action.mails or judged.action.log == "mail") and not by_hand
        if tell and not does and judged.changes:
            await self.letters.asked(asked.task.message_id, order, judged.changes, judged.why)
        serial = judged.scope if does else None
        changes = judged.changes if does else ()
        await self._store.write(_apply, task, self._owner, changes, order.author, detail, serial)
        metrics.CONTROL.labels(order.verb, "done" if does else judged.action.word).inc()
        logger.info("control message", message_id=task.message_id, done=does, **detail)
        if tell and does:
            await self.letters.done(asked.task.message_id, order, judged.changes)

    async def _empty(self, name: str) -> None:
        """Takes the articles of a group that goes away in slices, so that nobody waits long."""
        folder = self._store.peek(groups.find, name)
        if folder is None:
            return
        await self._store.write(groups.change, folder.id, status="x")  # nothing more comes in
        while await self._store.write(_shrink, folder.id):
            pass


def _usable(config: News) -> Rules:
    try:
        return rules_of(config)
    except (ctl.BadRule, OSError) as error:
        logger.error("rules about control messages cannot be used", text=str(error))  # noqa: TRY400
        return ctl.of([("all", "*", "*", "mail")])


def _content(tx: Tx, row: MessageId) -> tuple[Digest, BodyRef]:
    return entries.digest(tx, row), entries.message_body(tx, row)


def _here(tx: Tx, order: Order) -> dict[str, Here]:
    """The groups as they are: all for a checkgroups, else the one that is meant."""
    if order.verb == "checkgroups":
        return {one.name: Here(one.status, one.description) for one in groups.listing(tx)}
    found = groups.find(tx, order.arguments[0]) if order.arguments else None
    return {} if found is None else {found.name: Here(found.status, found.description)}


def _wish(asked: Asked, here: Mapping[str, Here], rules: Rules) -> Judged:
    order, changes, of = asked.order, list[Change](), None
    if order.verb == "checkgroups":
        listed = groupchanges.lines_of(asked.digest, asked.blob, "news-checkgroups", rules.charset)
        of = groupchanges.scope(order.arguments, listed)
        changes = groupchanges.checkgroups(listed, here, of)
    elif order.verb == "newgroup":
        lines = groupchanges.lines_of(asked.digest, asked.blob, "news-groupinfo", rules.charset)
        changes = groupchanges.newgroup(order.arguments, lines, here)
    elif order.verb == "rmgroup":
        changes = groupchanges.rmgroup(order.arguments, here)
    return Judged(ctl.DROP, tuple(changes), "" if changes else "nothing to change", of)


def _shrink(tx: Tx, folder_id: FolderId) -> bool:
    """True while something was there.  The articles that lie nowhere else are forgotten as cancelled ones."""
    rows = entries.lines(tx, folder_id, 1, 1 << 40, SLICE, ("uid", "message_row"))
    entries.expunge(tx, folder_id, [uid for uid, _ in rows])
    for _, row in rows:
        if not cancels.places(tx, row):
            cancels.remove(tx, row)
    return bool(rows)


def _is_newer(tx: Tx, of: groupchanges.Scope) -> bool:
    return of.serial > controltasks.serial(tx, ",".join(of.within))


def _apply(
    tx: Tx,
    task: Task,
    owner: str,
    changes: Sequence[Change],
    sender: str,
    detail: Mapping[str, object],
    of: groupchanges.Scope | None,
) -> None:
    """The changes, the end of the task and the trace of it, together; nothing when the lease was lost."""
    if task.id and not controltasks.done(tx, task.id, owner):
        return
    for one in changes:
        found = groups.find(tx, one.group)
        if one.verb == "make":
            if found is None:
                status = "m" if one.moderated else "y"
                groups.create(tx, one.group, status, one.description, created_by=sender)
        elif found is None:
            continue
        elif one.verb == "remove":
            groups.remove(tx, found.id)
        elif one.verb == "status":
            groups.change(tx, found.id, status="m" if one.moderated else "y")
        else:
            groups.change(tx, found.id, description=one.description)
    if of is not None and of.serial:
        controltasks.set_serial(tx, ",".join(of.within), of.serial)
    trace.add(tx, tx.now, "control", "control", None, task.message_id, detail, message_row=task.message_row)


def _end(tx: Tx, task: Task, owner: str, detail: Mapping[str, object]) -> None:
    if controltasks.done(tx, task.id, owner):
        trace.add(
            tx, tx.now, "control", "control", None, task.message_id, detail, message_row=task.message_row
        )
