"""What the integrations share: the run they record to, and models kept as artifacts. Imports no training library."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from weft.tracking import names, runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.contents import Policy
from weft.tracking.errors import UsageError
from weft.tracking.runs import activerun
from weft.tracking.runs.run import Run

KEEP = "keep a model"
"""The cause under which models that could not be written are counted."""
_PLAIN = (str, int, float, bool, type(None))


def running(what: str) -> Run:
    """The active run.

    Raises:
        UsageError: there is none.
    """
    return runtime.active().active_run or activerun.none(what)


def keep_model(
    run: Run,
    name: str,
    source: Path | Callable[[Path], object],
    *,
    path: str | None = None,
    policy: Policy = "mutable",
    aliases: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Artifact | None:
    """Log a model as a version of type `model`. Whatever goes wrong is counted, not raised.

    Args:
        source: its file or folder; or what writes it into an empty folder, which is gone afterwards.
        path: what a file is called in the artifact.
        policy: as of `Artifact.add_file`.

    Returns:
        The artifact; None where there is none.
    """
    if run.disabled:
        return None
    try:
        with ExitStack() as stack:
            if not isinstance(source, Path):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-model-")))
                source(folder)
                source, policy = folder, "immutable"  # nobody else writes there
            artifact = Artifact(names.artifact_name(name), "model", metadata=metadata)
            if source.is_dir():
                artifact.add_dir(source, policy=policy)
            else:
                artifact.add_file(source, path, policy=policy)
            return run.log_artifact(artifact, aliases=list(aliases))
    except Exception as error:  # a full disk, or a model that its library cannot write: the training goes on
        run.runtime.faults.note(KEEP, error)
        return None


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a configuration takes them: what is no plain value is told in its own words."""
    return {str(key): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of NumPy's
        return value.item()
    return value if isinstance(value, _PLAIN) else str(value)


def variable(name: str) -> str | None:
    """`WEFT_<name>`, else `WANDB_<name>`; None where neither says anything."""
    return os.environ.get(f"WEFT_{name}") or os.environ.get(f"WANDB_{name}") or None


def one_of(what: str, value: Any, allowed: Iterable[Any]) -> Any:
    """The value, if it may be.

    Raises:
        UsageError: it is none of those allowed.
    """
    if not any(value is each or (type(value) is type(each) and value == each) for each in allowed):
        raise UsageError(f"{what} is one of {', '.join(map(repr, allowed))}, not {value!r:.80}")
    return value
