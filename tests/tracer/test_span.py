"""Promises of the live span: a block, by hand, and as OpenTelemetry sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, use_span

from weft.testing.spans import read_spans
from weft.tracer.context import as_current, current_span
from weft.tracer.op import op
from weft.tracer.span import Span, span, start_span
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.ids import Ids
from weft.tracking.journal.records import Record, SpanUpdated
from weft.tracking.settings import Settings
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="leaf")
def leaf(x: int = 0) -> int:
    return x


def test_a_block_is_a_span(spans: Spans) -> None:
    """With name, kind, inputs, attributes and output; calls inside are in it."""
    with span("rank", kind="retriever", inputs={"query": "q"}, attributes={"k": 5}) as s:
        assert current_span() is s
        assert s.status == "running"
        leaf(1)
        s.set_output(["hit"])
        s.set_attribute("found", 1)
    assert current_span() is None
    ranked, inside = spans()
    assert (ranked.name, ranked.kind, ranked.status) == ("rank", "retriever", "ok")
    assert (ranked.inputs, ranked.output) == ({"query": "q"}, ["hit"])
    assert ranked.attributes == {"k": 5, "found": 1}
    assert (ranked.trace_id, ranked.span_id) == (s.trace_id, s.span_id)
    assert inside.parent_id == s.span_id


async def test_a_block_works_in_coroutines(spans: Spans) -> None:
    """`async with` and `with` alike, in tasks side by side."""

    async def work(n: int) -> None:
        async with span(f"work {n}") as s:
            await asyncio.sleep(0)
            leaf(n)
            assert current_span() is s

    await asyncio.gather(*[work(n) for n in range(10)])
    by_id = {one.span_id: one for one in spans()}
    leaves = [one for one in by_id.values() if one.name == "leaf"]
    assert [by_id[one.parent_id or ""].name for one in leaves] == [f"work {one.inputs['x']}" for one in leaves]


def test_an_exception_in_a_block_is_its_error(spans: Spans) -> None:
    """And passes."""
    problem = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught, span("fails"):
        raise problem
    assert caught.value is problem
    (one,) = spans()
    assert one.status == "error"
    assert one.error is not None
    assert (one.error["type"], one.error["message"]) == ("ValueError", "no")
    assert "test_span.py" in one.error["stacktrace"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": 3}, "name"),
        ({"name": "a", "inputs": 3}, "inputs"),
        ({"name": "a", "attributes": [1]}, "attributes"),
    ],
)
def test_a_wrong_call_raises_at_the_call(arguments: dict[str, Any], named: str, home: Any) -> None:
    """With the value that was given."""
    with pytest.raises(UsageError, match=named):
        span(**arguments)


def test_what_is_added_is_written_at_once(records: Callable[[], list[Record]]) -> None:
    """A killed process loses no attribute and no event."""
    with span("long") as s:
        s.set_attributes({"a": 1, "b": {"c": float("nan")}})
        s.add_event("halfway", {"percent": 50})
        s.set_inputs({"late": True})
        assert sum(isinstance(record, SpanUpdated) for record in records()) == 3


def test_events_links_names_and_usage_are_recorded(spans: Spans) -> None:
    """Under OpenTelemetry's names."""
    with span("first") as s:
        s.add_event("at a time", timestamp=123)
        s.record_exception(ValueError("handled"), {"more": 1})
        s.add_link(SpanContext(1, 2, True), {"why": "because"})
        s.update_name("second")
        s.set_usage({"input_tokens": 3, "output_tokens": 4}, model="gpt-x", provider="openai")
        s.set_usage({"output_tokens": 5})
    (one,) = spans()
    at, exception = one.events
    (link,) = one.links
    assert (one.name, one.status) == ("second", "ok")
    assert at == {"name": "at a time", "at_ns": 123, "attributes": {}}
    assert exception["attributes"]["exception.message"] == "handled"
    assert link == {"trace_id": f"{1:032x}", "span_id": f"{2:016x}", "attributes": {"why": "because"}}
    assert (one.usage, one.model, one.provider) == ({"input_tokens": 3, "output_tokens": 5}, "gpt-x", "openai")


def test_usage_is_whole_numbers(home: Any) -> None:
    """A programming mistake raises at the call."""
    with span("x") as s, pytest.raises(UsageError, match="input_tokens"):
        s.set_usage({"input_tokens": "3"})  # type: ignore[dict-item]


def test_a_status_that_is_set_holds_unless_an_exception_says_otherwise(spans: Spans) -> None:
    """As in OpenTelemetry."""
    with span("set") as s:
        s.set_status(Status(StatusCode.ERROR, "bad luck"))
    with span("fine") as s:
        s.set_status(StatusCode.OK)

    def raises_anyway() -> None:
        with span("raises") as s:
            s.set_status(StatusCode.OK)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        raises_anyway()
    bad, fine, raises = spans()
    assert (bad.status, fine.status, raises.status) == ("error", "ok", "error")
    assert bad.error is not None
    assert bad.error["message"] == "bad luck"


