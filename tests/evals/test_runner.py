"""Running an evaluation: order, bounds, failures as values, and everything readable from the store afterwards."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.evals.evaluation import Evaluation, evaluate
from weft.evals.results import EvaluationResult
from weft.evals.scorer import Score, Scorer
from weft.evals.scorers import cost, exact_match, latency
from weft.evals.stored import cases_of
from weft.testing import ChatReply, ChatRequest, LoopbackProvider
from weft.tracer.instrument import instrument, uninstrument
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord

pytestmark = pytest.mark.usefixtures("home")
pytest.importorskip("pyarrow")

ROWS = [{"id": f"r{i}", "question": f"q{i}", "expected": f"a{i}"} for i in range(6)]


def answer(question: str) -> str:
    return "a" + question[1:]


async def answer_async(question: str) -> str:
    await asyncio.sleep(0)
    return "a" + question[1:]


def right(output: str, expected: str) -> bool:
    return output == expected


async def right_async(output: str, expected: str) -> bool:
    await asyncio.sleep(0)
    return output == expected


def stored_run(result: EvaluationResult) -> RunRecord:
    with open_store() as store:
        (found,) = store.reader().runs({"id": result.run.id}).rows
    return found


class TestCalling:
    @pytest.mark.parametrize("model", [answer, answer_async, weft.op(answer), weft.op(answer_async)])
    @pytest.mark.parametrize("scorer", [right, right_async, exact_match()])
    def test_sync_and_async_models_and_scorers_mix(self, model: Any, scorer: Any) -> None:
        """Every pair gives the same."""
        result = evaluate(model, ROWS, [scorer])
        (summary,) = result.summary.values()
        assert (summary.mean, summary.n, summary.n_errors) == (1.0, 6, 0)
        assert [row.output for row in result.rows] == [f"a{i}" for i in range(6)]
        assert result.complete

    def test_class_models_and_scorers(self) -> None:
        """With settings, sync and async."""

        class Prefixed(weft.Model):
            prefix: str

            async def predict(self, question: str) -> str:
                return self.prefix + question[1:]

        class Starts(Scorer):
            with_: str

            def score(self, output: str) -> bool:
                return output.startswith(self.with_)

        result = evaluate(Prefixed(prefix="a"), ROWS, [Starts(with_="a"), right])
        assert result.summary["Starts"].mean == result.summary["right"].mean == 1.0
        assert result.run.config["model"]["params"] == {"prefix": "a"}
        assert result.run.config["scorers"][0]["params"] == {"with_": "a"}

    async def test_evaluate_is_awaited_and_run_says_so_in_a_loop(self) -> None:
        """No event loop inside an event loop."""
        evaluation = Evaluation(ROWS, [right])
        result = await evaluation.evaluate(answer)
        assert len(result.rows) == 6
        with pytest.raises(UsageError, match=r"await evaluation\.evaluate\(model\)"):
            evaluation.run(answer)

    def test_results_stand_in_the_datasets_order_whatever_ends_first(self) -> None:
        """The first rows take longest here."""
        ended: list[str] = []
        gates = {f"q{i}": asyncio.Event() for i in range(6)}

        async def backwards(question: str) -> str:
            place = int(question[1:])
            if place < 5:
                await gates[f"q{place + 1}"].wait()
            gates[question].set()
            return "a" + question[1:]

        result = Evaluation(ROWS, [right], trials=1).run(backwards, on_case=lambda case: ended.append(case.row_id))
        assert [row.row_id for row in result.rows] == [f"r{i}" for i in range(6)]
        assert ended == [f"r{i}" for i in reversed(range(6))]

    @pytest.mark.parametrize("is_async", [True, False])
    def test_no_more_run_at_once_than_asked_for_and_no_fewer(self, is_async: bool) -> None:
        """Two lanes: never three, and two at some time."""
        running = highest = 0
        lock = threading.Lock()
        pair = threading.Barrier(2)

        def change(by: int) -> None:
            nonlocal running, highest
            with lock:
                running += by
                highest = max(highest, running)

        async def model_async(question: str) -> str:
            change(+1)
            for _ in range(5):
                await asyncio.sleep(0)
            change(-1)
            return question

        def model(question: str) -> str:
            change(+1)
            pair.wait(20)  # with one lane alone this would never open
            change(-1)
            return question

        Evaluation(ROWS, [right], concurrency=2).run(model_async if is_async else model)
        assert highest == 2

    def test_trials_run_each_row_again_and_cluster_the_error(self) -> None:
        """Rows times trials; the standard error is the rows', not the cases'."""
        calls: list[str] = []

        def model(question: str) -> str:
            calls.append(question)
            return "a0"

        result = Evaluation(ROWS, [right], trials=4).run(model)
        assert sorted(calls) == sorted(row["question"] for row in ROWS for _ in range(4))
        assert [(row.row_id, row.trial) for row in result.rows[:5]] == [
            ("r0", 0),
            ("r0", 1),
            ("r0", 2),
            ("r0", 3),
            ("r1", 0),
        ]
        once = Evaluation(ROWS, [right]).run(model).summary["right"]
        often = result.summary["right"]
        assert often.n == 24
        assert often.stderr == pytest.approx(once.stderr)

    def test_limit_takes_the_first_rows(self) -> None:
        """And says so in the config."""
        result = Evaluation(ROWS, [right], limit=2).run(answer)
        assert [row.row_id for row in result.rows] == ["r0", "r1"]
        assert result.run.config["limit"] == 2
        assert result.run.config["dataset"]["rows"] == 6

    def test_generators_are_read_to_their_end(self) -> None:
        """The output of a streaming model is the list of what came."""

        def stream(question: str) -> Iterator[str]:
            yield from question

        async def stream_async(question: str) -> Any:
            for char in question:
                yield char

        for model in (stream, stream_async, weft.op(stream), weft.op(stream_async)):
            result = evaluate(model, ROWS[:2], [lambda output: output == ["q", output[1]]])
            assert [row.output for row in result.rows] == [["q", "0"], ["q", "1"]], model

    def test_a_models_variables_do_not_reach_the_next_case(self) -> None:
        """Every case has a context of its own."""
        seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="fresh")

        async def model(question: str) -> str:
            before = seen.get()
            seen.set(question)
            return before

        result = Evaluation(ROWS, [right], concurrency=1).run(model)
        assert {row.output for row in result.rows} == {"fresh"}

    def test_what_a_model_or_scorer_does_to_its_arguments_stays_its_own(self) -> None:
        """Rows, results and the next trial see the row as it was."""
        rows = [{"id": "r", "items": [1, {"deep": [2]}], "expected": [1]}]

        def model(items: list[Any]) -> list[Any]:
            items[1]["deep"].append("spoilt")
            items.append("spoilt")
            return [1]

        def spoils(output: list[Any], expected: list[Any], row: dict[str, Any]) -> bool:
            output.append(2)
            expected.clear()
            row["items"].clear()
            return True

        def looks(output: list[Any], expected: list[Any], inputs: dict[str, Any], row: dict[str, Any]) -> bool:
            return output == expected == [1] and inputs["items"] == row["items"] == [1, {"deep": [2]}]

        result = Evaluation(rows, [spoils, looks], trials=2, concurrency=1).run(model)
        assert result.summary["looks"].mean == 1.0
        assert result.rows[1].inputs == {"items": [1, {"deep": [2]}]}

    def test_what_is_scored_is_the_stored_form(self) -> None:
        """A tuple is a list, a secret is redacted: a rescore from the store sees the same."""
        got: list[Any] = []

        def model(question: str) -> Any:
            return {"pair": (1, 2), "api_key": "sk-abcdefghijklmnop1234"}

        result = evaluate(model, ROWS[:1], [lambda output: got.append(output)])
        assert got == [{"pair": [1, 2], "api_key": "[redacted:api_key]"}]
        assert result.rows[0].output == got[0]
        (summary,) = result.summary.values()
        assert (summary.n, summary.n_unscored) == (0, 1)


class TestFailures:
    def test_a_model_that_raises_on_every_row_fails_every_case_and_not_the_run(self) -> None:
        """Values with the exception's name and the trace; the scorers show them as errors, not as zeros."""

        def broken(question: str) -> str:
            raise ValueError(f"no {question}")

        result = evaluate(broken, ROWS, [right])
        assert result.errors == 6
        assert not result.complete
        assert [str(row.error) for row in result.rows[:2]] == ["ValueError: no q0", "ValueError: no q1"]
        assert all(row.trace_id and row.latency_s is not None and not row.scores for row in result.rows)
        summary = result.summary["right"]
        assert (summary.mean, summary.n, summary.n_errors) == (None, 0, 6)
        assert result.run.state == "finished"
        with open_store() as store:
            page = store.reader().traces({"run_id": result.run.id})
            assert {trace.status for trace in page.rows} == {"error"}
            assert page.rows[0].output_preview.startswith("ValueError: no q")

    def test_failed_cases_are_missing_and_shown_never_dropped(self) -> None:
        """The mean is of what was scored, the count of failures stands beside it, and so does the worst case."""

        def half(question: str) -> str:
            if question in ("q0", "q1", "q2"):
                raise RuntimeError("down")
            return answer(question)

        summary = evaluate(half, ROWS, [right]).summary["right"]
        assert (summary.mean, summary.n, summary.n_errors, summary.floor) == (1.0, 3, 3, 0.5)

    def test_a_scorer_that_raises_or_returns_rubbish_spoils_only_its_own_score(self) -> None:
        """Named by row and scorer, counted; the output and the other scores stay."""

        def raising(output: str) -> bool:
            if output == "a0":
                raise KeyError("oh")
            return True

        def rubbish(output: str) -> Any:
            return {"a0": object(), "a1": float("nan"), "a2": [1]}.get(output, 1)

        result = evaluate(answer, ROWS, [right, raising, rubbish])
        assert result.rows[0].scores["raising"] == Score(error="KeyError: 'oh'")
        assert "returned an object" in str(result.rows[0].scores["rubbish"].error)
        assert "returned nan" in str(result.rows[1].scores["rubbish"].error)
        assert [result.summary[name].n_errors for name in ("right", "raising", "rubbish")] == [0, 1, 3]
        assert result.summary["right"].mean == 1.0
        assert (result.errors, result.scorer_errors, result.complete) == (0, 4, False)

    def test_dict_scores_have_a_summary_a_key(self) -> None:
        """A failure of the scorer counts for each of its keys."""

        def both(output: str, row: dict[str, Any]) -> dict[str, Any]:
            if row["id"] == "r5":
                raise ValueError("no")
            return {"ok": row["id"] != "r0", "length": len(output), "label": None if row["id"] == "r1" else "x"}

        summary = evaluate(answer, ROWS, [both]).summary
        assert list(summary) == ["both.ok", "both.length", "both.label"]
        assert (summary["both.ok"].mean, summary["both.ok"].n, summary["both.ok"].n_errors) == (0.8, 5, 1)
        assert summary["both.length"].mean == 2.0
        assert (summary["both.label"].labels, summary["both.label"].n_unscored) == ({"x": 4}, 1)

    @pytest.mark.parametrize("is_async", [True, False])
    def test_a_case_over_its_time_is_an_error_and_the_others_go_on(self, is_async: bool) -> None:
        """Also where the call cannot be stopped: its thread is left behind."""
        release = threading.Event()

        async def slow_async(question: str) -> str:
            await asyncio.Event().wait() if question == "q1" else None
            return answer(question)

        def slow(question: str) -> str:
            if question == "q1":
                release.wait(60)
            return answer(question)

        result = Evaluation(ROWS, [right], timeout_s=0.2).run(slow_async if is_async else slow)
        release.set()
        assert result.errors == 1
        assert str(result.rows[1].error).startswith("TimedOut: no answer within 0.2 s")
        assert result.summary["right"].n == 5

    def test_a_timeout_of_the_models_own_is_the_models_own(self) -> None:
        """Only ours is called TimedOut."""

        async def model(question: str) -> str:
            raise TimeoutError("upstream")

        result = Evaluation(ROWS[:1], [right], timeout_s=30).run(model)
        assert str(result.rows[0].error) == "TimeoutError: upstream"

    @pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError("mine"), StopIteration("x")])
    @pytest.mark.parametrize("is_async", [True, False])
    def test_strange_exceptions_of_a_model_are_values_too(self, error: BaseException, is_async: bool) -> None:
        """sys.exit() in a model ends its case, not the evaluation."""

        async def model_async(question: str) -> str:
            raise error

        def model(question: str) -> str:
            raise error

        result = evaluate(model_async if is_async else model, ROWS[:3], [right])
        assert result.errors == 3

    def test_an_exception_whose_message_cannot_be_made_is_a_value(self) -> None:
        """Nothing about a model's error can stop the run."""

        class NastyError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        def model(question: str) -> str:
            raise NastyError

        result = evaluate(model, ROWS[:1], [right])
        assert result.rows[0].error is not None
        assert result.rows[0].error.message == "its message raises RuntimeError"

    def test_ctrl_c_keeps_the_finished_rows_and_ends_the_run_as_killed(self, caplog: pytest.LogCaptureFixture) -> None:
        """It says how many, and the program's KeyboardInterrupt goes on."""

        async def model(question: str) -> str:
            if question == "q3":
                raise KeyboardInterrupt
            return answer(question)

        runner = Evaluation(ROWS, [right], concurrency=1).runner(model)
        with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
            asyncio.run(runner.run())
        result = runner.result
        assert result is not None
        assert [row.row_id for row in result.rows] == ["r0", "r1", "r2"]
        assert "3 of 6 cases are kept in run" in caplog.text
        run = stored_run(result)
        assert run.state == "killed"
        assert (run.summary["rows"], run.summary["planned"]) == (3, 6)
        with open_store() as store:
            cases = cases_of(store.reader(), run, runtime.active().home)
        assert [case.row_id for case in cases] == ["r0", "r1", "r2"]

    async def test_a_cancelled_evaluation_keeps_what_it_has(self) -> None:
        """As Ctrl-C, for whoever cancels the task."""
        reached = asyncio.Event()

        async def model(question: str) -> str:
            if question == "q2":
                reached.set()
                await asyncio.Event().wait()
            return answer(question)

        runner = Evaluation(ROWS, [right], concurrency=1).runner(model)
        task = asyncio.create_task(runner.run())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runner.result is not None
        assert len(runner.result.rows) == 2
        assert runner.result.run.state == "killed"

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"trials": 0}, "trials is 0"),
            ({"concurrency": True}, "concurrency is True"),
            ({"timeout_s": 0}, "timeout_s is 0"),
            ({"limit": -1}, "limit is -1"),
            ({"scorers": []}, "has no scorers"),
            ({"scorers": [right, right]}, "two scorers are called 'right'"),
            ({"scorers": [lambda gold: True]}, "no column 'gold'"),
            ({"model": None}, "has no model"),
            ({"model": lambda prompt: prompt}, "no column 'prompt'"),
        ],
    )
    def test_mistakes_are_told_before_anything_runs(self, options: dict[str, Any], words: str) -> None:
        """No run is left behind."""
        given = {"scorers": [right], "model": answer, **options}
        model, scorers = given.pop("model"), given.pop("scorers")
        with pytest.raises(UsageError, match=words):
            Evaluation(ROWS, scorers, **given).run(model)
        with open_store() as store:
            assert store.reader().runs().total == 0


