"""Rows of a stored run's history, all of them or a sample, as wandb's `scan_history` and `history` ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking.errors import UsageError
from weft.tracking.runs.metricstats import MADE

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader

_STREAMS = ("default", "system")


def scanned(
    reader: Reader, uid: str, keys: Any, page_size: int, min_step: int | None, max_step: int | None
) -> Iterator[Mapping[str, Any]]:
    """All of them, from `min_step` on, below `max_step`; the arguments are looked at now, the rows read as they go.

    Raises:
        UsageError: an argument cannot be meant.
    """
    wanted = _keys(keys)
    _whole(1, page_size=page_size)
    _whole(None, **{name: step for name, step in (("min_step", min_step), ("max_step", max_step)) if step is not None})
    return _pages(reader, uid, wanted, min_step, max_step)


def _pages(
    reader: Reader, uid: str, keys: Sequence[str] | None, step: int | None, max_step: int | None
) -> Iterator[Mapping[str, Any]]:
    while True:
        page = reader.rows(uid, keys, min_step=step, max_step=max_step)
        yield from _only(page.rows, keys)
        if page.next_step is None:
            return
        step = page.next_step


def sampled(reader: Reader, uid: str, samples: int, keys: Any, x_axis: str, stream: str) -> list[Mapping[str, Any]]:
    """At most so many of them.

    Raises:
        UsageError: an argument cannot be meant.
    """
    wanted = _keys(keys)
    _whole(1, samples=samples)
    if not isinstance(x_axis, str) or stream not in _STREAMS:
        raise UsageError(
            f"history(): x_axis is a metric's name and stream one of {', '.join(_STREAMS)}, "
            f"not {x_axis!r:.80} and {stream!r:.80}"
        )
    page = reader.sampled_rows(uid, wanted, x_axis=x_axis, samples=samples, stream=stream)
    return list(_only(page.rows, wanted if wanted is None else [*wanted, x_axis]))


def columns(rows: Sequence[Mapping[str, Any]], keys: Any, x_axis: str) -> list[str]:
    """Of a frame of these rows: the keys that were asked for, or all names in order; then what every row has."""
    wanted = _keys(keys)
    names = sorted({name for row in rows for name in row}) if wanted is None else dict.fromkeys([*wanted, x_axis])
    return [*(name for name in names if name not in MADE), *MADE]


def _keys(keys: Any) -> Sequence[str] | None:
    if keys is None:
        return None
    listed = [keys] if isinstance(keys, str) else list(keys) if isinstance(keys, Iterable) else [keys]
    if not all(isinstance(key, str) for key in listed):
        raise UsageError(f"keys are names of metrics, not {keys!r:.80}")
    return listed


def _whole(least: int | None, **numbers: Any) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise UsageError(
                f"{name} is a whole number{'' if least is None else f' of at least {least}'}, not {value!r:.80}"
            )


def _only(rows: Sequence[Mapping[str, Any]], keys: Sequence[str] | None) -> Iterable[Mapping[str, Any]]:
    """Rows with these values, and what every row has."""
    if keys is None:
        return rows
    wanted = {*keys, *MADE}
    return ({key: value for key, value in row.items() if key in wanted} for row in rows)
