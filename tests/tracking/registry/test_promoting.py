"""The gate: a promotion needs a finished evaluation of exactly this version that shows what is required."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import weft
from weft.tracking import exits, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import GateError, NotFoundError, StoreError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactUsed, RegistryChanged, RunStarted
from weft.tracking.registry.requirements import check, parse
from weft.tracking.runs.starting import start_run
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader

GOOD = {"mean": 0.93, "ci": [0.9, 0.95], "n": 400, "n_errors": 0, "n_unscored": 0, "binary": True}
ASKED = {"eval": "digits", "accuracy": ">=0.9"}
Judge = Callable[..., str]


@pytest.fixture
def judge(home: Path) -> Judge:
    """Records an evaluation of a version of p/cnn (v0, v1, v2), by hand; its id."""
    with start_run(project="p", id="train") as run:
        for content in (b"0", b"1", b"2"):
            made = Artifact("cnn", type="model")
            made.add_bytes(content, "w")
            run.log_artifact(made)

    def record(
        version: str, *, name: str = "digits", state: str = "finished", used_as: str | None = None, **summary: Any
    ) -> str:
        run = start_run(project="evals", name=name, job_type="evaluation", config={"dataset": {"name": "rows"}})
        run.use_artifact(f"p/cnn:{version}", use_as=used_as)
        run.summary.update({"accuracy": GOOD, "rows": 400, "planned": 400, "errors": 0, "scorer_errors": 0} | summary)
        run.end(exits.Ending(state, 0 if state == "finished" else 1, None))
        return f"evals/{run.id}"

    return record


def refused(version: str, require: object, **more: Any) -> str:
    with pytest.raises(GateError) as error:
        weft.promote(version, "classifier", require=require, **more)
    assert error.value.evidence
    return str(error.value)


def test_what_is_shown_promotes_and_the_history_has_what_was_required_and_found(judge: Judge) -> None:
    run = judge("v0")
    done = weft.promote("p/cnn:v0", "classifier", require=ASKED | {"accuracy.n": ">=300"}, note="better", by="ana")

    assert (done.version, done.alias, done.previous, done.moved) == ("v0", "production", None, True)
    assert [finding.passed for finding in done.evidence[0].findings] == [True, True]
    assert done.evidence[0].run == run
    with weft.Api() as api:
        event = api.collection("classifier").history()[0]
    assert (event.action, event.author, event.number, event.details["note"]) == ("promoted", "ana", 0, "better")
    assert event.details["require"] == [ASKED | {"accuracy.n": ">=300"}]
    assert event.details["evidence"][0]["run"] == run
    assert event.details["evidence"][0]["findings"][0]["found"] == "0.93 [0.9, 0.95] (n 400)"


def test_a_note_that_is_too_long_says_so(judge: Judge) -> None:
    weft.promote("p/cnn:v0", "classifier", note="x" * 5_000)
    with weft.Api() as api:
        assert api.collection("classifier").history()[0].details["note"] == "x" * 2_000 + "… (5,000 characters)"


def test_what_is_not_shown_is_refused_and_nothing_moves(judge: Judge) -> None:
    judge("v0")
    weft.promote("p/cnn:v0", "classifier", require=ASKED)
    judge("v1", accuracy=GOOD | {"mean": 0.89999})
    said = refused("p/cnn:v1", ASKED)
    assert "p/cnn:v1 is not promoted to production in model/classifier" in said
    assert "required accuracy >=0.9, found 0.9 [0.9, 0.95] (n 400), exactly 0.89999" in said
    with weft.Api() as api:
        collection = api.collection("classifier")
        assert collection.aliases == {"latest": "v0", "production": "v0"}
        assert collection.history()[0].action == "refused"
        assert (collection.history()[0].version, collection.history()[0].number) == (1, None)


def test_a_refusal_before_there_is_a_collection_makes_none(judge: Judge) -> None:
    refused("p/cnn:v0", ASKED)
    with weft.Api() as api:
        assert len(api.collections()) == 0
        with pytest.raises(NotFoundError):
            api.collection("classifier")
    with open_store() as store:  # what was tried is known all the same
        events = store.reader().registry_events("model/classifier")
    assert [(event.action, event.aliases, event.version) for event in events] == [("refused", ["production"], 0)]
    weft.link_artifact("p/cnn:v0", "classifier")
    with weft.Api() as api:
        assert [event.action for event in api.collection("classifier").history()] == ["linked", "created", "refused"]


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        ({"accuracy": GOOD | {"mean": math.nan}}, "found NaN"),
        ({"accuracy": GOOD | {"mean": None}}, "no number of that name"),
        ({"accuracy": None}, "no number of that name; there is errors, planned, rows, scorer_errors"),
        ({"accuracy": "0.95"}, "no number of that name"),
        ({"accuracy": True}, "no number of that name"),
        ({"errors": 3}, "required errors ==0, found 3"),
        ({"scorer_errors": 1}, "required scorer_errors ==0, found 1"),
        ({"rows": 399}, "required all cases ran, found 399 of 400"),
    ],
)
def test_an_evaluation_that_does_not_show_it_refuses(judge: Judge, summary: dict[str, Any], says: str) -> None:
    judge("v0", **summary)
    assert says in refused("p/cnn:v0", ASKED)


def test_errors_may_be_allowed_in_so_many_words(judge: Judge) -> None:
    judge("v0", errors=3)
    assert weft.promote("p/cnn:v0", "classifier", require=ASKED | {"errors": "<=3"}).moved
    assert "required errors <=2, found 3" in refused("p/cnn:v0", ASKED | {"errors": "<=2"}, to="gold")


def test_only_evaluations_of_this_very_version_by_that_name_count(judge: Judge) -> None:
    judge("v1")
    judge("v0", name="other")
    judge("v0", used_as="judge")
    said = refused("p/cnn:v0", ASKED)
    assert "none used exactly this version; it was used by evaluations called other" in said
    with start_run(project="evals", name="digits", job_type="train") as run:  # no evaluation
        run.use_artifact("p/cnn:v0")
        run.summary["accuracy"] = 0.99
    refused("p/cnn:v0", ASKED)
    judge("v0", used_as="model")
    assert weft.promote("p/cnn:v0", "classifier", require=ASKED).moved


def test_the_newest_that_finished_counts_and_the_others_are_said(judge: Judge) -> None:
    judge("v0")
    worse = judge("v0", accuracy=GOOD | {"mean": 0.5})
    assert "found 0.5" in refused("p/cnn:v0", ASKED)
    judge("v0", state="failed")
    killed = judge("v0", state="killed")
    with pytest.raises(GateError) as error:
        weft.promote("p/cnn:v0", "classifier", require=ASKED)
    evidence = error.value.evidence[0]
    assert evidence.run == worse
    assert f"newer, and no evidence: {killed} killed" in evidence.notes
    assert "the newest of 2 that finished" in evidence.notes


def test_a_part_of_the_rows_shows_nothing_unless_rows_are_spoken_of(judge: Judge) -> None:
    @weft.scorer
    def right(output: str, expected: str) -> bool:
        return output == expected

    rows = [{"question": str(at), "expected": str(at)} for at in range(20)]
    whole = weft.Evaluation(rows, [right], name="real", project="evals")
    asked = {"eval": "real", "right": ">=0.9"}
    first = whole.with_options(limit=3)
    smoke = first.run(lambda question: question, uses="p/cnn:v0")
    said = refused("p/cnn:v0", asked)
    assert f"none that counts: evals/{smoke.run.id} finished on dataset (" in said
    assert "), the first 3 of 20 rows" in said
    assert weft.promote("p/cnn:v0", "classifier", "smoked", asked | {"rows": ">=3"}).moved
    full = whole.with_options(limit=1000).run(lambda question: question, uses="p/cnn:v0")
    first.run(lambda question: "wrong", uses="p/cnn:v0")
    (evidence,) = weft.promote("p/cnn:v0", "classifier", require=asked).evidence
    assert evidence.run == f"evals/{full.run.id}"
    assert "the first 3 of 20 rows" in evidence.notes[0]
    assert "first 1000" not in str(evidence.notes)


def test_an_evaluation_on_other_data_shows_nothing_where_the_data_is_named(judge: Judge) -> None:
    @weft.scorer
    def right(output: str, expected: str) -> bool:
        return output == expected

    def evaluate(name: str, answer: str) -> str:
        rows = weft.Dataset([{"question": at, "expected": at} for at in "abc"], name=name)
        run = weft.Evaluation(rows, [right], name="real", project="evals").run(lambda question: answer, uses="p/cnn:v0")
        return run.run.id

    asked = {"eval": "real", "dataset": "hard", "right": ">=0.3"}
    easy = evaluate("easy", "a")
    said = refused("p/cnn:v0", asked)
    assert "required a finished evaluation on hard" in said
    assert f"none that counts: evals/{easy} finished on easy (" in said
    hard = evaluate("hard", "b")
    evaluate("easy", "none of them")
    (evidence,) = weft.promote("p/cnn:v0", "classifier", require=asked).evidence
    assert evidence.run == f"evals/{hard}"
    assert evidence.findings[0].required == "dataset hard"
    digest = evidence.findings[0].found.rpartition("(")[2].rstrip(")")
    assert weft.promote("p/cnn:v0", "classifier", "gold", asked | {"dataset": ["hard", digest]}).moved
    refused("p/cnn:v0", asked | {"dataset": digest[:7]})
    refused("p/cnn:v0", asked | {"dataset": ["hard", "easy"]})
    with weft.Api() as api:
        api.collection("classifier").protect("gold", require=asked)
        assert api.collection("classifier").required == {"gold": [asked]}


def test_what_an_alias_requires_is_asked_of_every_promotion_to_it(judge: Judge, home: Path) -> None:
    judge("v0")
    judge("v1", accuracy=GOOD | {"mean": 0.5})
    judge("v1", name="safety", token={"mean": 1.0})
    weft.link_artifact("p/cnn:v0", "classifier", ["production"])
    with weft.Api() as api:
        collection = api.collection("classifier")
        always = [ASKED | {"accuracy": ">0.8, <0.99"}, {"eval": "safety", "token": "==1"}]
        collection.protect("production", require=always, by="ana")
        collection.protect("production")  # what is required stays, and nothing is written
        asked = [{"eval": "digits", "accuracy": [">0.8", "<0.99"]}, {"eval": "safety", "token": "==1"}]
        assert collection.required == {"production": asked}
        collection.protect("production", require=asked)  # the same, as it is read
        assert [event.action for event in collection.history()].count("protected") == 1
        collection.protect("production", require=always[0])

    env = {**os.environ, "WEFT_HOME": str(home)}
    asks = "import weft; weft.promote('p/cnn:v1', 'classifier')"  # a program that knows nothing of it
    done = subprocess.run(
        [sys.executable, "-c", asks], env=env, check=False, timeout=60, capture_output=True, text=True
    )
    assert "required accuracy >0.8, found 0.5" in done.stderr
    assert "Every promotion to production requires digits: accuracy >0.8, accuracy <0.99" in done.stderr
    said = refused("p/cnn:v1", {"eval": "safety", "token": ">0"})  # nor with a requirement of one's own
    assert "required accuracy >0.8, found 0.5" in said
    assert weft.promote("p/cnn:v1", "classifier", to="gold").evidence == ()
    with pytest.raises(UsageError, match="is protected"):
        weft.link_artifact("p/cnn:v1", "classifier", ["production"])

    judge("v2")
    done_by = weft.promote("p/cnn:v2", "classifier", require=[ASKED, always[0]])
    assert [one.required for evidence in done_by.evidence for one in evidence.findings] == [
        "accuracy >=0.9", "accuracy >0.8", "accuracy <0.99",
    ]  # fmt: skip
    with weft.Api() as api:
        collection = api.collection("classifier")
        assert collection.aliases["production"] == "v2"
        assert [event.problem for event in collection.history()] == [None] * len(collection.history())
        collection.protect("production", require=[])
        assert (collection.required, collection.protected) == ({}, ["production"])
        assert weft.promote("p/cnn:v1", "classifier").moved
        with pytest.raises(UsageError, match="is not protected requires nothing"):
            collection.protect("production", False, ASKED)
        with pytest.raises(UsageError, match="require= is like"):
            collection.protect("production", require="accuracy>0.9")
        collection.protect("production", False)
        assert collection.protected == []


def test_what_a_newer_weft_requires_can_be_replaced_and_ended(judge: Judge) -> None:
    """Nothing is promoted past it meanwhile."""
    weft.link_artifact("p/cnn:v0", "classifier", ["production"])
    rt = runtime.active()
    for end in ({"on": False}, {"require": []}, {"require": ASKED}):
        details = orjson.dumps({"require": [{"eval": "digits", "conditions": [["accuracy", "about 0.9"]]}]})
        newer = RegistryChanged(
            SCHEMA, rt.ids.uid(), "model/classifier", "protected", rt.ids.wall_ns(), "ana", None, None, None,
            ["production"], details,
        )  # fmt: skip
        rt.journal.append(newer)
        with weft.Api() as api:
            collection = api.collection("classifier")
            with pytest.raises(UsageError, match="cannot read what production requires"):
                collection.promote("v0")
            collection.protect("production", **end)
            assert collection.required == ({"production": [ASKED]} if end == {"require": ASKED} else {})


def test_a_version_that_stays_where_it_is_must_show_what_is_required_too(judge: Judge) -> None:
    judge("v0", accuracy=GOOD | {"mean": 0.5})
    weft.link_artifact("p/cnn:v0", "classifier", ["production"])
    with weft.Api() as api:
        collection = api.collection("classifier")
        collection.protect("production", require=ASKED)
        assert collection.aliases["production"] == "v0"  # asked from now on, of promotions
        with pytest.raises(GateError):
            collection.promote("v0")
        assert collection.aliases["production"] == "v0"


def test_the_evaluation_is_found_behind_ever_so_many_uses(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lineage that is shown ends after so many nodes, the oldest first; the evaluation that counts is the newest."""
    assert Reader.lineage.__kwdefaults__ is not None
    monkeypatch.setitem(Reader.lineage.__kwdefaults__, "limit", 20)
    with weft.Api() as api:
        digest = api.artifact("p/cnn:v0").digest
    rt = runtime.active()
    for number in range(30):
        uid = number.to_bytes(16)
        rt.journal.append(RunStarted(SCHEMA, uid, f"serve{number}", "p", "serve", number))
        rt.journal.append(ArtifactUsed(SCHEMA, "p", "cnn", digest, uid, number))
    judge("v0")
    assert weft.promote("p/cnn:v0", "classifier", require=ASKED).moved


