"""What a foreign span says went in and came out: messages of a chat in OpenAI's shape, else as it was given.

For `dialects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weft.tracer.otel import conversations
from weft.tracer.otel.conversations import Message, is_list, is_masked, parsed, unmasked
from weft.tracer.otel.emission import MISSING
from weft.tracer.otel.said import Said, always_json
from weft.tracking.payloads.encoding import decode

_ASKING: Final = frozenset(f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool"))


def content(said: Said, kind: str | None) -> tuple[Any, Any]:
    """Inputs and output; `MISSING` where it does not say."""
    inputs, output = _get_or_missing(said, "weft.inputs"), _get_or_missing(said, "weft.output")
    if inputs is not MISSING or output is not MISSING or "weft.kind" in said.attributes:
        return inputs, output
    told = _chat(said) if kind not in ("tool", "retriever", "embedding", "reranker") else (MISSING, MISSING)
    asked, answered = told
    return (
        _raw(said, "inputs", kind) if asked is MISSING else asked,
        _raw(said, "outputs", kind) if answered is MISSING else MISSING if answered is None else answered,
    )


def _get_or_missing(said: Said, name: str) -> Any:
    """weft's own payloads, in the tagged form of `docs/format.md`; their `null` is a value: an output of None."""
    value = said.raw(name)
    if not isinstance(value, str):
        return MISSING if value is None else value
    try:
        return decode(value)
    except ValueError:
        return value  # somebody else's word, or cut by an attribute limit on its way


def _raw(said: Said, side: str, kind: str | None) -> Any:
    if kind in ("retriever", "reranker") and side == "outputs":
        documents = [
            document.get(nest, document) if isinstance(document, dict) else document
            for prefix, nest in said.table["flattened"]["documents"].items()
            for document in conversations.in_order(said.flat.get(prefix))
        ]
        if documents:
            return documents
    found = _first_raw(said, side, kind)
    if kind == "embedding" and side == "inputs" and (found is MISSING or isinstance(found, str)):
        return _embedded(said) or found
    return found


def _embedded(said: Said) -> list[Any]:
    """The texts of an embedding: one attribute each in OpenInference, messages in OpenLLMetry."""
    for prefix, nest in said.table["flattened"]["texts"].items():
        items = [item.get(nest) for item in conversations.in_order(said.flat.get(prefix)) if isinstance(item, dict)]
        if texts := [item["text"] for item in items if isinstance(item, dict) and "text" in item]:
            return texts
    return [message["content"] for message in _messages(said, "gen_ai.input.messages", "user") or ()]


def _first_raw(said: Said, side: str, kind: str | None) -> Any:
    rows = said.table[side]
    for name in (*rows.get(kind, ()), *rows["any"]):
        value = said.raw(name)
        if value is None:
            continue
        media = said.raw(name.replace(".value", ".mime_type")) if name.endswith("put.value") else None
        found = parsed(value, always=name.startswith(always_json()) or media == "application/json")
        if name.startswith(("ai.prompt", "ai.value", "ai.embedding")) and is_list(found):
            found = [parsed(item) for item in found]
        query = kind == "retriever" and side == "inputs" and isinstance(found, str)
        return {"query": found} if query else found
    return MISSING


def _chat(said: Said) -> tuple[Any, Any]:
    rows = said.table["messages"]
    asked = next((found for name in rows["input"] if (found := _messages(said, name, "user")) is not None), None)
    answers = next((found for name in rows["output"] if (found := _messages(said, name, "assistant"))), None)
    if asked is None:
        asked = _flat_messages(said, "input", "user") or _event_messages(said, answered=False) or None
    told = _flat_messages(said, "output", "assistant")  # of a call that failed, LangChain's names its role alone
    answers = answers or [one for one in told if any(one[name] is not None for name in one.keys() - {"role"})]
    answers = answers or _event_messages(said, answered=True) or _ai_sdk_answer(said)
    if asked is None and isinstance(prompt := said.get("ai.prompt"), Mapping):
        asked = conversations.messages(prompt.get("messages"))
        asked = asked or [{"role": "user", "content": prompt["prompt"]}] if "prompt" in prompt else asked
        if asked is not None and prompt.get("system"):
            asked = [{"role": "system", "content": prompt["system"]}, *asked]
    if asked is None and told and isinstance(text := parsed(said.raw("input.value")), str) and not is_masked(text):
        asked = [{"role": "user", "content": text}]  # an agent of OpenInference's: what it was told, what it answered
    if asked is not None and not answers and said.raw("gen_ai.output.messages") is None:
        asked, answers = _told_together(said, asked)
    for name in rows["system"]:
        if (system := said.raw(name)) is not None:
            asked = [*conversations.system(system), *(asked or [])] or None
    nothing = not answers and bool(told) and said.raw("gen_ai.output.messages") is None
    return _request(said, asked), None if nothing else _response(said, answers)


def _request(said: Said, asked: list[Message] | None) -> Any:
    if asked is None:
        return MISSING
    tools = _tools(said)
    return {"messages": asked, "tools": tools} if tools else {"messages": asked}


def _response(said: Said, answers: list[Message] | None) -> Any:
    if not answers:
        return MISSING
    reasons = said.first(said.table["fields"]["finish_reason"])
    reasons = list(reasons) if is_list(reasons) else [] if reasons is MISSING else [reasons]
    for answer, reason in zip(answers, reasons, strict=False):
        answer.setdefault("finish_reason", reason)
    return conversations.choices(answers)


def _told_together(said: Said, asked: list[Message]) -> tuple[list[Message], list[Message]]:
    """pydantic-ai's agent says question and answer in one list, and its result beside it."""
    last = asked[-1] if asked else {}
    if said.raw("pydantic_ai.all_messages") is None or last.get("role") != "assistant":
        return asked, []
    if (result := said.raw("final_result")) is None:
        return asked[:-1], [last]
    return (asked[:-1] if last.get("content") == result and not last.get("tool_calls") else asked), []


def _messages(said: Said, name: str, role: str) -> list[Message] | None:
    value = said.get(name)
    return None if value is None or is_masked(value) else conversations.messages(value, role)


def _flat_messages(said: Said, side: str, role: str) -> list[Message]:
    for prefix, nest in said.table["flattened"][side].items():
        if found := conversations.flattened(said.flat.get(prefix), nest, role):
            return found
    return []


def _event_messages(said: Said, *, answered: bool) -> list[Message]:
    found: list[Message] = []
    for event, held, _ in said.events:
        if event == ("gen_ai.content.completion" if answered else "gen_ai.content.prompt"):
            told = held.get("gen_ai.completion" if answered else "gen_ai.prompt")
            found += conversations.messages(told, "assistant" if answered else "user") or []
        elif (event == "gen_ai.choice") if answered else (event in _ASKING):
            found += conversations.event(event, held)
    return found


def _ai_sdk_answer(said: Said) -> list[Message]:
    text = said.first(("ai.response.text", "ai.result.text"))
    calls = said.first(("ai.response.toolCalls", "ai.result.toolCalls"))
    thought = said.get("ai.response.reasoning")
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


def _tools(said: Said) -> list[Any]:
    for name in said.table["fields"]["tools"]:
        held = said.get(name)
        if is_list(held) and held:
            return [parsed(tool) for tool in held]
    found: list[Any] = []
    for prefix, nest in said.table["flattened"]["tools"].items():
        for tool in conversations.in_order(said.flat.get(prefix)):
            told = tool.get(nest, tool) if nest and isinstance(tool, dict) else tool
            schema = parsed(told.get("json_schema")) if isinstance(told, dict) else None
            found.append(told if schema is None else schema)
    return found
