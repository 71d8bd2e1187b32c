"""Where a version comes from and what became of it: runs and versions as a graph. Frozen, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down", "both"]
DIRECTIONS = ("up", "down", "both")


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A run or a version."""

    id: str
    """`run:project/id` or `version:project/name:v3`."""
    kind: str
    """run or version."""
    project: str
    name: str
    """The run's id, or the artifact's name."""
    label: str
    """For people: the run's name, or `name:v3`."""
    type: str
    """The run's job type, or the artifact's type; empty where there is none."""
    state: str | None = None
    """Of a run: running, finished, failed, killed, crashed."""
    version: int | None = None
    """Of a version: 0, 1, 2, ..."""


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """From what was first to what came of it: a run made a version, a version was used by a run."""

    source: str
    target: str
    role: str
    """made or used."""
    at_ns: int
    used_as: str | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What can be reached from one version: everything above it, everything below, or both."""

    root: str
    nodes: Sequence[LineageNode]
    """The root first, then in the order they were met: nearer ones before."""
    edges: Sequence[LineageEdge]
    whole: bool = True
    """False: there is more than was asked for."""

    def to_dot(self) -> str:
        """The graph for Graphviz: runs are boxes, versions folders."""
        lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
        for node in self.nodes:
            shape = "box" if node.kind == "run" else "folder"
            bold = ", penwidth=2" if node.id == self.root else ""
            told = f"{node.label}\n{node.type}" if node.type else node.label
            lines.append(f"  {_quoted(node.id)} [shape={shape}, label={_quoted(told)}{bold}];")
        for edge in self.edges:
            label = f" [label={_quoted(edge.used_as)}]" if edge.used_as else ""
            lines.append(f"  {_quoted(edge.source)} -> {_quoted(edge.target)}{label};")
        return "\n".join([*lines, "}"])


def layers(lineage: Lineage) -> dict[str, int]:
    """How many steps left (negative) or right of the root each node stands.

    A ring is cut where it is farthest from the root. What leads into a part of one beside the root stands before that.
    """
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for edge in lineage.edges:
        after.setdefault(edge.source, []).append(edge.target)
        before.setdefault(edge.target, []).append(edge.source)
    found = {lineage.root: 0}
    above, below = [lineage.root], [lineage.root]
    while above or below:
        above = _next(above, before, -1, found)
        below = _next(below, after, 1, found)
    beside = list(found)
    while beside:
        beside = _next(beside, before, -1, found) + _next(beside, after, 1, found)
    return found | {node.id: 0 for node in lineage.nodes if node.id not in found}


def _next(nodes: Iterable[str], ways: Mapping[str, Sequence[str]], step: int, found: dict[str, int]) -> list[str]:
    """What is one step from these and not placed yet; now it is."""
    reached = []
    for node in nodes:
        for one in ways.get(node, ()):
            if one not in found:
                found[one] = found[node] + step
                reached.append(one)
    return reached


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(char if char.isprintable() else "?" for char in escaped)}"'
