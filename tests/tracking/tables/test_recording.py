"""A table that is logged again, changed or longer, is never lost: each step has the version that it logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import weft
from weft.tracking import names
from weft.tracking.artifacts.finding import version_of
from weft.tracking.errors import MissingExtraError, NotFoundError
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.tables import Table, arrow, parts

pytest.importorskip("pyarrow")


@pytest.fixture
def run(home: Path) -> Iterator[weft.Run]:
    with weft.init(project="p", id="r") as started:
        yield started


def _versions() -> list[ArtifactRecord]:
    weft.flush()
    with weft.Api() as api:
        return sorted(api.artifacts({"name": "run-r-t"}), key=lambda version: version.version)


def _logged(run: weft.Run) -> list[dict[str, Any]]:
    weft.flush()
    with weft.Api() as api:
        return [row["value"] for row in api._store.reader().rich(run.uid.hex(), "t")]


def _rows(version: ArtifactRecord, run: weft.Run) -> list[list[Any]]:
    from weft.tracking.blobs import Blobs

    return version_of(version, Blobs(run.home)).get("table").rows


@pytest.mark.parametrize("mode", ["IMMUTABLE", "MUTABLE"])
def test_a_table_that_changed_is_a_new_version_and_each_step_has_its_own(run: weft.Run, mode: Any) -> None:
    """wandb's most frequent complaint: there the second log() does nothing."""
    table = Table(columns=["a"], data=[[1]], log_mode=mode)
    run.log({"t": table})
    table.add_data(2)
    run.log({"t": table})
    table.rows[0][0] = 10
    run.log({"t": table})
    run.log({"t": table})

    found = _versions()
    assert [_rows(version, run) for version in found] == [[[1]], [[1], [2]], [[10], [2]]]
    assert [value["digest"] for value in _logged(run)] == [found[at].digest for at in (0, 1, 2, 2)]


def test_a_list_of_tables_is_kept_each_by_its_place(run: weft.Run) -> None:
    run.log({"folds": [Table(columns=["a"], data=[[at]]) for at in range(2)]})
    assert [run.use_artifact(f"run-r-folds.{at}:latest").get("table").rows for at in range(2)] == [[[0]], [[1]]]


def test_it_is_got_by_the_key_that_it_was_logged_under(run: weft.Run) -> None:
    """`artifact.get("predictions")`, as wandb's scripts do."""
    run.log({"val/predictions": Table(columns=["a"], data=[[1]])})
    run.log({"val-predictions": Table(columns=["a"], data=[[2]])})
    found = run.use_artifact(f"{names.run_artifact('r', 'val/predictions')}:latest")
    assert run.use_artifact("run-r-val-predictions:latest").get("val-predictions").rows == [[2]]
    assert found.get("val/predictions").rows == found.get("table").rows == [[1]]
    with pytest.raises(NotFoundError, match=r"table\.parquet"):
        found.get("other")


def test_an_incremental_table_adds_a_file_of_its_new_rows_only(run: weft.Run) -> None:
    table = Table(columns=["a", "b"], log_mode="INCREMENTAL")
    for at in range(3):
        table.add_data(at, f"row {at}")
        table.add_data(at + 0.5, None)
        run.log({"t": table})

    found = _versions()
    assert [len(_rows(version, run)) for version in found] == [2, 4, 6]
    assert _rows(found[2], run) == table.rows
    assert list(found[2].manifest) == ["table.00001.parquet", "table.00002.parquet", "table.parquet"]
    first, last = (dict(found[at].manifest)["table.parquet"] for at in (0, 2))
    assert first == last  # the first rows were not written again
    assert weft.Api().sql('select count(*), sum(a) from "p/r/t"').rows == [(6, 7.5)]


def test_parts_whose_types_differ_are_one_table(run: weft.Run) -> None:
    table = Table(columns=["a"], log_mode="INCREMENTAL", allow_mixed_types=True)
    for value in (1, "text", {"x": 1}, None):
        table.add_data(value)
        run.log({"t": table})
    assert _rows(_versions()[-1], run) == [[1], ["text"], [{"x": 1}], [None]]
    assert weft.Api().sql('select count(*) from "p/r/t"').rows == [(4,)]


def test_many_parts_become_one_again(run: weft.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 3)
    table = Table(columns=["a"], log_mode="INCREMENTAL")
    for at in range(8):
        table.add_data(at)
        run.log({"t": table})
    found = _versions()
    assert [len(version.manifest) for version in found] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert [row[0] for row in _rows(found[-1], run)] == list(range(8))


