"""Whether a value is small in memory and vast when written: what holds the same container, or text, over and over.

`[x, x]`, forty levels deep, is 2^40 values as JSON. `encoding` asks here before it lets orjson write. Pure.
"""

from __future__ import annotations

ROOM = 4096
"""The product of the breadths on every way down, up to which a value cannot be vast."""
LONG_TEXT = 1 << 16
"""Characters from which a text is weighed."""
VAST = 8 << 20
"""Values and characters; what writes fewer is written, however often it repeats itself."""
TIMES_HELD = 4
"""How much more than it holds a vast value writes at least, to be said to swell."""
DEEPEST = 64
"""Levels of the quick look."""
ORJSON_LEVELS = 254

_ATOMS = frozenset({int, bool, float, type(None)})


def swells(value: object) -> bool:
    """Whether writing this would take far more than holding it does; costs next to nothing for ordinary values."""
    try:
        if _fits(value, ROOM, DEEPEST):
            return False
        scale = _Scale()
        written = scale.weigh(value, 0)
    except RecursionError:  # the caller is at its limit; a value too deep for orjson, it refuses at once
        return False
    return written > VAST and written > TIMES_HELD * scale.held


def _fits(value: object, room: int, levels: int) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= LONG_TEXT  # type: ignore[arg-type]
    if isinstance(value, dict):
        items = value.values()
    elif isinstance(value, list | tuple):
        items = value  # type: ignore[assignment]
    else:
        return True
    if len(value) > room or not levels:
        return len(value) <= room << 8 and _ATOMS.issuperset(map(type, items))
    room //= len(value) or 1
    return all(type(item) in _ATOMS or _fits(item, room, levels - 1) for item in items)


class _Scale:
    """Weighs a value as it is held and as it is written: values, and characters of its texts."""

    __slots__ = ("_known", "held")

    def __init__(self) -> None:
        self.held = 0
        self._known: dict[int, int] = {}
        """What was weighed already, by id: all of it is alive while its owner is weighed."""

    def weigh(self, value: object, depth: int) -> int:
        """How much is written for it."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            parts = [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            parts = value  # type: ignore[assignment]
        else:
            self.held += 1
            return 1
        known = self._known.get(id(value))
        if known is not None:
            return known
        if _ATOMS.issuperset(map(type, parts)):
            self.held += 1 + len(parts)
            self._known[id(value)] = 1 + len(parts)
            return 1 + len(parts)
        self._known[id(value)] = 0  # inside itself it weighs nothing: orjson refuses cycles
        self.held += 1
        total = 1
        if depth < ORJSON_LEVELS:  # orjson refuses what is deeper
            total += sum(self.weigh(part, depth + 1) for part in parts)
        self._known[id(value)] = total
        return total

    def _text(self, text: str) -> int:
        size = 1 + len(text)
        if size < LONG_TEXT or id(text) not in self._known:
            self.held += size
            if size >= LONG_TEXT:
                self._known[id(text)] = size
        return size