def test_a_span_by_hand_outlives_a_block_and_ends_once(spans: Spans) -> None:
    """It is current only where it is made so."""
    s = start_span("stream", kind="llm", inputs={"a": 1})
    assert current_span() is None
    with as_current(s):
        leaf(1)
    leaf(2)
    s.end()
    s.end(error=ValueError("too late"))
    s.set_output("too late")
    stream, inside, outside = spans()
    assert (stream.status, stream.kind, stream.output) == ("ok", "llm", None)
    assert (inside.parent_id, outside.parent_id) == (stream.span_id, None)


def test_a_span_that_is_opened_again_ends_anew(home: Any) -> None:
    """What had been left (a stream) goes on: the last end stands."""
    s = start_span("stream")
    s.set_output("half")
    s.end()
    s.reopen()
    assert s.is_recording()
    s.set_output("whole")
    s.end()
    (stream,) = read_spans(runtime.active().home.journal)
    assert (stream.status, stream.output) == ("ok", "whole")


def test_secrets_in_attributes_and_events_are_redacted(records: Callable[[], list[Record]]) -> None:
    """At the start and later."""
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123"
    with span("x", inputs={"a": secret}, attributes={"b": secret}) as s:
        s.set_attribute("c", secret)
        s.add_event("d", {"e": secret})
        s.set_status(Status(StatusCode.ERROR, secret))
        s.set_usage({"input_tokens": 1}, model=f"proxy/{secret}", provider=secret)
    assert secret not in repr(records())
    assert repr(records()).count("[redacted:github-token]") == 7


def test_it_is_an_opentelemetry_span(spans: Spans) -> None:
    """Of the API, current in its context, with ids that foreign code can carry on."""
    with span("ours") as s:
        assert isinstance(s, otel.Span)
        assert otel.get_current_span() is s
        context = s.get_span_context()
        assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (s.trace_id, s.span_id)
        assert context.is_valid
        assert context.trace_flags.sampled
        assert s.is_recording()
    assert not s.is_recording()


def test_foreign_spans_and_ours_nest_in_each_other(spans: Spans) -> None:
    """Ours, an SDK span in it, ours in that: one trace, each the child of what was open."""
    tracer = TracerProvider().get_tracer("foreign")
    with span("ours") as outer, tracer.start_as_current_span("foreign") as foreign:
        assert foreign.parent is not None  # type: ignore[attr-defined]
        assert foreign.parent.span_id == int(outer.span_id, 16)  # type: ignore[attr-defined]
        assert current_span() is outer
        leaf(1)
    _, inside = spans()
    assert inside.trace_id == outer.trace_id
    assert inside.parent_id == f"{foreign.get_span_context().span_id:016x}"


def test_a_root_under_a_foreign_span_takes_its_ids(spans: Spans) -> None:
    """Also under one from another process."""
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    with use_span(NonRecordingSpan(remote)):
        leaf(1)
    (one,) = spans()
    assert (one.trace_id, one.parent_id, one.project) == (f"{0xABC:032x}", f"{0xDEF:016x}", "default")


def test_children_take_their_roots_project(tmp_path: Any) -> None:
    """Through foreign spans too, whatever the settings say meanwhile."""
    tracer = TracerProvider().get_tracer("foreign")
    runtime.configure(Settings.resolve(home=tmp_path / "home", project="one", strict=True))
    with span("root") as root, tracer.start_as_current_span("foreign"):
        runtime.configure(Settings.resolve(home=tmp_path / "home", project="two", strict=True))
        with span("child") as child:
            assert child.project == root.project == "one"
    with span("other") as other:
        assert other.project == "two"


