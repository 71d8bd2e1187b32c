"""The machine a run happens on: processor, memory, GPUs, and who lent it. Asked once, in the background."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weft.tracking.faults import let_through
from weft.tracking.surroundings.gpu import Gpus

_CLUSTERS: Mapping[str, tuple[str, ...]] = {
    "slurm": ("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_NNODES", "SLURM_NODEID", "SLURM_PROCID"),
    "kubernetes": ("KUBERNETES_SERVICE_HOST",),
    "colab": ("COLAB_RELEASE_TAG",),
    "sagemaker": ("SM_CURRENT_HOST",),
    "ray": ("RAY_JOB_ID",),
    "distributed": ("RANK", "LOCAL_RANK", "WORLD_SIZE"),
}
"""Which variables tell of each, the first by being there. None of them holds a secret."""


def describe(gpus: Gpus) -> dict[str, Any]:
    """{cpu, cpu_count, cpu_count_physical, memory_bytes, gpus, gpu_driver}; what cannot be found out is left away."""
    found: dict[str, Any] = {"cpu": processor(), "cpu_count": os.cpu_count()}
    try:
        import psutil  # type: ignore[import-untyped]  # late: 10 ms that no start waits for

        found["cpu_count_physical"] = psutil.cpu_count(logical=False)
        found["memory_bytes"] = psutil.virtual_memory().total
    except Exception as error:  # a system that psutil does not know
        let_through(error)
    devices = gpus.describe()
    if devices:
        found["gpus"] = devices
        found["gpu_driver"] = gpus.driver
    return {name: value for name, value in found.items() if value not in (None, "")}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name, where the system tells it."""
    try:
        with cpuinfo.open("r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "Hardware", "cpu model"):
                    return value.strip()
    except OSError:  # no Linux
        pass
    return platform.processor() or platform.machine()


def clusters(env: Mapping[str, str] | None = None) -> dict[str, dict[str, str]]:
    """Who runs this process, as far as its variables say: SLURM, Kubernetes, Colab, torchrun."""
    env = os.environ if env is None else env
    found = {}
    for name, variables in _CLUSTERS.items():
        if variables[0] in env:
            found[name] = {variable: env[variable][:200] for variable in variables if variable in env}
    if "ipykernel" in sys.modules:
        found["notebook"] = {}
    return found
