"""The recipe for MCP in docs/context.md with the real SDK: a client here, a server in another process, on stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from mcp import ClientSession, StdioServerParameters, stdio_client

import weft
from weft.testing.spans import read_spans

pytestmark = [pytest.mark.integrations, pytest.mark.timeout(60)]

MAJOR = int(version("mcp").partition(".")[0])
SERVER = Path(__file__).with_name("server.py")


@asynccontextmanager
async def session(home: Path) -> AsyncIterator[ClientSession]:
    program = StdioServerParameters(
        command=sys.executable, args=[str(SERVER), str(home)], env={**os.environ, "WEFT_STRICT": "1"}
    )
    async with stdio_client(program) as (read, write), ClientSession(read, write) as opened:
        await opened.initialize()
        yield opened


async def test_a_tool_of_another_process_is_in_the_trace_conversation_and_turn(home: Path) -> None:
    async with session(home) as server:
        with weft.thread("talk", user_id="Zoë"), weft.span("agent", kind="agent") as agent:
            answer = await server.call_tool("price", {"sku": "a-1"}, meta=weft.inject({}))
    assert answer.content[0].text == "a-1 costs 12"

    found = {one.name: one for one in read_spans(home / "journal")}
    assert set(found) == {"agent", "look_up"}
    tool = found["look_up"]
    assert (tool.trace_id, tool.parent_id) == (agent.trace_id, agent.span_id)
    assert (tool.thread_id, tool.turn_id, tool.user_id) == ("talk", agent.span_id, "Zoë")
    assert tool.inputs == {"sku": "a-1"}


async def test_what_is_called_outside_of_any_call_is_a_trace_of_its_own(home: Path) -> None:
    async with session(home) as server:
        await server.call_tool("price", {"sku": "a-1"}, meta=weft.inject({}))

    (tool,) = read_spans(home / "journal")
    assert tool.parent_id is None


async def test_calls_at_the_same_time_keep_their_own_parents(home: Path) -> None:
    """One connection, one server process, many callers."""

    @weft.op
    async def ask(number: int) -> None:
        await server.call_tool("price", {"sku": str(number)}, meta=weft.inject({}))

    async with session(home) as server:
        await asyncio.gather(*(ask(number) for number in range(20)))

    spans = read_spans(home / "journal")
    asked = {one.span_id: one for one in spans if one.name != "look_up"}
    tools = [one for one in spans if one.name == "look_up"]
    assert len(asked) == len(tools) == 20
    assert all(asked[tool.parent_id].inputs["number"] == int(tool.inputs["sku"]) for tool in tools)


@pytest.mark.skipif(MAJOR < 2, reason="the SDK of major 1 carries nothing by itself")
async def test_the_sdk_of_major_2_carries_the_trace_by_itself(home: Path) -> None:
    """It injects and extracts by OpenTelemetry's context, which is where weft's spans are."""
    async with session(home) as server:
        with weft.span("agent") as agent:
            await server.call_tool("unaware", {"sku": "a-1"})

    (tool,) = (one for one in read_spans(home / "journal") if one.name == "look_up")
    assert (tool.trace_id, tool.parent_id) == (agent.trace_id, agent.span_id)
