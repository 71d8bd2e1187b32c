"""Applies the records of artifacts: versions numbered as they come, aliases, lineage. For `Sink.apply`."""

from __future__ import annotations

from typing import Any

from weft.tracking.journal.records import ArtifactLogged, ArtifactUsed
from weft.tracking.store import schema
from weft.tracking.store.jsontext import text
from weft.tracking.store.transaction import Stamp, Transaction

LATEST = "latest"
"""The alias that is not kept: it is whatever was logged last."""

_VERSION = [column.name for column in schema.artifact_version.columns]


class ArtifactSink:
    """One batch of artifact records, applied."""

    def __init__(self, transaction: Transaction, segment: str) -> None:
        self._tx = transaction
        self._segment = segment

    def apply(self, record: ArtifactLogged | ArtifactUsed, offset: int) -> None:
        key = self._artifact(self._tx.project(record.project), record.name)
        if isinstance(record, ArtifactUsed):
            self._link(key, record.digest, record.run_uid, "used", record.at_ns)
            return
        stamp: Stamp = (record.at_ns, self._segment, offset)
        self._version(key, record, stamp)
        for alias in record.aliases:
            self._alias(key, alias, record.digest, stamp)
        if record.run_uid is not None:
            self._link(key, record.digest, record.run_uid, "made", record.at_ns)

    def _artifact(self, project_key: int, name: str) -> int:
        rows = self._tx.rows("SELECT id FROM artifact WHERE project_key = ? AND name = ?", (project_key, name))
        if rows:
            return int(rows[0][0])
        key = self._tx.key(schema.artifact)
        self._tx.insert(schema.artifact, [(key, project_key, name, 0)])
        return key

    def _version(self, artifact_key: int, record: ArtifactLogged, stamp: Stamp) -> None:
        if self._tx.removed("artifact", record.digest.encode(), record.project):
            return
        rows = self._tx.rows(
            f"SELECT {', '.join(_VERSION)} FROM artifact_version WHERE artifact_key = ? AND digest = ?",
            (artifact_key, record.digest),
        )
        columns: dict[str, Any]
        if rows:
            columns = dict(zip(_VERSION, rows[0], strict=True))
            columns["created_ns"] = min(columns["created_ns"], record.at_ns)
            if (columns["logged_ns"], columns["logged_segment"], columns["logged_seq"]) >= stamp:
                self._tx.upsert(schema.artifact_version, [tuple(columns.values())])
                return
        else:
            number = self._tx.rows("SELECT next_number FROM artifact WHERE id = ?", (artifact_key,))[0][0]
            self._tx.run("UPDATE artifact SET next_number = ? WHERE id = ?", (number + 1, artifact_key))
            columns = dict.fromkeys(_VERSION)
            columns |= {"id": self._tx.key(schema.artifact_version), "artifact_key": artifact_key, "number": number}
            columns |= {"digest": record.digest, "created_ns": record.at_ns}
        columns |= {"type": record.type, "manifest": text(record.manifest), "size_bytes": record.size_bytes}
        columns |= {"description": record.description, "metadata": text(record.metadata)}
        columns |= dict(zip(("logged_ns", "logged_segment", "logged_seq"), stamp, strict=True))
        self._tx.upsert(schema.artifact_version, [tuple(columns.values())])

    def _alias(self, artifact_key: int, alias: str, digest: str, stamp: Stamp) -> None:
        """An alias of a removed version is kept: it then points at nothing, rather than back at an older one."""
        if alias == LATEST:
            return
        rows = self._tx.rows(
            "SELECT at_ns, segment, seq FROM artifact_alias WHERE artifact_key = ? AND alias = ?",
            (artifact_key, alias),
        )
        if not rows or tuple(rows[0]) < stamp:
            self._tx.upsert(schema.artifact_alias, [(artifact_key, alias, digest, *stamp)])

    def _link(self, artifact_key: int, digest: str, run_uid: bytes, role: str, at_ns: int) -> None:
        run_key = self._tx.run_key(run_uid)
        if run_key is None:
            return
        rows = self._tx.rows(
            "SELECT at_ns FROM artifact_link WHERE artifact_key = ? AND digest = ? AND run_key = ? AND role = ?",
            (artifact_key, digest, run_key, role),
        )
        first = min(at_ns, rows[0][0]) if rows else at_ns
        self._tx.upsert(schema.artifact_link, [(artifact_key, digest, run_key, role, first)])


def remove_version(transaction: Transaction, digest: str, project: str) -> None:
    """Delete every version of this content in a project, and its lineage. Its number is not given again."""
    project_key = transaction.project(project)
    for table in ("artifact_version", "artifact_link"):
        transaction.run(
            f"DELETE FROM {table} WHERE digest = ? AND artifact_key IN (SELECT id FROM artifact WHERE project_key = ?)",
            (digest, project_key),
        )
