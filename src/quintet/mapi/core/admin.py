"""IProfAdmin, IMsgServiceAdmin, IProviderAdmin, IProfSect: profiles as programs administer them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from quintet.mapi import consts, pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.core import profile
from quintet.mapi.core.errors import fail
from quintet.mapi.core.profile import Profile, Profiles, Used
from quintet.mapi.core.props import IMAPIProp
from quintet.mapi.core.structs import SPropProblem, SPropValue
from quintet.mapi.core.table import IMAPITable, of_bags
from quintet.mapi.core.unknown import IUnknown

PROFILE_COLUMNS = (pr.DISPLAY_NAME, pr.DEFAULT_PROFILE)
SERVICE_COLUMNS = (
    pr.SERVICE_UID, pr.SERVICE_NAME, pr.DISPLAY_NAME, pr.RESOURCE_FLAGS, pr.SERVICE_DLL_NAME, pr.INSTANCE_KEY,
)  # fmt: skip
PROVIDER_COLUMNS = (
    pr.PROVIDER_UID, pr.SERVICE_UID, pr.SERVICE_NAME, pr.PROVIDER_DISPLAY, pr.DISPLAY_NAME, pr.RESOURCE_TYPE,
    pr.RESOURCE_FLAGS, pr.INSTANCE_KEY,
)  # fmt: skip
RESOURCES = {
    "store": consts.MAPI_STORE_PROVIDER,
    "book": consts.MAPI_AB_PROVIDER,
    "transport": consts.MAPI_TRANSPORT_PROVIDER,
}


def MAPIAdminProfiles(flags: int = 0, path: Path | None = None) -> IProfAdmin:
    """The administration of profiles; ``path``: of another file than the usual one."""
    return IProfAdmin(_shared(path or profile.default_path()))


_files: dict[Path, Profiles] = {}


def _shared(path: Path) -> Profiles:
    """One object a file, so that all who change it take turns."""
    return _files.setdefault(path, Profiles(path))


def _plain(name: str | bytes) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else name


def _no_password(password: str | bytes | None) -> None:
    if password:
        raise fail("MAPI_E_NO_SUPPORT", "profiles have no passwords of their own; their services have")


class IProfAdmin(IUnknown):
    """Makes, copies, renames and deletes profiles."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IProfAdmin",)

    def __init__(self, profiles: Profiles) -> None:
        super().__init__()
        self.profiles = profiles

    def GetProfileTable(self, flags: int = 0) -> IMAPITable:
        """Names, and which one is the default."""
        book = self.profiles.read()
        bags: dict[bytes, Bag] = {
            name.encode(): {pr.DISPLAY_NAME: name, pr.DEFAULT_PROFILE: name == book.default}
            for name in sorted(book.profiles)
        }
        return of_bags(bags, PROFILE_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def CreateProfile(
        self, name: str | bytes, password: str | bytes | None = None, ui: int = 0, flags: int = 0
    ) -> None:
        """An empty profile; with MAPI_DEFAULT_SERVICES one that has the own store.

        Raises MAPIErrorNoAccess: there is one of that name.
        """
        _no_password(password)
        title = profile.check_name(_plain(name))
        services = [profile.used("QUINTET")] if flags & consts.MAPI_DEFAULT_SERVICES else []
        with self.profiles.change() as book:
            if title in book.profiles:
                raise fail("MAPI_E_NO_ACCESS", f"there is a profile called {title}")
            book.profiles[title] = Profile(services)
            book.default = book.default or title

    def DeleteProfile(self, name: str | bytes, flags: int = 0) -> None:
        """Raises MAPIErrorNotFound."""
        title = _plain(name)
        with self.profiles.change() as book:
            profile.named(book, title)
            del book.profiles[title]
            if book.default == title:
                book.default = ""

    def ChangeProfilePassword(self, name: str, old: str, new: str, flags: int = 0) -> None:
        """Raises MAPIErrorNoSupport: a profile has none."""
        raise fail("MAPI_E_NO_SUPPORT")

    def CopyProfile(
        self, name: str | bytes, password: str | None, new: str | bytes, ui: int = 0, flags: int = 0
    ) -> None:
        self._again(_plain(name), password, _plain(new), keep=True)

    def RenameProfile(
        self, name: str | bytes, password: str | None, new: str | bytes, ui: int = 0, flags: int = 0
    ) -> None:
        self._again(_plain(name), password, _plain(new), keep=False)

    def _again(self, name: str, password: str | None, new: str, *, keep: bool) -> None:
        _no_password(password)
        profile.check_name(new)
        with self.profiles.change() as book:
            found = profile.named(book, name)
            if new in book.profiles:
                raise fail("MAPI_E_NO_ACCESS", f"there is a profile called {new}")
            copies = [
                Used(one.uid, one.service, one.title, dict(one.settings), dict(one.sections))
                for one in found.services
            ]
            book.profiles[new] = Profile(copies, found.store, found.identity)
            if not keep:
                del book.profiles[name]
                book.default = new if book.default == name else book.default

    def SetDefaultProfile(self, name: str | bytes | None, flags: int = 0) -> None:
        """None: there is none."""
        with self.profiles.change() as book:
            if name:
                profile.named(book, _plain(name))
            book.default = _plain(name or "")

    def AdminServices(
        self, name: str | bytes, password: str | None = None, ui: int = 0, flags: int = 0
    ) -> IMsgServiceAdmin:
        """The services of a profile.  Raises MAPIErrorNotFound."""
        _no_password(password)
        self.profiles.get(_plain(name))
        return IMsgServiceAdmin(self.profiles, _plain(name))


class IMsgServiceAdmin(IUnknown):
    """The services of one profile."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IMsgServiceAdmin",)

    def __init__(self, profiles: Profiles, name: str) -> None:
        super().__init__()
        self.profiles, self.name = profiles, name

    def GetMsgServiceTable(self, flags: int = 0) -> IMAPITable:
        found = self.profiles.get(self.name)
        bags: dict[bytes, Bag] = {
            one.uid: {
                pr.SERVICE_UID: one.uid,
                pr.SERVICE_NAME: one.service,
                pr.DISPLAY_NAME: one.title,
                pr.RESOURCE_FLAGS: consts.SERVICE_DEFAULT_STORE if one.uid == found.store else 0,
                pr.SERVICE_DLL_NAME: "",
            }
            for one in found.services
        }
        return of_bags(bags, SERVICE_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))

    def CreateMsgService(
        self, service: str | bytes, title: str | bytes | None = None, ui: int = 0, flags: int = 0
    ) -> bytes:
        """Adds a service; gives its uid.  Raises MAPIErrorNotFound: nobody offers one of that name."""
        made = profile.used(_plain(service), _plain(title) if title else None)
        with self.profiles.change() as book:
            profile.named(book, self.name).services.append(made)
        return made.uid

    def DeleteMsgService(self, uid: bytes) -> None:
        """Raises MAPIErrorNotFound."""
        with self.profiles.change() as book:
            found = profile.named(book, self.name)
            found.services.remove(profile.find(found, uid))
            found.store = b"" if found.store == uid else found.store
            found.identity = b"" if found.identity == uid else found.identity

    def CopyMsgService(
        self,
        uid: bytes,
        title: str | None,
        iid: bytes | None,
        options: int,
        target: IMsgServiceAdmin,
        ui: int = 0,
        flags: int = 0,
    ) -> None:
        """Into this or another profile, under a uid of its own."""
        old = profile.find(self.profiles.get(self.name), uid)
        copy = Used(uuid.uuid4().bytes, old.service, title or old.title, dict(old.settings))
        with target.profiles.change() as book:
            profile.named(book, target.name).services.append(copy)

    def RenameMsgService(self, uid: bytes, flags: int, title: str | bytes) -> None:
        with self.profiles.change() as book:
            profile.find(profile.named(book, self.name), uid).title = _plain(title)

    def ConfigureMsgService(
        self,
        uid: bytes,
        ui: int = 0,
        flags: int = 0,
        props: Sequence[SPropValue] | Mapping[str, str] | None = None,
    ) -> None:
        """Sets options: by name in a mapping, or as properties (`profile.options_by_id`).

        Properties that mean no option are passed over, as providers do.  Raises MAPIErrorInvalidParameter:
        the mapping names an option that there is not.
        """
        with self.profiles.change() as book:
            one = profile.find(profile.named(book, self.name), uid)
            known = [option.name for option in one.offer.options]
            if isinstance(props, Mapping):
                if unknown := set(props) - set(known):
                    raise fail(
                        "MAPI_E_INVALID_PARAMETER", f"{one.service} has no {', '.join(sorted(unknown))}"
                    )
                one.settings.update(props)
                return
            by_id = profile.options_by_id(one.offer)
            for prop in props or ():
                name = by_id.get(prop.ulPropTag >> 16)
                if name is not None and isinstance(prop.Value, str | bytes):
                    one.settings[name] = _plain(prop.Value)

    def OpenProfileSection(self, uid: bytes | None, iid: bytes | None = None, flags: int = 0) -> IProfSect:
        """The section of a service, or any other that a program makes up."""
        return IProfSect(
            self.profiles, self.name, uid or bytes(16), writable=bool(flags & consts.MAPI_MODIFY)
        )

    def MsgServiceTransportOrder(self, uids: Sequence[bytes], flags: int = 0) -> None:
        """Whose transport is asked first: services in this order, then the rest."""
        with self.profiles.change() as book:
            found = profile.named(book, self.name)
            first = [profile.find(found, uid) for uid in uids]
            found.services = [*first, *[one for one in found.services if one not in first]]

    def AdminProviders(self, uid: bytes, flags: int = 0) -> IProviderAdmin:
        profile.find(self.profiles.get(self.name), uid)
        return IProviderAdmin(self, uid)

    def SetPrimaryIdentity(self, uid: bytes, flags: int = 0) -> None:
        with self.profiles.change() as book:
            found = profile.named(book, self.name)
            profile.find(found, uid)
            found.identity = uid

    def GetProviderTable(self, flags: int = 0) -> IMAPITable:
        """Every store, address book and transport that the services give."""
        return self._providers(flags, None)

    def _providers(self, flags: int, uid: bytes | None) -> IMAPITable:
        bags: dict[bytes, Bag] = {}
        for one in self.profiles.get(self.name).services:
            if uid not in (None, one.uid):
                continue
            for name in sorted(one.offer.resources):
                own = provider_uid(one.uid, name)
                bags[own] = {
                    pr.PROVIDER_UID: own,
                    pr.SERVICE_UID: one.uid,
                    pr.SERVICE_NAME: one.service,
                    pr.PROVIDER_DISPLAY: one.offer.title,
                    pr.DISPLAY_NAME: one.title,
                    pr.RESOURCE_TYPE: RESOURCES[name],
                    pr.RESOURCE_FLAGS: 0,
                }
        return of_bags(bags, PROVIDER_COLUMNS, self._lock, wide=bool(flags & consts.MAPI_UNICODE))


def provider_uid(service: bytes, resource: str) -> bytes:
    """Of a provider within its service."""
    return uuid.uuid5(uuid.UUID(bytes=service), resource).bytes


class IProviderAdmin(IUnknown):
    """The providers of one service; they come and go with it."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IProviderAdmin",)

    def __init__(self, services: IMsgServiceAdmin, uid: bytes) -> None:
        super().__init__()
        self._services, self._uid = services, uid

    def GetProviderTable(self, flags: int = 0) -> IMAPITable:
        return self._services._providers(flags, self._uid)

    def CreateProvider(self, *args: object) -> None:
        """Raises MAPIErrorNoSupport: a service has the providers that it has."""
        raise fail("MAPI_E_NO_SUPPORT")

    DeleteProvider = CreateProvider

    def OpenProfileSection(self, uid: bytes | None, iid: bytes | None = None, flags: int = 0) -> IProfSect:
        return self._services.OpenProfileSection(uid or self._uid, iid, flags)


