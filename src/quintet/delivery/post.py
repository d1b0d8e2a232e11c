"""Posting: an article from one of our own into the groups, by whatever protocol it came.

The steps stand in `PostOffice.post`: read the header, check it, see which groups take it, complete it,
spool the body, file everything in one transaction.  What a header must be is `inject`'s business; the
protocols know who posts and what to answer.  RFC 5537 3.5 (injecting agent), 3.9 (moderated groups).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from quintet import log, metrics
from quintet.auth import keyfile
from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.config.news import News
from quintet.config.nntp import Nntp
from quintet.delivery import arrive, inject, injectchecks, modqueue, quarantine, screening
from quintet.delivery.control import acts, orders
from quintet.delivery.envelope import NULL, Envelope, Recipient, mailbox
from quintet.delivery.inbound import Inbound
from quintet.delivery.postbox import Postbox
from quintet.delivery.postfilter import PostFilter
from quintet.delivery.postquick import QuickPosts
from quintet.delivery.postrights import Grants, Target, refuse_closed, targets_of
from quintet.delivery.screening import Screen, Word
from quintet.errors import Problem, Reason, Refused
from quintet.message import cancellock, headers
from quintet.message.cancellock import Element
from quintet.net.seam import Peer
from quintet.store import groups, trace
from quintet.store.arriving import Filing
from quintet.store.blobs import Spool
from quintet.store.content import Content, raw
from quintet.store.model import IN_ROW, AccountId, Added, Folder
from quintet.store.store import Store
from quintet.values import dataclass

DAY_MS = 86_400_000
LEAD = 96 * 1024  # bytes read before an article is checked: a header of the largest size and some body
MAX_LINE = 32 * 1024  # octets of a line; a header field's lines are shorter still (`inject.MAX_LINE`)
SECRET = "cancel-lock.key"  # in the data directory
LOOKED_AT = frozenset((b"control", b"supersedes", b"expires"))  # by which an article asks for something
MAIL_FIELDS = frozenset((b"to", b"cc", b"bcc"))
NEWS = News()
NOBODY = "moderators"  # in place of the address of a group that has only a queue

logger = log.get("post")


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of an article."""

    message_id: str
    groups: tuple[str, ...]  # where it was filed, in the order of Newsgroups
    added: tuple[Added, ...]  # the same order; empty when it was mailed
    mailed_to: str = ""  # the moderator's address, else ""

    def number(self, group: str) -> int:
        """The article's number there; 0 when it waits for the moderator."""
        return next((one.uid for name, one in zip(self.groups, self.added, strict=False) if name == group), 0)