CRASHED = """
import os, weft
from weft.tracking.runs.starting import start_run
run = start_run(project="evals", name="digits", job_type="evaluation", id="crashed")
run.use_artifact("p/cnn:v0", use_as="model")
run.summary["accuracy"] = 0.99
os._exit(9)
"""


def test_a_crashed_evaluation_shows_nothing(judge: Judge, home: Path) -> None:
    env = {**os.environ, "WEFT_HOME": str(home)}
    runtime.active().journal.close()
    assert subprocess.run([sys.executable, "-c", CRASHED], env=env, check=False, timeout=60).returncode == 9
    assert "none that counts: evals/crashed crashed" in refused("p/cnn:v0", ASKED)


def test_several_evaluations_may_be_required(judge: Judge) -> None:
    judge("v0")
    judge("v0", name="safety", toxicity={"mean": 0.001, "ci": [0.0, 0.004], "n": 50})
    both = [ASKED, {"evaluation": "safety", "toxicity": "ci<1%"}]
    assert len(weft.promote("p/cnn:v0", "classifier", require=both).evidence) == 2
    assert "safety" in refused("p/cnn:v0", [ASKED, {"eval": "safety", "toxicity": "ci<0.3%"}], to="gold")


def test_staging_is_promoted_by_its_name(judge: Judge) -> None:
    judge("v2")
    weft.link_artifact("p/cnn:v1", "classifier", ["production"])
    weft.link_artifact("p/cnn:v2", "classifier", ["staging"])
    done = weft.promote("registry:classifier:staging", require=ASKED)
    assert (done.collection, done.version, done.source, done.previous) == ("model/classifier", "v1", "p/cnn:v2", "v0")


