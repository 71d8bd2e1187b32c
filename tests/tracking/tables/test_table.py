"""A Table comes back from Parquet as it went in, and says plainly which row does not fit."""

from __future__ import annotations

import builtins
import datetime
import io
import math
import pickle
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.tables import JoinedTable, Table
from weft.tracking.tables.query import ask


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


def test_what_a_frames_index_says_is_kept_and_numbers_of_rows_are_not() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"kind": ["cat", "dog", "cat"], "size": [1, 2, 3], "day": ["mo", "mo", "tu"]})
    by_kind = Table(dataframe=frame.groupby("kind")[["size"]].sum())
    assert (by_kind.columns, by_kind.rows) == (["kind", "size"], [["cat", 4], ["dog", 2]])
    by_two = Table(dataframe=frame.groupby(["kind", "day"])[["size"]].sum())
    assert by_two.columns == ["kind", "day", "size"]
    assert by_two.rows[0] == ["cat", "mo", 1]
    described = Table(dataframe=frame[["size"]].describe())
    assert described.columns == ["index", "size"]
    assert described.rows[0] == ["count", 3.0]
    assert Table(dataframe=frame[frame["size"] > 1]).columns == ["kind", "size", "day"]
    assert Table(columns=["n"], data=frame.groupby("kind")[["size"]].sum()).rows == [[4], [2]]
    assert list(frame.columns) == ["kind", "size", "day"], "the frame itself is left as it is"


def test_columns_of_a_frame_that_share_a_name_are_told_apart() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "a_2", 5])
    table = Table(dataframe=frame)
    assert (table.columns, table.rows) == (["a", "a_3", "a_2", "5"], [[1, 2, 3, 4]])


def test_exact_decimals_are_native_and_can_be_counted() -> None:
    money = Table(columns=["usd"], data=[[Decimal("1.10")], [None], [Decimal("1E+3")], [Decimal("-0.005")]])
    assert str(money.to_arrow().schema.field("usd").type) == "decimal128(7, 3)"
    assert _through(money).rows == money.rows
    pytest.importorskip("duckdb")
    assert money.query("select sum(usd) as total from t")[0]["total"] == Decimal("1001.095")


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "1E+40", "1E-40"])
def test_decimals_without_a_native_form_are_kept_as_text(odd: str) -> None:
    table = Table(columns=["d"], data=[[Decimal("1.5")], [Decimal(odd)]])
    assert _through(table).rows == [["1.5"], [odd]]


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
        (lambda: Table(columns=["\ud800"]), "without lone surrogates"),
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


def test_lists_of_numbers_are_native_lists() -> None:
    """An embedding is a list in DuckDB and polars, too."""
    arrow = pytest.importorskip("pyarrow")
    numpy = pytest.importorskip("numpy")
    table = Table(
        columns=["e", "mixed"],
        data=[[numpy.zeros(1536), [1, "a"]], [[1.0, None], {"x": 1}], [None, None]],
        allow_mixed_types=True,
    )
    content = table.to_arrow()
    assert content.schema.types == [arrow.list_(arrow.float64()), arrow.string()]
    back = _through(table)
    assert back.get_column("e") == [[0.0] * 1536, [1.0, None], None]
    assert back.get_column("mixed") == [[1, "a"], {"x": 1}, None]


def test_frames_of_polars_and_arrow_go_in_and_out() -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    table = Table(columns=["a", "b", "c"], data=[[1, "x", [1.5]], [None, None, None], [3, "z", []]])
    for frame in (table.to_polars(), table.to_arrow(), polars.DataFrame({"a": [1, None, 3]})):
        again = Table(dataframe=frame)
        assert again.get_column("a") == [1, None, 3]
    assert Table(dataframe=table.to_arrow()) == table
    assert Table(dataframe=table.to_polars()) == table


def test_pandas_words_for_nothing_are_none() -> None:
    pandas = pytest.importorskip("pandas")
    objects = pandas.DataFrame({"s": pandas.Series(["a", float("nan"), None], dtype="object")})
    assert Table(dataframe=objects).get_column("s") == ["a", None, None]
    assert Table(columns=["a"], data=[[pandas.NaT], [pandas.NA]]).rows == [[None], [None]]


def test_a_long_table_is_written_in_groups_of_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = Table(columns=["n", "s"], data=[[at, str(at)] for at in range(150_000)])
    table.to_parquet(tmp_path / "t.parquet")
    assert parquet.ParquetFile(tmp_path / "t.parquet").metadata.num_row_groups == 3
    assert Table.from_parquet(tmp_path / "t.parquet") == table


def test_a_value_far_down_that_has_no_native_form_turns_its_column_into_json() -> None:
    rows: list[list[Any]] = [[str(at)] for at in range(70_000)]
    rows[69_999] = ["\ud800"]
    table = Table(columns=["s"], data=rows)
    assert _through(table) == table


