"""Promises of `weft.tracer.otel.exporting`: exporters hear of finished spans in the background, never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import weft
from weft.tracer.op import op
from weft.tracer.otel import exporting, processor
from weft.tracer.otel.exporting import outlet_of
from weft.tracer.span import span, start_span
from weft.tracking import runtime
from weft.tracking.journal.journal import Journal
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="leaf")
def leaf(x: Any = 0) -> Any:
    return x


class Receiver:
    """An OTLP/HTTP endpoint on loopback."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def spans(self) -> list[Any]:
        return [
            one
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for one in scope.spans
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_an_otlp_backend_gets_every_span_by_current_names(home: Any, receiver: Receiver, spans: Spans) -> None:
    """Real exporter, real HTTP: ids, parents, attributes, resource as recorded; 200 messages and nothing evicted."""
    exporter = OTLPSpanExporter(endpoint=receiver.url)
    weft.configure(home=home, project="shop", exporters=[exporter])
    messages = [{"role": "user", "content": f"m{n}"} for n in range(200)]

    @op(name="answer", kind="agent")
    def answer() -> None:
        with span("chat gpt-4o", kind="llm", inputs={"model": "gpt-4o", "messages": messages}) as one:
            one.set_usage({"input_tokens": 900, "cache_read_tokens": 800}, model="gpt-4o", provider="openai")
            one.set_attributes({f"a{n}": n for n in range(200)})

    with weft.thread("talk"):
        answer()
    assert weft.flush(10)
    kept = {one.span_id: one for one in spans()}
    assert {one.span_id.hex() for one in receiver.spans} == kept.keys()
    for one in receiver.spans:
        mine = kept[one.span_id.hex()]
        assert (one.trace_id.hex(), one.parent_span_id.hex() or None) == (mine.trace_id, mine.parent_id)
        assert (one.start_time_unix_nano, one.end_time_unix_nano) == (mine.start_ns, mine.end_ns)
    (chat,) = [one for one in receiver.spans if one.name == "chat gpt-4o"]
    said = {item.key: item.value for item in chat.attributes}
    assert said["gen_ai.usage.input_tokens"].int_value == 900
    assert said["gen_ai.usage.cache_read.input_tokens"].int_value == 800
    assert said["gen_ai.request.model"].string_value == "gpt-4o"
    assert said["gen_ai.conversation.id"].string_value == "talk"
    assert said["gen_ai.input.messages"].string_value.count('"role"') == 200
    assert said["a0"].int_value == 0
    assert chat.dropped_attributes_count == 0
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in receiver.requests}
    assert b"shop" in resource


def test_foreign_spans_go_to_exporters_too(home: Any) -> None:
    """So that a backend gets the tree whole."""
    memory = InMemorySpanExporter()
    weft.configure(home=home, exporters=[memory])
    tracer = processor.provider().get_tracer("instrumentor")

    @op(name="answer")
    def answer() -> None:
        with tracer.start_as_current_span("model call"):
            leaf()

    answer()
    assert weft.flush(10)
    assert sorted(one.name for one in memory.get_finished_spans()) == ["answer", "leaf", "model call"]


def test_a_processor_is_fed_as_well_as_an_exporter(home: Any) -> None:
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    weft.configure(home=home, exporters=[BatchSpanProcessor(first), second])
    leaf()
    assert weft.flush(10)
    assert [len(one.get_finished_spans()) for one in (first, second)] == [1, 1]


def test_what_is_no_exporter_is_refused_at_the_call(home: Any) -> None:
    with pytest.raises(weft.Error, match="exporters"):
        weft.configure(home=home, exporters=["http://127.0.0.1:4318"])  # type: ignore[list-item]


def test_streams_and_spans_ended_elsewhere_are_handed_over_once(home: Any) -> None:
    memory = InMemorySpanExporter()
    weft.configure(home=home, exporters=[memory])

    @op(name="stream")
    def stream() -> Iterator[int]:
        yield from range(3)

    assert list(stream()) == [0, 1, 2]
    late = start_span("late")
    worker = threading.Thread(target=late.end)
    worker.start()
    worker.join()
    late.end()
    assert weft.flush(10)
    assert sorted(one.name for one in memory.get_finished_spans()) == ["late", "stream"]


