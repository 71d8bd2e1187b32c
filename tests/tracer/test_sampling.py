"""Promises of sampling: decided at the root by the trace id, inherited by all below, and by nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from weft.tracer.context import SAMPLED_OUT_KEY, as_current, current_span, get_current, recording_into
from weft.tracer.feedback import score
from weft.tracer.op import op
from weft.tracer.sampling import keeps
from weft.tracer.span import span, start_span
from weft.tracer.workers import wrap_context
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op
def leaf(x: int = 0) -> int:
    return x


@op(sample_rate=1.0)
def eager(x: int = 0) -> int:
    """Wants to be recorded always, and is where it begins a trace."""
    return x


@op(sample_rate=0)
def nothing(body: Callable[[], Any]) -> Any:
    return body()


def both() -> int:
    return leaf(1) + eager(2)


def test_a_root_that_is_left_out_takes_everything_below_with_it(spans: Spans) -> None:
    """Whatever the children's own rates; results are the true ones; what is current there keeps nothing."""
    assert nothing(both) == 3
    assert not nothing(current_span).is_recording()
    nothing(lambda: current_span().set_attribute("hits", 1))  # type: ignore[union-attr]
    assert nothing(lambda: nothing(both)) == 3
    with pytest.raises(ZeroDivisionError):
        nothing(lambda: 1 / 0)
    assert spans() == []
    assert SAMPLED_OUT_KEY not in get_current()
    eager()
    assert len(spans()) == 1


def test_a_child_of_a_recorded_root_is_recorded_whatever_its_rate(spans: Spans) -> None:
    """A trace is whole or not there."""

    @op
    def root() -> int:
        return nothing(both)  # type: ignore[no-any-return]

    assert root() == 3
    assert [one.name for one in spans()][1:] == ["nothing", "leaf", "eager"]


def test_what_runs_later_inherits_the_decision(spans: Spans) -> None:
    """Bodies of generators, streams and coroutines that a root made, consumed after its return; tasks and threads."""

    @op(sample_rate=0)
    def numbers() -> Iterator[int]:
        yield leaf(1)
        yield eager(2)

    @op
    def below() -> Iterator[int]:
        yield leaf(1)
        yield eager(2)

    @op(sample_rate=0)
    async def later() -> int:
        return await asyncio.create_task(deeper()) + await asyncio.to_thread(leaf, 1)

    @op
    async def deeper() -> int:
        await asyncio.sleep(0)
        return eager(2)

    @op(sample_rate=0)
    async def numbers_later() -> AsyncIterator[int]:
        yield leaf(1)
        yield eager(2)

    async def collect() -> list[int]:
        return [number async for number in numbers_later()]

    @op(sample_rate=0, accumulator=lambda state, item: item)
    def mapped() -> Any:
        return map(leaf, [1, 2])

    assert list(numbers()) == [1, 2]
    assert list(nothing(below)) == [1, 2]
    assert list(nothing(lambda: (leaf(x) for x in (1, 2)))) == [1, 2]
    assert list(mapped()) == [1, 2]
    assert asyncio.run(later()) == 3
    assert asyncio.run(collect()) == [1, 2]
    carried = nothing(lambda: wrap_context(both))
    thread = threading.Thread(target=carried)
    thread.start()
    thread.join()
    assert spans() == []


def test_the_consumer_of_a_stream_that_is_left_out_is_recorded(spans: Spans) -> None:
    """Its calls between two items are traces of their own."""

    @op(sample_rate=0)
    def numbers() -> Iterator[int]:
        yield leaf(1)
        yield leaf(2)

    for number in numbers():
        eager(number)
    assert [one.name for one in spans()] == ["eager", "eager"]


def test_a_context_manager_that_is_left_out_leaves_its_block_out(spans: Spans) -> None:
    """As it would be in it."""

    @op(sample_rate=0)
    @contextlib.contextmanager
    def block() -> Iterator[int]:
        yield leaf(1)

    with block():
        eager()
    assert spans() == []
    eager()
    assert len(spans()) == 1


def test_the_settings_rate_is_for_all_roots_and_an_ops_own_wins(tmp_path: Path, spans: Spans) -> None:
    """Of ops, of blocks and of spans by hand."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, sample_rate=0.0))
    assert leaf(1) == 1
    with span("block") as block:
        assert not block.is_recording()
        assert (found := current_span()) is not None
        assert not found.is_recording()
        eager()
    by_hand = start_span("by hand")
    with as_current(by_hand):
        eager()
    by_hand.set_output(1)
    by_hand.end()
    assert spans() == []
    eager()
    with as_current(by_hand):
        eager()
    assert [one.name for one in spans()] == ["eager"]


def test_the_share_that_is_kept_is_the_rate(tmp_path: Path, spans: Spans) -> None:
    """Whole traces: of 2,000 roots a quarter, each with its child."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, sample_rate=0.25))

    @op
    def root(x: int) -> int:
        return leaf(x)

    for number in range(2000):
        root(number)
    found = spans()
    kept = [one for one in found if one.parent_id is None]
    assert 400 < len(kept) < 600  # 500 expected, 5 standard deviations of 19.4
    assert len(found) == 2 * len(kept)
    assert all(keeps(int(one.trace_id, 16), 0.25) for one in found)


