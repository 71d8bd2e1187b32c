"""The demo's evaluation: questions with the topic that holds the answer and a phrase that the answer must contain.

`weft demo` runs it; `weft eval run` takes this file, too.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from weft.demo.agent import AskPython
from weft.demo.connection import connect
from weft.evals.dataset import Dataset
from weft.evals.evaluation import Evaluation
from weft.evals.scorer import Score, scorer
from weft.tracer.instrument import instrument

CONCURRENCY = 4
"""Questions at once: the agent and the loopback provider share this machine."""


@scorer(inline=True)
def topic_retrieved(output: Mapping[str, Any], topics: Sequence[str]) -> Score:
    """Whether one of the topics that hold the answer was retrieved."""
    found = [topic for topic in output["topics"] if topic in topics]
    return Score(bool(found), reason=f"retrieved {', '.join(output['topics']) or 'nothing'}")


@scorer(inline=True)
def phrase_contained(output: Mapping[str, Any], phrase: str) -> bool:
    """Whether the answer contains the phrase, quotes, emphasis and line breaks aside."""
    return plain(phrase) in plain(output["answer"])


@scorer(inline=True)
def latency_ms(latency_s: float) -> float:
    """Milliseconds from question to answer."""
    return latency_s * 1000


@scorer(inline=True)
def usd_per_1000(cost_usd: Decimal | None) -> float | None:
    """List price of a thousand such questions; unscored where the model has no price."""
    return None if cost_usd is None else float(cost_usd * 1000)


def plain(text: str) -> str:
    """A text as it is compared: one line, lower case, no quotes or emphasis."""
    return re.sub(r"\s+", " ", re.sub(r"[\"“”'’*`]", "", text)).casefold().strip()


def questions() -> Dataset:
    """The questions, as the file holds them."""
    return Dataset(Path(__file__).with_name("questions.jsonl"), name="ask-python-questions")


def evaluation_of(model: object) -> Evaluation:
    """The evaluation of an agent."""
    scorers = [topic_retrieved, phrase_contained, latency_ms, usd_per_1000]
    return Evaluation(questions(), scorers, name="ask-python", model=model, concurrency=CONCURRENCY)


@cache
def _agent() -> AskPython:
    """An agent on a loopback provider of its own, for as long as the process lives."""
    instrument()
    stack = ExitStack()
    atexit.register(stack.close)
    connection = stack.enter_context(connect(live=False))
    return AskPython(connection.client, connection.model)


def ask_python(question: str) -> dict[str, Any]:
    """Ask the loopback agent."""
    return _agent().ask(question)


ask_python_evaluation = evaluation_of(ask_python)
