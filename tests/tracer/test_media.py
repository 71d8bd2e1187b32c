"""Media, redaction and hostile values through `@op`, the journal and the readers."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import weft
from weft.tracking import runtime
from weft.tracking.journal import frames
from weft.tracking.journal.records import Record
from weft.tracking.payloads.content import Content, ContentError
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import SpanRecord

Spans = Callable[[], list[SpanRecord]]
Records = Callable[[], list[Record]]


def picture(size: tuple[int, int] = (60, 60)) -> bytes:
    """A PNG of more than 1 KiB."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 80).save(buffer, "PNG")
    return buffer.getvalue()


def blobs_kept(home: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(home / "blobs"))


def question(data: bytes) -> list[dict[str, Any]]:
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return [
        {
            "role": "user",
            "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}],
        }
    ]


def test_a_picture_in_a_hundred_calls_is_one_blob_and_reads_back(home: Path, spans: Spans) -> None:
    """As data-URL, bytes and Content; the function sees the very objects."""
    data = picture()
    seen = []

    @weft.op
    def ask(messages: Any, more: Any) -> Any:
        seen.append(messages)
        return more

    messages, content = question(data), Content.from_bytes(data, filename="cat.png")
    for _ in range(100):
        assert ask(messages, content) is content
    assert ask(messages, data) is data
    assert all(one is messages for one in seen)
    assert messages == question(data)
    span = spans()[0]
    shown = span.inputs["messages"][0]["content"][1]["image_url"]["url"]
    assert (shown.mimetype, shown.size, shown.data) == ("image/png", len(data), data)
    assert span.output == content
    assert span.output.filename == "cat.png"
    digests = {shown.digest, span.output.digest, spans()[-1].output.digest}
    assert len(digests) == 1


def test_the_blob_is_there_before_the_frame_that_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every append, whatever a record names can be read."""
    rt = runtime.active()
    named: list[bool] = []
    append = type(rt.journal).append

    def watch(journal: Any, record: Any) -> Any:
        inputs = getattr(record, "inputs", None)
        if inputs and b'"content"' in inputs:
            digest = weft.Content.from_bytes(data).digest
            named.append((home / "blobs" / digest[:2] / digest[2:]).read_bytes() == data)  # type: ignore[index]
        return append(journal, record)

    data = picture()
    monkeypatch.setattr(type(rt.journal), "append", watch)
    weft.op(lambda image: None)(data)
    assert named == [True]


def test_a_reader_gives_content_lazily_and_survives_its_loss(home: Path) -> None:
    """From the store; a blob that is gone is said when its bytes are asked for."""
    data = picture()
    weft.op(lambda messages: Content.from_bytes(data))(question(data))
    weft.flush()
    with open_store(runtime.active().settings) as store:
        reader = store.reader()
        read = lambda: reader.spans({}, payloads=True).rows[0]  # noqa: E731 - asked twice
        assert read().output.data == data
        for place, _, files in os.walk(home / "blobs"):
            for name in files:
                (Path(place) / name).unlink()
        span = read()
        assert span.output.mimetype == "image/png"
        with pytest.raises(ContentError, match="no blob"):
            _ = span.output.data
        assert reader.traces({}).rows[0].output_preview


SECRET = "sk-abcdefghijklmnopqrstuvwx"


def test_no_secret_reaches_the_journal_by_any_road(home: Path) -> None:
    """Inputs, output, attributes, events, errors and their stack, names, status, links."""

    @weft.op(display_name=lambda inputs: f"ask with {inputs['key']}", attributes={"own": SECRET})
    def ask(key: str, api_key: str) -> Any:
        span = weft.current_span()
        assert span is not None
        span.set_attribute("x", SECRET)
        span.add_event("said", {"y": SECRET})
        span.update_name(f"renamed {SECRET}")
        raise ValueError(f"401 for {SECRET}")

    with weft.attributes({"shared": SECRET}), weft.span(f"block {SECRET}", inputs={"a": SECRET}) as block:
        block.set_output([SECRET, {SECRET: 1}])
        with pytest.raises(ValueError, match="401"):
            ask(SECRET, "hunter2hunter2")
    with weft.init("p", config={"token": "hunter2hunter2", "text": SECRET}):
        pass
    written = b"".join(path.read_bytes() for path in (home / "journal").glob("*.wj"))
    assert SECRET.encode() not in written
    assert b"hunter2hunter2" not in written
    assert written.count(b"[redacted:") >= 10


def test_options_and_a_users_redactor_reach_every_field(home: Path, spans: Spans) -> None:
    """E-mail, cards and names of one's own, in inputs, output, attributes and errors."""

    def mask(key: str, text: str) -> str:
        if key == "boom":
            raise RuntimeError(text)
        return text.replace("Joe", "[name]")

    weft.configure(home=home, redact=("secrets", "email", "cards"), redactor=mask)
    runtime.active().faults.strict = False

    @weft.op(attributes={"by": "Joe, joe@example.org"})
    def pay(who: str, boom: str) -> str:
        return f"{who} paid with 4111 1111 1111 1111"

    assert pay("Joe <joe@example.org>", "Joe's own") == "Joe <joe@example.org> paid with 4111 1111 1111 1111"
    span = spans()[0]
    assert span.inputs["who"] == "[name] <[redacted:email]>"
    assert span.inputs["boom"].kind == "redacted"
    assert span.output == "[name] <[redacted:email]> paid with [redacted:card]"
    assert span.attributes["by"] == "[name], [redacted:email]"
    written = b"".join(path.read_bytes() for path in (home / "journal").glob("*.wj"))
    assert b"joe@example" not in written
    assert b"Joe" not in written


