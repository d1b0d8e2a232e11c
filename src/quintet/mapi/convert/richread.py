"""RTF as HTML or plain text: what is encapsulated in it (MS-OXRTFEX 2.2), or the words of other RTF.

A reader of tokens with a stack of groups; what it does not know it passes over, as RTF wants it.
"""

from __future__ import annotations

import enum
import html as markup
import re
from dataclasses import dataclass

from quintet.mapi.buffer import bad
from quintet.message import words

MAX_GROUPS = 1000  # groups within groups
MAX_FONTS = 10_000
LOOKED_AT = 10  # tokens in which the origin must be told (MS-OXRTFEX 2.2.3.1)

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,10})? ?"
    rb"|\\'(?P<octet>[0-9a-fA-F]{2})"
    rb"|\\(?P<symbol>[^a-zA-Z])"
    rb"|(?P<brace>[{}])"
    rb"|(?P<end>[\r\n]+)"
    rb"|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_CHARACTERS = {
    b"tab": "\t", b"emdash": "\u2014", b"endash": "\u2013", b"lquote": "\u2018", b"rquote": "\u2019",
    b"ldblquote": "\u201c", b"rdblquote": "\u201d", b"bullet": "\u2022", b"emspace": "\u2003",
    b"enspace": "\u2002", b"cell": "\t",
}  # fmt: skip
_BREAKS = frozenset((b"par", b"line", b"sect", b"page", b"row"))
_SYMBOLS = {b"~": "\u00a0", b"_": "\u00ad", b"\\": "\\", b"{": "{", b"}": "}"}
_SKIPPED = frozenset(
    (
        b"colortbl", b"stylesheet", b"info", b"pict", b"header", b"headerl", b"headerr", b"headerf",
        b"footer", b"footerl", b"footerr", b"footerf", b"nonshppict", b"filetbl", b"listtable", b"objdata",
    )
)  # fmt: skip
_CHARSETS = {
    0: 1252, 77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 255: 437,
}  # fmt: skip


class Origin(enum.Enum):
    """What an RTF was made of (MS-OXRTFEX 2.2.3.1)."""

    HTML = "html"
    TEXT = "text"
    RTF = "rtf"  # nothing: it is rich text of its own


def origin(raw: bytes) -> Origin:
    """What the first tokens say."""
    for number, found in enumerate(_TOKEN.finditer(raw, 0, 1024)):
        if found["word"] == b"fromhtml" and found["number"] != b"0":
            return Origin.HTML
        if found["word"] == b"fromtext":
            return Origin.TEXT
        if number >= LOOKED_AT or found["word"] == b"fonttbl":
            break
    return Origin.RTF


def plain(raw: bytes) -> str:
    """The words.  Raises BadSyntax: no RTF, or groups too deep."""
    return _Reader(raw, Origin.TEXT).run()


def html(raw: bytes) -> str:
    """The HTML that is encapsulated; of rich text, HTML that shows it simply.  Raises BadSyntax likewise."""
    found = origin(raw)
    if found is Origin.HTML:
        return _Reader(raw, found).run()
    return f"<html><body>\r\n{_Reader(raw, Origin.RTF).run()}\r\n</body></html>\r\n"


@dataclass(slots=True)
class _State:
    """What a group may change until it ends."""

    skipped: bool = False  # a destination that is no text
    fonts: bool = False  # the font table
    tag: bool = False  # an HTMLTAG group (MS-OXRTFEX 2.1.3.1.4)
    suppressed: bool = False  # HTMLRTF: made for readers of RTF only
    unicode_skip: int = 1  # characters after \u that stand for it
    page: str = ""  # code page of the current font, "" for the document's
    style: tuple[str, ...] = ()  # "b", "i", "u"

    def copy(self) -> _State:
        """For a group within; a fifth of what dataclasses.replace costs."""
        return _State(
            self.skipped, self.fonts, self.tag, self.suppressed, self.unicode_skip, self.page, self.style
        )


