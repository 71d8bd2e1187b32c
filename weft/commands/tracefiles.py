"""`weft traces import` and `weft traces export`: spans from files and into files, one page at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from weft.commands import filteroptions, terminal
from weft.commands import traceselection as selection
from weft.tracer.files import spanrows, spantables
from weft.tracer.files.importing import Imported, Importer
from weft.tracer.otlp import files, written
from weft.tracking import runtime, units
from weft.tracking.errors import MissingExtraError, NotFoundError, UsageError
from weft.tracking.names import check_project
from weft.tracking.store.access import open_store
from weft.tracking.store.reader import Reader
from weft.tracking.store.readmodels import ScoreRecord, SpanRecord

PAGE = 500
"""Spans that are in memory together."""
_SUFFIXES = {".parquet": "parquet", ".pb": "otlp-protobuf", ".binpb": "otlp-protobuf", ".jsonl": "jsonl"}


Row = tuple[SpanRecord, str | None, Sequence[ScoreRecord]]
"""A span, its run's uid, and for a root its trace's scores."""


class Read(StrEnum):
    """What a file may be."""

    AUTO = "auto"
    OTLP_JSON = "otlp-json"
    OTLP_PROTOBUF = "otlp-protobuf"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Written(StrEnum):
    """What a file may become."""

    JSONL = "jsonl"
    PARQUET = "parquet"
    OTLP_JSON = "otlp-json"
    OTLP_PROTOBUF = "otlp-protobuf"


def load(
    paths: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or folders; - is stdin.")],
    project: Annotated[
        str | None, typer.Option(help="Store all of it in this project. [default: as the file says]")
    ] = None,
    form: Annotated[Read, typer.Option("--format", help="What the files are; auto looks.")] = Read.AUTO,
) -> None:
    """Store the spans of files: OTLP JSON or protobuf (also gzip, JSON lines, the collector's file exporter), weft's
    JSON lines, Parquet. Importing a file again changes nothing.

    Exit codes: 0 all was stored, 1 nothing could be read, 2 some spans were refused or some of a file was unreadable.
    """
    if project is not None:
        check_project(project)
    importer = Importer(runtime.active(), project)
    named = [path for given in paths for path in (_files(given) if given != "-" else [given])]
    for path in named:
        where = str(path) if len(named) > 1 else ""
        if path == "-":
            importer.take(_read(sys.stdin.buffer, form), where)
            continue
        with Path(path).open("rb") as file:
            importer.take(_read(file, form), where)
    importer.done.troubles += [said for given in paths for said in _passed_over(given)]
    runtime.active().journal.sync()
    _tell(importer.done, len(named))


def _files(given: str) -> list[Any]:
    path = Path(given)
    if not path.exists():
        raise NotFoundError(f"there is no file {given}")
    found = list(files.opened(path))
    if not found:
        raise NotFoundError(f"the folder {given} holds no files")
    return found


def _passed_over(given: str) -> list[str]:
    """One line for what a folder holds besides files: spans may be missing for it."""
    found = files.no_files(Path(given)) if given != "-" and Path(given).is_dir() else []
    more = f" and {len(found) - 5:,} more" if len(found) > 5 else ""
    return [f"left out of {given}: {', '.join(found[:5])}{more}"] if found else []


def _read(file: IO[bytes], form: Read) -> Iterator[files.Item]:
    if form is Read.PARQUET or (form is Read.AUTO and file.seekable() and _begins(file, b"PAR1")):
        if not file.seekable():
            raise UsageError("a Parquet file is read from its end: name the file instead of -")
        return spantables.read(file)
    return files.read(file, form.value)


def _begins(file: IO[bytes], magic: bytes) -> bool:
    found = file.read(len(magic)) == magic
    file.seek(0)
    return found


def _tell(done: Imported, count: int) -> None:
    console, errors = terminal.console(), terminal.console(stderr=True)
    said = f"{units.counted(done.read, 'span')} read, {done.stored:,} stored"
    if done.refused:
        said += f", {done.refused:,} refused"
    if count > 1:
        said += f" from {count:,} files"
    if done.refusals:
        said += f": {done.refusals[0]}"
    elif len(done.projects) == 1:
        said += f" in project {next(iter(done.projects))}"
    console.print(terminal.text(said), soft_wrap=True)
    if done.incomplete:
        console.print(f"{units.counted(done.incomplete, 'span')} without an end: shown as interrupted")
    for reason in (*done.refusals[1:], *done.troubles):
        errors.print(terminal.text(reason), soft_wrap=True)
    if done.refused > len(done.refusals):
        errors.print(f"and {done.refused - len(done.refusals):,} more", style="dim")
    if done.refused or done.troubles:
        raise SystemExit(terminal.INCOMPLETE if done.stored else terminal.FAILURE)


def dump(
    traces: Annotated[list[str] | None, typer.Argument(help="Trace ids; all that match without.")] = None,
    form: Annotated[
        Written | None, typer.Option("--format", help="What to write. [default: by the file's name, else jsonl]")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The file; - is stdout.")] = "-",
    project: filteroptions.Project = None,
    status: selection.Status = None,
    name: selection.Name = None,
    since: filteroptions.Since = None,
    tag: selection.Tag = None,
    thread: selection.Thread = None,
    where: selection.Filter = None,
) -> None:
    """Write the spans of traces to a file: JSON lines or Parquet (all that weft knows of them), OTLP JSON lines or
    protobuf (what every other tool reads). Blobs stay in the home; their digests are written."""
    wanted = selection.where_of(
        project=project, status=status, name=name, since=since, tag=tag, thread=thread, where=where
    )
    if traces:
        wanted = {"$and": [wanted, {"trace_id": {"$in": [_trace_id(each) for each in traces]}}]}
    suffix = ".parquet" if output.endswith(".parquet") else Path(output).suffix
    chosen = form or Written(_SUFFIXES.get(suffix, "otlp-json" if suffix == ".json" else "jsonl"))
    count = 0
    with ExitStack() as stack:
        reader = stack.enter_context(open_store()).reader()
        write = stack.enter_context(_Writer(chosen, output)).write
        for page in _pages(reader, wanted):
            write(page)
            count += len(page)
    if output != "-" or not count:
        terminal.console(stderr=output == "-").print(terminal.text(f"{units.counted(count, 'span')} written"))


def _trace_id(ident: str) -> str:
    if len(ident) != 32:
        raise UsageError(f"a trace id is 32 hex digits, not {ident!r}. `weft traces ls --json` shows them")
    return ident.lower()


def _pages(reader: Reader, wanted: dict[str, Any]) -> Iterator[list[Row]]:
    """The spans, in the order of their beginning; with a filter trace by trace."""
    uids: dict[tuple[str, str], str | None] = {}
    if not wanted:
        for spans in _spans(reader, None):
            yield _rows(reader, spans, uids)
        return
    cursor: str | None = None
    waiting: list[SpanRecord] = []
    while True:
        page = reader.traces(wanted, order="start_ns", limit=PAGE, after=cursor)
        for trace in page.rows:
            for spans in _spans(reader, {"trace_id": trace.trace_id}):
                waiting += spans
                if len(waiting) >= PAGE:
                    yield _rows(reader, waiting, uids)
                    waiting = []
        cursor = page.cursor
        if cursor is None:
            break
    if waiting:
        yield _rows(reader, waiting, uids)


def _spans(reader: Reader, where: dict[str, Any] | None) -> Iterator[Sequence[SpanRecord]]:
    cursor: str | None = None
    while True:
        page = reader.spans(where, payloads=True, limit=PAGE, after=cursor)
        if page.rows:
            yield page.rows
        cursor = page.cursor
        if cursor is None:
            return


def _rows(reader: Reader, spans: Sequence[SpanRecord], uids: dict[tuple[str, str], str | None]) -> list[Row]:
    roots = [span.trace_id for span in spans if span.parent_id is None]
    said: dict[str, list[ScoreRecord]] = {}
    for at in range(0, len(roots), PAGE):
        for score in reader.scores({"target": "trace", "trace_id": {"$in": roots[at : at + PAGE]}}).rows:
            said.setdefault(score.trace_id or "", []).append(score)
    made: list[Row] = []
    for span in spans:
        key = (span.project, span.run_id or "")
        if span.run_id is not None and key not in uids:
            found = reader.runs({"project": span.project, "id": span.run_id}, limit=1).rows
            uids[key] = found[0].uid if found else _uid(span.run_id)
        uid = uids[key] if span.run_id is not None else None
        made.append((span, uid, said.get(span.trace_id, ()) if span.parent_id is None else ()))
    return made


def _uid(run_id: str) -> str | None:
    """A run that only its spans name is known by its uid."""
    return run_id if len(run_id) == 32 and all(char in "0123456789abcdef" for char in run_id) else None


class _Writer:
    """What is being written to: a file under a name of its own until it is whole; a pipe or device as it is."""

    def __init__(self, form: Written, output: str) -> None:
        self._form = form
        self._path = None if output == "-" else Path(output)
        if self._path is None and sys.stdout.isatty() and form in (Written.PARQUET, Written.OTLP_PROTOBUF):
            raise UsageError(f"{form} is no text for a terminal: name a file with -o, or send it into a pipe")
        self._proto: Any = _protoform() if form is Written.OTLP_PROTOBUF else None
        self._whole, self._draft = (None, None) if self._path is None else _places(self._path)
        begun = self._draft or self._path
        try:
            self._file: IO[bytes] = sys.stdout.buffer if begun is None else begun.open("wb")
        except OSError as error:
            raise OSError(error.errno, error.strerror, output) from None  # of the name that was given, not the draft's
        self._table = spantables.SpanTable(self._file) if form is Written.PARQUET else None

    def write(self, rows: Sequence[Row]) -> None:
        match self._form:
            case Written.JSONL:
                self._file.writelines(spanrows.line(spanrows.row(*row)) for row in rows)
            case Written.PARQUET:
                assert self._table is not None
                self._table.write([spanrows.row(*row) for row in rows])
            case Written.OTLP_JSON:
                self._file.write(written.json_line([written.otlp_span(*row) for row in rows]))
            case Written.OTLP_PROTOBUF:
                message = self._proto.request([written.otlp_span(*row) for row in rows])
                self._file.write(len(message).to_bytes(4, "big") + message)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        whole = False
        try:
            if self._table is not None:
                self._table.__exit__(kind, error, trace)
            self._file.flush()
            whole = error is None
        finally:
            if self._path is not None:
                self._file.close()
            if self._draft is not None and self._whole is not None:
                if whole:
                    self._draft.replace(self._whole)
                else:
                    self._draft.unlink(missing_ok=True)


def _places(path: Path) -> tuple[Path | None, Path | None]:
    """The file that a name means behind its links, and its draft; neither for what is to be written as it is.

    Raises:
        UsageError: it is a folder.
        NotFoundError: the folder to write in is not there.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it with -o")
    if path.exists() and not path.is_file():
        return None, None
    whole = Path(os.path.realpath(path))  # a link stays one: what it names is replaced
    if not whole.parent.is_dir():
        raise NotFoundError(f"{path} cannot be written: there is no folder {whole.parent}")
    return whole, whole.with_name(f".{whole.name}.part")


def _protoform() -> Any:
    try:
        from weft.tracer.otlp import protoform  # late: the extra `otlp`
    except ImportError as error:
        raise MissingExtraError("OTLP protobuf", "otlp") from error
    return protoform
