"""One demo letter or article as data, and how it becomes RFC 5322 bytes."""

from __future__ import annotations

from quintet.message import build, headers
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """A letter (``folder`` of ``owner``) or an article (``groups``).

    ``key`` makes the Message-ID, so that an item that is there already is not added again;
    ``answers`` are the keys of what it replies to, oldest first; ``age_h`` is hours before now.
    """

    key: str
    sender: str
    subject: str
    text: str
    age_h: float
    to: str = ""
    cc: str = ""
    owner: str = "alice@example.org"
    folder: str = "INBOX"
    groups: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    html: str = ""
    attachments: tuple[build.Attachment, ...] = ()
    flags: int = 0
    keywords: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def message_id(self) -> str:
        return identity(self.key)

    def octets(self, now: int) -> bytes:
        """The message as it would have come ``age_h`` hours before ``now`` (ms, UTC)."""
        fields = [("Date", headers.format_date(self.sent_at(now))), ("From", self.sender)]
        if self.to:
            fields.append(("To", self.to))
        if self.cc:
            fields.append(("Cc", self.cc))
        if self.groups:
            fields.append(("Newsgroups", ",".join(self.groups)))
        fields += [("Subject", self.subject), ("Message-ID", self.message_id)]
        if self.answers:
            fields.append(("References", " ".join(map(identity, self.answers))))
            if not self.groups:
                fields.append(("In-Reply-To", identity(self.answers[-1])))
        fields += self.extra
        return build.compose(fields, self.text, self.attachments, html=self.html)

    def sent_at(self, now: int) -> int:
        """Milliseconds, UTC, whole seconds."""
        return (now - round(self.age_h * 3_600_000)) // 1000 * 1000


def identity(key: str) -> str:
    """The Message-ID of an item."""
    return f"<{key}@demo.example.org>"
