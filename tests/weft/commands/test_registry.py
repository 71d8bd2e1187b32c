"""`weft registry`: links, promotions that end with 100 where the gate refuses, history; text and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft.tracking.artifacts.artifact import Artifact
from weft.tracking.runs.starting import start_run

Weft = Callable[..., Any]


@pytest.fixture
def versions(home: Path) -> Path:
    """p/cnn:v0 and v1; of v0 an evaluation with an accuracy of 0.95, of v1 one with 0.5."""
    with start_run(project="p", id="train") as run:
        for content in (b"0", b"1"):
            made = Artifact("cnn", type="model")
            made.add_bytes(content, "w")
            run.log_artifact(made)
    for number, mean in ((0, 0.95), (1, 0.5)):
        with start_run(project="evals", name="digits", job_type="evaluation", id=f"e{number}") as run:
            run.use_artifact(f"p/cnn:v{number}")
            run.summary.update({"accuracy": {"mean": mean, "ci": [mean - 0.02, mean + 0.02], "n": 100}, "errors": 0})
    return home


def test_from_nothing_to_production_and_back(weft: Weft, versions: Path) -> None:
    assert "no collections yet" in weft("registry", "ls")[1]
    code, out, _ = weft("registry", "link", "p/cnn:v0", "classifier", "--alias", "staging", "--by", "ana")
    assert (code, out.strip()) == (0, "p/cnn:v0  →  model/classifier:v0  (latest, staging)")
    gate = ("--eval", "digits", "--require", "accuracy>=0.9", "--require", "accuracy ci>=0.9")
    code, out, _ = weft("registry", "promote", "registry:classifier:staging", *gate, "--note", "tested")
    assert code == 0
    assert "● passed" in out
    assert "0.95 [0.93, 0.97] (n 100)" in out
    assert "● p/cnn:v0 is model/classifier:production (v0)" in out
    assert "is model/classifier:production already" in weft("registry", "promote", "p/cnn:v0", "classifier", *gate)[1]

    code, out, _ = weft("registry", "promote", "p/cnn:v1", "classifier", *gate)
    assert code == 100
    assert "▲ failed" in out
    assert "evals/e1" in out
    assert "▲ p/cnn:v1 is not promoted to production" in out

    out = weft("registry", "show", "classifier")[1]
    assert "latest, production, staging" in out
    out = weft("registry", "history", "classifier")[1]
    for said in (
        "refused p/cnn:v1 for production",
        "promoted v0 to production",
        "tested",
        "linked p/cnn:v0 as v0",
        "ana",
    ):
        assert said in out
    assert "model/classifier" in weft("registry", "history")[1]
    out = weft("registry", "unlink", "classifier:production")[1]
    assert out.strip() == "model/classifier:v0 is unlinked; p/cnn:v0 stays"
    assert "no collections match" in weft("registry", "ls", "--type", "dataset")[1]


def test_protected_aliases_and_cards(weft: Weft, versions: Path, tmp_path: Path) -> None:
    weft("registry", "link", "p/cnn:v0", "classifier", "--alias", "production")
    assert "moves by promotion only" in weft("registry", "protect", "classifier", "production")[1]
    assert "! a protected alias" in weft("registry", "ls")[1]
    code, _, err = weft("registry", "link", "p/cnn:v1", "classifier", "--alias", "production")
    assert (code, "is protected" in err) == (64, True)
    assert weft("registry", "unlink", "classifier:v0")[0] == 64
    assert weft("registry", "alias", "classifier:v0", "production", "--off")[0] == 64
    assert weft("registry", "link", "p/cnn:v1", "classifier", "--alias", "production", "--force")[0] == 0
    assert "by force" in weft("registry", "history", "classifier")[1]
    assert "again" in weft("registry", "protect", "classifier", "production", "--off")[1]
    out = weft("registry", "alias", "classifier:v0", "production", "gold")[1]
    assert "production v0" in out
    assert "gold v0" in out
    assert "gold v0" in weft("registry", "alias", "classifier:v1", "gold", "--off")[1]  # it is not there
    assert "gold" not in weft("registry", "alias", "classifier", "gold", "--off")[1]

    card = tmp_path / "card.md"
    card.write_text("# Digits\n\x1b[31mred\x1b[0m\n")
    assert weft("registry", "describe", "classifier", str(card), "--tag", "vision")[0] == 0
    out = weft("registry", "show", "classifier")[1]
    assert "# Digits\n" in out
    assert "\x1b[31m" not in out
    assert "vision" in out


def test_json_of_each(weft: Weft, versions: Path) -> None:
    def said(*arguments: str) -> Any:
        return json.loads(weft("registry", *arguments, "--json")[1])

    assert said("ls") == []
    assert said("link", "p/cnn:v0", "classifier") == {
        "linked": "registry:model/classifier:v0", "source": "p/cnn:v0", "aliases": ["latest"],
    }  # fmt: skip
    done = said("promote", "p/cnn:v0", "classifier", "--eval", "digits", "--require", "accuracy 0.9..1")
    assert (done["version"], done["moved"], done["evidence"][0]["findings"][0]["passed"]) == ("v0", True, True)
    assert (done["refused"], done["evidence"][0]["passed"]) == (False, True)
    no = said("promote", "p/cnn:v1", "classifier", "--eval", "digits", "--require", "accuracy=0.9..1")
    assert (no["refused"], no["evidence"][0]["run"]) == (True, "evals/e1")
    assert weft("registry", "promote", "p/cnn:v1", "classifier", "--eval", "none", "--json")[0] == 100
    assert said("protect", "classifier", "gold") == {
        "collection": "model/classifier",
        "alias": "gold",
        "protected": True,
        "required": [],
        "holder": None,
        "evidence": [],
    }
    assert said("describe", "classifier", "--tag", "a")["tags"] == ["a"]
    assert said("alias", "classifier:v0", "gold", "--force")["aliases"] == {"latest": 0, "gold": 0, "production": 0}
    assert said("show", "classifier")["links"][0]["aliases"] == ["latest", "gold", "production"]
    assert said("ls")[0]["path"] == "model/classifier"
    assert [event["action"] for event in said("history", "classifier", "--limit", "2")] == ["aliased", "described"]
    assert said("unlink", "classifier:v0", "--force") == {"unlinked": "model/classifier:v0", "source": "p/cnn:v0"}
    assert said("rm", "classifier", "--yes") == {"dry_run": False, "deleted": "model/classifier", "links": 0}
    assert [event["action"] for event in said("history", "classifier", "--limit", "1")] == ["deleted"]


def test_an_alias_may_require_something_of_every_promotion(weft: Weft, versions: Path) -> None:
    weft("registry", "link", "p/cnn:v0", "classifier", "--alias", "production")
    asks = ("--eval", "digits", "--require", "accuracy>=0.9", "--require", "accuracy ci>=0.9")
    code, out, _ = weft("registry", "protect", "classifier", "production", *asks)
    moves = "production of model/classifier moves by promotion only"
    always = f"{moves}, which requires digits: accuracy >=0.9, accuracy ci>=0.9"
    assert code == 0
    assert out.startswith(f"{always}\n")
    assert "0.95 [0.93, 0.97] (n 100)" in out
    assert out.endswith("v0, which has it now, shows that\n")
    assert weft("registry", "protect", "classifier", "production")[1] == out  # what is required stays

    code, out, _ = weft("registry", "promote", "p/cnn:v1", "classifier")
    assert code == 100
    assert "0.5 [0.48, 0.52]" in out
    assert weft("registry", "promote", "p/cnn:v1", "classifier", "--to", "gold")[0] == 0  # of another alias nothing
    shown = weft("registry", "show", "classifier")[1]
    assert "production requires" in shown
    assert "digits: accuracy >=0.9, accuracy ci>=0.9" in shown
    assert "protected production, which requires digits: accuracy >=0.9" in weft("registry", "history")[1]
    told = json.loads(weft("registry", "show", "classifier", "--json")[1])["required"]
    assert told == {"production": [{"eval": "digits", "accuracy": [">=0.9", "ci>=0.9"]}]}

    both = ("--require", "eval=digits", "--require", "accuracy>=0.1", "--require", "eval = none", "--json")
    said = json.loads(weft("registry", "protect", "classifier", "production", *both)[1])
    assert said["required"] == [{"eval": "digits", "accuracy": ">=0.1"}, {"eval": "none"}]
    assert (said["holder"], [one["passed"] for one in said["evidence"]]) == ("v0", [True, False])
    assert "v0, which has it now, does not show that" in weft("registry", "protect", "classifier", "production")[1]
    assert weft("registry", "promote", "p/cnn:v1", "classifier")[0] == 100
    out = weft("registry", "protect", "classifier", "production", "--no-require")[1]
    assert out.strip() == moves
    assert weft("registry", "promote", "p/cnn:v1", "classifier")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "nothing"], 1, "there is no collection 'model/nothing'"),
        (["show", "a/b/c/d"], 64, "names no collection"),
        (["link", "p/cnn:v9", "classifier"], 1, "no artifact cnn:v9"),
        (["link", "p/cnn:v0", "classifier", "--alias", "v3"], 64, "is how versions are called"),
        (["promote", "p/cnn:v0"], 64, "was not told which collection"),
        (["promote", "p/cnn:v0", "classifier", "--require", "accuracy>0.9"], 64, "say which with --eval"),
        (["promote", "p/cnn:v0", "classifier", "--eval", "e", "--require", ">0.9"], 64, "write"),
        (["promote", "p/cnn:v0", "classifier", "--eval", "e", "--require", "accuracy>high"], 64, 'write ">=0.9"'),
        (["promote", "p/cnn:v0", "classifier", "--require", "eval="], 64, "write"),
        (["promote", "p/cnn:v0", "classifier", "--to", "latest"], 64, "latest is always the newest link"),
        (["unlink", "classifier"], 64, "does not say which version"),
        (["unlink", "classifier:v0"], 1, "there is no collection"),
        (["describe", "classifier"], 64, "given nothing to write"),
        (["describe", "classifier", "/nowhere/card.md"], 1, "could not be read"),
        (["protect", "classifier", "v1"], 64, "is how versions are called"),
        (["protect", "classifier", "gold", "--require", "a>0"], 64, "say which with --eval"),
        (["protect", "classifier", "gold", "--eval", "e", "--require", "a>high"], 64, 'write ">=0.9"'),
        (["protect", "classifier", "gold", "--eval", "e", "--no-require"], 64, "--no-require takes"),
        (["protect", "classifier", "gold", "--eval", "e", "--off"], 64, "is not protected requires nothing"),
        (["protect", "classifier", "gold", "--eval", "e"], 1, "there is no collection"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    weft: Weft, versions: Path, arguments: list[str], code: int, says: str
) -> None:
    found, out, err = weft("registry", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_collection_is_deleted_and_what_was_linked_stays(weft: Weft, versions: Path) -> None:
    weft("registry", "link", "p/cnn:v0", "classifier", "--alias", "production")
    weft("registry", "protect", "classifier", "production")
    assert weft("registry", "rm", "classifier").code == 64  # nobody to ask
    assert "is protected" in weft("registry", "rm", "classifier", "--yes").err
    assert "with 1 link would be deleted" in weft("registry", "rm", "classifier", "--dry-run").out
    assert weft("registry", "show", "classifier").code == 0
    out = weft("registry", "rm", "classifier", "--yes", "--force").out
    assert out.strip() == "model/classifier is deleted; what was linked in it stays"
    assert weft("artifacts", "show", "p/cnn:v0").code == 0
    assert "deleted it by force" in weft("registry", "history", "classifier").out
    assert "classifier:v1" in weft("registry", "link", "p/cnn:v1", "classifier").out
    assert weft("registry", "rm", "nothing", "--yes").code == 1


@pytest.mark.parametrize("columns", ["80", "120"])
def test_it_fits_the_terminal(weft: Weft, versions: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    weft(
        "registry",
        "link",
        "p/cnn:v0",
        "a-rather-long-name-of-a-collection",
        "--alias",
        "staging",
        "--alias",
        "candidate",
    )
    gate = ("--eval", "digits", "--require", "accuracy>=0.9")
    monkeypatch.setenv("COLUMNS", columns)
    name = "a-rather-long-name-of-a-collection"
    for arguments in (["ls"], ["show", name], ["promote", "p/cnn:v0", name, *gate], ["history", name]):
        out = weft("registry", *arguments)[1]
        assert max(len(line) for line in out.splitlines() if "→" not in line) <= int(columns), out
