"""An artifact in the making, as programs hold it. `Run.log_artifact` makes a version of it; from then on whatever only
a version has is asked of that.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from weft.tracking import folders, names, runtime
from weft.tracking.artifacts import lifetimes, references, staging
from weft.tracking.artifacts.contents import Contents, Policy
from weft.tracking.artifacts.lifetimes import INHERIT
from weft.tracking.artifacts.manifest import Entry, Manifest, check_path
from weft.tracking.artifacts.said import check_metadata
from weft.tracking.artifacts.versionfile import VersionFile
from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.names import check_artifact
from weft.tracking.tables import Table
from weft.tracking.tables import parts as tableparts

if TYPE_CHECKING:
    from weft.tracking.artifacts.versions import ArtifactVersion
    from weft.tracking.media.base import Media

MEDIA = ".media.json"
"""How the path of a medium's record ends; its bytes lie beside, under `media/`."""


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
        self.contents = Contents(self.bare_name)
        """Its files; what adds them checks first that it is not logged."""
        self._logged = False
        self._logged_to: str | None = None
        self._lost_in: str | None = None
        """The project in which it was to be logged, where nothing could be recorded; the fault is told already."""
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
        return self.contents.manifest

    @property
    def manifest_json(self) -> bytes:
        """The canonical form: compact JSON, paths and keys sorted."""
        return self.contents.canonical

    @property
    def digest(self) -> str:
        """sha256 of the canonical manifest, hex: the same files are the same version, whatever their order, the name or
        the metadata."""
        return hashlib.sha256(self.manifest_json).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of all files together, as far as known."""
        return self.contents.size_bytes

    @property
    def size(self) -> int:
        """`size_bytes`, by wandb's name."""
        return self.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return len(self.contents)

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
    def ttl_s(self) -> int | None:
        """As a record has it."""
        return lifetimes.seconds(self._ttl)

    @property
    def state(self) -> str:
        """PENDING until it is logged, then COMMITTED, in the end perhaps DELETED."""
        if self._logged_to is None:  # not tried, or its files could not be kept
            return "PENDING"
        return "COMMITTED" if self._version is None else self._version.state

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
        info = _looked_at(source)
        path = check_path(source.name if name is None else name)
        self._check_open()
        wanted = [staging.Wanted(path, str(source.absolute()), info)]
        self.contents.add_files(wanted, policy=policy, skip_cache=bool(skip_cache), overwrite=overwrite)
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
        """Add every file below a folder, under `name/` where one is given. All of them or none. Links are followed, out
        of the folder too; only one to a folder that it lies in is left out.

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
        self._check_open()
        place = str(folder.absolute())
        self.contents.add_files(
            staging.below(place, prefix),
            policy=policy,
            skip_cache=bool(skip_cache),
            overwrite=merge or overwrite,
            folder=place,
        )

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
        self.contents.put({entry.path: references.body(entry) for entry in found}, overwrite=False)
        return found

    def add_bytes(self, data: bytes, name: str, *, overwrite: bool = False) -> str:
        """Add a file of this content."""
        self._check_open()
        path = check_path(name)
        self.contents.add_bytes(bytes(data), path, overwrite=overwrite)
        return path

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
        path = self.add_bytes(told, name if name.endswith(MEDIA) else f"{name}{MEDIA}", overwrite=overwrite)
        ending = getattr(obj, "extension", "bin")
        for digest, data in parts.items():
            last = ending if digest == getattr(obj, "digest", None) else "bin"
            self.add_bytes(data, f"media/{digest[:20]}.{last}", overwrite=overwrite)
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
            self.contents.lose_source(path, draft.absolute())

    def remove(self, item: str | os.PathLike[str] | Entry) -> None:
        """Take a file out, or all files below a folder.

        Raises:
            NotFoundError: there is none of that path.
            UsageError: the artifact is logged.
        """
        self._check_open()
        self.contents.remove(item.path if isinstance(item, Entry) else os.fspath(item))

    def get_entry(self, name: str | os.PathLike[str]) -> VersionFile:
        """One file; once the artifact is logged its `download()` works.

        Raises:
            NotFoundError: there is none of that path.
        """
        return VersionFile.of(self.contents.entry(os.fspath(name)), self.logged)

    def get_path(self, name: str | os.PathLike[str]) -> VersionFile:
        """`get_entry`, by the name it had in older wandb."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """A Table or a medium of the logged version, as `ArtifactVersion.get`."""
        return self.logged().get(name)

    def get_added_local_path_name(self, local_path: str | os.PathLike[str]) -> str | None:
        """The path in the artifact of a file that was added; None: it was not."""
        return self.contents.added_as(str(Path(local_path).absolute()))

    def logged(self) -> ArtifactVersion:
        """The version that this became, with its number: asks the store, once. Where logging it recorded nothing (mode
        disabled, a full disk) one without a number and aliases: that must not end a training.

        Raises:
            UsageError: it is not logged yet.
            StoreError: the store cannot be read.
        """
        if self._lost_in is not None:
            return self._unnumbered(self._lost_in)
        if self._version is None:
            if not self._logged or self._logged_to is None:
                raise UsageError(
                    f"artifact {self.name!r} is not logged, so it is no version yet. run.log_artifact() logs it"
                )
            from weft.tracking.artifacts.finding import find  # in the end SQLAlchemy: only who reads pays for it

            blobs = Blobs(runtime.active().home)
            self._version = find(f"{self._logged_to}/{self.bare_name}:{self.digest}", self._logged_to, blobs)
        return self._version

    def wait(self, timeout: int | None = None) -> Artifact:
        """Until it is a version with a number. Nothing is uploaded anywhere, so this only asks the store.

        Raises:
            UsageError, StoreError: as `logged`.
        """
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
        if self._lost_in is not None:  # told when it was to be logged
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

    def continue_from(self, version: ArtifactVersion) -> None:
        """Take over its files, except where others were added under the same paths."""
        self._check_open()
        self.contents.continue_from(version)

    def mark_logged(self, project: str, *, recorded: bool) -> None:
        """From now on it is a version, and versions do not change.

        Args:
            project: where its record is, or should have been.
            recorded: whether it could be written.
        """
        self._logged = True
        if recorded:
            self._logged_to, self._lost_in = project, None
        elif self._logged_to is None:
            self._lost_in = project

    def _unnumbered(self, project: str) -> ArtifactVersion:
        from weft.tracking.artifacts.versions import ArtifactVersion  # it knows artifacts

        kept = (self.bare_name, self.type, self.digest, self.manifest, self.metadata, Blobs(runtime.active().home))
        return ArtifactVersion(project, *kept, self.description, tags=self.tags)

    def _check_open(self) -> None:
        if self._logged:
            raise UsageError(
                f"artifact {self.name!r} is logged, and versions do not change. Make a new Artifact instead, "
                "or artifact.new_draft() of this one"
            )

    def __repr__(self) -> str:
        return f"Artifact({self.name!r}, type={self.type!r}, {len(self.contents)} files, {self.digest[:12]})"


def _looked_at(source: Path) -> os.stat_result:
    """What the file system says of a file that can be read; what is wrong with it is the caller's to hear."""
    try:
        fd, info = folders.open_plain(source)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"there is no file {str(source)!r:.300} to add (the working directory is {folders.here()})"
        ) from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{str(source)!r:.300} is a folder; add_dir() adds all files below it") from None
    os.close(fd)
    return info


_OF_THE_VERSION = frozenset(
    {"aliases", "checkout", "created_at", "delete", "diff", "download", "file", "files", "logged_by", "new_draft"}
    | {"is_link", "link", "linked_artifacts", "number", "open", "project", "qualified_name", "unlink", "updated_at"}
    | {"source_name"}
    | {"used_by", "verify", "version"}
)
