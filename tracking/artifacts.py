"""An artifact in the making: files by path, each kept as a blob the moment it is added. `Run.log_artifact` logs it.

Its digest is the sha256 of its canonical manifest, so the same files are the same version, whatever their order, the
artifact's name or its metadata.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from weft.tracking import names, runtime
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactLogged
from weft.tracking.names import check_artifact
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import redact, redact_text
from weft.tracking.runtime import Runtime
from weft.tracking.tables import Table

KEEP = "keep the files of an artifact"
"""The cause under which files that could not be kept are counted, when added and when logged."""
NOT_LOGGED = "A version is logged only when all its files are kept."
_DRIVE = re.compile(r"[A-Za-z]:")


class Artifact:
    """Files under one name and type: a dataset, a model, results. Log it with `run.log_artifact(artifact)`.

    Args:
        name: 1 to 128 of letters, digits, _ . and -.
        type: what kind of thing it is (`dataset`, `model`, ...).
        description: for people.
        metadata: a dict of anything; it does not take part in the digest.

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
    ) -> None:
        self.name = check_artifact(name)
        if not isinstance(type, str) or not 1 <= len(type) <= 128 or not type.isprintable():
            raise UsageError(f"an artifact's type is text of 1 to 128 characters, this one is {type!r:.150}")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise UsageError(f"an artifact's metadata must be a dict, got {metadata!r:.80}")
        self.type = type
        self.description = description
        self.metadata: dict[str, Any] = dict(metadata or {})
        self._entries: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, Path | bytes] = {}
        """By digest: where the content is, so that it can be kept in another home too."""
        self._folders: set[str] = set()
        self._logged = False

    @property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """{path: {digest, size_bytes}}, sorted by path."""
        return {path: dict(self._entries[path]) for path in sorted(self._entries)}

    @property
    def manifest_json(self) -> bytes:
        """The canonical form: compact JSON, paths and keys sorted."""
        return orjson.dumps(self._entries, option=orjson.OPT_SORT_KEYS)

    @property
    def digest(self) -> str:
        """sha256 of the manifest, hex."""
        return hashlib.sha256(self.manifest_json).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(entry["size_bytes"] for entry in self._entries.values())

    def add_file(self, path: str | os.PathLike[str], name: str | None = None, *, overwrite: bool = False) -> str:
        """Add a file as it is now; changing it afterwards changes nothing here. Returns its path in the artifact.

        Args:
            name: path in the artifact; default the file's own name.
            overwrite: whether it may replace another content under that path.

        Raises:
            OSError: the file cannot be read.
            UsageError: the path is no plain relative one, is taken by another content, or the artifact is logged.
        """
        source = Path(path)
        with source.open("rb"):  # what is wrong with the file itself is the caller's to hear
            pass
        return self._add(source, source.name if name is None else name, overwrite)

    def add_dir(self, path: str | os.PathLike[str], name: str | None = None, *, overwrite: bool = False) -> None:
        """Add every file below a folder, under `name/` where one is given. Links are followed.

        Raises:
            OSError: the folder or a file cannot be read.
            UsageError: as `add_file`.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder, so add_dir() cannot add it; add_file() adds a file")
        prefix = "" if not name else f"{check_path(name)}/"
        for file in _files(folder, ()):
            self.add_file(file, prefix + file.relative_to(folder).as_posix(), overwrite=overwrite)

    def add_bytes(self, data: bytes, name: str, *, overwrite: bool = False) -> str:
        """Add a file of this content."""
        return self._add(bytes(data), name, overwrite)

    def add(self, obj: Table, name: str, *, overwrite: bool = False) -> str:
        """Add a Table as Parquet; `.parquet` is appended to a name that lacks it.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        if not isinstance(obj, Table):
            raise TypeError(
                f"Artifact.add() takes a Table, got {type(obj).__name__}; add_file() and add_bytes() add files"
            )
        buffer = io.BytesIO()
        obj.to_parquet(buffer)
        return self._add(buffer.getvalue(), name if name.endswith(".parquet") else f"{name}.parquet", overwrite)

    @contextmanager
    def new_file(self, name: str, mode: str = "w", encoding: str | None = "utf-8") -> Iterator[IO[Any]]:
        """A file to write, added when the block ends well.

        Example:
            >>> with artifact.new_file("notes.txt") as file:
            ...     file.write("...")
        """
        self._check_open()
        check_path(name)
        if mode not in {"w", "wb", "x", "xb"}:
            raise UsageError(f'new_file() opens with mode "w" or "wb", got {mode!r}')
        with tempfile.TemporaryDirectory(prefix="weft-") as folder:
            draft = Path(folder) / "new"
            with draft.open(mode, encoding=None if "b" in mode else encoding) as file:
                yield file
            path = self._add(draft, name, overwrite=False)
            digest = self._entries[path]["digest"]
            if self._sources[digest] == draft.absolute():  # not kept yet, and soon gone
                self._sources[digest] = draft.read_bytes()

    def keep_in(self, blobs: Blobs) -> None:
        """Make sure that every file is a synced blob there; `Run.log_artifact` asks before it writes the record.

        Raises:
            OSError, HomeError: one could not be kept.
        """
        for path, entry in self._entries.items():
            if blobs.has(entry["digest"]) and blobs.size(entry["digest"]) == entry["size_bytes"]:
                continue
            source = self._sources[entry["digest"]]
            if (blobs.put(source) if isinstance(source, bytes) else blobs.put_file(source)) != entry["digest"]:
                raise OSError(f"{source!r:.200} changed after it was added to the artifact as {path}")

    def mark_logged(self) -> None:
        """From now on it is a version, and versions do not change."""
        self._logged = True

    def _check_open(self) -> None:
        if self._logged:
            raise UsageError(
                f"artifact {self.name!r} is logged, and versions do not change. Make a new Artifact instead"
            )

    def _add(self, source: Path | bytes, name: str, overwrite: bool) -> str:
        self._check_open()
        path = check_path(name)
        digest, size = self._keep(source)
        known = self._entries.get(path)
        if known is not None and known["digest"] != digest and not overwrite:
            raise UsageError(
                f"artifact {self.name!r} has another file as {path!r}. Choose another name, or overwrite=True"
            )
        self._check_folders(path)
        self._entries[path] = {"digest": digest, "size_bytes": size}
        return path

    def _check_folders(self, path: str) -> None:
        parents = [path[:at] for at, char in enumerate(path) if char == "/"]
        clash = next((parent for parent in parents if parent in self._entries), path if path in self._folders else None)
        if clash is not None:
            raise UsageError(f"{clash!r} would be both a file and a folder of artifact {self.name!r}")
        self._folders.update(parents)

    def _keep(self, source: Path | bytes) -> tuple[str, int]:
        """Digest and size of what was added, kept as a blob where that can be done."""
        active = runtime.active()
        if active.recording:
            blobs = Blobs(active.home)
            try:
                digest = blobs.put(source) if isinstance(source, bytes) else blobs.put_file(source)
                self._sources[digest] = blobs.path(digest)
                return digest, blobs.size(digest)
            except (OSError, HomeError) as error:
                active.faults.note(KEEP, error, hint=NOT_LOGGED)
        if isinstance(source, bytes):
            digest, size = hashlib.sha256(source).hexdigest(), len(source)
        else:
            with source.open("rb") as file:
                digest, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        self._sources[digest] = source if isinstance(source, bytes) else source.absolute()
        return digest, size

    def __repr__(self) -> str:
        return f"Artifact({self.name!r}, type={self.type!r}, {len(self._entries)} files, {self.digest[:12]})"


