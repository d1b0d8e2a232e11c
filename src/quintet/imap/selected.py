"""The mailbox that a session has selected: numbering, cursor, rights, what is recent (RFC 9051 3.3, 5.2)."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from quintet.imap import format as fmt
from quintet.imap import places, sets
from quintet.net.wake import Wake
from quintet.store import access
from quintet.store.model import FolderKind

if TYPE_CHECKING:
    from quintet.imap.contexts import Context, Ops
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.imap.view import View
    from quintet.store.hints import Watch
    from quintet.store.model import Changed
    from quintet.store.store import Store

# Rights with which a mailbox is more than read (RFC 4314 5.2).  Deviates: "s" alone is enough,
# though \\Seen is each reader's own in a shared folder, because a client that hears READ-ONLY keeps no marks.
_WRITING = frozenset("iswten")
MAX_KEYWORDS = 1000  # in one mailbox; the line that names them stays below the 64 KiB that clients can read


@functools.lru_cache(maxsize=64)  # most mailboxes have the same few keywords, or none; 64 KB each at most
def _flag_lines(keywords: tuple[str, ...], may: int, may_name: bool) -> bytes:
    """``may``: the system flags that can be changed; ``may_name``: and keywords."""
    words = sorted(keywords)
    permanent = fmt.flags(may, words if may_name else ())
    if may_name and len(words) < MAX_KEYWORDS:
        permanent = (permanent + b" \\*").strip()  # new keywords can be made
    return b"* FLAGS (%b)\r\n* OK [PERMANENTFLAGS (%b)] Kept\r\n" % (fmt.flags(31, words), permanent)


class Selected:
    """One selected mailbox of one session."""

    __slots__ = (
        "_saved", "account_id", "annotate", "cleared", "contexts", "cursor", "examined", "folder_id", "fresh",
        "held", "hint", "keywords", "kind", "made", "name", "owed", "read_only", "reader", "recent", "rights",
        "tell_flags", "tell_modseq", "told", "uid_validity", "view", "watch",
    )  # fmt: skip

    def __init__(self, where: Place, view: View, *, examined: bool, keywords: Iterable[str]) -> None:
        folder = where.folder
        self.folder_id = folder.id
        self.account_id = folder.account_id
        self.uid_validity = folder.uid_validity
        self.kind = folder.kind
        self.name = where.name
        self.rights = where.rights
        self.reader = where.reader
        self.examined = examined  # by EXAMINE
        self.annotate = False  # changes of annotations are told (RFC 5257 4.2)
        self.read_only = examined or not _WRITING & set(where.rights)
        self.view = view
        self.cursor: int = folder.highest_modseq  # all changes up to here are told
        self.cleared = 0  # what is gone is known up to here; matters only where it is beyond the cursor
        self.held: int | None = None  # the cursor before the first expunge that is not told yet
        self.fresh: list[int] = []  # UIDs that arrived and of which NOTIFY's items are owed
        self.made: set[int] = set()  # UIDs that came by our own APPEND or COPY (RFC 5465 5.2)
        self.told: dict[int, int] = {}  # UID -> modseq of our own changes after the cursor: told already
        self.keywords = {word.lower(): word for word in keywords}  # those that FLAGS named
        self.recent: list[tuple[int, int]] = []  # UID ranges that are \\Recent for this session alone
        self._saved = array("I")  # the ends of `saved`
        self.contexts: dict[bytes, Context] = {}  # by tag: results that are followed (RFC 5267 4.3)
        self.owed: list[tuple[Context, Ops, list[int]]] = []  # to tell of them, and UIDs to fetch before
        self.tell_modseq = False  # CONDSTORE was just switched on: HIGHESTMODSEQ is owed (RFC 7162 3.1)
        self.tell_flags = False  # the rights changed: FLAGS and PERMANENTFLAGS are owed (RFC 4314 5.1.1)
        self.hint: Wake | None = None
        self.watch: Watch | None = None

    def close(self) -> None:
        if self.watch is not None:
            self.watch.close()
            self.watch = None

    def listen(self, store: Store, wake: Wake | None = None) -> None:
        """Begins to hear of changes; kept until the mailbox is left, because who idles, idles again.

        With ``wake`` it is that which is set.
        """
        if self.watch is not None and wake is not None and wake is not self.hint:
            self.close()
        if self.watch is None:
            self.hint = wake or Wake()
            self.watch = store.watch(self.hint, [self.folder_id])

    def vanish(self, ranges: list[tuple[int, int]]) -> None:
        """Notes messages as gone; the client is told when its numbers may change."""
        self.view.vanish(ranges)
        if self.held is None and self.view.gone:
            self.held = self.cursor

    @property
    def saved(self) -> list[tuple[int, int]]:
        """UID ranges of SEARCH RETURN (SAVE) (RFC 5182); eight bytes each."""
        ends = iter(self._saved)
        return list(zip(ends, ends, strict=True))

    @saved.setter
    def saved(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._saved = array("I", chain.from_iterable(ranges))

    @property
    def still(self) -> bool:
        """Nothing is to be told as long as nobody changes anything."""
        owed = self.tell_flags or self.tell_modseq or self.contexts or self.view.gone
        return not owed and self.held is None

    @property
    def complete(self) -> int:
        """The change number up to which the client was told everything, expunges too."""
        return self.cursor if self.held is None else self.held

    # --- rights -----------------------------------------------------------------------------------

    def renew(self, store: Store) -> bool:
        """Looks again at what this reader may in somebody else's folder; false: not even read it any more.

        A folder that is gone is told of by `updates`.
        """
        if self.reader is None:
            return True
        rights = store.peek(access.current, self.reader, self.folder_id)
        if rights is None or rights == self.rights:
            return True
        self.rights = rights
        self.read_only = self.examined or not _WRITING & set(rights)
        self.tell_flags = True
        return "r" in rights

    # --- flags ------------------------------------------------------------------------------------

    def changeable(self) -> int:
        """The system flags that this session may change, as bits (RFC 4314 4: rights s, t, w)."""
        return 0 if self.read_only else places.flag_bits(self.rights)

    def flag_lines(self) -> bytes:
        """``FLAGS`` and ``PERMANENTFLAGS`` (RFC 9051 7.3.5, 7.1)."""
        may_name = "w" in self.rights and not self.read_only
        return _flag_lines(tuple(self.keywords.values()), self.changeable(), may_name)

    def new_keywords(self, _: Session, changed: Iterable[Changed]) -> bytes:
        """Names keywords before they are first used (RFC 9051 7.3.5), b"" if all are known."""
        fresh = {word for one in changed for word in one.keywords if word.lower() not in self.keywords}
        if not fresh:
            return b""
        self.keywords.update((word.lower(), word) for word in sorted(fresh))
        return self.flag_lines()

    # --- what is recent (RFC 3501 2.3.2) -----------------------------------------------------------------

    def arrived(self, session: Session, first: int) -> None:
        """Messages from UID ``first`` were just appended to the view."""
        if session.rev2 or self.read_only or self.kind != FolderKind.MAIL:
            return
        self.recent.extend(
            session.house.recents.claim(self.account_id, self.folder_id, first, self.view.largest)
        )

    def is_recent(self, uid: int) -> bool:
        return bool(self.recent) and sets.contains(self.recent, uid)

    def recent_count(self) -> int:
        return self.view.count(self.recent) if self.recent else 0
