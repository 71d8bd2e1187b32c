"""What a run keeps beside its numbers: files, and what it wants somebody to see."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from weft.tracking import names
from weft.tracking.blobs import Blobs
from weft.tracking.journal.records import SCHEMA, AlertRaised
from weft.tracking.runs.alerts import AlertLevel, Throttle, level_of, say, wait_seconds
from weft.tracking.runs.runfiles import RunFiles, restore, stored
from weft.tracking.runs.runsurroundings import RunSurroundings

if TYPE_CHECKING:
    from weft.tracking.runs.runarguments import Start
    from weft.tracking.runtime import Runtime


class RunKeeping(RunSurroundings):
    """The part of `Run` that keeps things."""

    def __init__(self, active: Runtime, start: Start) -> None:
        super().__init__(active, start)
        self._files = RunFiles(active, self.uid, lambda: self._files_folder, self._record)
        self._alerts = Throttle()

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
        glob: bool = True,
    ) -> list[str]:
        """Keep files with the run: they are in the home when this returns.

        Args:
            glob_str: a path, or a pattern that is expanded now; of a folder all files below it. None keeps nothing:
                older scripts call `run.save()` once they have set a name, which is kept by itself.
            base_path: the folder from which their names in the run are told; default the working directory, of an
                absolute path its own folder.
            policy: `now` keeps them as they are now; `live` and `end` once more at the end, where they changed.
            glob: False: the path is no pattern, whatever characters it holds.

        Returns:
            The files that were kept. An address (`s3://...`) is none.

        Raises:
            UsageError: no path, one outside of base_path, an unknown policy, or the run is finished.
        """
        self._check_running()
        return [] if self.disabled or glob_str is None else self._files.save(glob_str, base_path, policy, expand=glob)

    def restore(
        self, name: str, run_path: str | None = None, replace: bool = False, root: str | os.PathLike[str] | None = None
    ) -> TextIO:
        """Open a file that this or another run saved, copied to `root` (default `run.dir`).

        Args:
            name: as it is called in the run.
            run_path: `id` or `project/id` of that run; default this one.
            replace: whether a file that is there already is written anew.

        Raises:
            NotFoundError: there is no such run or file.
            StoreError: the store cannot be read.
        """
        project, _, ident = (run_path or self.path).rpartition("/")
        digest = stored(self.settings, project or self.project, ident, name)
        where = Path(self.dir if root is None else root)
        return restore(Blobs(self.home), digest, name, where, replace=replace).open(encoding="utf-8")

    def alert(
        self,
        title: str,
        text: str = "",
        level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:
        """Ask for somebody's attention: kept with the run, and said in the log.

        Args:
            level: INFO (the default), WARN or ERROR.
            wait_duration: seconds in which another alert of the same title says nothing; default 60.

        Raises:
            UsageError: no text, an unknown level, no duration, or the run is finished.
        """
        self._check_running()
        title, text = names.check_text("an alert's title", title), names.check_text("an alert's text", text)
        chosen, wait_s = level_of(level), wait_seconds(wait_duration)
        if self.disabled or not self._alerts.passes(title, wait_s):
            return
        title, text = self._clean(title) or "", self._clean(text) or ""
        self._record(AlertRaised(SCHEMA, self.uid, self._wall_ns(), title, text, chosen.value))
        say(self.path, title, text, chosen)
