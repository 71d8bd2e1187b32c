"""Options by which commands choose traces or runs, as the filter that the store understands."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import orjson
import typer

from weft.tracking.errors import UsageError

Project = Annotated[str | None, typer.Option(help="Only this project.")]
Since = Annotated[str | None, typer.Option(help="Only what began in the last 30m, 24h, 7d, ...")]
OlderThan = Annotated[str | None, typer.Option(help="Only what began more than 30d, 12h, ... ago.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_AGO = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONGEST_NS = (1 << 63) - 1


def where_option(example: str) -> Any:
    """`--where`, with a filter as the example."""
    return typer.Option("--where", help=f"A filter as JSON: '{example}' (docs/querying.md).")


class Began(NamedTuple):
    """When it began, as options say it."""

    field: str
    since: str | None
    older_than: str | None


def chosen(given: Mapping[str, str | None], began: Began, where: str | None, example: str) -> dict[str, Any]:
    """What the options say and what `--where` says, together; empty when no option was given.

    Args:
        given: fields that are to be equal; None: not asked.
        example: a filter, for messages.

    Raises:
        UsageError: `--where` is no JSON object, or a time is none.
    """
    found: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    asked, now = {}, time.time_ns()
    if began.since is not None:
        asked["$gte"] = now - ago_ns("--since", began.since)
    if began.older_than is not None:
        asked["$lt"] = now - ago_ns("--older-than", began.older_than)
    if asked:
        found[began.field] = asked
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
    return min(int(match[1]) * _SECONDS[match[2]] * 1_000_000_000, _LONGEST_NS)
