"""A logged version of an artifact: found in the store, opened, downloaded. What leaves is checked by hash."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from weft.tracking import runtime
from weft.tracking.artifacts import check_path
from weft.tracking.blobs import Blobs
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.names import check_artifact, check_project, version_number
from weft.tracking.store.readmodels import ArtifactRecord
from weft.tracking.tables import Table

_CHUNK = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True, slots=True)
class ArtifactVersion:
    """What `run.use_artifact` returns."""

    project: str
    name: str
    type: str
    digest: str
    manifest: Mapping[str, Mapping[str, Any]]
    """{path: {digest, size_bytes}}"""
    metadata: Mapping[str, Any]
    blobs: Blobs
    description: str | None = None
    number: int | None = None
    """0, 1, 2, ...; None: logged a moment ago by this process and not read back."""
    aliases: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """`v3`."""
        return None if self.number is None else f"v{self.number}"

    def open(self, path: str) -> BinaryIO:
        """One file for reading, as it lies in the blobs (`download` checks hashes).

        Raises:
            NotFoundError: the version has no such file, or its content is not in this home.
        """
        return self.blobs.open(self._digest(path))

    def get(self, path: str) -> Table:
        """A Table that was added as `path` (`.parquet` may be left out).

        Raises:
            NotFoundError: there is none.
            MissingExtraError: pyarrow is not installed.
        """
        found = path if path in self.manifest or path.endswith(".parquet") else f"{path}.parquet"
        with self.open(found) as file:
            return Table.from_parquet(file)

    def download(self, folder: str | os.PathLike[str] | None = None) -> Path:
        """Write the files below a folder and return it. Sound files that are there already stay; others are replaced.

        Args:
            folder: default `artifacts/<name>-v3` in the working directory.

        Raises:
            UsageError: a path in the manifest leads out of the folder, by itself or through a link that lies there.
            StoreError: a blob is damaged: its bytes are not those its digest names.
            NotFoundError: a blob is not in this home.
            OSError: the folder cannot be written.
        """
        target = (
            Path(folder)
            if folder is not None
            else Path("artifacts") / f"{self.name}-{self.version or self.digest[:12]}"
        )
        for path in self.manifest:  # all of them first: a bad manifest writes nothing
            check_path(path)
        target.mkdir(parents=True, exist_ok=True)
        root = target.resolve()
        for path, entry in self.manifest.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.parent.resolve() != file.parent:
                raise UsageError(
                    f"{file.parent} is or holds a link that leads elsewhere; not writing {path!r} through it"
                )
            if file.is_symlink() or not _is(file, entry):
                self._copy(entry["digest"], file)
        return target

    def _copy(self, digest: str, file: Path) -> None:
        draft = file.with_name(f".{secrets.token_hex(8)}.weft")
        sha = hashlib.sha256()
        try:
            with self.blobs.open(digest) as source, draft.open("xb") as out:
                while chunk := source.read(_CHUNK):
                    sha.update(chunk)
                    out.write(chunk)
            if sha.hexdigest() != digest:
                raise StoreError(
                    f"blob {self.blobs.path(digest)} is damaged: its sha256 is {sha.hexdigest()}. "
                    f"Restore it from a backup, or log {self.name!r} again from its source"
                )
            draft.replace(file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _digest(self, path: str) -> str:
        try:
            return str(self.manifest[path]["digest"])
        except KeyError:
            raise NotFoundError(
                f"artifact {self.name!r} has no file {path!r}; it has {', '.join(sorted(self.manifest)) or 'none'}"
            ) from None


def _is(file: Path, entry: Mapping[str, Any]) -> bool:
    """Whether the file is this content: by hash, a size alone would let a damaged one pass."""
    try:
        if file.stat().st_size != entry["size_bytes"]:
            return False
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == str(entry["digest"])
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Reference:
    """`project/name:alias`, taken apart."""

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
        project, slash, rest = text.rpartition("/")
        name, _, which = rest.partition(":")
        try:
            return cls(check_project(project) if slash else None, check_artifact(name), which or "latest")
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
        if self.which == "latest" and versions:
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
        name=record.name,
        type=record.type,
        digest=record.digest,
        manifest=record.manifest,
        metadata=record.metadata,
        blobs=blobs,
        description=record.description,
        number=record.version,
        aliases=tuple(record.aliases),
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
    if not rt.recording and rt.settings.store_url is None and not rt.home.path.exists():
        return version_of(reference.choose(found), blobs)  # nothing is made to find nothing in
    with open_store() as store:
        reader = store.reader()
        while True:
            page = reader.artifacts(where, limit=1000, offset=len(found))
            found += page.rows
            if not page.rows or len(found) >= page.total:
                break
    return version_of(reference.choose(found), blobs)
