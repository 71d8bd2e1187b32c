"""`weft traces`: what was called, as a list and one at a time as a tree."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from weft.commands import filteroptions, pages, terminal, tracefiles
from weft.commands import traceselection as selection
from weft.tracking import units
from weft.tracking.api import Api
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import SpanRecord, TraceRecord
from weft.ui.tree import arrange

app = typer.Typer(help="Traces: root calls with the tree below them.", no_args_is_help=True, add_completion=False)
app.command("import")(tracefiles.load)
app.command("export")(tracefiles.dump)

SHORT = 8
"""Digits of a trace id in a list: its last, since its first ones are the time and alike in neighbours."""


@app.command()
def ls(
    project: filteroptions.Project = None,
    status: selection.Status = None,
    name: selection.Name = None,
    text: Annotated[str | None, typer.Option(help="Only traces whose input, output or name contains this.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Words in any span's input or output: 'rain \"new york\" -not'.")
    ] = None,
    since: filteroptions.Since = None,
    tag: selection.Tag = None,
    thread: selection.Thread = None,
    where: selection.Filter = None,
    order: Annotated[str, typer.Option(help="A field or JSON path; - in front: descending.")] = "-start_ns",
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List traces, newest first."""
    wanted = selection.where_of(
        project=project, status=status, name=name, since=since, tag=tag, thread=thread, where=where
    )
    if text or search:
        said = ({"$contains": text} if text else {}) | ({"$search": search} if search else {})
        wanted = {"$and": [wanted, {"text": said}]} if wanted else {"text": said}
    with open_store() as store:
        page = store.reader().traces(wanted, order=order, limit=limit)
    if json:
        terminal.print_json(page.rows)
        return
    for note in page.notes:
        terminal.console(stderr=True).print(terminal.text(note, "dim"))
    if not page.rows:
        terminal.console().print(
            "no traces" + (" match" if wanted else " yet: decorate a function with @weft.op and call it")
        )
        return
    now = time.time_ns()
    console = terminal.console()
    console.print(_listing([_cells(row, now) for row in page.rows], console.width))
    pages.rest(console, page, "traces")


_HEADS = ("status", "name", "input", "dur", "tokens", "cost", "age", "trace")
_INPUT = _HEADS.index("input")
_GAP = 3
"""Between two columns."""
_LEAST = 14
"""What name and input are worth at least, each; else the input goes."""


def _listing(rows: Sequence[tuple[Text | str, ...]], width: int) -> Table:
    """The list that fits: names give way, then the input; what is measured, and ids, are never cut."""
    fixed = [at for at, head in enumerate(_HEADS) if head not in ("name", "input")]
    taken = sum(max(len(str(line[at])) for line in (_HEADS, *rows)) + _GAP for at in fixed)
    shown = [at for at in range(len(_HEADS)) if at != _INPUT or width - taken >= 2 * (_LEAST + _GAP)]
    made = terminal.table(*(_HEADS[at] for at in shown), right=("dur", "tokens", "cost"))
    for place, at in enumerate(shown):
        made.columns[place].no_wrap = at in fixed
    for row in rows:
        made.add_row(*(row[at] for at in shown))
    return made


def _cells(row: TraceRecord, now_ns: int) -> tuple[Text | str, ...]:
    return (
        terminal.status(row.status),
        terminal.text(row.name, limit=28),
        terminal.text(row.input_preview, limit=44),
        units.duration(row.duration_ns),
        units.tokens(_total(row.input_tokens, row.output_tokens)).removesuffix(" tok"),
        units.usd(row.cost),
        Text(units.age(row.start_ns, now_ns).removesuffix(" ago"), no_wrap=True),
        Text(row.trace_id[-SHORT:], no_wrap=True, style="dim"),
    )


