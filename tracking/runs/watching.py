"""`run.watch(model)`: gradients and parameters of PyTorch modules as histograms, computed where the tensors lie.

Torch is the user's: it is looked up, never imported. The hooks hold names and counters, no tensor and no module; what
goes wrong in one is counted and never reaches the training.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.tracking.blobs import Blobs
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, FileSaved
from weft.tracking.media.histogram import Histogram

if TYPE_CHECKING:
    from weft.tracking.runs.run import Run

BINS = 64
LOGS = ("gradients", "parameters", "all", None)
_EXACT_COUNTS = 1 << 24
"""`histc` counts in floats: beyond this many values it would stop counting."""


class WatchError(UsageError, ValueError):
    """`watch` was asked for something that there is not."""


class Counts(NamedTuple):
    """A histogram: counts, one edge more, and how many values were NaN or infinite."""

    counts: list[float]
    edges: list[float]
    left_out: int


class Watching:
    """The modules that one run watches."""

    def __init__(self, run: Run) -> None:
        self._run = weakref.ref(run)
        self._numbers = itertools.count()
        self._handles: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
        """By module: what takes its hooks away."""
        self._pending: dict[str, Histogram] = {}
        """Of the backward pass that is going on."""

    def watch(self, models: Any, log: str | None, log_freq: int, idx: int | None, log_graph: bool) -> None:
        """As `Run.watch`."""
        torch = _torch()
        found = list(models) if isinstance(models, (tuple, list)) else [models]
        for model in found:
            if torch is None or not isinstance(model, torch.nn.Module):
                raise TypeError(f"watch() takes a torch.nn.Module or several, not {type(model).__name__}")
        if log not in LOGS:
            raise WatchError(f"watch(log=) is {log!r:.80}; it must be gradients, parameters, all or None")
        if isinstance(log_freq, bool) or not isinstance(log_freq, int) or log_freq < 1:
            raise WatchError(f"watch(log_freq=) is {log_freq!r:.80}; it must be a whole number of passes from 1 on")
        if idx is not None and (isinstance(idx, bool) or not isinstance(idx, int) or idx < 0):
            raise WatchError(f"watch(idx=) is {idx!r:.80}; it must be a whole number from 0 on")
        for model in found:
            _check(torch, model)
        for at, model in enumerate(found):
            self.unwatch([model])  # a second call for one model replaces the first
            number = next(self._numbers) if idx is None else idx + at
            self._handles[model] = self._hooked(torch, model, number, log, log_freq)
            if log_graph:
                self._graph(torch, model, number, self._handles[model])

    def _hooked(self, torch: Any, model: Any, number: int, log: str | None, log_freq: int) -> list[Any]:
        prefix = f"graph_{number}." if number else ""
        handles = []
        if log in ("parameters", "all"):
            handles.append(_register(model, self._parameter_hook(torch, prefix, log_freq)))
        if log in ("gradients", "all"):
            for name, parameter in model.named_parameters():  # a shared one comes once
                if parameter.requires_grad:
                    hook = self._gradient_hook(torch, f"gradients/{prefix}{name}", log_freq)
                    handles.append(parameter.register_hook(hook))
        return handles

    def unwatch(self, models: Any = None) -> None:
        """Take the hooks away, of all modules where none is named."""
        if models is None:
            chosen = list(self._handles)
        else:
            chosen = list(models) if isinstance(models, (tuple, list)) else [models]
        for model in chosen:
            for handle in self._handles.pop(model, ()):
                handle.remove()

    def _live(self) -> Run | None:
        run = self._run()
        return run if run is not None and run.state == "running" else None

    def _parameter_hook(self, torch: Any, prefix: str, log_freq: int) -> Callable[[Any, Any, Any], None]:
        due = _every(log_freq)

        def hook(module: Any, given: Any, said: Any) -> None:
            if torch.compiler.is_compiling() or not next(due):
                return
            run = self._live()
            if run is None:
                return
            with _guard(run, "watch parameters"):
                found = {
                    f"parameters/{prefix}{name}": histogram
                    for name, parameter in module.named_parameters()
                    if (histogram := _histogram(torch, parameter)) is not None
                }
                if found:
                    run.log(found, commit=False)

        return hook

    def _gradient_hook(self, torch: Any, key: str, log_freq: int) -> Callable[[Any], None]:
        due = _every(log_freq)

        def hook(gradient: Any) -> None:
            if torch.compiler.is_compiling() or not next(due):
                return
            run = self._live()
            if run is None:
                return
            with _guard(run, "watch gradients"):
                histogram = _histogram(torch, gradient)
                if histogram is None:
                    return
                if key in self._pending:  # the pass before broke off, and never told
                    self._pending = {}
                first = not self._pending
                self._pending[key] = histogram
                if first:
                    self._at_end_of_backward(torch)

        return hook

    def _at_end_of_backward(self, torch: Any) -> None:
        """One row for all parameters of a pass, when the pass is over; outside of one, each by itself."""
        try:
            torch.autograd.Variable._execution_engine.queue_callback(self._log_gradients)
        except RuntimeError:  # a hook that somebody called by hand
            self._log_gradients()

    def _log_gradients(self) -> None:
        pending, self._pending = self._pending, {}
        run = self._live()
        if run is not None and pending:
            with _guard(run, "watch gradients"):
                run.log(pending, commit=False)

    def _graph(self, torch: Any, model: Any, number: int, handles: list[Any]) -> None:
        """The model's layers now, and once more with the shapes that its first pass shows."""
        run = self._live()
        if run is None:
            return
        layers = {name or "(model)": _layer(module) for name, module in model.named_modules()}
        path = f"graph/graph_{number}.json"
        kind = type(model).__name__
        _keep(run, path, kind, layers)
        hooks: list[Any] = []

        def shape(name: str) -> Callable[[Any, Any, Any], None]:
            def hook(module: Any, given: Any, said: Any) -> None:
                if not torch.compiler.is_compiling():
                    layers[name].setdefault("output_shape", _shapes(said))

            return hook

        def finish(module: Any, given: Any, said: Any) -> None:
            for handle in hooks:
                handle.remove()
            live = self._live()
            if live is not None and not torch.compiler.is_compiling():
                with _guard(live, "keep a model's graph"):
                    _keep(live, path, kind, layers)

        for name, module in model.named_modules():
            hooks.append(_register(module, shape(name or "(model)")))
        hooks.append(_register(model, finish))
        handles += hooks


