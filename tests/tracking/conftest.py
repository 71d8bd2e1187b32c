"""Fixtures of the core's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from weft.tracking import frames, runtime
from weft.tracking.records import Record, SegmentClosed, SegmentOpened


@pytest.fixture
def journaled() -> Callable[[], list[Record]]:
    """What lies in the journal of the active home now, as it was written, without the segments' own frames."""

    def read() -> list[Record]:
        found: list[Record] = []
        for path in sorted(Path(runtime.active().home.journal).glob("*.wj")):
            data = path.read_bytes()
            run = frames.scan(memoryview(data)[len(frames.HEADER) :], len(frames.HEADER))
            assert run.stop is frames.Stop.END
            found += [frame.record for frame in run.frames]
        return [record for record in found if not isinstance(record, (SegmentOpened, SegmentClosed))]

    return read
