"""A line's ANSI colours as words that the app has a look for in both themes. Pure; knows no HTML.

A colour becomes the nearest hue that is readable here: what a program chose for a black terminal must not vanish on
white. Backgrounds become one wash.
"""

from __future__ import annotations

import colorsys
import re
from typing import NamedTuple

_SGR = re.compile("\x1b\\[([0-9;]*)m")
_NAMED = ("muted", "vermillion", "green", "orange", "blue", "purple", "sky", "")
"""Of 30 to 37 and 90 to 97; white is plain text."""
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "wash", 9: "struck"}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("under",), 27: ("wash",), 29: ("struck",)}


class Span(NamedTuple):
    """A piece of a line, and how it looks."""

    text: str
    look: str
    """Words with spaces between: a hue of the theme, bold, dim, italic, under, struck, wash."""


def spans(line: str) -> list[Span]:
    """The pieces of one line, in order; nothing of them is empty."""
    if "\x1b" not in line:
        return [Span(line, "")] if line else []
    found: list[Span] = []
    hue, styles, back = "", set[str](), False
    for at, part in enumerate(_SGR.split(line)):
        if at % 2 == 0:
            if part:
                look = [hue, *sorted(styles | ({"wash"} if back else set()))]
                found.append(Span(part, " ".join(word for word in look if word)))
            continue
        codes = [int(code or 0) for code in part.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                hue, styles, back = "", set(), False
            elif code in _STYLES:
                styles.add(_STYLES[code])
            elif code in _ENDS:
                styles.difference_update(_ENDS[code])
            elif code in (38, 48):
                chosen = _extended(codes)
                hue, back = (chosen, back) if code == 38 else (hue, True)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                hue = _NAMED[code % 10]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                back = True
            elif code == 39:
                hue = ""
            elif code == 49:
                back = False
    return found


def _extended(codes: list[int]) -> str:
    """The hue of `5;n` or `2;r;g;b`, which are taken from the front."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        number = codes.pop(0)
        if number < 16:
            return _NAMED[number % 8]
        if number >= 232:
            return "muted" if number < 250 else ""
        levels = (0, 95, 135, 175, 215, 255)
        number -= 16
        return hue_of(levels[number // 36 % 6], levels[number // 6 % 6], levels[number % 6])
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return hue_of(red, green, blue)
    return ""


def hue_of(red: int, green: int, blue: int) -> str:
    """The theme's hue that is nearest to a colour; greys are muted or, where bright, plain."""
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if saturation < 0.2 or value < 0.15:
        return "" if value > 0.8 else "muted"
    names = ("vermillion", "orange", "green", "green", "sky", "blue", "violet", "purple")
    limits = (20, 70, 100, 165, 200, 255, 280, 335)
    return next((name for name, limit in zip(names, limits, strict=True) if hue * 360 < limit), "vermillion")
