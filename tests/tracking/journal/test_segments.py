"""The reading side: chunks never cut a frame, headers are checked, and what is set aside says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from weft.tracking.home import Home
from weft.tracking.journal import frames, segments
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.records import SCHEMA, MetricsLogged, SegmentOpened
from weft.tracking.journal.segments import SegmentFile, Segments


def _write(path: Path, *steps: int, tail: bytes = b"", rich: bytes | None = None) -> SegmentFile:
    opened = SegmentOpened(SCHEMA, b"writer__", "host", 1, 0, "0.1.0", "3.11")
    logs = [MetricsLogged(SCHEMA, b"r" * 16, step, 0, {"a": 1.0}, rich) for step in steps]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(frames.HEADER + b"".join(map(frames.encode, [opened, *logs])) + tail)
    return SegmentFile(path)


def _steps(scan: frames.Scan) -> list[int]:
    return [frame.record.step for frame in scan.frames if isinstance(frame.record, MetricsLogged)]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    segment = _write(tmp_path / "a.wj", 1, 2)
    first = segment.read(0)
    with segment.path.open("ab") as file:
        file.write(frames.encode(MetricsLogged(SCHEMA, b"r" * 16, 3, 0, {})))

    assert _steps(first) == [1, 2]
    assert _steps(segment.read(first.end)) == [3]


@pytest.mark.parametrize("chunk", [64, 100, 1_000])
def test_a_chunk_cuts_no_frame_and_a_frame_may_be_larger_than_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(segments, "CHUNK_BYTES", chunk)
    segment = _write(tmp_path / "a.wj", *range(30), rich=b"x" * 700)
    offset, seen = 0, []
    while offset < segment.size:
        scan = segment.read(offset)
        assert scan.stop is Stop.END
        seen += _steps(scan)
        offset = scan.end

    assert seen == list(range(30))


@pytest.mark.parametrize(
    ("head", "stop"),
    [
        (b"", Stop.TORN),
        (frames.HEADER[:5], Stop.TORN),
        (b"something else, no journal", Stop.CORRUPT),
        (frames.MAGIC + (99).to_bytes(4, "little") + bytes(4), Stop.NEWER),
        (frames.MAGIC + bytes(8), Stop.CORRUPT),
    ],
)
def test_a_header_that_is_not_ours_is_told_apart(tmp_path: Path, head: bytes, stop: Stop) -> None:
    path = tmp_path / "a.wj"
    path.write_bytes(head)

    assert SegmentFile(path).read(0).stop is stop


def test_the_first_record_names_the_writer(tmp_path: Path) -> None:
    opened = _write(tmp_path / "a.wj", 1).opened()

    assert opened is not None
    assert opened.writer == b"writer__"
    (tmp_path / "b.wj").write_bytes(b"short")
    assert SegmentFile(tmp_path / "b.wj").opened() is None


def test_segments_are_listed_oldest_first_and_drafts_are_not(tmp_path: Path) -> None:
    found = Segments(Home(tmp_path))
    assert found.pending() == []
    for name in ("20260102T000000.1-b.wj", "20260101T000000.9-a.wj", "20260103T000000.1-c.new"):
        _write(tmp_path / "journal" / name, 1)

    assert [segment.name[:8] for segment in found.pending()] == ["20260101", "20260102"]


def test_what_is_set_aside_keeps_its_bytes_and_says_why(tmp_path: Path) -> None:
    found = Segments(Home(tmp_path))
    segment = _write(tmp_path / "journal" / "a.wj", 1, tail=b"garbage")
    before = segment.path.read_bytes()

    found.set_aside(segment, "7 damaged bytes", 2)

    assert found.pending() == []
    assert (tmp_path / "quarantine" / "a.wj").read_bytes() == before
    assert [(q.segment, q.detail, q.salvaged) for q in found.quarantined()] == [("a.wj", "7 damaged bytes", 2)]


def test_ingested_segments_are_kept_seven_days(tmp_path: Path) -> None:
    found = Segments(Home(tmp_path))
    for name in ("old.wj", "new.wj"):
        found.archive(_write(tmp_path / "journal" / name, 1))
    week = segments.KEEP_SECONDS
    os.utime(found.done / "old.wj", (0, 1_000_000))
    os.utime(found.done / "new.wj", (0, 1_000_000 + week))

    freed = found.prune(now_s=1_000_001 + week)

    assert freed > 0
    assert [segment.name for segment in found.archived()] == ["new.wj"]


def test_what_is_no_segment_is_not_taken_for_one(tmp_path: Path) -> None:
    """A folder, a pipe (which would never end), a link to nowhere, a name that no database takes."""
    found = Segments(Home(tmp_path).ensure())
    journal = found.home.journal
    _write(journal / "a.wj", 1)
    (journal / "folder.wj").mkdir()
    (journal / "nowhere.wj").symlink_to(tmp_path / "absent")
    (journal / "not\nours.wj").write_bytes(b"x")
    if hasattr(os, "mkfifo"):
        os.mkfifo(journal / "pipe.wj")
    assert [segment.name for segment in found.pending()] == ["a.wj"]
