"""What the checks found about a connection or a message: values only, known to every step.

A `Finding` is one method's result as Authentication-Results tells it (RFC 8601 2.2, 2.7); a `Verdict`
gathers findings and points.  Who makes them is `delivery.checks`', how they are written `delivery.authres`',
what follows from a score `delivery.weighing`'s.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.envelope import Envelope
    from quintet.net.seam import Peer


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one method."""

    method: str  # "spf", "dkim", "dmarc", "arc", "iprev", "auth": RFC 8601 2.7
    result: str  # "pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy"
    properties: tuple[tuple[str, str], ...] = ()  # ("smtp.mailfrom", "a@example.net"): RFC 8601 2.3
    reason: str = ""  # for people


class Note(Protocol):
    """What a check keeps; copied when a connection's becomes a message's."""

    def copy(self) -> Note: ...


@dataclass(slots=True)
class Verdict:
    """Findings in the order in which they were made, and points by the name of the test that gave them."""

    findings: list[Finding] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)  # positive: suspicious
    fields: list[bytes] = field(default_factory=list)  # whole header lines with CRLF, to stand on top
    notes: dict[str, Note] = field(default_factory=dict)  # what a check keeps for its own later calls

    @property
    def results(self) -> dict[str, str]:
        """The results by method; of several, the first ("dkim": "pass")."""
        told: dict[str, str] = {}
        for finding in self.findings:
            told.setdefault(finding.method, finding.result)
        return told

    @property
    def score(self) -> float:
        """All points together."""
        return sum(self.points.values())

    def add(self, method: str, result: str, reason: str = "", **properties: str) -> None:
        """Notes one result; ``smtp_mailfrom="a@b"`` is the property smtp.mailfrom."""
        pairs = tuple((name.replace("_", ".", 1), value) for name, value in properties.items())
        self.findings.append(Finding(method, result, pairs, reason))

    def copy(self) -> Verdict:
        """One that may grow by itself: a connection's for each of its messages."""
        notes = {name: note.copy() for name, note in self.notes.items()}
        return Verdict(list(self.findings), dict(self.points), list(self.fields), notes)

    @property
    def empty(self) -> bool:
        return not (self.findings or self.points or self.fields)


def of_peer(peer: Peer) -> Verdict:
    """The connection's own."""
    verdict: Verdict | None = peer.notes.get("verdict")
    if verdict is None:
        verdict = peer.notes["verdict"] = Verdict()
    return verdict


def of_message(envelope: Envelope) -> Verdict:
    """The message's own, which begins with what was found about its connection."""
    if envelope.verdict is None:
        found: Verdict | None = envelope.peer.notes.get("verdict")
        envelope.verdict = found.copy() if found is not None else Verdict()
    return envelope.verdict
