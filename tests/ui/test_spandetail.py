"""What the details pane tells of a span."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from weft.tracking.store.readmodels import ArtifactRecord, ScoreRecord, SpanRecord
from weft.ui.components.spandetail import detail, facts, lost


def span(**more: Any) -> SpanRecord:
    """A call to a model."""
    nothing: dict[str, Any] = dict.fromkeys(("run_id", "thread_id", "turn_id", "user_id", "price_source"))
    told = {"duration_ns": 5, "model": "m", "provider": None, "usage": None, "cost": None, "version": None}
    said = {"input_preview": "", "output_preview": ""}
    return SpanRecord("ab" * 16, "cd" * 8, None, "p", "chat", "llm", "ok", 1, 6, **(nothing | told | said | more))


def score(**more: Any) -> ScoreRecord:
    """Something said of it."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("value", "label", "reason", "error", "trace_id", "span_id", "run_id", "row_id", "source")
    )
    return ScoreRecord("ef" * 16, "span", "helpful", **(nothing | {"at_ns": 1} | more))


def test_estimated_tokens_never_look_reported() -> None:
    """Every number that comes of an estimate is marked, says how it was made, and has a warning beside it."""
    flags = ("estimated (tiktoken o200k_base)",)
    told = facts(span(usage={"input_tokens": 12}, cost=Decimal("0.1"), usage_flags=flags), 1)
    by_name = {name: text for name, text, _ in told}
    assert (by_name["in"], by_name[""], by_name["!"]) == ("≈ 12", "≈ $0.10", "estimated")
    assert any("estimated (tiktoken o200k_base), not reported" in why for _, _, why in told)
    reported = facts(span(usage={"input_tokens": 12}, cost=Decimal("0.1")), 1)
    assert "≈" not in str(reported)


def test_a_cost_says_what_it_is_made_of_and_an_unknown_one_how_to_know_it() -> None:
    parts = {"input_tokens": Decimal("0.1"), "output_tokens": Decimal("0.2")}
    made = facts(span(usage={"input_tokens": 1}, cost=Decimal("0.3"), cost_parts=parts, price_source="user"), 1)
    assert made[-1] == ("", "$0.30", "Cost, by user: input $0.10 · output $0.20")
    unknown = facts(span(usage={"input_tokens": 1}), 1)
    assert unknown[-1][:2] == ("cost", "–")
    assert "weft prices set" in unknown[-1][2]


def test_what_is_missing_is_counted_in_words() -> None:
    """By whose limit; a count that is none says nothing."""
    said = {"otel.dropped_attributes_count": 1, "weft.dropped_events": 20, "otel.dropped_links_count": 0}
    assert lost(said) == [
        "1 attribute not kept by the span limits of the program's OpenTelemetry",
        "20 events not kept, beyond what one span may have",
    ]
    assert lost({"otel.dropped_events_count": "many", "weft.dropped_events": True}) == []


def test_who_said_what() -> None:
    """A person by name, a scorer by its source; a note is its reason, a reaction its emoji."""
    said = [
        score(value=0.5, label="half", author="ana"),
        score(kind="note", reason="see"),
        score(kind="reaction", label="👍"),
        score(value=1.0, source={"scorer": "judge"}),
        score(error="boom"),
    ]
    shown = detail(span(scores=said))["scores"]
    assert [one["text"] for one in shown] == ["0.5 · half", "", "👍", "1", "failed: boom"]
    assert [one["by"] for one in shown] == ["by ana", "", "", "by judge", ""]
    assert shown[1]["reason"] == "see"


def test_code_says_where_it_stood_and_which_version_it_is() -> None:
    """File and line, the version's number and digest; without the source, that it is not here."""
    metadata = {"source": "def f(): ...", "file": "a.py", "line": 7}
    code = ArtifactRecord("p", "f", "op", 3, "ab" * 32, (), 1, 1, None, metadata, {}, None)
    found = detail(span(version="ab" * 32), code)["code"]
    assert (found["where"], found["version"], found["line"]) == ("a.py:7", "f v3 · abababababab", 7)
    assert "not in this store" in detail(span(version="ab" * 32))["code"]["where"]
    assert "code" not in detail(span())
