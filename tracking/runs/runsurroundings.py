"""What a run records of its surroundings, and what one may ask it to: `write_logs`, `log_code`, `watch`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from weft.tracking import names
from weft.tracking.errors import UsageError
from weft.tracking.runs.runfacts import RunFacts
from weft.tracking.surroundings import code, process

if TYPE_CHECKING:
    from weft.tracking.artifacts.artifact import Artifact
    from weft.tracking.runs.run import Run
    from weft.tracking.runs.watching import Watching
    from weft.tracking.surroundings.recorders import Recorders


class RunSurroundings(RunFacts):
    """The part of `Run` that looks around."""

    surroundings: Recorders | None = None
    """What records console, git, machine, ... of it, where something does."""
    watching: Watching | None = None
    """Which modules it watches, once it does."""
    state: str
    """running, finished, failed, killed."""

    def write_logs(self, text: str) -> None:
        """Add lines to what the run printed, as if they had been; also where the console is not recorded. Once the run
        is finished it does nothing: handlers of `logging` live on.

        Args:
            text: ends its line; a newline is added where it has none.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"write_logs() takes text, not {type(text).__name__}")
        if self.surroundings is not None and self.state == "running":
            self.surroundings.write_logs(text if text.endswith("\n") else f"{text}\n")

    def log_code(
        self,
        root: str | os.PathLike[str] | None = ".",
        name: str | None = None,
        include_fn: code.Choice = code.is_code,
        exclude_fn: code.Choice = code.nothing,
    ) -> Artifact | None:
        """Log source files as an artifact of type `code`.

        Args:
            root: the folder to look into; hidden folders, virtual environments and caches are left out.
            name: of the artifact; default `source-<project>-<program>`.
            include_fn: of a path, or of path and root, whether the file is meant; default Python files, requirements
                and Dockerfiles.
            exclude_fn: likewise, whether it is not.

        Returns:
            The artifact, or None where no file is meant.

        Raises:
            UsageError: there is no such folder, a bad name, or the run is finished.
        """
        from weft.tracking.artifacts.artifact import Artifact  # what logs no code need not load it

        self._check_running()
        place = Path.cwd() if root is None else Path(root)
        if not place.is_dir():
            raise UsageError(f"log_code() looks into a folder; {str(root)!r:.150} is none")
        found = list(code.files(place, include_fn, exclude_fn))
        if not found:
            return None
        program = process.program_file()
        label = f"source-{self.project}" + (f"-{code.relative(program)}" if program is not None else "")
        artifact = Artifact(name or names.artifact_name(label), type="code")
        for path in found:
            artifact.add_file(path, path.relative_to(place.resolve()).as_posix())
        cast("Run", self).log_artifact(artifact)
        return artifact

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Log gradients and parameters of PyTorch modules as histograms, with the step that is open then.

        Args:
            models: a `torch.nn.Module`, or several. One that is watched already is watched anew.
            criterion: taken for wandb's sake; nothing is done with it.
            log: `gradients` (`gradients/<parameter>`), `parameters`, `all`, or None for the graph alone.
            log_freq: at every so many-th pass, counted by each parameter, or by each module.
            idx: number of the first module; those from 1 on are told apart as `graph_1.<parameter>`.
            log_graph: keep layers, shapes and numbers of parameters as a file of the run.

        Raises:
            TypeError: something else than a module.
            UsageError: another `log`, a `log_freq` that is no number of passes (both a ValueError too), or the run is
                finished.

        Example:
            >>> run.watch(model, log="all", log_freq=100)
        """
        from weft.tracking.runs.watching import Watching  # late: needed by who trains with torch

        self._check_running()
        if self.watching is None:
            self.watching = Watching(cast("Run", self))
        self.watching.watch(models, log, log_freq, idx, log_graph)

    def unwatch(self, models: Any = None) -> None:
        """Watch these modules no longer; all of them where none is named."""
        if self.watching is not None:
            self.watching.unwatch(models)

    def _check_running(self) -> None:
        raise NotImplementedError

    def _look_away(self) -> None:
        """At the end: no hook stays, the last lines are recorded."""
        self.unwatch()
        if self.surroundings is not None:
            self.surroundings.close()