def test_disabled_spans_do_nothing(tmp_path: Any) -> None:
    """And can be used like any other."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", mode="disabled"))
    with span("x", inputs={"a": 1}) as s:
        s.set_attribute("a", 1)
        s.add_event("b")
        s.set_output(1)
        s.set_usage({"input_tokens": 1})
        assert (current := current_span()) is not None
        assert not current.is_recording()
        assert not s.is_recording()
        assert not s.get_span_context().is_valid
    assert isinstance(s, Span)
    assert not (tmp_path / "home").exists()


def test_the_end_is_on_the_start_s_time_line(home: Path) -> None:
    """The clock is set back an hour in the middle of a call: it neither ends before it began nor lasts an hour."""

    class Jumping(Ids):
        behind_ns = 0

        def wall_ns(self) -> int:
            return super().wall_ns() - self.behind_ns

    ids = Jumping()
    runtime.configure(Settings.resolve(home=home, strict=True), ids)
    with span("outer"):
        ids.behind_ns = 3_600_000_000_000
    (outer,) = read_spans(runtime.active().home.journal)
    assert outer.end_ns is not None
    assert outer.duration_ns is not None
    assert outer.duration_ns <= outer.end_ns - outer.start_ns < 1_000_000_000


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.set_usage({"input_tokens": 1}, model=5),
        lambda s: s.set_usage({"input_tokens": 1}, provider=5),
        lambda s: s.set_usage(5),
        lambda s: s.update_name(5),
        lambda s: s.set_attributes(5),
        lambda s: s.set_inputs(5),
        lambda s: s.add_event(5),
        lambda s: s.add_event("x", timestamp="now"),
        lambda s: s.end("now"),
        lambda s: span("x", kind=5),  # type: ignore[arg-type]
        lambda s: start_span("x", kind=5),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_raises_at_the_call_and_reaches_no_record(spans: Spans, call: Callable[[Span], object]) -> None:
    """A record that no reader can decode would look like damage."""
    with span("sound") as s, pytest.raises(UsageError):
        call(s)
    (found,) = spans()
    assert (found.name, found.status, found.model) == ("sound", "ok", None)


def test_text_and_counts_that_no_file_holds_cost_nothing_else(spans: Spans) -> None:
    """Half a surrogate pair shows as an escape; a count beyond 64 bits is not known; the rest is whole."""
    with span("half \ud800", kind="\udfff") as s:
        s.set_usage({"input_tokens": 2**70, "output_tokens": 3}, model="m\ud800")
        s.set_output("done")
    (found,) = spans()
    assert (found.name, found.kind, found.model) == ("half \\ud800", "\\udfff", "m\\ud800")
    assert (found.usage, found.output) == ({"output_tokens": 3}, "done")


def test_an_exception_without_words_can_be_recorded(spans: Spans) -> None:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with span("s") as s:
        s.record_exception(WordlessError())
    assert spans()[0].events[0]["attributes"]["exception.message"] == "<its message raised RuntimeError>"


def test_a_link_to_nothing_is_not_kept_and_one_to_no_context_is_refused(spans: Spans) -> None:
    """As OpenTelemetry does; a wrong type raises at the call."""
    with span("x") as s:
        s.add_link(SpanContext(0, 0, False))
        with pytest.raises(UsageError, match="SpanContext"):
            s.add_link("4bf92f3577b34da6a3ce929d0e0e4736")  # type: ignore[arg-type]
    assert spans()[0].links == ()


def test_events_without_end_are_bounded_and_that_is_said_once(
    tmp_path: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Attributes, output and usage stay whole."""
    monkeypatch.setattr("weft.tracer.livespan.MAX_EVENTS", 10)
    rt = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    with span("runs away") as s:
        for number in range(25):
            s.add_event(f"event {number}")
            s.set_attribute(f"key {number}", number)
        s.set_output("kept")
    (one,) = spans()
    assert [event["name"] for event in one.events] == [f"event {number}" for number in range(10)]
    assert one.attributes == {**{f"key {number}": number for number in range(25)}, "weft.dropped_events": 15}
    assert one.output == "kept"
    assert list(rt.faults.counts.values()) == [15]
    assert len(caplog.records) == 1


def test_a_status_of_ok_is_final_but_an_exception_still_tells(spans: Spans) -> None:
    """OpenTelemetry's rule; what the block raised is what happened."""
    with span("settled") as s:
        s.set_status(StatusCode.OK)
        s.set_status(StatusCode.ERROR, "too late")
    raised = start_span("raised")
    raised.set_status(Status(StatusCode.OK))
    raised.end(error=ValueError("after all"))
    with span("unset") as s:
        s.set_status(StatusCode.UNSET)
        with pytest.raises(UsageError, match="StatusCode"):
            s.set_status("error")  # type: ignore[arg-type]
    assert [one.status for one in spans()] == ["ok", "error", "ok"]


def test_end_and_duration_agree_and_children_lie_within(spans: Callable[[], list[SpanRecord]]) -> None:
    """To the nanosecond: the waterfall's bar is as long as its label says."""

    @op
    def child() -> None: ...

    @op
    def parent() -> None:
        child()
        child()

    parent()
    found = spans()
    assert all(one.end_ns is not None and one.end_ns - one.start_ns == one.duration_ns for one in found)
    (outer,) = [one for one in found if one.parent_id is None]
    inner = [one for one in found if one.parent_id is not None]
    assert all(outer.start_ns <= one.start_ns and (one.end_ns or 0) <= (outer.end_ns or 0) for one in inner)
    assert (inner[0].end_ns or 0) <= inner[1].start_ns
