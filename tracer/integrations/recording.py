"""A client's method, traced: the span opens with what goes in and ends with what comes out. Sync and async alike.

What the user gets, and what is raised, is what the client gives. Everything here is for clients that Stainless
generates (openai, anthropic): they share `Stream`, `with_raw_response` and how they retry.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from opentelemetry.context import Context, create_key
from opentelemetry.trace import StatusCode

from weft.tracer import semconv
from weft.tracer.context import attached, get_current, inside
from weft.tracer.integrations import raw
from weft.tracer.integrations.enclosing import context_of_call
from weft.tracer.integrations.operations import (
    Call,
    Operation,
    Outcome,
    Server,
    call_of,
    error_attributes,
    given,
    plain,
)
from weft.tracer.integrations.patches import Patches
from weft.tracer.integrations.streams import Ended, Follower, follow
from weft.tracer.span import Span, start_span
from weft.tracking import runtime

CALL_KEY = create_key("weft-client-call")
"""The span of the client's call that is under way: methods that call each other are one call, and retries are its."""
_AROUND_KEY = create_key("weft-around-client-call")
"""The context that it was called in."""


@dataclass(slots=True)
class Client:
    """A library whose client is traced."""

    name: str
    server_of: Callable[[Any], Server]
    """Where a resource sends to."""
    streams: tuple[type, type]
    """Its `Stream` and `AsyncStream`."""
    patches: Patches
    active: bool = False
    """False: a wrapper that somebody else's wrapper still holds lets calls pass."""


class Tracing(NamedTuple):
    """A call under way."""

    client: Client
    span: Span
    operation: Operation
    call: Call
    arguments: Mapping[str, Any]
    """What the client is called with."""
    asked_usage: bool
    """We asked for the usage at the end of the stream; the user did not."""
    raw: bool
    """The user asked for the HTTP response (`with_raw_response`, `with_streaming_response`)."""

    def finish(self, response: Callable[[], Any], error: BaseException | None = None) -> None:
        """Write what came back, and end the span whatever that was."""
        _finish(self, response, {}, error)


def traced(original: Callable[..., Any], client: Client, operation: Operation) -> Callable[..., Any]:
    """A method that answers at once, or with a stream."""

    @functools.wraps(original)
    def call(resource: Any, *args: Any, **kwargs: Any) -> Any:
        tracing = begin(client, operation, resource, kwargs)
        if tracing is None:
            return original(resource, *args, **kwargs)
        return requested(tracing, lambda: original(resource, *args, **tracing.arguments))

    return call


def traced_async(original: Callable[..., Any], client: Client, operation: Operation) -> Callable[..., Any]:
    """The same, of the async client."""

    @functools.wraps(original)
    async def call(resource: Any, *args: Any, **kwargs: Any) -> Any:
        tracing = begin(client, operation, resource, kwargs)
        if tracing is None:
            return await original(resource, *args, **kwargs)
        return await requested_async(tracing, lambda: original(resource, *args, **tracing.arguments))

    return call


def requested(tracing: Tracing, request: Callable[[], Any]) -> Any:
    """Send the request under its span."""
    try:
        with _calling(tracing.span):
            response = request()
    except BaseException as error:
        tracing.finish(lambda: None, error)
        raise
    return _answered(tracing, response)


async def requested_async(tracing: Tracing, request: Callable[[], Awaitable[Any]]) -> Any:
    """Send the request under its span."""
    try:
        with _calling(tracing.span):
            response = await request()
    except BaseException as error:
        tracing.finish(lambda: None, error)
        raise
    return _answered(tracing, response)


@contextmanager
def _calling(span: Span) -> Iterator[None]:
    around = get_current()
    with attached(Context({**inside(around, span), CALL_KEY: span, _AROUND_KEY: around})):
        yield


def _place() -> Context | None:
    """Where a call belongs; None: inside one of the client's that is under way, and part of it."""
    context = get_current()
    call = context.get(CALL_KEY)
    if not isinstance(call, Span):
        return context_of_call()
    # OpenTelemetry's openai-v2 puts back, when a stream ends, the context that was current when it began: ours.
    return None if call.is_recording() else context.get(_AROUND_KEY)  # type: ignore[return-value]


