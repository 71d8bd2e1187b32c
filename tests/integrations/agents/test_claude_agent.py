"""The Claude Agent SDK by OpenInference's instrumentor, with a program that speaks Claude Code's side: `claude.py`."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import claude_agent_sdk
import pytest
from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, ClaudeSDKClient, create_sdk_mcp_server, tool

import weft

pytestmark = [pytest.mark.integrations, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-4-5-20250929"
CLAUDE = Path(__file__).with_name("claude.py")
TOKENS = (40 + 60 + 30 + 40 + 60, 50)
"""What the two messages of a turn used; the sum that comes with its result is that of the session, and not taken."""
USD = (80 * 3 + 120 * Decimal("0.3") + 30 * Decimal("3.75") + 50 * 15) / 10**6
AGENT, TURN = "ClaudeAgentSDK.query", "ClaudeAgentSDK.ClaudeSDKClient.receive_response"
LOOKED = ["mcp__tools__look", ["seen"]]
SAID = [
    ("user", "hi"),
    ("assistant", "ok"),
    ("assistant", ("mcp__tools__look", {"q": 1})),
    ("assistant", "done"),
]


@weft.op
def seen(q: int) -> str:
    if q == 0:
        raise ValueError("nothing there")
    return f"seen {q}"


@weft.op
def noted(message: object) -> None:
    """What a reader does with a message."""


@tool("look", "Look at it.", {"q": int})
async def look(given):
    return {"content": [{"type": "text", "text": seen(given["q"])}]}


@tool("look", "Look at it in vain.", {"q": int})
async def look_in_vain(given):
    seen(0)


@pytest.fixture
def options(tmp_path):
    def of(used=look):
        program = tmp_path / "claude"
        program.write_text(f"#!{sys.executable}\n{CLAUDE.read_text()}")
        program.chmod(0o755)
        server = create_sdk_mcp_server("tools", tools=[used])
        return ClaudeAgentOptions(cli_path=program, mcp_servers={"tools": server})

    return of


def query(prompt, options):
    return claude_agent_sdk.query(prompt=prompt, options=options)


async def test_a_query_holds_its_tools_and_they_what_they_call(traced, options, billed, chat):
    with weft.span("work"):
        async for _ in query("hi", options()):
            pass
    assert traced.tree() == [["work", [AGENT, LOOKED]]]
    agent = traced.named(AGENT)
    assert (agent.kind, agent.status, agent.model, agent.provider) == ("agent", "ok", MODEL, "anthropic")
    assert chat(agent) == SAID
    used = traced.named("mcp__tools__look")
    assert (used.kind, used.inputs, used.output) == ("tool", {"q": 1}, [{"type": "text", "text": "seen 1"}])
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == TOKENS
    assert trace.cost == USD


async def test_who_reads_the_messages_is_not_inside_the_query(traced, options):
    with weft.span("work") as work:
        async for message in query("hi", options()):
            if isinstance(message, AssistantMessage):
                noted(message)
        assert weft.current_span() is work
    assert traced.tree() == [["work", [AGENT, LOOKED], ["noted"], ["noted"], ["noted"]]]


async def test_each_turn_of_a_client_is_a_span_with_its_own_tokens(traced, options, billed, chat):
    with weft.span("work"):
        async with ClaudeSDKClient(options()) as client:
            for prompt in ("hi", "again"):
                await client.query(prompt)
                async for message in client.receive_response():
                    noted(message)
    assert [one for one in traced.tree()[0][1:] if one != ["noted"]] == [[TURN, LOOKED], [TURN, LOOKED]]
    turns = [span for span in traced if span.name == TURN]
    assert [chat(turn) for turn in turns] == [SAID, [("user", "again"), *SAID[1:]]]
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (2 * TOKENS[0], 2 * TOKENS[1])
    assert trace.cost == 2 * USD


async def test_a_reader_who_is_slow_keeps_the_tools_ops_inside_the_turn(traced, options):
    """The tool is called before its span has begun, which is when the reader comes to the message that asks for it."""
    with weft.span("work"):
        async with ClaudeSDKClient(options()) as client:
            await client.query("hi")
            async for _ in client.receive_response():
                await asyncio.sleep(0.1)
    assert traced.tree() == [["work", [TURN, ["seen"], ["mcp__tools__look"]]]]


async def test_a_subagent_is_inside_the_tool_that_started_it_and_counted_once(traced, options, billed):
    with weft.span("work"):
        async for _ in query("delegate", options()):
            pass
    assert traced.tree() == [["work", [AGENT, ["Task", ["ClaudeAgentSDK.Task", ["Read"]]]]]]
    assert [traced.named(name).kind for name in ("Task", "ClaudeAgentSDK.Task")] == ["tool", "agent"]
    subagent = traced.named("ClaudeAgentSDK.Task")
    assert (subagent.usage["input_tokens"], subagent.usage["output_tokens"], subagent.model) == (7, 3, MODEL)
    trace = billed()
    assert (trace.input_tokens, trace.output_tokens) == (TOKENS[0] + 7, TOKENS[1] + 3)


async def test_what_fails_says_so(traced, options):
    with weft.span("work"):
        with pytest.raises(claude_agent_sdk.ResultError, match="overloaded"):
            async for _ in query("fail", options()):
                pass
        async for _ in query("hi", options(look_in_vain)):
            pass
    failed, went_on = [span for span in traced if span.name == AGENT]
    assert (failed.status, went_on.status) == ("error", "ok")
    assert "overloaded" in failed.error["message"]
    used = traced.named("mcp__tools__look")
    assert (used.status, used.error["message"]) == ("error", "nothing there")
    assert traced.named("seen").parent_id == used.span_id


async def test_a_query_that_is_left_ends_and_nothing_after_it_is_inside(traced, options, caplog):
    with weft.span("work"):
        async for message in query("wait", options()):
            if isinstance(message, AssistantMessage):
                break
        noted("after")
        del message
        await asyncio.sleep(0.5)  # asyncio closes it in a task of its own
    assert traced.tree() == [["work", [AGENT], ["noted"]]]
    assert traced.named(AGENT).status == "ok"
    assert traced.named(AGENT).usage is None
    assert not [line for line in caplog.messages if "detach" in line]


async def test_undone_the_sdk_is_as_it_was(traced, options):
    before = len(traced)
    weft.uninstrument()
    assert claude_agent_sdk.query.__module__ == "claude_agent_sdk.query"
    assert not hasattr(claude_agent_sdk.query, "__wrapped__")
    assert not hasattr(ClaudeSDKClient.receive_response, "__wrapped__")
    async for _ in query("hi", options()):
        pass
    assert [span.name for span in traced[before:]] == ["seen"]
