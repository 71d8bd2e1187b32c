"""Promises of `weft.tracer.otel.sharing`: the program's own OpenTelemetry backend sees ops as it sees its own spans."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry import trace as otel
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util._once import Once

import weft
from weft.testing.spans import captured_spans
from weft.tracer.op import op
from weft.tracer.otel import processor
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@pytest.fixture(autouse=True)
def _no_global_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test sets its own, as a program would, once."""
    monkeypatch.setattr(otel, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(processor, "_provider", None)


@pytest.fixture
def memory() -> InMemorySpanExporter:
    """The program's backend."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(memory: InMemorySpanExporter) -> Iterator[TracerProvider]:
    """The program's global provider."""
    made = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    otel.set_tracer_provider(made)
    yield made
    made.shutdown()


def seen(memory: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    assert weft.flush(10)
    return {one.name: one for one in memory.get_finished_spans()}


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


def test_the_programs_backend_sees_no_orphans(
    home: Any, provider: TracerProvider, memory: InMemorySpanExporter
) -> None:
    """Every parent that its spans name is there, once, with the program's resource."""
    tracer = provider.get_tracer("shop")

    @op(name="answer")
    def answer() -> None:
        with tracer.start_as_current_span("request"):
            leaf(1)

    with tracer.start_as_current_span("server"):
        answer()
    answer()
    assert weft.flush(10)
    found = memory.get_finished_spans()
    assert sorted(one.name for one in found) == sorted(["server"] + ["answer", "request", "leaf"] * 2)
    known = {one.context.span_id for one in found if one.context}
    assert len(known) == len(found)
    assert all(one.parent is None or one.parent.span_id in known for one in found)
    assert {one.resource.attributes["service.name"] for one in found} == {"shop"}


def test_an_op_is_told_whole(home: Any, provider: TracerProvider, memory: InMemorySpanExporter, spans: Spans) -> None:
    """Same ids, times, events, status and scope; attributes by the GenAI conventions; nothing evicted."""

    def ask() -> None:
        with span("ask", kind="llm", inputs={"messages": [{"role": "user", "content": "Hi"}]}) as one:
            one.set_attributes({f"a{n}": n for n in range(200)})
            one.add_event("retry", {"attempt": 2})
            one.set_usage({"input_tokens": 4}, model="gpt-4o", provider="openai")
            raise ValueError("no")

    with weft.thread("talk", user_id="u1"), pytest.raises(ValueError, match="no"):
        ask()
    told = seen(memory)["ask"]
    (kept,) = spans()
    assert told.context is not None
    assert (f"{told.context.trace_id:032x}", f"{told.context.span_id:016x}") == (kept.trace_id, kept.span_id)
    assert (told.start_time, told.end_time) == (kept.start_ns, kept.end_ns)
    assert told.kind is SpanKind.CLIENT
    assert (told.status.status_code, told.status.description) == (StatusCode.ERROR, "no")
    assert told.instrumentation_scope is not None
    assert told.instrumentation_scope.name == "weft"
    assert told.attributes is not None
    assert told.attributes["gen_ai.usage.input_tokens"] == 4
    assert told.attributes["gen_ai.conversation.id"] == "talk"
    assert told.attributes["gen_ai.input.messages"] == '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'
    assert {f"a{n}" for n in range(200)} <= told.attributes.keys()
    assert [event.name for event in told.events] == ["retry", "exception"]
    exception = dict(told.events[1].attributes or {})
    assert (exception["exception.type"], exception["exception.message"]) == ("ValueError", "no")


def test_separate_hands_nothing_over(home: Any, provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    weft.configure(home=home, otel="separate")
    leaf()
    assert seen(memory) == {}
    assert runtime.active().outlet is None


def test_a_provider_that_is_set_later_is_found(home: Any, memory: InMemorySpanExporter) -> None:
    """By the next root call; what began before stays weft's alone."""
    leaf("before")
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    otel.set_tracer_provider(made)
    leaf("after")
    assert [dict(one.attributes or {})["weft.output"] for one in seen(memory).values()] == ['"after"']


def test_a_processor_that_is_added_later_hears_too(home: Any, provider: TracerProvider) -> None:
    leaf()
    later = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(later))
    leaf()
    assert len(seen(later)) == 1


def test_wefts_processor_on_the_same_provider_records_nothing_twice(
    home: Any, provider: TracerProvider, memory: InMemorySpanExporter, spans: Spans
) -> None:
    provider.add_span_processor(weft.SpanProcessor())
    with provider.get_tracer("x").start_as_current_span("server"):
        leaf()
    assert sorted(seen(memory)) == ["leaf", "server"]
    assert [one.name for one in spans()] == ["server", "leaf"]


def test_processors_hear_the_start_before_the_end_and_may_add_to_the_span(
    home: Any, provider: TracerProvider, memory: InMemorySpanExporter
) -> None:
    """With the context that the op began in: baggage is there."""

    class Tenant(SpanProcessor):
        def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
            span.set_attribute("tenant", str(baggage.get_baggage("tenant", parent_context)))
            span.set_attribute("parent", otel.get_current_span(parent_context).get_span_context().span_id)

    provider.add_span_processor(Tenant())
    token = attach(baggage.set_baggage("tenant", "acme"))

    @op(name="answer")
    def answer() -> None:
        leaf()

    answer()
    detach(token)
    found = seen(memory)
    assert {dict(one.attributes or {})["tenant"] for one in found.values()} == {"acme"}
    assert found["answer"].context is not None
    assert dict(found["leaf"].attributes or {})["parent"] == found["answer"].context.span_id


def test_no_processor_runs_on_the_callers_thread(home: Any, provider: TracerProvider) -> None:
    """Not even one that takes its time: SimpleSpanProcessor exports where it is called."""
    threads: set[int] = set()

    class Slow(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name == "leaf":
                threads.add(threading.get_ident())
                time.sleep(0.2)

    provider.add_span_processor(Slow())
    began = time.perf_counter()
    for n in range(5):
        leaf(n)
    spent = time.perf_counter() - began
    assert weft.flush(10)
    assert spent < 0.2
    assert threads
    assert threading.get_ident() not in threads


def test_a_batch_processor_gets_them_in_time_for_its_flush(home: Any, provider: TracerProvider) -> None:
    later = InMemorySpanExporter()
    provider.add_span_processor(BatchSpanProcessor(later))
    leaf()
    assert list(seen(later)) == ["leaf"]


def test_a_processor_whose_flush_answers_nothing_has_flushed(home: Any, provider: TracerProvider) -> None:
    """Most people write it so; the SDK's own base class did. The one behind it is flushed as well."""
    asked: list[str] = []

    class Silent(SpanProcessor):
        def force_flush(self, timeout_millis: int = 30000) -> None:  # type: ignore[override]
            asked.append("silent")

    class Failing(SpanProcessor):
        def force_flush(self, timeout_millis: int = 30000) -> bool:
            asked.append("failing")
            return False

    provider.add_span_processor(Silent())
    leaf()
    assert weft.flush(10)
    provider.add_span_processor(Failing())
    assert not weft.flush(10)
    assert asked == ["silent", "silent", "failing"]


def test_a_trace_that_the_programs_sampler_left_out_is_not_handed_over(home: Any, memory: InMemorySpanExporter) -> None:
    made = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    otel.set_tracer_provider(made)
    with made.get_tracer("x").start_as_current_span("left out"):
        leaf()
    assert seen(memory) == {}
    leaf()
    assert list(seen(memory)) == ["leaf"]


def test_what_instrumentors_made_with_wefts_provider_is_handed_over_too(
    home: Any, provider: TracerProvider, memory: InMemorySpanExporter, spans: Spans
) -> None:
    """Else an op under such a span would be an orphan in the program's backend."""
    tracer = processor.provider().get_tracer("instrumentor")

    @op(name="answer")
    def answer() -> None:
        with tracer.start_as_current_span("model call"):
            leaf()

    answer()
    assert sorted(seen(memory)) == ["answer", "leaf", "model call"]
    assert sorted(one.name for one in spans()) == ["answer", "leaf", "model call"]


def test_a_broken_processor_is_counted_and_the_others_hear(home: Any, provider: TracerProvider) -> None:
    class Broken(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("broken")

    later = InMemorySpanExporter()
    first = TracerProvider(shutdown_on_exit=False)
    first.add_span_processor(Broken())
    weft.configure(home=home, exporters=[Broken(), later])
    assert leaf(1) == 1
    assert list(seen(later)) == ["leaf"]
    assert runtime.active().faults.counts["hand spans to Broken"] == 1


@dataclass
class Node:
    """A call to be made: an op, a block, an SDK span, with what it calls."""

    kind: str
    children: list[Node]


def make(node: Node, tracer: otel.Tracer, names: Iterator[str]) -> None:
    """Make the calls of a tree."""
    name = next(names)
    if node.kind == "op":

        @op(name=name)
        def call() -> None:
            for child in node.children:
                make(child, tracer, names)

        call()
        return
    with span(name) if node.kind == "block" else tracer.start_as_current_span(name):
        for child in node.children:
            make(child, tracer, names)


kinds = st.sampled_from(["op", "block", "sdk"])
nodes = st.recursive(
    st.builds(Node, kinds, st.just([])), lambda inner: st.builds(Node, kinds, st.lists(inner, max_size=3)), max_leaves=8
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nodes)
def test_both_see_the_same_tree_whatever_nests_in_what(
    provider: TracerProvider, memory: InMemorySpanExporter, node: Node
) -> None:
    """Names, parents and trace ids in weft and in the program's backend are the same."""
    if not isinstance(provider._active_span_processor._span_processors[-1], weft.SpanProcessor):
        provider.add_span_processor(weft.SpanProcessor())
    memory.clear()
    with captured_spans() as spans:
        make(node, provider.get_tracer("x"), (f"n{n}" for n in itertools.count()))
        assert weft.flush(10)
    theirs = {
        (one.name, f"{one.context.trace_id:032x}", f"{one.parent.span_id:016x}" if one.parent else None)
        for one in memory.get_finished_spans()
        if one.context
    }
    assert theirs == {(one.name, one.trace_id, one.parent_id) for one in spans}


def test_a_proxy_that_stands_for_an_sdk_provider_is_seen_through(home: Any, memory: InMemorySpanExporter) -> None:
    """As Logfire sets one."""

    class Proxy(otel.TracerProvider):
        def __init__(self, provider: TracerProvider) -> None:
            self.provider = provider

        def get_tracer(self, *arguments: Any, **named: Any) -> otel.Tracer:
            return self.provider.get_tracer(*arguments, **named)

    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    otel.set_tracer_provider(Proxy(made))
    leaf()
    assert list(seen(memory)) == ["leaf"]


def test_a_provider_that_is_not_the_sdks_is_left_alone(home: Any) -> None:
    otel.set_tracer_provider(otel.NoOpTracerProvider())
    assert leaf(1) == 1
    assert runtime.active().outlet is None


def test_global_makes_wefts_provider_the_programs(home: Any, spans: Spans) -> None:
    """So that whatever OpenTelemetry traces is recorded."""
    weft.configure(home=home, otel="global")
    with otel.get_tracer("some.library").start_as_current_span("request"):
        leaf()
    assert [(one.name, one.parent_id is None) for one in spans()] == [("request", True), ("leaf", False)]
    weft.configure(home=home, otel="global")  # again: it is ours already


def test_global_is_refused_where_the_program_has_a_provider(home: Any, provider: TracerProvider) -> None:
    with pytest.raises(weft.Error, match=r"add_span_processor\(weft\.SpanProcessor\(\)\)"):
        weft.configure(home=home, otel="global")


def test_an_unknown_way_is_refused(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(weft.Error, match="share, separate, global"):
        weft.configure(home=home, otel="sometimes")
    monkeypatch.setenv("WEFT_OTEL", "never")
    with pytest.raises(weft.Error, match="WEFT_OTEL"):
        weft.configure(home=home)
