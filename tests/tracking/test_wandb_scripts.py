"""Scripts as people write them for wandb, run unchanged but for their import; what they logged is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader

QUICKSTART = """
import random
import weft as wandb

wandb.login()

epochs, lr = 10, 0.01
run = wandb.init(project="my-awesome-project", config={"learning_rate": lr, "epochs": epochs})
offset = random.random() / 5
print(f"lr: {lr}")
for epoch in range(2, epochs):
    acc = 1 - 2**-epoch - random.random() / epoch - offset
    loss = 2**-epoch + random.random() / epoch + offset
    print(f"epoch={epoch}, accuracy={acc}, loss={loss}")
    wandb.log({"accuracy": acc, "loss": loss})
wandb.finish()
"""

ARGPARSE = """
import argparse
import weft as wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--batch-size", type=int, default=32)
args = parser.parse_args()

wandb.init(project="args", entity="team", name="baseline", notes="first try", tags=["baseline", "paper"], config=args,
           settings=wandb.Settings(start_method="thread", _disable_stats=True))
config = wandb.config
config.update({"arch": "cnn"})
config.update(args, allow_val_change=True)
best = 0.0
for epoch in range(3):
    acc = config.lr * epoch / config["batch_size"]
    wandb.log({"epoch": epoch, "val": {"acc": acc}}, step=epoch)
    if acc > best:
        best = acc
        wandb.run.summary["best_accuracy"] = best
        wandb.run.summary.update({"best_epoch": epoch})
wandb.run.tags = wandb.run.tags + ("done",)
wandb.run.name = wandb.run.name + "-" + str(config.get("missing", "final"))
assert wandb.run.project == "args" and wandb.run.entity == "team" and wandb.run.url is None
"""

RICH = """
import numpy as np
import weft as wandb

with wandb.init(project="rich", job_type="eval", group="g1") as run:
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch", summary="min")
    columns = ["id", "image", "guess", "truth"]
    table = wandb.Table(columns=columns)
    for i in range(3):
        image = wandb.Image(np.full((8, 8, 3), 40 * i, dtype=np.uint8), caption=f"image {i}")
        table.add_data(i, image, i, (i + 1) % 3)
        run.log({"epoch": i, "val/loss": [3.0, 1.0, 2.0][i], "examples": [image, image],
                 "weights": wandb.Histogram(np.arange(100)), "note": "text"})
    run.log({"predictions": table, "html": wandb.Html("<b>hi</b>")})
    run.log({"pr": wandb.plot.line(wandb.Table(data=[[1, 2], [2, 3]], columns=["x", "y"]), "x", "y", title="t")})
    assert run.summary["val/loss"] == {"min": 1.0}, run.summary["val/loss"]
"""

ARTIFACTS = """
import os
import weft as wandb

with open("data.csv", "w") as file:
    file.write("a,b")
with wandb.init(project="pipeline", job_type="dataset") as run:
    artifact = wandb.Artifact("raw", type="dataset", description="csv", metadata={"rows": 1})
    artifact.add_file("data.csv")
    with artifact.new_file("note.txt") as file:
        file.write("hello")
    run.log_artifact(artifact, aliases=["best"])
    artifact.wait()

run = wandb.init(project="pipeline", job_type="train", config={"data": "raw"})
data = run.use_artifact("raw:latest")
folder = data.download()
assert open(os.path.join(folder, "data.csv")).read() == "a,b"
with open("model.bin", "w") as file:
    file.write("weights")
wandb.log_artifact("model.bin", name="model", type="model")
run.finish()
assert wandb.run is None
"""

LOOP = """
import weft as wandb

for lr in (0.1, 0.01, 0.001):
    run = wandb.init(project="loop", config={"lr": lr}, group="grid", reinit=True)
    for step in range(5):
        run.log({"loss": lr / (step + 1)})
wandb.finish()
for lr in (1, 2):
    run = wandb.init(project="loop", config={"lr": lr}, group="grid")
    run.log({"loss": lr})
    run.finish()
