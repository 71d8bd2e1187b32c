"""What a control group lets this process have: a container has less than its machine. Linux only, v1 and v2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_UNLIMITED = 1 << 60
"""v1 says no limit by a number of about 2^63."""


class Limits(NamedTuple):
    """The tightest ones above this process; None: there is none."""

    memory_bytes: int | None = None
    memory_used_bytes: int | None = None
    """Of the group that has the limit, the file cache that can be let go left out."""
    cpus: float | None = None


def limits(proc: Path = Path("/proc/self"), root: Path = Path("/sys/fs/cgroup")) -> Limits:
    """Reads them anew: a limit may be changed while a process runs."""
    memory: int | None = None
    used: int | None = None
    cpus: float | None = None
    for folder in _folders(proc, root, "memory"):
        limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
        if limit is not None and limit < _UNLIMITED and (memory is None or limit < memory):
            memory = limit
            taken = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
            used = None if taken is None else max(0, taken - _inactive(folder / "memory.stat"))
    for folder in _folders(proc, root, "cpu"):
        share = _cpus(folder)
        if share is not None and (cpus is None or share < cpus):
            cpus = share
    return Limits(memory, used, cpus)


def _folders(proc: Path, root: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's own group and of those above it, for one controller."""
    for line in _text(proc / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = root / controllers if controllers else root
        if controllers and not base.is_dir():
            base = root / controller
        inside = base / path.lstrip("/")
        place = inside if inside.is_dir() else base  # in a container's own view its group is the root
        while True:
            yield place
            if place == base:
                break
            place = place.parent


def _cpus(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us").strip()
        period = _text(folder / "cpu.cfs_period_us").strip()
    if quota.isdecimal() and period.isdecimal() and int(period) > 0 and int(quota) > 0:
        return int(quota) / int(period)
    return None


def _inactive(stat: Path) -> int:
    for line in _text(stat).splitlines():
        name, _, value = line.partition(" ")
        if name in ("total_inactive_file", "inactive_file") and value.isdecimal():
            return int(value)
    return 0


def _number(*places: Path) -> int | None:
    for place in places:
        text = _text(place).strip()
        if text.isdecimal():
            return int(text)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:  # not this version, or no Linux
        return ""
