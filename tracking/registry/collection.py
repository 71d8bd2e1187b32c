"""Collections as `weft.Api()` hands them out: versions, aliases, card, history, and what can be done to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weft.tracking import runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError
from weft.tracking.registry import linking, promoting, writing
from weft.tracking.registry.linked import LinkedVersion, linked_version
from weft.tracking.registry.paths import LATEST, CollectionPath
from weft.tracking.registry.promoting import Promotion
from weft.tracking.registry.sources import collection_of, link_of

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader
    from weft.tracking.store.readmodels import CollectionRecord, LinkRecord, RegistryEvent


class Collection:
    """One collection, as it was when it was read; what is done to it is read again at once.

    Example:
        >>> with weft.Api() as api:
        ...     production = api.collection("model/classifier")["production"]
        ...     production.download()
    """

    def __init__(self, record: CollectionRecord, reader: Reader, blobs: Blobs) -> None:
        self._record, self._reader, self._blobs = record, reader, blobs
        self.description: str | None = record.description
        """Its card, in markdown; may be set, and `save()` keeps it."""
        self.tags: list[str] = list(record.tags)
        """May be set, and `save()` keeps them."""

    @property
    def path(self) -> str:
        """`registry/name`."""
        return self._record.path

    @property
    def name(self) -> str:
        """Without the registry."""
        return self._record.name

    @property
    def registry(self) -> str:
        """The registry that it is in."""
        return self._record.registry

    @property
    def type(self) -> str:
        """Of every version in it."""
        return self._record.type

    @property
    def record(self) -> CollectionRecord:
        """All that is known of it, frozen."""
        return self._record

    @property
    def links(self) -> Sequence[LinkRecord]:
        """Which versions are linked, newest first, without opening them."""
        return self._record.links

    @property
    def aliases(self) -> Mapping[str, str]:
        """`v3` by alias, `latest` included."""
        return {alias: f"v{number}" for alias, number in self._record.aliases.items()}

    @property
    def protected(self) -> Sequence[str]:
        """Aliases that move by a promotion only."""
        return self._record.protected

    @property
    def required(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """By protected alias: what every promotion to it must show, as `require=` takes it."""
        return self._record.required

    def versions(self) -> list[LinkedVersion]:
        """The linked versions, newest first, those that this store has."""
        found = [linked_version(self._reader, self._record, link, self._blobs) for link in self._record.links]
        return [version for version in found if version is not None]

    def __getitem__(self, which: str) -> LinkedVersion:
        """One of them, by its number here (`v3`) or an alias.

        Raises:
            NotFoundError: there is none, or the store does not have what it leads to.
        """
        link = link_of(self._record, which)
        found = linked_version(self._reader, self._record, link, self._blobs)
        if found is None:
            raise NotFoundError(f"{self.path}:{which} is {link.project}/{link.name}, which this store does not have")
        return found

    def history(self) -> Sequence[RegistryEvent]:
        """What was ever done to it, newest first."""
        return self._reader.registry_events(self.path)

    def link(
        self,
        version: linking.Version,
        aliases: str | Iterable[str] | None = None,
        *,
        by: str | None = None,
        force: bool = False,
    ) -> LinkedVersion | None:
        """`weft.link_artifact` into it."""
        done = linking.link_artifact(version, self.path, aliases, by=by, force=force)
        self._again()
        return done

    def unlink(self, which: str, *, by: str | None = None, force: bool = False) -> None:
        """Take a version (`v3`, or an alias) out; its number is never given again.

        Raises:
            NotFoundError: it is not there.
            UsageError: it has a protected alias.
        """
        writing.unlink(runtime.active(), self._path, which, by=by, force=force)
        self._again()

    def promote(
        self,
        version: linking.Version,
        to: str = "production",
        require: Any = None,
        note: str | None = None,
        *,
        by: str | None = None,
    ) -> Promotion:
        """`weft.promote` in it; `version` may also be `v3` or an alias of its own."""
        if isinstance(version, str) and any(version in (f"v{one.number}", *one.aliases) for one in self._record.links):
            version = self[version]
        try:
            return linking.promote(version, self.path, to, require, note, by=by)
        finally:
            self._again()

    def alias(self, which: str, *aliases: str, by: str | None = None, force: bool = False) -> None:
        """Move aliases to one of its versions.

        Raises:
            NotFoundError: it is not there.
            UsageError: one is no alias, or is protected.
        """
        writing.alias(runtime.active(), self._path, which, aliases, by=by, force=force)
        self._again()

    def unalias(self, *aliases: str, by: str | None = None, force: bool = False) -> None:
        """Take aliases away.

        Raises:
            UsageError: one is no alias, or is protected.
        """
        writing.unalias(runtime.active(), self._path, aliases, by=by, force=force)
        self._again()

    def protect(self, alias: str, on: bool = True, require: Any = None, *, by: str | None = None) -> None:
        """From now on an alias moves by `promote` only, or by force; `on=False` undoes it.

        Args:
            require: as for `weft.promote`: every promotion to this alias must show it, whoever promotes and whatever
                else is required there. None: what was required so far stays. `[]`: nothing.

        Raises:
            UsageError: it is no alias, or no requirement.

        Example:
            >>> collection.protect("production", require={"eval": "digits", "accuracy": "ci>=0.9"})
        """
        promoting.protect(runtime.active(), self._path, alias, on=on, require=require, by=by)
        self._again()

    def save(self, *, by: str | None = None) -> None:
        """Keep description and tags as they were set. What was not touched here stays as others may have set it.

        Raises:
            UsageError: they are none.
        """
        text = None if self.description == self._record.description else self.description or ""
        tags = None if self.tags == list(self._record.tags) else self.tags
        writing.describe(runtime.active(), self._path, text, tags, by=by)
        self._record = collection_of(self._reader, self._path)
        self.description, self.tags = self._record.description, list(self._record.tags)

    def delete(self, *, by: str | None = None, force: bool = False) -> None:
        """Delete it with its links. Versions, history and given numbers stay.

        Raises:
            UsageError: it has a protected alias.
        """
        writing.delete(runtime.active(), self._path, by=by, force=force)

    @property
    def _path(self) -> CollectionPath:
        return CollectionPath(self.registry, self.name)

    def _again(self) -> None:
        """Read what is true now; what was set and not saved yet stays set."""
        former, self._record = self._record, collection_of(self._reader, self._path)
        if self.description == former.description:
            self.description = self._record.description
        if self.tags == list(former.tags):
            self.tags = list(self._record.tags)

    def __repr__(self) -> str:
        held = ", ".join(f"{alias} {number}" for alias, number in self.aliases.items() if alias != LATEST)
        return f"Collection({self.path!r}, type={self.type!r}, {len(self.links)} versions{f': {held}' if held else ''})"


class Registry:
    """One registry: its collections."""

    def __init__(self, name: str, reader: Reader, blobs: Blobs) -> None:
        self.name = name
        self._reader, self._blobs = reader, blobs

    def collections(self, where: Mapping[str, Any] | None = None) -> list[Collection]:
        """Those in it, the one where something was done last first.

        Raises:
            UsageError: an unknown field or operator.
        """
        asked = {"$and": [{"registry": self.name}, *([where] if where else [])]}
        found = self._reader.collections(asked, limit=None).rows
        return [Collection(record, self._reader, self._blobs) for record in found]

    @property
    def artifact_types(self) -> list[str]:
        """Which types its collections hold."""
        return sorted({collection.type for collection in self.collections()})

    def __repr__(self) -> str:
        return f"Registry({self.name!r})"
