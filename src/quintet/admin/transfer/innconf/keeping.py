"""expire.ctl, storage.conf and cycbuff.conf as our rules of expiry.

Pure.  In expire.ctl the last line that fits counts, here the first block: they come in the opposite order.
How articles are stored is nothing to choose here, but what a cyclic buffer held was bounded by its size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from quintet.admin.transfer.innconf import syntax
from quintet.admin.transfer.innconf.syntax import Block
from quintet.config.expiry import Expire

AT_ONCE = 0.04  # days: "0" of INN's is "at the next run", ours would be "for ever"
FOREVER = 36500.0  # days, where a minimum is "never"


@dataclass(slots=True)
class Keeping:
    """What the files say."""

    expire: list[Expire] = field(default_factory=list)
    history_days: int = 0  # 0: nothing is said
    notes: list[str] = field(default_factory=list)


def read(expire: str, storage: Block, cycbuff: str, by_group: bool) -> Keeping:
    """All rules.  ``by_group`` is groupbaseexpiry of inn.conf.

    Raises ValueError: a line of expire.ctl that cannot be read.
    """
    found = Keeping()
    buffers = _buffers(cycbuff)
    for method in storage.blocks:
        if method.name == "cnfs":
            size = buffers.get(method.get("options"), 0)
            if size:
                found.expire.append(replace(_stored(method), total_bytes=size))
    classes = [(each.get("class"), _stored(each)) for each in storage.blocks]
    rules: list[Expire] = []
    for line in syntax.lines(expire):
        fields = line.split(":")
        if fields[0] == "/remember/":
            days = _days(fields[1] if len(fields) > 1 else "")
            found.history_days = round(FOREVER) if days is None else max(1, round(days + 0.49))
        elif by_group and len(fields) == 5:
            rules.append(_by_group(fields))
        elif not by_group and len(fields) == 4:
            rules += _by_class(fields, classes)
        else:
            raise ValueError(f"expected {5 if by_group else 4} fields, got {line[:60]}")
    found.expire += reversed(rules)
    if any(each.name == "trash" for each in storage.blocks):
        found.notes.append("storage.conf: trash: what is not wanted is refused, by accept of the peers")
    if any(each.get("filtered") for each in storage.blocks):
        found.notes.append("storage.conf: filtered: what filters hold back lies in quarantine")
    return found


def _by_group(fields: Sequence[str]) -> Expire:
    pattern, flags, *times = fields
    status = "moderated" if "M" in flags else "unmoderated" if "U" in flags else "any"
    block = Expire(groups=list(syntax.comma(pattern)), status=status, everywhere="X" in flags)
    return _timed(block, times)


def _by_class(fields: Sequence[str], classes: Sequence[tuple[str, Expire]]) -> list[Expire]:
    """One for each kind of article of the class; the last one here is asked first."""
    number, *times = fields
    if number == "*":
        return [_timed(Expire(everywhere=True), times)]
    wanted = [replace(block, everywhere=True) for name, block in classes if name == number]
    return [_timed(block, times) for block in reversed(wanted)]


def _timed(block: Expire, times: Sequence[str]) -> Expire:
    least, usual, most = (_days(each) for each in times)
    if least is None:  # never, whatever the rest says
        return replace(block, minimum=FOREVER)
    maximum = 0.0 if most is None else max(most, AT_ONCE)
    default = 0.0 if usual is None else max(usual, AT_ONCE)
    if maximum and (default > maximum):
        default = maximum
    limits = [each for each in (default, maximum) if each]
    return replace(block, minimum=min([least, *limits]), default=default, maximum=maximum)


def _days(text: str) -> float | None:
    """None for "never".  Raises ValueError."""
    if text.strip() == "never":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected days, or never, got {text[:20]!r}") from None


def _stored(method: Block) -> Expire:
    """Which articles storage.conf puts there."""
    low, _, high = method.get("size").partition(",")
    expires = method.get("expires")
    patterns = [f"!{each[1:]}" if each[0] == "@" else each for each in syntax.comma(method.get("newsgroups"))]
    return Expire(
        groups=patterns or ["*"],
        min_size=int(low) if low.isdigit() else 0,
        max_size=int(high) if high.strip().isdigit() else 0,
        with_expires="yes" if expires and not re.match(r"0s?(,0s?)?\Z", expires) else "any",
    )


def _buffers(cycbuff: str) -> dict[str, int]:
    """Bytes of each metacycbuff."""
    sizes: dict[str, int] = {}
    found: dict[str, int] = {}
    for line in syntax.lines(cycbuff):
        kind, *fields = line.split(":")
        if kind == "cycbuff" and len(fields) >= 3 and fields[-1].isdigit():
            sizes[fields[0]] = int(fields[-1]) * 1024
        elif kind == "metacycbuff" and len(fields) >= 2:
            found[fields[0]] = sum(sizes.get(each, 0) for each in syntax.comma(fields[1]))
    return found
