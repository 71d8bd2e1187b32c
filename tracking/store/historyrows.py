"""Rows of a run's history by step: what was logged together, the whole of it page by page or a sample. For `Reader`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from operator import lt
from typing import Any

from sqlalchemy import Connection, select

from weft.tracking.runs.metricstats import MADE
from weft.tracking.store import schema
from weft.tracking.store.chunks import Line
from weft.tracking.store.jsontext import decoded
from weft.tracking.store.lookups import parts
from weft.tracking.store.metriclines import FOREVER, Metric, Part, lineage_of, lines_of, metrics_of, picked
from weft.tracking.store.readmodels import HistoryPage
from weft.tracking.store.richreader import points_of
from weft.tracking.store.sampling import sampled

_c = schema.metric_chunk.c


def rows(
    connection: Connection,
    run_uid: str,
    keys: Sequence[str] | None,
    min_step: int | None,
    max_step: int | None,
    stream: str = "default",
) -> HistoryPage:
    """Rows by step from `min_step` on, below `max_step`: as many as lie in one chunk, or all that is not sealed."""
    lineage = lineage_of(connection, run_uid)
    real = None if keys is None else [key for key in keys if key not in MADE]
    metrics = metrics_of(connection, lineage, real or None, stream)
    first = -FOREVER - 1 if min_step is None else max(-FOREVER - 1, min(min_step, FOREVER))
    last = FOREVER if max_step is None else max(-FOREVER - 1, min(max_step - 1, FOREVER))
    upto = _window(connection, [one.key for found in metrics.values() for one in found], first, last)
    lines = {key: line for key, line in lines_of(connection, metrics, first, upto).items() if line.steps}
    said = [] if stream == "system" else points_of(connection, lineage, real or None, first, upto)
    merged = _merged(lines, said, _Clock(lineage), _whole(metrics))
    if keys is not None:
        merged = [row for row in merged if all(key in row for key in keys)]
    return HistoryPage(merged, upto + 1 if upto < last else None)


def sample(
    connection: Connection, run_uid: str, keys: Sequence[str] | None, x_axis: str, samples: int, stream: str
) -> HistoryPage:
    """At most so many rows of the whole history, as `sampling.sampled` chooses them."""
    lineage = lineage_of(connection, run_uid)
    wanted = None if keys is None else [key for key in (*keys, x_axis) if key not in MADE]
    metrics = metrics_of(connection, lineage, wanted or None, stream)
    lines = lines_of(connection, metrics)
    said = [] if stream == "system" else points_of(connection, lineage, wanted or None, -FOREVER - 1, FOREVER)
    places = {key: set(line.steps) for key, line in lines.items()}
    for item in said:
        places.setdefault(item.key, set()).add(item.step)
    steps = set().union(*places.values())
    for key in {*(wanted or ()), x_axis} - set(MADE):
        steps &= places.get(key, set())
    chosen = set(sampled(sorted(steps), [(line.steps, line.values) for line in lines.values()], samples))
    few = {}
    for key, line in lines.items():
        at = [index for index, step in enumerate(line.steps) if step in chosen]
        few[key] = picked(line, at)
    rest = [item for item in said if item.step in chosen]
    return HistoryPage(_merged(few, rest, _Clock(lineage), _whole(metrics)), None)


def _window(connection: Connection, metrics: Sequence[int], first: int, last: int) -> int:
    """Up to which step rows are read together: so that of a long history little more than a chunk a metric is."""
    edges: list[int] = []
    for some in parts(metrics):
        query = select(_c.last_step).where(_c.metric_key.in_(some), _c.last_step >= first, _c.last_step < last)
        found = connection.execute(query.order_by(_c.last_step).limit(1)).scalar()
        edges += [] if found is None else [found]
    return min(edges, default=last)


class _Clock:
    """How long a run had gone on at some time: its sessions added up."""

    def __init__(self, lineage: Sequence[Part]) -> None:
        sessions = sorted({start: elapsed for part in lineage for start, elapsed in part.sessions.items()}.items())
        self._starts = [start for start, _ in sessions]
        self._elapsed = [elapsed for _, elapsed in sessions]

    def all(self, times_ns: Sequence[int]) -> list[float]:
        """Of many times."""
        if not times_ns or not self._starts:
            return [0.0] * len(times_ns)
        first, last = (bisect_right(self._starts, at) for at in (min(times_ns), max(times_ns)))
        if first != last or not first:
            return [self(at) for at in times_ns]
        shift = self._elapsed[first - 1] - self._starts[first - 1]
        if min(times_ns) + shift < 0:
            return [max(0, time + shift) / 1e9 for time in times_ns]
        return [(time + shift) / 1e9 for time in times_ns]

    def __call__(self, at_ns: int) -> float:
        at = max(0, bisect_right(self._starts, at_ns) - 1)
        return max(0, self._elapsed[at] + at_ns - self._starts[at]) / 1e9 if self._starts else 0.0


def _whole(metrics: Mapping[str, Sequence[Metric]]) -> set[str]:
    """Those that are shown as integers."""
    return {name for name, found in metrics.items() if all(one.whole for one in found)}


def _merged(
    lines: Mapping[str, Line], said: Sequence[Any], clock: _Clock, whole: Container[str]
) -> list[dict[str, Any]]:
    """One row a step. Of several values of a step the latest holds, and none that came late before one that did not.

    Most metrics were logged together, once a step: their rows are made column by column, and the rest is put into them.
    """
    lines = {
        key: line._replace(values=[*map(int, line.values)]) if key in whole else line for key, line in lines.items()
    }
    together = _together(lines, {item.key for item in said})
    apart = {key: line for key, line in lines.items() if key not in together}
    columns = [lines[key] for key in together]
    steps: Sequence[int] = columns[0].steps if columns else ()
    blank = dict.fromkeys(together if apart or said else (*together, *MADE))
    rows: list[dict[str, Any]] = [blank.copy() for _ in steps]
    for key, line in zip(together, columns, strict=True):
        _fill(rows, key, line.values)
    times = _latest([line.at_ns for line in columns])
    if apart or said:
        cells, latest = dict(zip(steps, rows, strict=True)), dict(zip(steps, times, strict=True))
        _put(cells, latest, apart, said)
        steps = sorted(cells)
        rows, times = [cells[step] for step in steps], [latest[step] for step in steps]
    for name, values in zip(MADE, (steps, clock.all(times), [at / 1e9 for at in times]), strict=True):
        _fill(rows, name, values)
    return rows


def _together(lines: Mapping[str, Line], named: Container[str]) -> list[str]:
    """The metrics that have one value at each of the same steps as the longest, none of them late.

    Args:
        named: those that have other values too.
    """
    plain = {
        key: line for key, line in lines.items() if key not in named and _rising(line.steps) and not any(line.late)
    }
    longest = max(plain.values(), key=lambda line: len(line.steps), default=None)
    return [key for key, line in plain.items() if longest is not None and _alike(line.steps, longest.steps)]


def _rising(steps: Sequence[int]) -> bool:
    return steps.step > 0 if isinstance(steps, range) else all(map(lt, steps, steps[1:]))


def _fill(rows: Sequence[dict[str, Any]], name: str, values: Iterable[Any]) -> None:
    for row, value in zip(rows, values, strict=True):
        row[name] = value


def _latest(times: Sequence[Sequence[int]]) -> Sequence[int]:
    """The latest of each place; what one call logged has one time."""
    if not times or all(other is times[0] or other == times[0] for other in times):
        return times[0] if times else ()
    return list(map(max, *times))


def _put(
    cells: dict[int, dict[str, Any]], latest: dict[int, int], lines: Mapping[str, Line], said: Sequence[Any]
) -> None:
    """Values that do not come with all the others into their rows, by step, and when the last of each came."""
    named = {item.key for item in said}
    numbers: dict[tuple[str, int], int] = {}
    """Of names that have other values too: when the number of a step came."""
    for key, line in lines.items():
        passes = ((1, 0) if any(line.late) else (0,)) if len(line.steps) else ()
        for wanted in passes:
            for step, at, value, late in zip(line.steps, line.at_ns, line.values, line.late, strict=True):
                if late == wanted:
                    cells.setdefault(step, {})[key] = value
                    latest[step] = max(at, latest.get(step, at))
                    if key in named:
                        numbers[key, step] = at
    for item in said:
        value, number_at = decoded(item.value), numbers.get((item.key, item.step))
        if number_at is None or (item.at_ns == number_at if _has_point(value) else item.at_ns > number_at):
            cells.setdefault(item.step, {})[item.key] = value
        latest[item.step] = max(item.at_ns, latest.get(item.step, item.at_ns))


def _has_point(value: Any) -> bool:
    """Whether it is a large number, which stands exactly beside its nearest float, as `metrics.split` makes it."""
    try:
        return type(value) is int and math.isfinite(value)
    except OverflowError:  # beyond the largest float
        return False


def _alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether they hold the same; a range equals no array by itself."""
    return one == other or (type(one) is not type(other) and list(one) == list(other))
