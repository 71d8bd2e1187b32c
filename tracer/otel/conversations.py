"""Chat messages of any dialect in one neutral shape, OpenAI's: `{role, content, tool_calls?, tool_call_id?, name?}`.

Read: the parts schema of OpenTelemetry's GenAI, its older events, messages flattened over many attributes, and what is
OpenAI's already. Pure and bounded whatever a sender writes; what nobody knows stays as it is. The way back is
`messageparts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

import orjson

Message = dict[str, Any]

MAX_INDEX: Final = 9_999
"""A higher index of a flattened list is no message: it stays an attribute."""
MAX_DEPTH: Final = 12
"""Segments of a flattened name that are looked at; what is deeper stays an attribute."""

_REDACTED: Final = re.compile(r"__REDACTED__|\[Scrubbed due to (.{0,200}?)\]", re.DOTALL)
_MARK: Final = "[redacted:sender]"


def unmasked(text: str) -> str:
    """Other senders' markers of what they took out, as weft writes them."""
    if "__REDACTED__" not in text and "[Scrubbed due to" not in text:
        return text
    return _REDACTED.sub(_MARK, text)


def is_masked(value: object) -> bool:
    """Whether a whole value is such a marker."""
    return isinstance(value, str) and _REDACTED.fullmatch(value.strip()) is not None


def parsed(value: Any, *, always: bool = False) -> Any:
    """What a JSON text says; any other value as it is.

    Args:
        always: the sender writes JSON whatever it holds; else only an object or a list is read as such.
    """
    if not isinstance(value, str) or not (always or value.lstrip()[:1] in ("{", "[")):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:  # its nesting is bounded, too
        return value


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def messages(value: Any, role: str = "user") -> list[Message] | None:
    """A list of messages, or one of them, in the neutral shape; None where it is no chat.

    Args:
        role: of a message that names none.
    """
    value = parsed(value)
    if isinstance(value, Mapping):
        value = [value]
    if not is_list(value) or not value:
        return None
    items = [parsed(item) for item in value]
    if not all(isinstance(item, Mapping) and _says(item) for item in items):
        return None
    return [made for item in items for made in _message(item, role)]


def _says(item: Mapping[str, Any]) -> bool:
    return "role" in item or is_list(item.get("parts")) or "event.name" in item


def system(value: Any) -> list[Message]:
    """What `gen_ai.system_instructions` says, as a system message."""
    value = parsed(value)
    if value is None or value == "" or value == []:
        return []
    parts = value if is_list(value) else [value]
    return list(_of_parts({"role": "system", "parts": parts}, "system"))


def choices(answers: Iterable[Message]) -> dict[str, Any]:
    """Answers as a chat completion holds them, each with why it ended."""
    made = []
    for index, answer in enumerate(answers):
        reason = answer.pop("finish_reason", None)
        choice: dict[str, Any] = {"index": index, "message": answer}
        made.append(choice if reason is None else {**choice, "finish_reason": reason})
    return {"choices": made}


def _message(item: Mapping[str, Any], role: str) -> Iterator[Message]:
    if "event.name" in item:
        yield from event(str(item["event.name"]), item)
        return
    if is_list(item.get("parts")) and "content" not in item:
        yield from _of_parts(item, role)
        return
    content = parsed_content(item.get("content"))
    if is_list(content) and any(_is_vercel(part) or _is_part(part) for part in content):
        yield from _of_parts({**item, "parts": content}, role)
        return
    made = {str(name): value for name, value in item.items() if name != "content"}
    made["role"] = _role(item, role)
    made["content"] = _clean(content)
    if is_list(calls := item.get("tool_calls")):
        made["tool_calls"] = [_call(call) for call in calls if isinstance(call, Mapping)]
    yield made


def _role(item: Mapping[str, Any], default: str) -> str:
    said = str(item.get("role") or default)
    return "assistant" if said == "model" else said  # as Gemini calls it


def parsed_content(content: Any) -> Any:
    """A message's content; a list of parts may come as JSON."""
    if not isinstance(content, str) or not content.startswith("[{"):
        return content
    found = parsed(content)
    typed = is_list(found) and all(isinstance(part, Mapping) and "type" in part for part in found)
    return found if typed else content


def _is_part(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, Mapping) else None
    return kind in ("tool_call", "tool_call_response", "reasoning", "blob", "uri") or (
        kind == "text" and "content" in part
    )


