"""A config changes only on purpose, whole or not at all; what a sweep chose stays; what it cannot hold it refuses."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import math
import pickle
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.errors import ConfigError, UsageError
from weft.tracking.journal.records import ArtifactUsed, Record, RunStarted, RunUpdated
from weft.tracking.payloads.encoding import decode
from weft.tracking.runs import starting
from weft.tracking.runs.config import Config
from weft.tracking.tables import Table


def _config(values: Any = None, **more: Any) -> tuple[Config, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Config(values, told.append, **more), told


def test_a_change_is_refused_whole() -> None:
    config, told = _config({"lr": 1, "bs": 2})
    with pytest.raises(ConfigError, match="allow_val_change=True"):
        config.update({"fresh": 1, "bs": 2, "lr": 2})
    assert config.as_dict() == {"lr": 1, "bs": 2}
    assert told == []
    assert issubclass(ConfigError, UsageError)
    assert issubclass(ConfigError, ValueError)


def test_what_the_program_does_with_its_dict_afterwards_changes_nothing() -> None:
    """Registries of models pop the `type` off the dict they are given; the run was started with it all the same."""
    given: dict[str, Any] = {"optimizer": {"type": "SGD", "betas": ({"a": 1}, [2])}, "names": {"x"}, "other": object()}
    config, told = _config(given)
    config.update({"late": given["optimizer"]})
    told.clear()
    given["optimizer"].pop("type")
    given["optimizer"]["betas"][0]["a"] = given["optimizer"]["betas"][1][0] = 9
    given["names"].clear()
    given["more"] = 1
    config.write_mutations()
    assert told == []
    assert config["optimizer"] == config["late"] == {"type": "SGD", "betas": ({"a": 1}, [2])}
    assert config["names"] == {"x"}
    assert config["other"] is given["other"]
    config["optimizer"]["type"] = "Adam"
    config.write_mutations()
    assert told == [{"optimizer": {"type": "Adam", "betas": ({"a": 1}, [2])}}]


def test_a_dict_that_holds_itself_is_taken() -> None:
    given: dict[str, Any] = {"a": [1]}
    given["self"] = given
    config, _ = _config({"x": given})
    given["a"].append(2)
    assert config["x"]["a"] == [1]
    assert config["x"]["self"] is config["x"]


def test_the_same_value_is_no_change() -> None:
    config, told = _config({"lr": 1, "nan": math.nan, "deep": {"a": [1]}})
    config.update({"lr": 1, "nan": math.nan, "deep": {"a": [1]}})
    assert told == []


def test_a_missing_key_is_an_attribute_error() -> None:
    config, _ = _config({"lr": 1})
    assert getattr(config, "missing", 5) == 5
    assert config.get("missing", 5) == 5
    assert "missing" not in config
    with pytest.raises(KeyError):
        config["missing"]


def test_keys_lose_their_dashes() -> None:
    config, told = _config()
    config["--lr"] = 1
    config.update({"-x-": 2, "---": 3})
    assert config.as_dict() == {"lr": 1, "x": 2, "---": 3}
    assert config["--lr"] == 1
    assert told == [{"lr": 1}, {"x": 2, "---": 3}]


def test_init_says_once_whether_values_may_change() -> None:
    config, told = _config({"lr": 1}, allow_val_change=True)
    config.lr = 2
    with pytest.raises(ConfigError):
        config.update({"lr": 3}, allow_val_change=False)
    assert told == [{"lr": 2}]


@dataclasses.dataclass
class _Options:
    lr: float = 0.1
    layers: tuple[int, ...] = (1, 2)


class _Flags:
    """As absl's FLAGS: attributes by machinery, a dict by this."""

    def flag_values_dict(self) -> dict[str, Any]:
        return {"lr": 0.1, "layers": (1, 2)}


@attrs.define
class _Slotted:
    lr: float = 0.1
    layers: tuple[int, ...] = (1, 2)


class _Struct(msgspec.Struct):
    lr: float = 0.1
    layers: tuple[int, ...] = (1, 2)


