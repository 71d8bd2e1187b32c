"""Settings come from arguments, then `WEFT_*`, then defaults; once, frozen, and never from a mistyped mode."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from weft.tracking import runtime
from weft.tracking.errors import UsageError
from weft.tracking.journal.records import RunFinished
from weft.tracking.payloads.redaction import Redaction
from weft.tracking.settings import Settings
from weft.tracking.store.store import Store


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/ada")
    settings = Settings.resolve(env={})
    assert settings.home == Path("/people/ada/.weft")
    assert settings.url == "sqlite:////people/ada/.weft/weft.db"
    assert (settings.project, settings.mode, settings.strict, settings.redact) == ("default", "online", False, True)
    assert settings.auto_ingest


def test_the_environment_is_read_and_arguments_win(tmp_path: Path) -> None:
    env = {
        "WEFT_HOME": str(tmp_path / "env"),
        "WEFT_PROJECT": "from-env",
        "WEFT_MODE": "offline",
        "WEFT_STORE": "postgresql://db/weft",
        "WEFT_STRICT": "1",
        "WEFT_REDACT": "0",
        "WEFT_AUTO_INGEST": "no",
    }
    settings = Settings.resolve(env=env)
    assert settings == Settings(
        home=tmp_path / "env", project="from-env", mode="offline", store_url="postgresql://db/weft", strict=True,
        redact=False, auto_ingest=False,
    )  # fmt: skip
    assert settings.url == "postgresql://db/weft"
    given_ = Settings.resolve(
        home=tmp_path / "arg", project="arg", mode="disabled", store_url="sqlite:////x.db", strict=False, redact=True,
        env=env,
    )  # fmt: skip
    assert (given_.home, given_.project, given_.mode) == (tmp_path / "arg", "arg", "disabled")
    assert (given_.url, given_.strict, given_.redact) == ("sqlite:////x.db", False, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", False),
        ("false", False),
        ("No", False),
        ("off", False),
        (" 0 ", False),
        ("1", True),
        ("yes", True),
        ("", True),
    ],
)
def test_flags(text: str, value: bool) -> None:
    """An empty variable is one that is not set."""
    assert Settings.resolve(env={"WEFT_REDACT": text}).redact is value


def test_empty_variables_count_as_absent() -> None:
    empty = dict.fromkeys(["WEFT_HOME", "WEFT_PROJECT", "WEFT_MODE", "WEFT_STORE", "WEFT_STRICT"], "")
    assert Settings.resolve(env=empty) == Settings.resolve(env={})


@pytest.mark.parametrize("mode", ["on", "ONLINE", "none"])
def test_an_unknown_mode_raises(mode: str) -> None:
    with pytest.raises(UsageError, match="one of online, offline, disabled"):
        Settings.resolve(mode=mode, env={})
    with pytest.raises(UsageError, match="one of online, offline, disabled"):
        Settings.resolve(env={"WEFT_MODE": mode})


def test_a_relative_home_stays_where_it_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later chdir must not move it."""
    monkeypatch.chdir(tmp_path)
    assert Settings.resolve(home="here", env={}).home == tmp_path / "here"