class PostOffice:
    """One a process, shared by all who take articles.  ``inbound`` carries submissions to moderators."""

    def __init__(
        self,
        store: Store,
        config: Nntp,
        news: News = NEWS,
        *,
        hostname: str,
        clock: Clock,
        inbound: Inbound | None = None,
    ) -> None:
        self._store, self.config, self.clock, self._inbound = store, config, clock, inbound
        self._news = news
        self._secret: bytes | None = None  # of Cancel-Locks
        self.filter = PostFilter(store)  # an administrator's own word
        self.screen: Screen | None = None  # filters for whatever comes, set by who joins them
        self._hostname = hostname
        self._postbox = Postbox(store, self.path_host)
        self.quick = QuickPosts(self, store, self._postbox)
        self.limits = inject.Limits(config.max_groups, config.max_age_days * DAY_MS)
        self._by_hand = inject.Limits(config.max_groups, 0)
        if inbound is not None:
            inbound.directory.office = self  # mail for groups comes here

    @property
    def looks(self) -> bool:
        """Whether a filter or a hook looks at what is posted."""
        return self.filter.looks or (self.screen is not None and self.screen.looks)

    @property
    def news(self) -> News:
        """What articles may bring about."""
        return self._news

    @property
    def path_host(self) -> str:
        """Our name in Path and Xref."""
        return self.config.path_host or self._hostname

    @property
    def complaints_to(self) -> str:
        """The address of who runs this news server."""
        return self.config.complaints_to or f"usenet@{self.path_host}"

    def is_moderated(self, name: str) -> bool:
        """The group is here, and needs approval."""
        folder = self._store.peek(groups.find, name)
        return folder is not None and folder.status == "m"

    def new_message_id(self) -> str:
        """One that no article has."""
        return f"<{self.clock.token(12)}@{self.path_host}>"

    async def post(
        self,
        identity: Identity | None,
        peer: Peer,
        chunks: AsyncIterator[bytes],
        *,
        group: str = "",
        received_at: int | None = None,
        recommended: str = "",
        grants: Grants | None = None,
        approval: bool = False,
    ) -> Posted:
        """Takes one article (header, blank line, body; un-stuffed) into its groups, or to their moderator.

        ``group``: the message is put into that group by hand: a missing Newsgroups or Subject is added,
        fields of transport are dropped instead of refused, and it may be old.  ``received_at`` (ms) is now
        if not given; ``recommended`` the Message-ID used when there is none.  ``grants`` says what the poster
        may besides what the store says; ``approval``, that it is a submission that was approved, perhaps long
        after its Date: Injection-Date tells when, or others would find it too old.
        When it returns the article is on disk.

        Raises:
            Refused(BAD_CONTENT | TOO_BIG | POLICY): something is wrong with it; the text says what.
            Refused(NO_SUCH_FOLDER): none of the groups is here.  Refused(DUPLICATE): the Message-ID is known.
            Refused(NO_PERMISSION): a group does not take it, or Approved is not for this poster to say.
            Refused(MODERATED): it needs a moderator, and the group has no address of one.
            TryLater: no space, no room, no numbers; nothing was kept.
        """
        try:
            posted = await self._take(
                identity, peer, chunks, group, received_at, recommended, grants, approval=approval
            )
        except Problem as problem:
            metrics.ARTICLES_IN.labels(problem.reason.name.lower()).inc()
            logger.info("article refused", conn=peer.id, reason=problem.reason.name.lower(), why=problem.text)
            raise
        metrics.ARTICLES_IN.labels("mailed" if posted.mailed_to else "posted").inc()
        logger.info("posted", conn=peer.id, message_id=posted.message_id, groups=",".join(posted.groups))
        return posted

    async def _take(
        self,
        identity: Identity | None,
        peer: Peer,
        chunks: AsyncIterator[bytes],
        group: str,
        received_at: int | None,
        recommended: str,
        grants: Grants | None,
        *,
        approval: bool,
    ) -> Posted:
        now, config = self.clock.now(), self.config
        head, lead, whole = await _lead(chunks, by_hand=bool(group))
        proto = inject.read(head, by_hand=bool(group))
        if config.check_quoting and not group:
            injectchecks.check_quoting(lead)
        verb, targets, moderator = self._checked(proto, now, identity, grants, group)
        if whole and not lead and not verb and not group:
            raise inject.bad("Article has no body")
        injectchecks.check_author(proto)
        self._check_followups(proto, identity, grants)
        message_id = recommended or self.new_message_id()
        if moderator:
            header = inject.to_moderator(proto, moderator, message_id, now)
        else:
            more = self.additions(identity, peer, message_id, now, proto.groups)
            if group and grants is not None:
                # a gateway's own or a poster's, whatever `sender` says: RFC 5537 3.10.2
                more = replace(more, sender=None, injected=approval)
            header = inject.complete(proto, more)
        if whole and not (moderator or verb or group) and received_at is None:
            places = await self._file_plain(identity, peer, proto, targets, header, lead)
            if places is not None:
                return Posted(proto.message_id, tuple(one.folder.name for one in targets), tuple(places))
        spool = self._store.spool()
        spools = [spool]
        try:
            await _write(spool, header, lead, chunks, config.max_article_size)
            content = await spool.finish()
            _check_body(content)
            asked = await self.filter.ask(identity, peer, proto, content, spools)
            if asked.dropped:
                return Posted(proto.message_id, (), ())
            content = asked.content
            if asked.spooled:
                targets, verb, moderator = self._aside(), "", ""
            if self.screen is not None and self.screen.looks:
                held = await self._screened(identity, peer, proto, content)
                if held is not None:
                    return held
            if moderator:
                await self._submit(identity, peer, moderator, targets, content)
                return Posted(proto.message_id, (), (), moderator)
            at = now if received_at is None else received_at
            # what was set aside does nothing before somebody has looked at it
            rules = None if asked.spooled else self._news
            added = await self._file(identity, peer, proto, targets, content, at, rules)
        finally:
            for each in spools:
                each.discard()
        names = () if verb else tuple(one.folder.name for one in targets)  # control messages lie elsewhere
        return Posted(proto.message_id, names, tuple(added))

    def _checked(
        self, proto: inject.Proto, now: int, identity: Identity | None, grants: Grants | None, group: str
    ) -> tuple[str, list[Target], str]:
        """Groups and header, in INN's order: the verb of Control, the groups that are here, the moderator."""
        limits = self._by_hand if group else self.limits
        injectchecks.name_groups(proto, limits.max_groups, group=group)
        verb = proto.get(b"control").partition(" ")[0].lower()
        targets = self._store.peek(targets_of, proto.groups, identity, grants)
        moderator = ""
        about_groups = verb in injectchecks.CONTROLS and verb != orders.CANCEL
        if proto.groups and not about_groups:
            moderator = self._where(verb, targets, identity, proto)
        injectchecks.check(proto, now, limits, group=group)
        if about_groups:
            self._where(verb, targets, identity, proto)
        return verb, targets, moderator

    async def _file_plain(
        self,
        identity: Identity | None,
        peer: Peer,
        proto: inject.Proto,
        targets: Sequence[Target],
        header: bytes,
        body: bytes,
    ) -> list[Added] | None:
        """A small article at which nobody looks, that asks for nothing and of which nothing is to be refused.

        It is not scanned, and filed with others (`Postbox`).  None: it is not one, or it was not filed.
        """
        data = header + b"\r\n" + body
        names = [one.folder.name for one in targets]
        ends = body.count(b"\n")
        if (
            len(data) > IN_ROW
            or len(body) > self.config.max_article_size
            or not ends == body.count(b"\r") == body.count(b"\r\n")
            or b"\0" in data
            or self.looks
            or not set(names).isdisjoint(self._news.noticed)
        ):
            return None
        fields = arrive.plain_fields(header)
        if fields is None or not LOOKED_AT.isdisjoint(fields):
            return None
        self._store.blobs.check_space(len(data))
        date = headers.parse_date(fields[b"date"])
        content = raw(data, len(header) + 2, fields, proto.message_id, date)
        filing = Filing(
            proto.message_id,
            tuple([one.folder.id for one in targets]),
            content,
            self.path(peer, proto.path),
        )
        return await self._postbox.put(filing, _note(identity, peer, targets, content.size))

    async def _file(
        self,
        identity: Identity | None,
        peer: Peer,
        proto: inject.Proto,
        targets: Sequence[Target],
        content: Content,
        received_at: int,
        rules: News | None,
    ) -> list[Added]:
        """Into its groups, with what it asks for (if there are ``rules``).  Raises Refused, TryLater."""
        added = await self._store.write(
            acts.file,
            [one.folder.id for one in targets],
            content,
            path=self.path(peer, proto.path),
            host=self.path_host,
            received_at=received_at,
            message_id=proto.message_id,
            trace_note=_note(identity, peer, targets, content.size),
            rules=rules,
            who=acts.Who(peer.id, _poster(identity)),
        )
        if not added:
            raise Refused(Reason.DUPLICATE, "Article was cancelled before it came")
        return added

    async def _screened(
        self, identity: Identity | None, peer: Peer, proto: inject.Proto, content: Content
    ) -> Posted | None:
        """What filters make of it: None, it may be filed; else it was taken, and is not in its groups.

        Raises Refused(POLICY), TryLater(BUSY).
        """
        assert self.screen is not None
        name = identity.name if identity is not None else ""
        sender = screening.Sender(peer.id, peer.address, name)
        fate = await self.screen.article(sender, proto.message_id, proto.groups, content)
        if fate.word is Word.FILE:
            return None
        if fate.word is Word.REFUSE:
            self._store.later(
                trace.add,
                self.clock.now(),
                peer.id,
                fate.word.value,
                _poster(identity),
                proto.message_id,
                {"why": fate.text, "groups": list(proto.groups)},
            )
            raise Refused(Reason.POLICY, fate.text)
        note = trace.Note(
            peer.id, fate.word.value, _poster(identity), {"why": fate.text, "groups": list(proto.groups)}
        )
        if fate.word is Word.DROP:
            await self._store.write(quarantine.drop, proto.message_id, note)
        else:
            await self._store.write(
                quarantine.put,
                content,
                path=self.path(peer, proto.path),
                message_id=proto.message_id,
                why=fate.text,
                config=self._news,
                note=note,
            )
        return Posted(proto.message_id, (), ())

    # --- who may what -----------------------------------------------------------------------

    def allow(self, names: Sequence[str], identity: Identity | None) -> None:
        """Says before the bytes come whether groups would take an article; raises as `post` does."""
        self._allow(self._store.peek(targets_of, names, identity), None)

    def _where(
        self, verb: str, targets: Sequence[Target], identity: Identity | None, proto: inject.Proto
    ) -> str:
        """The moderator to whom it must go first, or ""; raises as `_allow_control` and `_allow`."""
        if verb in injectchecks.CONTROLS:
            return self._allow_control(verb, targets, identity, proto)
        return self._allow(targets, proto)

    def _check_followups(self, proto: inject.Proto, identity: Identity | None, grants: Grants | None) -> None:
        """Followup-To must name groups to which the same poster could post (RFC 5536 3.2.6).

        Raises:
            Refused(BAD_CONTENT | NO_PERMISSION).
        """
        wanted = injectchecks.followups(proto)
        if not wanted:
            return
        found = self._store.peek(targets_of, wanted, identity, grants)
        if not found:
            raise inject.bad("Followup-To names no group that is here")
        for one in found:
            refuse_closed(one)

    def _aside(self) -> list[Target]:
        """Where articles go that a hook set aside.  Raises Refused(POLICY): there is no such group."""
        found = self._store.peek(groups.find, self.config.spool_group) if self.config.spool_group else None
        if found is None:
            raise Refused(Reason.POLICY, "Article must be looked at, and there is no place for it")
        return [Target(found, may_post=True, may_approve=True)]

    def _allow_control(
        self, verb: str, targets: Sequence[Target], identity: Identity | None, proto: inject.Proto
    ) -> str:
        """RFC 5537 5.2, 5.3: cancels go to no moderator; what changes groups comes from few, with Approved.

        Raises:
            Refused(NO_SUCH_FOLDER | NO_PERMISSION | BAD_CONTENT).
        """
        if verb == orders.CANCEL:
            if not targets:
                raise Refused(Reason.NO_SUCH_FOLDER, "No such group here")
            for one in targets:
                refuse_closed(one)
            return ""
        if identity is None or identity.name not in self._news.newsmasters:
            raise Refused(Reason.NO_PERMISSION, f"{verb} is for the newsmaster to send")
        if not proto.has(b"approved"):
            raise inject.bad(f"{verb} without Approved")
        return ""

    def _allow(self, targets: Sequence[Target], proto: inject.Proto | None) -> str:
        """The moderator to whom it must go first, or "" when it may be filed at once (RFC 5537 3.5).

        Raises:
            Refused(NO_SUCH_FOLDER | NO_PERMISSION | MODERATED).
        """
        if not targets:
            raise Refused(Reason.NO_SUCH_FOLDER, "No such group here")
        for one in targets:
            refuse_closed(one)
        moderated = [one for one in targets if one.folder.status == "m"]
        if proto is not None and proto.has(b"approved"):
            if not all(one.may_approve for one in moderated or targets):
                raise Refused(Reason.NO_PERMISSION, "You may not approve articles there")
            return ""
        if not moderated:
            return ""
        first = moderated[0].folder  # of several, the leftmost one's moderator gets it
        address = first.moderator or inject.moderator_for(first.name, self.config.moderators)
        if not address and self._queued(first):
            address = NOBODY
        if not address or self._inbound is None:
            raise Refused(Reason.MODERATED, f"Group {first.name} is moderated and has no moderator's address")
        return address

    # --- what we add ------------------------------------------------------------------------

    def additions(
        self, identity: Identity | None, peer: Peer, message_id: str, now: int, groups: Sequence[str]
    ) -> inject.Additions:
        """What goes into the header of an article for these groups."""
        config = self.config
        user = identity.name if identity is not None else ""
        # who holds the key of a Cancel-Lock; without one the article gets none, and goes by its author's name
        holder = {"none": "", "account": user, "address": user or peer.address}[config.cancel_lock]
        info = inject.injection_info(
            self.path_host,
            (
                ("posting-host", peer.address if config.posting_host else ""),
                ("posting-account", identity.name if identity is not None and config.posting_account else ""),
                ("logging-data", peer.id),
                ("mail-complaints-to", self.complaints_to),
            ),
        )
        return inject.Additions(
            message_id,
            now,
            info,
            organization=config.organization,
            distribution=inject.distribution_for(groups, config.distributions),
            sender=user if config.sender else None,
            locks=(lambda text: self._locks(text, holder)) if holder else None,
            keys=(lambda text: [self._key(text, holder)]) if holder else None,
            drop=MAIL_FIELDS if config.strip_mail_fields else frozenset(),
        )

    def _key(self, message_id: str, user: str) -> Element:
        """RFC 8315 4; the secret is made when it is needed first."""
        if self._secret is None:
            self._secret = keyfile.load(self._store.data / SECRET)
        return cancellock.key(self._secret, message_id, user)

    def _locks(self, message_id: str, user: str) -> list[Element]:
        """One for the poster, and one for the administrator."""
        locks = [cancellock.lock(self._key(message_id, one)) for one in (user, "")]
        return [one for one in locks if one is not None]

    def path(self, peer: Peer, tail: str) -> bytes:
        """RFC 5536 3.1.5: us, the mark of injection with where it came from, the poster's own."""
        from_ip = peer.address[:1].isdigit() or ":" in peer.address
        where = f".{peer.address}" if from_ip and self.config.posting_host else ""
        return f"{self.path_host}!.POSTED{where}!{tail or 'not-for-mail'}".encode()

    # --- moderated groups -------------------------------------------------------------------

    def _queued(self, group: Folder) -> bool:
        """There is a queue for it, and somebody who works on it."""
        return self._news.moderation != "mail" and bool(self._store.peek(modqueue.moderators, group))

    async def _submit(
        self,
        identity: Identity | None,
        peer: Peer,
        moderator: str,
        targets: Sequence[Target],
        content: Content,
    ) -> None:
        """Into the queue, to the moderator, or both.  Raises Refused, TryLater: nothing was kept."""
        way = self._news.moderation
        group = next(one.folder for one in targets if one.folder.status == "m")
        queued = way == "queue" or self._queued(group)
        if queued:
            sender = mailbox(identity.name) if identity is not None and "@" in identity.name else NULL
            note = trace.Note(
                peer.id,
                "submitted",
                identity.account_id if identity is not None else None,
                {"group": group.name, "client": peer.address, "size": content.size},
            )
            await self._store.write(modqueue.hold, group.name, content, sender, note)
        if way == "queue" or moderator == NOBODY:
            return
        try:
            await self._mail(identity, peer, moderator, content)
        except Problem as problem:
            if not queued:
                raise
            logger.warning("moderator gets no letter", conn=peer.id, to=moderator, why=problem.text)

    async def _mail(self, identity: Identity | None, peer: Peer, moderator: str, content: Content) -> None:
        """Hands it to the moderator's mailbox or to the outbound queue.  Raises Refused, TryLater."""
        assert self._inbound is not None
        address = mailbox(moderator)
        sender = mailbox(identity.name) if identity is not None and "@" in identity.name else NULL
        envelope = Envelope(peer, protocol="NNTP", identity=identity, sender=sender, id=self.clock.token(6))
        found = self._inbound.directory.find(address, size=content.size)
        envelope.recipients.append(found or Recipient(address))
        await self._inbound.accept(envelope, content)


