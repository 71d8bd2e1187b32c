"""Datasets: rows come in whole or not at all, and have ids that stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.evals.dataset import Dataset
from weft.tracking.errors import UsageError

ROWS = [{"question": "1+1?", "expected": "2"}, {"question": "2+2?", "expected": "4"}]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_rows_come_back_as_given_in_their_order() -> None:
    """A list of dicts is a dataset."""
    dataset = Dataset(ROWS, name="sums")
    assert len(dataset) == 2
    assert list(dataset) == ROWS
    assert dataset[1] == ROWS[1]
    assert dataset.columns == ("question", "expected")


def test_row_ids_follow_the_content_not_the_place() -> None:
    """Reordered rows keep their ids; equal rows are told apart by their occurrence."""
    ids = {row.columns["question"]: row.row_id for row in Dataset(ROWS).rows}
    again = {row.columns["question"]: row.row_id for row in Dataset(list(reversed(ROWS))).rows}
    assert ids == again
    twice = Dataset([ROWS[0], ROWS[0], {"expected": "2", "question": "1+1?"}])
    first = ids["1+1?"]
    assert [row.row_id for row in twice.rows] == [first, f"{first}-2", f"{first}-3"]


def test_a_given_id_is_the_row_id() -> None:
    """The id column names the row, as text; it must not occur twice."""
    dataset = Dataset([{"id": 7, "q": "a"}, {"id": "x", "q": "b"}])
    assert [row.row_id for row in dataset.rows] == ["7", "x"]
    assert [row.row_id for row in Dataset([{"key": "k1", "q": "a"}], id_column="key").rows] == ["k1"]
    with pytest.raises(UsageError, match="rows 0 and 1 have the same id '7'"):
        Dataset([{"id": 7}, {"id": "7"}])


def test_equal_rows_give_an_equal_digest_and_other_rows_another() -> None:
    """The order of keys does not matter, a changed value does."""
    digest = Dataset(ROWS).digest
    assert Dataset([dict(reversed(row.items())) for row in ROWS], name="other name").digest == digest
    assert Dataset([ROWS[0], ROWS[1] | {"expected": "5"}]).digest != digest


def test_a_saved_dataset_loads_with_the_same_ids_and_digest(tmp_path: Path) -> None:
    """JSONL out, JSONL in."""
    rows = [
        {"q": "ä\n", "n": 1.5, "deep": {"a": [1, None, True]}},
        {"q": b"b", "n": float("inf"), "deep": {"$weft": 1}},
    ]
    dataset = Dataset(rows)
    loaded = Dataset.load(dataset.save(tmp_path / "rows.jsonl"))
    assert list(loaded) == rows
    assert loaded.digest == dataset.digest
    assert [row.row_id for row in loaded.rows] == [row.row_id for row in dataset.rows]
    assert loaded.name == "rows"


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(st.text(min_size=1), plain, min_size=1, max_size=3), min_size=1, max_size=5))
def test_any_rows_come_back_from_a_file_as_they_were(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    """Whatever is in them, with the same ids."""
    dataset = Dataset(rows, id_column="\0no such column")
    loaded = Dataset.load(dataset.save(tmp_path / "rows.jsonl"), id_column="\0no such column")
    assert list(loaded) == rows
    assert loaded.digest == dataset.digest
    assert [row.row_id for row in loaded.rows] == [row.row_id for row in dataset.rows]


def test_jsonl_takes_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    """What editors leave in files is no broken line."""
    path = write(tmp_path / "q.jsonl", b'\xef\xbb\xbf{"q": "a"}\r\n\r\n{"q": "b"}')
    assert list(Dataset(path)) == [{"q": "a"}, {"q": "b"}]


def test_a_broken_line_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    """One error: file:line, what was found, what to do."""
    path = write(tmp_path / "q.jsonl", '{"q": "a"}\n{"q": "b"\n[1, 2]\n{"q": "c"}\n')
    with pytest.raises(UsageError) as caught:
        Dataset(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:2: no valid JSON")
    assert """'{"q": "b"'""" in message
    assert "1 more broken: line 3." in message
    assert "Nothing was loaded" in message
    assert 'on_broken="skip"' in message


def test_broken_lines_are_skipped_only_when_asked_and_listed(tmp_path: Path) -> None:
    """on_broken="skip" loads the rest and says what it left out."""
    path = write(tmp_path / "q.jsonl", '{"q": "a"}\nnope\n"text"\n{"q": "b"}\n')
    dataset = Dataset(path, on_broken="skip")
    assert list(dataset) == [{"q": "a"}, {"q": "b"}]
    assert [broken.line for broken in dataset.skipped] == [2, 3]
    with pytest.raises(UsageError, match="2 broken lines were skipped"):
        Dataset(write(tmp_path / "all.jsonl", "nope\nnope\n"), on_broken="skip")


def test_csv_rows_are_text_by_header(tmp_path: Path) -> None:
    """Quoted commas, quotes and line breaks stay; numbers stay text, for a CSV has no types."""
    path = write(tmp_path / "q.csv", '﻿question,expected\n"a, ""b""\nc",1\nd,2\n')
    assert list(Dataset(path)) == [{"question": 'a, "b"\nc', "expected": "1"}, {"question": "d", "expected": "2"}]
    assert list(Dataset(write(tmp_path / "q.tsv", "a\tb\n1\t2\n"))) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'q,e\n"x\ny",1\na,b,c\n', 4, "3 fields where the first line names 2"),
        (b"q,e\nonly\n", 2, "1 fields where the first line names 2"),
        (b"q,q\n1,2\n", 1, "must name each column once"),
        (b"q,\n1,2\n", 1, "must name each column once"),
        (b"", 1, "the file is empty"),
        (b'q,e\n"a"b,c\n', 2, "no valid CSV"),
        (b"q,e\n1,2\n\xff,3\n", 3, "not UTF-8 text (byte 0xff)"),
    ],
)
def test_a_broken_csv_line_is_named(tmp_path: Path, content: bytes, line: int, words: str) -> None:
    """Also behind a field that spans lines."""
    path = write(tmp_path / "q.csv", content)
    with pytest.raises(UsageError) as caught:
        Dataset(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_json_lists_load_and_others_say_what_they_are(tmp_path: Path) -> None:
    """A .json dataset is a list of objects."""
    assert list(Dataset(write(tmp_path / "a.json", '[{"q": 1}]'))) == [{"q": 1}]
    for content, words in (('{"q": 1}', "a list of objects"), ("[1]", "item 0"), ("[", "no valid JSON")):
        with pytest.raises(UsageError, match=words):
            Dataset(write(tmp_path / "b.json", content))


def test_data_frames_become_rows_with_absent_cells_as_none() -> None:
    """pandas marks absent cells by NaN; a row has None there."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"q": ["a", "b"], "n": [1.0, None]})
    assert list(Dataset(frame, name="f")) == [{"q": "a", "n": 1.0}, {"q": "b", "n": None}]
    pyarrow = pytest.importorskip("pyarrow")
    assert list(Dataset(pyarrow.table({"q": ["a"]}))) == [{"q": "a"}]


