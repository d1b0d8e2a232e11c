"""Logging in: USER and PASS, APOP, AUTH; then the maildrop is found, locked and looked at.

RFC 1939 4 and 7, RFC 5034, RFC 6856 2.2.  Whether name and secret are right is `quintet.auth`'s.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet import log
from quintet.auth import dialogue
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Input, Replies
from quintet.pop3 import commands, maildrop
from quintet.pop3.maildrop import Maildrop

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.pop3.session import Session

LOGIN_DELAY = "login delay"  # told apart from the throttle of failed logins by this text

logger = log.get("pop3")


def user(session: Session, command: commands.User, _: Input) -> Replies:
    """USER.  Says yes to every name, so that names cannot be tried."""
    if not session.house.auth.plaintext_allowed(session.peer):
        raise Refused(Reason.AUTH_WEAK)
    session.user = command.name
    return [session.ok("name")]


def password(session: Session, command: commands.Pass, _: Input) -> Replies:
    """PASS.  Without waiting when the password was right minutes ago and the maildrop is small."""
    if not session.user:
        raise Refused(Reason.WRONG_STATE)
    house = session.house
    name, folder = _split(session, session.user)
    identity = house.auth.remembered(name, command.secret, session.peer, "pop3")
    if identity is None:
        return _password(session, name, command.secret, folder)
    return _entered(session, identity, folder)


async def _password(session: Session, name: str, secret: str, folder: str) -> AsyncGenerator[Any, None]:
    identity = await session.house.auth.password(name, secret, session.peer, "pop3")
    yield await _enter(session, identity, folder)


def apop(session: Session, command: commands.Apop, _: Input) -> Replies:
    """APOP, where the administrator wants it."""
    return _apop(session, command)


async def _apop(session: Session, command: commands.Apop) -> AsyncGenerator[Any, None]:
    name, folder = _split(session, command.name)
    identity = await session.house.auth.apop(name, command.digest, session.banner, session.peer)
    yield await _enter(session, identity, folder)


def auth(session: Session, command: commands.Auth, following: Input) -> Replies:
    """AUTH (RFC 5034); without a mechanism the list, as before RFC 1734 was replaced."""
    service = session.house.auth
    if not command.mechanism:
        names = service.mechanisms(session.peer, "pop3")
        return [session.ok("mechanisms"), "\r\n".join([*names, "."]).encode() + b"\r\n"]
    folder = ""  # named with the account, in whatever mechanism: ``user+folder``

    def named(name: str) -> str:
        nonlocal folder
        account, found = _split(session, name)
        folder = found or folder
        return account

    async def exchange(talk: dialogue.Dialogue) -> AsyncGenerator[Any, None]:
        answer = await talk.start(command.initial)
        while isinstance(answer, bytes):
            yield b"+ " + answer + b"\r\n"
            answer = await talk.next()
        yield await _enter(session, answer, folder)

    begun = service.exchange(command.mechanism, session.peer, "pop3", named=named)
    return exchange(dialogue.Dialogue(begun, following))


def _split(session: Session, name: str) -> tuple[str, str]:
    if maildrop.SEPARATOR not in name:
        return name, ""
    house = session.house
    return house.store.peek(maildrop.split_name, name, house.auth.config.default_domain)


def _begin(session: Session, identity: Identity, folder: str) -> Maildrop:
    """Finds and locks the maildrop; the caller looks at it, and closes it when that fails."""
    house = session.house
    place = house.store.peek(maildrop.find, identity.account_id, folder)
    drop = Maildrop(house.store, house.locks, place)
    drop.lock()
    if house.too_soon(place.folder.id):  # after the lock: a login that found it taken is none
        drop.close()
        raise TryLater(Reason.THROTTLED, LOGIN_DELAY)
    logger.info("login", conn=session.peer.id, account=identity.name, folder=place.folder.id)
    return drop


def _entered(session: Session, identity: Identity, folder: str) -> Replies:
    drop = _begin(session, identity, folder)
    if drop.large:
        return _look(session, drop)
    try:
        drop.look()
    except BaseException:
        drop.close()
        raise
    return [session.enter(drop)]


async def _look(session: Session, drop: Maildrop) -> AsyncGenerator[Any, None]:
    try:
        await drop.look_long()
    except BaseException:
        drop.close()
        raise
    yield session.enter(drop)


async def _enter(session: Session, identity: Identity, folder: str) -> bytes:
    drop = _begin(session, identity, folder)
    try:
        if drop.large:
            await drop.look_long()
        else:
            drop.look()
    except BaseException:
        drop.close()
        raise
    return session.enter(drop)
