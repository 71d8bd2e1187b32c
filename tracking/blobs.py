"""Content-addressed files under `<home>/blobs/ab/cdef...`: artifacts, tables, big payloads. Callers mind disk trouble.

A blob is on the disk, synced, when `put` returns, so that the frame that names it may follow. Many at once are staged
as drafts first and settled together: one sync for all. What no record names is deleted by `collecting`, nowhere else; a
blob that is met again gets a new time, by which that tells what somebody is about to name.

A blob that is there is believed by its size and by its time, whose fraction of a second says that these bytes were
written or checked here. Whatever changes a file changes that: such a blob is read before it is believed again, and one
that a reader found damaged loses it, so that the next log of the content mends it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from weft.tracking import disks, draftowners, folders
from weft.tracking.descriptors import above_standard
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.home import Home

_digest = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
DRAFT = ".new"
"""How the names of drafts end; one that its process did not live to settle is deleted by `collecting`."""
_WHOLE = 1 << 20
"""Up to this size a file is read in one piece."""
_MANY = 16
"""From so many on the whole file system is synced at once, instead of one file after the other."""
FRESH_SECONDS = 3600.0
"""So long after it was written or met again nobody deletes a blob: the record that names it may be on its way."""
_TOUCH_SECONDS = FRESH_SECONDS / 6
_SYNCED_KEPT = 1 << 16
_apart: set[tuple[int, str]] = set()
"""Devices whose files share no blocks with those of a folder of blobs: what is small is read in one piece there."""
_synced: set[str] = set()
"""Blobs whose folder this process has synced since they were renamed into it: by path."""


class Staged(NamedTuple):
    """The content of a file as it was at one moment."""

    digest: str
    size_bytes: int
    draft: str | None
    """The copy, not synced and under no name yet; None: the blob is there."""


class Blobs:
    """The blobs of one home. Writers of the same blob, threads or processes, race safely: each renames a whole file."""

    __slots__ = ("_folder", "_home")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = home.blobs

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._folder

    def put(self, data: bytes | memoryview) -> str:
        """Keep these bytes; returns their sha256 in hex.

        Raises:
            OSError: they could not be written (full, read-only); nothing half stays under the blob's name.
            HomeError: the home cannot be used.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self._there(digest, memoryview(data).nbytes):
            self.settle({}, [digest])
        else:
            self._settle(self._written(data), digest)
        return digest

    def put_file(self, path: str | os.PathLike[str]) -> str:
        """Keep a copy of a file as it is now; returns the sha256 of the copy, even where the file changes meanwhile.

        Raises:
            OSError, UsageError: it could not be read (`folders.open_plain`), or the copy not written.
            HomeError: the home cannot be used.
        """
        with os.fdopen(folders.open_plain(path)[0], "rb") as source:
            known = hashlib.file_digest(source, "sha256").hexdigest()
            if self._there(known, source.tell()):
                self.settle({}, [known])
                return known
            source.seek(0)
            draft, fd = self._draft()
            sha = hashlib.sha256()
            try:
                while chunk := source.read(_CHUNK):
                    sha.update(chunk)
                    _write(fd, chunk)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
            finally:
                os.close(fd)
        self._settle(draft, sha.hexdigest())
        return sha.hexdigest()

    def stage(self, source: str | os.PathLike[str] | bytes) -> Staged:
        """Copy a file or bytes into a draft, unless the blob is there: `settle` makes blobs of drafts.

        Raises:
            OSError, UsageError: see `folders.open_plain`.
            HomeError: the copy could not be written.
        """
        if isinstance(source, bytes):
            return self._stage_data(source)
        fd, info = folders.open_plain(source)
        try:
            if info.st_size <= _WHOLE and (info.st_dev, str(self._folder)) in _apart:
                data = os.read(fd, info.st_size + 1)
                if len(data) == info.st_size:
                    return self._stage_data(data)
                os.lseek(fd, 0, os.SEEK_SET)  # it grows or shrinks at this moment
            return self._stage_stream(fd, info)
        finally:
            os.close(fd)

    def settle(self, drafts: Mapping[str, str], met: Collection[str] = ()) -> None:
        """Make blobs of drafts, all durable at return.

        Args:
            drafts: paths of drafts by digest.
            met: digests of blobs that `stage` or `met` found there; whoever wrote them may not have synced yet.

        Raises:
            OSError: something could not be written; what was settled until then stays, the other drafts too.
            HomeError: the home cannot be used.
        """
        if len(drafts) > _MANY:
            disks.sync_all(self._folder)
        else:
            for draft in drafts.values():
                disks.sync_file(draft)
        folders_of = {self._place(digest): f"{self._folder}{os.sep}{digest[:2]}" for digest in drafts}
        new = False
        for folder in set(folders_of.values()):
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)  # noqa: PTH102 - see `_place`
                new = True
        for (digest, draft), place in zip(drafts.items(), folders_of, strict=True):
            _mark(draft, digest)
            os.replace(draft, place)  # noqa: PTH105 - see `_place`
        unsynced = [digest for digest in met if self._place(digest) not in _synced]
        folders_of |= {self._place(digest): f"{self._folder}{os.sep}{digest[:2]}" for digest in unsynced}
        places = set(folders_of.values())
        if len(places) > _MANY:
            disks.sync_all(self._folder)
        else:
            for folder in places:
                _sync_folder(folder)
            if new:
                _sync_folder(self._folder)
        _remember(*folders_of)

    def met(self, digest: str, size: int) -> bool:
        """Whether the blob is there whole; if so nobody deletes it for a while (`FRESH_SECONDS`)."""
        return self._there(digest, size)

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
            sound = hashlib.file_digest(file, "sha256").hexdigest() == digest
        if not sound:
            self.doubt(digest)
        return sound

    def doubt(self, digest: str) -> None:
        """Its bytes were found not to be those the digest names: whoever keeps this content next writes it again."""
        place = str(self.path(digest))
        with suppress(OSError):  # gone, or this home is only read: then nothing is kept in it either
            _mark(place, digest, sound=False)

    def _there(self, digest: str, size: int) -> bool:
        place = self._place(digest)
        try:
            info = os.stat(place)  # noqa: PTH116 - see `_place`
            if info.st_size != size:
                return False
            marked = info.st_mtime_ns % 1_000_000_000 == _fraction_ns(digest)
            if not marked and not self.verify(digest):
                return False
            if not marked or info.st_mtime < time.time() - _TOUCH_SECONDS:
                _mark(place, digest)  # if it is deleted at this moment this fails, and it is written again
        except (FileNotFoundError, NotADirectoryError, PermissionError, NotFoundError):
            return False
        return True

    def _stage_data(self, data: bytes) -> Staged:
        digest = hashlib.sha256(data).hexdigest()
        if self._there(digest, len(data)):
            return Staged(digest, len(data), None)
        with self._home.using("keep the content of a file"):
            return Staged(digest, len(data), self._written(data, draftowners.mine(self._home)))

    def _written(self, data: bytes | memoryview, owner: str = "") -> str:
        draft, fd = self._draft(owner)
        try:
            _write(fd, data)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return draft

    def _stage_stream(self, source: int, info: os.stat_result) -> Staged:
        with self._home.using("keep the content of a file"):
            draft, fd = self._draft(draftowners.mine(self._home))
        sha, size = hashlib.sha256(), 0
        try:
            with self._home.using("keep the content of a file"):
                cloned = disks.clone(source, fd)
            if not cloned:
                _apart.add((info.st_dev, str(self._folder)))
            read, holes = fd if cloned else source, disks.has_holes(info)
            while chunk := os.read(read, _CHUNK):
                sha.update(chunk)
                size += len(chunk)
                if not cloned:
                    with self._home.using("keep the content of a file"):
                        if holes and disks.is_hole(chunk):
                            os.ftruncate(fd, size)
                            os.lseek(fd, size, os.SEEK_SET)
                        else:
                            _write(fd, chunk)
            if self._there(sha.hexdigest(), size):
                Path(draft).unlink()
                return Staged(sha.hexdigest(), size, None)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return Staged(sha.hexdigest(), size, draft)

    def _draft(self, owner: str = "") -> tuple[str, int]:
        draft = f"{self._folder}{os.sep}{owner}{secrets.token_hex(12)}{DRAFT}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # a clone is read back
        try:
            return draft, above_standard(os.open(draft, flags, 0o600))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            self._home.ensure()  # makes the folder, or says what is wrong with the home
            return draft, above_standard(os.open(draft, flags, 0o600))

    def _settle(self, draft: str, digest: str) -> None:
        try:
            self.settle({digest: draft})
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _place(self, digest: str) -> str:
        """As `path`, of what is known to be a digest, as text: asked for every file, and a Path costs ten times as
        much."""
        return f"{self._folder}{os.sep}{digest[:2]}{os.sep}{digest[2:]}"

    def _missing(self, digest: str) -> NotFoundError:
        return NotFoundError(
            f"no blob {digest} in {self._folder}; it was never written here or was removed. `weft doctor` says more."
        )


def _fraction_ns(digest: str) -> int:
    """What the time of a blob that was written or checked here has behind the full second: of 10 million values one,
    in steps of 100 ns, which every usual file system keeps. Where one does not, blobs are read each time."""
    return int(digest[:12], 16) % 10_000_000 * 100


def _mark(place: str | Path, digest: str, *, sound: bool = True) -> None:
    """Make its time that of now, and that of a blob to be believed, or not."""
    second_ns = (int(time.time()) - 1) * 1_000_000_000  # never in the future
    fraction_ns = _fraction_ns(digest)
    if not sound:
        fraction_ns = (fraction_ns + 500_000_000) % 1_000_000_000
    os.utime(place, ns=(second_ns, second_ns + fraction_ns))


def _remember(*places: str) -> None:
    if len(_synced) >= _SYNCED_KEPT:
        _synced.clear()
    _synced.update(places)


def _write(fd: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(folder: str | Path) -> None:
    """Make a rename in it last through a power cut."""
    if os.name == "nt":  # folders cannot be opened there; NTFS journals the rename
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
