"""`weft traces import` and `export`: what goes out comes in again the same, once, in any order; bad input is said."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import weft
from weft import cli
from weft.testing import FixedIds
from weft.tracking import runtime
from weft.tracking.journal.records import SCHEMA, ScoreLogged, SpanClosed, SpanOpened, SpanUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import ScoreRecord, SpanRecord

GOLDEN = Path(__file__).parents[2] / "tracer" / "otlp" / "golden"
TRACE = "5b8efff798038103d269b633813fc60c"
FORMS = ("jsonl", "parquet", "otlp-json", "otlp-protobuf")


def run(home: Path, *arguments: str, code: int = 0, stdin: bytes = b"") -> tuple[bytes, str]:
    """`weft traces ...` in this process, as a process of its own would begin: nothing configured, its own streams."""
    out, err = io.BytesIO(), io.BytesIO()
    streams = {"stdin": io.BytesIO(stdin), "stdout": out, "stderr": err}
    runtime.reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_HOME", str(home))
        patch.setattr(sys, "argv", ["weft", "traces", *arguments])
        for name, stream in streams.items():
            patch.setattr(sys, name, io.TextIOWrapper(stream, encoding="utf-8", write_through=True))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written, said = out.getvalue(), err.getvalue().decode()  # before the wrappers close them
    runtime.reset()
    assert (ended.value.code or 0) == code, (written[:2_000], said)
    return written, said


def stored(home: Path) -> tuple[list[SpanRecord], list[ScoreRecord]]:
    """All spans of a home, and the scores of its traces."""
    with open_store(Settings.resolve(home=home)) as store:
        found = store.reader().spans(payloads=True).rows
        return sorted(found, key=lambda span: span.span_id), [*store.reader().scores({"target": "trace"}).rows]


def request(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def span(number: int, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    made = {"traceId": TRACE, "spanId": f"{number:016x}", "name": f"span {number}"}
    made |= {"startTimeUnixNano": str(10**18 + number), "endTimeUnixNano": str(2 * 10**18 - number)}
    return made | ({} if parent is None else {"parentSpanId": f"{parent:016x}"}) | fields


@pytest.fixture
def rich(home: Path) -> Path:
    """A home with spans that have everything a span can have."""
    rt = runtime.active()
    trace, root, child = bytes(range(16)), b"rootroot", b"childchi"
    append = rt.journal.append
    append(
        SpanOpened(
            SCHEMA, trace, root, None, "answer", "agent", 10**18, "shop", b"r" * 16,
            encode({"question": "Why?", "odd": [math.nan, 10**30, b"\0", {1: 2}]}), encode({"k": [1, None, {"a": 0}]}),
            "thread", "turn", "user", "version",
            encode([{"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {}}]),
        )
    )  # fmt: skip
    append(SpanUpdated(SCHEMA, trace, root, 10**18 + 1, tags=encode(["red", "green"])))
    events = encode([{"name": "retry", "at_ns": 10**18 + 2, "attributes": {"wait_s": 0.5}}])
    append(
        SpanClosed(
            SCHEMA, trace, root, 10**18 + 9, 8, "ok", b"null", None, None, None, None, encode({"z": False}), events
        )
    )
    usage = {"input_tokens": 100, "output_tokens": 7, "cache_read_tokens": 40, "odd_tokens": 1}
    append(SpanOpened(SCHEMA, trace, child, root, "chat", "llm", 10**18 + 1, "shop", inputs=encode({"messages": []})))
    append(
        SpanClosed(
            SCHEMA, trace, child, 10**18 + 5, 4, "ok", encode({"choices": []}), None, "gpt-4o-mini", "openai", usage
        )
    )
    failed = encode({"type": "ValueError", "message": "no", "stacktrace": "Traceback"})
    append(SpanOpened(SCHEMA, trace, b"failfail", root, "look up", "tool", 10**18 + 2, "shop"))
    append(SpanClosed(SCHEMA, trace, b"failfail", 10**18 + 3, 1, "error", None, failed))
    append(SpanOpened(SCHEMA, trace, b"cancelle", root, "wait", "op", 10**18 + 2, "shop"))
    append(SpanClosed(SCHEMA, trace, b"cancelle", 10**18 + 3, 1, "cancelled", b'""', failed))
    append(
        ScoreLogged(
            SCHEMA, b"s" * 16, "span", 10**18 + 20, "helpful", "shop", 0.0, "no", "off", trace, child,
            source=encode({"scorer": "judge"}), kind="label", author="ada",
        )
    )  # fmt: skip
    append(ScoreLogged(SCHEMA, b"t" * 16, "trace", 10**18 + 21, "good", "shop", 1.0, trace_id=trace))
    for number, output in enumerate((b"0", b"false", b'""', b"[]", None)):
        ids = (bytes(range(1, 17)), b"falsy%03d" % number)
        append(SpanOpened(SCHEMA, *ids, None, f"falsy {number}", "op", 10**18 + 30 + number, "other"))
        append(SpanClosed(SCHEMA, *ids, 10**18 + 40, 10, "ok", output))
    rt.journal.close()
    return home


@pytest.mark.parametrize("form", FORMS)
def test_what_is_exported_and_imported_into_an_empty_home_is_equal(rich: Path, tmp_path: Path, form: str) -> None:
    file, empty = tmp_path / "spans", tmp_path / "empty"
    run(rich, "export", "--format", form, "-o", str(file))

    run(empty, "import", str(file))

    (spans, scores), (again, scores_again) = stored(rich), stored(empty)
    assert len(spans) == 9
    assert [repr(span) for span in again] == [repr(span) for span in spans]  # NaN is unlike itself
    assert scores_again == scores
    assert spans[0].cost is not None or any(span.cost for span in spans)


def test_a_pipe_between_two_commands_carries_it_too(rich: Path, tmp_path: Path) -> None:
    def started(home: Path, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "weft.cli", "traces", *arguments]
        return subprocess.Popen(command, env={**os.environ, "WEFT_HOME": str(home)}, **streams)

    with (
        started(rich, "export", stdout=subprocess.PIPE) as exporting,
        started(tmp_path / "empty", "import", "-", stdin=exporting.stdout) as importing,
    ):
        assert (importing.wait(60), exporting.wait(60)) == (0, 0)
    assert repr(stored(tmp_path / "empty")) == repr(stored(rich))


def test_importing_again_changes_nothing(rich: Path, tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    run(rich, "export", "-o", str(file))
    empty = tmp_path / "empty"
    run(empty, "import", str(file))
    once = stored(empty)

    run(empty, "import", str(file), str(file))

    assert repr(stored(empty)) == repr(once)
    assert repr(stored(rich)) == repr(once)
    run(rich, "import", str(file))
    assert repr(stored(rich)) == repr(once), "nor does importing where it came from"


def test_both_forms_of_otlp_give_the_same_rows(tmp_path: Path) -> None:
    rows = []
    for name in ("request.json", "request.pb"):
        home = tmp_path / name
        said, _ = run(home, "import", str(GOLDEN / name))
        assert b"2 spans read, 2 stored in project default" in said
        rows.append(repr(stored(home)))

    assert rows[0] == rows[1]


def test_children_before_their_parents_make_the_same_tree_in_every_order(tmp_path: Path) -> None:
    spans = [span(1), span(2, 1), span(3, 2)]
    usage = [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}}]
    spans[2]["attributes"] = [*usage, {"key": "gen_ai.request.model", "value": {"stringValue": "m"}}]
    seen = set()
    for number, order in enumerate(itertools.permutations(spans)):
        home = tmp_path / f"home {number}"
        weft.configure(home=home)
        for each in order:
            file = tmp_path / f"{number}-{each['spanId']}.json"
            file.write_bytes(request(each))
        files = [str(tmp_path / f"{number}-{each['spanId']}.json") for each in order]
        run(home, "import", *files)
        with open_store(Settings.resolve(home=home)) as store:
            (trace,) = store.reader().traces().rows
        seen.add((trace.name, trace.span_count, trace.input_tokens, repr(stored(home))))

    assert len(seen) == 1
    assert next(iter(seen))[:3] == ("span 1", 3, 5)


def test_a_refused_span_is_named_by_number_and_reason_and_its_neighbours_are_stored(tmp_path: Path) -> None:
    file = tmp_path / "three.json"
    file.write_bytes(request(span(1), span(2, spanId="eee19b7ec3c1b1"), span(3)))

    said, _ = run(tmp_path / "home", "import", str(file), code=2)

    assert said.decode().splitlines()[0] == (
        "3 spans read, 2 stored, 1 refused: span 2: spanId has 7 bytes, 8 are needed"
    )
    assert [record.name for record in stored(tmp_path / "home")[0]] == ["span 1", "span 3"]


def test_the_same_span_twice_is_one_and_the_later_wins(tmp_path: Path) -> None:
    begun = span(1, endTimeUnixNano="0")
    other = span(1, name="later", endTimeUnixNano=str(2 * 10**18))
    for number, order in enumerate(([begun, span(1), other], [other, begun, span(1)], [span(1), other, begun])):
        home = tmp_path / f"{number}"
        run(home, "import", "-", stdin=request(*order))
        (record,) = stored(home)[0]
        assert (record.status, record.end_ns) == ("ok", 2 * 10**18)


def test_a_span_without_an_end_is_incomplete(tmp_path: Path) -> None:
    said, _ = run(tmp_path / "home", "import", "-", stdin=request(span(1, endTimeUnixNano=None)))

    (record,) = stored(tmp_path / "home")[0]
    assert "1 span without an end" in said.decode()
    assert (record.status, record.end_ns) == ("interrupted", None)
    assert record.attributes["weft.incomplete"] == "no end was reported"


def test_a_clock_that_ran_backwards_is_kept_and_said(tmp_path: Path) -> None:
    run(tmp_path / "home", "import", "-", stdin=request(span(1, endTimeUnixNano=str(10**18 - 4))))

    (record,) = stored(tmp_path / "home")[0]
    assert (record.duration_ns, record.end_ns) == (0, record.start_ns)
    assert record.attributes["weft.clock_backwards_ns"] == 5


def test_hostile_names_are_stored_as_they_are(tmp_path: Path) -> None:
    names = [
        "__proto__.x",
        "constructor.prototype",
        "a..b",
        "llm.input_messages.999999999.message.content",
        "a." * 10_000,
    ]
    held = [{"key": name, "value": {"stringValue": "\x1b[2J\u202e"}} for name in names]

    run(tmp_path / "home", "import", "-", stdin=request(span(1, name="\x1b[31m", attributes=held)))

    (record,) = stored(tmp_path / "home")[0]
    assert record.attributes == dict.fromkeys(names, "\x1b[2J\u202e")
    assert b"\x1b[31m" not in run(tmp_path / "home", "ls")[0]


def test_secrets_in_files_are_redacted_on_their_way_in(tmp_path: Path) -> None:
    key = "sk-" + "a1B2" * 12
    held = [{"key": "api_key", "value": {"stringValue": "x"}}, {"key": "said", "value": {"stringValue": f"use {key}"}}]

    run(tmp_path / "home", "import", "-", stdin=request(span(1, attributes=held, name=f"GET /{key}")))

    assert key not in repr(stored(tmp_path / "home"))
    assert all(key.encode() not in path.read_bytes() for path in (tmp_path / "home").rglob("*.wj"))


def test_the_senders_cost_counts_only_where_no_price_is_known(tmp_path: Path) -> None:
    def called(number: int, model: str) -> dict[str, Any]:
        texts = {"gen_ai.request.model": model, "gen_ai.operation.name": "chat"}
        held: list[dict[str, Any]] = [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
        held.append({"key": "llm.cost.total", "value": {"doubleValue": 0.5}})
        held += [{"key": f"gen_ai.usage.{side}_tokens", "value": {"intValue": 10}} for side in ("input", "output")]
        return span(number, attributes=held)

    run(tmp_path / "home", "import", "-", stdin=request(called(1, "gpt-4o-mini"), called(2, "nobody-knows-it")))

    known, unknown = stored(tmp_path / "home")[0]
    assert known.cost != Decimal("0.5")
    assert known.price_source != "sender"
    assert (unknown.cost, unknown.price_source) == (Decimal("0.5"), "sender")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"resourceLogs": []}', "OTLP logs, not traces"),
        (b"hello", "no JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "5b8e', "ends in the middle"),
        (b'{"weft": 9, "trace_id": "00", "span_id": "00"}', "newer weft"),
        (b'{"trace_id": "zz", "span_id": "00"}', "trace_id is 'zz', not an id of 32 hex digits"),
        (b"PAR1 and no more", "no sound Parquet"),
    ],
)
def test_what_cannot_be_read_ends_with_1_and_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    said, errors = run(tmp_path / "home", "import", str(file), code=1)

    assert told in said.decode() + errors
    assert "Traceback" not in errors


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    assert "there is no file" in run(tmp_path / "home", "import", str(tmp_path / "none"), code=1)[1]


def test_a_folder_says_in_one_line_what_of_it_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.json").write_bytes(request(span(1)))
    (folder / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.json")
    os.mkfifo(folder / ".hidden")

    said, errors = run(tmp_path / "home", "import", str(folder), code=2)

    assert b"1 span read, 1 stored" in said
    assert errors == f"left out of {folder}: gone.json (a broken link), pipe.json (no file)\n"


def test_a_folder_is_read_whole_and_what_is_wrong_is_said_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_bytes(request(span(1)))
    (folder / "deep" / "b.json").write_bytes(request(span(2)) + b"\n" + request(span(3)))
    (folder / "c.txt").write_bytes(b"hello")

    said, errors = run(tmp_path / "home", "import", str(folder), code=2)

    assert "3 spans read, 3 stored from 3 files" in said.decode()
    assert "c.txt" in errors


def test_exports_obey_filters_and_ids(rich: Path) -> None:
    def names(*options: str) -> set[str]:
        return {json.loads(line)["name"] for line in run(rich, "export", *options)[0].splitlines()}

    assert names("--project", "shop") == {"answer", "chat", "look up", "wait"}
    assert names("--name", "falsy 0") == {f"falsy {number}" for number in range(5)}
    assert names(bytes(range(16)).hex()) == {"answer", "chat", "look up", "wait"}
    assert names("--where", '{"project": "nowhere"}') == set()


def test_an_export_that_fails_leaves_the_former_file(rich: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    file.write_text("former")

    run(rich, "export", "-o", str(file), "--where", '{"nonsense": 1}', code=64)

    assert file.read_text() == "former"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".kept")] == []


def test_what_other_tools_need_is_in_the_otlp(rich: Path) -> None:
    (line,) = run(rich, "export", "--format", "otlp-json", "--project", "shop")[0].splitlines()
    spans = {each["name"]: each for each in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]}
    said = {item["key"]: item["value"] for item in spans["chat"]["attributes"]}

    assert said["gen_ai.operation.name"] == {"stringValue": "chat"}
    assert said["gen_ai.usage.input_tokens"] == {"intValue": "100"}
    assert "doubleValue" in said["gen_ai.usage.cost"]
    assert [event["name"] for event in spans["chat"]["events"]] == ["gen_ai.evaluation.result"]
    assert spans["look up"]["status"] == {"code": 2, "message": "no"}
    assert spans["look up"]["events"][0]["name"] == "exception"


def test_ops_and_their_errors_survive_the_journey(home: Path, tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=home, strict=True), FixedIds())
    draw = random.Random(7)

    @weft.op(kind="tool")
    def work(value: Any) -> Any:
        if value == "fail":
            raise ValueError("no")
        return value

    for value in (
        0,
        False,
        "",
        [],
        None,
        1.5,
        -0.0,
        2**70,
        "\ud800",
        b"\xff",
        {"a": {1: (2, 3)}},
        {3, 1},
        {"$weft": "x"},
    ):
        work(value)
    work([draw.random() for _ in range(5_000)])
    with pytest.raises(ValueError, match="no"):
        work("fail")
    runtime.active().journal.close()

    for form in FORMS:
        file, empty = tmp_path / form, tmp_path / f"home {form}"
        run(home, "export", "--format", form, "-o", str(file))
        run(empty, "import", str(file))
        strip = [replace(each, version=None) for each in stored(empty)[0]]
        assert [repr(each) for each in strip] == [repr(replace(each, version=None)) for each in stored(home)[0]]


def test_an_export_follows_links_and_keeps_them(rich: Path, tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("former")
    for name, target in (("link", "real.jsonl"), ("dangling", "new.jsonl")):
        (tmp_path / name).symlink_to(target)
        run(rich, "export", "--format", "jsonl", "-o", str(tmp_path / name))

        assert (tmp_path / name).is_symlink()
        assert len((tmp_path / target).read_bytes().splitlines()) == 9


@pytest.mark.parametrize("form", FORMS)
def test_an_export_into_a_pipe_reaches_its_reader(rich: Path, tmp_path: Path, form: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        run(rich, "export", "--format", form, "-o", str(pipe))
        read, _ = reader.communicate(timeout=30)

    assert pipe.is_fifo()
    said, _ = run(tmp_path / "empty", "import", "-" if form != "parquet" else str(_kept(tmp_path, read)), stdin=read)
    assert b"9 spans read, 9 stored" in said


def _kept(folder: Path, data: bytes) -> Path:
    (folder / "kept.parquet").write_bytes(data)
    return folder / "kept.parquet"


def test_an_export_into_a_device_leaves_it_one(rich: Path) -> None:
    run(rich, "export", "-o", os.devnull)

    assert Path(os.devnull).is_char_device()


def test_where_nothing_can_be_written_is_told_by_the_name_that_was_given(rich: Path, tmp_path: Path) -> None:
    none = tmp_path / "none" / "x.jsonl"

    assert f"{tmp_path} is a folder" in run(rich, "export", "-o", str(tmp_path), code=64)[1]
    assert f"{none} cannot be written: there is no folder" in run(rich, "export", "-o", str(none), code=1)[1]


def test_spans_whose_parents_go_round_in_a_ring_are_shown(tmp_path: Path) -> None:
    run(tmp_path / "home", "import", "-", stdin=request(span(1, 2), span(2, 1), span(3, 3)))

    shown = run(tmp_path / "home", "show", TRACE)[0].decode()

    assert [shown.count(f"op        span {number}") for number in (1, 2, 3)] == [1, 1, 1]


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "the file is empty" in run(tmp_path / "home", "import", str(tmp_path / "file"), code=1)[1]


def test_spans_in_the_wrong_shape_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    for odd in ('{"resourceSpans": 3}', '{"resourceSpans": {"a": 1}}', '{"resourceSpans": "x"}'):
        path.write_text(odd)
        command = [sys.executable, "-m", "weft.cli", "traces", "import", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "where a list is needed" in done.stderr
