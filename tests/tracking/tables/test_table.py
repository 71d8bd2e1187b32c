"""A Table comes back from Parquet as it went in, and says plainly which row does not fit."""

from __future__ import annotations

import builtins
import datetime
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.tables import Table


def _through(table: Table) -> Table:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    buffer.seek(0)
    return Table.from_parquet(buffer)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_columns = st.sampled_from(
    [
        st.booleans(),
        st.integers(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.integers() | st.floats(),
        st.text(st.characters()),
        st.binary(),
        st.dates(),
        st.datetimes(),
        st.datetimes(timezones=st.just(datetime.UTC)),
        _json,
    ]
)


@st.composite
def _tables(draw: Callable[[Any], Any]) -> Table:
    names = draw(st.lists(st.text(min_size=1, max_size=8, alphabet="abc ü.$"), unique=True, min_size=1, max_size=4))
    n_rows = draw(st.integers(0, 5))
    values = [draw(st.lists(draw(_columns) | st.none(), min_size=n_rows, max_size=n_rows)) for _ in names]
    return Table(columns=names, data=[list(row) for row in zip(*values, strict=True)], allow_mixed_types=True)


@settings(deadline=None)  # the first one imports pyarrow
@given(_tables())
def test_any_table_comes_back(table: Table) -> None:
    back = _through(table)
    assert back.columns == table.columns
    assert _same(back.rows, table.rows)


def test_numbers_and_texts_are_native_for_other_readers(tmp_path: Path) -> None:
    """duckdb, pandas and the app read the same file without knowing us."""
    parquet = pytest.importorskip("pyarrow.parquet")
    table = Table(
        columns=["i", "f", "both", "s", "b", "when", "any"],
        data=[
            [1, 0.5, 1, "a", True, datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC), {"x": 1}],
            [None, math.nan, 2.5, None, None, None, "text"],
        ],
        allow_mixed_types=True,
    )
    table.to_parquet(tmp_path / "t.parquet")
    types = {field.name: str(field.type) for field in parquet.read_schema(tmp_path / "t.parquet")}
    assert types == {
        "i": "int64", "f": "double", "both": "double", "s": "string", "b": "bool",
        "when": "timestamp[us, tz=UTC]", "any": "string",
    }  # fmt: skip
    back = Table.from_parquet(tmp_path / "t.parquet")
    assert back.rows[0] == table.rows[0]
    assert back.get_column("i") == [1, None]
    assert math.isnan(back.rows[1][1])  # a NaN is not a None


def test_a_lone_surrogate_and_a_huge_integer_survive() -> None:
    table = Table(columns=["s", "n"], data=[["\ud800", 2**80], ["fine", -1]])
    assert _through(table) == table


def test_the_same_content_is_the_same_bytes() -> None:
    one, two = io.BytesIO(), io.BytesIO()
    for buffer in (one, two):
        Table(columns=["a", "b"], data=[[1, {"k": [1, 2]}], [2, "x"]], allow_mixed_types=True).to_parquet(buffer)
    assert one.getvalue() == two.getvalue()


def test_a_foreign_parquet_file_is_read(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": [1, 2], "l": [[1], [2, 3]]}), tmp_path / "theirs.parquet")
    table = Table.from_parquet(tmp_path / "theirs.parquet")
    assert table.columns == ["a", "l"]
    assert table.rows == [[1, [1]], [2, [2, 3]]]


def test_rows_may_be_dicts_and_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    assert Table(data=[{"a": 1}, {"b": 2}]).rows == [[1, None], [None, 2]]
    assert Table(columns=["x", "y"], rows=numpy.array([[1, 2], [3, 4]])).rows == [[1, 2], [3, 4]]
    table = Table(columns=["n"], data=[[numpy.float32(0.5)], [numpy.int64(3)]])
    assert _through(table).get_column("n") == [0.5, 3.0]


def test_data_frames_go_in_and_out() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"name": ["a", None], "value": [1.5, math.nan], "at": pandas.to_datetime(["2026-11-20", None])}
    )
    table = Table(dataframe=frame)
    assert table.columns == ["name", "value", "at"]
    back = _through(table)
    assert back.rows[0] == ["a", 1.5, datetime.datetime(2026, 11, 20)]
    assert back.rows[1][0] is None
    assert math.isnan(back.rows[1][1])
    assert back.rows[1][2] is None
    assert list(Table(columns=["q"], data=[["x"]]).get_dataframe()["q"]) == ["x"]
    assert Table(data=frame).rows[0][0] == "a"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Table(columns=["a", "b"], data=[[1, 2], [1]]), "row 1 of the Table has 1 values for 2 columns"),
        (lambda: Table(columns=["a"], data=["text"]), "row 0 of the Table must be a sequence"),
        (lambda: Table(columns=["a"], data=[7]), "row 0 of the Table must be a sequence"),
        (lambda: Table(columns=["a"], data=[{"b": 1}]), "has no column b; it has a"),
        (lambda: Table(columns=["a", "a"]), "occur twice: a"),
        (lambda: Table(columns="abc"), "a list of names"),
        (lambda: Table(columns=[None]), "must be text"),
        (lambda: Table(data=[[1]]), "needs columns"),
        (lambda: Table(columns=["a"], data=[[1]], rows=[[1]]), "from one of"),
        (lambda: Table(columns=["a"]).get_column("b"), "no column 'b'; it has a"),
        (lambda: Table(columns=[]).add_data(), "has 0 values for 0 columns"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(make: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()


def test_without_pyarrow_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "weft\[tables\]"'):
        Table(columns=["a"], data=[[1]]).to_parquet(io.BytesIO())


def test_rows_are_enumerated() -> None:
    table = Table(columns=["a"], data=[[1], [2]])
    assert list(table.iterrows()) == [(0, [1]), (1, [2])]
    assert len(table) == 2
    assert repr(table) == "Table(2 rows of a)"
