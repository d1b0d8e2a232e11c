"""One state of the address book: its entries in order, containers, look-ups and name resolution.

Made in one go from a `Listing`, never changed, shared by all sessions; so it may be read in any thread.  What
somebody may see of it is asked through `Eyes`: other rooms that act for nobody take `EVERYTHING`.

For other rooms (Extended MAPI's address book, Autodiscover, recipients, rights):
    view.by_dn(dn), .by_address(smtp), .by_login(name), .by_entry_id(raw)    an `Entry`, or None
    view.resolve("ann", eyes)                                                 entries that a text may mean
    view.table(containers.GLOBAL, consts.BY_NAME, eyes)                       a container in order
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from itertools import chain, islice
from re import compile as pattern
from typing import Final

from quintet.mapi.nspi import collate, consts, containers, entries, names
from quintet.mapi.nspi.entries import Entry, Kind
from quintet.store.directory import Listing
from quintet.values import dataclass

MAX_MATCHES: Final = 1000  # entries that one text may mean; who types less than a name wants no more
MAX_NAME: Final = 1024  # characters of a text that is resolved
MAX_WORDS: Final = 8  # of it that are looked at
LITTLE: Final = 500  # entries that are gone through on the loop
SAMPLE: Final = 500  # terms, of which every `PIECE`th divides the others
PIECE: Final = 20
FEW: Final = 2  # entries: enough to know that a text is ambiguous
_PHONETIC: Final = consts.of("AddressBookPhoneticDisplayName")


@dataclass(frozen=True, slots=True)
class Eyes:
    """Who looks: their own entry is always seen, others as far as the rules of the server go."""

    own: int = 0  # Minimal Entry ID; 0: nobody in particular
    domain: str | None = None  # sees nothing of other domains; None: no such rule
    hidden: frozenset[int] = frozenset()

    def see(self, entry: Entry) -> bool:
        if entry.mid == self.own:
            return True
        return entry.mid not in self.hidden and (self.domain is None or entry.domain == self.domain)


EVERYTHING: Final = Eyes()


class Table:
    """Entries of a container in one order."""

    __slots__ = ("_key", "rows")

    def __init__(self, rows: Sequence[Entry], key: Callable[[Entry], tuple[str, str, int]]) -> None:
        self.rows = rows
        self._key = key

    def __len__(self) -> int:
        return len(self.rows)

    def position(self, entry: Entry) -> int | None:
        """Where an entry stands, from 0; None when it is not in the table."""
        at = bisect_left(self.rows, self._key(entry), key=self._key)
        return at if at < len(self.rows) and self.rows[at].mid == entry.mid else None

    def seek(self, text: str) -> int:
        """The first place whose name is equal to a text or greater; the length when there is none."""
        return bisect_left(self.rows, collate.image(text), key=lambda entry: self._key(entry)[0])


class View:
    """See the module's text."""

    def __init__(
        self,
        found: Iterable[Entry],
        server: uuid.UUID,
        version: int = 0,
        kinds: Mapping[int, frozenset[Kind]] = containers.KINDS,
    ) -> None:
        self.version = version
        self.server = server
        self._kinds = kinds  # by container
        self.entries: list[Entry] = sorted(found, key=by_name)
        sounding = any(_PHONETIC in entry.card for entry in self.entries)
        self._by_sound = sorted(self.entries, key=by_phonetic) if sounding else self.entries
        self._mids = {entry.mid: entry for entry in self.entries}
        self._dns = {entry.dn.lower(): entry for entry in self.entries}
        self._far = {entry.number: entry for entry in self.entries if entry.mid != entry.number}
        self._logins = {entry.key: entry for entry in self.entries if entry.is_account}
        self._addresses: dict[str, Entry] = {}
        for entry in self.entries:
            for address in entry.addresses:
                self._addresses.setdefault(address.lower(), entry)
        self._tables: dict[tuple[int, int, Eyes], Table] = {}
        self._terms = _terms(self.entries)
        self._hidden: dict[tuple[str, ...], frozenset[int]] = {}

    def known(self) -> dict[str, int]:
        """Minimal Entry IDs by DN."""
        return {entry.dn: entry.mid for entry in self.entries}

    # --- one entry --------------------------------------------------------------------------------------

    def by_mid(self, mid: int, eyes: Eyes = EVERYTHING) -> Entry | None:
        return _seen(self._mids.get(mid), eyes)

    def by_dn(self, dn: str, eyes: Eyes = EVERYTHING) -> Entry | None:
        """By a distinguished name; one with another name behind its number means the same object."""
        found = self._dns.get(dn.lower())
        if found is None and (number := names.number_of(dn)):
            near = self._mids.get(number)
            found = near if near is not None and near.number == number else self._far.get(number)
        return _seen(found, eyes)

    def by_address(self, address: str, eyes: Eyes = EVERYTHING) -> Entry | None:
        """By any of its SMTP addresses, without case."""
        return _seen(self._addresses.get(address.lower()), eyes)

    def by_login(self, name: str, eyes: Eyes = EVERYTHING) -> Entry | None:
        """An account by its login name."""
        return _seen(self._logins.get(name.lower()), eyes)

    def by_team(self, name: str, eyes: Eyes = EVERYTHING) -> Entry | None:
        """A team by its name, without the mark."""
        return self.by_dn(names.of_team(name), eyes)

    def by_entry_id(self, raw: bytes, eyes: Eyes = EVERYTHING) -> Entry | None:
        """By an entry id of either kind (MS-OXNSPI 2.2.9)."""
        found = names.read_or_none(raw)
        if isinstance(found, names.Ephemeral):
            return self.by_mid(found.mid, eyes) if found.server == self.server else None
        return None if found is None else self.by_dn(found, eyes)

    # --- many ---------------------------------------------------------------------------------------------

    def table(self, container: int, sort: int, eyes: Eyes = EVERYTHING) -> Table | None:
        """The entries of a container; None when there is no such container.

        All accounts with the same rules share a table: who is hidden is not even in their own.
        """
        kinds = self._kinds.get(container)
        if kinds is None:
            return None
        where, shared = _place(container, sort, eyes)
        found = self._tables.get(where)
        if found is None:
            phonetic = sort == consts.BY_PHONETIC_NAME
            every = self._by_sound if phonetic else self.entries
            rows = [entry for entry in every if entry.kind in kinds and shared.see(entry)]
            found = self._tables[where] = Table(rows, by_phonetic if phonetic else by_name)
        return found

    def is_made(self, container: int, sort: int, eyes: Eyes = EVERYTHING) -> bool:
        """A table lies ready, or there is little to make it of."""
        if len(self.entries) <= LITTLE or container not in self._kinds:
            return True
        return _place(container, sort, eyes)[0] in self._tables

    def resolve(
        self, text: str, eyes: Eyes = EVERYTHING, container: int = 0, most: int = MAX_MATCHES
    ) -> list[Entry]:
        """Ambiguous name resolution (3.1.4.7): entries that a text may mean, in order, at most ``most``.

        What is exact goes before what begins so: a whole name, login name, address or DN ("smtp:" and "ex:"
        may stand before), then each word of the text as the beginning of a word of the entry.  "=" before the
        text wants it exact.
        """
        kinds = self._kinds.get(container, frozenset())
        text = text.strip()[:MAX_NAME]
        only, text = text[:1] == "=", text.removeprefix("=").strip()
        scheme, colon, rest = text.partition(":")
        if colon and scheme.lower() in ("smtp", "ex"):
            only, text = True, rest.strip()
        if not text:
            return []

        def fit(found: Iterable[Entry]) -> list[Entry]:
            return list(islice((one for one in found if one.kind in kinds and eyes.see(one)), most))

        single = self.by_dn(text) if text[0] == "/" else self.by_address(text)
        exact = fit([single] if single is not None else self._exact(collate.image(text)))
        return exact if exact or only else fit(self._beginning(collate.image(text), few=most <= FEW))

    def _exact(self, text: str) -> list[Entry]:
        """Entries whose whole name, login name or local part is the text."""
        terms, owners = self._terms
        low, high = bisect_left(terms, text), bisect_right(terms, text)
        found = {at: self.entries[at] for at in owners[low : min(high, low + MAX_MATCHES)]}
        return [entry for _, entry in sorted(found.items()) if text in _wholes(entry)]

    def _beginning(self, text: str, *, few: bool) -> Iterator[Entry]:
        """Entries of which some term begins with each word of the text; ``few`` of them need no order."""
        terms, owners = self._terms
        ranges = sorted(
            (bisect_left(terms, word + "\U0010ffff") - low, low)
            for word in collate.words(text)[:MAX_WORDS] or [text]
            for low in (bisect_left(terms, word),)
        )
        size, low = ranges[0]  # the word that the fewest begin with
        if few and len(ranges) == 1:
            return (self.entries[at] for at in _distinct(owners, low, size))
        places = set(owners[low : low + size])
        for size, low in ranges[1:]:
            places.intersection_update(owners[low : low + size])
        return (self.entries[at] for at in sorted(places))

    def eyes(self, login: str, hide: tuple[str, ...], *, own_domain: bool) -> Eyes:
        """How an account looks, by the rules of the configuration (`is_ruled`: they were asked before)."""
        own = self._logins.get(login.lower())
        domain = (own.domain if own is not None else login.rpartition("@")[2]) if own_domain else None
        hidden = self._hidden.get(hide)
        if hidden is None:
            hidden = self._hidden[hide] = _matching(self.entries, hide)
        return Eyes(own.mid if own is not None else 0, domain, hidden)

    def is_ruled(self, hide: tuple[str, ...]) -> bool:
        """Whom some rules hide is known, or there are few to ask them of."""
        return len(self.entries) <= LITTLE or not hide or hide in self._hidden


