"""Runs go on where they ended: at the next step, with what they had, by the rules of `resume`, rewind and fork."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import Record, RunRewound
from weft.tracking.runs import starting
from weft.tracking.runs.resuming import moment
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store
from weft.tracking.store.readmodels import RunRecord


def _stored(**where: Any) -> RunRecord:
    with open_store() as store:
        [found] = store.reader().runs(where).rows
        return found


def _steps(uid: str, key: str = "x") -> list[int]:
    with open_store() as store:
        return list(store.reader().history(uid)[key].steps)


def _first(**arguments: Any) -> None:
    with starting.init(project="p", id="mine", **arguments) as run:
        for value in range(10):
            run.log({"x": value})


def test_must_and_never_say_what_there_is(home: Path) -> None:
    with pytest.raises(UsageError, match="there is no run p/mine"):
        starting.init(project="p", id="mine", resume="must")
    with pytest.raises(UsageError, match="needs the id"):
        starting.init(project="p", resume="must")
    _first()
    with pytest.raises(UsageError, match="there is a run p/mine already"):
        starting.init(project="p", id="mine", resume="never")
    with starting.init(project="p", id="other", resume="never") as run:
        assert not run.resumed
    with pytest.raises(UsageError, match="allow, must, never, auto"):
        starting.init(project="p", id="mine", resume="perhaps")


@pytest.mark.parametrize("resume", ["allow", "must", "auto", True])
def test_an_existing_run_goes_on_at_the_next_step(home: Path, resume: Any) -> None:
    _first()
    with starting.init(project="p", id="mine", resume=resume) as run:
        assert run.resumed
        assert run.step == run.starting_step == 10
        run.log({"x": 10})
    found = _stored(id="mine")
    assert (found.state, found.step, found.summary["x"]) == ("finished", 10, 10)
    assert _steps(found.uid) == list(range(11))


@pytest.mark.parametrize("resume", ["allow", "auto"])
def test_an_absent_run_is_a_new_one(home: Path, resume: str) -> None:
    with starting.init(project="p", id="new", resume=resume) as run:
        assert not run.resumed
        assert run.step == 0


def test_a_run_without_rows_goes_on_at_step_0(home: Path) -> None:
    starting.init(project="p", id="mine").finish()
    with starting.init(project="p", id="mine", resume="must") as run:
        assert run.resumed
        assert run.step == 0


def test_a_generated_id_can_be_resumed(home: Path) -> None:
    """As scripts do that keep `run.id` in their checkpoint."""
    with starting.init(project="p") as run:
        run.log({"x": 1})
    with starting.init(project="p", id=run.id, resume="must") as again:
        assert (again.uid, again.step, again.name) == (run.uid, 1, run.name)


def test_runtime_adds_up(home: Path) -> None:
    _first()
    before = _stored(id="mine").runtime_s
    assert before > 0
    starting.init(project="p", id="mine", resume="must").finish()
    found = _stored(id="mine")
    assert found.runtime_s > before
    assert len(found.sessions) == 2
    assert min(found.sessions.values()) == 0
    assert max(found.sessions.values()) == round(before * 1e9)


def test_what_is_given_replaces_and_what_is_not_is_kept(home: Path) -> None:
    _first(tags=("a", "b"), notes="why", name="first", group="g", job_type="train", config={"lr": 1, "bs": 2})
    with starting.init(project="p", id="mine", resume="must") as run:
        assert (run.tags, run.notes, run.name, run.group, run.job_type) == (("a", "b"), "why", "first", "g", "train")
        assert run.config.as_dict() == {"lr": 1, "bs": 2}
    found = _stored(id="mine")
    assert (tuple(found.tags), found.notes, found.name, found.group) == (("a", "b"), "why", "first", "g")
    with starting.init(project="p", id="mine", resume="must", tags=("c",), notes="other", config={"lr": 3}) as run:
        assert run.config.as_dict() == {"lr": 3, "bs": 2}
    found = _stored(id="mine")
    assert (tuple(found.tags), found.notes, found.config) == (("c",), "other", {"lr": 3, "bs": 2})


def test_the_same_id_without_resume_keeps_its_name(home: Path) -> None:
    _first(name="given")
    starting.init(project="p", id="mine").finish()
    assert _stored(id="mine").name == "given"


def test_the_same_id_without_resume_begins_anew(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As with wandb, but that what was there stays in the store; and it is said."""
    with starting.init(project="p", id="mine", config={"lr": 1, "old": 2}) as run:
        for value in range(10):
            run.log({"x": value, "gone": 1})
        run.summary["best"] = 3
    caplog.clear()
    with starting.init(project="p", id="mine", config={"lr": 5}) as run:
        assert (run.step, run.resumed, run.config.as_dict()) == (0, False, {"lr": 5})
        run.log({"x": 100})
        run.log({"x": 101})
    [line] = [record.getMessage() for record in caplog.records if "begins anew" in record.getMessage()]
    assert "steps up to 9" in line
    found = _stored(id="mine")
    assert (found.state, found.step, found.config, found.summary) == ("finished", 1, {"lr": 5}, {"x": 101.0})
    with open_store() as store:
        history = store.reader().history(found.uid)
    assert list(history) == ["x"]
    assert (list(history["x"].steps), list(history["x"].values)) == ([0, 1], [100.0, 101.0])
    with starting.init(project="p", id="mine", resume="must") as run:
        assert run.step == 2


