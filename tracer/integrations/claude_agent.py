"""The Claude Agent SDK, by OpenInference's wrappers. With the face of an instrumentor.

Those make the agent's span current in whoever reads its messages, and know nothing of what a tool of the program's own
calls. Here the reader stays outside of the span, and what runs in a tool is inside the tool's.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from importlib import import_module
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from opentelemetry import context as otel_context
from opentelemetry.trace import set_span_in_context

from weft.tracer.context import detach, get_current
from weft.tracer.integrations.apart import Apart
from weft.tracer.integrations.patches import Patches
from weft.tracer.propagation import inject

TOOL_USE_ID: Final = "claudecode/toolUseId"
"""Where Claude Code says in a call's `_meta` which of the model's requests it answers."""


class ClaudeAgent:
    """OpenInference's instrumentor, its spans where they belong."""

    def __init__(self) -> None:
        self._theirs = import_module("openinference.instrumentation.claude_agent_sdk").ClaudeAgentSDKInstrumentor()
        self._patches = Patches("openinference-instrumentation-claude-agent-sdk")
        self._trackers: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """By the id of a tool's call: who holds its span."""
        self._turns: WeakKeyDictionary[Any, Apart] = WeakKeyDictionary()
        """By connection: the client's turn that was begun last."""

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether the program has switched it on itself."""
        return bool(self._theirs.is_instrumented_by_opentelemetry)

    def instrument(self, *, tracer_provider: Any) -> None:
        """Send the spans to this provider."""
        self._theirs.instrument(tracer_provider=tracer_provider)
        if not self.is_instrumented_by_opentelemetry:
            return  # it knows no such version
        module = import_module("claude_agent_sdk.query")
        module.query = import_module("claude_agent_sdk").query = _read_apart(module.query)  # type: ignore[attr-defined]
        client = import_module("claude_agent_sdk.client").ClaudeSDKClient
        self._patches.wrap(client, "receive_response", self._turn)
        self._patches.wrap(
            import_module("claude_agent_sdk._internal.query").Query, "_handle_sdk_mcp_request", self._led
        )
        wrappers = import_module("openinference.instrumentation.claude_agent_sdk._wrappers")
        wrappers.context_api = _Quiet()  # type: ignore[attr-defined]
        self._patches.wrap(wrappers._ToolSpanTracker, "start_tool_span", self._noted)
        self._patches.wrap(wrappers._SubagentSpanTracker, "end_all", _counted)

    def uninstrument(self) -> None:
        """No spans any more, and the SDK as it was."""
        self._patches.restore()
        self._theirs.uninstrument()
        import_module("openinference.instrumentation.claude_agent_sdk._wrappers").context_api = otel_context  # type: ignore[attr-defined]

    def _turn(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def receive_response(client: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            apart = Apart()
            if (connection := getattr(client, "_query", None)) is not None:
                self._turns[connection] = apart
            return apart.read_async(original.__get__(client, type(client))(*args, **kwargs))

        return receive_response

    def _noted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def start_tool_span(tracker: Any, name: Any, given: Any, tool_use_id: Any, *args: Any, **kwargs: Any) -> None:
            original(tracker, name, given, tool_use_id, *args, **kwargs)
            self._trackers[str(tool_use_id)] = tracker

        return start_tool_span

    def _led(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def handle(connection: Any, server_name: str, message: dict[str, Any]) -> Any:
            return await original(connection, server_name, self._with_trace(connection, message))

        return handle

    def _with_trace(self, connection: Any, message: dict[str, Any]) -> dict[str, Any]:
        """A tool's call with the trace in its `_meta`, which MCP's server of major 2 reads; anything else as it is."""
        params = message.get("params")
        if message.get("method") != "tools/call" or not isinstance(params, dict):
            return message
        meta = params.get("_meta") or {}
        tracker = self._trackers.get(str(meta.get(TOOL_USE_ID)))
        span = None if tracker is None else tracker.get_in_flight_span(meta[TOOL_USE_ID])
        turn = self._turns.get(connection)
        around = get_current() if turn is None or turn.context is None else turn.context
        context = around if span is None else set_span_in_context(span, around)
        return {**message, "params": {**params, "_meta": {**meta, **inject({}, context)}}}


def _counted(original: Callable[..., Any]) -> Callable[..., Any]:
    """Subagents with what they used, which only the messages say, and their agent with theirs: an agent's usage is that
    of all that is below it.
    """

    @functools.wraps(original)
    def end_all(tracker: Any) -> None:
        agent = tracker._root_span
        for state in list(tracker._in_flight.values()):
            used = state.turn_usage.attributes() if state.turn_usage.should_use_turn_usage() else {}
            state.span.set_attributes(used)
            told = getattr(agent, "attributes", None) or {}
            agent.set_attributes({name: count + told[name] for name, count in used.items() if name in told})
        original(tracker)

    return end_all


def _read_apart(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def query(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        return Apart().read_async(original(*args, **kwargs))

    return query


class _Quiet:
    """`opentelemetry.context`, but a generator that its reader leaves early is closed in another task, which is no
    error to be logged.
    """

    detach = staticmethod(detach)

    def __getattr__(self, name: str) -> Any:
        return getattr(otel_context, name)
