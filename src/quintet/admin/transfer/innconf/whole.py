"""A folder of INN's configuration (pathetc) as the text of a quintet.toml, and what it cannot say.

Files that are not there are as empty ones.  The text is checked as any configuration is, so what comes out
can be served.  Files that stay INN's (control.ctl, keyrings, certificates) are named where they lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from quintet.admin import peerblock
from quintet.admin.transfer.innconf import keeping, peers, readers, settings, syntax
from quintet.admin.transfer.innconf.settings import Settings, Value
from quintet.admin.transfer.innconf.syntax import Block
from quintet.auth import foreign
from quintet.config import root
from quintet.config.news import ControlRule, NocemRule
from quintet.delivery.control import ctl

MAX_FILE = 16 * 1024 * 1024  # bytes of one file of INN's
FILTERS = ("filter_innd.pl", "filter_innd.py", "filter_nnrpd.pl", "nnrpd.py", "cleanfeed.local")
STOCK = "rone's unified control.ctl"  # stands at the head of ISC's
SHORTEST = 3  # characters of an issuer that `config.news` takes
_PASSWORDS = re.compile(r"\bckpasswd\b.*?\s-f\s*(\S+)")
HEAD = "# What INN's files in {folder} said. `quintet config describe NAME` explains each option.\n"


@dataclass(slots=True)
class Whole:
    """The result."""

    text: str = ""
    notes: list[str] = field(default_factory=list)
    db: Path = Path("/var/lib/news")  # pathdb of inn.conf
    spool: Path = Path("/var/spool/news")  # pathspool
    accounts: list[tuple[str, str]] = field(default_factory=list)  # name, and {CRYPT}hash
    peers: int = 0
    access: int = 0
    expire: int = 0


def read(folder: Path) -> Whole:
    """Everything below pathetc.

    Raises:
        OSError: there is no inn.conf, or a file cannot be read.
        ValueError: a file is not of its grammar; the text names it.
        ConfigError: what was made is not accepted, which is our fault.
    """
    return _Reading(folder).run()


class _Reading:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: dict[str, Value] = {}
        self._blocks: list[str] = []
        self._found = Whole()

    def run(self) -> Whole:
        parsed = self._parsed("inn.conf", needed=True)
        conf = settings.read(parsed)
        self._found.db = Path(parsed.get("pathdb") or self._found.db)
        self._found.spool = Path(parsed.get("pathspool") or self._found.spool)
        self._options.update(conf.options)
        self._found.notes += conf.notes
        self._listeners(conf)
        self._peers(conf)
        self._readers(conf)
        self._keeping(conf)
        self._lists(conf)
        self._control()
        self._nocem()
        self._left()
        self._found.text = self._text()
        root.from_text(self._found.text, "quintet.toml", self._folder)
        return self._found

    # --- files ----------------------------------------------------------------------------------

    def _raw(self, name: str, needed: bool = False) -> str:
        path = self._folder / name
        if not needed and not path.exists():
            return ""
        if path.stat().st_size > MAX_FILE:
            raise ValueError(f"{path}: longer than {MAX_FILE} bytes")
        return path.read_bytes().decode("utf-8", "replace")

    def _parsed(self, name: str, needed: bool = False) -> Block:
        try:
            return syntax.blocks(self._raw(name, needed), self._raw)
        except ValueError as error:
            raise ValueError(f"{self._folder / name}: {error}") from None

    def _lines(self, name: str) -> list[str]:
        return list(syntax.lines(self._raw(name)))

    # --- sections -------------------------------------------------------------------------------

    def _listeners(self, conf: Settings) -> None:
        self._set("auth.default_domain", conf.domain)
        for name, port, tls in (("nntp", conf.port, "starttls"), ("nntps", 563, "implicit")):
            self._options |= {
                f"listeners.{name}.protocol": "nntp",
                f"listeners.{name}.port": port,
                f"listeners.{name}.tls": tls,
                f"listeners.{name}.address": conf.address,
            }
        certificate, key = conf.certificate
        if certificate:
            more = f"key = {peerblock.toml(key)}\n" if key else ""
            self._blocks.append(f"[[tls.certificates]]\ncertificate = {peerblock.toml(certificate)}\n{more}")

    def _peers(self, conf: Settings) -> None:
        texts = peers.Files(
            self._raw("newsfeeds"), self._parsed("incoming.conf"), self._parsed("innfeed.conf"),
            self._raw("nntpsend.ctl"), self._raw("passwd.nntp"),
        )  # fmt: skip
        try:
            found = peers.read(texts, conf.domain)
        except ValueError as error:
            raise ValueError(f"{self._folder}: newsfeeds, incoming.conf or innfeed.conf: {error}") from None
        self._found.notes += found.notes
        self._found.peers = len(found.peers)
        self._set("nntp.exclude", found.exclude)
        self._set("nntp.take_distributions", found.distributions)
        self._set("news.nocem_groups", found.nocem_groups)
        for site, groups in found.mailed:
            self._found.notes.append(
                f"newsfeeds {site}: goes to a mailing list: write a [[gateway]] for {groups}, or a list with"
                " `quintet list`"
            )
        self._blocks += [peerblock.block(each) for each in found.peers]
        if conf.numbers_from_peer:
            self._found.notes.append("inn.conf xrefslave: say in nntp.numbers_from whose numbers are taken")

    def _readers(self, conf: Settings) -> None:
        backoff = readers.Backoff(conf.backoff_after, conf.backoff_forget_s)
        found = readers.read(self._parsed("readers.conf"), conf.domain, conf.new_news, backoff)
        self._found.notes += found.notes
        self._found.access = len(found.access)
        self._set("nntp.cancel_lock", "address" if found.locks_by_address else "")
        self._blocks += [peerblock.block(each, "[[nntp.access]]") for each in found.access]
        if not found.access:  # INN without a rule lets nobody in
            self._options["nntp.read"], self._options["nntp.post"] = "authenticated", "authenticated"
        for command, domain in dict.fromkeys(found.programs):
            self._accounts(command, domain)

    def _accounts(self, command: str, domain: str) -> None:
        """Users of a file of ckpasswd's whose hashes are understood, and notes about all others."""
        file = _PASSWORDS.search(command)
        text = ""
        if file is not None:
            try:
                text = Path(file[1]).read_text("utf-8", "replace")
            except OSError as error:
                self._found.notes.append(f"readers.conf: {file[1]}: {error.strerror}")
        pairs = [line.split(":") for line in syntax.lines(text)]
        users = [
            (f"{each[0]}@{domain}", f"{{CRYPT}}{each[1]}") for each in pairs if len(each) > 1 and each[0]
        ]
        taken = [(name, hashed) for name, hashed in users if foreign.understood(hashed)]
        self._found.accounts += taken
        if len(taken) < len(users) or not users:
            whose = f"{len(users) - len(taken)} of {len(users)} users" if users else "users"
            self._found.notes.append(
                f"readers.conf: {command}: {whose} need new passwords: `quintet account add NAME@{domain}`"
            )

    def _keeping(self, conf: Settings) -> None:
        try:
            found = keeping.read(
                self._raw("expire.ctl"),
                self._parsed("storage.conf"),
                self._raw("cycbuff.conf"),
                conf.by_group,
            )
        except ValueError as error:
            raise ValueError(f"{self._folder / 'expire.ctl'}: {error}") from None
        self._found.notes += found.notes
        self._found.expire = len(found.expire)
        self._set("store.history_days", found.history_days)
        self._blocks += [peerblock.block(each, "[[expire]]") for each in found.expire]

    def _lists(self, conf: Settings) -> None:
        """Files of which each line is a value."""
        moderators = self._lines("moderators") + ([f"*:{conf.moderator}"] if conf.moderator else [])
        self._set("nntp.moderators", tuple(moderators))
        self._set("nntp.distributions", tuple(self._lines("distrib.pats")))
        self._set("nntp.subscriptions", tuple(self._lines("subscriptions")))
        names = [line.split(None, 1) for line in self._lines("distributions")]
        self._set("nntp.distribution_names", {each[0]: each[-1].strip() for each in names if len(each) == 2})
        motd = self._raw("motd.nnrpd") or self._raw("motd.news")
        self._set("nntp.motd", motd.strip())

    def _control(self) -> None:
        """The shipped rules stand for ISC's control.ctl: they make no group on the word of a From line."""
        for name in ("pgp/pubring.gpg", "pgp/pubring.kbx"):
            if (self._folder / name).exists():
                self._set("news.keyring", str(self._folder.absolute() / name))
                break
        text = self._raw("control.ctl")
        own = self._rules("control.ctl.local")
        if self._rules("control.ctl").rules:
            place = str(self._folder.absolute() / "control.ctl")
            if STOCK in text:
                self._found.notes.append(
                    "control.ctl: ISC's own; our rules about the same hierarchies hold, which never act on a"
                    f" mere From line. To have INN's: news.well_known = false, news.control_file = {place}"
                )
            else:
                self._options |= {"news.control_file": place, "news.well_known": False}
                self._found.notes.append("control.ctl: is read where it lies (news.control_file); keep it")
        for rule in own.rules:
            one = ControlRule(rule.message, rule.sender, rule.newsgroups, str(rule.action))
            self._blocks.append(peerblock.block(one, "[[news.control]]"))
        for pattern, most in own.changes:
            if pattern == "*":
                self._options["news.max_checkgroups"] = most
            else:
                self._found.notes.append(f"control.ctl.local: /maxdocheckgroups/ of {pattern} alone")
        if own.charsets:
            self._found.notes.append("control.ctl.local: /encoding/: put these lines into news.control_file")

    def _rules(self, name: str) -> ctl.Rules:
        try:
            return ctl.parse(self._raw(name))
        except ctl.BadRule as error:
            raise ValueError(f"{self._folder / name}: {error}") from None

    def _nocem(self) -> None:
        keyring = self._folder / "pgp/ncmring.gpg"
        if not keyring.exists():
            if self._lines("nocem.ctl"):
                self._found.notes.append(
                    "nocem.ctl: there is no pgp/ncmring.gpg: nobody's notices could be checked, there or here"
                )
            return
        self._set("news.nocem_keyring", str(keyring.absolute()))
        for line in self._lines("nocem.ctl"):
            issuer, _, types = line.partition(":")
            if len(issuer.strip()) < SHORTEST:
                self._found.notes.append(f"nocem.ctl: {line}: name an issuer; nobody is heard without a name")
                continue
            rule = NocemRule(issuer.strip(), syntax.comma(types) or ("*",))
            self._blocks.append(peerblock.block(rule, "[[news.nocem]]"))

    def _left(self) -> None:
        """Files of which nothing is taken over."""
        notes = self._found.notes
        secrets = self._parsed("inn-secrets.conf")
        if any(value for block in secrets.blocks for _, value in block.values):
            notes.append(
                "inn-secrets.conf: locks of articles posted before the move are checked, but keys for them"
                " are not made here: their posters cannot take them back"
            )
        filters = [name for name in FILTERS if (self._folder / "filter" / name).exists()]
        if filters:
            notes.append(f"filter: {', '.join(filters)}: write what they decide as hooks (docs/hooks.md)")
        if self._lines("localgroups"):
            notes.append("localgroups: say which groups no checkgroups may remove by rules in news.control")
        if self._lines("nnrpd.track"):
            notes.append("nnrpd.track: who reads what is not logged")
        if self._lines("actsync.cfg"):
            notes.append("actsync.cfg: `quintet actsync` takes the same by its options; let cron run it")

    # --- text -----------------------------------------------------------------------------------

    def _set(self, key: str, value: Value) -> None:
        if value:
            self._options[key] = value

    def _text(self) -> str:
        notes = "".join(f"# - {note}\n" for note in self._found.notes)
        parts = [HEAD.format(folder=self._folder) + (f"# Not taken over:\n{notes}" if notes else "")]
        tables: dict[str, list[str]] = {}
        for key, value in self._options.items():
            if _is_usual(key, value):
                continue
            section, _, name = key.rpartition(".")
            tables.setdefault(section, []).append(f"{name} = {peerblock.toml(value)}\n")
        parts += [f"[{section}]\n{''.join(rows)}" for section, rows in sorted(tables.items())]
        return "\n".join([*parts, *self._blocks])


def _is_usual(key: str, value: Value) -> bool:
    """It would be so without being said."""
    at: object = root.Config()
    for name in key.split("."):
        at = getattr(at, name, None)
    return at == value and not key.startswith("listeners.")
