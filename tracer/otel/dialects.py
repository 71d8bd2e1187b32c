"""One table of dialects: what other libraries' attributes say, as weft's neutral fields. The table is `dialects.toml`.

Decided attribute by attribute, never by resource: mixed spans are normal. Pure, bounded in time and memory whatever a
sender writes. Attributes stay verbatim with the caller. Called for foreign spans: by the OpenTelemetry processor and by
`weft traces import`; never by `@op`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from weft.tracer.money.usage import USAGE_NAMES, Usage
from weft.tracer.otel import conversations
from weft.tracer.otel.conversations import Message, is_list, is_masked, parsed, unmasked
from weft.tracer.otel.emission import MISSING as MISSING
from weft.tracking.payloads.encoding import Tagged, decode

Attributes = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]

_MAX_COUNT: Final = 1 << 53
_MAX_USD: Final = 1_000_000
_MAX_ITEMS: Final = 1_000
"""Tags, scores."""
_MAX_TEXT: Final = 1_000
"""Characters of an id, a tag, a name."""
_DETAILS: Final = "gen_ai.client.inference.operation.details"
_SCORES: Final[Mapping[str, str]] = {
    "annotations.": "span",
    "evaluations.": "span",
    "trace.annotations.": "trace",
    "trace.evaluations.": "trace",
    "session.annotations.": "session",
}


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


def translate(
    name: str, attributes: Attributes, events: Events = (), scope: str = "", start_ns: int | None = None
) -> Translated:
    """What a span of any dialect says. Never raises for what a sender wrote.

    Args:
        name: the span's own.
        attributes: as received: plain values, lists, dicts.
        events: `{name, at_ns, attributes}`.
        scope: the instrumentation's name.
        start_ns: when the span began: some say the first chunk's time of day only.
    """
    return _Reading(name, attributes, events, scope, start_ns).translated()


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """The data file."""
    return tomllib.loads(Path(__file__).with_name("dialects.toml").read_text(encoding="utf-8"))


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


class _Reading:
    """One span being read."""

    def __init__(self, name: str, attributes: Attributes, events: Events, scope: str, start_ns: int | None) -> None:
        self._name = name
        self._scope = scope
        self._start_ns = start_ns
        self._table = table()
        said = [event for event in events if isinstance(event, Mapping) and isinstance(event.get("name"), str)]
        self._events = [(str(event["name"]), _mapping(event.get("attributes")), event.get("at_ns")) for event in said]
        listed = parsed(attributes.get("events"))
        if is_list(listed):  # Logfire and pydantic-ai write the log events of a call as one attribute
            told = [event for event in listed if isinstance(event, Mapping) and "event.name" in event]
            self._events += [(str(event["event.name"]), event, None) for event in told]
        details = [held for event, held, _ in self._events if event == _DETAILS]
        self._said: Attributes = {**details[-1], **attributes} if details else attributes
        self._flat = self._flattened()

    def translated(self) -> Translated:
        usage, aggregated = self._usage()
        kind = self._kind(usage is not None and not aggregated)
        aggregated = aggregated or (kind in ("agent", "chain") and self._outer and usage is not None)
        model = self._text("model_served") or self._text("model_requested") or self._parameter("model")
        provider = self._text("provider")
        inputs, output = self._content(kind)
        return Translated(
            kind=kind,
            name=self._better_name(kind),
            inputs=_shown(inputs),
            output=_shown(output),
            model=model,
            provider=None if provider is None else provider_name(provider),
            usage=usage,
            aggregated=aggregated,
            cost_usd=self._cost(),
            service_tier=self._tier(),
            thread_id=self._text("thread_id"),
            user_id=self._text("user_id"),
            tags=self._tags(),
            scores=tuple(self._scores()),
            error=self._error(),
            time_to_first_chunk_s=self._first_chunk(),
            flags=Usage.of(usage).inconsistencies if usage else (),
        )

    @property
    def _outer(self) -> bool:
        """The AI SDK's outer span, which sums the calls of its steps."""
        operation = self._said.get("ai.operationId")
        return isinstance(operation, str) and ".do" not in operation

    # ---- looking up ----

    def _get(self, name: str) -> Any:
        value = self._said.get(name)
        if value is None or not isinstance(value, str):
            return value
        return parsed(value, always=name.startswith(_always()))

    def _first(self, names: Iterable[str]) -> Any:
        """The first that is there and not null; falsy values count."""
        for name in names:
            if (value := self._get(name)) is not None:
                return value
        return MISSING

    def _text(self, field_name: str) -> str | None:
        for name in self._table["fields"][field_name]:
            value = self._get(name)
            if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
                return str(value)[:_MAX_TEXT]
        return None

    def _parameter(self, called: str) -> str | None:
        """A call parameter that no attribute of its own says: OpenInference names no model of a call that failed."""
        for name in self._table["fields"]["parameters"]:
            held = self._get(name)
            if isinstance(held, Mapping) and isinstance(found := held.get(called), str) and found:
                return found[:_MAX_TEXT]
        return None

    def _flattened(self) -> dict[str, dict[str, Any]]:
        """Attributes of flattened lists, nested, by their prefix."""
        rows = self._table["flattened"]
        prefixes = (*(prefix for row in rows.values() for prefix in row), *_SCORES)
        found: dict[str, list[tuple[str, Any]]] = {}
        for name, value in self._said.items():
            if not isinstance(name, str) or not name.startswith(prefixes) or value is None:
                continue
            prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
            found.setdefault(prefix, []).append((name[len(prefix) :], value))
        return {prefix: conversations.unflatten(entries) for prefix, entries in found.items()}

    # ---- what it is ----

    def _kind(self, counted: bool) -> str | None:
        unknown = None
        for name in self._table["fields"]["kind"]:
            said = self._get(name)
            if not isinstance(said, str) or not said:
                continue
            word = said.strip().lower()[:_MAX_TEXT]
            known = self._table["kinds"].get(name, {})
            if word in known:
                if known[word]:
                    return str(known[word])
            elif word in _KINDS or name == "weft.kind":
                return word
            elif name != "mcp.method.name" and name != "ai.operationId":
                unknown = unknown or word
        if unknown is not None:
            return unknown
        modelled = any(self._said.get(name) is not None for name in self._table["fields"]["model_requested"])
        return "llm" if modelled and (counted or "gen_ai.system" in self._said) else None

    def _better_name(self, kind: str | None) -> str | None:
        if "weft.kind" in self._said:
            return None
        rows = self._table["names"]
        for name in (*rows.get(kind, ()), *rows["any"]):
            if name == "ai.telemetry.functionId" and not self._outer:
                continue  # on every span of the call
            value = self._get(name)
            if isinstance(value, str) and value:
                return value[:_MAX_TEXT]
        return None

    # ---- what was used ----

    def _usage(self) -> tuple[dict[str, int] | None, bool]:
        rows = self._table["usage"]
        found = {name: count for name in USAGE_NAMES if (count := self._count(rows.get(name, ()))) is not None}
        for name, row in self._table["usage_json"].items():
            if isinstance(held := self._get(name), Mapping):
                for counted, paths in row.items():
                    counts = (_count(_at(held, path)) for path in ([paths] if isinstance(paths, str) else paths))
                    count = next((count for count in counts if count is not None), None)
                    if count is not None:
                        found.setdefault(counted, count)
                self._apart(name, held, found)
        for name in self._table["usage_buckets"]["attribute"]:
            if isinstance(held := self._get(name), Mapping):
                found = {**self._of_buckets(held), **found}
        if found:
            return found, False
        rows = self._table["aggregated"]
        sums = {name: count for name, names in rows.items() if (count := self._count(names)) is not None}
        return (sums, True) if sums else (None, False)

    def _count(self, names: Iterable[str]) -> int | None:
        return next((count for name in names if (count := _count(self._said.get(name))) is not None), None)

    def _apart(self, name: str, held: Mapping[str, Any], found: dict[str, int]) -> None:
        """The AI SDK before 6 hands on Anthropic's own count of input, which leaves the cached out."""
        own = _count(_at(held, "anthropic.usage.input_tokens"))
        inclusive = self._said.get("ai.usage.inputTokenDetails.cacheReadTokens") is not None
        if name != "ai.response.providerMetadata" or inclusive or own is None or found.get("input_tokens") != own:
            return
        found["input_tokens"] += found.get("cache_read_tokens", 0) + found.get("cache_write_tokens", 0)

    def _of_buckets(self, held: Mapping[str, Any]) -> dict[str, int]:
        """Counts that exclude each other, made inclusive; OpenAI's names, which do not, are read as they are."""
        if "prompt_tokens" in held or "completion_tokens" in held:
            paths = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
            paths |= {"cache_read_tokens": "prompt_tokens_details.cached_tokens"}
            paths |= {"reasoning_tokens": "completion_tokens_details.reasoning_tokens"}
            counts = {name: _count(_at(held, path)) for name, path in paths.items()}
            return {name: count for name, count in counts.items() if count is not None}
        rows = self._table["usage_buckets"]
        counted = {str(name): count for name, value in held.items() if (count := _count(value)) is not None}
        found: dict[str, int] = {}
        for side in ("input", "output"):
            if any(side in name for name in counted):
                found[f"{side}_tokens"] = sum(count for name, count in counted.items() if side in name)
        for name in USAGE_NAMES:
            parts = [counted[part] for part in rows.get(name, ()) if part in counted]
            if parts:
                found[name] = sum(parts)
        return found

    def _cost(self) -> Decimal | None:
        for name in self._table["fields"]["cost_usd"]:
            value = self._get(name)
            if isinstance(value, Mapping):
                value = value.get("total_cost", value.get("total", _sum(value.values())))
            if (amount := _amount(value)) is not None:
                return amount
        parts = [_amount(self._said.get(f"llm.cost.{part}")) for part in ("prompt", "completion")]
        return _sum(part for part in parts if part is not None)

    def _tier(self) -> str | None:
        for path in ("openai.serviceTier", "anthropic.usage.service_tier"):
            held = self._get("ai.response.providerMetadata")
            if isinstance(found := _at(held, path) if isinstance(held, Mapping) else None, str) and found:
                return found[:_MAX_TEXT]
        return self._text("service_tier") or self._parameter("service_tier")

    # ---- what went in and came out ----

    def _content(self, kind: str | None) -> tuple[Any, Any]:
        inputs, output = self._get_or_missing("weft.inputs"), self._get_or_missing("weft.output")
        if inputs is not MISSING or output is not MISSING or "weft.kind" in self._said:
            return inputs, output
        told = self._chat() if kind not in ("tool", "retriever", "embedding", "reranker") else (MISSING, MISSING)
        asked, answered = told
        return (
            self._raw("inputs", kind) if asked is MISSING else asked,
            self._raw("outputs", kind) if answered is MISSING else MISSING if answered is None else answered,
        )

    def _get_or_missing(self, name: str) -> Any:
        """weft's own payloads, in the tagged form of `docs/format.md`; their `null` is a value: an output of None."""
        value = self._said.get(name)
        if not isinstance(value, str):
            return MISSING if value is None else value
        try:
            return decode(value)
        except ValueError:
            return value  # somebody else's word, or cut by an attribute limit on its way

    def _raw(self, side: str, kind: str | None) -> Any:
        if kind in ("retriever", "reranker") and side == "outputs":
            documents = [
                document.get(nest, document) if isinstance(document, dict) else document
                for prefix, nest in self._table["flattened"]["documents"].items()
                for document in conversations.in_order(self._flat.get(prefix))
            ]
            if documents:
                return documents
        found = self._first_raw(side, kind)
        if kind == "embedding" and side == "inputs" and (found is MISSING or isinstance(found, str)):
            return self._embedded() or found
        return found

    def _embedded(self) -> list[Any]:
        """The texts of an embedding: one attribute each in OpenInference, messages in OpenLLMetry."""
        for prefix, nest in self._table["flattened"]["texts"].items():
            items = [
                item.get(nest) for item in conversations.in_order(self._flat.get(prefix)) if isinstance(item, dict)
            ]
            if texts := [item["text"] for item in items if isinstance(item, dict) and "text" in item]:
                return texts
        return [message["content"] for message in self._messages("gen_ai.input.messages", "user") or ()]

    def _first_raw(self, side: str, kind: str | None) -> Any:
        rows = self._table[side]
        for name in (*rows.get(kind, ()), *rows["any"]):
            value = self._said.get(name)
            if value is None:
                continue
            media = self._said.get(name.replace(".value", ".mime_type")) if name.endswith("put.value") else None
            found = parsed(value, always=name.startswith(_always()) or media == "application/json")
            if name.startswith(("ai.prompt", "ai.value", "ai.embedding")) and is_list(found):
                found = [parsed(item) for item in found]
            query = kind == "retriever" and side == "inputs" and isinstance(found, str)
            return {"query": found} if query else found
        return MISSING

    def _chat(self) -> tuple[Any, Any]:
        rows = self._table["messages"]
        asked = next((found for name in rows["input"] if (found := self._messages(name, "user")) is not None), None)
        answers = next((found for name in rows["output"] if (found := self._messages(name, "assistant"))), None)
        if asked is None:
            asked = self._flat_messages("input", "user") or self._event_messages(answered=False) or None
        told = self._flat_messages("output", "assistant")  # of a call that failed, LangChain's names its role alone
        answers = answers or [one for one in told if any(one[name] is not None for name in one.keys() - {"role"})]
        answers = answers or self._event_messages(answered=True) or self._ai_sdk_answer()
        if asked is None and isinstance(prompt := self._get("ai.prompt"), Mapping):
            asked = conversations.messages(prompt.get("messages"))
            asked = asked or [{"role": "user", "content": prompt["prompt"]}] if "prompt" in prompt else asked
            if asked is not None and prompt.get("system"):
                asked = [{"role": "system", "content": prompt["system"]}, *asked]
        if asked is not None and not answers and self._said.get("gen_ai.output.messages") is None:
            asked, answers = self._told_together(asked)
        for name in rows["system"]:
            if (system := self._said.get(name)) is not None:
                asked = [*conversations.system(system), *(asked or [])] or None
        nothing = not answers and bool(told) and self._said.get("gen_ai.output.messages") is None
        return self._request(asked), None if nothing else self._response(answers)

    def _request(self, asked: list[Message] | None) -> Any:
        if asked is None:
            return MISSING
        tools = self._tools()
        return {"messages": asked, "tools": tools} if tools else {"messages": asked}

    def _response(self, answers: list[Message] | None) -> Any:
        if not answers:
            return MISSING
        reasons = self._first(self._table["fields"]["finish_reason"])
        reasons = list(reasons) if is_list(reasons) else [] if reasons is MISSING else [reasons]
        for answer, reason in zip(answers, reasons, strict=False):
            answer.setdefault("finish_reason", reason)
        return conversations.choices(answers)

    def _told_together(self, asked: list[Message]) -> tuple[list[Message], list[Message]]:
        """pydantic-ai's agent says question and answer in one list, and its result beside it."""
        last = asked[-1] if asked else {}
        if self._said.get("pydantic_ai.all_messages") is None or last.get("role") != "assistant":
            return asked, []
        if (result := self._said.get("final_result")) is None:
            return asked[:-1], [last]
        return (asked[:-1] if last.get("content") == result and not last.get("tool_calls") else asked), []

    def _messages(self, name: str, role: str) -> list[Message] | None:
        value = self._get(name)
        return None if value is None or is_masked(value) else conversations.messages(value, role)

    def _flat_messages(self, side: str, role: str) -> list[Message]:
        for prefix, nest in self._table["flattened"][side].items():
            if found := conversations.flattened(self._flat.get(prefix), nest, role):
                return found
        return []

    def _event_messages(self, *, answered: bool) -> list[Message]:
        found: list[Message] = []
        for event, said, _ in self._events:
            if event == ("gen_ai.content.completion" if answered else "gen_ai.content.prompt"):
                held = said.get("gen_ai.completion" if answered else "gen_ai.prompt")
                found += conversations.messages(held, "assistant" if answered else "user") or []
            elif (event == "gen_ai.choice") if answered else (event in _ASKING):
                found += conversations.event(event, said)
        return found

    def _ai_sdk_answer(self) -> list[Message]:
        text = self._first(("ai.response.text", "ai.result.text"))
        calls = self._first(("ai.response.toolCalls", "ai.result.toolCalls"))
        thought = self._get("ai.response.reasoning")
        if text is MISSING and calls is MISSING:
            return []
        made: Message = {"role": "assistant", "content": None if text is MISSING else text}
        if isinstance(thought, str) and thought:
            made["reasoning_content"] = unmasked(thought)
        if called := conversations.tool_calls(calls):
            made["tool_calls"] = called
        if isinstance(made["content"], str):
            made["content"] = unmasked(made["content"])
        return [made]

    def _tools(self) -> list[Any]:
        for name in self._table["fields"]["tools"]:
            held = self._get(name)
            if is_list(held) and held:
                return [parsed(tool) for tool in held]
        found: list[Any] = []
        for prefix, nest in self._table["flattened"]["tools"].items():
            for tool in conversations.in_order(self._flat.get(prefix)):
                told = tool.get(nest, tool) if nest and isinstance(tool, dict) else tool
                schema = parsed(told.get("json_schema")) if isinstance(told, dict) else None
                found.append(told if schema is None else schema)
        return found

    # ---- whose it is, and what was said of it ----

    def _tags(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in self._table["fields"]["tags"]:
            held = self._get(name)
            if isinstance(held, str):
                held = held.split(",") if name == "langsmith.span.tags" else [held]
            for tag in held if is_list(held) else ():
                if isinstance(tag, (str, int, float)) and str(tag).strip() and len(found) < _MAX_ITEMS:
                    found[str(tag).strip()[:_MAX_TEXT]] = None
        return tuple(found)

    def _scores(self) -> Iterator[Judgement]:
        count = 0
        for event, said, _ in self._events:
            if event == "gen_ai.evaluation.result" and count < _MAX_ITEMS:
                told = {key.removeprefix("gen_ai.evaluation."): value for key, value in said.items()}
                told["score"], told["label"] = told.get("score.value"), told.get("score.label")
                if (made := _judgement({**told, "error": said.get("error.type")}, "span")) is not None:
                    count += 1
                    yield made
        for prefix, target in _SCORES.items():
            for item in conversations.in_order(self._flat.get(prefix)):
                held = next((item[nest] for nest in ("annotation", "evaluation") if nest in item), item)
                made = _judgement(held, target) if isinstance(held, dict) and count < _MAX_ITEMS else None
                if made is not None:
                    count += 1
                    yield made

    def _error(self) -> dict[str, str] | None:
        for event, said, _ in reversed(self._events):
            if event in ("exception", "gen_ai.client.operation.exception"):
                names = (("type", "Error"), ("message", ""), ("stacktrace", ""))
                return {name: unmasked(str(said.get(f"exception.{name}") or default)) for name, default in names}
        kind = self._said.get("error.type")
        if not isinstance(kind, str) or not kind:
            return None
        message = self._said.get("error.message", self._said.get("exception.message", ""))
        return {"type": kind[:_MAX_TEXT], "message": unmasked(str(message)), "stacktrace": ""}

    def _first_chunk(self) -> float | None:
        fields = self._table["fields"]
        for names, scale in ((fields["first_chunk_s"], 1.0), (fields["first_chunk_ms"], 1e-3)):
            for name in names:
                value = _number(self._said.get(name))
                if value is not None and value >= 0:
                    return value * scale
        if self._start_ns is None:
            return None
        for name in fields["first_chunk_at"]:
            at_ns = _instant_ns(self._said.get(name))
            if at_ns is not None and at_ns >= self._start_ns:
                return (at_ns - self._start_ns) / 1e9
        for event, _, at_ns in self._events:
            if event == "mlflow.chunk.item.0" and isinstance(at_ns, int) and at_ns >= self._start_ns:
                return (at_ns - self._start_ns) / 1e9
        return None


_KINDS = frozenset(
    "op agent llm tool retriever embedding guardrail scorer chain reranker prompt parser memory".split()  # noqa: SIM905
)
_ASKING = frozenset(f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool"))


@lru_cache(maxsize=1)
def _always() -> tuple[str, ...]:
    return tuple(table()["json"]["always"])


def _mapping(value: Any) -> Attributes:
    return value if isinstance(value, Mapping) else {}


def _shown(value: Any) -> Any:
    """A whole value that its sender took out is told as such; texts in messages are already."""
    return Tagged("redacted", {"cause": "by the sender"}) if is_masked(value) else value


def _at(held: Any, path: str) -> Any:
    for step in path.split("."):
        held = held.get(step) if isinstance(held, Mapping) else None
    return held


def _number(value: Any) -> float | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, str))
        or (isinstance(value, str) and len(value) > 40)
    ):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if found == found and abs(found) != float("inf") else None


def _count(value: Any) -> int | None:
    """A count of tokens: a whole number, however it is spelled."""
    number = _number(value)
    if number is None or number != int(number) or abs(number) >= _MAX_COUNT:
        return None
    return int(number)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found < _MAX_USD else None


def _sum(values: Iterable[Any]) -> Decimal | None:
    amounts = [amount for value in values if (amount := _amount(value)) is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _judgement(said: Mapping[str, Any], target: str) -> Judgement | None:
    name, value = said.get("name"), _number(said.get("score"))
    texts = {key: said.get(key) for key in ("label", "explanation", "error")}
    label, reason, error = (None if text is None else str(text) for text in texts.values())
    if not isinstance(name, str) or not name or (value is None and label is None and reason is None and error is None):
        return None
    return Judgement(name[:_MAX_TEXT], value, label, reason, target, error)


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