async def _lead(chunks: AsyncIterator[bytes], *, by_hand: bool) -> tuple[bytes, bytes, bool]:
    """The header block without its blank line, the beginning of the body, and whether that is all of it.

    Up to `LEAD` bytes are read before anything is checked, so that a usual article is looked at as a whole.

    Raises:
        Refused(BAD_CONTENT): a line is too long, the header is, or there is no body.
    """
    pieces: list[bytes] = []
    size = 0
    whole = True
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > LEAD:
            whole = False
            break
    held = b"".join(pieces)
    if size > MAX_LINE and max(map(len, held.split(b"\r\n"))) > MAX_LINE:
        raise inject.bad(f"Line longer than {MAX_LINE} octets")
    if by_hand and held.startswith(b"\r\n"):
        return b"", held[2:], whole
    end = held.find(b"\r\n\r\n", 0, inject.MAX_HEAD + 4)
    if end >= 0:
        return held[: end + 2], held[end + 4 :], whole
    if size > inject.MAX_HEAD:
        raise inject.bad(f"Header larger than {inject.MAX_HEAD} bytes")
    if by_hand and held:
        return held if held.endswith(b"\r\n") else held + b"\r\n", b"", whole
    raise inject.bad("Article has no body -- just headers" if held else "Article is empty")


