"""What the records of one span come to, pure: whatever order they arrive in, the same rows and the same read model.

`spansink` gathers `Facts`, merges them with the stored ones and writes `Facts.row` and `Facts.payload`; `spanreader`
folds the payload when it is read. Records win by time: a span's updates and its close are folded in the order of
(at_ns, segment, offset), a close after the updates of its own instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from weft.tracking.encoding import decode
from weft.tracking.previews import preview
from weft.tracking.records import SCHEMA, SpanClosed, SpanOpened, SpanPriced, SpanUpdated

ROOT, CHILD, UNOPENED = 0, 1, 2
"""A span's rank as the one that stands for its trace: the least (rank, start, id) does."""
MAX_TOKENS = 1 << 40
"""A token count beyond this is no count: its column stays null, the usage JSON keeps what was said."""
MAX_INT = (1 << 63) - 1
OVERRIDABLE = ("name", "kind", "thread_id", "turn_id", "user_id")

Row = tuple[Any, ...]
SpanFact = SpanOpened | SpanUpdated | SpanClosed | SpanPriced
Stamp = tuple[int, str, int]
"""(at_ns, segment, offset): of two writers of one thing, the greater wins."""

_canonical = msgspec.msgpack.Encoder().encode


class Update(NamedTuple):
    """What one `SpanUpdated` said, as kept in `span_payload.updates`."""

    at_ns: int
    segment: str
    offset: int
    fields: dict[str, Any]
    """name, attributes, events, inputs, thread_id, turn_id, user_id, tags: those that were set, JSON decoded."""

    @classmethod
    def of(cls, record: SpanUpdated, segment: str, offset: int) -> Update:
        fields: dict[str, Any] = {}
        for name in ("name", "thread_id", "turn_id", "user_id"):
            value = getattr(record, name)
            if value is not None:
                fields[name] = value
        for name in ("attributes", "events", "inputs", "tags"):
            value = getattr(record, name)
            if value is not None:
                fields[name] = loads(value)
        return cls(record.at_ns, segment, offset, fields)


class Price(NamedTuple):
    """What a span cost, as its columns keep it; the greatest counts."""

    at_ns: int
    source: str
    cost: int | None
    """Pico-USD. None where it fits no 64 bits or is negative: then `source` says the amount."""

    @classmethod
    def of(cls, record: SpanPriced) -> Price:
        cost = record.cost_pico_usd
        if 0 <= cost <= MAX_INT:
            return cls(record.at_ns, record.source, cost)
        return cls(record.at_ns, f"{record.source} (not kept: a cost of {cost} pico-USD)", None)

    @property
    def order(self) -> tuple[int, str, int]:
        return self.at_ns, self.source, -1 if self.cost is None else self.cost


