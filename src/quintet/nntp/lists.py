"""What there is: LIST in all its kinds, NEWGROUPS, NEWNEWS and XGTITLE.

RFC 3977 7.3, 7.4 and 7.6, RFC 6048 (COUNTS, DISTRIBUTIONS, MODERATORS, MOTD, SUBSCRIPTIONS), RFC 2980 2.4.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason
from quintet.net import dots
from quintet.net.seam import Input, Replies, each
from quintet.nntp import commands
from quintet.nntp.commands import Command
from quintet.nntp.replies import END
from quintet.nntp.wire import Status
from quintet.policy.wildmat import Wildmat, wildmat
from quintet.store import groups
from quintet.store.model import Folder, FolderId
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.nntp.session import Session


# --- a group as a line --------------------------------------------------------------------------


def _active(folder: Folder) -> bytes:
    """RFC 3977 7.6.3: name, high, low, status."""
    return f"{folder.name} {folder.high} {folder.low} {folder.status or 'y'}\r\n".encode()


def _counts(folder: Folder) -> bytes:
    """RFC 6048 2.2: name, high, low, count, status."""
    return f"{folder.name} {folder.high} {folder.low} {folder.messages} {folder.status or 'y'}\r\n".encode()


def _times(folder: Folder) -> bytes:
    """RFC 3977 7.6.4: name, seconds since 1970, who made it."""
    return f"{folder.name} {folder.created_at // 1000} {folder.created_by or 'usenet'}\r\n".encode()


def _description(folder: Folder) -> bytes:
    """RFC 3977 7.6.6; groups without a description are left out."""
    text = groups.described(folder)
    return f"{folder.name}\t{text}\r\n".encode() if text else b""


def _moderator(folder: Folder) -> bytes:
    """RFC 6048 2.4: pattern and address; a per cent sign stands for itself when it is doubled."""
    if folder.status != "m" or not folder.moderator:
        return b""
    return f"{folder.name}:{folder.moderator.replace('%', '%%')}\r\n".encode()


# --- LIST ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """One keyword of LIST."""

    section: str  # with its RFC
    title: str
    groups: Callable[[Folder], bytes] | None = None  # a line a group; takes a wildmat
    text: Callable[[Session, str], Sequence[str]] | None = None  # other lines
    argument: bool = False  # ``text`` takes one
    more: Callable[[Session], Sequence[str]] | None = None  # lines behind those of groups; no wildmat then


def _overview_fmt(session: Session, argument: str) -> Sequence[str]:
    """RFC 3977 8.4.2; readers that never asked for CAPABILITIES (slrn) know only the older names."""
    metadata = (":bytes", ":lines") if session.modern else ("Bytes:", "Lines:")
    return ("Subject:", "From:", "Date:", "Message-ID:", "References:", *metadata, "Xref:full")


def _headers(session: Session, argument: str) -> Sequence[str]:
    """RFC 3977 8.6: any header field, and two metadata items, by number and by Message-ID alike."""
    if argument.upper() not in ("", "MSGID", "RANGE"):
        raise BadSyntax("LIST HEADERS takes MSGID or RANGE")
    return (":", ":bytes", ":lines")


def _distrib_pats(session: Session, argument: str) -> Sequence[str]:
    return session.service.config.distributions


def _distributions(session: Session, argument: str) -> Sequence[str]:
    """RFC 6048 2.3: those that the configuration describes, and what else DISTRIB.PATS can give."""
    config = session.service.config
    names = dict(config.distribution_names)
    for line in config.distributions:
        name = line.rpartition(":")[2]
        if name:
            names.setdefault(name, f"Distribution {name}")
    return [f"{name}\t{' '.join(text.split())}" for name, text in names.items()]


def _templates(session: Session) -> Sequence[str]:
    """RFC 6048 2.4.2: behind the groups with addresses of their own; the first line that matches counts."""
    return session.service.config.moderators


def _motd(session: Session, argument: str) -> Sequence[str]:
    return session.service.config.motd.splitlines()


KINDS: dict[str, Kind] = {
    "ACTIVE": Kind("RFC 3977 7.6.3", "Newsgroups follow", groups=_active),
    "ACTIVE.TIMES": Kind("RFC 3977 7.6.4", "Creation times follow", groups=_times),
    "DISTRIB.PATS": Kind("RFC 3977 7.6.5", "Distribution patterns follow", text=_distrib_pats),
    "NEWSGROUPS": Kind("RFC 3977 7.6.6", "Descriptions follow", groups=_description),
    "OVERVIEW.FMT": Kind("RFC 3977 8.4", "Order of fields in overview database", text=_overview_fmt),
    "HEADERS": Kind("RFC 3977 8.6", "Header fields and metadata items follow", text=_headers, argument=True),
    "COUNTS": Kind("RFC 6048 2.2", "Newsgroups with counts follow", groups=_counts),
    "DISTRIBUTIONS": Kind("RFC 6048 2.3", "Distributions follow", text=_distributions),
    "MODERATORS": Kind("RFC 6048 2.4", "Submission addresses follow", groups=_moderator, more=_templates),
    "MOTD": Kind("RFC 6048 2.5", "Message of the day follows", text=_motd),
    "SUBSCRIPTIONS": Kind("RFC 6048 2.6", "Subscriptions follow"),
}


def list_(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 7.6.1: without a keyword the active groups; 501 for keywords and arguments that are none."""
    keyword = command.args[0].upper() if command.args else "ACTIVE"
    argument = command.args[1] if len(command.args) > 1 else ""
    kind = KINDS.get(keyword)
    if kind is None or len(command.args) > 2:
        raise BadSyntax(f"No LIST {keyword}" if kind is None else "Too many arguments")
    status = Status(215, kind.title)
    if kind.text is not None:
        if argument and not kind.argument:
            raise BadSyntax(f"LIST {keyword} takes no argument")
        return [status, _text(kind.text(session, argument))]
    if argument and kind.more is not None:
        raise BadSyntax(f"LIST {keyword} takes no argument")
    chosen = wildmat(argument) if argument else None
    if kind.groups is None:
        names = session.service.config.subscriptions
        return [status, _text(chosen.only(names) if chosen is not None else names)]
    replies = _with_groups(session, status, kind.groups, chosen)
    return replies if kind.more is None else _and_more(replies, _text(kind.more(session)))


