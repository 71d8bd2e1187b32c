"""Segments that earlier releases wrote are read, byte for byte, by this one. A released golden file is never made anew.

A version that adds records or fields adds a file: `python tests/tracking/journal/test_golden.py` writes this version's,
which may change until it is released.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

import weft
from weft.tracking.journal import frames
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.records import (
    SCHEMA,
    AlertRaised,
    ArtifactLogged,
    ArtifactUsed,
    ConsoleLogged,
    FileSaved,
    MetricDefined,
    MetricsLogged,
    Record,
    RegistryChanged,
    Removed,
    RunFinished,
    RunRewound,
    RunStarted,
    RunUpdated,
    ScoreLogged,
    SegmentClosed,
    SegmentOpened,
    SpanClosed,
    SpanOpened,
    SpanPriced,
    SpanUpdated,
    SystemSampled,
    VersionUpdated,
)

GOLDEN = Path(__file__).with_name("golden")
TRACE, SPAN, CHILD, RUN = bytes(range(16)), bytes(range(8)), bytes(range(8, 16)), bytes(range(16, 32))
T = 1_700_000_000_000_000_000

RECORDS: list[Record] = [
    SegmentOpened(SCHEMA, b"writer__", "host", 4242, T, "0.2.0", "3.11.7"),
    RunStarted(SCHEMA, RUN, "k3x9a1b2", "golden", "brisk-heron-7", T, b'{"lr":0.001}', ["a", "b"], "group", "train"),
    RunStarted(
        SCHEMA, CHILD * 2, "k3x9a1b3", "golden", "brisk-heron-8", T, None, [], None, None, None, RUN, b'{"pid":4242}',
        5_000_000_000, RUN, 7, True,
    ),
    SpanOpened(SCHEMA, TRACE, SPAN, None, "answer", "agent", T, "golden", RUN, b'{"question":"why?"}', b'{"k":1}', "t-1"),  # noqa: E501
    SpanOpened(SCHEMA, TRACE, CHILD, SPAN, "chat gpt-4o-mini", "llm", T + 5, "golden", RUN, b'{"model":"gpt-4o-mini"}'),
    SpanUpdated(SCHEMA, TRACE, SPAN, T + 6, "renamed", b'{"k":2}', b'[{"name":"retry","at_ns":6,"attributes":{}}]'),
    SpanClosed(
        SCHEMA, TRACE, CHILD, T + 9, 4, "ok", b'{"choices":[]}', None, "gpt-4o-mini-2024-07-18", "openai",
        {"input_tokens": 12, "output_tokens": 3},
    ),
    SpanClosed(SCHEMA, TRACE, SPAN, T + 10, 10, "error", None, b'{"type":"ValueError","message":"no","stacktrace":""}'),
    SpanPriced(SCHEMA, TRACE, CHILD, T + 11, 3_600_000, "genai-prices 0.2.3"),
    ScoreLogged(SCHEMA, b"s" * 16, "trace", T + 12, "phrase", "golden", 0.5, "half", "because", TRACE, None, RUN, "row-1"),  # noqa: E501
    MetricsLogged(SCHEMA, RUN, 0, T + 13, {"loss": 0.5, "nan": float("inf")}, b'{"note":"text"}', True),
    RunUpdated(SCHEMA, RUN, T + 14, b'{"lr":0.002}', b'{"best":1}', "renamed", ["c"], "notes", "other"),
    ArtifactLogged(
        SCHEMA, "golden", "questions", "dataset", "d" * 64, b'{"rows.jsonl":{"digest":"e","size_bytes":7}}', 7, T + 15,
        ["best"], "forty questions", b'{"rows":40}', RUN,
    ),
    ArtifactUsed(SCHEMA, "golden", "questions", "d" * 64, RUN, T + 16),
    MetricDefined(SCHEMA, RUN, T + 17, "val/*", ["min", "max"], "epoch", True, "minimize", True),
    RunRewound(SCHEMA, RUN, T + 17, 7),
    ConsoleLogged(SCHEMA, RUN, T + 17, "stdout", 3, ["epoch 1", "epoch 2"]),
    SystemSampled(SCHEMA, RUN, T + 17, {"cpu": 12.5}),
    FileSaved(SCHEMA, RUN, T + 17, "diff.patch", "f" * 64, 12, "diff"),
    AlertRaised(SCHEMA, RUN, T + 17, "diverged", "the loss is NaN", "WARN"),
    VersionUpdated(
        SCHEMA, "golden", "questions", "d" * 64, T + 17, "forty", b'{"rows":41}', ["small"], 60, ["good"], ["best"]
    ),
    RegistryChanged(
        SCHEMA, b"r" * 16, "model/reader", "linked", T + 17, "ada", "golden", "questions", "d" * 64, ["staging"],
        b'{"type":"dataset"}',
    ),
    Removed(SCHEMA, "trace", TRACE, "golden", T + 17),
    RunFinished(SCHEMA, RUN, T + 18, "failed", 1, b'{"type":"ValueError","message":"no","stacktrace":""}'),
    RunFinished(SCHEMA, CHILD * 2, T + 19, "finished", 0, None, True),
    SegmentClosed(SCHEMA, "exit", 2),
]  # fmt: skip


def _expected(path: Path) -> list[list[object]]:
    decoded: list[list[object]] = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    return decoded


def _plain(records: list[Record]) -> list[list[object]]:
    plain: list[list[object]] = msgspec.json.decode(msgspec.json.encode(records))
    return plain


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.wj")), ids=lambda path: path.stem)
def test_a_golden_segment_is_read_as_it_was_written(path: Path) -> None:
    data = path.read_bytes()
    assert data.startswith(frames.HEADER)

    scan = frames.scan(data[len(frames.HEADER) :], len(frames.HEADER))

    assert scan.stop is Stop.END
    for found, wanted in zip(_plain([frame.record for frame in scan.frames]), _expected(path), strict=True):
        # A later release may have appended fields: the old ones stand first, unchanged.
        assert found[: len(wanted)] == wanted


def test_this_version_writes_what_its_golden_segment_holds() -> None:
    """The format is frozen: the same records make the same bytes."""
    written = frames.HEADER + b"".join(map(frames.encode, RECORDS))

    assert written == (GOLDEN / f"{weft.__version__}.wj").read_bytes()


def test_every_record_type_is_in_the_golden_segment() -> None:
    assert {type(record) for record in RECORDS} == set(get_args(Record))


if __name__ == "__main__":
    target = GOLDEN / f"{weft.__version__}.wj"
    target.write_bytes(frames.HEADER + b"".join(map(frames.encode, RECORDS)))
    target.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(RECORDS)))
