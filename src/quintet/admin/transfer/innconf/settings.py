"""inn.conf as our options: a table of parameters, and words for those that have no counterpart.

Pure.  What only says how INN itself works (buffers, files, caches, logs) is passed over in silence: there is
nothing to choose here, or it is done without being asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from quintet.admin.transfer.innconf import syntax
from quintet.admin.transfer.innconf.syntax import Block

UNLIMITED = 256 * 1024 * 1024  # bytes, where INN's "0" is no limit
ANY_AGE = 36500  # days, where a poster's Date may be of any age
LEAST = 10_000  # bytes: the smallest limit that `config.nntp` takes
LEAST_SILENCE = 180  # s

Value = object


def _size(text: str) -> Value:
    return max(int(text), LEAST) or UNLIMITED if text != "0" else UNLIMITED


# parameter: where it goes, and what makes its value
OPTIONS: dict[str, tuple[str, Callable[[str], Value]]] = {
    "pathhost": ("nntp.path_host", str),
    "complaints": ("nntp.complaints_to", str),
    "maxartsize": ("nntp.max_peer_article", _size),
    "localmaxartsize": ("nntp.max_article_size", _size),
    "verifygroups": ("nntp.verify_groups", syntax.true),
    "wanttrash": ("nntp.want_junk", syntax.true),
    "linecountfuzz": ("nntp.lines_fuzz", int),
    "strippostcc": ("nntp.strip_mail_fields", syntax.true),
    "checkincludedtext": ("nntp.check_quoting", syntax.true),
    "nnrpdauthsender": ("nntp.sender", syntax.true),
    "addinjectionpostinghost": ("nntp.posting_host", syntax.true),
    "addinjectionpostingaccount": ("nntp.posting_account", syntax.true),
    "allownewnews": ("nntp.new_news", syntax.true),
    "clienttimeout": ("nntp.timeout_s", lambda text: max(float(text), LEAST_SILENCE)),
    "wipexpire": ("nntp.offer_hold_s", lambda text: max(float(text), 1.0)),
    "docancels": ("news.docancels", str),
}

# parameter: the value of which nothing need be said, and what is said of others
WITHOUT: dict[str, tuple[str, str]] = {
    "pathalias": ("", "a second name in Path is not added"),
    "pathcluster": ("", "one name for several servers is not added"),
    "nnrpdposthost": ("", "what readers post is not handed on to another server; it is filed here and fed"),
    "nfsreader": ("false", "several machines over one spool are not known; workers of one machine are"),
    "nfswriter": ("false", "several machines over one spool are not known; workers of one machine are"),
    "noreader": ("false", "give no [[nntp.access]] anything to read, or keep readers from the port"),
    "keywords": ("false", "no Keywords are made; the text of all articles is searched"),
    "addinjectiondate": ("true", "Injection-Date is always added"),
    "readertrack": ("false", "who reads what is not logged; `quintet trace` tells of single articles"),
    "dontrejectfiltered": ("false", "what filters hold back lies in quarantine: `quintet moderate held`"),
    "pgpverify": ("true", "a signature is always checked where a rule names a key"),
    "laxmid": ("false", "a wrong Message-ID is refused"),
    "immediatecancel": ("false", "cancelled articles are gone at once in any case"),
    "ignorenewsgroups": ("false", "control messages are filed by their Newsgroups"),
    "mergetogroups": ("false", "articles of to.SITE are not filed in one group"),
    "refusecybercancels": ("false", "cancels are judged by news.docancels, not by their Message-ID"),
    "extraoverviewadvertised": ("", "what stands in the overview cannot be chosen"),
    "extraoverviewhidden": ("", "what stands in the overview cannot be chosen"),
    "bindaddress6": ("", "one listener has one address: write a second one"),
}


@dataclass(slots=True)
class Settings:
    """What the file says."""

    options: dict[str, Value] = field(default_factory=dict)  # by dotted key
    domain: str = ""
    newsmaster: str = ""
    moderator: str = ""  # moderatormailer: the address of groups that no line of moderators fits
    port: int = 119
    address: str = "*"
    by_group: bool = True
    new_news: bool = True
    backoff_after: int = 0
    backoff_forget_s: float = 60.0
    numbers_from_peer: bool = False  # xrefslave
    certificate: tuple[str, str] = ("", "")
    notes: list[str] = field(default_factory=list)


def read(conf: Block) -> Settings:
    """All of it.  Raises ValueError: a number that is none."""
    found = Settings()
    for key, (option, made) in OPTIONS.items():
        text = conf.get(key)
        if text:
            try:
                found.options[option] = made(text)
            except ValueError:
                raise ValueError(f"inn.conf: {key}: expected a number, got {text[:20]!r}") from None
    for key, (usual, words) in WITHOUT.items():
        text = conf.get(key)
        if text and text != usual:
            found.notes.append(f"inn.conf {key}: {words}")
    _rest(conf, found)
    return found


def _rest(conf: Block, found: Settings) -> None:
    host = conf.get("pathhost")
    found.domain = conf.get("domain") or re.sub(r"^[^.]+\.(?=[^.]+\.)", "", host)
    if "." in host:
        found.options["server.hostname"] = host
    organization = conf.get("organization")
    if organization and "poorly-installed" not in organization:
        found.options["nntp.organization"] = organization
    _ages(conf, found)
    master = conf.get("newsmaster", "")
    if master:
        found.newsmaster = master if "@" in master else f"{master}@{conf.get('fromhost') or found.domain}"
        found.options["news.newsmaster"] = found.newsmaster
    found.moderator = conf.get("moderatormailer")
    found.port = int(conf.get("port") or 119)
    found.address = conf.get("bindaddress").replace("all", "*") or "*"
    found.by_group = syntax.true(conf.get("groupbaseexpiry", "true"))
    found.new_news = syntax.true(conf.get("allownewnews", "true"))
    found.numbers_from_peer = syntax.true(conf.get("xrefslave"))
    if int(conf.get("backoffpostslow") or 1) > 1:
        found.backoff_after = int(conf.get("backofftrigger") or 10_000)
        found.backoff_forget_s = max(float(conf.get("backoffpostfast") or 0), 1.0)
    if conf.get("tlscertfile"):
        found.certificate = (conf.get("tlscertfile"), conf.get("tlskeyfile"))


def _ages(conf: Block, found: Settings) -> None:
    """artcutoff holds for peers and posters; 0 is any age."""
    text = conf.get("artcutoff")
    if text:
        found.options["nntp.max_peer_age_days"] = int(text)
        found.options["nntp.max_age_days"] = int(text) or ANY_AGE
