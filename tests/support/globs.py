"""What patterns of stars and question marks mean, by trying all ways."""


def fits(pattern: str, text: str) -> bool:
    """``*`` is anything, ``?`` one character, everything else itself."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and fits(pattern[1:], text[1:])
