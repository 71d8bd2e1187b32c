"""A run's own summary and the store's say the same, whatever was logged, defined, set by hand or deleted."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking import runtime
from weft.tracking.api import Api
from weft.tracking.errors import UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import MetricDefined, MetricsLogged, Record, RunStarted, RunUpdated
from weft.tracking.runs import starting
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

Journaled = Callable[[], list[Record]]


def stored(run: Any) -> RunRecord:
    """The run as the store has it now."""
    with open_store(runtime.active().settings) as store:
        return next(row for row in store.reader().runs(limit=None).rows if row.uid == run.uid.hex())


def agree(run: Any) -> dict[str, Any]:
    """The summary, after a look whether the store's is the same."""
    mine, theirs = run.summary.as_dict(), dict(stored(run).summary)
    assert told(mine) == told(theirs)
    return dict(mine)


def told(value: Any) -> str:
    """All of it, in order of its names; NaN is like NaN, and 3 is not 3.0."""
    if isinstance(value, dict):
        return repr(sorted((name, told(inner)) for name, inner in value.items()))
    return repr(value + 0 if isinstance(value, (int, float)) else value)


def test_the_last_value_is_the_highest_steps(home: Path) -> None:
    with starting.init() as run:
        for step in (5, 3, 5):
            run.log({"a": step * 10}, step=step)
        run.log({"a": 7}, step=4)
        assert agree(run) == {"a": 50}


def test_whole_numbers_stay_whole_unless_one_of_the_name_was_not(home: Path) -> None:
    """In the summary of the run, in the store's, and in the history that is read back."""
    with starting.init() as run:
        run.define_metric("n", summary="min,max,mean,first,last")
        for step in range(3):
            run.log({"epoch": step, "n": step, "mixed": step or 0.5, "done": step == 2, "flops": 10**18, "loss": 1.0})
        found = agree(run)
        assert repr(found["epoch"]) == "2"
        assert repr(found["flops"]) == str(10**18)
        assert repr(found["mixed"]) == "2.0"
        assert repr(found["loss"]) == "1.0"
        assert repr(found["done"]) == "1"
        assert repr(found["n"]) == "{'min': 0, 'max': 2, 'mean': 1.0, 'last': 2, 'first': 0}"
    with open_store(runtime.active().settings) as store:
        rows = store.reader().rows(run.uid.hex()).rows
    assert repr([[row[name] for name in ("epoch", "mixed", "done", "flops")] for row in rows]) == (
        f"[[0, 0.5, 0, {10**18}], [1, 1.0, 0, {10**18}], [2, 2.0, 1, {10**18}]]"
    )