def made(listing: Listing, server: uuid.UUID, before: View | None = None) -> View:
    """The view of a directory; ``before`` keeps Minimal Entry IDs as they were."""
    known = before.known() if before is not None else {}
    return View(entries.read(listing, known), server, listing.version)


def _place(container: int, sort: int, eyes: Eyes) -> tuple[tuple[int, bool, Eyes], Eyes]:
    """Where a table is kept, and what everybody sees who shares it."""
    shared = Eyes(0, eyes.domain, eyes.hidden)
    return (container, sort == consts.BY_PHONETIC_NAME, shared), shared


def _distinct(owners: Sequence[int], low: int, size: int) -> Iterator[int]:
    """Places in the order of their terms, each once; no more is looked at than is taken."""
    told: set[int] = set()
    for at in range(low, low + size):
        if owners[at] not in told:
            told.add(owners[at])
            yield owners[at]


def _seen(entry: Entry | None, eyes: Eyes) -> Entry | None:
    return entry if entry is not None and eyes.see(entry) else None


def by_name(entry: Entry) -> tuple[str, str, int]:
    return collate.image(entry.name), entry.name, entry.mid


def by_phonetic(entry: Entry) -> tuple[str, str, int]:
    """Where nobody said how a name sounds, it sounds as it is written."""
    name = entry.card.get(_PHONETIC) or entry.name
    return collate.image(name), name, entry.mid


