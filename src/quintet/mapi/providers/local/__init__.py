"""The own store in process: a program opens the data directory beside a running server, as a worker does.

Who may read the directory may open every account in it, as with the administrator's commands; a password is
checked where one is given.  Mail goes the way of every submission, into the queue that the server runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from quintet.mapi import pr
from quintet.mapi.bag import Bag
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Reader
from quintet.mapi.providers.base import Opened, Option, Service
from quintet.mapi.providers.local import host as hosts
from quintet.mapi.providers.local.book import LocalBook, entry_id_of
from quintet.mapi.providers.local.store import LocalStore

PLACES = ("quintet.toml", "/etc/quintet/quintet.toml")


def _config(named: str) -> Path:
    """The configuration file that is meant: a file, or a directory with one.

    Raises MapiError(INVALID_PARAMETER): there is none.
    """
    given = named or os.environ.get("QUINTET_CONFIG", "")
    places = [Path(given)] if given else [Path(one) for one in PLACES]
    for place in places:
        path = place / "quintet.toml" if place.is_dir() else place
        if path.is_file():
            return path
    raise MapiError(Code.INVALID_PARAMETER, f"no configuration: looked for {' and '.join(map(str, places))}")


def _open(options: Mapping[str, str]) -> Opened:
    host = hosts.shared(_config(options["data"]))
    try:
        reader = host.run(host.login(options["account"], options["password"]))
        owner = host.run(host.account(options["mailbox"] or options["account"]))
        stores = [LocalStore(host, owner, reader)]
        public = host.run(host.public())
        if public is not None:
            stores.append(LocalStore(host, public, reader))
        own = stores[0] if owner == reader.id else LocalStore(host, reader.id, reader)
        book = LocalBook(host, reader, own)
        return _Held(
            host,
            store=stores[0],
            more_stores=stores[1:],
            book=book,
            identity=_identity(reader),
        )
    except BaseException:
        host.release()
        raise


class _Held(Opened):
    """What was opened; the host ends with the last of them."""

    def __init__(self, host: hosts.Host, **parts: object) -> None:
        super().__init__(**parts)  # type: ignore[arg-type]  # the fields of Opened, one to one
        self._host: hosts.Host | None = host

    def close(self) -> None:
        super().close()
        if self._host is not None:
            self._host.release()
            self._host = None


def _identity(reader: Reader) -> Bag:
    bag: Bag = {
        pr.DISPLAY_NAME: reader.display_name,
        pr.ADDRTYPE: "SMTP",
        pr.EMAIL_ADDRESS: reader.address or reader.name,
        pr.ENTRYID: entry_id_of(reader),
    }
    if reader.address:
        bag[pr.SMTP_ADDRESS] = reader.address
    return bag


SERVICE = Service(
    name="QUINTET",
    title="Quintet, in process",
    open=_open,
    options=(
        Option("data", "the configuration file, or a directory with quintet.toml", ""),
        Option("account", "the login name"),
        Option("password", "checked where it is given", "", secret=True),
        Option("mailbox", "another's mailbox that is shared; empty: one's own", ""),
    ),
    resources=frozenset(("store", "book")),
    mailbox="mailbox",
)
