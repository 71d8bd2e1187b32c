"""Ask Python: an agent that answers questions about the language from the reference inside CPython, traced by weft.

plan -> retrieve (bm25) -> read (a chat with the tool `lookup`) -> answer (streamed). Called by the demo and its suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weft.demo.corpus import Passage, passages, topic_names, topic_text
from weft.demo.retriever import BM25, Hit, terms
from weft.tracer.op import op

if TYPE_CHECKING:
    from openai import OpenAI

PASSAGES = 4
"""How many passages are read."""
LOOKUPS = 2
"""How often the model may look a topic up before it must answer."""
LOOKUP_CHARS = 12_000

_PLAN = "You turn a question about Python into search terms. Reply with the terms only, separated by spaces."
_READ = (
    "You answer questions about the Python language from the passages given, each under its [label]. If they do not "
    "hold the answer, call lookup to read a whole topic. Quote at most 5 sentences, word for word, that answer the "
    "question."
)
_ANSWER = "You answer questions about the Python language from the notes given. Answer in at most 3 sentences."


class AskPython:
    """The agent. `ask(question)` answers; `client` is any OpenAI client."""

    def __init__(self, client: OpenAI, model: str, index: BM25 | None = None) -> None:
        self.client = client
        self.model = model
        self.index = index or BM25(passages())

    def predict(self, question: str) -> dict[str, Any]:
        """What an evaluation calls."""
        return self.ask(question)

    def __repr__(self) -> str:
        return f"AskPython(model={self.model!r}, k1={self.index.k1}, b={self.index.b})"

    @op(name="ask_python", kind="agent")
    def ask(self, question: str) -> dict[str, Any]:
        """Answer a question; `topics` says which topics were read, best first."""
        query = self.plan(question)
        found = self.retrieve(query)
        notes = self.read(question, found)
        return {
            "answer": self.answer(question, notes),
            "topics": list(dict.fromkeys(item["topic"] for item in found)),
        }

    @op(name="plan")
    def plan(self, question: str) -> list[str]:
        """The terms to search for: the model's, and the question's own."""
        proposed = self._chat([_system(_PLAN), _user(f"Question: {question}")]).content
        return list(dict.fromkeys(terms(question) + terms(proposed or "")))

    @op(name="retrieve", kind="retriever")
    def retrieve(self, query: Sequence[str]) -> list[dict[str, Any]]:
        """The passages to read, best first."""
        return [
            {"label": hit.passage.label, "topic": hit.passage.topic, "score": round(hit.score, 3)} | _shown(hit.passage)
            for hit in self.bm25(query)
        ]

    @op(name="bm25")
    def bm25(self, query: Sequence[str], limit: int = PASSAGES) -> list[Hit]:
        """The index's answer."""
        return self.index.search(query, limit)

    @op(name="read")
    def read(self, question: str, found: Sequence[dict[str, Any]]) -> str:
        """What the passages say, after as many look-ups as the model asks for."""
        given = "\n\n".join(f"[{item['label']}]\n{item['text']}" for item in found)
        messages: list[Any] = [_system(_READ), _user(f"Question: {question}\n\n{given}")]
        for _ in range(LOOKUPS):
            message = self._chat(messages, tools=[_LOOKUP])
            if not message.tool_calls:
                return message.content or ""
            messages.append(message.to_dict())
            for call in message.tool_calls:
                text = self._call(call.function.name, call.function.arguments)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        return self._chat(messages, tools=[_LOOKUP], tool_choice="none").content or ""

    def _call(self, name: str, arguments: str) -> str:
        """Do what the model asked for; what is wrong with it is told to the model."""
        try:
            return str(self.lookup(**json.loads(arguments))) if name == "lookup" else f"error: no tool is called {name}"
        except (LookupError, TypeError, ValueError) as error:
            return f"error: {error}"

    @op(name="lookup", kind="tool")
    def lookup(self, topic: str) -> str:
        """The text of a topic."""
        return topic_text(topic)[:LOOKUP_CHARS]

    @op(name="answer")
    def answer(self, question: str, notes: str) -> str:
        """The final words, as they stream in."""
        messages: list[Any] = [_system(_ANSWER), _user(f"Question: {question}\n\n[notes]\n{notes}")]
        stream = self.client.chat.completions.create(
            model=self.model,
            messages=messages,
            temperature=0,
            stream=True,
        )
        with stream:
            parts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        return "".join(parts).strip()

    def _chat(self, messages: Sequence[Any], **options: Any) -> Any:
        reply = self.client.chat.completions.create(model=self.model, messages=messages, temperature=0, **options)
        return reply.choices[0].message


_LOOKUP = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Read a whole topic of the Python language reference.",
        "parameters": {
            "type": "object",
            "properties": {"topic": {"type": "string", "enum": list(topic_names())}},
            "required": ["topic"],
            "additionalProperties": False,
        },
    },
}


def _shown(passage: Passage) -> dict[str, str]:
    return {"title": passage.title, "text": passage.text}


def _system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}
