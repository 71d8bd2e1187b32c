"""Which version is meant by what a caller hands over: an object, `project/name:v3`, `registry:model/x:alias`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.finding import find
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.registry.fold import Source
from weft.tracking.registry.paths import LATEST, CollectionPath, LinkReference

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord


@dataclass(frozen=True, slots=True)
class Given:
    """A version, and the collection that it was named by, if it was."""

    source: Source
    type: str
    path: CollectionPath | None = None

    def __str__(self) -> str:
        return f"{self.source.project}/{self.source.name}"


def given(rt: Runtime, version: Any, project: str) -> Given:
    """
    Args:
        version: an `Artifact` that is logged, an `ArtifactVersion` (a linked one stands for its source), or its name.
        project: where to look when a name says none.

    Raises:
        UsageError: it is none of these, or an Artifact that is not logged.
        NotFoundError: there is no such version.
    """
    if isinstance(version, Artifact):
        if version.is_draft():
            raise UsageError(f"artifact {version.name!r} is not logged yet: log it first, and link what was logged")
        where = version.logged_to or project
        return Given(Source(where, version.bare_name, version.digest), version.type)
    if isinstance(version, str):
        version = find(version, project, Blobs(rt.home))
    if isinstance(version, ArtifactVersion):
        path = getattr(version, "path", None)
        return Given(Source(version.project, version.bare_name, version.digest), version.type, path)
    raise UsageError(
        f'a version is an Artifact, what use_artifact() returned, or a text like "name:v3", got {version!r:.80}'
    )


def collection_of(reader: Reader, path: CollectionPath) -> CollectionRecord:
    """
    Raises:
        NotFoundError: there is none; those that there are are named.
    """
    for record in reader.collections({"path": str(path)}, limit=1).rows:
        return record
    known = [record.path for record in reader.collections(None, limit=20).rows]
    there = f"there is {', '.join(known)}" if known else "there is none yet: link_artifact() makes the first"
    raise NotFoundError(f"there is no collection {str(path)!r}; {there}")


def link_of(record: CollectionRecord, which: str) -> LinkRecord:
    """The linked version by its number there (`v3`) or an alias.

    Raises:
        NotFoundError: there is none; those that there are are named.
    """
    for link in record.links:
        if which in (f"v{link.number}", *link.aliases):
            return link
    known = ", ".join(
        f"v{link.number}" + (f" ({', '.join(link.aliases)})" if link.aliases else "") for link in record.links[:20]
    )
    raise NotFoundError(f"there is no {which} in {record.path}; there is {known or 'nothing linked in it'}")


class Resolved(NamedTuple):
    """A linked version, and its collection."""

    record: CollectionRecord
    link: LinkRecord


def resolve(reader: Reader, text: str) -> Resolved:
    """`registry:model/classifier:production`; without what stands behind the colon, `latest`.

    Raises:
        UsageError: it names no linked version.
        NotFoundError: there is no such collection, or no such version in it.
    """
    reference = LinkReference.parse(text)
    record = collection_of(reader, reference.path)
    return Resolved(record, link_of(record, reference.which or LATEST))
