"""Where the nodes of a lineage stand."""

from __future__ import annotations

from weft.tracking.artifacts.lineage import Lineage, LineageEdge, LineageNode
from weft.ui.components.graph import COLUMNS, placed


def chain(count: int) -> Lineage:
    """A version, the run that used it, what that run made, and so on; the first is looked at."""
    nodes = [
        LineageNode(str(at), "run", "p", f"r{at}", f"run {at}", "", "finished")
        if at % 2
        else LineageNode(str(at), "version", "p", f"a{at}", f"a{at}:v0", "model", None, 0)
        for at in range(count)
    ]
    edges = [LineageEdge(str(at), str(at + 1), "used" if at % 2 == 0 else "made", 0) for at in range(count - 1)]
    return Lineage("0", nodes, edges)


def test_a_chain_goes_from_left_to_right_and_every_node_is_a_link() -> None:
    drawn = placed(chain(4))
    assert [(node["column"], node["row"]) for node in drawn["nodes"]] == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert [node["href"] for node in drawn["nodes"]][:2] == [
        "/artifact?project=p&name=a0&version=v0",
        "/run?project=p&id=r1",
    ]
    assert [edge["direct"] for edge in drawn["edges"]] == [True, False, False]


def test_what_may_not_fit_in_its_frame_can_be_made_smaller() -> None:
    assert not placed(chain(COLUMNS))["zoom"]
    assert placed(chain(COLUMNS + 1))["zoom"]


def test_of_too_many_the_nearest_are_drawn() -> None:
    """With no edge that leads to one that is not."""
    drawn = placed(chain(40), most=10)
    assert [node["id"] for node in drawn["nodes"]] == [str(at) for at in range(10)]
    assert len(drawn["edges"]) == 9
