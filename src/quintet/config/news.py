"""What articles may bring about: cancels and other control messages, moderation, filters, quarantine."""

from __future__ import annotations

import re

from quintet.config.field import opt
from quintet.values import dataclass

ACTION = re.compile(r"(doit|drop|log|mail|verify-[^=]+)(=.*)?")
PATTERNS = re.compile(r"!?[^\s,!\[\]\\]+(,!?[^\s,!\[\]\\]+)*")  # wildmats without sets and escapes


@dataclass(frozen=True, slots=True)
class ControlRule:
    """One rule about control messages, as a line of INN's control.ctl: `[[news.control]]`."""

    message: str = opt(
        "all",
        "The kind of control message.",
        choices=(
            "all", "newgroup", "rmgroup", "checkgroups", "sendsys", "senduuname", "version", "whogets",
            "ihave", "sendme",
        ),
    )  # fmt: skip
    sender: str = opt("*", "Shell patterns with | between, for the address of From.")
    newsgroups: str = opt("*", "The same for the groups that the message is about.")
    action: str = opt(
        "mail",
        "doit, drop, log, mail (asks the newsmaster), or verify-KEY: done if signed with the key of that "
        "user id, address or fingerprint. With =mail behind it the newsmaster is told as well.",
    )


@dataclass(frozen=True, slots=True)
class NocemRule:
    """Whose NoCeM notices are heard, and about what: `[[news.nocem]]`."""

    issuer: str = opt("", "Part of the issuer that a notice names, as an address.")
    types: tuple[str, ...] = opt(("*",), "Types of notices that are heard, such as spam; * is any.")
    key: str = opt("", "User id, address or fingerprint of the key that must have signed; empty: the issuer.")


@dataclass(frozen=True, slots=True)
class News:
    """One section for all ways by which articles come: POST, feeds, IMAP, mail."""

    docancels: str = opt(
        "auth",
        "Which cancels and Supersedes are heeded. auth: of a locked article with its key (RFC 8315), of "
        "another one by its author; require-auth: only of locked articles, with the key; all: any; none.",
        choices=("auth", "require-auth", "all", "none"),
    )
    third_party_cancels: bool = opt(
        False,
        "With docancels auth, heed cancels of articles without a lock by anybody, not only by their author, "
        "as INN does.",
    )
    control: tuple[ControlRule, ...] = opt(
        (),
        "Rules about control messages: one [[news.control]] each. Of all that fit a message the last counts; "
        "before these come those that are shipped and those of control_file.",
    )
    control_file: str = opt(
        "", "File of such rules in the syntax of INN's control.ctl. A relative name is meant from here."
    )
    well_known: bool = opt(True, "Begin with the shipped rules about the well-known hierarchies.")
    keyring: str = opt(
        "",
        "Keyring of gpgv (gpg --export KEY... > file) with the keys that verify-KEY may name. Empty: no "
        "signature can be checked, and nothing that needs one is done.",
    )
    gpgv: str = opt("gpgv", "Program that checks signatures (Debian: gpgv).")
    newsmaster: str = opt(
        "", "Address that is told and asked about control messages; empty: nobody is, and it is logged."
    )
    max_checkgroups: int = opt(
        10, "Changes that one checkgroups may make; what asks for more asks the newsmaster.", minimum=0
    )
    nocem: tuple[NocemRule, ...] = opt(
        (), "Issuers of NoCeM notices that are heard: one [[news.nocem]] each. Without any, none is."
    )
    nocem_groups: tuple[str, ...] = opt(
        ("news.lists.filters", "alt.nocem.misc"), "Groups in which notices are looked for."
    )
    nocem_keyring: str = opt("", "Keyring of gpgv with the issuers' keys; empty: news.keyring.")
    newsmasters: tuple[str, ...] = opt(
        (), "Accounts that may post newgroup, rmgroup and checkgroups; such messages need Approved as well."
    )

    moderation: str = opt(
        "both",
        "Where articles for moderated groups wait. mail: with the moderator, who gets a letter; queue: in "
        "the folder Moderation/<group> of the account news, which is shared with the moderators (see "
        "`quintet moderate`); both.",
        choices=("mail", "queue", "both"),
    )

    quarantine: str = opt(
        "Quarantine",
        "Folder of the account news where articles that filters hold back lie, shared with the newsmasters.",
    )
    quarantine_days: int = opt(14, "Days after which they are thrown away.", unit="days", minimum=1)
    emp_limit: int = opt(
        0, "Articles with the same text (by a hash of the body) in emp_hours that are too many; 0: any.",
        minimum=0, maximum=100_000,
    )  # fmt: skip
    emp_hours: int = opt(1, "The time in which they are counted.", unit="hours", minimum=1, maximum=168)
    emp_action: str = opt(
        "quarantine", "What becomes of what is too much.", choices=("quarantine", "refuse", "drop")
    )
    emp_least: int = opt(40, "Letters a text must have to be counted.", unit="letters", minimum=1)
    emp_exempt: str = opt(
        "control.*", "Groups in which texts may come again and again: patterns; empty: none."
    )
    emp_table: int = opt(
        65536,
        "Texts remembered at once; 16 bytes each, shared by all workers.",
        minimum=1024,
        maximum=16_777_216,
        reload=False,
    )

    def faults(self) -> list[str]:
        """What cannot be meant, as sentences that name the key; empty when all is well."""
        found = [
            f"news.nocem.{at}.issuer: expected an address, or a part of one"
            for at, each in enumerate(self.nocem)
            if len(each.issuer) < 3
        ]
        for at, rule in enumerate(self.control):
            if not ACTION.fullmatch(rule.action):
                wanted = "doit, drop, log, mail or verify-KEY"
                found.append(f"news.control.{at}.action: expected {wanted}, got {rule.action!r}")
            if not rule.sender.strip() or not rule.newsgroups.strip():
                found.append(f"news.control.{at}: sender and newsgroups must not be empty")
        if not re.fullmatch(r"[\w -]{1,100}", self.quarantine) or self.quarantine == "Moderation":
            found.append(f"news.quarantine: expected the name of a folder, got {self.quarantine!r}")
        if self.emp_exempt and not PATTERNS.fullmatch(self.emp_exempt):
            found.append(f"news.emp_exempt: expected patterns such as local.*, got {self.emp_exempt!r}")
        return found

    @property
    def noticed(self) -> tuple[str, ...]:
        """Groups in which notices are looked for; none when nobody is heard."""
        return self.nocem_groups if self.nocem else ()
