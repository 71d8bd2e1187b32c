"""Promises of `weft.tracer.processes`: work in child processes nests where it was handed in, and is recorded there."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from weft.testing.spans import read_spans
from weft.tracer.context import current_span
from weft.tracer.span import span
from weft.tracer.workers import wrap_context
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import SpanRecord

CHILDREN = Path(__file__).with_name("children.py")
METHODS = ["fork", "spawn", "forkserver"]
WAYS = [(way, method) for way in ("executor", "wrapped", "process", "pool") for method in METHODS]


def _run(tmp_path: Path, way: str, method: str) -> list[SpanRecord]:
    environment = {key: value for key, value in os.environ.items() if key != "WEFT_HOME"}
    environment["HOME"] = str(tmp_path / "nobody")  # what was not told the home would record there
    done = subprocess.run(
        [sys.executable, str(CHILDREN), way, str(tmp_path / "told"), method],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "nobody").exists()
    return read_spans(tmp_path / "told" / "journal")


@pytest.mark.parametrize(
    ("way", "method"), [*WAYS, *(("joblib", backend) for backend in ("loky", "threading", "multiprocessing"))]
)
def test_work_in_children_nests_under_the_span_that_handed_it_in(tmp_path: Path, way: str, method: str) -> None:
    """With conversation, user, attributes and baggage, into the home and project that the parent was told."""
    found = _run(tmp_path, way, method)
    (outer,) = (one for one in found if one.name == "outer")
    works = [one for one in found if one.name == "work"]
    leaves = [one for one in found if one.name == "leaf"]
    assert sorted(one.inputs["n"] for one in works) == sorted(one.inputs["n"] for one in leaves) == [0, 1, 2, 3, 4]
    assert {one.trace_id for one in found} == {outer.trace_id}
    assert {one.parent_id for one in works} == {outer.span_id}
    assert {one.parent_id for one in leaves} == {one.span_id for one in works}
    assert {one.status for one in found} == {"ok"}
    assert len({one.span_id for one in found}) == len(found) == 11
    assert {(one.project, one.thread_id, one.user_id, one.turn_id) for one in found} == {
        ("parent", "talk", "joe", outer.span_id)
    }
    assert [dict(one.attributes) for one in found] == [{"release": "r1", "carried": [1, 2]}] * 11
    assert {one.output["baggage"] for one in works} == {"acme"}
    assert {one.output["home"] for one in works} == {str(tmp_path / "told")}


@pytest.mark.parametrize("method", METHODS)
def test_a_child_that_is_killed_loses_nothing(tmp_path: Path, method: str) -> None:
    """What returned is there; what was open shows as interrupted, and the parent's span as what it became."""
    _run(tmp_path, "killed", method)
    with open_store(Settings.resolve(home=tmp_path / "told"), foreign_s=None) as store:
        rows = {one.name: one.status for one in store.reader().spans({}, limit=None).rows}
    assert rows == {"outer": "ok", "die": "interrupted", "leaf": "ok"}


@pytest.mark.parametrize("method", METHODS)
def test_a_child_adds_to_the_span_that_its_parent_has_open(tmp_path: Path, method: str) -> None:
    _run(tmp_path, "adding", method)
    with open_store(Settings.resolve(home=tmp_path / "told"), foreign_s=None) as store:
        rows = {one.name: one for one in store.reader().spans({}, payloads=True, limit=None).rows}
    assert "from_child_7" in rows["outer"].attributes
    assert rows["leaf"].parent_id == rows["outer"].span_id
    assert rows["outer"].status == "ok"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_hooks_are_carried_or_fail_closed(tmp_path: Path, method: str) -> None:
    """And root calls in a child belong to the run that is active in the parent."""
    found = _run(tmp_path, "hooks", method)
    root = next(one for one in found if one.name == "root of the child")
    assert (root.project, root.parent_id) == ("pets", None)
    assert root.run_id is not None
    assert root.attributes == {"release": "r1", "limits": [1, 2]}


def _plain(x: int) -> int:
    return x


def test_a_wrapped_function_can_be_pickled_where_the_function_can(home: Path) -> None:
    """In one process, too: what was current then is a stand-in that nothing ends."""
    with span("outer") as outer:
        data = pickle.dumps(wrap_context(current_span))
    again = pickle.loads(data)()
    assert (again.span_id, again.trace_id, again.name) == (outer.span_id, outer.trace_id, "outer")
    assert pickle.loads(pickle.dumps(wrap_context(current_span)))() is None
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(wrap_context(lambda: None))


def test_a_foreign_span_travels_too(spans: Callable[[], list[SpanRecord]]) -> None:
    """With the tracestate that it has; ours above it still says project and run."""
    tracer = TracerProvider().get_tracer("x")
    with span("ours"), tracer.start_as_current_span("foreign") as foreign:
        data = pickle.dumps(wrap_context(_opens))
    pickle.loads(data)()
    ours, inner = spans()
    assert inner.parent_id == f"{foreign.get_span_context().span_id:016x}"
    assert inner.trace_id == ours.trace_id


def _opens() -> None:
    with span("inner"):
        pass
