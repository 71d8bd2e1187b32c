"""Answers about lineage: from one version along the links of runs and versions, level by level. For `Reader`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from weft.tracking.artifacts.lineage import DIRECTIONS, Lineage, LineageEdge, LineageNode
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store import schema
from weft.tracking.store.lookups import parts, projects

NODES = 10_000
"""Most nodes of an answer, unless more are asked for."""
_PAIRS = 450
_l = schema.artifact_link.c
_v = schema.artifact_version.c
_a = schema.artifact.c


class _Version(NamedTuple):
    artifact_key: int
    digest: str


class _Run(NamedTuple):
    key: int


_Node = _Version | _Run


class _Link(NamedTuple):
    version: _Version
    run: _Run
    role: str
    at_ns: int
    used_as: str | None


def lineage(
    connection: Connection,
    project: str,
    name: str,
    version: int,
    direction: str = "both",
    depth: int | None = None,
    limit: int = NODES,
) -> Lineage:
    """See `Reader.lineage`."""
    if direction not in DIRECTIONS:
        raise UsageError(f"a lineage goes {', '.join(DIRECTIONS)}, not {direction!r:.80}")
    if depth is not None and (type(depth) is not int or depth < 0):
        raise UsageError(f"a lineage's depth is a number of steps, or None for all of them, got {depth!r:.80}")
    root = _root(connection, project, name, version)
    walk = _Walk(connection, root, limit)
    for way in ("up", "down") if direction == "both" else (direction,):
        walk.go(way, depth)
    return walk.answer()


def _root(connection: Connection, project: str, name: str, version: int) -> _Version:
    query = (
        select(_v.artifact_key, _v.digest)
        .join(schema.artifact, _a.id == _v.artifact_key)
        .join(schema.project, schema.project.c.id == _a.project_key)
        .where(schema.project.c.name == project, _a.name == name, _v.number == version)
    )
    found = connection.execute(query).first()
    if found is None:
        raise NotFoundError(f"there is no version {project}/{name}:v{version}. `weft artifacts ls` lists them")
    return _Version(*found)


class _Walk:
    """What was met so far: a node once, however many ways lead to it, so a ring ends."""

    def __init__(self, connection: Connection, root: _Version, limit: int) -> None:
        self._connection = connection
        self._root = root
        self._limit = limit
        self._met: dict[_Node, None] = {root: None}
        self._links: dict[tuple[_Version, _Run, str], _Link] = {}
        self._whole = True

    def go(self, way: str, depth: int | None) -> None:
        """Up or down from the root."""
        seen: set[_Node] = {self._root}
        waiting: list[_Node] = [self._root]
        while waiting:
            if depth is not None and depth <= 0:
                self._whole = self._whole and not any(True for _ in self._next(waiting, way))
                return
            depth = None if depth is None else depth - 1
            reached: dict[_Node, None] = {}
            for link, node in self._next(waiting, way):
                if node not in self._met:
                    if len(self._met) >= self._limit:
                        self._whole = False
                        continue
                    self._met[node] = None
                self._links[link.version, link.run, link.role] = link
                if node not in seen:
                    reached[node] = None
            seen.update(reached)
            waiting = list(reached)

    def _next(self, nodes: Iterable[_Node], way: str) -> Iterable[tuple[_Link, _Node]]:
        """Links out of these nodes, and what is at their other end."""
        versions = [node for node in nodes if isinstance(node, _Version)]
        runs = [node for node in nodes if isinstance(node, _Run)]
        for link in self._of_versions(versions, "made" if way == "up" else "used"):
            yield link, link.run
        for link in self._of_runs(runs, "used" if way == "up" else "made"):
            yield link, link.version

    def _of_versions(self, versions: list[_Version], role: str) -> Iterable[_Link]:
        wanted = set(versions)
        for part in parts(versions, _PAIRS):
            keys, digests = {node.artifact_key for node in part}, {node.digest for node in part}
            query = select(schema.artifact_link).where(
                _l.artifact_key.in_(keys), _l.digest.in_(digests), _l.role == role
            )
            for row in self._connection.execute(query.order_by(_l.at_ns, _l.run_key)):
                link = _link(row)
                if link.version in wanted:
                    yield link

    def _of_runs(self, runs: list[_Run], role: str) -> Iterable[_Link]:
        for part in parts(runs):
            query = (
                select(schema.artifact_link)
                .join(schema.artifact_version, (_v.artifact_key == _l.artifact_key) & (_v.digest == _l.digest))
                .where(_l.run_key.in_([run.key for run in part]), _l.role == role)
                .order_by(_l.at_ns, _l.artifact_key, _l.digest)
            )
            for row in self._connection.execute(query):
                yield _link(row)

    def answer(self) -> Lineage:
        named = projects(self._connection)
        nodes: dict[_Node, LineageNode] = {}
        keys = [node for node in self._met if isinstance(node, _Version)]
        for part in parts(keys, _PAIRS):
            query = select(_v.artifact_key, _v.digest, _v.number, _v.type, _a.name, _a.project_key).join(
                schema.artifact, _a.id == _v.artifact_key
            )
            digests = {node.digest for node in part}
            for row in self._connection.execute(query.where(_v.digest.in_(digests))):
                place = named.get(row.project_key, "")
                label = f"{row.name}:v{row.number}"
                nodes[_Version(row.artifact_key, row.digest)] = LineageNode(
                    f"version:{place}/{label}", "version", place, row.name, label, row.type, version=row.number
                )
        run = schema.run.c
        for part in parts([node.key for node in self._met if isinstance(node, _Run)]):
            columns = (run.id, run.run_id, run.name, run.project_key, run.state, run.job_type)
            for row in self._connection.execute(select(*columns).where(run.id.in_(part))):
                place = named.get(row.project_key, "")
                nodes[_Run(row.id)] = LineageNode(
                    f"run:{place}/{row.run_id}",
                    "run",
                    place,
                    row.run_id,
                    row.name or row.run_id,
                    row.job_type or "",
                    row.state,
                )
        edges = [
            LineageEdge(*self._ends(link, nodes), link.role, link.at_ns, link.used_as)
            for link in self._links.values()
            if link.version in nodes and link.run in nodes
        ]
        met = [nodes[node] for node in self._met if node in nodes]
        return Lineage(nodes[self._root].id, met, edges, self._whole)

    def _ends(self, link: _Link, nodes: dict[_Node, LineageNode]) -> tuple[str, str]:
        version, run = nodes[link.version].id, nodes[link.run].id
        return (run, version) if link.role == "made" else (version, run)


def _link(row: Any) -> _Link:
    return _Link(
        _Version(row.artifact_key, row.digest),
        _Run(row.run_key),
        row.role,
        row.at_ns,
        row.used_as,
    )
