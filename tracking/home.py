"""The home folder: which file lies where, and whether it can be used. Holds paths, never content."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from weft.tracking.errors import HomeError


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
    def uid(self) -> str:
        """This home's own random id (32 hex digits): several homes may feed one store."""
        try:
            return (self.path / "home.id").read_text().strip()
        except FileNotFoundError:
            self.ensure()
            return (self.path / "home.id").read_text().strip()

    def ensure(self) -> Home:
        """Make the folders that are missing.

        Raises:
            HomeError: the home is a file, or may not be written.
        """
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
                f"weft's home {self.path} cannot be a folder: {error.filename} is a file. "
                "Move that file or set WEFT_HOME to a folder."
            ) from error
        except OSError as error:
            raise HomeError(
                f"weft's home {self.path} cannot be written: {error.strerror}. "
                "Make it writable or set WEFT_HOME to a folder that is."
            ) from error
        return self
