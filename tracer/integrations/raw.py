"""HTTP responses that the user asked for (`with_raw_response`, `with_streaming_response`): they get the client's own
object, and the span learns what they read of it.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from weft.tracking.faults import let_through

_HEADER = "x-stainless-raw-response"


def asked(arguments: Mapping[str, Any]) -> bool:
    """Whether a call asks for its HTTP response."""
    headers = arguments.get("extra_headers")
    return isinstance(headers, Mapping) and any(str(name).lower() == _HEADER for name in headers)


def watched(
    response: Any,
    finish: Callable[[Callable[[], Any]], None],
    follow: Callable[[Any], Any],
    streams: tuple[type, type],
) -> Any:
    """The same response. The span ends when its body has been read, or it is closed.

    Args:
        finish: ends the span, with what gives the answer: plain data, text, or the HTTP response of a file.
        follow: makes the twin of a stream that `response.parse()` gives.
        streams: the classes of such streams.
    """
    http = response.http_response
    if _content(http) is not None:
        finish(lambda: _body(http))
    else:
        _Reading(http, finish).watch(response, follow, streams)
    return response


class _Reading:
    """A body that the user is about to read."""

    def __init__(self, http: Any, finish: Callable[[Callable[[], Any]], None]) -> None:
        self._http = http
        self._finish = finish
        self._ended = False
        self._reading = False
        """The body is being read as a whole: the closing at its end comes before it can be looked at."""

    def watch(self, response: Any, follow: Callable[[Any], Any], streams: tuple[type, type]) -> None:
        for name in ("read", "close"):
            setattr(self._http, name, self._wrapped(getattr(self._http, name), name == "read"))
        for name in ("aread", "aclose"):
            setattr(self._http, name, self._wrapped_async(getattr(self._http, name), name == "aread"))
        parse, twins = response.parse, dict[int, Any]()

        def followed(parsed: Any) -> Any:
            if self._ended or not isinstance(parsed, streams):
                return twins.get(id(parsed), parsed)
            self._ended = True  # with the stream from now on
            twins[id(parsed)] = twin = follow(parsed)
            return twin

        if inspect.iscoroutinefunction(parse):

            @functools.wraps(parse)
            async def parsing_async(*args: Any, **kwargs: Any) -> Any:
                return followed(await parse(*args, **kwargs))

            response.parse = parsing_async
        else:

            @functools.wraps(parse)
            def parsing(*args: Any, **kwargs: Any) -> Any:
                return followed(parse(*args, **kwargs))

            response.parse = parsing

    def _wrapped(self, method: Callable[..., Any], reads: bool) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._reading |= reads
            try:
                return method(*args, **kwargs)
            finally:
                self._passed(reads)

        return call

    def _wrapped_async(self, method: Callable[..., Any], reads: bool) -> Callable[..., Any]:
        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._reading |= reads
            try:
                return await method(*args, **kwargs)
            finally:
                self._passed(reads)

        return call

    def _passed(self, read: bool) -> None:
        if read:
            self._reading = False
        if not (self._ended or self._reading):
            self._ended = True
            self._finish(lambda: _body(self._http))


def _content(http: Any) -> bytes | None:
    """The body, as far as it was read as a whole."""
    try:
        content = http.content
    except Exception as error:  # the client library's own error, of one of two HTTP libraries: it was not read
        let_through(error)
        return None
    return content if isinstance(content, bytes) else None


def _body(http: Any) -> Any:
    """Plain data where the body is JSON, its text where it is text, else the HTTP response."""
    content = _content(http)
    if content is None:
        return None
    kind = str(http.headers.get("content-type", "")).partition(";")[0]
    if kind.endswith("json"):
        return json.loads(content)
    return content.decode(errors="replace") if kind.startswith("text/") else http
