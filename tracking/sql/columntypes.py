"""The types of the views' columns, and how what the store holds becomes Arrow: times as UTC, money as decimal USD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import orjson

from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.objects import TAG

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["text", "int", "float", "bool", "time", "seconds", "usd", "json", "texts"]
"""time: UTC nanoseconds in, a timestamp in microseconds out. seconds: nanoseconds in, a float out. usd: pico-USD in, a
decimal out. json: any value, or JSON bytes as they are stored. texts: a list of texts."""


def arrow_type(kind: Kind) -> pyarrow.DataType:
    """What a column of this kind is."""
    import pyarrow as pa  # the extra `tables`: who asks by SQL has it

    return {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "seconds": pa.float64(),
        "usd": pa.decimal128(28, 12),
        "json": pa.string(),
        "texts": pa.list_(pa.string()),
    }[kind]


def schema(columns: Mapping[str, Kind]) -> pyarrow.Schema:
    """All of a view's columns."""
    import pyarrow as pa  # as above

    return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in columns.items()])


def array(kind: Kind, values: Sequence[Any]) -> pyarrow.Array:
    """One column."""
    import pyarrow as pa  # as above

    match kind:
        case "time":
            exact = pa.array(values, pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
            return exact.cast(pa.timestamp("us", tz="UTC"), safe=False)
        case "seconds":
            return pa.array([None if value is None else value / 1e9 for value in values], pa.float64())
        case "usd":
            whole = pa.array(values, pa.int64()).cast(pa.decimal128(28, 0))
            # the same digits, their point twelve places further left
            return pa.Array.from_buffers(arrow_type("usd"), len(whole), whole.buffers(), whole.null_count)
        case "json":
            return pa.array([None if value is None else json_text(value) for value in values], pa.string())
        case "text":
            return pa.array([None if value is None else sound(value) for value in values], pa.string())
        case "texts":
            texts = [None if value is None else [sound(one) for one in value] for value in values]
            return pa.array(texts, arrow_type(kind))
    return pa.array(values, arrow_type(kind))


def sound(text: str) -> str:
    """Without lone surrogates, which no database takes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def json_text(value: Any) -> str:
    """JSON that `->>` reads: what JSON lacks as its text (NaN, big whole numbers, bytes in base64)."""
    data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else encode(value)
    if b'"$weft"' not in data:
        return bytes(data).decode()
    return orjson.dumps(_untagged(orjson.loads(data))).decode()


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {TAG, "v"}:
        inside = value["v"]
        match value[TAG]:
            case "float" | "bytes" | "complex" | "str":
                return inside
            case "int":
                return str(int(inside, 16))
            case "map":
                return {_key(key): _untagged(item) for key, item in inside}
            case "text":
                return "".join(part if isinstance(part, str) else _medium(part) for part in inside)
            case _:
                return _untagged(inside)
    return {key: _untagged(item) for key, item in value.items()}


def _key(key: Any) -> str:
    return key if isinstance(key, str) else orjson.dumps(_untagged(key)).decode()


def _medium(part: Any) -> str:
    told = _untagged(part)
    return f"[{told.get('media_type', 'content')}]" if isinstance(told, dict) else str(told)
