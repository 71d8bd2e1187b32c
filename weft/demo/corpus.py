"""The demo's corpus: the language reference that every CPython carries (`pydoc_data.topics`), cut into passages."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

PASSAGE_CHARS = 900
"""Paragraphs are joined up to this length."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A few paragraphs of one topic."""

    topic: str
    number: int
    """Place in the topic, from 0."""
    title: str
    """The topic's own heading."""
    text: str

    @property
    def label(self) -> str:
        """`topic#number`: how prompts and results name it."""
        return f"{self.topic}#{self.number}"


@cache
def passages() -> Sequence[Passage]:
    """Every passage of the reference, in the order of its topics."""
    return tuple(passage for topic in sorted(topics) for passage in _cut(topic))


def topic_names() -> Sequence[str]:
    """The names that `lookup` takes."""
    return sorted(topics)


def topic_text(topic: str) -> str:
    """The whole text of a topic.

    Raises:
        LookupError: there is none of that name.
    """
    if topic not in topics:
        raise LookupError(f"no topic is called {topic!r}")
    return str(topics[topic])


def _cut(topic: str) -> list[Passage]:
    title, _, body = topic_text(topic).strip().partition("\n")
    paragraphs = [block for block in re.split(r"\n\s*\n", body) if re.search(r"\w", block)]
    texts: list[str] = []
    for paragraph in paragraphs:
        paragraph = textwrap.dedent(re.sub(r"^[*=~^-]{3,}\n", "", paragraph)).strip("\n")
        if texts and len(texts[-1]) + len(paragraph) < PASSAGE_CHARS:
            texts[-1] += "\n\n" + paragraph
        else:
            texts.append(paragraph)
    return [Passage(topic, number, _plain(title), text) for number, text in enumerate(texts)]


def _plain(title: str) -> str:
    return re.sub(r'["*`]', "", title).strip()
