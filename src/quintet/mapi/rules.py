"""Rules: what becomes of a message that meets a condition (MS-OXORULE 2.2.4, 2.2.5).

Actions as values and as bytes.  A standard rule travels in ROPs, its counts in 16 bits; an extended one is
two properties of a message, its counts in 32 bits (``wide``), and brings the names of its properties along.
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from quintet.mapi import restrict, types
from quintet.mapi.buffer import Reader, Writer, bad
from quintet.mapi.ids import ServerId, ShortId, get_short, put_short
from quintet.mapi.restrict import Restriction
from quintet.mapi.types import Named, Tag, Value
from quintet.values import dataclass

ROW_ADD, ROW_MODIFY, ROW_REMOVE = 0x01, 0x02, 0x04  # RuleDataFlags (2.2.1.3)
MAX_ACTIONS = 256  # of a rule
MAX_RECIPIENTS = 1000  # of an action
_VERSION = 1  # of extended rules (R208)
_FIRST_NAMED = 0x8000


class Op(enum.IntEnum):
    """ActionType (2.2.5.1)."""

    MOVE = 0x01
    COPY = 0x02
    REPLY = 0x03
    OOF_REPLY = 0x04
    DEFER = 0x05
    BOUNCE = 0x06
    FORWARD = 0x07
    DELEGATE = 0x08
    TAG = 0x09
    DELETE = 0x0A
    MARK_AS_READ = 0x0B


class State(enum.IntFlag):
    """PidTagRuleState (2.2.1.3.1.3)."""

    ENABLED = 0x01
    ERROR = 0x02
    ONLY_WHEN_OOF = 0x04
    KEEP_OOF_HISTORY = 0x08
    EXIT_LEVEL = 0x10
    SKIP_IF_SAFE = 0x20
    PARSE_ERROR = 0x40


class Flavor(enum.IntFlag):
    """ActionFlavor: the first four of FORWARD, the others of REPLY and OOF_REPLY (2.2.5.1.1)."""

    PRESERVE_SENDER = 0x01
    UNCHANGED = 0x02
    AS_ATTACHMENT = 0x04
    AS_TEXT_MESSAGE = 0x08
    NOT_TO_SENDER = 0x01
    STOCK_TEXT = 0x02


class Bounce(enum.IntEnum):
    """2.2.5.1.2.5."""

    TOO_LARGE = 0x0D
    CANNOT_DISPLAY = 0x1F
    DENIED = 0x26


@dataclass(frozen=True, slots=True)
class Target:
    """Of MOVE and COPY (2.2.5.1.2.1).

    ``folder`` is a ServerEid (see `folder_of`) in this store, whatever the client knows elsewhere; in an
    extended rule an entry id. ``store`` means something only elsewhere.
    """

    folder: bytes
    store: bytes = b"\0"
    here: bool = True


@dataclass(frozen=True, slots=True)
class Template:
    """Of REPLY and OOF_REPLY (2.2.5.1.2.2): where the template is, and its PidTagReplyTemplateId."""

    folder: ShortId
    message: ShortId
    guid: uuid.UUID


@dataclass(frozen=True, slots=True)
class TemplateEntry:
    """The same in an extended rule: the template's entry id."""

    entry: bytes
    guid: uuid.UUID


Recipient = tuple[tuple[Tag, Value], ...]
"""Of FORWARD and DELEGATE: properties of one recipient (2.2.5.1.2.4.1)."""

ActionData = (
    Target | Template | TemplateEntry | bytes | Bounce | tuple[Recipient, ...] | tuple[Tag, Value] | None
)


@dataclass(frozen=True, slots=True)
class Action:
    """ActionBlock (2.2.5.1).  ``data`` is bytes for DEFER, a property for TAG, None for the last two."""

    op: Op
    data: ActionData = None
    flavor: int = 0
    flags: int = 0  # the client's own


def folder_of(target: Target) -> ShortId | None:
    """The folder of this store that a standard rule names; None for one elsewhere.

    Raises BadSyntax: malformed.
    """
    return ServerId.read(target.folder).folder if target.here else None


def restated(actions: Sequence[Action], change: Callable[[Tag], Tag]) -> tuple[Action, ...]:
    """The same actions with other tags, of what they set and of recipients' properties."""

    def one(action: Action) -> Action:
        data: Value = action.data
        if action.op == Op.TAG and isinstance(data, tuple):
            return replace(action, data=(change(data[0]), data[1]))
        if action.op in (Op.FORWARD, Op.DELEGATE) and isinstance(data, tuple):
            rows = tuple([tuple([(change(tag), value) for tag, value in row]) for row in data])
            return replace(action, data=rows)
        return action

    return tuple([one(action) for action in actions])


# --- actions --------------------------------------------------------------------------------------------


def get(reader: Reader) -> tuple[Action, ...]:
    """A RuleAction (2.2.5).  Raises BadSyntax: malformed, none, or more than `MAX_ACTIONS`."""
    number = reader.counted(reader.count(), 9)
    if not 1 <= number <= MAX_ACTIONS:
        raise bad("a rule without actions, or with too many")
    reader.deeper()
    found = tuple([_get_action(reader) for _ in range(number)])
    reader.shallower()
    return found


def put(writer: Writer, actions: Sequence[Action]) -> None:
    writer.count(len(actions))
    for action in actions:
        inner = Writer(wide=writer.wide)
        inner.u8(action.op)
        inner.u32(action.flavor)
        inner.u32(action.flags)
        _put_data(inner, action)
        block = inner.done()
        writer.count(len(block))
        writer.put(block)


