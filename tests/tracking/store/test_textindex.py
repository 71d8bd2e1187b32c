"""Full-text search: what is found, that it follows what is stored, and that whatever is typed is a question."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weft.tracking.errors import UsageError
from weft.tracking.journal.frames import Frame
from weft.tracking.journal.records import SCHEMA, Record, Removed, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.store import textindex
from weft.tracking.store.sink import Position
from weft.tracking.store.store import Store
from weft.tracking.store.textindex import TextIndex
from weft.tracking.store.textwords import LONGEST, terms, texts, words, words_of

ROOT = b"r" * 8


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def opened(number: int, inputs: Any = None, name: str = "answer", span_id: bytes = ROOT, **more: Any) -> SpanOpened:
    given = None if inputs is None else orjson.dumps(inputs)
    return SpanOpened(SCHEMA, trace_id(number), span_id, None, name, "op", number, "p", inputs=given, **more)


def closed(number: int, output: Any = None, error: Any = None, span_id: bytes = ROOT) -> SpanClosed:
    said, failed = (None if value is None else orjson.dumps(value) for value in (output, error))
    return SpanClosed(SCHEMA, trace_id(number), span_id, number + 5, 5, "ok", output=said, error=failed)


class Writes:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.index = TextIndex(store)
        self._at = itertools.count(16, 10)

    def __call__(self, *records: Record) -> None:
        frames = [Frame(at, at + 10, record) for record in records for at in [next(self._at)]]
        self.store.sink().apply(frames, Position("home", "s", frames[-1].end, b"writer00"))

    def found(self, query: str) -> list[int]:
        """Numbers of the traces that a search finds."""
        page = self.store.reader().traces({"text": {"$search": query}}, order="start_ns")
        assert page.notes == ()
        spans = self.store.reader().spans({"text": {"$search": query}})
        assert sorted({row.trace_id for row in spans.rows}) == sorted(row.trace_id for row in page.rows)
        return [int(row.trace_id, 16) for row in page.rows]


@pytest.fixture
def writes(store: Store) -> Writes:
    return Writes(store)


def test_words_are_found_wherever_they_were_said(writes: Writes) -> None:
    writes(
        opened(1, {"question": "Why is the sky blue?"}, "ask"),
        closed(1, {"choices": [{"message": {"content": "Rayleigh\nscattering"}}]}),
        opened(2, name="plan_route"),
        closed(2, error={"type": "TimeoutError", "message": "no answer in 30 s", "stacktrace": "File secretfile.py"}),
        opened(3, {"order": 4711, "text": "Crème brûlée"}),
    )
    assert writes.found("SKY") == writes.found("rayleigh scattering") == writes.found("why scattering") == [1]
    assert writes.found("plan_route") == writes.found("route") == writes.found("timeouterror") == [2]
    assert writes.found("4711") == writes.found("creme") == writes.found("CRÈME BRÛLÉE") == [3]
    assert writes.found("secretfile") == writes.found("question") == writes.found("sky timeouterror") == []


def test_phrases_beginnings_and_what_is_not_wanted(writes: Writes) -> None:
    for number, said in enumerate(("the red car", "a car that is red", "the red carpet", "a blue car")):
        writes(opened(number, {"q": said}))
    assert writes.found('"red car"') == [0]
    assert writes.found("red car") == [0, 1]
    assert writes.found("red car*") == [0, 1, 2]
    assert writes.found('"the red ca"*') == [0, 2]
    assert writes.found("car -red") == writes.found('car -"red" -carpet') == [3]
    assert writes.found("-red") == [3]
    assert writes.found("red -car") == [2]


def test_scripts_without_spaces_are_found_by_any_piece(writes: Writes) -> None:
    writes(
        opened(1, {"q": "東京タワーはどこですか"}), opened(2, {"q": "京都の東"}), opened(3, {"q": "안녕하세요 세계"})
    )
    assert writes.found("東京") == writes.found("タワー") == [1]
    assert writes.found("京都") == [2]
    assert writes.found("안녕") == writes.found("세계") == [3]
    assert writes.found("京東") == []


def test_the_index_follows_what_is_stored(writes: Writes) -> None:
    writes(opened(1, {"q": "alpha"}), opened(2, {"q": "alpha"}))
    assert writes.found("alpha") == [1, 2]
    writes(closed(1, "omega"), SpanUpdated(SCHEMA, trace_id(1), ROOT, 3, inputs=b'{"q":"beta"}', name="renamed"))
    assert writes.found("alpha") == [2]
    assert writes.found("beta omega renamed") == [1]
    writes(Removed(SCHEMA, "trace", trace_id(2), "", 9))
    assert writes.found("alpha") == []
    writes(opened(3, {"q": "gamma"}))  # its key was the removed one's
    assert writes.found("alpha") == []
    assert writes.found("gamma") == [3]
    assert writes.store.reader().status().text_lag == 0


def test_removed_words_are_gone_from_the_index_itself(writes: Writes) -> None:
    writes(opened(1, {"q": "alpha"}), opened(2, {"q": "alpha"}), opened(3))
    writes.index.advance()
    writes(Removed(SCHEMA, "trace", trace_id(1), "", 9))
    writes.index.advance()
    with writes.store.reading() as connection:
        search = textindex.Search(connection, "alpha")
        held = connection.execute(search._keys(terms("alpha"))).scalars().all()
        queued = connection.exec_driver_sql("SELECT count(*) FROM text_queue").scalar()
    assert (len(held), queued) == (1, 0)


def test_how_far_the_index_is_behind_can_be_seen(writes: Writes) -> None:
    writes(*(opened(number, {"q": "word"}) for number in range(20)))
    assert writes.store.reader().status().text_lag == 20
    writes.index.advance()
    assert writes.store.reader().status().text_lag == 0
    writes(closed(3, "done"), opened(20))
    assert writes.store.reader().status().text_lag == 2
    assert writes.index.advance() == 2
    assert writes.index.advance() == 0


def test_a_search_is_one_filter_among_others(writes: Writes) -> None:
    for number in range(6):
        writes(opened(number, {"q": "even" if number % 2 == 0 else "odd", "n": number}), closed(number, "x"))
    reader = writes.store.reader()
    where = {"text": {"$search": "even"}, "start_ns": {"$gte": 2}, "inputs.n": {"$ne": 4}}
    assert [row.start_ns for row in reader.traces(where).rows] == [2]
    either = {"$or": [{"text": {"$search": "odd"}}, {"inputs.n": 0}]}
    assert [row.start_ns for row in reader.traces(either, order="start_ns").rows] == [0, 1, 3, 5]
    assert reader.traces({"$not": {"text": {"$search": "odd"}}}).total == 3
    assert reader.trace_stats({"text": {"$search": "odd"}}).count == 3
    with pytest.raises(UsageError, match="takes text"):
        reader.traces({"text": {"$search": 5}})


def test_what_half_the_store_says_is_found_in_order_of_time(writes: Writes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textindex, "COMMON", 3)
    for number in range(10):
        writes(opened(number, {"q": "common" if number % 2 else "rare"}))
    assert writes.found("common") == [1, 3, 5, 7, 9]
    page = writes.store.reader().traces({"text": {"$search": "common"}}, limit=2)
    assert [row.start_ns for row in page.rows] == [9, 7]
    assert writes.found("-common") == [0, 2, 4, 6, 8]


HOSTILE = st.text(st.sampled_from("ab \"*-()^:+\\'{}&|!<>%_?;.,\0é東\ud800NEAR OR AND NOT"), max_size=20) | st.text(
    max_size=20
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTILE, min_size=1, max_size=5))
@example(['"', '""', '"*', "*", "-", '-"', "a AND", "NEAR(a b)", "a:b", "^a", "{a}", "a'b", "' OR 1=1 --", "\0"])
def test_whatever_is_typed_is_a_question(writes: Writes, queries: list[str]) -> None:
    if writes.store.reader().status().spans == 0:
        writes(opened(1, {"q": "a b ab é 東 near or and not"}))
    for query in queries:
        asked = terms(query)
        if not asked:
            assert writes.found(query) == []
        else:
            writes.found(query)


@example("𝓐")
@given(st.text())
def test_a_text_is_found_by_itself(text: str) -> None:
    found = words(text)
    assert all(0 < len(word) <= LONGEST and " " not in word for word in found)
    assert words(" ".join(found)) == found
    assert words(text.upper()) == words(text.upper().lower())


def test_only_text_is_read_and_only_so_much_of_it() -> None:
    value = {
        "a": ["x", 1.5, True, None],
        "b": {"$weft": "bytes", "v": "c2VjcmV0"},
        "c": {"$weft": "repr", "v": {"t": "y"}},
    }
    assert list(texts(value)) == ["x", "1.5", "y"]
    assert len(words_of(iter(["w " * 20_000, "more"]))) == 16_000
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = [deep]
    assert list(texts(deep)) == ["bottom"]


def test_a_text_as_large_as_they_come_is_taken_in(writes: Writes) -> None:
    long = " ".join(f"word{number}{'x' * 100}" for number in range(3000))
    writes(opened(1, {"q": long}), opened(2, {"q": "東" * 300_000}), opened(3, {"q": "z" * 900_000}))
    assert writes.found("word7*") == [1]
    assert writes.found("東東東") == [2]
    assert writes.found("z" * 900) == [3]
