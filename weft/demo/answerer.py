"""The demo's language model: an extractive answerer. It knows nothing but what a request holds, and says only that.

It picks sentences from the context it is sent, by the rarity of the words they share with the question; asked for
search terms it picks them from the question; where the context has too little and a tool is offered, it calls the tool.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from weft.demo.retriever import keywords, terms
from weft.testing.wire import ChatReply, ChatRequest, ToolCall, text_of

ENOUGH = 0.75
"""Share of the question's words (weighed by rarity) that the context must hold, else it looks further."""
SENTENCES = 3
"""How many it quotes where the instructions ("at most 5 sentences") do not say."""

_question = re.compile(r"^Question: (.+)$", re.MULTILINE)
_rule = re.compile(r"^.*\n[*=~^-]{3,}$", re.MULTILINE)
_label = re.compile(r"^\[([^\]\n]+)\]\s*", re.MULTILINE)
_limit = re.compile(r"at most (\d+) sentences")
_sentence = re.compile(r"(?<=[.!?:])\s+(?=[A-Z“\"*_(])")


class _Sentence(NamedTuple):
    place: int
    text: str
    terms: frozenset[str]


def answer(request: ChatRequest) -> ChatReply:
    """The responder of the demo's provider."""
    asked = _asked(request)
    context = _context(request)
    if not context:
        return ChatReply(content=" ".join(dict.fromkeys(keywords(asked))) or asked)
    wanted = _rarity(asked, context)
    held = sum(weight for term, weight in wanted.items() if any(term in sentence.terms for sentence in context))
    if request.tools and not _looked(request) and held < ENOUGH * (sum(wanted.values()) or 1):
        call = _lookup(asked, request)
        if call is not None:
            return ChatReply(tool_calls=[call])
    chosen = _best(context, wanted, _sentence_limit(request))
    if not chosen:
        return ChatReply(content="The passages that I was given do not say.")
    return ChatReply(content=" ".join(sentence.text for sentence in chosen))


def _asked(request: ChatRequest) -> str:
    """The line `Question: ...` of the conversation, else the last user message."""
    for message in reversed(request.messages):
        found = _question.findall(text_of(message)) if message["role"] == "user" else []
        if found:
            return str(found[-1])
    return request.last_user_text


def _context(request: ChatRequest) -> list[_Sentence]:
    """The sentences behind `[label]` lines of user messages, and whatever a tool returned."""
    texts: list[str] = []
    for message in request.messages:
        if message["role"] == "tool":
            texts.append(text_of(message))
        elif message["role"] == "user":
            texts += _label.split(text_of(message))[2::2]
    found = (sentence for text in texts for sentence in _sentences(text))
    return [_Sentence(place, text, frozenset(terms(text))) for place, text in enumerate(dict.fromkeys(found))]


def _sentences(text: str) -> list[str]:
    """The prose of a text, sentence by sentence; code and grammar, which are indented or have no words, stay whole."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        line = " ".join(_rule.sub("", block).split())
        found += [part for part in _sentence.split(line) if re.search(r"\w{3}", part)]
    return found


def _rarity(asked: str, context: Sequence[_Sentence]) -> dict[str, float]:
    """The question's terms, each with how rare it is among the sentences."""
    seen = Counter(term for sentence in context for term in sentence.terms)
    return {term: math.log(1 + (len(context) + 1) / (seen[term] + 0.5)) for term in dict.fromkeys(terms(asked))}


def _best(context: Sequence[_Sentence], wanted: dict[str, float], limit: int) -> list[_Sentence]:
    """The sentences that share most with the question, in the order of the text."""

    def worth(sentence: _Sentence) -> float:
        shared = sum(weight for term, weight in wanted.items() if term in sentence.terms)
        return shared / (1 + 0.02 * len(sentence.terms))

    ranked = sorted(context, key=lambda sentence: (-worth(sentence), sentence.place))
    return sorted((one for one in ranked[:limit] if worth(one) > 0), key=lambda sentence: sentence.place)


def _sentence_limit(request: ChatRequest) -> int:
    found = [_limit.search(text_of(message)) for message in request.messages if message["role"] == "system"]
    return next((int(match[1]) for match in found if match), SENTENCES)


def _looked(request: ChatRequest) -> bool:
    return any(message["role"] == "tool" for message in request.messages)


def _lookup(asked: str, request: ChatRequest) -> ToolCall | None:
    """A call of the offered tool with the allowed value that shares most letters' worth of words with the question."""
    wanted = set(terms(asked))
    for tool in request.tools:
        function = tool.get("function", {})
        for name, schema in function.get("parameters", {}).get("properties", {}).items():
            ranked = sorted(
                (value for value in schema.get("enum", ()) if wanted & set(terms(str(value).replace("-", " ")))),
                key=lambda value: (-len(wanted & set(terms(str(value).replace("-", " ")))), len(str(value))),
            )
            if ranked:
                return ToolCall(str(function["name"]), json.dumps({name: ranked[0]}))
    return None
