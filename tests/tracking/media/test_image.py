"""Images of arrays, tensors, pictures, figures and files; what is drawn over them; nothing of the source is kept."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import weft
from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.home import Home
from weft.tracking.media import Image, restore


class Tensor:
    """As torch's look: channels first, `detach` and `cpu`, numbers by `__array__`."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.shape, self.dtype = self._values.shape, self._values.dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def tolist(self) -> Any:
        return self._values.tolist()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._values


def png(width: int = 5, height: int = 3, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(image: Image) -> Any:
    return np.asarray(image.image)


@pytest.mark.parametrize(
    ("shape", "mode"), [((4, 6), "L"), ((4, 6, 1), "L"), ((4, 6, 2), "LA"), ((4, 6, 3), "RGB"), ((4, 6, 4), "RGBA")]
)
def test_an_array_is_height_width_channels(shape: tuple[int, ...], mode: str) -> None:
    image = Image(np.zeros(shape, np.uint8))
    assert (image.width, image.height, image.image.mode, image.media_type) == (6, 4, mode, "image/png")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([[0.0, 0.5, 1.0]], [[0, 127, 255]]),
        ([[-1.0, 0.0, 1.0]], [[0, 127, 255]]),
        ([[0.0, 128.0, 300.0]], [[0, 128, 255]]),
        ([[-5, 7, 255]], [[0, 7, 255]]),
        ([[False, True]], [[0, 255]]),
        ([[np.nan, np.inf, 0.0]], [[0, 255, 0]]),
        ([[0.5, np.inf, -np.inf]], [[127, 255, 0]]),
        ([[np.nan, np.nan]], [[0, 0]]),
        (np.array([[0, 257, 65535]], np.uint16), [[0, 1, 255]]),
        (np.array([[0, 7, 255]], np.uint16), [[0, 7, 255]]),
    ],
)
def test_numbers_are_spread_to_white_by_their_range(values: Any, shown: Any) -> None:
    assert pixels(Image(np.array(values))).tolist() == shown


def test_large_images_are_turned_strip_by_strip_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((50, 7, 3))
    whole = pixels(Image(values))
    monkeypatch.setattr("weft.tracking.media.pixels._STRIP", 40)
    assert (pixels(Image(values)) == whole).all()
    assert (whole == (values * 255).astype(np.uint8)).all()


def test_one_image_in_more_axes_than_it_needs_is_that_image() -> None:
    assert Image(np.zeros((1, 4, 6))).image.mode == "L"
    assert Image(np.zeros((1, 4, 6, 3))).image.mode == "RGB"
    assert Image(np.zeros((1, 6, 3))).image.size == (6, 1), "a row of colours"
    with pytest.raises(UsageError, match=r"channels first\? numpy\.moveaxis"):
        Image(np.zeros((3, 8, 8)))
    with pytest.raises(UsageError, match=r"channels last\? tensor\.movedim"):
        Image(Tensor(np.zeros((8, 8, 3))))


@pytest.mark.parametrize(
    ("mode", "values", "shown"),
    [
        ("F", [[0.0, 0.5, 1.0]], [[0, 127, 255]]),
        ("I", [[0, 7, 255]], [[0, 7, 255]]),
        ("I", [[0, 300, 65535]], [[0, 300, 65535]]),
        ("I", [[-5, 300, 1 << 20]], [[0, 255, 255]]),
    ],
)
def test_pillows_numbers_are_no_black_squares(mode: str, values: Any, shown: Any) -> None:
    picture = Pillow.fromarray(np.array(values, "float32" if mode == "F" else "int32"))
    assert picture.mode == mode
    assert pixels(Image(picture)).tolist() == shown


def test_sixteen_bits_are_kept_where_the_file_has_room_and_halved_elsewhere() -> None:
    picture = Pillow.fromarray(np.array([[0, 257, 65535]], "uint16"))
    assert pixels(Image(picture)).tolist() == [[0, 257, 65535]]
    assert pixels(Image(picture, file_type="bmp")).tolist() == [[0, 1, 255]]


def test_numbers_are_taken_as_they_are_where_that_is_asked() -> None:
    assert pixels(Image(np.array([[0, 1]]), normalize=False)).tolist() == [[0, 1]]


