"""A home full of traces, evaluations and runs, as journal records: what the app shows in its tests and pictures.

Deterministic but for the times, which end now. `python seed.py HOME` fills one to look at.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.blobs import Blobs
from weft.tracking.home import Home
from weft.tracking.journal.records import (
    SCHEMA,
    ArtifactLogged,
    MetricsLogged,
    RunFinished,
    RunStarted,
    RunUpdated,
    ScoreLogged,
    SpanClosed,
    SpanOpened,
    SpanUpdated,
)
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.tables import Table

MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
PROJECT = "ask-python"
HOSTILE = "hostile"
EVIL = "http://evil.invalid/pixel.png"
SCRIPT = f"<script>window.pwned=1</script><img src='{EVIL}' onerror='window.pwned=2'>"
MARKDOWN = f"![x]({EVIL}) [click](javascript:window.pwned=3) **bold** $x$ :material/bolt: :red[red]"
CONTROLS = "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \x07bell"

STACK = """Traceback (most recent call last):
  File "agent.py", line 88, in read
    reply = client.chat.completions.create(**request)
openai.RateLimitError: 429 Too Many Requests"""
SYSTEM = """You answer from the reference you are given. Quote it, name the topic, and say so when it does not tell.

Reference:
```rst
A function definition may be wrapped by one or more decorator expressions.
```"""
QUESTIONS = [
    (
        "how do decorators work?",
        "function",
        "A decorator is a function that returns another function, usually applied with @.",
    ),
    (
        "what is a metaclass?",
        "metaclasses",
        "The class of a class: calling it makes the class object from a name, bases and a namespace.",
    ),
    (
        "when is __del__ called?",
        "customization",
        "When the instance is about to be destroyed; there is no promise that it is called at exit.",
    ),
    (
        "what does yield from do?",
        "yield",
        "It delegates to a subgenerator, passing values, exceptions and the result through.",
    ),
    (
        "how are lambda expressions written?",
        "lambda",
        "lambda parameters: expression; it makes an anonymous function object.",
    ),
    ("what is the precedence of not?", "operator-summary", "Lower than comparisons, higher than and and or."),
    ("what does nonlocal mean?", "nonlocal", "The names refer to bindings of the nearest enclosing function scope."),
    (
        "how does the with statement work?",
        "with",
        "It calls __enter__, runs the block, and calls __exit__ with what happened.",
    ),
    (
        "which types are false in a boolean context?",
        "truth",
        "None, False, zero of any numeric type, and empty sequences and collections.",
    ),
    (
        "what is an augmented assignment?",
        "augassign",
        "An operation and an assignment in one statement, done in place where the type allows it.",
    ),
]


@dataclass(slots=True)
class Seeded:
    """What a test looks for."""

    nested: str = ""
    """A trace of seven spans with a chat."""
    failed: str = ""
    running: str = ""
    large: str = ""
    """A trace of 1,200 spans."""
    hostile: str = ""
    evaluation: str = ""
    """Run id."""
    run: str = ""
    traces: dict[str, int] = field(default_factory=dict)
    """Number by status, in PROJECT."""


class Seeder:
    """Writes records with times of its own."""

    def __init__(self, home: Path, now_ns: int | None = None) -> None:
        self.runtime = runtime.configure(Settings.resolve(home=home, strict=True))
        self.journal = self.runtime.journal
        self.random = random.Random(7)
        self.now = now_ns or self.runtime.ids.wall_ns()
        self.made = Seeded()

    def ident(self, at_ns: int) -> bytes:
        return ((at_ns // MS) << 80 | self.random.getrandbits(80)).to_bytes(16, "big")

    def span(
        self,
        trace: bytes,
        parent: bytes | None,
        name: str,
        kind: str,
        start: int,
        length: int | None,
        *,
        project: str = PROJECT,
        inputs: Any = None,
        output: Any = None,
        error: Mapping[str, str] | None = None,
        **more: Any,
    ) -> bytes:
        span = self.random.getrandbits(64).to_bytes(8, "big")
        opened = {name: more.pop(name) for name in ("run_uid", "thread_id", "user_id") if name in more}
        attributes = more.pop("attributes", None)
        self.journal.append(
            SpanOpened(
                SCHEMA, trace, span, parent, name, kind, start, project,
                inputs=orjson.dumps(inputs) if inputs is not None else None,
                attributes=orjson.dumps(attributes) if attributes else None,
                **opened,
            )
        )  # fmt: skip
        if length is not None:
            self.journal.append(
                SpanClosed(
                    SCHEMA, trace, span, start + length, length, "error" if error else more.pop("status", "ok"),
                    output=None if error else orjson.dumps(output),
                    error=orjson.dumps(error) if error else None,
                    **more,
                )
            )  # fmt: skip
        return span

    def answer(
        self, at: int, question: str, topic: str, told: str, *, broken: bool = False, run: bytes | None = None
    ) -> bytes:
        """One call of the agent: seven spans, an LLM call with a tool call among them."""
        draw = self.random
        trace = self.ident(at)
        scale = draw.lognormvariate(0, 0.45)
        ms = lambda value: int(value * scale * MS)  # noqa: E731
        total = ms(1240) if not broken else ms(840)
        common: dict[str, Any] = (
            {"run_uid": run}
            if run
            else {"thread_id": f"chat-{draw.randrange(20):02d}", "user_id": draw.choice(["ada", "grace", "edsger"])}
        )
        failure = {
            "type": "RateLimitError",
            "message": "429 Too Many Requests: the provider asks to wait 20 s",
            "stacktrace": STACK,
        }
        root = self.span(
            trace,
            None,
            "answer",
            "agent",
            at,
            total,
            inputs={"question": question},
            output=told,
            error=failure if broken else None,
            attributes={"weft.demo": True, "python": "3.12"},
            **common,
        )
        self.span(
            trace,
            root,
            "plan",
            "chain",
            at + ms(4),
            ms(92),
            inputs={"question": question},
            output={"search": [topic, question.split()[-1].strip("?")], "k": 4},
        )
        retrieve = self.span(
            trace,
            root,
            "retrieve",
            "retriever",
            at + ms(100),
            ms(140),
            inputs={"query": topic, "k": 4},
            output=[
                {
                    "topic": topic,
                    "score": round(draw.uniform(4, 19), 2),
                    "text": f"{told} See also the reference on {topic}.",
                }
                for _ in range(4)
            ],
        )
        self.span(
            trace,
            retrieve,
            "bm25",
            "op",
            at + ms(108),
            ms(121),
            inputs={"terms": topic.split("-")},
            output=[draw.randrange(80) for _ in range(4)],
        )
        read = self.span(
            trace,
            root,
            "read",
            "chain",
            at + ms(245),
            total - ms(260),
            inputs={"question": question},
            output=told,
            error=failure if broken else None,
        )
        call = {"name": "lookup", "arguments": orjson.dumps({"topic": topic, "lines": 12}).decode()}
        request = {
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": question},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "call_7Hs2", "function": call}]},
                {"role": "tool", "tool_call_id": "call_7Hs2", "content": f"{told} More is under `{topic}`."},
            ],
            "temperature": 0,
            "tools": [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}],
        }  # fmt: skip
        count = draw.randrange(1200, 2100)
        usage = {"input_tokens": count, "output_tokens": draw.randrange(90, 380), "cache_read_tokens": 1024}
        reply = {
            "id": "chatcmpl-9",
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": told}}],
            "usage": {"prompt_tokens": count},
        }
        chat = self.span(
            trace,
            read,
            "chat gpt-4o-mini",
            "llm",
            at + ms(250),
            total - ms(300),
            inputs=request,
            output=reply,
            error=failure if broken else None,
            model="gpt-4o-mini",
            provider="openai",
            usage=None if broken else usage,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.request.temperature": 0,
                "server.address": "127.0.0.1",
            },
        )
        if not broken:
            self.span(
                trace, read, "lookup", "tool", at + ms(520), ms(11), inputs={"topic": topic, "lines": 12}, output=told
            )
            self.journal.append(
                SpanUpdated(
                    SCHEMA,
                    trace,
                    chat,
                    at + ms(700),
                    events=orjson.dumps([{"name": "first token", "at_ns": at + ms(700), "attributes": {"chunk": 1}}]),
                )
            )
        return trace

    def score(
        self,
        trace: bytes,
        name: str,
        value: float | None,
        *,
        at: int,
        run: bytes | None = None,
        row: str | None = None,
        **more: Any,
    ) -> None:
        self.journal.append(
            ScoreLogged(
                SCHEMA,
                self.ident(at),
                "trace",
                at,
                name,
                PROJECT,
                value,
                trace_id=trace,
                run_uid=run,
                row_id=row,
                **more,
            )
        )

    def everyday(self, count: int = 180) -> None:
        """A day of use: mostly fine, some rate limits, one running, one interrupted later, one cancelled."""
        counts = {"ok": 0, "error": 0, "running": 0, "cancelled": 0}
        for at in sorted(
            self.now - int(self.random.betavariate(1, 1.6) * 24 * 60) * MINUTE - self.random.randrange(MINUTE)
            for _ in range(count)
        ):
            question, topic, told = self.random.choice(QUESTIONS)
            broken = self.random.random() < 0.07
            trace = self.answer(at, question, topic, told, broken=broken)
            counts["error" if broken else "ok"] += 1
            if broken:
                self.made.failed = trace.hex()
            else:
                self.made.nested = trace.hex()
                if self.random.random() < 0.4:
                    self.score(
                        trace,
                        "helpful",
                        round(self.random.betavariate(8, 2), 2),
                        at=at + SECOND,
                        reason="A thumb, weighed by how often the user came back",
                    )
        stopped = self.ident(self.now - 7 * MINUTE)
        self.span(
            stopped,
            None,
            "answer",
            "agent",
            self.now - 7 * MINUTE,
            610 * MS,
            inputs={"question": "never mind"},
            status="cancelled",
        )
        counts["cancelled"] += 1
        trace = self.ident(self.now - 12 * SECOND)
        root = self.span(trace, None, "index topics", "chain", self.now - 12 * SECOND, None, inputs={"topics": 80})
        self.span(
            trace,
            root,
            "embed",
            "embedding",
            self.now - 11 * SECOND,
            420 * MS,
            inputs={"texts": 64},
            output={"dimensions": 384},
            model="text-embedding-3-small",
            provider="openai",
            usage={"input_tokens": 5120},
        )
        self.span(
            trace,
            root,
            "check size",
            "guardrail",
            self.now - 10 * SECOND,
            3 * MS,
            inputs={"bytes": 91_233},
            output=True,
        )
        self.span(trace, root, "embed", "embedding", self.now - 9 * SECOND, None, inputs={"texts": 64})
        counts["running"] += 1
        self.made.running = trace.hex()
        self.large()
        counts["ok"] += 1
        self.made.traces = counts

    def large(self, count: int = 1200) -> None:
        """Wide and deep, for virtual scrolling."""
        at = self.now - 40 * MINUTE
        trace = self.ident(at)
        self.made.large = trace.hex()
        parent = root = self.span(
            trace, None, "crawl", "agent", at, 60 * SECOND, inputs={"pages": count}, output="done"
        )
        for step in range(count):
            if step % 12 == 0:
                parent = self.span(
                    trace, root, f"page {step // 12}", "chain", at + step * 48 * MS, 560 * MS, output=step
                )
            self.span(
                trace,
                parent,
                f"fetch {step}",
                self.random.choice(["tool", "retriever", "llm", "op"]),
                at + step * 48 * MS + MS,
                40 * MS,
                output=step,
            )

    def hostile(self) -> None:
        """Everything that a page must not obey."""
        at = self.now - 3 * MINUTE
        trace = self.ident(at)
        self.made.hostile = trace.hex()
        text = f"{SCRIPT} {MARKDOWN} {CONTROLS}"
        error = {"type": "<b>Boom</b>", "message": text, "stacktrace": text}
        root = self.span(
            trace,
            None,
            SCRIPT,
            "agent",
            at,
            50 * MS,
            project=HOSTILE,
            inputs={SCRIPT: text, "n": [float("1e308"), 2**63]},
            error=error,
            thread_id=MARKDOWN,
            user_id=SCRIPT,
        )
        messages = [
            {"role": "user", "content": text},
            {
                "role": SCRIPT,
                "content": [{"type": "image_url", "image_url": {"url": EVIL}}, {"type": "text", "text": text}],
            },
        ]
        self.span(
            trace,
            root,
            MARKDOWN,
            SCRIPT,
            at + MS,
            40 * MS,
            project=HOSTILE,
            inputs={"model": SCRIPT, "messages": messages},
            output={"choices": [{"message": {"role": "assistant", "content": text}}]},
            model=SCRIPT,
            provider=MARKDOWN,
            attributes={MARKDOWN: text},
        )
        self.ident(at)
        uid = self.ident(at)
        self.journal.append(
            RunStarted(
                SCHEMA,
                uid,
                "hostile-1",
                HOSTILE,
                SCRIPT,
                at,
                config=orjson.dumps({SCRIPT: text}),
                tags=[SCRIPT],
                notes=text,
            )
        )
        self.journal.append(MetricsLogged(SCHEMA, uid, 0, at, {MARKDOWN: 1.0}, orjson.dumps({SCRIPT: text})))
        self.journal.append(RunFinished(SCHEMA, uid, at + SECOND, "failed", 1, orjson.dumps(error)))

    def evaluation(self, name: str, at: int, skill: float, rows: int = 40) -> str:
        """An evaluation of the agent: a run, its cases as traces, scores, the result table."""
        uid, run_id = self.ident(at), f"{name}-{self.random.getrandbits(20):05x}"
        config = {
            "evaluation": name,
            "dataset": {"name": "python-questions", "version": "v2", "rows": rows},
            "scorers": ["right_topic", "phrase", "overlap"],
            "model": {"name": "answer"},
            "trials": 1,
        }
        self.journal.append(
            RunStarted(SCHEMA, uid, run_id, PROJECT, name, at, orjson.dumps(config), job_type="evaluation")
        )
        records: list[list[Any]] = []
        for row in range(rows):
            question, topic, told = QUESTIONS[row % len(QUESTIONS)]
            broken = row == 13
            start = at + row * 900 * MS
            trace = self.answer(start, question, topic, told, broken=broken, run=uid)
            values = {
                "right_topic": float(self.random.random() < skill),
                "phrase": float(self.random.random() < skill - 0.1),
                "overlap": round(self.random.betavariate(6, 3), 3),
            }
            for scorer, value in {} if broken else values.items():
                self.score(trace, scorer, value, at=start + SECOND, run=uid, row=f"q{row:02d}")
            told_json, error = (
                (None, "RateLimitError: 429 Too Many Requests") if broken else (orjson.dumps(told).decode(), None)
            )
            scored: list[Any] = (
                [None] * 9
                if broken
                else [
                    part
                    for scorer, value in values.items()
                    for part in (value, f"expected {topic}" if scorer == "right_topic" else None, None)
                ]
            )
            records.append(
                [
                    f"q{row:02d}",
                    0,
                    orjson.dumps({"question": question}).decode(),
                    orjson.dumps(topic).decode(),
                    told_json,
                    error,
                    self.random.uniform(0.6, 2.4),
                    trace.hex(),
                    None if broken else 0.00036,
                    *scored,
                ]
            )
        columns = ["row_id", "trial", "inputs", "expected", "output", "error", "latency_s", "trace_id", "cost_usd"]
        columns += [
            f"{part}.{scorer}"
            for scorer in ("right_topic", "phrase", "overlap")
            for part in ("score", "reason", "error")
        ]
        self._results(name, uid, at, Table(columns=columns, data=records))
        self._summary(uid, at, rows, records)
        return run_id

    def _results(self, name: str, uid: bytes, at: int, table: Table) -> None:
        artifact = Artifact(f"{name}-results", "evaluation-results")
        artifact.add(table, "results")
        artifact.contents.keep_in(Blobs(Home(self.runtime.settings.home)))
        self.journal.append(
            ArtifactLogged(
                SCHEMA,
                PROJECT,
                artifact.name,
                artifact.type,
                artifact.digest,
                artifact.manifest_json,
                artifact.size_bytes,
                at + 40 * SECOND,
                run_uid=uid,
            )
        )

    def _summary(self, uid: bytes, at: int, rows: int, records: list[list[Any]]) -> None:
        summary: dict[str, Any] = {}
        for index, scorer in enumerate(("right_topic", "phrase", "overlap")):
            values = [record[9 + 3 * index] for record in records if record[9 + 3 * index] is not None]
            mean = sum(values) / len(values)
            error = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
            summary[scorer] = {
                "mean": mean,
                "stderr": error,
                "ci": [max(0.0, mean - 1.96 * error), min(1.0, mean + 1.96 * error)],
                "n": len(values),
                "n_errors": rows - len(values),
                "n_unscored": 0,
            }
            if scorer != "overlap":
                summary[scorer]["binary"] = True
        summary |= {
            "latency_s": {"mean": 1.31, "stderr": 0.06, "p50": 1.22, "p95": 2.31, "n": rows - 1},
            "rows": rows,
            "planned": rows,
            "errors": 1,
            "scorer_errors": 0,
            "cost_usd": 0.01404,
            "tokens": {"input_tokens": 66_210, "output_tokens": 9_120},
        }
        self.journal.append(RunUpdated(SCHEMA, uid, at + 39 * SECOND, summary=orjson.dumps(summary)))
        self.journal.append(RunFinished(SCHEMA, uid, at + 41 * SECOND, "finished"))

    def training(self, name: str, at: int, rate: float, steps: int, state: str | None) -> str:
        """A run with a loss curve, a spike in it, and an accuracy by epoch."""
        uid, run_id = self.ident(at), f"{self.random.getrandbits(32):08x}"
        self.journal.append(
            RunStarted(
                SCHEMA,
                uid,
                run_id,
                PROJECT,
                name,
                at,
                orjson.dumps(
                    {"lr": rate, "batch_size": 64, "optimizer": "adamw", "model": {"layers": 4, "width": 256}}
                ),
                tags=["ranker"],
                group="sweep-1",
            )
        )
        for step in range(steps):
            when = at + step * 140 * MS
            decay = math.exp(-step * rate * 900 / steps)
            values = {
                "train/loss": 0.2 + 2 * decay + self.random.gauss(0, 0.06) + (1.6 if step == steps // 3 else 0),
                "train/lr": rate * (1 - step / steps),
            }
            if step % max(1, steps // 60) == 0:
                values |= {
                    "val/accuracy": 0.98 - 0.6 * decay + self.random.gauss(0, 0.006),
                    "val/loss": 0.25 + 1.9 * decay,
                }
            self.journal.append(MetricsLogged(SCHEMA, uid, step, when, values))
        self.journal.append(
            MetricsLogged(
                SCHEMA, uid, steps, at + steps * 140 * MS, {}, orjson.dumps({"note": "the best checkpoint is step 240"})
            )
        )
        if state:
            error = (
                {"type": "RuntimeError", "message": "CUDA out of memory", "stacktrace": "Traceback …"}
                if state == "failed"
                else None
            )
            self.journal.append(
                RunFinished(
                    SCHEMA,
                    uid,
                    at + steps * 140 * MS,
                    state,
                    int(state != "finished"),
                    orjson.dumps(error) if error else None,
                )
            )
        return run_id


def seed(home: Path, *, now_ns: int | None = None) -> Seeded:
    """Fill a home and ingest it, so that what never closed is still running."""
    seeder = Seeder(home, now_ns)
    now = seeder.now
    seeder.everyday()
    seeder.hostile()
    seeder.evaluation("ask-python", now - 26 * 60 * MINUTE, 0.82)
    seeder.made.evaluation = seeder.evaluation("ask-python", now - 95 * MINUTE, 0.93)
    seeder.made.run = seeder.training("brisk-heron-7", now - 120 * MINUTE, 1e-2, 6000, "finished")
    seeder.training("calm-otter-8", now - 70 * MINUTE, 3e-3, 900, "finished")
    seeder.training("loud-finch-9", now - 50 * MINUTE, 5e-2, 340, "failed")
    seeder.training("quiet-wren-3", now - 3 * MINUTE, 6e-3, 800, None)
    open_store(runtime.active().settings).close()
    return seeder.made


if __name__ == "__main__":
    print(seed(Path(sys.argv[1])))
    input("The writer lives until you press enter: what it left open shows as running. ")
