"""What every command prints with: one console, tables, status words with their signs, and user text made harmless.

Called by the commands and the demo. User text goes through `escape` or `text` before it reaches a terminal; markup is
never made of it.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
import unicodedata
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from typing import Any, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from weft.tracking.errors import UsageError
from weft.tracking.payloads.redaction import redact_text

OK, FAILURE, INCOMPLETE, USAGE, GATE = 0, 1, 2, 64, 100
"""Exit codes: fine, something is wrong, not all was done, wrong call, a threshold was missed."""

_signs: Mapping[str, tuple[str, str]] = {
    "ok": ("●", "green"),
    "finished": ("●", "green"),
    "passed": ("●", "green"),
    "error": ("▲", "red"),
    "failed": ("▲", "red"),
    "crashed": ("▲", "red"),
    "killed": ("■", "yellow"),
    "cancelled": ("■", "yellow"),
    "interrupted": ("■", "yellow"),
    "warning": ("!", "yellow"),
    "running": ("◌", "cyan"),
}

_PLAIN_SIGNS = str.maketrans(
    {
        "●": "*",
        "▲": "!",
        "■": "x",
        "◌": "~",
        "○": "o",
        "…": "~",
        "·": "-",
        "–": "-",
        "—": "-",
        "─": "-",
        "→": "->",
        "★": "*",
    }
    | {"±": "+-", "µ": "u", "×": "x", "⏎": "|", "⇥": ">", "␍": "|", "▁": "_", "▂": "_", "▃": "-", "▄": "-"}
    | {"▅": "=", "▆": "=", "▇": "#", "█": "#"}
)


def adapt() -> None:
    """Let stdout and stderr take any text, on a terminal of any encoding: our signs in ASCII, the rest as escapes."""
    codecs.register_error("weft-plain", _in_plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="weft-plain")


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    held = error.object[error.start : error.end].translate(_PLAIN_SIGNS)
    return held.encode("ascii", "backslashreplace").decode(), error.end


def console(*, stderr: bool = False) -> Console:
    """A console on the real stdout or stderr of this moment. Obeys NO_COLOR; no colour where nobody looks."""
    return Console(stderr=stderr, highlight=False, soft_wrap=False, emoji=False)


def escape(value: object, limit: int | None = None) -> str:
    """User text on one line, harmless: control, ANSI, bidi and invisible characters become visible escapes.

    Args:
        limit: most characters; what is cut shows as `…`.
    """
    shown = str(value)
    if limit is not None and len(shown) > limit:
        shown = shown[: max(0, limit - 1)] + "…"
    return shown if shown.isprintable() else "".join(_visible(char) for char in shown)


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    named = {"\n": "⏎", "\t": "⇥", "\r": "␍"}.get(char)
    if named is not None:
        return named
    if unicodedata.category(char) == "Zs":  # a space of any width is harmless
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def text(value: object, style: str = "", limit: int | None = None) -> Text:
    """User text for a table cell or a line: escaped, never read as markup."""
    return Text(escape(value, limit), style=style, overflow="ellipsis", no_wrap=limit is not None)


def coloured(line: str) -> Text:
    """A line that a program printed: colours (SGR) stay where the output takes them, all else is made harmless."""
    parts = _COLOURS.split(line.expandtabs())
    return Text.from_ansi("".join(part if at % 2 else escape(part) for at, part in enumerate(parts)))


def status(word: str) -> Text:
    """`● ok`, `▲ error`, `◌ running`: sign and colour say the same, so that neither alone is needed."""
    sign, colour = _signs.get(word, ("○", "dim"))
    return Text(f"{sign} {escape(word)}", style=colour, no_wrap=True)


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """A calm table: a rule below the header, nothing else. Columns named in `right` are right-aligned."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", header_style="bold")
    numeric = set(right)
    for name in columns:
        made.add_column(Text(name), justify="right" if name in numeric else "left", no_wrap=name in numeric)
    return made


_COLOURS = re.compile("(\x1b\\[[0-9;]*m)")
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def print_json(value: object) -> None:
    """`--json`: one document on stdout. Dataclasses become objects, NaN and infinities the text `NaN`, `Infinity`."""
    ascii_only = not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    told = json.dumps(_plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    # C1 controls and bidi marks, which a terminal obeys, as JSON's escapes: the same value
    sys.stdout.write(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", told) + "\n")


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in asdict(value).items()}
    if isinstance(value, Mapping):
        return {_sound(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, array, range)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else str(value)
    if isinstance(value, str):
        return _sound(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def _sound(value: str) -> str:
    """Without lone surrogates, which no output takes."""
    return value.encode("utf-8", "backslashreplace").decode()


def confirm(question: str, *, yes: bool, what: str) -> None:
    """Ask before something is removed, unless the answer was given (`--yes`). No ends the command.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} would be removed. Say --yes to do it, or --dry-run to only look")
    if console(stderr=True).input(f"{question} This cannot be undone. [y/N] ").strip().lower() not in ("y", "yes"):
        raise SystemExit(FAILURE)


def fail(message: object, code: int = FAILURE) -> NoReturn:
    """Say what went wrong in one line on stderr and end the command with this exit code."""
    told = redact_text(str(message))  # it may quote a URL with its password
    console(stderr=True).print(Text.assemble(("error: ", "bold red"), text(told)), soft_wrap=True)
    raise SystemExit(code)
