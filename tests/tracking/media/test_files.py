"""Figures, molecules, models and clouds of points."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weft.tracking.errors import Error, UsageError
from weft.tracking.media import Molecule, Object3D, Plotly, restore

PDB = b"HETATM    1  C1  UNL     1       0.000   1.000   2.000  1.00  0.00           C\nEND\n"


def test_the_dict_of_a_plotly_figure_comes_back() -> None:
    figure = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"title": {"text": "x"}}}
    made = Plotly(figure, caption="c")
    assert made.figure == figure
    assert restore(made.record()) == made
    for wrong in (7, "text", {"layout": {}}):
        with pytest.raises(TypeError, match="Plotly"):
            Plotly(wrong)


def test_plotlys_own_figures_come_back() -> None:
    graph = pytest.importorskip("plotly.graph_objects")
    made = Plotly(graph.Figure(data=[graph.Bar(y=[1, 2])]))
    assert made.figure["data"][0]["y"] == [1, 2]
    assert graph.Figure(made.figure).data[0].y == (1, 2)


def test_molecules_of_files_open_files_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_bytes(PDB)
    by_path = Molecule(tmp_path / "a.pdb", caption="c")
    assert by_path.bytes() == PDB
    assert Molecule(io.BytesIO(PDB), "c", file_type="pdb") == by_path
    with open(tmp_path / "a.pdb") as named:
        assert Molecule(named, "c") == by_path
    assert restore(by_path.record()) == by_path
    for given, kind in ((io.BytesIO(PDB), None), (PDB, "exe"), (7, "pdb"), ("no.pdb", None), (tmp_path / "a.x", None)):
        with pytest.raises((UsageError, TypeError), match="Molecule"):
            Molecule(given, file_type=kind)


def test_molecules_of_smiles_by_rdkit_or_its_pip_line() -> None:
    try:
        import rdkit  # noqa: F401
    except ImportError:
        with pytest.raises(Error, match="pip install rdkit"):
            Molecule.from_smiles("CCO")
        return
    made = Molecule.from_smiles("CCO", caption="ethanol")
    assert made.extension == "pdb"
    assert made.bytes().count(b"HETATM") == 9
    assert made == Molecule.from_smiles("CCO", caption="ethanol")
    assert Molecule.from_smiles("CCO", convert_to_3d_and_optimize=False).bytes().count(b"HETATM") == 3
    with pytest.raises(UsageError, match="SMILES"):
        Molecule.from_smiles("this is none")


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_points_are_kept_with_class_or_colour(columns: int) -> None:
    points = np.arange(5 * columns, dtype=float).reshape(5, columns)
    made = Object3D.from_numpy(points)
    assert json.loads(made.bytes()) == points.tolist()
    assert made.extension == "pts.json"
    assert restore(made.record()) == made == Object3D(points.tolist())


def test_a_cloud_with_boxes_and_arrows() -> None:
    corners = np.zeros((8, 3))
    made = Object3D.from_point_cloud(
        np.ones((2, 3)),
        boxes=[{"corners": corners.tolist(), "label": "car", "color": [255, 0, 0]}],
        vectors=[{"start": [0, 0, 0], "end": np.array([1, 1, 1])}],
    )
    scene = json.loads(made.bytes())
    assert scene["type"] == "lidar/beta"
    assert scene["points"] == [[1, 1, 1]] * 2
    assert scene["boxes"] == [{"corners": corners.tolist(), "label": "car", "color": [255, 0, 0]}]
    assert scene["vectors"] == [{"start": [0, 0, 0], "end": [1, 1, 1]}]


def test_models_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\n")
    assert Object3D.from_file(str(tmp_path / "a.obj")).media_type == "model/obj"
    assert Object3D.from_file(io.StringIO("v 0 0 0\n"), "obj").bytes() == b"v 0 0 0\n"


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((5, 2)),
        np.zeros(5),
        np.array([["a", "b", "c"]]),
        [],
        {"type": "other", "points": []},
        {"type": "lidar/beta", "points": [[1, 2, 3]], "boxes": [{"corners": [[0, 0, 0]]}]},
        "no.obj",
        "a.txt",
        io.BytesIO(b"x"),
    ],
)
def test_what_is_nothing_in_space_is_told_at_the_call(given: Any) -> None:
    with pytest.raises((UsageError, TypeError), match="Object3D"):
        Object3D(given)
