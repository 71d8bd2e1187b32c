"""What was changed of a stored run, as the record that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from weft.tracking import names, runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, RunUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import redact, redact_text
from weft.tracking.store.readmodels import RunRecord

EDITABLE = ("name", "tags", "notes", "group", "config", "summary")
"""What may be changed of a run that is read."""


def correction(before: RunRecord, now: RunRecord) -> RunUpdated | None:
    """The record; None: nothing was changed.

    Raises:
        UsageError: a value cannot be meant, or a key was taken out of the config.
    """
    gone = before.config.keys() - now.config.keys()
    if gone:
        raise UsageError(f"a key cannot be taken out of a run's config: {', '.join(sorted(gone))}. Set it to None")
    tags, rt = names.check_tags(now.tags), runtime.active()
    config = {key: value for key, value in now.config.items() if _differs(before.config, key, value)}
    summary = {key: value for key, value in now.summary.items() if _differs(before.summary, key, value)}
    dropped = sorted(before.summary.keys() - now.summary.keys())
    told: dict[str, Any] = {
        "name": None if now.name == before.name else _text("name", now.name) or None,
        "notes": None if now.notes == before.notes else _text("notes", now.notes or ""),
        "group": None if now.group == before.group else _text("group", now.group or ""),
        "tags": None if tags == list(before.tags) else [redact_text(tag, rt.settings.redact) for tag in tags],
        "config": _json(config) if config else None,
        "summary": _json(summary) if summary else None,
    }
    told = {field: value for field, value in told.items() if value is not None}
    if not told and not dropped:
        return None
    return RunUpdated(SCHEMA, bytes.fromhex(before.uid), rt.ids.wall_ns(), **told, summary_dropped=dropped)


def copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, with what can be changed inside copied too: else a change in place would equal what it is compared to."""
    return {key: deepcopy(value) if isinstance(value, (dict, list)) else value for key, value in values.items()}


def _differs(before: Mapping[str, Any], key: str, value: Any) -> bool:
    if key not in before or type(before[key]) is not type(value):
        return True
    return bool(before[key] != value) and not (value != value and before[key] != before[key])


def _text(what: str, value: Any) -> str:
    return redact_text(names.check_text(f"a run's {what}", value), runtime.active().settings.redact)


def _json(values: Mapping[str, Any]) -> bytes:
    rt = runtime.active()
    return redact(encode(dict(values)), rt.faults, rt.settings.redact)
