"""What a foreign span said, looked up: attributes, those flattened into lists, events, the table of dialects.

Pure, bounded in time and memory whatever a sender writes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from weft.tracer.otel import conversations
from weft.tracer.otel.conversations import is_list, parsed
from weft.tracer.otel.emission import MISSING

Attributes = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]

MAX_TEXT: Final = 1_000
"""Characters of an id, a tag, a name."""
SCORES: Final[Mapping[str, str]] = {
    "annotations.": "span",
    "evaluations.": "span",
    "trace.annotations.": "trace",
    "trace.evaluations.": "trace",
    "session.annotations.": "session",
}
"""Prefixes of flattened judgements, and what they judge."""
_DETAILS: Final = "gen_ai.client.inference.operation.details"


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """The data file, `dialects.toml`."""
    return tomllib.loads(Path(__file__).with_name("dialects.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def always_json() -> tuple[str, ...]:
    """How the names of attributes begin whose texts are always JSON."""
    return tuple(table()["json"]["always"])


class Said:
    """One span's words.

    Args:
        attributes: as received: plain values, lists, dicts.
        events: `{name, at_ns, attributes}`.
    """

    def __init__(self, attributes: Attributes, events: Events) -> None:
        self.table = table()
        said = [event for event in events if isinstance(event, Mapping) and isinstance(event.get("name"), str)]
        self.events = [(str(event["name"]), _mapping(event.get("attributes")), event.get("at_ns")) for event in said]
        listed = parsed(attributes.get("events"))
        if is_list(listed):  # Logfire and pydantic-ai write the log events of a call as one attribute
            told = [event for event in listed if isinstance(event, Mapping) and "event.name" in event]
            self.events += [(str(event["event.name"]), event, None) for event in told]
        details = [held for event, held, _ in self.events if event == _DETAILS]
        self.attributes: Attributes = {**details[-1], **attributes} if details else attributes
        self.flat = self._flattened()
        """Attributes of flattened lists, nested, by their prefix."""

    def raw(self, name: str, default: Any = None) -> Any:
        """As it came."""
        return self.attributes.get(name, default)

    def get(self, name: str) -> Any:
        """As it was meant: texts of JSON are read."""
        value = self.attributes.get(name)
        if value is None or not isinstance(value, str):
            return value
        return parsed(value, always=name.startswith(always_json()))

    def first(self, names: Iterable[str]) -> Any:
        """The first that is there and not null; falsy values count."""
        for name in names:
            if (value := self.get(name)) is not None:
                return value
        return MISSING

    def text(self, field_name: str) -> str | None:
        """The first text or number that a field of the table names."""
        for name in self.table["fields"][field_name]:
            value = self.get(name)
            if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                return str(value)[:MAX_TEXT]
        return None

    def parameter(self, called: str) -> str | None:
        """A call parameter that no attribute of its own says: OpenInference names no model of a call that failed."""
        for name in self.table["fields"]["parameters"]:
            held = self.get(name)
            if isinstance(held, Mapping) and isinstance(found := held.get(called), str) and found:
                return found[:MAX_TEXT]
        return None

    def _flattened(self) -> dict[str, dict[str, Any]]:
        rows = self.table["flattened"]
        prefixes = (*(prefix for row in rows.values() for prefix in row), *SCORES)
        found: dict[str, list[tuple[str, Any]]] = {}
        for name, value in self.attributes.items():
            if not isinstance(name, str) or not name.startswith(prefixes) or value is None:
                continue
            prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
            found.setdefault(prefix, []).append((name[len(prefix) :], value))
        return {prefix: conversations.unflatten(entries) for prefix, entries in found.items()}


def _mapping(value: Any) -> Attributes:
    return value if isinstance(value, Mapping) else {}
