"""`weft sql "select ..."`: everything that is kept, asked by SQL. It only reads."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from weft.commands import terminal
from weft.tracking import runtime, units
from weft.tracking.errors import Error, MissingExtraError, UsageError
from weft.tracking.home import Home
from weft.tracking.sql.question import answer
from weft.tracking.sql.views import VIEWS
from weft.tracking.store.access import open_store
from weft.tracking.tables.query import QueryResult

_SHOWN = 100
"""Rows on a terminal, unless --limit says otherwise."""
_CELL_CHARS = 80
_LEAST = 12
"""Characters of a column that a table shows at least, where it has so many."""
_GAP = 3
"""Between two columns."""


def sql(
    query: Annotated[str | None, typer.Argument(help="One SELECT; left out, the views and their columns.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON objects.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Rows at most; on a terminal 100.")] = None,
) -> None:
    """Ask by SQL: runs, metrics, spans, scores, artifacts and logged tables (docs/sql.md)."""
    if sum((json, csv, parquet is not None)) > 1:
        raise UsageError("--json, --csv and --parquet are three forms of one answer; choose one")
    if query is None:
        _list_views(json)
        return
    whole = json or csv or parquet is not None
    with open_store() as store:
        home = Home(runtime.active().settings.home)
        found = answer(store, home, query, limit=limit if whole or limit is not None else _SHOWN)
    if json:
        terminal.print_json([dict(zip(found.columns, map(_cell, row), strict=True)) for row in found.rows])
    elif csv:
        _print_csv(found)
    elif parquet is not None:
        _write(found, parquet)
    else:
        _print_table(found)


def _list_views(json: bool) -> None:
    if json:
        terminal.print_json({name: view.columns for name, view in VIEWS.items()})
        return
    table = terminal.table("view", "holds", "columns")
    for name, view in VIEWS.items():
        table.add_row(name, view.about, ", ".join(view.columns))
    terminal.console().print(table)


def _print_table(found: QueryResult) -> None:
    """A table where its columns can be told apart, else a record below the other."""
    console = terminal.console()
    heads = [terminal.escape(name, _CELL_CHARS) for name in found.columns]
    cells = [[terminal.escape(_shown(value), _CELL_CHARS) for value in row] for row in found.rows]
    widths = [min(_LEAST, max(map(len, column))) for column in zip(heads, *cells, strict=True)]
    if sum(widths) + _GAP * len(widths) > console.width:
        for number, row in enumerate(cells, 1):
            console.print(_record(number, heads, row))
        if not cells:
            console.print(terminal.text(f"no rows of {', '.join(heads)}", "dim"), soft_wrap=True)
    else:
        types = found.to_arrow().schema.types
        numeric = [head for head, kind in zip(heads, types, strict=True) if _number(kind)]
        table = terminal.table(*heads, right=numeric)
        for row in cells:
            table.add_row(*(terminal.text(cell, limit=_CELL_CHARS) for cell in row))
        console.print(table)
    if found.cut:
        console.print(f"the first {len(found):,} rows; --limit shows more, --csv and --json all", style="dim")


def _record(number: int, heads: Sequence[str], cells: Sequence[str]) -> Table:
    made = terminal.table(f"row {number:,}", "")
    for head, cell in zip(heads, cells, strict=True):
        made.add_row(terminal.text(head, "dim"), terminal.text(cell))
    return made


def _number(kind: Any) -> bool:
    import pyarrow.types as types  # the answer has brought it

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _shown(value: Any) -> str:
    if value is None:
        return units.UNKNOWN
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(_text(_cell(value)))


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _print_csv(found: QueryResult) -> None:
    import csv  # late: one form of three

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(found.columns)
    for row in found.rows:
        writer.writerow(["" if value is None else _text(_cell(value)) for value in row])


def _text(value: Any) -> Any:
    return _json(value) if isinstance(value, (dict, list)) else value


def _cell(value: Any) -> Any:
    """As JSON and CSV have it: times in ISO 8601, bytes in base64, a span of time by its parts."""
    if isinstance(value, dict):
        return {name: _cell(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cell(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "nanoseconds"):  # Arrow's interval
        return f"{value.months} months {value.days} days {value.nanoseconds / 1e9:g} s"
    return value.isoformat() if hasattr(value, "isoformat") else value


def _write(found: QueryResult, path: Path) -> None:
    try:
        import pyarrow.parquet as parquet  # late: as above
    except ImportError as error:
        raise MissingExtraError("--parquet", "tables") from error
    try:
        parquet.write_table(found.to_arrow(), path, compression="zstd")
    except OSError as error:
        raise Error(f"could not write {path}: {error.strerror or error}. Give another file with --parquet") from error
    terminal.console().print(terminal.text(f"{units.counted(len(found), 'row')}  →  {path}"), soft_wrap=True)
