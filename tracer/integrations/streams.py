"""Streams of a client, followed while the user reads them: the same chunks, and the span ends with them.

The stream that the user gets is a twin of the client's own, of a subclass of its class: everything it can do is the
original's. The span ends when the stream is read to its end, breaks, is closed, left (`break`) or dropped.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from weft.tracer.integrations.assembly import Assembly
from weft.tracer.integrations.operations import plain
from weft.tracking import runtime


class Ended(NamedTuple):
    """How a stream came to its end."""

    response: dict[str, Any] | None
    """As far as it was read; None: not one chunk."""
    error: BaseException | None
    first_chunk_s: float | None
    """Seconds from the request to the first chunk with content."""
    again: bool = False
    """It had ended before (a `break`), and was read on."""
    left: bool = False
    """The user stopped reading before the model had said that it is done."""


class Follower:
    """Takes the chunks of one stream and says how it ended. Never raises into the stream."""

    def __init__(self, finish: Callable[[Ended], None], assembly: Assembly, *, hide_usage: bool) -> None:
        """
        Args:
            finish: called at the end; once more where a stream that had been left was read on.
            hide_usage: the chunk that only holds the usage was asked for by us; the user shall not see it.
        """
        self.pulling = False
        """The next chunk is being fetched: closing the response then is the client's own tidying."""
        self._finish = finish
        self._hide_usage = hide_usage
        self._assembly = assembly
        self._began = perf_counter()
        self._first_chunk_s: float | None = None
        self._ended = self._resumed = self._exhausted = False

    def take(self, chunk: Any) -> bool:
        """Record a chunk; whether the user shall see it."""
        self._resumed = self._ended
        try:
            found = plain(chunk) or {}
            self._assembly.add(found)
            if self._first_chunk_s is None and self._assembly.content_seen:
                self._first_chunk_s = perf_counter() - self._began
            return not (self._hide_usage and found.get("usage") and not found.get("choices"))
        except Exception as error:
            runtime.active().faults.note("record a chunk of a stream", error)
            return True

    def exhausted(self) -> None:
        """The server has sent all there is."""
        self._exhausted = True
        self.end()

    def end(self, error: BaseException | None = None) -> None:
        """The stream is over; a second call does nothing, unless it was read on since."""
        if self._ended and not self._resumed:
            return
        again, self._ended, self._resumed = self._ended, True, False
        if isinstance(error, GeneratorExit):  # dropped, or closed
            error = None
        left = error is None and not (self._exhausted or self._assembly.complete)
        self._finish(Ended(self._assembly.result(), error, self._first_chunk_s, again, left))

    def watch(self, response: Any, name: str) -> None:
        """End when the response is closed from outside, by whichever object holds it (`client...stream()` does)."""
        close = getattr(response, name)
        if name == "aclose":

            @functools.wraps(close)
            async def closing() -> None:
                try:
                    await close()
                finally:
                    self._closed()

        else:

            @functools.wraps(close)
            def closing() -> None:
                try:
                    close()
                finally:
                    self._closed()

        setattr(response, name, closing)

    def _closed(self) -> None:
        if not self.pulling:
            self.end()


class _Twin:
    """What a followed stream does otherwise than its class."""

    _follower: Follower

    def __iter__(self) -> Iterator[Any]:
        chunks = super().__iter__()  # type: ignore[misc]
        try:
            # Not `yield from`: it would close the reader after a `break`, and the stream could not be read on.
            for chunk in chunks:  # noqa: UP028
                yield chunk
        finally:
            self._follower.end()  # after a `break`; otherwise it has ended already


class _AsyncTwin:
    """The same of an async stream."""

    _follower: Follower

    async def __aiter__(self) -> AsyncIterator[Any]:
        chunks = super().__aiter__()  # type: ignore[misc]
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            self._follower.end()


@functools.cache
def _twin_of(kind: Any, base: Any) -> Any:
    """A subclass of a stream's class that is called like it."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (base, kind), names)


def follow(stream: Any, follower: Follower, *, asynchronous: bool, in_place: bool = False) -> Any:
    """The twin of a stream of the client, followed.

    Args:
        in_place: somebody holds the stream already, so that it stays the one that is read.
    """
    own: Any = type(stream)
    reader: Any = (_read_async if asynchronous else _read)(stream._iterator, follower)
    weakref.finalize(reader, follower.end)  # a generator that was never stepped does not hear that it is dropped
    follower.watch(stream.response, "aclose" if asynchronous else "close")
    if in_place or own is not stream.__class__:  # a proxy of another instrumentor's holds it, too
        stream._iterator = reader
        return stream
    mixin: Any = _AsyncTwin if asynchronous else _Twin
    kind = _twin_of(own, mixin)
    # The client's own stream may refer to itself and wait for the garbage collector; its twin does not, so that a
    # stream that the user drops ends its span at once.
    twin: Any = kind.__new__(kind)
    twin.__dict__.update(stream.__dict__, _iterator=reader, _follower=follower)
    if isinstance(twin, own):
        return twin
    stream._iterator = reader  # anthropic before 1.0 takes no object of a subclass for a Stream: it stays the very one
    return stream


def _read(chunks: Iterator[Any], follower: Follower) -> Iterator[Any]:
    try:
        while True:
            follower.pulling = True
            try:
                chunk = next(chunks)
            except StopIteration:
                break
            finally:
                follower.pulling = False
            if follower.take(chunk):
                yield chunk
    except BaseException as error:
        follower.end(error)
        raise
    follower.exhausted()


async def _read_async(chunks: AsyncIterator[Any], follower: Follower) -> AsyncIterator[Any]:
    try:
        while True:
            follower.pulling = True
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            finally:
                follower.pulling = False
            if follower.take(chunk):
                yield chunk
    except BaseException as error:
        follower.end(error)
        raise
    follower.exhausted()