def _get_action(reader: Reader) -> Action:
    """What lies behind an action's data within its length is nobody's."""
    block = Reader(reader.take(reader.count()), wide=reader.wide)
    block.depth = reader.depth
    number, flavor, flags = block.u8(), block.u32(), block.u32()
    try:
        op = Op(number)
    except ValueError:
        raise bad("no such kind of action") from None
    return Action(op, _get_data(block, op), flavor, flags)


def _get_data(block: Reader, op: Op) -> ActionData:
    match op:
        case Op.MOVE | Op.COPY:
            here = block.wide or bool(block.u8())
            store = block.take(block.count())
            return Target(block.take(block.count()), store, here)
        case Op.REPLY | Op.OOF_REPLY if block.wide:
            entry = block.take(block.u32())
            return TemplateEntry(entry, _guid(block))
        case Op.REPLY | Op.OOF_REPLY:
            return Template(get_short(block), get_short(block), _guid(block))
        case Op.DEFER:
            return block.rest()
        case Op.BOUNCE:
            try:
                return Bounce(block.u32())
            except ValueError:
                raise bad("no such reason to bounce") from None
        case Op.FORWARD | Op.DELEGATE:
            number = block.counted(block.u32(), 5)
            if not 1 <= number <= MAX_RECIPIENTS:
                raise bad("an action without recipients, or with too many")
            return tuple([_get_recipient(block) for _ in range(number)])
        case Op.TAG:
            return types.get_tagged(block)
        case _:
            return None


def _guid(block: Reader) -> uuid.UUID:
    return uuid.UUID(bytes_le=block.take(16))


def _get_recipient(block: Reader) -> Recipient:
    block.u8()  # reserved, and 1 in what Outlook writes
    return tuple([types.get_tagged(block) for _ in range(block.counted(block.u32(), 4))])


def _put_data(writer: Writer, action: Action) -> None:
    data: Value = action.data  # of the kind that its ``op`` tells
    match action.op, data:
        case ((Op.MOVE | Op.COPY), Target()):
            if not writer.wide:
                writer.u8(int(data.here))
            for raw in (data.store, data.folder):
                writer.count(len(raw))
                writer.put(raw)
        case ((Op.REPLY | Op.OOF_REPLY), TemplateEntry()) if writer.wide:
            writer.u32(len(data.entry))
            writer.put(data.entry + data.guid.bytes_le)
        case ((Op.REPLY | Op.OOF_REPLY), Template()) if not writer.wide:
            put_short(writer, data.folder)
            put_short(writer, data.message)
            writer.put(data.guid.bytes_le)
        case Op.DEFER, bytes():
            writer.put(data)
        case Op.BOUNCE, int():
            writer.u32(data)
        case ((Op.FORWARD | Op.DELEGATE), tuple()):
            writer.u32(len(data))
            for recipient in data:
                _put_recipient(writer, recipient)
        case Op.TAG, (int() as tag, value):
            types.put_tagged(writer, tag, value)
        case ((Op.DELETE | Op.MARK_AS_READ), None):
            pass
        case _:
            raise bad("an action with the data of another")


def _put_recipient(writer: Writer, recipient: Value) -> None:
    writer.u8(1)
    writer.u32(len(recipient))
    for tag, value in recipient:
        types.put_tagged(writer, tag, value)


# --- extended rules -------------------------------------------------------------------------------------


def read_actions(raw: bytes) -> tuple[dict[int, Named], tuple[Action, ...]]:
    """PidTagExtendedRuleMessageActions: names by their number within the rule, actions (2.2.4.1.9).

    Raises BadSyntax: malformed.
    """
    reader = Reader(raw, wide=True)
    names = _get_names(reader)
    if reader.u32() != _VERSION:
        raise bad("no such version of a rule")
    return names, get(reader)


def write_actions(names: Mapping[int, Named], actions: Sequence[Action]) -> bytes:
    writer = Writer(wide=True)
    _put_names(writer, names)
    writer.u32(_VERSION)
    put(writer, actions)
    return writer.done()


def read_condition(raw: bytes) -> tuple[dict[int, Named], Restriction]:
    """PidTagExtendedRuleMessageCondition (2.2.4.1.10).  Raises BadSyntax: malformed."""
    reader = Reader(raw, wide=True)
    return _get_names(reader), restrict.get(reader)


def write_condition(names: Mapping[int, Named], condition: Restriction) -> bytes:
    writer = Writer(wide=True)
    _put_names(writer, names)
    restrict.put(writer, condition)
    return writer.done()


def _get_names(reader: Reader) -> dict[int, Named]:
    """NamedPropertyInformation: two zero bytes where no property has a name (2.2.4.2)."""
    number = reader.counted(reader.u16(), 2)
    if not number:
        return {}
    numbers = [reader.u16() for _ in range(number)]
    inner = Reader(reader.take(reader.u32()))
    found = {}
    for each in numbers:
        name = types.get_name(inner)
        if each < _FIRST_NAMED or name is None:
            raise bad("a named property without a name")
        found[each] = name
    return found


def _put_names(writer: Writer, names: Mapping[int, Named]) -> None:
    writer.u16(len(names))
    if not names:
        return
    inner = Writer()
    for number, name in names.items():
        writer.u16(number)
        types.put_name(inner, name)
    block = inner.done()
    writer.u32(len(block))
    writer.put(block)