"""

RESUME = """
import json, os, sys
import weft as wandb

if os.path.exists("checkpoint.json"):
    state = json.load(open("checkpoint.json"))
else:
    state = {"id": wandb.util.generate_id(), "step": 0}
run = wandb.init(project="resume", id=state["id"], resume="allow", config={"lr": 0.1})
print(wandb.run.resumed, wandb.run.step)
for step in range(state["step"], state["step"] + 4):
    wandb.log({"loss": 1 / (step + 1)})
    json.dump({"id": wandb.run.id, "step": step + 1}, open("checkpoint.json", "w"))
if state["step"] == 0:
    raise RuntimeError("out of memory")
"""

ENVIRONMENT = """
import os
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ["WANDB_API_KEY"] = "x" * 40
os.environ["WANDB_PROJECT"] = "from-env"
os.environ["WANDB_RUN_GROUP"] = "ddp"
os.environ["WANDB_TAGS"] = "a,b"
os.environ["WANDB_NOTES"] = "why"
import weft as wandb

wandb.init()
wandb.log({"loss": 0.1})
"""

DISABLED = """
import os
os.environ["WANDB_MODE"] = "disabled"
import weft as wandb

run = wandb.init(project="nothing", config={"lr": 1})
wandb.watch(object()) if False else None
for i in range(3):
    wandb.log({"loss": i}, step=i, commit=True)
wandb.summary["best"] = wandb.config.lr
assert dict(wandb.summary)["best"] == 1
wandb.save("*.py")
wandb.alert(title="t", text="x", level=wandb.AlertLevel.WARN)
wandb.finish()
"""

TRAINER = """
import weft as wandb

if wandb.run is None:
    wandb.init(project="trainer", name="hf", **{"tags": None})
wandb.config.update({"model": "tiny", "lr": 5e-5, "betas": (0.9, 0.999)}, allow_val_change=True)
wandb.config["model/num_parameters"] = 1000
if getattr(wandb, "define_metric", None):
    wandb.define_metric("train/global_step")
    wandb.define_metric("*", step_metric="train/global_step", step_sync=True)
wandb.run._label(code="transformers_trainer")
for step in (10, 20):
    wandb.log({"train/loss": 1 / step, "train/epoch": step / 10, "train/global_step": step})
wandb.log({"eval/loss": 0.5, "train/global_step": 20})
wandb.run.summary["total_flos"] = 10**18
open("trainer_state.json", "w").write("{}")
wandb.save("trainer_state.json", policy="now")
wandb.alert(title="done", text="training ended", level=wandb.AlertLevel.INFO)
"""

MISTAKES = """
import weft as wandb

for wrong in (lambda: wandb.log({"a": 1}), lambda: wandb.config.lr, lambda: wandb.config["lr"],
              lambda: wandb.summary["x"], lambda: wandb.config.update({"a": 1}), lambda: wandb.save("x"),
              lambda: wandb.define_metric("x"), lambda: setattr(wandb.config, "lr", 1)):
    try:
        wrong()
    except wandb.errors.UsageError as error:
        assert "init()" in str(error), error
    else:
        raise SystemExit("nothing was raised")
assert wandb.run is None
held = wandb.config
run = wandb.init(project="after", config={"lr": 1})
assert held.lr == 1 and held["lr"] == 1 and "lr" in held and dict(wandb.config) == {"lr": 1}
try:
    wandb.config.lr = 2
except wandb.errors.Error:
    run.finish(exit_code=4)
try:
    run.log({"a": 1})
except wandb.errors.UsageError as error:
    print(error)
wandb.teardown()
"""

TWO_AT_ONCE = """
import threading
import weft as wandb

runs = [wandb.init(project="beside", name=f"r{n}", reinit="create_new") for n in range(3)]
assert wandb.run is None

def work(run):
    for step in range(50):
        run.log({"x": step})

