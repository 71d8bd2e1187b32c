"""What a traced call costs: weft's `@op` beside an OpenTelemetry SDK span, in one run.

    python benchmarks/tracing.py            # all of it, about a minute
    python benchmarks/tracing.py --json     # the figures for a machine

weft writes both frames of every call to a real file, the default redaction on. OpenTelemetry has a BatchSpanProcessor
and an exporter that does nothing, input and output as `json.dumps` attributes. Rounds of the two are interleaved; the
figures are medians over rounds of (traced - plain) per call. Needs weft and opentelemetry-sdk.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import inspect
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from weft.tracer.op import op
from weft.tracking import runtime
from weft.tracking.settings import Settings

WORDS = (
    "the quick brown fox jumps over the lazy dog while tracing tools count every microsecond of overhead "
    "and each byte that reaches the disk or the network"
)
ROUNDS = 15
TREE_CALLS = 100
"""One root, nine calls below it, ten below each of those."""
TASKS = 300
"""asyncio tasks of three nested calls each."""


class Nothing(SpanExporter):
    """An exporter that does nothing."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def text(size: int, seed: int) -> str:
    """So many characters of plain words, the same each time."""
    words = WORDS.split()
    parts: list[str] = []
    length = 0
    while length < size:
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        parts.append(words[seed % len(words)])
        length += len(parts[-1]) + 1
    return " ".join(parts)[:size]


def chat() -> tuple[Any, Any]:
    """A request of ten messages of 500 characters and a response of 2,000: about 8 KB."""
    messages = [{"role": ("user", "assistant")[i % 2], "content": text(500, i)} for i in range(10)]
    usage = {"prompt_tokens": 1250, "completion_tokens": 480, "total_tokens": 1730}
    return messages, {"id": "chatcmpl-1", "model": "gpt-x", "content": text(2000, 7), "usage": usage}


def otel_op(tracer: Any, func: Callable[..., Any]) -> Callable[..., Any]:
    """The usual hand-written instrumentation."""
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def traced(x: Any) -> Any:
            with tracer.start_as_current_span(func.__name__) as span:
                span.set_attribute("input", json.dumps({"x": x}))
                result = await func(x)
                span.set_attribute("output", json.dumps(result))
                return result

        return traced

    @functools.wraps(func)
    def traced_sync(x: Any) -> Any:
        with tracer.start_as_current_span(func.__name__) as span:
            span.set_attribute("input", json.dumps({"x": x}))
            result = func(x)
            span.set_attribute("output", json.dumps(result))
            return result

    return traced_sync


Decorate = Callable[[Callable[..., Any]], Callable[..., Any]]


def tree(decorate: Decorate, argument: Any, answer: Any) -> Callable[[], float]:
    """Seconds of one call tree of `TREE_CALLS` calls."""

    def leaf(x: Any) -> Any:
        return answer

    leaf = decorate(leaf)

    def middle(x: Any) -> Any:
        for _ in range(10):
            leaf(argument)
        return answer

    middle = decorate(middle)

    def root(x: Any) -> Any:
        for _ in range(9):
            middle(argument)
        return answer

    root = decorate(root)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(10):
            root(argument)
        return (time.perf_counter() - start) / (10 * TREE_CALLS)

    return run


def tasks(decorate: Decorate, *, coroutines: bool) -> Callable[[], float]:
    """Seconds a call, in `TASKS` asyncio tasks of three nested calls: coroutine ops, or plain ones for comparison."""
    if coroutines:

        async def inner(x: Any) -> Any:
            return x

        inner = decorate(inner)

        async def middle(x: Any) -> Any:
            return await inner(x)

        middle = decorate(middle)

        async def outer(x: Any) -> Any:
            return await middle(x)

        entry = decorate(outer)
    else:

        def inner_sync(x: Any) -> Any:
            return x

        inner_sync = decorate(inner_sync)

        def middle_sync(x: Any) -> Any:
            return inner_sync(x)

        middle_sync = decorate(middle_sync)

        def outer_sync(x: Any) -> Any:
            return middle_sync(x)

        outer_sync = decorate(outer_sync)

        async def entry(x: Any) -> Any:
            return outer_sync(x)

    async def gather() -> float:
        start = time.perf_counter()
        await asyncio.gather(*[entry(i) for i in range(TASKS)])
        return (time.perf_counter() - start) / (3 * TASKS)

    return lambda: asyncio.run(gather())


def measure(cases: dict[str, Callable[[], float]], settle: Callable[[], None]) -> dict[str, float]:
    """Median microseconds a call over interleaved rounds, above the case "plain"."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(ROUNDS + 2):
        for name, run in cases.items():
            gc.collect()
            taken = run()
            settle()
            if round_number >= 2:
                seconds[name].append(taken)
    plain = [statistics.median(seconds["plain"])] * ROUNDS
    return {
        name: 1e6 * statistics.median(taken - base for taken, base in zip(values, plain, strict=True))
        for name, values in seconds.items()
        if name != "plain"
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nothing()))
    tracer = provider.get_tracer("benchmark")
    decorators: dict[str, Decorate] = {
        "plain": lambda func: func,
        "weft": op,
        "otel": functools.partial(otel_op, tracer),
    }
    with tempfile.TemporaryDirectory() as home:
        rt = runtime.configure(Settings.resolve(home=Path(home), mode="online", redact=True, strict=True))

        def settle() -> None:
            provider.force_flush()

        messages, answer = chat()
        figures = {
            "small op": measure({name: tree(d, 7, 7) for name, d in decorators.items()}, settle),
            "8 KB chat op": measure({name: tree(d, messages, answer) for name, d in decorators.items()}, settle),
            "asyncio, coroutine ops": measure(
                {name: tasks(d, coroutines=True) for name, d in decorators.items()}, settle
            ),
            "asyncio, plain ops": measure({name: tasks(d, coroutines=False) for name, d in decorators.items()}, settle),
        }
        written = rt.journal.appended
        assert rt.journal.dropped == 0
        runtime.reset()
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{'microseconds a call':<26}{'weft':>8}{'otel':>8}{'ratio':>8}")
    for case, values in figures.items():
        print(f"{case:<26}{values['weft']:>8.2f}{values['otel']:>8.2f}{values['weft'] / values['otel']:>8.2f}")
    ratio = figures["asyncio, coroutine ops"]["weft"] / figures["asyncio, plain ops"]["weft"]
    print(f"weft, coroutine ops over plain ops: {ratio:.2f}   ({written} records written)", file=sys.stderr)


if __name__ == "__main__":
    main()
