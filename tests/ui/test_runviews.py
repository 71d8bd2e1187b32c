"""What the System and Environment views say of what was recorded."""

from __future__ import annotations

from weft.tracking.store.readmodels import Series
from weft.ui.runplace import diff, facts
from weft.ui.runsystem import groups, spec

KEYS = [
    "system.cpu",
    *(f"system.cpu.{at}.cpu_percent" for at in (10, 2, 0)),
    "system.proc.memory.rssMB",
    "system.memory_percent",
    "system.disk./.usagePercent",
    "system.disk.vda.in",
    "system.gpu.0.gpu",
    "system.gpu.1.gpu",
    "system.network.sent",
    "system.something.new",
]


def test_metrics_are_grouped_by_what_they_measure() -> None:
    found = {group.title: group.names for group in groups(KEYS)}
    assert found == {
        "Processor of the run": ["run"],
        "Processor by core": ["core 0", "core 2", "core 10"],
        "Memory of the run": ["resident"],
        "Memory": ["machine"],
        "GPU": ["GPU 0", "GPU 1"],
        "Network": ["sent"],
        "Disks": ["vda.in"],
        "Disk space": ["/"],
    }


def test_many_cores_are_no_chart() -> None:
    many = [f"system.cpu.{at}.cpu_percent" for at in range(64)]
    assert [group.title for group in groups(["system.cpu", *many])] == ["Processor of the run"]


def test_a_chart_has_a_line_each_over_the_clock() -> None:
    (group,) = groups(["system.network.sent", "system.network.recv"])
    history = {key: Series(key, [0, 1], [0.0, 1 << 20], [10**9, 2 * 10**9], 2) for key in group.keys}
    made = spec(group, history)
    assert [line["name"] for line in made["series"]] == ["received", "sent"]
    assert made["series"][0]["data"] == [[1000, 0.0], [2000, 1.0]], "MB at milliseconds"


def test_only_what_is_known_is_said() -> None:
    assert facts({}) == {}
    found = facts(
        {
            "git": {"commit": "a" * 40, "branch": None, "dirty": True},
            "hardware": {"gpus": [{"name": "X"}, {"name": "X"}, {"name": "Y"}], "cpu_count": 8},
            "slurm": {"SLURM_JOB_ID": "7"},
            "argv": ["train.py", "--lr", "1"],
        }
    )
    assert found["Code"] == [("commit", "aaaaaaaaaaaa + changes"), ("command", "train.py --lr 1")]
    assert found["Machine"] == [("cores", "8"), ("GPUs", "2 × X, 1 × Y")]
    assert found["Slurm"] == [("SLURM_JOB_ID", "7")]


def test_a_difference_is_escaped() -> None:
    shown = diff("+++ b/x\n+<script>\n-old\n same\n@@ 1 @@\n# weft: cut here\n\x1b[31m")
    assert shown.splitlines() == [
        "<b>+++ b/x</b>",
        "<ins>+&lt;script&gt;</ins>",
        "<del>-old</del>",
        " same",
        "<i>@@ 1 @@</i>",
        "<em># weft: cut here</em>",
        "⟨ESC⟩[31m",
    ]
