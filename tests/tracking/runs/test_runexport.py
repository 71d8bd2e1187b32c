"""What runs logged, written: whole and fractional numbers each in a column of their kind; a race ends in a message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from weft.tracking.errors import Error
from weft.tracking.runs.runexport import write_parquet


def test_a_column_of_whole_numbers_is_one_and_a_mixed_one_is_of_floats(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "loss": 1}, {"epoch": 2, "loss": 0.5}]
    assert write_parquet(lambda: iter(rows), tmp_path / "runs.parquet") == 2
    schema = pyarrow.parquet.read_schema(tmp_path / "runs.parquet")
    assert [str(field.type) for field in schema] == ["int64", "double"]


@pytest.mark.parametrize("later", [{"n": 0.5}, {"n": 1, "new": 2}])
def test_a_run_that_logs_meanwhile_leaves_no_wrong_file(tmp_path: Path, later: dict[str, Any]) -> None:
    """The kinds of columns are found in a first pass; what the second one meets may have changed."""
    passes = iter([[{"n": 1}], [later]])

    def rows() -> Iterator[dict[str, Any]]:
        return iter(next(passes))

    with pytest.raises(Error, match="Export it again"):
        write_parquet(rows, tmp_path / "runs.parquet")
