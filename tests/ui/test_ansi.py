"""Colours of a terminal become looks that both themes have; the text itself is never lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.ui.ansi import Span, hue_of, spans


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("plain", [Span("plain", "")]),
        ("\x1b[31mred\x1b[0m then", [Span("red", "vermillion"), Span(" then", "")]),
        ("\x1b[1;92mok\x1b[22m still green", [Span("ok", "green bold"), Span(" still green", "green")]),
        ("\x1b[38;5;208mx\x1b[39my", [Span("x", "orange"), Span("y", "")]),
        ("\x1b[38;2;90;120;250mx", [Span("x", "blue")]),
        ("\x1b[41mx\x1b[49m\x1b[7my\x1b[27mz", [Span("x", "wash"), Span("y", "wash"), Span("z", "")]),
        ("\x1b[37mwhite on any theme", [Span("white on any theme", "")]),
        ("\x1b[38;5mx", [Span("x", "")]),
    ],
)
def test_a_line_in_pieces(line: str, expected: list[Span]) -> None:
    assert spans(line) == expected


@given(st.text("ab \x1b[0123456789;m", max_size=60))
def test_the_text_stays(line: str) -> None:
    assert "".join(span.text for span in spans(line)) == re.sub("\x1b\\[[0-9;]*m", "", line)


@pytest.mark.parametrize(
    ("colour", "hue"),
    [
        ((255, 0, 0), "vermillion"),
        ((255, 255, 255), ""),
        ((0, 0, 0), "muted"),
        ((0, 200, 0), "green"),
        ((0, 200, 220), "sky"),
        ((40, 60, 255), "blue"),
        ((255, 0, 200), "purple"),
        ((230, 150, 0), "orange"),
    ],
)
def test_a_colour_is_the_nearest_hue(colour: tuple[int, int, int], hue: str) -> None:
    assert hue_of(*colour) == hue
