"""What runs do with artifacts: log a version, use one. `Run` has checked that it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from weft.tracking import names
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.finding import find
from weft.tracking.artifacts.recording import LATEST, log_version
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactUsed
from weft.tracking.payloads.redaction import redact_text

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run
    from weft.tracking.runtime import Runtime

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")


def log(
    rt: Runtime,
    run: Run,
    artifact: Artifact | str | os.PathLike[str],
    name: str | None,
    kind: str | None,
    aliases: str | Iterable[str] | None,
    tags: str | Iterable[str] | None,
) -> Artifact:
    """See `Run.log_artifact`."""
    chosen = [alias for alias in names.check_aliases(aliases) if alias != LATEST]
    more = names.check_tags(tags)
    made = artifact if isinstance(artifact, Artifact) else _of_path(run, artifact, name, kind)
    if made.incremental and made.is_draft():
        try:
            made.continue_from(find(f"{made.bare_name}:{LATEST}", run.project, Blobs(rt.home)))
        except NotFoundError:
            pass  # the first one
    log_version(rt, made, project=run.project, aliases=chosen, tags=more, made_by=run.uid)
    return made


def use(
    rt: Runtime,
    run: Run,
    artifact: str | Artifact | ArtifactVersion,
    kind: str | None,
    aliases: str | Iterable[str] | None,
    use_as: str | None,
) -> ArtifactVersion:
    """See `Run.use_artifact`."""
    use_as = names.check_optional_text("use_as", use_as)
    blobs = Blobs(rt.home)
    if isinstance(artifact, ArtifactVersion):
        version = artifact
    elif isinstance(artifact, Artifact):
        _check_type(artifact.bare_name, artifact.type, kind)
        chosen = [alias for alias in names.check_aliases(aliases) if alias != LATEST]
        if artifact.is_draft():
            log_version(rt, artifact, project=run.project, aliases=chosen)
        project = artifact.logged_to or run.project
        version = ArtifactVersion(
            project,
            artifact.bare_name,
            artifact.type,
            artifact.digest,
            artifact.manifest,
            artifact.metadata,
            blobs,
            artifact.description,
        )
    else:
        version = find(artifact, run.project, blobs)
    _check_type(version.bare_name, version.type, kind)
    told = None if use_as is None else redact_text(use_as, rt.settings.redact)
    record = ArtifactUsed(
        SCHEMA, version.project, version.bare_name, version.digest, run.uid, rt.ids.wall_ns(), used_as=told
    )
    if rt.recording:
        rt.journal.append(record)
    return version


def use_model(rt: Runtime, run: Run, name: str) -> str:
    """See `Run.use_model`."""
    version = use(rt, run, name, None, None, None)
    if "model" not in version.type:
        raise UsageError(f"{version.qualified_name} is of type {version.type!r}, so use_model() does not take it")
    folder = version.download()
    return str(folder / next(iter(version.manifest)) if len(version.manifest) == 1 else folder)


def _of_path(run: Run, path: str | os.PathLike[str], name: str | None, kind: str | None) -> Artifact:
    if isinstance(path, ArtifactVersion):
        raise UsageError(
            f"{path.qualified_name} is logged already; new_draft() makes an Artifact of it to change and log"
        )
    address = names.check_local_path("an artifact that is logged by its path", path)
    elsewhere = _ADDRESS.match(address)
    last = address.rstrip("/").rpartition("/")[2] if elsewhere else Path(path).name
    made = Artifact(name or names.run_artifact(run.id, last), type=kind or "unspecified")
    if elsewhere:
        made.add_reference(address)
    elif Path(path).is_dir():
        made.add_dir(path)
    else:
        made.add_file(path)
    return made


def _check_type(name: str, found: str, wanted: str | None) -> None:
    if wanted is not None and wanted != found:
        raise UsageError(f"artifact {name!r} is of type {found!r}, and type={wanted!r} was asked for")
