"""One table of dialects: what other libraries' attributes say, as weft's neutral fields. The table is `dialects.toml`.

Decided attribute by attribute, never by resource: mixed spans are normal. Pure, bounded in time and memory whatever a
sender writes. Attributes stay verbatim with the caller. Called for foreign spans: by the OpenTelemetry processor and by
`weft traces import`; never by `@op`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from weft.tracer.money.usage import Usage
from weft.tracer.otel import conversations
from weft.tracer.otel.conversations import is_list, is_masked, unmasked
from weft.tracer.otel.emission import MISSING as MISSING
from weft.tracer.otel.said import MAX_TEXT, SCORES, Attributes, Events, Said
from weft.tracer.otel.said import table as table
from weft.tracer.otel.saidcontent import content
from weft.tracer.otel.saidusage import cost, number, tier, usage
from weft.tracking.payloads.encoding import Tagged

_MAX_ITEMS: Final = 1_000
"""Tags, scores."""
_KINDS: Final = frozenset(
    "op agent llm tool retriever embedding guardrail scorer chain reranker prompt parser memory".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A score that came with a span."""

    name: str
    value: float | None = None
    label: str | None = None
    reason: str | None = None
    target: str = "span"
    """span, trace or session."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Translated:
    """What a foreign span says, in neutral terms. None (`MISSING` for payloads): it does not say."""

    kind: str | None = None
    """op, llm, tool, ...; a word that nobody knows as it is."""
    name: str | None = None
    """A better one than the span's own."""
    inputs: Any = MISSING
    """Of a chat `{"messages": [...], "tools": [...]}` in OpenAI's shape; else as it was given."""
    output: Any = MISSING
    """Of a chat `{"choices": [{"message": ...}]}`; else as it was given."""
    model: str | None = None
    """That served, else the one asked for."""
    provider: str | None = None
    """OpenTelemetry's name."""
    usage: dict[str, int] | None = None
    """Token counts, inclusive (`weft.tracer.money.usage.Usage`); null is not 0."""
    aggregated: bool = False
    """The usage is the sum of what the calls below used: not to be summed again."""
    cost_usd: Decimal | None = None
    """As the sender says."""
    service_tier: str | None = None
    thread_id: str | None = None
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    scores: tuple[Judgement, ...] = ()
    error: dict[str, str] | None = None
    """{type, message, stacktrace}."""
    time_to_first_chunk_s: float | None = None
    flags: tuple[str, ...] = field(default=())
    """Why the usage cannot be right (`Usage.inconsistencies`)."""


def translate(attributes: Attributes, events: Events = (), start_ns: int | None = None) -> Translated:
    """What a span of any dialect says. Never raises for what a sender wrote.

    Args:
        attributes: as received: plain values, lists, dicts.
        events: `{name, at_ns, attributes}`.
        start_ns: when the span began: some say the first chunk's time of day only.
    """
    said = Said(attributes, events)
    counts, aggregated = usage(said)
    kind = _kind(said, counts is not None and not aggregated)
    aggregated = aggregated or (kind in ("agent", "chain") and _outer(said) and counts is not None)
    model = _model(said.text("model_served") or said.text("model_requested") or said.parameter("model"))
    provider = said.text("provider")
    inputs, output = content(said, kind)
    return Translated(
        kind=kind,
        name=_better_name(said, kind),
        inputs=_shown(inputs),
        output=_shown(output),
        model=model,
        provider=None if provider is None else provider_name(provider),
        usage=counts,
        aggregated=aggregated,
        cost_usd=cost(said),
        service_tier=tier(said),
        thread_id=said.text("thread_id"),
        user_id=said.text("user_id"),
        tags=_tags(said),
        scores=tuple(_scores(said)),
        error=_error(said),
        time_to_first_chunk_s=_first_chunk(said, start_ns),
        flags=Usage.of(counts).inconsistencies if counts else (),
    )


def provider_name(said: str) -> str:
    """OpenTelemetry's name of a provider, whatever the spelling: `xai` is `x_ai`, `openai.chat` is `openai`."""
    known, spelled = table()["providers"]["known"], table()["providers"]["spelled"]
    word = said.strip().lower()
    head = word
    while head:
        if head in known:
            return str(head)
        if head in spelled:
            return str(spelled[head])
        head = head.rpartition(".")[0]
    return said


def _outer(said: Said) -> bool:
    """The AI SDK's outer span, which sums the calls of its steps."""
    operation = said.raw("ai.operationId")
    return isinstance(operation, str) and ".do" not in operation


def _model(said: str | None) -> str | None:
    """Vertex AI's resource `projects/p/locations/l/publishers/google/models/gemini-2.5-flash` by the model's name."""
    return said.rpartition("/models/")[2] or said if said is not None and "publishers/" in said else said


