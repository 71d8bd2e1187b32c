"""A logged version of an artifact: opened, downloaded, described anew, deleted. What leaves is checked by hash."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from weft.tracking import names
from weft.tracking.artifacts import downloads, lifetimes, recording, references
from weft.tracking.artifacts.artifact import MEDIA, Artifact
from weft.tracking.artifacts.differences import Difference, difference
from weft.tracking.artifacts.localpath import LocalPath
from weft.tracking.artifacts.manifest import SHA256, Entry, Manifest
from weft.tracking.artifacts.recording import LATEST
from weft.tracking.artifacts.said import Said, check_metadata
from weft.tracking.artifacts.versionfile import VersionFile
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.payloads.encoding import encode
from weft.tracking.tables import parts as tableparts

if TYPE_CHECKING:
    from weft.tracking.registry.linked import LinkedVersion
    from weft.tracking.store.readmodels import RunRecord

log = logging.getLogger("weft.artifacts")

_OF_DRAFTS = frozenset({"add", "add_bytes", "add_dir", "add_file", "add_reference", "finalize", "new_file", "remove"})


@dataclass(slots=True)
class ArtifactVersion:
    """What `run.use_artifact` returns. Its files never change; description, metadata, tags, ttl and aliases may be set,
    and `save()` keeps them."""

    project: str
    bare_name: str
    """Without a version: what all of them are called in the project."""
    type: str
    digest: str
    manifest: Manifest
    """{path: {digest, size_bytes}}; `manifest.entries` has them as `Entry`."""
    metadata: dict[str, Any]
    blobs: Blobs
    description: str | None = None
    number: int | None = None
    """0, 1, 2, ...; None: logged a moment ago by this process and not read back."""
    aliases: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    ttl: lifetimes.Lifetime = None
    """How long after it was last logged `weft artifacts gc` may remove it; None: never."""
    created_ns: int | None = None
    updated_ns: int | None = None
    _saved: Said | None = field(default=None, repr=False, compare=False)
    _gone: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.manifest = Manifest(self.manifest)
        self.metadata, self.aliases, self.tags = dict(self.metadata), list(self.aliases), list(self.tags)
        if self._saved is None:
            self._saved = self._said()

    @property
    def version(self) -> str | None:
        """`v3`."""
        return None if self.number is None else f"v{self.number}"

    @property
    def name(self) -> str:
        """`name:v3`, which `use_artifact` takes; before it has a number with its digest."""
        return f"{self.collection_name}:{self.version or self.digest}"

    @property
    def collection_name(self) -> str:
        """`name`, without a version."""
        return self.bare_name

    @property
    def qualified_name(self) -> str:
        """`project/name:v3`."""
        return f"{self.project}/{self.name}"

    @property
    def source_name(self) -> str:
        """`name:v3`: as it was logged; of a link that of what is linked."""
        return f"{self.bare_name}:{self.digest if self.number is None else f'v{self.number}'}"

    @property
    def size_bytes(self) -> int:
        """Of all files together, as far as known."""
        return self.manifest.size_bytes

    @property
    def size(self) -> int:
        """`size_bytes`, by wandb's name."""
        return self.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return len(self.manifest)

    @property
    def created_at(self) -> str | None:
        """When it was first logged, ISO 8601, UTC."""
        return _iso(self.created_ns)

    @property
    def updated_at(self) -> str | None:
        """When anything was last said of it."""
        return _iso(self.updated_ns)

    @property
    def state(self) -> str:
        """COMMITTED, or DELETED once `delete()` was called here."""
        return "DELETED" if self._gone else "COMMITTED"

    def is_draft(self) -> bool:
        """Never."""
        return False

    def wait(self, timeout: int | None = None) -> ArtifactVersion:
        """It is logged already."""
        return self

    def get_entry(self, name: str | os.PathLike[str]) -> VersionFile:
        """One file, to look at or `download()`.

        Raises:
            NotFoundError: there is none of that path.
            UsageError, StoreError: the manifest was edited.
        """
        path = os.fspath(name)
        if path not in self.manifest:
            known = ", ".join(sorted(self.manifest)[:20]) or "none"
            raise NotFoundError(f"artifact {self.bare_name!r} has no file {path!r}; it has {known}")
        return VersionFile.of(Entry.read(path, self.manifest[path]), self.wait)

    def get_path(self, name: str | os.PathLike[str]) -> VersionFile:
        """`get_entry`, by the name it had in older wandb."""
        return self.get_entry(name)

    def open(self, path: str) -> BinaryIO:
        """One file for reading, as it lies in the blobs (`download` checks hashes); a reference is fetched.

        Raises:
            NotFoundError: the version has no such file, or its content is not in this home.
        """
        entry = self.get_entry(path)
        if entry.ref is not None:
            held: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked closes it
            try:
                references.write(entry, held)
            except BaseException:
                held.close()
                raise
            held.seek(0)
            return held
        return self.blobs.open(entry.digest)

    def get(self, name: str) -> Any:
        """A Table or a medium that was added as `name` (its ending may be left out); of a Table that `run.log` kept,
        also by the key that it was logged under.

        Raises:
            NotFoundError: there is none.
            MissingExtraError: pyarrow is not installed.
        """
        endings = ("", ".parquet", MEDIA)
        found = next((name + ending for ending in endings if name + ending in self.manifest), name)
        logged = self.type == tableparts.TYPE and names.run_artifact_key(self.bare_name, name)
        if logged and found not in self.manifest:
            found = tableparts.FILE
        if found.endswith(MEDIA):
            from weft.tracking.media import restore  # brings the media: only who asks for one needs them

            with self.open(found) as file:
                return restore(orjson.loads(file.read()), self.blobs)
        if not found.endswith(".parquet") or found not in self.manifest:
            self.get_entry(found)
            raise UsageError(f"{found!r} is neither a Table nor a medium; open() and download() give files")
        return tableparts.read(self.manifest, found, self.open, self.blobs)

    def __getitem__(self, name: str) -> Any:
        """`get`."""
        return self.get(name)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> LocalPath:
        """Write the files below a folder and return it, a text that is asked like a `Path` too. Sound files that are
        there already stay; others are replaced.

        Args:
            root: default `artifacts/<name>-v3` in the working directory.
            allow_missing_references: leave out what references no longer find, with a warning.
            skip_cache, multipart: accepted for scripts that name them.
            path_prefix: only files whose path begins with it, as plain text; a warning where there are none.

        Raises:
            UsageError: a path in the manifest leads out of the folder, by itself or through a link that lies there.
            StoreError: a blob is damaged, or a reference is no longer what was referred to.
            NotFoundError: a blob is not in this home, or nothing is where a reference leads.
            OSError: the folder cannot be written.
        """
        target = self.folder(root)
        entries = self.manifest.entries  # checked, all of them first: a bad manifest writes nothing
        if path_prefix is not None:
            prefix = os.fspath(path_prefix)
            chosen = {path: entry for path, entry in entries.items() if path.startswith(prefix)}
            if not chosen and entries:
                log.warning("%s: no path begins with %.200r, so nothing was downloaded", self.qualified_name, prefix)
            entries = chosen
        downloads.Download(self.blobs, target, missing_references=allow_missing_references).run(entries)
        return LocalPath(target)

    def checkout(self, root: str | os.PathLike[str] | None = None) -> LocalPath:
        """`download`, and whatever else lies in the folder is deleted.

        Raises:
            UsageError: the folder is a link: what lies behind it is not ours to delete. Else as `download`.
        """
        if self.folder(root).is_symlink():
            raise UsageError(
                f"{str(self.folder(root))!r:.300} is a link, and checkout() deletes what does not belong to the "
                "version: give it the folder itself. download() deletes nothing"
            )
        target = self.download(root)
        downloads.remove_extra(Path(target), self.manifest.entries)
        return target

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Compare a folder with this version. References whose content nobody hashed are left out.

        Raises:
            UsageError: something is missing, is different or does not belong there; all of it is listed.
        """
        target = self.folder(root)
        entries = self.manifest.entries
        wrong = [f"{path} does not belong to it" for path in downloads.extra_files(target, entries)]
        for path, entry in entries.items():
            if entry.check == SHA256 and not downloads.sound(target / path, entry):
                wrong.append(f"{path} {'is different' if (target / path).exists() else 'is missing'}")
        if wrong:
            more = f", and {len(wrong) - 20} more" if len(wrong) > 20 else ""
            raise UsageError(f"{target} is not {self.qualified_name}: {', '.join(wrong[:20])}{more}")

    def file(self, root: str | os.PathLike[str] | None = None) -> LocalPath:
        """The only file, downloaded.

        Raises:
            UsageError: it has none, or several.
        """
        if len(self.manifest) != 1:
            raise UsageError(
                f"{self.qualified_name} has {len(self.manifest)} files, so file() cannot say which is meant"
            )
        return LocalPath(self.download(root) / next(iter(self.manifest)))

    def files(self, names: list[str] | None = None, per_page: int | None = None) -> list[VersionFile]:
        """Its files, or those of them."""
        entries = self.manifest.entries.items()
        return [VersionFile.of(entry, self.wait) for path, entry in entries if names is None or path in names]

    def new_draft(self) -> Artifact:
        """An artifact to change and log as the next version; it begins with all files of this one."""
        made = Artifact(self.bare_name, self.type, self.description, self.metadata)
        made.continue_from(self)
        return made

    def diff(self, other: ArtifactVersion) -> Difference:
        """What is different in `other`."""
        return difference(self.manifest, other.manifest, (self.metadata, other.metadata))

    def logged_by(self) -> RunRecord | None:
        """The run that logged it first, if one did."""
        return next(iter(self._runs("made")), None)

    def used_by(self) -> list[RunRecord]:
        """The runs that used it."""
        return self._runs("used")

    def save(self) -> None:
        """Keep what was changed of description, metadata, tags, ttl and aliases. It is in a file when this returns.

        Raises:
            UsageError: one of them is none, or mode is disabled.
        """
        metadata, tags = encode(check_metadata(self.metadata)), tuple(names.check_tags(self.tags))
        description = names.check_optional_text("an artifact's description", self.description) or None
        aliases = tuple(names.check_aliases(self.aliases))
        said, before = Said(description, metadata, tags, lifetimes.seconds(self.ttl), aliases), self._saved
        if before is not None and LATEST in before.aliases and LATEST not in aliases:
            raise UsageError("the alias latest is on what was logged last; it moves by logging, not by editing")
        if said != before:
            recording.edit(self.project, self.bare_name, self.digest, before or said, said)
            self._saved = said

    if not TYPE_CHECKING:  # a type checker shall miss what is not there

        def __getattr__(self, name: str) -> Any:
            hint = ". A version does not change; new_draft() makes an Artifact of it, to change and log"
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{hint if name in _OF_DRAFTS else ''}"
            )

    @property
    def is_link(self) -> bool:
        """Whether it is held by way of a collection of the registry."""
        return False

    def link(self, target_path: str, aliases: str | list[str] | None = None) -> LinkedVersion | None:
        """`weft.link_artifact` of it."""
        from weft.tracking.registry.linking import link_artifact  # it knows versions

        return link_artifact(self, target_path, aliases)

    @property
    def linked_artifacts(self) -> list[LinkedVersion]:
        """Where in the registry it is linked."""
        from weft.tracking.registry.linked import links_of  # it knows versions

        return links_of(self)

    def unlink(self) -> None:
        """Only what `link` returned, or a collection holds, can be.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.qualified_name} is no link; unlink what link() returned, or weft.unlink('model/x:v3')")

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete this version. Its number is never given again; its content is freed by `weft artifacts gc`.

        Args:
            delete_aliases: also where it has aliases besides `latest`.

        Raises:
            UsageError: it has aliases, or something protects it; the message lists what.
        """
        from weft.tracking.artifacts.protection import check_free  # asks the store

        check_free(self.project, self.bare_name, self.digest, delete_aliases=delete_aliases)
        recording.remove(self.project, self.bare_name, self.digest)
        self._gone = True

    def _runs(self, role: str) -> list[RunRecord]:
        from weft.tracking.store.access import open_store  # brings SQLAlchemy: only who reads pays for it

        with open_store() as store:
            reader = store.reader()
            where = {"project": self.project, "name": self.bare_name, "digest": self.digest}
            found = reader.artifacts(where, limit=1, manifests=False).rows
            if not found:
                return []
            paths = found[0].maker_paths if role == "made" else found[0].user_paths
            runs: list[RunRecord] = []
            for path in paths:
                project, _, ident = path.rpartition("/")
                runs += reader.runs({"project": project, "id": ident}, limit=1).rows
            return runs

    def folder(self, root: str | os.PathLike[str] | None = None) -> Path:
        """Where `download(root)` puts its files."""
        if root is not None:
            return Path(root)
        return Path("artifacts") / f"{self.bare_name}-{self.version or self.digest[:12]}"

    def _said(self) -> Said:
        metadata = encode(self.metadata) if isinstance(self.metadata, Mapping) else b""
        tags, aliases = tuple(self.tags), tuple(self.aliases)
        return Said(self.description or None, metadata, tags, lifetimes.seconds(self.ttl), aliases)


def _iso(ns: int | None) -> str | None:
    return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")
