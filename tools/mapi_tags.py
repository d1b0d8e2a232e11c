"""Writes src/quintet/mapi/tags.tsv from the list of property tags: ``python -m tools.mapi_tags LIST``.

LIST is tab-separated: tag, type, canonical name or "-", other names by commas (mfcmapi's data, MIT licence).
"""

import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src" / "quintet" / "mapi" / "tags.tsv"
HEAD = (
    "# Tag, canonical name, other names. Written by tools/mapi_tags.py from mfcmapi's data (MIT licence).\n"
)


def rows(text: str) -> list[str]:
    """One line a tag that has any name, in the order of tags."""
    found = []
    for line in text.splitlines():
        if not line.startswith("0x"):
            continue
        tag, _, canonical, others = (*line.split("\t"), "")[:4]
        names = [name for name in others.split(",") if name.startswith("PR_")]
        if canonical != "-" or names:
            found.append(f"{int(tag, 16):08X}\t{canonical.removeprefix('-')}\t{','.join(names)}\n")
    return sorted(found)


if __name__ == "__main__":
    TARGET.write_text(HEAD + "".join(rows(Path(sys.argv[1]).read_text("utf-8"))), "utf-8")
