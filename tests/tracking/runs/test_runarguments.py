"""Arguments win over weft's variables, these over wandb's; a mistake in a variable ends no program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.errors import ConfigError, UsageError
from weft.tracking.journal.records import Record, RunFinished, RunStarted
from weft.tracking.payloads.encoding import decode
from weft.tracking.runs import runarguments, starting
from weft.tracking.settings import Settings

NAMES = ("PROJECT", "ENTITY", "NAME", "NOTES", "RUN_GROUP", "JOB_TYPE", "RUN_ID", "TAGS")


@pytest.fixture(autouse=True)
def _nothing_said() -> None:
    runarguments.say_once.cache_clear()


def _facts(run: starting.Run) -> tuple[Any, ...]:
    return (run.project, run.entity, run.name, run.notes, run.group, run.job_type, run.id, run.tags)


def test_arguments_then_wefts_then_wandbs_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(f"WANDB_{name}", f"wandb-{name.lower()}")
    with starting.init() as run:
        assert _facts(run) == (*(f"wandb-{name.lower()}" for name in NAMES[:-1]), ("wandb-tags",))
    for name in NAMES:
        monkeypatch.setenv(f"WEFT_{name}", f"weft-{name.lower()}")
    runtime.configure(Settings.resolve(home=home, strict=True))
    with starting.init() as run:
        assert _facts(run) == (*(f"weft-{name.lower()}" for name in NAMES[:-1]), ("weft-tags",))
    given = ("p", "e", "n", "o", "g", "j", "i", ("t",))
    arguments = dict(zip(("project", "entity", "name", "notes", "group", "job_type", "id", "tags"), given, strict=True))
    with starting.init(**arguments) as run:
        assert _facts(run) == given


def test_tags_in_a_variable_have_commas_between(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_TAGS", "a, b,,c")
    with starting.init() as run:
        assert run.tags == ("a", "b", "c")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WANDB_PROJECT", "a/b"),
        ("WANDB_RUN_ID", "a:b"),
        ("WANDB_TAGS", "x" * 65),
        ("WANDB_MODE", "sometimes"),
        ("WANDB_RESUME", "bla"),
        ("WEFT_RESUME", "bla"),
        ("WANDB_CONFIG_PATHS", "nope.yaml"),
        ("WANDB_DIR", "~nobody-of-this-name/x"),
        ("WEFT_RUN_ID", ".."),
    ],
)
def test_a_bad_variable_is_said_once_and_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for _ in range(2):
        with starting.init() as run:
            assert (run.project, run.tags, run.disabled) == ("default", (), False)
    assert len([record for record in caplog.records if variable in record.getMessage()]) == 1


def test_of_several_config_files_in_a_variable_those_that_can_be_read_are(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (("one.yaml", "lr: 0.1"), ("two.yaml", "["), ("three.yaml", "epochs: 3")):
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in ("one.yaml", "two.yaml", "none.yaml", "three.yaml")]
    monkeypatch.setenv("WANDB_CONFIG_PATHS", ",".join(paths))
    with starting.init() as run:
        assert run.config.as_dict() == {"lr": 0.1, "epochs": 3}
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(" is left out")[0] for line in said] == [
        f"{path} of WANDB_CONFIG_PATHS" for path in paths[1:3]
    ]
    assert not any("config=" in line for line in said)


@pytest.mark.parametrize(
    ("environment", "argument", "disabled"),
    [
        ({}, None, False),
        ({}, "disabled", True),
        ({}, "shared", False),
        ({}, "offline", False),
        ({"WANDB_MODE": "disabled"}, None, True),
        ({"WANDB_MODE": "dryrun"}, None, False),
        ({"WANDB_DISABLED": "true"}, None, True),
        ({"WANDB_MODE": "disabled"}, "online", False),
        ({"WANDB_MODE": "disabled", "WEFT_MODE": "online"}, None, False),
    ],
)
def test_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], argument: str | None, disabled: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    runtime.configure(Settings.resolve(home=tmp_path / "home", strict=True))
    with starting.init(mode=argument, settings=Settings(console="off", x_disable_stats=True)) as run:
        run.log({"x": 1})
        run.summary["y"] = 2
        assert run.disabled is disabled
        assert (run.summary["x"], run.summary["y"]) == (1.0, 2)
    assert (tmp_path / "home").exists() is not disabled


def test_a_disabled_run_stays_out_of_a_home_that_others_use(home: Path, journaled: Callable[[], list[Record]]) -> None:
    with starting.init(mode="disabled", dir=str(home)) as run:
        run.log({"x": 1})
        run.alert("t")
        assert run.save(__file__) == []
        run.log_artifact(__file__)
    assert journaled() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"mode": "sometimes"}, "mode"),
        ({"reinit": "x"}, "reinit"),
        ({"settings": 7}, "settings"),
        ({"dir": 7}, "dir"),
        ({"config_include_keys": ["a"], "config_exclude_keys": ["b"]}, "not both"),
        ({"entity": 7}, "entity"),
        ({"resume": "bla"}, "resume"),
        ({"id": "."}, "a run's id must not be '.'"),
        ({"id": ".."}, "a run's id must not be '..'"),
        ({"dir": "a\0b"}, "dir"),
    ],
)
def test_a_wrong_argument_raises(home: Path, arguments: dict[str, Any], says: str) -> None:
    starting.init(project="p")
    with pytest.raises(UsageError, match=says):
        starting.init(**{"reinit": True, **arguments})


def test_an_unknown_reinit_raises_at_the_first_init_too(home: Path) -> None:
    with pytest.raises(UsageError, match=r"init\(reinit=\) is one of"):
        starting.init("p", reinit="again")
    assert runtime.active().active_run is None


def test_all_wrong_arguments_are_told_at_once(home: Path, journaled: Callable[[], list[Record]]) -> None:
    bad: dict[str, tuple[Any, str]] = {
        "project": ("b/d", "'b/d'"),
        "id": ("..", "'..'"),
        "name": (7, "a run's name must be text"),
        "notes": (8, "a run's notes must be text"),
        "tags": (["", "x" * 65], "x" * 60),
        "group": (9, "a run's group must be text"),
        "job_type": (b"x", "a run's job_type must be text"),
        "entity": (1.5, "a run's entity must be text"),
        "dir": (7, "init(dir=)"),
        "mode": ("sometimes", "init(mode=)"),
        "reinit": ("again", "init(reinit=)"),
        "resume": ("bla", "init(resume=)"),
        "config": ("nope.yaml", "nope.yaml"),
    }
    with pytest.raises(UsageError, match=r"init\(\) was given 13 wrong arguments: \(1\) ") as raised:
        starting.init(**{name: value for name, (value, _) in bad.items()})
    assert [name for name, (_, says) in bad.items() if says not in str(raised.value)] == []
    assert journaled() == []


def test_a_lone_wrong_argument_keeps_its_own_error(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"^'nope\.yaml' is taken as the path"):
        starting.init("p", config="nope.yaml")


def test_what_wandb_takes_is_taken(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with starting.init("p", "me", force=True, anonymous="allow", sync_tensorboard=True, monitor_gym=False) as run:
        assert (run.project, run.entity) == ("p", "me")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["init(sync_tensorboard=True)"]


def test_settings_by_wandbs_names(home: Path, journaled: Callable[[], list[Record]]) -> None:
    settings = Settings(
        console="off", x_disable_stats=True, disable_git=True, x_save_requirements=False, run_id="mine",
        run_name="named", run_tags=["a"], x_label="rank 3", unheard_of=1,
    )  # fmt: skip
    with starting.init("p", settings=settings, name="argument") as run:
        assert (run.id, run.name, run.tags) == ("mine", "argument", ("a",))
        assert (run.settings.console, run.settings.system_interval_s, run.settings.git) == ("off", 0.0, False)
        assert run.settings.home == home
    [started] = [record for record in journaled() if isinstance(record, RunStarted)]
    assert decode(started.metadata or b"")["label"] == "rank 3"
    with starting.init("p", settings={"run_name": "of a dict", "save_code": True}) as run:
        assert run.name == "of a dict"
        assert run.settings.save_code
    with pytest.raises(UsageError, match=r"weft\.configure\(\)"):
        starting.init("p", settings=Settings(home=Path("/elsewhere"), project="x"))


def test_ranks_of_one_id_write_one_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, journaled: Callable[[], list[Record]]
) -> None:
    """As torchrun sets them: rank 0 leads; without a common id each rank has its own run."""
    monkeypatch.setenv("RANK", "1")
    with starting.init("p") as run:
        pass
    with starting.init("p", id="mine") as one:
        one.log({"x": 1})
    with starting.init("p", id="mine", settings=Settings(x_primary=True)):
        pass
    started = [record.joined for record in journaled() if isinstance(record, RunStarted)]
    finished = [record.joined for record in journaled() if isinstance(record, RunFinished)]
    assert started == finished == [False, True, False]
    assert run.uid != one.uid
