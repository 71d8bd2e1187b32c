"""Calls, as `weft.Api()` answers with them, and what may be corrected or deleted of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from weft.tracking import names, runtime
from weft.tracking.api.asking import Asking, the_one
from weft.tracking.api.results import Results
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.records import SCHEMA, Removed, SpanUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact
from weft.tracking.store.readmodels import (
    ScoreRecord,
    SpanRecord,
    ThreadRecord,
    TraceRecord,
)
from weft.tracking.targets import Target, target_of

if TYPE_CHECKING:
    from weft.tracking.runtime import Runtime
    from weft.tracking.store.filters import Where


class Calls(Asking):
    """Traces, spans, conversations and scores."""

    def traces(self, where: Where | None = None, *, order: str = "-start_ns") -> Results[TraceRecord]:
        """Root calls. Filters are Mongo style over the records' fields, JSON paths included (docs/querying.md).

        Args:
            where: such as {"status": "error", "duration_ns": {"$gt": 10**9}, "output.score": {"$lt": 0.5}}.
            order: a field or JSON path, "-" in front for descending; numbers, then texts, missing ones last.

        Raises:
            UsageError: an unknown field, operator or order; the message lists those there are.
        """
        return self._results(TraceRecord, lambda reader, **page: reader.traces(self._of(where), order=order, **page))

    def trace(self, trace_id: str) -> TraceRecord:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        return the_one(self.traces({"trace_id": trace_id}), f"trace {trace_id!r:.80}")

    def spans(
        self, where: Where | None = None, *, order: str = "start_ns", payloads: bool = True
    ) -> Results[SpanRecord]:
        """Calls, of one trace (`{"trace_id": ...}`) or across all.

        Args:
            payloads: whether inputs, output, attributes and events come along.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(
            SpanRecord, lambda reader, **page: reader.spans(self._of(where), order=order, payloads=payloads, **page)
        )

    def span(self, trace_id: str, span_id: str) -> SpanRecord:
        """One of them, whole.

        Raises:
            NotFoundError: there is none.
        """
        return the_one(self.spans({"trace_id": trace_id, "span_id": span_id}), f"span {span_id!r:.80}")

    def threads(self, where: Where | None = None, *, order: str = "-last_ns") -> Results[ThreadRecord]:
        """Conversations (`weft.thread`), the one with the latest turn first.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(ThreadRecord, lambda reader, **page: reader.threads(self._of(where), order=order, **page))

    def scores(self, where: Where | None = None) -> Results[ScoreRecord]:
        """Scores and feedback, in order of time: {"name": "helpful"}, {"kind": "reaction", "trace_id": ...}.

        Raises:
            UsageError: as `traces`.
        """
        return self._results(ScoreRecord, lambda reader, **page: reader.scores(self._of(where), **page))

    def update(
        self,
        target: TraceRecord | SpanRecord | str,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Correct what a call is called or said to be. It is in a file when this returns.

        Args:
            target: a trace (its root call), a span, or the text of a trace's id or of `trace_id/span_id`.
            name: what it is shown as from now on.
            tags: all of its tags from now on.
            attributes: added to those it has; the same names are replaced.

        Raises:
            UsageError: nothing to change, or no such target.
            NotFoundError: there is no such trace.
        """
        if name is None and tags is None and attributes is None:
            raise UsageError("Api.update() was given nothing to change: name=, tags= or attributes=")
        if name is not None and not (isinstance(name, str) and name):
            raise UsageError(f"a call's name is a text of at least one character, not {name!r:.80}")
        found = target_of(target)
        if found.kind not in ("trace", "span"):
            raise UsageError(f"Api.update() takes a trace or a span, not {target!r:.80}")
        rt = runtime.active()
        if not rt.recording:
            return
        rt.journal.append(
            SpanUpdated(
                SCHEMA,
                found.trace_id or b"",
                found.span_id or self._root(target, found),
                rt.ids.wall_ns(),
                None if name is None else clean_name(names.check_text("a call's name", name), rt.settings.redact),
                None if attributes is None else _json(rt, dict(attributes)),
                tags=None if tags is None else _json(rt, names.check_tags(tags)),
            )
        )

    def delete(self, *targets: TraceRecord | SpanRecord | ScoreRecord | str) -> int:
        """Delete traces, spans (with all below them) or scores. They stay deleted, through a rebuild of the store too.

        Returns:
            How many were asked for.

        Raises:
            UsageError: one is none of these, and nothing is deleted then; or mode is disabled, which writes nothing.
        """
        found = [target_of(target) for target in targets]
        if any(one.kind == "run" for one in found):
            raise UsageError(
                "Api.delete() takes traces, spans and scores; a run goes by run.delete() or `weft runs rm`"
            )
        rt = runtime.active()
        if not rt.recording:
            raise UsageError("nothing can be deleted in mode disabled, which writes nothing: unset WEFT_MODE")
        for one in found:
            key = one.score_uid or (one.trace_id or b"") + (one.span_id or b"")
            rt.journal.append(Removed(SCHEMA, one.kind, key, one.project or "", rt.ids.wall_ns()))
        return len(found)

    def _root(self, target: TraceRecord | SpanRecord | str, found: Target) -> bytes:
        trace = target if isinstance(target, TraceRecord) else self.trace((found.trace_id or b"").hex())
        if trace.root_span_id is None:
            raise NotFoundError(
                f"of trace {trace.trace_id} only calls below the root have arrived; name one of its spans"
            )
        return bytes.fromhex(trace.root_span_id)


def _json(rt: Runtime, value: Any) -> bytes:
    data = encode(value)
    return redact(data, rt.faults, rt.settings.redact)
