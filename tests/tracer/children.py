"""A program whose work runs in child processes: run by test_processes.py as `python children.py WAY HOME [METHOD]`.

It configures weft in code and under the guard, so that what its children record into was told to them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import Any

import joblib
import pytest
from opentelemetry import baggage, context

import weft
from weft.testing.spans import read_spans
from weft.tracking import runtime


@weft.op
def leaf(n: int) -> int:
    return n * n


@weft.op
def work(n: int) -> dict[str, Any]:
    leaf(n)
    span = weft.current_span()
    assert span is not None
    return {"pid": os.getpid(), "baggage": baggage.get_baggage("tenant"), "home": str(runtime.active().settings.home)}


@weft.op
def die(n: int) -> None:
    leaf(n)
    os.kill(os.getpid(), signal.SIGKILL)


def bare(n: int) -> None:
    """Adds to the span that is open in the parent."""
    outer = weft.current_span()
    assert outer is not None
    outer.set_attribute(f"from_child_{n}", os.getpid())
    leaf(n)


def masked(inputs: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(inputs, "masked")


def executor(method: str) -> None:
    with weft.ContextProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        list(pool.map(work, range(4)))
        pool.submit(work, 4).result()


def wrapped(method: str) -> None:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        for task in [pool.submit(weft.wrap_context(work), n) for n in range(5)]:
            task.result()


def process(method: str) -> None:
    ways = multiprocessing.get_context(method)
    started = [ways.Process(target=weft.wrap_context(work), args=(n,)) for n in range(5)]
    for child in started:
        child.start()
    for child in started:
        child.join()
        assert child.exitcode == 0


def pool(method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as workers:
        workers.map(weft.wrap_context(work), range(5))
        workers.close()
        workers.join()


def parallel(backend: str) -> None:
    carried = joblib.delayed(weft.wrap_context(work))
    joblib.Parallel(n_jobs=2, backend=backend)(carried(n) for n in range(5))


def killed(method: str) -> None:
    child = multiprocessing.get_context(method).Process(target=weft.wrap_context(die), args=(7,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


def adding(method: str) -> None:
    child = multiprocessing.get_context(method).Process(target=weft.wrap_context(bare), args=(7,))
    child.start()
    child.join()
    assert child.exitcode == 0


def hooks(method: str) -> None:
    """One hook that can be sent, one that cannot; and a run that is the parent's."""
    weft.configure(
        home=runtime.active().settings.home,
        attributes={"release": "r1", "limits": {1, 2}},
        postprocess_inputs=masked,
        postprocess_output=lambda output: "hidden",
    )
    with weft.init("pets"):
        child = multiprocessing.get_context(method).Process(target=weft.wrap_context(show))
        child.start()
        child.join()
    assert child.exitcode == 0


def show() -> None:
    settings = runtime.active().settings
    assert settings.postprocess_inputs is masked
    assert settings.postprocess_output is not None
    with pytest.raises(weft.Error, match="postprocess_output"):  # what it would have hidden must not be recorded
        settings.postprocess_output("secret")
    with weft.span("root of the child"):
        pass


def main(way: str, home: str, method: str) -> None:
    weft.configure(home=home, project="parent", attributes={"release": "r1"})
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    if way == "hooks":
        hooks(method)
    else:
        with weft.thread("talk", user_id="joe"), weft.attributes({"carried": {1, 2}}), weft.span("outer"):
            {
                "executor": executor,
                "wrapped": wrapped,
                "process": process,
                "pool": pool,
                "joblib": parallel,
                "killed": killed,
                "adding": adding,
            }[way](method)
    context.detach(token)
    assert read_spans(runtime.active().home.journal)


if __name__ == "__main__":
    main(*sys.argv[1:])
