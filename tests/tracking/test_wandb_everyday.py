"""More scripts as people write them for wandb, one line changed: older habits, names in annotations, reading."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from weft.tracking.api import Api
from weft.tracking.settings import Settings

FUNCTIONS = """
import weft as wandb
wandb.login()

def train(config=None):
    with wandb.init(config=config, project="functions") as run:
        config = run.config
        for epoch in range(config.epochs):
            wandb.log({"acc": epoch / config.epochs, "epoch": epoch})

for depth in range(2):
    train(dict(depth=depth, epochs=3, layers=[1, 2], optimizer={"name": "adam", "betas": (0.9, 0.99)}))
"""

OLD_HABITS = """
import os
import weft as wandb

wandb.init(project="old", resume="allow", id="abc123", anonymous="allow", force=False)
args = wandb.config
args.batch = 4
args.layers = [1]
args.layers.append(2)
args.persist()
with open(os.path.join(wandb.run.dir, "model.h5"), "w") as file:
    file.write("weights")
wandb.save("model.h5")
for step in range(20):
    wandb.log({"loss": 1 / (step + 1)}, step=step)
wandb.run.name = "baseline"
wandb.run.save()
wandb.run.summary["best_accuracy"] = 0.9
wandb.run.summary.update()
wandb.run.pin_config_keys(["batch"])
assert wandb.run.sync_dir == os.environ["WEFT_HOME"]
wandb.join()
"""

CHECKPOINTS = """
import json, os
import weft as wandb

run = wandb.init(project="checkpoints", resume=True)
epoch = 0
if wandb.run.resumed:
    epoch = json.load(open(wandb.restore("./state.json").name))["epoch"]
    assert epoch == wandb.run.step == 3
while epoch < 6:
    wandb.log({"loss": 1 / (epoch + 1)}, step=epoch)
    epoch += 1
    json.dump({"epoch": epoch}, open("state.json", "w"))
    wandb.save("./state.json")
    if epoch == 3 and not wandb.run.resumed:
        os._exit(1)
"""

NAMES = """
import typing
import weft as wandb

def setup(run: wandb.sdk.wandb_run.Run, old: wandb.wandb_run.Run = None, config: wandb.Config = None,
          settings: wandb.Settings = None, table: wandb.data_types.Table = None) -> wandb.apis.public.Run:
    assert typing.get_type_hints(setup)["run"] is type(run) is wandb.Run
    return run

with wandb.init(project="names") as run:
    setup(run, config=run.config)
    for known in (wandb.errors.CommError, wandb.CommError, wandb.errors.UsageError, wandb.UsageError, wandb.Error,
                  wandb.errors.AuthenticationError, wandb.errors.UnsupportedError):
        assert issubclass(known, Exception)
    wandb.require("core")
    wandb.termlog("hello"), wandb.termwarn("careful"), wandb.termerror("gone", repeat=False)
    assert wandb.Api().default_entity == "local"
    for absent in (lambda: wandb.sweep({"method": "random"}, project="p"), lambda: wandb.agent("id", function=print),
                   lambda: wandb.controller(), lambda: wandb.attach("abc")):
        try:
            absent()
        except wandb.errors.UsageError as error:
            print(error)
        else:
            raise AssertionError("nothing was said")
    try:
        wandb.gym
    except AttributeError as error:
        print(error)
"""

PIPELINE = """
import os
import weft as wandb

os.mkdir("data")
for name in "ab":
    open(f"data/{name}.txt", "w").write(name)
for accuracy in (0.5, 0.9):
    with wandb.init(project="pipeline", job_type="train", config={"accuracy": accuracy}) as run:
        model = wandb.Artifact("model", type="model", metadata=dict(run.config))
        model.add_dir("data")
        with model.new_file("weights.txt", mode="w") as file:
            file.write(str(accuracy))
        run.log_artifact(model, aliases=["latest", f"acc-{accuracy}"], tags=["good"] if accuracy > 0.8 else None)
        model.wait()
        run.log({"accuracy": accuracy, "seen": 7})