def test_settings_do_not_change() -> None:
    settings: Any = Settings.resolve(env={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.project = "other"


def test_a_store_is_made_in_a_folder_of_any_name(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a?b=c #%41 ü")
    settings.home.mkdir()
    Store.open(settings.url).close()
    assert (settings.home / "weft.db").exists()


def test_a_home_that_cannot_be_told_ends_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service without HOME, or whose working directory is gone, runs on; that nothing is recorded is said once."""

    def nobody(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "expanduser", nobody)
    settings = Settings.resolve(env={})
    runtime.configure(settings)
    active = runtime.active()
    assert active.journal.append(RunFinished(1, b"r" * 16, 1, "finished")) is False
    assert active.faults.counts["write the journal"] == 1
    assert list(tmp_path.iterdir()) == []


def test_sampling_and_code_capture_come_from_the_environment() -> None:
    settings = Settings.resolve(env={"WEFT_SAMPLE_RATE": "0.25", "WEFT_CAPTURE_CODE": "0"})
    assert (settings.sample_rate, settings.capture_code) == (0.25, False)
    given_ = Settings.resolve(sample_rate=0, capture_code=True, env={"WEFT_SAMPLE_RATE": "0.25"})
    assert (given_.sample_rate, given_.capture_code) == (0.0, True)


@pytest.mark.parametrize("rate", ["abc", "1.1", "-0.1", "nan", "1e999", 2, -1, True, float("nan")])
def test_a_rate_that_is_none_is_told_what_it_must_be(rate: Any) -> None:
    with pytest.raises(UsageError, match=r"from 0 .* to 1 .*WEFT_SAMPLE_RATE"):
        Settings.resolve(sample_rate=rate, env={})


def test_a_mistyped_flag_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="WEFT_STRICT is 'maybe'"):
        Settings.resolve(env={"WEFT_STRICT": "maybe"})


@pytest.mark.parametrize(
    "wrong", [{"attributes": [1]}, {"attributes": {1: 2}}, {"postprocess_inputs": 5}, {"postprocess_output": "x"}]
)
def test_settings_of_the_wrong_type_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Settings.resolve(env={}, **wrong)


def test_a_mistyped_variable_ends_no_call_of_a_program_that_records(caplog: pytest.LogCaptureFixture) -> None:
    given = {
        "WEFT_SAMPLE_RATE": "x",
        "WEFT_MODE": "bogus",
        "WEFT_OTEL": "x",
        "WEFT_CAPTURE_CODE": "maybe",
        "WEFT_PROJECT": "a/b",
        "WEFT_REDACT": "foo",
        "WEFT_HOME": "/tmp/somewhere",
    }

    settings = Settings.of_environment(given)

    assert (settings.sample_rate, settings.mode, settings.otel, settings.capture_code) == (1.0, "online", "share", True)
    assert (settings.project, str(settings.home)) == ("default", "/tmp/somewhere")
    assert isinstance(settings.redact, Redaction)  # nobody knows what was meant: all of it
    assert (settings.redact.secrets, settings.redact.email, settings.redact.cards) == (True, True, True)
    assert len(caplog.messages) == 6
    assert all(message.endswith("It is left out") for message in caplog.messages)


def test_the_project_of_the_environment_is_checked_as_any_other() -> None:
    with pytest.raises(UsageError, match="must not hold '/'"):
        Settings.resolve(env={"WEFT_PROJECT": "a/b"})


def test_what_is_recorded_by_itself_is_chosen_by_our_variables_or_wandbs(tmp_path: Path) -> None:
    def resolved(**env: str) -> Settings:
        return Settings.resolve(home=tmp_path, env=env)

    default = resolved()
    assert (default.console, default.system_interval_s, default.git, default.packages) == ("auto", 15.0, True, True)
    assert (default.machine, default.save_code, default.diff_bytes) == (True, False, 10 << 20)
    assert resolved(WANDB_CONSOLE="redirect").console == "wrap"
    assert resolved(WANDB_CONSOLE="off", WEFT_CONSOLE="wrap").console == "wrap"
    assert resolved(WANDB__DISABLE_STATS="true").system_interval_s == 0
    assert resolved(WANDB__DISABLE_STATS="true", WEFT_SYSTEM_INTERVAL="2.5").system_interval_s == 2.5
    assert resolved(WANDB_X_STATS_SAMPLING_INTERVAL="3").system_interval_s == 3
    assert not resolved(WANDB_DISABLE_GIT="true").git
    assert resolved(WANDB_DISABLE_GIT="true", WEFT_GIT="1").git
    assert resolved(WANDB_SAVE_CODE="true").save_code
    assert not resolved(WANDB_SAVE_CODE="true", WANDB_DISABLE_CODE="true").save_code
    assert resolved(WEFT_DIFF_BYTES="0").diff_bytes == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEFT_CONSOLE", "loud"),
        ("WEFT_SYSTEM_INTERVAL", "0.01"),
        ("WEFT_SYSTEM_INTERVAL", "nan"),
        ("WEFT_SYSTEM_INTERVAL", "often"),
        ("WEFT_DIFF_BYTES", "-1"),
        ("WEFT_GIT", "maybe"),
        ("WANDB_DISABLE_GIT", "maybe"),
    ],
)
def test_what_none_of_these_takes_is_said_and_stops_no_program(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name.removeprefix("WEFT_").split("_")[0].lower() + "|" + name):
        Settings.resolve(home=tmp_path, env={name: value})
    assert Settings.of_environment({name: value, "WEFT_HOME": str(tmp_path)}) == Settings.of_environment(
        {"WEFT_HOME": str(tmp_path)}
    )