def _wholes(entry: Entry) -> set[str]:
    """What means an entry when it is typed as a whole."""
    locals_ = (address.rpartition("@")[0] for address in entry.addresses)
    return {collate.image(text) for text in (entry.name, entry.key, *locals_)}


_WORDED: Final = tuple(map(consts.of, ("GivenName", "Surname", "Nickname")))


def _terms(all_entries: Sequence[Entry]) -> tuple[list[str], list[int]]:
    """What entries are found by, in order, and beside it the place of each term's entry."""
    pairs: list[tuple[str, int]] = []
    for at, entry in enumerate(all_entries):
        found = _wholes(entry)
        found.update(address.lower() for address in entry.addresses)
        found.update(collate.words(collate.image(entry.name)))
        for tag in _WORDED:
            if (value := entry.card.get(tag)) is not None:
                found.add(collate.image(value))
        pairs.extend((term, at) for term in found)
    ordered = _sorted(pairs)
    return [term for term, _ in ordered], [at for _, at in ordered]


def _sorted(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """In pieces, because a call of `sort` holds all threads of the interpreter: of 70,000 pairs 50 ms."""
    bounds = sorted(pairs[:: len(pairs) // SAMPLE + 1])[PIECE::PIECE]
    pieces: list[list[tuple[str, int]]] = [[] for _ in range(len(bounds) + 1)]
    for pair in pairs:
        pieces[bisect_right(bounds, pair)].append(pair)
    for piece in pieces:
        piece.sort()
    return list(chain.from_iterable(pieces))


def _matching(all_entries: Sequence[Entry], patterns: tuple[str, ...]) -> frozenset[int]:
    """Entries that a pattern names by login name, address, or "$" and a team's name; without case."""
    if not patterns:
        return frozenset()
    tests = [pattern(translate(one.lower())).match for one in patterns]
    found = set()
    for entry in all_entries:
        known = (f"${entry.key}",) if entry.kind is Kind.TEAM else (entry.key, *entry.addresses)
        if any(test(name.lower()) for test in tests for name in known):
            found.add(entry.mid)
    return frozenset(found)
