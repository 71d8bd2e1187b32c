"""Which traces a command means: its filter options, as the filter that the store understands. For `traces` commands."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

import orjson
import typer

from weft.tracking.errors import UsageError

Project = Annotated[str | None, typer.Option(help="Only this project.")]
Status = Annotated[str | None, typer.Option(help="ok, error, running, interrupted or cancelled.")]
Name = Annotated[str | None, typer.Option(help="Only this op.")]
Since = Annotated[str | None, typer.Option(help="Only the last 30m, 24h, 7d, ...")]
Tag = Annotated[str | None, typer.Option(help="Only traces with this tag.")]
Thread = Annotated[str | None, typer.Option(help="Only this conversation.")]
Filter = Annotated[
    str | None,
    typer.Option("--where", help="""A filter as JSON: '{"output.score": {"$lt": 0.5}}' (docs/querying.md)."""),
]
_AGO = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def where_of(
    *,
    project: str | None = None,
    status: str | None = None,
    name: str | None = None,
    since: str | None = None,
    older_than: str | None = None,
    tag: str | None = None,
    thread: str | None = None,
    where: str | None = None,
) -> dict[str, Any]:
    """The filter; empty when no option was given.

    Raises:
        UsageError: `--where` is no JSON object, or a time is none.
    """
    given = {"project": project, "status": status, "name": name, "tags": tag, "thread_id": thread}
    found: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    now = time.time_ns()
    if since:
        found["start_ns"] = {"$gte": now - ago_ns("--since", since)}
    if older_than:
        found["start_ns"] = {**found.get("start_ns", {}), "$lt": now - ago_ns("--older-than", older_than)}
    return both(found, where)


def both(found: dict[str, Any], where: str | None, example: str = '{"status": "error"}') -> dict[str, Any]:
    """What the options say and what `--where` says, together.

    Raises:
        UsageError: `--where` is no JSON object.
    """
    if where is None:
        return found
    try:
        more = orjson.loads(where)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--where is no JSON: {error}. It takes an object, such as '{example}'") from None
    if not isinstance(more, dict):
        raise UsageError(f"--where takes a JSON object, such as '{example}', not {where:.80}")
    return {"$and": [found, more]} if found else more


def ago_ns(option: str, words: str) -> int:
    """Nanoseconds of `30m`, `24h`, `7d`, `2w`.

    Raises:
        UsageError: it is none of these.
    """
    match = _AGO.fullmatch(words.strip())
    if match is None:
        raise UsageError(f"{option} is {words!r}; it takes a number and s, m, h, d or w, such as 24h")
    return int(match[1]) * _SECONDS[match[2]] * 1_000_000_000
