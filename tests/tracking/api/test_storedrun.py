"""Runs as `weft.Api()` answers with them: asked in wandb's words, read, corrected, deleted; nothing sampled unasked."""

from __future__ import annotations

import math
import multiprocessing
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.runs import starting
from weft.tracking.settings import Settings

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def trained() -> list[starting.Run]:
    """Three runs of one project, oldest first, and one of another."""
    made = []
    for number in range(3):
        with starting.init(
            project="digits",
            name=f"r{number}",
            config={"lr": number / 10, "model": {"depth": number}},
            tags=["base", f"t{number}"],
            group="even" if number % 2 == 0 else "odd",
            job_type="train",
        ) as run:
            for step in range(10):
                run.log({"loss": number + 1 / (step + 1)})
        made.append(run)
    with starting.init(project="other", name="elsewhere", config={"lr": 5}):
        pass
    return made


def test_the_time_of_its_start_answers_by_both_of_wandbs_names(trained: list[starting.Run]) -> None:
    run = weft.Api().run(f"digits/{trained[0].id}")
    assert run.createdAt == run.created_at
    assert run.createdAt.endswith("Z")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"displayName": "r1"}, ["r1"]),
        ({"display_name": {"$regex": "^r[01]$"}}, ["r0", "r1"]),
        ({"state": "finished", "tags": "t2"}, ["r2"]),
        ({"tags": {"$in": ["t0", "t1"]}}, ["r0", "r1"]),
        ({"group": {"$ne": "even"}}, ["r1"]),
        ({"jobType": "train", "config.lr.value": {"$gte": 0.1}}, ["r1", "r2"]),
        ({"config.model.depth": 2}, ["r2"]),
        ({"config.model.value.depth": 2}, ["r2"]),
        ({"summary_metrics.loss": {"$lt": 1.5}}, ["r0", "r1"]),
        ({"$or": [{"config.lr": 0}, {"summary_metrics.loss": {"$gt": 2}}]}, ["r0", "r2"]),
        (
            {"$and": [{"createdAt": {"$gt": "2020-01-01T00:00:00"}}, {"config.lr": {"$exists": True}}]},
            ["r0", "r1", "r2"],
        ),
        ({"created_at": {"$lt": "2020-01-01"}}, []),
        ({"summary_metrics._step": {"$gte": 10}}, []),
        ({"summary_metrics._timestamp": {"$gt": 1_600_000_000.5}}, ["r0", "r1", "r2"]),
        ({"summary_metrics._timestamp": {"$lt": 1_600_000_000}}, []),
        ({"heartbeatAt": {"$gt": "2020-01-01"}, "name": "r0"}, ["r0"]),
        ({"createdAt": {"$lt": 1_600_000_000}}, []),
        ({"createdAt": {"$lt": 1_600_000_000_000}}, []),
        ({"createdAt": {"$lt": 1_600_000_000_000_000_000}}, []),
        ({"createdAt": {"$gt": 1_600_000_000, "$lt": math.inf}}, ["r0", "r1", "r2"]),
        ({"created_at": {"$gt": 1_600_000_000 * 10**9}, "started_ns": {"$gt": 1_600_000_000}}, ["r0", "r1", "r2"]),
        ({"summary_metrics._timestamp": {"$lt": math.inf}, "name": "r1"}, ["r1"]),
        ({"name": {"$nin": ["r0", "r1"]}}, ["r2"]),
        ({"sweep": None, "config.lr": 0.1}, ["r1"]),
        ({"$and": [{"sweep": {"$exists": False}}, {"name": "r0"}]}, ["r0"]),
    ],
)
def test_filters_in_wandbs_words(trained: list[starting.Run], filters: dict[str, Any], found: list[str]) -> None:
    with weft.Api() as api:
        assert [run.name for run in api.runs("digits", filters)] == found
        assert [run.name for run in api.runs("me/digits", filters=filters, per_page=1, lazy=False)] == found


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("+created_at", "r0"),
        ("-created_at", "r2"),
        ("created_at", "r0"),
        ("-summary_metrics.loss", "r2"),
        ("+config.lr.value", "r0"),
        ("-config.model.depth", "r2"),
        ("-display_name", "r2"),
        ("-summary_metrics._timestamp", "r2"),
    ],
)
def test_orders_in_wandbs_words(trained: list[starting.Run], order: str, first: str) -> None:
    with weft.Api({"project": "digits"}) as api:
        assert api.runs(order=order)[0].name == first
        assert len(api.runs()) == 3
        assert api.runs()[-1].name == "r2"
        assert [run.name for run in api.runs()[:2]] == ["r0", "r1"]


