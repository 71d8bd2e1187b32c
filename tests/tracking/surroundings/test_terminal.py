"""A terminal shows what it would show: bars are lines, colours stay, and nothing that steers a terminal is left."""

from __future__ import annotations

import re
import time

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.tracking.surroundings.terminal import LONGEST, REACH, Line, Terminal


def shown(*texts: str) -> list[str]:
    """The lines in the end, without colours."""
    return [line.plain for line in screen(*texts)]


def screen(*texts: str) -> list[Line]:
    terminal = Terminal()
    lines: dict[int, Line] = {}
    for text in texts:
        terminal.feed(text)
        lines |= {line.number: line for line in terminal.changed()}
    return [lines.get(number, Line(number, "", "")) for number in range(max(lines, default=-1) + 1)]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\n\nb", ["a", "", "b"]),
        ("abc\rxyz\n", ["xyz"]),
        ("abcdef\rxyz\n", ["xyzdef"]),
        ("abcdef\rxyz\x1b[K\n", ["xyz"]),
        ("abc\b\bX\n", ["aXc"]),
        ("one\ntwo\x1b[A!\n\nthree", ["one!", "two", "three"]),
        ("10%\r\x1b[2K20%\n", ["20%"]),
        ("a\x1b[5Cb", ["a     b"]),
        ("name\tvalue\n", ["name\tvalue"]),
        ("\x1b]0;a title\x07shown\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", ["shownlink"]),
        ("\x1b[?25lhidden cursor\x1b[?25h", ["hidden cursor"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("trailing   \n", ["trailing"]),
        ("grüße 日本 🎉\n", ["grüße 日本 🎉"]),
    ],
)
def test_what_is_shown(written: str, lines: list[str]) -> None:
    assert shown(written) == lines
    assert shown(*written) == lines, "one character at a time"


def test_nested_bars_are_two_lines() -> None:
    """As tqdm draws them: down, carriage return, the bar, up again."""
    frames = []
    for outer in range(3):
        frames.append(f"\repoch {outer}/3")
        frames += [f"\n\r  batch {inner}/4\x1b[A" for inner in range(4)]
    assert shown(*frames, "\repoch 3/3", "\n\r\x1b[K", "\x1b[A", "\n\n", "done\n") == ["epoch 3/3", "", "done"]


def test_colours_stay_in_one_form() -> None:
    (line,) = screen("plain \x1b[1m\x1b[31mred\x1b[39m bold\x1b[m \x1b[38;5;208morange\x1b[0m\n")
    assert line.plain == "plain red bold orange"
    assert line.styled == "plain \x1b[1;31mred\x1b[0m\x1b[1m bold\x1b[0m \x1b[38;5;208morange\x1b[0m"


def test_only_what_changed_is_told() -> None:
    terminal = Terminal()
    assert terminal.feed("a\nb\nc")
    assert [line.number for line in terminal.changed()] == [0, 1, 2]
    assert terminal.changed() == []
    assert not terminal.feed("\x1b[2A\rA\x1b[2B")
    assert terminal.changed() == [Line(0, "A", "A")]


def test_a_line_is_complete_when_the_next_begins() -> None:
    terminal = Terminal()
    assert not terminal.feed("10%")
    assert not terminal.feed("\r20%")
    assert terminal.feed("\n")
    terminal.feed("next\x1b[A\rup")
    assert not terminal.feed("\n"), "it was there already"


def test_a_line_without_end_is_cut_and_that_is_said() -> None:
    started = time.monotonic()
    terminal = Terminal()
    for _ in range(LONGEST + 1000):
        terminal.feed(".")
    (line,) = terminal.changed()
    assert line.plain == "." * LONGEST + " … (1,000 characters more)"
    assert time.monotonic() - started < 5, "each character costs the same"


def test_the_cursor_reaches_no_line_that_has_gone() -> None:
    terminal = Terminal()
    terminal.feed("".join(f"{at}\n" for at in range(REACH * 3)))
    assert len(terminal.changed()) == REACH * 3
    terminal.feed(f"\x1b[{REACH * 10}A\rtop")
    (line,) = terminal.changed()
    assert line.number >= REACH * 2
    assert len(terminal._rows) <= REACH


_text = st.text("abc XYZ.#", min_size=1, max_size=8)
_few = st.integers(1, 4)
_op = st.one_of(
    _text,
    st.just("\n"),
    st.just("\r"),
    st.just("\b"),
    st.builds(lambda n, what: f"\x1b[{n}{what}", _few, st.sampled_from("ACDGX")),
    st.builds(lambda n: f"\x1b[{n}K", st.integers(0, 2)),
    st.just("\x1b[J"),
    st.just("\x1b[K"),
    st.builds(lambda n: f"\x1b[{n}m", st.sampled_from([0, 1, 31, 44, 39, 97])),
)


@settings(max_examples=300)
@given(st.lists(_op, max_size=40))
def test_it_shows_what_pyte_shows(written: list[str]) -> None:
    """Another emulator's screen, so wide and high that nothing wraps or scrolls."""
    other = pyte.Screen(400, 60)
    other.set_mode(pyte.modes.LNM)
    pyte.Stream(other).feed("".join(written))
    expected = [line.rstrip() for line in other.display]
    found = shown("".join(written))
    assert found == expected[: len(found)]
    assert not any(expected[len(found) :])


@given(st.lists(_op, max_size=25), st.data())
def test_how_it_is_cut_into_writes_does_not_matter(written: list[str], data: st.DataObject) -> None:
    text = "".join(written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert screen(*parts) == screen(text)


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b[]m;0123\r\n\x9b\x9c\x07K"), max_size=80))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    for line in screen(text):
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", re.sub("\x1b\\[[0-9;]+m", "", line.styled))
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", line.plain)
