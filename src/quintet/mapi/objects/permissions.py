"""Access rights of folders: bits here, letters in the store, and both mean the same (MS-OXCPERM, RFC 4314).

What letters cannot tell (editing one's own only, free and busy times) is kept beside them, in `store.access`'
second column of bits; what bits cannot tell stays when they are changed.
"""

from __future__ import annotations

from typing import Final

READ_ANY, CREATE, EDIT_OWNED, DELETE_OWNED = 0x001, 0x002, 0x008, 0x010  # 2.2.7
EDIT_ANY, DELETE_ANY, CREATE_SUBFOLDER, OWNER = 0x020, 0x040, 0x080, 0x100
CONTACT, VISIBLE, FREE_BUSY_SIMPLE, FREE_BUSY_DETAILED = 0x200, 0x400, 0x800, 0x1000

LETTERS: Final = {  # a bit is there when all its letters are
    READ_ANY: "rs",
    CREATE: "i",
    EDIT_ANY: "w",
    DELETE_ANY: "te",
    CREATE_SUBFOLDER: "k",
    OWNER: "ax",
    VISIBLE: "l",
}
IMPLIED: Final = {EDIT_ANY: EDIT_OWNED, DELETE_ANY: DELETE_OWNED}
NO_LETTERS: Final = EDIT_OWNED | DELETE_OWNED | CONTACT | FREE_BUSY_SIMPLE | FREE_BUSY_DETAILED
KNOWN_LETTERS: Final = frozenset("".join(LETTERS.values()))


def of_letters(letters: str, more: int = 0) -> int:
    """The bits that letters mean, with those that no letter tells."""
    found = more & NO_LETTERS
    for bit, needed in LETTERS.items():
        if all(letter in letters for letter in needed):
            found |= bit | IMPLIED.get(bit, 0)
    return found


def to_letters(bits: int, before: str = "") -> str:
    """The letters that bits mean; letters that no bit tells stay as they were ``before``."""
    kept = "".join(letter for letter in before if letter not in KNOWN_LETTERS)
    return kept + "".join(letters for bit, letters in LETTERS.items() if bits & bit)
