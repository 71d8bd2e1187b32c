"""A home with something of everything, recorded through `import weft` as a user would: for pictures and for tests.

python tests/e2e/richhome.py HOME [STEPS]     then WEFT_HOME=HOME python tests/e2e/screenshots.py FOLDER
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import weft
from weft.tracking.store.access import open_store

PROJECT = "digits"
SCRIPT = "<script>window.pwned=1</script><img src=x onerror='window.pwned=2'>"
MARKDOWN = """## What a decorator is

A **decorator** is a function that takes a function and returns *another* one. `@op` is short for `f = op(f)`.

1. Python makes the function,
2. hands it to the decorator,
   - which may wrap it,
   - or give it back as it is,
3. and binds the name to what came back.

| form | means |
|---|---:|
| `@a` | `f = a(f)` |
| `@a(1)` | `f = a(1)(f)` |

> A function definition may be wrapped by one or more decorator expressions.

```python
@twice
def add(a, b):
    return a + b
```

More in [the reference](https://docs.python.org/3/reference/), ~~never~~ always. ![a picture](https://evil.example/p.png)
[run me](javascript:window.pwned=3) <b onclick="window.pwned=4">raw</b>"""
"""What a model answers with, and what must not run among it."""
PROGRAM = r"""
import os, subprocess, sys, time, weft
root = sys.argv[1]
print("\x1b[1mtraining\x1b[0m digits on \x1b[36mcpu\x1b[0m")
with weft.init(project="digits", id="talks", name="talkative-loris-2", tags=["console"], save_code=True) as run:
    for epoch in range(3):
        for at in range(0, 101, 10):
            bar = "█" * (at // 5)
            sys.stderr.write(f"\repoch {epoch}: {at:3d}%|{bar:<20}| {at * 15}/1500 [00:0{at // 20}<00:01, 381it/s]")
            sys.stderr.flush()
            time.sleep(0.01)
        sys.stderr.write("\n")
        print(f"epoch {epoch}: \x1b[32mloss {1 / (epoch + 1):.4f}\x1b[0m, accuracy {0.8 + epoch / 20:.3f}")
        run.log({"loss": 1 / (epoch + 1)})
    print("\x1b[31;1mwarning\x1b[0m: 3 samples have no label")
    with open("notes.md", "w") as notes:
        notes.write("# Notes\n\nThe learning rate was too high.\n")
    weft.save("notes.md")
    time.sleep(2.5)
"""


def model_curves(run: weft.Run, steps: int, rate: float, draw: random.Random) -> None:
    """A loss with spikes and gaps, rates, and an accuracy by epoch whose axis is the epoch."""
    run.define_metric("val/*", step_metric="epoch", summary="max")
    run.define_metric("train/loss", summary="min")
    for step in range(steps):
        fade = math.exp(-6 * step / steps)
        loss = 0.2 + 2 * fade + draw.gauss(0, 0.05) + (3.0 if step in (steps // 3, steps // 2) else 0)
        if step % 997 == 5:
            loss = math.nan
        row = {"train/loss": loss, "train/lr": rate * (1 - step / steps), "train/grad_norm": draw.lognormvariate(0, 1)}
        if step % 400 == 0:
            row |= {
                "epoch": step // 400,
                "val/accuracy": 0.97 - 0.6 * fade + draw.gauss(0, 0.004),
                "val/loss": 0.25 + 1.8 * fade,
            }
        run.log(row)


def media(run: weft.Run, draw: np.random.Generator) -> None:
    """Something of every kind, at some steps."""
    across = np.linspace(0, 1, 96)
    for at in range(4):
        pictures = []
        for number in range(4):
            picture = (np.outer(across, np.roll(across, 24 * number)) * 255).astype(np.uint8)
            picture = np.stack([picture, np.flipud(picture), np.full_like(picture, 40 * at)], axis=-1)
            mask = np.zeros((96, 96), int)
            mask[20:60, 10 + 8 * at : 50 + 8 * at] = 1
            box = {
                "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6},
                "class_id": 3,
                "scores": {"p": 0.93},
            }
            pictures.append(
                weft.Image(
                    picture,
                    caption=f"sample {number}, predicted {draw.integers(10)}" if number else SCRIPT,
                    boxes={"predicted": {"box_data": [box], "class_labels": {3: "three"}}},
                    masks={"truth": {"mask_data": mask, "class_labels": {1: "ink"}}},
                )
            )
        run.log({"samples": pictures, "weights/conv1": weft.Histogram(draw.normal(at / 4, 1, 4000))})
    truth = list(draw.integers(0, 10, 300))
    guess = [int(value) if draw.random() < 0.9 else int(draw.integers(0, 10)) for value in truth]
    sure = draw.dirichlet(np.ones(3), 300)
    run.log(
        {
            "tone": weft.Audio(np.sin(np.arange(8000) / 8), 8000, caption="440 Hz, almost"),
            "report": weft.Html(f"<h3>Report</h3><p>All well.</p>{SCRIPT}"),
            "cloud": weft.Object3D(draw.normal(size=(400, 3))),
            "confusion": weft.plot.confusion_matrix(
                y_true=[int(value) for value in truth], preds=guess, class_names=[str(at) for at in range(10)]
            ),
            "roc": weft.plot.roc_curve([value % 3 for value in guess], sure.tolist(), labels=["a", "b", "c"]),
            "note": "the best checkpoint is step 12,400",
        }
    )


def tables(run: weft.Run, draw: np.random.Generator) -> None:
    """Predictions, logged again as they get better, with a picture in every row."""
    for at in range(3):
        table = weft.Table(columns=["id", "image", "truth", "guess", "sure", SCRIPT])
        for number in range(40):
            picture = draw.integers(0, 255, (16, 16), dtype=np.uint8)
            table.add_data(f"d-{number:03d}", weft.Image(picture), number % 10, (number + at) % 10, draw.random(), "x")
        run.log({"predictions": table})


def checkpoint(run: weft.Run, at: int, folder: Path, **more: object) -> weft.Artifact:
    """A version of the model, weights and card."""
    made = weft.Artifact("digits-cnn", "model", "A small network for digits", metadata={"epoch": at, **more})
    (folder / "weights.bin").write_bytes(random.Random(at).randbytes(60_000))
    made.add_file(str(folder / "weights.bin"), name="weights/model.bin")
    with made.new_file("card.md") as card:
        card.write(f"# digits-cnn\n\nEpoch {at}.\n")
    return run.log_artifact(made, aliases=["best"] if at == 2 else [], tags=["cnn"])


@weft.op(name="lookup", kind="tool")
def lookup(topic: str) -> str:
    """A tool."""
    return f"{topic}: see the reference. \x1b[31mred\x1b[0m \u202egnirts"


@weft.op(name="chat", kind="llm")
def chat(model: str, messages: list[dict[str, object]]) -> dict[str, object]:
    """A model's answer in the common shape."""
    return {"choices": [{"message": {"role": "assistant", "content": MARKDOWN}}]}


@weft.op(name="answer", kind="agent")
def answer(question: str, picture: object = None) -> str:
    """An agent's call."""
    lookup("decorators")
    content = [{"type": "text", "text": question}, {"type": "image", "image": picture}]
    chat("tiny-1", [{"role": "system", "content": "Be **brief**."}, {"role": "user", "content": content}])
    return MARKDOWN


@weft.scorer
def right(output: object, expected: object) -> bool:
    """Whether it is the same number."""
    return output == expected


def evaluation(version: weft.Artifact, share: float) -> None:
    """Of a version of the model."""
    rows = [{"number": at, "expected": at} for at in range(60)]

    def guess(number: int) -> int:
        return number if number < 60 * share else -1

    weft.Evaluation(rows, [right], name="digits-eval").run(guess, uses=[version])


def training(folder: Path, steps: int) -> None:
    """Two runs that go on and one that breaks, the second's model linked and promoted."""
    draw, dice = random.Random(3), np.random.default_rng(3)
    with weft.init(project=PROJECT, id="prepare", name="prepare", job_type="prepare") as run:
        data = weft.Artifact("digits-data", "dataset", metadata={"rows": 1797})
        data.add(weft.Table(columns=["id", "label"], data=[[at, at % 10] for at in range(200)]), "labels")
        run.log_artifact(data)
    for number, rate in enumerate((1e-3, 3e-4)):
        with weft.init(
            project=PROJECT,
            id=f"cnn-{number}",
            name=("brisk-heron-7", "calm-otter-8")[number],
            group="sweep-1",
            tags=["cnn", "baseline"] if not number else ["cnn"],
            notes="The first one that beats logistic regression." if number else None,
            config={"lr": rate, "batch_size": 64, "optimizer": "adamw", "model": {"layers": 4, "width": 256}},
        ) as run:
            run.use_artifact("digits-data:latest", use_as="training data")
            model_curves(run, steps, rate, draw)
            media(run, dice)
            tables(run, dice)
            run.alert("Loss spiked", f"3.1 at step {steps // 3}; {SCRIPT}", level=weft.AlertLevel.WARN)
            run.summary["best/epoch"] = 31
            for at in range(3 if number else 1):
                version = checkpoint(run, at, folder, lr=rate)
            version.wait()
            linked = run.link_artifact(version, "model/digits", aliases=["staging"])
        evaluation(version, 0.9 + number / 20)
    weft.promote(linked, "model/digits", require={"eval": "digits-eval", "right": ">=0.9"}, note="Good enough")
    try:
        with weft.init(project=PROJECT, id="cnn-2", name="loud-finch-9", group="sweep-1", config={"lr": 1.0}) as run:
            for step in range(60):
                run.log({"train/loss": 2.0**step})
            run.alert("Diverged", "The loss is not finite", level="ERROR")
            raise RuntimeError("CUDA out of memory: tried to allocate 2.4 GiB")
    except RuntimeError:
        pass
    with weft.init(project=PROJECT, id="nothing", name="nothing-logged"):
        pass
    with weft.init(
        project=PROJECT, id="wide", name="wide-yak-4", config={f"option_{at}": at for at in range(60)}
    ) as run:
        for step in range(50):
            run.log({f"layer_{at // 10}/{('weight', 'bias')[at % 2]}_{at % 10}": step * at % 17 for at in range(200)})
    with weft.init(
        project="hostile", id="hostile", name=SCRIPT, tags=[SCRIPT[:60]], notes=SCRIPT, group="**g**"
    ) as run:
        run.log({SCRIPT: 1.0, "../../up": 2.0, "**bold** $x$": 3.0, "a" * 120: 4.0, "\x1b[31mred": 5.0})
        run.alert(SCRIPT, SCRIPT)


def traces() -> None:
    """Chats in markdown with a picture, of one conversation."""
    with weft.thread("chat-1", user_id="ada"):
        for at in range(6):
            picture = weft.Image(np.full((40, 60, 3), 40 * at, np.uint8))
            answer(("how do decorators work?", "and **classes**?")[at % 2], picture)


def rich(home: Path, steps: int = 20_000) -> None:
    """Fill a home and take it in."""
    folder = home.parent / "richwork"
    folder.mkdir(parents=True, exist_ok=True)
    weft.configure(home=home, project=PROJECT)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home)], cwd=folder, env=_env(home), check=True, capture_output=True
    )
    training(folder, steps)
    traces()
    weft.flush()
    open_store().close()


def _env(home: Path) -> dict[str, str]:
    return {**os.environ, "WEFT_HOME": str(home), "WEFT_SYSTEM_INTERVAL": "0.5"}


if __name__ == "__main__":
    started = time.time()
    rich(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
    print(f"{time.time() - started:.0f} s")
