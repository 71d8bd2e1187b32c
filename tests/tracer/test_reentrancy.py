"""Promises under fire: signals, finalisers, forks and many threads lose no call and mix up none."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.testing.spans import read_spans
from weft.tracer.context import current_span
from weft.tracer.op import op
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]


@op(name="work")
def work(n: int) -> int:
    return n


@op(name="handler")
def handler(n: int) -> int:
    return n


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_ops_inside_a_storm_of_signals(spans: Spans) -> None:
    """A handler's op may run in the middle of any other's recording: both are whole."""
    calls: list[int] = []
    depth = 0

    def on_alarm(*_: Any) -> None:
        # Armed anew while it runs, so that handlers interrupt handlers, but never without bound on a slow machine.
        nonlocal depth
        depth += 1
        if depth < 3:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
        calls.append(handler(len(calls)))
        depth -= 1
        signal.setitimer(signal.ITIMER_REAL, 0.0003)

    former = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    done = 0
    try:
        while len(calls) < 200 and done < 100_000:
            assert work(done) == done
            done += 1
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert len(calls) >= 200
    found = spans()
    assert sum(one.name == "work" for one in found) == done
    assert sum(one.name == "handler" for one in found) == len(calls)
    assert {one.status for one in found} == {"ok"}
    assert current_span() is None


def test_ops_inside_finalisers(spans: Spans) -> None:
    """The garbage collector may run anywhere."""
    ended = []

    class Dying:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            ended.append(handler(len(ended)))

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for n in range(300):
            Dying()
            work(n)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    found = spans()
    assert len(ended) == 300
    assert sum(one.name == "handler" for one in found) == 300
    assert sum(one.name == "work" for one in found) == 300


def test_an_op_in_the_repr_of_an_argument(spans: Spans) -> None:
    """It is recorded on its own; the outer call is whole."""

    class Chatty:
        def __repr__(self) -> str:
            handler(1)
            return "chatty"

    @op(name="outer")
    def outer(x: Any) -> None:
        work(2)

    outer(Chatty())
    by_name = {one.name: one for one in spans()}
    assert by_name["outer"].inputs["x"].value["text"] == "chatty"
    assert by_name["handler"].parent_id is None
    assert by_name["work"].parent_id == by_name["outer"].span_id


def _child(start: int) -> None:
    for n in range(start, start + 50):
        work(n)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forked_children_go_on_in_the_trace_with_ids_of_their_own(spans: Spans) -> None:
    """Under the span that was open at the fork; no id twice."""
    context = multiprocessing.get_context("fork")
    with span("parent") as parent:
        children = [context.Process(target=_child, args=(start,)) for start in (0, 50, 100)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        _child(150)
    found = [one for one in spans() if one.name == "work"]
    assert sorted(one.inputs["n"] for one in found) == list(range(200))
    assert {one.parent_id for one in found} == {parent.span_id}
    assert len({one.span_id for one in found}) == 200


def test_a_killed_process_loses_no_call_that_returned(tmp_path: Path) -> None:
    """Not one, and what was still running is there as running."""
    code = (
        "import os, signal\n"
        "from weft.tracer.op import op\n"
        "@op\n"
        "def work(n): return n\n"
        "@op\n"
        "def last():\n"
        "    for n in range(500): work(n)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "last()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "WEFT_HOME": str(tmp_path)}, check=False)
    assert done.returncode == -signal.SIGKILL
    found = read_spans(tmp_path / "journal")
    assert [one.output for one in found if one.name == "work"] == list(range(500))
    assert [one.status for one in found if one.name == "last"] == ["running"]


def test_threads_and_finalisers_at_once(spans: Spans) -> None:
    """Eight threads, each with garbage that records."""

    class Dying:
        def __init__(self, n: int) -> None:
            self.me, self.n = self, n

        def __del__(self) -> None:
            handler(self.n)

    def run() -> None:
        for n in range(200):
            Dying(n)
            work(n)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    gc.collect()
    found = spans()
    assert sum(one.name == "work" for one in found) == 1600
    assert sum(one.name == "handler" for one in found) == 1600
    assert runtime.active().journal.dropped == 0
