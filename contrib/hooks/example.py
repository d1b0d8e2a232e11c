"""An example of rules of one's own for Quintet; docs/hooks.md explains every line.

Use it by ``[policy] hooks = "/etc/quintet/hooks.py"`` and change it to your needs: each function may be left
out.  After a change: ``quintet reload``.
"""

from quintet.policy.hooks import (
    accept,
    add_header,
    add_score,
    close,
    defer,
    discard,
    file_into,
    quarantine,
    refuse,
    spool,
)

FRIENDS = {"192.0.2.25"}
UNWANTED = ("198.51.100.", "2001:db8:bad:")
RETIRED = {"old@example.org": "new@example.org"}
DANGEROUS = (".exe", ".scr", ".js", ".vbs")
MAX_WITHOUT_TLS = 20  # recipients


def connect(peer):
    """Before the greeting: only the address is known."""
    if peer.address in FRIENDS:
        return accept()  # none of the hooks below is asked about this connection
    if peer.address.startswith(UNWANTED):
        return refuse("We do not talk to your network, see https://example.org/blocked", 554, "5.7.1")
    return None


def helo(peer):
    """EHLO, HELO or LHLO."""
    if peer.helo.lower() in ("localhost", "ylmf-pc"):
        peer.notes["rude"] = True  # kept for the other hooks, for the life of the connection


async def mail(message):
    """MAIL FROM.  An async function may ask a database or a web service; it has [policy] hook_timeout_s."""
    if message.peer.notes.get("rude"):
        return [add_score(3, "rude-helo"), add_header("X-Note", "said localhost in EHLO")]
    if message.sender.endswith("@spam.example"):
        return discard()  # the client hears 250, nobody hears more
    return None


def rcpt(message, recipient):
    """RCPT TO, for each recipient that exists."""
    if recipient.address in RETIRED:
        return refuse(f"Moved to {RETIRED[recipient.address]}", 551, "5.1.6")
    if not message.peer.tls and len(message.recipients) >= MAX_WITHOUT_TLS:
        return defer("Too many recipients for a connection without TLS", 452, "4.5.3")
    return None


def data(message):
    """The message is there, and nothing is acknowledged yet."""
    if message.header("Precedence").lower() == "bulk" and message.header("List-Id"):
        return file_into("Lists", "$Bulk")
    with message.open() as file:
        start = file.read(256 * 1024).lower()
    if any(f'filename="invoice{ending}"'.encode() in start for ending in DANGEROUS):
        return refuse("We take no programs by mail")
    return None


def delivery(message, recipient):
    """Last, for each recipient: local ones have folders, others are sent on."""
    if recipient.local and message.header("Subject").startswith("[test quarantine]"):
        return quarantine()
    return None


def post(article):
    """An article that somebody posts: checked, complete, and not filed yet."""
    if article.header("Subject").isupper():
        return refuse("Please do not shout")
    if len(article.groups) > 5:
        return spool()  # somebody shall look at it, in the group nntp.spool_group
    if "make money fast" in article.header("Subject").lower():
        return close("Not here")
    return add_header("X-Seen-By", "post hook")


def message_id(offer):
    """A Message-ID that another server offers (IHAVE, CHECK, TAKETHIS); offer.feed is its name."""
    if offer.message_id.endswith("@googlegroups.example>"):
        return refuse("We take nothing from there")
    return None


def article(article):
    """Every article, posted here or brought by another server, before it is filed."""
    if article.header("X-No-Archive") and article.feed:
        return None  # nothing that we mind
    if len(article.groups) > 10:
        return refuse("Posted to too many groups")
    if "buy pills" in article.header("Subject").lower():
        return quarantine()  # the group news.quarantine; `quintet moderate held` shows it
    if article.header("From").endswith("@flood.example"):
        return discard()  # taken, as far as its sender sees
    return None


MODES = []


def mode(change):
    """The news service begins or ends; the answer does not matter."""
    MODES.append((change.before, change.now, change.reason))
