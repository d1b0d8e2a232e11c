"""Requests of one Execute as a client puts them together, and their answers in place.

Handles are given as numbers that the server has told, or as the `Slot` of a request before in the same batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from quintet.mapi.buffer import Writer, bad
from quintet.mapi.rop import properties, registry, tables
from quintet.mapi.rop.registry import MAX_HANDLES, NO_HANDLE, Answers, Told
from quintet.mapi.types import Tag


@dataclass(slots=True, eq=False)
class Slot:
    """Where a new object's handle will stand; ``handle`` is known once the answers were read."""

    index: int
    handle: int = NO_HANDLE


@dataclass(slots=True, eq=False)
class Step:
    """One request; ``told`` is its answer, None where none came (RopRelease; a buffer that was too small)."""

    body: Any
    handle: int | Slot
    told: Told | None = None
    opens: Slot | None = None

    @property
    def answer(self) -> Any:
        """The fields of its successful answer."""
        return None if self.told is None else self.told.body


@dataclass(slots=True, eq=False)
class Batch:
    """``columns``: those of tables by their handles; `SetColumns` adds to it: keep it for the next batch."""

    logon: int = 0
    columns: dict[int, Sequence[Tag]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    notices: list[Any] = field(default_factory=list)
    _handles: list[int] = field(default_factory=list)
    _slots: dict[int, Slot] = field(default_factory=dict)
    _writer: Writer = field(default_factory=Writer)

    def add(self, body: Any, handle: int | Slot = NO_HANDLE, second: int | Slot = NO_HANDLE) -> Step:
        """Adds a request: of a request class, or the number of an operation that has only a head.

        Raises BadSyntax: more than a batch holds.
        """
        rop = registry.ROPS[body] if isinstance(body, int) else registry.rop_of(body)
        step = Step(body, handle)
        if rop.head in (registry.Head.OUT, registry.Head.LOGON):
            step.opens = self._slot()
            other = step.opens.index
        else:
            other = self._index(second) if second != NO_HANDLE else 0
        index = other if rop.head is registry.Head.LOGON else self._index(handle)
        if rop.head is registry.Head.ECHO and second == NO_HANDLE:
            other = index
        registry.put_request(self._writer, body, self.logon, index, other)
        self.steps.append(step)
        return step

    def _slot(self) -> Slot:
        slot = Slot(len(self._handles))
        self._slots[slot.index] = slot
        self._add(NO_HANDLE)
        return slot

    def _index(self, handle: int | Slot) -> int:
        if isinstance(handle, Slot):
            return handle.index
        if handle in self._handles and handle != NO_HANDLE:
            return self._handles.index(handle)
        self._add(handle)
        return len(self._handles) - 1

    def _add(self, handle: int) -> None:
        if len(self._handles) == MAX_HANDLES:
            raise bad("too many handles in a batch")
        self._handles.append(handle)

    def payload(self) -> bytes:
        """The ROP input buffer.  Raises BadSyntax: too long."""
        return registry.join(self._writer.done(), self._handles)

    def read(self, payload: bytes) -> None:
        """Puts answers to their requests.  Raises BadSyntax: malformed, or answers to something else."""
        asked = [step for step in self.steps if step.body != registry.RELEASE]
        found: dict[int | Slot, Sequence[Tag]] = {}
        found.update(self.columns.items())
        rows: list[Sequence[Tag]] = []
        for step in asked:
            if isinstance(step.body, tables.SetColumns):
                found[step.handle] = step.body.tags
            own = step.body.tags if isinstance(step.body, properties.GetPropertiesSpecific) else None
            rows.append(found.get(step.handle, ()) if own is None else own)
        answers = registry.read_answers(payload, lambda place: rows[place] if place < len(rows) else ())
        self._place(answers, asked)
        for key, tags in found.items():
            self.columns[key.handle if isinstance(key, Slot) else key] = tags

    def _place(self, answers: Answers, asked: Sequence[Step]) -> None:
        told = [one for one in answers.told if isinstance(one, Told)]
        self.notices = [one for one in answers.told if not isinstance(one, Told)]
        if len(told) > len(asked):
            raise bad("more answers than requests")
        for step, one in zip(asked, told, strict=False):
            step.told = one
        for index, slot in self._slots.items():
            if index < len(answers.handles):
                slot.handle = answers.handles[index]
