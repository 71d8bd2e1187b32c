"""Files on their way into an artifact: hashed and copied by several threads, or known from the last time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weft.tracking import folders
from weft.tracking.artifacts.knownfiles import KEPT_FROM_BYTES, KnownFiles
from weft.tracking.artifacts.manifest import check_path
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, UsageError

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime

THREADS = min(8, 2 * (os.cpu_count() or 1))
_BATCH = 64
"""Files that a thread takes at a time."""


class Wanted(NamedTuple):
    """A file to add."""

    path: str
    """In the artifact."""
    source: str
    info: os.stat_result
    name: str = ""
    """Below the folder that is added."""


class Kept(NamedTuple):
    """A file that was read."""

    path: str
    digest: str
    size_bytes: int
    draft: str | None
    """Its copy; None: the content is a blob already, or is not to be copied."""
    source: str


def below(folder: str, prefix: str) -> list[Wanted]:
    """Every file of a folder.

    Raises:
        OSError, UsageError: see `folders.files`; or a name that no path in an artifact may have.
    """
    wanted, barred = list[Wanted](), list[str]()
    for found in folders.files(folder):
        try:
            wanted.append(Wanted(check_path(prefix + found.name), found.path, found.info, found.name))
        except UsageError:
            barred.append(f"{found.name!r:.200}")
    if barred:
        more = f" and {len(barred) - 5} more" if len(barred) > 5 else ""
        raise UsageError(
            f"the folder {folder!r:.200} holds names that cannot be paths in an artifact (backslashes, drive letters, "
            f"control characters, what is no UTF-8): {', '.join(barred[:5])}{more}. Nothing of it was added. Rename "
            "them, or add them by add_file(path, name=...)"
        )
    return wanted


class Staging:
    """One call of `add_file` or `add_dir`."""

    def __init__(self, active: Runtime, folder: str | None, *, copy: bool, known: bool) -> None:
        self._blobs = Blobs(active.home)
        self._home = active.home
        self._folder = folder
        self._copy = copy
        self._use_known = known
        self._made: list[str] = []
        self.troubles: list[HomeError] = []
        """Of the home: from the first on nothing is copied, only hashed."""

    def run(self, wanted: Sequence[Wanted]) -> list[Kept]:
        """All of them, in order.

        Raises:
            OSError, UsageError: a file cannot be read, or is none; no draft stays then.
        """
        known = self._known(wanted)
        done: list[Kept | None] = [None] * len(wanted)
        rest = []
        looked_ns = time.time_ns()
        for at, one in enumerate(wanted):
            digest = known.digest(_name(one), one.info) if known is not None else None
            if digest is not None and (not self._copy or self._blobs.met(digest, one.info.st_size)):
                done[at] = Kept(one.path, digest, one.info.st_size, None, one.source)
            else:
                rest.append(at)
        size = max(1, min(_BATCH, -(-len(rest) // THREADS)))
        batches = [rest[start : start + size] for start in range(0, len(rest), size)]
        try:
            for batch, kept in zip(batches, self._read(wanted, batches), strict=True):
                for at, found in zip(batch, kept, strict=True):
                    done[at] = found
        except BaseException:
            self._forget()
            raise
        whole = [one for one in done if one is not None]
        if known is not None and rest:
            for at in rest:
                found = whole[at]
                if found.size_bytes == wanted[at].info.st_size:
                    known.learn(_name(wanted[at]), wanted[at].info, found.digest, looked_ns)
        if known is not None and self._folder is not None:
            known.only({_name(one) for one in wanted})
        if known is not None:
            try:
                known.save()
            except OSError:  # the next time it is read again
                self._use_known = False
        return whole

    def _known(self, wanted: Sequence[Wanted]) -> KnownFiles | None:
        if not self._use_known or not wanted:
            return None
        if self._folder is not None:
            return KnownFiles(self._home, self._folder)
        if wanted[0].info.st_size < KEPT_FROM_BYTES:
            return None
        return KnownFiles(self._home, str(Path(wanted[0].source).absolute().parent))

    def _read(self, wanted: Sequence[Wanted], batches: Sequence[Sequence[int]]) -> list[list[Kept]]:
        if len(batches) <= 1:
            return [self._batch(wanted, batch) for batch in batches]
        with ThreadPoolExecutor(min(THREADS, max(1, len(batches))), thread_name_prefix="weft-add") as pool:
            waiting = [pool.submit(self._batch, wanted, batch) for batch in batches]
            try:
                return [one.result() for one in waiting]
            except BaseException:
                for one in waiting:
                    one.cancel()
                raise

    def _batch(self, wanted: Sequence[Wanted], batch: Sequence[int]) -> list[Kept]:
        return [self._one(wanted[at]) for at in batch]

    def _one(self, one: Wanted) -> Kept:
        if self._copy and not self.troubles:
            try:
                staged = self._blobs.stage(one.source)
            except HomeError as error:
                self.troubles.append(error)
            else:
                if staged.draft is not None:
                    self._made.append(staged.draft)
                return Kept(one.path, staged.digest, staged.size_bytes, staged.draft, one.source)
        with os.fdopen(folders.open_plain(one.source)[0], "rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            return Kept(one.path, digest, file.tell(), None, one.source)

    def _forget(self) -> None:
        for draft in self._made:
            Path(draft).unlink(missing_ok=True)


def _name(one: Wanted) -> str:
    return one.name or Path(one.source).name
