"""Applies what runs printed: lines by writer, stream and number, the last writer of each. For `Sink.apply`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import ConsoleLogged
from weft.tracking.store import schema
from weft.tracking.store.transaction import Row, Transaction

Place = tuple[int, bytes, str]
"""Run key, writer, stream."""

_colours = re.compile("\x1b\\[[0-9;]*m")


def apply_console(tx: Transaction, writer: bytes, frames: Sequence[Frame]) -> None:
    """Apply `ConsoleLogged`. Of a run that was removed nothing is kept.

    Args:
        writer: of the segment: each counts lines of its own.
    """
    said: dict[Place, dict[int, Row]] = {}
    for frame in frames:
        record = frame.record
        assert isinstance(record, ConsoleLogged)
        key = tx.run_key(record.run_uid)
        if key is not None:
            lines = said.setdefault((key, writer, record.stream), {})
            for number, text in enumerate(record.lines, record.first):
                _keep(lines, number, record.at_ns, record.at_ns, text)
    for place, lines in said.items():
        for number, began_ns, at_ns, text, styled in tx.rows(
            "SELECT number, began_ns, at_ns, text, styled FROM console_line "
            "WHERE run_key = ? AND writer = ? AND stream = ? AND number BETWEEN ? AND ?",
            (*place, min(lines), max(lines)),
        ):
            if number in lines:
                _keep(lines, number, began_ns, at_ns, text if styled is None else styled)
        tx.upsert(schema.console_line, [(*place, number, *_row(*lines[number])) for number in sorted(lines)])


def _keep(lines: dict[int, Row], number: int, began_ns: int, at_ns: int, text: str) -> None:
    """Whatever comes first: a line began with the first word of it, and is what the last one says."""
    known = lines.get(number)
    if known is None:
        lines[number] = (began_ns, at_ns, text)
    else:
        lines[number] = (min(began_ns, known[0]), *max((at_ns, text), known[1:]))


def _row(began_ns: int, at_ns: int, text: str) -> Row:
    plain = _colours.sub("", text) if "\x1b" in text else text
    return began_ns, at_ns, plain, None if plain == text else text
