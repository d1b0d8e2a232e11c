"""CONVERT and CONVERSIONS (RFC 5259): charsets, HTML as plain text, pictures, by `message.convert`.

A part is converted once to be counted and once to be sent, so that it is never held whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from quintet.errors import Hangup, Reason, Refused, TryLater
from quintet.imap import answers, decoding, pictures, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import fetch
from quintet.message import convert as conversion
from quintet.message import render, section
from quintet.message.convert import CannotConvert
from quintet.store import entries

if TYPE_CHECKING:
    from quintet.imap.commands import Item, Section
    from quintet.imap.convert_commands import Conversions, Convert
    from quintet.imap.session import Session
    from quintet.message.digest import Digest, Part
    from quintet.net.seam import Body, Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import BodyRef, FolderId, Uid

MAX_MESSAGES = 100  # of one CONVERT (RFC 5259 8.5)
MAX_PARTS = 20
MAX_HEADER = 256 * 1024  # bytes of a header whose words are converted
RETRY_M = 1  # minutes after which to ask again for what fails for the time being
TYPES = frozenset(
    ("text", "image", "audio", "video", "application", "message", "multipart", "font", "model")
)  # of any MIME media type
MIXED = "message/rfc822"


def conversions(session: Session, command: Conversions, _: Input) -> Replies:
    """RFC 5259 5.1."""
    told = [
        b'* CONVERSION "%b" "%b" (%b)\r\n' % (source.encode("ascii"), target.encode("ascii"), _named(source))
        for source, targets in conversion.conversions().items()
        for target in targets
        if _matches(command.source, source) and _matches(command.target, target)
    ]
    return updates.then(session, b"".join((*told, b"%b OK Done\r\n" % command.tag)))


def _named(source: str) -> bytes:
    return b" ".join(b'"%b"' % name.encode("ascii") for name in conversion.parameters(source))


def _matches(pattern: str, mime: str) -> bool:
    return pattern in ("*", mime) or (pattern.endswith("/*") and mime.startswith(pattern[:-1]))


@dataclass(slots=True)
class Message:
    """One message, and what was measured of its conversions."""

    body: Body
    prefix: int
    digest: Digest
    measured: dict[tuple[int, ...], decoding.Measured] = field(default_factory=dict)
    picture: tuple[tuple[int, ...], bytes] | None = None  # the last one that was made: its part, its octets


async def convert(session: Session, command: Convert, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 5259 6; nothing is marked as seen."""
    here = session.here
    uids = here.view.uids(fetch.wanted(here, command.numbers, uid=command.uid))
    if len(uids) > MAX_MESSAGES:
        raise answers.Coded(b"MAXCONVERTMESSAGES %d" % MAX_MESSAGES, Reason.TOO_MANY, "too many messages")
    parts = {item.section.path for item in command.items if item.section is not None}
    if len(parts) > MAX_PARTS:
        raise answers.Coded(b"MAXCONVERTPARTS %d" % MAX_PARTS, Reason.TOO_MANY, "too many parts")
    if command.target and command.target.partition("/")[0] not in TYPES:
        raise Refused(Reason.UNSUPPORTED, "no such MIME type")  # RFC 5259 9
    good = bad = 0
    for uid in uids:
        found = session.house.store.peek(_message, here.folder_id, uid)
        if found is None:
            continue
        ref, digest = found
        message = Message(session.house.store.body(ref), len(ref.prefix), digest)
        called = uid if session.uid_only else here.view.number(uid)  # RFC 9586 3: no numbers
        yield b"* %d CONVERTED (TAG %b) (" % (called, fmt.string(command.tag))
        lead = b""
        if command.uid or any(item.name == b"UID" for item in command.items):
            yield b"UID %d" % uid
            lead = b" "
        try:
            for item in _in_order(command.items):
                yield lead + item.label + b" "
                lead = b" "
                try:
                    async for reply in _answer(message, command, item):
                        yield reply
                    good += 1
                except CannotConvert as problem:
                    yield _phrase(problem)
                    bad += 1
        except (Refused, TryLater) as error:  # an answer is begun: no other can be given in it
            raise Hangup(error.reason, error.text) from error
        yield b")\r\n"
        await asyncio.sleep(0)  # others get their turn
    for reply in await updates.told(session, may_expunge=command.uid):
        yield reply
    if bad and not good:
        yield b"%b NO All conversions failed\r\n" % command.tag
    else:
        yield b"%b OK Done\r\n" % command.tag


def _message(tx: Tx, folder_id: FolderId, uid: int) -> tuple[BodyRef, Digest] | None:
    number: Uid = uid  # type: ignore[assignment]  # a view holds UIDs
    refs = entries.body_refs(tx, folder_id, [number])
    digests = entries.digests(tx, folder_id, [number])
    return (refs[number], digests[number]) if refs and digests else None


def _in_order(items: tuple[Item, ...]) -> list[Item]:
    """Structures first, so that they come before what they tell of (RFC 5259 8.2)."""
    rest = [item for item in items if item.name != b"UID"]
    return sorted(rest, key=lambda item: item.name != b"BODYPARTSTRUCTURE[")


