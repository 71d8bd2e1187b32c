"""Regular expressions of a filter, bounded: nested repeats may never make a question one without an answer.

Python's `re` reads the pattern, so what it means is what `re` means; `regex`, which can give up, looks for it.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable
from typing import Final

from weft.tracking.errors import UsageError

MOST_SECONDS: Final = 5.0
"""What one question spends in looking for its pattern, over all rows of a page."""
MOST_LETTERS: Final = 2_000
"""Of a pattern."""
MOST_REPEATS: Final = 20_000
"""Counts within counts, multiplied: `regex` writes them out in memory."""
_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d*)(,?)(\d*)\}|[(){]", re.DOTALL)


def search(name: str, pattern: str, *, case: bool = True) -> Callable[[str], bool]:
    """Whether a text holds what the pattern says.

    Raises:
        UsageError: it is no pattern, or too large a one; when it is asked: it took longer than `MOST_SECONDS`.
    """
    import regex  # late: 15 ms that only who asks so pays

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of [[ and [a||b]: their meaning here is today's
            re.compile(pattern)
            found = regex.compile(_plain(name, pattern), 0 if case else regex.IGNORECASE)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise UsageError(f"filter {name!r}: {pattern!r:.200} is no regular expression: {error}") from error
    left = MOST_SECONDS

    def holds(text: str) -> bool:
        nonlocal left
        began = time.perf_counter()
        try:
            return found.search(text, timeout=max(left, 0.001)) is not None
        except (TimeoutError, MemoryError):
            left = 0.0
        finally:
            left -= time.perf_counter() - began
        raise UsageError(
            f"filter {name!r}: looking for {pattern!r:.200} took longer than {MOST_SECONDS:g} s and was given up. "
            "Repeats within repeats, as (a+)+, are slow: write it without, or narrow the filter, by time for one"
        )

    return holds


def _plain(name: str, pattern: str) -> str:
    """The pattern with braces that count nothing escaped (`{e}` is a letter to `re`, a fuzzy match to `regex`)."""
    inside, closed, end = [1], 1, -1
    made, copied = [], 0
    for token in _TOKEN.finditer(pattern):
        sign = token[0]
        if sign == "(":
            inside.append(1)
        elif sign == ")" and len(inside) > 1:
            closed, end = inside.pop(), token.end()
            inside[-1] = max(inside[-1], closed)
        elif sign[0] == "{":
            if sign == "{,}":  # to `re` any number of times, to `regex` three letters
                made.append(pattern[copied : token.start()] + "*")
                copied = token.end()
                continue
            if sign == "{" or not (token[1] or token[3]):
                made.append(pattern[copied : token.start()] + "\\{")
                copied = token.start() + 1
                continue
            times = int((token[3] or token[1])[:9])
            inside[-1] = max(inside[-1], times * (closed if token.start() == end else 1))
        if max(inside) > MOST_REPEATS:
            break
    if max(inside) > MOST_REPEATS or len(pattern) > MOST_LETTERS:
        raise UsageError(
            f"filter {name!r}: {pattern!r:.200} is too large; a pattern has at most {MOST_LETTERS:,} letters and "
            f"counts at most {MOST_REPEATS:,} repeats"
        )
    return "".join(made) + pattern[copied:]
