"""A version's files written below a folder, several at a time, each checked by its hash; a folder compared with it."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from weft.tracking import disks
from weft.tracking.artifacts import references
from weft.tracking.artifacts.manifest import SHA256, Entry
from weft.tracking.blobs import Blobs
from weft.tracking.descriptors import above_standard
from weft.tracking.errors import NotFoundError, StoreError, UsageError
from weft.tracking.journal.locks import try_lock

THREADS = min(8, 2 * (os.cpu_count() or 1))
_CHUNK = 1 << 20
log = logging.getLogger("weft.artifacts")


class Download:
    """Brings entries of one version below one folder."""

    def __init__(self, blobs: Blobs, folder: Path, *, missing_references: bool = False) -> None:
        self._blobs = blobs
        self._folder = folder
        self._missing_references = missing_references
        self._alone = False
        """Nobody else writes into the folder now."""

    def run(self, entries: Mapping[str, Entry]) -> None:
        """Sound files that are there already stay, others are replaced, whatever else lies there is left alone.

        Raises:
            UsageError: a link that lies in the folder would lead a file out of it.
            StoreError: a blob is damaged, or a reference is no longer what it was.
            NotFoundError: a blob is not in this home, or a reference leads nowhere.
            OSError: the folder cannot be written.
        """
        _make(self._folder)
        root = self._folder.resolve()
        for parent in sorted({(root / path).parent for path in entries}):
            _make(parent)
            if parent.resolve() != parent:
                raise UsageError(f"{parent} is or holds a link that leads elsewhere; not writing through it")
        with _claimed(root) as self._alone:
            self._all(entries, root)

    def _all(self, entries: Mapping[str, Entry], root: Path) -> None:
        if len(entries) < 2:
            for entry in entries.values():
                self._one(entry, root)
            return
        with ThreadPoolExecutor(min(THREADS, len(entries)), thread_name_prefix="weft-download") as pool:
            waiting = [pool.submit(self._one, entry, root) for entry in entries.values()]
            try:
                for one in waiting:
                    one.result()
            except BaseException:
                for one in waiting:
                    one.cancel()
                raise

    def _one(self, entry: Entry, root: Path) -> None:
        file = root / entry.path
        if not file.is_symlink() and sound(file, entry):
            return
        if entry.ref is not None and self._missing_references:
            try:
                self._write(entry, file)
            except NotFoundError as error:
                log.warning("%s was left out: %s", entry.path, error)
            return
        self._write(entry, file)

    def _write(self, entry: Entry, file: Path) -> None:
        draft = self._draft(entry, file)
        try:
            with draft.open("x+b") as out:
                if entry.ref is not None:
                    references.write(entry, out)
                else:
                    self._copy(entry, out)
            if file.is_dir() and not file.is_symlink():
                raise UsageError(f"{file} is a folder, where a file of the artifact belongs. Move it away")
            draft.replace(file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _draft(self, entry: Entry, file: Path) -> Path:
        """Where it is written before it takes the file's name. Alone always the same place: what a killed download left
        there goes."""
        if not self._alone:
            return file.with_name(f".{secrets.token_hex(8)}.weft")
        draft = file.with_name(f".{hashlib.sha256(entry.path.encode()).hexdigest()[:16]}.weft")
        draft.unlink(missing_ok=True)
        return draft

    def _copy(self, entry: Entry, out: BinaryIO) -> None:
        sha = hashlib.sha256()
        with self._blobs.open(entry.digest) as source:
            cloned = disks.clone(source.fileno(), out.fileno())
            holes = disks.has_holes(os.fstat(source.fileno()))
            while chunk := source.read(_CHUNK):
                sha.update(chunk)
                if holes and not cloned and disks.is_hole(chunk):
                    out.truncate(out.seek(len(chunk), os.SEEK_CUR))
                elif not cloned:
                    out.write(chunk)
        if sha.hexdigest() != entry.digest:
            self._blobs.doubt(entry.digest)
            raise StoreError(
                f"blob {self._blobs.path(entry.digest)} is damaged: its sha256 is {sha.hexdigest()}. "
                f"Restore it from a backup, or log {entry.path!r:.150} again from its source"
            )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise type(error)(
            f"cannot download into {str(folder)!r:.300}: a file is there, or above it. "
            "Move it away, or give another folder: download(root=...)"
        ) from None
    except OSError as error:
        raise type(error)(
            f"cannot download into {str(folder)!r:.300}: the folder cannot be made ({error.strerror}). "
            "Give another one: download(root=...)"
        ) from None


@contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock for the block, where it can be had."""
    if os.name == "nt":  # folders cannot be opened there
        yield False
        return
    fd = above_standard(os.open(folder, os.O_RDONLY))
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)


def sound(file: Path, entry: Entry) -> bool:
    """Whether the file is this content: by hash, a size alone would let a damaged one pass. Of a reference that says
    nothing of its content never."""
    try:
        if entry.check != SHA256 or file.stat().st_size != entry.size:
            return False
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == entry.digest
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def extra_files(folder: Path, entries: Mapping[str, Entry]) -> list[str]:
    """Files and links below the folder that the version has not, by path."""
    found = []
    for place, inner, names in os.walk(folder):
        linked = [name for name in inner if Path(place, name).is_symlink()]
        for name in (*names, *linked):
            path = Path(place, name).relative_to(folder).as_posix()
            if path not in entries:
                found.append(path)
    return sorted(found)


def remove_extra(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Delete what the version has not, and folders that are then empty."""
    for path in extra_files(folder, entries):
        (folder / path).unlink()
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) != folder and not any(Path(place).iterdir()):
            Path(place).rmdir()