def _kind(said: Said, counted: bool) -> str | None:
    unknown = None
    for name in said.table["fields"]["kind"]:
        told = said.get(name)
        if not isinstance(told, str) or not told:
            continue
        word = told.strip().lower()[:MAX_TEXT]
        known = said.table["kinds"].get(name, {})
        if word in known:
            if known[word]:
                return str(known[word])
        elif word in _KINDS or name == "weft.kind":
            return word
        elif name != "mcp.method.name" and name != "ai.operationId":
            unknown = unknown or word
    if unknown is not None:
        return unknown
    modelled = any(said.raw(name) is not None for name in said.table["fields"]["model_requested"])
    return "llm" if modelled and (counted or "gen_ai.system" in said.attributes) else None


def _better_name(said: Said, kind: str | None) -> str | None:
    if "weft.kind" in said.attributes:
        return None
    rows = said.table["names"]
    for name in (*rows.get(kind, ()), *rows["any"]):
        if name == "ai.telemetry.functionId" and not _outer(said):
            continue  # on every span of the call
        value = said.get(name)
        if isinstance(value, str) and value:
            return value[:MAX_TEXT]
    return None


def _tags(said: Said) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in said.table["fields"]["tags"]:
        held = said.get(name)
        if isinstance(held, str):
            held = held.split(",") if name == "langsmith.span.tags" else [held]
        for tag in held if is_list(held) else ():
            if isinstance(tag, (str, int, float)) and str(tag).strip() and len(found) < _MAX_ITEMS:
                found[str(tag).strip()[:MAX_TEXT]] = None
    return tuple(found)


def _scores(said: Said) -> Iterator[Judgement]:
    count = 0
    for event, held, _ in said.events:
        if event == "gen_ai.evaluation.result" and count < _MAX_ITEMS:
            told = {key.removeprefix("gen_ai.evaluation."): value for key, value in held.items()}
            told["score"], told["label"] = told.get("score.value"), told.get("score.label")
            if (made := _judgement({**told, "error": held.get("error.type")}, "span")) is not None:
                count += 1
                yield made
    for prefix, target in SCORES.items():
        for item in conversations.in_order(said.flat.get(prefix)):
            told = next((item[nest] for nest in ("annotation", "evaluation") if nest in item), item)
            made = _judgement(told, target) if isinstance(told, dict) and count < _MAX_ITEMS else None
            if made is not None:
                count += 1
                yield made


def _error(said: Said) -> dict[str, str] | None:
    for event, held, _ in reversed(said.events):
        if event in ("exception", "gen_ai.client.operation.exception"):
            names = (("type", "Error"), ("message", ""), ("stacktrace", ""))
            return {name: unmasked(str(held.get(f"exception.{name}") or default)) for name, default in names}
    kind = said.raw("error.type")
    if not isinstance(kind, str) or not kind:
        return None
    message = said.raw("error.message", said.raw("exception.message", ""))
    return {"type": kind[:MAX_TEXT], "message": unmasked(str(message)), "stacktrace": ""}


def _first_chunk(said: Said, start_ns: int | None) -> float | None:
    fields = said.table["fields"]
    for names, scale in ((fields["first_chunk_s"], 1.0), (fields["first_chunk_ms"], 1e-3)):
        for name in names:
            value = number(said.raw(name))
            if value is not None and value >= 0:
                return value * scale
    if start_ns is None:
        return None
    for name in fields["first_chunk_at"]:
        at_ns = _instant_ns(said.raw(name))
        if at_ns is not None and at_ns >= start_ns:
            return (at_ns - start_ns) / 1e9
    for event, _, at_ns in said.events:
        if event == "mlflow.chunk.item.0" and isinstance(at_ns, int) and at_ns >= start_ns:
            return (at_ns - start_ns) / 1e9
    return None


def _shown(value: Any) -> Any:
    """A whole value that its sender took out is told as such; texts in messages are already."""
    return Tagged("redacted", {"cause": "by the sender"}) if is_masked(value) else value


def _judgement(said: Mapping[str, Any], target: str) -> Judgement | None:
    name, value = said.get("name"), number(said.get("score"))
    texts = {key: said.get(key) for key in ("label", "explanation", "error")}
    label, reason, error = (None if text is None else str(text) for text in texts.values())
    if not isinstance(name, str) or not name or (value is None and label is None and reason is None and error is None):
        return None
    return Judgement(name[:MAX_TEXT], value, label, reason, target, error)


def _instant_ns(value: Any) -> int | None:
    """Unix nanoseconds of an ISO time, which at times comes within quotes of its own."""
    if not isinstance(value, str) or len(value) > 60:
        return None
    try:
        at = datetime.fromisoformat(value.strip().strip('"'))
        seconds = at.timestamp() if at.tzinfo is not None else at.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return int(seconds * 1e6) * 1_000
