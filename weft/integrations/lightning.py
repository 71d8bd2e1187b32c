"""PyTorch Lightning: `Trainer(logger=WeftLogger(project="digits"))`. Works with `lightning` and `pytorch_lightning`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from weft.integrations import recording
from weft.lifecycle import init
from weft.tracking import runtime
from weft.tracking.api import Api
from weft.tracking.artifacts.contents import Policy
from weft.tracking.artifacts.versions import ArtifactVersion
from weft.tracking.errors import MissingLibraryError
from weft.tracking.media.audio import Audio
from weft.tracking.media.image import Image
from weft.tracking.media.video import Video
from weft.tracking.runs.run import Run
from weft.tracking.tables import Table

_OLD = "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
"""Whether the program uses the package by its older name: the two know nothing of each other's classes."""
try:
    _loggers = import_module(f"{'pytorch_lightning' if _OLD else 'lightning.pytorch'}.loggers.logger")
    from lightning_utilities.core.rank_zero import rank_zero_only
except ImportError as error:
    raise MissingLibraryError("weft.integrations.lightning", "lightning") from error

AXIS = "trainer/global_step"
"""The x axis of all that Lightning logs: its own step, which counts optimizer steps."""
_TOLD = ("monitor", "mode", "save_last", "save_top_k", "save_weights_only", "_every_n_train_steps")
"""Of a ModelCheckpoint, what stands among the metadata of its checkpoints."""