def test_a_tensor_is_channels_first_and_a_batch_becomes_one_grid() -> None:
    one = Image(Tensor(np.full((3, 4, 6), 9, np.uint8)), normalize=False)
    assert (one.width, one.height, one.image.mode) == (6, 4, "RGB")
    many = Image(Tensor(np.full((10, 1, 4, 6), 9, np.uint8)))
    assert (many.width, many.height) == (8 * 6 + 7 * 2, 2 * 4 + 2)
    assert Image(Tensor(np.zeros((4, 6)))).image.mode == "L"


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (4, 6, 7), (0, 4), ()])
def test_other_shapes_are_refused_with_the_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"shape .*channels"):
        Image(np.zeros(shape))


def test_words_are_no_pixels() -> None:
    with pytest.raises(UsageError, match="real numbers"):
        Image(np.array([["a", "b"]]))


@pytest.mark.parametrize("form", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tiff"])
def test_every_file_type_is_written_and_read_back(form: str) -> None:
    image = Image(np.zeros((4, 6, 4), np.uint8), file_type=form)
    assert image.image.size == (6, 4)
    assert image.extension == form
    with pytest.raises(UsageError, match="file_type"):
        Image(np.zeros((4, 6)), file_type="exe")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F", "LA", "YCbCr"])
def test_every_mode_of_pillow_becomes_a_file(mode: str) -> None:
    assert Image(Pillow.new(mode, (6, 4))).image.size == (6, 4)


def test_mode_turns_it_into_another_and_a_wrong_one_is_told() -> None:
    assert Image(np.zeros((4, 6, 3), np.uint8), mode="L").image.mode == "L"
    with pytest.raises(UsageError, match="mode"):
        Image(np.zeros((4, 6)), mode="nonsense")


def test_a_path_and_bytes_keep_the_files_own_bytes(tmp_path: Path) -> None:
    data = png()
    (tmp_path / "a.png").write_bytes(data)
    for made in (
        Image(tmp_path / "a.png"),
        Image(str(tmp_path / "a.png")),
        Image(data),
        Image(weft.Content.from_bytes(data)),
        Image(io.BytesIO(data)),
    ):
        assert made.bytes() == data
        assert (made.width, made.height, made.media_type) == (5, 3, "image/png")
    (tmp_path / "a.png").write_bytes(b"changed")
    assert made.bytes() == data


def test_an_image_of_an_image_keeps_what_is_not_said_anew() -> None:
    first = Image(np.zeros((4, 6)), caption="a", masks={"m": {"mask_data": np.zeros((4, 6), int)}}, grouping=2)
    assert Image(first) == first
    assert Image(first, caption="b").caption == "b"


@pytest.mark.parametrize("given", ["no.png", Path("no.jpg"), b"no image", "text", 7, None, object(), [1, 2]])
def test_what_is_no_image_is_told_at_the_call(given: Any, tmp_path: Path) -> None:
    with pytest.raises((UsageError, TypeError), match="Image"):
        Image(given)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=r"\.png.*'a\.txt'"):
        Image(tmp_path / "a.txt")


@pytest.mark.parametrize("data", [b"", b"no picture", b"ID3 music"])
def test_a_file_that_only_has_the_name_of_an_image_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UsageError, match=f"a.png.*{len(data)} bytes that begin as no image does"):
        Image(tmp_path / "a.png")
    with pytest.raises(UsageError, match="which is a folder"):
        Image(tmp_path)


def test_nothing_holds_the_array_or_the_tensor_afterwards() -> None:
    array, tensor = np.zeros((4, 6)), Tensor(np.zeros((3, 4, 6)))
    watched = [weakref.ref(array), weakref.ref(tensor)]
    made = [Image(array), Image(tensor)]
    del array, tensor
    assert [ref() for ref in watched] == [None, None]
    assert all(image.bytes() for image in made)


def test_boxes_are_kept_as_they_were_given() -> None:
    boxes = {
        "predictions": {
            "box_data": [
                {"position": {"minX": 0.1, "maxX": 0.2, "minY": np.float32(0.5), "maxY": 1}, "class_id": np.int64(1)},
                {
                    "position": {"middle": [3, 4], "width": 2, "height": 1},
                    "domain": "pixel",
                    "box_caption": "a",
                    "scores": {"p": 0.5},
                },
            ],
            "class_labels": {1: "cat"},
        }
    }
    image = Image(np.zeros((4, 6)), boxes=boxes)
    assert restore(image.record()) == image
    assert image.boxes["predictions"]["box_data"][0] == {
        "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.5, "maxY": 1},
        "class_id": 1,
    }
    assert image.boxes["predictions"]["class_labels"] == {"1": "cat"}