def _total(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


@app.command()
def rm(
    traces: Annotated[list[str] | None, typer.Argument(help="Trace ids, or their first or last digits.")] = None,
    project: filteroptions.Project = None,
    status: selection.Status = None,
    name: selection.Name = None,
    tag: selection.Tag = None,
    thread: selection.Thread = None,
    older_than: filteroptions.OlderThan = None,
    where: selection.Filter = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove traces with their spans and scores, by id or by filter. They stay removed when the store is rebuilt."""
    wanted = selection.where_of(
        project=project, status=status, name=name, tag=tag, thread=thread, older_than=older_than, where=where
    )
    if bool(traces) == bool(wanted):
        raise UsageError("name the traces to remove, or give a filter such as --older-than 30d (not both, not neither)")
    with Api() as api, open_store(drain=False) as store:
        found = [_one(store.reader(), each) for each in traces] if traces else list(api.traces(wanted))
        spans = sum(row.span_count for row in found)
        what = f"{units.counted(len(found), 'trace')} with {units.counted(spans, 'span')}"
        if dry_run or not found:
            terminal.console().print(f"{what} would be removed" if dry_run else "no traces match; nothing was removed")
            return
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError(f"{what} would be removed. Say --yes to do it, or --dry-run to only look")
            typer.confirm(f"Remove {what}? This cannot be undone.", abort=True)
        api.delete(*found)
    open_store().close()  # applies it
    terminal.console().print(f"{what} removed")


@app.command()
def show(
    trace: Annotated[str, typer.Argument(help="Trace id, or its first or last digits.")],
    costs: Annotated[bool, typer.Option("--costs", help="Say what each cost is made of.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, payloads included.")] = False,
) -> None:
    """Show one trace as a tree."""
    with open_store() as store:
        reader = store.reader()
        row = _one(reader, trace)
        spans = reader.spans({"trace_id": row.trace_id}, payloads=json).rows
    if json:
        terminal.print_json({"trace": row, "spans": spans})
        return
    terminal.console().print(tree(row, spans, costs=costs))


def _one(reader: Reader, ident: str) -> TraceRecord:
    """The trace of an id, or of either end of one."""
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", ident):
        raise UsageError(f"a trace id is up to 32 hex digits, not {ident!r}. `weft traces ls` shows them")
    low, high = ident.lower().ljust(32, "0"), ident.lower().ljust(32, "f")
    rows = [*reader.traces({"trace_id": {"$gte": low, "$lte": high}}, limit=2).rows]
    if len(rows) != 1 and len(ident) % 2 == 0 and len(ident) >= SHORT:
        rows = [*reader.traces({"trace_id": {"$endswith": ident}}, limit=2).rows] or rows
    if not rows:
        raise NotFoundError(f"no trace id begins or ends with {ident}. `weft traces ls` shows the newest")
    if len(rows) > 1:
        raise UsageError(f"{ident} is part of several trace ids: {', '.join(row.trace_id for row in rows)}, ...")
    return rows[0]


def tree(trace: TraceRecord, spans: Any, *, costs: bool = False) -> Tree:
    """The trace as a tree for a terminal: name, kind, duration, tokens, cost (and what it is made of), error."""
    head = Text.assemble(terminal.text(trace.name, "bold"), "  ", terminal.status(trace.status))
    head.append(f"  {units.duration(trace.duration_ns)} · {units.counted(trace.span_count, 'span')}", "dim")
    if trace.cost is not None:
        head.append(f" · {units.usd(trace.cost)}", "dim")
    root = Tree(head, guide_style="dim")
    way = [root]
    for node in arrange(spans, time.time_ns()):
        del way[node.depth + 1 :]
        way.append(way[-1].add(_line(node.span, costs)))
    return root


def _line(span: SpanRecord, costs: bool) -> Text:
    line = Text.assemble((f"{span.kind:<9} ", "cyan"), terminal.text(span.name, limit=60))
    line.append(f"  {units.duration(span.duration_ns)}", "dim")
    if span.usage:
        total = _total(span.usage.get("input_tokens"), span.usage.get("output_tokens"))
        line.append(f"  {units.tokens(total)}", "dim")
    if span.cost is not None:
        line.append(f"  {units.usd(span.cost)}", "dim")
        if costs and (made_of := units.breakdown(span.cost_parts)):
            line.append_text(terminal.text(f" ({made_of})", "dim"))
    for flag in span.usage_flags:
        line.append_text(terminal.text(f"  ! {flag}", "yellow", limit=90))
    if span.status != "ok":
        line.append("  ").append_text(terminal.status(span.status))
    if span.status == "error" and span.output_preview:
        line.append("  ").append_text(terminal.text(span.output_preview, "red", limit=80))
    return line