def test_a_query_asks_the_table_itself() -> None:
    pytest.importorskip("duckdb")
    table = Table(columns=["a", "n"], data=[["x", 1], ["y", 2], ["x", 3]])
    found = table.query("select a, count(*) as c, sum(n) as s from t group by a order by a")
    assert (found.columns, found.rows) == (["a", "c", "s"], [("x", 2, 4), ("y", 1, 2)])
    assert table.query("select max(n) from self where a = ?", ["x"]).rows == [(3,)]
    assert table.query("select n as a, a from t limit 1").to_table().columns == ["a", "a_2"]
    with pytest.raises(UsageError, match="no files and no network"):
        table.query("select * from read_text('/etc/passwd')")
    with pytest.raises(UsageError, match=r"does not exist! There is t, self$"):
        table.query("select * from runs")


@given(st.data())
@settings(deadline=None)
def test_a_query_of_everything_gives_everything(data: st.DataObject) -> None:
    columns = st.sampled_from([st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.binary()])
    values = data.draw(st.lists(data.draw(columns) | st.none(), max_size=5))
    table = Table(columns=["c"], data=[[value] for value in values])
    assert _same([row[0] for row in table.query("from t").rows], values)


@pytest.mark.parametrize("how", ["inner", "left", "outer"])
def test_a_join_is_what_sql_says(how: Any) -> None:
    pytest.importorskip("duckdb")
    left = Table(columns=["k", "v"], data=[[1, "a"], [2, "b"], [2, "c"], [None, "d"], [4, "e"]])
    right = Table(
        columns=["k", "v", "w"], data=[[2, "x", 0.5], [2, "y", 1.5], [4, "z", None], [None, "q", 9.0], [7, "r", 7.0]]
    )
    made = left.join(right, "k", how=how)
    assert made.columns == ["k", "v", "v_2", "w"]
    words = {"inner": "join", "left": "left join", "outer": "full join"}[how]
    wanted = ask(
        f"select coalesce(l.k, r.k), l.v, r.v, r.w from l {words} r on l.k = r.k",
        {"l": left.to_arrow(), "r": right.to_arrow()},
    )
    assert sorted(map(repr, (tuple(row) for row in made.rows))) == sorted(
        map(repr, (tuple(row) for row in wanted.rows))
    )


def test_a_join_by_two_names_and_by_values_without_a_hash() -> None:
    left = Table(columns=["a", "x"], data=[[[1, 2], 1], [[3], 2]])
    right = Table(columns=["b", "y"], data=[[[3], "three"]])
    assert left.join(right, ["a", "b"]).rows == [[[3], 2, "three"]]
    both = JoinedTable(left, right, ["a", "b"])
    assert (both.columns, len(both)) == (["a", "x", "y"], 2)
    for wrong in (lambda: left.join(right, "a"), lambda: left.join(right, ["a", "b", "c"]), lambda: left.join(7, "a")):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            wrong()


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1" + b"\0" * 100 + b"PAR1", b"\x80\x04N."])
def test_what_is_no_parquet_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"broken\.parquet.* cannot be read as a table") as told:
        Table.from_parquet(path)
    assert "\n" not in str(told.value)
    with pytest.raises(FileNotFoundError):
        Table.from_parquet(tmp_path / "none.parquet")


def test_a_file_with_a_damaged_middle_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    Table(columns=["a"], data=[[str(at)] for at in range(5000)]).to_parquet(path)
    data = bytearray(path.read_bytes())
    data[200:1200] = b"\xff" * 1000
    path.write_bytes(data)
    with pytest.raises(UsageError, match="cannot be read as a table"):
        Table.from_parquet(path)


class _Trap:
    """What a pickle of it does when it is loaded, leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    trap = tmp_path / "sprung"
    pickled = pickle.dumps(_Trap(trap))
    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickled}
    schema = arrow.schema([arrow.field("p", arrow.binary(), metadata=metadata)], metadata={b"pandas": pickled})
    parquet.write_table(arrow.table([arrow.array([pickled])], schema=schema), tmp_path / "theirs.parquet")

    table = Table.from_parquet(tmp_path / "theirs.parquet")

    assert table.rows == [[pickled]]
    assert _through(table) == table
    assert not trap.exists()
    pickle.loads(pickled)
    assert trap.exists()  # the trap works


def test_a_table_of_nothing_comes_back() -> None:
    for table in (Table(columns=[]), Table(columns=["a"])):
        assert _through(table) == table
        assert table.to_arrow().num_rows == 0


def test_a_parquet_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nope' cannot be read as a table: there is no such file$"):
        Table.from_parquet(tmp_path / "nope")
