"""The id of a removed run may be used again; what was removed stays removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.tracking import names, runtime
from weft.tracking.journal.records import SCHEMA, Removed
from weft.tracking.runs import lives, starting
from weft.tracking.store.access import open_store


def _remove(run: starting.Run) -> None:
    rt = runtime.active()
    lives.end(rt.home, run.project, run.id)
    rt.journal.append(Removed(SCHEMA, "run", run.uid, run.project, rt.ids.wall_ns()))


@pytest.mark.parametrize("chosen", [True, False])
def test_a_removed_id_is_a_new_run(home: Path, chosen: bool) -> None:
    uids = []
    ident = "mine" if chosen else None
    for life in range(3):
        with starting.init(project="p", id=ident, resume="never") as run:
            run.log({"life": life})
        ident = run.id
        uids.append(run.uid)
        with open_store() as store:
            [found] = store.reader().runs().rows
        assert (found.id, found.summary["life"]) == (ident, life)
        if life < 2:
            _remove(run)
    assert len(set(uids)) == 3
    assert uids[0] == names.uid_of("p", ident or "")
    with starting.init(project="p", id=ident, resume="must") as run:
        assert (run.uid, run.step) == (uids[-1], 1)
    with starting.init(project="q", id=ident) as run:
        assert run.uid == names.uid_of("q", ident or "")


def test_a_damaged_note_is_the_first_life(home: Path) -> None:
    active = runtime.active()
    lives.end(active.home, "p", "mine")
    [note] = (home / "runs").iterdir()
    note.write_text("nonsense")
    assert lives.uid(active.home, "p", "mine") == names.uid_of("p", "mine")