_PART_TYPES: Final = frozenset(("tool_call", "tool_call_response", "reasoning", "blob", "uri"))


def _is_vercel(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in ("tool-call", "tool-result", "reasoning-text")


def _of_parts(item: Mapping[str, Any], role: str) -> Iterator[Message]:
    """A message in parts: each result of a tool becomes a message of its own, as OpenAI has it."""
    made: Message = {"role": _role(item, role), "content": None}
    content: list[Any] = []
    calls: list[Any] = []
    thoughts: list[str] = []
    results: list[Message] = []
    for part in item["parts"]:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("tool_call", "tool-call"):
            calls.append(_call(part))
        elif kind in ("tool_call_response", "tool-result"):
            results.append(_result(part))
        elif kind in ("reasoning", "thinking") and isinstance(thought := _text_of(part), str):
            thoughts.append(unmasked(thought))
        else:
            content.append(_content_part(part))
    if thoughts:
        made["reasoning_content"] = "\n\n".join(thoughts)
    only_text = len(content) == 1 and isinstance(content[0], Mapping) and content[0].keys() == {"type", "text"}
    made["content"] = content[0]["text"] if only_text else content or None
    if calls:
        made["tool_calls"] = calls
    made |= {name: item[name] for name in ("name", "finish_reason") if item.get(name) is not None}
    if content or calls or thoughts or not results:
        yield made
    yield from results


def _text_of(part: Mapping[str, Any]) -> Any:
    return next((part[name] for name in ("content", "text", "thinking") if part.get(name) is not None), None)


def _content_part(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return {"type": "text", "text": unmasked(part)} if isinstance(part, str) else part
    kind, modality = part.get("type"), part.get("modality")
    if kind in ("text", None) and isinstance(text := _text_of(part), str):
        return {"type": "text", "text": unmasked(text)}
    if kind == "blob" and isinstance(data := part.get("content"), str):
        media = str(part.get("mime_type") or ("image/png" if modality == "image" else "application/octet-stream"))
        if modality == "audio" or media.startswith("audio/"):
            return {"type": "input_audio", "input_audio": {"data": data, "format": media.partition("/")[2]}}
        if modality == "image" or media.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": f"data:{media};base64,{data}"}}
    if kind == "uri" and modality in ("image", None) and isinstance(part.get("uri"), str):
        return {"type": "image_url", "image_url": {"url": part["uri"]}}
    if kind == "file" and isinstance(part.get("file_id"), str):
        return {"type": "file", "file": {"file_id": part["file_id"]}}
    return dict(part)


def _result(part: Mapping[str, Any]) -> Message:
    found = next((part[name] for name in ("response", "result", "output", "content") if name in part), None)
    made: Message = {"role": "tool", "content": _clean(found)}
    ident = part.get("id", part.get("toolCallId"))
    if ident is not None:
        made["tool_call_id"] = ident
    name = part.get("name", part.get("toolName"))
    return made if name is None else {**made, "name": name}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call of any dialect, as OpenAI writes it: its arguments are JSON text."""
    nested = call.get("tool_call")
    if isinstance(nested, Mapping):
        call = nested
    function = call.get("function")
    told: Mapping[str, Any] = function if isinstance(function, Mapping) else call
    name = told.get("name", told.get("toolName", told.get("function_name")))
    arguments = next((told[key] for key in ("arguments", "args", "input") if told.get(key) is not None), None)
    if arguments is not None and not isinstance(arguments, str):
        try:
            arguments = orjson.dumps(arguments, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:  # no JSON: bytes, numbers beyond 64 bits
            arguments = str(arguments)
    made = {"name": name, "arguments": None if arguments is None else unmasked(arguments)}
    return {"id": call.get("id", call.get("toolCallId")), "type": "function", "function": made}


def _clean(content: Any) -> Any:
    if isinstance(content, str):
        return unmasked(content)
    if is_list(content):
        return [_content_part(part) for part in content]
    return content


def tool_calls(value: Any) -> list[dict[str, Any]]:
    """A list of calls beside the answer's text, such as the AI SDK's."""
    found = parsed(value)
    return [_call(call) for call in found if isinstance(call, Mapping)] if is_list(found) else []


def event(name: str, said: Mapping[str, Any]) -> Iterator[Message]:
    """A message of OpenTelemetry's former events: `gen_ai.{system,user,assistant,tool}.message`, `gen_ai.choice`."""
    body = parsed(said.get("body"))
    told: Mapping[str, Any] = {**said, **body} if isinstance(body, Mapping) else said
    if name == "gen_ai.choice":
        message = parsed(told.get("message"))
        held = {"role": "assistant", **(message if isinstance(message, Mapping) else {"content": message})}
        if message is None:
            held = {"role": "assistant", "content": told.get("content"), "tool_calls": told.get("tool_calls")}
        if "tool_calls" not in held and is_list(told.get("tool_calls")):
            held["tool_calls"] = told["tool_calls"]
        for made in _message(_kept(held), "assistant"):
            reason = told.get("finish_reason")
            yield made if reason is None else {**made, "finish_reason": reason}
        return
    role = name.removeprefix("gen_ai.").removesuffix(".message")
    kept = _kept({key: told[key] for key in ("role", "content", "tool_calls", "name") if key in told})
    if role == "tool" and told.get("id") is not None:
        kept["tool_call_id"] = told["id"]
    yield from _message({"role": role, **kept}, role)


def _kept(said: dict[str, Any]) -> dict[str, Any]:
    if isinstance(said.get("tool_calls"), str):
        said["tool_calls"] = parsed(said["tool_calls"])
    return {name: value for name, value in said.items() if value is not None}


def unflatten(entries: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Dotted names as nested dicts. Numbers stay keys: no list is made as long as somebody's index."""
    root: dict[str, Any] = {}
    for name, value in entries:
        path = name.split(".", MAX_DEPTH)
        if len(path) > MAX_DEPTH:
            continue
        node: Any = root
        for step in path[:-1]:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                break  # a value stands where others are nested: the first to come stays
        if isinstance(node, dict):
            node.setdefault(path[-1], value)
    return root


def in_order(node: Any) -> list[Any]:
    """The items of an unflattened list, by number."""
    if not isinstance(node, dict):
        return []
    return [node[key] for key in sorted(filter(_is_index, node), key=int)]


def _is_index(key: str) -> bool:
    return len(key) <= 4 and key.isascii() and key.isdigit()


def flattened(node: Any, nest: str, role: str) -> list[Message]:
    """Messages that were written one attribute a field.

    Args:
        node: `unflatten` of what follows the prefix.
        nest: a name between the number and the fields (OpenInference's `message`).
        role: of a message that names none.
    """
    made: list[Message] = []
    for item in in_order(node):
        fields = item.get(nest, item) if nest and isinstance(item, dict) else item
        if isinstance(fields, dict) and fields:
            made += _message(_written(fields), role)
    return made


def _written(fields: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in fields.items() if not isinstance(value, dict)}
    parts = in_order(fields.get("contents"))
    blocks = [part["tool_call"] for part in parts if isinstance(part, dict) and isinstance(part.get("tool_call"), dict)]
    held = [_openinference(part) for part in parts if not (isinstance(part, dict) and "tool_call" in part)]
    thoughts = [part["text"] for part in held if _is_thought(part)]
    texts = [part for part in held if not _is_thought(part)]
    if thoughts:
        found["reasoning_content"] = "\n\n".join(thoughts)
    if texts:
        found["content"] = texts
    elif isinstance(content := fields.get("content"), dict):
        found["content"] = in_order(content) or content
    calls = [call for call in in_order(fields.get("tool_calls")) if isinstance(call, dict)]
    calls = calls or blocks  # Anthropic's blocks are said among the content, and mostly as calls, too
    if calls:
        found["tool_calls"] = calls
    name, arguments = fields.get("function_call_name"), fields.get("function_call_arguments_json")
    if name is not None:
        found["tool_calls"] = [{"name": name, "arguments": arguments}, *calls]
        found.pop("function_call_name"), found.pop("function_call_arguments_json", None)
    return found


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "reasoning" and isinstance(part.get("text"), str)


def _openinference(part: Any) -> Any:
    held = part.get("message_content", part) if isinstance(part, dict) else part
    if not isinstance(held, dict):
        return held
    if _is_thought(held):
        return held
    if held.get("text") is not None:
        return {"type": "text", "text": held["text"]}
    image = held.get("image")
    inner = image.get("image", image) if isinstance(image, dict) else None
    url = inner.get("url") if isinstance(inner, dict) else None
    return held if url is None else {"type": "image_url", "image_url": {"url": url}}
