"""Properties of every object, and their names (MS-OXCPRPT 3.2.5.1 to 3.2.5.10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from quintet.errors import BadSyntax
from quintet.mapi import types
from quintet.mapi.buffer import Writer
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Box, Folder, Message, Trouble
from quintet.mapi.objects.bagged import Bagged
from quintet.mapi.rop import properties
from quintet.mapi.rop.properties import WithProblems
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve import values
from quintet.mapi.rop.serve.desk import Call, MustWrite, serves
from quintet.mapi.rop.serve.of_messages import SMALL
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.rop.serve.storebag import StoreObject
from quintet.mapi.rows import Problem
from quintet.mapi.types import Named, Tag, Value
from quintet.store.store import Store

CREATE = 0x02  # of GetPropertyIdsFromNames: make those that are not there (2.2.12.1)
NO_STRINGS, NO_IDS = 0x01, 0x02  # of QueryNamedProperties (2.2.9.1)
WHOLE = 0x1000  # bytes that a value may have in a row beside others when there is no room for all


def _at_once(session: Session, asked: Asked, handles: list[int]) -> bool:
    """Whether the object keeps properties in the store at once: all but messages and attachments do."""
    held = session.at(handles, asked.index)
    return held is None or isinstance(held.thing, (Box, Folder))


def _is_small(session: Session, asked: Asked, handles: list[int], store: Store) -> bool:
    """Whether the values are at hand: those of a small letter, a folder, or what the same buffer opens so."""
    held = session.at(handles, asked.index)
    if held is None or isinstance(held.thing, (Box, Folder)):
        return True
    row = held.thing.row if isinstance(held.thing, Message) else None
    return row is not None and row.size <= SMALL


def _object(call: Call) -> Bagged:
    held = call.held(call.asked.index)
    return StoreObject(held.thing) if isinstance(held.thing, Box) else call.thing(Bagged)


def _whole(call: Call) -> Bagged:
    """The object, all of whose properties are asked for: names that everybody knows get their numbers.

    Others do not, so that no letter's header fields use up the numbers of a mailbox.
    """
    thing = _object(call)
    if (call.box.is_owner or call.box.public) and (names := thing.nameless()):
        if not call.writes:
            raise MustWrite
        with contextlib.suppress(MapiError):  # no number is left
            for one in names:
                call.box.tag_of(one, create=True)
    return thing


# --- reading ----------------------------------------------------------------------------------------------


@serves(0x07, light=_is_small)
def get_properties_specific(call: Call) -> properties.GetPropertiesSpecificAnswer:
    """In the order in which they are asked (R45701); what is too long is read as a stream (R90701)."""
    body: properties.GetPropertiesSpecific = call.body
    found = _object(call).get(body.tags)
    if body.want_unicode:
        (raw,) = values.encoder(body.tags, call.page)((found,))
    else:
        raw = values.row(body.tags, found, call.page, unicode=False)
    if len(raw) > call.room:
        most = max(call.room // max(len(body.tags), 1) - 16, 16)
        raw = values.row(body.tags, found, call.page, unicode=body.want_unicode, most=most)
    return properties.GetPropertiesSpecificAnswer(raw)


@serves(0x08, light=_is_small)
def get_properties_all(call: Call) -> properties.GetPropertiesAllAnswer:
    """All that has a value; one that does not fit has an error in its place (R46803)."""
    body: properties.GetPropertiesAll = call.body
    found = []
    room = call.room - 2
    for tag, value in _whole(call).everything():
        tag, value = _narrowed(tag, value, call.page, wide=body.want_unicode)
        size = _size(tag, value)
        if size > min(room, WHOLE if room < 4 * WHOLE else room):
            tag, value, size = types.tag_of(types.id_of(tag), types.ERROR_CODE), Code.OUT_OF_MEMORY, 8
        if size > room:
            break
        room -= size
        found.append((tag, value))
    return properties.GetPropertiesAllAnswer(tuple(found))


def _narrowed(tag: Tag, value: Value, page: str, *, wide: bool) -> tuple[Tag, Value]:
    kind = types.type_of(tag)
    if wide or kind & ~types.MULTIPLE != types.STRING:
        return tag, value
    narrow = tag - types.STRING + types.STRING8
    return narrow, values.outgoing(narrow, value, page)


def _size(tag: Tag, value: Value) -> int:
    """Bytes of a tagged value; more than any room where its type cannot tell it."""
    writer = Writer()
    try:
        types.put_tagged(writer, tag, value)
    except (ValueError, TypeError, AttributeError, BadSyntax):
        return 1 << 30
    return len(writer.done())


@serves(0x09, light=_is_small)
def get_properties_list(call: Call) -> properties.GetPropertiesListAnswer:
    return properties.GetPropertiesListAnswer(tuple(_whole(call).tags()))


# --- changing ---------------------------------------------------------------------------------------------


def _problems(troubles: Sequence[Trouble]) -> WithProblems:
    return WithProblems(tuple([Problem(one.index, one.tag, one.code) for one in troubles]))


@serves(0x79, writes=_at_once)
@serves(0x0A, writes=_at_once)
def set_properties(call: Call) -> WithProblems:
    """Without replication it is the same: there is one copy of everything (R83501)."""
    wanted = [values.incoming(tag, value, call.page) for tag, value in call.body.values]
    return _problems(_object(call).set(wanted))


@serves(0x7A, writes=_at_once)
@serves(0x0B, writes=_at_once)
def delete_properties(call: Call) -> WithProblems:
    return _problems(_object(call).remove(call.body.tags))


# --- names ------------------------------------------------------------------------------------------------


def _creates(session: Session, asked: Asked, handles: list[int]) -> bool:
    return bool(asked.body.flags & CREATE)


@serves(0x56, writes=_creates)
def get_property_ids_from_names(call: Call) -> properties.GetPropertyIdsFromNamesAnswer:
    """All of the mailbox where no name is given (R526); 0 for one without a number, as told (R53202)."""
    body: properties.GetPropertyIdsFromNames = call.body
    thing = call.held(call.asked.index).thing
    if any(one is None for one in body.names):
        raise MapiError(Code.INVALID_PARAMETER)
    if not body.names and isinstance(thing, Box):
        return properties.GetPropertyIdsFromNamesAnswer(tuple([at for at, _ in _every_name(call)]))
    names = [one for one in body.names if one is not None]
    numbers = call.box.property_ids(names, create=bool(body.flags & CREATE))
    return properties.GetPropertyIdsFromNamesAnswer(tuple(numbers))


@serves(0x55, light=True)
def get_names_from_property_ids(call: Call) -> properties.GetNamesFromPropertyIdsAnswer:
    call.held(call.asked.index)
    names = call.box.property_names(call.body.numbers)
    return properties.GetNamesFromPropertyIdsAnswer(tuple(names))


def _every_name(call: Call) -> list[tuple[int, Named]]:
    return call.box.names.every(call.tx)


@serves(0x5F)
def query_named_properties(call: Call) -> properties.QueryNamedPropertiesAnswer:
    """Those of the mailbox, or those that an object has; other bits are passed over (R876 to R87801)."""
    body: properties.QueryNamedProperties = call.body
    found: Iterable[tuple[int, Named]]
    if isinstance(call.held(call.asked.index).thing, Box):
        found = _every_name(call)
    else:
        own = {types.id_of(tag) for tag in _whole(call).tags()}
        found = [(number, name) for number, name in _every_name(call) if number in own]
    if body.flags & NO_STRINGS:
        found = [one for one in found if not isinstance(one[1].name, str)]
    if body.flags & NO_IDS:
        found = [one for one in found if not isinstance(one[1].name, int)]
    if body.guid is not None:
        found = [one for one in found if one[1].guid == body.guid]
    return properties.QueryNamedPropertiesAnswer(tuple(found))
