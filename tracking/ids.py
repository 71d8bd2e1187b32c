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
        """Unix time, UTC, in nanoseconds."""
        return time.time_ns()

    def mono_ns(self) -> int:
        """A clock that never runs backwards, in nanoseconds: durations are its differences."""
        return time.perf_counter_ns()
