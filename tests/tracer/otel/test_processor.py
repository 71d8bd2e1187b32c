"""Promises of `weft.tracer.otel.processor`: spans of the OpenTelemetry SDK are recorded, in one tree with ops."""

from __future__ import annotations

import asyncio
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, detach, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

import weft
from weft.testing.spans import read_spans
from weft.tracer.context import SAMPLED_OUT_KEY, attributes, thread
from weft.tracer.op import op
from weft.tracer.otel import processor
from weft.tracer.otel.processor import SpanProcessor
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.journal.records import Record, ScoreLogged, SpanOpened
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]
Tree = Callable[[], dict[str, str | None]]
Records = Callable[[], list[Record]]


@pytest.fixture
def provider(home: Any) -> Iterator[TracerProvider]:
    """A program's provider, with weft's processor."""
    made = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    made.add_span_processor(SpanProcessor())
    yield made
    made.shutdown()


@pytest.fixture
def tracer(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("some.library", "2.1")


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


def test_ops_and_sdk_spans_nest_in_each_other(tracer: Tracer, tree: Tree, spans: Spans) -> None:
    """One tree, one trace, whoever began it."""

    @op(name="answer")
    def answer() -> None:
        with tracer.start_as_current_span("request"):
            leaf()

    with tracer.start_as_current_span("server"):
        answer()
    assert tree() == {"server": None, "answer": "server", "request": "answer", "leaf": "request"}
    assert len({one.trace_id for one in spans()}) == 1


def test_they_nest_across_tasks_and_threads(tracer: Tracer, tree: Tree) -> None:
    @op(name="answer")
    async def answer() -> None:
        async def ask(name: str) -> None:
            with tracer.start_as_current_span(name):
                await asyncio.sleep(0)
                leaf.call()  # type: ignore[attr-defined]

        await asyncio.gather(ask("one"))
        await asyncio.to_thread(lambda: tracer.start_span("in a thread").end())
        worker = threading.Thread(target=weft.wrap_context(lambda: tracer.start_span("in another").end()))
        worker.start()
        worker.join()

    asyncio.run(answer())
    assert tree() == {"answer": None, "one": "answer", "leaf": "one", "in a thread": "answer", "in another": "answer"}


def test_a_span_is_in_the_journal_when_it_begins(tracer: Tracer, spans: Spans) -> None:
    """One that never ends is there, with what was known at its start."""
    hung = tracer.start_span("hung", attributes={"http.method": "GET"})
    (found,) = spans()
    assert (found.name, found.status, found.attributes["http.method"]) == ("hung", "running", "GET")
    hung.end()
    assert spans()[0].status == "ok"


def test_what_the_sdk_knows_is_kept(tracer: Tracer, spans: Spans) -> None:
    """Attributes verbatim, events, links, the library, the service, the side of the call, its own times."""
    other = SpanContext(0xABC, 0xDEF, False)
    one = tracer.start_span(
        "GET /a", kind=SpanKind.CLIENT, attributes={"a": 1}, links=[Link(other, {"why": "batch"})], start_time=1_000
    )
    one.set_attribute("b", ["x", "y"])
    one.set_attribute("a", 2)
    one.add_event("retry", {"attempt": 2}, timestamp=1_500)
    one.end(3_000)
    (found,) = spans()
    assert found.kind == "op"
    assert found.attributes == {
        "a": 2,
        "b": ["x", "y"],
        "otel.scope.name": "some.library",
        "otel.scope.version": "2.1",
        "otel.span.kind": "client",
        "service.name": "shop",
    }
    assert (found.start_ns, found.end_ns, found.duration_ns) == (1_000, 3_000, 2_000)
    assert found.events == [{"name": "retry", "at_ns": 1_500, "attributes": {"attempt": 2}}]
    assert found.links == [{"trace_id": f"{0xABC:032x}", "span_id": f"{0xDEF:016x}", "attributes": {"why": "batch"}}]


def test_a_model_call_is_an_llm_span_with_tokens_and_messages(tracer: Tracer, spans: Spans) -> None:
    """By the dialects' table: kind, model, provider, usage, messages, conversation, user."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]',
    }
    one = tracer.start_span("chat gpt-4o", attributes=said)
    (begun,) = spans()
    assert begun.kind == "llm"
    assert begun.inputs["messages"][0]["content"] == "Hi"
    one.set_attributes(
        {
            "gen_ai.response.model": "gpt-4o-2024-11-20",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.conversation.id": "c1",
            "user.id": "u1",
            "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}]',
        }
    )
    one.end()
    (found,) = spans()
    assert (found.kind, found.model, found.provider) == ("llm", "gpt-4o-2024-11-20", "openai")
    assert found.usage == {"input_tokens": 12, "output_tokens": 3}
    assert found.output["choices"][0]["message"]["content"] == "Ho"
    assert (found.thread_id, found.user_id) == ("c1", "u1")


def test_a_score_that_came_with_a_span_is_one(tracer: Tracer, records: Records) -> None:
    with tracer.start_as_current_span("judged") as one:
        said = {"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.value": 0.25}
        one.add_event("gen_ai.evaluation.result", said)
    (score,) = [record for record in records() if isinstance(record, ScoreLogged)]
    assert (score.name, score.value, score.target) == ("tone", 0.25, "span")
    assert score.span_id == one.get_span_context().span_id.to_bytes(8, "big")


def test_project_run_conversation_and_attributes_are_those_of_the_place(tracer: Tracer, spans: Spans) -> None:
    run = weft.init("shop")
    with attributes({"release": "r1"}), thread("talk", user_id="u1"):

        @op(name="answer")
        def answer() -> None:
            with tracer.start_as_current_span("request", attributes={"own": 1}):
                leaf()

        answer()
        with tracer.start_as_current_span("second"), tracer.start_as_current_span("inside"):
            pass
    found = {one.name: one for one in spans()}
    weft.finish()
    for one in found.values():
        assert (one.project, one.run_id, one.thread_id, one.user_id) == ("shop", run.uid.hex(), "talk", "u1")
        assert one.attributes["release"] == "r1"
    assert found["request"].attributes["own"] == 1
    assert found["request"].turn_id == found["answer"].turn_id == found["leaf"].turn_id == found["answer"].span_id
    assert found["inside"].turn_id == found["second"].turn_id == found["second"].span_id


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no"), "error"), (CancelledError("left"), "cancelled"), (TimeoutError(), "error")]
)
def test_an_exception_is_the_error(tracer: Tracer, spans: Spans, error: BaseException, status: str) -> None:
    one = tracer.start_span("x")
    one.record_exception(error)
    one.set_status(Status(StatusCode.ERROR, str(error)))
    one.end()
    (found,) = spans()
    assert found.status == status
    assert found.error is not None
    assert found.error["type"].rpartition(".")[2] == type(error).__name__
    assert found.error["message"] == str(error)
    assert type(error).__name__ in found.error["stacktrace"]


def test_an_exception_that_was_handled_is_no_error(tracer: Tracer, spans: Spans) -> None:
    with tracer.start_as_current_span("x") as one:
        one.record_exception(ValueError("handled"))
    (found,) = spans()
    assert (found.status, found.error) == ("ok", None)
    assert found.events[0]["name"] == "exception"


def test_an_error_without_an_exception_says_its_description(tracer: Tracer, spans: Spans) -> None:
    with tracer.start_as_current_span("x") as one:
        one.set_status(Status(StatusCode.ERROR, "upstream 503"))
    (found,) = spans()
    assert found.error == {"type": "", "message": "upstream 503", "stacktrace": ""}


def test_what_the_sdk_evicted_is_said_and_our_own_provider_evicts_nothing(
    provider: TracerProvider, spans: Spans
) -> None:
    """The SDK keeps the last 128 attributes of a span; a conversation of 200 messages loses its model."""
    flat = {f"llm.input_messages.{n}.message.content": f"m{n}" for n in range(200)}
    said = {"llm.model_name": "gpt-4o", "llm.token_count.prompt": 7, "session.id": "s", **flat}
    provider.get_tracer("x").start_span("limited", attributes=said).end()
    ours = processor.provider()
    ours.get_tracer("x").start_span("whole", attributes=said).end()
    found = {one.name: one for one in spans()}
    assert found["limited"].attributes["otel.dropped_attributes_count"] == 75
    assert "otel.dropped_attributes_count" not in found["whole"].attributes
    assert (found["whole"].model, found["whole"].usage) == ("gpt-4o", {"input_tokens": 7})
    assert found["whole"].thread_id == "s"
    assert [message["content"] for message in found["whole"].inputs["messages"]] == list(flat.values())


def test_our_spans_never_evict(spans: Spans) -> None:
    with span("mine") as one:
        for n in range(300):
            one.set_attribute(f"a{n}", n)
    assert len(spans()[0].attributes) == 300


def test_a_second_end_is_none_and_an_end_without_a_start_is_both(home: Any, spans: Spans) -> None:
    """A processor that was added while spans were open records them whole, at their end."""
    late, made = SpanProcessor(), TracerProvider(shutdown_on_exit=False)
    one = made.get_tracer("x").start_span("open already", attributes={"a": 1}, start_time=5)
    made.add_span_processor(late)
    one.end(9)
    assert isinstance(one, ReadableSpan)
    late.on_end(one)
    (found,) = spans()
    assert (found.name, found.start_ns, found.end_ns, found.attributes["a"]) == ("open already", 5, 9, 1)


def test_a_clock_that_runs_backwards_makes_no_negative_duration(tracer: Tracer, spans: Spans) -> None:
    tracer.start_span("x", start_time=2_000).end(1_000)
    (found,) = spans()
    assert (found.start_ns, found.end_ns, found.duration_ns) == (2_000, 2_000, 0)


def test_suppressed_instrumentation_is_not_recorded_wherever_it_ends(tracer: Tracer, spans: Spans) -> None:
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    one = tracer.start_span("quiet")
    detach(token)
    one.end()
    assert spans() == []


def test_what_is_under_a_call_that_sampling_left_out_stays_out(tracer: Tracer, spans: Spans) -> None:
    """Weft's own sampling: the SDK's spans there go to the program's backend, not to the journal."""
    under = Context({SAMPLED_OUT_KEY: b"t" * 16})
    tracer.start_span("left out", context=under).end()
    tracer.start_span("in", context=Context()).end()
    assert [one.name for one in spans()] == ["in"]


def test_a_trace_is_kept_or_left_out_whole_whoever_begins_it(home: Any, tmp_path: Any) -> None:
    """Of half of all traces nothing is recorded, of the others everything, ops and SDK spans alike."""
    weft.configure(home=tmp_path / "half", sample_rate=0.5)
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SpanProcessor())
    tracer = made.get_tracer("x")

    @op(name="answer")
    def answer() -> None:
        tracer.start_span("request").end()

    for _ in range(100):
        with tracer.start_as_current_span("server"):
            answer()
        answer()
    found = read_spans(runtime.active().home.journal)
    by_trace: dict[str, list[str]] = {}
    for one in found:
        by_trace.setdefault(one.trace_id, []).append(one.name)
    assert {tuple(sorted(names)) for names in by_trace.values()} == {
        ("answer", "request", "server"),
        ("answer", "request"),
    }
    assert 50 < len(by_trace) < 150


