"""`weft demo`: the agent answers, its suite runs, both are printed, and the app shows them. Every number is real."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from weft.commands import terminal
from weft.lifecycle import configure
from weft.tracer.instrument import instrument
from weft.tracking import runtime
from weft.tracking.errors import Error

if TYPE_CHECKING:
    from rich.console import Console

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
    runtime.active().home.ensure()  # known before the work, not after it
    console = terminal.console()
    result = _work(console, live=live)
    said = f"{time.monotonic() - started:.1f} s; all of it is kept in {runtime.active().home.path}"
    console.print(terminal.text(said, "dim"), soft_wrap=True)
    if serve:
        from weft.ui.serve import serve as serve_app

        raise SystemExit(serve_app(port, runtime.active().home.path))
    if not result.complete:
        raise SystemExit(terminal.INCOMPLETE)


def _work(console: Console, *, live: bool) -> EvaluationResult:
    """Everything that is run and printed."""
    # Late, as below: the client, the evaluations and the store take a second that `weft --help` must not pay.
    from weft.commands import evalreport
    from weft.demo.agent import AskPython
    from weft.demo.connection import connect
    from weft.demo.suite import evaluation_of
    from weft.demo.tuning import tune
    from weft.tracking.store.access import open_store

    instrument()
    with connect(live=live) as connection:
        console.print(Text.assemble(("provider: ", "bold"), terminal.escape(connection.description)), soft_wrap=True)
        agent = AskPython(connection.client, connection.model)
        for question in QUESTIONS:
            _ask(console, agent, question)
        evaluation = evaluation_of(agent)
        console.print()
        with evalreport.progress(evaluation.name, len(evaluation.dataset), console) as on_case:
            result = evaluation.run(on_case=on_case)
    title = f"evaluation {evaluation.name}: {len(evaluation.dataset)} questions"
    console.print(evalreport.summary_view(title, result.to_dict()), "")
    console.print(_walk(tune([row.columns for row in evaluation.dataset.rows])))
    open_store(foreign_s=None).close()  # so that the app, and whoever looks next, finds it ingested
    return result


def _ask(console: Console, agent: AskPython, question: str) -> None:
    """One question, its answer, and its trace as it was recorded."""
    from weft.commands.traces import tree
    from weft.tracking.store.access import open_store

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


def _walk(tuned: Tuned) -> Text:
    found = tuned.quality
    return Text(
        f"run bm25-tuning: best after {tuned.steps} steps with k1 {tuned.k1:.2f}, b {tuned.b:.2f}; "
        f"mean reciprocal rank {found.mrr:.3f}, right topic first {found.top_1:.1%}",
        style="dim",
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
