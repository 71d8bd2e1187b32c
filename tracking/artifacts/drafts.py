"""The content of an artifact that is not logged yet: copies in the home that have no name there. Once logged they are
blobs; of an artifact that never is, nothing stays.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection
from contextlib import suppress

from weft.tracking.blobs import Blobs


class Drafts:
    """Drafts in one home, by digest. Deleted with the artifact they belong to, at the latest when the process ends."""

    def __init__(self, blobs: Blobs, owner: object) -> None:
        self.blobs = blobs
        self._paths: dict[str, str] = {}
        weakref.finalize(owner, _discard, self._paths, os.getpid())

    def __contains__(self, digest: str) -> bool:
        return digest in self._paths

    def path(self, digest: str) -> str:
        """Where the copy lies."""
        return self._paths[digest]

    def keep(self, digest: str, draft: str) -> None:
        """One more; a second copy of a content is deleted."""
        if self._paths.setdefault(digest, draft) != draft:
            os.unlink(draft)  # noqa: PTH108 - a text

    def settle(self, wanted: Collection[str], met: Collection[str]) -> None:
        """Make blobs of those that are wanted, delete the others.

        Raises:
            OSError, HomeError: see `Blobs.settle`.
        """
        drafts = {digest: self._paths[digest] for digest in wanted if digest in self._paths}
        try:
            self.blobs.settle(drafts, met)
        finally:
            for digest, draft in drafts.items():
                if not os.path.lexists(draft):  # a blob by now, also where another one failed: it may be tried again
                    del self._paths[digest]
        _discard(self._paths, os.getpid())


def _discard(paths: dict[str, str], pid: int) -> None:
    if pid != os.getpid():  # a forked child ends: they are its parent's
        return
    while paths:
        with suppress(OSError):  # gone, or the disk is: `weft artifacts gc` finds what stays
            os.unlink(paths.popitem()[1])  # noqa: PTH108
