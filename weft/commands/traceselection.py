"""Which traces a command means: its filter options, as the filter that the store understands. For `traces` commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weft.commands import filteroptions

Status = Annotated[str | None, typer.Option(help="ok, error, running, interrupted or cancelled.")]
Name = Annotated[str | None, typer.Option(help="Only this op.")]
Tag = Annotated[str | None, typer.Option(help="Only traces with this tag.")]
Thread = Annotated[str | None, typer.Option(help="Only this conversation.")]
_EXAMPLE = '{"output.score": {"$lt": 0.5}}'
Filter = Annotated[str | None, filteroptions.where_option(_EXAMPLE)]


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
    began = filteroptions.Began("start_ns", since, older_than)
    return filteroptions.chosen(given, began, where, _EXAMPLE)
