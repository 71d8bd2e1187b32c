"""Names that are given are readable and valid; those that people choose are checked by one rule each."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracking import names
from weft.tracking.errors import UsageError


@given(st.binary(min_size=16, max_size=16))
def test_generated_names_pass_the_rules_for_chosen_ones(uid: bytes) -> None:
    assert names.check_run_id(names.run_id(uid)) == names.run_id(uid)
    assert re.fullmatch(r"[0-9a-z]{8}", names.run_id(uid))
    assert re.fullmatch(r"[a-z]+-[a-z]+-[1-9][0-9]{0,2}", names.run_name(uid))


@given(st.text(max_size=200))
def test_any_text_gives_an_artifact_name(text: str) -> None:
    assert names.check_artifact(names.artifact_name(text))


def test_names_in_any_script_are_told_apart() -> None:
    assert names.artifact_name("My topics!") == "My-topics"
    made = [names.artifact_name(text) for text in ("表", "図", "図 2", "Café", "Cafe", "表" * 300)]
    assert len(set(made)) == len(made)
    assert made[3:5] == ["Caf-73473dcc", "Cafe"]


@given(st.text(max_size=140), st.sampled_from([names.check_project, names.check_run_id, names.check_artifact]))
def test_a_name_is_taken_as_it_is_or_refused(text: str, check: object) -> None:
    try:
        taken = check(text)  # type: ignore[operator]
    except UsageError:
        return
    assert taken == text


@pytest.mark.parametrize(
    ("tags", "kept"),
    [(None, []), ((), []), ("one", ["one"]), (["a", "b", "a"], ["a", "b"]), (iter(["x"]), ["x"])],
)
def test_tags_become_a_list_without_repeats(tags: object, kept: list[str]) -> None:
    assert names.check_tags(tags) == kept  # type: ignore[arg-type]


def test_every_bad_tag_is_in_one_error() -> None:
    with pytest.raises(UsageError, match=r"'', 7, 'y{65}'"):
        names.check_tags(["", "good", 7, "y" * 65])  # type: ignore[list-item]


def test_versions_are_numbers_behind_a_v() -> None:
    assert [names.version_number(text) for text in ("v0", "v12", "latest", "v", "v1x", "1")] == [
        0, 12, None, None, None, None,
    ]  # fmt: skip


def test_every_bad_alias_is_in_one_error() -> None:
    with pytest.raises(UsageError) as error:
        names.check_aliases(["", "good", "a/b", "v1", 3])  # type: ignore[list-item]
    assert all(told in str(error.value) for told in ("one is ''", "'a/b'", "'v1' is how", "one is 3"))
    assert "good" not in str(error.value)


@given(st.text(max_size=200), st.text(max_size=200))
def test_two_keys_of_a_run_are_never_one_artifact(one: str, other: str) -> None:
    assert names.check_artifact(names.run_artifact("r", one))
    assert names.run_artifact_key(names.run_artifact("r", one), one)
    assert (names.run_artifact("r", one) == names.run_artifact("r", other)) == (one == other)


def test_a_key_that_a_name_may_hold_stands_in_it_as_it_is() -> None:
    assert names.run_artifact("r1", "val.answers-2") == "run-r1-val.answers-2"
    assert names.run_artifact("r1", "x/y").startswith("run-r1-x-y-")


def test_a_bad_name_of_an_artifact_is_told_with_one_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"this one is 'my data/v2'\. 'my-data-v2' could be$"):
        names.check_artifact("my data/v2")
    with pytest.raises(UsageError, match=r"this one is 'ö'$"):
        names.check_artifact("ö")
