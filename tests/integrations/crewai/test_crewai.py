"""CrewAI by OpenInference's instrumentor, with weft's own openai inside, and with litellm in between."""

from __future__ import annotations

import pytest
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

import weft

pytestmark = [pytest.mark.integrations, pytest.mark.timeout(60)]

MODEL = "gpt-4o-mini"


@weft.op
def seen(q: int) -> str:
    return f"seen {q}"


@tool("look")
def look(q: int) -> str:
    """Look at it."""
    return seen(q)


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    for name in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "LITELLM_LOCAL_MODEL_COST_MAP"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("CREWAI_TRACING_ENABLED", "false")
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))


@pytest.fixture(params=["openai", "litellm"])
def crew(request, provider):
    """`crew(model)`, and how a call of its model looks."""
    by_litellm = request.param == "litellm"

    def of(model):
        named = {"model": f"openai/{model}", "is_litellm": True} if by_litellm else {"model": model}
        llm = LLM(base_url=provider.base_url, api_key="k", max_retries=0, **named)
        helper = Agent(
            role="Helper", goal="Help.", backstory="Is brief.", llm=llm, tools=[look], max_retry_limit=0, max_iter=3
        )
        task = Task(description="Say hi.", expected_output="A greeting.", agent=helper)
        return Crew(agents=[helper], tasks=[task], name="greeters")

    return of, lambda model: ["completion", [f"chat {model}"]] if by_litellm else [f"chat {model}"]


def test_a_crew_at_work(traced, crew, served, billed, chat):
    of, call = crew
    with weft.span("work"):
        assert of(MODEL).kickoff().raw == "done"
    step = call(MODEL)
    assert traced.tree() == [["work", ["greeters.kickoff", ["Helper._execute_core", step, ["look", ["seen"]], step]]]]
    names = ("greeters.kickoff", "Helper._execute_core", "look")
    assert [(traced.named(name).kind, traced.named(name).status) for name in names] == [
        ("chain", "ok"),
        ("agent", "ok"),
        ("tool", "ok"),
    ]
    assert traced.named("look").output == "seen 1"
    first, last = [span for span in traced if span.name == step[0]]
    assert chat(first)[-1] == ("assistant", "ok", ("look", {"q": 1}))
    assert chat(last)[-2:] == [("tool", "seen 1"), ("assistant", "done")]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


def test_a_crew_whose_model_refuses(traced, crew, billed):
    of, call = crew
    with weft.span("work"), pytest.raises(Exception, match="Rate limit"):
        of("status-429").kickoff()
    (root,) = traced.tree()
    (kickoff,) = root[1:]
    (helper,) = kickoff[1:]
    assert (kickoff[0], helper[0]) == ("greeters.kickoff", "Helper._execute_core")
    assert helper[1:] == [call("status-429")] * len(helper[1:])  # it tries again
    assert {span.status for span in traced if span.name != "work"} == {"error"}
    assert billed().input_tokens is None
