"""Who asks: Basic, Bearer, NTLM and Negotiate in front of every request (RFC 7617, RFC 6750, RFC 4559).

Each request is authenticated (MS-OXCMAPIHTTP R35, R36).  NTLM needs two requests on one connection, which
then stays theirs; whether a secret may cross readable, and how guessing is slowed, are `auth.service`'s.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from quintet.auth.identity import Identity
from quintet.auth.service import AuthService
from quintet.config.mapi import Mapi
from quintet.errors import BadSyntax, Problem, Reason, Refused, TryLater
from quintet.net.seam import Peer, TlsInfo

if TYPE_CHECKING:
    from quintet.auth import ntlm

SCOPE = "mapi"
REALM = 'realm="Quintet"'

_numbers = itertools.count(1)


class Entrance:
    """One a process."""

    def __init__(self, auth: AuthService, config: Callable[[], Mapi], hostname: str) -> None:
        self._auth = auth
        self._hostname = hostname
        self._config = config
        # what NTLM has come to on a connection: an exchange in between, or who it belongs to
        self._talks: weakref.WeakKeyDictionary[Any, ntlm.Server | Identity] = weakref.WeakKeyDictionary()

    async def enter(self, request: web.BaseRequest) -> Identity | web.Response:
        """Who asks; else the answer that says how to."""
        peer = peer_of(request)
        header = request.headers.get("Authorization", "")
        scheme, _, given = header.partition(" ")
        scheme, given = scheme.lower(), given.strip()
        if not header:
            talk = self._talks.get(request.transport)
            return talk if isinstance(talk, Identity) else self._challenge(peer)
        if scheme not in self._offers(peer):
            return self._challenge(peer)
        try:
            if scheme == "basic":
                return await self._basic(given, peer)
            if scheme == "bearer":
                return await self._auth.bearer(given, peer, SCOPE)
            return await self._talk(request, scheme, given, peer)
        except BadSyntax:
            return self._challenge(peer)
        except TryLater as problem:
            return web.Response(status=503, text=problem.text + "\n", headers={"Retry-After": "10"})
        except Refused as problem:
            if problem.reason is Reason.ACCOUNT_DISABLED:
                return web.Response(status=403, text=problem.text + "\n")
            return self._challenge(peer)
        except Problem as problem:
            return web.Response(status=500, text=problem.text + "\n")

    def _offers(self, peer: Peer) -> list[str]:
        """What can work for this peer; a readable secret only where it may cross."""
        readable = self._auth.plaintext_allowed(peer)
        works = {
            "basic": readable,
            "bearer": readable and bool(self._auth.tokens),
            "ntlm": self._auth.config.ntlm,
            "negotiate": self._auth.config.ntlm,
        }
        return [name for name in self._config().logins if works[name]]

    def _challenge(self, peer: Peer) -> web.Response:
        """401 with every scheme that can work here; without any, TLS is missing (RFC 9110 15.5.4)."""
        words = {"basic": f'Basic {REALM}, charset="UTF-8"', "bearer": f"Bearer {REALM}"}
        offers = [
            words.get(name, name.upper() if name == "ntlm" else "Negotiate") for name in self._offers(peer)
        ]
        if not offers:
            return web.Response(status=403, text="use TLS\n")
        return _refused([("WWW-Authenticate", offer) for offer in offers])

    async def _basic(self, given: str, peer: Peer) -> Identity:
        try:
            name, colon, secret = _decoded(given).decode().partition(":")
        except UnicodeDecodeError:
            raise BadSyntax("not UTF-8") from None
        if not colon:
            raise BadSyntax("no name and password")
        return await self._auth.password(_plain(name), secret, peer, SCOPE)

    async def _talk(
        self, request: web.BaseRequest, scheme: str, given: str, peer: Peer
    ) -> Identity | web.Response:
        """One message of NTLM, bare or in SPNEGO; the connection remembers the exchange."""
        transport = request.transport
        if transport is None:
            raise BadSyntax("the connection is gone")
        talk = self._talks.get(transport)
        if talk is None or isinstance(talk, Identity):
            from quintet.auth import ntlm  # few turn it on

            talk = self._talks[transport] = ntlm.Server(self._auth.clock.token(8), self._hostname)
        try:
            outcome = talk.step(_decoded(given))
        except BadSyntax:
            del self._talks[transport]
            raise
        if isinstance(outcome, bytes):
            word = "NTLM" if scheme == "ntlm" else "Negotiate"
            return _refused([("WWW-Authenticate", f"{word} {base64.b64encode(outcome).decode()}")])
        del self._talks[transport]
        identity = await self._auth.nt_response(outcome, peer, SCOPE)
        self._talks[transport] = identity
        return identity


def _refused(headers: list[tuple[str, str]]) -> web.Response:
    response = web.Response(status=401, text="log in\n")
    for name, value in headers:
        response.headers.add(name, value)
    return response


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        raise BadSyntax("not base64") from None


def _plain(name: str) -> str:
    r"""A login name without the domain that some programs put in front: ``DOMAIN\alice``."""
    return name.rpartition("\\")[2]


def peer_of(request: web.BaseRequest) -> Peer:
    """The client of a request as the auth room sees it."""
    transport = request.transport
    ssl: Any = transport.get_extra_info("ssl_object") if transport is not None else None  # ssl.SSLObject
    tls = None
    if ssl is not None:
        cipher = ssl.cipher() or ("", "", 0)
        tls = TlsInfo(ssl.version() or "", cipher[0], cipher[2])
    return Peer(f"http-{next(_numbers)}", request.remote or "unix", tls=tls)
