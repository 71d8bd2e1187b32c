"""Applies the records of artifacts: versions numbered as they come, edits, aliases, lineage. For `Sink.apply`.

Everything but a number is free of order: a field, an alias, a link goes to its last writer, and what a tombstone has
buried is what was said up to its time, whichever of them arrives first.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from weft.tracking.artifacts.manifest import PACKED_BYTES, cut, unpacked
from weft.tracking.journal.records import ArtifactLogged, ArtifactUsed, VersionUpdated
from weft.tracking.store import schema
from weft.tracking.store.jsontext import text
from weft.tracking.store.transaction import Stamp, Transaction

LATEST = "latest"
"""The alias that is not kept: it is whatever was logged last."""
NEVER_S = -1
"""The lifetime that ends every earlier one."""

_VERSION = [column.name for column in schema.artifact_version.columns]


class ArtifactSink:
    """One batch of artifact records, applied."""

    def __init__(self, transaction: Transaction, segment: str) -> None:
        self._tx = transaction
        self._segment = segment

    def apply(self, record: ArtifactLogged | ArtifactUsed | VersionUpdated, offset: int) -> None:
        key = self._artifact(self._tx.project(record.project), record.name)
        buried_ns = _buried_ns(self._tx, record.digest, record.name, record.project)
        stamp: Stamp = (record.at_ns, self._segment, offset)
        if isinstance(record, ArtifactUsed):
            if record.at_ns > buried_ns:
                self._link(key, record.digest, record.run_uid, "used", record.at_ns, record.used_as)
            return
        if isinstance(record, VersionUpdated):
            if record.at_ns > buried_ns:
                self._edit(key, record.digest, _changed(record), stamp)
                self.fold(key, record.digest)
            for alias in record.dropped_aliases:
                self._drop(key, alias, record.digest, stamp)
        else:
            self._version(key, record, stamp, buried=record.at_ns <= buried_ns)
            if record.run_uid is not None and record.at_ns > buried_ns:
                self._link(key, record.digest, record.run_uid, "made", record.at_ns, None)
        for alias in record.aliases:
            self._alias(key, alias, record.digest, stamp, record.at_ns <= buried_ns)

    def _artifact(self, project_key: int, name: str) -> int:
        rows = self._tx.rows("SELECT id FROM artifact WHERE project_key = ? AND name = ?", (project_key, name))
        if rows:
            return int(rows[0][0])
        key = self._tx.key(schema.artifact)
        self._tx.insert(schema.artifact, [(key, project_key, name, 0)])
        return key

    def _version(self, artifact_key: int, record: ArtifactLogged, stamp: Stamp, *, buried: bool) -> None:
        rows = self._tx.rows(
            f"SELECT {', '.join(_VERSION)} FROM artifact_version WHERE artifact_key = ? AND digest = ?",
            (artifact_key, record.digest),
        )
        if buried:
            if not rows:
                self._gone(artifact_key, record.digest)
            return
        columns: dict[str, Any]
        if rows:
            columns = dict(zip(_VERSION, rows[0], strict=True))
            columns["created_ns"] = min(columns["created_ns"], record.at_ns)
        else:
            columns = dict.fromkeys(_VERSION)
            columns |= {"id": self._tx.key(schema.artifact_version), "artifact_key": artifact_key}
            columns |= {"number": self._number(artifact_key), "digest": record.digest, "created_ns": record.at_ns}
        columns |= self._manifest(artifact_key, record)  # known or not: logging again mends one that was damaged
        if not rows or (columns["logged_ns"], columns["logged_segment"], columns["logged_seq"]) < stamp:
            columns |= {"type": record.type, "size_bytes": record.size_bytes}
            columns |= dict(zip(("logged_ns", "logged_segment", "logged_seq"), stamp, strict=True))
        self._tx.upsert(schema.artifact_version, [tuple(columns.values())])
        self._edit(artifact_key, record.digest, _said(record), stamp)
        self.fold(artifact_key, record.digest)

    def _number(self, artifact_key: int) -> int:
        number = int(self._tx.rows("SELECT next_number FROM artifact WHERE id = ?", (artifact_key,))[0][0])
        self._tx.run("UPDATE artifact SET next_number = ? WHERE id = ?", (number + 1, artifact_key))
        return number

    def _gone(self, artifact_key: int, digest: str) -> None:
        """A version whose deletion was heard of first: it takes its number all the same."""
        gone = "SELECT 1 FROM artifact_gone WHERE artifact_key = ? AND digest = ?"
        if not self._tx.rows(gone, (artifact_key, digest)):
            self._tx.insert(schema.artifact_gone, [(artifact_key, self._number(artifact_key), digest)])

    def _manifest(self, artifact_key: int, record: ArtifactLogged) -> dict[str, Any]:
        whole = unpacked(record.manifest)
        entries = orjson.loads(whole)
        if len(whole) < PACKED_BYTES:
            return {"manifest": text(whole), "file_count": len(entries)}
        parts = cut(entries)
        known = "SELECT digest FROM manifest_part WHERE artifact_key = ? AND digest IN ({marks})"
        here = {row[0] for row in self._tx.rows_in(known, [digest for digest, _ in parts], (artifact_key,))}
        new = {digest: data for digest, data in parts if digest not in here}
        rows = [(artifact_key, digest, zlib.compress(data)) for digest, data in new.items()]
        self._tx.insert(schema.manifest_part, rows)
        told = orjson.dumps([digest for digest, _ in parts]).decode()
        return {"manifest": told, "file_count": len(entries)}

    def _edit(self, artifact_key: int, digest: str, said: Mapping[str, str], stamp: Stamp) -> None:
        for field, value in said.items():
            rows = self._tx.rows(
                "SELECT at_ns, segment, seq FROM artifact_edit WHERE artifact_key = ? AND digest = ? AND field = ?",
                (artifact_key, digest, field),
            )
            if not rows or tuple(rows[0]) < stamp:
                self._tx.upsert(schema.artifact_edit, [(artifact_key, digest, field, value, *stamp)])

    def fold(self, artifact_key: int, digest: str) -> None:
        """What was said of the version, into its row."""
        rows = self._tx.rows(
            "SELECT field, value, at_ns FROM artifact_edit WHERE artifact_key = ? AND digest = ?",
            (artifact_key, digest),
        )
        said = {field: value for field, value, _ in rows}
        known = "SELECT logged_ns FROM artifact_version WHERE artifact_key = ? AND digest = ?"
        found = self._tx.rows(known, (artifact_key, digest))
        if not found:
            return
        ttl_s = int(said.get("ttl_s", NEVER_S))
        columns = {
            "description": said.get("description") or None,
            "metadata": said.get("metadata"),
            "tags": said.get("tags"),
            "ttl_s": None if ttl_s == NEVER_S else ttl_s,
            "updated_ns": max([found[0][0], *(at_ns for _, _, at_ns in rows)]),
        }
        self._tx.run(
            f"UPDATE artifact_version SET {', '.join(f'{name} = ?' for name in columns)} "
            "WHERE artifact_key = ? AND digest = ?",
            (*columns.values(), artifact_key, digest),
        )

    def _alias(self, artifact_key: int, alias: str, digest: str, stamp: Stamp, buried: bool) -> None:
        """An alias of a removed version is kept: it then points at nothing, rather than back at an older one."""
        if alias == LATEST:
            return
        rows = self._tx.rows(
            "SELECT at_ns, segment, seq FROM artifact_alias WHERE artifact_key = ? AND alias = ?",
            (artifact_key, alias),
        )
        if rows and tuple(rows[0]) >= stamp:
            return
        dropped = self._tx.rows(
            "SELECT at_ns, segment, seq FROM artifact_drop WHERE artifact_key = ? AND alias = ? AND digest = ?",
            (artifact_key, alias, digest),
        )
        off = buried or bool(dropped and tuple(dropped[0]) > stamp)
        self._tx.upsert(schema.artifact_alias, [(artifact_key, alias, digest, *stamp, int(off))])

    def _drop(self, artifact_key: int, alias: str, digest: str, stamp: Stamp) -> None:
        rows = self._tx.rows(
            "SELECT at_ns, segment, seq FROM artifact_drop WHERE artifact_key = ? AND alias = ? AND digest = ?",
            (artifact_key, alias, digest),
        )
        if rows and tuple(rows[0]) >= stamp:
            return
        self._tx.upsert(schema.artifact_drop, [(artifact_key, alias, digest, *stamp)])
        given = self._tx.rows(
            "SELECT at_ns, segment, seq FROM artifact_alias WHERE artifact_key = ? AND alias = ? AND digest = ?",
            (artifact_key, alias, digest),
        )
        if given and tuple(given[0]) < stamp:
            self._tx.run(
                "UPDATE artifact_alias SET dropped = 1 WHERE artifact_key = ? AND alias = ?", (artifact_key, alias)
            )

    def _link(self, artifact_key: int, digest: str, run_uid: bytes, role: str, at_ns: int, used_as: str | None) -> None:
        run_key = self._tx.run_key(run_uid)
        if run_key is None:
            return
        rows = self._tx.rows(
            "SELECT at_ns, used_as FROM artifact_link "
            "WHERE artifact_key = ? AND digest = ? AND run_key = ? AND role = ?",
            (artifact_key, digest, run_key, role),
        )
        if rows and (rows[0][0], rows[0][1] or "") >= (at_ns, used_as or ""):
            return
        self._tx.upsert(schema.artifact_link, [(artifact_key, digest, run_key, role, at_ns, used_as)])


def _said(record: ArtifactLogged) -> dict[str, str]:
    """What a log says of a version; what it leaves out stays as it was."""
    said = {}
    if record.description is not None:
        said["description"] = record.description
    if record.metadata not in (None, b"{}"):
        said["metadata"] = str(text(record.metadata))
    if record.tags:
        said["tags"] = orjson.dumps(record.tags).decode()
    if record.ttl_s is not None:
        said["ttl_s"] = str(record.ttl_s)
    return said


def _changed(record: VersionUpdated) -> dict[str, str]:
    said = {}
    if record.description is not None:
        said["description"] = record.description
    if record.metadata is not None:
        said["metadata"] = str(text(record.metadata))
    if record.tags is not None:
        said["tags"] = orjson.dumps(record.tags).decode()
    if record.ttl_s is not None:
        said["ttl_s"] = str(record.ttl_s)
    return said


def _buried_ns(tx: Transaction, digest: str, name: str, project: str) -> int:
    """Up to when what is said of this version is void: when it was last deleted; -1: never."""
    if not tx.any_removals:
        return -1
    rows = tx.rows(
        "SELECT max(at_ns) FROM tombstone WHERE target = 'artifact' AND project = ? AND key IN (?, ?)",
        (project, digest.encode(), f"{digest}/{name}".encode()),
    )
    return -1 if rows[0][0] is None else int(rows[0][0])


def remove_version(tx: Transaction, key: str, project: str, at_ns: int) -> None:
    """Delete a version, what was said of it until then, and its lineage. Its number is not given again; logged again
    later the content is a new version.

    Args:
        key: its digest, or digest/name of that artifact alone.
    """
    digest, _, name = key.partition("/")
    project_key = tx.project(project)
    tx.bury_artifact(key.encode(), project, at_ns)
    named = " AND name = ?" if name else ""
    found = tx.rows(f"SELECT id FROM artifact WHERE project_key = ?{named}", (project_key, *([name] if name else [])))
    for (artifact_key,) in found:
        of = (artifact_key, digest, at_ns)
        rows = tx.rows(
            "SELECT number, manifest FROM artifact_version WHERE artifact_key = ? AND digest = ? AND logged_ns <= ?", of
        )
        for number, manifest in rows:
            tx.add_missing(schema.artifact_gone, [(artifact_key, number, digest)])
            tx.run("DELETE FROM artifact_version WHERE artifact_key = ? AND digest = ?", (artifact_key, digest))
            if manifest.startswith("["):
                _forget_parts(tx, artifact_key, orjson.loads(manifest))
        tx.run("DELETE FROM artifact_link WHERE artifact_key = ? AND digest = ? AND at_ns <= ?", of)
        tx.run("DELETE FROM artifact_edit WHERE artifact_key = ? AND digest = ? AND at_ns <= ?", of)
        tx.run("UPDATE artifact_alias SET dropped = 1 WHERE artifact_key = ? AND digest = ? AND at_ns <= ?", of)
        if not rows:  # it was logged again since: of what was said before the deletion nothing stays
            ArtifactSink(tx, "").fold(artifact_key, digest)


def _forget_parts(tx: Transaction, artifact_key: int, parts: list[str]) -> None:
    """Delete those that no other version of the artifact has."""
    rest = set(parts)
    for (manifest,) in tx.rows("SELECT manifest FROM artifact_version WHERE artifact_key = ?", (artifact_key,)):
        if manifest.startswith("["):
            rest -= set(orjson.loads(manifest))
    for digest in rest:
        tx.run("DELETE FROM manifest_part WHERE artifact_key = ? AND digest = ?", (artifact_key, digest))