threads = [threading.Thread(target=work, args=(run,)) for run in runs]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
for run in runs:
    run.finish()
"""


def _run(tmp_path: Path, script: str, *, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Of the store that scripts are read into, each time it is asked anew."""

    class Fresh:
        def __getattr__(self, name: str) -> object:
            def ask(*args: object, **kwargs: object) -> object:
                with open_store(Settings.resolve(home=tmp_path / "home"), foreign_s=None) as store:
                    return getattr(store.reader(), name)(*args, **kwargs)

            return ask

    return Fresh()  # type: ignore[return-value]


def test_quickstart(tmp_path: Path, reader: Reader) -> None:
    done = _run(tmp_path, QUICKSTART)
    assert done.stderr == ""
    [run] = reader.runs().rows
    assert (run.project, run.state, run.step) == ("my-awesome-project", "finished", 7)
    assert run.config == {"learning_rate": 0.01, "epochs": 10}
    assert list(reader.history(run.uid)["loss"].steps) == list(range(8))


def test_argparse(tmp_path: Path, reader: Reader) -> None:
    assert _run(tmp_path, ARGPARSE).stderr == ""
    [run] = reader.runs().rows
    assert (run.name, run.notes, tuple(run.tags)) == ("baseline-final", "first try", ("baseline", "paper", "done"))
    assert run.config == {"lr": 0.1, "batch_size": 32, "arch": "cnn"}
    assert run.summary["best_epoch"] == 2
    assert run.metadata["entity"] == "team"
    assert list(reader.history(run.uid)["val.acc"].steps) == [0, 1, 2]


def test_tables_images_and_metrics(tmp_path: Path, reader: Reader) -> None:
    pytest.importorskip("pyarrow")
    assert _run(tmp_path, RICH).stderr == ""
    [run] = reader.runs().rows
    assert (run.job_type, run.group, run.state) == ("eval", "g1", "finished")
    kinds = {item["key"] for item in reader.rich(run.uid)}
    assert {"examples", "weights", "note", "predictions", "html", "pr"} <= kinds


def test_artifacts(tmp_path: Path, reader: Reader) -> None:
    assert _run(tmp_path, ARTIFACTS).stderr == ""
    first, second = reader.runs(order="started_ns").rows
    [raw] = reader.artifacts({"name": "raw"}).rows
    assert raw.producer_run == first.id
    assert list(raw.consumer_runs) == [second.id]
    assert set(raw.aliases) == {"best", "latest"}
    [model] = reader.artifacts({"name": "model"}).rows
    assert (model.type, model.producer_run) == ("model", second.id)


def test_a_loop_of_runs(tmp_path: Path, reader: Reader) -> None:
    assert _run(tmp_path, LOOP).stderr == ""
    found = reader.runs(order="started_ns").rows
    assert [run.config["lr"] for run in found] == [0.1, 0.01, 0.001, 1, 2]
    assert {run.state for run in found} == {"finished"}
    assert [run.step for run in found] == [4, 4, 4, 0, 0]


def test_a_script_that_fails_and_goes_on(tmp_path: Path, reader: Reader) -> None:
    first = _run(tmp_path, RESUME, code=1)
    assert first.stdout == "False 0\n"
    [run] = reader.runs().rows
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("RuntimeError", "out of memory")
    assert "raise RuntimeError" in run.error["stacktrace"]
    assert _run(tmp_path, RESUME).stdout == "True 4\n"
    [run] = reader.runs().rows
    assert (run.state, run.step, len(run.sessions)) == ("finished", 7, 2)
    assert list(reader.history(run.uid)["loss"].steps) == list(range(8))


def test_by_the_environment_alone(tmp_path: Path, reader: Reader) -> None:
    assert _run(tmp_path, ENVIRONMENT).stderr == ""
    [run] = reader.runs().rows
    assert (run.project, run.group, tuple(run.tags), run.notes) == ("from-env", "ddp", ("a", "b"), "why")
    assert "x" * 40 not in "".join(path.read_text("latin-1") for path in (tmp_path / "home").rglob("*.wj"))