def test_our_own_filters_stand_beside_wandbs(trained: list[starting.Run]) -> None:
    with weft.Api() as api:
        assert [run.name for run in api.runs({"name": "r1"})] == ["r1"]
        assert [run.name for run in api.runs("digits", {"config.lr": {"$gt": 0}}, where={"name": "r2"})] == ["r2"]
        assert len(api.runs()) == 4
    with weft.Api("digits") as api:
        assert len(api.runs(where={"project": "other"})) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": [1]},
        {"filters": {"sweep": "x"}},
        {"filters": {"createdAt": "yesterday"}},
        {"filters": {"bogus": 1}},
        {"filters": {"summary_metrics._runtime": {"$gt": 60}}},
        {"order": 3},
        {"order": "bogus"},
        {"per_page": 0},
        {"path": 3},
        {"path": "me/digits/r0"},
        {"path": "/"},
        {"where": "x"},
    ],
)
def test_wrong_questions_are_said_at_the_call(wrong: dict[str, Any]) -> None:
    with weft.Api() as api, pytest.raises(UsageError):
        api.runs(**wrong)


def test_a_run_is_found_by_its_address(trained: list[starting.Run]) -> None:
    ident = trained[0].id
    with weft.Api() as api:
        for path in (ident, f"digits/{ident}", f"me/digits/{ident}", f"me/digits/runs/{ident}"):
            assert api.run(path).name == "r0"
        starting.init(project="other", id=ident).finish()
        with pytest.raises(UsageError, match=rf"digits/{ident}, other/{ident}"):
            api.run(ident)
        with pytest.raises(NotFoundError):
            api.run("digits/none")
        with pytest.raises(NotFoundError, match=f"the name of digits/{trained[1].id}$"):
            api.run("digits/r1")
        assert [(one.name, one.runs) for one in api.projects()] == [("digits", 3), ("other", 2)]


def test_the_export_that_wandb_documents_runs_unchanged(trained: list[starting.Run]) -> None:
    api = weft.Api()
    summary_list, config_list, name_list = [], [], []
    for run in api.runs("me/digits"):
        summary_list.append(run.summary._json_dict)
        config_list.append({k: v for k, v in run.config.items() if not k.startswith("_")})
        name_list.append(run.name)
    assert name_list == ["r0", "r1", "r2"]
    assert config_list[2] == {"lr": 0.2, "model": {"depth": 2}}
    assert summary_list[1]["loss"] == 1.1


def test_a_history_is_whole_and_its_sample_the_same_each_time() -> None:
    """wandb.md, case 18; wandb#1783."""
    with starting.init(project="p") as run:
        for step in range(1000):
            run.log({"a": step} | ({"b": -step} if step % 2 else {}))
    with weft.Api() as api:
        stored = api.run(run.id)
        assert [row["_step"] for row in stored.scan_history(min_step=10, max_step=20)] == list(range(10, 20))
        assert len(list(stored.scan_history())) == 1000
        both = list(stored.scan_history(keys=["a", "b"]))
        assert [row["a"] for row in both] == list(range(1, 1000, 2))
        sample = stored.history(samples=500, pandas=False)
        assert (sample[0]["_step"], sample[-1]["_step"]) == (0, 999)
        assert len(sample) <= 500
        assert stored.history(samples=500, pandas=False) == sample
        assert list(stored.history()["_step"]) == [row["_step"] for row in sample]
        assert stored.lastHistoryStep == 999
        frame = api.runs("p").histories(samples=10, keys=["a"], format="pandas")
        assert set(frame["run_id"]) == {run.id}


def test_what_a_history_cannot_be_asked_is_said_and_steps_have_no_end() -> None:
    with starting.init(project="p") as run:
        run.log({"b": 1, "a": 2})
        run.log({"c": 3})
    with weft.Api() as api:
        stored = api.run(run.id)
        for wrong in (5, [1], {"a": 1, 2: 3}):
            with pytest.raises(UsageError, match="names of metrics"):
                stored.scan_history(keys=wrong)  # type: ignore[arg-type]
        assert list(stored.scan_history(min_step=10**30)) == list(stored.scan_history(max_step=-(10**30))) == []
        assert len(list(stored.scan_history(min_step=-(10**30), max_step=10**30))) == 2


