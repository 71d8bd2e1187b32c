"""Finished spans to exporters and to the program's own OpenTelemetry, in the background.

A runtime has an `Outlet` once there is somebody to tell: it listens to the journal, keeps the records of open spans,
and puts finished ones into the bounded queue of each `Feed`, whose thread does the rest. Where nobody listens a call
pays nothing; what is called on the program's thread neither waits nor raises. The journal is the record; what a full
queue or an exporter loses is counted in `Runtime.faults` and said.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry import trace as otel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, get_current

from weft.tracer.otel.finished import FinishedSpan, OpenSpan
from weft.tracking.exits import seconds_left
from weft.tracking.faults import let_through
from weft.tracking.journal.records import Record, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.runtime import Runtime

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

QUEUE_SPANS: Final = 20_000
QUEUE_BYTES: Final = 128 << 20
"""Of payloads that wait in one queue, or are being delivered."""
OPEN_SPANS: Final = 50_000
"""Kept until they end; of more, the oldest are not handed on."""
BATCH_SPANS: Final = 512
BATCH_SECONDS: Final = 0.5
SLICE_SPANS: Final = 16
"""After so many the program gets the interpreter: about 1 ms. After each one, a program that computes all the time
would leave 200 spans a second to this thread (it waits 5 ms for its turn)."""


class Target(Protocol):
    """Who is told: `sharing.ProviderOf` and `sharing.Attached`."""

    name: str

    def tell(self, span: FinishedSpan | ReadableSpan) -> None: ...

    def deliver(self) -> None: ...

    def flush(self, timeout_s: float) -> bool: ...

    def close(self) -> None: ...

    def after_fork(self) -> None: ...


class _Request:
    """Put into a queue behind what is to be delivered first."""

    def __init__(self, deadline: float, *, ends: bool, closes: bool) -> None:
        self.deadline = deadline
        self.ends = ends
        """The thread ends behind it."""
        self.closes = closes
        """And the target is shut down."""
        self.done = threading.Event()
        self.succeeded = False


class Feed:
    """One target, its queue and its thread."""

    def __init__(self, rt: Runtime, target: Target, *, takes_foreign: bool) -> None:
        self.target = target
        self.takes_foreign = takes_foreign
        self._faults = rt.faults
        self._queue: SimpleQueue[FinishedSpan | ReadableSpan | _Request] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()  # guards starting the thread
        self._put_bytes = self._taken_bytes = self._batch_bytes = 0
        self.dropped = 0
        """Finished spans that found the queue full."""

    def put(self, span: FinishedSpan | ReadableSpan) -> None:
        """Queue it, or count it as dropped. `SimpleQueue.put` may be re-entered (signals, the collector)."""
        size = span.size_bytes if isinstance(span, FinishedSpan) else 0
        if self._queue.qsize() >= QUEUE_SPANS or self._put_bytes - self._taken_bytes > QUEUE_BYTES:
            self.dropped += 1
            self._faults.note(
                f"hand every span to {self.target.name}: its queue is full",
                hint="weft keeps them all; only this exporter misses some.",
            )
            return
        self._put_bytes += size
        self._queue.put(span)
        if self._thread is None:
            self._start()

    def ask(self, timeout_s: float, *, ends: bool, closes: bool) -> _Request:
        """Have everything before this delivered and flushed; `done` is set then."""
        request = _Request(time.monotonic() + timeout_s, ends=ends, closes=closes)
        if self._thread is None and self._queue.empty() and not closes:
            request.succeeded = True
            request.done.set()
        else:
            self._queue.put(request)
            if self._thread is None:
                self._start()
        return request

    @property
    def waiting(self) -> int:
        """Spans in the queue."""
        return self._queue.qsize()

    def after_fork(self) -> None:
        """In the child: what waits is the parent's to hand on, and its thread is not here."""
        self._queue = SimpleQueue()
        self._thread = None
        self._lock = threading.RLock()
        self._put_bytes = self._taken_bytes = self._batch_bytes = self.dropped = 0
        self.target.after_fork()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="weft-export", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # the interpreter is on its way out and starts no threads; the journal has it
            self._thread = thread

    def _run(self) -> None:
        # What exporters send is no part of the program's traces.
        attach(Context({_SUPPRESS_INSTRUMENTATION_KEY: True}))
        while True:
            request = self._round()
            if request is None:
                continue
            try:
                left = max(0.0, request.deadline - time.monotonic())
                request.succeeded = self.target.flush(left)
                if request.closes:
                    self.target.close()
            except Exception as error:
                let_through(error)
                self._failed(error)
            if request.ends:
                self._thread = None
            request.done.set()
            if request.ends:
                return

    def _round(self) -> _Request | None:
        """One batch. Answers the request that ended it, if one did."""
        item = self._queue.get()
        ends = time.monotonic() + BATCH_SECONDS
        for count in range(BATCH_SPANS):
            if isinstance(item, _Request):
                break
            self._tell(item)
            if count % SLICE_SPANS == SLICE_SPANS - 1:
                time.sleep(0)
            try:
                item = self._queue.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                break
        else:
            if not isinstance(item, _Request):
                self._tell(item)
        try:
            self.target.deliver()
        except Exception as error:
            let_through(error)
            self._failed(error)
        self._taken_bytes += self._batch_bytes
        self._batch_bytes = 0
        return item if isinstance(item, _Request) else None

    def _tell(self, span: FinishedSpan | ReadableSpan) -> None:
        if isinstance(span, FinishedSpan):
            self._batch_bytes += span.size_bytes
        try:
            self.target.tell(span)
        except Exception as error:
            let_through(error)
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        # Not given as an error: it is an exporter's, no recording of ours, and strict mode must not end this thread.
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        self._faults.note(f"hand spans to {self.target.name}", hint=f"{told}. weft keeps them all.")


