"""What a sender wants to be told about a recipient, and what of it goes on to those who stand for it.

Pure: the rules of RFC 3461 4.1 and 5.2 as functions.  ``notify`` is what stands in `Recipient.notify` and in
``queue_recipient.params``: "never", or any of "success", "failure", "delay"; nothing when it was not said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SUCCESS = "success"
FAILURE = "failure"
DELAY = "delay"
NEVER = "never"

_USUAL = (FAILURE, DELAY)  # RFC 3461 4.1: when nothing was said; 5.2.5 (b), 5.2.6 (c)


def wanted(notify: Sequence[str], what: str) -> bool:
    """Whether a report about ``what`` may be sent: `SUCCESS`, `FAILURE` or `DELAY`."""
    return what in (notify or _USUAL)


def inherited(notify: Sequence[str], members: int, mailing_list: bool = False) -> tuple[str, ...]:
    """What those are asked for who stand for an address, RFC 3461 5.2.7.

    One of them has all of it (5.2.7.2); several have all but success, which the "expanded" report answers
    (5.2.7.3 c); the subscribers of a list have nothing, for the list's owner is their sender (5.2.7.1 b).
    """
    if mailing_list:
        return ()
    if members == 1 or SUCCESS not in notify:
        return tuple(notify)
    # without a word the default would hold, and tell of what the sender did not ask for
    return tuple(word for word in notify if word != SUCCESS) or (NEVER,)


def parameters(notify: Sequence[str], orcpt: str) -> dict[str, object]:
    """The two as a queue row keeps them; what was not said is left out."""
    kept: dict[str, object] = {}
    if notify:
        kept["notify"] = list(notify)
    if orcpt:
        kept["orcpt"] = orcpt
    return kept


def kept(params: Mapping[str, Any]) -> tuple[str, ...]:  # Any: JSON
    """NOTIFY of a queue row's parameters."""
    return tuple(str(word) for word in params.get("notify") or ())
