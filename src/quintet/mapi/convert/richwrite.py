"""RTF that encapsulates HTML or plain text (MS-OXRTFEX 2.1), so that a reader gets the original back.

What RTF cannot say stands in HTMLTAG groups; the words stand between them for readers that know RTF only.
"""

from __future__ import annotations

import html as markup
import re

_HEAD = (
    "{\\rtf1\\ansi\\ansicpg1252\\%s \\deff0{\\fonttbl\r\n{\\f0\\fswiss\\fcharset0 Arial;}}\r\n"
    "{\\colortbl\\red0\\green0\\blue0;}\r\n\\uc1\\pard\\plain\\deftab360 \\f0\\fs20 "
)
_SPECIAL = re.compile(r"[\\{}\t\r\n]|[^\x20-\x7e]")
# the start of a comment, a tag, a declaration, a reference, line ends
_PIECE = re.compile(
    r"<!--|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:]*)[^<>]*>|<![^<>]*>|&\#?[0-9A-Za-z]{1,31};|[\r\n]+"
)
_CLOSERS = {  # of what is no text: it is one piece up to there
    "<!--": re.compile("-->"),
    **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "title")},
}
# MS-OXRTFEX 2.1.3.1.4.1: where the tag stands and which kind it is; 8 is added for one that closes
_TAGS = {"html": 19, "head": 34, "body": 50, "p": 64, "br": 116}
_OTHER, _IN_HEAD, _REFERENCE, _CLOSING = 244, 241, 84, 8
_LINES = frozenset(("p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table"))


def of_text(text: str) -> bytes:
    """Plain text as RTF (\\fromtext)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "\\par\r\n".join([_escaped(line) for line in lines])
    return (_HEAD % "fromtext" + body + "}").encode("ascii")


def of_html(text: str) -> bytes:
    """HTML as RTF (\\fromhtml1)."""
    out = [_HEAD % "fromhtml1", "{\\*\\htmltag64}"]
    at = 0
    while (found := _PIECE.search(text, at)) is not None:
        out.append(_escaped(text[at : found.start()]))
        closer = _CLOSERS.get((found["name"] or found.group()).lower())
        if closer is None or found["close"]:
            out.append(_piece(found))
            at = found.end()
        else:
            end = closer.search(text, found.end())
            at = end.end() if end else len(text)
            out.append(_group(_IN_HEAD, text[found.start() : at]))
    out.append(_escaped(text[at:]))
    out.append("}")
    return "".join(out).encode("ascii")


def _piece(found: re.Match[str]) -> str:
    """One piece of markup as a group, and what readers of RTF see instead of it."""
    whole = found.group()
    if whole[0] in "\r\n":
        return _group(_REFERENCE, whole)
    if whole[0] == "&":
        shown = _escaped(markup.unescape(whole))
        return f"{_group(_REFERENCE, whole)}\\htmlrtf {shown}\\htmlrtf0 "
    name = (found["name"] or "").lower()
    if not name:
        return _group(_IN_HEAD, whole)
    number = _TAGS.get(name, _OTHER) + (_CLOSING if found["close"] else 0)
    ends_line = name == "br" or (found["close"] and name in _LINES)
    return _group(number, whole) + ("\\htmlrtf \\par\r\n\\htmlrtf0 " if ends_line else "")


def _group(number: int, content: str) -> str:
    return f"{{\\*\\htmltag{number} {_escaped(content)}}}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_escape, text.replace("\r\n", "\n"))


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    if char in "\\{}":
        return "\\" + char
    if char in "\r\n":
        return "\\par "
    if char == "\t":
        return "\\tab "
    units = char.encode("utf-16-le", "surrogatepass")
    numbers = [int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)]
    return "".join([f"\\u{number}?" for number in numbers])