async def _write(spool: Spool, header: bytes, lead: bytes, chunks: AsyncIterator[bytes], most: int) -> None:
    """The whole article; raises Refused(TOO_BIG) beyond ``most`` bytes of body."""
    limit, tail = most + len(header), lead[-2:]
    await spool.take(header + b"\r\n" + lead)
    if spool.size <= limit:
        async for chunk in chunks:
            await spool.take(chunk)
            tail = (tail + chunk)[-2:]
            if spool.size > limit:
                break
    if spool.size > limit:
        raise Refused(Reason.TOO_BIG, f"Article is larger than {most} bytes")
    if tail not in (b"", b"\r\n"):  # put in by hand: it travels with one, and RFC 3977 8.1.1 counts it
        spool.write(b"\r\n")


def _check_body(content: Content) -> None:
    digest = content.digest
    if digest.longest_line > MAX_LINE:
        raise inject.bad(f"Line longer than {MAX_LINE} octets")
    if digest.nul:
        raise inject.bad("NUL in the article")
    if digest.bare_cr or digest.bare_lf:
        raise inject.bad("Bare CR or LF in the article")


def _poster(identity: Identity | None) -> AccountId | None:
    """Who logged in; the queue of moderators, which did not, may not take back articles by what it posts."""
    return identity.account_id if identity is not None and identity.mechanism else None


def _note(identity: Identity | None, peer: Peer, targets: Sequence[Target], size: int) -> trace.Note:
    return trace.Note(
        peer.id,
        "posted",
        identity.account_id if identity is not None else None,
        {"groups": [one.folder.name for one in targets], "client": peer.address, "size": size},
    )
