"""What the records of one span come to, pure: whatever order they arrive in, the same rows.

`spansink` gathers `Facts`, merges them with the stored ones and writes `Facts.row` and `Facts.payload`. Records win by
time: a span's updates and its close are folded in the order of (at_ns, segment, offset), a close after the updates of
its own instant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.store.jsontext import data, loads, text
from weft.tracking.store.spanpayload import Update
from weft.tracking.store.spanpayload import updates as kept_updates

if TYPE_CHECKING:
    from weft.tracking.store.transaction import Row, Stamp

ROOT, CHILD, UNOPENED = 0, 1, 2
"""A span's rank as the one that stands for its trace: the least (rank, start, id) does."""
MAX_TOKENS = 1 << 40
"""A token count beyond this is no count: its column stays null, the usage JSON keeps what was said."""
MAX_INT = (1 << 63) - 1
UNKNOWN_COST = -1
"""`SpanPriced.cost_pico_usd` of a span whose price is not known."""
ESTIMATED = "estimated"
"""How the first flag of estimated counts begins."""
OVERRIDABLE = ("name", "kind", "thread_id", "turn_id", "user_id")
SpanFact = SpanOpened | SpanUpdated | SpanClosed | SpanPriced

_canonical = msgspec.msgpack.Encoder().encode


class Price(NamedTuple):
    """What a span cost, as its columns keep it; the greatest counts."""

    at_ns: int
    source: str
    cost: int | None
    """Pico-USD. None where it fits no 64 bits or is negative: then `source` says the amount."""
    parts: str | None = None
    """JSON {bucket: pico-USD}."""
    flags: str | None = None
    """JSON list of texts."""
    usage: str | None = None
    """JSON of estimated counts, for a span that reports none; with counts of its own the whole of this is void."""

    @classmethod
    def of(cls, record: SpanPriced) -> Price:
        cost = record.cost_pico_usd
        said = record.flags
        if record.usage and not (said and said[0].startswith(ESTIMATED)):
            said = [ESTIMATED, *said]
        flags = orjson.dumps(said).decode() if said else None
        usage = orjson.dumps(record.usage).decode() if record.usage else None
        if 0 <= cost <= MAX_INT:
            return cls(record.at_ns, record.source, cost, text(record.parts), flags, usage)
        why = record.source if cost == UNKNOWN_COST else f"{record.source} (not kept: a cost of {cost} pico-USD)"
        return cls(record.at_ns, why, None, None, flags, usage)

    @property
    def order(self) -> tuple[bool, int, str, int, str, str, str]:
        cost = -1 if self.cost is None else self.cost
        return self.usage is None, self.at_ns, self.source, cost, self.parts or "", self.flags or "", self.usage or ""


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
        theirs, ours = _opening_order(record), None if mine is None else _opening_order(mine)
        if ours is None or theirs > ours:
            self.opened, self.writer = record, writer
        elif theirs == ours:
            self.writer = max(writer, self.writer or b"")

    def close(self, record: SpanClosed) -> None:
        """Of several, the one that ended last stands."""
        mine = self.closed
        if mine is None or (record.end_ns, _canonical(record)) > (mine.end_ns, _canonical(mine)):
            self.closed = record

    def update(self, update: Update) -> None:
        if self.updates is None:
            self.updates = []
        at = bisect_left(self.updates, _order(update), key=_order)
        if at == len(self.updates) or _order(self.updates[at]) != _order(update):
            self.updates.insert(at, update)

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

    def said_of(self, word: str) -> dict[str, Any] | None:
        """All attributes, as parsed JSON, where the opening or an update has one with this word in its name."""
        parts = [loads(self.opened.attributes)] if self.opened is not None else []
        parts += [update.fields.get("attributes") for update in self.updates or ()]
        known = [part for part in parts if isinstance(part, dict)]
        if not any(word in name for part in known for name in part):
            return None
        last = loads(self.closed.attributes) if self.closed is not None else None
        return {name: value for part in [*known, last] if isinstance(part, dict) for name, value in part.items()}

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
        input_tokens = output_tokens = usage = cost = source = parts = flags = priced_ns = null
        if closed.usage is not None:
            input_tokens = tokens(closed.usage, "input_tokens", null)
            output_tokens = tokens(closed.usage, "output_tokens", null)
            usage = orjson.dumps(closed.usage).decode()
        if price is not None and (price.usage is None or closed.usage is None):
            priced_ns, source, cost, parts, flags, estimate = price
            cost = null if cost is None else cost
            parts = null if parts is None else parts
            flags = null if flags is None else flags
            if estimate is not None:
                counts = orjson.loads(estimate)
                input_tokens, output_tokens = (
                    tokens(counts, "input_tokens", null),
                    tokens(counts, "output_tokens", null),
                )
                usage = estimate
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
            parts,
            flags,
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
            if not (closed.events is None and closed.name is None and closed.kind is None and closed.links is None):
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
            found["closed_links"] = text(closed.links)
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
        if span.priced_ns is not None:
            facts.price = Price(
                span.priced_ns, span.price_source, span.cost_pico_usd, span.cost_parts, span.usage_flags
            )
            if span.usage_flags is not None and span.usage_flags.startswith(f'["{ESTIMATED}'):
                facts.price = facts.price._replace(usage=span.usage)
        reported = span.usage if facts.price is None or facts.price.usage is None else None
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
                usage=orjson.loads(reported) if reported is not None else None,
                attributes=data(payload.closed_attributes),
                events=data(more.get("events")),
                kind=more.get("kind"),
                name=more.get("name"),
                links=data(more.get("closed_links")),
            )
        if "updates" in more:
            facts.updates = kept_updates(more)
        return facts


def tokens(usage: Mapping[str, int], name: str, null: Any = None) -> Any:
    """A count for its column; null where there is none, or where it is none."""
    found = usage.get(name)
    return found if found is not None and 0 <= found <= MAX_TOKENS else null


def _order(update: Update) -> Stamp:
    return update.at_ns, update.segment, update.offset


def _opening_order(record: SpanOpened) -> tuple[int, bytes, bytes]:
    # The run last: once it is removed, the stored opening no longer names it.
    return record.start_ns, _canonical(msgspec.structs.replace(record, run_uid=None)), record.run_uid or b""
