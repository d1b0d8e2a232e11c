"""Programs written for python-mapi run on `quintet.mapi`: its modules by their names.

    from quintet.mapi import compat
    compat.install()                       # the own store; or compat.install("IMAP", host="mail.example.com")
    from MAPI.Util import OpenECSession, GetDefaultStore

`MAPI`, `MAPICore`, `MAPI.Defs`, `.Struct`, `.Tags`, `.Time`, `.Util` and its parts, `inetmapi`, `icalmapi`
and `libfreebusy` are made when a program imports them.  As there, a tag without _A or _W is 8 bits wide
unless ``MAPI.unicode`` was set before `MAPI.Tags` came, and ``QueryRows(-1)`` gives all rows. What belongs to
Kopano's server alone (its administration) is not here.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

from quintet.mapi.compat import kopano, modules, people
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.table import IMAPITable
from quintet.mapi.providers import registry
from quintet.mapi.providers.base import Opened, Service

ALIASES = ("ZARAFA6", "MSEMS")  # services that such programs put into their profiles


class _Finder(MetaPathFinder, Loader):
    """Makes the modules, each from its table of names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in modules.TABLES:
            return None
        return spec_from_loader(fullname, self, is_package=fullname in ("MAPI", "MAPI.Util"))

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(modules.TABLES[module.__name__]())


_finder = _Finder()


def install(service: str = "QUINTET", **settings: str) -> None:
    """Makes ``import MAPI`` work in this process.

    ``service`` with its ``settings`` stands for the server that programs name: a path in OpenECSession other
    than "default:" replaces where it is, user and password who logs on.  Raises MapiError: there is no such
    service.
    """
    offer = registry.get(service)
    for alias in ALIASES:
        registry.add(_standing_for(offer, alias, settings))
    IMAPITable.minus_one_is_all = True
    IMsgStore.more[kopano.GUIDS["IID_IECServiceAdmin"]] = people.IECServiceAdmin
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def _standing_for(offer: Service, name: str, settings: Mapping[str, str]) -> Service:
    defaults = {option.name: option.default for option in offer.options}
    defaults.update(settings)

    def open_it(given: Mapping[str, str]) -> Opened:
        told = {name: value for name, value in given.items() if value and value != "default:"}
        return registry.opened(offer.name, {**settings, **told})

    options = tuple(
        [dataclasses.replace(option, default=defaults[option.name] or "") for option in offer.options]
    )
    return dataclasses.replace(offer, name=name, open=open_it, options=options)


def uninstall() -> None:
    """Takes it all back; modules that a program holds stay what they are."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in modules.TABLES:
        sys.modules.pop(name, None)
    for alias in ALIASES:
        registry.remove(alias)
    IMAPITable.minus_one_is_all = False
    IMsgStore.more.clear()
