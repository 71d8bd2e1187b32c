"""Runs by wandb's everyday rules, losing nothing: late steps, NaN, nested names, text, tables are all kept."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.tracking import exits, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import ArtifactLogged, MetricsLogged, Record, RunFinished, RunStarted, RunUpdated
from weft.tracking.payloads.encoding import decode
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord
from weft.tracking.tables import Table

Journaled = Callable[[], list[Record]]


def _of(journaled: Journaled, kind: type) -> list[Any]:
    return [record for record in journaled() if isinstance(record, kind)]


def _points(journaled: Journaled) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, record.values) for record in _of(journaled, MetricsLogged)]


def _summary(journaled: Journaled) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for record in _of(journaled, RunUpdated):
        if record.summary:
            merged.update(decode(record.summary))
    return merged


def test_a_run_is_in_the_journal_when_init_returns(home: Path, journaled: Journaled) -> None:
    run = starting.init(
        project="digits", name="first", config={"lr": 0.1}, tags="one", group="g", job_type="train", notes="n"
    )
    [started] = journaled()
    assert isinstance(started, RunStarted)
    assert (started.uid, started.id, started.project, started.name) == (run.uid, run.id, "digits", "first")
    assert (started.tags, started.group, started.job_type, started.notes) == (["one"], "g", "train", "n")
    assert decode(started.config or b"") == {"lr": 0.1}
    metadata = decode(started.metadata or b"")
    assert metadata["pid"] == os.getpid()
    assert metadata["host"]
    assert metadata["argv"]
    assert runtime.active().run is run
    assert run.path == f"digits/{run.id}"


def test_generated_ids_and_names(home: Path) -> None:
    """Eight base-36 characters, two words and a number; the user's generator is never drawn from."""
    random.seed(1)
    before = random.getstate()
    made = [starting.start_run() for _ in range(50)]
    assert random.getstate() == before
    assert len({run.id for run in made}) == 50
    for run in made:
        assert len(run.id) == 8
        assert run.id.isalnum()
        assert run.id == run.id.lower()
        adjective, noun, number = run.name.split("-")
        assert adjective.isalpha()
        assert noun.isalpha()
        assert 1 <= int(number) <= 999
        run.finish()


def test_the_same_id_is_the_same_run_in_every_process(home: Path) -> None:
    uids = []
    for project in ("p", "p", "q"):
        with starting.start_run(project=project, id="mine") as run:
            uids.append(run.uid)
    assert uids[0] == uids[1] != uids[2]


