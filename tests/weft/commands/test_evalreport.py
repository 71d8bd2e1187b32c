"""The summary of an evaluation in the terminal."""

from __future__ import annotations

from rich.console import Console

from weft.commands.evalreport import summary_view


def test_labels_beside_a_mean_are_told() -> None:
    """The row counts what the mean is of; the labels have a line of their own."""
    found = {"mean": 1.0, "ci": [0.34, 1.0], "n": 2, "n_errors": 0, "n_unscored": 0, "binary": True}
    console = Console(width=100)
    with console.capture() as shown:
        console.print(summary_view("mixed", {"mix": found | {"labels": {"so-so": 1}}}))
    assert "mix also gave labels: so-so 1" in shown.get()
