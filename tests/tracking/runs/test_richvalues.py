"""What `log()` records besides numbers: media in the blobs before the frame, paths within the run, nothing raised."""

from __future__ import annotations

import dataclasses
import enum
import math
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import weft
from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.journal.records import MetricsLogged, Record
from weft.tracking.media import Histogram, Html, Image, revived
from weft.tracking.payloads.encoding import Tagged, decode
from weft.tracking.runs.richvalues import media_path
from weft.tracking.settings import Settings

Journaled = Callable[[], list[Record]]


def rich(journaled: Journaled) -> dict[str, Any]:
    """All that was logged besides numbers."""
    found: dict[str, Any] = {}
    for record in journaled():
        if isinstance(record, MetricsLogged) and record.rich is not None:
            found |= decode(record.rich)
    return found


@pytest.fixture
def lenient(home: Path) -> Path:
    """The same home, where trouble is told and not raised."""
    runtime.configure(Settings.resolve(home=home, strict=False))
    return home


def test_a_medium_is_in_the_blobs_and_its_record_names_it(home: Path, journaled: Journaled) -> None:
    image = Image(np.zeros((4, 6)), caption="x")
    with weft.init(project="p") as run:
        run.log({"val": {"sample": image}}, step=7)
    record = rich(journaled)["val.sample"]
    assert record == {**image.record(), "path": f"media/images/val.sample_7_{image.digest[:20]}.png"}
    assert Blobs(runtime.active().home).read(image.digest) == image.bytes()
    assert revived(record) == image


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("../../evil", "evil"),
        ("a////b", "a_b"),
        ("a:b*c", "a_b_c"),
        ("..\\..\\evil", "evil"),
        ("/etc/hosts", "etc_hosts"),
        ("C:\\x", "C_x"),
        ("\0\x1b[31m", "31m"),
        ("....", "media"),
        ("ключ", "ключ"),
        ("\ud800", "media"),
        ("k" * 5000, "k" * 100),
    ],
)
def test_a_key_never_leads_out_of_the_run_and_is_shown_as_it_is(
    home: Path, journaled: Journaled, key: str, name: str
) -> None:
    """wandb.md, test case 16."""
    with weft.init(project="p") as run:
        run.log({key: Image(np.zeros((4, 6)))})
    [(shown, record)] = rich(journaled).items()
    assert shown == key.encode("utf-8", "backslashreplace").decode()
    assert record["path"] == f"media/images/{name}_0_{record['digest'][:20]}.png"


@settings(deadline=None)  # other processes may have the processor
@given(st.text(), st.integers(-(2**63), 2**63 - 1))
def test_any_key_is_one_file_name_below_its_folder(key: str, step: int) -> None:
    path = media_path("images", key, step, "a" * 64, "png")
    folder, _, name = path.rpartition("/")
    assert folder == "media/images"
    assert not name.startswith(".")
    assert "\\" not in name
    assert ":" not in name
    assert name.isprintable()
    assert len(name.encode()) < 200


def test_a_list_of_media_is_one_batch_and_none_is_cut(home: Path, journaled: Journaled) -> None:
    images = [Image(np.full((4, 6), at / 200), caption=str(at)) for at in range(120)]
    with weft.init(project="p") as run:
        run.log({"samples": images})
    record = rich(journaled)["samples"]
    assert (record["_type"], record["count"]) == ("images/separated", 120)
    assert revived(record) == images


def test_unequal_sizes_are_kept_and_told_once(
    lenient: Path, journaled: Journaled, caplog: pytest.LogCaptureFixture
) -> None:
    images = [Image(np.zeros((4, 6))), Image(np.zeros((5, 5)))]
    with weft.init(project="p") as run:
        for _ in range(3):
            run.log({"samples": images})
        run.log({"mixed": [images[0], Html("<p>")]})
    found = rich(journaled)
    assert revived(found["samples"]) == images
    assert revived(found["mixed"]) == [images[0], Html("<p>")]
    assert caplog.text.count("one size for a list of images") == 1
    assert caplog.text.count("different media") == 1


def test_values_become_what_wandb_makes_of_them(home: Path, journaled: Journaled) -> None:
    class Colour(enum.Enum):
        RED = 1

    @dataclasses.dataclass
    class Point:
        x: float
        name: str

    with weft.init(project="p") as run:
        run.log(
            {
                "one": np.array([[3]]),
                "half": np.float16(0.5),
                "few": np.arange(3),
                "many": np.arange(100),
                "set": {3, 1},
                "tuple": (1, "x"),
                "nan": [math.nan, 1.0],
                "colour": Colour.RED,
                "point": Point(1.5, "p"),
                "picture": Pillow.new("L", (3, 2)),
            }
        )
    logged = [record for record in journaled() if isinstance(record, MetricsLogged)]
    assert logged[0].values == {"one": 3.0, "half": 0.5, "point.x": 1.5}
    found = {key: revived(value) for key, value in rich(journaled).items()}
    assert math.isnan(found.pop("nan")[0])
    assert found == {
        "few": [0, 1, 2],
        "many": Histogram(list(range(100))),
        "set": [1, 3],
        "tuple": [1, "x"],
        "colour": "RED",
        "point.name": "p",
        "picture": Image(Pillow.new("L", (3, 2))),
    }


def test_media_within_other_values_are_kept_too(home: Path, journaled: Journaled) -> None:
    image = Image(np.zeros((4, 6)))
    with weft.init(project="p") as run:
        run.log({"a": [{"b": image}], "content": weft.Content.from_bytes(b"x" * 2000)})
    assert revived(rich(journaled)["a"]) == [{"b": image}]
    assert rich(journaled)["content"].data == b"x" * 2000