api = wandb.Api()
entity = api.default_entity
assert [v.version for v in api.artifacts("model", f"{entity}/pipeline/model")] == ["v1", "v0"]
assert [v.version for v in api.artifacts(type_name="model", name="pipeline/model", tags=["good"])] == ["v1"]
assert not list(api.artifacts("dataset", "pipeline/model"))
best = api.artifact(f"{entity}/pipeline/model:acc-0.9")
assert open(os.path.join(best.download(root="here"), "weights.txt")).read() == "0.9"
best.aliases.append("production")
best.save()
api.flush()
assert best.logged_by().id == api.runs(f"{entity}/pipeline", order="-summary_metrics.accuracy")[0].id
assert api.artifact("pipeline/model:production").version == "v1"
run = api.run(f"{entity}/pipeline/{best.logged_by().id}")
assert repr(run.summary["seen"]) == "7" and run.summary["_step"] == 0 and run.lastHistoryStep == 0
assert [row["seen"] for row in run.scan_history(keys=["seen"])] == [7]
try:
    api.artifacts("model")
except wandb.errors.UsageError as error:
    print(error)
"""

EXITS = """
import weft as wandb

def main():
    wandb.init(project="exits")
    wandb.log({"loss": 1})
    return 3

raise SystemExit(main())
"""


def _run(tmp_path: Path, script: str, *, code: int = 0) -> subprocess.CompletedProcess[str]:
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def _runs(tmp_path: Path) -> list[Any]:
    with Api(settings=Settings.resolve(home=tmp_path / "home")) as api:
        return list(api.runs())


def _files(tmp_path: Path, path: str) -> list[Any]:
    with Api(settings=Settings.resolve(home=tmp_path / "home")) as api:
        return api.run(path).files()


def test_runs_begun_in_a_function(tmp_path: Path) -> None:
    assert _run(tmp_path, FUNCTIONS).stderr == ""
    found = _runs(tmp_path)
    assert [run.config["depth"] for run in found] == [0, 1]
    assert found[0].config["optimizer"] == {"name": "adam", "betas": [0.9, 0.99]}
    assert dict(found[1].summary) == {"acc": 2 / 3, "epoch": 2}


def test_habits_of_older_scripts(tmp_path: Path) -> None:
    """What lies in run.dir is saved by its name there; run.save() alone and join() mean what they meant."""
    assert _run(tmp_path, OLD_HABITS).stderr == ""
    [run] = _runs(tmp_path)
    assert (run.id, run.name, run.state, run.step) == ("abc123", "baseline", "finished", 19)
    assert run.config == {"batch": 4, "layers": [1, 2]}
    assert ("model.h5", "saved") in [(file.name, file.kind) for file in _files(tmp_path, "old/abc123")]
    assert dict(run.summary) == {"loss": 1 / 20, "best_accuracy": 0.9}


def test_a_checkpoint_is_found_again_by_the_path_it_was_saved_by(tmp_path: Path) -> None:
    _run(tmp_path, CHECKPOINTS, code=1)
    _run(tmp_path, CHECKPOINTS)
    [run] = _runs(tmp_path)
    assert (run.state, run.step, len(run.sessions)) == ("finished", 5, 2)


def test_names_in_annotations_and_what_is_not_here_says_what_to_do(tmp_path: Path) -> None:
    done = _run(tmp_path, NAMES)
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert all("weft has no sweeps yet" in line and "init(config=" in line for line in lines[:3])
    assert "pickled" in lines[3]
    assert "docs/wandb.md" in lines[4]


def test_models_are_logged_found_and_promoted_by_alias(tmp_path: Path) -> None:
    done = _run(tmp_path, PIPELINE)
    assert "needs the artifact's name" in done.stdout
    assert done.stderr == ""


def test_a_script_that_raises_its_exit_code_failed_with_it(tmp_path: Path) -> None:
    _run(tmp_path, EXITS, code=3)
    [run] = _runs(tmp_path)
    assert (run.state, run.exit_code) == ("failed", 3)
