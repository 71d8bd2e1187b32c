"""Ids are unique, ordered by time, never zero, and drawn from nobody else's generator."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking import ids as ids_module
from weft.tracking.ids import Ids


def test_trace_ids_are_ordered_by_the_millisecond() -> None:
    ids = Ids()
    before = time.time_ns() // 1_000_000
    trace_id = ids.trace_id()
    after = time.time_ns() // 1_000_000
    assert before <= trace_id >> 80 <= after
    assert 0 < trace_id < 1 << 128
    uid = ids.uid()
    assert len(uid) == 16
    assert before <= int.from_bytes(uid[:6], "big") <= time.time_ns() // 1_000_000


def test_ids_are_unique_across_threads() -> None:
    ids = Ids()
    found: list[int] = []

    def draw() -> None:
        found.extend([ids.span_id() for _ in range(20_000)])
        found.extend([ids.trace_id() for _ in range(20_000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 160_000
    assert 0 not in found


def test_the_users_generator_is_never_drawn_from_and_its_seed_never_matters() -> None:
    ids = Ids()
    random.seed(7)
    state = random.getstate()
    first = [ids.span_id() for _ in range(10)] + [ids.trace_id(), int.from_bytes(ids.uid(), "big")]
    assert random.getstate() == state
    random.seed(7)
    assert not set(first) & {ids.span_id() for _ in range(10)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_draws_other_ids() -> None:
    ids = Ids()
    ids.span_id()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"".join(ids.span_id().to_bytes(8, "big") for _ in range(100)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 800)
    os.close(read)
    os.close(write)
    mine = {ids.span_id().to_bytes(8, "big") for _ in range(100)}
    assert len(theirs) == 800
    assert not mine & {theirs[at : at + 8] for at in range(0, 800, 8)}


def test_the_monotonic_clock_never_runs_backwards() -> None:
    ids = Ids()
    readings = [ids.mono_ns() for _ in range(10_000)]
    assert readings == sorted(readings)
    assert abs(ids.wall_ns() - time.time_ns()) < 1_000_000_000


@given(st.lists(st.integers(-100_000, 100_000), min_size=1))
def test_the_wall_clock_never_runs_backwards(moves: list[int]) -> None:
    """Whatever is done to the system's, within a day."""
    clock = time.time_ns()
    told = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ids_module, "_told_ns", 0)
        patched.setattr(ids_module, "_set_back", ids_module._SetBack(0, 0))
        for move in moves:
            clock += move
            patched.setattr(time, "time_ns", lambda now=clock: now)
            told.append(Ids().wall_ns())
    assert told == sorted(told)


def test_a_clock_that_was_set_back_goes_on_slower_until_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_module, "_told_ns", 0)
    monkeypatch.setattr(ids_module, "_set_back", ids_module._SetBack(0, 0))
    second = 1_000_000_000
    day = 86_400 * second

    def said(clock: int) -> int:
        monkeypatch.setattr(time, "time_ns", lambda: day + clock * second)
        return (Ids().wall_ns() - day) // second

    assert [said(clock) for clock in (100, 40, 60, 80, 140, 160, 200)] == [100, 100, 110, 120, 140, 160, 200]
    assert [said(clock) for clock in (190, 200, 150, 170)] == [200, 200, 200, 210], "twice"
    assert said(-90_000) == -90_000, "who said next year was wrong"
