"""What yields: generators, async generators and streams as spans that end exactly once, however they end.

The consumer's calls between two items are not inside the span; the calls of the body are. `op` makes these; the
integrations may wrap a provider's stream in `Stream` or `AsyncStream`.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from opentelemetry.context import Context

from weft.tracer.capture import capture
from weft.tracer.context import attach, detach, get_current, inside
from weft.tracer.span import Span
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.objects import tag
from weft.tracking.runtime import Runtime

T = TypeVar("T")

MAX_ITEMS = 10_000
"""Items of a stream that are kept as its output; how many there were is said."""
MAX_BYTES = 1 << 20
"""Likewise, by size."""


class Collected:
    """The items of one stream, encoded as they pass, so that later changes to them do not reach the record.

    Args:
        accumulate: `(state or None, item) -> state`; the state is the output.
        write: how the state becomes bytes; default as any value.
        keep: False records no output.
    """

    __slots__ = ("_accumulate", "_keep", "_kept", "_size", "_state", "_total", "_write", "rt")

    def __init__(
        self,
        rt: Runtime,
        accumulate: Callable[[Any, Any], Any] | None = None,
        write: Callable[[Runtime, Any], bytes] = capture,
        keep: bool = True,
    ) -> None:
        self.rt = rt
        self._accumulate = accumulate
        self._write = write
        self._keep = keep
        self._state: Any = None
        self._kept: list[bytes] = []
        self._size = 0
        self._total = 0

    def add(self, item: object) -> None:
        """One item passed."""
        self._total += 1
        if not self._keep:
            return
        if self._accumulate is not None:
            try:
                self._state = self._accumulate(self._state, item)
            except Exception as error:
                self._accumulate = None
                self._total = 1
                self.rt.faults.note("accumulate a stream", error, hint="Its items from there on were kept as a list.")
            else:
                return
        if len(self._kept) < MAX_ITEMS and self._size < MAX_BYTES:
            data = capture(self.rt, item)
            self._kept.append(data)
            self._size += len(data)

    def output(self) -> bytes | None:
        """The accumulator's state, else the list of items; what was left out is said."""
        if not self._keep:
            return None
        if self._accumulate is not None:
            return self._write(self.rt, self._state)
        kept = b"[" + b",".join(self._kept) + b"]"
        if len(self._kept) == self._total:
            return kept
        rest = encode(tag("truncated", {"of": "items", "kept": len(self._kept), "total": self._total, "value": None}))
        return rest[: -len(b"null}}")] + kept + b"}}"


class Flow:
    """One running stream: its span, its items, and the context its body runs in between the consumer's steps."""

    __slots__ = ("__weakref__", "_context", "items", "span")

    def __init__(self, span: Span, items: Collected) -> None:
        self.span = span
        self.items = items
        self._context: Context | None = None

    def enter(self) -> Any:
        """Make the body's context current; the answer goes to `leave`."""
        before = get_current()
        try:
            return attach(self._context or inside(before, self.span))
        except BaseException:
            attach(before)
            raise

    def leave(self, token: Any) -> None:
        """Back to the consumer's context; the body's (with spans it left open over the yield) is kept."""
        self._context = get_current()
        detach(token)

    def abandon(self, token: Any, error: BaseException) -> None:
        """Something was thrown into a step, before, in or after its body: what is left to do of its end is done."""
        if token is not None:
            detach(token)
        self.finish(error)

    def until_dropped(self, stream: T) -> T:
        """The stream; where nobody keeps it, the span ends."""
        weakref.finalize(stream, self.finish)
        return stream

    def finish(self, error: BaseException | None = None) -> None:
        """End the span; only the first call counts."""
        if not self.span.is_recording():
            self.span.end(error=error)  # its status is told also of a call that is not recorded
            return
        try:
            self.span.output_json = self.items.output()
        except Exception as failure:
            self.items.rt.faults.note("record a stream's items", failure)
        self.span.end(error=error)


class BlockFlow(Flow):
    """The flow of a context manager: its span is current in the block as well, and so is what its body made current."""

    __slots__ = ("_token",)

    def __init__(self, span: Span, items: Collected) -> None:
        super().__init__(span, items)
        self._token: Any = None

    def enter(self) -> Any:
        """Make the span current, the first time."""
        if self._token is None:
            before = get_current()
            try:
                self._token = super().enter()
            except BaseException:
                attach(before)
                raise

    def leave(self, token: Any) -> None:
        """The block begins, in the same context."""

    def finish(self, error: BaseException | None = None) -> None:
        """End the span; what was current around the block is so again."""
        if self._token is not None:
            detach(self._token)
            self._token = None
        super().finish(error)


class _Steps:
    """One generator that is being read: what a step of either kind ends with."""

    __slots__ = ("__weakref__", "_flow", "_guarded", "_source", "thrown")

    def __init__(self, flow: Flow | None, source: Any) -> None:
        self._flow = flow
        self._source = source
        self._guarded = False
        self.thrown: BaseException | None = None
        """What the consumer threw in: the next step throws it on."""

    def abandon(self, error: BaseException) -> None:
        """No step will follow; where the last one did not end the span, it ends here."""
        if self._flow is not None:
            self._flow.finish(error)

    def _failed(self, flow: Flow, token: Any, thrown: BaseException | None, failure: BaseException) -> None:
        flow.leave(token)
        flow.finish(None if failure is thrown and isinstance(failure, GeneratorExit) else failure)  # it was closed

    def _passed(self, flow: Flow, token: Any, thrown: BaseException | None, item: Any) -> Any:
        flow.leave(token)
        flow.items.add(item)
        if isinstance(thrown, GeneratorExit) and not self._guarded:
            # It would not be closed. Dropped as it stands, no step will end its span: Python drops this with it.
            self._guarded = True
            weakref.finalize(self, flow.finish, RuntimeError("generator ignored GeneratorExit"))
        return item


