"""A call to a language model as a chat: reads the shapes that the integrations record. Pure; knows no screen.

Read: OpenAI chat completions (`messages`, `choices`) and responses (`input`, `output`), and plain lists of
`{role, content}`, which other libraries share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from weft.tracking.payloads.content import Content
from weft.tracking.payloads.encoding import Tagged
from weft.ui.values import showable

Message = dict[str, Any]
"""{role, name, parts: [{type: text, text} | {type: call, name, id, arguments} | {type: json, value}]}."""


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
        and all(isinstance(item, Mapping) and ("role" in item or item.get("type") in _ITEMS) for item in value)
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
    parts = [*_parts(raw.get("reasoning_content")), *_parts(raw.get("content"))]
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


def _parts(content: Any) -> Iterator[dict[str, Any]]:
    if content is None or content == "":
        return
    if isinstance(content, str):
        yield {"type": "text", "text": showable(content)}
    elif isinstance(content, Tagged) and content.kind == "text" and isinstance(content.value, list):
        yield from _parts(content.value)
    elif isinstance(content, Sequence) and not isinstance(content, bytes):
        for part in content:
            if (found := _media(part)) is not None:
                yield {"type": "json", "value": showable(found)}
                continue
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield {"type": "text", "text": showable(text)}
            else:
                yield {"type": "json", "value": showable(part)}
    else:
        yield {"type": "json", "value": showable(content)}


def _media(part: Any, depth: int = 0) -> Content | Tagged | None:
    """The picture, recording or file of a part, however its provider wraps it; none of a part that says more."""
    if isinstance(part, Content) or (isinstance(part, Tagged) and part.kind in ("image", "content")):
        return part
    if not isinstance(part, Mapping) or depth > 2 or "text" in part:
        return None
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
