"""A file of a run as `weft.Api()` answers with it: opened from the blobs, or copied to a folder."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path

from weft.tracking.blobs import Blobs
from weft.tracking.runs.runfiles import restore
from weft.tracking.store.readmodels import FileRecord


class SavedFile(FileRecord):
    """A `FileRecord` that reads its content.

    Example:
        >>> for file in weft.Api().run("digits/x1y2z3a4").files():
        ...     file.download("restored")
    """

    __slots__ = ("_blobs",)
    _blobs: Blobs

    @classmethod
    def of(cls, record: FileRecord, blobs: Blobs) -> SavedFile:
        """The record, with where its content lies."""
        made = cls(record.path, record.digest, record.size_bytes, record.kind, record.at_ns)
        object.__setattr__(made, "_blobs", blobs)
        return made

    @property
    def name(self) -> str:
        """As `path`."""
        return self.path

    @property
    def size(self) -> int:
        """As `size_bytes`."""
        return self.size_bytes

    def open(self) -> BufferedReader:
        """Its content.

        Raises:
            NotFoundError: it is no longer here.
        """
        return self._blobs.open(self.digest)

    def download(self, root: str | os.PathLike[str] = ".", replace: bool = False) -> Path:
        """Copy it to below a folder, under its path.

        Args:
            replace: whether a file that is there already is written anew.

        Raises:
            NotFoundError: its content is no longer here.
            UsageError: its path leads out of the folder.
        """
        return restore(self._blobs, self.digest, self.path, Path(root), replace=replace)
