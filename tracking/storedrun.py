"""A run as `weft.Api()` answers with it: its record, and its history on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import MissingExtraError, NotFoundError, UsageError
from weft.tracking.savedfile import SavedFile
from weft.tracking.store.readmodels import AlertRecord, RunRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.tables import Table

_STREAMS = ("default", "system")
_MADE = ("_step", "_runtime", "_timestamp")


class StoredRun(RunRecord):
    """A `RunRecord` that reads its history.

    Example:
        >>> run = weft.Api().run("digits/x1y2z3a4")
        >>> for row in run.scan_history(keys=["loss"]):
        ...     print(row["_step"], row["loss"])
    """

    __slots__ = ("_reader",)
    _reader: Reader

    @classmethod
    def of(cls, record: RunRecord, reader: Reader) -> StoredRun:
        """The record, with where to read more of it."""
        made = cls(**{field.name: getattr(record, field.name) for field in fields(record)})
        object.__setattr__(made, "_reader", reader)
        return made

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """All that was logged, a row a step: names and values, and `_step`, `_runtime` (s), `_timestamp` (Unix s).

        Calls of one step are one row, in which the later value of a name holds; what came late for a step never
        replaces what came in time. What is no number stands as it is stored.

        Args:
            keys: only the rows that have all of these, and only these values.
            page_size: as wandb has it; how much is read at a time is the store's own choice.
            min_step: from this step on.
            max_step: below this step.

        Raises:
            UsageError: one of these cannot be meant.
        """
        wanted = _keys(keys)
        _whole(1, page_size=page_size)
        _whole(
            None, **{name: step for name, step in (("min_step", min_step), ("max_step", max_step)) if step is not None}
        )
        return self._scanned(wanted, min_step, max_step)

    def _scanned(
        self, keys: Sequence[str] | None, min_step: int | None, max_step: int | None
    ) -> Iterator[Mapping[str, Any]]:
        step = min_step
        while True:
            page = self._reader.rows(self.uid, keys, min_step=step, max_step=max_step)
            yield from _only(page.rows, keys)
            if page.next_step is None:
                return
            step = page.next_step

    def files(self, names: Sequence[str] | None = None) -> list[SavedFile]:
        """Its files by path: those it saved, media it logged, what was recorded by itself (`kind`: diff, code, ...).

        Args:
            names: only these.
        """
        blobs = Blobs(runtime.active().home)
        found = self._reader.files(self.uid)
        return [SavedFile.of(record, blobs) for record in found if names is None or record.path in names]

    def file(self, name: str) -> SavedFile:
        """One of its files.

        Raises:
            NotFoundError: it has none of that name.
        """
        for found in self.files([name]):
            return found
        raise NotFoundError(f"run {self.project}/{self.id} has no file {name!r:.150}; run.files() lists what it has")

    def alerts(self) -> Sequence[AlertRecord]:
        """What it wanted somebody to see, newest first."""
        return self._reader.alerts(self.uid, limit=None)

    def table(self, key: str, step: int | None = None) -> Table:
        """A Table that the run logged under this key: the last one, or that of a step.

        Raises:
            NotFoundError: there is none, or its files are not in this home.
            MissingExtraError: pyarrow is not installed.
        """
        from weft.tracking.tables.stored import stored_table  # who reads no table needs no blobs

        return stored_table(self._reader, self, key, step, Blobs(runtime.active().home))

    def history(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
    ) -> Any:
        """At most so many rows of the history: the first, the last, the extremes of every metric, others in between.
        The same ones each time; `scan_history` has them all.

        Args:
            samples: how many rows at most.
            keys: only the rows that have all of these, and only these values.
            x_axis: only rows that have this metric.
            pandas: whether a DataFrame is meant, or a list of dicts.
            stream: `default`, or `system` for what the machine took.

        Raises:
            UsageError: one of these cannot be meant.
            MissingExtraError: pandas is not installed.
        """
        wanted = _keys(keys)
        _whole(1, samples=samples)
        if not isinstance(x_axis, str) or stream not in _STREAMS:
            raise UsageError(
                f"history(): x_axis is a metric's name and stream one of {', '.join(_STREAMS)}, "
                f"not {x_axis!r:.80} and {stream!r:.80}"
            )
        page = self._reader.sampled_rows(self.uid, wanted, x_axis=x_axis, samples=samples, stream=stream)
        rows = list(_only(page.rows, wanted if wanted is None else [*wanted, x_axis]))
        if not pandas:
            return rows
        try:
            from pandas import DataFrame  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("history(pandas=True)", "ui") from error
        return DataFrame(rows)


def _keys(keys: Any) -> Sequence[str] | None:
    if keys is None:
        return None
    listed = [keys] if isinstance(keys, str) else list(keys)
    if not all(isinstance(key, str) for key in listed):
        raise UsageError(f"keys are names of metrics, not {keys!r:.80}")
    return listed


def _whole(least: int | None, **numbers: Any) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            raise UsageError(
                f"{name} is a whole number{'' if least is None else f' of at least {least}'}, not {value!r:.80}"
            )


def _only(rows: Sequence[Mapping[str, Any]], keys: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    """Rows with these values, and what every row has."""
    if keys is None:
        yield from rows
    else:
        for row in rows:
            yield {key: value for key, value in row.items() if key in keys or key in _MADE}
