"""Framing: whole frames come back, damage is told from a tail, and no damage hides a sound frame."""

from __future__ import annotations

import struct
import zlib
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from weft.tracking.journal import frames
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.records import SCHEMA, MetricsLogged, Record, RunFinished, RunStarted, SpanClosed, SpanOpened

RUN = b"r" * 16

records = st.one_of(
    st.builds(
        MetricsLogged,
        schema=st.just(SCHEMA),
        run_uid=st.binary(min_size=16, max_size=16),
        step=st.integers(0, 2**40),
        at_ns=st.integers(0, 2**62),
        values=st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False), max_size=4),
        rich=st.none() | st.binary(max_size=64),
        late=st.booleans(),
    ),
    st.builds(
        SpanOpened,
        schema=st.just(SCHEMA),
        trace_id=st.binary(min_size=16, max_size=16),
        span_id=st.binary(min_size=8, max_size=8),
        parent_id=st.none() | st.binary(min_size=8, max_size=8),
        name=st.text(max_size=20),
        kind=st.sampled_from(["op", "llm"]),
        start_ns=st.integers(0, 2**62),
        project=st.just("p"),
        inputs=st.none() | st.binary(max_size=200),
    ),
)


def _log(step: int) -> MetricsLogged:
    return MetricsLogged(SCHEMA, RUN, step, step, {"loss": 0.5 * step})


def _records(scan: frames.Scan) -> list[Record]:
    return [frame.record for frame in scan.frames]


@given(st.lists(records, max_size=12))
def test_what_is_encoded_comes_back_at_the_offsets_it_lies_at(written: list[Record]) -> None:
    data = b"".join(map(frames.encode, written))

    scan = frames.scan(data, 16)

    assert _records(scan) == written
    assert scan.stop is Stop.END
    assert scan.end == 16 + len(data)
    assert all(data[f.offset - 16 : f.end - 16] == frames.encode(f.record) for f in scan.frames)


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_a_cut_at_any_byte_loses_only_the_frame_it_cuts(written: list[Record], data: st.DataObject) -> None:
    encoded = [frames.encode(record) for record in written]
    whole = b"".join(encoded)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, encoded[: n + 1])) for n in range(len(encoded))]
    kept = sum(end <= cut for end in ends)

    scan = frames.scan(whole[:cut], 0)

    assert _records(scan) == written[:kept]
    assert scan.stop is (Stop.END if cut in (0, *ends) else Stop.TORN)


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_a_flipped_bit_anywhere_costs_at_most_its_own_frame(written: list[Record], data: st.DataObject) -> None:
    encoded = [frames.encode(record) for record in written]
    whole = bytearray(b"".join(encoded))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    hit = next(n for n in range(len(encoded)) if at < sum(map(len, encoded[: n + 1])))

    salvaged = frames.salvage(bytes(whole), 0)

    assert _records(salvaged) == written[:hit] + written[hit + 1 :]
    assert salvaged.stop is (Stop.TORN if hit == len(written) - 1 else Stop.CORRUPT)


def test_zeros_behind_the_last_frame_are_a_torn_tail() -> None:
    data = frames.encode(_log(1))

    scan = frames.scan(data + bytes(4096), 0)

    assert (len(scan.frames), scan.stop, scan.end) == (1, Stop.TORN, len(data))


def test_an_unknown_record_type_is_newer_not_damaged() -> None:
    known = frames.encode(_log(1))
    unknown = _frame(msgspec.msgpack.encode([99, 1, b"x"]))

    scan = frames.scan(known + unknown + known, 0)

    assert (len(scan.frames), scan.stop, scan.end) == (1, Stop.NEWER, len(known))


def test_a_higher_schema_number_is_newer() -> None:
    scan = frames.scan(frames.encode(RunFinished(SCHEMA + 1, RUN, 1, "finished")), 0)

    assert scan.stop is Stop.NEWER
    assert "RunFinished" in scan.detail


def test_fields_that_a_newer_version_appended_are_ignored_and_missing_ones_filled_in() -> None:
    fields = msgspec.to_builtins(RunFinished(SCHEMA, RUN, 1, "finished", 3), builtin_types=(bytes,))

    longer = frames.scan(_frame(msgspec.msgpack.encode([*fields, "new", 7])), 0)
    shorter = frames.scan(_frame(msgspec.msgpack.encode(fields[:-3])), 0)

    assert _records(longer) == [RunFinished(SCHEMA, RUN, 1, "finished", 3)]
    assert _records(shorter) == [RunFinished(SCHEMA, RUN, 1, "finished", 0)]


@pytest.mark.parametrize("body", [b"\x00", b"\xc1", b"\x93\x01", b"\xa3abc", b"\x90"])
def test_a_sound_checksum_over_no_record_is_damage(body: bytes) -> None:
    assert frames.scan(_frame(body) + frames.encode(_log(1)), 0).stop is Stop.CORRUPT


class _Kind(StrEnum):
    LLM = "llm"


class _Number(int):
    pass


def test_subclasses_of_text_and_numbers_are_written_plain() -> None:
    """A program's StrEnum as a span's kind must not cost the span."""
    record = RunFinished(SCHEMA, RUN, _Number(1), _Kind.LLM)

    [read] = _records(frames.scan(frames.encode(record), 0))

    assert read == RunFinished(SCHEMA, RUN, 1, "llm")


def test_a_field_of_a_wrong_type_holds_nothing_up() -> None:
    """It is not taken for a newer version's, which would keep the rest of the segment waiting for ever."""
    misfit = RunFinished(SCHEMA, RUN, 1, 5)  # type: ignore[arg-type]
    data = frames.encode(_log(1)) + frames.encode(misfit) + frames.encode(_log(2))

    assert frames.scan(data, 0).stop is Stop.CORRUPT
    assert _records(frames.salvage(data, 0)) == [_log(1), _log(2)]


def test_a_limit_ends_the_scan_at_a_frame() -> None:
    data = b"".join(frames.encode(_log(n)) for n in range(5))

    scan = frames.scan(data, 0, limit=2)

    assert (len(scan.frames), scan.stop, scan.end) == (2, Stop.END, scan.frames[-1].end)


def _frame(body: bytes) -> bytes:
    return struct.pack("<II", len(body), zlib.crc32(body, len(body))) + body


def test_what_msgpack_cannot_hold_is_made_to_fit_and_the_rest_kept() -> None:
    """One odd character or number in one field must not cost the record."""
    odd = SpanClosed(
        SCHEMA, b"t" * 16, b"s" * 8, 1 << 70, 5, "ok", b"1", model="\ud800", usage={"\udfff": 1, "a": 1 << 70, "b": 2}
    )
    named = RunStarted(SCHEMA, b"r" * 16, "id", "p", "n\ud800", 1, tags=["\ud800", "plain"])
    read = _records(frames.scan(frames.encode(odd) + frames.encode(named), 0))
    assert read == [
        structs.replace(
            odd,
            end_ns=(1 << 63) - 1,
            model="\\ud800",
            usage={"\\udfff": 1, "b": 2},
            attributes=b'{"weft.usage_not_kept":{"a":"1180591620717411303424"}}',
        ),
        structs.replace(named, name="n\\ud800", tags=["\\ud800", "plain"]),
    ]
