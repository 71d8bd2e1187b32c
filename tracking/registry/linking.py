"""`weft.link_artifact`, `promote`, `unlink`: what a program does in the registry. Runs' own methods end here too."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from weft.tracking import names, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.recording import log_version
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.registry import promoting, writing
from weft.tracking.registry.linked import LinkedVersion, linked_version
from weft.tracking.registry.paths import CollectionPath, LinkReference
from weft.tracking.registry.promoting import Promotion
from weft.tracking.registry.sources import given

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord

Version = Artifact | ArtifactVersion | str


def link_artifact(
    artifact: Version,
    target_path: str,
    aliases: str | Iterable[str] | None = None,
    *,
    by: str | None = None,
    force: bool = False,
) -> LinkedVersion | None:
    """Link a version into a collection of the registry, which is made by its first link.

    Args:
        artifact: a version, its name (`name:v3`, `project/name:alias`), or an Artifact, which is logged first where it
            is not yet. A linked version stands for its source.
        target_path: `registry/collection`, or `collection` alone, which is in the registry `model`; wandb's
            `wandb-registry-model/collection` means the same.
        aliases: that move to it, within the collection; `latest` is on the newest link anyway.
        by: who does it; default `WEFT_USER`, git's user, the user who is logged in.
        force: also move protected aliases.

    Returns:
        The version as the collection knows it. None where nothing is recorded (mode disabled, trouble with the disk).

    Raises:
        UsageError: the collection holds another type, an alias is none or protected, or this is no path.
        NotFoundError: there is no such version.

    Example:
        >>> linked = weft.link_artifact("digits/cnn:v3", "model/classifier", aliases=["staging"])
        >>> linked.version, linked.source_version
        ('v0', 'v3')
    """
    rt = runtime.active()
    return link(rt, rt.run, artifact, target_path, aliases, by=by, force=force)


def link(
    rt: Runtime,
    run: Run | None,
    artifact: Version,
    target_path: str,
    aliases: str | Iterable[str] | None,
    *,
    by: str | None = None,
    force: bool = False,
) -> LinkedVersion | None:
    """See `link_artifact`; what is not logged yet is logged by this run, or by none."""
    path = CollectionPath.parse(target_path)
    chosen = names.check_aliases(aliases)
    project = run.project if run is not None else rt.settings.project
    if isinstance(artifact, Artifact) and artifact.is_draft():
        if run is not None:
            run.log_artifact(artifact)
        else:
            log_version(rt, artifact, project=project, aliases=[])
        if rt.recording and artifact.logged_to is None:  # it could not be kept, which was said
            return None
    if not rt.recording:
        return None
    blobs = Blobs(rt.home)

    def opened(reader: Reader, record: CollectionRecord, held: LinkRecord) -> LinkedVersion | None:
        return linked_version(reader, record, held, blobs)

    return writing.link(rt, given(rt, artifact, project), path, chosen, opened, by=by, force=force)


def link_model(
    rt: Runtime,
    run: Run,
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None,
    aliases: str | Iterable[str] | None,
) -> LinkedVersion | None:
    """See `Run.link_model`."""
    CollectionPath.parse(registered_model_name)  # before anything is logged
    logged = run.log_artifact(path, name, "model")
    return link(rt, run, logged, registered_model_name, aliases)


def promote(
    version: Version,
    collection: str | None = None,
    to: str = "production",
    require: Any = None,
    note: str | None = None,
    *,
    by: str | None = None,
) -> Promotion:
    """Move an alias to a version, if an evaluation shows what is required of it. Linked it is where it is not yet.

    Args:
        version: as for `link_artifact`; `registry:model/classifier:staging` names a linked one.
        collection: `registry/collection`; may be left out where `version` names it.
        to: the alias. Other aliases stay where they are.
        require: `{"eval": "topics", "accuracy": ">=0.9", "latency_s.p95": "<2"}`, or several of these: the newest
            finished evaluation of that name that used exactly this version must show it (docs/registry.md). None: no
            gate, but for what the alias itself requires of every promotion (`Collection.protect`).
        note: why, for the history.
        by: who does it, as for `link_artifact`.

    Raises:
        GateError: it does not; nothing moved, and the history has it.
        UsageError: the collection holds another type, or an alias or requirement is none.
        NotFoundError: there is no such version.
        StoreError: the store cannot be read.

    Example:
        >>> weft.promote("registry:classifier:staging", require={"eval": "digits", "accuracy": "ci>=0.9"})
    """
    rt = runtime.active()
    project = rt.run.project if rt.run is not None else rt.settings.project
    found = given(rt, version, project)
    if collection is None and found.path is None:
        raise UsageError(f'promote() was not told which collection: promote({str(found)!r}, "model/classifier")')
    path = CollectionPath.parse(collection) if collection is not None else found.path
    assert path is not None
    return promoting.promote(rt, found, path, to, require, note, by=by)


def unlink(linked: LinkedVersion | str, *, by: str | None = None, force: bool = False) -> None:
    """Take a version out of a collection. The version itself stays; its number in the collection is never given again.

    Args:
        linked: a linked version, or `registry/collection:v3` (or an alias).
        by: who does it, as for `link_artifact`.
        force: also where it has a protected alias.

    Raises:
        NotFoundError: it is not there.
        UsageError: it has a protected alias, or this names no linked version.
    """
    if isinstance(linked, LinkedVersion):
        linked.unlink(force=force, by=by)
        return
    if not isinstance(linked, str):
        raise UsageError(f'unlink() takes a linked version or a text like "model/classifier:v3", not {linked!r:.80}')
    reference = LinkReference.parse(linked)
    if reference.which is None:
        raise UsageError(f"{linked!r:.150} does not say which version: {reference.path}:v3, or {reference.path}:latest")
    writing.unlink(runtime.active(), reference.path, reference.which, by=by, force=force)