def test_the_frame_of_a_history_has_its_names_in_order_whatever_was_logged_first() -> None:
    pytest.importorskip("pandas")
    with starting.init(project="p") as run:
        run.log({"b": 1, "a": 2})
        run.log({"a/c": "text"})
        run.log({"b": 3, "_own": 1})
    with weft.Api() as api:
        stored, made = api.run(run.id), ["_step", "_runtime", "_timestamp"]
        assert list(stored.history().columns) == ["_own", "a", "a/c", "b", *made]
        assert list(stored.history(keys=["b", "a"]).columns) == ["b", "a", *made]
        assert list(stored.history(keys=["a"], x_axis="b").columns) == ["a", "b", *made]
        assert list(stored.history(keys=["none"]).columns) == ["none", *made]
        assert len(stored.history(keys=["none"])) == 0


def test_a_run_says_in_a_line_what_it_is(trained: list[starting.Run]) -> None:
    """And has wandb's other names for what it knows."""
    with weft.Api() as api:
        run = api.run(trained[0].id)
        assert repr(run) == f"<Run digits/{run.id} 'r0' (finished)>"
        assert repr(api.runs("digits")) == "<Runs: 3 fetched>"
        assert (run.sweep, run.sweep_name) == (None, None)
        assert run.rawconfig == {"lr": 0.0, "model": {"depth": 0}}
        assert run.summary_metrics["loss"] == 0.1
        assert run.summary_metrics["_step"] == 9
        with pytest.raises(TypeError):
            api.runs("digits")["r0"]  # type: ignore[call-overload]


def test_changes_are_kept(trained: list[starting.Run]) -> None:
    with weft.Api() as api:
        run = api.run(trained[0].id)
        run.name = "better"
        run.tags.append("looked-at")
        run.notes = "why"
        run.config["added"] = {"x": 1}
        run.summary["best"] = 0.5
        run.update()
        run.summary.update({"second": 2})
        again = api.run(trained[0].id)
        assert (again.name, again.notes, again.tags) == ("better", "why", ["base", "t0", "looked-at"])
        assert again.config == {"lr": 0.0, "model": {"depth": 0}, "added": {"x": 1}}
        assert (again.summary["best"], again.summary["second"], again.summary["loss"]) == (0.5, 2, 0.1)
        assert again.group == "even"
        del again.summary["best"]
        again.notes = None
        again.update()
        assert "best" not in api.run(again.id).summary
        assert not api.run(again.id).notes
        with pytest.raises(AttributeError, match="cannot be set"):
            again.state = "finished"
        again.tags = ["x" * 65]
        with pytest.raises(UsageError, match="1 to 64"):
            again.update()
        del again.config["lr"]
        with pytest.raises(UsageError, match="config"):
            again.update()


def test_a_data_frame_of_runs_has_their_config_and_summary(trained: list[starting.Run]) -> None:
    with weft.Api() as api:
        frame = api.runs("digits").to_pandas()
    assert list(frame["config.lr"]) == [0.0, 0.1, 0.2]
    assert list(frame["config.model.depth"]) == [0, 1, 2]
    assert list(frame["summary.loss"]) == [0.1, 1.1, 2.1]
    assert str(frame["started"].dtype).startswith("datetime64")


