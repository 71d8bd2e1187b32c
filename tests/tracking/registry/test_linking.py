"""Collections of the registry: own numbers, aliases that move, `latest`, links of links, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import weft
from weft.tracking import runtime
from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.artifacts.recording import remove
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.journal.records import Record, RegistryChanged
from weft.tracking.registry.paths import CollectionPath
from weft.tracking.runs.starting import start_run
from weft.tracking.settings import Settings
from weft.tracking.store.access import open_store


def made(name: str, content: bytes, kind: str = "model") -> Artifact:
    artifact = Artifact(name, type=kind)
    artifact.add_bytes(content, "weights")
    return artifact


@pytest.fixture
def versions(home: Path) -> Path:
    """p/cnn has v0 to v5, p/rows v0 of type dataset."""
    with start_run(project="p", id="train") as run:
        for number in range(6):
            run.log_artifact(made("cnn", b"%d" % number))
        run.log_artifact(made("rows", b"rows", "dataset"))
    return home


def events() -> int:
    with open_store() as store:
        return len(store.reader().registry_events())


def held() -> dict[str, str]:
    with weft.Api() as api:
        return dict(api.collection("model/classifier").aliases)


def test_the_registry_as_wandb_has_it(versions: Path) -> None:
    first = weft.link_artifact("p/cnn:v3", "model/classifier")
    assert first is not None
    assert (first.version, first.aliases, first.source_version) == ("v0", ["latest"], "v3")

    again = weft.link_artifact("p/cnn:v3", "model/classifier", ["prod"])
    assert again is not None
    assert (again.version, again.aliases) == ("v0", ["latest", "prod"])

    second = weft.link_artifact("p/cnn:v4", "model/classifier", aliases=["prod"])
    assert second is not None
    assert (second.version, held()) == ("v1", {"latest": "v1", "prod": "v1"})

    second.unlink()
    assert held() == {"latest": "v0"}
    third = weft.link_artifact("p/cnn:v5", "model/classifier")
    assert third is not None
    assert third.version == "v2"

    of_a_link = weft.link_artifact(third, "model/other")
    by_name = weft.link_artifact("registry:model/classifier:v2", "model/third")
    assert of_a_link is not None
    assert by_name is not None
    assert of_a_link.source_qualified_name == by_name.source_qualified_name == "p/cnn:v5"
    assert of_a_link.version == "v0"

    assert weft.promote("p/cnn:v5", "model/classifier").moved
    before = events()
    assert not weft.promote("p/cnn:v5", "model/classifier").moved
    assert weft.link_artifact("p/cnn:v5", "model/classifier", ["production"]) is not None
    assert events() == before

    with pytest.raises(UsageError, match=r"holds versions of type 'model', and p/rows:v0 is of type 'dataset'"):
        weft.link_artifact("p/rows:v0", "model/classifier")
    assert events() == before


def test_the_same_content_linked_again_after_it_was_unlinked_has_a_new_number(versions: Path) -> None:
    weft.link_artifact("p/cnn:v1", "classifier", ["a"])
    weft.unlink("classifier:a")
    again = weft.link_artifact("p/cnn:v1", "classifier")
    assert again is not None
    assert (again.version, held()) == ("v1", {"latest": "v1"})


def test_a_run_links_what_it_logs_and_trains(home: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"w")
    with weft.init("p", id="r") as run:
        linked = run.link_artifact(made("cnn", b"new"), "wandb-registry-model/classifier", ["best", "latest"])
        assert linked is not None
        assert (linked.collection, linked.aliases, linked.source_name) == (
            "model/classifier",
            ["latest", "best"],
            "cnn:v0",
        )
        other = weft.link_model(tmp_path / "model.bin", "loved", aliases=["good"])
        assert other is not None
        assert (other.collection, other.source_name) == ("model/loved", "run-r-model.bin:v0")
    with weft.Api() as api:
        logged_by = linked.logged_by()
        assert logged_by is not None
        assert logged_by.id == "r"
        assert api.collection("loved")["good"].download(tmp_path / "out").joinpath("model.bin").read_bytes() == b"w"


def test_a_linked_version_is_used_by_its_alias_and_its_source_knows_by_whom(versions: Path) -> None:
    weft.link_artifact("p/cnn:v2", "classifier", ["production"])
    for number, name in enumerate(
        (
            "registry:model/classifier:production",
            "registry:classifier",
            "wandb-registry-model/classifier:v0",
            "org/wandb-registry-model/classifier:production",
        )
    ):
        with start_run(project="q", id=f"use{number}") as run:
            used = run.use_artifact(name)
            assert (used.is_link, used.version, used.qualified_name) == (True, "v0", "registry:model/classifier:v0")
    with weft.Api() as api:
        source = api.artifact("p/cnn:v2")
        assert [run.id for run in source.used_by()] == ["use0", "use1", "use2", "use3"]
        assert not source.is_link
        assert api.artifact_exists("registry:classifier:production")
        assert not api.artifact_exists("registry:classifier:nothing")
        with pytest.raises(
            NotFoundError, match=r"there is no v7 in model/classifier; there is v0 \(latest, production\)"
        ):
            api.artifact("registry:classifier:v7")
        with pytest.raises(NotFoundError, match="there is no collection 'model/nothing'; there is model/classifier"):
            api.collection("nothing")


def test_aliases_are_edited_on_a_linked_version_and_all_else_on_its_source(versions: Path) -> None:
    linked = weft.link_artifact("p/cnn:v2", "classifier", ["a"])
    assert linked is not None
    linked.aliases.remove("a")
    linked.aliases.append("b")
    linked.description = "the second"
    linked.save()
    assert held() == {"latest": "v0", "b": "v0"}
    with weft.Api() as api:
        source = api.artifact("p/cnn:v2")
        assert (source.description, source.aliases) == ("the second", [])
    weft.link_artifact("p/cnn:v3", "classifier", ["b"])  # moved on: what linked knows is old
    linked.aliases.remove("b")
    linked.save()
    assert held() == {"latest": "v1", "b": "v1"}
    linked.aliases.remove("latest")
    with pytest.raises(UsageError, match="latest is always on the newest link"):
        linked.save()


def test_a_linked_version_is_kept_and_one_version_is_in_many_collections(versions: Path) -> None:
    weft.link_artifact("p/cnn:v0", "classifier", ["production"])
    weft.link_artifact("p/cnn:v0", "vision/digits")
    with weft.Api() as api:
        api.collection("classifier").protect("production")
        with pytest.raises(
            UsageError, match=r"linked as model/classifier:v0 with production \(protected\); linked as vision/d"
        ):
            api.artifact("p/cnn:v0").delete(delete_aliases=True)
        api.artifact("registry:vision/digits:v0").delete()  # of a link this only unlinks
        assert [one.path for one in api.collections({"digest": api.artifact("p/cnn:v0").digest})] == [
            "model/classifier"
        ]
        assert [one.name for one in api.registries()] == ["model", "vision"]
        assert api.registry("vision").collections()[0].links == []


def test_it_is_the_same_on_every_database(home: Path, store_url: str) -> None:
    runtime.configure(Settings.resolve(home=home, store_url=store_url, strict=True))
    with start_run(project="p", id="train") as run:
        for content in (b"0", b"1"):
            run.log_artifact(made("cnn", content))
    weft.link_artifact("p/cnn:v0", "classifier", ["staging", "ärger"])
    weft.link_artifact("p/cnn:v1", "vision/other")
    assert weft.promote("p/cnn:v1", "classifier").version == "v1"
    with weft.Api() as api:
        collection = api.collection("classifier")
        collection.tags, collection.description = ["vision"], "# Card"
        collection.protect("production", require={"eval": "digits", "accuracy": ">=0.9"})
        collection.save()
        assert api.collection("classifier").required == {"production": [{"eval": "digits", "accuracy": ">=0.9"}]}
        for where, paths in (
            ({"aliases": {"$in": ["production", "nothing"]}}, ["model/classifier"]),
            ({"aliases": "ärger", "tags": "vision", "protected": "production"}, ["model/classifier"]),
            ({"text": {"$contains": "card"}}, ["model/classifier"]),
            ({"project": "p", "type": "model"}, ["model/classifier", "vision/other"]),
            ({"registry": "vision"}, ["vision/other"]),
            ({"digest": "0" * 64}, []),
        ):
            assert sorted(one.path for one in api.collections(where)) == paths
        assert [one.name for one in api.collections(order="name")] == ["classifier", "other"]
        collection.unlink("staging")
        assert collection.aliases == {"latest": "v1", "production": "v1"}
        assert len(collection.history()) == 7
        with pytest.raises(UsageError, match="valid"):
            api.collections({"nonsense": 1})


def test_a_version_knows_its_links(versions: Path) -> None:
    weft.link_artifact("p/cnn:v1", "vision/digits")
    linked = weft.link_artifact("p/cnn:v1", "classifier", ["a"])
    assert linked is not None
    with weft.Api() as api:
        found = api.artifact("p/cnn:v1").linked_artifacts
    assert [(one.qualified_name, one.aliases) for one in found] == [
        ("registry:model/classifier:v0", ["latest", "a"]),
        ("registry:vision/digits:v0", ["latest"]),
    ]
    assert len(linked.linked_artifacts) == 2  # of its source


def test_a_link_whose_version_is_gone_is_said(versions: Path) -> None:
    """A home of an older weft, that knows nothing of links, may delete it."""
    weft.link_artifact("p/cnn:v1", "classifier", ["production"])
    with weft.Api() as api:
        remove("p", "cnn", api.artifact("p/cnn:v1").digest)
        collection = api.collection("classifier")
        assert [(link.number, link.version) for link in collection.links] == [(0, None)]
        assert collection.versions() == []
        for ask in (lambda: collection["production"], lambda: api.artifact("registry:classifier:production")):
            with pytest.raises(NotFoundError, match="which this store does not have"):
                ask()
        assert not api.artifact_exists("registry:classifier:production")
        collection.unlink("v0")


def test_a_protected_alias_moves_by_promotion_or_by_force_only(versions: Path) -> None:
    weft.link_artifact("p/cnn:v0", "classifier", ["production"])
    with weft.Api() as api:
        collection = api.collection("classifier")
        collection.protect("production")
        collection.protect("production")
        for attempt in (
            lambda: weft.link_artifact("p/cnn:v1", "classifier", ["production"]),
            lambda: collection.unalias("production"),
            lambda: collection.unlink("v0"),
            lambda: collection.delete(),
        ):
            with pytest.raises(UsageError, match="protected"):
                attempt()
        weft.link_artifact("p/cnn:v0", "classifier", ["production"])  # it is there: nothing moves
        assert collection.promote("p/cnn:v2", note="because").previous == "v0"
        collection.alias("v0", "production", force=True)
        assert collection.aliases["production"] == "v0"
        collection.protect("production", on=False)
        collection.alias("v1", "production")
        assert collection.aliases["production"] == "v1"
        said = [(event.action, event.details.get("force"), event.details.get("note")) for event in collection.history()]
    assert said[:2] == [("aliased", None, None), ("unprotected", None, None)]
    assert said[2:4] == [("aliased", True, None), ("promoted", None, "because")]
    assert [action for action, _, _ in said].count("protected") == 1


def test_cards_and_tags_are_kept_and_a_deleted_collection_goes_on_with_its_numbers(versions: Path) -> None:
    weft.link_artifact("p/cnn:v0", "classifier")
    with weft.Api() as api:
        collection = api.collection("classifier")
        collection.description, collection.tags = (
            "# Digits\nkey sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
            ["vision"],
        )
        collection.protect("gold")  # what is set and not saved stays set
        collection.save()
        stale = api.collection("classifier")
        collection.tags.append("digits")
        collection.save()
        stale.description = (stale.description or "") + " more"
        stale.save()  # it knows nothing of the tag, and leaves it
        assert stale.tags == ["vision", "digits"]
        collection.tags.remove("digits")
        collection.save()
        again = api.collection("classifier")
        assert again.description is not None
        assert again.description.startswith("# Digits")
        assert "sk-proj" not in again.description
        assert again.tags == ["vision"]
        assert [one.path for one in api.collections({"tags": "vision", "protected": "gold"})] == ["model/classifier"]
        again.delete()
        with pytest.raises(NotFoundError):
            api.collection("classifier")
        assert len(api.collections()) == 0
        linked = weft.link_artifact("p/cnn:v1", "classifier")
        assert linked is not None
        assert linked.version == "v1"
        fresh = api.collection("classifier")
        assert (fresh.description, fresh.protected, fresh.type) == (None, [], "model")


@pytest.mark.parametrize("alias", ["v3", "a/b", "a:b", "", 7])
def test_wrong_aliases_are_refused_and_nothing_is_written(versions: Path, alias: object) -> None:
    with pytest.raises(UsageError, match=r"alias|is how versions are called"):
        weft.link_artifact("p/cnn:v0", "classifier", [alias])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"alias|is how versions are called"):
        weft.promote("p/cnn:v0", "classifier", to=alias)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="latest is always the newest link"):
        weft.promote("p/cnn:v0", "classifier", to="latest")
    assert events() == 0


@pytest.mark.parametrize(
    "path", ["", "a/", "/a", "a/b/c/d", "model/../x", "a b", "model/x:v1", "é", 3, "m" * 114 + "/x"]
)
def test_what_names_no_collection_is_refused(versions: Path, path: object) -> None:
    with pytest.raises(UsageError, match=r"collection|version|registry"):
        weft.link_artifact("p/cnn:v0", path)  # type: ignore[arg-type]
    assert events() == 0


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("classifier", "model/classifier"),
        ("vision/classifier", "vision/classifier"),
        ("wandb-registry-vision/classifier", "vision/classifier"),
        ("org/wandb-registry-vision/classifier", "vision/classifier"),
        ("team/model-registry/classifier", "model/classifier"),
        ("registry:vision/classifier", "vision/classifier"),
    ],
)
def test_every_way_to_name_a_collection(text: str, path: str) -> None:
    assert str(CollectionPath.parse(text)) == path


def test_wrong_versions_are_refused(versions: Path) -> None:
    with pytest.raises(NotFoundError, match="no artifact cnn:v9"):
        weft.link_artifact("p/cnn:v9", "classifier")
    with pytest.raises(UsageError, match="a version is an Artifact"):
        weft.link_artifact(3, "classifier")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="was not told which collection"):
        weft.promote("p/cnn:v0")
    with pytest.raises(UsageError, match="does not say which version"):
        weft.unlink("classifier")
    with weft.Api() as api, pytest.raises(UsageError, match="is no link"):
        api.artifact("p/cnn:v0").unlink()


def test_in_mode_disabled_a_script_runs_on_and_nothing_is_written(tmp_path: Path) -> None:
    with weft.init("p", mode="disabled") as run:
        assert run.link_artifact(made("cnn", b"w"), "classifier") is None
    assert not (tmp_path / "home" / "registry.lock").exists()


def test_who_did_it_is_said_and_secrets_are_replaced(
    versions: Path, monkeypatch: pytest.MonkeyPatch, journaled: Callable[[], list[Record]]
) -> None:
    weft.link_artifact("p/cnn:v0", "classifier", by="ana sk-proj-abcdefghijklmnopqrstuvwxyz0123456789")
    said = [record.author for record in journaled() if isinstance(record, RegistryChanged)]
    assert said
    assert all(author.startswith("ana ") and "sk-proj" not in author for author in said)
    monkeypatch.setenv("WEFT_USER", "ben")
    runtime.reset()
    weft.link_artifact("p/cnn:v1", "classifier")
    with weft.Api() as api:
        assert api.collection("classifier").history()[0].author == "ben"
    with pytest.raises(UsageError, match="by= names who does it"):
        weft.link_artifact("p/cnn:v1", "classifier", by=" ")


RACER = """
import sys, json, weft
got = []
for number in range(5):
    name = f"p/cnn:v{number}"
    linked = weft.link_artifact(name, "race", by=sys.argv[1])
    done = weft.promote(name, "race", note=sys.argv[1], by=sys.argv[1])
    got.append([linked.version, done.version])
