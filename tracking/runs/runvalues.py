"""A run's values by the names that lists, exports and comparisons give them: `config.model.depth`, `summary.loss`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from weft.tracking.errors import UsageError
from weft.tracking.runs.runquestions import field_of
from weft.tracking.store.readmodels import RunRecord

DOCUMENTS = ("config", "summary", "metadata")
FIELDS = tuple(field.name for field in fields(RunRecord))


def value_at(run: RunRecord, column: str) -> Any:
    """A field of the run, or what its config, summary or metadata hold under a name; None: nothing.

    Raises:
        UsageError: a run has no such field.
    """
    head, dot, rest = str(field_of(column)).partition(".")
    if head not in FIELDS or (dot and head not in DOCUMENTS):
        raise UsageError(
            f"runs have no column {column!r:.80}; valid: {', '.join(FIELDS)}, config.<name>, summary.<name>"
        )
    return _within(getattr(run, head), rest) if dot else getattr(run, head)


def _within(document: Mapping[str, Any], name: str) -> Any:
    """A key that holds dots goes before a path of keys."""
    if name in document:
        return document[name]
    for at, char in enumerate(name):
        inner = document.get(name[:at]) if char == "." else None
        if isinstance(inner, Mapping):
            found = _within(inner, name[at + 1 :])
            if found is not None:
                return found
    return None


def took_ns(run: RunRecord, now_ns: int) -> int | None:
    """Nanoseconds that it ran, its sessions added up and what lies between them left out; that it has run so far.

    None: nothing was heard of it after its start.
    """
    if run.state != "running":
        return round(run.runtime_s * 1e9) or None
    started, before = max(run.sessions.items(), default=(run.started_ns, 0))
    return before + max(0, now_ns - started)


def flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Its leaves with their paths, joined by dots; an empty mapping is a leaf, and so is a picture's record."""
    for key, value in document.items():
        if isinstance(value, Mapping) and value and "_type" not in value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def columns(runs: Sequence[RunRecord], document: str) -> list[str]:
    """The names of all leaves that one of these runs has in its config or summary, in order of their first mention."""
    return list(dict.fromkeys(name for run in runs for name, _ in flat(getattr(run, document))))
