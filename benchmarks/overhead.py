"""What a run's own recording of console, system metrics, git, packages and machine adds to a CPU-bound program.

    python benchmarks/overhead.py [--seconds 60] [--rounds 3] [--json]

Each measurement is a process of its own in a git repository with changes: the same work, sized to take about so many
seconds, ten printed lines and ten redrawn bars a second, everything on (system metrics every 15 s) or everything off.
The two are interleaved. Processor seconds are those of the process and its children: what other programs do does not
count. Printing, the other threads and the children are measured by themselves, too: whatever is recorded is in there,
and the noise of the work is not. `init + finish` is by the wall clock, in a fresh process, imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OFF = dict.fromkeys(("WEFT_SYSTEM_INTERVAL", "WEFT_GIT", "WEFT_PACKAGES", "WEFT_MACHINE"), "0")
OFF["WEFT_CONSOLE"] = "off"
CHUNK = 20_000
LINES_A_SECOND = 10

PROGRAM = f"""
import json, math, os, resource, sys, time
chunks, every = int(sys.argv[1]), max(1, int(sys.argv[2]))
import weft
weft.configure(home=sys.argv[3])
begun = time.perf_counter()
run = weft.init("overhead")
started = time.perf_counter()
spent, own = time.process_time(), time.thread_time()
x = told = 0.0
for at in range(chunks):
    for i in range({CHUNK}):
        x += math.sin(i)
    if at % every == 0:
        now = time.thread_time()
        sys.stderr.write(f"\\r{{at}}/{{chunks}}")
        print("chunk", at, "of", chunks, x)
        told += time.thread_time() - now
        run.log({{"x": x}})
looped, cpu, own = time.perf_counter(), time.process_time(), time.thread_time() - own
run.finish()
ended = time.perf_counter()
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({{
    "cpu_s": cpu - spent + children.ru_utime + children.ru_stime,
    "beside_s": told + cpu - spent - own + children.ru_utime + children.ru_stime,
    "wall_s": looped - started,
    "init_finish_s": started - begun + ended - looped,
}}), file=open(sys.argv[4], "w"))
"""


WORK = f"""
import math, time
x, begun = 0.0, time.process_time()
for at in range(50):
    for i in range({CHUNK}):
        x += math.sin(i)
print((time.process_time() - begun) / 50)
"""


def chunk_seconds() -> float:
    """Processor seconds of one chunk of the work, here and now."""
    return float(subprocess.run([sys.executable, "-c", WORK], capture_output=True, check=True).stdout)


def repository(folder: Path) -> Path:
    """A repository of some size, with changes."""
    folder.mkdir()
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@example.org"]
    for at in range(200):
        (folder / f"module{at}.py").write_text(f"x = {at}\n" * 50)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    for at in range(20):
        (folder / f"module{at}.py").write_text(f"y = {at}\n" * 50)
    return folder


def measure(folder: Path, chunks: int, every: int, *, on: bool) -> dict[str, float]:
    """One process."""
    said = folder.parent / "said.json"
    unset = {*OFF, "WEFT_HOME"}
    env = {name: value for name, value in os.environ.items() if name not in unset} | ({} if on else OFF)
    home = tempfile.mkdtemp(dir=folder.parent)
    command = [sys.executable, "-c", PROGRAM, str(chunks), str(every), home, str(said)]
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found: dict[str, float] = json.loads(said.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    each = chunk_seconds()
    chunks, every = max(1, int(given.seconds / each)), int(1 / LINES_A_SECOND / each)
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as place:
        folder = repository(Path(place) / "repository")
        for at in range(given.rounds):
            for on in (True, False) if at % 2 else (False, True):
                found[on].append(measure(folder, chunks, every, on=on))
                time.sleep(0.2)
        starts = {on: [measure(folder, 0, 1, on=on)["init_finish_s"] for _ in range(5)] for on in (False, True)}
    median = {
        on: {name: statistics.median(row[name] for row in rows) for name in rows[0]} for on, rows in found.items()
    }
    told = {
        "seconds": given.seconds,
        "rounds": given.rounds,
        "cpu_s_off": median[False]["cpu_s"],
        "cpu_s_on": median[True]["cpu_s"],
        "cpu_added": median[True]["cpu_s"] / median[False]["cpu_s"] - 1,
        "beside_added": (median[True]["beside_s"] - median[False]["beside_s"]) / median[False]["cpu_s"],
        "wall_added": median[True]["wall_s"] / median[False]["wall_s"] - 1,
        "init_finish_s_off": statistics.median(starts[False]),
        "init_finish_s_on": statistics.median(starts[True]),
    }
    if given.json:
        print(json.dumps(told, indent=2))
        return
    print(f"a loop of about {given.seconds:g} s, {given.rounds} rounds, medians:")
    print(f"  processor seconds   off {told['cpu_s_off']:.3f}   on {told['cpu_s_on']:.3f}   {told['cpu_added']:+.2%}")
    print(f"  of it printing, our threads, git   {told['beside_added']:+.2%} (the rest is noise)")
    print(f"  wall clock          {told['wall_added']:+.2%} (tells nothing on a busy machine)")
    print(f"  init + finish       off {told['init_finish_s_off']:.3f} s   on {told['init_finish_s_on']:.3f} s")


if __name__ == "__main__":
    main()
