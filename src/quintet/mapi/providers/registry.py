"""Who offers message services: our own, and what is installed beside us (entry points
`quintet.mapi.providers`).

An entry point names a `base.Service`; its name there is for people who read package metadata, the service's
own name counts.  Nothing is imported before it is asked for by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib import metadata

from quintet import log
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Opened, Service

logger = log.get("mapi")

GROUP = "quintet.mapi.providers"

OWN = {  # name -> module and what it calls the service
    "MEMORY": "quintet.mapi.providers.memory:SERVICE",
    "MAILDIR": "quintet.mapi.providers.maildir:SERVICE",
    "IMAP": "quintet.mapi.providers.imap:SERVICE",
    "MAPIHTTP": "quintet.mapi.providers.wire:SERVICE",
    "MBOX": "quintet.mapi.providers.mboxes:MBOX",
    "MH": "quintet.mapi.providers.mh:MH",
    "NNTP": "quintet.mapi.providers.news:SERVICE",
    "POP3": "quintet.mapi.providers.pop3:SERVICE",
    "SENDMAIL": "quintet.mapi.providers.smtp:SENDMAIL",
    "SMTP": "quintet.mapi.providers.smtp:SMTP",
    "VCARD": "quintet.mapi.providers.vcards:SERVICE",
    "LDAP": "quintet.mapi.providers.ldapbook:SERVICE",
    "QUINTET": "quintet.mapi.providers.local:SERVICE",
}
_added: dict[str, Service] = {}


def add(service: Service) -> None:
    """Offers a service in this process, without a package; a later one of the same name replaces it."""
    _added[service.name.upper()] = service


def remove(name: str) -> None:
    """Takes back what `add` offered."""
    _added.pop(name.upper(), None)


def get(name: str) -> Service:
    """Raises MapiError(NOT_FOUND): nobody offers it."""
    wanted = name.upper()
    if wanted in _added:
        return _added[wanted]
    if wanted in OWN:
        module, _, attribute = OWN[wanted].partition(":")
        return _of(getattr(importlib.import_module(module), attribute))
    for point in metadata.entry_points(group=GROUP):
        if point.name.upper() == wanted:
            return _loaded(point)
    raise MapiError(Code.NOT_FOUND, f"no message service is called {name}: there are {', '.join(names())}")


def _loaded(point: metadata.EntryPoint) -> Service:
    """A third party's.  Raises MapiError(NOT_FOUND): its package is broken."""
    try:
        return _of(point.load())
    except Exception as error:  # somebody else's module: whatever it raises
        raise MapiError(Code.NOT_FOUND, f"{point.name} cannot be loaded: {error}") from error


def _of(found: object) -> Service:
    if not isinstance(found, Service):
        raise MapiError(Code.NOT_FOUND, "an entry point that names no message service")
    return found


def names() -> list[str]:
    """Every service's name, in alphabetical order."""
    points = metadata.entry_points(group=GROUP)
    return sorted({*OWN, *_added, *[point.name.upper() for point in points]})


def every() -> Iterator[Service]:
    """Every service; imports them all, and passes over those that cannot be loaded."""
    for name in names():
        try:
            yield get(name)
        except (ImportError, MapiError) as error:
            logger.warning("service not loaded", service=name, error=str(error))


def opened(name: str, settings: Mapping[str, str]) -> Opened:
    """Opens a service with these settings and the defaults of the others.

    Raises MapiError(INVALID_PARAMETER): a setting is missing or unknown; DISK_ERROR: a place that cannot be
    read or made; and what the service raises.
    """
    service = get(name)
    known = {option.name: option.default for option in service.options}
    for setting in settings:
        if setting not in known:
            some = ", ".join(known) or "none"
            raise MapiError(
                Code.INVALID_PARAMETER, f"{service.name} has no option {setting}: there are {some}"
            )
    full = {**known, **settings}
    missing = [name for name, value in full.items() if value is None]
    if missing:
        raise MapiError(Code.INVALID_PARAMETER, f"{service.name} needs {', '.join(missing)}")
    try:
        return service.open({name: value for name, value in full.items() if value is not None})
    except OSError as error:  # of a place that cannot be read or made
        raise MapiError(Code.DISK_ERROR, f"{service.name}: {error}") from error