class WeftLogger(_loggers.Logger):  # type: ignore[name-defined]
    """Records what Lightning logs; hyperparameters become the config, checkpoints versions of an artifact.

    The active run, where there is one, else a run that is started at the first use, on rank 0 only. It goes on after
    `fit`, for `test` and `predict`; `weft.finish()` or the end of the process ends it.

    Args:
        name: of the run.
        save_dir: where Lightning keeps its files: `<save_dir>/<project>/<run id>/checkpoints`.
        version, id: of the run; that of an earlier run goes on with it.
        offline, anonymous: wandb's; all is local in any case.
        dir: where `run.dir` is made.
        project: default `WEFT_PROJECT`, `WANDB_PROJECT`, else `lightning_logs`.
        log_model: True: the checkpoints that are there when `fit` ends, however it ends (each one as it is saved with
            `save_top_k=-1`); `all`: each as it is saved. The alias `best` is on the best one.
        experiment: a run that is there already.
        prefix: before the name of each metric, with a `-`.
        checkpoint_name: of the artifact; default `model-<run id>`.
        add_file_policy: as of `Artifact.add_file`.
        kwargs: for `weft.init`: config, tags, group, mode, ...

    Example:
        >>> logger = WeftLogger(project="digits", log_model="all")
        >>> lightning.Trainer(logger=logger, max_epochs=3).fit(model)
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        name: str | None = None,
        save_dir: str | os.PathLike[str] = ".",
        version: str | None = None,
        offline: bool = False,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 - wandb's names, here and below
        id: str | None = None,  # noqa: A002
        anonymous: bool | None = None,
        project: str | None = None,
        log_model: Literal["all"] | bool = False,
        experiment: Run | None = None,
        prefix: str = "",
        checkpoint_name: str | None = None,
        add_file_policy: Policy = "mutable",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self._log_model = recording.one_of("log_model=", log_model, (True, False, "all"))
        self._project = project or recording.variable("PROJECT") or "lightning_logs"
        self._save_dir = os.fspath(save_dir if save_dir is not None else dir or ".")
        self._start: dict[str, Any] = {
            "name": name,
            "project": self._project,
            "id": version or id,
            "resume": "allow",
            "dir": dir,
        }
        self._start |= kwargs
        self._experiment = experiment
        self._prefix = prefix
        self._checkpoint_name = checkpoint_name
        self._policy = add_file_policy
        self._logged: dict[str, int] = {}
        """When each checkpoint that was logged had been written, by path."""
        self._waiting: dict[int, Any] = {}
        """Callbacks whose checkpoints are logged when `fit` ends."""

    def __getstate__(self) -> dict[str, Any]:
        """Of a logger that is sent to the processes of `ddp_spawn`: they record into the run of this one."""
        if rank_zero_only.rank == 0:
            _ = self.experiment
        return self.__dict__ | {"_waiting": {}}

    @property
    @_loggers.rank_zero_experiment
    def experiment(self) -> Run:
        """The run; on other ranks something that takes every call and does nothing."""
        if self._experiment is None:
            active = runtime.active().active_run
            self._experiment = active if active is not None else init(**self._start)
            if self._experiment is not active:
                self._experiment.define_metric(AXIS)
                self._experiment.define_metric("*", step_metric=AXIS, step_sync=True)
        return self._experiment

    def watch(self, model: Any, log: str | None = "gradients", log_freq: int = 100, log_graph: bool = True) -> None:
        """`Run.watch`."""
        self.experiment.watch(model, log=log, log_freq=log_freq, log_graph=log_graph)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Into the run's config; what is no plain value in its own words."""
        values = vars(params) if isinstance(params, Namespace) else params
        self.experiment.config.update(recording.plain(values or {}), allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """A row of the run, with Lightning's step as its x axis."""
        named = {
            f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}" if self._prefix else key: metrics[key] for key in metrics
        }
        self.experiment.log(named if step is None else named | {AXIS: step})

    @rank_zero_only
    def log_table(
        self,
        key: str,
        columns: list[str] | None = None,
        data: list[list[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """A Table of columns and rows, or of a data frame."""
        self.log_metrics({key: Table(columns=columns, data=data, dataframe=dataframe)}, step)

    def log_text(self, *args: Any, **kwargs: Any) -> None:
        """`log_table`, for text."""
        self.log_table(*args, **kwargs)

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Sequence[Any]) -> None:
        """Images; each further argument is a list with a value for each (`caption=["a", "b"]`)."""
        self.log_metrics({key: _media(Image, "images", images, kwargs)}, step)

    @rank_zero_only
    def log_audio(self, key: str, audios: list[Any], step: int | None = None, **kwargs: Sequence[Any]) -> None:
        """Recordings, as `log_image`."""
        self.log_metrics({key: _media(Audio, "audios", audios, kwargs)}, step)

    @rank_zero_only
    def log_video(self, key: str, videos: list[Any], step: int | None = None, **kwargs: Sequence[Any]) -> None:
        """Films, as `log_image`."""
        self.log_metrics({key: _media(Video, "videos", videos, kwargs)}, step)

    @property
    def save_dir(self) -> str:
        """Where Lightning keeps its files."""
        return self._save_dir

    @property
    def name(self) -> str:
        """The project, by which Lightning names its folder. `logger.experiment.name` is the run's."""
        return self._project

    @property
    def version(self) -> str | None:
        """The id of the run, where there is one yet."""
        return self._experiment.id if self._experiment is not None else self._start["id"]

    @staticmethod
    @rank_zero_only
    def download_artifact(
        artifact: str,
        save_dir: str | os.PathLike[str] | None = None,
        artifact_type: str | None = None,
        use_artifact: bool | None = True,
    ) -> str:
        """The folder of a version, which the active run then has used."""
        run = runtime.active().active_run
        used = run is not None and use_artifact
        found = run.use_artifact(artifact, artifact_type) if used and run else Api().artifact(artifact, artifact_type)
        return str(found.download(save_dir))

    def use_artifact(self, artifact: str, artifact_type: str | None = None) -> ArtifactVersion:
        """`Run.use_artifact`."""
        return self.experiment.use_artifact(artifact, artifact_type)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Told by Lightning, on every rank."""
        if self._log_model == "all" or (self._log_model and checkpoint_callback.save_top_k == -1):
            self._log_checkpoints(checkpoint_callback)
        elif self._log_model:
            self._waiting[id(checkpoint_callback)] = checkpoint_callback

    def finalize(self, status: str) -> None:
        """The end of fit, test or predict: what it left is kept, also where it failed."""
        for callback in self._waiting.values():
            self._log_checkpoints(callback)
        self._waiting.clear()

    @rank_zero_only
    def _log_checkpoints(self, callback: Any) -> None:
        """Those that are there and were not logged as they are now, oldest first."""
        scores = dict(getattr(callback, "best_k_models", None) or {})
        scores[getattr(callback, "last_model_path", "")] = getattr(callback, "current_score", None)
        best = getattr(callback, "best_model_path", "")
        scores[best] = getattr(callback, "best_model_score", None)
        there = {path: Path(path).stat().st_mtime_ns for path in scores if path and Path(path).exists()}
        for path in sorted(there, key=lambda each: (there[each], each == best)):
            if self._logged.get(path) == there[path]:
                continue
            settings = {name: getattr(callback, name) for name in _TOLD if hasattr(callback, name)}
            told = {
                "score": scores[path],
                "original_filename": Path(path).name,
                callback.__class__.__name__: settings,  # type() of the weak proxy that Lightning hands out is no name
            }
            recording.keep_model(
                self.experiment,
                self._checkpoint_name or f"model-{self.experiment.id}",
                Path(path),
                path="model.ckpt",
                policy=self._policy,
                aliases=["best"] if path == best else [],
                metadata=recording.plain(told),
            )
            self._logged[path] = there[path]


def _media(kind: type, what: str, values: list[Any], options: Mapping[str, Sequence[Any]]) -> list[Any]:
    if not isinstance(values, list):
        raise TypeError(f"{what} must be a list, not {type(values).__name__}")
    for name, each in options.items():
        if len(each) != len(values):
            raise ValueError(f"there are {len(values)} {what} and {len(each)} values of {name}")
    return [kind(value, **{name: each[at] for name, each in options.items()}) for at, value in enumerate(values)]