class _Reader:
    def __init__(self, raw: bytes, wanted: Origin) -> None:
        if not raw.lstrip()[:5].startswith(b"{\\rtf"):
            raise bad("not RTF")
        self._raw = raw
        self._wanted = wanted
        self._state = _State()
        self._stack: list[_State] = []
        self._out: list[str] = []
        self._octets = bytearray()  # not decoded yet: two may be one character
        self._octets_page = ""
        self._skip = 0  # characters to pass over after \u
        self._star = False  # \* came: the next word is a destination that may be unknown
        self._page = "windows-1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._shown: tuple[str, ...] = ()  # the styles that are open in the output

    def run(self) -> str:
        at, raw = 0, self._raw
        match = _TOKEN.match
        while (found := match(raw, at)) is not None:
            at = found.end()
            kind = found.lastgroup
            if kind == "text":
                self._text(found["text"])
            elif kind == "brace":
                self._brace(found["brace"])
                if not self._stack:
                    break
            elif kind == "octet":
                self._text(bytes((int(found["octet"], 16),)))
            elif kind == "symbol":
                self._symbol(found["symbol"])
            elif kind in ("word", "number"):
                number = int(found["number"]) if found["number"] else None
                if found["word"] == b"bin":
                    at += max(number or 0, 0)
                else:
                    self._word(found["word"], number)
        self._flush()
        self._style(())
        whole = "".join(self._out)
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _brace(self, brace: bytes) -> None:
        self._skip, self._star = 0, False
        self._flush()
        if brace == b"{":
            if len(self._stack) >= MAX_GROUPS:
                raise bad("groups nested too deeply")
            self._stack.append(self._state)
            self._state = self._state.copy()
        elif self._stack:
            self._state = self._stack.pop()

    # --- what is written ---------------------------------------------------------------------------------

    def _visible(self) -> bool:
        state = self._state
        if state.skipped or state.fonts:
            return False
        return self._wanted is not Origin.HTML or not state.suppressed

    def _text(self, octets: bytes) -> None:
        """Octets in the code page of the font; in HTML's own tags in that of the document."""
        if self._skip:
            passed = min(self._skip, len(octets))
            self._skip -= passed
            octets = octets[passed:]
        if not octets or not self._visible():
            return
        page = self._page if self._state.tag else self._state.page or self._page
        if page != self._octets_page:
            self._flush()
            self._octets_page = page
        self._octets += octets

    def _flush(self) -> None:
        if self._octets:
            octets, self._octets = bytes(self._octets), bytearray()
            self._put(words.decode_bytes(octets, self._octets_page))

    def _character(self, text: str) -> None:
        if self._skip:
            self._skip -= 1
        elif self._visible():
            self._flush()
            self._put(text)

    def _put(self, text: str) -> None:
        if self._wanted is Origin.RTF:
            self._style(self._state.style)
            text = markup.escape(text, quote=False).replace("\u00a0", "&nbsp;")
        self._out.append(text)

    def _break(self) -> None:
        self._flush()
        if self._visible():
            self._out.append("<br>\r\n" if self._wanted is Origin.RTF else "\r\n")

    def _style(self, wanted: tuple[str, ...]) -> None:
        """Close and open elements so that these are open."""
        if self._shown != wanted and self._wanted is Origin.RTF:
            self._out += [f"</{one}>" for one in reversed(self._shown)]
            self._out += [f"<{one}>" for one in wanted]
            self._shown = wanted

    # --- what it means -----------------------------------------------------------------------------------

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._star = True
        elif symbol in b"\r\n":
            self._break()
        elif symbol in _SYMBOLS:
            self._character(_SYMBOLS[symbol])

    def _word(self, word: bytes, number: int | None) -> None:
        state = self._state
        star, self._star = self._star, False
        if star or word in _SKIPPED:
            self._flush()
            state.tag = word == b"htmltag" and self._wanted is Origin.HTML
            state.skipped = state.skipped or not state.tag
        elif word in _CHARACTERS:
            self._character(_CHARACTERS[word])
        elif word in _BREAKS:
            self._break()
        elif word == b"u":
            self._unicode(number or 0)
        elif word == b"htmlrtf":
            self._flush()
            state.suppressed = number != 0
        elif word == b"uc":
            state.unicode_skip = min(max(number or 0, 0), 100)
        elif word in (b"fonttbl", b"f", b"fcharset", b"cpg", b"ansicpg"):
            self._fonts_word(word, number or 0)
        elif word in (b"b", b"i", b"ul", b"ulnone", b"plain"):
            self._flush()
            self._style_word(word, number != 0)

    def _unicode(self, number: int) -> None:
        if self._visible():
            self._flush()
            self._put(chr(number & 0xFFFF))
        self._skip = self._state.unicode_skip

    def _fonts_word(self, word: bytes, number: int) -> None:
        state = self._state
        if word == b"fonttbl":
            state.fonts = True
        elif word == b"ansicpg":
            self._page = _codec(number) or self._page
        elif word == b"f":
            self._font = number
            if not state.fonts:
                state.page = self._fonts.get(number, "")
        elif state.fonts and len(self._fonts) < MAX_FONTS:
            page = number if word == b"cpg" else _CHARSETS.get(number, 0)
            self._fonts[self._font] = _codec(page)

    def _style_word(self, word: bytes, on: bool) -> None:
        state = self._state
        if word == b"plain":
            state.style = ()
            return
        element = "u" if word.startswith(b"ul") else word.decode("ascii")
        rest = [one for one in state.style if one != element]
        state.style = tuple(sorted([*rest, element] if on and word != b"ulnone" else rest))


def _codec(page: int) -> str:
    """The codec of a code page, "" where there is none."""
    name = {65001: "utf-8", 10000: "mac-roman"}.get(page, f"cp{page}")
    return name if 0 < page < 70_000 and words.codec_name(name) else ""
