"""configure, init, flush: what they change, and what they refuse."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime


def test_configure_takes_arguments_over_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEFT_PROJECT", "from-env")

    assert weft.configure(home=tmp_path).project == "from-env"
    assert weft.configure(home=tmp_path, project="given").project == "given"


def test_an_unknown_mode_is_refused_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(weft.Error, match="online, offline, disabled"):
        weft.configure(home=tmp_path, mode="sometimes")


def test_disabled_records_nothing_and_changes_nothing(tmp_path: Path) -> None:
    weft.configure(home=tmp_path / "home", mode="disabled")

    @weft.op
    def double(x: int) -> int:
        return 2 * x

    with weft.init("p") as run:
        assert double(2) == 4
        run.log({"a": 1})
    assert not (tmp_path / "home").exists()


def test_calls_under_a_disabled_run_belong_to_none(home: Path) -> None:
    with weft.init("p", mode="disabled") as run:
        assert weft.run is run
        weft.log({"a": 1})
        with weft.span("call"):
            pass
    assert weft.run is None
    with weft.Api() as api:
        [trace] = api.traces()
        assert (trace.run_id, trace.project) == (None, "default")
        assert len(api.runs()) == 0


def test_run_config_and_summary_follow_the_active_run(home: Path) -> None:
    assert weft.run is None
    run = weft.init("p", config={"lr": 0.1})
    assert weft.run is run
    assert weft.config["lr"] == 0.1
    weft.log({"loss": 1.0})
    weft.finish()
    assert weft.run is None


def test_a_run_is_not_torn_in_two_by_configuring_in_its_middle(home: Path, tmp_path: Path) -> None:
    with weft.init("p") as run, pytest.raises(weft.Error, match=r"weft\.finish\(\)"):
        weft.configure(home=tmp_path / "elsewhere")
    assert run.id


def test_flush_makes_what_was_handed_over_survive_a_power_cut(home: Path) -> None:
    run = weft.init("p")
    run.log({"a": 1})
    weft.flush()

    assert not any(
        segment is not None and segment.room != segment.synced for segment in runtime.active().journal._segments
    )


@pytest.mark.parametrize(
    ("environment", "said"), [({"WEFT_MODE": "sometimes"}, "WEFT_MODE"), ({"WEFT_STORE": "nonsense://"}, "WEFT_STORE")]
)
def test_a_bad_environment_is_one_clear_line(home: Path, environment: dict[str, str], said: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "weft.cli", "traces", "ls"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )

    assert run.returncode != 0
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_a_home_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    run = subprocess.run(
        [sys.executable, "-m", "weft.cli", "traces", "ls"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WEFT_HOME": str(tmp_path / "file")},
    )

    assert run.returncode == 1
    assert "is a file" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_flush_says_whether_all_was_done(home: Path) -> None:
    with weft.span("x"):
        assert weft.flush() is True
    assert weft.flush(timeout=1) is True
    with pytest.raises(weft.Error, match="seconds"):
        weft.flush(timeout="soon")  # type: ignore[arg-type]
    with pytest.raises(weft.Error, match="seconds"):
        weft.flush(timeout=-1)


def test_login_is_local_and_instant(tmp_path: Path) -> None:
    """It looks at nothing, writes nothing and asks nobody."""
    assert weft.login(anonymous="must", key="short", host="https://example.invalid", relogin=True) is True
    assert not (tmp_path / "home").exists()


def test_setup_answers_the_settings_and_teardown_ends_all_runs(home: Path) -> None:
    assert weft.setup().home == home
    runs = [weft.init("p"), *(weft.init("p", reinit="create_new") for _ in range(2))]
    weft.teardown(3)
    assert [run.state for run in runs] == ["failed"] * 3
    weft.teardown()


def test_config_and_summary_say_init_until_there_is_a_run(home: Path) -> None:
    config, summary = weft.config, weft.summary
    for use in (
        lambda: config.lr,
        lambda: config["lr"],
        lambda: "lr" in config,
        lambda: config.update({"lr": 1}),
        lambda: list(config),
        lambda: len(summary),
        lambda: setattr(summary, "x", 1),
        lambda: summary.__setitem__("x", 1),
    ):
        with pytest.raises(weft.Error, match=r"Call weft\.init\(\) first"):
            use()
    assert "no run is active" in repr(config)
    assert not hasattr(config, "__wrapped__")  # what inspect and mocks look for
    with weft.init("p", config={"lr": 1}):
        assert (config.lr, dict(config)) == (1, {"lr": 1})
        summary["x"] = 2
        assert weft.summary["x"] == 2
        assert repr(config) == repr(weft.config)


def test_what_a_run_can_do_is_done_to_the_active_one(home: Path) -> None:
    """Signatures are the methods' own, without the run."""
    for name in ("alert", "save", "restore", "log_artifact", "use_artifact", "define_metric", "watch"):
        function = getattr(weft, name)
        method = inspect.signature(getattr(weft.Run, name))
        assert list(inspect.signature(function).parameters) == list(method.parameters)[1:]
        with pytest.raises(weft.Error, match=rf"weft\.{name}\(\) was asked for, but no run is active"):
            function("x")
    with weft.init("p") as run:
        weft.alert("title", "text")
        assert weft.run is run
    assert weft.run is None


def test_a_run_says_where_it_is(home: Path) -> None:
    with weft.init("p", name="<b>bold</b>", mode="offline") as run:
        assert (run.offline, run.disabled, run.url, run.sweep_id, run.resumed) == (True, False, None, None, False)
        assert "&lt;b&gt;" in run.to_html()
        assert run.display() is False
        assert run.status()["dropped"] == 0
        assert run.start_time == pytest.approx(time.time(), abs=60)
        run.mark_preempting()