async def _and_more(replies: Replies, text: bytes) -> AsyncGenerator[Any, None]:
    """``text``, with its own end, in place of the end of ``replies``."""
    async with aclosing(each(replies)) as source:
        async for reply in source:
            yield text if reply is END else reply


def _text(lines: Sequence[str]) -> bytes:
    return dots.whole("".join(f"{line}\r\n" for line in lines).encode())


def _with_groups(
    session: Session,
    status: Status,
    render: Callable[[Folder], bytes],
    chosen: Wildmat | None,
    also: Callable[[Folder], bool] | None = None,
) -> Replies:
    """A line a group: at once if the list of groups is in step, else when it is."""
    if session.service.catalog.refresh_at_once():
        return [status, _lines(session, render, chosen, also), END]
    return _refreshed(session, status, render, chosen, also)


async def _refreshed(
    session: Session,
    status: Status,
    render: Callable[[Folder], bytes],
    chosen: Wildmat | None,
    also: Callable[[Folder], bool] | None,
) -> AsyncGenerator[Any, None]:
    await session.service.catalog.refresh()
    yield status
    yield _lines(session, render, chosen, also)
    yield END


def _lines(
    session: Session,
    render: Callable[[Folder], bytes],
    chosen: Wildmat | None,
    also: Callable[[Folder], bool] | None,
) -> bytes:
    catalog = session.service.catalog
    listing = catalog.visible(session.account_id, session.rights)
    if also is None and (chosen is None or chosen.everything):
        return catalog.whole(render, listing)
    folders = listing.groups
    if chosen is not None and not chosen.everything:
        folders = [folder for folder in folders if chosen(folder.name)]
    if also is not None:
        folders = [folder for folder in folders if also(folder)]
    return catalog.lines(render, folders)


def xgtitle(session: Session, command: Command, following: Input) -> Replies:
    """RFC 2980 2.4: LIST NEWSGROUPS by another name and code; without a pattern the current group's."""
    if not command.args and session.group is None:
        return [Status(412, "No newsgroup selected")]
    status = Status(282, "List of groups and descriptions follows")
    if command.args:
        return _with_groups(session, status, _description, wildmat(command.args[0]))
    name = session.group.name if session.group is not None else ""
    return _with_groups(session, status, _description, None, lambda folder: folder.name == name)


# --- what is new --------------------------------------------------------------------------------


def newgroups(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 7.3.  The distributions that RFC 977 had as a further argument are read past."""
    words = [word for word in command.args if not word.startswith("<")]
    since = _since(session, words)
    status = Status(231, "New newsgroups follow")
    return _with_groups(session, status, _active, None, lambda folder: folder.created_at >= since)


def newnews(session: Session, command: Command, following: Input) -> Replies:
    """RFC 3977 7.4: from the log of arrivals, so it costs what it lists."""
    chosen = wildmat(command.args[0])
    since = _since(session, [word for word in command.args[1:] if not word.startswith("<")])
    if not session.service.config.new_news or not session.rights.rule.new_news:
        return [Status(502, "NEWNEWS is switched off here")]
    return _new_articles(session, chosen, since)


async def _new_articles(session: Session, chosen: Wildmat, since: int) -> AsyncGenerator[Any, None]:
    service = session.service
    await service.catalog.refresh()
    seen = service.catalog.visible(session.account_id, session.rights)
    wanted: frozenset[FolderId] | None = None
    if not chosen.everything or not service.catalog.is_all(seen):
        wanted = service.catalog.ids(seen, chosen)
    yield Status(230, "List of new articles follows")
    if wanted is None or wanted:
        pages = service.arrived.pages(since, wanted)
        assert isinstance(pages, AsyncGenerator)
        async with aclosing(pages) as source:
            async for page in source:
                yield page
    yield END


def _since(session: Session, words: Sequence[str]) -> int:
    if len(words) not in (2, 3):
        raise BadSyntax("date, time and maybe GMT", Reason.SYNTAX)
    this_year = int(session.service.clock.now() / 31_556_952_000) + 1970
    return commands.date_time(words[0], words[1], words[2] if len(words) > 2 else "", this_year)
