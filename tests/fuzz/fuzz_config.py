"""A configuration file of any bytes is a configuration or a list of faults."""

from quintet.config import describe, root
from quintet.config.load import ConfigError

SEEDS: list[bytes] = [
    b"",
    describe.annotated().encode()[:4000],
    b'[smtp]\nmax_message_size = "64 KB"\n[[tls.certificates]]\ncertificate = "a"\n',
    b'[listeners.a]\nprotocol = "imap"\nport = 143\n[queue.routes."x.y"]\nvia = "mx"\n',
    b"a = [[[[1, {b = 2}], '''\n]'''], # ]\n\"\"\"]\"\"\"]\n",
]


def target(data: bytes) -> None:
    """Only ConfigError may come out, and each fault has a text."""
    try:
        root.from_text(data.decode("utf-8", "replace"))
    except ConfigError as error:
        if not all(fault.text for fault in error.faults):
            raise AssertionError("a fault without words") from error
