"""What machine and process take, under wandb's names, by looks at the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from weft.tracking.surroundings.gpu import Gpus
from weft.tracking.surroundings.system import Machine, Sampler, Values


def test_a_look_at_this_machine() -> None:
    machine = Machine(os.getpid(), Gpus())
    first = machine.sample()
    assert "system.cpu" not in first, "a load needs two looks"
    until = time.perf_counter() + 0.3
    while time.perf_counter() < until:
        pass
    found = machine.sample()
    assert 0 < found["system.cpu"] <= 100
    assert found["system.proc.memory.rssMB"] > 5
    assert 0 < found["system.proc.memory.percent"] < 100
    assert found["system.proc.memory.availableMB"] > 0
    assert 0 < found["system.memory_percent"] <= 100
    assert found["system.proc.cpu.threads"] >= 1
    assert 0 < found["system.disk./.usagePercent"] <= 100
    assert found["system.network.sent"] >= 0
    assert "system.cpu.0.cpu_percent" in found
    assert all(type(value) is float and value == value for value in found.values())


def test_processes_that_it_started_count() -> None:
    machine = Machine(os.getpid(), Gpus())
    before = machine.sample()["system.proc.memory.rssMB"]
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "x = bytearray(80 << 20); x[::4096] = b'1' * len(x[::4096]); print('on', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"on\n"
        during = machine.sample()["system.proc.memory.rssMB"]
        child.communicate(b"\n")
    assert during - before > 75
    assert machine.sample()["system.proc.memory.rssMB"] < during


def test_looks_at_the_start_in_between_and_at_the_end() -> None:
    told: list[Values] = []
    looked = threading.Event()

    def tell(values: Values) -> None:
        told.append(values)
        if len(told) == 3:
            looked.set()

    sampler = Sampler(lambda: {"x": float(len(told))}, tell, 0.1)
    sampler.start()
    assert looked.wait(5)
    before = len(told)
    sampler.close()
    assert len(told) > before


@pytest.mark.parametrize("slow_s", [1.0])
def test_the_end_waits_for_no_slow_look(slow_s: float) -> None:
    entered = threading.Event()

    def slow() -> Values:
        entered.set()
        time.sleep(slow_s)
        return {}

    sampler = Sampler(slow, lambda values: None, 60)
    sampler.start()
    entered.wait(5)
    started = time.monotonic()
    sampler.close()
    assert time.monotonic() - started < 0.5
