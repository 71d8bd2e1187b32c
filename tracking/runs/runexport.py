"""Runs as tables to take elsewhere: one row a step, or one row a run; every column that any row has.

Called by `weft runs export`. Nothing is sampled and nothing dropped: what is no number stands as JSON where the form
has no place for it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from weft.tracking.errors import Error, MissingExtraError
from weft.tracking.runs.runvalues import flat
from weft.tracking.store.readmodels import RunRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader

Row = Mapping[str, Any]
Rows = Callable[[], Iterable[Row]]
"""Asked twice: for the columns, then for the values."""
STREAMS = {"history": "default", "system": "system"}
_BATCH = 10_000


def steps(reader: Reader, runs: Sequence[RunRecord], stream: str) -> Iterator[Row]:
    """All that runs logged, a row a step; `_project` and `_run` say whose it is.

    Args:
        stream: `default`, or `system` for what the machine took.
    """
    for run in runs:
        step: int | None = None
        while True:
            page = reader.rows(run.uid, min_step=step, stream=stream)
            for row in page.rows:
                yield {"_project": run.project, "_run": run.id, **row}
            if page.next_step is None:
                break
            step = page.next_step


def about(runs: Iterable[RunRecord], documents: Iterable[str]) -> Iterator[Row]:
    """A row a run: what it is, and the leaves of its config, its summary."""
    wanted = tuple(documents)
    for run in runs:
        row: dict[str, Any] = {
            "project": run.project,
            "run": run.id,
            "name": run.name,
            "state": run.state,
            "job_type": run.job_type,
            "group": run.group,
            "tags": list(run.tags),
            "notes": run.notes,
            "started_ns": run.started_ns,
            "ended_ns": run.ended_ns,
            "runtime_s": run.runtime_s,
            "step": run.step,
        }
        for document in wanted:
            row |= {f"{document}.{name}": value for name, value in flat(getattr(run, document))}
        yield row


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Every name that a row has, in order of its first mention."""
    return list(dict.fromkeys(name for row in rows for name in row))


def write_jsonl(rows: Iterable[Row], file: IO[str]) -> int:
    """A JSON object a line; NaN and infinities as the texts `NaN`, `Infinity`, `-Infinity`. How many rows."""
    count = 0
    for row in rows:
        file.write(_json(dict(row)) + "\n")
        count += 1
    return count


def write_csv(rows: Rows, file: IO[str]) -> int:
    """All columns; what a row has not is empty, what is no number or text is JSON. How many rows.

    Raises:
        Error: columns came in meanwhile.
    """
    columns = columns_of(rows())
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_sound(name) for name in columns])
    count = 0
    for row in _checked(rows(), columns):
        writer.writerow([_cell(row.get(name)) for name in columns])
        count += 1
    return count


def write_parquet(rows: Rows, path: Path) -> int:
    """Columns of whole numbers, floats, truths or text; of mixed kinds as JSON text. How many rows.

    Raises:
        MissingExtraError: pyarrow is not installed.
        Error: columns came in meanwhile.
    """
    try:
        import pyarrow as pa  # late: the extra `tables`
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("--format parquet", "tables") from error
    kinds = _kinds(rows())
    types = {"truth": pa.bool_(), "whole": pa.int64(), "float": pa.float64(), "text": pa.string(), "json": pa.string()}
    known = pa.schema([(_sound(name), types[kind]) for name, kind in kinds.items()])
    count = 0
    with parquet.ParquetWriter(path, known, compression="zstd") as writer:
        for part in _parts(_checked(rows(), kinds)):
            arrays = [pa.array([_as(kind, row.get(name)) for row in part], types[kind]) for name, kind in kinds.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=known))
            count += len(part)
    return count


def _checked(rows: Iterable[Row], columns: Collection[str]) -> Iterator[Row]:
    known = frozenset(columns)
    for row in rows:
        if not known.issuperset(row):
            new = ", ".join(sorted(set(row) - known)[:3])
            raise Error(f"a run that still goes on logged {new} meanwhile, so nothing was written. Export it again")
        yield row


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) == _BATCH:
            yield part
            part = []
    if part:
        yield part


def _kinds(rows: Iterable[Row]) -> dict[str, str]:
    """By column, what holds all of its values."""
    found: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            kind = _kind(value)
            before = found.setdefault(name, kind)
            if kind not in (before, ""):
                numbers = {before, kind} == {"whole", "float"}
                found[name] = kind if not before else "float" if numbers else "json"
    return {name: kind or "text" for name, kind in found.items()}


def _kind(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        return "whole" if -(1 << 63) <= value < 1 << 63 else "json"
    if isinstance(value, float):
        return "float"
    return "text" if isinstance(value, str) else "json"


def _as(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "json":
        return _json(value)
    if kind == "whole" and isinstance(value, float):  # of a metric whose first fraction has just come
        raise Error("a run that still goes on logged other numbers meanwhile, so nothing was written. Export it again")
    return float(value) if kind == "float" else _sound(value) if kind == "text" else value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else _json(value)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return repr(value) if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"


def _json(value: Any) -> str:
    return orjson.dumps(_plain(value), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: Any) -> Any:
    """With what JSON cannot say as text."""
    if isinstance(value, float) and value - value != 0:
        return _number(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    if isinstance(value, Mapping):
        return {_sound(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return _sound(value) if isinstance(value, str) else value


def _sound(text: str) -> str:
    """Without lone surrogates, which no file takes."""
    return text.encode("utf-8", "backslashreplace").decode()
