"""What `weft doctor` finds: where things are, what waits, what was lost or set aside, how to mend it. Changes nothing.

Each examiner answers for one place and raises nothing: what it cannot find out is itself a finding.
"""

from __future__ import annotations

import difflib
import os
import platform
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from weft import __version__
from weft.tracer.money import pricefile
from weft.tracking import filesystems, units
from weft.tracking.blobs import Blobs
from weft.tracking.errors import Error, StoreError
from weft.tracking.home import Home
from weft.tracking.journal import frames
from weft.tracking.journal.frames import Stop
from weft.tracking.journal.locks import is_held
from weft.tracking.journal.records import SegmentClosed
from weft.tracking.journal.segments import SegmentFile, Segments
from weft.tracking.payloads.redaction import redact_text
from weft.tracking.settings import Settings
from weft.tracking.store import schema
from weft.tracking.store.readmodels import StoreStatus
from weft.tracking.store.store import Store

Level = Literal["ok", "note", "problem"]

LOW_SPACE_BYTES = 1 << 30
STALE_DRAFT_SECONDS = 3600
ARTIFACTS_TRIED = 1000
"""Versions whose files are looked for, the newest ones."""
_TAIL_BYTES = 4096
_TRIED_BYTES = 1 << 16
_EXTRAS = {
    "openai": ("openai",),
    "tables": ("pyarrow", "numpy", "duckdb"),
    "ui": ("streamlit", "pandas"),
    "postgres": ("psycopg",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    text: str
    mend: str = ""
    """What to do about a problem."""


VARIABLES = frozenset({
    "WEFT_AUTO_INGEST", "WEFT_CAPTURE_CODE", "WEFT_CONFIG_PATHS", "WEFT_CONSOLE", "WEFT_DIFF_BYTES", "WEFT_DIR",
    "WEFT_ESTIMATE_TOKENS", "WEFT_GIT", "WEFT_HOME", "WEFT_JOB_TYPE", "WEFT_LOG_MODEL", "WEFT_MACHINE", "WEFT_MODE",
    "WEFT_NAME", "WEFT_NOTES", "WEFT_OTEL", "WEFT_PACKAGES", "WEFT_PRICES", "WEFT_PROJECT", "WEFT_REDACT",
    "WEFT_RESUME", "WEFT_RUN_GROUP", "WEFT_RUN_ID", "WEFT_SAMPLE_RATE", "WEFT_SAVE_CODE", "WEFT_STORE", "WEFT_STRICT",
    "WEFT_SYSTEM_INTERVAL", "WEFT_TAGS", "WEFT_USER", "WEFT_WATCH",
})  # fmt: skip
"""What weft looks for in the environment; a name like these that is none of them is a slip."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that records into this home now."""

    pid: int
    host: str
    since_ns: int
    segment: str
    size_bytes: int


@dataclass(slots=True)
class Report:
    """Everything found."""

    home: str
    store: str
    versions: dict[str, str | None] = field(default_factory=dict)
    """None: not installed."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes by place."""
    status: StoreStatus | None = None
    writers: list[Writer] = field(default_factory=list)
    waiting_bytes: int = 0
    waiting_segments: int = 0
    dropped: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """No finding is a problem."""
        return all(finding.level != "problem" for finding in self.findings)

    def add(self, level: Level, text: str, mend: str = "") -> None:
        self.findings.append(Finding(level, redact_text(text), mend))  # an error may quote a URL with its password


def examine(settings: Settings) -> Report:
    """Look at one home and its store."""
    home = Home(settings.home)
    report = Report(str(settings.home), redact_text(settings.url))
    report.versions = versions()
    _settings(report, settings)
    if _home(report, home):
        positions = _store(report, settings, home)
        _journal(report, home, positions)
        _quarantine(report, home)
        _blobs(report, home)
    return report


def _settings(report: Report, settings: Settings) -> None:
    """What makes recorded less, or other, than one would expect; and the user's prices."""
    if settings.mode == "disabled":
        report.add("note", "WEFT_MODE is disabled: nothing is recorded")
    if settings.sample_rate < 1.0:
        report.add("note", f"of root calls {settings.sample_rate:.3%} are recorded (WEFT_SAMPLE_RATE)")
    if settings.redact is False:
        report.add("note", "secrets are written as they are (WEFT_REDACT)")
    if settings.otel != "share":
        shares = {
            "separate": "the program's own OpenTelemetry gets no spans of weft",
            "global": "weft's is the program's",
        }
        report.add("note", f"WEFT_OTEL is {settings.otel}: {shares[settings.otel]}")
    for name in sorted(name for name in os.environ if name.startswith("WEFT_") and name not in VARIABLES):
        near = difflib.get_close_matches(name, VARIABLES, 1)
        meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(VARIABLES))}"
        report.add("note", f"{name} is set, and weft knows no such variable: {meant}")
    if settings.price_file is not None and not settings.price_file.exists():
        report.add(
            "problem",
            f"WEFT_PRICES names {settings.price_file}, which is not there",
            "Correct WEFT_PRICES, or unset it: prices.toml in the home is used then",
        )
    for problem in pricefile.parsed(settings.prices).problems:
        report.add("problem", problem, f"Correct {settings.prices}, then `weft prices apply` for calls of the past")


