"""`run.watch` on real PyTorch: what it counts is right, it keeps nothing alive, and training goes on regardless."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
from weft.tracking.blobs import Blobs
from weft.tracking.journal.records import FileSaved, MetricsLogged, Record
from weft.tracking.runs.run import Run
from weft.tracking.runs.watching import BINS, counts_of

Journaled = Callable[[], list[Record]]


@pytest.fixture
def run(home: Any) -> Run:
    return weft.init("p")


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


def _step(model: torch.nn.Module, scale: float = 1.0) -> None:
    model(torch.ones(3, 4) * scale).sum().backward()


def _rows(journaled: Journaled) -> list[tuple[int, dict[str, Any], dict[str, float]]]:
    return [
        (record.step, json.loads(record.rich or b"{}"), dict(record.values))
        for record in journaled()
        if isinstance(record, MetricsLogged)
    ]


def _histograms(journaled: Journaled) -> dict[str, Any]:
    return {name: value for _, rich, _ in _rows(journaled) for name, value in rich.items()}


def test_gradients_share_the_step_that_is_logged_next(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log_freq=2)
    for at in range(4):
        _step(model)
        run.log({"loss": at})
    steps: dict[int, set[str]] = {}
    for step, rich, values in _rows(journaled):
        steps.setdefault(step, set()).update(rich, values)
    names = {f"gradients/{name}" for name, _ in model.named_parameters()}
    assert steps == {0: {"loss"}, 1: {"loss"} | names, 2: {"loss"}, 3: {"loss"} | names}
    assert len(_rows(journaled)) == 6, "one row for all parameters of a pass"


def test_a_histogram_counts_every_value(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log="all", log_freq=1)
    _step(model)
    found = _histograms(journaled)
    for name, parameter in model.named_parameters():
        for what, tensor in (("gradients", parameter.grad), ("parameters", parameter)):
            assert tensor is not None
            kept = found[f"{what}/{name}"]
            assert sum(kept["values"]) == tensor.numel()
            if len(kept["values"]) == BINS:
                expected, edges = np.histogram(tensor.detach().numpy(), bins=BINS)
                assert kept["bins"] == pytest.approx(edges.tolist(), abs=1e-5)
                assert sum(abs(np.asarray(kept["values"]) - expected)) <= 4, "values on an edge may fall to either side"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(width=32), max_size=200),
    st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]),
)
def test_any_numbers_can_be_counted(values: list[float], dtype: torch.dtype) -> None:
    tensor = torch.tensor(values, dtype=torch.float64).to(dtype)
    found = counts_of(torch, tensor)
    if not values:
        assert found is None
        return
    assert found is not None
    finite = [value for value in tensor.tolist() if math.isfinite(value)]
    assert found.left_out == len(values) - len(finite)
    assert sum(found.counts) == len(finite)
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges == sorted(found.edges)
    if finite:
        assert found.edges[0] <= min(finite)
        assert found.edges[-1] >= max(finite)


def test_more_values_than_a_float_counts() -> None:
    found = counts_of(torch, torch.cat([torch.zeros((1 << 24) + 5), torch.ones(3)]))
    assert found is not None
    assert sum(found.counts) == (1 << 24) + 8


def test_odd_tensors() -> None:
    assert counts_of(torch, torch.empty(3, device="meta")) is None
    assert counts_of(torch, torch.empty(0)) is None
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 2]]), torch.tensor([1.0, 3.0]), (5,))
    found = counts_of(torch, sparse)
    assert found is not None
    assert sum(found.counts) == 2
    for tensor in (torch.tensor([1, 2, 3]), torch.tensor([True, False]), torch.tensor([1 + 2j])):
        found = counts_of(torch, tensor)
        assert found is not None
        assert sum(found.counts) == tensor.numel()


def test_nothing_is_kept_alive(run: Run) -> None:
    model = _model()
    run.watch(model, log="all", log_freq=1, log_graph=True)
    _step(model)
    run.log({"loss": 1})
    parameter = weakref.ref(next(model.parameters()))
    gradient = weakref.ref(next(model.parameters()).grad)  # type: ignore[arg-type]
    watched = weakref.ref(model)
    del model
    gc.collect()
    assert (watched(), parameter(), gradient()) == (None, None, None)


def test_training_is_the_same_with_and_without(run: Run) -> None:
    """No gradient, no parameter and no random number differs."""
    plain, watched = _model(), _model()
    run.watch(watched, log="all", log_freq=1, log_graph=True)
    ends = []
    for model in (plain, watched):
        torch.manual_seed(1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(3, 4)).pow(2).sum().backward()
            optimizer.step()
        ends.append(([parameter.detach().clone() for parameter in model.parameters()], torch.rand(1)))
    assert all(torch.equal(one, other) for one, other in zip(ends[0][0], ends[1][0], strict=True))
    assert torch.equal(ends[0][1], ends[1][1])


def test_nan_and_infinite_gradients_are_counted_apart(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log_freq=1)
    _step(model, math.nan)
    found = _histograms(journaled)["gradients/0.weight"]
    assert found["left_out"] == 32
    assert sum(found["values"]) == 0


def test_a_second_model_has_a_prefix_and_unwatch_takes_hooks_away(run: Run, journaled: Journaled) -> None:
    first, second = _model(), _model()
    run.watch((first, second), log_freq=1)
    _step(first)
    _step(second)
    found = _histograms(journaled)
    assert {"gradients/0.weight", "gradients/graph_1.0.weight"} <= set(found)
    run.unwatch(second)
    before = len(_rows(journaled))
    _step(second)
    assert len(_rows(journaled)) == before
    run.unwatch()
    _step(first)
    assert len(_rows(journaled)) == before
    assert not any(parameter._backward_hooks for parameter in first.parameters())


def test_watching_twice_counts_once(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log_freq=1)
    run.watch(model, log_freq=1)
    _step(model)
    assert len(_rows(journaled)) == 1


def test_shared_and_frozen_parameters(run: Run, journaled: Journaled) -> None:
    model = _model()
    model.append(torch.nn.ReLU())  # type: ignore[operator]
    model.append(torch.nn.Linear(2, 8))  # type: ignore[operator]
    model.append(model[2])  # type: ignore[index,operator]
    model[0].weight.requires_grad_(False)  # type: ignore[index,operator]
    run.watch(model, log="all", log_freq=1)
    _step(model)
    names = set(_histograms(journaled))
    assert "gradients/0.weight" not in names
    assert "parameters/0.weight" in names
    assert {name for name in names if name.endswith(("2.weight", "5.weight"))} == {
        "gradients/2.weight",
        "parameters/2.weight",
    }


def test_after_the_run_the_hooks_are_gone_and_training_goes_on(run: Run) -> None:
    model = _model()
    run.watch(model, log="all", log_freq=1)
    run.finish()
    _step(model)
    assert not model._forward_hooks


def test_a_hook_that_fails_harms_no_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model()
    run.watch(model, log="all", log_freq=1)
    run.runtime.faults.strict = False

    def broken(*given: Any) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(torch, "histc", broken)
    _step(model)
    assert run.runtime.faults.counts["watch gradients"] > 0
    assert run.runtime.faults.counts["watch parameters"] > 0


def test_a_pass_that_breaks_off_does_not_end_the_watching(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log_freq=1)

    def refuse(gradient: Any) -> None:
        raise ArithmeticError("not today")

    handle = model[0].weight.register_hook(refuse)  # type: ignore[index,operator,union-attr]
    with pytest.raises(ArithmeticError):
        _step(model)
    handle.remove()
    _step(model)
    assert "gradients/0.weight" in _histograms(journaled)


def test_a_watched_model_is_copied_saved_and_sent_and_its_copies_are_not_watched(
    run: Run, journaled: Journaled, tmp_path: Path
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    run.watch(model, log="all", log_freq=1, log_graph=True)
    torch.save(model, tmp_path / "model.pt")
    loaded = torch.load(tmp_path / "model.pt", weights_only=False)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded]
    given = torch.ones(1, 3)
    for other in others:
        assert torch.equal(other(given), model[0](given).relu())
        other(given).sum().backward()
    run.log({"loss": 1})
    assert _histograms(journaled) == {}
    model(given)
    run.log({"loss": 1})
    assert set(_histograms(journaled)) == {"parameters/0.weight", "parameters/0.bias"}
    code = (
        "import sys, torch\nsys.modules['weft'] = None  # as if it was not installed\n"
        "assert torch.load(sys.argv[1], weights_only=False)(torch.ones(1, 3)).shape == (1, 2)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.pt")], check=True, cwd=tmp_path)


def test_what_no_hook_can_reach_is_said_at_the_call(run: Run) -> None:
    with pytest.raises(ValueError, match=r"'0\.weight' has none yet; run the model once before"):
        run.watch(torch.nn.Sequential(torch.nn.LazyLinear(3)))
    with pytest.raises(ValueError, match="gradients of this module alone"):
        run.watch(torch.jit.script(torch.nn.Linear(3, 2)), log="all")


def test_a_compiled_model_trains_and_shows_its_gradients(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log="all", log_freq=1)
    compiled = torch.compile(model, backend="aot_eager")
    _step(compiled)
    run.log({"loss": 1})
    assert "gradients/0.weight" in _histograms(journaled)
    around = torch.compile(_model(), backend="aot_eager")
    run.watch(around, log="all", log_freq=1)
    _step(around)
    assert any(name.startswith("parameters/graph_1.") for name in _histograms(journaled))


def test_the_graph_has_layers_shapes_and_counts(run: Run, journaled: Journaled) -> None:
    model = _model()
    run.watch(model, log=None, log_graph=True)
    model(torch.ones(3, 4))
    kept = [record for record in journaled() if isinstance(record, FileSaved)]
    assert [(record.path, record.kind) for record in kept] == [("graph/graph_0.json", "graph")] * 2
    graph = json.loads(Blobs(run.home).read(kept[-1].digest))
    assert graph["model"] == "Sequential"
    assert graph["layers"]["(model)"]["parameters"] == 4 * 8 + 8 + 8 * 2 + 2
    assert graph["layers"]["0"] == {
        "type": "Linear",
        "parameters": 40,
        "trainable": 40,
        "shapes": [[8, 4], [8]],
        "leaf": True,
        "output_shape": [3, 8],
    }
    assert not model._forward_hooks
    copy.deepcopy(model)


@pytest.mark.parametrize("models", [None, "model", object(), [torch.nn.Linear(1, 1), 5]])
def test_what_is_no_module_is_a_type_error(run: Run, models: Any) -> None:
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        run.watch(models)


@pytest.mark.parametrize("wrong", [{"log": "weights"}, {"log_freq": 0}, {"log_freq": "5"}, {"idx": -1}])
def test_what_is_asked_wrongly_is_said_at_the_call(run: Run, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="watch"):
        run.watch(_model(), **wrong)
    with pytest.raises(weft.Error):
        run.watch(_model(), **wrong)


def test_the_front_door(run: Run, journaled: Journaled) -> None:
    model = _model()
    weft.watch(model, None, "gradients", 1)
    _step(model)
    weft.unwatch(model)
    assert "gradients/0.weight" in _histograms(journaled)
