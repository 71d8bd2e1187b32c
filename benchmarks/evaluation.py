"""What the runner adds to an evaluation: 2,000 rows, an async model that sleeps 20 ms, 100 at once, one plain scorer.

    python benchmarks/evaluation.py [--rows 2000] [--concurrency 100] [--repeats 5] [--payload 0]

The floor is what asyncio alone takes for the same (gather and a semaphore), in the same run, alternating. Three things
are measured of weft: the first evaluation of a process (with imports), a later one, and its CPU time. With everything
on: journal, default redaction, a Run, 2,000 traces of three spans, 2,000 score records, the Parquet table.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import weft

SLEEP_S = 0.02


class Timing(NamedTuple):
    wall_s: float
    cpu_s: float


async def model(question: str) -> str:
    await asyncio.sleep(SLEEP_S)
    return "a" + question[1:]


def right(output: str, expected: str) -> bool:
    return output == expected


async def floor(rows: list[dict[str, str]], concurrency: int) -> float:
    gate = asyncio.Semaphore(concurrency)
    scores: list[bool] = []

    async def one(row: dict[str, str]) -> None:
        async with gate:
            scores.append(right(await model(row["question"]), row["expected"]))

    await asyncio.gather(*(one(row) for row in rows))
    return sum(scores) / len(scores)


def timed(function: Any) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    mean = function()
    found = Timing(time.perf_counter() - wall, time.process_time() - cpu)
    if mean != 1.0:
        raise SystemExit(f"the mean is {mean}, not 1.0: something is wrong, so its time means nothing")
    return found


def evaluate(rows: list[dict[str, str]], concurrency: int) -> float | None:
    result = weft.Evaluation(rows, [right], name="benchmark", concurrency=concurrency).run(model)
    if not result.complete:
        raise SystemExit(f"the evaluation is not complete: {result!r}")
    return result.summary["right"].mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--payload", type=int, default=0, help="characters added to each question")
    chosen = parser.parse_args()
    more = "x" * chosen.payload
    rows = [{"question": f"q{i}{more}", "expected": f"a{i}{more}"} for i in range(chosen.rows)]
    with tempfile.TemporaryDirectory() as folder:
        weft.configure(home=Path(folder) / "home")
        plain = [timed(lambda: asyncio.run(floor(rows, chosen.concurrency)))]
        ours = [timed(lambda: evaluate(rows, chosen.concurrency))]
        for _ in range(chosen.repeats):
            plain.append(timed(lambda: asyncio.run(floor(rows, chosen.concurrency))))
            ours.append(timed(lambda: evaluate(rows, chosen.concurrency)))
        weft.flush()
    base = statistics.median(timing.wall_s for timing in plain)
    later = statistics.median(timing.wall_s for timing in ours[1:])
    print(f"{chosen.rows} rows, {chosen.concurrency} at once, model sleeps 20 ms, payload {chosen.payload} characters")
    print(f"floor (gather + semaphore)    {base:6.3f} s")
    print(f"weft, first of the process    {ours[0].wall_s:6.3f} s   cpu {ours[0].cpu_s:.3f} s")
    cpu = statistics.median(timing.cpu_s for timing in ours[1:])
    print(f"weft, median of {len(ours) - 1} later      {later:6.3f} s   cpu {cpu:.3f} s")
    print(f"added by weft, a row          {(later - base) / chosen.rows * 1e6:6.0f} us")


if __name__ == "__main__":
    main()
