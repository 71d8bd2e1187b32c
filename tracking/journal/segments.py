"""The reading side of a journal: which segments there are, who lives, what bytes wait. Moves files, never edits one."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from weft.tracking.home import Home
from weft.tracking.journal import frames
from weft.tracking.journal.frames import Scan, Stop
from weft.tracking.journal.locks import is_held
from weft.tracking.journal.records import SegmentOpened

CHUNK_BYTES = 4 << 20
_name = re.compile(r"[\w.+-]+\.wj", re.ASCII)
KEEP_SECONDS = 7 * 24 * 3600
"""An ingested segment stays this long, so that a store can be rebuilt."""


class Quarantined(msgspec.Struct, frozen=True):
    """Why a segment was set aside; lies beside it as JSON."""

    segment: str
    detail: str
    at_ns: int
    salvaged: int
    """Records behind the damage that were saved."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """One segment on disk, as a reader sees it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        """Bytes now; a live writer adds more."""
        return self.path.stat().st_size

    @property
    def alive(self) -> bool:
        """Whether its writer still holds it."""
        return is_held(self.path)

    def opened(self) -> SegmentOpened | None:
        """Its first record, or None where not even that is whole."""
        with self.path.open("rb") as file:
            head = file.read(4096)
        if head[: len(frames.MAGIC)] != frames.MAGIC:
            return None
        first = frames.scan(head[len(frames.HEADER) :], len(frames.HEADER), limit=1).frames
        return first[0].record if first and isinstance(first[0].record, SegmentOpened) else None

    def read(self, offset: int, size: int | None = None) -> Scan:
        """The whole frames from `offset` on, at most about `CHUNK_BYTES` of them.

        Args:
            offset: where to go on; 0 reads and checks the header first.
            size: where to stop, as `size` was when its writer's life was judged.
        """
        end = self.size if size is None else size
        with self.path.open("rb") as file:
            if offset == 0:
                trouble = _check_header(file.read(len(frames.HEADER)))
                if trouble is not None:
                    return trouble
                offset = len(frames.HEADER)
            want = CHUNK_BYTES
            while True:
                file.seek(offset)
                data = file.read(min(want, end - offset))
                found = frames.scan(data, offset)
                # A frame that the chunk cuts, or one larger than a chunk, is no torn frame.
                cut = found.stop is Stop.TORN and offset + len(data) < end
                if not cut:
                    return found
                if found.frames:
                    return found._replace(stop=Stop.END, detail="")
                want *= 4

    def salvage(self, offset: int) -> Scan:
        """Every sound frame from `offset` to the end of a dead writer's segment, damage skipped."""
        with self.path.open("rb") as file:
            file.seek(offset)
            return frames.salvage(file.read(), offset)


def _check_header(head: bytes) -> Scan | None:
    if len(head) < len(frames.HEADER) and frames.HEADER.startswith(head):
        return Scan([], 0, Stop.TORN, f"{len(head)} of {len(frames.HEADER)} header bytes")
    if head[: len(frames.MAGIC)] != frames.MAGIC:
        return Scan([], 0, Stop.CORRUPT, "no journal header")
    version = int.from_bytes(head[len(frames.MAGIC) : len(frames.MAGIC) + 4], "little")
    if version > frames.VERSION:
        return Scan([], 0, Stop.NEWER, f"journal format {version}; this weft reads up to {frames.VERSION}")
    return None if version == frames.VERSION else Scan([], 0, Stop.CORRUPT, f"journal format {version}")


class Segments:
    """The segments of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def done(self) -> Path:
        """Where ingested segments wait for their seven days to pass."""
        return self.home.journal / "ingested"

    def pending(self) -> list[SegmentFile]:
        """Those not wholly ingested, oldest first."""
        return _in(self.home.journal)

    def archived(self) -> list[SegmentFile]:
        """Those ingested and kept, oldest first."""
        return _in(self.done)

    def set_apart(self) -> list[SegmentFile]:
        """Those in quarantine, oldest first."""
        return _in(self.home.quarantine)

    def quarantined(self) -> list[Quarantined]:
        """Those set aside, with the reason."""
        return [
            msgspec.json.decode(path.read_bytes(), type=Quarantined)
            for path in sorted(self.home.quarantine.glob("*.json"))
        ]

    def archive(self, segment: SegmentFile) -> None:
        """Out of the way of the next pass: wholly ingested, its writer gone."""
        self.done.mkdir(mode=0o700, exist_ok=True)
        segment.path.rename(self.done / segment.name)

    def set_aside(self, segment: SegmentFile, detail: str, salvaged: int) -> None:
        """Quarantine a damaged segment, bytes untouched, with the reason beside it."""
        self.home.quarantine.mkdir(mode=0o700, exist_ok=True)
        reason = Quarantined(segment.name, detail, time.time_ns(), salvaged)
        (self.home.quarantine / f"{segment.name}.json").write_bytes(msgspec.json.encode(reason))
        segment.path.rename(self.home.quarantine / segment.name)

    def keep(self, segment: SegmentFile, start: int, end: int) -> None:
        """Copy a frame that could not be applied into quarantine, where it stays when its segment goes."""
        self.home.quarantine.mkdir(mode=0o700, exist_ok=True)
        with segment.path.open("rb") as file:
            file.seek(start)
            (self.home.quarantine / f"{segment.name}.{start}.frame").write_bytes(file.read(end - start))

    def prune(self, now_s: float | None = None) -> int:
        """Delete ingested segments older than seven days; returns the bytes freed."""
        freed = 0
        before = (time.time() if now_s is None else now_s) - KEEP_SECONDS
        for segment in self.archived():
            stat = segment.path.stat()
            if stat.st_mtime < before:
                segment.path.unlink()
                freed += stat.st_size
        return freed


def _in(folder: Path) -> list[SegmentFile]:
    """The segments in a folder. What else lies there, by whatever name, is not ours."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if _name.fullmatch(entry.name) and entry.is_file()]
    except FileNotFoundError:
        return []
    return [SegmentFile(Path(entry.path)) for entry in sorted(found, key=lambda entry: entry.name)]