def test_an_incremental_table_may_be_logged_under_two_keys_and_in_two_runs(run: weft.Run) -> None:
    table = Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")
    run.log({"t": table, "u": table})
    table.add_data(2)
    run.log({"t": table})
    run.log({"u": table})
    with weft.init(project="p", id="other", reinit="create_new") as other:
        other.log({"t": table})
    weft.flush()
    for name in ("p/r/t", "p/r/u", "p/other/t"):
        assert weft.Api().sql(f'select a from "{name}" order by a').rows == [(1,), (2,)], name


def test_logged_rows_whose_files_are_gone_are_written_again(run: weft.Run) -> None:
    table = Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")
    run.log({"t": table})
    digest = str(dict(_versions()[0].manifest)["table.parquet"]["digest"])
    (run.home.blobs / digest[:2] / digest[2:]).unlink()
    table.add_data(2)
    run.log({"t": table})
    assert _rows(_versions()[-1], run) == [[1], [2]]


def test_columns_cannot_be_added_to_an_incremental_table() -> None:
    table = Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")
    for widen in (lambda: table.add_column("b", [1]), lambda: table.add_computed_columns(lambda at, row: {"b": 1})):
        with pytest.raises(weft.Error, match="INCREMENTAL Table only gets new rows"):
            widen()


def test_images_in_cells_are_files_of_the_artifact_and_come_back(run: weft.Run) -> None:
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 4), "red")
    run.log({"t": Table(columns=["row", "picture"], data=[[1, weft.Image(image, caption="red")], [2, None]])})
    [version] = _versions()
    [medium] = [path for path in version.manifest if path.startswith("media/")]
    back = _rows(version, run)
    assert isinstance(back[0][1], weft.Image)
    assert back[0][1].caption == "red"
    assert back[0][1].digest == dict(version.manifest)[medium]["digest"]
    assert back[0][1].bytes().startswith(b"\x89PNG")
    assert back[1] == [2, None]


def test_in_mode_disabled_nothing_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with weft.init(mode="disabled") as run:
        run.log({"t": Table(columns=["a"], data=[[1]], log_mode="INCREMENTAL")})
    assert not (home / "blobs").exists() or not list((home / "blobs").iterdir())


def test_a_stored_run_opens_its_tables_by_key_and_step(run: weft.Run) -> None:
    table = Table(columns=["a"], data=[[1]])
    run.log({"t": table})
    table.add_data(2)
    run.log({"t": table})
    weft.flush()
    with weft.Api() as api:
        stored = api.run("p/r")
        assert stored.table("t").rows == [[1], [2]]
        assert stored.table("t", step=0).rows == [[1]]
        with pytest.raises(weft.Error, match=r"logged no Table 'u'\. It logged these Tables: t"):
            stored.table("u")
        with pytest.raises(weft.Error, match="no Table 't' at step 7"):
            stored.table("t", step=7)


def test_a_table_without_pyarrow_keeps_its_rows_and_comes_back(run: weft.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(what: str) -> Any:
        raise MissingExtraError(what, "tables")

    with monkeypatch.context() as without:
        without.setattr(arrow, "pyarrow_for", missing)
        without.setattr(run.runtime.faults, "note", lambda *_, **__: None)
        run.log({"t": Table(columns=["a"], data=[[{"x": 1}], ["y"]], allow_mixed_types=True)})
    weft.flush()
    with weft.Api() as api:
        assert api.run("p/r").table("t").rows == [[{"x": 1}], ["y"]]


def test_a_logged_frame_of_mixed_objects_is_kept_whole(run: weft.Run) -> None:
    """Recording never raises for what a frame holds: nobody declared its columns."""
    pandas = pytest.importorskip("pandas")
    run.log({"t": pandas.DataFrame({"a": pandas.Series([1, "x", {"y": 2}, None], dtype="object")})})
    polars = pytest.importorskip("polars")
    run.log({"t": polars.DataFrame({"a": [[1.5], []]})})
    assert [_rows(version, run) for version in _versions()] == [[[1], ["x"], [{"y": 2}], [None]], [[[1.5]], [[]]]]


def test_trouble_with_the_disk_is_counted_and_the_rows_are_kept(run: weft.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[BaseException] = []
    with monkeypatch.context() as full:
        full.setattr(run.runtime.faults, "note", lambda cause, error, **_: noted.append(error))
        full.setattr(parts.tempfile, "TemporaryDirectory", lambda **_: (_ for _ in ()).throw(OSError(28, "No space")))
        full.setattr(parts, "ROWS_A_GROUP", 1)
        run.log({"t": Table(columns=["a"], data=[[1], [2]])})
    assert [str(error) for error in noted] == ["[Errno 28] No space"]
    weft.flush()
    with weft.Api() as api:
        assert api.run("p/r").table("t").rows == [[1], [2]]
