"""Quantities as short text: durations, tokens, money, ages, sizes. Pure; the terminal, the app and reports call it.

Unknown (`None`) is always an en dash, never 0: a cost that nobody knows is not free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

UNKNOWN = "–"

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def duration(ns: int | None) -> str:
    """`840 ms`, `1.24 s`, `2 min 5 s`, `3 h 12 min`: three digits or two units.

    Args:
        ns: nanoseconds.
    """
    if ns is None:
        return UNKNOWN
    if ns < 0:
        return f"-{duration(-ns)}"
    if ns < 1_000:
        return f"{ns} ns"
    # The bounds lie where rounding would show the next unit's 1: 999.6 ms is 1.00 s, 59.97 s is 1 min.
    if ns < 999_500:
        return f"{_three(ns / 1e3)} µs"
    if ns < 999_500_000:
        return f"{_three(ns / 1e6)} ms"
    if ns < 59_950_000_000:
        return f"{_decimals(ns / 1e9)} s"
    seconds = round(ns / 1e9)
    if seconds < _HOUR:
        return _pair(seconds, _MINUTE, "min", 1, "s")
    if seconds < _DAY:
        return _pair(round(seconds / _MINUTE) * _MINUTE, _HOUR, "h", _MINUTE, "min")
    return _pair(round(seconds / _HOUR) * _HOUR, _DAY, "d", _HOUR, "h")


def _three(value: float) -> str:
    """At most three significant digits, none behind the point from 10 on."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.0f}"


def _decimals(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}"


def _pair(total: int, large: int, large_name: str, small: int, small_name: str) -> str:
    whole, rest = divmod(total, large)
    return f"{whole:,} {large_name} {rest // small} {small_name}" if rest else f"{whole:,} {large_name}"


def count(n: int | None) -> str:
    """`12,408`: every digit, grouped."""
    return UNKNOWN if n is None else f"{n:,}"


def counted(n: int, one: str, many: str | None = None) -> str:
    """`1 error`, `2 errors`, `12,408 traces`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def article(word: str) -> str:
    """`a list`, `an int`, `a UUID`: a type's name with its article, by its first letter."""
    return f"{'an' if word.lower().startswith(('a', 'e', 'i', 'o')) else 'a'} {word}"


def compact(n: float | None) -> str:
    """`950`, `1.9k`, `34.1k`, `2.5M`: for narrow columns and axes."""
    if n is None:
        return UNKNOWN
    if not math.isfinite(n):
        return number(n)
    size = abs(n)
    if size < 1_000:
        return f"{n:,}" if isinstance(n, int) else number(n)
    for limit, scale, suffix in ((999_950, 1e3, "k"), (999_950_000, 1e6, "M"), (999_950_000_000, 1e9, "G")):
        if size < limit:
            return f"{n / scale:.1f}{suffix}"
    return f"{n / 1e12:,.1f}T"


def tokens(n: int | None) -> str:
    """`322 tok`, `34.1k tok`."""
    return UNKNOWN if n is None else f"{compact(n)} tok"


def usd(amount: Decimal | float | None) -> str:
    """`$18.40`, `$0.0042`: cents, or two digits of what is smaller; nothing known is rounded to zero.

    Args:
        amount: US dollars.
    """
    if amount is None:
        return UNKNOWN
    value = amount if isinstance(amount, Decimal) else Decimal(repr(float(amount)))
    if not value.is_finite():
        return UNKNOWN
    sign, value = ("-" if value < 0 else ""), abs(value)
    places = 2 if value == 0 else max(2, 1 - value.adjusted())
    return f"{sign}${value:,.{places}f}"  # a Decimal's format rounds the decimal digits themselves, half to even


_BUCKETS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cached",
    "cache_write_tokens": "cache written",
    "cache_write_1h_tokens": "cache written for 1 h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio in",
    "output_audio_tokens": "audio out",
    "input_image_tokens": "images in",
    "output_image_tokens": "images out",
}


def breakdown(parts: Mapping[str, Decimal] | None) -> str:
    """`input $0.0030 · output $0.0012`: what a cost is made of; empty where that is one thing or not known."""
    if parts is None or len(parts) < 2:
        return ""
    return " · ".join(f"{_BUCKETS.get(name, name)} {usd(part)}" for name, part in parts.items())


def age(ns: int | None, now_ns: int) -> str:
    """`just now`, `42 s ago`, `3 min ago`, `5 h ago`, `12 d ago`; beyond 30 days, and in the future, the UTC date.

    Args:
        ns, now_ns: Unix time in nanoseconds, UTC.
    """
    if ns is None:
        return UNKNOWN
    seconds = (now_ns - ns) // 1_000_000_000
    if -_MINUTE < seconds < 5:  # clocks of two machines differ by some seconds
        return "just now"
    if seconds < 0 or seconds >= 30 * _DAY:
        return f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d}"
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"


def moment(ns: int | None) -> str:
    """`2026-11-20 11:14:12 UTC`: the exact time behind an age."""
    return UNKNOWN if ns is None else f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def size(n_bytes: int | None) -> str:
    """`512 B`, `1.5 KiB`, `64.0 MiB`."""
    if n_bytes is None:
        return UNKNOWN
    if abs(n_bytes) < 1024:
        return f"{n_bytes} B"
    value = float(n_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if abs(value) < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:,.1f} TiB"


def percent(x: float | None, half_width: float | None = None) -> str:
    """`93.1%`, or `93.1% ± 1.4` with the half-width of its 95% interval.

    Args:
        x, half_width: fractions (0.931, 0.014).
    """
    if x is None or math.isnan(x):
        return UNKNOWN
    shown = f"{x:.1%}"
    return shown if half_width is None or math.isnan(half_width) else f"{shown} ± {half_width * 100:.1f}"


def plus_minus(x: float | None, half_width: float | None) -> str:
    """`0.912 ± 0.031`: a mean with the half-width of its 95% interval, in the mean's unit.

    As many digits as the interval leaves meaning to: two of the half-width.
    """
    if x is None or half_width is None or not math.isfinite(half_width) or not math.isfinite(x):
        return number(x)
    if half_width <= 0:
        return f"{number(x)} ± {number(half_width)}"
    places = max(0, 1 - math.floor(math.log10(half_width)))
    if places > 6:
        return f"{x:.3e} ± {half_width:.1e}"
    return f"{x:,.{places}f} ± {half_width:,.{places}f}"


def number(x: float | None) -> str:
    """A metric's value: whole numbers in full, others to four significant digits at most, `NaN` and `∞` as such."""
    if x is None:
        return UNKNOWN
    if isinstance(x, bool):
        return str(x).lower()
    if isinstance(x, int):
        return f"{x:,}" if abs(x) < 10**15 else f"{Decimal(x).normalize():.4g}"
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    return f"{x:,.0f}" if 1000 <= abs(x) < 1e9 else f"{x:.4g}"