def test_a_promotion_needs_a_store_that_can_be_read(judge: Judge, home: Path, tmp_path: Path) -> None:
    weft.configure(home=home, store_url=f"sqlite:///{tmp_path}")  # a folder
    with pytest.raises(StoreError):
        weft.promote("p/cnn:v0", "classifier", require=ASKED)
    weft.configure(home=home, mode="disabled")
    with pytest.raises(UsageError, match="mode disabled"):
        weft.promote("p/cnn:v0", "classifier")


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (">=0.93", True), (">0.93", False), ("<=0.93", True), ("<0.93", False), ("==0.93", True), ("!=0.93", False),
        (">=93%", True), ("0.9..0.95", True), ("0.94..1", False), (">0.9, <0.95", True), (">0.9,<0.92", False),
        ("ci>=0.9", True), ("ci >0.9", False), ("ci<=0.95", True), ("ci<0.95", False), ("ci 0.9..0.95", True),
        ("ci 0.91..0.95", False), (">= 9.3e-1", True), (">-1", True),
    ],
)  # fmt: skip
def test_comparators(text: str, passed: bool) -> None:
    (requirement,) = parse({"eval": "e", "accuracy": text})
    assert all(finding.passed for finding in check(requirement, {"accuracy": GOOD})) is passed


def test_a_whole_number_beyond_every_float_is_beyond_every_bound() -> None:
    (requirement,) = parse({"eval": "e", "flops": ">=1e300", "loss": "<0"})
    assert all(finding.passed for finding in check(requirement, {"flops": 10**400, "loss": -(10**400)}))


