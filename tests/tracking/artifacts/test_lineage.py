"""Lineage goes up and down through runs and versions, ends in rings, and holds with ten thousand nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.lineage import layers
from weft.tracking.artifacts.manifest import Manifest
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.records import SCHEMA, ArtifactLogged, ArtifactUsed, RunStarted
from weft.tracking.runs.starting import start_run


def _made(name: str, content: bytes) -> Artifact:
    artifact = Artifact(name, type="dataset" if name != "model" else "model")
    artifact.add_bytes(content, "a")
    return artifact


@pytest.fixture
def chain(home: Path) -> Path:
    """raw -> clean (by prepare) -> model (by train) -> report (by judge); train reads labels too."""
    with start_run(project="p", id="ingest") as run:
        run.log_artifact(_made("raw", b"raw"))
        run.log_artifact(_made("labels", b"labels"))
    for ident, reads, makes in (
        ("prepare", ["raw"], "clean"), ("train", ["clean", "labels"], "model"), ("judge", ["model"], "report"),
    ):  # fmt: skip
        with start_run(project="p", id=ident) as run:
            for name in reads:
                run.use_artifact(name)
            run.log_artifact(_made(makes, makes.encode()))
    return home


def _names(graph: object) -> set[str]:
    return {node.name for node in graph.nodes}  # type: ignore[attr-defined]


def test_up_is_what_it_came_of_and_down_what_came_of_it(chain: Path) -> None:
    with weft.Api(project="p") as api:
        assert _names(api.lineage("model", "up")) == {"model", "train", "clean", "labels", "prepare", "raw", "ingest"}
        assert _names(api.lineage("clean", "down")) == {"clean", "train", "model", "judge", "report"}
        both = api.lineage("clean")
        assert _names(both) == {"ingest", "raw", "prepare", "clean", "train", "model", "judge", "report"}
        assert both.root == "version:p/clean:v0" == both.nodes[0].id
        steps = layers(both)
        assert [steps[f"version:p/{name}:v0"] for name in ("raw", "clean", "model", "report")] == [-2, 0, 2, 4]
        near = api.lineage("clean", depth=1)
        assert (_names(near), near.whole) == ({"prepare", "clean", "train"}, False)
        assert api.lineage("report", "down").edges == []


def test_what_there_is_not_is_said(chain: Path) -> None:
    with weft.Api(project="p") as api:
        with pytest.raises(NotFoundError, match="no artifact is called 'nothing'"):
            api.lineage("nothing")
        with pytest.raises(UsageError, match="up, down, both"):
            api.lineage("raw", "sideways")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="depth"):
            api.lineage("raw", depth=-1)


def test_in_a_ring_each_stands_where_it_is_nearest(chain: Path) -> None:
    """judge read the model; what it learned makes raw again, so raw is both above and below."""
    with start_run(project="p", id="again") as run:
        run.use_artifact("report")
        run.log_artifact(_made("raw", b"raw"))
    with weft.Api(project="p") as api:
        steps = layers(api.lineage("model"))
    told = {ident.partition("/")[2]: step for ident, step in steps.items()}
    assert told == {
        "model:v0": 0, "train": -1, "clean:v0": -2, "labels:v0": -2, "prepare": -3, "ingest": -3,
        "judge": 1, "report:v0": 2, "again": 3, "raw:v0": -4,
    }  # fmt: skip
    with weft.Api(project="p") as api:  # ingest made raw, which lies to the right here
        steps = layers(api.lineage("report", "down"))
    assert (steps["version:p/raw:v0"], steps["run:p/prepare"]) == (2, 3)


def test_a_ring_ends(home: Path) -> None:
    with start_run(project="p") as run:
        run.log_artifact(_made("a", b"1"))
        run.use_artifact("a")
    with weft.Api(project="p") as api:
        graph = api.lineage("a")
    assert layers(graph) == {"version:p/a:v0": 0, f"run:p/{run.id}": -1}
    assert (len(graph.nodes), len(graph.edges)) == (2, 2)
    assert graph.to_dot().count("->") == 2


def test_a_label_cannot_break_out_of_the_graph(home: Path) -> None:
    with start_run(project="p", name='evil"]; x -> y [label="\n') as run:
        run.log_artifact(_made("a", b"1"))
    with weft.Api(project="p") as api:
        dot = api.lineage("a").to_dot()
    assert 'evil\\"]; x -> y [label=\\"' in dot
    assert len(dot.splitlines()) == 7


def test_ten_thousand_nodes_are_answered_and_more_are_said_to_be_there(home: Path) -> None:
    rt = runtime.active()
    manifests = [Manifest({"f": {"digest": f"{at:064x}", "size_bytes": 0}}) for at in range(6)]
    digests = [manifest.digest for manifest in manifests]
    for name, manifest in enumerate(manifests):
        rt.journal.append(ArtifactLogged(SCHEMA, "p", f"a{name}", "x", digests[name], manifest.canonical, 0, 1))
    last = manifests[5].canonical
    for at in range(12_000):
        uid = at.to_bytes(16, "big")
        rt.journal.append(RunStarted(SCHEMA, uid, f"r{at}", "p", f"run {at}", at))
        rt.journal.append(ArtifactUsed(SCHEMA, "p", f"a{at % 5}", digests[at % 5], uid, at))
        rt.journal.append(ArtifactLogged(SCHEMA, "p", "a5", "x", digests[5], last, 0, at + 2, run_uid=uid))
    with weft.Api(project="p") as api:
        graph = api.lineage("a5", "up")
        assert (len(graph.nodes), graph.whole) == (10_000, False)
        graph = api.lineage("a5", "up", limit=20_000)
    assert (len(graph.nodes), graph.whole) == (12_006, True)
    assert len(graph.edges) == 24_000