def _check(torch: Any, model: Any) -> None:
    """
    Raises:
        WatchError: it has parameters without a shape.
    """
    lazy = [name for name, parameter in model.named_parameters() if torch.nn.parameter.is_lazy(parameter)]
    if lazy:
        raise WatchError(f"watch() needs shapes, and {lazy[0]!r:.80} has none yet; run the model once before")


class _Hook:
    """A forward hook that stays with its module: a copy of the module, also one that is pickled or saved, gets one that
    does nothing, and no weft is needed to load it."""

    __slots__ = ("_act",)

    def __init__(self, act: Callable[[Any, Any, Any], None]) -> None:
        self._act = act

    def __call__(self, module: Any, given: Any, said: Any) -> None:
        self._act(module, given, said)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")  # takes three arguments, answers None


def _register(module: Any, act: Callable[[Any, Any, Any], None]) -> Any:
    """
    Raises:
        WatchError: it takes no hook: a module of TorchScript.
    """
    try:
        return module.register_forward_hook(_Hook(act))
    except RuntimeError as error:
        raise WatchError(f"watch() can show the gradients of this module alone (log='gradients'): {error}") from error


class _guard:  # noqa: N801 - used as a statement
    """What goes wrong inside is noted, and goes no further."""

    __slots__ = ("_run", "_what")

    def __init__(self, run: Run, what: str) -> None:
        self._run, self._what = run, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self._run.runtime.faults.note(self._what, error)
            return True
        return False


