"""Promises of `weft.tracer.propagation`: one trace over processes; what comes from outside is data, and of a size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry import trace as otel
from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import DefaultGetter, DefaultSetter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import weft
from weft.testing.spans import read_spans
from weft.tracer.context import SAMPLED_OUT_KEY, attached, attributes, current_span, recording_into, thread
from weft.tracer.propagation import CARRIED_BYTES, TraceMiddleware, extract, inject
from weft.tracer.span import span
from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.runs.starting import start_run
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
PARENT = f"00-{TRACE}-{SPAN}-01"
SERVICE = Path(__file__).with_name("service.py")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[str]:
    """Two services, each a process of its own; the first one's address."""
    with ExitStack() as stack:
        address = ""
        for _ in range(2):
            started = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(SERVICE), str(tmp_path / "home"), address], stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(started.kill)
            assert started.stdout is not None
            address = f"http://127.0.0.1:{started.stdout.readline().strip()}"
        yield address


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_request_through_two_services_is_one_trace(services: str, home: Path, way: str) -> None:
    """FastAPI -> httpx -> FastAPI, with the conversation and its turn."""
    with thread("talk", user_id="Zoë"), span("client") as client:
        answer = httpx.get(f"{services}/{way}", params={"question": "why"}, headers=inject()).json()
    assert answer == {"answer": "WHY"}
    found = {one.span_id: one for one in read_spans(home / "journal")}
    assert len(found) == 4
    assert {(one.trace_id, one.thread_id, one.turn_id, one.user_id) for one in found.values()} == {
        (client.trace_id, "talk", client.span_id, "Zoë")
    }
    (leaf,) = (one for one in found.values() if one.name == "look_up")
    second = found[leaf.parent_id or ""]
    first = found[second.parent_id or ""]
    assert second.name == first.name
    assert first.parent_id == client.span_id


class Meta(pydantic.BaseModel):
    """As MCP's SDK reads `params._meta`."""

    model_config = pydantic.ConfigDict(extra="allow")
    progressToken: int | None = None  # noqa: N815 - MCP's name


@pytest.mark.parametrize(
    "carrier",
    [
        {"traceparent": PARENT},
        {"TraceParent": PARENT, "other": "x"},
        {"traceparent": [PARENT]},
        {"HTTP_TRACEPARENT": PARENT, "wsgi.input": object()},
        {"TRACEPARENT": PARENT},
        [(b"host", b"x"), (b"traceparent", PARENT.encode())],
        [("Traceparent", PARENT)],
        {b"traceparent": PARENT.encode()},
        httpx.Headers({"traceparent": PARENT}),
        {"progressToken": 1, "traceparent": PARENT, "odd": {"deep": [1]}},
        Meta(progressToken=1, traceparent=PARENT),
    ],
)
def test_headers_of_every_kind_are_read(spans: Spans, carrier: Any) -> None:
    """Mappings, ASGI's and WSGI's, the environment, MCP's `_meta`: a call inside belongs to the caller's span."""
    with extract(carrier) as context, span("inside"):
        assert otel.get_current_span(context).get_span_context().is_remote
    with span("outside"):
        pass
    inside, outside = spans()
    assert (inside.trace_id, inside.parent_id) == (TRACE, SPAN)
    assert inside.attributes == {}
    assert outside.parent_id is None


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        "traceparent",
        b"traceparent",
        [],
        [1, 2],
        [("traceparent",)],
        {"traceparent": None},
        {"traceparent": 5},
        {"traceparent": ""},
        {"traceparent": "00-xyz"},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
        {"traceparent": f"{PARENT}-more"},
        {"traceparent": PARENT.upper().replace("00-", "0G-")},
        {"traceparent": PARENT + " " * 10_000},
        [("traceparent", PARENT), ("traceparent", PARENT.replace("b174", "b175"))],
        {"tracestate": "weft=t:talk"},
    ],
)
def test_what_is_malformed_is_ignored(spans: Spans, wrong: Any) -> None:
    """Nothing is raised, and the call is a root of its own."""
    with extract(wrong), span("inside"):
        pass
    assert spans()[0].parent_id is None
    assert spans()[0].thread_id is None


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "tracestate", "baggage", "Baggage"]),
        st.one_of(st.text(), st.binary(), st.just(PARENT), st.lists(st.text()), st.integers()),
    )
)
def test_no_header_raises(carrier: dict[str, Any]) -> None:
    with extract(carrier) as context:
        assert get_current() == context
        assert len("".join(inject().values()).encode()) <= CARRIED_BYTES