def test_what_the_programs_sampler_leaves_out_leaves_no_hole(home: Any, tree: Tree, spans: Spans) -> None:
    """Ops go on; those under a span that is nowhere hang on the nearest that is somewhere."""
    made = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    made.add_span_processor(SpanProcessor())
    tracer = made.get_tracer("x")

    @op(name="answer")
    def answer() -> None:
        with tracer.start_as_current_span("unseen"):
            leaf()

    with tracer.start_as_current_span("unseen too") as unseen:
        answer()
    assert tree() == {"answer": None, "leaf": "answer"}
    assert {one.trace_id for one in spans()} == {f"{unseen.get_span_context().trace_id:032x}"}


def test_the_programs_head_sampler_decides_for_its_own_spans(home: Any, tree: Tree) -> None:
    """Under an op they are sampled as under any sampled parent; in a trace that was left out they stay out."""
    memory = InMemorySpanExporter()
    made = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    tracer = made.get_tracer("x")
    flags: list[int] = []

    @op(name="outer")
    def outer() -> None:
        @op(name="inner")
        def inner() -> None:
            flags.append(otel.get_current_span().get_span_context().trace_flags)
            tracer.start_span("child").end()

        inner()

    with tracer.start_as_current_span("left out"):
        outer()
    assert memory.get_finished_spans() == ()
    outer()
    assert [one.name for one in memory.get_finished_spans()] == ["child"]
    assert flags == [TraceFlags.DEFAULT, TraceFlags.SAMPLED]
    assert sorted(tree()) == ["inner", "outer"]