print(json.dumps(got))
"""


def test_two_processes_that_promote_at_once_agree_on_numbers_and_on_who_was_last(versions: Path) -> None:
    env = {**os.environ, "WEFT_HOME": str(versions), "WEFT_STRICT": "1"}
    runtime.reset()
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, who], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for who in ("ana", "ben")
    ]
    told = []
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert racer.returncode == 0, err.decode()
        told.append(json.loads(out))
    assert told[0] == told[1]  # the same content has one number, whoever linked it first
    with weft.Api() as api:
        collection = api.collection("race")
        history = list(reversed(collection.history()))
        assert sorted(link.number for link in collection.links) == [0, 1, 2, 3, 4]
        assert [event.action for event in history].count("created") == 1
        assert [event.problem for event in history] == [None] * len(history)
        times = [event.at_ns for event in history]
        assert times == sorted(set(times))
        at = None
        for event in history:  # each promotion says truly whom it took the alias from
            if event.action == "promoted":
                assert event.details.get("from") == at
                at = event.number
        assert collection.aliases["production"] == f"v{at}"


def test_where_the_store_cannot_be_read_a_run_goes_on_and_the_link_is_seen_later(
    home: Path, tmp_path: Path, journaled: Callable[[], list[Record]]
) -> None:
    (tmp_path / "folder").mkdir()
    bad = Settings.resolve(home=home, store_url=f"sqlite:///{tmp_path / 'folder'}", strict=False)
    runtime.configure(bad)
    with start_run(project="p", id="r") as run:
        assert run.link_artifact(made("cnn", b"w"), "classifier", ["best"]) is None
    assert runtime.active().faults.counts["look into the registry"] == 1
    assert [record.action for record in journaled() if isinstance(record, RegistryChanged)] == ["linked"]
    runtime.configure(Settings.resolve(home=home, strict=True))
    with weft.Api() as api:
        collection = api.collection("classifier")
        assert (collection.type, collection.aliases) == ("model", {"latest": "v0", "best": "v0"})


def test_a_rebuilt_store_has_the_same_registry(versions: Path) -> None:
    for number in (3, 1, 4, 1, 5):
        weft.link_artifact(f"p/cnn:v{number}", "classifier", [f"a{number % 2}"])
    weft.unlink("classifier:v1")
    weft.promote("p/cnn:v5", "classifier")
    with weft.Api() as api:
        before = api.collection("classifier")
        told = (before.record, before.history())
    runtime.reset()
    for path in versions.glob("weft.db*"):
        path.unlink()
    for path in (versions / "journal" / "ingested").glob("*.wj"):
        path.rename(versions / "journal" / path.name)
    with weft.Api() as api:
        after = api.collection("classifier")
        assert (after.record, after.history()) == told
