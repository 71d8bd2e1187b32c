"""Google's Agent Development Kit by OpenInference's instrumentors: of the agents, and of the client they call."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from google.adk.agents import Agent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.runners import InMemoryRunner
from google.genai import types

import weft

pytestmark = [pytest.mark.integrations, pytest.mark.timeout(60)]

MODEL = "gemini-2.5-flash"
USD = Decimal(60 * 3 + 120 * 3) / 10**7 + Decimal(40 + 80) * 3 / 10**8 + Decimal(50) * 25 / 10**7
"""Of a run: 300 tokens in, 120 of them cached, 50 out."""


@weft.op
def seen(q: int) -> str:
    return f"seen {q}"


@weft.op
def noted(event: object) -> None:
    """What a reader does with an event."""


def look(q: int) -> str:
    """Look at it."""
    return seen(q)


def answered(request):
    """First the tool's call, then the end."""
    done = "functionResponse" in json.dumps(request["contents"])
    call = {"functionCall": {"name": "look", "args": {"q": 1}}}
    prompt, out, cached = (200, 30, 80) if done else (100, 20, 40)
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": out, "cachedContentTokenCount": cached}
    content = {"role": "model", "parts": [{"text": "done"}] if done else [{"text": "ok"}, call]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP"}],
        "usageMetadata": {**counts, "totalTokenCount": prompt + out},
        "modelVersion": MODEL,
    }


@pytest.fixture
def run(serve, monkeypatch):
    model = f"/v1beta/models/{MODEL}:"
    answers = {
        f"{model}generateContent": answered,
        f"{model}streamGenerateContent": lambda request: [answered(request)],
        "/v1beta/models/gemini-refused:generateContent": 429,
    }
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", serve(answers, prefix="data: ", end="\n\n"))
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    monkeypatch.delenv("GOOGLE_GENAI_USE_VERTEXAI", raising=False)

    async def of(model=MODEL, mode=StreamingMode.NONE):
        agent = Agent(name="helper", model=model, instruction="Be brief.", tools=[look])
        runner = InMemoryRunner(agent=agent, app_name="app")
        session = await runner.session_service.create_session(app_name="app", user_id="u")
        asked = types.Content(role="user", parts=[types.Part(text="hi")])
        settings = RunConfig(streaming_mode=mode)
        found = runner.run_async(user_id="u", session_id=session.id, new_message=asked, run_config=settings)
        async for event in found:
            noted(event.author)
        return session.id

    return of


def without_readers(tree):
    return [one if isinstance(one, str) else without_readers(one) for one in tree if one != ["noted"]]


async def test_runs_streams_and_errors(traced, run, billed, chat):
    with weft.span("work"):
        sessions = [await run(), await run(mode=StreamingMode.SSE)]
        with pytest.raises(Exception, match="429"):
            await run("gemini-refused")

    def whole(*calls):
        return ["invocation [app]", ["invoke_workflow helper", ["agent_run [helper]", *calls]]]

    once, streamed = ["AsyncGenerateContent"], ["AsyncGenerateContentStream"]
    looked = ["look", ["seen"]]
    runs = [whole(once, looked, once), whole(streamed, looked, streamed), whole(once)]
    assert without_readers(traced.tree()) == [["work", *runs]]
    outer = [span for span in traced if span.name == "invocation [app]"]
    assert all(["noted"] in one[1:] for one in traced.tree()[0][1:])  # the runner's generator is one to its reader
    agents = [span for span in traced if span.name.startswith("agent_run")]
    assert [(span.kind, span.status) for span in agents] == [("agent", "ok"), ("agent", "ok"), ("agent", "error")]
    assert [span.thread_id for span in outer[:2]] == sessions
    calls = [span for span in traced if span.kind == "llm"]
    assert {(span.model, span.provider) for span in calls[:4]} == {(MODEL, "gcp.gen_ai")}
    assert [span.status for span in calls] == ["ok"] * 4 + ["error"]
    for first, last in (calls[:2], calls[2:4]):
        assert chat(first)[-1] == ("assistant", "ok", ("look", {"q": 1}))
        assert chat(last)[-1] == ("assistant", "done")
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (600, 100)
    assert trace.cost == 2 * USD
