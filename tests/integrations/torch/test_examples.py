"""examples/digits_cnn.py, run as it stands: from its first batch to production, all of it is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import weft
from weft.tracking.media.image import Image

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_cnn.py"


@pytest.mark.timeout(180)
def test_the_network_is_trained_recorded_evaluated_and_promoted(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

    api = weft.Api(project="digits")
    (training,) = api.runs({"job_type": "train"})
    assert (training.name, training.state, training.config["epochs"]) == ("cnn", "finished", 8)
    epochs = list(training.scan_history(["epoch", "val/accuracy"]))
    assert [row["epoch"] for row in epochs] == list(range(8))
    best = max(row["val/accuracy"] for row in epochs)
    assert training.summary["val/accuracy"] == {"max": best, "last": epochs[-1]["val/accuracy"]}
    assert len(list(training.scan_history(["train/loss"]))) == 8 * 22  # 1,347 pictures, 64 at a time
    assert list(training.scan_history(["gradients/0.weight"]))
    assert "graph/graph_0.json" in {file.path for file in training.files()}
    samples = [found.medium for found in api.media(f"digits/{training.id}", "val/samples")]
    assert len(samples) == 8 * 8
    assert all(isinstance(sample, Image) and (sample.width, sample.height) == (8, 8) for sample in samples)

    checkpoint = api.artifact("digits-cnn:best")
    assert checkpoint.metadata["val/accuracy"] == best
    assert checkpoint.logged_by().id == training.id
    (evaluation,) = api.runs({"job_type": "evaluation"})
    assert evaluation.summary["right"]["mean"] == pytest.approx(best)
    assert evaluation.id in {run.id for run in checkpoint.used_by()}

    production = api.artifact("registry:model/digits:production")
    assert (production.digest, set(production.aliases)) == (checkpoint.digest, {"latest", "staging", "production"})
    assert done.stdout.endswith(f"{checkpoint.qualified_name} is production of model/digits\n")