def test_disabled_leaves_nothing(tmp_path: Path) -> None:
    assert _run(tmp_path, DISABLED).stderr == ""
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("how", ['os.environ["WANDB_MODE"] = "disabled"', "mode = 'disabled'"], ids=["all", "one run"])
def test_of_a_disabled_runs_folder_and_of_what_it_looks_up_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Also where a hook of the program's own writes there last, and a forked child ends before."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    script = f"""
import atexit, os, pathlib
import weft as wandb
mode = None
{how}
run = wandb.init(project="p", mode=mode)
place = pathlib.Path(run.dir)
(place / "model.bin").write_bytes(b"weights")
atexit.register(lambda: (place / "late.txt").write_text("late"))
child = os.fork()
if not child:
    raise SystemExit(0)
os.waitpid(child, 0)
try:
    run.use_artifact("none:latest")
except wandb.Error as error:
    print(type(error).__name__)
run.finish()
assert (place / "model.bin").exists()
print(place)
"""
    done = _run(tmp_path, script)
    said, place = done.stdout.split()
    assert (said, done.stderr) == ("NotFoundError", "")
    assert Path(place).parent == tmp_path / "temporary"
    assert not Path(place).exists()
    assert not (tmp_path / "home").exists()


def test_as_trainers_call_it(tmp_path: Path, reader: Reader) -> None:
    _run(tmp_path, TRAINER)
    [run] = reader.runs().rows
    assert run.config["model/num_parameters"] == 1000
    assert run.summary["train/loss"] == 0.05
    assert [file.path for file in reader.files(run.uid) if file.kind == "saved"] == ["trainer_state.json"]
    assert [alert.title for alert in reader.alerts(run.uid)] == ["done"]


def test_mistakes_are_told_at_the_call(tmp_path: Path, reader: Reader) -> None:
    done = _run(tmp_path, MISTAKES)
    assert "is failed" in done.stdout
    [run] = reader.runs().rows
    assert (run.state, run.exit_code, run.config) == ("failed", 4, {"lr": 1})


def test_text_that_no_database_takes_stops_no_reader(tmp_path: Path, reader: Reader) -> None:
    """Lone surrogates and NUL, in names and values; another run beside it is read as ever."""
    script = """
import weft as wandb
with wandb.init(project="odd", config={"\\ud800": ["\\ud800"]}, notes="\\ud800\\0", tags=["\\udcff"]) as run:
    run.log({"loss": 0.5, "text": "\\ud800\\0", "\\udcff\\0": 1, "\\udcff": "x"})
    run.summary["\\ud800"] = "\\ud800"
    run.alert("\\ud800\\0", "\\ud800")
with wandb.init(project="even") as run:
    run.log({"loss": 1})
"""
    _run(tmp_path, script)
    assert {run.project: run.summary["loss"] for run in reader.runs().rows} == {"odd": 0.5, "even": 1}
    [odd] = reader.runs({"project": "odd"}).rows
    assert [alert.title for alert in reader.alerts(odd.uid)] in (["\\ud800\0"], ["\\ud800␀"])


def test_runs_beside_each_other_in_threads(tmp_path: Path, reader: Reader) -> None:
    assert _run(tmp_path, TWO_AT_ONCE).stderr == ""
    found = reader.runs(order="name").rows
    assert [run.name for run in found] == ["r0", "r1", "r2"]
    assert all(list(reader.history(run.uid)["x"].values) == list(range(50)) for run in found)


def test_whatever_a_script_logs_it_imports_no_database(tmp_path: Path) -> None:
    heavy = ("sqlalchemy", "pandas", "pyarrow", "duckdb", "numpy", "PIL", "alembic")
    script = (
        QUICKSTART + f"\nimport sys\nassert not set(sys.modules) & set({heavy!r}), set(sys.modules) & set({heavy!r})\n"
    )
    _run(tmp_path, script)
