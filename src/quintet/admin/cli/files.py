"""The files that a configuration names: whether they can be read, and what is wrong in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quintet.config.root import Config

Read = Callable[[str], object]


def faults(settings: Config) -> list[str]:
    """Sentences that name option and file; none when all is well."""
    found = []
    for option, name, read in _files(settings):
        if not name:
            continue
        try:
            read(Path(name).read_text("utf-8"))
        except OSError as error:
            found.append(f"{option}: {name} cannot be read: {error.strerror}")
        except ValueError as error:
            found.append(f"{option}: {name}: {error}")
    return [*found, *_hooks(settings)]


def _files(settings: Config) -> Iterator[tuple[str, str, Read]]:
    from quintet.delivery import addressmap, contentchecks, relayed, routetables
    from quintet.policy import accesstable

    for at, one in enumerate(settings.policy.access):
        yield f"policy.access.{at}.file", one.file, accesstable.read
    content = settings.policy.content
    for name in ("header_checks", "mime_header_checks", "nested_header_checks", "body_checks"):
        yield f"policy.content.{name}", getattr(content, name), contentchecks.read
    for kind in ("canonical", "sender_canonical", "recipient_canonical", "generic"):
        option = f"{kind}_file"
        yield f"rewrite.{option}", getattr(settings.rewrite, option), addressmap.read
    for name, route in settings.queue.routes.items():
        yield f"queue.routes.{name}.table", route.table, _table(route.table_of, settings.queue.routes)
        yield f"queue.routes.{name}.passwords", route.passwords, routetables.passwords
    yield "smtp.relay_recipients", settings.smtp.relay_recipients, relayed.read
    yield "relay.recipients_file", settings.relay.recipients_file, str
    for at, key in enumerate(settings.dkim):
        yield f"dkim.{at}.key", key.key, str


def _table(kind: str, routes: Collection[str]) -> Read:
    from quintet.delivery import routetables

    def read(text: str) -> None:
        wrong = routetables.mistakes(routetables.of_kind(kind)(text), routes)
        if wrong:
            raise ValueError("; ".join(wrong))

    return read


def _hooks(settings: Config) -> list[str]:
    if not settings.policy.hooks:
        return []
    from quintet.policy.hooks import BadHooks, Hooks

    try:
        Hooks(Path(settings.policy.hooks))
    except BadHooks as error:
        return [f"policy.hooks: {error}"]
    return []
