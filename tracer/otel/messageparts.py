"""Chat payloads (OpenAI's chat and responses, Anthropic's messages) in the parts schema of OpenTelemetry's GenAI.

`[{role, parts: [{type: text | reasoning | tool_call | tool_call_response | blob | uri | file, ...}], finish_reason?}]`,
state of 2026-09. Pure; what the schema has no part for stays as it is, as a part of its own type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeGuard

Part = Mapping[str, Any]
Message = Mapping[str, Any]

FINISH_REASONS: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
}
"""Providers' words for the convention's own: stop, length, content_filter, tool_call, error. Other words stay."""


def input_messages(inputs: object) -> list[Message] | None:
    """What a call's arguments send as messages; None where they hold no chat."""
    if not isinstance(inputs, Mapping):
        return None
    messages = inputs.get("messages")
    if _is_list(messages) and messages and all(map(_is_message, messages)):
        return [_message(message) for message in messages]
    given = inputs.get("input")
    if isinstance(given, str) and "model" in inputs:
        return [{"role": "user", "parts": [_text(given)]}]
    if (
        _is_list(given)
        and given
        and all(isinstance(item, Mapping) and ("role" in item or "type" in item) for item in given)
    ):
        return [_item(item) for item in given]
    return None


def system_instructions(inputs: object) -> list[Part] | None:
    """What is told beside the messages: Anthropic's `system`, the responses API's `instructions`."""
    if not isinstance(inputs, Mapping):
        return None
    for name in ("system", "instructions"):
        value = inputs.get(name)
        if isinstance(value, str) and value:
            return [_text(value)]
        if _is_list(value) and value:
            return _parts(value)
    return None


def tool_definitions(inputs: object) -> list[Mapping[str, Any]] | None:
    """The tools a call offers, flat: `{type, name, description, parameters}`."""
    tools = inputs.get("tools") if isinstance(inputs, Mapping) else None
    if not _is_list(tools) or not tools or not all(isinstance(tool, Mapping) for tool in tools):
        return None
    return [_definition(tool) for tool in tools]


def output_messages(output: object) -> list[Message] | None:
    """What came back as messages; None where it is no chat's answer."""
    if _is_list(output):
        return [_message(message) for message in output] if output and all(map(_is_message, output)) else None
    if not isinstance(output, Mapping):
        return None
    choices = output.get("choices")
    if _is_list(choices) and choices:
        return [_choice(choice) for choice in choices if isinstance(choice, Mapping)]
    items = output.get("output")
    if _is_list(items) and items and all(isinstance(item, Mapping) and "type" in item for item in items):
        return _answered(output, items)
    if _is_message(output):
        return [_finished(_message(output), output.get("stop_reason") or output.get("finish_reason"))]
    return None


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _is_message(value: object) -> bool:
    told = ("content", "parts", "tool_calls", "function_call")
    return isinstance(value, Mapping) and isinstance(value.get("role"), str) and any(name in value for name in told)


def _text(content: object) -> Part:
    return {"type": "text", "content": content}


def _message(message: Mapping[str, Any]) -> Message:
    """A message of the chat or messages API."""
    role, content = str(message.get("role")), message.get("content")
    if _is_list(message.get("parts")):
        return message  # written by the convention already
    if role in ("tool", "function"):
        called = message.get("tool_call_id") or message.get("name")
        parts: list[Part] = [{"type": "tool_call_response", "id": called, "response": content}]
        return {"role": "tool", "parts": parts}
    parts = []
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            parts.append({"type": "reasoning", "content": message[name]})
            break
    parts += _parts(content)
    if isinstance(message.get("refusal"), str):
        parts.append({"type": "refusal", "content": message["refusal"]})
    calls = message.get("tool_calls")
    parts += [_call(call) for call in calls if isinstance(call, Mapping)] if _is_list(calls) else []
    if isinstance(message.get("function_call"), Mapping):
        parts.append(_call({"function": message["function_call"]}))
    made: dict[str, Any] = {"role": role, "parts": parts}
    if isinstance(message.get("name"), str):
        made["name"] = message["name"]
    return made


def _choice(choice: Mapping[str, Any]) -> Message:
    message = choice.get("message")
    if isinstance(message, Mapping):
        made = _message({"role": "assistant", **message})
    else:
        made = {"role": "assistant", "parts": _parts(choice.get("text"))}
    return _finished(made, choice.get("finish_reason"))


def _finished(message: Message, reason: object) -> Message:
    return {**message, "finish_reason": FINISH_REASONS.get(reason, reason)} if isinstance(reason, str) else message


