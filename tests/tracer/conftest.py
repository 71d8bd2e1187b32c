"""Fixtures of the tracer's tests: what was written, read from the journal itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weft.testing.spans import read_spans
from weft.tracking import runtime
from weft.tracking.journal import frames
from weft.tracking.journal.records import Record, SpanClosed, SpanOpened
from weft.tracking.store.readmodels import SpanRecord


@pytest.fixture
def records(home: Path) -> Callable[[], list[Record]]:
    """Every record in the journal, in the order of writing."""

    def read() -> list[Record]:
        found: list[Record] = []
        for path in sorted(runtime.active().home.journal.glob("*.wj")):
            run = frames.scan(path.read_bytes()[len(frames.HEADER) :], len(frames.HEADER))
            assert run.stop is frames.Stop.END
            found += [frame.record for frame in run.frames]
        return found

    return read


@pytest.fixture
def spans(home: Path, records: Callable[[], list[Record]]) -> Iterator[Callable[[], list[SpanRecord]]]:
    """The spans written so far. After the test: none was opened twice, none ended twice, each end has its beginning."""
    yield lambda: read_spans(runtime.active().home.journal)
    opened = Counter(record.span_id for record in records() if isinstance(record, SpanOpened))
    closed = Counter(record.span_id for record in records() if isinstance(record, SpanClosed))
    assert set(opened.values()) <= {1}
    assert set(closed.values()) <= {1}
    assert closed.keys() <= opened.keys()


@pytest.fixture
def tree(spans: Callable[[], list[SpanRecord]]) -> Callable[[], dict[str, str | None]]:
    """Each span's name and the name of what it is in: for tests whose names are unique."""

    def read() -> dict[str, str | None]:
        names = {span.span_id: span.name for span in spans()}
        return {span.name: names.get(span.parent_id or "") for span in spans()}

    return read
