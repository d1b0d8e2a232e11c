"""One client's conversation: the states, what may be said in which, and who answers it.

The families of commands live in `cmd`; words for problems in `answers`; the selected mailbox in
`selected`.  States: RFC 9051 3, RFC 3501 3.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any

from quintet import log, metrics
from quintet.errors import BadSyntax, Problem, Reason, Refused
from quintet.imap import (
    answers,
    capabilities,
    commands,
    contexts,
    convert_commands,
    find_commands,
    languages,
    names,
    notify_commands,
    referrals,
    share_commands,
    tree_commands,
    uidonly,
    updates,
)
from quintet.imap.cmd import (
    acl,
    annotate,
    append,
    auth,
    batches,
    convert,
    copy,
    expunge,
    fetch,
    general,
    idle,
    listing,
    mailboxes,
    metadata,
    multisearch,
    notify,
    quota,
    search,
    select,
    sort,
    status,
    store,
    thread,
    uploads,
    urlauth,
    ways,
)
from quintet.imap.wire import MAX_COMMAND, MAX_GUEST_COMMAND, Wire
from quintet.message import collation
from quintet.net.seam import Ask, Input, Peer, Replies, TlsInfo
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.imap.append_commands import Literal
    from quintet.imap.notices import Notices
    from quintet.imap.places import Place
    from quintet.imap.selected import Selected
    from quintet.imap.service import House

logger = log.get("imap")


class State(enum.Flag):
    GUEST = enum.auto()
    USER = enum.auto()
    SELECTED = enum.auto()
    KNOWN = USER | SELECTED
    ANY = GUEST | USER | SELECTED


@dataclass(frozen=True, slots=True)
class Rule:
    """When a command may be given, and who answers it."""

    states: State
    answer: Callable[[Session, Any, Input], Replies]  # Any: each handler takes its own command
    section: str  # of RFC 9051 where no other is named


RULES: dict[type, Rule] = {
    commands.Capability: Rule(State.ANY, general.capability, "6.1.1"),
    commands.Noop: Rule(State.ANY, general.noop, "6.1.2"),
    commands.Logout: Rule(State.ANY, general.logout, "6.1.3"),
    commands.Id: Rule(State.ANY, general.identify, "RFC 2971 3.1"),
    commands.StartTls: Rule(State.GUEST, auth.start_tls, "6.2.1"),
    commands.Authenticate: Rule(State.GUEST, auth.authenticate, "6.2.2"),
    commands.Login: Rule(State.GUEST, auth.login, "6.2.3"),
    commands.Enable: Rule(State.KNOWN, general.enable, "6.3.1"),
    tree_commands.Compress: Rule(State.KNOWN, ways.compress, "RFC 4978 3"),
    tree_commands.Unauthenticate: Rule(State.KNOWN, ways.unauthenticate, "RFC 8437 3"),
    tree_commands.Language: Rule(State.ANY, ways.language, "RFC 5255 3.2"),
    tree_commands.Comparator: Rule(State.KNOWN, ways.comparator, "RFC 5255 4.7"),
    tree_commands.Xlist: Rule(State.KNOWN, listing.list_, ""),
    commands.Select: Rule(State.KNOWN, select.select, "6.3.2"),
    commands.Create: Rule(State.KNOWN, mailboxes.create, "6.3.4"),
    commands.Delete: Rule(State.KNOWN, mailboxes.delete, "6.3.5"),
    commands.Rename: Rule(State.KNOWN, mailboxes.rename, "6.3.6"),
    commands.Subscribe: Rule(State.KNOWN, mailboxes.subscribe, "6.3.7"),
    commands.List: Rule(State.KNOWN, listing.list_, "6.3.9"),
    commands.Lsub: Rule(State.KNOWN, listing.lsub, "RFC 3501 6.3.9"),
    commands.Namespace: Rule(State.KNOWN, listing.namespace, "6.3.10"),
    commands.Status: Rule(State.KNOWN, status.status, "6.3.11"),
    commands.Append: Rule(State.KNOWN, append.append, "6.3.12"),
    commands.Idle: Rule(State.KNOWN, idle.idle, "6.3.13"),
    notify_commands.Notify: Rule(State.KNOWN, notify.notify, "RFC 5465 3.1"),
    commands.Done: Rule(State.ANY, idle.done, "6.3.13"),
    share_commands.SetAcl: Rule(State.KNOWN, acl.change, "RFC 4314 3.1"),
    share_commands.GetAcl: Rule(State.KNOWN, acl.get, "RFC 4314 3.3"),
    share_commands.ListRights: Rule(State.KNOWN, acl.list_rights, "RFC 4314 3.4"),
    share_commands.MyRights: Rule(State.KNOWN, acl.mine, "RFC 4314 3.5"),
    share_commands.GetMetadata: Rule(State.KNOWN, metadata.get, "RFC 5464 4.2"),
    share_commands.SetMetadata: Rule(State.KNOWN, metadata.change, "RFC 5464 4.3"),
    share_commands.GetQuota: Rule(State.KNOWN, quota.get, "RFC 9208 4.1.1"),
    share_commands.GetQuotaRoot: Rule(State.KNOWN, quota.get_root, "RFC 9208 4.1.2"),
    share_commands.SetQuota: Rule(State.KNOWN, quota.change, "RFC 9208 4.1.3"),
    commands.GenUrlAuth: Rule(State.KNOWN, urlauth.generate, "RFC 4467 7"),
    commands.UrlFetch: Rule(State.KNOWN, urlauth.fetch, "RFC 4467 7"),
    commands.ResetKey: Rule(State.KNOWN, urlauth.reset, "RFC 4467 7"),
    commands.Check: Rule(State.SELECTED, general.noop, "RFC 3501 6.4.1"),
    commands.Close: Rule(State.SELECTED, select.close, "6.4.1"),
    commands.Unselect: Rule(State.SELECTED, select.unselect, "6.4.2"),
    commands.Expunge: Rule(State.SELECTED, expunge.expunge, "6.4.3"),
    commands.Search: Rule(State.SELECTED, search.search, "6.4.4"),
    find_commands.Sort: Rule(State.SELECTED, sort.sort, "RFC 5256 3"),
    find_commands.Thread: Rule(State.SELECTED, thread.thread, "RFC 5256 3"),
    find_commands.MultiSearch: Rule(State.KNOWN, multisearch.search_many, "RFC 7377 2"),
    find_commands.CancelUpdate: Rule(State.SELECTED, contexts.cancel, "RFC 5267 4.3.5"),
    commands.Fetch: Rule(State.SELECTED, fetch.fetch, "6.4.5"),
    commands.Store: Rule(State.SELECTED, store.store, "6.4.6"),
    commands.Annotate: Rule(State.SELECTED, annotate.annotate, "RFC 5257 4.5"),
    commands.Copy: Rule(State.SELECTED, copy.copy, "6.4.7"),
    convert_commands.Conversions: Rule(State.KNOWN, convert.conversions, "RFC 5259 5.1"),
    convert_commands.Convert: Rule(State.SELECTED, convert.convert, "RFC 5259 6"),
    convert_commands.UidBatches: Rule(State.SELECTED, batches.batches, ""),
    commands.Replace: Rule(State.SELECTED, append.append, "RFC 8508 3.2"),
}


# Answered without UTF-8 also where that is asked for (RFC 6855 6), and answers that carry what people wrote,
# which is never looked into for words of ours to translate
WITHOUT_UTF8 = frozenset((commands.Enable, tree_commands.Compress, tree_commands.Unauthenticate))
CARRIERS = frozenset((commands.Fetch, commands.UrlFetch, convert_commands.Convert))

# as tuples, because Flag's own arithmetic costs a microsecond
_WHEN = {
    kind: tuple(one for one in (State.GUEST, State.USER, State.SELECTED) if one in rule.states)
    for kind, rule in RULES.items()
}
_COUNTERS = {kind: metrics.IMAP_COMMANDS.labels(kind.__name__.lower()) for kind in RULES}


class Session:
    """What is known of one client.  10,000 of them idle, so what is seldom needed is made late."""

    __slots__ = (
        "_errors", "comparator", "compressed", "enabled", "filed", "house", "identity", "idling",
        "language", "notices", "peer", "selected", "state", "wire",
    )  # fmt: skip

    def __init__(self, house: House, peer: Peer, wire: Wire) -> None:
        self.house: House = house
        self.peer = peer
        self.wire = wire
        self.state = State.GUEST
        self.identity: Identity | None = None
        self.selected: Selected | None = None
        self.enabled: frozenset[bytes] = frozenset()
        self.comparator = collation.CASEMAP  # of SEARCH, SORT, THREAD (RFC 5255 4.2)
        self.language = languages.DEFAULT  # of what people read in answers
        self.compressed = False
        self.filed: Place | None = None  # where the last message was put
        self.idling = b""  # tag of the IDLE that runs
        self.notices: Notices | None = None  # what NOTIFY asked for; None: it was never given
        self._errors = 0

    # --- seam.Session ------------------------------------------------------------------------------

    @property
    def wants_push(self) -> bool:
        return bool(self.idling) or (self.notices is not None and self.notices.active)

    @property
    def watch(self) -> asyncio.Event | None:
        if self.notices is not None:
            return self.notices.wake
        return self.selected.hint if self.selected is not None else None

    @property
    def timeout_s(self) -> float:
        config = self.house.config
        return config.login_timeout_s if self.state is State.GUEST else config.idle_timeout_s

    def greet(self) -> Replies:
        if self.peer.user:
            return auth.preauthenticated(self)
        words = capabilities.told(self)
        return [
            b"* OK [CAPABILITY %b] %b Quintet ready\r\n"
            % (words, self.house.hostname.encode("ascii", "replace"))
        ]

    def handle(self, command: commands.Command, following: Input) -> Replies:
        rule = RULES[type(command)]
        _COUNTERS[type(command)].inc()
        if self.idling and not isinstance(command, commands.Done):
            return idle.broken_off(self)
        if self.state not in _WHEN[type(command)]:
            return self._wrong_state(command, following, rule)
        if rule.states is State.SELECTED and not self.here.renew(self.house.store):
            return updates.no_longer(self)
        if (not_here := self._not_here(rule, command)) is not None:
            return self._refused(not_here, command, following)
        if self.state is not State.GUEST:
            self._errors = 0  # a client that is known may try things all day, not one after the other
        replies = rule.answer(self, command, following)
        if self.language == languages.DEFAULT or type(command) in CARRIERS:
            return replies
        return languages.spoken(replies, command.tag, self)

    def poll(self) -> Replies:
        return idle.poll(self)

    def problem(self, error: Problem, command: commands.Command | None) -> Replies:
        if isinstance(error, BadSyntax):
            if self.idling and command is None:  # not even a command: no DONE either (RFC 9051 6.3.13)
                return idle.broken_off(self)
            self._errors += 1
            if self._errors > self.house.config.max_errors:
                farewell = answers.FAREWELLS[Reason.TOO_MANY_ERRORS]
                return [answers.problem(error, command, self.language), farewell, Ask.CLOSE]
        return [answers.problem(error, command, self.language)]

    def farewell(self, reason: Reason) -> bytes:
        """RFC 9051 7.1.5: a connection that we end hears BYE, whyever."""
        return answers.FAREWELLS.get(reason, b"* BYE Connection closing\r\n")

    def secured(self, tls: TlsInfo) -> None:
        """Nothing that was said in clear counts (RFC 9051 6.2.1); a guest has said nothing yet."""

    def close(self) -> None:
        self.leave()
        if self.notices is not None:
            self.notices.close()

    # --- for the commands --------------------------------------------------------------------------------

    @property
    def utf8(self) -> bool:
        """Names and strings may be UTF-8 (RFC 9051 5.1, RFC 6855 3)."""
        return b"IMAP4REV2" in self.enabled or b"UTF8=ACCEPT" in self.enabled

    @property
    def rev2(self) -> bool:
        return b"IMAP4REV2" in self.enabled

    @property
    def condstore(self) -> bool:
        return b"CONDSTORE" in self.enabled

    @property
    def qresync(self) -> bool:
        return b"QRESYNC" in self.enabled

    @property
    def uid_only(self) -> bool:
        """Messages are named by UIDs alone (RFC 9586)."""
        return b"UIDONLY" in self.enabled

    @property
    def user(self) -> Identity:
        """Who is logged in; only asked for in states where somebody is."""
        assert self.identity is not None
        return self.identity

    @property
    def here(self) -> Selected:
        """The selected mailbox; only asked for in that state."""
        assert self.selected is not None
        return self.selected

    def welcome(self, identity: Identity) -> None:
        self.identity = identity
        self.state = State.USER
        self.wire.max_command = MAX_COMMAND
        self._errors = 0
        logger.info("login", conn=self.peer.id, account=identity.name, mechanism=identity.mechanism)

    def forget(self) -> None:
        """As if nobody had logged in on this connection (RFC 8437 4.1)."""
        if self.notices is not None:
            self.notices.close()
            self.notices = None
        self.leave()
        self.identity = None
        self.state = State.GUEST
        self.enabled = frozenset()
        self.language = languages.DEFAULT
        self.comparator = collation.CASEMAP
        self.compressed = False
        self.filed = None
        self.wire.max_command = MAX_GUEST_COMMAND

    def enter(self, selected: Selected) -> None:
        self.leave()
        self.selected = selected
        self.state = State.SELECTED
        if self.notices is not None and self.notices.selected:
            selected.listen(self.house.store, self.notices.wake)

    def listen(self, notices: Notices) -> None:
        """Tells from now on what ``notices`` want, and nothing else."""
        if self.notices is not None:
            self.notices.close()
        self.notices = notices
        if self.selected is not None:
            self.selected.listen(self.house.store, notices.wake)

    def leave(self) -> None:
        """Back from a mailbox, if one is selected."""
        selected, self.selected = self.selected, None
        if selected is not None:
            selected.close()
            self.state = State.USER

    def enable(self, names: Iterable[bytes]) -> None:
        before, self.enabled = self.enabled, self.enabled | frozenset(names)
        if self.selected is not None and b"CONDSTORE" in self.enabled - before:
            self.selected.tell_modseq = True

    def _wrong_state(self, command: commands.Command, following: Input, rule: Rule) -> Replies:
        words = {
            State.GUEST: "Already logged in",
            State.KNOWN: "Log in first",
            State.SELECTED: "No mailbox is selected",
        }[rule.states]
        if self.state is State.GUEST and rule.states is State.SELECTED:
            words = "Log in first"
        return self._refused(BadSyntax(words, Reason.WRONG_STATE), command, following)

    def _not_here(self, rule: Rule, command: commands.Command) -> Problem | None:
        """Why not: UIDs wanted (RFC 9586), UTF-8 wanted (RFC 6855 6), elsewhere (RFC 2193 4.1)."""
        if self.uid_only and (refusal := uidonly.refusal(command)) is not None:
            return refusal
        config = self.house.config
        needs_utf8 = config.utf8_only and not rule.states & State.GUEST
        if needs_utf8 and not self.utf8 and type(command) not in WITHOUT_UTF8:
            return answers.NEEDS_UTF8
        if not config.remote_mailboxes or self.state is State.GUEST:
            return None
        try:
            found = [names.decode(raw, utf8=self.utf8) for raw in referrals.raw_names(command)]
        except Refused:
            return None  # not a name: the command itself says so
        return referrals.refer(listing.remote(self), self.house.hostname, self.user.name, found)

    def _refused(self, error: Problem, command: commands.Command, following: Input) -> Replies:
        """A command that is not even looked at."""
        if isinstance(command, commands.Append) and (announced := command.first.literal) is not None:
            return self._after_upload(announced, command, following, error)
        return self.problem(error, command)

    async def _after_upload(
        self, announced: Literal, command: commands.Append, following: Input, error: Problem
    ) -> AsyncGenerator[Any, None]:
        await uploads.pass_over(announced, following)
        for reply in self.problem(error, command):  # type: ignore[union-attr]  # problem gives a list
            yield reply
