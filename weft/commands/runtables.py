"""Runs on a terminal: the list's columns, one run's head, its values and the course of its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from weft.commands import terminal
from weft.tracking import units
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.previews import preview
from weft.tracking.runs.runvalues import flat, took_ns, value_at
from weft.tracking.store.readmodels import ArtifactRecord, FileRecord, RunRecord, Series

_BARS = "▁▂▃▄▅▆▇█"
_SUMMARY_SHOWN = 3
_FILES_SHOWN = 20
_NARROW, _WIDE = 100, 120
"""Below this many columns a list shows what tells runs apart, from the other on all."""


def listing(console: Console, rows: Sequence[RunRecord], now_ns: int, projects: bool) -> Table:
    """The list that fits a console: ids are never cut, the rest gives way.

    Args:
        projects: whether the rows may be of several projects.
    """
    wide, middling = console.width >= _WIDE, console.width >= _NARROW
    shown = ["state", "run", "name"]
    shown += ["project"] if projects or wide else []
    shown += ["job"] if wide else []
    shown += ["step"] if middling else []
    shown += ["summary"]
    shown += ["dur"] if middling else []
    shown += ["when"]
    made = terminal.table(*shown, right=("step", "dur"))
    for row in rows:
        cells = {
            "state": terminal.status(row.state),
            "run": terminal.text(row.id, "dim"),
            "name": terminal.text(row.name, limit=28),
            "project": terminal.text(row.project, limit=20),
            "job": terminal.text(row.job_type or "", limit=12),
            "step": Text(units.count(row.step)),
            "summary": terminal.text(digest(row.summary), limit=48),
            "dur": Text(units.duration(took_ns(row, now_ns))),
            "when": Text(_when(row, now_ns), no_wrap=True),
        }
        made.add_row(*(cells[name] for name in shown))
    _uncut(made, shown.index("run"), [row.id for row in rows])
    made.columns[0].no_wrap = True
    made.columns[shown.index("when")].no_wrap = True
    made.columns[shown.index("name")].min_width = 8
    return made


def chosen(rows: Sequence[RunRecord], columns: Sequence[str], now_ns: int) -> Table:
    """A list of these columns, such as config.lr or summary.acc."""
    values = [[value_at(row, column) for column in columns] for row in rows]
    right = [
        column
        for at, column in enumerate(columns)
        if all(line[at] is None or isinstance(line[at], (int, float)) for line in values)
    ]
    made = terminal.table("run", *(terminal.escape(column) for column in columns), right=map(terminal.escape, right))
    for row, line in zip(rows, values, strict=True):
        cells = (_cell(column, found, now_ns) for column, found in zip(columns, line, strict=True))
        made.add_row(terminal.text(row.id, "dim"), *cells)
    _uncut(made, 0, [row.id for row in rows])
    return made


def _cell(column: str, found: Any, now_ns: int) -> Text:
    if column == "state":
        return terminal.status(str(found))
    if column == "error" and isinstance(found, Mapping):
        return terminal.text(failure(found), limit=48)
    if column.endswith("_ns") and isinstance(found, int):
        return Text(units.age(found, now_ns))
    return terminal.text("" if found is None else value(found), limit=48)


def _uncut(made: Table, at: int, ids: Sequence[str]) -> None:
    made.columns[at].min_width = max((len(terminal.escape(ident)) for ident in ids), default=0)
    made.columns[at].no_wrap = True


def _when(row: RunRecord, now_ns: int) -> str:
    return units.age(row.started_ns, now_ns).removesuffix(" ago")


def digest(summary: Mapping[str, Any]) -> str:
    """The first few numbers of a summary, for one cell."""
    leaves: list[tuple[str, Any]] = []
    for name, found in summary.items():
        if isinstance(found, dict) and "_type" in found:
            continue
        interval = isinstance(found, dict) and isinstance(found.get("mean"), (int, float)) and "ci" in found
        leaves += [(name, found)] if interval or not isinstance(found, dict) else flat(found, f"{name}.")
    shown = [f"{name} {value(found)}" for name, found in leaves if isinstance(found, (int, float, dict))]
    more = f" +{len(shown) - _SUMMARY_SHOWN}" if len(shown) > _SUMMARY_SHOWN else ""
    return "  ".join(shown[:_SUMMARY_SHOWN]) + more


def value(found: Any) -> str:
    """A number, a mean with its interval (an evaluation's), a medium in words, names with their values, or JSON."""
    if isinstance(found, (bool, int, float)):
        return units.number(found)
    if isinstance(found, dict) and isinstance(found.get("mean"), (int, float)):
        return units.plus_minus(found["mean"], _half_width(found.get("ci")))
    if isinstance(found, dict) and isinstance(found.get("_type"), str):
        return medium(found)
    if isinstance(found, Mapping) and found:
        return ", ".join(f"{name} {'{}' if inner == {} else value(inner)}" for name, inner in flat(found))
    return found if isinstance(found, str) else preview(encode(found))


def failure(error: Mapping[str, Any]) -> str:
    """What ended a run: `ValueError: no such file`; `KeyboardInterrupt`, which says nothing."""
    return ": ".join(str(part) for part in (error.get("type", "error"), error.get("message")) if part)


def medium(record: Mapping[str, Any]) -> str:
    """What a run logged that is to be looked at: `image, 96 × 96, 5.2 KiB, a seven`, `table, 40 rows`, `4 images`."""
    kind = str(record["_type"]).removesuffix("-file").partition("/")[0]
    count, rows, n_bytes = (_whole(record.get(name)) for name in ("count", "n_rows", "size_bytes"))
    width, height = (_whole(record.get(name)) for name in ("width", "height"))
    said = [kind if count is None else f"{count:,} {kind}"]
    if isinstance(record.get("chart"), str):
        said = [f"{record['chart']} {kind}"]
    said += [f"{width} × {height}"] if width and height else []
    said += [units.counted(rows, "row")] if rows is not None else []
    said += [units.size(n_bytes)] if n_bytes is not None and rows is None else []
    return ", ".join([*said, *([record["caption"]] if isinstance(record.get("caption"), str) else [])])


def _whole(found: Any) -> int | None:
    return found if type(found) is int else None


def _half_width(interval: Any) -> float | None:
    match interval:
        case [int() | float() as low, int() | float() as high]:
            return (high - low) / 2
    return None


def head(run: RunRecord, now_ns: int) -> Text:
    """What it is called, how it stands, where it belongs."""
    said = Text.assemble(terminal.text(run.name, "bold"), "  ", terminal.status(run.state), "\n")
    facts = [f"{terminal.escape(run.project)}/{terminal.escape(run.id)}"]
    facts.append(f"started {units.age(run.started_ns, now_ns)} ({units.moment(run.started_ns)})")
    facts.append(f"took {units.duration(took_ns(run, now_ns))}")
    for label, value in (("job", run.job_type), ("group", run.group), ("parent", run.parent_id)):
        if value:
            facts.append(f"{label} {terminal.escape(value)}")
    if run.tags:
        facts.append("tags " + ", ".join(terminal.escape(tag) for tag in run.tags))
    if run.trace_count:
        facts.append(units.counted(run.trace_count, "trace"))
    git = run.metadata.get("git")
    if isinstance(git, Mapping):
        facts.append(f"git {terminal.escape(git.get('commit', ''))[:10]}{' + changes' if git.get('dirty') else ''}")
    said.append(" · ".join(facts), "dim")
    if run.notes:
        said.append("\n").append_text(terminal.text(run.notes))
    return said


def by_hand(summary: Mapping[str, Any], history: Mapping[str, Series]) -> dict[str, Any]:
    """What the metrics' own table does not show."""
    return {name: value for name, value in summary.items() if name not in history}


def pairs(title: str, values: Mapping[str, Any]) -> Table:
    """Names and values."""
    table = terminal.table(title, "value")
    for name, found in values.items():
        table.add_row(terminal.text(name), terminal.text(value(found), limit=200))
    return table


def metrics(history: Mapping[str, Series]) -> Table:
    """Each metric's range and course."""
    table = terminal.table("metric", "last", "min", "max", "points", "", right=("last", "min", "max", "points"))
    for name, series in history.items():
        finite = [value for value in series.values if value == value and abs(value) != float("inf")]
        late = f" ({series.late:,} late)" if series.late else ""
        table.add_row(
            terminal.text(name),
            units.number(series.values[-1]) if series.values else units.UNKNOWN,
            units.number(min(finite, default=None)),
            units.number(max(finite, default=None)),
            f"{series.total:,}{late}",
            Text(sparkline(series.values), style="cyan"),
        )
    return table


def environment(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's surroundings a terminal shows; `--json` has it all."""
    shown = {name: found for name, found in metadata.items() if name != "env" and found not in (None, "", [], {})}
    return {name: _plain(name, found) for name, found in flat(shown)}


def _plain(name: str, found: Any) -> Any:
    """Numbers as they are, not in groups of three: they are ids and counts."""
    if isinstance(found, int) and not isinstance(found, bool):
        return units.size(found) if name.endswith("_bytes") else str(found)
    return found


def artifacts(made: Sequence[ArtifactRecord], used: Sequence[ArtifactRecord]) -> Table:
    """The versions that it made and used."""
    table = terminal.table("artifact", "version", "", "type", "size", right=("version", "size"))
    for role, rows in (("made", made), ("used", used)):
        for item in rows:
            table.add_row(
                terminal.text(item.name),
                f"v{item.version}",
                role,
                terminal.text(item.type),
                units.size(item.size_bytes),
            )
    return table


def files(rows: Sequence[FileRecord]) -> Table:
    """The first of its files."""
    table = terminal.table("file", "kind", "size", right=("size",))
    for row in rows[:_FILES_SHOWN]:
        table.add_row(terminal.text(row.path), terminal.text(row.kind), units.size(row.size_bytes))
    if len(rows) > _FILES_SHOWN:
        table.add_row(Text(f"and {len(rows) - _FILES_SHOWN:,} more", style="dim"), "", "")
    return table


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A metric's course in one line: each cell the mean of its share of the points; a gap where none is finite."""
    cells: list[float | None] = []
    for cell in range(min(width, len(values))):
        share = values[
            cell * len(values) // min(width, len(values)) : (cell + 1) * len(values) // min(width, len(values))
        ]
        finite = [value for value in share if value == value and abs(value) != float("inf")]
        cells.append(sum(finite) / len(finite) if finite else None)
    known = [cell for cell in cells if cell is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    spread = high - low
    return "".join(
        " " if cell is None else _BARS[round((cell - low) / spread * (len(_BARS) - 1))] if spread else _BARS[0]
        for cell in cells
    )
