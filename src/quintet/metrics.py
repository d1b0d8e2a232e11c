"""Every metric's name, in one list (Prometheus exposition by `prometheus_client`).

Rooms add theirs here and use them as ``metrics.CONNECTIONS.labels("imap").inc()``.  Labels hold a few
known words only: a listener, a protocol, a reason; never an address or an account.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"quintet_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"quintet_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _FAST) -> Histogram:
    return Histogram(f"quintet_{name}", text, labels, buckets=buckets, registry=REGISTRY)


# net
CONNECTIONS = _counter("connections", "Connections taken", "listener")
OPEN = _gauge("connections_open", "Connections that are open", "listener")
REFUSED = _counter("connections_refused", "Connections turned away at the door", "listener", "reason")
TIMEOUTS = _counter("timeouts", "Connections ended after too long a silence", "listener")
BUGS = _counter("bugs", "Exceptions outside the problem families: please report", "listener")
TLS = _counter("tls_handshakes", "TLS handshakes", "listener", "result")
DNS = _counter("dns_queries", "Questions to the name service", "result")

# auth
LOGINS = _counter("logins", "Attempts to log in", "protocol", "result")

# pop3
OPENED = _counter("folders_opened", "Folders opened by clients", "protocol")
POP3_RETRIEVED = _counter("pop3_messages", "Messages sent by RETR and TOP", "command")

# smtp and delivery
MAIL_IN = _counter("mail_accepted", "Messages taken", "protocol")
MAIL_REFUSED = _counter("mail_refused", "Commands and messages refused, by reply code", "listener", "code")
MAIL_TO = _counter("mail_recipients", "Recipients of messages taken", "result")
MAIL_OUT = _counter("mail_sent", "Recipients tried by the queue", "result")
LINKS = _gauge("mail_links", "Connections out that are open")

# policy
RATED = _counter("rate_refused", "Commands put off because a rate was reached", "rate")
ALERTS = _counter("rate_alerts", "Accounts found near their limit", "rate")
HOOKS = _counter("hooks", "Calls of an administrator's hooks", "hook", "result")

# nntp and posting
ARTICLES_IN = _counter("articles_in", "Articles offered by posters", "result")
PEER_IN = _counter("peer_articles_in", "Articles that peers sent", "peer", "result")
SCREENED = _counter("articles_screened", "Articles that filters did not let pass", "result")
CONTROL = _counter("control", "Group control messages worked on", "verb", "result")
PEER_OUT = _counter("peer_articles_out", "Articles offered and sent to peers", "peer", "result")
NNTP_COMMANDS = _counter("nntp_commands", "Commands of news readers", "command")

# imap
IMAP_COMMANDS = _counter("imap_commands", "Commands that were understood", "command")


def exposition() -> bytes:
    """All metrics in the text format of Prometheus."""
    return generate_latest(REGISTRY)