def _answered(response: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> list[Message]:
    """A response of the responses API: its items are the parts of one message."""
    parts = [part for item in items for part in _item(item)["parts"]]
    details = response.get("incomplete_details")
    cut = details.get("reason") if isinstance(details, Mapping) else None
    called = any(part.get("type") == "tool_call" for part in parts)
    return [
        _finished({"role": "assistant", "parts": parts}, cut or ("tool_calls" if called else response.get("status")))
    ]


def _item(item: Mapping[str, Any]) -> Message:
    """An item of the responses API, in or out."""
    kind = item.get("type")
    if kind == "function_call":
        call = {"id": item.get("call_id") or item.get("id"), "function": item}
        return {"role": "assistant", "parts": [_call(call)]}
    if kind == "function_call_output":
        return {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}],
        }
    if kind == "reasoning":
        return {"role": "assistant", "parts": _reasoning(item)}
    if "role" in item:
        return _message(item)
    return {"role": "assistant", "parts": [_part(item)]}


def _reasoning(item: Mapping[str, Any]) -> list[Part]:
    told = [one for name in ("content", "summary") if _is_list(item.get(name)) for one in item[name]]
    texts = [one.get("text") for one in told if isinstance(one, Mapping)]
    return [{"type": "reasoning", "content": text} for text in texts if isinstance(text, str)]


def _call(call: Mapping[str, Any]) -> Part:
    """A tool call as chat messages hold it; arguments that are JSON become what they say."""
    function = call.get("function")
    if not isinstance(function, Mapping):
        return {**call, "type": str(call.get("type") or "tool_call")}
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            pass  # a model may write anything
    return {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments}


def _parts(content: object) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [_text(content)]
    if _is_list(content):
        return [_part(item) if isinstance(item, Mapping) else _text(item) for item in content]
    return [_text(content)]


def _part(item: Mapping[str, Any]) -> Part:
    kind = item.get("type")
    known = _PARTS.get(kind) if isinstance(kind, str) else None
    made = known(item) if known is not None else None
    return made if made is not None else item


def _source(item: Mapping[str, Any]) -> Part | None:
    """Anthropic's media: base64, a URL or an uploaded file."""
    source, modality = item.get("source"), "image" if item.get("type") == "image" else "document"
    if not isinstance(source, Mapping):
        return None
    if source.get("type") == "base64":
        return _blob(modality, source.get("media_type"), source.get("data"))
    if source.get("type") == "url":
        return _uri(modality, source.get("url"))
    return {"type": "file", "modality": modality, "file_id": source["file_id"]} if "file_id" in source else None


def _image(item: Mapping[str, Any]) -> Part | None:
    """OpenAI's images: chat nests the URL, responses do not."""
    given = item.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    if url is None and "file_id" in item:
        return {"type": "file", "modality": "image", "file_id": item["file_id"]}
    return None if url is None else _uri("image", url)


def _audio(item: Mapping[str, Any]) -> Part | None:
    given = item.get("input_audio")
    if not isinstance(given, Mapping):
        return None
    return _blob("audio", f"audio/{given.get('format') or 'wav'}", given.get("data"))


def _file(item: Mapping[str, Any]) -> Part | None:
    given = item.get("file")
    file = given if isinstance(given, Mapping) else item
    return {"type": "file", "modality": "document", "file_id": file["file_id"]} if "file_id" in file else None


def _uri(modality: str, url: object) -> Part:
    head, comma, data = url.partition(",") if isinstance(url, str) and url.startswith("data:") else ("", "", "")
    if comma and head.endswith(";base64"):
        return _blob(modality, head[len("data:") : -len(";base64")], data)
    return {"type": "uri", "modality": modality, "uri": url}


def _blob(modality: str, mime_type: object, content: object) -> Part:
    return {"type": "blob", "modality": modality, "mime_type": mime_type, "content": content}


def _tool_use(item: Mapping[str, Any]) -> Part:
    return {"type": "tool_call", "id": item.get("id"), "name": item.get("name"), "arguments": item.get("input")}


def _tool_result(item: Mapping[str, Any]) -> Part:
    return {"type": "tool_call_response", "id": item.get("tool_use_id"), "response": item.get("content")}


def _written(item: Mapping[str, Any]) -> Part | None:
    text = item.get("text", item.get("content"))
    return None if text is None else _text(text)


_PARTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part | None]]] = {
    "text": _written,
    "input_text": _written,
    "output_text": _written,
    "thinking": lambda item: {"type": "reasoning", "content": item.get("thinking")},
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _source,
    "document": _source,
    "image_url": _image,
    "input_image": _image,
    "input_audio": _audio,
    "file": _file,
    "input_file": _file,
}


def _definition(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = tool.get("function")
    told = nested if isinstance(nested, Mapping) else tool
    if not isinstance(told.get("name"), str):
        return tool
    made: dict[str, Any] = {
        "type": "function" if told is nested else tool.get("type") or "function",
        "name": told["name"],
    }
    if isinstance(told.get("description"), str):
        made["description"] = told["description"]
    parameters = told.get("parameters", told.get("input_schema"))
    return made if parameters is None else {**made, "parameters": parameters}
