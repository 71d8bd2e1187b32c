"""WEFT_MODE=disabled: every public call works, answers what it would, writes nothing, and makes no home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import weft

SHAPES = """
import asyncio, contextlib, functools
@weft.op
def f(x): return x
@weft.op(name="n", kind="llm", attributes={"a": 1}, postprocess_inputs=lambda i: 1 / 0, sample_rate=0.5)
def options(x): return x
@weft.op
async def coroutine(x): return x
@weft.op
def generator(x): yield from range(x)
@weft.op
async def agenerator(x):
    for i in range(x): yield i
@weft.op
@contextlib.contextmanager
def block(x): yield x
@weft.op
def lazy(x): return (i for i in range(x))
class C:
    @weft.op
    def method(self, x): return x
    @weft.op
    @classmethod
    def of(cls, x): return x
    @weft.op
    @staticmethod
    def static(x): return x
async def consumed(): return [i async for i in agenerator(3)]
async def later(): return list([i async for i in agenerator.call(3)[0]])
assert f(1) == options(1) == asyncio.run(coroutine(1)) == C().method(1) == C.of(1) == C.static(1) == 1
assert list(generator(3)) == list(lazy(3)) == asyncio.run(consumed()) == [0, 1, 2]
with block(4) as given: assert given == 4
assert f.call(2)[0] == f.options(name="m")(2) == asyncio.run(coroutine.call(2))[0] == 2
assert list(generator.call(3)[0]) == asyncio.run(later()) == [0, 1, 2]
result, span = f.call(2)
span.set_attribute("a", 1); span.add_event("e"); span.set_usage({"input_tokens": 1}, model="gpt-4o-mini")
assert span.span_id == "0" * 16
weft.op(functools.partial(f, 1))()
"""
PROGRAMS = {
    "ops of every shape": SHAPES,
    "spans": """
with weft.span("a", inputs={"x": 1}, attributes={"b": 2}) as span, weft.thread("t"), weft.attributes({"c": 3}):
    span.set_output(1); span.set_inputs({"x": 2}); span.update_name("b"); span.record_exception(ValueError("x"))
    weft.score("good", 1)
    assert weft.current_span() is None or not weft.current_span().is_recording()
""",
    "scores": """
assert len(weft.score("helpful", 0.9, on="ab" * 16, reason="fast")) == 32
weft.score("reaction", label="+1", on="ab" * 16, kind="reaction", author="ana")
""",
    "versions": """
import pathlib
made = weft.publish({"a": [1]}, name="data", aliases="production")
assert made.name == "data"
style = weft.Prompt("Answer in {language}.", name="style")
weft.publish(style); weft.publish(weft.MessagesPrompt([{"role": "user", "content": "{q}"}], name="chat"))
weft.publish(weft.Dataset([{"q": 1}], name="rows"))
weft.publish(weft.Content.from_bytes(b"x" * 5000, "image/png"), name="picture")
assert weft.ref("data:production").name == "data"
try: weft.get("data:production")
except weft.Error as error: assert "no artifact is called 'data'" in str(error)
else: raise AssertionError
""",
    "runs": """
import pathlib
pathlib.Path("file").write_text("x")
with weft.init("p", config={"lr": 1}, tags=["a"]) as run:
    run.log({"loss": 1.0}); weft.log({"t": weft.Table(columns=["a"], data=[[1], [2]])})
    weft.config["batch"] = 2; weft.summary["best"] = 1; weft.log_artifact("file", name="f", type="data")
    made = weft.Artifact("files", "data"); made.add_file("file"); run.log_artifact(made, aliases=["x"])
    try: weft.use_artifact("files:latest")
    except weft.Error as error: assert "no artifact" in str(error)
    else: raise AssertionError
run = weft.init("q"); weft.finish()
""",
    "an evaluation": """
@weft.scorer
def same(output, expected): return output == expected
found = weft.Evaluation([{"q": 1, "expected": 1}], [same], name="e").run(lambda q: q)
assert found.summary["same"].mean == 1
assert weft.evaluate(lambda q: q, [{"q": 1, "expected": 2}], [same]).summary["same"].mean == 0
""",
    "openai": """
import openai
from weft.testing import LoopbackProvider
weft.instrument()
with LoopbackProvider() as provider:
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        ask = dict(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
        assert client.chat.completions.create(**ask).choices
        assert list(client.chat.completions.create(stream=True, **ask))
weft.uninstrument()
""",
    "media": """
@weft.op
def draw(picture): return picture
picture = weft.Content.from_bytes(b"\\x89PNG" + b"x" * 100_000, "image/png")
assert draw(picture) is picture
draw(b"x" * 2_000_000); draw("data:image/png;base64," + "QUJD" * 10_000)
""",
    "flush and configure": """
assert weft.flush()
weft.configure(project="other", attributes={"a": 1})
assert weft.flush(timeout=0)
""",
    "context": """
import threading
@weft.op
def f(x): return x
headers = weft.inject({})
with weft.extract({"traceparent": "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"}): f(1); weft.inject()
with weft.ContextThreadPoolExecutor(2) as pool: assert list(pool.map(f, [1, 2])) == [1, 2]
with weft.ContextProcessPoolExecutor(1) as pool: assert list(pool.map(abs, [-1])) == [1]
thread = weft.ContextThread(target=weft.wrap_context(f), args=(1,)); thread.start(); thread.join()
""",
    "OpenTelemetry": """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
out = InMemorySpanExporter()
weft.configure(exporters=[out])
provider = TracerProvider(); provider.add_span_processor(weft.SpanProcessor())
with provider.get_tracer("x").start_as_current_span("a"), weft.span("b"): pass
provider.force_flush(); provider.shutdown()
assert weft.flush() and not out.get_finished_spans()
""",
}


def run(tmp_path: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "WEFT_MODE": "disabled", "HOME": str(tmp_path / "user"), **more},
    )


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_it_writes_nothing_and_makes_no_home(program: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(f"import weft\n{program}")
    done = run(tmp_path, "-W", "error::RuntimeWarning", "program.py")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {"file"} == {"program.py"}
    assert done.stderr == ""


@pytest.mark.parametrize("name", PROGRAMS.keys() - {"versions", "runs", "flush and configure", "OpenTelemetry"})
def test_the_same_programs_write_where_it_is_not(name: str, tmp_path: Path) -> None:
    """So the tests above can fail. Those left out ask for what is not there, or configure anew."""
    (tmp_path / "program.py").write_text(f"import weft\nweft.configure(mode='online')\n{PROGRAMS[name]}")
    done = run(tmp_path, "program.py", WEFT_STRICT="0")
    assert done.returncode in (0, 1)  # some assert that nothing is told
    assert list((tmp_path / "home" / "journal").glob("*.wj"))


def test_what_could_only_write_says_that_it_cannot(home: Path) -> None:
    with weft.span("kept"):
        pass
    weft.configure(home=home, mode="disabled")
    with weft.Api() as api:
        (trace,) = api.traces()
        api.update(trace, name="renamed")
        with pytest.raises(weft.Error, match="WEFT_MODE"):
            api.delete(trace)
        assert api.trace(trace.trace_id).name == "kept"


def test_spans_of_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "spans.jsonl").write_text("")
    done = run(tmp_path, "-m", "weft.cli", "traces", "import", "spans.jsonl")
    assert done.returncode != 0
    assert "nothing can be imported in mode disabled" in done.stderr
    assert not (tmp_path / "home").exists()