def test_a_remote_parent_stays_the_parent_whatever_its_flag(home: Any, spans: Spans) -> None:
    for flags in (TraceFlags.DEFAULT, TraceFlags.SAMPLED):
        remote = otel.NonRecordingSpan(SpanContext(0xA, 0xB, True, TraceFlags(flags)))
        token = attach(otel.set_span_in_context(remote, Context()))
        leaf()
        detach(token)
    assert [one.parent_id for one in spans()] == [f"{0xB:016x}"] * 2


def test_names_of_foreign_spans_lose_their_secrets(tracer: Tracer, records: Records) -> None:
    key = "sk-" + "proj-" + "a1B2" * 12
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": key,
        "gen_ai.system": key,
        "gen_ai.conversation.id": key,
        "user.id": key,
    }
    with tracer.start_as_current_span(f"GET /v1/{key}") as late:
        late.set_attributes(said)
    tracer.start_span(f"POST /v1/{key}", attributes=said).end()
    weft.flush()
    assert {record.name for record in records() if isinstance(record, SpanOpened)} >= {"GET /v1/[redacted:api-key]"}
    assert key not in repr(records())


def test_secrets_are_taken_out_of_foreign_spans_too(tracer: Tracer, spans: Spans) -> None:
    key = "sk-" + "proj-" + "a1B2" * 12
    with tracer.start_as_current_span("x", attributes={"http.header.authorization": f"Bearer {key}"}) as one:
        one.add_event("told", {"text": f"key {key}"})
    assert key not in repr(spans())


