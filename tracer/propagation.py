"""W3C trace context over HTTP headers, MCP's `_meta` and environment variables: `inject` what is current, `extract` it.

What comes from outside is data of at most 8 KB: it says which trace, conversation and user a call belongs to, and never
where, with which key or into which project anything is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextvars import Token
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, TypeVar, overload
from urllib.parse import quote, unquote

from opentelemetry import trace as otel
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter, Setter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from weft.tracer.context import (
    SAMPLED_OUT_KEY,
    SCOPE_KEY,
    SPAN_KEY,
    WEFT_KEY,
    Attributes,
    Scope,
    attach,
    detach,
    get_current,
    merged,
)
from weft.tracer.span import Span
from weft.tracking import runtime
from weft.tracking.errors import UsageError

C = TypeVar("C")

CARRIED_BYTES = 8192
"""Names and values together; beyond it baggage is left out first, then what other vendors sent."""
NAMES = ("traceparent", "tracestate", "baggage")
VENDOR = "weft"
"""Our member of `tracestate`: `s:0` sampled out, `t:` conversation, `r:` its open turn, `u:` user."""
REMOTE_SAMPLED = "weft.remote_sampled"
"""Attribute of spans whose caller said that its trace is not sampled, where that is not obeyed."""
_TRACESTATE_CHARS = 512
"""What every receiver takes, says W3C Trace Context; a member's value has at most 256."""
_MEMBER_CHARS = 256
_TURN = re.compile(r"[0-9a-f]{16}")

_trace_context = TraceContextTextMapPropagator()
_baggage = W3CBaggagePropagator()


@overload
def inject(carrier: None = None, context: Context | None = None) -> dict[str, str]: ...
@overload
def inject(carrier: C, context: Context | None = None, setter: Setter[C] | None = None) -> C: ...
def inject(carrier: Any = None, context: Context | None = None, setter: Any = None) -> Any:
    """Write the current trace, conversation, user and baggage into a request, by the names of W3C Trace Context.

    Args:
        carrier: a mutable mapping (headers, MCP's `params._meta`, a subprocess's environment) or a list of header pairs
            (ASGI, bytes); default a new dict.
        context: an OpenTelemetry context in place of the current one.
        setter: how to write into another kind of carrier, as OpenTelemetry's propagators take it.

    Returns:
        The carrier. Where nothing is current, nothing was added.

    Raises:
        UsageError: nothing can be written into such a carrier.

    Example:
        >>> httpx.get(url, headers=weft.inject())
    """
    if carrier is None:
        carrier = {}
    if setter is None and not isinstance(carrier, MutableMapping | list):
        raise UsageError(
            f"weft.inject() writes into a dict, a list of header pairs or with a setter, not {carrier!r:.80}"
        )
    try:
        headers = _outgoing(get_current() if context is None else context)
    except Exception as error:
        runtime.active().faults.note("inject the trace context", error)
        headers = {}
    for name, value in headers.items():
        if setter is not None:
            setter.set(carrier, name, value)
        elif isinstance(carrier, list):
            carrier.append((name.encode(), value.encode("latin-1")))
        else:
            carrier[name] = value
    return carrier


def _outgoing(context: Context) -> dict[str, str]:
    scope, left_out = context.get(SCOPE_KEY), context.get(SAMPLED_OUT_KEY)
    if not isinstance(scope, Scope):
        scope = Scope()
    parent = otel.get_current_span(context).get_span_context()
    if not parent.is_valid and isinstance(left_out, bytes):
        span_id = runtime.active().ids.span_id()
        parent = SpanContext(int.from_bytes(left_out, "big"), span_id, False, TraceFlags(TraceFlags.SAMPLED))
    headers: dict[str, str] = {}
    _baggage.inject(headers, context)
    if parent.is_valid:
        headers["traceparent"] = f"00-{parent.trace_id:032x}-{parent.span_id:016x}-{parent.trace_flags & 1:02x}"
        others = _without_ours(parent.trace_state or scope.tracestate).to_header()
        state = _with_ours(others, scope, context.get(WEFT_KEY), left_out is not None)
        if state:
            headers["tracestate"] = state
    return _capped(headers)


def _with_ours(others: str, scope: Scope, span: object, left_out: bool) -> str:
    """The tracestate with as much of our member as has room beside the others', who came first."""
    sampling = ["s:0"] if left_out else []
    thread, user = [], []
    if scope.thread_id is not None:
        thread.append(f"t:{quote(scope.thread_id, safe='')}")
        turn = span.turn if isinstance(span, Span) and span.thread == scope.thread_id else scope.turn_id
        if turn is not None:
            thread.append(f"r:{turn}")
    if scope.user_id is not None:
        user.append(f"u:{quote(scope.user_id, safe='')}")
    for parts in (sampling + thread + user, sampling + thread, sampling):
        member = ";".join(parts)
        whole = f"{VENDOR}={member},{others}".rstrip(",")
        if member and len(member) <= _MEMBER_CHARS and len(whole) <= max(_TRACESTATE_CHARS, len(others)):
            return whole
    return others


def _without_ours(state: TraceState | None) -> TraceState:
    return TraceState([(name, value) for name, value in (state or {}).items() if name != VENDOR])


