"""A linked version as users hold it: a version of an artifact, with its number and aliases in a collection."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from weft.tracking import names, runtime
from weft.tracking.artifacts.finding import version_of
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.registry import writing
from weft.tracking.registry.paths import LATEST, PREFIX, CollectionPath
from weft.tracking.registry.sources import resolve

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord


@dataclass(slots=True)
class LinkedVersion(ArtifactVersion):
    """What `link_artifact` returns, and what a collection holds.

    `name`, `version`, `aliases` are the collection's; `project`, `bare_name`, `number` and the files are those of the
    version that is linked, and so is whatever `save()` keeps, but for the aliases.
    """

    path: CollectionPath = field(default_factory=lambda: CollectionPath("", ""))
    link_number: int = 0
    _linked_aliases: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def is_link(self) -> bool:
        """Always."""
        return True

    @property
    def version(self) -> str:
        """`v0`: its number in the collection."""
        return f"v{self.link_number}"

    @property
    def collection_name(self) -> str:
        """`name` of the collection."""
        return self.path.name

    @property
    def collection(self) -> str:
        """`registry/name`."""
        return str(self.path)

    @property
    def qualified_name(self) -> str:
        """`registry:model/classifier:v0`, which `use_artifact` takes."""
        return f"{PREFIX}{self.path}:{self.version}"

    @property
    def source_project(self) -> str:
        """Of the version that is linked."""
        return self.project

    @property
    def source_version(self) -> str | None:
        """`v3`, in its project."""
        return None if self.number is None else f"v{self.number}"

    @property
    def source_qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.source_name}"

    def save(self) -> None:
        """Keep what was changed: aliases in the collection, all else of the version that is linked.

        Raises:
            UsageError: one of them is none, or an alias is protected.
        """
        wanted = names.check_aliases(self.aliases)
        new = [alias for alias in wanted if alias not in self._linked_aliases and alias != LATEST]
        gone = [alias for alias in self._linked_aliases if alias not in wanted]
        if LATEST in gone:
            raise UsageError("latest is always on the newest link; it moves by linking, not by editing")
        rt = runtime.active()
        kept, self.aliases = self.aliases, list(self._saved.aliases if self._saved else ())
        try:
            ArtifactVersion.save(self)
        finally:
            self.aliases = kept
        if new:
            writing.alias(rt, self.path, self.version, new)
        if gone:
            writing.unalias(rt, self.path, gone, self.version)
        self._linked_aliases = tuple(wanted)

    def unlink(self, *, force: bool = False, by: str | None = None) -> None:
        """Take it out of the collection. The version itself stays; the number is never given again.

        Args:
            force: also where it has a protected alias.
            by: who does it.

        Raises:
            NotFoundError: it is not there any more.
            UsageError: it has a protected alias.
        """
        writing.unlink(runtime.active(), self.path, self.version, by=by, force=force)

    def delete(self, delete_aliases: bool = False) -> None:
        """`unlink`: what is linked is never deleted by its link."""
        self.unlink()

    def folder(self, root: str | os.PathLike[str] | None = None) -> Path:
        """As of any version, named after the collection."""
        return Path(root) if root is not None else Path("artifacts") / f"{self.path.name}-{self.version}"


def linked_version(reader: Reader, record: CollectionRecord, link: LinkRecord, blobs: Blobs) -> LinkedVersion | None:
    """The version that a link leads to; None where this store does not have it (any more)."""
    where = {"project": link.project, "name": link.name, "digest": link.digest}
    for found in reader.artifacts(where, limit=1).rows:
        plain = version_of(found, blobs)
        path = CollectionPath(record.registry, record.name)
        return LinkedVersion(
            **{name: getattr(plain, name) for name in _TAKEN},
            aliases=list(link.aliases),
            path=path,
            link_number=link.number,
            _saved=plain._saved,
            _linked_aliases=tuple(link.aliases),
        )
    return None


def links_of(version: ArtifactVersion) -> list[LinkedVersion]:
    """Every link of this version, by collection."""
    from weft.tracking.store.access import open_store  # brings SQLAlchemy: only who reads pays for it

    with open_store() as store:
        reader = store.reader()
        found = []
        for held in reader.links(version.project, version.bare_name, version.digest):
            resolved = resolve(reader, f"{held.path}:v{held.number}")
            found.append(linked_version(reader, *resolved, version.blobs))
        return [one for one in found if one is not None]


def find_linked(reader: Reader, text: str, blobs: Blobs) -> LinkedVersion:
    """What `registry:model/classifier:production` names.

    Raises:
        UsageError: it names no linked version.
        NotFoundError: there is none, or the store does not have what it leads to.
    """
    record, link = resolve(reader, text)
    found = linked_version(reader, record, link, blobs)
    if found is None:
        told = f"{link.project}/{link.name} ({link.digest[:12]})"
        raise NotFoundError(f"{record.path}:v{link.number} is {told}, which this store does not have")
    return found


_TAKEN = (
    *("project", "bare_name", "type", "digest", "manifest", "metadata", "blobs", "description", "number", "tags"),
    *("ttl", "created_ns", "updated_ns"),
)
