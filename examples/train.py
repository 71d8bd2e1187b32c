"""A training run: metrics by step, a config, a summary, an artifact. Here: gradient descent on a line, by hand."""

import random
import tempfile
from pathlib import Path

import weft

if __name__ == "__main__":
    random.seed(0)
    points = [(x, 3 * x + 1 + random.gauss(0, 0.1)) for x in [i / 50 for i in range(50)]]
    config = {"lr": 0.3, "steps": 120}
    with weft.init("line", name="gradient-descent", config=config) as run, tempfile.TemporaryDirectory() as folder:
        slope = offset = 0.0
        for step in range(config["steps"]):
            errors = [(slope * x + offset - y, x) for x, y in points]
            slope -= config["lr"] * 2 * sum(error * x for error, x in errors) / len(points)
            offset -= config["lr"] * 2 * sum(error for error, _ in errors) / len(points)
            run.log({"loss": sum(error * error for error, _ in errors) / len(points), "slope": slope}, step=step)
        file = Path(folder) / "line.txt"
        file.write_text(f"{slope} {offset}\n")
        model = weft.Artifact("line", type="model", metadata={"slope": slope})
        model.add_file(file)
        run.log_artifact(model)
        run.summary["offset"] = offset
    print(f"y = {slope:.2f} x + {offset:.2f}")