def test_a_fresh_id_is_said_to_nobody_and_loads_no_database(tmp_path: Path) -> None:
    body = "import sys, weft\nfor n in 'ab': weft.init(project='p', id=n).finish()\nprint('sqlalchemy' in sys.modules)"
    environment = {**os.environ, "WEFT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout == "False\n"
    assert "anew" not in done.stderr
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.parametrize("beside", [{"RANK": "1"}, {"WEFT_RUN_ID": "mine"}, {"WEFT_NOTHING": ""}])
def test_who_joins_a_run_begins_nothing_anew(
    home: Path, beside: dict[str, str], journaled: Callable[[], list[Record]]
) -> None:
    """Ranks, children that find the id in their environment, and a second leader while the first one lives."""
    arguments = "" if "WEFT_RUN_ID" in beside else ", id='mine'"
    body = f"import weft\nrun = weft.init(project='p'{arguments})\nrun.log({{'y': 1}})\nprint(run.id)"
    with starting.init(project="p", id="mine") as run:
        run.log({"x": 1})
        done = subprocess.run(
            [sys.executable, "-c", body],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "WEFT_HOME": str(home), **beside},
        )
        assert done.stdout == "mine\n"
        run.log({"x": 2})
    assert not [record for record in journaled() if isinstance(record, RunRewound)]
    assert _steps(_stored(id="mine").uid) == [0, 1]


def test_late_steps_of_a_resumed_run_are_marked(home: Path) -> None:
    _first()
    with starting.init(project="p", id="mine", resume="must") as run:
        run.log({"x": -1}, step=4)
        run.log({"x": 10})
    found = _stored(id="mine")
    with open_store() as store:
        assert store.reader().history(found.uid)["x"].late == 1
    assert _steps(found.uid) == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10]


AUTO = """
import sys, weft
run = weft.init(project="p", resume="auto", **eval(sys.argv[2]))
print(run.id, run.resumed, run.step)
run.log({"x": 1})
exec(sys.argv[1])
"""


def _auto(tmp_path: Path, then: str, **arguments: Any) -> list[str]:
    done = subprocess.run(
        [sys.executable, "train.py", then, repr(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "home")},
    )
    return done.stdout.split() + ([done.stderr] if "WARNING" in done.stderr or "not resumed" in done.stderr else [])


