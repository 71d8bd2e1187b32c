"""weft in wandb's place: whoever imports wandb gets weft, at the caller's word only, and never beside the real one."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

import weft


def _run(code: str, tmp_path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_whoever_imports_wandb_afterwards_gets_weft(tmp_path) -> None:
    code = """
import weft
weft.as_wandb()
weft.as_wandb()
import importlib.util, importlib.metadata, sys
import wandb
from wandb import Table, init
from wandb.errors import CommError, UsageError
from wandb.sdk.lib import RunDisabled
from wandb.sdk.lib.config_util import ConfigError
from wandb.wandb_run import Run
assert importlib.util.find_spec("wandb") is not None
assert importlib.metadata.version("wandb") == wandb.__version__ == "0.28.0"
assert (Table, init, wandb.Image) == (weft.Table, weft.init, weft.Image)
assert wandb.run is None
run = wandb.init(project="p", config={"lr": 1})
assert isinstance(run, (Run, RunDisabled)) and wandb.run is run and wandb.config.lr == 1
wandb.config = {"epochs": 3}
assert wandb.config is run.config and run.config.epochs == 3
try:
    wandb.config["lr"] = 2
except ConfigError:
    print("refused")
wandb.log({"chart": wandb.plot.line(wandb.Table(columns=["x", "y"], data=[[1, 2]]), "x", "y")})
assert len(wandb.util.generate_id()) == 8
wandb.finish()
assert not {"keras", "xgboost", "lightgbm", "sklearn"} & set(sys.modules)
"""
    assert _run(code, tmp_path) == "refused\n"


def test_what_is_not_here_cannot_be_imported(tmp_path) -> None:
    code = """
import weft
weft.as_wandb()
for name in ("wandb.integration.sb3", "wandb.beta"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error)
import importlib.metadata
try:
    importlib.metadata.version("wandb-core")
except importlib.metadata.PackageNotFoundError:
    print("unknown")
import wandb
print(hasattr(wandb, "nonsense"))
"""
    told = _run(code, tmp_path).splitlines()
    assert told == ["No module named 'wandb.integration.sb3'", "No module named 'wandb.beta'", "unknown", "False"]


def test_importing_weft_puts_nothing_in_wandbs_place(tmp_path) -> None:
    code = """
import sys
finders = list(sys.meta_path)
import weft, weft.integrations.wandb
assert "wandb" not in sys.modules and sys.meta_path == finders
"""
    _run(code, tmp_path)


def test_the_real_one_is_never_pushed_aside(tmp_path) -> None:
    (tmp_path / "wandb.py").write_text("__version__ = '0.1'\n")
    code = """
import wandb, weft
try:
    weft.as_wandb()
except weft.errors.UsageError as error:
    print(error)
assert wandb.__version__ == "0.1"
"""
    assert "must be called before anything imports wandb" in _run(code, tmp_path)


def test_wandbs_words_to_the_terminal_are_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "weft.wandb"):
        weft.termlog("hello")
        for _ in range(2):
            weft.termwarn("100% of it is only said once", repeat=False)
        weft.termerror("no")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "hello"),
        ("WARNING", "100% of it is only said once"),
        ("ERROR", "no"),
    ]
    assert weft.require("core") is None


def test_a_function_that_uses_weft_travels_to_workers(tmp_path) -> None:
    """As Ray, joblib and submitit send it, modules among its globals; pickle and copy take the modules as well."""
    code = """
import copy, pickle, subprocess, sys
import cloudpickle, weft as wandb
weft = wandb
def train():
    return wandb.__name__, wandb.__version__
sent = [cloudpickle.dumps(train)]
assert pickle.loads(pickle.dumps(weft)) is copy.deepcopy(weft) is weft
weft.as_wandb()
import wandb
from wandb.sdk import wandb_run
sent.append(cloudpickle.dumps(train))
assert pickle.loads(pickle.dumps(wandb)) is wandb
assert pickle.loads(pickle.dumps(wandb_run)) is wandb_run
read = "import pickle, sys; print(*pickle.load(sys.stdin.buffer)())"
for each in sent:
    done = subprocess.run([sys.executable, "-c", read], input=each, capture_output=True, check=True)
    print(done.stdout.decode(), end="")
"""
    pytest.importorskip("cloudpickle")
    assert _run(code, tmp_path).splitlines() == [f"weft {weft.__version__}", "wandb 0.28.0"]
