"""Rows out of files: JSONL, JSON, CSV, TSV, Parquet. `Dataset` calls it; a broken line is named, never guessed at."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from weft.tracking.errors import MissingExtraError, UsageError
from weft.tracking.payloads import encoding

Row = dict[str, Any]


class Broken(NamedTuple):
    """A line that is no row."""

    line: int
    """1-based, where the row begins."""
    found: str
    """What is wrong with it, in words."""


class Read(NamedTuple):
    """What a file holds."""

    rows: list[Row]
    broken: list[Broken]


def read(path: Path) -> Read:
    """All rows of a file and all its broken lines. The suffix names the format; CSV and TSV values stay text.

    Raises:
        UsageError: there is no such file, it cannot be read as text, or its suffix is none of `FORMATS`.
    """
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"dataset {path}: the suffix {path.suffix!r} is not known; it must be {', '.join(FORMATS)}")
    try:
        return reader(path)
    except OSError as error:
        raise UsageError(f"dataset {path} cannot be read: {error.strerror}. Check the path (relative to the folder "
                         f"you are in, {Path.cwd()}).") from error  # fmt: skip


def complain(path: Path, broken: list[Broken]) -> UsageError:
    """The one error for a file with broken lines."""
    first = broken[0]
    others = ", ".join(str(other.line) for other in broken[1:6]) + (", ..." if len(broken) > 6 else "")
    more = f" {len(broken) - 1} more broken: line {others}." if len(broken) > 1 else ""
    return UsageError(
        f"{path}:{first.line}: {first.found}.{more} Nothing was loaded. "
        'Mend the file, or leave broken lines out with Dataset(path, on_broken="skip").'
    )


def _jsonl(path: Path) -> Read:
    rows: list[Row] = []
    broken: list[Broken] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            content = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if not content:
                continue
            try:
                value = encoding.decode(content)  # what `Dataset.save` wrote comes back as it was, NaN too
            except orjson.JSONDecodeError as error:
                broken.append(Broken(number, f"no valid JSON ({error.msg}) in {_shown(content)}"))
                continue
            if isinstance(value, dict) and value:
                rows.append(value)
            else:
                broken.append(Broken(number, f"a row must be a JSON object with columns, not {_shown(content)}"))
    return Read(rows, broken)


def _json(path: Path) -> Read:
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return Read([], [Broken(error.lineno, f"no valid JSON ({error.msg}, column {error.colno})")])
    if not isinstance(value, list):
        return Read([], [Broken(1, f"a .json dataset is a list of objects, not {_shown(content)}")])
    rows = [item for item in value if isinstance(item, dict) and item]
    broken = [
        Broken(1, f"item {index} of the list must be an object with columns, not {_shown(orjson.dumps(item))}")
        for index, item in enumerate(value)
        if not isinstance(item, dict) or not item
    ]
    return Read(rows, broken)


def _separated(path: Path, separator: str) -> Read:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Read([], [Broken(line, f"not UTF-8 text (byte 0x{error.object[error.start]:02x})")])
    records = _records(content, separator)
    header_line, header, found = next(records, (1, [], "the file is empty; its first line must name the columns"))
    if not found and (len(set(header)) < len(header) or not all(name.strip() for name in header)):
        found = f"the first line must name each column once, found {_shown(','.join(header).encode())}"
    if found:
        return Read([], [Broken(header_line, found)])
    rows: list[Row] = []
    broken: list[Broken] = []
    for line, fields, wrong in records:
        if wrong:
            broken.append(Broken(line, wrong))
        elif len(fields) != len(header):
            shown = _shown(separator.join(fields).encode())
            broken.append(Broken(line, f"{len(fields)} fields where the first line names {len(header)}: {shown}"))
        else:
            rows.append(dict(zip(header, fields, strict=True)))
    return Read(rows, broken)


def _records(content: str, separator: str) -> Iterator[tuple[int, list[str], str]]:
    """(first line, fields, what is wrong) of each record that is no blank line."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [], f"no valid CSV ({error})"
            continue
        if fields:
            yield line, fields, ""


def _parquet(path: Path) -> Read:
    try:
        import pyarrow  # heavy and optional
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("A Parquet dataset", "tables") from error
    try:
        return Read(parquet.read_table(path).to_pylist(), [])
    except (pyarrow.ArrowException, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(f"dataset {path} is no sound Parquet file: {said[0]} Write it anew.") from error


def _shown(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    return repr(text if len(text) <= 80 else text[:79] + "…")


FORMATS: dict[str, Callable[[Path], Read]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": lambda path: _separated(path, ","),
    ".tsv": lambda path: _separated(path, "\t"),
    ".parquet": _parquet,
}
