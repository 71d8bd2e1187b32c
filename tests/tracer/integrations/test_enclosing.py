"""A client's call goes into the model call that a callback announced, once, and only where it belongs."""

from __future__ import annotations

import openai
import pytest

import weft
from weft.testing import LoopbackProvider, captured_spans
from weft.tracer.integrations import openai as integration
from weft.tracer.integrations.enclosing import announce
from weft.tracer.otel.processor import provider as weft_provider

ASK = [{"role": "user", "content": "hi"}]
OURS = "chat gpt-4o-mini"


@pytest.fixture
def ask():
    integration.install()
    with LoopbackProvider() as running, openai.OpenAI(base_url=running.base_url, api_key="k") as client:
        yield lambda: client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    integration.uninstall()


@pytest.fixture
def spans():
    with captured_spans() as found:
        yield found


def announced(name="model"):
    span = weft_provider().get_tracer("callbacks").start_span(name)
    announce(span)
    return span


def test_the_call_that_follows_is_inside_and_the_next_one_is_not(ask, spans) -> None:
    with weft.span("work"):
        model = announced()
        ask()
        ask()
        model.end()
    assert spans.tree() == [["work", ["model", [OURS]], [OURS]]]


def test_a_model_call_that_is_over_takes_none(ask, spans) -> None:
    with weft.span("work"):
        announced().end()
        ask()
    assert spans.tree() == [["work", ["model"], [OURS]]]


def test_one_that_was_announced_elsewhere_in_the_tree_takes_none(ask, spans) -> None:
    with weft.span("work"):
        model = announced()
        with weft.span("other"):
            ask()
        model.end()
    assert spans.tree() == [["work", ["model"], ["other", [OURS]]]]


def test_without_anything_around_it_holds_too(ask, spans) -> None:
    model = announced()
    ask()
    model.end()
    assert spans.tree() == [["model", [OURS]]]