def test_what_a_run_logged_and_used_is_at_hand(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("kept")
    with starting.init(project="p") as first:
        artifact = weft.Artifact("data", type="dataset")
        artifact.add_file(str(tmp_path / "file.txt"))
        first.log_artifact(artifact, aliases=["kept"])
        first.save(str(tmp_path / "file.txt"))
        first.alert("Look", "at this")
        first.write_logs("said\n")
    with starting.init(project="p") as second:
        second.use_artifact("data:latest")
    with weft.Api() as api:
        one, two = api.run(first.id), api.run(second.id)
        assert [made.qualified_name for made in one.logged_artifacts()] == ["p/data:v0"]
        assert [used.name for used in two.used_artifacts()] == [one.logged_artifacts()[0].name]
        assert not one.used_artifacts()
        assert one.file("file.txt").download(str(tmp_path / "out")).read_text() == "kept"
        assert [line.text for line in one.console_logs(last=1)] == ["said"]
        assert one.alerts()[0].title == "Look"
        assert one.metadata is not None
        with pytest.raises(UsageError, match="the alias kept"):
            one.delete(delete_artifacts=True)
        assert api.run(first.id).state == "finished"


def test_a_deleted_run_is_gone_and_its_id_free(trained: list[starting.Run]) -> None:
    ident = trained[0].id
    with weft.Api() as api:
        stored = api.run(ident)
        stored.delete()
        with pytest.raises(NotFoundError):
            api.run(ident)
        with pytest.raises(NotFoundError):
            stored.load()
        with starting.init(project="digits", id=ident, resume="never") as again:
            again.log({"x": 1})
            with pytest.raises(UsageError, match="is running"):
                api.run(ident).delete()
        stored.delete()  # the one that is gone already: the new one stays
        assert api.run(ident).summary == {"x": 1}
        with starting.init(project="digits", id=ident, resume="must") as resumed:
            assert resumed.step == 1


def test_waiting_for_a_run_ends_with_it() -> None:
    run = starting.init(project="p")
    with weft.Api() as api:
        stored = api.run(run.id)
        with pytest.raises(TimeoutError):
            stored.wait_until_finished(timeout=0)
        threading.Timer(0.2, run.finish).start()
        stored.wait_until_finished(timeout=20)
        assert stored.state == "finished"


def test_an_api_of_another_home_says_so(tmp_path: Path) -> None:
    with starting.init(project="p") as run:
        pass
    with weft.Api() as api, weft.Api(settings=runtime.active().settings) as fixed:
        weft.configure(home=tmp_path / "second")
        with pytest.raises(UsageError, match=r"Make a new weft.Api\(\)"):
            api.runs()
        stored = fixed.run(run.id)
        stored.name = "new"
        with pytest.raises(UsageError, match="records to"):
            stored.update()


def _log_many(home: str, rank: int) -> None:
    runtime.configure(Settings.resolve(home=home, strict=True))
    with starting.init(project="contended", name=f"rank-{rank}") as run:
        for step in range(200):
            run.log({"x": step * rank})
            if step % 50 == 0:
                weft.Api().runs("contended").to_pandas()


def test_eight_processes_with_200_logs_each_leave_1600_rows(home: Path) -> None:
    """wandb.md, case 20."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_log_many, args=(str(home), rank)) for rank in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 8
    told = subprocess.run(
        [sys.executable, "-m", "weft.cli", "sql", "select count(*) as n from metrics", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert '"n": 1600' in told.stdout
    with weft.Api() as api:
        assert sum(len(list(run.scan_history())) for run in api.runs("contended")) == 1600


def test_step_runtime_and_timestamp_answer_by_name_and_are_in_no_list() -> None:
    """wandb has them in every summary; in ours they would be noise in tables, exports and comparisons."""
    began = time.time()
    with weft.init(project="made") as run:
        assert "_step" not in run.summary
        assert run.summary.get("_runtime") is None
        run.log({"loss": 1}, step=7)
        live = {name: run.summary[name] for name in ("_step", "_runtime", "_timestamp")}
        assert live["_step"] == 7
        assert 0 <= live["_runtime"] <= time.time() - began
        assert began <= live["_timestamp"] <= time.time()
        assert dict(run.summary) == {"loss": 1}
    with weft.Api() as api:
        summary = api.run(f"made/{run.id}").summary
        assert "_step" in summary
        assert summary["_step"] == summary.get("_step") == 7
        assert live["_timestamp"] - began <= summary["_timestamp"] - began <= time.time() - began
        assert 0 <= summary["_runtime"] <= time.time() - began
        assert dict(summary) == {"loss": 1}
        assert {"loss", "_step", "_runtime", "_timestamp"} == set(summary._json_dict)


def test_large_whole_numbers_are_metrics_and_read_back_exactly() -> None:
    large = 10**16 + 1
    with starting.init(project="large") as run:
        run.define_metric("flops", summary="min,max,mean,last")
        for step, flops in enumerate([large, 5, 3 * large]):
            run.log({"flops": flops, "huge": 10**400, "again": large}, step=step, commit=False)
        run.log({"again": 7}, step=2)
        run.log({"flops": large + 2, "again": large - 1}, step=0)  # late: they replace nothing
        run.log({"again": large}, step=2, commit=True)
        run.log({"again": 8}, step=2)  # late
        run.log({"again": large + 2}, step=2)  # late
        live = run.summary.as_dict()
        most = float(3 * large)
        mean = math.fsum([1e16, 5, most, float(large + 2)]) / 4
        assert live["flops"] == {"min": 5.0, "max": most, "mean": mean, "last": most}
        assert (live["again"], live["huge"]) == (1e16, 10**400)
    with weft.Api() as api:
        stored = api.run(run.path)
        assert dict(stored.summary) == live
        rows = list(stored.scan_history())
        assert [row["flops"] for row in rows] == [large, 5, 3 * large]
        assert [row["again"] for row in rows] == [large] * 3
        assert list(stored.history(keys=["flops"], pandas=False))[2]["flops"] == 3 * large
        assert api.runs("large", {"summary.flops.max": {"$gt": 2e16}})[0].id == run.id
        stored.summary["seen"] = True
        stored.summary.update()  # all is counted anew
        assert {**live, "seen": True} == dict(api.run(run.path).summary)


def test_of_a_number_and_a_text_of_one_step_the_later_holds() -> None:
    with starting.init(project="mixed") as run:
        run.log({"number": "text", "text": 1}, commit=False)
        run.log({"number": 2, "text": "later"})
        run.log({"both.b": "text", "both": {"b": 3}})
        live = run.summary.as_dict()
    assert live == {"both.b": 3.0, "number": 2.0, "text": "later"}
    with weft.Api() as api:
        stored = api.run(run.path)
        assert dict(stored.summary) == live
        first, second = stored.scan_history()
        assert (first["number"], first["text"], second["both.b"]) == (2.0, "later", 3.0)


def test_a_stored_summary_is_read_nested_and_by_dotted_names_like_the_live_one() -> None:
    with starting.init(project="nested") as run:
        run.define_metric("this.that", summary="min,max")
        for value in (3, 2, 4):
            run.log({"this": {"that": value}, "a": {"b": {"c": value}, "d": 1}, "top": value})
        run.summary["hand"] = {"deep": {"x": 5}}
        live = run.summary
        assert live["this"] == {"that": {"min": 2, "max": 4}}
    stored = weft.Api().run(run.path).summary
    assert stored["this"] == live["this"]
    assert stored["this"]["that"]["max"] == stored["this.that"]["max"] == stored["this.that.max"] == 4
    assert stored["a"] == live["a"] == {"b": {"c": 4}, "d": 1}
    assert stored["a"]["b"]["c"] == stored["a.b"]["c"] == stored["a.b.c"] == 4
    assert stored["hand"]["deep"]["x"] == stored["hand.deep.x"] == 5
    assert dict(stored) == live.as_dict()
    assert "a" in stored
    assert "a.b" in stored
    for missing in ("a.x", "hand.deep.y", "top.x", "a.b.c.d", "th", "", ".", "a."):
        assert missing not in stored
        assert stored.get(missing, 7) == 7
    with pytest.raises(KeyError, match="nothing"):
        stored["nothing"]


def test_what_is_changed_in_place_is_kept() -> None:
    with starting.init(project="inside", config={"model": {"depth": 1, "sizes": [1]}}) as run:
        run.summary["hand"] = {"deep": {"x": 5}}
    stored = weft.Api().run(run.path)
    stored.summary["hand"]["deep"]["x"] = 6
    stored.config["model"]["sizes"].append(2)
    stored.update()
    found = weft.Api().run(run.path)
    assert found.summary == {"hand": {"deep": {"x": 6}}}
    assert found.config == {"model": {"depth": 1, "sizes": [1, 2]}}


def test_what_is_set_inside_a_stored_summary_is_kept() -> None:
    with starting.init(project="nested") as run:
        run.log({"a": {"b": {"c": 1}, "d": 2}, "gone": {"x": 1, "y": 2}})
    stored = weft.Api().run(run.path)
    stored.summary["a"]["b"]["c"] = 9
    stored.summary["a"].update(d=8, e=7)
    del stored.summary["gone"]
    stored.update()
    assert dict(weft.Api().run(run.path).summary) == {"a.b.c": 9, "a.d": 8, "a.e": 7}
    del stored.summary["a"]["d"]
    stored.summary.update()
    assert dict(weft.Api().run(run.path).summary) == {"a.b.c": 9, "a.e": 7}