def test_8_kb_are_read_and_sent_and_no_more(home: Path) -> None:
    """Baggage goes first, then what other vendors sent; the trace stays."""
    long = ",".join(f"key{n}={'x' * 100}" for n in range(80))
    with extract({"traceparent": PARENT, "tracestate": "a=1", "baggage": long}) as context:
        assert baggage.get_all(context) == {}
        assert inject()["tracestate"] == "a=1"
    with extract({"traceparent": PARENT, "tracestate": f"a={'1' * 9000}"}), span("inside") as inside:
        assert inside.trace_id == TRACE
        assert inject().keys() == {"traceparent"}
    short = ",".join(f"key{n}={'x' * 100}" for n in range(60))
    with extract({"traceparent": PARENT, "baggage": short}) as context:
        assert len(baggage.get_all(context)) == 60


def test_headers_never_choose_where_anything_is_recorded(spans: Spans) -> None:
    """Neither endpoint nor key nor project (CVE-2026-25528): baggage is handed on, and read for nothing."""
    before = runtime.active().settings
    hostile = (
        "weft-project=theirs,project=theirs,langsmith-project=theirs,WEFT_HOME=/tmp/theirs,weft.home=/tmp/theirs,"
        "weft.endpoint=http%3A%2F%2Fevil.example,weft.api_key=k,WEFT_STORE=postgresql%3A%2F%2Fevil.example,redact=0"
    )
    state = "weft=s:1;p:theirs;project:theirs;home:/tmp/theirs;endpoint:evil;k:key"
    with extract({"traceparent": PARENT, "baggage": hostile, "tracestate": state}), span("inside"):
        sent = inject()
    (inside,) = spans()
    assert runtime.active().settings is before
    assert (inside.project, inside.attributes, inside.thread_id, inside.run_id) == ("default", {}, None, None)
    assert "theirs" not in sent.get("tracestate", "")
    assert baggage.get_baggage("project", extract(sent).context) == "theirs"


def test_what_is_injected_is_what_opentelemetry_reads(home: Path) -> None:
    """And its getters, setters and contexts are taken."""
    with span("outer") as outer:
        headers = inject({}, None, DefaultSetter())
        elsewhere = inject(context=Context())
    read = otel.get_current_span(TraceContextTextMapPropagator().extract(headers)).get_span_context()
    assert (f"{read.trace_id:032x}", f"{read.span_id:016x}") == (outer.trace_id, outer.span_id)
    assert read.trace_flags.sampled
    assert elsewhere == {}
    again = otel.get_current_span(extract(headers, Context(), DefaultGetter()).context).get_span_context()
    assert (again.trace_id, again.span_id) == (read.trace_id, read.span_id)


def test_a_list_of_header_pairs_can_be_written(home: Path) -> None:
    raw: list[tuple[bytes, bytes]] = [(b"host", b"x")]
    with span("outer") as outer:
        assert inject(raw) is raw
    assert raw[1] == (b"traceparent", f"00-{outer.trace_id}-{outer.span_id}-01".encode())


@pytest.mark.parametrize("wrong", [5, "headers", ()])
def test_what_cannot_be_written_into_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"weft\.inject"):
        inject(wrong)