def _phrase(problem: CannotConvert) -> bytes:
    """``(ERROR "why" BADPARAMETERS "text/html" "image/png")`` (RFC 5259 9)."""
    why = fmt.string(problem.why.encode("ascii", "replace"))
    if problem.passing:
        return b"(ERROR %b TEMPFAIL %d)" % (why, RETRY_M)
    params = b" ".join(
        fmt.string(name.encode()) + b" " + fmt.string(value.encode()) for name, value in problem.params
    )
    word = b"BADPARAMETERS"
    if problem.missing:
        word, params = b"MISSINGPARAMETERS", b" ".join(fmt.string(one.encode()) for one in problem.missing)
    return b"(ERROR %b %b %b %b%b)" % (
        why,
        word,
        fmt.string(problem.source.encode("latin-1", "replace")) if problem.source else b"NIL",
        fmt.string(problem.target.encode("latin-1", "replace")),
        b" (%b)" % params if params else b"",
    )


async def _answer(message: Message, command: Convert, item: Item) -> AsyncIterator[Any]:
    what = item.section
    assert what is not None
    if item.name == b"BODY[":
        text = await _header(message, command, what)
        yield b"{%d}\r\n%b" % (len(text), text)
        return
    part = section.part(message.digest, what.path) if what.path else None
    target = command.target or conversion.PLAIN
    if part is None:
        raise (
            CannotConvert("there is no such part", "", target)
            if what.path
            else CannotConvert("only single parts are converted", MIXED, target)
        )
    if item.name == b"AVAILABLECONVERSIONS[":
        yield _available(part, command)
        return
    how = conversion.plan(part, command.target, command.params)
    measured = message.measured.get(what.path)
    if measured is None:
        try:
            measured = await decoding.measure(_converted(message, what.path, part, how))
        except TryLater as error:  # RFC 5259 9
            raise CannotConvert(error.text or "try again", how.source, how.target, passing=True) from error
        message.measured[what.path] = measured
    if item.name == b"BINARY.SIZE[":
        yield b"%d" % measured.size
    elif item.name == b"BODYPARTSTRUCTURE[":
        yield render.structure(_shown(part, how, measured))
    else:
        first, length = item.partial or (0, None)
        rest = max(measured.size - first, 0)
        size = rest if length is None else min(rest, length)
        yield b"%b{%d}\r\n" % (b"~" if measured.nul else b"", size)
        async for piece in decoding.cut(_converted(message, what.path, part, how), first, length):
            yield piece


def _available(part: Part, command: Convert) -> bytes:
    """RFC 5259 8.4: two levels of parentheses tell it from an error."""
    if command.target:
        return b'(("%b"))' % conversion.plan(part, command.target, command.params).target.encode("ascii")
    suiting: list[bytes] = []
    why: CannotConvert | None = None
    for target in conversion.conversions().get(part.content_type, ()):
        try:
            conversion.plan(part, target, command.params)
            suiting.append(b'"%b"' % target.encode("ascii"))
        except CannotConvert as problem:
            why = problem
    if why is not None and not suiting:
        raise why
    return b"((%b))" % b" ".join(suiting)


async def _converted(
    message: Message, path: tuple[int, ...], part: Part, how: conversion.Plan | conversion.PicturePlan
) -> AsyncIterator[bytes]:
    """Raises CannotConvert: met in the first pass, so never in the second."""
    if part.encoding not in decoding.ENCODINGS:
        raise CannotConvert("unknown transfer encoding", how.source, how.target)
    start = message.prefix + part.body_start
    pieces = decoding.decoded(message.body, start, part.size, part.encoding)
    if isinstance(how, conversion.PicturePlan):
        if message.picture is None or message.picture[0] != path:
            message.picture = (path, await pictures.converted(pieces, how))
        yield message.picture[1]
        return
    converter = conversion.Converter(how)
    async for piece in pieces:
        if piece:
            yield converter.feed(piece)
    yield converter.finish()


def _shown(part: Part, how: conversion.Plan | conversion.PicturePlan, measured: decoding.Measured) -> Part:
    """The part as it is after its conversion (RFC 5259 8.2)."""
    kind, _, subtype = how.target.partition("/")
    params: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(how, conversion.Plan):
        params = ((b"charset", how.charset.encode("ascii", "replace")),)
    return replace(
        part, type=kind, subtype=subtype, params=params,
        encoding="binary", md5=None, body_start=0, end=measured.size, lines=measured.lines, children=(),
        message=None,
    )  # fmt: skip


async def _header(message: Message, command: Convert, what: Section) -> bytes:
    """RFC 5259 6."""
    found = section.locate(message.digest, what.path, what.text.decode("ascii"))
    if found is None:
        raise CannotConvert("there is no such part", "", conversion.HEADERS)
    start = 0 if not what.path else found[0] + message.prefix
    length = found[1] + message.prefix - start
    if length > MAX_HEADER:
        raise CannotConvert(f"header of more than {MAX_HEADER} bytes", conversion.HEADERS, conversion.HEADERS)
    block = b"".join([chunk async for chunk in message.body.chunks(start, length)])
    return conversion.header(block, command.params)
