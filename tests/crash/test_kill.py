"""kill -9 at any instruction, of writers and of the ingester: nothing that returned is lost or there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weft.tracking.home import Home
from weft.tracking.journal.segments import Segments
from weft.tracking.settings import Settings
from weft.tracking.store.access import drain_into, open_store
from weft.tracking.store.store import Store

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

VICTIM = Path(__file__).with_name("victim.py")
TRIALS = 200
SEED = int(os.environ.get("WEFT_CRASH_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
"""Printed with every failure; set WEFT_CRASH_SEED to see one again."""


def _victim(*arguments: object) -> list[list[int]]:
    out = subprocess.run(
        [sys.executable, str(VICTIM), *map(str, arguments)], capture_output=True, text=True, timeout=200, check=True
    )
    return [[int(word) for word in line.split()] for line in out.stdout.splitlines()]


def _settings(home: Path) -> Settings:
    return Settings.resolve(home=home)


def _counts(store: Store, project: str) -> tuple[int, int]:
    """(spans, distinct spans) of one project."""
    spans = store.reader().spans({"project": project}, limit=None).rows
    return len(spans), len({(span.trace_id, span.span_id) for span in spans})


def test_an_op_that_returned_survives_kill_9(home: Path) -> None:
    trials = _victim("ops", home, TRIALS, SEED)
    assert len(trials) == TRIALS

    with open_store(_settings(home), foreign_s=None) as store:
        for trial, count in trials:
            assert _counts(store, f"ops-{trial}") == (count, count), f"seed {SEED}, trial {trial}"
        closed = store.reader().spans({"status": "ok"}, limit=1).total
        assert closed == sum(count for _, count in trials)


def test_a_log_that_returned_survives_kill_9(home: Path) -> None:
    trials = _victim("logs", home, TRIALS, SEED)
    assert len(trials) == TRIALS

    with open_store(_settings(home), foreign_s=None) as store:
        for trial, count in trials:
            run = store.reader().runs({"project": f"logs-{trial}"}).rows[0]
            series = store.reader().history(run.uid)
            assert run.state == "crashed", f"seed {SEED}, trial {trial}"
            for key in ("loss", "step_squared"):
                assert list(series[key].steps) == list(range(count)), f"seed {SEED}, trial {trial}"


def test_a_nested_op_in_a_signal_handler_survives_kill_9(home: Path) -> None:
    """The storm re-enters appends at whatever instruction it hits; the handler's last act is to die."""
    trials = _victim("inside", home, 40, SEED)

    with open_store(_settings(home), foreign_s=None) as store:
        for trial, nested, outer in trials:
            spans = store.reader().spans({"project": f"nested-{trial}"}, payloads=True, limit=None).rows
            done = [span.inputs["number"] for span in spans if span.status == "ok"]
            assert done.count(-1) == nested, f"seed {SEED}, trial {trial}"
            assert outer <= done.count(1) <= outer + 1, f"seed {SEED}, trial {trial}"


def test_an_ingester_killed_at_random_applies_everything_exactly_once(home: Path) -> None:
    trials = _victim("ops", home, 150, SEED)
    killed = sum(killed for _, killed in _victim("ingest", home, TRIALS, SEED))
    assert killed >= 10, f"seed {SEED}"

    with open_store(_settings(home), foreign_s=None) as store:
        for trial, count in trials:
            assert _counts(store, f"ops-{trial}") == (count, count), f"seed {SEED}, trial {trial}"
        traces = store.reader().traces(limit=1).total
        assert traces == sum(count for _, count in trials)


def test_eight_writers_a_reader_and_a_victim_share_one_home(home: Path) -> None:
    """Every record once, and nobody is ever told that the database is locked."""
    count = 400
    environment = {**os.environ, "WEFT_HOME": str(home)}
    workers = [
        subprocess.Popen([sys.executable, str(VICTIM), "worker", str(home), f"w{n}", str(count)]) for n in range(8)
    ]
    victim = subprocess.Popen(
        [sys.executable, str(VICTIM), "endless", str(home), "victim"], stdout=subprocess.PIPE, env=environment
    )
    assert victim.stdout is not None
    acknowledged = len(victim.stdout.read(200))
    reads = 0
    while any(worker.poll() is None for worker in workers):
        with open_store(_settings(home), foreign_s=0.2) as store:
            store.reader().traces(limit=20)
            store.reader().runs()
            reads += 1
        if reads == 2:
            victim.send_signal(signal.SIGKILL)
    if victim.poll() is None:
        victim.send_signal(signal.SIGKILL)
    acknowledged += len(victim.stdout.read())
    victim.stdout.close()
    victim.wait()

    assert [worker.wait() for worker in workers] == [0] * 8
    with open_store(_settings(home), foreign_s=None) as store:
        for n in range(8):
            assert _counts(store, f"w{n}") == (count, count)
            run = store.reader().runs({"project": f"w{n}"}).rows[0]
            assert run.state == "finished"
            assert list(store.reader().history(run.uid)["loss"].values) == [float(step) for step in range(count)]
        rows = store.reader().spans({"project": "victim"}, limit=None).rows
        assert acknowledged <= sum(span.status == "ok" for span in rows) <= acknowledged + 1
        assert {span.status for span in rows} <= {"ok", "interrupted"}
        assert drain_into(store, _settings(home)).records == 0
    assert not Segments(Home(home)).quarantined()
