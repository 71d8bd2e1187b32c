"""What the integrations of clients have in common, as data: a traced method, a call as it begins, what came back. Pure.

A library's own file (`openai_calls`, `anthropic_calls`) says how its requests and responses are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.tracer import semconv
from weft.tracer.integrations.assembly import Assembly

_ABSENT = frozenset({"NotGiven", "Omit"})
"""Classes of these clients' own words for "not given"."""
_TRANSPORT = frozenset({"extra_headers", "extra_query", "timeout"})
"""Arguments that say how to send, not what: the headers may hold secrets."""
_ITERABLES = frozenset({"messages", "tools", "functions", "input", "stop", "system", "stop_sequences"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a response says."""

    output: Any
    usage: Mapping[str, int] | None
    """By OpenTelemetry's inclusive names; None: none was reported, which is not zero."""
    model: str | None
    """That served."""
    attributes: Mapping[str, Any]
    failure: str | None = None
    """The model failed, and the server said so in a sound answer."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One traced method of a client."""

    name: str
    """OpenTelemetry's `gen_ai.operation.name`, or a word of ours where it has none."""
    kind: str
    """The span's."""
    read: Callable[[Mapping[str, Any]], Outcome]
    """Reads a response, or a stream's assembled one, as plain data."""
    request: Mapping[str, str]
    """Request parameters that become attributes."""
    assembly: Callable[[], Assembly] | None = None
    """What puts its streams together."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of each call."""
    asks_usage: bool = False
    """Its streams tell the usage only when asked (`stream_options`)."""
    inputs: Callable[[dict[str, Any]], dict[str, Any]] = dict
    """What is recorded of the arguments."""
    binary: Callable[[bytes, str], Any] | None = None
    """What is recorded of an answer that is no JSON, from its bytes and content type."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a client sends to."""

    host: str
    port: int | None
    provider: str
    """OpenTelemetry's name, or the host."""
    takes_stream_options: bool = False
    """Whether asking for usage at the end of a stream is safe there."""


def address_of(resource: Any) -> tuple[str, int | None]:
    """Host and port that a resource of a client (`client.chat.completions`) sends to; "unknown" without a base URL."""
    url = getattr(getattr(resource, "_client", None), "base_url", None)
    return str(getattr(url, "host", "") or "unknown"), getattr(url, "port", None)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it begins."""

    name: str
    kind: str
    inputs: Mapping[str, Any]
    attributes: Mapping[str, Any]
    model: str | None
    provider: str


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were given, iterators among them drawn into lists: what is recorded can still be sent."""
    return {
        name: list(value) if name in _ITERABLES and hasattr(value, "__next__") else value
        for name, value in arguments.items()
        if type(value).__name__ not in _ABSENT
    }


def call_of(operation: Operation, arguments: Mapping[str, Any], server: Server) -> Call:
    """What a span says when the call begins."""
    inputs = {name: value for name, value in arguments.items() if name not in _TRANSPORT and value is not None}
    more = inputs.pop("extra_body", None)
    inputs.update(more if isinstance(more, Mapping) else {})
    attributes: dict[str, Any] = {semconv.OPERATION: operation.name, semconv.PROVIDER: server.provider}
    for name, attribute in operation.request.items():
        value = inputs.get(name)
        if isinstance(value, (str, int, float)) or (name.startswith("stop") and isinstance(value, (list, tuple))):
            attributes[attribute] = [value] if name == "stop" and isinstance(value, str) else value
    attributes.update(operation.attributes)
    attributes[semconv.SERVER_ADDRESS] = server.host
    if server.port is not None:
        attributes[semconv.SERVER_PORT] = server.port
    for name in ("response_format", "text_format", "output_format"):
        if isinstance(inputs.get(name), type):
            inputs[name] = inputs[name].__name__  # what `parse` was given: a class
    model = inputs.get("model")
    name = f"{operation.name} {model}" if isinstance(model, str) else operation.name
    # A background call answers before the model does: it has no tokens, and must not be estimated as if it had.
    kind = "op" if inputs.get("background") is True else operation.kind
    return Call(
        name, kind, operation.inputs(inputs), attributes, model if isinstance(model, str) else None, server.provider
    )


def response_attributes(response: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Those fields of a response that are text, by the names of their attributes."""
    return {attribute: response[name] for name, attribute in names.items() if isinstance(response.get(name), str)}


def count_at(usage: Any, path: tuple[str, ...]) -> int | None:
    """The whole number at a path of a usage object; None where there is none."""
    for key in path:
        usage = usage.get(key) if isinstance(usage, Mapping) else None
    return usage if isinstance(usage, int) and not isinstance(usage, bool) else None


def plain(response: Any) -> dict[str, Any] | None:
    """A response object of a client as plain data; None where it is none.

    `parse` methods' extra fields (`parsed`) are kept.
    """
    dump = getattr(response, "to_dict", None)
    if dump is None:
        return dict(response) if isinstance(response, Mapping) else None
    # `warnings=False`: servers that answer with other types than the maker's would make pydantic warn at the user.
    found = dump(mode="python", exclude_unset=True, warnings=False)
    return found if isinstance(found, dict) else None


def error_attributes(error: BaseException, library: str) -> dict[str, Any]:
    """What a failed call's span says beyond the exception."""
    found: dict[str, Any] = {semconv.ERROR_TYPE: type(error).__qualname__}
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        found[semconv.HTTP_STATUS] = status
    body = getattr(error, "body", None)
    if isinstance(body, Mapping):
        found[f"{library}.error"] = json.loads(json.dumps(dict(body), default=str))
    request_id = getattr(error, "request_id", None)
    if isinstance(request_id, str):
        found[f"{library}.request_id"] = request_id
    return found
