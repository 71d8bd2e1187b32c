"""A call to a language model as a chat: reads the shapes that the integrations record. Pure; knows no screen.

Read: OpenAI chat completions (`messages`, `choices`) and responses (`input`, `output`), Anthropic's blocks, the parts
of OpenTelemetry's GenAI messages, and plain lists of `{role, content}`, which other libraries share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged
from weft.ui import media
from weft.ui.values import showable

Message = dict[str, Any]
"""{role, name, parts: [{type: text | thought, text} | {type: call, name, id, arguments} | {type: result, id, parts} |
{type: json, value}]}."""
_TEXTS = {"text", "input_text", "output_text", "summary_text"}
_THOUGHTS = {"reasoning", "thinking", "reasoning_text"}
_CALLS = {"tool_call", "tool_use", "server_tool_use", "function_call"}
_RESULTS = {"tool_call_response", "tool_result", "function_call_output"}
DEEPEST = 6
"""Results within results that are told apart."""


def conversation(inputs: Any, output: Any) -> list[Message]:
    """The request's messages, then the answer's; empty when neither looks like a chat."""
    asked = [message for raw in _requested(inputs) for message in _message(raw, "user")]
    if not asked:
        return []
    return asked + [message for raw in _answered(output) for message in _message(raw, "assistant")]


def _requested(inputs: Any) -> Iterator[Any]:
    if _is_chat(inputs):
        yield from inputs
        return
    if not isinstance(inputs, Mapping):
        return
    instructions = inputs.get("instructions") or inputs.get("system")
    if isinstance(instructions, (str, list)):
        yield {"role": "system", "content": instructions}
    for key in ("messages", "input", "prompt"):
        found = inputs.get(key)
        if _is_chat(found):
            yield from found
            return
        if isinstance(found, str) and key == "input" and "model" in inputs:
            yield {"role": "user", "content": found}
            return


def _is_chat(value: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, (str, bytes))
        and bool(value)
        and all(isinstance(item, Mapping) and ("role" in item or _type(item) in _ITEMS) for item in value)
    )


_ITEMS = {"function_call", "function_call_output", "message", "reasoning"}
"""Item types of the responses API that carry no role of their own."""


def _answered(output: Any) -> Iterator[Any]:
    if isinstance(output, str):
        yield {"role": "assistant", "content": output}
    elif _is_chat(output):
        yield from output
    elif isinstance(output, Mapping):
        if isinstance(choices := output.get("choices"), Sequence):
            for choice in choices:
                if isinstance(choice, Mapping):
                    yield (
                        choice.get("message")
                        or choice.get("delta")
                        or {"role": "assistant", "content": choice.get("text")}
                    )
        elif _is_chat(output.get("output")):
            yield from output["output"]
        elif "role" in output:
            yield output


def _message(raw: Any, role: str) -> Iterator[Message]:
    if not isinstance(raw, Mapping):
        return
    if raw.get("type") == "function_call":
        yield _made("assistant", None, [_call(raw.get("name"), raw.get("call_id"), raw.get("arguments"))])
        return
    if raw.get("type") == "function_call_output":
        yield _made("tool", raw.get("call_id"), list(_parts(raw.get("output"))))
        return
    said = raw.get("content") if raw.get("content") is not None else raw.get("parts")
    parts = [*_thought(raw.get("reasoning_content")), *_parts(said)]
    if refusal := raw.get("refusal"):
        parts.append({"type": "text", "text": str(refusal)})
    for call in raw.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            parts.append(_call(function.get("name"), call.get("id"), function.get("arguments")))
    if isinstance(function := raw.get("function_call"), Mapping):
        parts.append(_call(function.get("name"), None, function.get("arguments")))
    if parts or raw.get("role"):
        yield _made(raw.get("role") or role, raw.get("name") or raw.get("tool_call_id"), parts)


def _made(role: Any, name: Any, parts: list[dict[str, Any]]) -> Message:
    return {"role": str(role), "name": None if name is None else str(name), "parts": parts}


def _parts(content: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if content is None or content == "":
        return
    if isinstance(content, str):
        yield {"type": "text", "text": showable(content)}
    elif isinstance(content, Tagged) and content.kind == "text" and isinstance(content.value, list):
        yield from _parts(content.value, depth)
    elif isinstance(content, Sequence) and not isinstance(content, bytes):
        for part in content:
            yield from _part(part, depth)
    else:
        yield {"type": "json", "value": showable(content)}


def _part(part: Any, depth: int) -> Iterator[dict[str, Any]]:
    """One piece of a message, by its own type; one of a type that nobody knows stays JSON."""
    if (found := _media(part)) is not None:
        shown = showable(found)
        yield {"type": "json", "value": shown["digest"] if isinstance(found, Mapping) else shown}
        return
    kind = _type(part)
    if kind in _THOUGHTS:
        yield from _thought(_first(part, "content", "thinking", "text", "summary"))
    elif kind in _CALLS:
        yield _call(part.get("name"), _first(part, "id", "call_id"), _first(part, "arguments", "input"))
    elif kind in _RESULTS and depth < DEEPEST:
        ident = _first(part, "tool_use_id", "call_id", "id")
        answer = list(_parts(_first(part, "response", "content", "output", "result"), depth + 1))
        yield {"type": "result", "id": None if ident is None else str(ident), "parts": answer}
    else:
        text = part
        if isinstance(part, Mapping):
            text = part.get("content") if kind in _TEXTS and "text" not in part else part.get("text")
        if isinstance(text, str):
            yield {"type": "text", "text": showable(text)}
        else:
            yield {"type": "json", "value": showable(part)}


def _type(part: Any) -> str | None:
    """What a message or part says it is; a type that is no text is none."""
    found = part.get("type") if isinstance(part, Mapping) else None
    return found if isinstance(found, str) else None


def _thought(told: Any) -> Iterator[dict[str, Any]]:
    """What a model said to itself, as text."""
    for part in _parts(told):
        yield {"type": "thought", "text": part["text"]} if part["type"] == "text" else part


def _first(part: Mapping[str, Any], *names: str) -> Any:
    return next((part[name] for name in names if part.get(name) is not None), None)


def _media(part: Any, depth: int = 0) -> Content | Tagged | Mapping[Any, Any] | None:
    """The picture, recording or file of a part, however its provider wraps it; none of a part that says more."""
    if isinstance(part, Content) or (isinstance(part, Tagged) and part.kind in ("image", "content")):
        return part
    if not isinstance(part, Mapping) or depth > 2 or "text" in part:
        return None
    if "_type" in part:  # a `weft.Image` in a message
        return part if media.recorded(part) else None
    found = [one for item in part.values() if (one := _media(item, depth + 1)) is not None]
    return found[0] if len(found) == 1 else None


def _call(name: Any, ident: Any, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            pass  # a model may write arguments that are no JSON: they are shown as it wrote them
    return {
        "type": "call",
        "name": str(name or "?"),
        "id": None if ident is None else str(ident),
        "arguments": showable(arguments),
    }
