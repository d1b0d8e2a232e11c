"""Autodiscover: where a mailbox is reached, as XML (version 1 of MS-OXDSCLI) and as JSON (version 2).

The XML is read by expat, with neither document type nor entities.  Who asks is authenticated, and is told
about the own mailbox, or one in which something is shared with them; the JSON form tells everybody the same.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote
from xml.parsers import expat
from xml.sax.saxutils import escape

from aiohttp import web

from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.config.listeners import Listener
from quintet.errors import BadSyntax
from quintet.mapi.http.endpoint import Wrong
from quintet.mapi.http.entrance import Entrance
from quintet.mapi.http.service import read_body
from quintet.mapi.nspi import names
from quintet.mapi.objects import people
from quintet.store import access, accounts, folders
from quintet.store.db import Tx
from quintet.store.model import Account
from quintet.store.store import Store
from quintet.values import dataclass

MAX_DEPTH = 16  # elements within elements; a request has three
MAX_TEXT = 1024  # characters of an element; addresses and DNs are shorter
SCHEMA: Final = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
FRAME: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
XML_PATH: Final = "/autodiscover/autodiscover.xml"
JSON_PATH: Final = "/autodiscover/autodiscover.json"
INVALID_REQUEST, PROVIDER_NOT_AVAILABLE, NO_SUCH_ADDRESS = 600, 601, 500
_MESSAGES = {
    INVALID_REQUEST: "Invalid Request",
    PROVIDER_NOT_AVAILABLE: "Provider is not available",
    NO_SUCH_ADDRESS: "The email address can't be found.",
}
_PROTOCOLS = ("AutodiscoverV1",)
_IN_PATH = re.compile(re.escape(JSON_PATH) + r"/v1\.0/([^/]+)/?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A POX request."""

    address: str = ""
    dn: str = ""
    schema: str = ""


