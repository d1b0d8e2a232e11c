"""A client of any address book that speaks NSPI over HTTP: the nineteen requests, and what programs ask for.

    book = Client(Channel(post).ask)        # `http.channel`; ``post`` is any way to send HTTP
    book.bind()
    for row in book.entries((NAME, SMTP)): ...
    [found] = book.resolve(["ann"], (NAME, SMTP))

Synchronous.  An error that the server names is a MapiError with its code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import bodies, consts
from quintet.mapi.nspi import messages as m
from quintet.mapi.restrict import Property, Relation, Restriction
from quintet.mapi.types import Error, Tag, Value

Ask = Callable[[str, bytes], bytes]
"""Sends a body as a request type, gives the answer's body; raises what it likes."""

_FINE: Final = frozenset((consts.SUCCESS, consts.ERRORS_RETURNED))
PAGE: Final = 100  # rows that are asked for at once
_ANR: Final = 0x360C001F  # PidTagAnr


class Client:
    """One session.  ``state`` is what requests start from: code page and locales of this client."""

    def __init__(self, ask: Ask, state: m.Stat | None = None) -> None:
        self._ask = ask
        self.state = state or m.Stat(code_page=consts.CP_UNICODE)
        self.server: uuid.UUID | None = None  # known after `bind`

    def _call(self, request: Any, fine: frozenset[int] = _FINE) -> Any:  # Any: a request, and its answer
        """Raises MapiError: the server says so; (NETWORK_ERROR): a failure body.  BadSyntax: no answer."""
        name = type(request).__name__
        raw = self._ask(name, bodies.write_request(name.lower(), request))
        try:
            answer = bodies.read_response(name.lower(), raw)
        except bodies.Failure as failure:
            raise MapiError(Code.NETWORK_ERROR, f"the server failed: 0x{failure.status:08X}") from failure
        if answer.error not in fine:
            raise MapiError(_code(answer.error), f"{name}: 0x{answer.error:08X}")
        return answer

    # --- the nineteen -------------------------------------------------------------------------------------

    def bind(self) -> uuid.UUID:
        """Begins the session; the server's GUID."""
        found: uuid.UUID = self._call(m.Bind(0, self.state)).server
        self.server = found
        return found

    def unbind(self) -> None:
        self._call(m.Unbind(), frozenset((consts.SUCCESS, consts.UNBIND_SUCCESS)))
        self.server = None

    def compare_mids(self, first: int, second: int, state: m.Stat | None = None) -> int:
        """Below, equal or above 0."""
        return int(self._call(m.CompareMinIds(0, state or self.state, first, second)).result)

    def dn_to_mids(self, dns: Sequence[str]) -> list[int]:
        """A Minimal Entry ID each; 0 for one that is not there."""
        return list(self._call(m.DnToMinId(0, tuple(dn.encode("latin-1") for dn in dns))).mids or ())

    def get_matches(
        self,
        wanted: Restriction | None = None,
        columns: Sequence[Tag] | None = None,
        *,
        most: int = 100,
        state: m.Stat | None = None,
    ) -> m.Matched:
        """Without a restriction: what the property in ``state.container`` of the object there points to."""
        request = m.GetMatches(0, state or self.state, None, 0, wanted, None, most, _tags(columns))
        return self._call(request)  # type: ignore[no-any-return]  # of the class that bodies name

    def get_prop_list(self, mid: int, *, objects: bool = False) -> list[Tag]:
        flags = 0 if objects else consts.SKIP_OBJECTS
        return list(self._call(m.GetPropList(flags, mid, self.state.code_page)).tags or ())

    def get_props(
        self, mid: int, tags: Sequence[Tag] | None = None, flags: int = consts.SKIP_OBJECTS
    ) -> dict[Tag, Value]:
        """By tag; what is not there is left out."""
        answer = self._call(m.GetProps(flags, replace(self.state, current=mid), _tags(tags)))
        return {tag: value for tag, value in answer.values or () if tag & 0xFFFF != 0x000A}

    def get_special_table(self, flags: int = consts.UNICODE_STRINGS) -> list[dict[Tag, Value]]:
        """The hierarchy of containers, from the top."""
        answer = self._call(m.GetSpecialTable(flags, self.state, 0))
        return [dict(row) for row in answer.rows or ()]

    def get_template_info(self, display_type: int, flags: int = consts.TEMPLATE) -> dict[Tag, Value]:
        request = m.GetTemplateInfo(flags, display_type, None, 1252, self.state.template_locale)
        return dict(self._call(request).values or ())

    def mod_link_att(self, mid: int, tag: Tag, entry_ids: Sequence[bytes], *, delete: bool = False) -> None:
        self._call(m.ModLinkAtt(consts.DELETE if delete else 0, tag, mid, tuple(entry_ids)))

    def mod_props(self, mid: int, values: dict[Tag, Value], gone: Sequence[Tag] = ()) -> None:
        state = replace(self.state, current=mid)
        self._call(m.ModProps(0, state, tuple(gone), tuple(values.items())))

    def query_rows(
        self, state: m.Stat, count: int, columns: Sequence[Tag] | None = None, mids: Sequence[int] = (),
        flags: int = 0,
    ) -> m.Rows:  # fmt: skip
        """Some rows, and where the next begin."""
        request = m.QueryRows(flags, state, tuple(mids), count, _tags(columns))
        return self._call(request)  # type: ignore[no-any-return]  # of the class that bodies name

    def query_columns(self) -> list[Tag]:
        return list(self._call(m.QueryColumns(0, consts.UNICODE_TYPES)).tags or ())

    def resolve_names(self, texts: Sequence[str], columns: Sequence[Tag] | None = None) -> m.Resolved:
        request = m.ResolveNames(0, self.state, _tags(columns), tuple(texts))
        return self._call(request)  # type: ignore[no-any-return]  # of the class that bodies name

    def resort_restriction(self, mids: Sequence[int], state: m.Stat | None = None) -> list[int]:
        return list(self._call(m.ResortRestriction(0, state or self.state, tuple(mids))).mids or ())

    def seek_entries(self, text: str, columns: Sequence[Tag] | None = None) -> m.Rows:
        """Where names begin that are not less than a text.  Raises MapiError(NOT_FOUND)."""
        request = m.SeekEntries(0, self.state, (consts.of("DisplayName"), text), None, _tags(columns))
        return self._call(request)  # type: ignore[no-any-return]  # of the class that bodies name

    def update_stat(self, state: m.Stat) -> m.Updated:
        return self._call(m.UpdateStat(0, state, True))  # type: ignore[no-any-return]  # the same

    def get_mailbox_url(self, server_dn: str) -> str:
        return str(self._call(m.GetMailboxUrl(0, server_dn)).url)

    def get_address_book_url(self, user_dn: str = "") -> str:
        return str(self._call(m.GetAddressBookUrl(0, user_dn)).url)

    # --- what programs ask for ----------------------------------------------------------------------------

    def entries(self, columns: Sequence[Tag], container: int = 0) -> Iterator[dict[Tag, Value]]:
        """All entries of a container in order, asked for page by page; what a row lacks is left out."""
        state = replace(self.state, container=container, current=consts.BEGINNING)
        while state.current != consts.END:
            answer = self.query_rows(state, PAGE, columns)
            if answer.table is None or answer.state is None or not answer.table.rows:
                return
            yield from _dicts(answer.table)
            state = answer.state

    def resolve(self, texts: Sequence[str], columns: Sequence[Tag]) -> list[dict[Tag, Value] | None]:
        """What each text means; None for none.  Raises MapiError(AMBIGUOUS_RECIPIENT): one means many."""
        answer = self.resolve_names(texts, columns)
        outcomes = answer.mids or ()
        if consts.AMBIGUOUS in outcomes:
            raise MapiError(Code.AMBIGUOUS_RECIPIENT, texts[outcomes.index(consts.AMBIGUOUS)])
        rows = _dicts(answer.table) if answer.table is not None else iter(())
        return [next(rows, None) if outcome == consts.RESOLVED else None for outcome in outcomes]

    def search(
        self, text: str, columns: Sequence[Tag], most: int = 100, container: int = 0
    ) -> list[dict[Tag, Value]]:
        """Entries that a text may mean.  Raises MapiError(TABLE_TOO_BIG): more than ``most``."""
        state = replace(self.state, container=container)
        wanted = Property(Relation.EQUAL, _ANR, (_ANR, text))
        return self.rows(self.get_matches(wanted, most=most, state=state).mids or (), columns)

    def linked(self, mid: int, tag: Tag, columns: Sequence[Tag], most: int = 5000) -> list[dict[Tag, Value]]:
        """Entries that a property of an object points to, as PidTagAddressBookMember does.

        Raises MapiError(GENERAL_FAILURE): there is no such object; (NOT_SUPPORTED): such a property points to
        nothing; (TABLE_TOO_BIG): more than ``most``.
        """
        state = replace(self.state, current=mid, container=tag)
        return self.rows(self.get_matches(most=most, state=state).mids or (), columns)

    def rows(self, mids: Sequence[int], columns: Sequence[Tag]) -> list[dict[Tag, Value]]:
        """A row for each id, an empty one for what is not there; unlike in those of `get_matches`, entry ids
        are the permanent ones (MS-OXNSPI_R1696)."""
        found: list[dict[Tag, Value]] = []
        for at in range(0, len(mids), PAGE):
            page = mids[at : at + PAGE]
            table = self.query_rows(self.state, len(page), columns, page).table
            found += _dicts(table) if table is not None else ()
        return found


def _tags(columns: Sequence[Tag] | None) -> m.Tags | None:
    return None if columns is None else tuple(columns)


def _dicts(table: m.Table) -> Iterator[dict[Tag, Value]]:
    for row in table.rows:
        yield {
            tag: value
            for tag, value in zip(table.columns, row, strict=True)
            if value is not None and not isinstance(value, Error)
        }


def _code(error: int) -> Code:
    try:
        return Code(error)
    except ValueError:
        return Code.GENERAL_FAILURE
