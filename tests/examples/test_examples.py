"""The examples run as they stand, without a network, and what they record is in the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store

EXAMPLES = Path(__file__).parents[2] / "examples"
WITH_LIBRARIES = ("digits_cnn.py", "digits_sklearn.py", "digits_xgboost.py")
"""Run in tests/integrations, where their libraries are."""


@pytest.fixture
def run(tmp_path: Path):
    def run(name: str):
        env = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        env["WEFT_HOME"] = str(tmp_path / "home")
        script = subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, env=env, check=False)
        assert script.returncode == 0, script.stderr
        assert script.stderr == ""
        with open_store(Settings.resolve(home=tmp_path / "home")) as store:
            reader = store.reader()
            return script.stdout, reader.traces().rows, reader.runs().rows

    return run


def test_every_example_is_tested_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "trace.py", "openai_chat.py", "evaluate.py", "train.py", "wandb_script.py",
        *WITH_LIBRARIES,
    }  # fmt: skip


def test_trace(run) -> None:
    printed, traces, _ = run("trace.py")
    assert printed.splitlines() == ["yield makes a function a generator", "I do not know."]
    assert [(trace.name, trace.span_count, trace.thread_id) for trace in traces] == [
        ("answer", 4, "example-session")
    ] * 2


def test_openai_chat(run) -> None:
    printed, (trace,), _ = run("openai_chat.py")
    assert printed == "You asked: What is a generator, in one sentence?\n"
    assert trace.span_count == 2
    assert trace.input_tokens
    assert trace.cost


def test_evaluate(run) -> None:
    printed, traces, (evaluation,) = run("evaluate.py")
    assert printed.startswith("keywords: 4 of 4 cases, 0 failed")
    assert "right  100.0% ± 24.5" in printed
    assert len(traces) == 4
    assert evaluation.summary["right"]["mean"] == 1.0


def test_train(run) -> None:
    printed, _, (trained,) = run("train.py")
    assert printed.startswith("y = 3.0")
    assert trained.state == "finished"
    assert trained.step == 119
    assert trained.summary["loss"] < 0.05


def test_wandb_script(run) -> None:
    printed, _, (found,) = run("wandb_script.py")
    assert printed.splitlines() == ["interrupted", "slope 2.94, least loss 0.0145"]
    assert (found.state, found.step, len(found.sessions)) == ("finished", 7, 2)
