"""What a terminal would show of what was written to it: a progress bar is one line, however often it is drawn. Pure.

Rows are never wrapped and never scroll away upwards; the cursor reaches the last `REACH` of them. One code point is one
column. Colours and the like stay, as ANSI codes of one form; everything else that steers a terminal is carried out or
left out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

REACH = 200
"""Rows that the cursor can go back up: no terminal is taller."""
LONGEST = 1 << 18
"""Characters of a line that are kept; how many more there were is said."""
_UNFINISHED = 4096
"""An escape sequence longer than this is none."""

_control = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]").search
_piece = re.compile(
    r"(?P<text>[^\x00-\x08\x0a-\x1f\x7f\x80-\x9f]+)"
    r"|(?:\x1b\[|\x9b)(?P<csi>[0-?]*[ -/]*[@-~])"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?P<string>\x07|\x1b\\|\x9c)"
    r"|\x1b(?P<escape>[ -/]*[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9a\x9c])"
)
_begun = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c\n]*\x1b?|[ -/]*)"
    r"|\x9b[0-?]*[ -/]*|[\x9d\x90\x98\x9e\x9f][^\x07\x1b\x9c\n]*\x1b?"
)
_SIMPLE = {1: 22, 2: 22, 3: 23, 4: 24, 5: 25, 7: 27, 8: 28, 9: 29}
"""Attributes of SGR (ECMA-48, 8.3.117) and what ends each."""


class Line(NamedTuple):
    """A row as it stands now."""

    number: int
    plain: str
    styled: str
    """With ANSI colour codes; the same as `plain` where there are none."""


class _Row:
    """Text, and the style of each character where any has one. Appending to it is cheap, however long it is."""

    __slots__ = ("length", "parts", "styles")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.styles: list[str] | None = None

    def text(self) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def write(self, column: int, text: str, style: str) -> None:
        size = len(text)
        if column >= self.length:
            gap = column - self.length
            self.parts += (" " * gap, text) if gap else (text,)
            if style or self.styles is not None:
                self.styles = (self.styles or [""] * self.length) + [""] * gap + [style] * size
            self.length = column + size
            return
        was = self.text()
        self.parts = [was[:column] + text + was[column + size :]]
        self.length = max(self.length, column + size)
        if style or self.styles is not None:
            styles = self.styles or [""] * len(was)
            styles[column : column + size] = [style] * size
            self.styles = styles

    def blank(self, start: int, end: int) -> None:
        """Erase columns; what is behind the last character is not there."""
        end = min(end, self.length)
        if start >= end:
            return
        if end < self.length:
            self.write(start, " " * (end - start), "")
            return
        self.parts = [self.text()[:start]]
        self.length = start
        if self.styles is not None:
            del self.styles[start:]

    def line(self, number: int) -> Line:
        text = self.text()
        if self.length > LONGEST:
            more = f" … ({self.length - LONGEST:,} characters more)"
            text = text[:LONGEST] + more
            styles = None if self.styles is None else self.styles[:LONGEST] + [""] * len(more)
        else:
            styles = self.styles
        plain = text.rstrip(" ")
        if styles is None:
            return Line(number, plain, plain)
        return Line(number, plain, _painted(text, styles))


class Terminal:
    """One screen that is written to: `feed` it, then take what `changed`. Its owner orders its callers.

    Args:
        first: the number of the first line.
    """

    def __init__(self, first: int = 0) -> None:
        self._rows: list[_Row] = [_Row()]
        self._first = first
        """Number of the first row that the cursor can still reach."""
        self._row = first
        """Where the cursor is, as a number of a line."""
        self._column = 0
        self._style = ""
        self._codes: dict[str, str] = {}
        self._rest = ""
        """An escape sequence that has not ended yet."""
        self._dirty: set[int] = set()

    def feed(self, text: str) -> bool:
        """Take what was written; whether it began a new line, so that those before it are complete."""
        last = self._first + len(self._rows) - 1
        row = self._rows[-1]
        plain = not self._rest and not self._style and self._row == last and self._column == row.length
        if plain and row.styles is None and _control(text) is None:
            return self._feed_plain(text, row)
        text = self._rest + text
        self._rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\n":
                self._line_feed()
                at += 1
                continue
            found = _piece.match(text, at)
            if found is None:
                at = self._unfinished(text, at)
                continue
            self._obey(found)
            at = found.end()
        return self._first + len(self._rows) - 1 > last

    @property
    def end(self) -> int:
        """The number behind the last line that has anything on it."""
        return self._first + len(self._rows) - (0 if self._rows[-1].length else 1)

    def changed(self) -> list[Line]:
        """The lines that are not as they were when this was last asked, in order."""
        found = []
        for number in sorted(self._dirty):
            row = self._rows[number - self._first]
            found.append(row.line(number))
            if row.length > LONGEST:  # let go of what is not kept
                row.blank(LONGEST, row.length)
        self._dirty.clear()
        if len(self._rows) > REACH:
            gone = len(self._rows) - REACH
            self._first += gone
            self._row = max(self._row, self._first)
            del self._rows[:gone]
        return found

    def _feed_plain(self, text: str, row: _Row) -> bool:
        """Most of what is written: text that goes on where the last line ends."""
        head, *more = text.split("\n")
        if head:
            row.parts.append(head)
            row.length += len(head)
            self._dirty.add(self._row)
        for part in more:
            self._dirty.add(self._row)  # an empty line, too, is one
            row = _Row()
            if part:
                row.parts.append(part)
                row.length = len(part)
            self._rows.append(row)
            self._row += 1
            if part:
                self._dirty.add(self._row)
        self._column = row.length
        return bool(more)

    def _unfinished(self, text: str, at: int) -> int:
        """An escape sequence whose end is still to come is kept; what can be none loses its first sign."""
        if len(text) - at <= _UNFINISHED and _begun.fullmatch(text, at):
            self._rest = text[at:]
            return len(text)
        return at + 1

    def _obey(self, found: re.Match[str]) -> None:
        kind = found.lastgroup
        if kind == "text":
            text = found["text"]
            self._rows[self._row - self._first].write(self._column, text, self._style)
            self._column += len(text)
            self._dirty.add(self._row)
        elif kind == "csi":
            self._csi(found["csi"])
        elif kind == "control":
            sign = found["control"]
            if sign == "\r":
                self._column = 0
            elif sign == "\b":
                self._column = max(0, self._column - 1)
            elif sign in "\x0b\x0c\x84\x85":  # VT, FF, IND and NEL go to another line
                self._line_feed()
        elif kind == "escape" and found["escape"] in ("M", "D", "E"):  # up, down, next line
            self._up(1) if found["escape"] == "M" else self._line_feed()

    def _line_feed(self) -> None:
        """As written by programs: the terminal's driver makes carriage return and line feed of it."""
        self._dirty.add(self._row)
        self._row += 1
        self._column = 0
        if self._row - self._first == len(self._rows):
            self._rows.append(_Row())

    def _up(self, count: int) -> None:
        floor = max(self._first, self._first + len(self._rows) - REACH)
        self._row = max(floor, self._row - count)

    def _csi(self, body: str) -> None:
        final, numbers = body[-1], body[:-1]
        if final == "m":
            if not numbers or numbers[0] not in "<=>?":
                self._paint(numbers)
            return
        if not all(sign in "0123456789;" for sign in numbers):
            return
        first = numbers.split(";")[0]
        given = min(int(first), LONGEST) if 0 < len(first) < 9 else 0
        count = max(1, given)
        bottom = self._first + len(self._rows) - 1
        if final in "AF":
            self._up(count)
        elif final in "BE":
            self._row = min(bottom, self._row + count)
        elif final == "C":
            self._column = min(LONGEST, self._column + count)
        elif final == "D":
            self._column = max(0, self._column - count)
        elif final in "G`":
            self._column = count - 1
        elif final in "KX":
            self._erase(final, given)
        elif final == "J" and given == 0:
            self._rows[self._row - self._first].blank(self._column, LONGEST * 2)
            self._dirty.add(self._row)
            for number in range(self._row + 1, bottom + 1):
                self._rows[number - self._first] = _Row()
                self._dirty.add(number)
        if final in "EF":
            self._column = 0

    def _erase(self, final: str, given: int) -> None:
        row = self._rows[self._row - self._first]
        end = row.length
        if final == "X":
            row.blank(self._column, self._column + max(1, given))
        elif given == 0:
            row.blank(self._column, end)
        elif given == 1:
            row.blank(0, self._column + 1)
        elif given == 2:
            row.blank(0, end)
        self._dirty.add(self._row)

    def _paint(self, numbers: str) -> None:
        """Select graphic rendition: what is set from here on."""
        codes = self._codes
        values = [part or "0" for part in numbers.replace(":", ";").split(";")]
        at = 0
        while at < len(values):
            value = int(values[at]) if len(values[at]) < 4 and values[at].isdecimal() else -1
            taken = 1
            if value == 0:
                codes.clear()
            elif value in _SIMPLE:
                codes[f"{_SIMPLE[value]}-{value}"] = str(value)
            elif value in _SIMPLE.values():
                for name in [name for name in codes if name.startswith(f"{value}-")]:
                    del codes[name]
            elif value in (38, 48):
                taken = {"5": 3, "2": 5}.get(values[at + 1] if at + 1 < len(values) else "", 1)
                chosen = values[at : at + taken]
                if taken > 1 and len(chosen) == taken and all(v.isdecimal() and int(v) < 256 for v in chosen):
                    codes["fore" if value == 38 else "back"] = ";".join(str(int(v)) for v in chosen)
            elif 30 <= value <= 37 or 90 <= value <= 97:
                codes["fore"] = str(value)
            elif 40 <= value <= 47 or 100 <= value <= 107:
                codes["back"] = str(value)
            elif value in (39, 49):
                codes.pop("fore" if value == 39 else "back", None)
            at += taken
        self._style = ";".join(codes[name] for name in sorted(codes))


def _painted(text: str, styles: list[str]) -> str:
    """Text with its colours as ANSI codes: each run of one style is opened and closed; spaces at the end go."""
    end = len(text)
    while end and text[end - 1] == " " and not styles[end - 1]:
        end -= 1
    parts: list[str] = []
    at = 0
    while at < end:
        style = styles[at]
        stop = at + 1
        while stop < end and styles[stop] == style:
            stop += 1
        parts.append(f"\x1b[{style}m{text[at:stop]}\x1b[0m" if style else text[at:stop])
        at = stop
    return "".join(parts)
