"""What `log()` makes of values that are no numbers (wandb's rules), and that it keeps nothing of them."""

from __future__ import annotations

import enum
import gc
import weakref
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from weft.tracking.media import Histogram, Image, Plotly
from weft.tracking.media.conversion import converted
from weft.tracking.payloads.encoding import Tagged


class Tensor:
    """As torch's look, of half precision or on a device that is gone."""

    def __init__(self, values: Any, *, dtype: str | None = None, dead: bool = False) -> None:
        self._values = np.asarray(values)
        self.shape, self.dtype = self._values.shape, dtype or self._values.dtype
        self._dead = dead

    def numel(self) -> int:
        return int(self._values.size)

    def item(self) -> Any:
        return self.cpu()._values.item()

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        if self._dead:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return self

    def float(self) -> Tensor:
        return Tensor(self._values)

    def tolist(self) -> Any:
        return self.cpu()._values.tolist()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.cpu()._values


def made_of(value: Any) -> Any:
    faults: list[Any] = []
    found = converted(value, faults)
    assert not faults
    return found


@pytest.mark.parametrize("make", [np.array, Tensor])
def test_arrays_of_at_most_32_are_lists_and_larger_ones_histograms(make: Any) -> None:
    assert made_of(make([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert made_of(make(np.arange(32))) == list(range(32))
    assert made_of(make(np.arange(33))) == Histogram(list(range(33)))
    assert made_of(make(np.zeros((0,)))) == []


def test_half_precision_and_what_numpy_has_not() -> None:
    assert made_of(np.array([0.5, np.nan], np.float16))[0] == 0.5
    assert sum(made_of(np.full(40, 0.5, np.float16)).histogram) == 40
    assert sum(made_of(Tensor(np.full(40, 0.5), dtype="torch.bfloat16")).histogram) == 40


def test_arrays_of_words_and_complex_numbers_stay_whole() -> None:
    words = np.array(["a"] * 40)
    assert made_of(words) is words
    assert made_of(np.array([1j] * 3)) == [1j] * 3


@pytest.mark.parametrize("count", [1, 5, 100])
def test_a_tensor_on_a_dead_device_is_marked_and_told(count: int) -> None:
    faults: list[Any] = []
    found = converted(Tensor(np.zeros(count), dead=True), faults)
    assert found == Tagged(
        "unrecorded",
        {"cause": "RuntimeError while trying to read a logged array", "type": f"{Tensor.__module__}.Tensor"},
    )
    [(what, error)] = faults
    assert (what, str(error)) == ("read a logged array", "CUDA error: device-side assert triggered")


@pytest.mark.parametrize("dead", [False, True])
def test_nothing_holds_the_tensor_afterwards(dead: bool) -> None:
    gc.disable()  # a cycle would be freed by the collector only, and could be a gigabyte
    try:
        tensor = Tensor(np.zeros(100), dead=dead)
        watched = weakref.ref(tensor)
        faults: list[Any] = []
        found = converted(tensor, faults)
        del tensor
        assert watched() is None
        assert found is not None
    finally:
        gc.enable()


def test_pictures_and_figures_become_media() -> None:
    picture = Pillow.new("RGB", (3, 2))
    assert made_of(picture) == Image(picture)
    assert made_of([picture, 3, "x"]) == [Image(picture), 3, "x"]


def test_figures_become_media() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    assert made_of(figure) == made_of(pyplot) == made_of(axes) == Image(figure)
    pyplot.close(figure)
    graph = pytest.importorskip("plotly.graph_objects")
    assert isinstance(made_of(graph.Figure()), Plotly)


def test_a_picture_that_cannot_be_written_is_marked() -> None:
    faults: list[Any] = []
    found = converted(Pillow.new("RGB", (0, 0)), faults)
    assert isinstance(found, Tagged)
    assert faults[0][0] == "keep a logged image"


def test_plain_values_stay_and_enum_members_are_their_names() -> None:
    class Colour(enum.Enum):
        RED = 1

    assert made_of(Colour.RED) == "RED"
    for value in ("text", b"bytes", None, [1, 2, "x"], (1, 2), {1, 2}, object, Colour):
        assert made_of(value) is value


def test_columns_of_data_frames_are_no_arrays() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(range(100))
    assert made_of(series) is series