class Facts:
    """What is known of one span. Every verb down to `merge` may be called in any order, and again."""

    __slots__ = ("closed", "opened", "price", "updates", "writer")

    def __init__(self) -> None:
        self.opened: SpanOpened | None = None
        self.writer: bytes | None = None
        """Who wrote `opened`; forgotten once the span is closed."""
        self.closed: SpanClosed | None = None
        self.updates: list[Update] | None = None
        self.price: Price | None = None

    def open(self, record: SpanOpened, writer: bytes) -> None:
        """Of several, the one that started last stands; the content decides between equals."""
        mine = self.opened
        if mine is None or (record.start_ns, _canonical(record)) > (mine.start_ns, _canonical(mine)):
            self.opened = record
            self.writer = writer

    def close(self, record: SpanClosed) -> None:
        """Of several, the one that ended last stands."""
        mine = self.closed
        if mine is None or (record.end_ns, _canonical(record)) > (mine.end_ns, _canonical(mine)):
            self.closed = record

    def update(self, update: Update) -> None:
        if self.updates is None:
            self.updates = [update]
        elif not any(mine[:3] == update[:3] for mine in self.updates):
            self.updates.append(update)
            self.updates.sort(key=_stamp)

    def price_at(self, price: Price) -> None:
        if self.price is None or price.order > self.price.order:
            self.price = price

    def merge(self, other: Facts) -> None:
        if other.opened is not None:
            self.open(other.opened, other.writer or b"")
        if other.closed is not None:
            self.close(other.closed)
        for update in other.updates or ():
            self.update(update)
        if other.price is not None:
            self.price_at(other.price)

    @property
    def start_ns(self) -> int:
        """Of a span whose opening has not arrived, the best guess."""
        if self.opened is not None:
            return self.opened.start_ns
        if self.closed is not None:
            return self.closed.end_ns - self.closed.duration_ns
        if self.updates:
            return self.updates[0].at_ns
        return self.price.at_ns if self.price is not None else 0

    @property
    def rank(self) -> int:
        if self.opened is None:
            return UNOPENED
        return ROOT if self.opened.parent_id is None else CHILD

    def overridden(self) -> dict[str, Any]:
        """The latest words on the fields that can change after the opening."""
        found: dict[str, Any] = {}
        closed = self.closed
        late = closed.end_ns if closed is not None else MAX_INT
        for update in self.updates or ():
            if update.at_ns <= late:
                found.update(update.fields)
        if closed is not None:
            if closed.name is not None:
                found["name"] = closed.name
            if closed.kind is not None:
                found["kind"] = closed.kind
            for update in self.updates or ():
                if update.at_ns > late:
                    found.update(update.fields)
        return found

    def row(
        self,
        key: int,
        trace_key: int,
        span_id: bytes,
        project_key: int | None,
        run_key: int | None,
        ended: bool,
        null: Any = None,
    ) -> Row:
        """The `span` row, in column order.

        Args:
            ended: the writer that opened it is dead.
            null: what stands for null (`Transaction.null`).
        """
        opened, closed, price = self.opened, self.closed, self.price
        if opened is None or closed is None or self.updates is not None or not (closed.name is closed.kind is None):
            return self._rare_row(key, trace_key, span_id, project_key, run_key, ended, null)
        input_tokens = output_tokens = usage = cost = source = priced_ns = null
        if closed.usage is not None:
            input_tokens = tokens(closed.usage, "input_tokens", null)
            output_tokens = tokens(closed.usage, "output_tokens", null)
            usage = orjson.dumps(closed.usage).decode()
        if price is not None:
            priced_ns, source, cost = price
            cost = null if cost is None else cost
        return (
            key,
            trace_key,
            span_id,
            null if opened.parent_id is None else opened.parent_id,
            project_key,
            null if run_key is None else run_key,
            opened.name,
            opened.kind,
            closed.status,
            opened.start_ns,
            closed.end_ns,
            closed.duration_ns,
            null if closed.model is None else closed.model,
            null if closed.provider is None else closed.provider,
            input_tokens,
            output_tokens,
            usage,
            cost,
            source,
            priced_ns,
            null if opened.thread_id is None else opened.thread_id,
            null if opened.turn_id is None else opened.turn_id,
            null if opened.user_id is None else opened.user_id,
            null if opened.version is None else opened.version,
            null,
        )

    def _rare_row(
        self,
        key: int,
        trace_key: int,
        span_id: bytes,
        project_key: int | None,
        run_key: int | None,
        ended: bool,
        null: Any,
    ) -> Row:
        """The row of a span that is open, was changed on its way, or whose opening has not arrived."""
        opened, closed = self.opened, self.closed
        found = self.overridden()
        fields = {name: found[name] for name in OVERRIDABLE if name in found}
        unknown = SpanOpened(SCHEMA, b"", span_id, None, "", "op", self.start_ns, "")
        plain = Facts()
        plain.opened = msgspec.structs.replace(opened or unknown, **fields)
        ending = closed or SpanClosed(SCHEMA, b"", span_id, 0, 0, "")
        plain.closed = msgspec.structs.replace(ending, name=None, kind=None)
        plain.price = self.price
        row = plain.row(key, trace_key, span_id, project_key, run_key, ended, null)
        if closed is not None:
            return row
        status = "interrupted" if ended or opened is None else "running"
        return (*row[:8], status, row[9], null, null, *row[12:-1], null if self.writer is None else self.writer)

    def payload(self, key: int, null: Any = None) -> Row | None:
        """The `span_payload` row, in column order; None where there is nothing to keep."""
        opened, closed = self.opened, self.closed
        inputs = output = error = attributes = closed_attributes = more = null
        if opened is not None:
            if opened.inputs is not None:
                inputs = str(opened.inputs, "utf-8", "replace")
            if opened.attributes is not None:
                attributes = str(opened.attributes, "utf-8", "replace")
        if closed is not None:
            if closed.output is not None:
                output = str(closed.output, "utf-8", "replace")
            if closed.error is not None:
                error = str(closed.error, "utf-8", "replace")
            if closed.attributes is not None:
                closed_attributes = str(closed.attributes, "utf-8", "replace")
            if closed.events is not None or closed.name is not None or closed.kind is not None:
                more = self._more()
        if self.updates is not None or (opened is not None and opened.links is not None):
            more = self._more()
        if inputs is output is error is attributes is closed_attributes is more:
            return None
        return (key, inputs, output, error, attributes, closed_attributes, more)

    def _more(self) -> str:
        found: dict[str, Any] = {}
        opened, closed = self.opened, self.closed
        if opened is not None and opened.links is not None:
            found["links"] = text(opened.links)
        if closed is not None:
            found |= {"events": text(closed.events), "name": closed.name, "kind": closed.kind}
            found = {name: value for name, value in found.items() if value is not None}
        if self.updates is not None:
            found["updates"] = [tuple(update) for update in self.updates]
        if opened is not None and not found.keys().isdisjoint(("updates", "name", "kind")):
            found["opened"] = {name: getattr(opened, name) for name in OVERRIDABLE}
        return orjson.dumps(found).decode()

    @classmethod
    def load(cls, trace_id: bytes, span: Any, payload: Any, project: str | None, run_uid: bytes | None) -> Facts:
        """From stored rows (attributes by column name; `payload` the same row or None) back to what was said."""
        facts = cls()
        name, kind = span.name, span.kind
        who = {"thread_id": span.thread_id, "turn_id": span.turn_id, "user_id": span.user_id}
        more: dict[str, Any] = loads(payload.more) or {}
        if "opened" in more:
            who = more["opened"]
            name, kind = who.pop("name"), who.pop("kind")
        span_id = bytes(span.span_id)
        if project is not None:
            facts.opened = SpanOpened(
                schema=SCHEMA,
                trace_id=trace_id,
                span_id=span_id,
                parent_id=bytes(span.parent_id) if span.parent_id is not None else None,
                name=name,
                kind=kind,
                start_ns=span.start_ns,
                project=project,
                run_uid=run_uid,
                inputs=data(payload.inputs),
                attributes=data(payload.attributes),
                version=span.version,
                links=data(more.get("links")),
                **who,
            )
            facts.writer = bytes(span.writer) if span.writer is not None else None
        if span.end_ns is not None:
            facts.closed = SpanClosed(
                schema=SCHEMA,
                trace_id=trace_id,
                span_id=span_id,
                end_ns=span.end_ns,
                duration_ns=span.duration_ns,
                status=span.status,
                output=data(payload.output),
                error=data(payload.error),
                model=span.model,
                provider=span.provider,
                usage=orjson.loads(span.usage) if span.usage is not None else None,
                attributes=data(payload.closed_attributes),
                events=data(more.get("events")),
                kind=more.get("kind"),
                name=more.get("name"),
            )
        if "updates" in more:
            facts.updates = updates(more)
        if span.priced_ns is not None:
            facts.price = Price(span.priced_ns, span.price_source, span.cost_pico_usd)
        return facts


