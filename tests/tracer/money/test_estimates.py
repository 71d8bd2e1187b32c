"""Calls that report no tokens get estimated ones, marked so, never mixed with reported ones, and only where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import weft
from weft.tracer.money import tokens
from weft.tracer.money.billing import enricher
from weft.tracer.money.estimates import estimator
from weft.tracer.money.pricefile import PriceFile
from weft.tracer.money.repricing import reprice
from weft.tracking import runtime
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, SpanClosed, SpanOpened, SpanPriced, SpanUpdated
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import SpanRecord
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store
from weft.tracking.store.usagereader import usages

MESSAGES = {"messages": [{"role": "user", "content": "x" * 400}], "model": "never counted", "seed": 7}
OUTPUT = {"role": "assistant", "content": "y" * 40}


@pytest.fixture(autouse=True)
def _no_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def opened(inputs: object = MESSAGES, kind: str = "llm") -> SpanOpened:
    encoded = None if inputs is None else orjson.dumps(inputs)
    return SpanOpened(SCHEMA, b"t" * 16, b"s" * 8, None, "chat", kind, 1, "p", inputs=encoded)


def closed(output: object = OUTPUT, **more: Any) -> SpanClosed:
    fields = {"end_ns": 1_767_225_600_000_000_000, "duration_ns": 1, "status": "ok"} | {"model": "gpt-4o-mini"} | more
    encoded = None if output is None else orjson.dumps(output)
    return SpanClosed(SCHEMA, b"t" * 16, b"s" * 8, output=encoded, **fields)


def estimated(start: SpanOpened, end: SpanClosed) -> SpanPriced | None:
    estimate = estimator(Settings(home=Path("/nowhere")))
    return estimate(start, end)


def test_the_text_that_was_sent_and_said_is_counted_and_priced() -> None:
    found = estimated(opened(), closed(provider="openai"))
    assert found is not None
    assert found.usage == {"input_tokens": 100, "output_tokens": 10}
    assert found.flags == ["estimated"]
    assert found.cost_pico_usd == 15_000_000 + 6_000_000


def test_a_model_without_a_price_keeps_its_estimate() -> None:
    found = estimated(opened(), closed(model="nobody-s-model"))
    assert found is not None
    assert (found.usage, found.cost_pico_usd) == ({"input_tokens": 100, "output_tokens": 10}, -1)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (opened(kind="op"), closed()),
        (opened(), closed(None, status="error")),
        (opened(None), closed(None)),
        (opened({"seed": 7}), closed({"$weft": "blob", "v": {"digest": "abc"}})),
        (opened({"image": "data:image/png;base64,AAAA"}), closed(None)),
    ],
)
def test_what_is_no_answered_text_is_not_estimated(start: SpanOpened, end: SpanClosed) -> None:
    assert estimated(start, end) is None


def test_a_stream_that_was_left_early_counts_what_came() -> None:
    found = estimated(opened(), closed(status="cancelled"))
    assert found is not None
    assert found.usage == {"input_tokens": 100, "output_tokens": 10}


def test_a_known_vocabulary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = tokens.TokenCount(3, "tiktoken o200k_base")
    monkeypatch.setattr("weft.tracer.money.estimates.count_tokens", lambda text, model: counted)
    found = estimated(opened(), closed())
    assert found is not None
    assert found.flags == ["estimated (tiktoken o200k_base)"]


def span(store: Store, *batches: list[Record]) -> SpanRecord:
    sink = store.sink(estimator(Settings(home=Path("/nowhere"))))
    for at, batch in enumerate(batches):
        frames = [Frame(16 + at * 100 + n, 17 + at * 100 + n, record) for n, record in enumerate(batch)]
        sink.apply(frames, Position("home", "s", 100 + at * 100, b"writer00"))
    (found,) = store.reader().spans(payloads=True).rows
    return found


def test_the_store_keeps_it_marked_in_any_order(tmp_path: Path) -> None:
    found = []
    for number, batches in enumerate(
        (
            [[opened(), closed()]],
            [[opened()], [closed()]],
            [[closed()], [opened()]],
            [[closed()], [opened()], [closed()]],
        )
    ):
        with Store.open(f"sqlite:///{tmp_path}/{number}.db") as store:
            found.append(span(store, *batches))
            (trace,) = store.reader().traces().rows
            assert (trace.input_tokens, trace.output_tokens) == (100, 10)
    assert found[0].usage == {"input_tokens": 100, "output_tokens": 10}
    assert found[0].usage_flags == ("estimated",)
    assert all(each == found[0] for each in found)


def test_what_the_provider_reports_later_takes_its_place(tmp_path: Path) -> None:
    late = closed(end_ns=1_767_225_600_000_000_001, usage={"input_tokens": 5}, model="nobody-s-model")
    for number, batches in enumerate(([[opened(), closed()], [late]], [[late], [opened(), closed()]])):
        with Store.open(f"sqlite:///{tmp_path}/{number}.db") as store:
            found = span(store, *batches)
            assert (found.usage, found.usage_flags, found.cost) == ({"input_tokens": 5}, (), None)


def test_it_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert estimator(Settings(home=tmp_path, estimate_tokens=False))(opened(), closed()) is None
    monkeypatch.setenv("WEFT_ESTIMATE_TOKENS", "0")
    weft.configure(home=tmp_path)
    with weft.span("chat", kind="llm", inputs=MESSAGES) as live:
        live.set_usage({}, model="gpt-4o-mini")
    with open_store(runtime.active().settings) as store:
        assert store.reader().spans().rows[0].usage is None


def test_a_program_that_traces_counts_nothing(tmp_path: Path) -> None:
    """The hot path leaves no price or vocabulary loaded: the reader pays."""
    weft.configure(home=tmp_path)
    with weft.span("chat", kind="llm", inputs=MESSAGES) as live:
        live.set_usage({}, model="gpt-4o-mini")
    assert live.usage is None
    with open_store() as store:
        (found,) = store.reader().spans().rows
    assert found.usage_flags == ("estimated",)
    assert found.usage == {"input_tokens": 100}


def test_a_tier_that_was_said_apart_from_the_end_is_priced_in_any_order(tmp_path: Path) -> None:
    """As the openai integration says it: an attribute set just before the end."""
    at = 1_795_000_000_000_000_000
    said = SpanUpdated(SCHEMA, b"t" * 16, b"s" * 8, at - 1, attributes=b'{"openai.response.service_tier":"flex"}')
    end = closed(end_ns=at, model="gpt-5", provider="openai", usage={"output_tokens": 1_000_000})
    bill = enricher(Settings(home=Path("/nowhere")))
    ending = [end, *bill(end)]
    found = []
    for number, batches in enumerate(
        (
            [[opened(), said, *ending]],
            [[opened()], [said], ending],
            [ending, [said], [opened()]],
            [[opened(), *ending], [said]],
        )
    ):
        with Store.open(f"sqlite:///{tmp_path}/{number}.db") as store:
            found.append(span(store, *batches))
            (record,) = usages(store)
            assert b"flex" in (record.attributes or b"")
            assert reprice([record], PriceFile(Path("/nowhere")), at + 9, found.append).changed == 0
    assert found[0].cost == 5
    assert (found[0].price_source or "").endswith(", flex")
    assert all(each == found[0] for each in found)
