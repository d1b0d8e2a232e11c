"""Exchange and Quintet by MAPI over HTTP: a mailbox, the public folders beside it, and the address book.

The endpoints are found by the mail address (Autodiscover), or told by their server's address.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.client import WAIT_S, Line
from quintet.mapi.providers import identity
from quintet.mapi.providers.base import Opened, Option, Service
from quintet.mapi.providers.wire import discover
from quintet.mapi.providers.wire.book import WireBook
from quintet.mapi.providers.wire.link import Link
from quintet.mapi.providers.wire.store import WireStore
from quintet.mapi.rop.stores import Logon, LogonFlag, OpenFlag

_NO_PUBLIC = frozenset((Code.LOGON_FAILED, Code.LOGIN_PERMISSION, Code.ACCESS_DENIED, Code.NOT_SUPPORTED))


def _open(options: Mapping[str, str]) -> Opened:
    address, user = options["address"], options["user"] or options["address"]
    pair = f"{user}:{options['password']}".encode()
    authorization = "Basic " + base64.b64encode(pair).decode()
    context = ssl.create_default_context(cafile=options["ca_file"] or None)
    found = _endpoints(options["url"], address, authorization, context)

    def line(url: str, timeout_s: float) -> Line:
        return Line(url, lambda: authorization, timeout_s=timeout_s, context=context)

    def link(logon: Logon) -> Link:
        return Link(line(found.store, TIMEOUT_S), line(found.store, WAIT_S), logon)

    opened = Opened()
    try:
        own = Logon(LogonFlag.PRIVATE, OpenFlag.USE_PER_MDB_REPLID_MAPPING, 0, options["mailbox"])
        store = opened.store = WireStore(link(own), options["mailbox"])
        opened.more_stores = _public(link)
        book = opened.book = WireBook(line(found.book, TIMEOUT_S)) if found.book else None
        opened.identity = _identity(book, address, store.link.name)
        return opened
    except BaseException:
        opened.close()
        raise


def _endpoints(url: str, address: str, authorization: str, context: ssl.SSLContext) -> discover.Found:
    """By Autodiscover, unless ``url`` is that of the server.  Raises MapiError(INVALID_PARAMETER)."""
    if not url or discover.address_of(url).path.lower().endswith("/autodiscover.xml"):
        return discover.find(address, authorization, url=url, context=context)
    base, query = url.rstrip("/"), f"?MailboxId={quote(address)}"
    return discover.Found(f"{base}/mapi/emsmdb/{query}", f"{base}/mapi/nspi/{query}")


def _public(link: Callable[[Logon], Link]) -> Sequence[WireStore]:
    """The public folders, where the server has some that this person may see."""
    try:
        return [WireStore(link(Logon(LogonFlag(0), OpenFlag.PUBLIC, 0, "")))]
    except MapiError as error:
        if error.code in _NO_PUBLIC:
            return []
        raise


def _identity(book: WireBook | None, address: str, name: str) -> Bag:
    bag = identity.of(address, name)
    if book is not None:
        found = book.resolve(f"=SMTP:{address}")
        if len(found) == 1:
            bag[pr.ENTRYID] = found[0]
    return bag


TIMEOUT_S = 60.0
SERVICE = Service(
    name="MAPIHTTP",
    title="Exchange and Quintet by MAPI over HTTP",
    open=_open,
    options=(
        Option("address", "the mail address"),
        Option("user", "the login name; empty: the address", ""),
        Option("password", "its password", secret=True),
        Option("url", "https://server, or where Autodiscover is asked; empty: found by the address", ""),
        Option("ca_file", "certificates to trust instead of the system's", ""),
        Option("mailbox", "the DN or login name of another's mailbox; empty: one's own", ""),
    ),
    resources=frozenset(("store", "book")),
    mailbox="mailbox",
)
