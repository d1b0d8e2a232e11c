"""Contacts, and groups of them."""

from __future__ import annotations

from collections.abc import Iterable

from quintet.mapi import pr
from quintet.mapi.api.fields import Text
from quintet.mapi.api.item import Item
from quintet.mapi.api.people import Person
from quintet.mapi.api.tasks import Day
from quintet.mapi.api.whom import Given
from quintet.mapi.bag import Bag
from quintet.mapi.convert import cardkeys as keys
from quintet.mapi.convert import cards
from quintet.mapi.convert.addressing import one_off
from quintet.mapi.core.addrbook import one_off as opened_one_off
from quintet.mapi.tags import tag


class Contact(Item):
    """Somebody in the own address book."""

    __slots__ = ()

    message_class = keys.CONTACT

    name = Text(pr.DISPLAY_NAME)
    given_name = Text(keys.GIVEN)
    surname = Text(keys.SURNAME)
    middle_name = Text(keys.MIDDLE)
    nickname = Text(pr.NICKNAME)
    company = Text(keys.COMPANY)
    department = Text(keys.DEPARTMENT)
    title = Text(pr.TITLE, doc="what the person is there")
    business_phone = Text(tag("PidTagBusinessTelephoneNumber"))
    home_phone = Text(tag("PidTagHomeTelephoneNumber"))
    mobile = Text(tag("PidTagMobileTelephoneNumber"))
    homepage = Text(keys.BUSINESS_PAGE)
    birthday = Day(tag("PidTagBirthday"))
    file_as = Text(keys.FILE_UNDER)

    @property
    def emails(self) -> list[str]:
        """Up to three addresses."""
        return [str(value) for one in keys.EMAILS if (value := self.get(one.address))]

    @emails.setter
    def emails(self, addresses: Iterable[str]) -> None:
        given = list(addresses)[: len(keys.EMAILS)]
        changes: Bag = {}
        gone = []
        for place, one in enumerate(keys.EMAILS):
            if place < len(given):
                address = given[place]
                name = str(self.get(pr.DISPLAY_NAME) or address)
                changes |= {
                    one.address: address,
                    one.kind: "SMTP",
                    one.shown: f"{name} ({address})",
                    one.original: address,
                    one.entry: one_off(name, "SMTP", address),
                }
            else:
                gone += [one.address, one.kind, one.shown, one.original, one.entry]
        self.take(changes, gone)

    @property
    def email(self) -> str:
        """The first address; "" for none."""
        return next(iter(self.emails), "")

    @email.setter
    def email(self, address: str) -> None:
        self.emails = [address, *self.emails[1:]]

    @property
    def person(self) -> Person:
        """For `to`, `required` and the like."""
        return Person(self.email.lower(), self.name or self.email)

    def people(self) -> list[Person]:
        """The person, where there is an address."""
        return [self.person] if self.email else []

    def before_save(self) -> None:
        """The names agree: a whole one is made of its parts, and the subject is it."""
        parts = " ".join([part for part in (self.given_name, self.middle_name, self.surname) if part])
        if not self.name:
            self.name = parts or self.company or self.email
        if not self.file_as:
            both = [part for part in (self.surname, self.given_name) if part]
            self.file_as = ", ".join(both) or self.name
        if self.subject != self.name:
            self.subject = self.name

    def vcf(self) -> bytes:
        """As a vCard."""
        return cards.write([self.values()]).encode("utf-8")


class Group(Item):
    """A list of people (a personal distribution list)."""

    __slots__ = ()

    message_class = keys.GROUP

    name = Text(keys.GROUP_NAME)

    @property
    def members(self) -> list[Person]:
        found = []
        for raw in self.get(keys.ONE_OFF_MEMBERS) or self.get(keys.MEMBERS) or ():
            bag = opened_one_off(bytes(raw))
            if bag is not None:
                found.append(Person.read(bag))
        return found

    @members.setter
    def members(self, people: Given) -> None:
        found = dict.fromkeys(self.store.session.people(people))
        raw = [one_off(one.name or one.address, one.kind, one.address) for one in found]
        self.take({keys.MEMBERS: raw, keys.ONE_OFF_MEMBERS: raw})

    def people(self) -> list[Person]:
        """The members: a group can stand wherever people do."""
        return self.members

    def before_save(self) -> None:
        title = self.name or ""
        self.take({pr.DISPLAY_NAME: title, pr.SUBJECT: title})

    def vcf(self) -> bytes:
        return cards.write([self.values()]).encode("utf-8")
