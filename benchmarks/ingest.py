"""How fast the store takes spans, and how fast it then answers. Anyone can run it: `python benchmarks/ingest.py`.

Writes real journal segments (ten spans a trace, one span in twenty with an 8 KB payload, opening and closing frames),
decodes them with `weft.tracking.journal.frames` and applies them with the sink, roll-ups included. The rows that come
of it then go into an equal schema by raw `sqlite3` executemany, in the same run: the yardstick for slower machines.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson

from weft.tracking.journal import frames
from weft.tracking.journal.ingest import settle_collector
from weft.tracking.journal.records import SCHEMA, SegmentOpened, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store

SPANS_PER_TRACE = 10
SEGMENT_BYTES = 64 << 20
CHUNK_BYTES = 4 << 20
START_NS = 1_750_000_000_000_000_000
WRITER = b"benchmrk"
TREE = (
    (None, "answer", "agent"),
    (0, "plan", "op"),
    (1, "chat small-1", "llm"),
    (0, "retrieve", "retriever"),
    (3, "embed", "embedding"),
    (3, "rank", "op"),
    (0, "read", "op"),
    (6, "chat large-1", "llm"),
    (6, "lookup", "tool"),
    (0, "write", "op"),
)


class Rate(NamedTuple):
    spans: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.spans / self.seconds


def records(traces: int, seed: int = 7) -> Iterator[tuple[bytes, int]]:
    """Frames of that many traces, in the order in which a program writes them, with the spans that each one ends."""
    random_ = random.Random(seed)
    words = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "reading", "topics")
    big = {"model": "large-1", "messages": [{"role": "system", "content": " ".join(random_.choices(words, k=500))}]}
    for number in range(traces):
        start = START_NS + number * 50_000_000
        trace_id = (start // 1_000_000 << 80 | random_.getrandbits(80)).to_bytes(16, "big")
        ids = [random_.getrandbits(64).to_bytes(8, "big") for _ in TREE]
        closing: list[bytes] = []
        for at, (parent, name, kind) in enumerate(TREE):
            question = " ".join(random_.choices(words, k=8))
            inputs: object = {"question": question, "k": at}
            if (number * SPANS_PER_TRACE + at) % 20 == 7:
                inputs = {**big, "messages": [*big["messages"], {"role": "user", "content": question * 110}]}
            parent_id = None if parent is None else ids[parent]
            opened = SpanOpened(
                SCHEMA,
                trace_id,
                ids[at],
                parent_id,
                name,
                kind,
                start + at * 1_000_000,
                f"project-{number % 4}",
                attributes=b'{"weft.op":"benchmark"}',
            )
            yield frames.encode(msgspec.structs.replace(opened, inputs=orjson.dumps(inputs))), 0
            took = int(random_.lognormvariate(0, 1) * 1e9 / (at + 1))
            failed = random_.random() < 0.01
            usage = {"input_tokens": 900 + at, "output_tokens": 120} if kind == "llm" else None
            closed = SpanClosed(
                SCHEMA,
                trace_id,
                ids[at],
                start + took,
                took,
                "error" if failed else "ok",
                output=None if failed else orjson.dumps({"answer": question, "ok": True}),
                error=b'{"type":"ValueError","message":"no topic","stacktrace":""}' if failed else None,
                model=name.removeprefix("chat ") if usage else None,
                provider="openai" if usage else None,
                usage=usage,
            )
            frame = frames.encode(closed)
            if usage:
                frame += frames.encode(SpanPriced(SCHEMA, trace_id, ids[at], start, 36_000_000 + at, "benchmark 1"))
            closing.append(frame)
        for frame in reversed(closing):
            yield frame, 1


def segments(folder: Path, spans: int) -> list[tuple[Path, int]]:
    """Segment files that hold this many spans, and how many each closes."""
    found: list[tuple[Path, int]] = []
    source = records(spans // SPANS_PER_TRACE)
    opened = SegmentOpened(SCHEMA, WRITER, "benchmark", 1, START_NS, "0", "3")
    done = False
    while not done:
        path = folder / f"20250615T000000.{len(found):09d}-benchmark.wj"
        size = ended = 0
        done = True
        with path.open("wb") as file:
            size += file.write(frames.HEADER + frames.encode(opened))
            for frame, ends in source:
                size += file.write(frame)
                ended += ends
                if size >= SEGMENT_BYTES:
                    done = False
                    break
        found.append((path, ended))
    return found


def ingest(store: Store, files: list[tuple[Path, int]], report: Callable[[Rate], None]) -> Rate:
    """Decode and apply every segment; the time of both."""
    sink = store.sink()
    total, spent = 0, 0.0
    for path, spans in files:
        before = time.perf_counter()
        offset = len(frames.HEADER)
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                found = frames.scan(file.read(CHUNK_BYTES), offset)
                if not found.frames:
                    break
                sink.apply(found.frames, Position("benchmark", path.name, found.end, WRITER))
                offset = found.end
        took = time.perf_counter() - before
        total, spent = total + spans, spent + took
        report(Rate(spans, took))
    return Rate(total, spent)


def raw(store: Path, folder: Path, batch: int) -> Rate:
    """The same span and payload rows by plain executemany into the same tables, committed as often."""
    source = sqlite3.connect(store)
    target = sqlite3.connect(folder / "raw.db", isolation_level=None)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = NORMAL")
    statements = "SELECT sql FROM sqlite_master WHERE tbl_name IN ('span', 'span_payload') AND sql IS NOT NULL"
    for (statement,) in source.execute(statements):
        target.execute(statement)
    total, spent = 0, 0.0
    last = -1
    while True:
        spans = source.execute("SELECT * FROM span WHERE id > ? ORDER BY id LIMIT ?", (last, batch)).fetchall()
        if not spans:
            break
        bounds = (spans[0][0], spans[-1][0])
        payloads = source.execute("SELECT * FROM span_payload WHERE id BETWEEN ? AND ? ORDER BY id", bounds).fetchall()
        last = bounds[1]
        before = time.perf_counter()
        target.execute("BEGIN IMMEDIATE")
        target.executemany(f"INSERT INTO span VALUES ({', '.join('?' * len(spans[0]))})", spans)
        target.executemany(f"INSERT INTO span_payload VALUES ({', '.join('?' * len(payloads[0]))})", payloads)
        target.execute("COMMIT")
        spent += time.perf_counter() - before
        total += len(spans)
    source.close()
    target.close()
    return Rate(total, spent)


def median_ms(ask: Callable[[], object], times: int = 5) -> float:
    ask()
    found = []
    for _ in range(times):
        before = time.perf_counter()
        ask()
        found.append((time.perf_counter() - before) * 1000)
    return statistics.median(found)


def answers(store: Store) -> dict[str, float]:
    """Milliseconds of the questions that the app and the CLI ask first."""
    reader = store.reader()
    newest = reader.traces(limit=1).rows[0]
    return {
        "traces(): first page": median_ms(reader.traces),
        "traces(project)": median_ms(lambda: reader.traces({"project": "project-1"})),
        "traces(status=error)": median_ms(lambda: reader.traces({"status": "error"})),
        "traces(text)": median_ms(lambda: reader.traces({"text": {"$contains": "lazy dog while"}})),
        "trace_stats(buckets=60)": median_ms(lambda: reader.trace_stats(buckets=60)),
        "trace_stats(project, buckets=60)": median_ms(lambda: reader.trace_stats({"project": "project-1"}, buckets=60)),
        "spans(one trace, payloads)": median_ms(lambda: reader.spans({"trace_id": newest.trace_id}, payloads=True)),
        "status()": median_ms(reader.status),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="keep the store that is built at this path")
    parser.add_argument("--url", help="apply to this store instead (PostgreSQL); no raw yardstick then")
    options = parser.parse_args()
    settle_collector()  # as `weft ingest` does
    with tempfile.TemporaryDirectory(prefix="weft-ingest-") as name:
        folder = Path(name)
        print(f"writing segments of {options.spans:,} spans")
        files = segments(folder, options.spans)
        size = sum(path.stat().st_size for path, _ in files)
        print(f"{len(files)} segments, {size / 1e6:,.0f} MB; applying")
        with Store.open(options.url or f"sqlite:///{folder / 'weft.db'}") as store:
            rates: list[float] = []

            def report(rate: Rate) -> None:
                rates.append(rate.per_second)
                print(f"  segment {len(rates)}: {rate.per_second:,.0f} spans/s", flush=True)

            mine = ingest(store, files, report)
            third = len(rates) // 3 or 1
            flat = statistics.mean(rates[-third:]) / statistics.mean(rates[:third])
            print(f"weft: {mine.per_second:,.0f} spans/s; last third of the segments at {flat:.2f}x of the first")
            for question, took in answers(store).items():
                print(f"  {question}: {took:.1f} ms")
            path = store.path
        if path is not None:
            yardstick = raw(path, folder, batch=4000)
            share = mine.per_second / yardstick.per_second
            print(f"raw executemany: {yardstick.per_second:,.0f} spans/s; weft is at {share:.2f}x")
            if options.keep:
                options.keep.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, options.keep)
                print(f"store kept: sqlite:///{options.keep.absolute()}")


if __name__ == "__main__":
    main()