def test_parquet_loads(tmp_path: Path) -> None:
    """With types, unlike CSV."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"q": ["a"], "n": [1]}), tmp_path / "q.parquet")
    assert list(Dataset(tmp_path / "q.parquet")) == [{"q": "a", "n": 1}]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([], "has no rows"),
        ([1], "row 0 is 1; every row must be a dict"),
        ([{}], "every row must be a dict of columns"),
        ([{1: 2}], "every row must be a dict of columns by name"),
        ({"q": 1}, "must be a list of dicts"),
        (5, "the dataset is an int; it must be a list of dicts"),
    ],
)
def test_what_is_no_dataset_is_refused(source: object, words: str) -> None:
    """Each with what was found and what it must be."""
    with pytest.raises(UsageError, match=words):
        Dataset(source)


def test_a_file_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """And an unknown suffix names the known ones."""
    with pytest.raises(UsageError, match=r"cannot be read: No such file.* \(relative to"):
        Dataset(tmp_path / "no.jsonl")
    with pytest.raises(UsageError, match=r"must be \.jsonl, \.ndjson, \.json, \.csv"):
        Dataset(tmp_path / "rows.xlsx")


def test_a_damaged_parquet_file_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "q.parquet").write_bytes(b"no Parquet at all")
    with pytest.raises(UsageError, match=r"q\.parquet is no sound Parquet file") as said:
        Dataset(tmp_path / "q.parquet")
    assert "\n" not in str(said.value)
