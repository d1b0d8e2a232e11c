"""What CATENATE's URLs name: messages and parts that this account may read (RFC 4469 3).

Relative URLs, or absolute ones that their owner signed for this user (RFC 4467): those two ways are safe,
any other absolute URL is refused, as RFC 4469 3 asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.delivery import urlparts
from quintet.delivery.urlauth import UrlAuth
from quintet.delivery.urlparts import Found
from quintet.imap import places
from quintet.message import imapurl

if TYPE_CHECKING:
    from quintet.imap.session import Session
    from quintet.message.imapurl import ImapUrl
    from quintet.net.seam import Body
    from quintet.store.db import Tx
    from quintet.store.model import AccountId


def signed(session: Session) -> UrlAuth:
    """Who knows what signed URLs lead to."""
    house = session.house
    config = house.config
    services = {words[0]: words[1:] for words in map(str.split, config.url_applications) if words}
    return UrlAuth(house.store, house.clock, house.auth.canonical, config.submit_servers, services)


async def resolve(session: Session, raw: bytes) -> Body:
    """The octets that a URL names; nothing is marked as seen.

    Raises:
        BadSyntax, Refused: it names nothing that this user may read.
        TryLater(STORAGE): not now.
    """
    text = raw.decode("utf-8", "replace")
    if text.lower().startswith("imap:"):
        return await signed(session).fetch(text, session.user)
    here = session.selected
    url = imapurl.relative(text, here.name if here is not None else "")
    store = session.house.store
    found = store.peek(_locate, session.user.account_id, url)
    return (await urlparts.piece(found, store.body(found.ref), url)).body


def _locate(tx: Tx, account_id: AccountId, url: ImapUrl) -> Found:
    return urlparts.locate(tx, places.get(tx, account_id, url.mailbox, "r").folder, url)
