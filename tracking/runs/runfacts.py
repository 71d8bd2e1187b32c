"""What a run is called and says of itself: ids, name, tags, notes, configuration, summary. `Run` is one, and logs.

Everything that is recorded passes here, where secrets are taken out of it.
"""

from __future__ import annotations

import builtins
import errno
import functools
import html
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.tracking import names
from weft.tracking.errors import UsageError
from weft.tracking.home import may_write
from weft.tracking.journal.records import SCHEMA, Record, RunStarted, RunUpdated
from weft.tracking.payloads.encoding import encode
from weft.tracking.payloads.redaction import clean_name, redact, redact_text
from weft.tracking.runs import lives, scratchfolder
from weft.tracking.runs.config import Config
from weft.tracking.surroundings import process

if TYPE_CHECKING:
    from weft.tracking.home import Home
    from weft.tracking.runs.runarguments import Start
    from weft.tracking.runtime import Runtime
    from weft.tracking.settings import Settings

log = logging.getLogger("weft.recording")


class RunFacts:
    """The part of a run that says what it is."""

    def __init__(self, active: Runtime, start: Start) -> None:
        way = start.way
        earlier = way.earlier
        self.project: str = start.project
        """The project's name."""
        # The same id in the same project is the same run, in whichever process: no store need be asked.
        self.id: str = way.id or names.run_id(active.ids.uid())
        """Unique in its project."""
        self.uid: bytes = lives.uid(active.home, self.project, self.id) if earlier is None else earlier.uid
        """16 bytes, unique everywhere."""
        self._name = start.name or (earlier.name if earlier is not None else names.run_name(self.uid))
        self._tags = list(start.tags if start.tags is not None else earlier.tags if earlier is not None else ())
        self._notes = start.notes if start.notes is not None or earlier is None else earlier.notes
        self.group: str | None = start.group if start.group is not None or earlier is None else earlier.group
        """Runs that belong together."""
        self.job_type: str | None = (
            start.job_type if start.job_type is not None or earlier is None else earlier.job_type
        )
        """What it is for: train, eval, ..."""
        self.entity: str | None = start.entity
        """wandb's word for whose it is; kept among the run's metadata, and nothing more."""
        self.resumed: bool = earlier is not None
        """Whether it goes on from earlier sessions."""
        self.starting_step: int = _first_step(start)
        """The step of its first `log()` in this process."""
        self.settings: Settings = active.settings
        """What it is recorded by."""
        self.start_time: float = active.ids.wall_ns() / 1e9
        """When this session of it began: Unix seconds."""
        self._runtime = active
        self._append = active.journal.append if active.recording else _nowhere
        self._wall_ns = active.ids.wall_ns
        self._pid = os.getpid()
        self.folder: Path | None = start.folder
        """What `init(dir=)` said."""
        self._scratch: Path | None = None
        """`dir` of a disabled run, and of one whose folder cannot be made."""
        self._start = start
        self.config = Config(
            start.config,
            functools.partial(self._updated, "config"),
            earlier=None if earlier is None else earlier.config,
            allow_val_change=start.allow_val_change,
            used=self._used,
        )

    @property
    def name(self) -> str:
        """For people; may be set."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"a run's name must be text, got {name!r:.80}")
        self._name = names.check_text("a run's name", name)
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), name=self._name))

    @property
    def tags(self) -> tuple[str, ...]:
        """May be set, as a whole; bad ones are said, and nothing changes."""
        return tuple(self._tags)

    @tags.setter
    def tags(self, tags: str | Iterable[str] | None) -> None:
        try:
            self._tags = names.check_tags(tags)
        except UsageError as error:  # in the midst of a training: wandb warns, too
            log.warning("run %s keeps its tags: %s", self.path, error)
            return
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), tags=self._clean_tags()))

    @property
    def notes(self) -> str | None:
        """May be set."""
        return self._notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._notes = names.check_optional_text("a run's notes", notes)
        self._record(RunUpdated(SCHEMA, self.uid, self._wall_ns(), notes=self._clean(self._notes) or ""))

    @property
    def owned(self) -> bool:
        """Whether this process started it; a child process may log to its parent's run, but not end it."""
        return self._pid == os.getpid()

    @property
    def runtime(self) -> Runtime:
        """What it is recorded with."""
        return self._runtime

    @property
    def home(self) -> Home:
        """Where it is recorded."""
        return self._runtime.home

    @property
    def path(self) -> str:
        """`project/id`."""
        return f"{self.project}/{self.id}"

    @property
    def offline(self) -> bool:
        """Whether `mode="offline"` was asked for; everything is local in any case."""
        return self._start.mode == "offline"

    @property
    def disabled(self) -> bool:
        """Whether nothing of it is recorded (`mode="disabled"`)."""
        return not self._runtime.recording

    @property
    def url(self) -> None:
        """None: nothing is on the web. `weft ui` shows it."""
        return None

    project_url = sweep_url = url

    @property
    def sweep_id(self) -> str | None:
        """The sweep that it is a trial of."""
        return None

    @property
    def dir(self) -> str:
        """A folder for files of the run, made when first asked for; what lies in it at the end is kept. Of a disabled
        run it is a temporary one, which goes with the process, and nothing of it is kept; where the folder cannot be
        made, one that stays."""
        if self._scratch is None and self.disabled:
            self._scratch = scratchfolder.until_exit()
        if self._scratch is None:
            self._make_folder()
        return str(self._files_folder)

    def _make_folder(self) -> None:
        folder = self._files_folder
        try:
            if not folder.is_absolute():  # there is no HOME, as `Home.ensure` says
                raise FileNotFoundError(errno.ENOENT, "not a full path", str(folder))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not may_write(folder):
                raise PermissionError(errno.EACCES, "it cannot be written", str(folder))
        except OSError as error:
            self._scratch = scratchfolder.lasting()
            self._runtime.faults.note(
                "make the folder of a run's files", error, hint=f"run.dir is a temporary folder, {self._scratch}."
            )

    @property
    def _files_folder(self) -> Path:
        if self._scratch is not None:
            return self._scratch
        base = self._runtime.home.path / "runs" if self.folder is None else self.folder / "weft-runs"
        return base / self.uid.hex() / "files"

    def status(self) -> dict[str, Any]:
        """How the recording goes: what could not be recorded, by cause. wandb tells of uploads here; there are none."""
        faults = dict(self._runtime.faults.counts)
        return {"path": self.path, "dropped": self._runtime.journal.dropped, "faults": faults}

    def get_url(self) -> None:
        """As `url`."""
        return self.url

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """A few words for a notebook: which run this is. `weft ui` shows it."""
        text = html.escape(f"{self._name} ({self.path})")
        return f"<details><summary>{text}</summary></details>" if hidden else f"<p>{text}</p>"

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show `to_html` where a notebook can.

        Returns:
            Whether there was one.
        """
        shell = sys.modules.get("IPython.display")
        if shell is None or not hasattr(builtins, "get_ipython"):
            return False
        shell.display(shell.HTML(self.to_html(height, hidden)))
        return True

    def _label(self, *told: object, **more: object) -> None:
        """Libraries tell wandb by this who they are."""

    @property
    def sync_dir(self) -> str:
        """Where all of the run lies that `wandb sync` would send: the home."""
        return str(self.home.path)

    def pin_config_keys(self, keys: Iterable[str] = ()) -> None:
        """wandb's word to its app; ours shows the whole configuration."""

    def mark_preempting(self) -> None:
        """wandb's word to its server; everything is in the journal already."""

    def _begin(self, parent_uid: bytes | None) -> None:
        """The first record."""
        start, way = self._start, self._start.way
        earlier, forked = way.earlier, way.forked or (None, None)
        given = Config(start.config, lambda changed: None).recorded()
        self._record(
            RunStarted(
                SCHEMA,
                self.uid,
                self.id,
                self.project,
                self._name,
                self._wall_ns(),
                config=self._json(given),
                tags=[] if start.tags is None else self._clean_tags(),
                group=self._clean(start.group),
                job_type=self._clean(self.job_type),
                notes=self._clean(start.notes),
                parent_uid=parent_uid,
                metadata=self._json(self._metadata()) if self._runtime.recording else None,
                elapsed_ns=0 if earlier is None else earlier.elapsed_ns,
                forked_uid=forked[0],
                forked_step=forked[1],
                joined=start.joined,
            )
        )
        for artifact in self.config.artifacts():
            self._used(artifact)

    def _metadata(self) -> dict[str, Any]:
        found = process.collect(with_git=self.settings.git)
        more = {"entity": self.entity, "label": self._start.label}
        return found | {name: self._clean(value) for name, value in more.items() if value is not None}

    def _used(self, artifact: Any) -> None:
        """An artifact became a value of the config."""

    def _updated(self, field: str, changed: dict[str, Any]) -> None:
        data = self._json(changed)
        self._record(
            RunUpdated(SCHEMA, self.uid, self._wall_ns(), config=data)
            if field == "config"
            else RunUpdated(SCHEMA, self.uid, self._wall_ns(), summary=data)
        )

    def _record(self, record: Record) -> None:
        self._append(record)

    def _json(self, value: Mapping[str, Any]) -> bytes:
        data = encode(value)
        return redact(data, self._runtime.faults, self._runtime.settings.redact)

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else redact_text(text, self._runtime.settings.redact)

    def _clean_tags(self) -> list[str]:
        return [clean_name(tag, self._runtime.settings.redact) for tag in self._tags]


def _first_step(start: Start) -> int:
    way = start.way
    if way.rewound is not None:
        return way.rewound + 1
    if way.forked is not None:
        return way.forked[1] + 1
    return 0 if way.earlier is None or way.earlier.last_step is None else way.earlier.last_step + 1


def _nowhere(record: Record) -> bool:
    """Mode disabled."""
    return True
