"""Which parts of a letter are its body, and which are attached (MS-OXCMAIL 2.2.3.3, 2.2.3.4)."""

from __future__ import annotations

from dataclasses import field

from quintet.message import params
from quintet.message.digest import Part
from quintet.values import dataclass

MAX_BODY = 16 * 1024 * 1024  # bytes, encoded; a longer text is an attachment, so that nobody holds it whole
_CARDS = frozenset(("text/vcard", "text/x-vcard", "text/directory"))
_BODIES = frozenset(("text/plain", "text/html"))


@dataclass(frozen=True, slots=True)
class Attached:
    """A part that is no body; ``related``: it belongs into one (a picture of the HTML)."""

    part: Part
    related: bool


@dataclass(slots=True)
class Shape:
    """What a letter consists of."""

    plain: Part | None = None
    html: Part | None = None
    calendar: Part | None = None  # text/calendar, one of the forms of the body
    card: Part | None = None  # text/vcard likewise
    attached: list[Attached] = field(default_factory=list)

    def add(self, part: Part, *, related: bool = False) -> None:
        self.attached.append(Attached(part, related))


def of(root: Part) -> Shape:
    """The shape of a letter whose outermost part is ``root``."""
    shape = Shape()
    if root.type == "multipart" and not root.children:
        # its boundary never comes: what people wrote is there all the same
        shape.plain = root
    else:
        _walk(root, shape, body=True, inside="")
    return shape


def _walk(part: Part, shape: Shape, *, body: bool, inside: str) -> None:
    """Sort ``part`` and what is in it; ``body``: a body may still be found here."""
    if part.type != "multipart":
        _leaf(part, shape, body=body, inside=inside)
    elif not part.children:
        if part.size:
            shape.add(part)
    elif part.subtype == "alternative":
        for child in part.children:
            _walk(child, shape, body=body, inside="alternative")
    elif part.subtype == "related":
        root = _root_of(part)
        for child in part.children:
            _walk(child, shape, body=body and child is root, inside="mixed" if child is root else "related")
    else:
        for child in part.children:
            before = shape.plain, shape.html
            _walk(child, shape, body=body, inside="related" if inside == "related" else "mixed")
            body = body and before == (shape.plain, shape.html)


def _root_of(part: Part) -> Part:
    """The part that the others belong to: the one that ``start`` names, else the first (RFC 2387 3.2)."""
    start = part.param("start") if part.params else None
    if start:
        for child in part.children:
            if child.content_id and child.content_id.strip() == start.strip().encode("utf-8", "replace"):
                return child
    return part.children[0]


def _leaf(part: Part, shape: Shape, *, body: bool, inside: str) -> None:
    kind = part.content_type
    # a text with a name of its own is a file, except as one of several forms of the same, or all there is
    named = inside not in ("", "alternative") and _has_name(part)
    if body and kind in _BODIES and part.disposition != "attachment" and not named and part.size <= MAX_BODY:
        if kind == "text/plain" and shape.plain is None and (shape.html is None or inside == "alternative"):
            shape.plain = part
            return
        if kind == "text/html" and shape.html is None:
            shape.html = part
            return
    if body and inside in ("", "alternative") and part.disposition != "attachment" and part.size <= MAX_BODY:
        if kind == "text/calendar" and shape.calendar is None:
            shape.calendar = part
            return
        if kind in _CARDS and shape.card is None:
            shape.card = part
            return
    shape.add(part, related=inside == "related")


def _has_name(part: Part) -> bool:
    if part.disposition_params and "filename" in params.decode(part.disposition_params):
        return True
    return bool(part.params) and "name" in params.decode(part.params)