def counts_of(torch: Any, tensor: Any) -> Counts | None:
    """Counts of a tensor's values by `BINS` equal slices, on its own device; None where they cannot be looked at.

    A sparse tensor's zeros are left out.
    """
    with torch.no_grad():
        values = tensor.detach()
        if values.is_sparse:
            values = values.coalesce().values()
        if values.device.type == "meta" or not values.numel():
            return None
        if values.is_cuda and torch.cuda.is_current_stream_capturing():  # looking would break the graph
            return None
        if values.is_complex():
            values = values.abs()
        values = values.reshape(-1)
        if values.dtype not in (torch.float32, torch.float64):
            values = values.float()
        low, high = torch.stack(torch.aminmax(values)).tolist()  # one look, one wait for the device
        left_out = 0
        if not (math.isfinite(low) and math.isfinite(high)):  # a NaN anywhere makes both NaN
            sound = values[torch.isfinite(values)]
            left_out = values.numel() - sound.numel()
            if not sound.numel():
                return Counts([0], [0.0, 1.0], left_out)
            values = sound
            low, high = torch.stack(torch.aminmax(values)).tolist()
        if low == high:
            edges = [low - 0.5, high + 0.5] if low - 0.5 < high + 0.5 else [low, math.nextafter(low, math.inf)]
            return Counts([values.numel()], edges, left_out)
        if high - low > torch.finfo(values.dtype).max:  # the width itself is beyond what this type holds
            found = _counted(torch, values.double() / 2, low / 2, high / 2)
            return Counts(found, [edge * 2 for edge in _edges(low / 2, high / 2)], left_out)
        return Counts(_counted(torch, values, low, high), _edges(low, high), left_out)


def _counted(torch: Any, values: Any, low: float, high: float) -> list[float]:
    parts = [torch.histc(part, BINS, low, high).to(torch.int64) for part in values.split(_EXACT_COUNTS)]
    counts: list[float] = (parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)).tolist()
    return counts


def _edges(low: float, high: float) -> list[float]:
    return [low + (high - low) * at / BINS for at in range(BINS)] + [high]


def _histogram(torch: Any, tensor: Any) -> Histogram | None:
    found = counts_of(torch, tensor)
    if found is None:
        return None
    histogram = Histogram(np_histogram=(found.counts, found.edges))
    histogram.left_out = found.left_out
    return histogram


def _every(count: int) -> Iterator[bool]:
    """True at every `count`-th look, as wandb counts."""
    for at in itertools.count(1):
        yield at % count == 0


def _torch() -> Any:
    return sys.modules.get("torch")


def _layer(module: Any) -> dict[str, Any]:
    own = list(module.parameters(recurse=False))
    every = list(module.parameters())
    return {
        "type": type(module).__name__,
        "parameters": sum(parameter.numel() for parameter in every),
        "trainable": sum(parameter.numel() for parameter in every if parameter.requires_grad),
        "shapes": [list(parameter.shape) for parameter in own],
        "leaf": not any(True for _ in module.children()),
    }


def _shapes(said: Any) -> Any:
    """Of whatever a module answers: a tensor's shape, or those inside."""
    if hasattr(said, "shape"):
        return [int(size) for size in said.shape]
    if isinstance(said, dict):
        return {str(name): _shapes(value) for name, value in said.items()}
    if isinstance(said, Sequence) and not isinstance(said, str):
        return [_shapes(value) for value in said]
    return None


def _keep(run: Run, path: str, kind: str, layers: dict[str, dict[str, Any]]) -> None:
    if not run.runtime.recording:
        return
    data = json.dumps({"model": kind, "layers": layers}).encode()
    digest = Blobs(run.home).put(data)
    at_ns = run.runtime.ids.wall_ns()
    run.runtime.journal.append(FileSaved(SCHEMA, run.uid, at_ns, path, digest, len(data), "graph"))
