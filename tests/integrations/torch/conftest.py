"""What lies in the journal, for tests with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.journal import frames
from weft.tracking.journal.records import Record, SegmentClosed, SegmentOpened


@pytest.fixture
def journaled() -> Callable[[], list[Record]]:
    """The records of the active home, as they were written, without the segments' own."""

    def read() -> list[Record]:
        found: list[Record] = []
        for path in sorted(Path(runtime.active().home.journal).glob("*.wj")):
            data = path.read_bytes()
            scanned = frames.scan(memoryview(data)[len(frames.HEADER) :], len(frames.HEADER))
            found += [frame.record for frame in scanned.frames]
        return [record for record in found if not isinstance(record, (SegmentOpened, SegmentClosed))]

    return read
