"""The home folder: which file lies where, and whether it can be used. Holds paths, never content."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weft.tracking.errors import HomeError

_uid = re.compile(r"[0-9a-f]{32}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.EISDIR, errno.ENOTDIR})
_BARRED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of one home. `Home(path).ensure()` makes it, mode 0700."""

    path: Path

    @property
    def journal(self) -> Path:
        """Segments (`*.wj`), one live one a process."""
        return self.path / "journal"

    @property
    def blobs(self) -> Path:
        """Content-addressed files."""
        return self.path / "blobs"

    @property
    def quarantine(self) -> Path:
        """Segments with a bad frame before their tail."""
        return self.path / "quarantine"

    @property
    def ingest_lock(self) -> Path:
        """Held by the one ingester of this home."""
        return self.path / "ingest.lock"

    @property
    def watch_trouble(self) -> Path:
        """There while its watcher cannot ingest, and says why."""
        return self.path / "watch.trouble"

    @property
    def read_only(self) -> bool:
        """It is there, and nothing can be written into it: a read-only mount, or somebody else's."""
        return self.path.is_dir() and not may_write(self.path)

    @property
    def uid(self) -> str:
        """This home's own random id (32 hex digits): several homes may feed one store.

        Raises:
            HomeError: it cannot be read, or is damaged.
        """
        path = self.path / "home.id"
        with self.using("read the id of its home"):
            if not path.exists():
                self.ensure()
            found = path.read_bytes().decode("ascii", "replace").strip()
        if not _uid.fullmatch(found):
            raise HomeError(
                f"{path} is damaged: it holds {found!r:.60}, not 32 hex digits. By these the store knows what of this "
                "home it has read: put them back (column `home` of its table `segment`)."
            )
        return found

    @contextmanager
    def using(self, what: str) -> Iterator[None]:
        """What the disk says within the block becomes weft's own error.

        Args:
            what: what is being done, after "weft could not".

        Raises:
            HomeError: the disk is full, the place may not be written, something is in the way.
        """
        try:
            yield
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise HomeError(f"weft could not {what}: {error.strerror or error}{where}. {_cure(error)}") from error

    def ensure(self) -> Home:
        """Make the folders that are missing.

        Raises:
            HomeError: the home is a file, or may not be written.
        """
        if not self.path.is_absolute():
            raise HomeError(
                f"weft's home {self.path} cannot be told: HOME is not set, or the working directory is gone. "
                "Set WEFT_HOME to a folder, with its full path."
            )
        try:
            for folder in (self.path, self.journal, self.blobs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ident = self.path / "home.id"
            if not ident.exists():
                # Linked into place whole, so that of two processes that race the first wins and no one reads half.
                draft = ident.with_name(f"home.id.{secrets.token_hex(8)}")
                with draft.open("x") as file:
                    file.write(secrets.token_hex(16))
                    file.flush()
                    os.fsync(file.fileno())  # an id that a power cut emptied could never be told again
                try:
                    os.link(draft, ident)
                except FileExistsError:
                    pass
                except OSError:  # no hard links on this file system: the last of two that race wins
                    draft.replace(ident)
                finally:
                    draft.unlink(missing_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise HomeError(
                f"weft's home {self.path} cannot be a folder: {_in_the_way(error)} is a file. "
                "Move that file or set WEFT_HOME to a folder."
            ) from error
        except OSError as error:
            raise HomeError(f"weft's home {self.path} cannot be written: {error.strerror}. {_cure(error)}") from error
        return self


def may_write(folder: Path) -> bool:
    """Whether files can be made in a folder: by its permissions, and by how it is mounted."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _cure(error: OSError) -> str:
    if error.errno in _FULL:
        return "Free some space, or set WEFT_HOME to a folder on another disk."
    if error.errno in _BARRED:
        return "Make it writable or set WEFT_HOME to a folder that is."
    if error.errno in _IN_THE_WAY:
        return "Move it away, or set WEFT_HOME to another folder."
    return "`weft doctor` says more; WEFT_HOME may name another folder."


def _in_the_way(error: OSError) -> Path:
    """Of a path that cannot be made, the part that is there and no folder."""
    path = Path(error.filename)
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
