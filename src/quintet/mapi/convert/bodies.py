"""The forms of a body: text, HTML and RTF, each made of another where only that is there (MS-OXBBODY 2).

An item keeps the forms that it was given.  `synthesized` is what a store answers for the others.
"""

from __future__ import annotations

import html as markup
import re
from urllib.parse import unquote

from quintet.errors import BadSyntax
from quintet.mapi import codepages, rtf
from quintet.mapi.bag import Bag
from quintet.mapi.convert import names, richread, richwrite
from quintet.mapi.convert.richread import Origin
from quintet.mapi.types import Tag, Value
from quintet.message.html import lines

MAX_RICH = 1024 * 1024  # bytes of a body that is converted from or to RTF: that takes a second
NO_BODY, PLAIN, RICH, MARKUP = 0, 1, 2, 3  # PidTagNativeBody (MS-OXCMSG 2.2.1.58.2)

_SIGNATURE = "-- "  # never soft (RFC 3676 4.3)
_CID = re.compile(rb"""\bcid:([^\s"'<>()]+)""", re.IGNORECASE)


def synthesized(bag: Bag, key: Tag) -> Value | None:
    """The value of a property of the body that ``bag`` does not hold; None: there is none.

    PidTagHtml comes in the code page that PidTagInternetCodepage names, UTF-8 where that names none.
    """
    if key == names.BODY:
        return plain_of(bag)
    if key == names.HTML:
        found = html_of(bag)
        if found is not None:
            return found[0]
        plain = plain_of(bag)
        return None if plain is None else codepages.encode(of_plain(plain), bag.get(names.CODEPAGE))[0]
    if key == names.RTF:
        return rtf_of(bag)
    if key == names.NATIVE_BODY:
        return native(bag)
    if key == names.RTF_IN_SYNC:
        return native(bag) in (RICH, MARKUP)
    return None


def native(bag: Bag) -> int:
    """Which form is the best one that is kept (MS-OXCMSG 2.2.1.58.2)."""
    if names.HTML in bag:
        return MARKUP
    if names.RTF in bag:
        return {Origin.HTML: MARKUP, Origin.TEXT: PLAIN, Origin.RTF: RICH}[richread.origin(_rtf(bag) or b"")]
    return PLAIN if names.BODY in bag else NO_BODY


def plain_of(bag: Bag) -> str | None:
    """The words; None: there is no body at all."""
    plain = bag.get(names.BODY)
    if isinstance(plain, str):
        return plain
    html = bag.get(names.HTML)
    if isinstance(html, bytes):
        return lines(codepages.decode(html, bag.get(names.CODEPAGE)))
    raw = _rtf(bag)
    if raw is None:
        return None
    try:
        return lines(richread.html(raw)) if richread.origin(raw) is Origin.HTML else richread.plain(raw)
    except BadSyntax:  # of groups too deep: it says nothing, and the letter is there all the same
        return None


def html_of(bag: Bag) -> tuple[bytes, str] | None:
    """The HTML with the name of its charset; None where there is none that says more than the words."""
    html = bag.get(names.HTML)
    page = bag.get(names.CODEPAGE)
    if not isinstance(html, bytes) or not html:
        raw = _rtf(bag)
        if raw is None or richread.origin(raw) is Origin.TEXT:
            return None
        try:
            return codepages.encode(richread.html(raw), page)
        except BadSyntax:
            return None
    charset = codepages.charset_of(page)
    if charset is None:
        return codepages.encode(codepages.decode(html, page), None)
    if page == codepages.ASCII and not html.isascii():
        return codepages.encode(codepages.decode(html, None), None)
    return html, charset


def rtf_of(bag: Bag) -> bytes | None:
    """PidTagRtfCompressed: RTF that encapsulates the HTML, or the text (MS-OXRTFEX 2.1)."""
    found = bag.get(names.RTF)
    if isinstance(found, bytes):
        return found
    html = bag.get(names.HTML)
    if isinstance(html, bytes) and 0 < len(html) <= MAX_RICH:
        return rtf.wrap(richwrite.of_html(codepages.decode(html, bag.get(names.CODEPAGE))))
    plain = bag.get(names.BODY)
    if not isinstance(plain, str) or len(plain) > MAX_RICH:
        return None
    return rtf.wrap(richwrite.of_text(plain))


def _rtf(bag: Bag) -> bytes | None:
    """The RTF without its compression; None: there is none, or it is none."""
    found = bag.get(names.RTF)
    if not isinstance(found, bytes):
        return None
    if int.from_bytes(found[4:8], "little") > MAX_RICH:
        return None
    try:
        raw = rtf.decompress(found)
    except BadSyntax:
        return None
    return raw if raw.lstrip()[:5] == b"{\\rtf" else None


def of_plain(text: str) -> str:
    """Plain text as HTML that shows it: its lines, its blanks, nothing more."""
    shown = markup.escape(text, quote=False).replace("\r\n", "\n").replace("\r", "\n")
    shown = re.sub(
        r"^ | (?= )|\t",
        lambda found: "&nbsp;" * (8 if found.group() == "\t" else 1),
        shown,
        flags=re.MULTILINE,
    )
    return "<html><body>\r\n" + shown.replace("\n", "<br>\r\n") + "\r\n</body></html>\r\n"


def unflowed(text: str, *, delete_space: bool) -> str:
    """The paragraphs of text whose lines are soft where they end in a blank (RFC 3676 4)."""
    out: list[str] = []  # pieces: joining paragraphs one by one would take the square of their length
    soft, depth = False, 0
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        quoted = len(line) - len(words)
        words = words.removeprefix(" ")  # stuffed (4.4)
        if not (soft and quoted == depth and words != _SIGNATURE):
            # a soft line that nothing follows keeps its blank
            out += [" " if soft and delete_space else "", "\r\n", ">" * quoted, " " if quoted else ""]
        soft, depth = words.endswith(" ") and words != _SIGNATURE, quoted
        out.append(words[:-1] if soft and delete_space else words)
    return "".join(out[2:]) + (" " if soft and delete_space else "")


def pictures(html: bytes) -> frozenset[str]:
    """The content ids that HTML refers to (RFC 2392)."""
    return frozenset([unquote(found.decode("utf-8", "replace")) for found in _CID.findall(html)])
