"""A finished span, put together from its records: what exporters and the program's own OpenTelemetry get to see.

Made on the caller's thread by keeping the records; everything else is worked out when a background thread asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.context import Context

from weft.tracer.otel.emission import MISSING, AttributeValue, attribute_value, attributes_of
from weft.tracking.journal.records import SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.payloads.encoding import decode

PROJECT: Final = "weft.project"
RUN: Final = "weft.run_id"
TURN: Final = "weft.turn_id"
VERSION: Final = "weft.version"
STATUS: Final = "weft.status"
"""Only where OpenTelemetry's three do not say it: `cancelled`."""


@dataclass(slots=True)
class OpenSpan:
    """What was written of a span so far, and the context it was opened in."""

    opened: SpanOpened
    context: Context
    updates: list[SpanUpdated] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """All records of one span."""

    opened: SpanOpened
    context: Context
    updates: Sequence[SpanUpdated]
    closed: SpanClosed

    @property
    def name(self) -> str:
        """Its last one."""
        names = [update.name for update in self.updates if update.name]
        return self.closed.name or (names[-1] if names else self.opened.name)

    @property
    def kind(self) -> str:
        """op, llm, ..."""
        return self.closed.kind or self.opened.kind

    @property
    def size_bytes(self) -> int:
        """Of its payloads, roughly: for the bound of a queue."""
        mine = [self.opened.inputs, self.opened.attributes, self.closed.output]
        more = [part for update in self.updates for part in (update.attributes, update.events, update.inputs)]
        return sum(len(part) for part in (*mine, *more) if part is not None)

    def error(self) -> Mapping[str, Any] | None:
        """{type, message, stacktrace}."""
        found = _decoded(self.closed.error)
        return found if isinstance(found, Mapping) else None

    def events(self) -> list[Mapping[str, Any]]:
        """{name, at_ns, attributes}, in order."""
        payloads = [*(update.events for update in self.updates), self.closed.events]
        return [event for data in payloads for event in _decoded(data) or () if isinstance(event, Mapping)]

    def links(self) -> list[Mapping[str, Any]]:
        """{trace_id, span_id, attributes}."""
        payloads = [self.opened.links, *(update.links for update in self.updates), self.closed.links]
        return [link for data in payloads for link in _decoded(data) or () if isinstance(link, Mapping)]

    def attributes(self) -> dict[str, AttributeValue]:
        """By OpenTelemetry's names and types (`emission`)."""
        opened, closed, updates = self.opened, self.closed, self.updates
        own: dict[str, Any] = {}
        for data in (opened.attributes, *(update.attributes for update in updates), closed.attributes):
            said = _decoded(data)
            own |= said if isinstance(said, dict) else {}
        inputs = [opened.inputs, *(update.inputs for update in updates if update.inputs is not None)]
        tags = [update.tags for update in updates if update.tags is not None]
        found = attributes_of(
            kind=self.kind,
            name=self.name,
            model=closed.model,
            provider=closed.provider,
            usage=closed.usage,
            inputs=_decoded(inputs[-1]),
            output=MISSING if closed.output is None else decode(closed.output),
            attributes=own,
            thread_id=self._latest("thread_id"),
            user_id=self._latest("user_id"),
            tags=_decoded(tags[-1]) if tags else (),
            error=self.error(),
        )
        found[PROJECT] = opened.project
        if opened.run_uid is not None:
            found[RUN] = opened.run_uid.hex()
        for key, value in ((TURN, self._latest("turn_id")), (VERSION, opened.version)):
            if value:
                found[key] = value
        if closed.status not in ("ok", "error"):
            found[STATUS] = closed.status
        return found

    def _latest(self, name: str) -> str | None:
        told = [getattr(record, name) for record in (self.opened, *self.updates)]
        return next((value for value in reversed(told) if value), None)


def plain_attributes(values: object) -> dict[str, AttributeValue]:
    """An event's or a link's attributes in OpenTelemetry's types."""
    return {str(key): attribute_value(value) for key, value in values.items()} if isinstance(values, Mapping) else {}


def _decoded(data: bytes | None) -> Any:
    return None if data is None else decode(data)