def test_an_x_axis_that_is_filled_in_stays_whole(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("val/*", step_metric="epoch")
        run.log({"val/loss": 0.5})
        run.log({"val/loss": 0.25, "epoch": 1})
        assert repr(agree(run)["epoch"]) == "1"


def test_a_late_point_of_a_committed_step_takes_nobodys_place(home: Path) -> None:
    with starting.init() as run:
        run.log({"a": 1, "b": 2}, step=0, commit=True)
        run.log({"b": 3}, step=0, commit=True)
        assert agree(run) == {"a": 1, "b": 2}


@pytest.mark.parametrize("kinds", ["min", "max", "mean", "first", "last", "best"])
def test_what_is_no_number_is_passed_over(home: Path, kinds: str) -> None:
    with starting.init() as run:
        run.define_metric("val", summary=kinds)
        for value in (1, "oops a string", 3):
            run.log({"val": value})
        assert agree(run) == {"val": {kinds: {"min": 1, "max": 3, "mean": 2, "first": 1, "last": 3, "best": 1}[kinds]}}


def test_nan_and_infinities_do_not_poison(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("a", summary="min,max,mean")
        for value in (math.nan, 2, math.inf, -math.inf, 4, math.nan):
            run.log({"a": value, "plain": value})
        found = agree(run)
        assert found["a"] == {"min": 2, "max": 4, "mean": 3}
        assert math.isnan(found["plain"])
        with open_store(runtime.active().settings) as store:
            series = store.reader().history(run.uid.hex(), ["a"])["a"]
        assert (series.total, series.nonfinite) == (6, 4)
        assert repr(list(series.values)) == "[nan, 2.0, inf, -inf, 4.0, nan]"


def test_nothing_but_nan_is_nan(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("a", summary="min,mean")
        run.log({"a": math.nan})
        assert repr(agree(run)) == "{'a': {'min': nan, 'mean': nan}}"


def test_nested_names_and_escaped_dots(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("this.that", summary="min,max")
        run.define_metric(r"other\.one", summary="max")
        run.log({"this": {"that": 3}, "other.one": 1})
        run.log({"this": {"that": 2}})
        run.log({"this": {"that": 4}})
        assert agree(run) == {"this.that": {"min": 2, "max": 4}, "other.one": {"max": 1}}
        assert run.summary["this"]["that"] == {"min": 2, "max": 4}
        assert run.summary.this.that.max == 4
        assert "this" in run.summary
        assert "that" not in run.summary


def test_definitions_add_up_unless_overwritten(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("a", summary="min", hidden=True)
        made = run.define_metric("a", summary="max", hidden=False)
        assert (made.summary, made.hidden) == (("min", "max"), True)
        run.log({"a": 1})
        assert agree(run) == {"a": {"min": 1, "max": 1}}
        made = run.define_metric("a", summary="last", overwrite=True)
        assert (made.summary, made.hidden) == (("last",), False)
        assert agree(run) == {"a": {"last": 1}}
        run.define_metric("a", summary="none", overwrite=True)
        assert agree(run) == {}
        run.define_metric("a", summary="copy", overwrite=True)
        assert agree(run) == {"a": 1}


def test_a_definition_holds_for_what_was_logged_before(home: Path) -> None:
    with starting.init() as run:
        for value in (3, 1, 2):
            run.log({"a": value})
        run.define_metric("a", summary="min,mean,first", goal="maximize")
        assert agree(run) == {"a": {"min": 1, "mean": 2, "first": 3}}


def test_a_name_goes_before_a_pattern_and_underscores_match_none(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("*", summary="max")
        run.define_metric("val/*", summary="min", goal="minimize")
        run.define_metric("val/acc", summary="best", goal="maximize")
        for value in (1, 2):
            run.log({"val/acc": value, "val/loss": value, "_own": value, "x": value})
        assert agree(run) == {"val/acc": {"best": 2}, "val/loss": {"min": 1}, "_own": 2, "x": {"max": 2}}


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "a", "summary": "bogus"},
        {"name": "a", "summary": ""},
        {"name": "a", "summary": 3},
        {"name": "a", "goal": "up"},
        {"name": "*x"},
        {"name": "a*b"},
        {"name": ""},
        {"name": 3},
        {"name": "a", "step_metric": "b*"},
        {"name": "a", "step_metric": 7},
        {"name": "a", "hidden": "yes"},
        {"name": "a", "step_sync": 1},
    ],
)
def test_a_bad_definition_is_refused_and_leaves_none(
    home: Path, journaled: Journaled, arguments: dict[str, Any]
) -> None:
    with starting.init() as run:
        with pytest.raises(UsageError, match="define_metric"):
            run.define_metric(**arguments)
        assert not [record for record in journaled() if isinstance(record, MetricDefined)]


def test_an_x_axis_is_taken_along(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("loss", step_metric="epoch")
        run.log({"loss": 1})
        run.log({"epoch": 4, "loss": 2})
        run.log({"loss": 3, "other": 1})
        run.log({"other": 1})
        run.log({"epoch": 5}, commit=False)
        run.log({"loss": 4})
        with open_store(runtime.active().settings) as store:
            rows = store.reader().rows(run.uid.hex()).rows
            epochs = store.reader().history(run.uid.hex(), ["epoch"])["epoch"]
        assert [(row.get("epoch"), row.get("loss")) for row in rows] == [(0, 1), (4, 2), (4, 3), (None, None), (5, 4)]
        assert list(epochs.values) == [0, 4, 4, 5]
        assert agree(run)["epoch"] == 5


def test_by_hand_until_it_is_logged_again(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("a", summary="min,max,mean,first")
        run.log({"a": 1, "b": 1})
        run.summary["a"] = "set"
        run.summary["b"] = math.nan
        run.summary["c"] = {"deep": {"er": 1}}
        assert repr(agree(run)) == "{'a': 'set', 'b': nan, 'c': {'deep': {'er': 1}}}"
        run.summary["c"]["deep"]["er"] = 2
        run.summary.c.update(more=3)
        run.log({"a": 5})
        run.log({"a": 7})
        assert agree(run)["a"] == {"min": 5, "max": 7, "mean": 6, "first": 5}
        assert agree(run)["c"] == {"deep": {"er": 2}, "more": 3}


def test_what_is_deleted_is_gone_until_it_is_logged_again(home: Path) -> None:
    with starting.init() as run:
        run.define_metric("a.x", summary="min")
        run.log({"a": {"x": 1, "y": 2}, "b": 1})
        run.summary["own"] = {"one": 1, "two": 2}
        del run.summary["a"]
        del run.summary["own"]["one"]
        del run.summary.b
        with pytest.raises(KeyError):
            del run.summary["nothing"]
        assert agree(run) == {"own": {"two": 2}}
        run.log({"a": {"x": 5}})
        assert agree(run) == {"own": {"two": 2}, "a.x": {"min": 5}}


def test_texts_and_rich_values_are_in_the_summary_unless_long(home: Path) -> None:
    with starting.init() as run:
        run.log({"note": "one", "list": [1, 2], "long": "x" * 2000})
        assert agree(run) == {"note": "one", "list": [1, 2]}
        run.log({"note": 3})
        assert agree(run) == {"note": 3, "list": [1, 2]}
        run.log({"note": "two"})
        assert agree(run)["note"] == "two"


VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 0.1, 1e16, -1e16, 5e-324]),
    st.floats(-1e300, 1e300),
    st.integers(-5, 5),
    st.sampled_from(["text", None, 10**16 + 1, -(2**60) - 1]),
)
NAMES = st.sampled_from(["a", "a.b", "val/x", "_c"])
KINDS = st.sampled_from(["min,max", "mean", "first", "last", "copy", "none", "best"])
ACTIONS = st.one_of(
    st.tuples(st.just("log"), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), st.none() | st.integers(0, 5)),
    st.tuples(st.just("define"), st.sampled_from(["a", "a*", "*", "val/*"]), KINDS),
    st.tuples(st.just("set"), NAMES, VALUES),
    st.tuples(st.just("drop"), NAMES, st.none()),
)


@given(st.lists(ACTIONS, max_size=25), st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_own_and_stored_summary_are_the_same_whatever_the_order(
    home: Path, journaled: Journaled, sqlite_template: Path, actions: Sequence[Any], random: Any, size: int
) -> None:
    run = starting.start_run()
    for kind, first, second in actions:
        if kind == "log":
            run.log(first, step=second)
        elif kind == "define":
            run.define_metric(first, summary=second)
        elif kind == "set":
            run.summary[first] = second
        elif first in run.summary.as_dict():
            del run.summary[first]
    mine = told(run.summary.as_dict())
    records = [r for r in journaled() if getattr(r, "uid", None) == run.uid or getattr(r, "run_uid", None) == run.uid]
    frames = [Frame(100 * at, 100 * at + 100, record) for at, record in enumerate(records)]
    random.shuffle(frames)
    copy = home.parent / "copy.db"
    shutil.copyfile(sqlite_template, copy)
    with Store.open(f"sqlite:///{copy}") as store:
        sink = store.sink()
        for at in range(0, len(frames), size):
            part = frames[at : at + size]
            sink.apply(part, Position("home", "segment", max(frame.end for frame in part), b"writer01"))
        [row] = store.reader().runs(limit=None).rows
        assert told(dict(row.summary)) == mine
    run.finish()


def test_records_are_what_the_summary_is_made_of(home: Path, journaled: Journaled) -> None:
    """One record a call, none at all for what log() already says."""
    with starting.init() as run:
        run.summary["best"] = 1
        run.log({"best": 2})
        run.log({"best": 3})
        kinds = [type(record) for record in journaled()]
    assert kinds.count(RunUpdated) == 1
    assert kinds.count(MetricsLogged) == 2
    assert kinds.count(RunStarted) == 1


def test_a_resumed_run_goes_on_with_what_it_had_come_to(home: Path) -> None:
    with starting.init(id="same") as run:
        run.define_metric("a", summary="min,max,mean,first,last")
        run.define_metric("loss", step_metric="epoch")
        for value in (4, 1, 7):
            run.log({"a": value, "b": value, "note": "hi"})
        run.summary["b"] = "set"
    with starting.init(id="same", resume="must") as run:
        assert agree(run)["a"] == {"min": 1, "max": 7, "mean": 4, "first": 4, "last": 7}
        assert run.summary["b"] == "set"
        run.log({"a": 0, "epoch": 3})
        run.log({"loss": 1})
        found = agree(run)
        assert found["a"] == {"min": 0, "max": 7, "mean": 3, "first": 4, "last": 0}
        assert (found["epoch"], found["note"]) == (3, "hi")


def test_a_run_taken_back_forgets_what_came_later(home: Path) -> None:
    with starting.init(id="same") as run:
        run.define_metric("a", summary="max,last")
        for value in (1, 5, 9):
            run.log({"a": value, "late": value})
    with starting.init(resume_from="same?_step=1") as run:
        assert agree(run)["a"] == {"max": 5, "last": 5}
        run.log({"a": 2})
        assert agree(run)["a"] == {"max": 5, "last": 2}
        assert stored(run).step == 2


def test_a_killed_process_leaves_the_same_summary(home: Path) -> None:
    """Its last word is what it had printed."""
    program = (
        "import json, os, weft\n"
        "run = weft.init(id='victim')\n"
        "weft.define_metric('a', summary='min,max,mean,first,last')\n"
        "for step in range(300):\n"
        "    weft.log({'a': (step * 37) % 101 - 50, 'b': step})\n"
        "weft.summary['b'] = -1\n"
        "print(json.dumps(weft.summary.as_dict()), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "WEFT_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr
    with open_store(runtime.active().settings) as store:
        [found] = store.reader().runs({"id": "victim"}).rows
    assert found.state == "crashed"
    assert found.step == 299
    assert json.loads(done.stdout) == dict(found.summary)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_is_what_it_holds_now_and_records_nothing(home: Path, copied: Callable[[Any], Any]) -> None:
    """Live and stored, whole and in part: as it is sent to another process, or kept to compare with later."""
    with starting.init("p", id="x") as run:
        run.log({"val": {"loss": 1, "best": {"step": 2}}})
        before = copied(run.summary)
        part = copied(run.summary["val"])
        part["loss"] = 3
        run.log({"val": {"loss": 2}})
        assert run.summary["val.loss"] == 2
    assert (before["val.loss"], before["val.best.step"]) == (1, 2)
    with Api() as api:
        found = api.run("p/x").summary
        part = copied(found["val"])
        part["loss"] = 4
        assert part["best"] == {"step": 2}
        assert copied(found) == found == {"val.loss": 2, "val.best.step": 2}