@given(trace_id=st.integers(1, (1 << 128) - 1), rate=st.floats(0, 1), lower=st.floats(0, 1))
def test_the_decision_is_the_trace_ids_and_opentelemetrys(trace_id: int, rate: float, lower: float) -> None:
    """The same in every process; a lower rate keeps a part of what a higher one keeps."""
    kept = keeps(trace_id, rate)
    sampler = TraceIdRatioBased(rate).should_sample(None, trace_id, "x").decision is Decision.RECORD_AND_SAMPLE
    if abs((trace_id & (1 << 64) - 1) - rate * (1 << 64)) > 1:  # a rounding apart
        assert kept == sampler
    if keeps(trace_id, min(rate, lower)):
        assert kept


def test_two_processes_agree(home: Path) -> None:
    """Nothing of the process goes into the decision: no seed, no hash of a text."""
    ids = [(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << 128) for number in range(1, 200)]
    code = f"from weft.tracer.sampling import keeps; print([keeps(n, 0.3) for n in {ids}])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.strip() == str([keeps(number, 0.3) for number in ids])


@pytest.mark.parametrize(("low_half", "recorded"), [(0, 1), ((1 << 64) - 1, 0)])
def test_below_a_foreign_span_its_trace_id_decides(low_half: int, recorded: int, spans: Spans) -> None:
    """All ops of one foreign trace decide alike."""
    half = op(sample_rate=0.5)(lambda: leaf())
    foreign = NonRecordingSpan(SpanContext(1 << 100 | low_half, 7, True, TraceFlags(TraceFlags.SAMPLED)))
    with use_span(foreign):
        half()
        half()
    assert len(spans()) == 4 * recorded


def test_foreign_spans_inside_still_reach_their_own_backend(spans: Spans) -> None:
    """OpenTelemetry's flags are not ours to set."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("theirs")

    def body() -> None:
        with tracer.start_as_current_span("http"):
            eager()
            assert otel.get_current_span().get_span_context().trace_flags.sampled

    nothing(body)
    assert [one.name for one in exporter.get_finished_spans()] == ["http"]
    assert spans() == []


def test_evaluations_are_not_sampled(tmp_path: Path, spans: Spans) -> None:
    """Every case counts, also inside a call that is left out."""
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True, sample_rate=0.0))
    run = starting.init(project="p")

    def evaluate() -> None:
        with recording_into(run):
            nothing(leaf)

    nothing(evaluate)
    starting.finish()
    assert [one.name for one in spans()] == ["nothing", "leaf"]


def test_a_recorded_span_made_current_again_records_below_a_call_that_is_left_out(spans: Spans) -> None:
    """The nearest word counts; a foreign span in between changes nothing."""
    outer = start_span("outer")

    def body() -> None:
        with as_current(outer), TracerProvider().get_tracer("x").start_as_current_span("foreign"):
            leaf()

    nothing(body)
    outer.end()
    assert [one.name for one in spans()] == ["outer", "leaf"]


async def test_call_says_that_nothing_was_recorded(spans: Spans) -> None:
    """The result is there, the span is not."""
    result, left_out = nothing.call(lambda: 3)  # type: ignore[attr-defined]
    assert (result, left_out.is_recording(), left_out.trace_id) == (3, False, "0" * 32)
    result, left_out = nothing.call(lambda: 1 / 0)  # type: ignore[attr-defined]
    assert result is None
    assert isinstance(left_out.error, ZeroDivisionError)
    numbers, left_out = op(sample_rate=0)(lambda: (leaf() for _ in "ab")).call()  # type: ignore[attr-defined]
    assert list(numbers) == [0, 0]
    assert spans() == []


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), True, "0.5", float("inf")])
def test_a_rate_that_is_none_is_refused_at_decoration(rate: Any) -> None:
    """With the value, and what would be one."""
    with pytest.raises(UsageError, match="sample_rate of @op is a number from 0"):
        op(sample_rate=rate)


def test_a_call_that_is_left_out_tells_how_it_ended_and_its_score_is_not_lost_in_silence(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @op(sample_rate=0.0)
    def half(n: int) -> float:
        return 1 / n

    assert half.call(1)[1].status == "ok"  # type: ignore[attr-defined]
    failed = half.call(0)[1]  # type: ignore[attr-defined]
    assert failed.status == "error"
    score("good", 1, on=failed)
    score("good", 1, on=failed)
    (line,) = caplog.records
    assert "the score of a call that is not recorded" in line.getMessage()