def _capped(headers: dict[str, str]) -> dict[str, str]:
    """The same, without what is beyond the limit."""
    for name in ("baggage", "tracestate", "traceparent"):
        if sum(len(key) + len(value) for key, value in headers.items()) <= CARRIED_BYTES:
            break
        headers.pop(name, None)
    return headers


@dataclass(slots=True)
class Extracted:
    """What a request carried. `with` makes it current; `context` is for those who attach it themselves."""

    context: Context
    _tokens: list[Token[Context]] = field(default_factory=list, repr=False)

    def __enter__(self) -> Context:
        self._tokens.append(attach(self.context))
        return self.context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        detach(self._tokens.pop())


def extract(
    carrier: Any, context: Context | None = None, getter: Getter[Any] | None = None, *, obey_sampling: bool = False
) -> Extracted:
    """What a caller sent with a request: calls inside belong to its trace, conversation and user.

    What is missing, malformed or too large (8 KB in all) is ignored, and nothing is raised: it is somebody else's
    text. It never says where or into which project anything is recorded.

    Args:
        carrier: headers of any kind (a mapping, ASGI's pairs of bytes, WSGI's environ; case does not matter), MCP's
            `params._meta`, `os.environ`.
        context: an OpenTelemetry context to start from in place of the current one.
        getter: how to read another kind of carrier, as OpenTelemetry's propagators take it.
        obey_sampling: record nothing inside where the caller says that its trace is not sampled; otherwise that is
            but recorded, as the attribute `weft.remote_sampled`.

    Example:
        >>> with weft.extract(request.headers):
        ...     answer(question)
    """
    base = get_current() if context is None else context
    try:
        return Extracted(_incoming(_received(carrier, getter), base, obey_sampling))
    except Exception as error:
        runtime.active().faults.note("extract a trace context", error)
        return Extracted(base)


def _received(carrier: Any, getter: Getter[Any] | None) -> dict[str, str]:
    """The three headers, those of one name joined, cut to size."""
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    if getter is not None:
        for name in NAMES:
            found[name] += _texts(getter.get(carrier, name))
    else:
        for key, value in _pairs(carrier):
            name = _text(key).lower().removeprefix("http_")  # WSGI's environ has that prefix
            if name in found:
                found[name] += _texts(value)
    if len(set(found["traceparent"])) > 1:
        found["traceparent"] = []  # of two parents none is believed
    return _capped({name: ",".join(values) for name, values in found.items() if values})


def _pairs(carrier: Any) -> Iterator[tuple[Any, Any]]:
    if not isinstance(carrier, Mapping) and isinstance(extra := getattr(carrier, "model_extra", None), Mapping):
        carrier = extra  # a pydantic model that allows more than its fields, as MCP's SDK reads `_meta`
    items = carrier.items() if isinstance(carrier, Mapping) else carrier
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        return
    for item in items:
        if isinstance(item, tuple | list) and len(item) == 2:
            yield item[0], item[1]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [text for one in values if (text := _text(one))]


def _text(value: object) -> str:
    return value if isinstance(value, str) else value.decode("latin-1") if isinstance(value, bytes) else ""


def _incoming(headers: Mapping[str, str], base: Context, obey_sampling: bool) -> Context:
    context = _baggage.extract(headers, base) if "baggage" in headers else base
    parent = otel.get_current_span(_trace_context.extract(headers, Context())).get_span_context()
    if not parent.is_valid:
        return context
    ours = _fields(parent.trace_state.get(VENDOR))
    others = _without_ours(parent.trace_state)
    values = {key: value for key, value in context.items() if key not in (WEFT_KEY, SAMPLED_OUT_KEY)}
    values[SPAN_KEY] = NonRecordingSpan(SpanContext(parent.trace_id, parent.span_id, True, parent.trace_flags, others))
    scope = base.get(SCOPE_KEY)
    scope = replace(scope if isinstance(scope, Scope) else Scope(), tracestate=others or None)
    if "t" in ours:
        turn = ours.get("r", "")
        scope = replace(scope, thread_id=ours["t"], turn_id=turn if _TURN.fullmatch(turn) else None)
    if "u" in ours:
        scope = replace(scope, user_id=ours["u"])
    if ours.get("s") == "0" or not parent.trace_flags.sampled:
        if obey_sampling:
            values[SAMPLED_OUT_KEY] = parent.trace_id.to_bytes(16, "big")
        else:
            scope = replace(scope, attributes=merged(scope.attributes, Attributes.of({REMOTE_SAMPLED: False})))
    values[SCOPE_KEY] = scope
    return Context(values)


def _fields(member: str | None) -> dict[str, str]:
    if not member or len(member) > _MEMBER_CHARS:
        return {}
    pairs = (part.partition(":") for part in member.split(";"))
    return {name: text for name, _, value in pairs if (text := unquote(value))}


Send = Callable[[Any], Awaitable[None]]


class TraceMiddleware:
    """ASGI middleware: calls made for a request belong to the trace that the request came with.

    Args:
        app: the ASGI application.
        obey_sampling: as for `extract`.

    Example:
        >>> app = FastAPI()
        >>> app.add_middleware(weft.TraceMiddleware)
    """

    def __init__(self, app: Callable[[Any, Any, Send], Awaitable[None]], *, obey_sampling: bool = False) -> None:
        self.app = app
        self.obey_sampling = obey_sampling

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        """One request, connection or lifespan."""
        with extract(scope.get("headers"), obey_sampling=self.obey_sampling):
            await self.app(scope, receive, send)