class _Like:
    """As ml_collections' ConfigDict: asked like a mapping without being one, its machinery in attributes."""

    def __init__(self) -> None:
        self._fields = {"lr": 0.1, "layers": (1, 2)}
        self._locked = False

    def keys(self) -> list[str]:
        return list(self._fields)

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 0.1, "layers": (1, 2)},
        _Slotted(),
        _Struct(),
        _Like(),
        argparse.Namespace(lr=0.1, layers=(1, 2)),
        types.SimpleNamespace(lr=0.1, layers=(1, 2)),
        types.MappingProxyType({"lr": 0.1, "layers": (1, 2)}),
        _Options(),
        _Flags(),
        types.SimpleNamespace(FLAGS=_Flags()),
    ],
)
def test_whatever_scripts_keep_their_options_in(given: Any) -> None:
    config, _ = _config(given)
    assert config.as_dict() == {"lr": 0.1, "layers": (1, 2)}


@pytest.mark.parametrize("given", [7, [("a", 1)], _Options, math])
def test_what_holds_no_options_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="expected a dict or a namespace"):
        _config(given)


def test_what_a_sweep_chose_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Nested, leaf by leaf; the rest of what the program sets is taken."""
    config, told = _config({"lr": 1, "opt": {"name": "adam", "wd": 0}})
    config.lock({"lr": 5, "opt": {"wd": 0.1}})
    assert config.as_dict() == {"lr": 5, "opt": {"name": "adam", "wd": 0.1}}
    config.update({"lr": 7, "bs": 2}, allow_val_change=True)
    config.update({"opt": {"name": "sgd", "wd": 9}}, allow_val_change=True)
    config.lr = 8
    assert config.as_dict() == {"lr": 5, "bs": 2, "opt": {"name": "sgd", "wd": 0.1}}
    assert told == [
        {"lr": 5, "opt": {"name": "adam", "wd": 0.1}}, {"bs": 2}, {"opt": {"name": "sgd", "wd": 0.1}},
    ]  # fmt: skip
    assert [record.getMessage().split("'")[1] for record in caplog.records] == ["lr", "opt", "lr"]


def test_media_and_tables_are_refused() -> None:
    config, told = _config()
    for value in (Table(columns=["a"]), {"deep": [Table(columns=["a"])]}):
        with pytest.raises(ConfigError, match=r"is of type Table.*run\.log"):
            config.update({"ok": 1, "t": value})
    assert told == []
    assert len(config) == 0


def test_an_artifact_in_the_config_is_an_input_of_the_run(
    home: Path, journaled: Callable[[], list[Record]], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    made = []
    for name in ("first", "later"):
        artifact = Artifact(name, type="dataset")
        artifact.add_file(tmp_path / "a.txt")
        made.append(artifact)
    with starting.init(project="p", config={"data": made[0]}) as run:
        assert run.config["data"] is made[0]
        run.config["more"] = made[1]
        with pytest.raises(ValueError, match="must be the value of a key itself"):
            run.config.update({"nested": {"data": made[0]}})
    records = journaled()
    assert [record.name for record in records if isinstance(record, ArtifactUsed)] == ["first", "later"]
    [started] = [record for record in records if isinstance(record, RunStarted)]
    reference = {"_type": "artifact", "name": "first", "type": "dataset", "digest": made[0].digest}
    assert decode(started.config or b"")["data"] == reference
    changes = [decode(record.config) for record in records if isinstance(record, RunUpdated) and record.config]
    assert [change["more"]["name"] for change in changes] == ["later"]


def test_a_copy_of_a_config_records_nothing() -> None:
    config, told = _config({"lr": 1, "deep": {"a": [1]}})
    for made in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        made.lr = 2
        made.deep["a"].append(2)
        assert made.as_dict() == {"lr": 2, "deep": {"a": [1, 2]}}
    assert config.as_dict() == {"lr": 1, "deep": {"a": [1]}}
    assert told == []


_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2), max_leaves=5
)


@given(
    st.dictionaries(st.text(min_size=1), _values, max_size=3),
    st.lists(st.dictionaries(st.text(min_size=1), _values, max_size=3), max_size=4),
)
def test_what_is_told_adds_up_to_what_is_there(first: dict[str, Any], updates: list[dict[str, Any]]) -> None:
    config, told = _config(first)
    replayed = config.as_dict()
    for update in updates:
        config.update(update, allow_val_change=True)
    for change in told:
        replayed |= change
    assert repr(replayed.keys()) == repr(config.as_dict().keys())
    assert all(repr(replayed[key]) == repr(config[key]) or replayed[key] == config[key] for key in replayed)
