"""`weft demo`: the agent answers, its suite runs, both are printed, and the app shows them. Every number is real."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from weft.commands import terminal
from weft.lifecycle import configure
from weft.tracer.instrument import instrument
from weft.tracking import runtime, units
from weft.tracking.errors import Error, MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from weft.demo.agent import AskPython
    from weft.demo.tuning import Tuned
    from weft.evals.results import EvaluationResult

PROJECT = "ask-python"
QUESTIONS = (
    "Can functions created with lambda expressions contain annotations?",
    "What happens in a try statement when the finally clause executes a return statement?",
)
"""Asked one by one, with their traces shown, before the suite."""


class PortTakenError(Error):
    """Another program listens where the app is to be served."""


def demo(
    live: Annotated[
        bool, typer.Option("--live", help="Ask the provider of OPENAI_API_KEY and OPENAI_BASE_URL instead.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the app afterwards, or end after printing.")
    ] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the app on 127.0.0.1.")] = 8501,
) -> None:
    """Run the demo agent and its evaluation, print both, and serve the app."""
    started = time.monotonic()
    if serve:
        _check_port(port)
    configure(project=os.environ.get("WEFT_PROJECT") or PROJECT)
    console = terminal.console()
    result = _work(console, live=live)
    console.print(f"[dim]everything is in {terminal.escape(runtime.active().home.path)}; ", end="", soft_wrap=True)
    console.print(f"[dim]{time.monotonic() - started:.1f} s to here")
    if serve:
        raise SystemExit(_serve(port))
    if not result.complete:
        raise SystemExit(terminal.INCOMPLETE)


def _work(console: Console, *, live: bool) -> EvaluationResult:
    """Everything that is run and printed."""
    try:
        from weft.demo.agent import AskPython  # late: these bring the client, the evaluations and the store
        from weft.demo.connection import connect
        from weft.demo.suite import evaluation_of
        from weft.demo.tuning import tune
        from weft.tracking.access import open_store
    except ImportError as error:
        raise MissingExtraError("weft demo", "all") from error
    instrument()
    with connect(live=live) as connection:
        console.print(Text.assemble(("provider: ", "bold"), terminal.escape(connection.description)), soft_wrap=True)
        agent = AskPython(connection.client, connection.model)
        for question in QUESTIONS:
            _ask(console, agent, question)
        evaluation = evaluation_of(agent.ask)
        with _progress(console, f"evaluating {len(evaluation.dataset)} questions", len(evaluation.dataset)) as advance:
            result = evaluation.run(on_case=lambda case: advance())
    console.print(_scores(result))
    console.print(_totals(result), "")
    tuned = tune([row.columns for row in evaluation.dataset.rows])
    console.print(_walk(tuned), "")
    open_store(foreign_s=None).close()  # so that the app, and whoever looks next, finds it ingested
    return result


def _ask(console: Console, agent: AskPython, question: str) -> None:
    """One question, its answer, and its trace as it was recorded."""
    from weft.commands.traces import tree
    from weft.tracking.access import open_store

    active = runtime.active()
    begun_ns = active.ids.wall_ns()
    answer = agent.ask(question)["answer"]
    console.print()
    console.print(Text.assemble(("Q  ", "bold cyan"), terminal.escape(question)))
    console.print(Text.assemble(("A  ", "bold green"), terminal.escape(answer, 600)))
    with open_store() as store:
        reader = store.reader()
        mine = {"project": active.settings.project, "start_ns": {"$gte": begun_ns}}
        for trace in reader.traces(mine, limit=1).rows:
            console.print(tree(trace, reader.spans({"trace_id": trace.trace_id}).rows))


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console.print()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _scores(result: EvaluationResult) -> Table:
    """The summary, one scorer a line; `±` is half of the 95% interval."""
    table = terminal.table("scorer", "mean", "±95%", "n", "failed", "unscored", right=("mean", "±95%", "n", "failed"))
    for name, found in result.summary.items():
        half = None if found.ci is None else (found.ci.high - found.ci.low) / 2
        table.add_row(
            terminal.text(name),
            _number(found.mean, share=found.binary),
            _number(half, share=found.binary),
            str(found.n),
            str(found.n_errors),
            str(found.n_unscored),
        )
    return table


def _number(value: float | None, *, share: bool) -> str:
    return "–" if value is None else f"{value:.1%}" if share else f"{value:.3g}"


def _totals(result: EvaluationResult) -> Text:
    counted = f"{len(result.rows)} of {result.planned} questions, {result.errors} failed"
    used = sum(result.tokens.get(name, 0) for name in ("input_tokens", "output_tokens"))
    return Text(f"{counted} · {units.tokens(used)} tokens · {units.usd(result.cost)} at list price", style="dim")


def _walk(tuned: Tuned) -> Text:
    found = tuned.quality
    return Text(
        f"bm25-tuning: k1 {tuned.k1:.2f}, b {tuned.b:.2f} after {tuned.steps} steps: "
        f"mean reciprocal rank {found.mrr:.3f}, right topic first {found.top_1:.1%}"
    )


def _check_port(port: int) -> None:
    """Known before the work, not after it.

    Raises:
        PortTakenError: somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(
                f"the app cannot be served on 127.0.0.1:{port} ({error.strerror}). "
                "Choose another with --port (make demo PORT=...), or --no-serve"
            ) from error


def _serve(port: int) -> int:
    try:
        from weft.ui.serve import serve  # Streamlit is an extra
    except ImportError as error:
        raise MissingExtraError("serving the app", "ui") from error
    return serve(port, runtime.active().home.path)
