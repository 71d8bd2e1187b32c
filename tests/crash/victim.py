"""A program that records and is killed: run by the crash tests as `python victim.py MODE HOME ...`, never imported."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import weft
from weft.tracer.span import start_span
from weft.tracking import runtime
from weft.tracking.home import Home
from weft.tracking.journal import segments
from weft.tracking.journal.segments import Segments
from weft.tracking.settings import Settings
from weft.tracking.store.access import drain_into, open_store
from weft.tracking.store.store import Store


@weft.op
def double(number: int) -> dict[str, int]:
    return {"twice": 2 * number}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_after_ops(home: str, trials: str, seed: str) -> None:
    """Forks one victim a trial; each dies in the instruction after its Nth op return. Prints `trial N` lines."""
    for trial, count in _trials(int(trials), int(seed)):
        if os.fork() == 0:
            weft.configure(home=home, project=f"ops-{trial}")
            for number in range(count):
                double(number)
            die()
        os.wait()
        print(trial, count)


def kill_after_logs(home: str, trials: str, seed: str) -> None:
    """The same for `run.log()`."""
    for trial, count in _trials(int(trials), int(seed)):
        if os.fork() == 0:
            weft.configure(home=home)
            run = weft.init(f"logs-{trial}", id="only")
            for step in range(count):
                run.log({"loss": 1.0 / (step + 1), "step_squared": step * step})
            die()
        os.wait()
        print(trial, count)


def kill_inside(home: str, trials: str, seed: str) -> None:
    """Ops called by a signal handler in the middle of other ops; dies inside the handler, after a call returned.

    Every call that returned, outer and nested, is told to the parent through a pipe first.
    """
    for trial, count in _trials(int(trials), int(seed)):
        told, tell = os.pipe()
        if os.fork() == 0:
            weft.configure(home=home, project=f"nested-{trial}")
            nested = depth = 0

            def on_alarm(signum: int, frame: object, count: int = count, tell: int = tell) -> None:
                nonlocal nested, depth
                depth += 1
                if depth < 3:  # re-entered itself, but not without end where the machine is slower than the timer
                    signal.setitimer(signal.ITIMER_REAL, 0.0002)
                double(-1)
                nested += 1
                os.write(tell, b"n")
                if nested >= count:
                    die()
                depth -= 1
                signal.setitimer(signal.ITIMER_REAL, 0.0002)

            signal.signal(signal.SIGALRM, on_alarm)
            signal.setitimer(signal.ITIMER_REAL, 0.0002)
            while True:
                double(1)
                os.write(tell, b"o")
        os.close(tell)
        heard = bytearray()
        while chunk := os.read(told, 1 << 16):
            heard += chunk
        os.close(told)
        os.wait()
        print(trial, heard.count(b"n"), heard.count(b"o"))


def write_until_killed(home: str, project: str) -> None:
    """Ops without end; acknowledges each on stdout after it returned."""
    weft.configure(home=home, project=project)
    out = sys.stdout.fileno()
    number = 0
    while True:
        double(number)
        number += 1
        os.write(out, b".")


def write_spans_and_metrics(home: str, project: str, count: str) -> None:
    """A worker of the eight."""
    weft.configure(home=home, project=project)
    run = weft.init(project, id="worker")
    for number in range(int(count)):
        double(number)
        run.log({"loss": float(number)})
    run.finish()


def ingest_killed(home: str, trials: str, seed: str) -> None:
    """Forks one ingester a trial and kills it at random; small chunks, so that it dies between and inside transactions.

    Prints whether each was killed, until nothing waits or the trials are used up.
    """
    segments.CHUNK_BYTES = 2_000
    chance = random.Random(int(seed))
    settings = runtime.active().settings
    with Store.open(settings.url):
        pass  # made once: creating it is not what is tested here
    for trial in range(int(trials)):
        child = os.fork()
        if child == 0:
            with open_store(settings, drain=False) as store:
                drain_into(store, settings)
            os._exit(0)
        time.sleep(
            chance.uniform(0.001, 0.03 if trial < 60 else 0.12)
        )  # soon at first: a quick machine dies often, too
        os.kill(child, signal.SIGKILL)
        print(trial, int(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL))
        if not Segments(Home(Path(home))).pending():
            break


def burst(home: str, threads: str, calls: str, end: str) -> None:
    """So many calls from so many threads at once, and then the end of the process, one way or another."""
    weft.configure(home=home, project="burst")
    start = threading.Barrier(int(threads))

    def work(number: int) -> None:
        start.wait()
        for call in range(int(calls) // int(threads)):
            double(number * 1_000_000 + call)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    {"kill": die, "os._exit": lambda: os._exit(0), "exit": lambda: None}[end]()


def fork_among_writers(home: str, forks: str, threads: str) -> None:
    """Forks while other threads append. Each child records calls of its own and dies its way; the parent goes on.

    Prints what each thread of the parent has done, and each child.
    """
    weft.configure(home=home, project="parent")
    done = [0] * int(threads)
    stop = threading.Event()

    def work(number: int) -> None:
        while not stop.wait(0.001):  # between bursts: so many spans that they can be counted in the end
            for _ in range(5):
                double(number)
                done[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(int(threads))]
    for worker in workers:
        worker.start()
    for fork in range(int(forks)):
        child = os.fork()
        if child == 0:
            for call in range(3):
                double(1_000_000 + 10 * fork + call)
            die() if fork % 2 else os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended == (-signal.SIGKILL if fork % 2 else 0), ended
    stop.set()
    for worker in workers:
        worker.join()
    for number, count in enumerate(done):
        print(number, count)


def exit_with_open_spans(home: str) -> None:
    """Ends as programs do, with everything open that can be: spans, an unfinished stream, daemon threads."""
    weft.configure(home=home, project="open")

    @weft.op
    def stream(number: int) -> Iterator[int]:
        yield double(number)["twice"]
        yield 0

    @weft.op
    def forever() -> None:
        double(3)
        threading.Event().wait()

    stream(0)  # never iterated: no call
    held = stream(1)
    next(held)
    weft.tracer_left = held  # type: ignore[attr-defined]  # not collected before the interpreter goes
    block = weft.span("block")
    block.__enter__()
    weft.tracer_block = block  # type: ignore[attr-defined]
    weft.tracer_span = start_span("by hand")  # type: ignore[attr-defined]
    threading.Thread(target=forever, daemon=True).start()
    while weft.run is not None or not _written(Path(home), b"forever"):
        time.sleep(0.01)
    sys.exit(0)


def _written(home: Path, name: bytes) -> bool:
    return any(name in segment.read_bytes() for segment in (home / "journal").glob("*.wj"))


def _trials(trials: int, seed: int) -> list[tuple[int, int]]:
    chance = random.Random(seed)
    # One segment is opened by the parent's first record only in a child: the parent itself records nothing.
    assert not runtime.active().journal.segments
    return [(trial, chance.randint(1, 60)) for trial in range(trials)]


if __name__ == "__main__":
    mode, where, *rest = sys.argv[1:]
    runtime.configure(Settings.resolve(home=Path(where)))
    {
        "ops": kill_after_ops,
        "logs": kill_after_logs,
        "inside": kill_inside,
        "ingest": ingest_killed,
        "endless": write_until_killed,
        "worker": write_spans_and_metrics,
        "burst": burst,
        "forks": fork_among_writers,
        "open": exit_with_open_spans,
    }[mode](where, *rest)
