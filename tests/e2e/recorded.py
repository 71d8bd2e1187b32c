"""A home where every kind of thing that the tracer can say was recorded, by the tracer: `python recorded.py HOME`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import SpanLimits, TracerProvider

import weft
from weft.tracking import runtime
from weft.tracking.store.access import open_store

EVIL = "<img src=x onerror='window.pwned=1'>\x1b[31m \u202egpj"
KINDS = ("agent", "llm", "tool", "retriever", "embedding", "guardrail", "scorer", "chain", "op")


@dataclass(slots=True)
class Recorded:
    """Trace ids, by what a test looks at."""

    whole: str = ""
    """An agent with a span of every kind, scores, tags, links, a secret, a chat in parts."""
    estimated: str = ""
    lossy: str = ""
    """Of a provider with span limits."""
    cancelled: str = ""
    interrupted: str = ""
    """Its process ended in the middle."""
    hostile: str = ""


@weft.op(kind="retriever")
def find(query: str) -> list[dict[str, Any]]:
    """Documents about a query."""
    return [{"title": f"About {query}", "score": 0.91}]


@weft.op(kind="tool")
def call_service(query: str, api_key: str) -> str:
    return f"{query}: Authorization: Bearer {api_key}"


@weft.op(kind="guardrail")
def allowed(query: str) -> bool:
    return "sun" not in query


@weft.op(kind="llm")
def think(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A model that answers in OpenTelemetry's parts."""
    return {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "The reference says so."},
            {"type": "tool_call", "id": "c2", "name": "find", "arguments": {"query": "rain"}},
            {"type": "text", "content": "It rains in **Bergen**."},
        ],
    }


@weft.op(kind="agent")
def answer(question: str, before: Any) -> str:
    weft.current_span().add_link(before.get_span_context(), {"why": "asked before"})
    weft.score("confidence", 0.8, reason="it was in the reference")
    allowed(question)
    find(question)
    call_service(question, "sk-live-abcdefghijklmnopqrstuvwxyz123456")
    with weft.span("chat", kind="llm") as span:
        span.set_usage(
            {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 100},
            model="gpt-4o-mini",
            provider="openai",
        )
    for kind in ("embedding", "scorer", "chain"):
        with weft.span(kind, kind=kind):
            pass
    think(
        [
            {"role": "system", "parts": [{"type": "text", "content": "Answer from the reference."}]},
            {"role": "user", "parts": [{"type": "text", "content": question}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "it was dry"}]},
        ]
    )
    return "It rains in Bergen."


def record(home: Path) -> Recorded:
    """Record it all, and ingest."""
    weft.configure(home=home, project="recorded")
    made = Recorded()
    with weft.span("before") as before:
        pass
    with weft.thread("rainy <b>day</b>"):
        for question in ("where does it rain?", "and where is sun?", "what of snow?"):
            _, span = answer.call(question, before)
    made.whole = span.trace_id
    with weft.span("ask") as span, weft.span("silent model", kind="llm") as call:
        call.set_usage({}, model="gpt-4o-mini", provider="openai")
        call.set_output("It did not say how many tokens that was.")
    made.estimated = span.trace_id
    made.lossy = lossy()
    try:
        with weft.span("cancelled") as span:
            made.cancelled = span.trace_id
            raise asyncio.CancelledError
    except asyncio.CancelledError:
        pass
    made.interrupted = interrupted(home)
    made.hostile = hostile()
    weft.flush()
    api = weft.Api()
    trace = api.trace(made.whole)
    api.update(trace, tags=["prod", "rain <i>x</i>"])
    weft.score("helpful", True, on=trace, author="ana", reason="short and right")
    weft.score("reaction", "👍", on=trace, kind="reaction", author="bo")
    weft.score("note", on=trace, kind="note", reason="good example for the tests", author="ana")
    weft.score("tone", "friendly", on=trace, kind="label", author="bo")
    weft.flush()
    open_store(runtime.active().settings).close()
    return made


def lossy() -> str:
    """What a program's own provider threw away before weft saw it."""
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=4, max_events=2))
    provider.add_span_processor(weft.SpanProcessor())
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("GET /search") as span:
        for number in range(7):
            span.set_attribute(f"key.{number}", number)
            span.add_event(f"event {number}")
        return format(span.get_span_context().trace_id, "032x")


def interrupted(home: Path) -> str:
    """A process that ends inside a call."""
    script = """
import os, weft
weft.configure(project="recorded")
@weft.op
def interrupted():
    print(weft.current_span().trace_id, flush=True)
    os._exit(1)
interrupted()
"""
    env = {**os.environ, "WEFT_HOME": str(home)}
    told = subprocess.run([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True, check=False)
    return told.stdout.strip()


def hostile() -> str:
    """Words that a page must not obey, in all that is new: tags, authors, notes, scores, links, events, sessions."""
    with weft.thread(EVIL), weft.span(EVIL, kind="llm") as span:
        span.add_event(EVIL, {EVIL: EVIL})
        span.set_usage({"input_tokens": 1, "output_tokens": 9, "reasoning_tokens": 99}, model=EVIL, provider=EVIL)
        weft.score(EVIL, 0.5, reason=EVIL)
        span.set_output(
            {"role": "assistant", "parts": [{"type": EVIL, "content": EVIL}, {"type": "thinking", "thinking": EVIL}]}
        )
        trace = span.trace_id
    weft.flush()
    api = weft.Api()
    api.update(api.trace(trace), tags=[EVIL, "javascript:window.pwned=2"])
    weft.score("reaction", EVIL, on=trace, kind="reaction", author=EVIL)
    weft.score(
        "note", on=trace, kind="note", reason=f"[x](javascript:window.pwned=3) {EVIL}", author="javascript:alert(1)"
    )
    return trace


if __name__ == "__main__":
    print(record(Path(sys.argv[1])))
