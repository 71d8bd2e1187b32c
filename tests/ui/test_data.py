"""The screens' questions: answered from the store, once a data version."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.tracking import runtime
from weft.tracking.errors import HomeError
from weft.tracking.journal.records import SCHEMA, SpanClosed, SpanOpened
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.ui import data as module
from weft.ui.data import Data, data


def record(name: str, at: int = 1_700_000_000_000_000_000) -> str:
    """One finished call, ingested; its trace id."""
    active = runtime.active()
    trace, span = active.ids.uid(), active.ids.span_id().to_bytes(8, "big")
    active.journal.append(SpanOpened(SCHEMA, trace, span, None, name, "op", at, "p", inputs=b'{"n":1}'))
    active.journal.append(SpanClosed(SCHEMA, trace, span, at + 5, 5, "ok", output=b"2"))
    open_store(active.settings).close()
    return trace.hex()


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are looked up at every question; nothing is carried over from another test."""
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0)
    monkeypatch.setattr(module, "NAMES_SECONDS", 0)
    monkeypatch.setattr(module, "_open", None)


def test_an_answer_is_kept_until_the_store_changes(home: Path) -> None:
    """The same question gives the same object; after an ingest it gives the new rows."""
    record("first")
    reader = Data(Settings.resolve(home=home))
    before = reader.traces({})
    assert reader.traces({}) is before
    record("second")
    assert [row.name for row in reader.traces({}, order="name").rows] == ["first", "second"]
    assert reader.names(None) == ("first", "second")
    assert reader.trace_stats({}).count == 2


def test_a_span_with_its_payload(home: Path) -> None:
    """Payloads come only where they are asked for."""
    trace = record("call")
    reader = Data(Settings.resolve(home=home))
    (bare,) = reader.spans(trace)
    (whole,) = reader.payloads(trace, [bare.span_id])
    assert bare.inputs is None
    assert (whole.inputs, whole.output) == ({"n": 1}, 2)


def test_what_is_not_there_is_none(home: Path) -> None:
    """Unknown ids are no errors here; the screens say so."""
    record("call")
    reader = Data(Settings.resolve(home=home))
    assert reader.trace("0" * 32) is None
    assert reader.run("p", "nothing") is None


def test_a_store_that_was_replaced_is_opened_again(home: Path) -> None:
    """Removed or rebuilt while the app runs: the next question sees the new one."""
    record("old")
    assert data().traces({}).total == 1
    for file in home.glob("weft.db*"):
        file.unlink()
    open_store(runtime.active().settings, drain=False).close()
    assert data().traces({}).total == 0


def test_a_home_that_cannot_be_used_is_told_each_time_and_mended(tmp_path: Path) -> None:
    """The error is not kept: once the file is out of the way, the store opens."""
    home = tmp_path / "home"
    home.write_text("in the way")
    runtime.configure(Settings.resolve(home=home))
    for _ in range(2):
        with pytest.raises(HomeError, match="WEFT_HOME"):
            data()
    home.unlink()
    assert data().traces({}).total == 0