def test_nothing_holds_what_was_logged(home: Path) -> None:
    """wandb #354: tensors kept alive by log."""
    array = np.zeros((40, 40, 3))
    watched = weakref.ref(array)
    with weft.init(project="p") as run:
        run.log({"image": Image(array), "weights": array, "list": [array], "batch": [Image(array)]})
        del array
        assert watched() is None


class Dead:
    """A tensor whose device is gone."""

    shape, dtype = (1,), "float32"

    def numel(self) -> int:
        return 1

    def item(self) -> float:
        raise RuntimeError("CUDA error")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("CUDA error")

    def __repr__(self) -> str:
        raise RuntimeError("CUDA error")


def test_a_dead_tensor_is_marked_and_the_rest_is_recorded(
    lenient: Path, journaled: Journaled, caplog: pytest.LogCaptureFixture
) -> None:
    with weft.init(project="p") as run:
        run.log({"dead": Dead(), "loss": 0.5, "list": [Dead()]})
    found = rich(journaled)
    assert isinstance(found["dead"], Tagged)
    assert found["dead"].kind == "unrecorded"
    assert "CUDA error" in caplog.text
    assert "repr raised" in str(found["list"])
    assert any(isinstance(record, MetricsLogged) and record.values == {"loss": 0.5} for record in journaled())


def test_a_disk_that_takes_no_blob_leaves_a_marker(
    lenient: Path, journaled: Journaled, caplog: pytest.LogCaptureFixture
) -> None:
    with weft.init(project="p") as run:
        blobs = Path(runtime.active().home.blobs)
        run.log({"first": Image(np.zeros((4, 6)))})
        for path in blobs.iterdir():
            for each in path.iterdir():
                each.unlink()
            path.rmdir()
        blobs.rmdir()
        blobs.write_text("a file in its place")
        run.log({"image": Image(np.ones((4, 6))), "loss": 0.5})
    assert rich(journaled)["image"].kind == "unrecorded"
    assert "keep a logged medium" in caplog.text


def test_secrets_leave_captions_keys_and_pages(home: Path, journaled: Journaled) -> None:
    secret = "sk-live-abcdefghijklmnopqrstuvwxyz123456"
    with weft.init(project="p") as run:
        run.log(
            {
                f"image {secret}": Image(np.zeros((4, 6)), caption=secret),
                "page": Html(f"<p>{secret}"),
                "api_key": "hush-hush",
            }
        )
    found = rich(journaled)
    assert secret not in str(found)
    assert "hush-hush" not in str(found)
    page = revived(found["page"])
    assert isinstance(page, Html)
    assert secret not in page.html
    for path in Path(runtime.active().home.blobs).rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_a_long_text_goes_to_a_blob_and_its_key_stays(home: Path, journaled: Journaled) -> None:
    with weft.init(project="p") as run:
        run.log({"text": "x y " * 1_000_000, "list": list(range(400_000)), "short": "s"})
    [record] = [record for record in journaled() if isinstance(record, MetricsLogged) and record.rich]
    assert record.rich is not None
    assert len(record.rich) < 4096
    found = orjson.loads(record.rich)
    assert list(found) == ["text", "list", "short"]
    assert [found[key]["$weft"] for key in ("text", "list")] == ["blob", "blob"]


def test_mode_disabled_writes_nothing(home: Path) -> None:
    runtime.configure(Settings.resolve(home=home, mode="disabled"))
    with weft.init(project="p") as run:
        run.log({"image": Image(np.zeros((4, 6))), "weights": np.zeros(100)})
    assert not (home / "blobs").exists()


def test_an_op_that_returns_a_medium_records_it(home: Path) -> None:
    image = Image(np.zeros((4, 6)), caption="x")

    @weft.op
    def draw() -> Image:
        return image

    assert draw() is image
    weft.flush()
    [span] = weft.Api().spans()
    assert revived(span.output) == image


def test_media_are_read_back_with_their_steps_and_places(home: Path, tmp_path: Path) -> None:
    images = [Image(np.full((4, 6), shade)) for shade in (0.0, 0.5, 1.0)]
    with weft.init(project="p") as run:
        run.log({"loss": 1.0, "samples": images[:2]}, step=3)
        run.log({"samples": images[2], "weights": Histogram([1, 2]), "mixed": [images[0], "text"]}, step=9)
    with weft.Api() as api:
        found = api.media(run.path, "samples")
        assert [(each.step, each.index, each.medium) for each in found] == [
            (3, 0, images[0]),
            (3, 1, images[1]),
            (9, 0, images[2]),
        ]
        assert found[2].path == f"media/images/samples_9_{images[2].digest[:20]}.png"
        assert found[2].medium.save(tmp_path).read_bytes() == images[2].bytes()  # type: ignore[attr-defined]
        assert {each.key for each in api.media(run.path)} == {"samples", "weights", "mixed"}


def test_media_are_among_the_files_of_the_run(home: Path) -> None:
    images = [Image(np.full((4, 6), shade)) for shade in (0.0, 1.0)]
    with weft.init(project="p", save_code=False) as run:
        run.log({"samples": images, "one": Html("<p>"), "plain": {"path": "media/x", "digest": 3}, "weights": [1, 2]})
    with weft.Api() as api:
        found = [file for file in api._store.reader().files(run.uid.hex()) if file.kind == "media"]
    assert [(file.path, file.digest, file.size_bytes) for file in found] == sorted(
        [(f"media/images/samples_0_{each.digest[:20]}.png", each.digest, each.size_bytes) for each in images]
        + [(f"media/html/one_0_{Html('<p>').digest[:20]}.html", Html("<p>").digest, Html("<p>").size_bytes)]
    )
