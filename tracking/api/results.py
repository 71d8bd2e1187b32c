"""Answers of `weft.Api()`: lazy lists, fetched page by page as they are looked at, and as data frames."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from weft.tracking.errors import MissingExtraError
from weft.tracking.runs.runvalues import flat
from weft.tracking.store.readmodels import Page, RunRecord

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
PAGE = 200
"""Rows that are fetched first; then as many again as were looked at so far, up to `_MOST`."""
_MOST = 2000


class Results(Sequence[T], Generic[T]):
    """The answer to a question, fetched page by page as it is looked at; what was fetched once stays as it was."""

    def __init__(
        self, fetch: Callable[[int, str | None], Page[T]], page_size: int = PAGE, kind: type[T] | None = None
    ) -> None:
        self._fetch = fetch
        self._kind = kind
        self._page_size = page_size
        self._rows: list[T] = []
        self._cursor: str | None = None
        self._whole = False
        self._total: int | None = None
        self._lock = threading.RLock()  # guards what was fetched

    def __iter__(self) -> Iterator[T]:
        at = 0
        while self._reach(at):
            yield self._rows[at]
            at += 1

    def __len__(self) -> int:
        """How many there are; counted by the store where it can, else by fetching them all."""
        self._reach(0)
        if self._total is None:
            self._all()
        return len(self._rows) if self._whole or self._total is None else self._total

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            if index.stop is None or index.stop < 0 or (index.start or 0) < 0 or (index.step or 1) < 0:
                self._all()
            else:
                self._reach(index.stop - 1)
            return self._rows[index]
        index = operator.index(index)
        if index < 0:
            self._all()
        else:
            self._reach(index)
        return self._rows[index]

    def to_pandas(self) -> pd.DataFrame:
        """One row each, a column a field; times as UTC timestamps (`start_ns` becomes `start`), money as float.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("Results.to_pandas()", "ui") from error
        frame = pd.DataFrame([_flat(row) for row in self], columns=None if len(self) else _columns(self._kind))
        for column in [name for name in frame.columns if name.endswith("_ns") and name != "duration_ns"]:
            frame[column] = pd.to_datetime(frame[column], unit="ns", utc=True)
        return frame.rename(columns={name: name.removesuffix("_ns") for name in frame.columns if name != "duration_ns"})

    def _reach(self, at: int) -> bool:
        """Fetch until there is a row at this place; whether there is."""
        with self._lock:
            while len(self._rows) <= at and not self._whole:
                size = max(self._page_size, min(len(self._rows), _MOST))
                page = self._fetch(size, self._cursor)
                if not self._rows and page.exact:
                    self._total = page.total
                self._rows += page.rows
                self._cursor = page.cursor
                self._whole = page.cursor is None
            return len(self._rows) > at

    def _all(self) -> None:
        with self._lock:
            while not self._whole:
                self._reach(len(self._rows))

    def __repr__(self) -> str:
        known = f"{len(self._rows)} fetched" if self._rows or self._whole else "not fetched yet"
        return f"<{type(self).__name__}: {known}>"


def _columns(kind: Any) -> list[str]:
    """The columns that every row of this type has."""
    known = fields(kind) if is_dataclass(kind) else ()
    return [field.name for field in known if field.name not in ("usage", "scores", "config", "summary")]


def _flat(row: Any) -> dict[str, Any]:
    """A record's fields for a data frame: counts of usage, scores, a run's config and summary as columns of
    their own."""
    told: dict[str, Any] = {}
    for name, value in asdict(getattr(row, "record", row)).items():
        if isinstance(row, RunRecord) and name in ("config", "summary"):
            told |= {f"{name}.{key}": item for key, item in flat(value)}
        elif name in ("usage", "scores") and isinstance(value, Mapping):
            told |= {f"{name}.{key}": item for key, item in value.items()}
        elif name != "usage":
            told[name] = float(value) if isinstance(value, Decimal) else value
    return told