def parse(body: bytes) -> Asked:
    """Raises BadSyntax: not well-formed, with a document type, too deep, or not a request."""
    found: dict[str, str] = {}
    path: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, _: dict[str, str]) -> None:
        path.append(name.rpartition(" ")[2])
        if len(path) > MAX_DEPTH:
            raise BadSyntax("elements nested too deeply")

    def end(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        if path[:2] == ["Autodiscover", "Request"] and len(path) == 3:
            found[path[2]] = found.get(path[2], "")[:MAX_TEXT] + data

    def refuse(*_: object) -> None:
        raise BadSyntax("a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter of encodings that are none
        raise BadSyntax("not well-formed") from error
    asked = Asked(*(found.get(name, "").strip()[:MAX_TEXT] for name in _FIELDS))
    if not asked.schema or not (asked.address or asked.dn):
        raise BadSyntax("no request")
    return asked


_FIELDS = ("EMailAddress", "LegacyDN", "AcceptableResponseSchema")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What an answer says about one."""

    account: Account
    address: str


def find(tx: Tx, identity: Identity, asked: Asked) -> Mailbox | None:
    """The mailbox that is asked for, if it is one that this person uses."""
    account: Account | None = None
    if asked.address:
        local, _, domain = asked.address.rpartition("@")
        resolved = accounts.resolve(tx, local, domain.lower())
        exact = resolved is not None and not resolved.detail and resolved.kind != "catchall"
        account = resolved.account if resolved is not None and exact else None
    elif names.number_of(asked.dn) is not None:
        account = people.account_of(tx, asked.dn, accounts.get(tx, identity.account_id))
    if account is None:
        return None
    if account.id != identity.account_id and not _shares(tx, account, identity):
        return None
    return Mailbox(account, asked.address or account.name)


def _shares(tx: Tx, account: Account, identity: Identity) -> bool:
    return any(
        folders.get(tx, number).account_id == account.id
        for number in access.shared_with(tx, identity.account_id)
    )


class Autodiscover:
    """One a process.  ``url`` is the base of the addresses told, ``listeners`` what there is beside MAPI."""

    def __init__(
        self,
        store: Store,
        entrance: Entrance,
        clock: Clock,
        *,
        url: Callable[[], str],
        hostname: str,
        listeners: Callable[[], list[Listener]],
    ) -> None:
        self._store = store
        self._entrance = entrance
        self._clock = clock
        self._url = url
        self._hostname = hostname
        self._listeners = listeners

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request below /autodiscover/."""
        path = request.path.lower().rstrip("/")
        if path == JSON_PATH or _IN_PATH.fullmatch(path):
            return self._json(request)
        if path != XML_PATH:
            return web.Response(status=404, text="nothing here\n")
        secure = request.transport is not None and request.transport.get_extra_info("ssl_object") is not None
        if request.method == "GET" and not secure:  # the redirect that clients look for without TLS
            return web.Response(status=302, headers={"Location": self._url() + XML_PATH})
        if request.method not in ("GET", "POST"):
            return web.Response(status=405, headers={"Allow": "GET, POST"})
        entered = await self._entrance.enter(request)
        if isinstance(entered, web.StreamResponse):
            return entered
        try:
            body = await read_body(request)
            asked = parse(body)
        except (BadSyntax, Wrong):
            return _xml(self._error(INVALID_REQUEST))
        if asked.schema != SCHEMA:
            return _xml(self._error(PROVIDER_NOT_AVAILABLE))
        found = self._store.peek(find, entered, asked)
        if found is None:
            return _xml(self._error(NO_SUCH_ADDRESS))
        return _xml(self._settings(found, mapi=_speaks_mapi(request.headers.get("X-MapiHttpCapability", ""))))

    # --- version 1 ------------------------------------------------------------------------------------------

    def _settings(self, found: Mailbox, *, mapi: bool) -> str:
        """mapiHttp only for clients that say that they speak it; the others get what else there is."""
        account = found.account
        guid = uuid.UUID(bytes_le=account.guid)
        protocols = [self._mapi(guid, found.address)] if mapi else []
        protocols += [self._plain(one, account) for one in self._beside()]
        user = _elements(
            DisplayName=account.display_name or account.name,
            LegacyDN=names.of_object(account.id, account.name),
            AutoDiscoverSMTPAddress=found.address,
            DeploymentId=str(uuid.uuid5(uuid.NAMESPACE_DNS, self._hostname)),
        )
        settings = _elements(AccountType="email", Action="settings", MicrosoftOnline="False")
        return (
            f'<Autodiscover xmlns="{FRAME}"><Response xmlns="{SCHEMA}"><User>{user}</User>'
            f"<Account>{settings}{''.join(protocols)}</Account></Response></Autodiscover>"
        )

    def _mapi(self, guid: uuid.UUID, address: str) -> str:
        domain = address.rpartition("@")[2]
        parts = []
        for element, path in (("MailStore", "emsmdb"), ("AddressBook", "nspi")):
            url = f"{self._url()}/mapi/{path}/?MailboxId={guid}@{domain}"
            parts.append(f"<{element}>{_elements(InternalUrl=url, ExternalUrl=url)}</{element}>")
        return f'<Protocol Type="mapiHttp" Version="1">{"".join(parts)}</Protocol>'

    def _beside(self) -> list[tuple[str, Listener]]:
        """IMAP, POP3 and submission under TLS from the first byte, one each."""
        found: dict[str, Listener] = {}
        for one in self._listeners():
            word = {"imap": "IMAP", "pop3": "POP3", "smtp": "SMTP"}.get(one.protocol, "")
            if word and one.tls == "implicit" and (word != "SMTP" or one.role == "submission"):
                found.setdefault(word, one)
        return sorted(found.items())

    def _plain(self, one: tuple[str, Listener], account: Account) -> str:
        word, listener = one
        return "<Protocol>{}</Protocol>".format(
            _elements(
                Type=word,
                Server=self._hostname,
                Port=str(listener.port),
                LoginName=account.name,
                SPA="off",
                SSL="on",
                AuthRequired="on",
            )
        )

    def _error(self, code: int) -> str:
        now = self._clock.now()
        seconds, ms = divmod(now % 86_400_000, 1000)
        time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}0000"
        detail = _elements(ErrorCode=str(code), Message=_MESSAGES[code], DebugData="")
        return (
            f'<Autodiscover xmlns="{FRAME}"><Response><Error Time="{time}" Id="{now % 0xFFFFFFFF}">{detail}'
            "</Error></Response></Autodiscover>"
        )

    # --- version 2 ------------------------------------------------------------------------------------------

    def _json(self, request: web.BaseRequest) -> web.Response:
        """Where version 1 is asked, whoever asks for whatever address: it tells nothing about accounts."""
        if request.method != "GET":
            return web.Response(status=405, headers={"Allow": "GET"})
        query = {name.lower(): value for name, value in request.query.items()}
        in_path = _IN_PATH.fullmatch(request.path)
        address = unquote(in_path[1]) if in_path else query.get("email", "")
        protocol = query.get("protocol", "")
        for name, value in (("Email", "@" in address), ("Protocol", bool(protocol))):
            if not value:
                text = f"A valid value must be provided for the query parameter '{name}'"
                return _told(400, ErrorCode="MandatoryParameterMissing", ErrorMessage=text)
        known = next((one for one in _PROTOCOLS if one.lower() == protocol.lower()), None)
        if known is None:
            text = f"The given protocol value is invalid. Supported values are '{','.join(_PROTOCOLS)}'"
            return _told(400, ErrorCode="InvalidProtocol", ErrorMessage=text)
        return _told(200, Protocol=known, Url=self._url() + XML_PATH)


def _speaks_mapi(header: str) -> bool:
    """X-MapiHttpCapability holds the highest version of MAPI over HTTP that a client speaks."""
    return header.strip().isdigit() and int(header.strip()[:9]) >= 1


def _elements(**texts: str) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in texts.items())


def _xml(text: str) -> web.Response:
    body = f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()
    return web.Response(body=body, content_type="text/xml", charset="utf-8")


def _told(status: int, **values: str) -> web.Response:
    return web.Response(status=status, body=json.dumps(values).encode(), content_type="application/json")
