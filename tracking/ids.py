"""Identities: time-ordered trace ids, span ids, run ids. Draws from a generator of its own, never the user's."""

from __future__ import annotations

import os
import random
import time

_random = random.Random(os.urandom(32))
_bits = _random.getrandbits  # one C call: safe between threads under the GIL


def _reseed() -> None:
    _random.seed(os.urandom(32))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reseed)


_told_ns = 0
"""The last time told. A record's time places it among the others: an end that came before its start would be none."""
_FAR_NS = 86_400_000_000_000
"""A clock that is set back further than a day was wrong; the new one is believed."""


class _SetBack:
    """A clock that was set back: from then on time goes half as fast, until the clock has caught up."""

    __slots__ = ("at_ns", "clock_ns", "from_ns")

    def __init__(self, clock_ns: int, from_ns: int) -> None:
        self.at_ns = clock_ns
        """What the clock said then."""
        self.from_ns = from_ns
        """What had been told by then."""
        self.clock_ns = clock_ns
        """What it said last."""

    def is_over(self, clock_ns: int, told_ns: int) -> bool:
        """Whether it was set back again, or had caught up."""
        return clock_ns < self.clock_ns or told_ns >= 2 * self.from_ns - self.at_ns


_set_back = _SetBack(0, 0)


def _slowed(now: int) -> int:
    """What to tell where the clock says less than what was told already."""
    global _told_ns, _set_back
    told = _told_ns
    if told - now > _FAR_NS:
        _told_ns = now
        return now
    if _set_back.is_over(now, told):
        _set_back = _SetBack(now, told)
    back = _set_back
    back.clock_ns = now
    _told_ns = max(told, back.from_ns + (now - back.at_ns) // 2)
    return _told_ns


class Ids:
    """The source of ids and of time; tests put a fixed one in its place (`weft.testing`)."""

    __slots__ = ()

    def trace_id(self) -> int:
        """128 bits: 48 of Unix milliseconds, then 80 random ones; so rows arrive in index order. Never 0."""
        return (time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF) << 80 | _bits(80)

    def span_id(self) -> int:
        """64 random bits, never 0 (OpenTelemetry's invalid id)."""
        return _bits(64) or 1

    def uid(self) -> bytes:
        """16 bytes, time-ordered like a trace id: runs, scores."""
        return self.trace_id().to_bytes(16, "big")

    def wall_ns(self) -> int:
        """Unix time, UTC, in nanoseconds; never less than what this process was told before."""
        global _told_ns
        now = time.time_ns()
        if now < _told_ns:
            return _slowed(now)
        _told_ns = now
        return now

    def mono_ns(self) -> int:
        """A clock that never runs backwards, in nanoseconds: durations are its differences."""
        return time.perf_counter_ns()