def log_version(
    rt: Runtime, artifact: Artifact, *, project: str, aliases: list[str], made_by: bytes | None = None
) -> bool:
    """Write the record of a version, its files synced first. False: something could not be kept, and was counted.

    Args:
        aliases: as checked by `names.check_aliases`, without `latest`.
        made_by: uid of the run that made it.

    Raises:
        UsageError: its name, type or description is none.
    """
    description = names.check_optional_text("an artifact's description", artifact.description)
    name, kind = names.check_artifact(artifact.name), names.check_text("an artifact's type", artifact.type)
    artifact.mark_logged()
    if not rt.recording:
        return False
    blobs = Blobs(rt.home)
    try:
        artifact.keep_in(blobs)
    except (OSError, HomeError) as error:
        rt.faults.note(KEEP, error, hint=NOT_LOGGED)
        return False
    metadata = encode(artifact.metadata)
    record = ArtifactLogged(
        SCHEMA,
        project,
        name,
        kind,
        artifact.digest,
        artifact.manifest_json,
        artifact.size_bytes,
        rt.ids.wall_ns(),
        aliases=aliases,
        description=None if description is None else redact_text(description, rt.settings.redact),
        metadata=redact(metadata, rt.faults, rt.settings.redact),
        run_uid=made_by,
    )
    return rt.journal.append(record)


def check_path(name: object) -> str:
    """The path, if a file in an artifact may have it: relative, plain, below the artifact on every system.

    Raises:
        UsageError: it is absolute, holds `..`, an empty part, a backslash, a drive letter or a control character.
    """
    if not isinstance(name, str):
        raise UsageError(f"a path in an artifact must be text, got {type(name).__name__}: {name!r:.80}")
    parts = name.split("/")
    if (
        any(part in ("", ".", "..") for part in parts)
        or "\\" in name
        or _DRIVE.match(name)
        or any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 or char == "\x7f" for char in name)
        or any(len(part.encode()) > 255 for part in parts)
    ):
        raise UsageError(
            f"{name!r:.200} cannot be a path in an artifact: it must be relative, with / between plain names, "
            "without .., backslashes, drive letters or control characters"
        )
    return str.__str__(name)


def _files(folder: Path, inside: tuple[Path, ...]) -> Iterator[Path]:
    """Every file below, links followed; a link to a folder we are in already is not entered again."""
    real = folder.resolve()
    if real in inside:
        return
    for item in sorted(folder.iterdir()):
        if item.is_dir():
            yield from _files(item, (*inside, real))
        else:
            yield item
