"""A column takes what its first value said, None where it may; what does not fit is told with row, column and types."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.tables import Table
from weft.tracking.tables.columntypes import kind_of

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "number": st.integers() | st.floats(),
    "string": st.text(),
    "bytes": st.binary(),
    "timestamp": st.datetimes() | st.dates() | st.datetimes(timezones=st.timezones()),
    "list": st.lists(st.integers()) | st.tuples(st.text()),
    "dict": st.dictionaries(st.text(), st.integers()),
    "Decimal": st.decimals(),
}


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind], VALUES[kind])))
def test_values_of_one_kind_go_together(drawn: tuple[str, Any, Any]) -> None:
    kind, first, second = drawn
    table = Table(columns=["c"], data=[[first], [None], [second]])
    assert kind_of(first) == kind_of(second) == kind
    assert len(table) == 3


@given(
    st.lists(st.sampled_from(sorted(VALUES)), min_size=2, max_size=2, unique=True).flatmap(
        lambda kinds: st.tuples(st.just(kinds), *(VALUES[kind] for kind in kinds))
    )
)
def test_values_of_two_kinds_do_not_unless_asked(drawn: tuple[list[str], Any, Any]) -> None:
    kinds, first, second = drawn
    table = Table(columns=["a", "c"], data=[[1, first]])
    with pytest.raises(TypeError, match=r"row 1 of the Table, column 'c', is of type .*the column holds type") as told:
        table.add_data(1, second)
    assert all(kind in str(told.value) for kind in kinds)
    assert table.rows == [[1, first]]
    assert len(Table(columns=["c"], data=[[first], [second]], allow_mixed_types=True)) == 2


def test_numpys_values_are_of_pythons_kinds() -> None:
    numpy = pytest.importorskip("numpy")
    values = [numpy.float32(1), numpy.int8(1), numpy.bool_(True), numpy.str_("a"), numpy.datetime64("2026-01-01")]
    assert [kind_of(value) for value in values] == ["number", "number", "boolean", "string", "timestamp"]
    assert kind_of(numpy.zeros(3)) == "list"
    Table(columns=["n"], data=[[1], [numpy.float64(0.5)], [2.5]])


def test_optional_says_whether_none_may_be_there() -> None:
    with pytest.raises(TypeError, match="row 1 of the Table, column 'b', is None, and the column takes none"):
        Table(columns=["a", "b"], data=[[1, 2], [None, None]], optional=[True, False])
    with pytest.raises(TypeError, match="column 'a', is None"):
        Table(columns=["a"], data=[[None]], optional=False)
    assert Table(columns=["a", "b"], data=[[None, 1]], optional={"b": False}).rows == [[None, 1]]


@pytest.mark.parametrize(("dtype", "bad"), [(str, 1), (float, "x"), ("number", True), (bool, 0), (datetime.date, 1)])
def test_dtype_says_what_a_column_holds(dtype: Any, bad: Any) -> None:
    with pytest.raises(TypeError, match="row 0 of the Table, column 'a'"):
        Table(columns=["a"], data=[[bad]], dtype=dtype)


def test_dtype_may_be_one_a_list_or_by_name() -> None:
    Table(columns=["a", "b"], data=[["x", 1]], dtype=[str, float])
    Table(columns=["a", "b"], data=[["x", 1], ["y", "z"]], dtype={"a": str, "b": object})
    numpy = pytest.importorskip("numpy")
    Table(columns=["a"], data=[[1.5]], dtype=numpy.dtype("float32"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Table(columns=["a"], dtype="colour"), "a column's dtype is a type"),
        (lambda: Table(columns=["a", "b"], dtype=[str]), "dtype has 1 items for 2 columns"),
        (lambda: Table(columns=["a"], dtype={"b": str}), "dtype names no column of the Table: b"),
        (lambda: Table(columns=["a"], optional=[True, False]), "optional has 2 items for 1 columns"),
        (lambda: Table(columns=["a"], log_mode="SOMETIMES"), "log_mode is 'SOMETIMES'"),  # type: ignore[arg-type]
        (lambda: Table(columns=["a"]).cast("b", str), "no column 'b'"),
        (lambda: Table(columns=["a"]).add_column("a", []), "occur twice: a"),
        (lambda: Table(columns=["a"], data=[[1]]).add_column("b", [1, 2]), "has 2 values for 1 rows"),
        (lambda: Table(columns=["a"]).get_column("a", convert_to="torch"), 'converts to "numpy"'),  # type: ignore[arg-type]
        (lambda: Table(columns=["a"], data=[[1]]).add_computed_columns(lambda at, row: 1), "must return a dict"),  # type: ignore[arg-type,return-value]
        (lambda: Table(columns=["a"]).set_fk("a", Table(columns=["b"]), "c"), "no column 'c'"),
    ],
)  # fmt: skip
def test_a_wrong_call_says_what_is_wrong(make: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        make()


def test_cast_checks_what_is_there_and_what_comes() -> None:
    table = Table(columns=["a"], data=[[1], ["x"]], allow_mixed_types=True)
    with pytest.raises(TypeError, match="row 1 of the Table, column 'a', is of type string"):
        table.cast("a", int)
    table.rows.pop()
    table.cast("a", int)
    with pytest.raises(TypeError, match="is of type string"):
        table.add_data("x")
    with pytest.raises(TypeError, match="is None"):
        table.add_data(None)
    table.cast("a", int, optional=True)
    table.add_data(None)


def test_a_primary_key_is_never_none() -> None:
    table = Table(columns=["id", "v"], data=[[1, 1], [2, 2]])
    table.set_pk("id")
    with pytest.raises(TypeError, match="is None"):
        table.add_data(None, 3)
    for rows in ([[None]], [[0.5]], [[True]]):
        with pytest.raises(TypeError, match="a primary key is text or a whole number"):
            Table(columns=["id"], data=rows).set_pk("id")
    other = Table(columns=["ref"], data=[[1]])
    other.set_fk("ref", table, "id")
    with pytest.raises(UsageError, match="cannot be optional"):
        table.cast("id", int, optional=True)


def test_columns_are_added_and_computed() -> None:
    table = Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", ["x", "y"])
    table.add_computed_columns(lambda at, row: {"c": f"{at}{row['b']}", "d": None})
    assert table.columns == ["a", "b", "c", "d"]
    assert table.rows == [[1, "x", "0x", None], [2, "y", "1y", None]]
    with pytest.raises(TypeError, match="row 1 of the Table, column 'e'"):
        table.add_column("e", [1, "x"])
    assert table.columns == ["a", "b", "c", "d"]
    grown = Table(columns=[])
    grown.add_column("first", [decimal.Decimal(1), decimal.Decimal(2)])
    assert grown.rows == [[1], [2]]


def test_columns_as_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    table = Table(columns=["n", "l"], data=[[1, [1]], [2, [1, 2]]])
    assert table.get_column("n", convert_to="numpy").tolist() == [1, 2]
    assert table.get_column("l", convert_to="numpy").dtype == numpy.dtype(object)
    assert table.get_index() == [0, 1]


def test_scripts_of_wandb_run() -> None:
    """The default columns, `data`, `add_row`, the limits that scripts set."""
    Table.MAX_ROWS = 20
    table = Table()
    assert table.columns == ["Input", "Output", "Expected"]
    for at in range(30):
        table.add_row(at, at, at)
    assert len(table.data) == 30
    assert Table(data=[["a", "b", "c"]]).columns == ["Input", "Output", "Expected"]
    Table.MAX_ROWS = 10_000