class TestRecorded:
    def test_an_evaluation_is_a_run_of_its_own(self) -> None:
        """Never the process's run, which becomes its parent."""
        outer = starting.init(project="mine", name="training")
        result = evaluate(answer, ROWS, [right], name="sums", metadata={"release": 7})
        assert runtime.active().run is outer
        outer.finish()
        run = stored_run(result)
        assert (run.job_type, run.state, run.project, run.name) == ("evaluation", "finished", "mine", "sums")
        assert run.parent_id == outer.id
        assert run.config["evaluation"] == "sums"
        assert run.config["dataset"]["rows"] == 6
        assert run.config["scorers"][0]["name"] == "right"
        assert run.config["model"]["name"] == "answer"
        assert (run.config["trials"], run.config["cases"], run.config["metadata"]) == (1, 6, {"release": 7})
        assert run.summary["right"] == result.summary["right"].to_dict()
        assert run.summary["latency_s"]["n"] == 6
        assert (run.summary["rows"], run.summary["errors"]) == (6, 0)
        assert run.trace_count == 6

    def test_every_case_is_a_trace_with_the_model_and_the_scorers_inside(self) -> None:
        """Root: the evaluation; children: the model's call and each scorer, told apart by kind."""

        @weft.op
        def retrieve(question: str) -> str:
            return question

        @weft.op
        def model(question: str) -> str:
            return answer(retrieve(question))

        result = Evaluation(ROWS, [right, right_async, exact_match()], trials=2, name="sums").run(model)
        with open_store() as store:
            reader = store.reader()
            assert reader.traces({"run_id": result.run.id}).total == 12
            row = result.rows[3]
            spans = reader.spans({"trace_id": row.trace_id}, payloads=True).rows
        (root,) = [found for found in spans if found.parent_id is None]
        children = [found for found in spans if found.parent_id == root.span_id]
        assert (root.name, root.kind, root.status, root.run_id) == ("sums", "chain", "ok", result.run.id)
        assert root.inputs == {"question": "q1"}
        assert root.output == "a1"
        assert (root.attributes["weft.eval.row_id"], root.attributes["weft.eval.trial"]) == ("r1", 1)
        assert root.attributes["weft.eval.expected"] == "a1"
        assert sorted((child.name.rpartition(".")[2], child.kind) for child in children) == [
            ("exact_match", "scorer"),
            ("model", "op"),
            ("right", "scorer"),
            ("right_async", "scorer"),
        ]
        (inner,) = [found for found in spans if found.parent_id not in (None, root.span_id)]
        assert inner.name.endswith("retrieve")
        assert len(spans) == 6

    def test_a_plain_function_gets_a_span_too(self) -> None:
        """So that the model's time can be told from the scorers'."""
        result = evaluate(answer, ROWS[:1], [right])
        with open_store() as store:
            spans = store.reader().spans({"trace_id": result.rows[0].trace_id}, payloads=True).rows
        assert sorted(found.name for found in spans) == ["answer", "dataset-evaluation", "right"]

    def test_cases_are_linked_to_what_was_open(self) -> None:
        """New root traces, with a link to the span around the evaluation."""
        with span("nightly") as outer:
            result = evaluate(answer, ROWS[:2], [right])
        with open_store() as store:
            spans = store.reader().spans({"run_id": result.run.id, "parent_id": None}, payloads=True).rows
        assert len(spans) == 2
        for found in spans:
            assert found.trace_id != outer.trace_id
            assert [(link["trace_id"], link["span_id"]) for link in found.links] == [(outer.trace_id, outer.span_id)]

    async def test_two_evaluations_at_once_do_not_mix(self) -> None:
        """Each has its own run, and every trace is in one of them; what was open stays open."""
        with span("around") as outer:
            first, second = await asyncio.gather(
                Evaluation(ROWS, [right], name="one").evaluate(answer_async),
                Evaluation(ROWS, [right], name="two").evaluate(answer),
            )
            with span("after") as inner:
                assert inner.trace_id == outer.trace_id
        with open_store() as store:
            for result in (first, second):
                page = store.reader().traces({"run_id": result.run.id})
                assert {trace.name for trace in page.rows} == {result.name}
                assert page.total == 6

    def test_scores_are_on_their_traces_with_their_makers(self) -> None:
        """Value, label, reason, error, row, and who made it."""

        def judged(output: str) -> Score:
            return Score(0.5, label="so-so", reason="because")

        def failing(output: str) -> bool:
            raise ValueError("no")

        result = evaluate(answer, ROWS[:2], [judged, failing, exact_match()])
        with open_store() as store:
            reader = store.reader()
            scores = {score.name: score for score in reader.scores({"trace_id": result.rows[1].trace_id}).rows}
            (trace,) = reader.traces({"trace_id": result.rows[1].trace_id}).rows
        assert set(scores) == {"judged", "failing", "exact_match"}
        found = scores["judged"]
        assert (found.target, found.value, found.label, found.reason) == ("trace", 0.5, "so-so", "because")
        assert (found.row_id, found.run_id) == ("r1", result.run.id)
        assert (scores["failing"].value, scores["failing"].error) == (None, "ValueError: no")
        source = scores["exact_match"].source
        assert source is not None
        assert source["scorer"] == "exact_match"
        assert source["params"]["column"] == "expected"
        assert source["version"]
        assert trace.scores["judged"] == 0.5

    def test_the_result_table_holds_every_case(self) -> None:
        """As an artifact of the run; it reads back as the rows that were returned."""

        def half(question: str) -> Any:
            if question == "q2":
                raise ValueError("no")
            return {"text": answer(question)}

        def judged(output: Any, expected: str) -> Score:
            return Score(output["text"] == expected, reason="looked")

        result = Evaluation(ROWS, [judged, latency()], name="my sums!").run(half)
        with open_store() as store:
            reader = store.reader()
            (artifact,) = reader.artifacts({"type": "evaluation-results"}).rows
            (dataset,) = reader.artifacts({"type": "dataset"}).rows
            cases = cases_of(reader, stored_run(result), runtime.active().home)
        assert (artifact.name, artifact.producer_run) == ("my-sums-results", result.run.id)
        assert list(artifact.manifest) == ["results.parquet"]
        assert dataset.consumer_runs == (result.run.id,) or list(dataset.consumer_runs) == [result.run.id]
        assert dataset.digest == result.run.config["dataset"]["digest"]
        assert [case.row_id for case in cases] == [row.row_id for row in result.rows]
        for case, row in zip(cases, result.rows, strict=True):
            assert (case.inputs, case.expected, case.output) == (row.inputs, row.expected, row.output)
            assert (case.trace_id, case.latency_s) == (row.trace_id, row.latency_s)
            assert case.error == (None if row.error is None else str(row.error))
        assert cases[2].error == "ValueError: no"
        assert (cases[0].scores["judged"].value, cases[0].scores["judged"].reason) == (1.0, "looked")
        assert cases[2].scores["judged"] == Score()

    def test_the_same_rows_are_the_same_dataset_version(self) -> None:
        """Two evaluations use one version; a changed row makes a second."""
        first = evaluate(answer, ROWS, [right])
        second = evaluate(answer_async, list(ROWS), [right])
        changed = [*ROWS[:-1], ROWS[-1] | {"expected": "other"}]
        third = evaluate(answer, changed, [right])
        with open_store() as store:
            versions = store.reader().artifacts({"type": "dataset"}, order="version").rows
        assert [version.version for version in versions] == [0, 1]
        assert set(versions[0].consumer_runs) == {first.run.id, second.run.id}
        assert list(versions[1].consumer_runs) == [third.run.id]

    def test_cases_of_a_run_without_a_table_come_from_its_traces(self) -> None:
        """What a hard kill leaves: every case that had ended, with its scores."""
        result = evaluate(answer, ROWS, [right])
        run = stored_run(result)
        for blob in runtime.active().home.blobs.rglob("*"):
            if blob.is_file():
                blob.unlink()
        with open_store() as store:
            cases = {case.row_id: case for case in cases_of(store.reader(), run, runtime.active().home)}
        assert set(cases) == {row.row_id for row in result.rows}
        assert cases["r1"].output == "a1"
        assert cases["r1"].expected == "a1"
        assert cases["r1"].scores["right"].value == 1.0
        assert cases["r1"].latency_s == result.rows[1].latency_s

    def test_nothing_is_recorded_where_recording_is_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Mode disabled: the numbers are returned, the home stays empty."""
        monkeypatch.setenv("WEFT_MODE", "disabled")
        runtime.reset()
        result = evaluate(answer, ROWS, [right])
        assert result.summary["right"].mean == 1.0
        assert [row.trace_id for row in result.rows] == [None] * 6
        assert not list(Path(runtime.active().home.path).glob("**/*.wj"))

    def test_a_home_that_cannot_be_written_costs_the_record_not_the_result(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Counted by what it cost, said once, since it has one cause; the evaluation itself goes on."""
        file = tmp_path / "file"
        file.write_text("in the way")
        runtime.configure(Settings.resolve(home=file, strict=False))
        result = evaluate(answer, ROWS, [right])
        assert result.summary["right"].mean == 1.0
        assert len(result.rows) == 6
        assert runtime.active().faults.counts["write the journal"] > 10
        assert ["WEFT_HOME" in record.message for record in caplog.records if record.name == "weft.recording"] == [True]


