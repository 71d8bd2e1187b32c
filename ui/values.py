"""What users recorded, made fit to show: JSON-safe, bounded, nothing that a browser could obey. Pure."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import orjson

from weft.tracking import units
from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged, encode
from weft.ui import media

LONGEST = 200_000
"""Characters of one text that go to the browser; what is cut is said, and stays whole in the store."""
LONGEST_JSON = 5_000_000
DEEPEST = 60
WIDEST = 5_000
"""Items of one list or mapping that go to the browser."""
LITERAL = "\0"
"""The key under which the component finds something that JSON cannot say (`NaN`, bytes): shown as it stands."""

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CONTROLS = (  # noqa: SIM905 - 32 strings in quotes read worse
    "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split()
"""Their names: Unicode's pictures of them (U+2400 and on) are in few fonts."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Control characters, ANSI escapes and bidirectional overrides as visible signs: text outside the components."""
    return _UNSAFE.sub(_sign, encodable(text))


def encodable(text: str) -> str:
    """Lone surrogates as `⟨U+D83D⟩`: the wire is UTF-8, which has none."""
    return _SURROGATE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"⟨{_CONTROLS[code]}⟩" if code < 0x20 else f"⟨U+{code:04X}⟩"


def one_line(text: str, limit: int = 160) -> str:
    """For a cell: line breaks as spaces, cut at `limit`."""
    flat = " ".join(text[: limit * 4].split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def showable(value: Any, depth: int = 0) -> Any:
    """A decoded payload as plain JSON; whatever is more than that becomes `{LITERAL: text}`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _bounded(encodable(value))
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {LITERAL: str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {LITERAL: str(value).replace("inf", "Infinity").replace("nan", "NaN")}
    if isinstance(value, (bytes, bytearray)):
        more = "…" if len(value) > 48 else ""
        return {LITERAL: f"{len(value):,} bytes, base64 {base64.b64encode(value[:48]).decode()}{more}"}
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Content | Tagged) and (told := media.described(value)) is not None:
        return {media.MEDIA: {name: encodable(text) for name, text in told.items()}}
    if isinstance(value, Content):
        return {LITERAL: encodable(repr(value))}
    if isinstance(value, Tagged) and value.kind == "text" and isinstance(value.value, list):
        return [showable(part, depth + 1) for part in value.value]
    if isinstance(value, Tagged) and value.kind == "truncated" and isinstance(value.value, Mapping):
        return _partial(value.value, depth)
    if isinstance(value, Tagged):
        return {LITERAL: _bounded(encodable(_tagged(value)))}
    if depth >= DEEPEST:
        return {LITERAL: "… deeper than is shown"}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, (Sequence, set, frozenset)):
        items = list(value)
        shown = [showable(item, depth + 1) for item in items[:WIDEST]]
        return [*shown, {LITERAL: f"… {len(items) - WIDEST:,} more"}] if len(items) > WIDEST else shown
    return {LITERAL: _bounded(encodable(str(value)))}


def as_json(value: Any) -> str:
    """It as JSON to read and to copy, in the tagged form of `docs/format.md`, so that nothing is lost."""
    text = orjson.dumps(orjson.loads(encode(value)), option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= LONGEST_JSON else '"too long to be shown here; weft traces show --json prints it"'


def _mapping(value: Mapping[Any, Any], depth: int) -> Any:
    shown: dict[str, Any] = {}
    for key in list(value)[:WIDEST]:
        shown[encodable(key if isinstance(key, str) else repr(key))] = showable(value[key], depth + 1)
    if len(value) > WIDEST:
        shown["…"] = {LITERAL: f"{len(value) - WIDEST:,} more keys"}
    if "digest" in shown and (told := media.recorded(value)) is not None:
        shown["digest"] = {media.MEDIA: {name: encodable(text) for name, text in told.items()}}
    return {"(one key)": shown} if set(shown) in ({LITERAL}, {media.MEDIA}) else shown


def _partial(body: Mapping[str, Any], depth: int) -> Any:
    """What was kept of a value that was too large to be written, and how much was left out."""
    of, kept, total, held = str(body.get("of", "items")), body.get("kept"), body.get("total"), body.get("value")
    if of == "levels":
        return {LITERAL: f"… deeper than {kept} levels was not kept (a {body.get('type', 'value')})"}
    left = units.count(total - (kept or 0)) if isinstance(total, int) and isinstance(kept, int | None) else "some"
    note = {LITERAL: f"… {left} {of} were not kept"}
    if isinstance(held, list):
        return [*showable(held, depth), note]
    if isinstance(held, Mapping):
        shown = showable(held, depth)
        return {**shown, "…": note} if isinstance(shown, dict) else shown
    return {LITERAL: f"{note[LITERAL]}: {body['preview']}…"} if isinstance(body.get("preview"), str) else note


def _tagged(value: Tagged) -> str:
    """`png image, 12.0 KiB, sha256 0a1b2c…`: what it is, for a value that has no JSON of its own."""
    if not isinstance(value.value, Mapping):
        return f"{value.kind}: {value.value}"
    body = dict(value.value)
    if value.kind == "repr":
        return str(body.get("text", body))
    if value.kind == "blob":
        digest, size = str(body.get("digest", "")), body.get("size_bytes")
        told = f"{body.get('media_type') or 'blob'}, {units.size(size if isinstance(size, int) else None)}"
        preview = body.get("preview")
        return f"{told}, sha256 {digest[:12]}…" + (f"\n{preview}…" if preview else "")
    return f"{value.kind}: " + ", ".join(f"{name} {item}" for name, item in body.items())


def _bounded(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} characters more; `weft traces show` prints all of them"
