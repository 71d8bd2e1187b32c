"""Artifacts, their versions, and the runs that made or used these, as views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weft.tracking.sql.asking import Asked
from weft.tracking.sql.columntypes import Kind
from weft.tracking.sql.records import of_records
from weft.tracking.store.readmodels import ArtifactRecord

ARTIFACT: Mapping[str, Kind] = {
    "project": "text", "name": "text", "type": "text", "versions": "int", "latest": "int", "size_bytes": "int",
    "created": "time", "updated": "time",
}  # fmt: skip
VERSION: Mapping[str, Kind] = {
    "project": "text", "name": "text", "type": "text", "version": "int", "digest": "text", "aliases": "texts",
    "tags": "texts", "size_bytes": "int", "files": "int", "created": "time", "created_ns": "int", "description": "text",
    "metadata": "json", "producer_project": "text", "producer_run": "text",
}  # fmt: skip
LINEAGE: Mapping[str, Kind] = {
    "project": "text", "artifact": "text", "version": "int", "digest": "text", "type": "text", "role": "text",
    "run_project": "text", "run_id": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Artifact:
    project: str
    name: str
    type: str
    versions: int
    latest: int
    size_bytes: int
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class _Edge:
    """A run beside a version that it made or used."""

    project: str
    artifact: str
    version: int
    digest: str
    type: str
    role: str
    run_project: str
    run_id: str


def _versions(asked: Asked) -> Sequence[ArtifactRecord]:
    return asked.reader.artifacts(limit=None, order="created_ns", manifests=False).rows


def _artifacts(asked: Asked) -> list[_Artifact]:
    found: dict[tuple[str, str], list[ArtifactRecord]] = {}
    for version in _versions(asked):
        found.setdefault((version.project, version.name), []).append(version)
    made = []
    for (project, name), versions in found.items():
        latest = next((one for one in versions if "latest" in one.aliases), versions[-1])
        times = [one.created_ns for one in versions]
        told = (latest.type, len(versions), latest.version, latest.size_bytes, min(times), max(times))
        made.append(_Artifact(project, name, *told))
    return made


def _edges(asked: Asked) -> list[_Edge]:
    made = []
    for one in _versions(asked):
        runs = [("made", path) for path in one.maker_paths] + [("used", path) for path in one.user_paths]
        for role, path in runs:
            project, _, run_id = path.partition("/")
            made.append(_Edge(one.project, one.name, one.version, one.digest, one.type, role, project, run_id))
    return made


def _producer_project(one: ArtifactRecord) -> str | None:
    return one.maker_paths[0].partition("/")[0] if one.maker_paths else None


artifacts = of_records(_artifacts, {})
versions = of_records(
    _versions,
    {
        "files": lambda one: one.file_count,
        "created": lambda one: one.created_ns,
        "producer_project": _producer_project,
    },
)
lineage = of_records(_edges, {})