class TestUsage:
    def test_the_models_tokens_and_cost_stay_apart_from_the_scorers(self) -> None:
        """Each case knows what its model used; a judge's tokens are not the model's."""

        def spend(tokens: int) -> None:
            with span("chat", kind="llm") as call:
                call.set_usage({"input_tokens": tokens, "output_tokens": 10}, model="gpt-4o-mini", provider="openai")

        async def model(question: str) -> str:
            spend(1000)
            await asyncio.to_thread(spend, 1000)
            return answer(question)

        got: list[Any] = []

        def judge(output: str, usage: Any, cost_usd: Any) -> bool:
            spend(50_000)
            got.append((usage, cost_usd))
            return True

        result = evaluate(model, ROWS[:3], [judge, cost()])
        each = Decimal("0.000312")  # 2,000 at $0.15 and 20 at $0.60 a million
        assert got == [({"input_tokens": 2000, "output_tokens": 20}, each)] * 3
        assert [row.cost for row in result.rows] == [each] * 3
        assert result.cost == 3 * each
        assert result.tokens == {"input_tokens": 6000, "output_tokens": 60}
        assert result.summary["cost"].mean == pytest.approx(0.000312)
        run = stored_run(result)
        assert run.summary["cost_usd"] == pytest.approx(0.000936)
        assert run.summary["tokens"] == {"input_tokens": 6000, "output_tokens": 60}

    def test_an_unknown_price_is_not_zero(self) -> None:
        """Tokens are kept, the cost is not known."""

        def model(question: str) -> str:
            with span("chat", kind="llm") as call:
                call.set_usage({"input_tokens": 10}, model="nobody-knows-me", provider="nobody")
            return answer(question)

        result = evaluate(model, ROWS[:1], [cost()])
        assert (result.cost, result.tokens) == (None, {"input_tokens": 10})
        assert result.summary["cost"].n_unscored == 1

    def test_latency_is_the_models_call_alone(self) -> None:
        """A slow scorer does not make the model slow."""
        release = threading.Event()

        def slow(output: str) -> bool:
            return not release.wait(0.2)

        result = evaluate(answer, ROWS[:1], [slow, latency()])
        assert result.rows[0].latency_s is not None
        assert result.rows[0].latency_s < 0.15
        assert result.rows[0].scores["latency"].value == result.rows[0].latency_s

    async def test_an_openai_model_brings_its_tokens_and_its_price(self) -> None:
        """Through the ordinary client, over HTTP, with the integration installed."""
        openai = pytest.importorskip("openai")

        def reply(request: ChatRequest) -> ChatReply:
            return ChatReply(content=answer(request.last_user_text))

        instrument()
        try:
            with LoopbackProvider(reply) as provider:
                async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="not-a-key") as client:

                    async def model(question: str) -> Any:
                        got = await client.chat.completions.create(
                            model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
                        )
                        return got.choices[0].message.content

                    result = await Evaluation(ROWS, [right, cost()]).evaluate(model)
        finally:
            uninstrument()
        assert result.summary["right"].mean == 1.0
        assert result.tokens["input_tokens"] > 0
        assert result.cost is not None
        assert result.cost > 0
        with open_store() as store:
            (trace,) = store.reader().traces({"trace_id": result.rows[0].trace_id}).rows
        assert trace.cost == result.rows[0].cost


def test_a_result_reads_well_when_printed() -> None:
    """Each scorer with its interval, and what failed."""

    def tone(output: str) -> str:
        return "calm"

    printed = str(Evaluation(ROWS, [right, tone], name="sums").run(answer))
    assert printed.startswith("sums: 6 of 6 cases, 0 failed\n")
    assert "  right  100.0% ± 19.5  (n 6, errors 0, unscored 0)" in printed
    assert "  tone   calm 6  (n 6, errors 0, unscored 0)" in printed


def test_an_op_as_a_method_of_a_model_is_the_models_span() -> None:
    """No second span around it."""

    class Answerer(weft.Model):
        @weft.op
        def predict(self, question: str) -> str:
            return answer(question)

    result = evaluate(Answerer(), ROWS[:1], [right])
    with open_store() as store:
        spans = store.reader().spans({"trace_id": result.rows[0].trace_id}).rows
    assert len(spans) == 3
    assert sum(found.name.endswith("Answerer.predict") for found in spans) == 1