def versions() -> dict[str, str | None]:
    """weft, Python, SQLite, and what each extra brings."""
    found: dict[str, str | None] = {
        "weft": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    for names in _EXTRAS.values():
        for name in names:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
    return found


def missing_extras(found: Mapping[str, str | None]) -> list[str]:
    """Extras of which something is not installed."""
    return [extra for extra, names in _EXTRAS.items() if any(found.get(name) is None for name in names)]


def _home(report: Report, home: Home) -> bool:
    """Whether there is a home to look into."""
    path = home.path
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        _unmade(report, path)
        return False
    except OSError as error:
        report.add("problem", f"the home {path} cannot be reached: {error.strerror}", "Set WEFT_HOME to another folder")
        return False
    if not stat.S_ISDIR(mode):
        report.add("problem", f"the home {path} is a file", "Move it away, or set WEFT_HOME to a folder")
        return False
    if os.name != "nt" and mode & 0o077:
        report.add("note", f"other users may read the home (mode {stat.S_IMODE(mode):o})", f"chmod 700 {path}")
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
        report.add("ok", "the home can be written")
    except OSError as error:
        report.add(
            "problem",
            f"the home cannot be written: {error.strerror}; nothing is being recorded",
            f"Make {path} writable, or set WEFT_HOME to a folder that is",
        )
    free = shutil.disk_usage(path).free
    if free < LOW_SPACE_BYTES:
        report.add("problem", f"only {units.size(free)} are free on the disk of the home", "Free some space")
    kind = filesystems.kind_of(path)
    if kind in filesystems.NETWORK:
        report.add(
            "problem",
            f"the home lies on a network file system ({kind}): SQLite is not safe there, nor are its locks",
            "Keep recording there, but set WEFT_STORE to a local file (sqlite:////local/weft.db) or to PostgreSQL",
        )
    for name in ("journal", "blobs", "quarantine"):
        if os.path.lexists(path / name) and not (path / name).is_dir():
            report.add("problem", f"{path / name} is no folder", "Move it away; the next recording makes the folder")
        report.sizes[name] = _bytes_below(path / name)
    return True


def _unmade(report: Report, path: Path) -> None:
    """There is no home yet: can one be made?"""
    above = next((place for place in path.parents if place.exists()), path)
    if path.is_absolute() and not path.is_symlink() and os.access(above, os.W_OK | os.X_OK):
        report.add("note", f"there is no home at {path} yet; the first recording makes it")
        return
    why = (
        "it is a link that leads nowhere"
        if path.is_symlink()
        else f"{above} cannot be written"
        if path.is_absolute()
        else "HOME is not set, or the working directory is gone"
    )
    report.add("problem", f"no home can be made at {path}: {why}; nothing is being recorded", "Set WEFT_HOME")


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:  # gone meanwhile
                continue
    return total


def _store(report: Report, settings: Settings, home: Home) -> dict[str, int]:
    """Examine the store; answers how far it has read each segment."""
    try:
        if settings.store_url is None and not (home.path / "weft.db").exists():
            report.add("note", "there is no store yet; the first reading command makes it")
            return {}
        with Store.open(settings.url, create=False) as store:
            report.store = store.url
            report.status = store.reader().status()
            if report.status.size_bytes is not None:
                report.sizes["store"] = report.status.size_bytes
            positions = store.sink().positions(home.uid) if (home.path / "home.id").exists() else {}
            _files(report, home, store)
    except (Error, OSError) as error:
        report.add("problem", f"the store cannot be read: {error}", "What it has not read yet waits in the journal")
        return {}
    report.add("ok", f"the store can be read (revision {report.status.schema_revision})")
    if report.status.text_lag:
        behind = f"the full-text index is {units.counted(report.status.text_lag, 'span')} behind"
        mend = "" if home.read_only else "`weft ingest` brings it up to date; a search does so for a second"
        report.add("note", behind, mend)
    return positions


def _files(report: Report, home: Home, store: Store) -> None:
    """Are the files of artifacts here? Not asked where other homes feed the store, since theirs lie there."""
    with store.reading() as connection:
        homes = set(connection.execute(select(schema.segment.c.home).distinct()).scalars())
    if not (home.path / "home.id").exists() or homes - {home.uid}:
        return
    blobs = Blobs(home)
    try:
        newest = store.reader().artifacts(limit=ARTIFACTS_TRIED).rows
    except StoreError as error:
        report.add("problem", f"artifacts cannot be listed: {error}", "Until then `weft artifacts gc` frees nothing")
        return
    lacking = [
        f"{record.project}/{record.name}:v{record.version}"
        for record in newest
        if not all(blobs.has(entry["digest"]) for entry in record.manifest.values() if "ref" not in entry)
    ]
    if lacking:
        report.add(
            "problem",
            f"files of {units.counted(len(lacking), 'artifact version')} are not in {home.blobs}: "
            + ", ".join(lacking[:5])
            + (", ..." if len(lacking) > 5 else ""),
            "Bring that folder back from where the home was copied from, or log them again",
        )


def _journal(report: Report, home: Home, positions: Mapping[str, int]) -> None:
    segments = Segments(home)
    try:
        pending = segments.pending()
        archived = segments.archived()
    except OSError as error:
        report.add("problem", f"the journal cannot be listed: {error.strerror}", f"Make {home.journal} readable")
        return
    for segment in pending:
        try:
            _segment(report, segment, positions.get(segment.name, 0))
        except FileNotFoundError:  # ingested and moved meanwhile
            continue
        except OSError as error:
            report.add("problem", f"segment {segment.name} cannot be read: {error.strerror}", "Make it readable")
    report.dropped = _dropped([*pending, *archived])
    if report.dropped:
        report.add(
            "problem",
            f"{report.dropped:,} records could not be written in the last seven days (most often a full disk)",
            f"They are lost. Watch the space and the permissions of {home.path}",
        )
    if report.waiting_bytes:
        working = (home.path / "watch.lock").exists() and is_held(home.path / "watch.lock")
        how = "a watcher is at work" if working else "reading commands ingest it, and so does `weft ingest`"
        how = "nothing can take it in here" if home.read_only else how
        size, count = units.size(report.waiting_bytes), report.waiting_segments
        report.add("note", f"{size} in {count} {'segment' if count == 1 else 'segments'} wait to be ingested; {how}")


def _segment(report: Report, segment: SegmentFile, position: int) -> None:
    alive, size, opened = segment.alive, segment.size, segment.opened()
    if size > max(position, len(frames.HEADER)):
        report.waiting_bytes += size - position
        report.waiting_segments += 1
    if alive and opened is not None:
        report.writers.append(Writer(opened.pid, opened.host, opened.started_ns, segment.name, size))
    found = segment.read(position, size)
    if found.stop is Stop.NEWER:
        by = f"weft {opened.weft_version}" if opened is not None else "a newer weft"
        report.add(
            "problem",
            f"segment {segment.name} was written by {by}, which this weft cannot read ({found.detail}); it is kept",
            "Upgrade weft here: pip install -U weft",
        )
    elif found.stop is Stop.CORRUPT:
        report.add(
            "problem",
            f"segment {segment.name} is damaged at byte {found.end:,} ({found.detail})",
            "`weft ingest` saves its sound records and sets it aside"
            + (", once its writer has ended" if alive else ""),
        )


def _dropped(segments: Iterable[SegmentFile]) -> int:
    """Records that writers could not write, by what they said when they closed a segment."""
    by_writer: dict[bytes, int] = {}
    for segment in segments:
        try:
            opened, last = segment.opened(), _last(segment)
        except OSError:  # moved or removed meanwhile; or unreadable, which is said elsewhere
            continue
        if opened is not None and last is not None:  # each says the total of its writer's life so far
            by_writer[opened.writer] = max(by_writer.get(opened.writer, 0), last.dropped)
    return sum(by_writer.values())


def _last(segment: SegmentFile) -> SegmentClosed | None:
    with segment.path.open("rb") as file:
        start = max(len(frames.HEADER), segment.size - _TAIL_BYTES)
        file.seek(start)
        found = frames.salvage(file.read(), start).frames
    record = found[-1].record if found else None
    return record if isinstance(record, SegmentClosed) else None


def _quarantine(report: Report, home: Home) -> None:
    try:
        found = Segments(home).quarantined()
    except (OSError, ValueError) as error:
        report.add("problem", f"the quarantine cannot be read: {error}", f"Look into {home.quarantine}")
        return
    for item in found:
        report.add(
            "problem",
            f"segment {item.segment} was set aside {units.age(item.at_ns, time.time_ns())}: {item.detail}; "
            f"{item.salvaged:,} sound records behind the damage were saved",
            f"Look for a failing disk; once you are done with it: rm {home.quarantine / item.segment}*",
        )


def _blobs(report: Report, home: Home) -> None:
    before = time.time() - STALE_DRAFT_SECONDS
    drafts = []
    try:
        for path in home.blobs.glob("*.new"):
            status = path.stat()
            if status.st_mtime < before:
                drafts.append(status.st_size)
    except OSError:  # a draft that became a blob meanwhile
        return
    if drafts:
        report.add(
            "note",
            f"{len(drafts)} unfinished blobs ({units.size(sum(drafts))}) were left by processes that were killed",
            "weft artifacts gc frees them",
        )


def to_json(report: Report) -> dict[str, Any]:
    """For `--json`."""
    return {
        "healthy": report.healthy,
        "home": report.home,
        "store": report.store,
        "versions": report.versions,
        "sizes_bytes": report.sizes,
        "status": report.status,
        "writers": report.writers,
        "waiting_bytes": report.waiting_bytes,
        "waiting_segments": report.waiting_segments,
        "dropped": report.dropped,
        "findings": report.findings,
    }
