"""Tables that a run logged, read back: the last one under a key, or the one of a step. For whoever reads runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError
from weft.tracking.tables.parts import FILE, read
from weft.tracking.tables.table import Table

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import RunRecord


def stored_table(reader: Reader, run: RunRecord, key: str, step: int | None, blobs: Blobs) -> Table:
    """
    Raises:
        NotFoundError: the run logged no Table under this key (at this step), or its files are not in this home.
        UsageError: they are no sound Parquet files.
        MissingExtraError: pyarrow is not installed.
    """
    logged = [row for row in reader.rich(run.uid) if is_table(row["value"])]
    found = [row for row in logged if row["key"] == key and step in (None, row["step"])]
    if not found:
        known = ", ".join(sorted({str(row["key"]) for row in logged})[:20]) or "none"
        at = "" if step is None else f" at step {step}"
        raise NotFoundError(
            f"run {run.project}/{run.id} logged no Table {key!r:.80}{at}. It logged these Tables: {known}"
        )
    value: Mapping[str, Any] = found[-1]["value"]
    if "rows" in value:  # where it was logged there was no pyarrow
        return Table(columns=value["columns"], data=value["rows"], allow_mixed_types=True)
    where = {"project": run.project, "name": value["artifact"], "digest": value["digest"]}
    versions = reader.artifacts(where, limit=1).rows
    if not versions:
        raise NotFoundError(f"the version of {value['artifact']} that run {run.id} logged as {key!r:.80} was removed")
    manifest = versions[0].manifest
    return read(manifest, str(value.get("path") or FILE), lambda path: blobs.open(str(manifest[path]["digest"])), blobs)


def is_table(value: object) -> bool:
    """Whether this stands for a logged Table."""
    return isinstance(value, Mapping) and value.get("_type") == "table" and isinstance(value.get("columns"), list)
