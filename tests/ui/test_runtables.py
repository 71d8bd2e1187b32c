"""Cells of a logged table in the app: user data as text, numbers readable, pictures by their blobs."""

from __future__ import annotations

from typing import Any

import pytest

from weft.ui import runtables
from weft.ui.page import plain


@pytest.mark.parametrize(
    ("value", "coded", "text"),
    [
        (1234567, False, "1,234,567"),
        (0.333333333, False, "0.3333"),
        (float("nan"), False, "NaN"),
        (True, False, "true"),
        (b"\x00\x01", False, "2 B of bytes"),
        ("<script>\n", False, "<script>"),
        ('{"a":[1,{"$weft":"float","v":"NaN"}]}', True, '{"a":[1,"NaN"]}'),
        ('"text"', True, "text"),
        ([1.5, None], False, "[1.5, None]"),
    ],
)
def test_a_cell_is_one_line_of_text(value: Any, coded: bool, text: str) -> None:
    cell = runtables._cell(value, coded)
    assert (cell["text"] if isinstance(cell, dict) else cell) == text


def test_none_is_an_en_dash_with_its_reason() -> None:
    assert runtables._cell(None, False) == {"text": "–", "title": "None", "tone": "soft"}


def test_tables_are_found_by_key_in_order_of_step() -> None:
    one = {"_type": "table", "columns": ["a"], "n_rows": 3}
    rows = [{"key": "t", "step": 1, "value": one}, {"key": "x", "value": {"_type": "table"}}, {"key": "y", "value": 7}]
    assert runtables.tables_of([*rows, {"key": "t", "step": 5, "value": one}]) == {"t": [(1, one), (5, one)]}
    assert runtables.said(one) == "table, 3 rows"
    assert runtables.said({"_type": "table"}) is None
    assert runtables.said("table") is None


def test_a_column_of_any_name_is_quoted() -> None:
    assert runtables._quoted('a"; drop') == '"a""; drop"'
    assert plain("a*b") == r"a\*b"
