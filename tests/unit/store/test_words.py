"""The store knows folders, entries, changes and numbers; it never learns a protocol's name."""

import re
from pathlib import Path

import quintet.store

PROTOCOL = re.compile(r"\b(imap\w*|smtp|lmtp|pop3|nntp|mapi)\b", re.IGNORECASE)


def test_no_protocol_is_named_in_the_store() -> None:
    folder = Path(quintet.store.__file__).parent
    files = [*folder.rglob("*.py"), *folder.rglob("*.sql")]
    assert len(files) > 20
    named = [
        f"{path.name}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if PROTOCOL.search(line)
    ]
    assert named == []
