"""What a traced call costs: weft's `@op` beside an OpenTelemetry SDK span in one run, the other tracers beside both.

    python benchmarks/tracing.py                      # weft and OpenTelemetry, about two minutes
    python benchmarks/tracing.py --peers all          # also logfire, langfuse, opik, mlflow, weave: makes an
                                                      # environment for each under build/peers (about 3 GB)
    python benchmarks/tracing.py --peers weave,opik --json figures.json

weft writes both frames of every call to a real file, the default redaction on. OpenTelemetry has a BatchSpanProcessor
and an exporter that does nothing, input and output as `json.dumps` attributes. Rounds of the two are interleaved; the
figures are medians over rounds of (traced - plain) per call. The others run one after the other, each in its own
environment, against a server on loopback that takes everything; every one of them is measured beside plain calls of its
own process. Needs weft and opentelemetry-sdk.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracers import peers, workloads

from weft.tracer.op import op
from weft.tracking import runtime
from weft.tracking.settings import Settings

HERE = Path(__file__).parent
PEER_SECONDS = 600
ROUNDS = 15
SLEEPERS = f"{workloads.SLEEPERS} sleeping tasks, wall"
TO_THE_STORE = 20_000
"""Calls whose whole way into the store is timed."""
GROWTH = 200_000
"""Calls after which the process must be no larger."""

Figures = dict[str, dict[str, float]]


def beside_otel(rounds: int) -> Figures:
    """Microseconds a call of weft and of OpenTelemetry, interleaved."""
    other = peers.otel("")
    decorators: dict[str, workloads.Decorate] = {"weft": op, "otel": other.decorate}
    figures: Figures = {}
    with _home(mode="online") as rt:
        for case, make in workloads.CASES.items():
            found = workloads.measure(make, decorators, other.settle, rounds)
            figures[case] = {name: statistics.median(values) for name, values in found.items()}
        runs = {name: workloads.sleepers(decorate) for name, decorate in decorators.items()}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                seconds[name].append(1e6 * run())
                other.settle()
        figures[SLEEPERS] = {name: statistics.median(values[1:]) for name, values in seconds.items()}
        assert rt.journal.dropped == 0
    return figures


def not_recorded(rounds: int) -> dict[str, float]:
    """Microseconds of a disabled op, of a sampled-out root, and of a call below one."""
    settle = functools.partial(int)
    found: dict[str, float] = {}

    def bare(decorate: workloads.Decorate) -> object:
        def call(x: object) -> object:
            return x

        call = decorate(call)

        def run() -> float:
            start = time.perf_counter()
            for number in range(10_000):
                call(number)
            return (time.perf_counter() - start) / 10_000

        return run

    with _home(mode="disabled"):
        found["disabled op"] = statistics.median(workloads.measure(bare, {"weft": op}, settle, rounds)["weft"])  # type: ignore[arg-type]
    with _home(mode="online"):
        out = op(sample_rate=0.0)
        found["sampled-out root"] = statistics.median(workloads.measure(bare, {"weft": out}, settle, rounds)["weft"])  # type: ignore[arg-type]

        @op(sample_rate=0.0)
        def root(run: object) -> float:
            return run()  # type: ignore[operator,no-any-return]

        below = bare(op)
        plain = bare(workloads.plain)
        taken = [(root(below) - plain()) * 1e6 for _ in range(rounds)]  # type: ignore[operator]
        found["op below a sampled-out root"] = statistics.median(taken)
    return found


def to_the_store() -> dict[str, float]:
    """CPU microseconds a small op, from the call until a query finds it: the caller's, the syncing's, the ingest's."""
    from weft.tracking.store.access import open_store

    with _home(mode="online") as rt:
        run = workloads.tree(op, 7, 7, repeats=TO_THE_STORE // workloads.TREE_CALLS)
        run()
        open_store().close()  # made, migrated, its libraries loaded
        start = time.process_time()
        run()
        called = time.process_time()
        with open_store() as store:
            stored = time.process_time()
            assert store.reader().status().spans == 2 * TO_THE_STORE
        assert rt.journal.dropped == 0
    return {"caller": 1e6 * (called - start) / TO_THE_STORE, "until stored": 1e6 * (stored - start) / TO_THE_STORE}


def growth() -> dict[str, float]:
    """MiB that a program's peak grows over `GROWTH` further calls."""
    with _home(mode="online"):
        run = workloads.tree(op, 7, 7, repeats=200)
        run()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(GROWTH // 20_000):
            run()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {f"MiB over {GROWTH:,} calls": (after - before) / 1024}


@contextmanager
def _home(mode: str) -> Iterator[runtime.Runtime]:
    """weft records into a fresh home."""
    with tempfile.TemporaryDirectory(prefix="bench-weft-") as folder:
        yield runtime.configure(Settings.resolve(home=Path(folder) / "home", mode=mode, redact=True, strict=True))
        runtime.reset()


def run_peers(names: list[str]) -> Figures:
    """Every peer in its own environment; {case: {"peer version": microseconds}}."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / "tracers/stub.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    figures: Figures = {}
    try:
        for name in names:
            python = _environment(peers.REQUIREMENTS[name])
            try:
                done = subprocess.run(
                    [python, str(HERE / "tracers/peers.py"), name, url],
                    capture_output=True,
                    text=True,
                    timeout=PEER_SECONDS,
                    cwd=tempfile.gettempdir(),  # some leave files where they run
                )
            except subprocess.TimeoutExpired:
                print(f"{name} could not be measured: it was not done after {PEER_SECONDS} s", file=sys.stderr)
                continue
            if done.returncode:
                print(f"{name} could not be measured: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            said = json.loads(done.stdout.strip().splitlines()[-1])
            small = statistics.median(said["figures"]["small op"])
            print(f"{name} {said['version']}: small op {small:.1f} us", file=sys.stderr, flush=True)
            for case, values in said["figures"].items():
                figures.setdefault(case, {})[f"{name} {said['version']}"] = statistics.median(values)
    finally:
        server.kill()
        server.wait()
    return figures


def _environment(requirement: str) -> str:
    folder = HERE.parent / "build/peers" / requirement
    python = folder / "bin/python"
    if not python.exists():
        print(f"installing {requirement} into {folder} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-m", "pip", "show", "-q", requirement], capture_output=True).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "-q", requirement], check=True)
    return str(python)


def report(figures: Figures, extra: dict[str, dict[str, float]]) -> None:
    """The tables, as text."""
    print(f"{'microseconds':<28}{'weft':>10}{'otel':>10}{'ratio':>8}")
    for case, values in figures.items():
        print(f"{case:<28}{values['weft']:>10.2f}{values['otel']:>10.2f}{values['weft'] / values['otel']:>8.2f}")
    ratio = figures["asyncio, coroutine ops"]["weft"] / figures["asyncio, plain ops"]["weft"]
    print(f"{'coroutine over plain ops':<28}{ratio:>28.2f}")
    for title, values in extra.items():
        print(f"\n{title}")
        for name, value in values.items():
            print(f"  {name:<36}{value:>10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="", help=f"all, or some of {', '.join(peers.PEERS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    given = parser.parse_args()
    names = list(peers.PEERS) if given.peers == "all" else [name for name in given.peers.split(",") if name]
    if unknown := set(names) - peers.PEERS.keys():
        parser.error(f"no peer is called {', '.join(sorted(unknown))}; there is {', '.join(peers.PEERS)}")

    figures = beside_otel(given.rounds)
    extra = {
        "not recorded, microseconds a call": not_recorded(given.rounds),
        "CPU microseconds a small op": to_the_store(),
        "memory": growth(),
    }
    report(figures, extra)
    beside = run_peers(names)
    for case, values in beside.items():
        print(f"\n{case}, microseconds (weft in this run: {figures[case]['weft']:.1f})")
        for name, value in sorted(values.items(), key=lambda pair: pair[1]):
            print(f"  {name:<36}{value:>12.1f}{value / figures[case]['weft']:>10.1f}x")
    if given.json:
        Path(given.json).write_text(json.dumps({"otel": figures, "weft": extra, "peers": beside}, indent=2))


if __name__ == "__main__":
    main()
