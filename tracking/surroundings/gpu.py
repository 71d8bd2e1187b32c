"""GPUs by NVML (nvidia-ml-py), as long as there are any: what cannot be asked is left away. Never raises.

Names of the values are wandb's. Numbers of a device are NVML's index; `CUDA_VISIBLE_DEVICES` hides none of them, since
other people's work on a shared machine explains a slow run.
"""

from __future__ import annotations

import ctypes.util
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from weft.tracking.faults import let_through

_SHARED = ("gpu", "memory", "temp", "powerWatts")
"""What a device's values are said of the run's own processes on it, too: NVML does not tell whose work it is."""


class Gpus:
    """The GPUs of this machine, from `open` to `close`. One thread asks."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._handles: list[Any] = []
        self.driver: str | None = None

    def load(self) -> None:
        """Import NVML's module, where there is a driver; nothing is loaded where there is none.

        For the thread of the caller: one that forks while another thread imports leaves the child a lock nobody holds.
        """
        if self._nvml is None and _driver_here():
            try:
                import pynvml  # late: only where there is a driver

                self._nvml = pynvml
            except ImportError:  # a driver, and an environment without nvidia-ml-py
                pass

    def open(self) -> bool:
        """Find them; whether there are any. May take a while: the driver wakes the devices."""
        if self._nvml is None:
            return False
        try:
            self._nvml.nvmlInit()
            self.driver = _text(self._nvml.nvmlSystemGetDriverVersion())
            count = self._nvml.nvmlDeviceGetCount()
            self._handles = [self._nvml.nvmlDeviceGetHandleByIndex(at) for at in range(count)]
        except Exception as error:  # no driver, one that does not answer, no permission: a run without GPUs is a run
            let_through(error)
            self._handles = []
        return bool(self._handles)

    def close(self) -> None:
        if self._handles:
            self._handles = []
            self._ask(self._nvml.nvmlShutdown)

    def describe(self) -> list[dict[str, Any]]:
        """{name, memory_bytes, uuid} of each."""
        n = self._nvml
        found = []
        for handle in self._handles:
            memory = self._ask(n.nvmlDeviceGetMemoryInfo, handle)
            told = {
                "name": _text(self._ask(n.nvmlDeviceGetName, handle)),
                "memory_bytes": None if memory is None else int(memory.total),
                "uuid": _text(self._ask(n.nvmlDeviceGetUUID, handle)),
            }
            found.append({name: value for name, value in told.items() if value is not None})
        return found

    def sample(self, pids: Collection[int]) -> dict[str, float]:
        """What each device does now: `system.gpu.<i>.<what>`; `system.gpu.process.<i>.*` where one of `pids` uses it.

        Args:
            pids: the run's own processes.
        """
        found: dict[str, float] = {}
        for at, handle in enumerate(self._handles):
            values = self._device(handle)
            found |= {f"system.gpu.{at}.{name}": value for name, value in values.items()}
            own = self._of_processes(handle, pids)
            if own is not None:
                total = values.get("memoryTotalBytes")
                shared: dict[str, float] = {name: values[name] for name in _SHARED if name in values}
                shared["memoryAllocatedBytes"] = own
                if total:
                    shared["memoryAllocated"] = 100 * own / total
                found |= {f"system.gpu.process.{at}.{name}": value for name, value in shared.items()}
        return found

    def _device(self, handle: Any) -> dict[str, float]:
        n = self._nvml
        found: dict[str, float] = {}
        rates = self._ask(n.nvmlDeviceGetUtilizationRates, handle)
        if rates is not None:
            found |= {"gpu": float(rates.gpu), "memory": float(rates.memory)}
        memory = self._ask(n.nvmlDeviceGetMemoryInfo, handle)
        if memory is not None and memory.total:
            found["memoryAllocated"] = 100 * memory.used / memory.total
            found["memoryAllocatedBytes"] = float(memory.used)
            found["memoryTotalBytes"] = float(memory.total)
        self._put(found, "temp", 1, n.nvmlDeviceGetTemperature, handle, n.NVML_TEMPERATURE_GPU)
        self._put(found, "powerWatts", 1e-3, n.nvmlDeviceGetPowerUsage, handle)
        self._put(found, "enforcedPowerLimitWatts", 1e-3, n.nvmlDeviceGetEnforcedPowerLimit, handle)
        if found.get("enforcedPowerLimitWatts") and "powerWatts" in found:
            found["powerPercent"] = 100 * found["powerWatts"] / found["enforcedPowerLimitWatts"]
        self._put(found, "smClock", 1, n.nvmlDeviceGetClockInfo, handle, n.NVML_CLOCK_SM)
        self._put(found, "memoryClock", 1, n.nvmlDeviceGetClockInfo, handle, n.NVML_CLOCK_MEM)
        self._put(found, "graphicsClock", 1, n.nvmlDeviceGetClockInfo, handle, n.NVML_CLOCK_GRAPHICS)
        self._put(found, "fanSpeed", 1, n.nvmlDeviceGetFanSpeed, handle)
        encoder = self._ask(n.nvmlDeviceGetEncoderUtilization, handle)
        if encoder is not None:
            found["encoderUtilization"] = float(encoder[0])
        for name, kind in (
            ("correctedMemoryErrors", n.NVML_MEMORY_ERROR_TYPE_CORRECTED),
            ("uncorrectedMemoryErrors", n.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        ):
            self._put(found, name, 1, n.nvmlDeviceGetTotalEccErrors, handle, kind, n.NVML_VOLATILE_ECC)
        return found

    def _of_processes(self, handle: Any, pids: Collection[int]) -> float | None:
        """Bytes that these processes have on a device; None where they use it not at all."""
        used: dict[int, float] = {}
        n = self._nvml
        for ask in (n.nvmlDeviceGetComputeRunningProcesses, n.nvmlDeviceGetGraphicsRunningProcesses):
            for process in self._ask(ask, handle) or ():
                if process.pid in pids:  # one that computes and draws is told twice, with the same memory
                    used[process.pid] = float(process.usedGpuMemory or 0)
        return sum(used.values()) if used else None

    def _put(self, found: dict[str, float], name: str, factor: float, ask: Callable[..., Any], *given: Any) -> None:
        value = self._ask(ask, *given)
        if value is not None:
            found[name] = value * factor

    def _ask(self, ask: Callable[..., Any], *given: Any) -> Any:
        try:
            return ask(*given)
        except Exception as error:  # NVMLError: this device does not have it, or is lost
            let_through(error)
            return None


def _driver_here() -> bool:
    """Whether NVML can be there: a look at where its library lies, which costs nothing."""
    if sys.platform.startswith("linux"):
        return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()  # the second: WSL
    return sys.platform == "win32" and ctypes.util.find_library("nvml") is not None


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
