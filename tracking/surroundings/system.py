"""What the machine and the run's processes take, every some seconds. Names as wandb's, so that dashboards find them.

One daemon thread. It is not niced: it holds Python's global lock while it looks, and the program would wait with it.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from weft.tracking.faults import let_through
from weft.tracking.surroundings import cgroup
from weft.tracking.surroundings.gpu import Gpus

MIB = 1 << 20
GIB = 1 << 30
CORES_SHOWN = 64
"""On a machine with more, each core's own load is left out: hundreds of lines tell nobody anything."""
CLOSE_SECONDS = 0.08
"""What the end of a run waits for the last look."""
_disk = re.compile(r"(?:nvme\d+n\d+|[svx]v?d[a-z]+|mmcblk\d+|disk\d+|PhysicalDrive\d+)").fullmatch
"""Whole devices; partitions and what is stacked on them would count the same bytes again."""

Values = dict[str, float]


class Machine:
    """Looks at one process, those it started, and the machine they share."""

    def __init__(self, pid: int, gpus: Gpus, disk_paths: Iterable[str] = ("/",)) -> None:
        import psutil  # type: ignore[import-untyped]  # late: 10 ms, only where a run is recorded

        self._psutil = psutil
        self._gpus = gpus
        self._disk_paths = tuple(disk_paths)
        self._process = psutil.Process(pid)
        self._cpu_s: dict[tuple[int, float], float] = {}
        """Processor seconds of each process when last seen."""
        self._looked: float | None = None
        self._network: Any = None
        self._disks: Any = None

    def sample(self) -> Values:
        """What is known now. What cannot be asked is left away; loads are since the last look."""
        found: Values = {}
        limits = cgroup.limits()
        processes = self._processes()
        parts: tuple[Callable[[], Values], ...] = (
            lambda: self._load(processes, limits),
            self._cores,
            lambda: self._memory(processes, limits),
            self._disk,
            self._net,
            lambda: self._gpus.sample({process.pid for process in processes}),
        )
        for part in parts:
            try:
                found |= part()
            except Exception as error:  # psutil's, what a container hides: the others are still worth having
                let_through(error)
                continue
        return found

    def _processes(self) -> list[Any]:
        """The process itself and all that it started, as far as they still run."""
        try:
            return [self._process, *self._process.children(recursive=True)]
        except Exception as error:  # not allowed to look at others
            let_through(error)
            return [self._process]

    def _load(self, processes: list[Any], limits: cgroup.Limits) -> Values:
        spent: dict[tuple[int, float], float] = {}
        threads = 0
        for process in processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    spent[process.pid, process.create_time()] = times.user + times.system
                    threads += process.num_threads()
            except self._psutil.Error:  # it ended meanwhile
                continue
        found: Values = {"system.proc.cpu.threads": float(threads)}
        now = time.monotonic()
        if self._looked is not None and now > self._looked:
            seconds = sum(max(0.0, at - self._cpu_s.get(key, 0.0)) for key, at in spent.items())
            cpus = min(limits.cpus or float("inf"), os.cpu_count() or 1)
            found["system.cpu"] = min(100.0, 100 * seconds / (now - self._looked) / cpus)
        self._cpu_s, self._looked = spent, now
        return found

    def _cores(self) -> Values:
        loads = self._psutil.cpu_percent(None, percpu=True)  # since the last call, by psutil's own book
        if self._network is None or len(loads) > CORES_SHOWN:  # the first call has nothing to compare with
            return {}
        return {f"system.cpu.{at}.cpu_percent": float(load) for at, load in enumerate(loads)}

    def _memory(self, processes: list[Any], limits: cgroup.Limits) -> Values:
        machine = self._psutil.virtual_memory()
        total, available, percent = machine.total, machine.available, machine.percent
        if limits.memory_bytes is not None and limits.memory_bytes < total:
            total = limits.memory_bytes
            if limits.memory_used_bytes is not None:
                available = max(0, total - limits.memory_used_bytes)
                percent = 100 * limits.memory_used_bytes / total
        used = 0
        for process in processes:
            try:
                used += process.memory_info().rss
            except self._psutil.Error:
                continue
        return {
            "system.memory_percent": float(percent),
            "system.proc.memory.rssMB": used / MIB,
            "system.proc.memory.percent": 100 * used / total,
            "system.proc.memory.availableMB": available / MIB,
        }

    def _disk(self) -> Values:
        found: Values = {}
        for path in self._disk_paths:
            usage = self._psutil.disk_usage(path)
            found[f"system.disk.{path}.usagePercent"] = float(usage.percent)
            found[f"system.disk.{path}.usageGB"] = usage.used / GIB
        counters = self._psutil.disk_io_counters(perdisk=True) or {}
        whole = {name: io for name, io in counters.items() if _disk(name)}
        if self._disks is None:
            self._disks = whole
        for name, io in whole.items():
            began = self._disks.get(name, io)
            found[f"system.disk.{name}.in"] = max(0, io.read_bytes - began.read_bytes) / MIB
            found[f"system.disk.{name}.out"] = max(0, io.write_bytes - began.write_bytes) / MIB
        return found

    def _net(self) -> Values:
        counters = self._psutil.net_io_counters()
        if counters is None:
            return {}
        if self._network is None:
            self._network = counters
        return {
            "system.network.sent": float(max(0, counters.bytes_sent - self._network.bytes_sent)),
            "system.network.recv": float(max(0, counters.bytes_recv - self._network.bytes_recv)),
        }


class Sampler:
    """Looks once at the start, then every `interval_s` seconds, and once at the end."""

    def __init__(self, sample: Callable[[], Values], tell: Callable[[Values], None], interval_s: float) -> None:
        self._sample = sample
        self._tell = tell
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="weft-system", daemon=True)

    def start(self) -> None:
        """Begin; does not wait for the first look."""
        self._thread.start()

    def close(self) -> None:
        """End, with a last look unless that takes longer than a moment."""
        self._stop.set()
        if self._pid == os.getpid():  # a forked child has no such thread
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        self._look()
        due = time.monotonic()
        while True:
            due = max(due + self._interval_s, time.monotonic())
            ended = self._stop.wait(due - time.monotonic())
            self._look()
            if ended:
                return

    def _look(self) -> None:
        values = self._sample()
        if values:
            self._tell(values)
