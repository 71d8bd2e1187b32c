"""A run in other processes: children of every start method log to it and do not end it; ranks share one."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.runs import starting
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord


def _work(run: starting.Run, number: int, seen: Any) -> None:
    """What a worker does."""
    run.log({f"child-{number}": 1.0})
    run.summary[f"by-{number}"] = number
    seen.put((run.id, run.config["lr"], run.owned, run.state, str(run.home.path)))
    run.finish()


def _stored(**where: Any) -> list[RunRecord]:
    with open_store(foreign_s=None) as store:
        return list(store.reader().runs(where).rows)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_children_log_to_the_run_and_do_not_end_it(home: Path, tmp_path: Path, method: str) -> None:
    """Also where this program's own code chose the home, which a new interpreter knows nothing of."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    elsewhere = tmp_path / "elsewhere"
    runtime.configure(Settings.resolve(home=elsewhere, strict=True))
    context = multiprocessing.get_context(method)
    run = starting.init("p", id="mine", config={"lr": 0.1, "odd": (1, 2)})
    run.log({"x": 1})
    seen = context.Queue()
    children = [context.Process(target=_work, args=(run, number, seen)) for number in range(2)]
    for child in children:
        child.start()
    told = [seen.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert told == [("mine", 0.1, False, "running", str(elsewhere))] * 2
    [found] = _stored()
    assert found.state == "running"
    run.finish()
    [found] = _stored()
    assert (found.state, found.summary["child-0"], found.summary["child-1"]) == ("finished", 1.0, 1.0)
    assert (found.summary["by-0"], found.summary["by-1"]) == (0, 1)


def test_in_its_own_process_a_copy_is_the_run_itself(home: Path) -> None:
    run = starting.init("p", config={"odd": lambda: 1})
    assert pickle.loads(pickle.dumps(run)) is run
    assert copy.deepcopy(run) is run


RANK = """
import os, sys, time, weft
rank = int(os.environ["RANK"])
run = weft.init("p", id="shared", config={"lr": 0.1 if rank == 0 else 99}, name="led" if rank == 0 else None)
for step in range(50):
    run.log({f"rank{rank}/loss": step})
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
if rank == 2:
    raise ValueError("rank 2 only joined")
"""


def _ranks(home: Path, ranks: list[int]) -> list[subprocess.Popen[str]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK],
            env={**os.environ, "RANK": str(rank), "WEFT_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate("go\n", timeout=60)


def test_ranks_write_one_run_that_the_first_one_leads(home: Path) -> None:
    """What a rank above 0 says of config, name and end counts for nothing where rank 0 says something."""
    leader, *others = _ranks(home, [0, 1, 2])
    for process in others:
        _end(process)
    [found] = _stored()
    assert (found.state, found.name) == ("running", "led")
    assert found.config == {"lr": 0.1}
    assert all(found.summary[f"rank{rank}/loss"] == 49 for rank in range(3))
    _end(leader)
    [found] = _stored()
    assert (found.state, found.exit_code, found.step) == ("finished", 0, 49)


def test_a_rank_alone_ends_its_run(home: Path) -> None:
    [process] = _ranks(home, [2])
    _end(process)
    [found] = _stored()
    assert (found.state, found.exit_code) == ("failed", 1)
    assert found.config == {"lr": 99}


def test_a_leader_that_is_killed_leaves_a_crashed_run(home: Path) -> None:
    leader, other = _ranks(home, [0, 1])
    leader.kill()
    leader.communicate()
    _end(other)
    [found] = _stored()
    assert found.state == "crashed"


def test_a_second_writer_of_a_run_is_told(home: Path) -> None:
    """Nothing is lost and nobody is stopped; a rank that joins is no second writer."""
    leader, joined = _ranks(home, [0, 1])
    [second] = _ranks(home, [0])
    errors = []
    for process in (leader, joined, second):
        process.kill()
        errors.append(process.communicate(timeout=60)[1])
    assert errors[:2] == ["", ""]
    assert f"p/shared is being written by another process already (pid {leader.pid} on " in errors[2]
    with open_store() as store:
        assert store.reader().history(_stored()[0].uid)["rank0/loss"].total == 100
    [last] = _ranks(home, [0])
    said = last.communicate("go\n", timeout=60)[1]
    assert "begins anew" in said
    assert "by another process" not in said
    [found] = _stored()
    with open_store() as store:
        assert store.reader().history(found.uid)["rank0/loss"].total == 50


def _own(seen: Any) -> None:
    child = starting.init("p", id="child", config={"lr": 2})
    child.log({"x": 1})
    seen.put((child.id, child.owned))
    child.finish()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_may_start_a_run_of_its_own(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    parent = starting.init("p", id="parent")
    seen = context.Queue()
    child = context.Process(target=_own, args=(seen,))
    child.start()
    assert seen.get(timeout=60) == ("child", True)
    child.join()
    parent.log({"x": 1})
    assert {run.id: run.state for run in _stored()} == {"parent": "running", "child": "finished"}
    parent.finish()
    assert not list((home / "locks").iterdir())


CONTENTION = """
import weft, sys
run = weft.init("busy", name=sys.argv[1])
for step in range(200):
    run.log({"x": step})
run.finish()
"""


def test_eight_processes_lose_nothing_and_wait_for_nobody(home: Path) -> None:
    """wandb's rivals say `database is locked` here; whoever reads meanwhile disturbs nobody."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENTION, str(number)],
            env={**os.environ, "WEFT_HOME": str(home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    while any(process.poll() is None for process in processes):
        _stored()
    assert [process.communicate()[1] for process in processes] == [""] * 8
    found = _stored(project="busy")
    assert [run.state for run in found] == ["finished"] * 8
    with open_store() as store:
        assert sum(store.reader().history(run.uid)["x"].total for run in found) == 1600
