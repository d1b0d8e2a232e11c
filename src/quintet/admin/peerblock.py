"""A peer as text: the block for our configuration, and what an INN on the other side needs.

Pure.  `block` writes TOML that `config.load` reads back to the same peer; `for_inn` is for people, who put
each part into the file that is named above it.
"""

from __future__ import annotations

import dataclasses
import json

from quintet.config.expiry import Expire
from quintet.config.news import ControlRule, NocemRule
from quintet.config.peers import Peer
from quintet.config.readers import Access


def block(one: Peer | Access | Expire | ControlRule | NocemRule, header: str = "[[nntp.peer]]") -> str:
    """The block: every option that is not the default."""
    lines = [header]
    plain = type(one)()
    for each in dataclasses.fields(one):
        value = getattr(one, each.name)
        if value != getattr(plain, each.name):
            lines.append(f"{each.name} = {toml(value)}")
    return "\n".join(lines) + "\n"


def toml(value: object) -> str:
    """A value as it stands in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())} }}"
    # a JSON string is a TOML string, but for DEL
    return (
        json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        if isinstance(value, str)
        else str(value)
    )


def for_inn(peer: Peer, us: str, path_host: str, port: int = 119) -> str:
    """The matching configuration of INN: ``us`` our host name, ``path_host`` our name in Path."""
    short = path_host.split(".", maxsplit=1)[0]
    parts = []
    if peer.feeds:
        parts += [
            "# incoming.conf: what we send to you",
            f"peer {short} {{",
            f'  hostname: "{us}"',
            f'  patterns: "{peer.send}"',
            f"  streaming: {'true' if peer.streaming else 'false'}",
            f"  max-connections: {peer.max_out + 1}",
            *(["  xbatch: true"] if peer.xbatch else []),
            *([f'  # we log in as "{peer.user}"'] if peer.user else []),
            "}",
            "",
        ]
    if peer.takes:
        flags = "Tm"
        if peer.max_size:
            flags = f"<{peer.max_size},{flags}"
        parts += [
            "# newsfeeds: what you send to us, through innfeed, which INN's sample has in a comment:",
            "#   innfeed!:!*:Tc,Wnm*:innfeed",
            f"{short}/{path_host}:{peer.accept}:{flags}:innfeed!",
            "",
            "# innfeed.conf",
            f"peer {short} {{",
            f"  ip-name: {us}",
            *([f"  port-number: {port}"] if port != 119 else []),
            f"  streaming: {'true' if peer.streaming else 'false'}",
            f"  max-connections: {min(peer.max_in, 10)}",
            "}",
            *(["", "# innfeed's passwd.nntp", f"{us}:{peer.accounts[0]}:PASSWORD"] if peer.accounts else []),
            "",
        ]
    return "\n".join(parts)
