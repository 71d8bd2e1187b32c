"""A container's limits are found, in both versions of control groups, and the tightest of those above counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.tracking.surroundings.cgroup import Limits, limits


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "proc").mkdir()
    (tmp_path / "cgroup").mkdir()
    return tmp_path / "proc", tmp_path / "cgroup"


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_version_2_takes_the_tightest(machine: tuple[Path, Path]) -> None:
    proc, root = machine
    _write(proc, cgroup="0::/pod/box\n")
    _write(root / "pod", memory__max="1000\n", memory__current="700\n", cpu__max="150000 100000\n")
    (root / "pod" / "memory.stat").write_text("anon 5\ninactive_file 100\n")
    _write(root / "pod" / "box", memory__max="max\n", memory__current="600\n", cpu__max="max 100000\n")
    assert limits(proc, root) == Limits(1000, 600, 1.5)


def test_version_1(machine: tuple[Path, Path]) -> None:
    proc, root = machine
    _write(proc, cgroup="4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/x\n")
    _write(root / "memory", memory__limit_in_bytes="9223372036854771712")
    _write(root / "memory" / "box", memory__limit_in_bytes="2048", memory__usage_in_bytes="1024")
    (root / "memory" / "box" / "memory.stat").write_text("total_inactive_file 24\n")
    _write(root / "cpu,cpuacct" / "box", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    assert limits(proc, root) == Limits(2048, 1000, 0.5)


def test_inside_a_container_its_group_is_the_root(machine: tuple[Path, Path]) -> None:
    proc, root = machine
    _write(proc, cgroup="0::/../../elsewhere\n")
    _write(root, memory__max="512", memory__current="12", cpu__max="max 100000")
    assert limits(proc, root) == Limits(512, 12, None)


def test_no_control_groups_no_limits(tmp_path: Path) -> None:
    assert limits(tmp_path, tmp_path) == Limits()
