"""Tensors of every make, logged as they are: a number, a list, a histogram, a picture; or a marker that says why."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

import weft

HUNDRED = torch.linspace(0, 1, 100)
MAKES = {
    "bfloat16": HUNDRED.bfloat16(),
    "float8": HUNDRED.to(torch.float8_e5m2),
    "scales of microscaling": torch.full((100,), 2.0).to(torch.float8_e8m0fnu),
    "requires a gradient": HUNDRED.clone().requires_grad_() * 2,
    "a parameter": torch.nn.Parameter(HUNDRED.clone()),
    "sparse": torch.diag(torch.arange(1.0, 11)).to_sparse(),
    "sparse rows": torch.diag(torch.arange(1.0, 11)).to_sparse_csr(),
    "a negative view": torch.complex(HUNDRED, HUNDRED).conj().imag,
}


@pytest.mark.parametrize("make", MAKES)
def test_every_make_is_a_histogram_of_all_its_numbers(home, make) -> None:
    with weft.init("tensors") as run:
        run.log({"x": MAKES[make]})
    found = weft.Api().run(f"tensors/{run.id}").summary["x"]
    assert (found["_type"], sum(found["values"])) == ("histogram", 100)


@pytest.mark.filterwarnings("ignore")  # torch's own, of quantisation that is about to go
def test_quantised_numbers_are_what_they_stand_for(home) -> None:
    made = torch.quantize_per_tensor(torch.tensor([[0.0, 0.5], [1.0, 0.25]]), 0.25, 0, torch.quint8)
    with weft.init("tensors") as run:
        run.log({"x": made})
        assert run.summary["x"] == [[0.0, 0.5], [1.0, 0.25]]
    assert weft.Image(made).width == 2


def test_a_tensor_without_numbers_is_a_marker_and_the_rest_is_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WEFT_STRICT", "0")
    with weft.init("tensors") as run:
        run.log({"lost": torch.ones(100, device="meta"), "loss": torch.tensor(0.5)})
    (row,) = weft.Api().run(f"tensors/{run.id}").scan_history()
    assert row["loss"] == 0.5
    assert "NotImplementedError" in str(row["lost"])


def test_a_tables_cells_are_numbers_at_once_and_keep_no_tensor(home) -> None:
    table = weft.Table(columns=["score", "logits"])
    logits = torch.tensor([[0.5, 0.0], [0.0, 1.0]]).to_sparse()
    watched = weakref.ref(logits)
    table.add_data(torch.tensor(0.5).bfloat16().requires_grad_(), logits)
    table.add_data(0.25, [[1.0]])
    del logits
    gc.collect()
    assert watched() is None
    assert table.rows == [[0.5, [[0.5, 0.0], [0.0, 1.0]]], [0.25, [[1.0]]]]
    with weft.init("tensors") as run:
        run.log({"t": table})
    assert weft.get(f"tensors/run-{run.id}-t:latest").get("t").rows == table.rows