@pytest.mark.parametrize(
    "box",
    [
        "box",
        {},
        {"position": {"minX": 0}},
        {"position": {"middle": [1], "width": 1, "height": 1}},
        {"position": {"minX": "a", "maxX": 1, "minY": 0, "maxY": 1}},
        {"position": {"minX": float("nan"), "maxX": 1, "minY": 0, "maxY": 1}},
        {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": "cat"},
        {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "box_caption": 3},
        {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "scores": [1]},
        {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "domain": "percent"},
    ],
)
def test_a_wrong_box_is_told_with_its_place(box: Any) -> None:
    with pytest.raises((UsageError, TypeError)):
        Image(np.zeros((4, 6)), boxes={"b": {"box_data": [box]}})


def test_masks_are_png_blobs_of_class_numbers(tmp_path: Path) -> None:
    data = np.array([[0, 1, 2], [255, 1, 0]])
    image = Image(np.zeros((2, 3)), masks={"truth": {"mask_data": data, "class_labels": {1: "road"}}})
    blobs = Blobs(Home(tmp_path / "home"))
    record = image.record(blobs.put)
    found = restore(record, blobs)
    assert isinstance(found, Image)
    assert np.asarray(Pillow.open(io.BytesIO(found.masks["truth"].data))).tolist() == data.tolist()
    assert found.masks["truth"].class_labels == {"1": "road"}
    lists = Image(np.zeros((2, 3)), masks={"truth": {"mask_data": data.tolist(), "class_labels": {1: "road"}}})
    assert lists == image
    floats = Image(np.zeros((2, 3)), masks={"truth": {"mask_data": data.astype(float), "class_labels": {1: "road"}}})
    assert floats == image
    (tmp_path / "mask.png").write_bytes(found.masks["truth"].data)
    by_path = Image(np.zeros((2, 3)), masks={"truth": {"path": tmp_path / "mask.png", "class_labels": {1: "road"}}})
    assert by_path == image


@pytest.mark.parametrize(
    "mask",
    [
        "mask",
        {},
        {"mask_data": np.zeros((2, 3, 1), int)},
        {"mask_data": np.full((2, 3), 0.5)},
        {"mask_data": np.full((2, 3), np.nan)},
        {"mask_data": np.full((2, 3), 256)},
        {"mask_data": np.full((2, 3), -1)},
        {"mask_data": np.zeros((3, 3), int)},
        {"mask_data": [[1], [2, 3]]},
        {"mask_data": "text"},
        {"path": "no.png"},
        {"mask_data": np.zeros((2, 3), int), "class_labels": {"road": 1}},
    ],
)
def test_a_wrong_mask_is_told(mask: Any) -> None:
    with pytest.raises((UsageError, TypeError)):
        Image(np.zeros((2, 3)), masks={"m": mask})


def test_classes_are_numbers_with_names() -> None:
    classes = weft.Classes([{"id": 0, "name": "road"}, {"id": 1, "name": "car"}])
    image = Image(np.zeros((2, 3)), classes=classes)
    found = restore(image.record())
    assert isinstance(found, Image)
    assert found.classes == classes
    with pytest.raises(UsageError, match="id"):
        weft.Classes([{"name": "road"}])


def test_files_need_no_pillow_and_arrays_say_the_pip_line(tmp_path: Path) -> None:
    """In a process where neither Pillow nor numpy can be imported."""
    (tmp_path / "a.png").write_bytes(png())
    script = f"""
import sys
sys.modules["PIL"] = None
from weft.tracking.media import Image
image = Image({str(tmp_path / "a.png")!r})
assert (image.width, image.height) == (5, 3), image
assert "numpy" not in sys.modules
import numpy
try:
    Image(numpy.zeros((2, 2)))
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'pip install "weft[tables]"' in done.stdout


def test_a_very_long_side_is_kept_and_said(caplog: pytest.LogCaptureFixture) -> None:
    image = Image(np.zeros((1, 65_501), np.uint8))
    assert image.image.size == (65_501, 1)
    assert "65501" in caplog.text


def test_saved_it_is_the_same_file(tmp_path: Path) -> None:
    image = Image(np.zeros((4, 6)))
    assert image.save(tmp_path / "a.png").read_bytes() == image.bytes()
    assert image.save(tmp_path).name == f"{image.digest[:20]}.png"


def test_matplotlib_figures_axes_and_pyplot_are_pictures() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    assert Image(figure) == Image(axes) == Image(pyplot)
    pyplot.close(figure)
    gc.collect()