class Gate(SpanExporter):
    """Exports nothing until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.opened.wait(20)
        self.spans += spans
        return SpanExportResult.SUCCESS


def test_a_slow_exporter_holds_up_nobody_and_what_it_misses_is_counted(
    home: Any, monkeypatch: pytest.MonkeyPatch, spans: Spans
) -> None:
    """The queue is bounded; weft keeps everything; another exporter gets everything."""
    monkeypatch.setattr(exporting, "QUEUE_SPANS", 100)
    monkeypatch.setattr(exporting, "BATCH_SPANS", 10)
    gate, quick = Gate(), InMemorySpanExporter()
    weft.configure(home=home, exporters=[gate, quick])
    leaf("first")
    time.sleep(0.7)  # it is taken out of the queue, and stuck
    began = time.perf_counter()
    for n in range(300):
        leaf(n)
        if n % 50 == 0:
            time.sleep(0.02)  # the quick one keeps up
    assert time.perf_counter() - began < 5
    rt = runtime.active()
    outlet = outlet_of(rt)
    assert outlet is not None
    assert outlet.feeds[0].dropped == 200  # one is stuck, 100 wait
    assert rt.faults.counts["hand every span to Gate: its queue is full"] == 200
    assert not weft.flush(0.2)
    gate.opened.set()
    assert weft.flush(10)
    assert len(gate.spans) == 101
    assert len(spans()) == 301
    assert len(quick.get_finished_spans()) + outlet.feeds[1].dropped == 301


def test_a_queue_is_bounded_in_bytes_too(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "QUEUE_BYTES", 100_000)
    gate = Gate()
    weft.configure(home=home, exporters=[gate])
    for _ in range(10):
        leaf("x" * 20_000)
    outlet = outlet_of(runtime.active())
    assert outlet is not None
    assert outlet.feeds[0].dropped > 0
    gate.opened.set()
    assert weft.flush(10)


class Failing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


class Raising(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise ConnectionError("gone")


def test_an_exporter_that_fails_is_counted_and_said(home: Any, caplog: pytest.LogCaptureFixture) -> None:
    weft.configure(home=home, exporters=[Failing(), Raising()])
    assert leaf(1) == 1
    weft.flush(10)
    counts = runtime.active().faults.counts
    assert (counts["hand spans to Failing"], counts["hand spans to Raising"]) == (1, 1)
    assert "FAILURE" in caplog.text
    assert "ConnectionError: gone" in caplog.text


def test_where_nobody_listens_an_append_is_the_journals_own(home: Any) -> None:
    """No listener, no branch, no cost: not even an attribute of the instance."""
    leaf()
    journal = runtime.active().journal
    assert "append" not in vars(journal)
    assert journal.append.__func__ is Journal.append  # type: ignore[attr-defined]
    assert runtime.active().outlet is None


def test_a_child_process_exports_its_own_and_not_its_parents(home: Any, receiver: Receiver) -> None:
    """What waited at the fork is handed over once; the child's spans by the child."""
    weft.configure(home=home, exporters=[OTLPSpanExporter(endpoint=receiver.url)])
    for _ in range(10):
        leaf()
    child = os.fork()
    if child == 0:
        try:
            leaf("child")
            os._exit(0 if weft.flush(10) else 1)
        finally:
            os._exit(2)
    leaf("parent")
    assert weft.flush(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ids = [one.span_id for one in receiver.spans]
    assert len(ids) == len(set(ids)) == 12


def test_an_exporter_outlives_a_change_of_settings(home: Any, tmp_path: Any) -> None:
    memory = InMemorySpanExporter()
    weft.configure(home=home, exporters=[memory])
    leaf()
    weft.configure(home=tmp_path / "two", exporters=[memory])
    assert len(memory.get_finished_spans()) == 1  # the former settings' spans were handed over
    leaf()
    assert weft.flush(10)
    assert len(memory.get_finished_spans()) == 2


def test_open_spans_are_kept_within_bounds(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "OPEN_SPANS", 10)
    memory = InMemorySpanExporter()
    weft.configure(home=home, exporters=[memory])
    opened = [start_span(f"s{n}") for n in range(25)]
    for one in opened:
        one.end()
    assert weft.flush(10)
    assert [one.name for one in memory.get_finished_spans()] == [f"s{n}" for n in range(15, 25)]
    assert sum(runtime.active().faults.counts.values()) == 15


def run(code: str, home: Any, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "WEFT_HOME": str(home), "WEFT_STRICT": "0", **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_at_exit_exporters_get_what_waits(tmp_path: Any, receiver: Receiver) -> None:
    """Nobody calls flush; the exporter and the program's own batch processor are not shut down before."""
    code = f"""
import weft
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint={receiver.url!r})))
trace.set_tracer_provider(provider)
weft.configure(exporters=[OTLPSpanExporter(endpoint={receiver.url!r})])

@weft.op
def leaf(n):
    return n

for n in range(50):
    leaf(n)
"""
    done = run(code, tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.spans) == 100  # each by both ways
    assert len({one.span_id for one in receiver.spans}) == 50


def test_exit_waits_five_seconds_at_most_and_says_what_it_left(tmp_path: Any) -> None:
    code = """
import time, weft
from opentelemetry.sdk.trace.export import SpanExporter

class Hangs(SpanExporter):
    def export(self, spans):
        time.sleep(60)

weft.configure(exporters=[Hangs(), Hangs()])

@weft.op
def leaf(n):
    return n

leaf(1)
"""
    began = time.monotonic()
    done = run(code, tmp_path / "home")
    assert time.monotonic() - began < 5 + 4  # and what it takes to start
    assert done.returncode == 0
    assert "could not hand all spans to Hangs in time" in done.stderr


def test_a_killed_program_loses_nothing_that_weft_has(tmp_path: Any) -> None:
    """Exporters are a convenience; the journal is the record."""
    code = """
import os, signal, weft
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
weft.configure(exporters=[InMemorySpanExporter()])

@weft.op
def leaf(n):
    return n

for n in range(100):
    leaf(n)
os.kill(os.getpid(), signal.SIGKILL)
"""
    from weft.testing.spans import read_spans

    assert run(code, tmp_path / "home").returncode == -signal.SIGKILL
    assert len(read_spans(tmp_path / "home" / "journal")) == 100


def test_a_traced_program_without_exporters_imports_no_sdk(tmp_path: Any) -> None:
    code = """
import sys, weft

@weft.op
def leaf(n):
    return n

leaf(1)
weft.flush()
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk")], "the SDK was imported"
"""
    done = run(code, tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_exporters_send_is_no_part_of_the_traces(home: Any, spans: Spans) -> None:
    """Even one whose own client is instrumented."""

    class Instrumented(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            with made.get_tracer("http").start_as_current_span("POST /v1/traces"):
                return SpanExportResult.SUCCESS

    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(weft.SpanProcessor())
    weft.configure(home=home, exporters=[Instrumented()])
    leaf()
    assert weft.flush(10)
    assert [one.name for one in spans()] == ["leaf"]
    assert otel.get_current_span() is otel.INVALID_SPAN
