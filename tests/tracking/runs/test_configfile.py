"""Configurations in YAML: plain keys, wandb's form, the defaults beside the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.tracking.errors import ConfigError
from weft.tracking.runs import starting
from weft.tracking.runs.configfile import read_config


def test_plain_keys_and_wandbs_form(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "wandb_version: 1\n_wandb: {value: {}}\nlr: {value: 1e-3, desc: rate}\nbs: 32\nneg: -1E+4\n"
        "deep: {value: {a: [1, .5e2]}}\nplain: {value: 1, other: 2}\ntext: 1e\n"
    )
    assert read_config(path) == {
        "lr": 0.001, "bs": 32, "neg": -10000.0, "deep": {"a": [1, 50.0]}, "plain": {"value": 1, "other": 2},
        "text": "1e",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "is no YAML"),
        (b"- 1\n- 2", "holds list"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as raised:
        starting.init(config=str(path))
    assert "\n" not in str(raised.value)


def test_a_python_object_in_a_config_file_is_never_made(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: !!python/object/apply:os.system ['touch made']")
    with pytest.raises(ConfigError, match="is no YAML"):
        read_config(path)


def test_defaults_lie_beside_the_program(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config-defaults.yaml").write_text("lr: {value: 1}\nbs: {value: 2}\n")
    (tmp_path / "more.yaml").write_text("bs: 3\nseed: 4\n")
    monkeypatch.setenv("WANDB_CONFIG_PATHS", "more.yaml")
    with starting.init(config={"seed": 5}) as run:
        assert run.config.as_dict() == {"lr": 1, "bs": 3, "seed": 5}


@pytest.mark.parametrize("content", ["", "- a list"])
def test_empty_or_broken_defaults_are_said_and_left_out(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config-defaults.yaml").write_text(content)
    with starting.init(config={"lr": 1}) as run:
        assert run.config.as_dict() == {"lr": 1}
    assert len([record for record in caplog.records if "config-defaults.yaml" in record.getMessage()]) == 1


def test_which_keys_are_taken(home: Path) -> None:
    given = {"lr": 1, "bs": 2, "verbose": True}
    with starting.init(config=given, config_exclude_keys=["verbose"]) as run:
        assert run.config.as_dict() == {"lr": 1, "bs": 2}
    with starting.init(config=given, config_include_keys=["lr"]) as run:
        assert run.config.as_dict() == {"lr": 1}
