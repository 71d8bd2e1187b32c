"""`weft runs export`: what runs logged and were set to, as JSON lines, CSV, Parquet or one JSON document."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from weft.commands import filteroptions, terminal
from weft.commands import runselection as selection
from weft.tracking import units
from weft.tracking.errors import Error, UsageError
from weft.tracking.runs import runexport
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import RunRecord

PARTS = ("history", "config", "summary", "system")


class Form(StrEnum):
    """What may be written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


def export(
    runs: Annotated[list[str] | None, typer.Argument(help="Run ids, project/id, or names; or give a filter.")] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="What to write. [default: by the file's name, else jsonl]")
    ] = None,
    what: Annotated[
        str, typer.Option(help="history or system: a row a step; config,summary: a row a run. json takes all at once.")
    ] = "history",
    output: Annotated[str, typer.Option("--output", "-o", help="The file; - is stdout.")] = "-",
    project: filteroptions.Project = None,
    state: selection.State = None,
    group: selection.Group = None,
    tag: selection.Tag = None,
    where: selection.Filter = None,
    json: Annotated[
        bool, typer.Option("--json", help="As --format json: all that was asked for, a run an object.")
    ] = False,
) -> None:
    """Write all that runs logged: every step, every column; nothing is sampled or left out."""
    wanted = selection.where_of(state=state, group=group, tag=tag, where=where)
    if bool(runs) == (bool(wanted) or (project is not None and not runs)):
        raise UsageError("name the runs to export, or give a filter such as --project (not both, not neither)")
    asked = list(dict.fromkeys(part.strip() for part in what.split(",")))
    unknown = [part for part in asked if part not in PARTS]
    if unknown:
        raise UsageError(f"--what {unknown[0]!r}: it takes some of {', '.join(PARTS)}")
    if json and form not in (None, Form.JSON):
        raise UsageError(f"--json and --format {form} are two forms of one export; choose one")
    chosen = Form.JSON if json else form or next((one for one in Form if output.endswith(f".{one.value}")), Form.JSONL)
    with open_store() as store:
        reader = store.reader()
        if runs:
            found = list({run.uid: run for run in (selection.find(reader, one, project) for one in runs)}.values())
        else:
            wanted |= {"project": project} if project is not None else {}
            found = list(reader.runs(wanted, order="started_ns", limit=None).rows)
        count = _write(reader, found, asked, chosen, output)
    if output != "-":
        said = f"{units.counted(count, 'run' if chosen is Form.JSON else 'row')}  →  {output}"
        terminal.console().print(terminal.text(said), soft_wrap=True)


def _write(reader: Reader, runs: Sequence[RunRecord], asked: Sequence[str], form: Form, output: str) -> int:
    if form is Form.JSON:
        with _text(output) as file:
            return _document(reader, runs, asked, file)
    if len(asked) > 1 and not set(asked) <= {"config", "summary"}:
        raise UsageError(
            f"{' and '.join(asked)} are tables of their own: write one file each, or all with --format json"
        )
    if asked[0] in runexport.STREAMS:
        rows: runexport.Rows = partial(runexport.steps, reader, runs, runexport.STREAMS[asked[0]])
    else:
        rows = partial(runexport.about, runs, asked)
    if form is Form.PARQUET:
        if output == "-":
            raise UsageError("a Parquet file is no text for stdout: name a file with --output")
        with _replaced(output) as draft:
            return runexport.write_parquet(rows, draft)
    with _text(output) as file:
        return runexport.write_csv(rows, file) if form is Form.CSV else runexport.write_jsonl(rows(), file)


def _document(reader: Reader, runs: Sequence[RunRecord], asked: Sequence[str], file: IO[str]) -> int:
    """A list of runs, each with the parts asked for; written one by one, since a history can be long."""
    file.write("[")
    for at, run in enumerate(runs):
        told: dict[str, Any] = {
            name: value for name, value in next(iter(runexport.about([run], ()))).items() if value is not None
        }
        for part in asked:
            told[part] = _part(reader, run, part)
        file.write(",\n" if at else "\n")
        runexport.write_jsonl([told], file)
    file.write("]\n")
    return len(runs)


def _part(reader: Reader, run: RunRecord, part: str) -> Any:
    if part not in runexport.STREAMS:
        return dict(getattr(run, part))
    rows: Iterable[Any] = runexport.steps(reader, [run], runexport.STREAMS[part])
    return [{name: value for name, value in row.items() if name not in ("_project", "_run")} for row in rows]


@contextmanager
def _text(output: str) -> Iterator[IO[str]]:
    if output == "-":
        yield sys.stdout
        return
    with _replaced(output) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def _replaced(output: str) -> Iterator[Path]:
    """A draft beside the file, which takes its place when all is written."""
    path = Path(output)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise Error(f"could not write {path}: {error.strerror or error}. Give another file with --output") from error
    finally:
        draft.unlink(missing_ok=True)