class Drive(_Steps):
    """The steps of a generator, recorded; the generated wrapper holds the loop, since it must yield itself.

    What is thrown in is thrown on, `GeneratorExit` too (by which Python closes a generator): the body may handle it as
    ever, and `yield from` would close it instead.
    """

    __slots__ = ()

    def step(self, sent: Any) -> Any:
        """The next item.

        Raises:
            StopIteration: there is none; the span has ended.
        """
        error, self.thrown = self.thrown, None
        flow = self._flow
        if flow is None:
            return self._source.send(sent) if error is None else self._source.throw(error)
        token = flow.enter()
        try:
            try:
                item = self._source.send(sent) if error is None else self._source.throw(error)
            except StopIteration:
                flow.leave(token)
                flow.finish()
                raise
            except BaseException as failure:
                self._failed(flow, token, error, failure)
                raise
            return self._passed(flow, token, error, item)
        except BaseException as failure:
            flow.abandon(token, failure)
            raise


class AsyncDrive(_Steps):
    """The same of an async generator."""

    __slots__ = ()

    async def step(self, sent: Any) -> Any:
        """The next item.

        Raises:
            StopAsyncIteration: there is none; the span has ended.
        """
        error, self.thrown = self.thrown, None
        flow = self._flow
        if flow is None:
            return await (self._source.asend(sent) if error is None else self._source.athrow(error))
        token = flow.enter()
        try:
            try:
                item = await (self._source.asend(sent) if error is None else self._source.athrow(error))
            except StopAsyncIteration:
                flow.leave(token)
                flow.finish()
                raise
            except BaseException as failure:
                self._failed(flow, token, error, failure)
                raise
            return self._passed(flow, token, error, item)
        except BaseException as failure:
            flow.abandon(token, failure)
            raise


def drive(begin: Callable[[], Flow | None], source: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The generator again, recorded: send, throw, close and the returned value pass through."""
    flow = begin()
    sent: Any = None
    try:
        steps = Drive(flow, source)
        while True:
            try:
                item = steps.step(sent)
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
            except BaseException as error:
                sent, steps.thrown = None, error
    except BaseException as error:  # thrown in between two steps; else the span has ended
        if flow is not None:
            flow.finish(error)
        raise


async def drive_async(begin: Callable[[], Flow | None], source: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    """The async generator again, recorded; its flow begins at the first step."""
    flow = begin()
    sent: Any = None
    try:
        steps = AsyncDrive(flow, source)
        while True:
            try:
                item = await steps.step(sent)
            except StopAsyncIteration:
                return
            try:
                sent = yield item
            except BaseException as error:
                sent, steps.thrown = None, error
    except BaseException as error:  # as in drive()
        if flow is not None:
            flow.finish(error)
        raise


class _Proxy:
    """A stream that looks like the one inside and ends its span when that ends, closes, or is dropped."""

    def __init__(self, source: Any, flow: Flow) -> None:
        self._weft_source = source
        self._weft_flow = flow
        flow.until_dropped(self)

    # isinstance() sees the stream inside.
    __class__ = property(lambda self: type(self._weft_source))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._weft_source, name)

    def __repr__(self) -> str:
        return repr(self._weft_source)


class Stream(_Proxy):
    """A recorded iterator."""

    def __init__(self, source: Any, flow: Flow) -> None:
        super().__init__(source, flow)
        self._weft_steps = source if hasattr(source, "__next__") else iter(source)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        flow = self._weft_flow
        token = flow.enter()
        try:
            try:
                item = next(self._weft_steps)
            except StopIteration:
                flow.leave(token)
                flow.finish()
                raise
            except BaseException as error:
                flow.leave(token)
                flow.finish(error)
                raise
            flow.leave(token)
            flow.items.add(item)
        except BaseException as error:
            flow.abandon(token, error)
            raise
        return item

    def close(self) -> None:
        """Close what is inside, then end the span."""
        try:
            close = getattr(self._weft_source, "close", None)
            if close is not None:
                close()
        finally:
            self._weft_flow.finish()

    def __enter__(self) -> Self:
        if hasattr(self._weft_source, "__enter__"):
            self._weft_source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            if hasattr(self._weft_source, "__exit__"):
                return self._weft_source.__exit__(kind, error, trace)  # type: ignore[no-any-return]
            return None
        finally:
            self._weft_flow.finish(error)


class AsyncStream(_Proxy):
    """A recorded async iterator."""

    def __init__(self, source: Any, flow: Flow) -> None:
        super().__init__(source, flow)
        self._weft_steps = source if hasattr(source, "__anext__") else aiter(source)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        flow = self._weft_flow
        token = flow.enter()
        try:
            try:
                item = await anext(self._weft_steps)
            except StopAsyncIteration:
                flow.leave(token)
                flow.finish()
                raise
            except BaseException as error:
                flow.leave(token)
                flow.finish(error)
                raise
            flow.leave(token)
            flow.items.add(item)
        except BaseException as error:
            flow.abandon(token, error)
            raise
        return item

    async def aclose(self) -> None:
        """Close what is inside, then end the span."""
        try:
            close = getattr(self._weft_source, "aclose", None) or getattr(self._weft_source, "close", None)
            if close is not None:
                await close()
        finally:
            self._weft_flow.finish()

    close = aclose

    async def __aenter__(self) -> Self:
        if hasattr(self._weft_source, "__aenter__"):
            await self._weft_source.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            if hasattr(self._weft_source, "__aexit__"):
                return await self._weft_source.__aexit__(kind, error, trace)  # type: ignore[no-any-return]
            return None
        finally:
            self._weft_flow.finish(error)
