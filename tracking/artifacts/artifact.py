"""An artifact in the making: files by path, their content copied when they are added. `Run.log_artifact` logs it.

Its digest is the sha256 of its canonical manifest, so the same files are the same version, whatever their order, the
artifact's name or its metadata.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import orjson

from weft.tracking import folders, names, runtime
from weft.tracking.artifacts import lifetimes, references, staging
from weft.tracking.artifacts.drafts import Drafts
from weft.tracking.artifacts.lifetimes import INHERIT as INHERIT
from weft.tracking.artifacts.manifest import PACKED_SCHEMA, Entry, Manifest, packed
from weft.tracking.artifacts.manifest import check_path as check_path
from weft.tracking.artifacts.versionfile import VersionFile
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, NotFoundError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactLogged
from weft.tracking.names import check_artifact
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact, redact_text
from weft.tracking.runtime import Runtime
from weft.tracking.tables import Table
from weft.tracking.tables import parts as tableparts

if TYPE_CHECKING:
    from weft.tracking.artifacts.versions import ArtifactVersion
    from weft.tracking.media.base import Media

KEEP = "keep the files of an artifact"
"""The cause under which files that could not be kept are counted, when added and when logged."""
NOT_LOGGED = "A version is logged only when all its files are kept."
METADATA_KEYS = 100
MEDIA = ".media.json"
"""How the path of a medium's record ends; its bytes lie beside, under `media/`."""
Policy = Literal["mutable", "immutable"]


