"""Real and ugly letters: each becomes an item, and what the item becomes says the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.mapi.bag import Bag, Item
from quintet.mapi.convert import bodies, difference, from_mime, merge, names, to_mime
from tests.unit.message.test_corpus import PATHS

pytestmark = pytest.mark.skipif(
    not PATHS, reason="neither the shared corpus nor the interpreter's own is here"
)


def said(item: Item) -> dict[str, object]:
    """What of an item matters to people."""
    return {
        "subject": item.props[names.SUBJECT],
        "from": item.props.get(names.REPRESENTING.smtp),
        "to": [_who(row) for row in item.recipients],
        # HTML alone gets its words as a second form; no body and an empty one are the same
        "plain": _lines(bodies.plain_of(item.props)),
        "html": _lines(item.props.get(names.HTML, b"").decode("latin-1")),
        "attached": [
            (
                one.props[names.ATTACH_LONG_NAME],
                one.props[names.ATTACH_MIME_TAG] if one.item is None else None,
                one.data if isinstance(one.data, bytes) else one.data.read(0, 1 << 30),
                said(one.item) if one.item is not None else None,
            )
            for one in sorted(item.attachments, key=lambda one: str(one.props[names.ATTACH_LONG_NAME]))
        ],
    }


def _who(row: Bag) -> tuple[object, ...]:
    return row[names.RECIPIENT_TYPE], row[names.DISPLAY_NAME], row[names.EMAIL_ADDRESS]


def _lines(text: str | None) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") if text else ""
    return lines.split("\n") if lines else []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_letter_says_the_same_after_two_conversions(path: Path) -> None:
    item = from_mime(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    raw = b"".join(to_mime(item))
    again = from_mime(raw)
    assert said(again) == said(item)
    merged = merge(again, difference(item, again))
    assert said(merged) == said(item)
    texts = {names.BODY, names.HTML}  # whose last line end is nothing that matters
    assert {key: merged.props[key] for key in item.props if key not in texts} == {
        key: value for key, value in item.props.items() if key not in texts
    }