def test_other_vendors_members_are_handed_on(home: Path) -> None:
    """Ours is first, and theirs are as they were; a trace of another origin does not get them."""
    with extract({"traceparent": PARENT, "tracestate": "a=1,b=2"}), thread("talk") as talk, span("inside") as inside:
        assert inject()["tracestate"] == f"weft=t:{talk};r:{inside.span_id},a=1,b=2"
        with start_run(project="evals") as run, recording_into(run), span("other trace"):
            assert "a=1" not in inject().get("tracestate", "")
    full = f"a={'1' * 250},b={'2' * 250}"
    with extract({"traceparent": PARENT, "tracestate": full}), thread("talk"), span("inside"):
        assert inject()["tracestate"] == full


@pytest.mark.parametrize("id_", ["a,b=c;d:e é\n%", "x" * 80])
def test_conversation_and_user_of_any_text_travel(spans: Spans, id_: str) -> None:
    """The calls there belong to the turn that is open here."""
    with thread(id_, user_id="joe"), span("here") as here:
        headers = inject()
    with extract(headers), span("there"), thread("another"), span("inner"):
        pass
    _, there, inner = spans()
    assert (there.thread_id, there.turn_id, there.user_id) == (id_, here.span_id, "joe")
    assert (inner.thread_id, inner.turn_id, inner.user_id) == ("another", inner.span_id, "joe")


def test_an_id_that_is_too_long_is_left_out(home: Path) -> None:
    with thread("x" * 300, user_id="joe"), span("here"):
        assert inject().keys() == {"traceparent"}
    with thread("talk", user_id="x" * 300), span("here") as here:
        assert inject()["tracestate"] == f"weft=t:talk;r:{here.span_id}"


@pytest.mark.parametrize(
    "headers",
    [{"traceparent": PARENT[:-2] + "00"}, {"traceparent": PARENT, "tracestate": "weft=s:0"}],
)
def test_a_callers_sampling_is_recorded_and_obeyed_only_if_asked(spans: Spans, headers: dict[str, str]) -> None:
    with extract(headers), span("kept"):
        pass
    assert spans()[0].attributes == {"weft.remote_sampled": False}
    with extract(headers, obey_sampling=True):
        assert get_current()[SAMPLED_OUT_KEY] == bytes.fromhex(TRACE)
        sent = inject()
    assert sent["tracestate"] == "weft=s:0"
    with extract({"traceparent": PARENT}, obey_sampling=True), attributes({"a": 1}), span("sampled"):
        assert SAMPLED_OUT_KEY not in get_current()
    assert spans()[-1].attributes == {"a": 1}


def test_a_trace_that_was_left_out_says_so_to_the_next_service(home: Path) -> None:
    """With the id of its trace, and no zero flag that foreign tracers would inherit."""
    with attached(Context({SAMPLED_OUT_KEY: bytes.fromhex(TRACE)})):
        headers = inject()
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-01")
    assert headers["tracestate"] == "weft=s:0"


def test_a_span_that_is_open_around_is_not_current_inside(home: Path) -> None:
    """A request is its caller's, even where the test client runs in the same process."""
    with span("outer") as outer:
        with extract({"traceparent": PARENT}):
            assert current_span() is None
        assert current_span() is outer


async def test_the_middleware_passes_lifespan_and_websockets(home: Path) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], otel.get_current_span().get_span_context().is_valid))

    middleware = TraceMiddleware(app)
    headers = [(b"traceparent", PARENT.encode())]
    for scope in (
        {"type": "lifespan"},
        {"type": "websocket", "headers": headers},
        {"type": "http", "headers": headers},
    ):
        await middleware(scope, None, None)  # type: ignore[arg-type]
    assert seen == [("lifespan", False), ("websocket", True), ("http", True)]
    assert not otel.get_current_span().get_span_context().is_valid


def test_all_is_silent_where_weft_is_disabled(tmp_path: Path) -> None:
    weft.configure(home=tmp_path / "none", mode="disabled")
    with weft.extract({"traceparent": PARENT}), weft.thread("talk"), weft.span("x"):
        assert weft.inject()["traceparent"] == PARENT
    assert weft.inject() == {}
    assert not (tmp_path / "none").exists()
