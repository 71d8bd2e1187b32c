"""Removing runs: what keeps one, and the tombstone that keeps it out from then on. Its id may be used again.

Called by `weft runs rm`, `weft rm` and `weft.Api().run(...).delete()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import SCHEMA, Removed
from weft.tracking.runs import lives
from weft.tracking.store.readmodels import RunRecord

if TYPE_CHECKING:
    from weft.tracking.store.reader import Reader

_PAGE = 500


def keepers(reader: Reader, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Why a run must stay, in words, by uid: it is running, a version that it made is linked in the registry, or a run
    that is not among these was forked from it and reads its history."""
    if not runs:
        return {}
    going = {run.uid for run in runs}
    forks: dict[str, str] = {}
    linked = _linked(reader)
    after = None
    while True:
        page = reader.runs({"forked_from": {"$exists": True}}, limit=_PAGE, after=after)
        for run in page.rows:
            if run.forked_from is not None and run.uid not in going:
                forks[run.forked_from] = f"{run.project}/{run.id} was forked from it"
        after = page.cursor
        if after is None:
            break
    found: dict[str, str] = {}
    for run in runs:
        if run.state == "running":
            found[run.uid] = "it is running"
        elif (path := f"{run.project}/{run.id}") in linked:
            found[run.uid] = linked[path]
        elif run.uid in forks:
            found[run.uid] = forks[run.uid]
    return found


def keepers_now(reader: Reader, runs: Sequence[RunRecord]) -> dict[str, str]:
    """The same of runs that were read a while ago, before somebody was asked whether they should go."""
    found: list[RunRecord] = []
    for start in range(0, len(runs), _PAGE):
        found += reader.runs({"uid": {"$in": [run.uid for run in runs[start : start + _PAGE]]}}, limit=None).rows
    there = {run.uid for run in found}
    return {run.uid: "it was removed meanwhile" for run in runs if run.uid not in there} | keepers(reader, found)


def _linked(reader: Reader) -> dict[str, str]:
    """By `project/id`: the version that the run made and the registry holds."""
    found: dict[str, str] = {}
    for collection in reader.collections(None, limit=None).rows:
        for link in collection.links:
            where = {"project": link.project, "name": link.name, "digest": link.digest}
            for version in reader.artifacts(where, limit=1, manifests=False).rows:
                said = f"it made {link.project}/{link.name}:v{version.version}, linked as {collection.path}"
                found |= dict.fromkeys(version.maker_paths, f"{said}:v{link.number}")
    return found


def remove_runs(runs: Iterable[RunRecord]) -> None:
    """Write their tombstones. The caller has asked `keepers`; where it asked somebody besides, `keepers_now`.

    Raises:
        UsageError: mode is disabled, which writes nothing.
        OSError: the home cannot say that the id may be used again; that run, and those behind it, stay.
    """
    rt = runtime.active()
    if not rt.recording:
        raise UsageError("nothing can be removed in mode disabled, which writes nothing: unset WEFT_MODE")
    for run in runs:
        uid = bytes.fromhex(run.uid)
        if lives.uid(rt.home, run.project, run.id) == uid:  # else the id has gone on to another run already
            lives.end(rt.home, run.project, run.id)
        rt.journal.append(Removed(SCHEMA, "run", uid, run.project, rt.ids.wall_ns()))
