"""The forms of a body, each made of another where only that is there (MS-OXBBODY 2.1)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from quintet.mapi.bag import Bag
from quintet.mapi.convert import codepages, names
from quintet.message import html as markup

_CID = re.compile(rb"""\bcid:([^\s"'<>()]+)""", re.IGNORECASE)


def plain_of(bag: Bag) -> str | None:
    """The text to write as plain; None: there is no body at all."""
    plain = bag.get(names.BODY)
    if isinstance(plain, str):
        return plain
    html = bag.get(names.HTML)
    return plain_of_html(codepages.decode(html, bag.get(names.CODEPAGE))) if isinstance(html, bytes) else None


def html_of(bag: Bag) -> tuple[bytes, str] | None:
    """The HTML with the name of its charset, None where there is none."""
    html = bag.get(names.HTML)
    if not isinstance(html, bytes) or not html:
        return None
    page = bag.get(names.CODEPAGE)
    charset = codepages.charset_of(page)
    if charset is None or (page == codepages.ASCII and not html.isascii()):
        return codepages.encode(codepages.decode(html, None), None)
    return html, charset


def plain_of_html(text: str) -> str:
    """The words of HTML, in lines."""
    return markup.lines(text)


def pictures(html: bytes) -> frozenset[str]:
    """The content ids that HTML refers to (RFC 2392)."""
    return frozenset([unquote(found.decode("utf-8", "replace")) for found in _CID.findall(html)])