def test_nothing_is_recorded_where_weft_is_disabled(tracer: Tracer, tmp_path: Any) -> None:
    weft.configure(home=tmp_path / "none", mode="disabled")
    with tracer.start_as_current_span("x"):
        leaf()
    assert not (tmp_path / "none").exists()


def test_a_recording_error_is_counted_and_the_span_goes_on(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not strict: as in a user's program."""
    monkeypatch.setenv("WEFT_STRICT", "0")
    weft.configure(home=home)
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SpanProcessor())

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(processor.dialects, "translate", broken)
    with made.get_tracer("x").start_as_current_span("x", attributes={"a": 1}):
        pass
    counts = runtime.active().faults.counts
    assert counts["record the start of an OpenTelemetry span"] == 1
    assert counts["record an OpenTelemetry span"] == 1


def test_long_lived_processors_forget_what_never_ends(
    tracer: Tracer, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    monkeypatch.setattr(processor, "SPANS_KEPT", 10)
    (mine,) = provider._active_span_processor._span_processors
    open_spans = [tracer.start_span(f"s{n}") for n in range(30)]
    assert isinstance(mine, SpanProcessor)
    assert len(mine._open) == 10
    assert len(open_spans) == sum(isinstance(record, SpanOpened) for record in records())


def test_our_provider_is_one_and_not_the_programs() -> None:
    assert processor.provider() is processor.provider()
    assert otel.get_tracer_provider() is not processor.provider()


def test_the_front_door_has_it(home: Any) -> None:
    assert weft.SpanProcessor is SpanProcessor
    assert read_spans(runtime.active().home.journal) == []


def test_no_dialect_knows_the_names_that_are_passed_over() -> None:
    """An HTTP span's attributes are not asked for each field of a model call; so none of them may be one."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield key
                yield from texts(item)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item)

    table = {key: value for key, value in processor.dialects.table().items() if key != "source"}
    assert [text for text in texts(table) if text.startswith(processor.PLAIN)] == []


def test_a_model_call_that_says_all_at_its_start_is_one_at_its_end(tracer: Tracer, spans: Spans) -> None:
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}
    tracer.start_span("chat m", attributes=said).end()
    (found,) = spans()
    assert (found.kind, found.model, found.usage) == ("llm", "m", {"input_tokens": 3})