def test_steps_count_up_by_themselves(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.log({"a": 1})
        run.log({"a": 2})
        assert run.step == 2
    assert _points(journaled) == [(0, {"a": 1.0}), (1, {"a": 2.0})]


@pytest.mark.parametrize(
    ("calls", "steps"),
    [
        ([{"step": 1}, {}], [1, 1]),  # an explicit step stays open; the implicit log joins it and closes it
        ([{"step": 1, "commit": True}, {}], [1, 2]),
        ([{"step": 0}, {"step": 0, "commit": True}, {}], [0, 0, 1]),
        ([{"commit": False}, {}, {}], [0, 0, 1]),
        ([{"step": 5}, {"step": 3}, {}, {}], [5, 3, 5, 6]),
        ([{"step": 3.0}, {}], [3, 3]),
        ([{"step": -2}, {}], [-2, 0]),
    ],
)
def test_steps_and_commits(home: Path, journaled: Journaled, calls: list[dict[str, Any]], steps: list[int]) -> None:
    with starting.init() as run:
        for call in calls:
            run.log({"a": 1}, **call)
    assert [step for step, _ in _points(journaled)] == steps


def test_a_late_step_is_kept_and_marked(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        for step in (5, 3, 5, 4):
            run.log({"a": step}, step=step)
    assert [(r.step, r.late) for r in _of(journaled, MetricsLogged)] == [(5, False), (3, True), (5, False), (4, True)]


def test_an_empty_log_moves_the_step_and_writes_nothing(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.log({})
        run.log({"a": 1})
    assert _points(journaled) == [(1, {"a": 1.0})]


def test_nested_names_nan_and_whatever_is_a_number(home: Path, journaled: Journaled) -> None:
    numpy = pytest.importorskip("numpy")
    with starting.init() as run:
        run.log(
            {
                "loss": {"train": 0.5, "deep": {"er": 1}},
                "nan": math.nan,
                "inf": -math.inf,
                "flag": True,
                "half": numpy.float16(0.5),
                "one": numpy.array([7]),
            }
        )
    [record] = _of(journaled, MetricsLogged)
    assert math.isnan(record.values.pop("nan"))
    assert record.values == {
        "loss.train": 0.5, "loss.deep.er": 1.0, "inf": -math.inf, "flag": 1.0, "half": 0.5, "one": 7.0,
    }  # fmt: skip
    assert record.rich is None


def test_what_is_no_number_is_kept_whole(home: Path, journaled: Journaled) -> None:
    holds_itself: dict[str, Any] = {"x": 1}
    holds_itself["me"] = holds_itself
    values = {"text": "hello", "list": [1, 2], "none": None, "huge": 2**80, "exact": 2**53 + 1, "empty": {},
              "keyed": {1: "a"}, "object": object()}  # fmt: skip
    with starting.init() as run:
        run.log({**values, "n": 1})
        run.log({"cycle": holds_itself})
    first, second = _of(journaled, MetricsLogged)
    rich = decode(first.rich or b"")
    for name in ("text", "list", "none", "exact", "empty"):
        assert rich[name] == values[name]
    assert rich["keyed.1"] == "a"
    assert "object" in rich
    assert first.values == {"n": 1.0, "huge": 2.0**80, "exact": 2.0**53}
    assert second.rich


def test_two_paths_to_one_name_are_two_points(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.log({"a.b": 1, "a": {"b": 2}})
    assert _points(journaled) == [(0, {"a.b": 1.0}), (0, {"a.b": 2.0})]


def test_the_users_dict_is_left_alone(home: Path) -> None:
    values = {"a": {"b": 1}, "c": [1]}
    with starting.init() as run:
        run.log(values)
    assert values == {"a": {"b": 1}, "c": [1]}


@pytest.mark.parametrize("values", [None, 1, "text", [("a", 1)], {1: 2}, {"a": 1, None: 2}])
def test_a_wrong_log_raises_at_the_call(home: Path, values: Any) -> None:
    with starting.init() as run, pytest.raises(TypeError, match=r"log\(\)"):
        run.log(values)


@pytest.mark.parametrize("step", ["1", 1.5, math.nan, True, [1]])
def test_a_wrong_step_raises_at_the_call(home: Path, step: Any) -> None:
    with starting.init() as run, pytest.raises(TypeError, match="step must be a whole number"):
        run.log({"a": 1}, step=step)


class _Odd(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> Any:
        return {"a": 1.0}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def test_any_mapping_will_do(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.log(_Odd())
        with pytest.raises(UsageError, match="64 bits"):
            run.log(_Odd(), step=1 << 70)
    assert _points(journaled) == [(0, {"a": 1.0})]


def test_at_exit_a_home_that_was_removed_is_not_made_again(tmp_path: Path) -> None:
    body = "import shutil\nstarting.init()\nshutil.rmtree(os.environ['WEFT_HOME'])"
    assert _script(tmp_path, body).stderr == ""
    assert not (tmp_path / "script-home").exists()


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_names = st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(values=st.dictionaries(_names, _values, min_size=1, max_size=4))
def test_every_value_is_in_the_record(home: Path, journaled: Journaled, values: dict[str, Any]) -> None:
    run = starting.start_run()
    run.log(values)
    run.finish()
    mine = [record for record in _of(journaled, MetricsLogged) if record.run_uid == run.uid]

    def leaves(value: Any) -> int:
        if isinstance(value, dict) and value:
            return sum(leaves(item) for item in value.values())
        return 1

    scalars = sum(len(record.values) for record in mine)
    # A large whole number is both: the point, and exactly.
    rich = sum(len(decode(record.rich).keys() - record.values.keys()) for record in mine if record.rich)
    # Two paths may meet in one name (two points, or one rich value); nothing else can make them fewer.
    assert scalars + rich <= leaves(values)
    if not any("." in key for key in _keys(values)):
        assert scalars + rich == leaves(values)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)


def test_a_table_becomes_a_version_and_a_reference(home: Path, journaled: Journaled) -> None:
    pytest.importorskip("pyarrow")
    with starting.init(project="p") as run:
        run.log({"answers": {"val": Table(columns=["q"], data=[["why?"]])}, "n": 1})
    [artifact] = _of(journaled, ArtifactLogged)
    [record] = _of(journaled, MetricsLogged)
    assert artifact.name == f"run-{run.id}-answers.val"
    assert artifact.type == "run_table"
    assert decode(record.rich) == {
        "answers.val": {
            "_type": "table", "columns": ["q"], "n_rows": 1,
            "artifact": artifact.name, "digest": artifact.digest, "path": "table.parquet",
        }
    }  # fmt: skip
    assert journaled().index(artifact) < journaled().index(record)


def test_config_changes_are_recorded_and_guarded(home: Path, journaled: Journaled) -> None:
    with starting.init(config=argparse.Namespace(lr=0.1, layers=[1])) as run:
        config = run.config
        assert config.lr == config["lr"] == 0.1
        assert getattr(config, "missing", 5) == 5
        assert config.get("missing", 5) == 5
        config["--epochs"] = 3
        config.seed = 7
        config.update({"lr": 0.1, "epochs": 3})  # the same values: nothing to say
        with pytest.raises(UsageError, match="allow_val_change=True"):
            config.update({"fresh": 1, "lr": 0.2})
        assert "fresh" not in config
        config.update({"lr": 0.2}, allow_val_change=True)
        config.setdefaults({"lr": 9, "depth": 2})
        config["nan"] = math.nan
        config["nan"] = math.nan
        config.layers.append(2)
        with pytest.raises(TypeError):
            config[1] = 2  # type: ignore[index]
        with pytest.raises(AttributeError, match="it has lr"):
            _ = config.absent
    changes = [decode(record.config) for record in _of(journaled, RunUpdated) if record.config]
    assert changes[:4] == [{"epochs": 3}, {"seed": 7}, {"lr": 0.2}, {"depth": 2}]
    assert changes[-1] == {"layers": [1, 2]}  # a list that grew is written at the end
    assert len(changes) == 6


def test_a_second_init_returns_the_run_that_is_active(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As wandb outside of notebooks; what it was given then is not lost without a word."""
    first = starting.init(project="p")
    assert starting.init() is first
    assert not caplog.records
    assert starting.init(config={"lr": 1}, project="q", reinit=False) is first
    assert "project=, config= left out" in caplog.text
    with pytest.raises(UsageError, match="reinit"):
        starting.init(reinit="sometimes")


def test_in_a_notebook_a_second_init_finishes_the_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.get_ipython", lambda: None, raising=False)
    first = starting.init()
    assert starting.init() is not first
    assert first.state == "finished"


def test_runs_beside_each_other(home: Path, journaled: Journaled) -> None:
    """`create_new`: none of them is the process's run, each has its own steps; an id that runs already is refused."""
    main = starting.init()
    others = [starting.init(project="p", id=name, reinit="create_new") for name in ("a", "b")]
    assert runtime.active().run is main
    for run in others:
        run.log({"x": 1})
        run.log({"x": 2})
    with pytest.raises(UsageError, match="p/a is running in this process"):
        starting.init(project="p", id="a", reinit="create_new")
    others[0].finish()
    assert main.state == others[1].state == "running"
    starting.init(reinit=True)
    assert main.state == others[1].state == "finished"
    assert [step for step, _ in _points(journaled)] == [0, 1, 0, 1]


def test_in_a_notebook_config_may_change(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.get_ipython", lambda: None, raising=False)
    with starting.init(config={"lr": 1}) as run:
        run.config.lr = 2
        assert run.config.as_dict() == {"lr": 2}


def test_the_summary_holds_last_values_and_what_was_set(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.log({"loss": 2.0})
        run.log({"loss": 1.0})
        assert run.summary["loss"] == 1.0
        run.summary["best"] = 0.9
        run.summary.note = "fine"
        run.summary.update({"loss": 0.5})
        assert run.summary.loss == 0.5
        run.log({"loss": 3.0})  # a later log takes over again
        assert run.summary["loss"] == 3.0
        assert dict(run.summary) == {"loss": 3.0, "best": 0.9, "note": "fine"}
        with pytest.raises(KeyError):
            run.summary["absent"]
        with pytest.raises(AttributeError):
            _ = run.summary.absent
    assert _summary(journaled) == {"best": 0.9, "note": "fine", "loss": 0.5}  # by hand; the store counts what is logged


def test_names_tags_and_notes_may_change(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:
        run.name = "better"
        run.tags = ("a", "b", "a")
        run.notes = "why"
        assert (run.name, run.tags, run.notes) == ("better", ("a", "b"), "why")
        with pytest.raises(UsageError, match="name must be text"):
            run.name = ""
    updates = _of(journaled, RunUpdated)
    assert [(u.name, u.tags, u.notes) for u in updates] == [
        ("better", None, None), (None, ["a", "b"], None), (None, None, "why"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"project": "a/b"}, "must not hold '/'"),
        ({"project": "a#b"}, "must not hold '#'"),
        ({"project": "a%b"}, "must not hold '%'"),
        ({"project": "x" * 129}, "1 to 128"),
        ({"project": ""}, "1 to 128 characters, this one 0"),
        ({"project": "."}, "must not be '.'"),
        ({"project": ".."}, "must not be '..'"),
        ({"project": 7}, "must be text"),
        ({"id": "a/b"}, "must not hold '/'"),
        ({"id": " "}, "1 to 128"),
        ({"id": "a:b"}, "must not hold ':'"),
        ({"tags": ["", "ok", "x" * 65]}, "these are not: '', 'xxx"),
        ({"config": 7}, "expected a dict or a namespace"),
        ({"name": 7}, "name must be text"),
        ({"group": 7}, "group must be text"),
        ({"job_type": 7}, "job_type must be text"),
        ({"notes": 7}, "notes must be text"),
        ({"project": "\ud800"}, "must not hold"),
    ],
)
def test_bad_names_raise_at_init(home: Path, journaled: Journaled, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises((UsageError, TypeError), match=says):
        starting.init(**arguments)
    assert journaled() == []
    assert runtime.active().run is None


class _Text(str):
    """As numpy's: a text of another class."""


def test_texts_of_any_kind_are_readable_records(home: Path) -> None:
    """A field of a wrong type would stop every reader at that record: subclasses and broken bytes are made plain."""
    text = _Text("text")
    with starting.init(
        project=_Text("p"),
        id=_Text("mine"),
        name="bad \ud800 bytes",
        tags=[text],
        group=text,
        job_type=text,
        notes=text,
    ) as run:
        run.log({text: 1, _Text("r"): text})
        run.tags = [text, "\udcff"]
        run.notes = "\ud800"
        run.config.update({text: text})
        artifact = Artifact(_Text("things"), type=text, description="\ud800")
        artifact.add_bytes(b"x", _Text("a.txt"))
        run.log_artifact(artifact, aliases=_Text("best"))
        with pytest.raises(UsageError, match="whole number"):
            run.finish("1")  # type: ignore[arg-type]
        run.finish(True)
    [found] = _stored()
    assert (found.state, found.name, found.notes) == ("failed", "bad \\ud800 bytes", "\\ud800")
    assert (found.tags, found.config, found.summary["text"]) == (["text", "\\udcff"], {"text": "text"}, 1.0)


def test_a_second_init_finishes_the_first_where_it_is_told_so(home: Path, journaled: Journaled) -> None:
    first = starting.init()
    second = starting.init(reinit="finish_previous")
    assert first.state == "finished"
    assert [record.uid for record in _of(journaled, RunFinished)] == [first.uid]
    assert runtime.active().run is second
    starting.log({"a": 1})
    starting.finish(3)
    assert [(r.uid, r.state, r.exit_code) for r in _of(journaled, RunFinished)][1:] == [(second.uid, "failed", 3)]
    assert runtime.active().run is None


def test_a_run_beside_takes_nobodys_place(home: Path, journaled: Journaled) -> None:
    outer = starting.init(project="p")
    with starting.start_run(job_type="evaluation") as inner:
        assert runtime.active().run is outer
        assert inner.project == "p"
    assert runtime.active().run is outer
    assert [(r.job_type, r.parent_uid) for r in _of(journaled, RunStarted)] == [(None, None), ("evaluation", outer.uid)]


def test_a_finished_run_says_so(home: Path, journaled: Journaled) -> None:
    run = starting.init()
    run.finish()
    run.finish(1)
    assert len(_of(journaled, RunFinished)) == 1
    for call in (lambda: run.log({"a": 1}), lambda: run.log_artifact("x"), lambda: run.use_artifact("x")):
        with pytest.raises(UsageError, match="is finished"):
            call()


def test_without_a_run_the_calls_say_init(home: Path) -> None:
    for call in (lambda: starting.log({}), lambda: starting.log_artifact("x"), lambda: starting.use_artifact("x")):
        with pytest.raises(UsageError, match=r"weft.init\(\) first"):
            call()
    starting.finish()  # nothing left to finish


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [(ValueError("no\x1bpe"), "failed", 1), (KeyboardInterrupt(), "killed", 255), (SystemExit(3), "failed", 3),
     (SystemExit(0), "finished", 0), (SystemExit("message"), "failed", 1)],
)  # fmt: skip
def test_a_with_block_ends_by_its_exception(
    home: Path, journaled: Journaled, error: BaseException, state: str, code: int
) -> None:
    with pytest.raises(type(error)), starting.init():
        raise error
    [finished] = _of(journaled, RunFinished)
    assert (finished.state, finished.exit_code) == (state, code)
    if isinstance(error, ValueError):
        told = decode(finished.error)
        assert (told["type"], told["message"]) == ("ValueError", "no\x1bpe")
        assert "raise error" in told["stacktrace"]


def test_the_hooks_are_given_back(tmp_path: Path) -> None:
    body = """
hook, leave = sys.excepthook, sys.exit
first, second = starting.init(), starting.start_run()
assert sys.excepthook is not hook
first.finish()
assert sys.excepthook is not hook
second.finish()
assert sys.excepthook is hook
assert sys.exit is leave
"""
    assert _script(tmp_path, body).stderr == ""


def test_a_hook_chained_onto_ours_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = exits.Watch()
    called: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *_: called.append("users"))
    monkeypatch.setattr(sys, "exit", sys.exit)
    watch.start()
    watch.start()
    ours = sys.excepthook
    monkeypatch.setattr(sys, "excepthook", lambda *error: (called.append("later"), ours(*error)))
    watch.stop()
    sys.excepthook(ValueError, ValueError("x"), None)
    assert called == ["later", "users"]


def test_secrets_are_redacted_before_they_are_written(home: Path) -> None:
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    with starting.init(config={"api_key": secret, "ok": 1}) as run:
        run.log({"text": f"the key is {secret}"})
        run.summary["password"] = secret
        run.config["nested"] = {"authorization": f"Bearer {secret}"}
        assert run.config["api_key"] == secret  # the program's own value is its own
    for file in (home / "journal").iterdir():
        assert secret.encode() not in file.read_bytes()


def test_disabled_records_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "never", mode="disabled", strict=True))
    with starting.init(project="p", config={"lr": 1}) as run:
        run.log({"a": 1, "t": Table(columns=["x"], data=[[1]])})
        run.config.update({"x": 2})
        run.summary["best"] = 1
        run.log_artifact(__file__)
        assert run.config.x == 2
        assert run.summary["a"] == 1.0
        (Path(run.dir) / "model.bin").write_bytes(b"weights")
        assert run.dir == run.dir
        run.save(f"{run.dir}/model.bin")
        assert (Path(run.dir) / "model.bin").exists()
        assert not Path(run.dir).is_relative_to(tmp_path / "never")
        shutil.rmtree(run.dir)
    assert run.state == "finished"
    assert not (tmp_path / "never").exists()


def test_trouble_while_recording_never_raises(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The home is a file: the program runs to its end, one line says what is wrong."""
    (tmp_path / "home").write_text("in the way")
    active = runtime.configure(Settings.resolve(home=tmp_path / "home", strict=False))
    with starting.init(config={"a": 1}) as run:
        for step in range(5):
            run.log({"x": step})
        run.summary["best"] = 1
    assert active.journal.dropped == 8
    assert len([line for line in caplog.records if line.name == "weft.recording"]) == 1


def test_threads_share_a_run(home: Path, journaled: Journaled) -> None:
    with starting.init() as run:

        def work() -> None:
            for _ in range(200):
                run.log({"x": 1.0})

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(step for step, _ in _points(journaled)) == list(range(800))


def _script(tmp_path: Path, body: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own and read what it recorded."""
    home = tmp_path / "script-home"
    program = tmp_path / "script.py"
    program.write_text("import os, sys\nfrom weft.tracking.runs import starting\n" + body)
    done = subprocess.run(
        [sys.executable, str(program), *argv],
        env={**os.environ, "WEFT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    runtime.configure(Settings.resolve(home=home, strict=True))
    return done


@pytest.mark.parametrize(
    ("body", "state", "exit_code", "process"),
    [
        ("starting.init()\nstarting.log({'a': 1})", "finished", 0, 0),
        ("starting.init()\n1 / 0", "failed", 1, 1),
        ("starting.init()\nsys.exit(3)", "failed", 3, 3),
        ("starting.init()\nsys.exit()", "finished", 0, 0),
        ("starting.init()\nexit(3)", "failed", 3, 3),
        ("starting.init()\nquit()", "finished", 0, 0),
        ("starting.init()\nraise KeyboardInterrupt", "killed", 255, -2),
        ("with starting.init():\n    raise SystemExit(4)", "failed", 4, 4),
        ("starting.init()\nraise SystemExit(4)", "failed", 4, 4),
        ("starting.init()\nraise SystemExit('why')", "failed", 1, 1),
        ("starting.init()\nraise SystemExit", "finished", 0, 0),
        ("def main():\n    starting.init()\n    return 4\nraise SystemExit(main())", "failed", 4, 4),
        (
            "import gc\ndef main():\n    starting.init()\n    try:\n        raise SystemExit(4)\n"
            "    finally:\n        gc.collect()\nmain()",
            "failed",
            4,
            4,
        ),
        ("starting.init()\ntry:\n    sys.exit(4)\nexcept SystemExit as error:\n    kept = error", "finished", 0, 0),
        (
            "starting.init()\ntry:\n    sys.exit(4)\nexcept SystemExit as error:\n    kept = error\n"
            "raise SystemExit(5)",
            "failed",
            5,
            5,
        ),
        (
            "starting.init()\ntry:\n    sys.exit(4)\nexcept SystemExit as error:\n    kept = error\n"
            "raise SystemExit(0)",
            "finished",
            0,
            0,
        ),
        (
            "import threading\nother = threading.Thread(target=starting.init)\nother.start()\nother.join()\n"
            "raise SystemExit(4)",
            "failed",
            4,
            4,
        ),
        ("starting.init()\nos._exit(5)", None, None, 5),
    ],
)
def test_a_script_ends_its_run(
    tmp_path: Path, journaled: Journaled, body: str, state: str | None, exit_code: int | None, process: int
) -> None:
    """An exception, Ctrl-C, sys.exit(n) or the end; after os._exit nothing is written: the ingester says crashed."""
    done = _script(tmp_path, body)
    assert done.returncode == process
    finished = _of(journaled, RunFinished)
    if state is None:
        assert finished == []
        return
    [record] = finished
    assert (record.state, record.exit_code) == (state, exit_code)
    if body.endswith("1 / 0"):
        assert "ZeroDivisionError" in done.stderr
        assert decode(record.error)["type"] == "ZeroDivisionError"


def _stored() -> list[RunRecord]:
    with open_store() as store:
        return list(store.reader().runs(order="started_ns").rows)


def test_what_was_recorded_is_what_is_read(home: Path) -> None:
    """Journal, ingester and a real store between; by hand wins in the summary until it is logged again."""
    with starting.init(project="p", config={"lr": 0.1, "deep": {"a": [1, None]}}, tags=["x"], notes="n") as run:
        run.log({"loss": 1.0, "nan": math.nan, "text": "hello", "best": 1.0})
        run.summary["best"] = 9
        run.log({"loss": 0.5, "inf": math.inf}, step=7)
        run.log({"loss": 0.75}, step=3)
        run.config.update({"lr": 0.2}, allow_val_change=True)
        run.name = "renamed"
    [found] = _stored()
    assert (found.id, found.project, found.name, found.state, found.step) == (run.id, "p", "renamed", "finished", 7)
    assert found.config == {"lr": 0.2, "deep": {"a": [1, None]}}
    assert (found.tags, found.notes) == (["x"], "n")
    assert found.summary["best"] == 9
    assert math.isnan(found.summary.pop("nan"))
    assert found.summary == {"loss": 0.5, "best": 9, "inf": math.inf, "text": "hello"}
    with open_store() as store:
        history = store.reader().history(found.uid)
        rich = store.reader().rich(found.uid)
    assert list(history["loss"].steps) == [0, 3, 7]
    assert list(history["loss"].values) == [1.0, 0.75, 0.5]
    assert history["loss"].late == 1
    assert [(item["key"], item["step"], item["value"]) for item in rich] == [("text", 0, "hello")]


def test_the_same_id_again_goes_on_with_the_run(home: Path) -> None:
    with starting.init(project="p", id="mine", config={"lr": 1, "bs": 2}) as run:
        run.log({"a": 1})
    with starting.init(project="p", id="mine", config={"lr": 3}, resume="allow") as run:
        run.log({"a": 2}, step=1)
        [found] = _stored()
        assert (found.state, found.config) == ("running", {"lr": 3, "bs": 2})
    [found] = _stored()
    assert (found.state, found.step, found.summary) == ("finished", 1, {"a": 2.0})


def test_a_killed_script_shows_as_crashed_with_all_that_it_logged(tmp_path: Path) -> None:
    body = "starting.init()\nfor n in range(100):\n    starting.log({'a': n})\nos.kill(os.getpid(), 9)"
    done = _script(tmp_path, body)
    assert done.returncode == -9
    [found] = _stored()
    assert (found.state, found.step, found.summary) == ("crashed", 99, {"a": 99.0})


def test_a_failed_script_shows_its_error(tmp_path: Path) -> None:
    _script(tmp_path, "starting.init()\nraise ValueError('token=abcdefgh12345678')")
    [found] = _stored()
    assert found.state == "failed"
    assert found.error is not None
    assert found.error["type"] == "ValueError"
    assert "abcdefgh12345678" not in str(found.error)


def test_a_users_excepthook_runs_once(tmp_path: Path, journaled: Journaled) -> None:
    body = "sys.excepthook = lambda *e: print('mine', e[0].__name__)\nstarting.init()\n{}['x']"
    done = _script(tmp_path, body)
    assert done.stdout == "mine KeyError\n"
    assert _of(journaled, RunFinished)[0].state == "failed"


def test_a_command_line_loses_its_secrets(tmp_path: Path, journaled: Journaled) -> None:
    _script(tmp_path, "starting.init()", "--api-key", "hunter2hunter2", "--max-tokens", "5", "--token=abcdefgh")
    argv = decode(_of(journaled, RunStarted)[0].metadata)["argv"]
    assert argv[3:5] == ["--max-tokens", "5"]
    assert "hunter2" not in json.dumps(argv)
    assert "abcdefgh" not in json.dumps(argv)


def _child(run: starting.Run) -> None:
    run.log({"child": 1.0})
    run.finish()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_logs_but_does_not_end_the_run(home: Path, journaled: Journaled) -> None:
    run = starting.init()
    run.log({"parent": 1.0})
    process = multiprocessing.get_context("fork").Process(target=_child, args=(run,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert _of(journaled, RunFinished) == []
    run.log({"parent": 2.0})
    run.finish()
    assert sorted(next(iter(values)) for _, values in _points(journaled)) == ["child", "parent", "parent"]
    assert len(_of(journaled, RunFinished)) == 1


def test_tags_notes_groups_and_names_of_metrics_lose_their_secrets(home: Path, journaled: Journaled) -> None:
    """The program itself sees them as it gave them."""
    key = "sk-proj-" + "a1B2" * 10
    run = starting.init(project="p", tags=["plain", key], notes=f"used {key}", group=key, job_type=key)
    run.log({"loss": 1.0, f"by {key}": 2.0, f"by {key}1": 3.0}, step=0)
    run.log({"loss": 0.5, f"by {key}": 1.0, key: {"nested": 1}, f"rich {key}": "text"}, step=1)
    run.log({key: Table(columns=["a"], data=[[1]])})
    run.tags, run.notes = [key], key

    assert run.summary[f"by {key}"] == 1.0
    assert (run.tags, run.notes, run.group) == ((key,), key, key)
    [started] = _of(journaled, RunStarted)
    assert started.tags == ["plain", "[redacted:api-key]"]
    assert (started.notes, started.group) == ("used [redacted:api-key]", "[redacted:api-key]")
    assert _points(journaled)[:4] == [
        (0, {"loss": 1.0, "by [redacted:api-key]": 2.0}),
        (0, {"by [redacted:api-key]": 3.0}),
        (1, {"loss": 0.5, "by [redacted:api-key]": 1.0, "[redacted:api-key].nested": 1.0}),
        (1, {}),
    ]
    weft_files = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    assert not [data for data in weft_files if key.encode() in data]


def test_names_are_written_as_they_are_where_nothing_is_redacted(tmp_path: Path, journaled: Journaled) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "open", strict=True, redact=False))
    key = "sk-proj-" + "a1B2" * 10
    run = starting.init(project="p", tags=[key])
    run.log({key: 1.0})
    assert _of(journaled, RunStarted)[0].tags == [key]
    assert _points(journaled) == [(0, {key: 1.0})]


CLOCK_BACK = """
import time, weft
run = weft.init(project="p", id="back")
run.log({"x": 1})
real = time.time_ns
time.time_ns = lambda: real() - 3_600_000_000_000
run.log({"x": 2})
"""


def test_a_clock_that_is_set_back_an_hour_makes_no_crash_of_a_run(tmp_path: Path) -> None:
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, "-c", CLOCK_BACK], env={**os.environ, "WEFT_HOME": str(home)}, timeout=60, check=True
    )
    with open_store(Settings.resolve(home=home)) as store:
        [found] = store.reader().runs({"id": "back"}).rows
        times = store.reader().history(found.uid)["x"].times_ns
    assert (found.state, found.exit_code, found.step) == ("finished", 0, 1)
    assert found.runtime_s > 0
    assert found.started_ns <= times[0] <= times[1] <= (found.ended_ns or 0)
