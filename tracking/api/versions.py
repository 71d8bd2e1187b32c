"""Versions of artifacts and the registry's collections, as `weft.Api()` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from weft.tracking.api.asking import Asking
from weft.tracking.api.results import PAGE, Results
from weft.tracking.artifacts.finding import Reference, choose, version_of
from weft.tracking.artifacts.lineage import Direction, Lineage
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.registry.collection import Collection, Registry
from weft.tracking.registry.linked import find_linked
from weft.tracking.registry.paths import DEFAULT, CollectionPath, is_reference
from weft.tracking.registry.sources import collection_of
from weft.tracking.store.readmodels import (
    ArtifactRecord,
    Page,
)

if TYPE_CHECKING:
    from weft.tracking.store.filters import Where
    from weft.tracking.store.reader import Reader


class Versions(Asking):
    """Artifacts, what they came of, and the registry."""

    @overload
    def artifacts(self, where: Where | None = None, *, order: str = "-created_ns") -> Results[ArtifactRecord]: ...

    @overload
    def artifacts(
        self, where: str, name: str, order: str = "-created_ns", per_page: int = PAGE, tags: Sequence[str] | None = None
    ) -> Results[ArtifactVersion]: ...

    @overload
    def artifacts(
        self, *, type_name: str, name: str, order: str = "-created_ns", tags: Sequence[str] | None = None
    ) -> Results[ArtifactVersion]: ...

    def artifacts(
        self,
        where: Where | str | None = None,
        name: str | None = None,
        order: str = "-created_ns",
        per_page: int = PAGE,
        tags: Sequence[str] | None = None,
        *,
        type_name: str | None = None,
    ) -> Results[ArtifactRecord] | Results[ArtifactVersion]:
        """Versions of artifacts, newest first: records that match a filter, or, as wandb has it, the versions of one
        artifact, to download or edit: `artifacts("model", "digits/cnn")`.

        Args:
            where: a filter, or a type.
            name: with a type: of the artifact, perhaps after `project/`.
            order: as `traces`.
            per_page: as wandb has it; the more of them is looked at, the more is fetched at a time.
            tags: with a type: that a version has all.
            type_name: wandb's name for the type.

        Raises:
            UsageError: as `traces`; or a type without a name.
        """
        if type_name is None and not isinstance(where, str):
            return self._results(
                ArtifactRecord, lambda reader, **page: reader.artifacts(self._of(where), order=order, **page)
            )
        kind = where if type_name is None else type_name
        if not isinstance(name, str):
            raise UsageError(f"artifacts({kind!r:.80}) needs the artifact's name, too: artifacts(type, 'project/name')")
        project, _, bare = name.rpartition("/")
        asked = {"type": kind, "name": bare, **({"project": project.rpartition("/")[2]} if project else {})}
        parts = [self._of(asked), *({"tags": tag} for tag in tags or ())]
        blobs = Blobs(self._home)

        def ask(reader: Reader, **page: Any) -> Page[ArtifactVersion]:
            found = reader.artifacts({"$and": parts}, order=order, **page)
            rows = [version_of(row, blobs) for row in found.rows]
            return Page(rows, found.total, found.offset, found.cursor, found.exact, found.notes)

        return self._results(ArtifactVersion, ask)

    def artifact(self, name: str, type: str | None = None) -> ArtifactVersion:  # noqa: A002 - wandb's name for it
        """One version, to look at, download or edit: `name`, `name:alias`, `name:v3`, each perhaps after `project/`, or
        `registry:model/classifier:production`.

        Raises:
            NotFoundError: there is none.
            UsageError: it is in several projects and none was named, or it is of another type.
        """
        blobs = Blobs(self._home)
        if isinstance(name, str) and is_reference(name):
            self._take_in()
            found: ArtifactVersion = find_linked(self._store.reader(), name, blobs)
        else:
            found = version_of(self._version(name), blobs)
        if type is not None and found.type != type:
            raise UsageError(f"{found.qualified_name} is of type {found.type!r}, and type={type!r:.80} was asked for")
        return found

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 - wandb's name for it
        """Whether there is such a version."""
        try:
            found = self._version(name)
        except NotFoundError:
            return False
        return type is None or found.type == type

    def lineage(
        self, name: str, direction: Direction = "both", depth: int | None = None, *, limit: int = 10_000
    ) -> Lineage:
        """The runs and versions that a version came of (`up`), that came of it (`down`), or both.

        Args:
            name: as `artifact`.
            depth: most steps from it; a run is one, the versions it read are the next. None: all.
            limit: most nodes; `Lineage.whole` says whether that was all.

        Raises:
            NotFoundError: there is no such version.
            UsageError: no such direction or depth.
        """
        found = self._version(name)
        reader = self._store.reader()
        return reader.lineage(found.project, found.name, found.version, direction=direction, depth=depth, limit=limit)

    def collections(self, where: Where | None = None, *, order: str = "-updated_ns") -> Results[Collection]:
        """Collections of the registry: {"registry": "model", "aliases": "production"}, {"type": "dataset"}.

        Raises:
            UsageError: as `traces`.
        """
        blobs = Blobs(self._home)

        def ask(reader: Reader, **page: Any) -> Page[Collection]:
            found = reader.collections(where, order=order, **page)
            rows = [Collection(row, reader, blobs) for row in found.rows]
            return Page(rows, found.total, found.offset, found.cursor, found.exact, found.notes)

        return self._results(Collection, ask)

    def collection(self, name: str) -> Collection:
        """One of them: `registry/collection`, or a collection of the registry `model` by its name alone.

        Raises:
            NotFoundError: there is none.
        """
        path = CollectionPath.parse(name)
        self._take_in()
        reader = self._store.reader()
        return Collection(collection_of(reader, path), reader, Blobs(self._home))

    def registry(self, name: str = DEFAULT) -> Registry:
        """One registry, to look at its collections.

        Raises:
            UsageError: it is no name.
        """
        chosen = CollectionPath.parse(f"{name}/any").registry
        self._take_in()
        return Registry(chosen, self._store.reader(), Blobs(self._home))

    def registries(self) -> list[Registry]:
        """All that have a collection, by name."""
        return [self.registry(name) for name in sorted({one.registry for one in self.collections()})]

    def _version(self, name: str) -> ArtifactRecord:
        reference = Reference.parse(name)
        self._take_in()
        return choose(self._store.reader(), reference, self.project)
