"""Whether ingesting gets in the way of a traced program: how late a paced, traced loop wakes up, with and without a
backlog being ingested beside it by `weft ingest --low-priority`.

    python benchmarks/lateness.py [--seconds 10] [--rounds 3]

Rounds alternate, in one run. A third row has the same niced load from a process that has nothing to do with weft: what
is left between the two is weft's own doing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = """
import sys, time
import weft
weft.configure(home=sys.argv[1], project="loop")

@weft.op
def step(number):
    return {"twice": 2 * number}

period = 5_000_000
late = []
begin = time.perf_counter_ns() + 20_000_000
count = int(float(sys.argv[2]) * 1e9 / period)
for number in range(count):
    due = begin + number * period
    time.sleep(max(0, due - time.perf_counter_ns()) / 1e9)
    late.append(time.perf_counter_ns() - due)
    step(number)
late.sort()
print(late[len(late) // 2] / 1e3, late[int(len(late) * 0.99)] / 1e3)
"""

BACKLOG = """
import sys
import weft
weft.configure(home=sys.argv[1], project="backlog")

@weft.op
def call(number):
    return {"twice": 2 * number}

for number in range(int(sys.argv[2])):
    call(number)
"""

BURN = "import os\nos.nice(10)\nwhile True: sum(range(10_000))"


def _loop(home: Path, seconds: float) -> tuple[float, float]:
    out = subprocess.run(
        [sys.executable, "-c", LOOP, str(home), str(seconds)], capture_output=True, text=True, check=True
    )
    p50, p99 = map(float, out.stdout.split())
    return p50, p99


def _beside(command: list[str] | None, home: Path, seconds: float) -> tuple[float, float, bool]:
    """The loop's lateness while `command` runs; and whether it ran to the loop's end."""
    if command is None:
        return *_loop(home, seconds), True
    other = subprocess.Popen(
        command, env={**os.environ, "WEFT_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1.0)  # it imports and starts
    p50, p99 = _loop(home, seconds)
    busy = other.poll() is None
    other.kill()
    other.wait()
    return p50, p99, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backlog", type=int, default=800_000, help="calls that wait to be ingested, a round")
    options = parser.parse_args()
    kinds: dict[str, list[str] | None] = {
        "nothing beside": None,
        "ingest beside": [sys.executable, "-m", "weft.cli", "ingest", "--low-priority"],
        "niced load beside": [sys.executable, "-c", BURN],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, command in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder) / "home"
                if command is not None and "ingest" in command:
                    subprocess.run(
                        [sys.executable, "-c", BACKLOG, str(home), str(options.backlog)],
                        env={**os.environ, "WEFT_AUTO_INGEST": "0"},
                        check=True,
                    )
                p50, p99, busy = _beside(command, home, options.seconds)
                if not busy:
                    print(f"({name}: it ended before the loop did; raise --backlog)")
                found[name].append((p50, p99))
    print(f"{'':20}{'p50 us':>12}{'p99 us':>12}   (medians of {options.rounds} rounds, {options.seconds:.0f} s each)")
    for name, pairs in found.items():
        p50, p99 = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:20}{p50:12.0f}{p99:12.0f}")


if __name__ == "__main__":
    main()
