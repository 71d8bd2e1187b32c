"""Words of text, for the full-text index and for what is asked of it; pure. The same on every database.

A word is a run of letters and digits, without case and accents; a character of a script that writes without spaces
(Chinese, Japanese, Korean, Thai and their neighbours) is a word of its own, so that any piece of such a text is found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

MOST_WORDS = 16_000
"""Of one span. PostgreSQL tells no word's place beyond 16,383."""
MOST_CHARS = 200_000
"""Of one span's text, before it is cut into words; with four bytes a character this stays within PostgreSQL's 1 MB."""
LONGEST = 64
"""Characters of a word: beyond them it is found by its beginning."""
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana, Han, Hangul."""
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_ASCII_WORD = re.compile("[a-z0-9]+")
_UNREADABLE = frozenset(("bytes", "array", "float", "ref", "image", "blob"))
"""Kinds of tagged value whose content is no text."""


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    else:
        # Folded once taken apart, as a letter of another form (a mathematical A) may be a capital; and apart again.
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()))
        # Composed again: Korean syllables are one character each, not their parts.
        found = _WORD.findall(unicodedata.normalize("NFC", plain))
    return [word[:LONGEST] for word in found]


def words_of(values: Iterator[str]) -> list[str]:
    """The words of several texts, within what one span may have."""
    found: list[str] = []
    left = MOST_CHARS
    for value in values:
        found += words(value[:left])
        left -= len(value)
        if left <= 0 or len(found) >= MOST_WORDS:
            break
    return found[:MOST_WORDS]


def texts(value: Any) -> Iterator[str]:
    """Every text and number in a parsed payload, as far as it can be read. Keys are no text."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            if found.keys() == {"$weft", "v"}:
                if found["$weft"] not in _UNREADABLE:
                    waiting.append(found["v"])
            else:
                waiting += reversed(found.values())
        elif isinstance(found, list):
            waiting += reversed(found)
        elif isinstance(found, (int, float)) and not isinstance(found, bool):
            yield str(found)


class Term(NamedTuple):
    """One thing that is asked for: words that follow each other."""

    words: tuple[str, ...]
    prefix: bool = False
    """The last word may go on."""
    wanted: bool = True
    """False: what holds it is left out."""


_TERM = re.compile(r'(-?)"([^"]*)("?)(\*?)|(\S+)')


def terms(query: str) -> list[Term]:
    """What a search asks for: `words "a phrase" begin* -not`, all of them. Whatever is typed means something.

    A piece without a letter or digit in it asks for nothing.
    """
    found: list[Term] = []
    for match in _TERM.finditer(query):
        minus, quoted, _, star, bare = match.groups()
        if bare is not None:
            minus = "-" if bare.startswith("-") else ""
            star = "*" if bare.endswith("*") else ""
            quoted = bare
        pieces = tuple(words(quoted))
        if pieces:
            found.append(Term(pieces, bool(star), not minus))
    return found
