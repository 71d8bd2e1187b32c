"""Lineage drawn as a graph whose nodes are links (`graph.js`). Where each node stands is worked out here."""

from __future__ import annotations

from typing import Any

from weft.tracking.artifacts.lineage import Lineage, LineageNode, layers
from weft.ui import links
from weft.ui.components.bundle import load
from weft.ui.values import encodable

_render = load("graph")
SHOWN = 300
"""Nodes that are drawn: the nearest ones."""
COLUMNS, ROWS = 3, 11
"""A larger graph may not fit in its frame, and has buttons that make it smaller."""
_ZOOM_PX = 32
_ROW_PX = 52
_MOST_PX = 622
_AROUND_PX = 26


def graph(lineage: Lineage, *, key: str) -> int:
    """Draw it; how many of its nodes are left out."""
    data = placed(lineage)
    height = min(_MOST_PX, data["rows"] * _ROW_PX + _AROUND_PX)
    _render(key=key, data=data, height=height + (_ZOOM_PX if data["zoom"] else 0))
    return len(lineage.nodes) - len(data["nodes"])


def placed(lineage: Lineage, most: int = SHOWN) -> dict[str, Any]:
    """Nodes by column (steps from the root) and row, in the middle of their columns."""
    steps = layers(lineage)
    near = sorted(lineage.nodes, key=lambda node: abs(steps[node.id]))[:most]
    columns: dict[int, list[LineageNode]] = {}
    for node in near:
        columns.setdefault(steps[node.id], []).append(node)
    first, rows = min(columns), max(map(len, columns.values()))
    nodes = [
        {
            "id": node.id,
            "column": step - first,
            "row": at + (rows - len(held)) / 2,
            "kind": node.kind,
            "root": node.id == lineage.root,
            "label": encodable(node.label),
            "sub": encodable(" · ".join(part for part in (node.kind, node.type, node.state or "") if part)),
            "title": encodable(f"{node.project}/{node.label}"),
            "href": _href(node),
        }
        for step, held in sorted(columns.items())
        for at, node in enumerate(held)
    ]
    drawn = {node["id"] for node in nodes}
    edges = [
        {
            "source": edge.source,
            "target": edge.target,
            "direct": lineage.root in (edge.source, edge.target),
            "text": encodable(edge.used_as) if edge.used_as else "",
        }
        for edge in lineage.edges
        if edge.source in drawn and edge.target in drawn
    ]
    across = max(columns) - first + 1
    return {"nodes": nodes, "edges": edges, "columns": across, "rows": rows, "zoom": across > COLUMNS or rows > ROWS}


def _href(node: LineageNode) -> str:
    if node.kind == "run":
        return links.run(node.project, node.name)
    return links.artifact(node.project, node.name, node.version or 0)
