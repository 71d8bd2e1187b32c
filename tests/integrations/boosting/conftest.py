"""Data, a run, and what the store has of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

import weft
from weft.tracking.api.storedrun import StoredRun
from weft.tracking.media.chart import Chart
from weft.tracking.runs.run import Run

Split = tuple[Any, Any, Any, Any]


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    with weft.init("boosted") as running:
        yield running


@pytest.fixture
def stored(run: Run) -> Callable[[], StoredRun]:
    """The run as `weft.Api()` has it now."""
    return lambda: weft.Api().run(run.path)


@pytest.fixture
def chart(run: Run) -> Callable[[str], Chart]:
    """The last chart of that name."""

    def read(key: str) -> Chart:
        found = weft.Api().media(run.path, key)[-1].medium
        assert isinstance(found, Chart)
        return found

    return read


@pytest.fixture
def two_classes() -> Split:
    """Features and labels to train and to test; four of six features say something."""
    features, labels = make_classification(n_samples=300, n_features=6, n_informative=4, random_state=0)
    return tuple(train_test_split(features, labels, random_state=0))  # type: ignore[return-value]


@pytest.fixture
def line() -> Split:
    """Numbers that depend on the first of three features."""
    features = np.random.default_rng(0).normal(size=(200, 3))
    return tuple(train_test_split(features, 3 * features[:, 0] + 1, random_state=0))  # type: ignore[return-value]
