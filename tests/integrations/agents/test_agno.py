"""Agno by OpenInference's instrumentor, with weft's own openai inside."""

from __future__ import annotations

import pytest
from agno.agent import Agent
from agno.models.openai import OpenAIChat

import weft

pytestmark = [pytest.mark.integrations, pytest.mark.timeout(60)]

MODEL = "gpt-4o-mini"


@weft.op
def seen(q: int) -> str:
    return f"seen {q}"


def look(q: int) -> str:
    """Look at it."""
    return seen(q)


@pytest.fixture
def agent(provider):
    def of(model=MODEL):
        chat = OpenAIChat(id=model, base_url=provider.base_url, api_key="k", max_retries=0)
        return Agent(name="helper", model=chat, instructions="Be brief.", tools=[look], telemetry=False)

    return of


@weft.op
def noted(event: object) -> None:
    """What a reader does with an event."""


async def test_who_reads_a_stream_is_not_inside_the_run(traced, agent):
    with weft.span("work"):
        for event in agent().run("hi", stream=True):
            noted(event.event)
        async for event in agent().arun("hi", stream=True):
            noted(event.event)
        for event in agent().run("left", stream=True):
            noted(event.event)
            break
        noted("after")
    (work,) = traced.tree()
    runs = [one for one in work[1:] if one != ["noted"]]
    assert [one[0] for one in runs[:2]] == ["helper.run", "helper.arun"]
    assert "noted" not in str(runs)
    assert str(work).count("noted") >= 4


async def test_runs_streams_and_errors(traced, agent, served, billed, chat):
    with weft.span("work") as work:
        assert agent().run("hi").content.endswith("done")
        assert "".join(part.content for part in agent().run("hi", stream=True)).endswith("done")
        assert (await agent().arun("hi")).content.endswith("done")
        assert [part.content async for part in agent().arun("hi", stream=True)]
        assert agent("status-429").run("hi").status == "ERROR"
        assert weft.current_span() is work

    def run(name, step):
        call = [f"OpenAIChat.{step}", [f"chat {MODEL}"]]
        return [f"helper.{name}", call, ["look", ["seen"]], call]

    failed = ["helper.run", ["OpenAIChat.invoke", ["chat status-429"]]]
    runs = [("run", "invoke"), ("run", "invoke_stream"), ("arun", "ainvoke"), ("arun", "ainvoke_stream")]
    assert traced.tree() == [["work", *(run(*one) for one in runs), failed]]
    helpers = [span for span in traced if span.name.startswith("helper.")]
    assert [(span.kind, span.status) for span in helpers] == [("agent", "ok")] * 4 + [("agent", "error")]
    first, last = [span for span in traced if span.name.startswith("OpenAIChat.")][:2]
    assert (first.kind, first.model, first.provider) == ("llm", MODEL, "openai")
    assert chat(first) == [("system", "Be brief."), ("user", "hi"), ("assistant", "ok", ("look", {"q": 1}))]
    assert chat(last)[-2:] == [("tool", "seen 1"), ("assistant", "done")]
    assert {span.kind for span in traced if span.name == "look"} == {"tool"}
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)
