"""What NVML says becomes wandb's names; what a device does not know is left away; without a driver there is nothing.

NVML itself cannot be here: its answers are played back at the level of the library's own functions.
"""

from __future__ import annotations

import types
from typing import Any

import pynvml
import pytest

from weft.tracking.surroundings.gpu import Gpus


class _Nvml(types.SimpleNamespace):
    """Two devices, the second of which knows little. Every name used must be one of nvidia-ml-py's."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(pynvml, name)  # raises for what the real library does not have
        if not callable(value):
            return value

        def ask(*given: Any) -> Any:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

        return ask


def _nvml() -> _Nvml:
    process = types.SimpleNamespace
    memory = types.SimpleNamespace(total=1000, used=250, free=750)
    return _Nvml(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlSystemGetDriverVersion=lambda: b"550.1",
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda at: at,
        nvmlDeviceGetName=lambda at: "NVIDIA Test",
        nvmlDeviceGetMemoryInfo=lambda at: memory,
        nvmlDeviceGetUtilizationRates=lambda at: _first(at, types.SimpleNamespace(gpu=40, memory=10)),
        nvmlDeviceGetTemperature=lambda at, kind: _first(at, 65),
        nvmlDeviceGetPowerUsage=lambda at: _first(at, 50_000),
        nvmlDeviceGetEnforcedPowerLimit=lambda at: _first(at, 200_000),
        nvmlDeviceGetComputeRunningProcesses=lambda at: [
            process(pid=1, usedGpuMemory=100),
            process(pid=2, usedGpuMemory=None),
            process(pid=3, usedGpuMemory=50),
        ],
        nvmlDeviceGetGraphicsRunningProcesses=lambda at: [process(pid=1, usedGpuMemory=100)],
    )


def _first(at: int, value: Any) -> Any:
    if at:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    return value


def test_a_device_says_what_it_knows() -> None:
    gpus = Gpus(_nvml())
    assert gpus.open()
    assert gpus.driver == "550.1"
    assert gpus.describe() == [{"name": "NVIDIA Test", "memory_bytes": 1000}] * 2
    found = gpus.sample({1, 2})
    assert found["system.gpu.0.gpu"] == 40
    assert found["system.gpu.0.memory"] == 10
    assert found["system.gpu.0.memoryAllocated"] == 25
    assert found["system.gpu.0.memoryAllocatedBytes"] == 250
    assert found["system.gpu.0.temp"] == 65
    assert found["system.gpu.0.powerWatts"] == 50
    assert found["system.gpu.0.powerPercent"] == 25
    assert "system.gpu.0.fanSpeed" not in found
    assert [name for name in found if ".1.gpu" in name or ".1.temp" in name] == []
    assert found["system.gpu.1.memoryAllocated"] == 25


def test_the_runs_own_processes_are_told_apart() -> None:
    gpus = Gpus(_nvml())
    gpus.open()
    found = gpus.sample({1, 2})
    assert found["system.gpu.process.0.memoryAllocatedBytes"] == 100
    assert found["system.gpu.process.0.memoryAllocated"] == 10
    assert not [name for name in gpus.sample({99}) if "process" in name]


def test_no_driver_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(_Nvml):
        pass

    gpus = Gpus(Gone(nvmlInit=lambda: _first(1, None)))
    assert not gpus.open()
    assert gpus.sample({1}) == {}
    gpus.close()
    bare = Gpus()
    assert not bare.open()