class Outlet:
    """Listens to one runtime's journal and feeds all targets."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self.feeds: list[Feed] = []
        self.shared_with: object = None
        """The provider that finished spans are handed to."""
        self._open: dict[bytes, OpenSpan] = {}
        rt.journal.listen(self.heard)
        _outlets.add(self)

    def heard(self, record: Record) -> None:
        """A record was written. Called on the program's thread: keeps it, and no more."""
        try:
            if isinstance(record, SpanOpened):
                self._open[record.span_id] = OpenSpan(record, get_current())
                if len(self._open) > OPEN_SPANS:
                    self._open.pop(next(iter(self._open)), None)
                    self._rt.faults.note("hand on a span that stayed open while 50,000 others began")
            elif isinstance(record, SpanUpdated):
                if (span := self._open.get(record.span_id)) is not None:
                    span.updates.append(record)
            elif isinstance(record, SpanClosed) and (span := self._open.pop(record.span_id, None)) is not None:
                finished = FinishedSpan(span.opened, span.context, span.updates, record)
                for feed in self.feeds:
                    feed.put(finished)
        except Exception as error:
            self._rt.faults.note("hand a finished span on", error)

    def foreign(self, span: ReadableSpan, *, of_our_provider: bool) -> None:
        """A span of the SDK's ended: exporters get it; the program's processors, if they have not seen it already."""
        for feed in self.feeds:
            if feed.takes_foreign or of_our_provider:
                feed.put(span)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything finished so far was delivered. False: not within the time, or a target said no."""
        return self._ask(timeout_s)

    def retire(self, timeout_s: float) -> bool:
        """The same, for the last time. Exporters stay as they are: they may serve the next runtime."""
        return self._ask(timeout_s, ends=True)

    def close(self, timeout_s: float) -> bool:
        """The same, and exporters are shut down."""
        return self._ask(timeout_s, ends=True, closes=True)

    def _ask(self, timeout_s: float, *, ends: bool = False, closes: bool = False) -> bool:
        deadline = time.monotonic() + timeout_s
        requests = [(feed, feed.ask(timeout_s, ends=ends, closes=closes)) for feed in self.feeds]
        for feed, request in requests:
            if not request.done.wait(max(0.0, deadline - time.monotonic())):
                self._rt.faults.note(
                    f"hand all spans to {feed.target.name} in time",
                    hint=f"{feed.waiting} or more wait after {timeout_s:g} s. weft keeps them all.",
                )
        return all(request.succeeded for _, request in requests)


_outlets: weakref.WeakSet[Outlet] = weakref.WeakSet()

current_provider: Callable[[], object] = functools.partial(vars(otel).get, "_TRACER_PROVIDER")
"""The provider that the program has set, None where it has not. Each root call asks: the public way would read the
environment each time. By name, so that an OpenTelemetry without it only means that nothing is shared."""


def attend(rt: Runtime) -> None:
    """See who is to be told of finished spans: exporters of the settings, and the program's provider if it has one.

    Called when a root call begins and the provider is not the one last seen. Never raises.
    """
    first = rt.provider is Ellipsis
    rt.provider = current = current_provider()
    if current is None and not (first and rt.settings.exporters):
        return
    try:
        _attend(rt, current, first=first)
    except Exception as error:
        rt.faults.note("hand spans to exporters", error)


def _attend(rt: Runtime, current: object, *, first: bool) -> None:
    from weft.tracer.otel import sharing  # late: needs the SDK, which only a program that exports should import

    provider = sharing.sdk_provider(current)
    shares = rt.settings.otel != "separate" and provider is not None
    exporters: tuple[Any, ...] = rt.settings.exporters if first else ()
    if not shares and not exporters:
        return
    outlet = outlet_of(rt) or Outlet(rt)
    rt.outlet = outlet
    _watch_exit()
    for given in exporters:
        target: Target = sharing.Attached(given, sharing.resource_of(rt.settings, provider))
        outlet.feeds.append(Feed(rt, target, takes_foreign=True))
    if shares and outlet.shared_with is not provider:
        outlet.shared_with = provider
        outlet.feeds.append(Feed(rt, sharing.ProviderOf(provider), takes_foreign=False))


def outlet_of(rt: Runtime) -> Outlet | None:
    """The runtime's outlet, where there is somebody to tell."""
    return rt.outlet if isinstance(rt.outlet, Outlet) else None


def _watch_exit() -> None:
    """Registered when there is somebody to tell, so after the program's provider: called before it shuts down."""
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)


def _at_exit() -> None:
    for outlet in list(_outlets):
        outlet.close(seconds_left(reserve=1.0))  # the rest is for the journal's disk


def _after_fork() -> None:
    for outlet in list(_outlets):
        for feed in outlet.feeds:
            feed.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
