"""The administrator's rules of one process: lists, rates and hooks as configured, read again by a reload.

Joins what `policy` has with what `Inbound` takes; answers `quintet policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quintet import log
from quintet.clock import Clock
from quintet.config.policy import Policy, Refuse
from quintet.delivery.checks import Check, Filter
from quintet.delivery.hooking import Hooked
from quintet.delivery.pace import Pace
from quintet.delivery.refusing import Refusing
from quintet.policy.hooks import BadHooks, Hooks
from quintet.policy.rates import Rates
from quintet.store.store import Store

MAX_SHOWN = 500  # buckets in one answer

logger = log.get("policy")


class Rules:
    """See the module.  Raises BadHooks: the hooks file cannot be used."""

    def __init__(self, config: Policy, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._hooks = _hooks(config)
        self._take(config)

    def reload(self, config: Policy) -> bool:
        """Takes a changed configuration, and the file of hooks in any case; True if anything may differ.

        A file that cannot be used is logged, and the rules that were read before stay.
        """
        changed = config != self.config
        before = self._hooks
        try:
            self._hooks = _hooks(config)
        except BadHooks as error:
            logger.error("hooks not taken", text=str(error))  # noqa: TRY400 - a sentence, no traceback
        if not changed and self._hooks is before:
            return False
        self._take(config)
        return True

    def _take(self, config: Policy) -> None:
        self.config = config
        self.rates = Rates(config.rates, self._store.data / "run")
        # lists and rates come first: who is refused by them costs no call of a hook
        self.checks: Sequence[Check] = [
            *([Refusing(config.refuse)] if _refuses(config.refuse) else ()),
            *([Pace(self.rates, self._store, self._clock)] if self.rates.meters else ()),
        ]
        self.filters: Sequence[Filter] = ()
        if self._hooks is not None:
            hooked = Hooked(self._hooks)
            self.checks = (*self.checks, hooked)
            self.filters = (hooked.filter,)

    def hooks(self) -> Hooks | None:
        """The hooks as they were read last."""
        return self._hooks

    # --- for `quintet policy` --------------------------------------------------------------------

    def show(self, name: str = "") -> dict[str, Any]:
        """The limits, how many buckets are in use, and those of ``name`` or of who had to wait lately."""
        now = self._clock.now() / 1000
        if name:
            found = self.rates.find(name, now)
        else:
            levels = [
                meter.level(each, now) for meter in self.rates.meters.values() for each in meter.noted()
            ]
            found = [level for level in levels if level.used > 0]
        limits = [
            {
                "rate": meter.name,
                "limit": meter.limit,
                "window_s": meter.window_s,
                "in_use": meter.busy(now),
            }
            for meter in self.rates.meters.values()
        ]
        return {"limits": limits, "buckets": [asdict(each) for each in found[:MAX_SHOWN]]}

    def reset(self, name: str) -> None:
        """Empties every bucket of a name; with "" of everybody."""
        if name:
            self.rates.reset(name)
        else:
            for meter in self.rates.meters.values():
                meter.clear()
        logger.info("rates reset", name=name)


def _refuses(config: Refuse) -> bool:
    return bool(config.clients or config.helo or config.senders)


def _hooks(config: Policy) -> Hooks | None:
    if not config.hooks:
        return None
    return Hooks(Path(config.hooks), timeout_s=config.hook_timeout_s, failure=config.hook_failure)
