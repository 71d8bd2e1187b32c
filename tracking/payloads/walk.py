"""The exact encoding: any value as a plain tree that orjson writes without loss, bounded, and said where it is.

`encoding` takes this way where orjson alone would lose something (NaN, big integers, cycles, odd keys) or never end.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, NamedTuple

from weft.tracking.faults import let_through
from weft.tracking.payloads.objects import TAG, StoreBlob, Tag, class_name, described, handler_of, tag

MAX_DEPTH = 200
"""JSON levels that are written; what is below is marked."""
MAX_ITEMS = 1_000_000
"""Values that are written; what is beyond is marked with its number."""
MAX_REPEATED = 100_000
"""Values that are written once more because the same container is met again; and ten times as many as were new."""
MAX_REPEATED_CHARS = 32 << 20
"""Likewise, the characters of texts that are met again."""
LONG_TEXT = 1 << 16
"""Shorter texts are always written."""

FLOATS_OUT = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class _Made(NamedTuple):
    """A container that was written once: met again, its tree is used again."""

    value: object
    """Held, so that its id stays its own."""
    tree: object
    items: int
    chars: int
    levels: int
    anywhere: bool
    """Whether no reference in it leads out of it: its tree is the same wherever it stands."""


class Walk:
    """One exact encoding. Three frames of the stack a level: the caller may be deep in its own."""

    __slots__ = (
        "_chars",
        "_deepest",
        "_items",
        "_made",
        "_open",
        "_reach",
        "_repeated",
        "_repeated_chars",
        "_store_blob",
        "_texts",
    )

    def __init__(self, store_blob: StoreBlob | None) -> None:
        self._store_blob = store_blob
        self._open: dict[int, int] = {}
        """Containers we are inside of, by id, with their depth: meeting one again is a cycle."""
        self._made: dict[int, _Made] = {}
        self._texts: dict[int, str] = {}
        """The long texts that were written, by id."""
        self._items = 0
        self._repeated = 0
        self._chars = 0
        """Of long texts."""
        self._repeated_chars = 0
        self._deepest = 0
        """The lowest level that was written of the container we are in."""
        self._reach: float = math.inf
        """The highest level that a reference in it points to; above its own, its tree is good in one place only."""

    def build(self, value: object, depth: int) -> object:
        """The plain tree of a value that stands at this depth."""
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        if kind is int:
            return _integer(value)  # type: ignore[arg-type]
        if kind is float:
            return value if math.isfinite(value) else tag("float", FLOATS_OUT[str(value)])  # type: ignore[arg-type]
        if depth >= MAX_DEPTH:
            return tag("truncated", {"of": "levels", "kept": depth, "type": class_name(kind)})
        seen = self._open.get(id(value))
        if seen is not None:
            self._reach = min(self._reach, seen)
            return tag("ref", depth - seen)
        made = self._made.get(id(value))
        if made is not None:
            if not self._may_repeat(made):
                return _cut(None, 0, made.items)
            if made.anywhere and depth + made.levels < MAX_DEPTH:
                self._items += made.items
                self._chars += made.chars
                self._deepest = max(self._deepest, depth + made.levels)
                return made.tree
        items, chars, deepest, reach = self._items, self._chars, self._deepest, self._reach
        self._deepest, self._reach = depth, math.inf
        self._open[id(value)] = depth
        try:
            tree = self._container(value, depth)
        except Exception as error:
            let_through(error)
            tree = _failed(value, error)
        finally:
            del self._open[id(value)]
        self._made[id(value)] = _Made(
            value, tree, self._items - items, self._chars - chars, self._deepest - depth, self._reach >= depth
        )
        self._deepest, self._reach = max(deepest, self._deepest), min(reach, self._reach)
        return tree

    def _may_repeat(self, made: _Made) -> bool:
        """Whether a container that was met before is written once more; counts it."""
        self._repeated += made.items
        self._repeated_chars += made.chars
        return (
            self._repeated <= MAX_REPEATED + 10 * (self._items - self._repeated)
            and self._items + made.items <= MAX_ITEMS
            and self._repeated_chars <= MAX_REPEATED_CHARS
        )

    def _container(self, value: object, depth: int) -> object:
        if type(value) is Tag:
            return self._tag(value, depth)
        if isinstance(value, Enum):
            return self.build(value.value, depth)
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return _integer(int.__int__(value))
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, list) or type(value) is tuple:
            return self._list(list(value), depth)
        plain = handler_of(type(value))(value, self._store_blob)
        if type(plain) is Tag:
            return self._tag(plain, depth)
        return self.build(plain, depth)

    def _tag(self, plain: Tag, depth: int) -> object:
        """A handler's own tag: kept as it is, its content walked."""
        content = plain["v"]
        body: object
        if type(content) is dict and all(type(key) is str and key != TAG and _sound(key) for key in content):
            body = dict[str, object]()
            for key, item in content.items():
                body[key] = self.build(item, depth + 2)
        else:
            body = self.build(content, depth + 1)
        return tag(str(plain[TAG]), body)

    def _list(self, value: list[object], depth: int) -> object:
        kept = self._room(len(value))
        self._deepest = max(self._deepest, depth + 1)
        items = []
        for item in value[:kept]:
            items.append(self.build(item, depth + 1))  # noqa: PERF401 - a comprehension is a frame a level
        return items if kept == len(value) else _cut(items, kept, len(value))

    def _mapping(self, value: dict[Any, object], depth: int) -> object:
        pairs = list(dict.items(value))
        kept = self._room(len(pairs))
        self._deepest = max(self._deepest, depth + 1)
        result: Any
        if all(isinstance(key, str) and key != TAG and _sound(key) for key, _ in pairs):
            result = {}
            for key, item in pairs[:kept]:
                result[_plain(key)] = self.build(item, depth + 1)
            if len(result) != min(kept, len(pairs)):
                result = None  # two keys of one text: a text and a subclass that compares otherwise
        else:
            result = None
        if result is None:
            self._deepest = max(self._deepest, depth + 3)
            written: list[object] = []
            for key, item in pairs[:kept]:
                written.append([self.build(key, depth + 3), self.build(item, depth + 3)])
            result = tag("map", written)
        return result if kept == len(pairs) else _cut(result, kept, len(pairs))

    def _room(self, wanted: int) -> int:
        kept = max(0, min(wanted, MAX_ITEMS - self._items))
        self._items += kept
        return kept

    def _text(self, value: str) -> object:
        """Lone surrogates are no UTF-8: they are written as Python escapes."""
        if len(value) > LONG_TEXT:
            self._chars += len(value)
            if id(value) in self._texts:
                self._repeated_chars += len(value)
                if self._repeated_chars > MAX_REPEATED_CHARS:
                    return tag("truncated", {"of": "characters", "kept": 0, "total": len(value), "value": None})
            self._texts[id(value)] = value
        return value if _sound(value) else tag("str", value.encode("unicode_escape").decode("ascii"))


def _failed(value: object, error: Exception) -> object:
    try:
        return described(value)
    except Exception as failure:
        let_through(failure)
        return tag("repr", {"type": class_name(type(value)), "text": f"<unreadable: {type(error).__name__}>"})


def _cut(value: object, kept: int, total: int) -> object:
    return tag("truncated", {"of": "items", "kept": kept, "total": total, "value": value})


def _plain(key: str) -> str:
    return str.__str__(key)


def _sound(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(value: int) -> object:
    """Hexadecimal beyond 64 bits: Python limits decimal conversions."""
    return value if -(1 << 63) <= value < 1 << 64 else tag("int", hex(value))