class Artifact:
    """Files under one name and type: a dataset, a model, results. Log it with `run.log_artifact(artifact)`.

    Args:
        name: 1 to 128 of letters, digits, _ . and -.
        type: what kind of thing it is (`dataset`, `model`, ...).
        description: for people.
        metadata: a dict of at most 100 keys; it does not take part in the digest.
        incremental: begin with the files of the latest version; what is added replaces those of the same path.
        storage_region: accepted for scripts that name one.

    Raises:
        UsageError: a bad name, type or metadata.

    Example:
        >>> artifact = Artifact("questions", type="dataset")
        >>> artifact.add_file("questions.jsonl")
        >>> run.log_artifact(artifact)
    """

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002 - wandb's name for it
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        incremental: bool = False,
        storage_region: str | None = None,
    ) -> None:
        self.bare_name = check_artifact(name)
        if not isinstance(type, str) or not 1 <= len(type) <= 128 or not type.isprintable():
            raise UsageError(f"an artifact's type is text of 1 to 128 characters, this one is {type!r:.150}")
        self.type = type
        self.description = description
        self.metadata: dict[str, Any] = check_metadata(metadata)
        self.incremental = bool(incremental)
        self.tags: list[str] = []
        self._ttl: lifetimes.Lifetime = INHERIT
        self._entries: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, Path | bytes] = {}
        """By digest: where the content is, so that it can be kept in another home too."""
        self._added: dict[str, str] = {}
        """Paths in the artifact, by the path of the file they were added from."""
        self._drafts: Drafts | None = None
        self._folders: set[str] = set()
        self._lock = threading.RLock()  # guards what was added
        self._logged = False
        self._logged_to: str | None = None
        self._version: ArtifactVersion | None = None

    @property
    def name(self) -> str:
        """As it was given; of a version that was asked for its number (`wait()`, `version`) `name:v3`."""
        return self.bare_name if self._version is None else self._version.name

    @property
    def collection_name(self) -> str:
        """`name`, without a version."""
        return self.bare_name

    @property
    def manifest(self) -> Manifest:
        """{path: {digest, size_bytes}}, sorted by path; `manifest.entries` has them as `Entry`."""
        with self._lock:
            return Manifest({path: dict(self._entries[path]) for path in sorted(self._entries)})

    @property
    def manifest_json(self) -> bytes:
        """The canonical form: compact JSON, paths and keys sorted."""
        with self._lock:
            return orjson.dumps(self._entries, option=orjson.OPT_SORT_KEYS)

    @property
    def digest(self) -> str:
        """sha256 of the manifest, hex."""
        return hashlib.sha256(self.manifest_json).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of all files together, as far as known."""
        with self._lock:
            return sum(entry.get("size_bytes") or 0 for entry in self._entries.values())

    @property
    def size(self) -> int:
        """`size_bytes`, by wandb's name."""
        return self.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return len(self._entries)

    @property
    def ttl(self) -> timedelta | None:
        """How long after it was last logged `weft artifacts gc` may remove it; None: never. May be set, also to
        INHERIT: what an earlier log or edit of the same content said, else never.

        Raises:
            UsageError: (set) it is negative.
        """
        return self._ttl if isinstance(self._ttl, timedelta) else None

    @ttl.setter
    def ttl(self, ttl: lifetimes.Lifetime) -> None:
        lifetimes.seconds(ttl)
        self._ttl = ttl

    @property
    def state(self) -> str:
        """PENDING until it is logged, then COMMITTED, in the end perhaps DELETED."""
        return "PENDING" if not self._logged else "COMMITTED" if self._version is None else self._version.state

    @property
    def logged_to(self) -> str | None:
        """The project of its record; None: there is none."""
        return self._logged_to

    def is_draft(self) -> bool:
        """Whether it is not logged yet."""
        return not self._logged

    def finalize(self) -> None:
        """Nothing more is to be added; `log_artifact` does so by itself."""
        self._logged = True

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,
        policy: Policy | None = "mutable",
        overwrite: bool = False,
    ) -> str:
        """Add a file as it is now; changing it afterwards changes nothing here. Returns its path in the artifact.

        Args:
            name: path in the artifact; default the file's own name.
            is_tmp: accepted for scripts that say so.
            skip_cache: read the file even where it looks like one that was read before.
            policy: `mutable` copies it now; `immutable` trusts that it stays as it is until it is logged.
            overwrite: whether it may replace another content under that path.

        Raises:
            OSError: the file cannot be read.
            UsageError: it is a pipe or a device; the path in the artifact is no plain relative one or is taken by
                another content; or the artifact is logged.
        """
        source = Path(names.check_local_path("add_file()", local_path))
        fd, info = folders.open_plain(source)  # what is wrong with the file itself is the caller's to hear
        os.close(fd)
        path = check_path(source.name if name is None else name)
        self._add_files([staging.Wanted(path, str(source), info)], policy, bool(skip_cache), overwrite)
        return path

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool | None = False,
        policy: Policy | None = "mutable",
        merge: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Add every file below a folder, under `name/` where one is given. Links are followed. All of them or none.

        Args:
            skip_cache, policy: as `add_file`.
            merge, overwrite: whether a file may replace another content under its path.

        Raises:
            OSError: the folder or a file cannot be read.
            UsageError: as `add_file`; or it holds a pipe or a device.
        """
        folder = Path(names.check_local_path("add_dir()", local_path))
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder, so add_dir() cannot add it; add_file() adds a file")
        prefix = "" if not name else f"{check_path(name)}/"
        wanted = staging.below(str(folder), prefix)
        self._add_files(wanted, policy, bool(skip_cache), merge or overwrite, str(folder))

    def add_reference(
        self,
        uri: str | os.PathLike[str],
        name: str | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
    ) -> list[Entry]:
        """Add what lies elsewhere without copying it: its address, size and what identifies its content.

        Args:
            uri: `file:///folder`, a path, `https://...`, `s3://...`, `gs://...`; of another scheme the address is all
                that is known. A folder stands for all files below it.
            name: path in the artifact; of a folder the folder to put them under. Default the last part of the address.
            checksum: whether to look at it (hash a file, ask a server for its ETag); else a change is never noticed.
            max_objects: most files of a folder; default 10,000,000.

        Raises:
            NotFoundError: nothing is there.
            OSError: it cannot be read.
            UsageError: a bad address or path, more files than `max_objects`, or a secret in the address.
            MissingExtraError: the package that reads this kind of bucket is not installed.
        """
        self._check_open()
        found = references.look_up(uri, name, checksum=checksum, max_objects=max_objects)
        with self._lock:
            self._put({entry.path: references.body(entry) for entry in found}, overwrite=False)
        return found

    def add_bytes(self, data: bytes, name: str, *, overwrite: bool = False) -> str:
        """Add a file of this content."""
        return self._add(bytes(data), name, overwrite)

    def add(self, obj: Table | Media, name: str, overwrite: bool = False) -> str:
        """Add a Table as Parquet (`.parquet` is appended to a name that lacks it), or an image, a recording, ... as its
        record (`.media.json`) with its file under `media/`. Returns the path; `get(name)` makes the object of it again.

        Raises:
            TypeError: it is none of these.
            MissingExtraError: pyarrow is not installed.
        """
        if isinstance(obj, Table):
            path = name if name.endswith(".parquet") else f"{name}.parquet"
            return tableparts.write(self, obj, path, overwrite=overwrite).path
        record = getattr(obj, "record", None)
        if record is None or not hasattr(obj, "__weft_payload__"):
            raise TypeError(
                f"Artifact.add() takes a Table or a medium such as Image, got {type(obj).__name__}; "
                "add_file() and add_bytes() add files"
            )
        parts: dict[str, bytes] = {}

        def keep(data: bytes) -> str:
            digest = hashlib.sha256(data).hexdigest()
            parts[digest] = data
            return digest

        told = orjson.dumps(record(keep), option=orjson.OPT_SORT_KEYS)
        path = self._add(told, name if name.endswith(MEDIA) else f"{name}{MEDIA}", overwrite)
        ending = getattr(obj, "extension", "bin")
        for digest, data in parts.items():
            last = ending if digest == getattr(obj, "digest", None) else "bin"
            self._add(data, f"media/{digest[:20]}.{last}", overwrite)
        return path

    def __setitem__(self, name: str, obj: Table | Media) -> None:
        """`add`."""
        self.add(obj, name)

    @contextmanager
    def new_file(self, name: str, mode: str = "x", encoding: str | None = None) -> Iterator[IO[Any]]:
        """A file to write, added when the block ends well.

        Example:
            >>> with artifact.new_file("notes.txt") as file:
            ...     file.write("...")
        """
        self._check_open()
        check_path(name)
        if mode not in {"w", "wb", "x", "xb"}:
            raise UsageError(f'new_file() opens with mode "x", "w", "xb" or "wb", got {mode!r}')
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            draft = Path(folder) / "new"
            with draft.open(mode, encoding=None if "b" in mode else encoding or "utf-8") as file:
                yield file
            path = self.add_file(draft, name, skip_cache=True, overwrite="w" in mode)
            digest = self._entries[path]["digest"]
            if self._sources.get(digest) == draft.absolute():  # not kept yet, and soon gone
                self._sources[digest] = draft.read_bytes()

    def remove(self, item: str | os.PathLike[str] | Entry) -> None:
        """Take a file out, or all files below a folder.

        Raises:
            NotFoundError: there is none of that path.
            UsageError: the artifact is logged.
        """
        self._check_open()
        name = item.path if isinstance(item, Entry) else os.fspath(item)
        with self._lock:
            gone = [path for path in self._entries if path == name or path.startswith(f"{name.rstrip('/')}/")]
            if not gone:
                raise NotFoundError(f"artifact {self.name!r} has no file {name!r:.150}")
            for path in gone:
                del self._entries[path]
            self._folders = {parent for path in self._entries for parent in _parents(path)}

    def get_entry(self, name: str | os.PathLike[str]) -> VersionFile:
        """One file; once the artifact is logged its `download()` works.

        Raises:
            NotFoundError: there is none of that path.
        """
        path = os.fspath(name)
        if path not in self._entries:
            raise NotFoundError(f"artifact {self.name!r} has no file {path!r:.150}")
        return VersionFile.of(Entry.read(path, self._entries[path]), self.logged)

    def get_path(self, name: str | os.PathLike[str]) -> VersionFile:
        """`get_entry`, by the name it had in older wandb."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """A Table or a medium of the logged version, as `ArtifactVersion.get`."""
        return self.logged().get(name)

    def get_added_local_path_name(self, local_path: str | os.PathLike[str]) -> str | None:
        """The path in the artifact of a file that was added; None: it was not."""
        return self._added.get(str(Path(local_path).absolute()))

    def logged(self) -> ArtifactVersion:
        """The version that this became, with its number: asks the store, once.

        Raises:
            UsageError: it is not logged yet, or could not be.
            StoreError: the store cannot be read.
        """
        if self._version is None:
            if not self._logged or self._logged_to is None:
                raise UsageError(
                    f"artifact {self.name!r} is not logged, so it is no version yet. run.log_artifact() logs it"
                )
            from weft.tracking.artifacts.versions import (
                find,  # brings SQLAlchemy in the end: only who reads pays for it
            )

            blobs = Blobs(runtime.active().home)
            self._version = find(f"{self._logged_to}/{self.bare_name}:{self.digest}", self._logged_to, blobs)
        return self._version

    def wait(self, timeout: int | None = None) -> Artifact:
        """Until it is a version with a number. Nothing is uploaded anywhere, so this only asks the store."""
        self.logged()
        return self

    def save(self, project: str | None = None, settings: object = None) -> None:
        """Log it to the active run; of one that is logged, keep what was changed of description, metadata, tags, ttl
        and aliases.

        Raises:
            UsageError: it is not logged and no run is active.
        """
        if not self._logged:
            run = runtime.active().active_run
            if run is None:
                raise UsageError("Artifact.save() was called, but no run is active. Call weft.init() first")
            run.log_artifact(self)
            return
        version = self.logged()
        version.description, version.metadata, version.tags = self.description, dict(self.metadata), list(self.tags)
        if self._ttl is not INHERIT:
            version.ttl = self._ttl
        version.save()

    def __getattr__(self, name: str) -> Any:
        """What only a logged version has: number, aliases, downloads, lineage."""
        if name not in _OF_THE_VERSION:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.logged(), name)

    def keep_in(self, blobs: Blobs) -> None:
        """Make sure that every file is a synced blob there; `Run.log_artifact` asks before it writes the record.

        Raises:
            OSError, HomeError: one could not be kept.
        """
        with self._lock:
            held = {
                entry["digest"]: (path, entry["size_bytes"])
                for path, entry in self._entries.items()
                if "ref" not in entry
            }
            drafts = self._drafts_in(blobs)
            met = [digest for digest, (_, size) in held.items() if digest not in drafts and blobs.met(digest, size)]
            for digest in held.keys() - set(met):
                if digest not in drafts:
                    self._stage_again(digest, held[digest][0], blobs, drafts)
            drafts.settle(held.keys(), met)
            for digest in held:
                self._sources[digest] = blobs.path(digest)

    def continue_from(self, version: ArtifactVersion) -> None:
        """Take over its files, except where others were added under the same paths."""
        with self._lock:
            mine, self._entries, self._folders = self._entries, {}, set()
            kept = {path: body for path, body in version.manifest.items() if path not in mine}
            self._put({path: references.body(Entry.read(path, body)) for path, body in kept.items()}, overwrite=False)
            self._put(mine, overwrite=True)
            for entry in self._entries.values():
                if "ref" not in entry:
                    self._sources.setdefault(entry["digest"], version.blobs.path(entry["digest"]))

    def mark_logged(self, project: str | None = None) -> None:
        """From now on it is a version, and versions do not change.

        Args:
            project: where its record is.
        """
        self._logged = True
        self._logged_to = project or self._logged_to

    def _check_open(self) -> None:
        if self._logged:
            raise UsageError(
                f"artifact {self.name!r} is logged, and versions do not change. Make a new Artifact instead, "
                "or artifact.new_draft() of this one"
            )

    def _add(self, source: bytes, name: str, overwrite: bool) -> str:
        self._check_open()
        path = check_path(name)
        active = runtime.active()
        entry: dict[str, Any] | None = None
        if active.recording:
            try:
                staged = Blobs(active.home).stage(source)
                entry = {"digest": staged.digest, "size_bytes": staged.size_bytes}
                self._staged(
                    active.home.blobs, staging.Kept(path, staged.digest, staged.size_bytes, staged.draft, None)
                )
            except (OSError, HomeError) as error:
                active.faults.note(KEEP, error, hint=NOT_LOGGED)
        if entry is None:
            entry = {"digest": hashlib.sha256(source).hexdigest(), "size_bytes": len(source)}
            self._sources[entry["digest"]] = source
        with self._lock:
            self._put({path: entry}, overwrite)
        return path

    def _add_files(
        self,
        wanted: Iterable[staging.Wanted],
        policy: str | None,
        skip_cache: bool,
        overwrite: bool,
        folder: str | None = None,
    ) -> None:
        self._check_open()
        if policy not in (None, "mutable", "immutable"):
            raise UsageError(f'a policy is "mutable" or "immutable", got {policy!r:.80}')
        active = runtime.active()
        copy = active.recording and policy != "immutable"
        stage = staging.Staging(active, folder, copy=copy, known=active.recording and not skip_cache)
        kept = stage.run(list(wanted))
        for trouble in stage.troubles:
            active.faults.note(KEEP, trouble, hint=NOT_LOGGED)
        with self._lock:
            for one in kept:
                self._staged(active.home.blobs, one)
            self._put({one.path: {"digest": one.digest, "size_bytes": one.size_bytes} for one in kept}, overwrite)
            for one in kept:
                if one.source is not None:
                    self._added[one.source] = one.path

    def _staged(self, folder: Path, one: staging.Kept) -> None:
        with self._lock:
            if one.draft is not None:
                self._drafts_in(Blobs(runtime.active().home)).keep(one.digest, one.draft)
            if one.source is not None:
                self._sources.setdefault(one.digest, Path(one.source).absolute())
            elif one.draft is None:
                self._sources.setdefault(one.digest, folder / one.digest[:2] / one.digest[2:])

    def _drafts_in(self, blobs: Blobs) -> Drafts:
        """The drafts in this home; those in another one become the places to copy from."""
        if self._drafts is None or self._drafts.blobs.folder != blobs.folder:
            former, self._drafts = self._drafts, Drafts(blobs, self)
            if former is not None:
                self._former = former  # kept: its files are read from
        return self._drafts

    def _stage_again(self, digest: str, path: str, blobs: Blobs, drafts: Drafts) -> None:
        former: Drafts | None = getattr(self, "_former", None)
        source: Path | bytes | str | None = self._sources.get(digest)
        if former is not None and digest in former:
            source = former.path(digest)
        if source is None:
            raise OSError(f"the content of {path} is no longer at hand")
        staged = blobs.stage(source if isinstance(source, bytes) else str(source))
        if staged.draft is not None:
            drafts.keep(staged.digest, staged.draft)
        if staged.digest != digest:
            raise OSError(f"{source!r:.200} changed after it was added to the artifact as {path}")

    def _put(self, entries: Mapping[str, dict[str, Any]], overwrite: bool) -> None:
        """All of them, or none. The lock is held."""
        for path, entry in entries.items():
            known = self._entries.get(path)
            if known is not None and known["digest"] != entry["digest"] and not overwrite:
                raise UsageError(
                    f"artifact {self.name!r} has another file as {path!r}. Choose another name, or overwrite=True"
                )
        folders = {parent for path in entries for parent in _parents(path)}
        clash = next(
            (path for path in entries if path in self._folders or path in folders),
            next((parent for parent in folders if parent in self._entries), None),
        )
        if clash is not None:
            raise UsageError(f"{clash!r} would be both a file and a folder of artifact {self.name!r}")
        self._folders |= folders
        self._entries.update(entries)

    def __repr__(self) -> str:
        return f"Artifact({self.name!r}, type={self.type!r}, {len(self._entries)} files, {self.digest[:12]})"


_OF_THE_VERSION = frozenset(
    {"aliases", "checkout", "created_at", "delete", "diff", "download", "file", "files", "logged_by", "new_draft"}
    | {"is_link", "link", "linked_artifacts", "number", "open", "project", "qualified_name", "unlink", "updated_at"}
    | {"source_name"}
    | {"used_by", "verify", "version"}
)


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
    artifact.mark_logged()
    if not rt.recording:
        return False
    try:
        artifact.keep_in(Blobs(rt.home))
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
        ttl_s=lifetimes.seconds(artifact._ttl),
    )
    written = rt.journal.append(record)
    artifact.mark_logged(project)
    return written


def check_metadata(metadata: object) -> dict[str, Any]:
    """It, as a dict, if an artifact may have it.

    Raises:
        UsageError: it is no dict, a key is no text, or there are more than 100.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise UsageError(f"an artifact's metadata must be a dict, got {metadata!r:.80}")
    bad = [key for key in metadata if not isinstance(key, str)]
    if bad:
        raise UsageError(f"keys of an artifact's metadata are text, these are not: {', '.join(map(repr, bad[:5]))}")
    if len(metadata) > METADATA_KEYS:
        raise UsageError(
            f"an artifact's metadata has at most {METADATA_KEYS} keys, this has {len(metadata)}. "
            "Nest them, or add a file"
        )
    return dict(metadata)


def _parents(path: str) -> list[str]:
    return [path[:at] for at, char in enumerate(path) if char == "/"]
