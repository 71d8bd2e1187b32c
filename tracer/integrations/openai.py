"""Traces the openai client, majors 2 and 3: chat completions, responses, embeddings; sync, async, whole and streamed.

`install()` wraps methods of its resource classes, `uninstall()` puts them back. `weft.instrument()` calls both.
What the user gets, and what is raised, is what the client gives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from openai import AsyncStream, Stream
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.embeddings import AsyncEmbeddings, Embeddings
from openai.resources.responses import AsyncResponses, Responses
from opentelemetry.trace import StatusCode

from weft.tracer import semconv
from weft.tracer.context import as_current
from weft.tracer.integrations.openai_calls import (
    CHAT,
    EMBEDDINGS,
    RESPONSES,
    Call,
    Operation,
    Server,
    call_of,
    error_attributes,
    given,
    outcome_of,
    plain,
)
from weft.tracer.integrations.openai_streams import Ended, Follower, follow
from weft.tracer.span import Span, start_span
from weft.tracking import runtime

_RAW_HEADER = "x-stainless-raw-response"
_METHODS: tuple[tuple[type, str, Operation], ...] = (
    (Completions, "create", CHAT),
    (Completions, "parse", CHAT),
    (Responses, "create", RESPONSES),
    (Responses, "parse", RESPONSES),
    (Embeddings, "create", EMBEDDINGS),
    (AsyncCompletions, "create", CHAT),
    (AsyncCompletions, "parse", CHAT),
    (AsyncResponses, "create", RESPONSES),
    (AsyncResponses, "parse", RESPONSES),
    (AsyncEmbeddings, "create", EMBEDDINGS),
)
_originals: dict[tuple[type, str], Callable[..., Any]] = {}


def install() -> None:
    """Trace every client, those that exist already too. Harmless when repeated."""
    for owner, name, operation in _METHODS:
        if (owner, name) not in _originals and hasattr(owner, name):
            original = getattr(owner, name)
            _originals[owner, name] = original
            wrap = _traced_async if owner.__name__.startswith("Async") else _traced
            setattr(owner, name, wrap(original, operation))


def uninstall() -> None:
    """Put the client's own methods back."""
    for (owner, name), original in _originals.items():
        setattr(owner, name, original)
    _originals.clear()


def _traced(original: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    @functools.wraps(original)
    def traced(resource: Any, *args: Any, **kwargs: Any) -> Any:
        call = _begin(operation, resource, kwargs)
        if call is None:
            return original(resource, *args, **kwargs)
        try:
            with as_current(call.span):
                response = original(resource, *args, **call.arguments)
        except BaseException as error:
            _failed(call, error)
            raise
        return _answered(call, response)

    return traced


def _traced_async(original: Callable[..., Any], operation: Operation) -> Callable[..., Any]:
    @functools.wraps(original)
    async def traced(resource: Any, *args: Any, **kwargs: Any) -> Any:
        call = _begin(operation, resource, kwargs)
        if call is None:
            return await original(resource, *args, **kwargs)
        try:
            with as_current(call.span):
                response = await original(resource, *args, **call.arguments)
        except BaseException as error:
            _failed(call, error)
            raise
        return _answered(call, response)

    return traced


class _Tracing(NamedTuple):
    """A call under way."""

    span: Span
    operation: Operation
    call: Call
    arguments: Mapping[str, Any]
    """What the client is called with."""
    asked_usage: bool
    """We asked for the usage at the end of the stream; the user did not."""
    raw: bool
    """The user asked for the HTTP response (`with_raw_response`, `with_streaming_response`)."""


def _begin(operation: Operation, resource: Any, kwargs: dict[str, Any]) -> _Tracing | None:
    """Open the span. None: not recorded, and the call goes on untouched."""
    active = runtime.active()
    if not active.recording:
        return None
    try:
        known = given(kwargs)
        kwargs.update(known)  # an iterator was drawn into a list: the client must get the list, whatever follows
        server = Server.of(resource)
        call = call_of(operation, known, server)
        raw = any(str(name).lower() == _RAW_HEADER for name in kwargs.get("extra_headers") or ())
        asks = operation is CHAT and bool(call.inputs.get("stream")) and not raw and server.takes_stream_options
        options = call.inputs.get("stream_options") or {}
        asked_usage = asks and "include_usage" not in options
        arguments = kwargs | ({"stream_options": {**options, "include_usage": True}} if asked_usage else {})
        span = start_span(call.name, call.kind, call.inputs, call.attributes)
        return _Tracing(span, operation, call, arguments, asked_usage, raw)
    except Exception as error:
        active.faults.note("record an OpenAI call", error)
        return None


def _answered(tracing: _Tracing, response: Any) -> Any:
    """What the user gets: the response itself, or the twin of the stream."""
    if tracing.raw:
        # Only this kind holds a body that is read already, and keeps what it parsed for the user's own `parse()`.
        read = type(response).__name__ == "LegacyAPIResponse" and not tracing.call.inputs.get("stream")
        _finish(tracing, response.parse if read else lambda: None)
        return response
    assembly = tracing.operation.assembly
    if assembly is None or not isinstance(response, (Stream, AsyncStream)):
        _finish(tracing, lambda: response)
        return response
    try:
        follower = Follower(functools.partial(_streamed, tracing), assembly(), hide_usage=tracing.asked_usage)
        return follow(response, follower)
    except Exception as error:
        runtime.active().faults.note("follow an OpenAI stream", error)
        tracing.span.end()
        return response


def _streamed(tracing: _Tracing, ended: Ended) -> None:
    if ended.again:
        tracing.span.reopen()
    more = {} if ended.first_chunk_s is None else {semconv.TIME_TO_FIRST_CHUNK: round(ended.first_chunk_s, 6)}
    _finish(tracing, lambda: ended.response, more, ended.error)


def _failed(tracing: _Tracing, error: BaseException) -> None:
    _finish(tracing, lambda: None, {}, error)


def _finish(
    tracing: _Tracing,
    response: Callable[[], Any],
    attributes: Mapping[str, Any] | None = None,
    error: BaseException | None = None,
) -> None:
    """Write what came back, and end the span whatever that was."""
    span, call = tracing.span, tracing.call
    found = dict(attributes or {})
    try:
        if error is not None and not isinstance(error, GeneratorExit):
            found |= error_attributes(error)
        answer = plain(response())
        model, usage = call.model, None
        if answer is not None:
            outcome = outcome_of(tracing.operation, answer)
            found |= outcome.attributes
            model, usage = outcome.model or model, outcome.usage
            span.set_output(outcome.output)
            if outcome.failure is not None:
                span.set_status(StatusCode.ERROR, outcome.failure)
        if found:
            span.set_attributes(found)
        span.set_usage(usage or {}, model=model, provider=call.provider)
    except Exception as failure:
        runtime.active().faults.note("record an OpenAI response", failure)
    span.end(error=error)