def begin(client: Client, operation: Operation, resource: Any, kwargs: dict[str, Any]) -> Tracing | None:
    """Open the span. None: not recorded, and the call goes on untouched."""
    active = runtime.active()
    if not (active.recording and client.active) or (place := _place()) is None:
        return None
    try:
        known = given(kwargs)
        kwargs.update(known)  # an iterator was drawn into a list: the client must get the list, whatever follows
        server = client.server_of(resource)
        call = call_of(operation, known, server)
        is_raw = raw.asked(kwargs)
        asks = operation.asks_usage and bool(known.get("stream")) and not is_raw and server.takes_stream_options
        options = known.get("stream_options") or {}
        asked_usage = asks and "include_usage" not in options
        arguments = kwargs | ({"stream_options": {**options, "include_usage": True}} if asked_usage else {})
        with attached(place):
            span = start_span(call.name, call.kind, call.inputs, call.attributes)
        return Tracing(client, span, operation, call, arguments, asked_usage, is_raw)
    except Exception as error:
        active.faults.note(f"record a call of {client.name}", error)
        return None


def _answered(tracing: Tracing, response: Any) -> Any:
    """What the user gets: the response itself, or the twin of the stream."""
    try:
        if tracing.raw:
            follow_ = functools.partial(_followed, tracing)
            return raw.watched(response, tracing.finish, follow_, tracing.client.streams)
        if isinstance(response, tracing.client.streams):
            return _followed(tracing, response)
        held = getattr(response, "stream", None)  # another instrumentor's own object, around the client's stream
        if tracing.arguments.get("stream") and isinstance(held, tracing.client.streams):
            _followed(tracing, held, in_place=True)
            return response
    except Exception as error:
        runtime.active().faults.note(f"follow a stream of {tracing.client.name}", error)
        tracing.span.end()
        return response
    tracing.finish(lambda: response)
    return response


def _followed(tracing: Tracing, stream: Any, *, in_place: bool = False) -> Any:
    """A stream whose span ends with it."""
    if tracing.operation.assembly is None:
        tracing.finish(lambda: None)
        return stream
    finished = functools.partial(_streamed, tracing)
    follower = Follower(finished, tracing.operation.assembly(), hide_usage=tracing.asked_usage)
    return follow(stream, follower, asynchronous=isinstance(stream, tracing.client.streams[1]), in_place=in_place)


def _streamed(tracing: Tracing, ended: Ended) -> None:
    if ended.again:
        tracing.span.reopen()
    more = {} if ended.first_chunk_s is None else {semconv.TIME_TO_FIRST_CHUNK: round(ended.first_chunk_s, 6)}
    # Somebody stopped reading before the model had done: neither a success nor an error.
    tracing.span._status = "cancelled" if ended.left else None
    _finish(tracing, lambda: ended.response, more, ended.error)


def _finish(
    tracing: Tracing,
    response: Callable[[], Any],
    attributes: Mapping[str, Any],
    error: BaseException | None = None,
) -> None:
    """Write what came back, and end the span whatever that was."""
    span, call, name = tracing.span, tracing.call, tracing.client.name
    found = dict(attributes)
    try:
        if error is not None:
            found |= error_attributes(error, name)
        outcome = _outcome(tracing.operation, response())
        if outcome is not None:
            found |= outcome.attributes
            span.set_output(outcome.output)
            if outcome.failure is not None:
                span.set_status(StatusCode.ERROR, outcome.failure)
        if found:
            span.set_attributes(found)
        model = None if outcome is None else outcome.model
        usage = None if outcome is None else outcome.usage
        span.set_usage(usage or {}, model=model or call.model, provider=call.provider)
    except Exception as failure:
        runtime.active().faults.note(f"record a response of {name}", failure)
    span.end(error=error)


def _outcome(operation: Operation, response: Any) -> Outcome | None:
    answer = plain(response)
    if answer is not None:
        return operation.read(answer)
    if isinstance(response, str):
        return Outcome(response, None, None, {})
    http = getattr(response, "response", response)  # a file: speech
    content = getattr(http, "content", None) if operation.binary is not None else None
    if operation.binary is None or not isinstance(content, bytes):
        return None
    kind = str(http.headers.get("content-type", "")).partition(";")[0]
    return Outcome(operation.binary(content, kind), None, None, {})
