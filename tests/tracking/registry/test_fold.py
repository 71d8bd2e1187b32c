"""What becomes of a collection's events: numbers as they were told, refusals that are said, nothing that comes back."""

from __future__ import annotations

from typing import Any

from weft.tracking.registry.fold import Event, Source, fold

A, B, C = (Source("p", "cnn", letter * 64) for letter in "abc")


def event(action: str, source: Source | None = None, *aliases: str, **details: Any) -> Event:
    return Event(action, 1, "ana", source, aliases, {"type": "model"} | details)


def test_a_number_is_the_one_that_its_writer_was_told_even_where_earlier_events_are_lost() -> None:
    state, effects = fold([event("linked", A, number=7), event("linked", B)])
    assert [effect.number for effect in effects] == [7, 8]
    assert state.named() == {"latest": 8}


def test_of_two_writers_that_were_told_the_same_number_the_earlier_one_keeps_it() -> None:
    _, effects = fold([event("linked", A, number=0), event("linked", B, number=0), event("linked", C, number=1)])
    assert [effect.number for effect in effects] == [0, 1, 2]


def test_a_number_that_was_unlinked_is_never_given_again_nor_after_a_deletion() -> None:
    events = [
        event("linked", A),
        event("unlinked", A),
        event("linked", A, number=0),
        event("deleted"),
        event("linked", B),
    ]
    state, effects = fold(events)
    assert [effect.number for effect in effects] == [0, 0, 1, None, 2]
    assert state.named() == {"latest": 2}


def test_a_link_of_another_type_does_nothing_and_says_so() -> None:
    state, effects = fold([event("created"), event("linked", A), event("linked", B, type="dataset")])
    assert effects[2].problem == "it holds type 'model', and this version is of type 'dataset'"
    assert [link.source for link in state.links.values()] == [A]


def test_a_protected_alias_stays_where_a_link_or_a_move_that_knew_nothing_of_it_would_take_it() -> None:
    before = [event("linked", A, "prod"), event("protected", None, "prod")]
    state, effects = fold([*before, event("linked", B, "prod", "gold"), event("aliased", B, "prod")])
    assert state.aliases == {"prod": 0, "gold": 1}
    assert [effect.problem for effect in effects[2:]] == [
        "the alias prod is protected and stayed where it was",
        "the alias prod is protected",
    ]
    for moves in (event("promoted", B, "prod"), event("aliased", B, "prod", force=True)):
        assert fold([*before, event("linked", B), moves])[0].aliases == {"prod": 1}
    for blocked in (event("unlinked", A), event("unaliased", None, "prod"), event("deleted")):
        assert fold([*before, blocked])[0].aliases == {"prod": 0}


ASKED = [{"eval": "digits", "conditions": [["accuracy", ">=0.9"]]}]


def test_a_promotion_that_was_not_checked_for_what_is_always_required_does_nothing_and_says_so() -> None:
    """Two homes on one store: its writer did not know yet."""
    before = [event("linked", A, "prod"), event("linked", B), event("protected", None, "prod", require=ASKED)]
    state, effects = fold([*before, event("promoted", B, "prod"), event("promoted", B, "gold")])
    assert state.aliases == {"prod": 0, "gold": 1}
    assert effects[3].problem == "the alias prod requires digits: accuracy >=0.9, for which it was not checked"
    assert fold([*before, event("promoted", B, "prod", standing=ASKED)])[0].aliases == {"prod": 1}
    weaker = [{"eval": "digits", "conditions": []}]
    assert fold([*before, event("promoted", B, "prod", standing=weaker)])[0].aliases == {"prod": 0}
    assert fold([*before, event("aliased", B, "prod", force=True)])[0].aliases == {"prod": 1}


def test_what_an_alias_requires_is_what_was_said_last_and_goes_with_its_protection() -> None:
    always = event("protected", None, "prod", "gold", "latest", require=ASKED)
    other = [{"eval": "safety", "conditions": []}]
    assert fold([event("created"), always])[0].required == {"prod": ASKED, "gold": ASKED}
    for then, left in (
        (event("protected", None, "prod"), {"prod": ASKED, "gold": ASKED}),
        (event("protected", None, "prod", require="nonsense"), {"prod": ASKED, "gold": ASKED}),
        (event("protected", None, "prod", require=other), {"prod": other, "gold": ASKED}),
        (event("protected", None, "prod", require=[]), {"gold": ASKED}),
        (event("unprotected", None, "prod"), {"gold": ASKED}),
        (event("deleted"), {}),
    ):
        assert fold([event("created"), always, then])[0].required == left


def test_what_is_not_there_is_said() -> None:
    for action in ("unlinked", "aliased", "promoted"):
        assert fold([event("created"), event(action, A, "x")])[1][1].problem == "the version is not linked"
    for action in ("described", "protected", "deleted", "unaliased"):
        assert fold([event(action)])[1][0].problem == "there is no such collection"
    assert fold([event("painted")])[1][0].problem == "this version of weft knows no action 'painted'"
    assert fold([event("created"), event("created")])[1][1].problem == "it was there already"
