"""A directory by LDAP as an address book (RFC 4510), by `ldap3`: people and groups below a base, read only.

Names are resolved by the server, with a filter that looks where ambiguous name resolution does (MS-OXNSPI
3.1.4.7); whatever is asked, at most so many entries come as the options say.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException, LDAPExceptionError
from ldap3.utils.conv import escape_filter_chars
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]

from quintet.mapi import pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import base, listing
from quintet.mapi.providers.allowance import Allowance
from quintet.mapi.providers.base import EntryId, Opened, Option, Rows, Service, Thing
from quintet.mapi.types import Value

TIMEOUT_S = 20
MAX_ANSWER = 32 * 1024 * 1024  # bytes to one request: a page of entries, or a group's members
PIECE = 256 * 1024  # bytes that are received at once; `ldap3` copies what it has with each
PAGE = 200  # entries in one answer (RFC 2696)
SPARSE = 100  # answers of fewer that a listing asks for more; a server need not fill a page, nor end
MAX_ENTRIES = 5000  # of a listing, unless the option says otherwise
MAX_MEMBERS = 5000
MAX_TEXT = 256  # characters of a name that is looked up
PEOPLE: Final = "(|(objectClass=person)(objectClass=inetOrgPerson)(objectClass=organizationalPerson))"
GROUPS: Final = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=group))"
_TEXTS: Final[Mapping[str, int]] = {  # RFC 4519, RFC 4524, RFC 2798
    "displayName": pr.DISPLAY_NAME,
    "mail": pr.SMTP_ADDRESS,
    "uid": pr.ACCOUNT,
    "sAMAccountName": pr.ACCOUNT,
    "givenName": pr.GIVEN_NAME,
    "sn": pr.SURNAME,
    "initials": pr.INITIALS,
    "title": pr.TITLE,
    "o": pr.COMPANY_NAME,
    "ou": pr.DEPARTMENT_NAME,
    "physicalDeliveryOfficeName": pr.OFFICE_LOCATION,
    "telephoneNumber": pr.BUSINESS_TELEPHONE_NUMBER,
    "homePhone": pr.HOME_TELEPHONE_NUMBER,
    "mobile": pr.MOBILE_TELEPHONE_NUMBER,
    "pager": pr.PAGER_TELEPHONE_NUMBER,
    "facsimileTelephoneNumber": pr.PRIMARY_FAX_NUMBER,
    "street": pr.STREET_ADDRESS,
    "l": pr.LOCALITY,
    "st": pr.STATE_OR_PROVINCE,
    "postalCode": pr.POSTAL_CODE,
    "description": pr.COMMENT,
}
_MEMBERS: Final = ("member", "uniqueMember")
_ASKED: Final = ("objectClass", "cn", *_TEXTS)
_LOOKED_AT: Final = ("cn", "displayName", "sn", "givenName", "uid", "mail")  # by beginnings
_USER, _LIST = 0, 1  # PidTagDisplayType
_NONSENSE = (
    ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError, MemoryError,
    PyAsn1Error,
)  # fmt: skip
T = TypeVar("T")


class _Bounded:
    """A socket as `ldap3` uses it; what comes to one request has an end."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._allowance = Allowance(MAX_ANSWER)

    def sendall(self, data: bytes) -> None:
        self._allowance.renew()
        self._inner.sendall(data)

    def recv(self, size: int) -> bytes:
        found = self._inner.recv(max(size, PIECE))
        self._allowance.spend(len(found))
        return found

    def __getattr__(self, name: str) -> Any:  # Any: the rest of a socket
        return getattr(self._inner, name)


class _Connection(ldap3.Connection):  # type: ignore[misc]  # it has no types
    _bounded: _Bounded | None = None

    @property
    def socket(self) -> _Bounded | None:
        return self._bounded

    @socket.setter
    def socket(self, made: socket.socket | None) -> None:
        self._bounded = None if made is None else _Bounded(made)