def test_auto_goes_on_until_a_run_ended_well(tmp_path: Path) -> None:
    """Killed, failed: the next start of this program is the same run. Exit code 0: it is a new one."""
    (tmp_path / "train.py").write_text(AUTO)
    first = _auto(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert first[1:] == ["False", "0"]
    assert _auto(tmp_path, "raise ValueError") == [first[0], "True", "1"]
    assert _auto(tmp_path, "import sys; sys.exit(2)") == [first[0], "True", "2"]
    other = _auto(tmp_path, "weft.finish(1)", id="chosen")
    assert other[:3] == ["chosen", "False", "0"]
    assert "that did not end well is not resumed" in other[3]
    assert _auto(tmp_path, "pass") == ["chosen", "True", "1"]
    assert _auto(tmp_path, "pass")[1:] == ["False", "0"]


def test_a_broken_note_of_auto_is_ignored(home: Path) -> None:
    run = starting.init(project="p", resume="auto")
    run.finish(1)
    [note] = (home / "resume").iterdir()
    note.write_text("{broken")
    with starting.init(project="p", resume="auto") as again:
        assert again.id != run.id
    assert not list((home / "resume").iterdir())


def test_rewound_a_run_goes_on_after_that_step(home: Path, journaled: Callable[[], list[Record]]) -> None:
    _first()
    with starting.init(project="p", resume_from="mine?_step=3") as run:
        assert (run.id, run.resumed, run.step) == ("mine", True, 4)
        run.log({"x": 40})
    assert [record.step for record in journaled() if isinstance(record, RunRewound)] == [3]
    found = _stored(id="mine")
    assert _steps(found.uid) == [0, 1, 2, 3, 4]
    assert found.summary["x"] == 40
    with starting.init(project="p", id="mine", resume="must") as run:
        assert run.step == 5


def test_a_fork_begins_with_the_others_history(home: Path) -> None:
    _first(config={"lr": 1})
    with starting.init(project="p", id="fork", fork_from="mine?_step=3") as run:
        assert (run.id, run.resumed, run.step) == ("fork", False, 4)
        run.log({"x": 40})
    fork = _stored(id="fork")
    assert (fork.forked_from, fork.forked_step) == (_stored(id="mine").uid, 3)
    assert _steps(fork.uid) == [0, 1, 2, 3, 4]
    assert _steps(_stored(id="mine").uid) == list(range(10))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"resume_from": "mine?_step=3", "resume": "allow"}, "one of resume="),
        ({"resume_from": "mine?_step=3", "fork_from": "mine?_step=3"}, "one of resume="),
        ({"resume_from": "mine?_step=3", "id": "other"}, "is another one"),
        ({"fork_from": "mine?_step=3", "id": "mine"}, "Choose another id"),
        ({"resume_from": "mine?_step=99"}, "ends with step 9"),
        ({"fork_from": "gone?_step=1"}, "there is no run p/gone"),
        ({"resume_from": "mine"}, "takes"),
        ({"fork_from": "mine?loss=3"}, "takes"),
    ],
)
def test_contradictions_raise_at_init(home: Path, arguments: dict[str, str], says: str) -> None:
    _first()
    with pytest.raises(UsageError, match=says):
        starting.init(project="p", **arguments)


def test_a_moment_is_an_id_and_a_step() -> None:
    assert moment("fork_from", "a-b?_step=12") == ("a-b", 12)


def test_a_store_that_cannot_be_read_stops_no_training(tmp_path: Path) -> None:
    """`allow` goes on, and says so; `must` demands what only the store knows."""
    settings = Settings.resolve(home=tmp_path / "home", store_url="sqlite:////dev/null/none.db", strict=False)
    active = runtime.configure(settings)
    with starting.init(project="p", id="mine", resume="allow") as run:
        run.log({"x": 1})
    assert active.faults.counts["look up run p/mine to resume it"] == 1
    with pytest.raises(Exception, match=r"none\.db"):
        starting.init(project="p", id="mine", resume="must")


def test_resume_in_mode_disabled_asks_nobody(tmp_path: Path) -> None:
    runtime.configure(Settings.resolve(home=tmp_path / "never", strict=True))
    with starting.init(project="p", id="mine", resume="must", mode="disabled") as run:
        run.log({"x": 1})
        assert run.disabled
    assert not (tmp_path / "never").exists()
