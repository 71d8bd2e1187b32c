"""Each tracer as its own documentation sets it up: how a function is traced, how what is queued is sent.

A peer's function runs in an environment that has only that peer; `python benchmarks/tracers/peers.py NAME URL` measures
it there and prints JSON.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from tracers import workloads

ROUNDS = 7


class Peer(NamedTuple):
    """A tracer, ready."""

    decorate: workloads.Decorate
    settle: Callable[[], None]
    """Waits until nothing is queued: what a round left behind must not slow the next."""


REQUIREMENTS = {
    "otel": "opentelemetry-sdk",
    "logfire": "logfire",
    "langfuse": "langfuse",
    "mlflow": "mlflow",
    "mlflow-async": "mlflow",
    "opik": "opik",
    "weave": "weave",
}
"""What pip installs for each."""


def otel_decorator(tracer: Any, func: Callable[..., Any]) -> Callable[..., Any]:
    """The usual hand-written instrumentation: input and output as JSON."""
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


def batching() -> Any:
    """OpenTelemetry's BatchSpanProcessor over an exporter that does nothing."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nothing(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return BatchSpanProcessor(Nothing())


def otel(url: str) -> Peer:
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    provider.add_span_processor(batching())
    tracer = provider.get_tracer("benchmark")
    return Peer(functools.partial(otel_decorator, tracer), lambda: bool(provider.force_flush()) and None)


def logfire(url: str) -> Peer:
    import logfire as library

    library.configure(send_to_logfire=False, console=False, additional_span_processors=[batching()])
    return Peer(
        lambda func: library.instrument(extract_args=True, record_return=True)(func),
        lambda: bool(library.force_flush()) and None,
    )


def langfuse(url: str) -> Peer:
    os.environ |= {"LANGFUSE_HOST": url, "LANGFUSE_BASE_URL": url}
    os.environ |= {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-1"}
    from langfuse import get_client, observe

    return Peer(lambda func: observe()(func), get_client().flush)


def opik(url: str) -> Peer:
    os.environ |= {
        "OPIK_URL_OVERRIDE": url,
        "OPIK_API_KEY": "key",
        "OPIK_WORKSPACE": "bench",
        "OPIK_SENTRY_ENABLE": "0",
    }
    os.environ |= {"OPIK_CHECK_TLS_CERTIFICATE": "false"}
    import opik as library

    return Peer(library.track, library.flush_tracker)


def _mlflow(asynchronous: bool) -> Peer:
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = str(asynchronous).lower()
    import mlflow as library

    folder = tempfile.mkdtemp(prefix="bench-mlflow-")
    library.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    library.set_experiment("bench")
    return Peer(library.trace, library.flush_trace_async_logging if asynchronous else lambda: None)


def mlflow(url: str) -> Peer:
    return _mlflow(asynchronous=False)


def mlflow_async(url: str) -> Peer:
    return _mlflow(asynchronous=True)


def weave(url: str) -> Peer:
    os.environ |= {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": url, "WF_TRACE_SERVER_URL": url}
    os.environ |= {"WANDB_ENTITY": "bench", "WANDB_ERROR_REPORTING": "false", "WEAVE_PRINT_CALL_LINK": "false"}
    import weave as library

    client = library.init("bench/bench")
    return Peer(library.op, client.flush)


PEERS: dict[str, Callable[[str], Peer]] = {
    "otel": otel,
    "logfire": logfire,
    "langfuse": langfuse,
    "mlflow": mlflow,
    "mlflow-async": mlflow_async,
    "opik": opik,
    "weave": weave,
}


def main(arguments: Sequence[str]) -> None:
    name, url = arguments
    peer = PEERS[name](url)
    slow = name == "mlflow"  # every call waits for its database
    queued = name == "mlflow-async"  # its flush takes minutes; that of weave and opik seconds
    rounds = 1 if slow or queued else 3 if name in ("weave", "opik") else ROUNDS
    figures = {
        case: workloads.measure(make, {name: peer.decorate}, peer.settle, rounds)[name]
        for case, make in workloads.CASES.items()
    }
    if not slow:
        bare, traced = workloads.sleepers(workloads.plain), workloads.sleepers(peer.decorate)
        bare(), traced(), peer.settle()
        seconds = []
        for _ in range(1 if queued else 3):
            seconds.append(1e6 * traced())
            peer.settle()
        figures[f"{workloads.SLEEPERS} sleeping tasks, wall"] = seconds
    version = metadata.version(REQUIREMENTS[name])
    print(json.dumps({"version": version, "figures": figures}))
    sys.stdout.flush()
    os._exit(0)  # some wait minutes at exit


if __name__ == "__main__":
    main(sys.argv[1:])
