"""Content-addressed files under `<home>/blobs/ab/cdef...`: artifacts, tables, big payloads. Callers mind disk trouble.

A blob is on the disk, synced, when `put` returns, so that the frame that names it may follow. Nothing here deletes one.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.home import Home

_digest = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_SYNCED_KEPT = 4096
_synced: set[str] = set()
"""Blobs whose folder this process has synced since they were renamed into it: by path."""


class Blobs:
    """The blobs of one home. Writers of the same blob, threads or processes, race safely: each renames a whole file."""

    __slots__ = ("_folder", "_home")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.blobs

    def put(self, data: bytes | memoryview) -> str:
        """Keep these bytes; returns their sha256 in hex.

        Raises:
            OSError: they could not be written (full, read-only); nothing half stays under the blob's name.
            HomeError: the home cannot be used.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self._kept(digest, memoryview(data).nbytes):
            return digest
        draft, fd = self._draft()
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                _sync(file)
            self._settle(draft, digest)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return digest

    def put_file(self, path: str | os.PathLike[str]) -> str:
        """Keep a copy of a file as it is now; returns the sha256 of the copy, even where the file changes meanwhile.

        Raises:
            FileNotFoundError, IsADirectoryError: there is no such file.
            OSError: it could not be read, or the copy not written.
            HomeError: the home cannot be used.
        """
        with open(path, "rb") as source:
            known = hashlib.file_digest(source, "sha256").hexdigest()
            if self._kept(known, source.tell()):
                return known
            source.seek(0)
            draft, fd = self._draft()
            try:
                sha = hashlib.sha256()
                with os.fdopen(fd, "wb") as file:
                    while chunk := source.read(_CHUNK):
                        sha.update(chunk)
                        file.write(chunk)
                    _sync(file)
                digest = sha.hexdigest()
                self._settle(draft, digest)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        return digest

    def path(self, digest: str) -> Path:
        """Where this blob lies, or would.

        Raises:
            UsageError: that is no sha256 in lower-case hex; so no digest can lead out of the folder.
        """
        if not isinstance(digest, str) or not _digest.fullmatch(digest):
            raise UsageError(f"{digest!r:.80} is no blob digest; it must be 64 lower-case hex digits (sha256)")
        return self._folder / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether the blob is here (its content is not read: see `verify`)."""
        return self.path(digest).is_file()

    def size(self, digest: str) -> int:
        """Bytes of the blob.

        Raises:
            NotFoundError: it is not here.
        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise self._missing(digest) from None

    def open(self, digest: str) -> BufferedReader:
        """The blob for reading.

        Raises:
            NotFoundError: it is not here.
        """
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise self._missing(digest) from None

    def read(self, digest: str) -> bytes:
        """The blob's bytes.

        Raises:
            NotFoundError: it is not here.
        """
        with self.open(digest) as file:
            return file.read()

    def verify(self, digest: str) -> bool:
        """Whether the stored bytes are those the digest names: reads them all.

        Raises:
            NotFoundError: it is not here.
        """
        with self.open(digest) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    def _kept(self, digest: str, size: int) -> bool:
        """Whether the blob is there whole; a file of another size was damaged and is written again."""
        target = self.path(digest)
        try:
            if target.stat().st_size != size:
                return False
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return False
        if str(target) not in _synced:
            _sync_folder(target.parent)  # its writer may not have come this far yet
            _remember(target)
        return True

    def _draft(self) -> tuple[Path, int]:
        draft = self._folder / f"{secrets.token_hex(12)}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            return draft, os.open(draft, flags, 0o600)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            self._home.ensure()  # makes the folder, or says what is wrong with the home
            return draft, os.open(draft, flags, 0o600)

    def _settle(self, draft: Path, digest: str) -> None:
        target = self.path(digest)
        try:
            target.parent.mkdir(mode=0o700)
            _sync_folder(self._folder)
        except FileExistsError:
            pass
        draft.replace(target)
        _sync_folder(target.parent)
        _remember(target)

    def _missing(self, digest: str) -> NotFoundError:
        return NotFoundError(
            f"no blob {digest} in {self._folder}; it was never written here or was removed. `weft doctor` says more."
        )


def _remember(target: Path) -> None:
    if len(_synced) >= _SYNCED_KEPT:
        _synced.clear()
    _synced.add(str(target))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename in it last through a power cut."""
    if os.name == "nt":  # folders cannot be opened there; NTFS journals the rename
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
