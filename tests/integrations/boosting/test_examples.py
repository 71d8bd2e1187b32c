"""examples/digits_sklearn.py and digits_xgboost.py, run as they stand; what they recorded is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import weft

EXAMPLES = Path(__file__).parents[3] / "examples"


def _run(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_scikit_learn(tmp_path) -> None:
    printed = _run("digits_sklearn.py", tmp_path)
    api = weft.Api(project="digits")
    runs = {run.name: run for run in api.runs()}
    assert set(runs) == {"forest", "logistic"}
    for name, run in runs.items():
        assert run.state == "finished"
        assert run.summary["accuracy"] > 0.95
        assert f"{name}: accuracy {run.summary['accuracy']:.3f}\n" in printed
        keys = {found.key for found in api.media(f"digits/{run.id}")}
        assert {"confusion_matrix", "roc", "precision_recall", "feature_importances", "learning_curve"} <= keys
        assert api.artifact(f"digits-{name}").type == "model"
    assert runs["forest"].config["forest"]["n_estimators"] == 100


def test_xgboost(tmp_path) -> None:
    printed = _run("digits_xgboost.py", tmp_path)
    api = weft.Api(project="digits")
    (run,) = api.runs()
    assert run.state == "finished"
    assert run.config["objective"] == "multi:softprob"
    rows = list(run.scan_history(["epoch", "val-mlogloss"]))
    assert len(rows) == run.summary["best_iteration"] + 10 + 1
    assert min(row["val-mlogloss"] for row in rows) == run.summary["val-mlogloss"]["best"]
    assert printed == f"best round {run.summary['best_iteration']}, accuracy {run.summary['accuracy']:.3f}\n"
    assert run.summary["accuracy"] > 0.95
    assert {found.key for found in api.media(f"digits/{run.id}")} == {"confusion", "feature_importance", "roc"}
    assert api.artifact(f"run-{run.id}-model").metadata["rounds"] == len(rows)