class Told(NamedTuple):
    """A payload folded for reading, its tagged values restored."""

    inputs: Any
    attributes: dict[str, Any]
    events: list[Mapping[str, Any]]
    links: list[Mapping[str, Any]]


def told(payload: Any, end_ns: int | None) -> Told:
    """Fold a stored payload row (attributes by column name) as of its last record."""
    attributes = _mapping(decoded(payload.attributes))
    closed = _mapping(decoded(payload.closed_attributes))
    inputs = decoded(payload.inputs)
    events: list[Any] = []
    more: dict[str, Any] = loads(payload.more) or {}
    for update in updates(more):
        if end_ns is not None and update.at_ns > end_ns:
            attributes, closed = attributes | closed, {}
        fields = update.fields
        if "attributes" in fields:
            attributes |= _mapping(decoded(orjson.dumps(fields["attributes"])))
        if "events" in fields:
            events += _sequence(decoded(orjson.dumps(fields["events"])))
        if "inputs" in fields:
            inputs = decoded(orjson.dumps(fields["inputs"]))
    events += _sequence(decoded(more.get("events")))
    return Told(inputs, attributes | closed, events, _sequence(decoded(more.get("links"))))


class Seen(NamedTuple):
    """What lists show of a payload."""

    input_preview: str
    output_preview: str
    tags: Sequence[str]


def seen(payload: Any) -> Seen:
    """The previews and tags of a stored payload row."""
    inputs: str | bytes | None = payload.inputs
    tags: Sequence[str] = ()
    if payload.more is not None:
        for update in updates(loads(payload.more)):
            tags = update.fields.get("tags", tags)
            if "inputs" in update.fields:
                inputs = orjson.dumps(update.fields["inputs"])
    return Seen(shown(inputs), shown(payload.output) if payload.error is None else shown_error(payload.error), tags)


def decoded(value: bytes | str | None) -> Any:
    """The value of a stored payload. What is no JSON, which weft never writes, comes back as the text that it is."""
    if value is None:
        return None
    try:
        return decode(value)
    except ValueError:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def updates(more: Mapping[str, Any]) -> list[Update]:
    """The stored updates, in order."""
    return [Update(*update) for update in more.get("updates", ())]


def tokens(usage: Mapping[str, int], name: str, null: Any = None) -> Any:
    """A count for its column; null where there is none, or where it is none."""
    found = usage.get(name)
    return found if found is not None and 0 <= found <= MAX_TOKENS else null


def text(value: bytes | None) -> str | None:
    """JSON bytes as the text that a column takes. Bytes that are no UTF-8, which weft never writes, are marked."""
    return None if value is None else str(value, "utf-8", "replace")


def data(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def loads(value: bytes | str | None) -> Any:
    """Parsed JSON. What is none, which weft never writes, comes back as the text that it is."""
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def shown(data: bytes | str | None) -> str:
    """Plain text for lists. No NUL: PostgreSQL's text has none."""
    return "" if data is None else preview(data).replace("\0", "␀")


def shown_error(data: bytes | str) -> str:
    """`Type: message` of an error payload."""
    error = loads(data)
    if not isinstance(error, dict):
        return shown(data)
    return ": ".join(str(error[name]) for name in ("type", "message") if error.get(name))[:300].replace("\0", "␀")


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _sequence(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _stamp(update: Update) -> Stamp:
    return update.at_ns, update.segment, update.offset