class LdapBook(base.AddressBook):
    """One container with everybody below the base; it binds again when the connection was lost."""

    can = base.Can.GROUPS

    def __init__(self, connect: Callable[[], ldap3.Connection], name: str, where: str, most: int) -> None:
        self._connect, self._most = connect, most
        self._base = where
        self._lock = threading.RLock()
        self._bound: ldap3.Connection | None = None
        self.name = name
        self.uid = hashlib.sha256(f"ldap\0{name}\0{where}".encode()).digest()[:16]
        self._head = bytes(4) + self.uid
        self.root = self._head + b"\0"
        self._all = self._head + b"\1"
        self._call(lambda connection: None)

    def _call(self, work: Callable[[ldap3.Connection], T]) -> T:
        """Raises MapiError(NETWORK_ERROR, LOGON_FAILED)."""
        with self._lock:
            for last in (False, True):
                try:
                    if self._bound is None:
                        self._bound = self._connect()
                    return work(self._bound)
                except LDAPBindError as error:
                    self.close()
                    raise MapiError(Code.LOGON_FAILED, str(error)) from error
                except _NONSENSE as error:
                    self.close()
                    raise MapiError(Code.CORRUPT_DATA, f"the server answers nonsense: {error!r}") from error
                except (LDAPException, OSError) as error:
                    self.close()
                    if last or not isinstance(error, LDAPExceptionError):
                        raise MapiError(Code.NETWORK_ERROR, str(error)) from error
        raise AssertionError("the second try returns or raises")

    def _search(self, text: str, attributes: Sequence[str], most: int) -> list[tuple[str, Mapping[str, Any]]]:
        """Entries that a filter finds, at most ``most``: distinguished name and attributes."""

        def work(connection: ldap3.Connection) -> list[tuple[str, Mapping[str, Any]]]:
            found: list[tuple[str, Mapping[str, Any]]] = []
            cookie: bytes | None = None
            for _ in range(most // PAGE + SPARSE):
                connection.search(
                    self._base,
                    text,
                    attributes=list(attributes),
                    paged_size=min(PAGE, most - len(found)),
                    paged_cookie=cookie,
                )
                found += _entries(connection)
                control = (connection.result.get("controls") or {}).get("1.2.840.113556.1.4.319", {})
                cookie = control.get("value", {}).get("cookie")
                if not cookie or len(found) >= most:
                    break
            return found[:most]

        return self._call(work)

    # --- containers -----------------------------------------------------------------------------------

    def containers(self, parent: EntryId) -> Rows:
        if parent not in (self.root, self._all):
            raise MapiError(Code.NOT_FOUND)
        return listing.BagRows({self._all: self._container()} if parent == self.root else {})

    def _container(self) -> Bag:
        return {
            pr.ENTRYID: self._all,
            pr.PARENT_ENTRYID: self.root,
            pr.DISPLAY_NAME: self.name,
            pr.OBJECT_TYPE: int(Thing.CONTAINER),
            pr.DISPLAY_TYPE: 0x00020000,  # DT_GLOBAL
            pr.CONTAINER_FLAGS: 0x1 | 0x8,  # it has recipients, and cannot be written
            pr.DEPTH: 0,
            pr.INSTANCE_KEY: self._all,
            pr.RECORD_KEY: self._all,
        }

    def entries(self, container: EntryId) -> Rows:
        if container == self.root:
            return listing.BagRows({})
        if container != self._all:
            raise MapiError(Code.NOT_FOUND)
        return _Rows(self)

    # --- entries --------------------------------------------------------------------------------------

    def everybody(self) -> dict[EntryId, Bag]:
        """As many as the option allows."""
        found = self._search(f"(|{PEOPLE}{GROUPS})", _ASKED, self._most)
        return {bag[pr.ENTRYID]: bag for bag in (self._bag(dn, values) for dn, values in found)}

    def _entry(self, dn: str) -> EntryId:
        return self._head + b"\2" + dn.encode("utf-8")

    def _dn(self, entry: EntryId) -> str:
        """Raises MapiError(NOT_FOUND): not of this book."""
        if not entry.startswith(self._head + b"\2"):
            raise MapiError(Code.NOT_FOUND)
        try:
            return entry[len(self._head) + 1 :].decode("utf-8")
        except UnicodeDecodeError:
            raise MapiError(Code.NOT_FOUND) from None

    def _bag(self, dn: str, values: Mapping[str, Any]) -> Bag:  # Any: of ldap3
        classes = {str(one).lower() for one in values.get("objectClass") or ()}
        group = bool(classes & {"groupofnames", "groupofuniquenames", "group"})
        entry = self._entry(dn)
        bag: Bag = {
            pr.ENTRYID: entry,
            pr.PARENT_ENTRYID: self._all,
            pr.RECORD_KEY: entry,
            pr.INSTANCE_KEY: entry,
            pr.OBJECT_TYPE: int(Thing.DIST_LIST if group else Thing.MAIL_USER),
            pr.DISPLAY_TYPE: _LIST if group else _USER,
        }
        for name, tag in _TEXTS.items():
            text = _first(values.get(name))
            if text and tag not in bag:
                bag[tag] = text
        bag[pr.DISPLAY_NAME] = bag.get(pr.DISPLAY_NAME) or _first(values.get("cn")) or dn
        address = bag.get(pr.SMTP_ADDRESS)
        if address:
            bag |= {pr.ADDRTYPE: "SMTP", pr.EMAIL_ADDRESS: address}
            bag[pr.SEARCH_KEY] = f"SMTP:{address}".upper().encode() + b"\0"
        return bag

    def load(self, entry: EntryId) -> Bag:
        if entry == self._all:
            return self._container()
        if entry == self.root:
            return {**self._container(), pr.ENTRYID: entry, pr.CONTAINER_FLAGS: 0x2}
        dn, values = self._whole(self._dn(entry), _ASKED)
        return {**self._bag(dn, values), pr.ENTRYID: entry}

    def _whole(self, dn: str, attributes: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
        """One entry below the base.  Raises MapiError(NOT_FOUND)."""
        if not dn.lower().endswith(self._base.lower()):
            raise MapiError(Code.NOT_FOUND)

        def work(connection: ldap3.Connection) -> list[tuple[str, Mapping[str, Any]]]:
            try:
                connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=list(attributes))
            except LDAPExceptionError as error:  # a name that is none
                if connection.closed:
                    raise
                raise MapiError(Code.NOT_FOUND, str(error)) from error
            return _entries(connection)

        found = self._call(work)
        if not found:
            raise MapiError(Code.NOT_FOUND)
        return found[0]

    def members(self, group: EntryId) -> list[EntryId]:
        """Those below the base; another's members are not looked up."""
        _, values = self._whole(self._dn(group), ("objectClass", *_MEMBERS))
        names = [str(dn) for attribute in _MEMBERS for dn in values.get(attribute) or ()]
        if not names and self.load(group)[pr.DISPLAY_TYPE] != _LIST:
            raise MapiError(Code.INVALID_OBJECT)
        below = self._base.lower()
        return [self._entry(one) for one in names[:MAX_MEMBERS] if one.lower().endswith(below)]

    def resolve(self, text: str, container: EntryId | None = None) -> list[EntryId]:
        wanted = text.strip()[:MAX_TEXT]
        exactly = wanted.startswith("=")
        wanted = wanted.removeprefix("=")
        if wanted[:5].lower() == "smtp:":
            wanted = wanted[5:]
        if not wanted or container == self.root:
            return []
        same = escape_filter_chars(wanted)
        exact = "".join([f"({name}={same})" for name in ("mail", "uid", "cn", "displayName")])
        found = self._found(f"(|{exact})")
        if found or exactly:
            return found
        words = wanted.replace(",", " ").split()
        return self._found(f"(&{''.join(map(_beginning, words))})")

    def _found(self, text: str) -> list[EntryId]:
        rows = self._search(f"(&(|{PEOPLE}{GROUPS}){text})", ("cn",), min(self._most, listing.MAX_FOUND))
        return [self._entry(dn) for dn, _ in rows]

    def close(self) -> None:
        with self._lock:
            bound, self._bound = self._bound, None
            if bound is not None:
                with contextlib.suppress(LDAPException, OSError):
                    bound.unbind()


class _Rows:
    """Everybody, as it was when it was first asked."""

    def __init__(self, book: LdapBook) -> None:
        self._book = book
        self._bags: dict[EntryId, Bag] | None = None

    def _all(self) -> dict[EntryId, Bag]:
        if self._bags is None:
            self._bags = self._book.everybody()
        return self._bags

    def ids(self) -> Sequence[EntryId]:
        return list(self._all())

    def values(self, ids: Sequence[EntryId], keys: Sequence[Key]) -> list[list[Value | None]]:
        return listing.BagRows(self._all()).values(ids, keys)


def _beginning(word: str) -> str:
    """A filter for those some word of whose names begins so."""
    same = escape_filter_chars(word)
    inside = f"(cn=* {same}*)(displayName=* {same}*)"  # a word within a name
    return f"(|{''.join([f'({name}={same}*)' for name in _LOOKED_AT])}{inside})"


def _entries(connection: ldap3.Connection) -> list[tuple[str, Mapping[str, Any]]]:
    """What an answer holds but references to other servers."""
    return list(_pairs(connection.response or ()))


def _pairs(response: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for one in response:
        if one.get("type") == "searchResEntry":
            yield str(one["dn"]), one["attributes"]


def _first(values: Any) -> str:  # Any: of ldap3
    """The first value of an attribute as text."""
    if isinstance(values, list | tuple):
        values = values[0] if values else ""
    return values.decode("utf-8", "replace") if isinstance(values, bytes) else str(values or "")


def _open(options: Mapping[str, str]) -> Opened:
    tls = options["tls"]
    trusted = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=options["ca_file"] or None)
    try:
        server = ldap3.Server(
            options["host"],
            int(options["port"]),
            use_ssl=tls == "yes",
            tls=trusted,
            connect_timeout=TIMEOUT_S,
            get_info=ldap3.NONE,
        )
        most = int(options["most"])
    except (LDAPException, ValueError) as error:
        raise MapiError(Code.INVALID_PARAMETER, str(error)) from error

    def connect() -> ldap3.Connection:
        made = _Connection(
            server,
            user=options["user"] or None,
            password=options["password"] or None,
            receive_timeout=TIMEOUT_S,
            read_only=True,
            check_names=False,
            auto_referrals=False,  # nobody is sent a password because a server said so
            raise_exceptions=False,
        )
        made.open()
        try:
            if tls == "starttls" and not made.start_tls():
                raise MapiError(Code.NETWORK_ERROR, "the server refuses TLS")
            if not made.bind():
                raise MapiError(Code.LOGON_FAILED, str(made.result.get("description")))
        except BaseException:
            made.unbind()
            raise
        return made

    name = options["name"] or options["host"]
    return Opened(book=LdapBook(connect, name, options["base"], most))


SERVICE = Service(
    name="LDAP",
    title="A directory by LDAP",
    open=_open,
    options=(
        Option("host", "the server"),
        Option("port", "its port", "636"),
        Option("tls", "yes, starttls or no", "yes"),
        Option("ca_file", "certificates to trust instead of the system's", ""),
        Option("base", "the distinguished name below which people and groups are"),
        Option("user", "the distinguished name to bind as; empty: nobody", ""),
        Option("password", "its password", "", secret=True),
        Option("most", "entries that a listing has at most", str(MAX_ENTRIES)),
        Option("name", "how the address book is called; empty: as the server", ""),
    ),
    resources=frozenset(("book",)),
)
