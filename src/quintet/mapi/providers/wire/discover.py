"""Where a mailbox is reached: asked of its domain's Autodiscover (MS-OXDSCLI 3.1.5).

The usual places of the first version are tried, then those of the second, which tells where the first is.

The password goes only where the certificate says that the domain, or the server that a program named, is
there: over plain HTTP only when the program itself named such an address.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit
from xml.parsers import expat
from xml.sax.saxutils import escape

from quintet.mapi.errors import Code, MapiError
from quintet.values import dataclass

MAX_HOPS = 5  # redirections and other addresses
MAX_BODY = 256 * 1024  # bytes of an answer
MAX_DEPTH = 16  # elements within elements
TIMEOUT_S = 15.0
_ELSEWHERE: Final = frozenset((301, 302, 307, 308))
PATH: Final = "/autodiscover/autodiscover.xml"
JSON_PATH: Final = "/autodiscover/autodiscover.json/v1.0/"
_REQUEST: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">'
    "<Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


@dataclass(frozen=True, slots=True)
class Found:
    """The two endpoints; ``book`` is empty where there is none."""

    store: str
    book: str = ""


@dataclass(slots=True)
class Told:
    """What one answer says."""

    store: str = ""
    book: str = ""
    address: str = ""  # ask for this one instead
    url: str = ""  # ask there
    error: str = ""


def read(body: bytes) -> Told:
    """An answer.  Raises MapiError(CORRUPT_DATA): not well-formed, too deep, or with a document type."""
    told, path, text = Told(), list[str](), list[str]()
    mapi = False
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal mapi
        path.append(name.rpartition(" ")[2])
        text.clear()
        if len(path) > MAX_DEPTH:
            raise MapiError(Code.CORRUPT_DATA, "elements nested too deeply")
        if path[-1] == "Protocol":
            mapi = attributes.get("Type", "").lower() == "mapihttp"

    def end(_: str) -> None:
        name, above = path.pop(), path[-1] if path else ""
        value = "".join(text).strip()
        text.clear()
        if mapi and name in ("ExternalUrl", "InternalUrl") and value:
            if above == "MailStore":
                told.store = value if name == "ExternalUrl" else told.store or value
            elif above == "AddressBook":
                told.book = value if name == "ExternalUrl" else told.book or value
        elif name == "RedirectAddr" and above == "Account":
            told.address = value
        elif name == "RedirectUrl" and above == "Account":
            told.url = value
        elif name == "Message" and above == "Error":
            told.error = value

    def refuse(*_: object) -> None:
        raise MapiError(Code.CORRUPT_DATA, "a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise MapiError(Code.CORRUPT_DATA, "an answer that is not XML") from error
    return told


def find(
    address: str,
    authorization: str,
    *,
    url: str = "",
    context: ssl.SSLContext | None = None,
    hops: int = MAX_HOPS,
) -> Found:
    """The endpoints of a mailbox; ``url`` is where to ask, "" the usual places of the address's domain.

    Raises MapiError(NOT_FOUND, LOGON_FAILED, NETWORK_ERROR, CORRUPT_DATA); INVALID_PARAMETER:
    what is told is no URL.
    """
    domain = address.rpartition("@")[2]
    places = [url] if url else [f"https://{domain}{PATH}", f"https://autodiscover.{domain}{PATH}"]
    trouble = MapiError(Code.NOT_FOUND, f"no Autodiscover of {domain}")
    for place in places:
        is_second = JSON_PATH in place
        try:
            first = _first_version(place, context) if is_second else place
            return _follow(first, address, authorization, context, hops)
        except MapiError as error:
            if error.code == Code.LOGON_FAILED:
                raise
            trouble = error
            if not (url or is_second or error.code == Code.NETWORK_ERROR):  # somebody is there
                host = urlsplit(place).hostname
                places.append(f"https://{host}{JSON_PATH}{quote(address)}?Protocol=AutodiscoverV1")
        except ValueError as error:  # an answer leads to what is no URL
            trouble = MapiError(Code.NOT_FOUND, f"{domain}: {error}")
    raise trouble


def _first_version(place: str, context: ssl.SSLContext | None) -> str:
    """Where the second version says that the first is.  It is told without a password.

    Raises MapiError(NOT_FOUND, NETWORK_ERROR, CORRUPT_DATA); INVALID_PARAMETER: that is no URL.
    """
    for _ in range(MAX_HOPS):
        status, headers, body = _say("GET", place, None, {}, context)
        if status == 200:
            return _secure(_url_in(body))
        if status not in _ELSEWHERE or not headers.get("location"):
            raise MapiError(Code.NOT_FOUND, f"{place} answers {status}")
        place = _secure(urljoin(place, headers["location"]))
    raise MapiError(Code.NOT_FOUND, "Autodiscover leads nowhere")


def _url_in(body: bytes) -> str:
    """Raises MapiError(CORRUPT_DATA)."""
    try:
        told = json.loads(body)
        url = {name.lower(): value for name, value in told.items()}["url"]
    except (ValueError, LookupError, AttributeError, RecursionError) as error:
        raise MapiError(Code.CORRUPT_DATA, "an answer without a URL") from error
    if not isinstance(url, str):
        raise MapiError(Code.CORRUPT_DATA, "an answer without a URL")
    return url


def _secure(url: str) -> str:
    """Raises MapiError(NOT_FOUND): a password would go there in the open; (INVALID_PARAMETER)."""
    if address_of(url).scheme != "https":
        raise MapiError(Code.NOT_FOUND, "Autodiscover leads to an address without TLS")
    return url


def address_of(url: str) -> SplitResult:
    """Where a server is.  Raises MapiError(INVALID_PARAMETER): the URL does not tell."""
    wrong = MapiError(Code.INVALID_PARAMETER, "url is no address of a server")
    try:
        parts = urlsplit(url)
        told = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not told or not url.isprintable() or " " in url:
        raise wrong
    return parts


def _follow(place: str, address: str, authorization: str, context: ssl.SSLContext | None, hops: int) -> Found:
    plain = urlsplit(place).scheme == "http"
    for left in range(hops, 0, -1):
        if urlsplit(place).scheme != "https" and not plain:
            break  # nobody sends a password in the open because an answer said so
        status, headers, body = _ask(place, address, authorization, context)
        if status in _ELSEWHERE and headers.get("location"):
            place = urljoin(place, headers["location"])
            continue
        if status == 401:
            raise MapiError(Code.LOGON_FAILED, f"{urlsplit(place).hostname} refused the password")
        if status != 200:
            raise MapiError(Code.NOT_FOUND, f"{place} answers {status}")
        told = read(body)
        if told.store:
            found = [address_of(one) for one in (told.store, told.book) if one]
            if not plain and any(one.scheme != "https" for one in found):
                break
            return Found(told.store, told.book)
        if told.url:
            place = told.url
        elif told.address and told.address.rpartition("@")[2] == address.rpartition("@")[2]:
            address = told.address
        elif told.address:
            return find(told.address, authorization, context=context, hops=left - 1)
        else:
            raise MapiError(Code.NOT_FOUND, told.error or "the server offers no MAPI over HTTP")
    raise MapiError(Code.NOT_FOUND, "Autodiscover leads nowhere")


def _ask(
    place: str, address: str, authorization: str, context: ssl.SSLContext | None
) -> tuple[int, Mapping[str, str], bytes]:
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "X-MapiHttpCapability": "1",
        "Authorization": authorization,
    }
    return _say("POST", place, _REQUEST.format(address=escape(address)), headers, context)


def _say(
    method: str, place: str, said: str | None, headers: Mapping[str, str], context: ssl.SSLContext | None
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, header by names in lower case, body.  Raises MapiError(NETWORK_ERROR)."""
    parts = urlsplit(place)
    try:
        if parts.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context
            )
        else:
            made = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            path = (parts.path or PATH) + (f"?{parts.query}" if parts.query else "")
            made.request(method, path, said, dict(headers))
            answer = made.getresponse()
            body = answer.read(MAX_BODY)
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
        finally:
            made.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MapiError(Code.NETWORK_ERROR, f"{parts.hostname}: {error}") from error