class IProfSect(IMAPIProp):
    """A section of a profile: a service's settings, or properties that a program keeps there."""

    iids: ClassVar[tuple[str, ...]] = ("IID_IProfSect",)
    computed = frozenset((pr.OBJECT_TYPE, pr.PROFILE_NAME))

    def __init__(self, profiles: Profiles, name: str, uid: bytes, *, writable: bool) -> None:
        super().__init__(threading.RLock(), writable=writable)
        self._profiles, self._name, self._uid = profiles, name, uid
        self._profile()  # says at once that there is none

    def _profile(self) -> Profile:
        return self._profiles.get(self._name)

    def _bag(self) -> Bag:
        found = self._profile()
        bag: Bag = {pr.PROFILE_NAME: self._name, pr.OBJECT_TYPE: consts.MAPI_PROFSECT}
        for one in found.services:
            bag |= profile.section(one, self._uid)
            if one.uid == self._uid:
                by_id = profile.options_by_id(one.offer)
                secrets = {option.name for option in one.offer.options if option.secret}
                bag |= {
                    number << 16 | consts.PT_UNICODE: one.settings[option]
                    for number, option in by_id.items()
                    if option in one.settings and option not in secrets
                }
                bag |= {pr.SERVICE_UID: one.uid, pr.SERVICE_NAME: one.service, pr.DISPLAY_NAME: one.title}
        return bag

    def SetProps(self, props: Sequence[SPropValue]) -> list[SPropProblem]:
        """Settings of a service are set as ConfigureMsgService does; times and lists cannot be kept here."""
        self._must_be_writable()
        own = next((one for one in self._profile().services if one.uid == self._uid), None)
        if own is not None:
            known = profile.options_by_id(own.offer)
            settings = [one for one in props if one.ulPropTag >> 16 in known]
            IMsgServiceAdmin(self._profiles, self._name).ConfigureMsgService(self._uid, 0, 0, settings)
            props = [one for one in props if one.ulPropTag >> 16 not in known]
        return super().SetProps(props) if props else []

    def _take(self, changes: Bag, gone: Collection[Key]) -> None:
        with self._profiles.change() as book:
            services = profile.named(book, self._name).services
            if not services:
                raise fail("MAPI_E_UNCONFIGURED", "a profile without services keeps nothing")
            holder = next((one for one in services if one.uid == self._uid), services[0])
            section = holder.sections.setdefault(self._uid.hex(), {})
            for key, value in changes.items():
                if not isinstance(key, int):
                    raise fail("MAPI_E_NO_SUPPORT", "a profile keeps no named properties")
                section[f"{key:08X}"] = profile.packed(key, value)
            for key in gone:
                if isinstance(key, int):
                    section.pop(f"{key:08X}", None)
