"""LangChain and LangGraph by OpenInference, with weft's own openai inside."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

import weft

pytestmark = pytest.mark.integrations

MODEL = "gpt-4o-mini"
ASK = [("system", "Be brief."), ("user", "hi")]


@tool
def look(q: int) -> str:
    """Look at it."""
    return seen(q)


@weft.op
def seen(q: int) -> str:
    return f"seen {q}"


@pytest.fixture
def model(provider):
    return ChatOpenAI(model=MODEL, base_url=provider.base_url, api_key="k", max_retries=0, stream_usage=True)


def tree(spans):
    """Without our call inside each of LangChain's: those are looked at apart."""
    return [_named(root) for root in spans.tree()]


def _named(branch):
    return [branch[0], *(_named(child) for child in branch[1:] if not child[0].startswith("chat "))]


def test_tools_streams_errors_and_async_calls_are_one_tree_with_ops(traced, model, provider, served, billed, chat):
    @weft.op
    def work():
        answer = model.bind_tools([look]).invoke(ASK)
        result = look.invoke(answer.tool_calls[0])
        model.invoke([*ASK, answer, result])
        assert "".join(chunk.text for chunk in model.stream(ASK)) == "hello"
        with pytest.raises(Exception, match="429"):
            ChatOpenAI(model="status-429", base_url=provider.base_url, api_key="k", max_retries=0).invoke(ASK)
        asyncio.run(model.ainvoke(ASK))

    work()
    calls = [["ChatOpenAI"]] * 4
    assert tree(traced) == [["work", ["ChatOpenAI"], ["look", ["seen"]], *calls]]
    theirs = [span for span in traced if span.name == "ChatOpenAI"]
    assert [(span.kind, span.status) for span in theirs] == [("llm", "ok")] * 3 + [("llm", "error"), ("llm", "ok")]
    for span in theirs:
        (ours,) = traced.children(span)
        assert (ours.kind, ours.model) == ("llm", span.model)
        assert chat(ours)[-1] == chat(span)[-1]
    asked = [("system", "Be brief."), ("user", "hi")]
    assert chat(theirs[0]) == [*asked, ("assistant", "ok", ("look", {"q": 1}))]
    assert chat(theirs[1])[-2:] == [("tool", "seen 1"), ("assistant", "done")]
    assert chat(theirs[2]) == chat(theirs[4]) == [*asked, ("assistant", "hello")]
    assert chat(theirs[3]) == asked
    assert theirs[0].usage.items() >= {"input_tokens": 100, "cache_read_tokens": 40, "reasoning_tokens": 5}.items()
    assert {(span.model, span.provider) for span in theirs} == {(MODEL, "openai"), ("status-429", "openai")}
    assert (traced.named("look").kind, traced.named("look").inputs) == ("tool", {"q": 1})
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens
    assert trace.cost == served.cost(MODEL)


async def test_batches_side_by_side_keep_to_themselves(traced, model, served, billed):
    with weft.span("work"):
        await asyncio.gather(*(model.ainvoke(f"{number}") for number in range(20)))
        await asyncio.to_thread(model.batch, [f"{number}" for number in range(20, 40)])
    found = list(traced)
    theirs = [span for span in found if span.name == "ChatOpenAI"]
    assert len(theirs) == 40
    for span in theirs:
        (ours,) = [inner for inner in found if inner.parent_id == span.span_id]
        assert ours.inputs["messages"] == span.inputs["messages"]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens


def test_a_call_of_the_clients_own_while_a_stream_is_read_stands_beside_it(traced, model, provider):
    import openai

    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client, weft.span("work"):
        for _ in model.stream("hi"):
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])
            break
    assert traced.tree() == [["work", ["ChatOpenAI", ["chat gpt-4o-mini"]], ["chat gpt-4o"]]]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_in_a_graph_and_its_nodes_ops_and_models_nest_as_they_call(traced, model, served, billed, asynchronous):
    @weft.op
    def think(state):
        return model.invoke(state["messages"])

    @weft.op
    async def think_async(state):
        return await model.ainvoke(state["messages"])

    def node(state: MessagesState):
        return {"messages": [think(state)]}

    async def node_async(state: MessagesState):
        return {"messages": [await think_async(state)]}

    graph = StateGraph(MessagesState)
    graph.add_node("node", node_async if asynchronous else node)
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    ready = graph.compile()
    with weft.span("work"):
        given = {"messages": [("user", "hi")]}
        answer = asyncio.run(ready.ainvoke(given)) if asynchronous else ready.invoke(given)
    assert answer["messages"][-1].content == "hello"
    thought = "think_async" if asynchronous else "think"
    assert traced.tree() == [["work", ["LangGraph", ["node", [thought, ["ChatOpenAI", ["chat gpt-4o-mini"]]]]]]]
    assert traced.named("LangGraph").kind == "chain"
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == served.tokens


def test_chains_hold_their_steps(traced, model):
    chain = RunnableLambda(lambda text: seen(1) + text, name="prepare") | model
    chain.invoke("hi")
    assert tree(traced) == [["RunnableSequence", ["prepare", ["seen"]], ["ChatOpenAI"]]]


def test_uninstrumented_langchain_is_as_it_was(spans, model):
    from langchain_core.runnables import config

    before = config._set_config_context
    weft.instrument()
    assert config._set_config_context is not before
    weft.uninstrument()
    assert config._set_config_context is before
    model.invoke("hi")
    assert not list(spans)