@pytest.mark.parametrize("text", ["!=0.5", ">=0", "<=1", "0..1", "ci>=0"])
def test_not_a_number_meets_nothing(text: str) -> None:
    (requirement,) = parse({"eval": "e", "accuracy": text})
    nan = {"mean": math.nan, "ci": [math.nan, math.nan], "n": 1}
    assert [finding.passed for finding in check(requirement, {"accuracy": nan})] == [False]


def test_names_lead_into_the_summary() -> None:
    summary = {"judge.tone": GOOD, "latency_s": {"p95": 0.2}, "f1": 0.8, "nested": {"deep": {"mean": 0.4}}}
    asked = {
        "judge.tone": ">0.9", "judge.tone.n": "==400", "judge.tone.ci_low": ">=0.9", "judge.tone.ci_high": "<=0.95",
        "latency_s.p95": "<0.3", "f1": ">=0.8", "nested.deep": "<0.5", "nested.deep.mean": "<0.5",
    }  # fmt: skip
    (requirement,) = parse({"eval": "e", **asked})
    assert [finding.required for finding in check(requirement, summary) if not finding.passed] == []
    (without,) = parse({"eval": "e", "f1": "ci>0.1"})
    assert check(without, summary)[0].found == "0.8, without an interval"


@pytest.mark.parametrize(
    ("require", "says"),
    [
        ({"accuracy": ">=0.9"}, "names one evaluation"),
        ({"eval": "a", "evaluation": "b"}, "names one evaluation"),
        ({"eval": ""}, "names one evaluation"),
        ("accuracy>=0.9", "require= is like"),
        ([ASKED, 3], "require= is like"),
        ({"eval": "e", "accuracy": 0.9}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": True}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": "0.9"}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": ">=high"}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": ">=nan"}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": ""}, 'write ">=0.9"'),
        ({"eval": "e", "accuracy": "0.9..0.1"}, "nothing lies in that range"),
        ({"eval": "e", "accuracy": "ci==0.9"}, "a whole interval is above or below"),
        ({"eval": "e", 3: ">0"}, "by text"),
        ({"eval": "e", "accuracy": []}, "nothing is required of 'accuracy'"),
        ([], "require= is empty"),
        ({}, "names one evaluation"),
    ],
)
def test_requirements_that_cannot_be_meant_are_refused_at_the_call(require: Any, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(require)
    assert says in str(error.value)


def test_an_evaluation_says_which_versions_its_model_is_made_of(judge: Judge) -> None:
    @weft.scorer
    def accuracy(output: str, expected: str) -> bool:
        return output == expected

    class Net(weft.Model):
        weights: Any
        bias: int = 0

        def predict(self, question: str) -> str:
            return question

    rows = [{"question": str(at), "expected": str(at)} for at in range(30)]
    evaluation = weft.Evaluation(rows, [accuracy], name="real", project="evals")
    with weft.Api() as api:
        version = api.artifact("p/cnn:v0")
        evaluation.run(Net(weights=version))
        run = api.runs({"name": "real"})[0]
        assert run.config["model"]["params"] == {"weights": "p/cnn:v0", "bias": 0}
        edges = api.lineage("p/cnn:v0", "down", depth=1).edges
        assert [edge.used_as for edge in edges] == ["model"]
    assert weft.promote("p/cnn:v0", "classifier", require={"eval": "real", "accuracy": ["==1", "ci>=0.85"]}).moved

    evaluation.run(lambda question: question, uses="p/cnn:v1")
    assert weft.promote("p/cnn:v1", "classifier", require={"eval": "real", "accuracy": ">=0.9"}).moved

    with_its_own = weft.Evaluation(rows, [accuracy], name="own", model=lambda question: question, uses=["p/cnn:v2"])
    with_its_own.run(lambda question: "another model")  # which the version is no part of
    assert "none used exactly this version" in refused("p/cnn:v2", {"eval": "own"})
    with_its_own.run()
    assert weft.promote("p/cnn:v2", "classifier", require={"eval": "own", "accuracy": ">=0.9"}).moved

    weft.Evaluation(rows, [accuracy], name="later", uses=["p/cnn:v1"]).run(lambda question: question)
    assert weft.promote("p/cnn:v1", "classifier", require={"eval": "later", "accuracy": ">=0.9"}).moved
    with pytest.raises(UsageError, match="uses= takes versions"):
        evaluation.run(lambda question: question, uses=3)  # type: ignore[arg-type]


def test_what_the_call_and_the_alias_require_of_one_evaluation_is_told_once(judge: Judge) -> None:
    judge("v0")
    asked = ASKED | {"dataset": "rows"}
    weft.link_artifact("p/cnn:v1", "classifier")
    with weft.Api() as api:
        api.collection("classifier").protect("production", require=asked)
    done = weft.promote("p/cnn:v0", "classifier", require=[ASKED, ASKED | {"rows": ">=3"}])
    (evidence,) = done.evidence
    assert [finding.required for finding in evidence.findings] == ["accuracy >=0.9", "rows >=3", "dataset rows"]
    assert not [note for note in evidence.notes if note.startswith("on ")], "the finding says on what"


def test_a_requirement_that_another_run_answers_stands_by_itself(judge: Judge) -> None:
    judge("v0", rows=3)
    asked = [ASKED | {"accuracy": ">=0.5"}, ASKED | {"dataset": "others"}]
    assert "required a finished evaluation on others" in refused("p/cnn:v0", asked)
