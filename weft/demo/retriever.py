"""BM25 over the corpus, written plainly: which passages share the rarest words with a query.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), equation 3.15.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from weft.demo.corpus import Passage

_word = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+")
_STOP = frozenset(
    _word.findall(
        "a about an and any are as at be been by can could did do does doing for from get given has have how i if in "
        "into is it its me my of on one or should so such than that the their them then there these they this those to "
        "used using was we what when where which while who whose why will with would you your python"
    )
)
"""Words that say nothing about what a text is about."""


def keywords(text: str) -> list[str]:
    """The words that count, in lower case."""
    return [word for word in map(str.lower, _word.findall(text)) if word not in _STOP]


def terms(text: str) -> list[str]:
    """The words that count, their commonest endings cut off: what is indexed and searched."""
    return [_stem(word) for word in keywords(text)]


def _stem(word: str) -> str:
    for ending, least in (("ies", 5), ("ing", 6), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    passage: Passage
    score: float


class BM25:
    """An index of passages. `k1` says how soon a repeated word stops counting, `b` how much length matters."""

    def __init__(self, passages: Sequence[Passage], *, k1: float = 1.2, b: float = 0.75) -> None:
        self.passages = passages
        self.k1, self.b = k1, b
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = []
        for number, passage in enumerate(passages):
            words = Counter(terms(f"{passage.title}\n{passage.text}"))
            lengths.append(sum(words.values()))
            for word, times in words.items():
                self._postings[word].append((number, times))
        mean = sum(lengths) / max(1, len(lengths))
        self._lengths = [length / mean for length in lengths]

    def search(self, query: Sequence[str], limit: int = 4) -> list[Hit]:
        """The best passages for these terms, best first; none that shares no term."""
        scores: dict[int, float] = defaultdict(float)
        for term in set(query):
            postings = self._postings.get(term, ())
            rarity = math.log(1 + (len(self.passages) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, times in postings:
                room = self.k1 * (1 - self.b + self.b * self._lengths[number])
                scores[number] += rarity * times * (self.k1 + 1) / (times + room)
        best = heapq.nsmallest(limit, scores.items(), key=lambda item: (-item[1], item[0]))
        return [Hit(self.passages[number], score) for number, score in best]
