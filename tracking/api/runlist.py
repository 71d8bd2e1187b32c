"""Several stored runs: what `weft.Api().runs()` answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.tracking.api.results import Results
from weft.tracking.api.storedrun import StoredRun
from weft.tracking.errors import MissingExtraError, UsageError


class Runs(Results[StoredRun]):
    """Several runs; what `weft.Api().runs()` answers with."""

    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: str = "default",  # noqa: A002 - wandb's name for it
        stream: str = "default",
    ) -> Any:
        """The histories of all of them, each as `StoredRun.history`, with `run_id` in every row.

        Args:
            format: `default`, a list of dicts; `pandas` or `polars`, a data frame.

        Raises:
            UsageError: no such format, or as `history`.
            MissingExtraError, ImportError: pandas or polars is not installed.
        """
        if format not in ("default", "pandas", "polars"):
            raise UsageError(f"histories(): format is default, pandas or polars, not {format!r:.80}")
        rows = [
            {**row, "run_id": run.id}
            for run in self
            for row in run.history(samples, keys, x_axis, pandas=False, stream=stream)
        ]
        if format == "default":
            return rows
        if format == "polars":
            import polars  # the user's own; no extra of ours brings it

            return polars.DataFrame(rows, infer_schema_length=None)
        try:
            from pandas import DataFrame  # late: only who asks for a frame needs it
        except ImportError as error:
            raise MissingExtraError("histories(format='pandas')", "ui") from error
        return DataFrame(rows)
