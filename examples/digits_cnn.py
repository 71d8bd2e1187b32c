"""A small convolutional network on scikit-learn's digits (8 x 8 pixels), from its first batch to production.

    pip install "weft[tables]" torch scikit-learn

Kept of it: the configuration, metrics by step and by epoch, gradients as histograms, pictures with what they were taken
for, the confusion matrix, every epoch's checkpoint as a version of an artifact. The best version is evaluated case by
case, linked into the registry, and becomes `production` only if that evaluation shows enough.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import weft

CONFIG = {"lr": 5e-3, "epochs": 8, "batch_size": 64, "channels": 16, "dropout": 0.1, "seed": 0}
REQUIRED = {"eval": "digits", "right": ">=0.95"}


def network(config: dict[str, Any]) -> nn.Sequential:
    channels = config["channels"]
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(config["dropout"]),
        nn.Linear(2 * channels * 2 * 2, 10),
    )


def data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures and digits, to train and to test."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    split = train_test_split(images, torch.tensor(digits.target), test_size=0.25, random_state=0)
    train_images, test_images, train_digits, test_digits = split
    return train_images, train_digits, test_images, test_digits


def train(folder: Path, images: Tensor, digits: Tensor, val_images: Tensor, val_digits: Tensor) -> str:
    """The name of the artifact whose alias `best` is on the best epoch's checkpoint."""
    torch.manual_seed(CONFIG["seed"])
    with weft.init(project="digits", name="cnn", job_type="train", config=CONFIG) as run:
        run.define_metric("epoch", hidden=True)
        run.define_metric("val/*", step_metric="epoch")  # drawn over epochs, the rest over steps
        run.define_metric("val/accuracy", step_metric="epoch", summary="max,last")
        model = network(CONFIG)
        run.watch(model, log="gradients", log_freq=20, log_graph=True)
        optimizer = torch.optim.AdamW(model.parameters(), lr=CONFIG["lr"])
        best = 0.0
        for epoch in range(CONFIG["epochs"]):
            model.train()
            for batch in torch.randperm(len(images)).split(CONFIG["batch_size"]):
                loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"train/loss": loss})
            model.eval()
            with torch.no_grad():
                scores = model(val_images)
            told = scores.argmax(1)
            accuracy = (told == val_digits).float().mean().item()
            run.log(
                {
                    "epoch": epoch,
                    "val/loss": nn.functional.cross_entropy(scores, val_digits),
                    "val/accuracy": accuracy,
                    "val/samples": [
                        weft.Image(picture, caption=f"{digit}, taken for {taken}")
                        for picture, digit, taken in zip(val_images[:8], val_digits[:8], told[:8], strict=True)
                    ],
                    "val/confusion": weft.plot.confusion_matrix(
                        y_true=val_digits, preds=told, class_names=[str(digit) for digit in range(10)]
                    ),
                }
            )
            torch.save(model.state_dict(), folder / "model.pt")
            checkpoint = weft.Artifact("digits-cnn", "model", metadata={"epoch": epoch, "val/accuracy": accuracy})
            checkpoint.add_file(folder / "model.pt")
            run.log_artifact(checkpoint, aliases=["best"] if accuracy > best else [])
            best = max(best, accuracy)
    return "digits/digits-cnn"


class Classifier(weft.Model):
    """A checkpoint that answers a picture. That it holds the version tells the registry what was evaluated."""

    version: Any
    network: Any

    def predict(self, image: list[list[float]]) -> int:
        with torch.no_grad():
            return int(self.network(torch.tensor(image)[None, None]).argmax())


def right(output: int, expected: int) -> bool:
    return output == expected


def release(name: str, images: Tensor, digits: Tensor, folder: Path) -> None:
    """Evaluate the best checkpoint, link it, and promote it through the gate."""
    best = weft.Api().artifact(f"{name}:best")
    model = network(CONFIG)
    model.load_state_dict(torch.load(best.file(folder / "best"), weights_only=True))
    model.eval()
    rows = [{"image": image[0].tolist(), "expected": int(digit)} for image, digit in zip(images, digits, strict=True)]
    evaluation = weft.Evaluation(weft.Dataset(rows, name="digits-test"), [right], name="digits", project="digits")
    print(evaluation.run(Classifier(version=best, network=model)))
    weft.link_artifact(best, "model/digits", aliases=["staging"])
    promotion = weft.promote("registry:model/digits:staging", to="production", require=REQUIRED, note="by the example")
    print(f"{promotion.source} is {promotion.alias} of {promotion.collection}")


if __name__ == "__main__":
    train_images, train_digits, test_images, test_digits = data()
    with TemporaryDirectory() as place:
        trained = train(Path(place), train_images, train_digits, test_images, test_digits)
        release(trained, test_images, test_digits, Path(place))
