"""One file of an artifact as `get_entry` and `files` answer with it: an entry that is downloaded by itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.tracking.artifacts import downloads
from weft.tracking.artifacts.localpath import LocalPath
from weft.tracking.artifacts.manifest import Entry

if TYPE_CHECKING:
    from weft.tracking.artifacts.versions import ArtifactVersion


class VersionFile(Entry):
    """An `Entry` that reads its content.

    Example:
        >>> run.use_artifact("questions:latest").get_entry("train.jsonl").download()
    """

    __slots__ = ("_version",)
    _version: Callable[[], ArtifactVersion]

    @classmethod
    def of(cls, entry: Entry, version: Callable[[], ArtifactVersion]) -> VersionFile:
        """The entry, with how to come by the version it belongs to (asked when it is downloaded)."""
        made = cls(entry.path, entry.digest, entry.size, entry.ref, entry.check, entry.version_id)
        object.__setattr__(made, "_version", version)
        return made

    @property
    def name(self) -> str:
        """As `path`."""
        return self.path

    def download(self, root: str | os.PathLike[str] | None = None, skip_cache: bool | None = None) -> LocalPath:
        """Write this file below a folder, under its path; returns where it lies.

        Args:
            root: default as `ArtifactVersion.download`.
            skip_cache: accepted for scripts that name it.

        Raises:
            UsageError, StoreError, NotFoundError, OSError: see `ArtifactVersion.download`; or it is not logged yet.
        """
        version = self._version()
        folder = version.folder(root)
        downloads.Download(version.blobs, folder).run({self.path: self})
        return LocalPath(folder / self.path)
