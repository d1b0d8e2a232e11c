"""What addresses are called here: as they are written, unless `rewriting` knows better."""

from __future__ import annotations

from quintet.delivery.envelope import Mailbox


class Names:
    """Without `[rewrite]`."""

    plain = True  # nothing is called anything else

    def recipient(self, address: Mailbox) -> Mailbox:
        """At RCPT.  Raises TryLater(STORAGE)."""
        return address

    def sender(self, address: Mailbox) -> Mailbox:
        """Of the envelope.  Raises TryLater(STORAGE)."""
        return address

    def author(self, address: Mailbox) -> Mailbox:
        """Of From and its kin, in mail of our own.  Raises TryLater(STORAGE)."""
        return address
