"""What is written of versions into the journal: that one was logged, what is said of it anew, that it is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.tracking import names, runtime
from weft.tracking.artifacts.contents import KEEP, NOT_LOGGED
from weft.tracking.artifacts.manifest import PACKED_SCHEMA, packed
from weft.tracking.artifacts.said import Said, check_metadata
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactLogged, Removed, VersionUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact, redact_text
from weft.tracking.runtime import Runtime

if TYPE_CHECKING:
    from weft.tracking.artifacts.artifact import Artifact

LATEST = "latest"
"""The alias of what was logged last; records never hold it."""


def log_version(
    rt: Runtime,
    artifact: Artifact,
    *,
    project: str,
    aliases: list[str],
    tags: Iterable[str] = (),
    made_by: bytes | None = None,
) -> bool:
    """Write the record of a version, its files synced first. False: something could not be kept, and was counted.

    Args:
        aliases: as checked by `names.check_aliases`, without `latest`.
        tags: besides those the artifact has.
        made_by: uid of the run that made it.

    Raises:
        UsageError: its name, type, description, metadata or a tag is none.
    """
    description = names.check_optional_text("an artifact's description", artifact.description)
    name, kind = names.check_artifact(artifact.bare_name), names.check_text("an artifact's type", artifact.type)
    chosen = [clean_name(tag, rt.settings.redact) for tag in names.check_tags([*artifact.tags, *tags])]
    metadata = encode(check_metadata(artifact.metadata))
    artifact.mark_logged(project, recorded=False)
    if not rt.recording:
        return False
    try:
        artifact.contents.keep_in(Blobs(rt.home))
    except (OSError, HomeError) as error:
        rt.faults.note(KEEP, error, hint=NOT_LOGGED)
        return False
    canonical = artifact.manifest_json
    manifest = packed(canonical)
    record = ArtifactLogged(
        SCHEMA if manifest is canonical else PACKED_SCHEMA,
        project,
        name,
        kind,
        hashlib.sha256(canonical).hexdigest(),
        manifest,
        artifact.size_bytes,
        rt.ids.wall_ns(),
        aliases=aliases,
        description=None if description is None else redact_text(description, rt.settings.redact),
        metadata=redact(metadata, rt.faults, rt.settings.redact),
        run_uid=made_by,
        tags=chosen,
        ttl_s=artifact.ttl_s,
    )
    written = rt.journal.append(record)
    if written:
        artifact.mark_logged(project, recorded=True)
    return written


def edit(project: str, name: str, digest: str, before: Said, said: Said) -> None:
    """Write what is said of a version now, as far as it is different.

    Args:
        before, said: as checked.

    Raises:
        UsageError: mode is disabled, which writes nothing.
    """
    rt = runtime.active()
    if not rt.recording:
        raise UsageError("nothing can be changed in mode disabled, which writes nothing: unset WEFT_MODE")
    redacting = rt.settings.redact
    told = redact(said.metadata, rt.faults, redacting)
    text = "" if said.description is None else redact_text(said.description, redacting)
    rt.journal.append(
        VersionUpdated(
            SCHEMA,
            project,
            name,
            digest,
            rt.ids.wall_ns(),
            description=text if said.description != before.description else None,
            metadata=told if said.metadata != before.metadata else None,
            tags=[clean_name(tag, redacting) for tag in said.tags] if said.tags != before.tags else None,
            ttl_s=said.ttl_s if said.ttl_s != before.ttl_s else None,
            aliases=[alias for alias in said.aliases if alias not in (*before.aliases, LATEST)],
            dropped_aliases=[alias for alias in before.aliases if alias not in said.aliases],
        )
    )


def remove(project: str, name: str, digest: str) -> None:
    """Write the tombstone of a version.

    Raises:
        UsageError: mode is disabled, which writes nothing.
    """
    rt = runtime.active()
    if not rt.recording:
        raise UsageError("nothing can be deleted in mode disabled, which writes nothing: unset WEFT_MODE")
    rt.journal.append(Removed(SCHEMA, "artifact", f"{digest}/{name}".encode(), project, rt.ids.wall_ns()))
