"""A Table that a run logs: a version of an artifact of that run, and what stands for it among the values of the step.

Called by `Run.log`. Never raises for trouble with the disk: it is counted, as everywhere while recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.tracking import names
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, MissingExtraError
from weft.tracking.payloads.redaction import clean_name
from weft.tracking.tables import parts
from weft.tracking.tables.table import Table

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run
    from weft.tracking.runtime import Runtime


def log_table(rt: Runtime, run: Run, key: str, table: Table) -> dict[str, Any]:
    """Keep the table as it is now; answers {_type: table, columns, n_rows, artifact, digest, path}.

    A table that has not changed since is the version it was. An INCREMENTAL one adds a file of its new rows to those of
    its last version in this run.
    """
    from weft.tracking.artifacts.artifact import Artifact  # what logs numbers alone need not load it

    known = {"_type": "table", "columns": list(table.columns), "n_rows": len(table)}
    if not rt.recording:
        return known
    key = clean_name(key, rt.settings.redact)
    artifact = Artifact(names.run_artifact(run.id, key), type=parts.TYPE)
    place = "\n".join((str(rt.home.path), run.project, artifact.bare_name))
    made: list[parts.Part] = []
    try:
        if table.log_mode == "INCREMENTAL":
            made = parts.write_increment(artifact, table, table.logged_parts.get(place, []), Blobs(rt.home))
        else:
            parts.write(artifact, table, parts.FILE)
    except (MissingExtraError, HomeError, OSError) as error:  # no Parquet, no place: the rows must not be lost for that
        rt.faults.note("write a logged Table as Parquet", error, hint="Its rows are kept as JSON.")
        return {**known, "rows": table.rows}
    run.log_artifact(artifact)
    if made:
        table.logged_parts[place] = made
        known["log_mode"] = table.log_mode
    return {**known, "artifact": artifact.bare_name, "digest": artifact.digest, "path": parts.FILE}
