"""FUZZY keys: what nearly matches, and how well (RFC 6203 3 to 5).

A text matches fuzzily when each of its words stands somewhere in what is searched, in any order, without
regard to case and the endings of English and German inflection.  So the index narrows it as it narrows
exact searches.  Keys that are no text are matched exactly, as RFC 6203 5 allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from quintet.imap import commands, matching
from quintet.imap.matching import HEADER, MESSAGE, TEXT, Context, Needle, Question, Reader, Row
from quintet.message.collation import casemap
from quintet.store import search

MAX_WORDS = 20  # of one text; the rest is not asked for
_WORD = re.compile(r"\w+")
_ENDINGS = (
    "ingen",
    "ings",
    "ing",
    "ungen",
    "ung",
    "ies",
    "ied",
    "ern",
    "est",
    "es",
    "ed",
    "en",
    "er",
    "s",
    "e",
    "y",
)
_LEAST = 4  # letters that stay

SUBJECT, PHRASE, WORDS = 100, 80, 40  # scores: whole text in the subject, whole text, its words
IN_SUBJECT = 30  # more where all words are in the subject


def compile_key(key: commands.Key, context: Context) -> Question:
    """The question for a key below FUZZY."""
    match key:
        case commands.InText(text, with_header):
            return _texts(matching.decoded(text, context), "text" if with_header else "body", b"")
        case commands.InHeader(name, text) if text:
            return _texts(matching.decoded(text, context), "header", name)
        case commands.And(keys):
            return matching.compile_key(commands.And(tuple(commands.Fuzzy(one) for one in keys)), context)
        case commands.Or(left, right):
            return matching.compile_key(commands.Or(commands.Fuzzy(left), commands.Fuzzy(right)), context)
        case commands.Fuzzy(inner):
            return compile_key(inner, context)
        case _:
            return _exact(matching.compile_key(key, context))


def stem(word: str) -> str:
    """A word without the ending that inflection gave it: "searching" and "searches" are "search"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST:
            return word[: -len(ending)]
    return word


def _exact(question: Question) -> Question:
    return Question(
        question.cost, question.ask, question.needles, question.joined, lambda _row, _reader: SUBJECT
    )


def _texts(text: str, where: search.Where, name: bytes) -> Question:
    whole = casemap(" ".join(text.split()))
    words = dict.fromkeys(_WORD.findall(text.lower()))
    needles = tuple(Needle(stem(word)) for word in list(words)[:MAX_WORDS])
    stems = [needle.text for needle in needles] or [whole]
    look = _looking(where, name.decode("latin-1"), stems, whole)

    def ask(row: Row, reader: Reader) -> bool:
        return all(needle.may_be_in(row[MESSAGE]) for needle in needles) and look(row, reader).words

    def score(row: Row, reader: Reader) -> int:
        document = reader.document(row)
        subject = casemap(" ".join(document.fields("subject"))) if document is not None else ""
        if whole in subject:
            return SUBJECT
        if look(row, reader).whole:
            return PHRASE
        return WORDS + (IN_SUBJECT if all(one in subject for one in stems) else 0)

    return Question(HEADER if where == "header" else TEXT, ask, needles, joined=True, score=score)


class Seen(NamedTuple):
    """What of a text stands in a message."""

    words: bool  # every one of them
    whole: bool


def _looking(
    where: search.Where, header: str, stems: Sequence[str], whole: str
) -> Callable[[Row, Reader], Seen]:
    """Looks through a message piece by piece, because it may be large.

    What was seen of the last one is kept, because a match is asked for its score.
    """
    kept: list[tuple[int, Seen]] = []

    def look(row: Row, reader: Reader) -> Seen:
        if kept and kept[0][0] == row[0]:
            return kept[0][1]
        document = reader.document(row)
        missing, together = [one for one in stems if one], not whole
        for piece in _pieces(document, where, header) if document is not None else ():
            read = casemap(piece)
            missing = [one for one in missing if one not in read]
            together = together or whole in read
            if together and not missing:
                break
        kept[:] = [(row[0], Seen(not missing, together))]
        return kept[0][1]

    return look


def _pieces(document: search.Document, where: search.Where, header: str) -> Iterator[str]:
    if where == "header":
        yield from document.fields(header)
        return
    if where == "text":
        yield document.head()
    yield from document.texts()