def test_the_environment_names_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """On, off, or by name; a mistake is said."""
    for text, answer in (("", True), ("1", True), ("0", False), ("off", False), ("secrets", True)):
        assert Settings.resolve(env={"WEFT_REDACT": text}).redact is answer
    chosen: Any = Settings.resolve(env={"WEFT_REDACT": "secrets, email"}).redact
    assert (chosen.secrets, chosen.email, chosen.cards) == (True, True, False)
    with pytest.raises(weft.Error, match="WEFT_REDACT"):
        Settings.resolve(env={"WEFT_REDACT": "secret"})


def test_hostile_values_cost_no_call_and_no_record(home: Path, spans: Spans) -> None:
    """Forty levels of twice the same, ten thousand levels, cycles, surrogates, keys that mean something elsewhere."""
    shared: Any = ["leaf"]
    deep: Any = "bottom"
    cycle: dict[str, Any] = {}
    cycle["me"] = [cycle]
    for _ in range(40):
        shared = [shared, shared]
    for _ in range(10_000):
        deep = {"a": deep}
    keys = {
        "__proto__": {"x": 1},
        "constructor.prototype": 1,
        "a.0.999999999": 2,
        "\ud800": 3,
        "$weft": "float",
        "v": "NaN",
    }
    started = time.perf_counter()
    same = weft.op(lambda value: value)
    for value in (shared, deep, cycle, keys, "\udc00", 10**5000, float("nan")):
        assert same(value) is value
    assert time.perf_counter() - started < 10  # it would be years; no measure of speed
    found = spans()
    assert len(found) == 7
    assert found[3].output == keys
    assert found[4].output == "\udc00"
    assert found[5].output == 10**5000
    assert all(path.stat().st_size < 64 << 20 for path in (home / "journal").glob("*.wj"))


@pytest.mark.parametrize("value", [0, False, "", [], None, {}, 0.0])
def test_falsy_outputs_are_told_apart_and_from_nothing(value: Any, spans: Spans) -> None:
    """Each is captured; an op that captures no output has none."""
    weft.op(lambda: value)()
    weft.op(capture_output=False)(lambda: 1)()
    kept, nothing = spans()
    assert kept.output == value
    assert type(kept.output) is type(value)
    assert nothing.output is None


def test_what_is_over_a_mebibyte_is_kept_whole(home: Path, spans: Spans, records: Records) -> None:
    """In a blob; the frame stays small."""
    from weft.tracking.blobs import Blobs
    from weft.tracking.payloads.media import originals

    text = "line of a log\n" * 400_000
    rows = [{"i": at, "word": "w"} for at in range(100_000)]
    weft.op(lambda log: rows)(text)
    span = spans()[0]
    blobs = Blobs(runtime.active().home)
    assert originals(span.inputs, blobs) == {"log": text}
    assert originals(span.output, blobs) == rows
    assert all(len(frames.encode(record)) < 2 << 20 for record in records())
