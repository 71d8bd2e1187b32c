"""Names of versions, and the versions that they mean in the store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from weft.tracking import runtime
from weft.tracking.artifacts.manifest import Manifest
from weft.tracking.artifacts.recording import LATEST
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.names import check_artifact, check_project, version_number
from weft.tracking.registry.paths import PREFIX as REGISTRY
from weft.tracking.registry.paths import LinkReference, is_reference
from weft.tracking.store.readmodels import ArtifactRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader

_DIGEST = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """`project/name:alias`, taken apart; an entity before it is left out."""

    project: str | None
    name: str
    which: str
    """`latest`, an alias, `v3`, or a digest (sha256 hex, the first 12 or more digits of it)."""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """
        Raises:
            UsageError: it is no such reference.
        """
        if not isinstance(text, str):
            raise UsageError(f'an artifact is named like "name:latest" or "project/name:v3", got {text!r:.80}')
        if is_reference(text):
            linked = LinkReference.parse(text)
            return cls(f"{REGISTRY}{linked.path.registry}", linked.path.name, linked.which or LATEST)
        project, slash, rest = text.rpartition("/")
        entity, _, last = project.partition("/")
        if entity and "/" not in last:
            project = last or entity  # entity/project/name, as wandb's scripts have it
        name, _, which = rest.partition(":")
        try:
            return cls(check_project(project) if slash else None, check_artifact(name), which or LATEST)
        except UsageError as error:
            raise UsageError(
                f'{text!r:.150} names no version; one is named like "name:latest", "project/name:v3" or '
                f'"weft:///project/name:production". {error}'
            ) from None

    def choose(self, versions: list[ArtifactRecord]) -> ArtifactRecord:
        """The version meant, of all that this name has.

        Raises:
            NotFoundError: none of them is it; the message lists those there are.
        """
        number = version_number(self.which)
        for record in versions:
            if record.version == number if number is not None else self.which in record.aliases:
                return record
        if self.which == LATEST and versions:
            return max(versions, key=lambda record: record.version)
        if _DIGEST.fullmatch(self.which):
            for record in versions:
                if record.digest.startswith(self.which):
                    return record
        known = ", ".join(
            f"v{record.version}" + (f" ({', '.join(record.aliases)})" if record.aliases else "")
            for record in versions[:20]
        )
        where = f" in project {self.project!r}" if self.project else ""
        raise NotFoundError(
            f"no artifact {self.name}:{self.which}{where}; there is {known}"
            if versions
            else f"no artifact is called {self.name!r}{where}. `weft artifacts ls` lists them"
        )


def version_of(record: ArtifactRecord, blobs: Blobs) -> ArtifactVersion:
    """The version a record describes, its files in these blobs."""
    return ArtifactVersion(
        project=record.project,
        bare_name=record.name,
        type=record.type,
        digest=record.digest,
        manifest=Manifest(record.manifest),  # type: ignore[arg-type]
        metadata=dict(record.metadata),
        blobs=blobs,
        description=record.description,
        number=record.version,
        aliases=list(record.aliases),
        tags=list(record.tags),
        ttl=None if record.ttl_s is None else timedelta(seconds=record.ttl_s),
        created_ns=record.created_ns,
        updated_ns=record.updated_ns,
    )


def find(text: str, project: str, blobs: Blobs) -> ArtifactVersion:
    """Look a version up in the store.

    Args:
        text: `name`, `name:alias`, `name:v3`, each perhaps after `project/`.
        project: where to look when the text names none.

    Raises:
        NotFoundError: there is no such version.
        StoreError: the store cannot be read.
    """
    from weft.tracking.store.access import open_store  # brings SQLAlchemy: only who reads pays for it

    parsed = Reference.parse(text)
    where = {"project": parsed.project or project, "name": parsed.name}
    reference = Reference(where["project"], parsed.name, parsed.which)
    rt, found = runtime.active(), list[ArtifactRecord]()
    if rt.settings.store_url is None and not os.path.lexists(rt.home.path):
        return version_of(reference.choose(found), blobs)  # nothing is made to find nothing in
    with open_store() as store:
        if is_reference(text):
            from weft.tracking.registry.linked import find_linked  # it knows versions

            return find_linked(store.reader(), text, blobs)
        return version_of(chosen(store.reader(), where, reference), blobs)


def choose(reader: Reader, reference: Reference, project: str | None = None) -> ArtifactRecord:
    """The version meant, in the project that it or the caller names, else in the only one that has the name.

    Raises:
        NotFoundError: there is none.
        UsageError: several projects have the name.
    """
    place = reference.project or project
    if place is None:
        found = reader.artifacts({"name": reference.name}, limit=1000, manifests=False).rows
        places = sorted({record.project for record in found})
        if len(places) > 1:
            called = reference.name
            raise UsageError(f"{called} is in several projects: {', '.join(places)}. Give project/{called}")
        place = places[0] if places else None
    where = {"name": reference.name} | ({} if place is None else {"project": place})
    return chosen(reader, where, Reference(place, reference.name, reference.which))


def chosen(reader: Reader, where: Mapping[str, Any], reference: Reference) -> ArtifactRecord:
    """The version meant, with its manifest: the others are looked at without theirs.

    Raises:
        NotFoundError: there is none.
        StoreError: its manifest is not the one that was logged.
    """
    if reference.project is not None and reference.project.startswith(REGISTRY):
        from weft.tracking.registry.sources import resolve  # it knows versions

        link = resolve(reader, f"{reference.project}/{reference.name}:{reference.which}").link
        where, reference = {"project": link.project, "name": link.name}, Reference(link.project, link.name, link.digest)
    found = list[ArtifactRecord]()
    while True:
        page = reader.artifacts(where, limit=1000, offset=len(found), manifests=False)
        found += page.rows
        if not page.rows or len(found) >= page.total:
            break
    wanted = reference.choose(found)
    exact = {"project": wanted.project, "name": wanted.name, "version": wanted.version}
    for record in reader.artifacts(exact, limit=1).rows:
        found_digest = Manifest(record.manifest).digest  # type: ignore[arg-type]
        if found_digest != record.digest:
            raise StoreError(
                f"the manifest of {record.project}/{record.name}:v{record.version} was edited: its digest is "
                f"{found_digest:.12}, logged was {record.digest:.12}. Log the version again from its source, or bring "
                "the store back from a backup"
            )
        return record
    return wanted
