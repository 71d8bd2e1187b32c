"""Libraries of agents, each with its own spans or OpenInference's, and weft's own openai inside."""

from __future__ import annotations

import asyncio

import agents
import dspy
import openai
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from smolagents import OpenAIModel, ToolCallingAgent, tool

import weft
from weft.testing import ChatReply, ToolCall

pytestmark = pytest.mark.integrations

MODEL = "gpt-4o-mini"
OURS = ["chat gpt-4o-mini"]
"""weft's own span of the client's call."""


@weft.op
def seen(q: int) -> str:
    return f"seen {q}"


def look(q: int) -> str:
    """Look at it.

    Args:
        q: what to look at
    """
    return seen(q)


def kinds(spans, name):
    return {span.kind for span in spans if span.name == name}


def test_pydantic_ai(traced, provider, served, billed, chat):
    def agent(model):
        client = OpenAIProvider(base_url=provider.base_url, api_key="k")
        return Agent(OpenAIChatModel(model, provider=client), system_prompt="Be brief.", name="helper", tools=[look])

    @weft.op
    def work():
        assert agent(MODEL).run_sync("hi").output == "done"
        with pytest.raises(Exception, match="429"):
            agent("status-429").run_sync("hi")

    work()
    step, failed = ["chat gpt-4o-mini", OURS], ["chat status-429", ["chat status-429"]]
    assert traced.tree() == [["work", ["helper", step, ["look", ["seen"]], step], ["helper", failed]]]
    assert kinds(traced, "helper") == {"agent"}
    assert kinds(traced, "look") == {"tool"}
    whole = next(span for span in traced if span.name == "helper")
    asked = [("system", "Be brief."), ("user", "hi")]
    said = [*asked, ("assistant", "ok", ("look", {"q": 1})), ("tool", "seen 1"), ("assistant", "done")]
    assert chat(whole) == said
    last = [span for span in traced if span.name == OURS[0]][-2]
    assert (last.provider, chat(last)) == ("openai", said)
    assert [span.status for span in traced if span.name == "helper"] == ["ok", "error"]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


async def test_pydantic_ai_streams(traced, provider, served, billed):
    client = OpenAIProvider(base_url=provider.base_url, api_key="k")
    agent = Agent(OpenAIChatModel(MODEL, provider=client), name="helper")
    with weft.span("work"):
        async with agent.run_stream("hi") as answer:
            assert await answer.get_output() == "hello"
    assert traced.tree() == [["work", ["helper", ["chat gpt-4o-mini", OURS]]]]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens


@pytest.mark.parametrize("api", ["responses", "chat_completions"])
async def test_openai_agents(traced, provider, served, billed, chat, api):
    client = openai.AsyncOpenAI(base_url=provider.base_url, api_key="k", max_retries=0)
    agents.set_default_openai_client(client, use_for_tracing=False)
    agents.set_default_openai_api(api)
    helper = agents.Agent(name="helper", instructions="Be brief.", model=MODEL, tools=[agents.function_tool(look)])
    with weft.span("work"):
        assert (await agents.Runner.run(helper, "hi")).final_output == "done"
        running = agents.Runner.run_streamed(helper, "hi")
        async for _ in running.stream_events():
            pass
        with pytest.raises(openai.RateLimitError):
            await agents.Runner.run(agents.Agent(name="broken", model="status-429"), "hi")
    await client.close()
    call = ["response" if api == "responses" else "generation", OURS]
    run = ["Agent workflow", ["Agent workflow", ["helper", ["turn", call, ["look", ["seen"]]], ["turn", call]]]]
    failed = ["Agent workflow", ["Agent workflow", ["broken", ["turn", [call[0], ["chat status-429"]]]]]]
    assert traced.tree() == [["work", run, run, failed]]
    assert kinds(traced, call[0]) == {"llm"}
    assert kinds(traced, "look") == {"tool"}
    assert kinds(traced, "helper") == {"agent"}
    calls = [span for span in traced if span.name == call[0]]
    assert [span.status for span in calls] == ["ok"] * 4 + ["error"]
    assert chat(calls[0])[:2] == [("system", "Be brief."), ("user", "hi")]
    assert ("look", {"q": 1}) in chat(calls[0])[2]
    assert chat(calls[1])[-2:] == [("tool", "seen 1"), ("assistant", "done")]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


def test_openai_agents_keeps_the_programs_own_trace_processors(spans):
    from agents.tracing import get_trace_provider

    before = get_trace_provider()._multi_processor._processors
    weft.instrument()
    assert set(before) < set(get_trace_provider()._multi_processor._processors)
    weft.uninstrument()
    assert get_trace_provider()._multi_processor._processors == before


def test_smolagents(traced, provider, served, billed, chat):
    def respond(request):
        told = str(request.messages)
        if "seen 1" not in told:
            return served(request)
        reply = ChatReply(
            tool_calls=[ToolCall("final_answer", '{"answer": "done"}')], prompt_tokens=9, completion_tokens=3
        )
        served.replies.append(reply)
        return reply

    provider.responder = respond
    model = OpenAIModel(MODEL, api_base=provider.base_url, api_key="k")

    @weft.op
    def work():
        return ToolCallingAgent(tools=[tool(look)], model=model, verbosity_level=0).run("hi")

    assert work() == "done"
    step = ["OpenAIModel.generate", OURS]
    steps = [["Step 1", step, ["look", ["seen"]]], ["Step 2", step, ["final_answer"]]]
    assert traced.tree() == [["work", ["ToolCallingAgent.run", *steps]]]
    assert (kinds(traced, "ToolCallingAgent.run"), kinds(traced, "look")) == ({"agent"}, {"tool"})
    first = traced.children(next(span for span in traced if span.name == "Step 1"))[0]
    assert (first.kind, first.model, first.provider) == ("llm", MODEL, "openai")
    assert chat(first)[-1] == ("assistant", "ok", ("look", {"q": 1}))
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


def test_dspy_over_litellm(traced, provider, served, billed, chat):
    def respond(request):
        reply = ChatReply("[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]", prompt_tokens=50, completion_tokens=7)
        served.replies.append(reply)
        return reply

    provider.responder = respond
    settings = {"api_base": provider.base_url, "api_key": "k", "cache": False, "num_retries": 0}
    with weft.span("work"), dspy.context(lm=dspy.LM(f"openai/{MODEL}", engine="litellm", **settings)):
        assert dspy.Predict("question -> answer")(question="hi").answer == "yes"
    model = next(span for span in traced if span.name == "LM.__call__")
    assert (model.kind, model.model, model.provider) == ("llm", MODEL, "openai")
    assert chat(model)[-1] == ("assistant", "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]")
    (wrapped,) = traced.children(model)
    assert [wrapped.name, *(span.name for span in traced.children(wrapped))] == ["completion", *OURS]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


def test_dspys_own_client_is_one_call_whose_tokens_are_estimated(traced, provider, billed):
    provider.responder = lambda request: "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]"
    settings = {"api_base": provider.base_url, "api_key": "k", "cache": False, "num_retries": 0}
    with weft.span("work"), dspy.context(lm=dspy.LM(f"openai/{MODEL}", **settings)):
        assert asyncio.run(dspy.Predict("question -> answer").acall(question="hi")).answer == "yes"
    billed()
    (call,) = [span for span in weft.Api().spans() if span.kind == "llm"]
    assert call.usage_flags[0].startswith("estimated")
