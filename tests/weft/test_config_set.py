"""`wandb.config = {...}`, as wandb's first tutorials had it: there it is lost, here it is the run's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import weft


@pytest.fixture(autouse=True)
def _ended(home: Path) -> Iterator[None]:
    yield
    weft.finish()


def test_it_is_recorded_with_the_run_and_hides_no_runs_config() -> None:
    run = weft.init(project="set", config={"lr": 1, "kept": True})
    weft.config = {"lr": 2, "epochs": 3}  # type: ignore[assignment]
    assert weft.config is run.config
    assert weft.config.epochs == 3
    run.finish()
    with weft.init(project="set"):
        assert dict(weft.config) == {}
    with weft.Api() as api:
        assert api.run(f"set/{run.id}").config == {"lr": 2, "kept": True, "epochs": 3}


def test_before_a_run_it_is_the_next_ones_unless_that_is_told_another() -> None:
    weft.config = {"lr": 1}  # type: ignore[assignment]
    assert weft.config == {"lr": 1}
    with weft.init(project="set", config=weft.config) as run:
        assert dict(run.config) == {"lr": 1}
    weft.config = {"lr": 2}  # type: ignore[assignment]
    with weft.init(project="set") as run:
        assert dict(run.config) == {"lr": 2}
    weft.config = {"lr": 3}  # type: ignore[assignment]
    with weft.init(project="set", config={"lr": 4}) as run:
        assert dict(run.config) == {"lr": 4}
    with weft.init(project="set") as run:
        assert dict(run.config) == {}


def test_what_is_no_config_is_said_at_once() -> None:
    weft.init(project="set")
    with pytest.raises(TypeError, match="expected a dict or a namespace"):
        weft.config = 3  # type: ignore[assignment]
