"""Tokens of model calls that report none: counted by `weft.tracer.money.tokens` when they are ingested, and marked.

Called by the ingester, never by a program that traces. Counted is the text of what was captured; images, tools'
schemas and a provider's own framing are not, so a count is an estimate even where the vocabulary is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from weft.tracer.money.billing import UNKNOWN, bill, fact, priced
from weft.tracer.money.pricefile import read
from weft.tracer.money.tokens import count_tokens
from weft.tracer.money.usage import Usage
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanOpened, SpanPriced
from weft.tracking.settings import Settings

_NO_TEXT = frozenset(("role", "type", "id", "model", "name", "finish_reason", "object", "url", "tool_call_id"))
"""Fields of messages whose text is no content."""


def estimator(settings: Settings) -> Callable[[SpanOpened, SpanClosed], SpanPriced | None]:
    """What completes the calls of one pass: counts what they do not report, unless that is turned off, and prices what
    they do.
    """
    file = read(settings.prices)

    def estimate(opened: SpanOpened, closed: SpanClosed) -> SpanPriced | None:
        if closed.usage is not None:
            return priced(closed, file)
        counted = _counted(opened, closed) if settings.estimate_tokens else None
        if counted is None:
            return None
        usage, flag = counted
        ids = (closed.trace_id, closed.span_id)
        found = bill(Usage.of(usage), closed.provider, closed.model or "", closed.end_ns, None, file)
        if found is None:
            return SpanPriced(SCHEMA, *ids, closed.end_ns, UNKNOWN, "", flags=[flag], usage=usage)
        cost, source, flags = found
        return fact(closed, cost, source, [flag, *flags], usage)

    return estimate


def _counted(opened: SpanOpened, closed: SpanClosed) -> tuple[dict[str, int], str] | None:
    """Token counts of a model call, and who counted; None: it is no such call, or nothing of it was captured."""
    model = closed.model
    if (closed.kind or opened.kind) != "llm" or model is None or (closed.status == "error" and closed.output is None):
        return None
    usage, sources = {}, set()
    for name, payload in (("input_tokens", opened.inputs), ("output_tokens", closed.output)):
        text = None if payload is None else _text(payload)
        if text:
            usage[name], source = count_tokens(text, model)
            sources.add(source)
    if not usage:
        return None
    how = ", ".join(sorted(sources - {"estimate"}))
    return usage, f"estimated ({how})" if how else "estimated"


def _text(payload: bytes) -> str:
    try:
        return "\n".join(_texts(orjson.loads(payload)))
    except orjson.JSONDecodeError:
        return ""


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if not item.startswith("data:"):
                yield item
        elif isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, dict) and "$weft" not in item:  # what JSON has no form for: media, for the most part
            waiting += [inner for name, inner in reversed(item.items()) if name not in _NO_TEXT]
