"""Keras 3, on any backend: `model.fit(..., callbacks=[WeftMetricsLogger(), WeftModelCheckpoint("models")])`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from weft.integrations import recording
from weft.tracking.errors import MissingLibraryError, UsageError

try:
    import keras
except ImportError as error:
    if error.name != "keras":  # it is here; its backend is not, which it says best itself
        raise
    raise MissingLibraryError("weft.integrations.keras", "keras") from error


class WeftMetricsLogger(keras.callbacks.Callback):
    """Records loss and metrics in the active run: `epoch/<name>` over `epoch/epoch`, `batch/<name>` over
    `batch/batch_step`, and the learning rate with each.

    Args:
        log_freq: `epoch`; `batch` for each batch, too; or at every so many-th batch.
        initial_global_step: the batches of earlier calls of `fit` that are gone on with.

    Raises:
        UsageError: a `log_freq` that is none; or no run is active when the training begins.

    Example:
        >>> run = weft.init(project="digits")
        >>> model.fit(images, labels, epochs=3, callbacks=[WeftMetricsLogger(log_freq=10)])
    """

    def __init__(self, log_freq: Literal["epoch", "batch"] | int = "epoch", initial_global_step: int = 0) -> None:
        super().__init__()
        whole = isinstance(log_freq, int) and not isinstance(log_freq, bool) and log_freq > 0
        if log_freq not in ("epoch", "batch") and not whole:
            raise UsageError(f"log_freq= is 'epoch', 'batch' or a number of batches, not {log_freq!r:.80}")
        self.log_freq = log_freq
        self.global_step = initial_global_step
        self._every = 1 if log_freq == "batch" else log_freq

    def on_train_begin(self, logs: Any = None) -> None:
        run = recording.running("integrations.keras")
        run.define_metric("epoch/*", step_metric="epoch/epoch")
        if self._every != "epoch":
            run.define_metric("batch/*", step_metric="batch/batch_step")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._every != "epoch" and batch % self._every == 0:
            values = {f"batch/{name}": value for name, value in (logs or {}).items()}
            self._log(values | {"batch/batch_step": self.global_step}, "batch")
        self.global_step += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._log({f"epoch/{name}": value for name, value in (logs or {}).items()} | {"epoch/epoch": epoch}, "epoch")

    def _log(self, values: dict[str, Any], part: str) -> None:
        rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
        if rate is not None:
            values[f"{part}/learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        recording.running("integrations.keras").log(values)


class WeftModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Keras's `ModelCheckpoint`, whose files are also kept as versions of the artifact `run_<id>_model`.

    Each has the alias `epoch_<n>` (from 0, as `epoch/epoch`), or `epoch_<n>_batch_<m>`; with `save_best_only` the
    newest one is `best`, too. The numbers of that time are its metadata.

    Args:
        filepath, monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold: as
            Keras has them; a `filepath` without its ending gets it.

    Raises:
        UsageError: no run is active when the training begins.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        path = os.fspath(filepath)
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not path.endswith((ending, ".h5")):
            path += ending
        super().__init__(
            path, monitor, verbose, save_best_only, save_weights_only, mode, save_freq, initial_value_threshold
        )
        self._epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        recording.running("integrations.keras")
        super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            super().on_train_batch_end(batch, logs)
            return
        named = dict(logs or {})
        path = self._path({"batch": batch + 1} | named)
        before = _state(path)
        super().on_train_batch_end(batch, logs)
        self._keep(path, before, f"epoch_{self._epoch}_batch_{batch}", named)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        path = self._path(dict(logs or {})) if self.save_freq == "epoch" else None
        before = _state(path)
        super().on_epoch_end(epoch, logs)
        self._keep(path, before, f"epoch_{epoch}", dict(logs or {}))

    def _path(self, named: dict[str, Any]) -> Path | None:
        """Where Keras writes; None where the name asks for what there is not, which it says itself."""
        try:
            return Path(self.filepath.format(epoch=self._epoch + 1, **named))
        except KeyError:
            return None

    def _keep(self, path: Path | None, before: tuple[int, ...] | None, alias: str, logs: dict[str, Any]) -> None:
        if path is None or _state(path) in (before, None):
            return
        run = recording.running("integrations.keras")
        aliases = [alias, "best"] if self.save_best_only else [alias]
        metadata = {"epoch": self._epoch, **recording.plain(logs)}
        recording.keep_model(run, f"run_{run.id}_model", path, aliases=aliases, metadata=metadata)


def _state(path: Path | None) -> tuple[int, ...] | None:
    """What differs once a file was written anew; None: there is none."""
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
