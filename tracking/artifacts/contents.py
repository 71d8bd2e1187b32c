"""The files of an artifact in the making, by path. Their content is copied when they are added and kept when it is
logged; a content that could not be copied is read again then, from where it came.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from weft.tracking import runtime
from weft.tracking.artifacts import references, staging
from weft.tracking.artifacts.drafts import Drafts
from weft.tracking.artifacts.manifest import Entry, Manifest
from weft.tracking.blobs import Blobs
from weft.tracking.errors import HomeError, NotFoundError, UsageError

if TYPE_CHECKING:
    from weft.tracking.artifacts.versions import ArtifactVersion

KEEP = "keep the files of an artifact"
"""The cause under which files that could not be kept are counted, when added and when logged."""
NOT_LOGGED = "A version is logged only when all its files are kept."
Policy = Literal["mutable", "immutable"]


class Contents:
    """What one artifact holds so far. Threads may add at once; each call adds all of its files or none.

    Args:
        called: the artifact's name, for errors.
    """

    def __init__(self, called: str) -> None:
        self._called = called
        self._entries: dict[str, dict[str, Any]] = {}
        self._folders: set[str] = set()
        self._added: dict[str, str] = {}
        """Paths in the artifact, by the full path of the file they were added from."""
        self._sources: dict[str, str | bytes] = {}
        """By digest: where the content came from, in case that it has to be copied once more."""
        self._drafts: Drafts | None = None
        self._former: list[Drafts] = []
        """Drafts in homes that were the program's before."""
        self._lock = threading.RLock()  # guards all of it

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def entry(self, path: str) -> Entry:
        """One file.

        Raises:
            NotFoundError: there is none of that path.
        """
        if path not in self._entries:
            raise NotFoundError(f"artifact {self._called!r} has no file {path!r:.150}")
        return Entry.read(path, self._entries[path])

    @property
    def manifest(self) -> Manifest:
        """{path: {digest, size_bytes}}, sorted by path."""
        with self._lock:
            return Manifest({path: dict(self._entries[path]) for path in sorted(self._entries)})

    @property
    def canonical(self) -> bytes:
        """The manifest as compact JSON, paths and keys sorted."""
        with self._lock:
            return orjson.dumps(self._entries, option=orjson.OPT_SORT_KEYS)

    @property
    def size_bytes(self) -> int:
        """Of all files together, as far as known."""
        with self._lock:
            return sum(entry.get("size_bytes") or 0 for entry in self._entries.values())

    def added_as(self, local_path: str) -> str | None:
        """The path in the artifact of a file that was added; None: it was not.

        Args:
            local_path: absolute.
        """
        return self._added.get(local_path)

    def add_bytes(self, data: bytes, path: str, *, overwrite: bool) -> None:
        """A file of this content. Trouble with the home is counted, not raised.

        Raises:
            UsageError: see `put`.
        """
        active = runtime.active()
        digest: str | None = None
        if _keeps(active):
            try:
                staged = Blobs(active.home).stage(data)
                digest = staged.digest
                if staged.draft is not None:
                    with self._lock:
                        self._drafts_in(Blobs(active.home)).keep(digest, staged.draft)
            except (OSError, HomeError) as error:
                active.faults.note(KEEP, error, hint=NOT_LOGGED)
        if digest is None:
            digest = hashlib.sha256(data).hexdigest()
            self._sources[digest] = data
        with self._lock:
            self.put({path: {"digest": digest, "size_bytes": len(data)}}, overwrite=overwrite)

    def add_files(
        self,
        wanted: Sequence[staging.Wanted],
        *,
        policy: str | None,
        skip_cache: bool,
        overwrite: bool,
        folder: str | None = None,
    ) -> None:
        """Files as they are now. Trouble with the home is counted, not raised.

        Args:
            wanted: their sources absolute.
            folder: absolute; that all of them are below.

        Raises:
            OSError: one cannot be read.
            UsageError: one is no plain file, a policy that is none, or see `put`.
        """
        if policy not in (None, "mutable", "immutable"):
            raise UsageError(f'a policy is "mutable" or "immutable", got {policy!r:.80}')
        active = runtime.active()
        keeps = _keeps(active)
        copy = keeps and policy != "immutable"
        stage = staging.Staging(active, folder, copy=copy, known=keeps and not skip_cache)
        kept = stage.run(wanted)
        for trouble in stage.troubles:
            active.faults.note(KEEP, trouble, hint=NOT_LOGGED)
        with self._lock:
            drafts = self._drafts_in(Blobs(active.home))
            for one in kept:
                if one.draft is not None:
                    drafts.keep(one.digest, one.draft)
                self._sources.setdefault(one.digest, one.source)
            found = {one.path: {"digest": one.digest, "size_bytes": one.size_bytes} for one in kept}
            self.put(found, overwrite=overwrite)
            self._added.update((one.source, one.path) for one in kept)

    def lose_source(self, path: str, source: Path) -> None:
        """The file that this was added from goes away: where nothing else has the content, it is remembered."""
        with self._lock:
            digest = self._entries[path]["digest"]
            self._added.pop(str(source), None)
            if self._sources.get(digest) == str(source):
                del self._sources[digest]
                drafts = self._drafts_in(Blobs(runtime.active().home))
                if digest not in drafts and not drafts.blobs.has(digest):
                    self._sources[digest] = source.read_bytes()

    def put(self, entries: Mapping[str, dict[str, Any]], *, overwrite: bool) -> None:
        """Entries as they stand in a manifest.

        Raises:
            UsageError: one is taken by another content, or would be both a file and a folder.
        """
        with self._lock:
            for path, entry in entries.items():
                known = self._entries.get(path)
                if known is not None and known["digest"] != entry["digest"] and not overwrite:
                    raise UsageError(
                        f"artifact {self._called!r} has another file as {path!r}. "
                        "Choose another name, or overwrite=True"
                    )
            folders = _folders(entries)
            clash = next(
                (path for path in entries if path in self._folders or path in folders),
                next((parent for parent in folders if parent in self._entries), None),
            )
            if clash is not None:
                raise UsageError(f"{clash!r} would be both a file and a folder of artifact {self._called!r}")
            self._folders |= folders
            self._entries.update(entries)

    def remove(self, name: str) -> None:
        """A file, or all files below a folder.

        Raises:
            NotFoundError: there is none of that path.
        """
        with self._lock:
            gone = [path for path in self._entries if path == name or path.startswith(f"{name.rstrip('/')}/")]
            if not gone:
                raise NotFoundError(f"artifact {self._called!r} has no file {name!r:.150}")
            for path in gone:
                del self._entries[path]
            self._folders = _folders(self._entries)

    def continue_from(self, version: ArtifactVersion) -> None:
        """Take over its files, except where others were added under the same paths."""
        with self._lock:
            mine, self._entries, self._folders = self._entries, {}, set()
            kept = {path: body for path, body in version.manifest.items() if path not in mine}
            self.put({path: references.body(Entry.read(path, body)) for path, body in kept.items()}, overwrite=False)
            self.put(mine, overwrite=True)
            for entry in self._entries.values():
                if "ref" not in entry:
                    self._sources.setdefault(entry["digest"], str(version.blobs.path(entry["digest"])))

    def keep_in(self, blobs: Blobs) -> None:
        """Make sure that every file is a synced blob there.

        Raises:
            OSError, HomeError: one could not be kept.
        """
        with self._lock:
            held = {
                entry["digest"]: (path, entry["size_bytes"])
                for path, entry in self._entries.items()
                if "ref" not in entry
            }
            drafts = self._drafts_in(blobs)
            met = [digest for digest, (_, size) in held.items() if digest not in drafts and blobs.met(digest, size)]
            for digest in held.keys() - set(met):
                if digest not in drafts:
                    self._stage_again(digest, held[digest][0], blobs, drafts)
            drafts.settle(held.keys(), met)

    def _drafts_in(self, blobs: Blobs) -> Drafts:
        """The drafts in this home; those in another one become the places to copy from."""
        if self._drafts is None or self._drafts.blobs.folder != blobs.folder:
            if self._drafts is not None:
                self._former.append(self._drafts)
            self._drafts = Drafts(blobs, self)
        return self._drafts

    def _stage_again(self, digest: str, path: str, blobs: Blobs, drafts: Drafts) -> None:
        places: list[str | bytes] = [former.path(digest) for former in self._former if digest in former]
        places += [str(former.blobs.path(digest)) for former in self._former if former.blobs.has(digest)]
        if digest in self._sources:
            places.append(self._sources[digest])
        trouble = OSError(f"the content of {path} is no longer at hand")
        for place in places:
            try:
                staged = blobs.stage(place)
            except (OSError, UsageError) as error:
                trouble = OSError(f"the content of {path} cannot be read again: {error}")
                continue
            if staged.draft is not None:
                drafts.keep(staged.digest, staged.draft)
            if staged.digest == digest:
                return
            trouble = OSError(f"{place!r:.200} changed after it was added to the artifact as {path}")
        raise trouble


def _keeps(active: runtime.Runtime) -> bool:
    """Whether content is copied at once. A disabled run writes nothing, and nothing made in one is usually logged; if
    it is, later, what it was made of is read then."""
    run = active.active_run
    return active.recording and not (run is not None and run.disabled)


def _folders(paths: Iterable[str]) -> set[str]:
    """All folders that these files lie in."""
    nearest = {path.rpartition("/")[0] for path in paths}
    return {parent for folder in nearest if folder for parent in (folder, *_parents(folder))}


def _parents(path: str) -> list[str]:
    return [path[:at] for at, char in enumerate(path) if char == "/"]
