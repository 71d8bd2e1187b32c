"""`publish`, `ref`, `get`: versions of objects, by every kind of address, without executing what is stored."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import weft
from weft.publishing import Ref
from weft.tracking.errors import NotFoundError, UsageError
from weft.tracking.store.access import open_store

pytestmark = pytest.mark.usefixtures("home")


class Settings(BaseModel):
    model: str
    temperature: float = 0.0


@dataclasses.dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "nested": {"list": [1, 2.5, None, True, "text"]}},
        [],
        "text",
        0,
        None,
        {"nan": [math.inf, -0.0], "big": 2**70, "bytes": b"\x00\xff", "keys": {1: "one"}},
    ],
)
def test_data_comes_back_as_it_was(value: Any) -> None:
    assert weft.get(weft.publish(value, name="data")) == value


def test_prompts_tables_and_datasets_come_back_as_what_they_are() -> None:
    prompt = weft.Prompt("Be {tone}.", name="style")
    messages = weft.MessagesPrompt([{"role": "user", "content": "{q}"}], name="chat")
    dataset = weft.Dataset([{"id": "a", "q": "1 + 1?", "when": b"\x00"}], name="questions")
    table = weft.Table(columns=["a", "b"], data=[[1, "x"]])

    assert weft.get(weft.publish(prompt)) == prompt
    assert weft.get(weft.publish(messages)) == messages
    back = weft.get(weft.publish(dataset))
    assert (back.digest, [row.row_id for row in back.rows]) == (dataset.digest, ["a"])
    assert weft.get(weft.publish(table, name="table")).rows == table.rows


def test_models_and_dataclasses_come_back_as_data_and_as_a_class_only_when_one_is_given() -> None:
    address = weft.publish(Settings(model="m"), name="settings")
    assert weft.get(address) == {"model": "m", "temperature": 0.0}
    assert weft.get(address, as_type=Settings) == Settings(model="m")
    assert weft.get(weft.publish(Point(1, 2), name="point"), as_type=Point) == Point(1, 2)

    with pytest.raises(UsageError, match=r"settings:.* does not fit .*Point.*: x: Field required"):
        weft.get(address, as_type=Point)


def test_versions_are_addressed_by_number_alias_and_digest() -> None:
    made = [weft.publish({"a": number}, name="o", aliases=["best"] if number == 3 else None) for number in range(10)]

    assert weft.get("o") == weft.get("o:latest") == {"a": 9}
    assert weft.get("o:v5") == {"a": 5}
    assert weft.get("o:best") == {"a": 3}
    assert [weft.get(address)["a"] for address in made] == list(range(10))
    assert weft.get(f"o:{made[7].which[:12]}") == {"a": 7}
    assert weft.get(str(made[2])) == {"a": 2}
    for wrong in ("o:v1111", "o:1", "o:abc", "nothing"):
        with pytest.raises(NotFoundError):
            weft.get(wrong)


def test_equal_content_is_one_version_whatever_the_order_of_its_keys() -> None:
    first = weft.publish({"a": 1, "b": 2}, name="o")
    second = weft.publish({"b": 2, "a": 1}, name="o", aliases="again")

    assert first == second
    with open_store() as store:
        (version,) = store.reader().artifacts({"name": "o"}).rows
    assert list(version.aliases) == ["latest", "again"]


def test_an_address_survives_as_text() -> None:
    address = Ref("my project", "n-a_m.e", "rc 1 +/:é")

    assert weft.ref(str(Ref("p q", "n", "v3"))) == Ref("p q", "n", "v3")
    assert " " not in str(address)
    assert weft.ref("other/name:v3") == Ref("other", "name", "v3")
    assert weft.ref("name") == Ref("default", "name", "latest")
    with pytest.raises(UsageError):
        weft.ref("no such name!")


def test_what_could_not_come_back_is_refused_and_named() -> None:
    with pytest.raises(UsageError, match=r"cannot keep .*TextIOWrapper at client\.0\.file"), open("/dev/null") as file:
        weft.publish({"client": [{"file": file}]}, name="bad")
    with pytest.raises(UsageError, match="needs a name"):
        weft.publish({"a": 1})
    with pytest.raises(UsageError, match="an artifact's name"):
        weft.publish({"a": 1}, name="a/b")


def test_secrets_are_replaced_before_anything_is_kept(home: Path) -> None:
    key = "sk-proj-" + "a1B2" * 10
    address = weft.publish({"api_key": key, "text": f"use {key}"}, name="config")

    assert key not in str(weft.get(address))
    weft.flush()
    assert not [file for file in home.rglob("*") if file.is_file() and key.encode() in file.read_bytes()]


def test_prompts_lose_secrets_and_keep_their_places(home: Path) -> None:
    key = "sk-proj-" + "a1B2" * 10
    template = "Authorization: Bearer {token} password={password} "
    asked = weft.publish(weft.Prompt(template + key, name="text"), description=f"made with {key}")
    chat = weft.publish(weft.MessagesPrompt([{"role": "system", "content": key, "api_key": "hunter2"}], name="chat"))

    assert weft.get(asked).template == template + "[redacted:api-key]"
    assert weft.get(chat).messages[0]["content"] == "[redacted:api-key]"
    weft.flush()
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert key.encode() not in kept
    assert b"hunter2" not in kept


def test_what_a_redactor_takes_out_is_in_no_version(home: Path) -> None:
    weft.configure(home=home, redactor=lambda key, text: text.replace("Rumpelstiltskin", "[name]"))
    weft.publish(weft.Prompt("I am Rumpelstiltskin", name="who"), metadata={"by": "Rumpelstiltskin"})
    weft.flush()
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert b"[name]" in kept
    assert b"Rumpelstiltskin" not in kept


@pytest.mark.parametrize("address", ["../x", "weft:///..", "weft:///%2e%2e/x", "/etc/passwd", "", "/x"])
def test_what_is_no_address_is_told_what_one_looks_like(address: str) -> None:
    with pytest.raises(UsageError, match=r"weft:///project/name:production"):
        weft.get(address)


def test_within_a_run_what_is_read_and_published_is_its_lineage() -> None:
    weft.publish({"a": 1}, name="given")
    with weft.init("default") as run:
        weft.get("given")
        weft.publish({"b": 1}, name="made")

    with open_store() as store:
        found = {record.name: record for record in store.reader().artifacts({"type": "object"}).rows}
    assert list(found["given"].consumer_runs) == [run.id]
    assert found["made"].producer_run == run.id


def test_code_is_published_and_never_run() -> None:
    @weft.op
    def explode() -> None:
        raise AssertionError("it was run")

    version = weft.get(weft.publish(explode))

    assert version.type == "op"
    with version.open("code.py") as file:
        assert b"raise AssertionError" in file.read()


def test_where_nothing_is_recorded_publishing_still_answers_an_address() -> None:
    weft.configure(mode="disabled")

    assert weft.publish({"a": 1}, name="o").name == "o"


def test_what_was_published_in_mode_disabled_is_told_when_it_is_asked_for(home: Path) -> None:
    weft.configure(home=home, mode="disabled")
    address = weft.publish({"a": 1}, name="q")

    with pytest.raises(NotFoundError, match="mode disabled"):
        weft.get(address)
