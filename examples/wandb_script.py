"""A script written for wandb, unchanged but for its import: interrupted once, it goes on at the right step."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import weft as wandb


def train(checkpoint: Path, epochs: int, fails_at: int | None = None) -> str:
    state = (
        json.loads(checkpoint.read_text()) if checkpoint.exists() else {"id": wandb.util.generate_id(), "slope": 0.0}
    )
    wandb.init(project="example", name="wandb script", id=state["id"], resume="allow", config={"lr": 0.05})
    wandb.define_metric("loss", summary="min")
    slope = state["slope"]
    for epoch in range(wandb.run.step, epochs):
        if epoch == fails_at:
            wandb.finish(exit_code=1)
            return "interrupted"
        data = [(x / 10, 3 * x / 10) for x in range(1, 11)]  # y = 3 x
        slope -= wandb.config.lr * sum(2 * (slope * x - y) * x for x, y in data)
        wandb.log({"loss": sum((slope * x - y) ** 2 for x, y in data), "slope": slope})
        checkpoint.write_text(json.dumps({"id": wandb.run.id, "slope": slope}))
    wandb.save(str(checkpoint), policy="now")
    best = wandb.summary["loss"]["min"]
    wandb.finish()
    return f"slope {slope:.2f}, least loss {best:.4f}"


with TemporaryDirectory() as folder:
    place = Path(folder) / "checkpoint.json"
    print(train(place, epochs=8, fails_at=3))
    print(train(place, epochs=8))
